"""Write the report of a training root: one HTML file with all results and every answer, to be read offline.

    python -m report --training-root runs/demo

It has the settings, the claims, Table 1, the figures and the judge's agreement with people; every answer with its
verdicts, to filter and search; the training pairs; and the manifest. No model is run. The page loads and sends nothing.
A training root made by the original code works too.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from pathlib import Path

from utils.cli import make_parser, run
from utils.flags import add_trained_on_flag


def main(training_root: Path, output_path: Path | None = None, trained_on: str | None = None) -> Path:
    """Write the report; returns its path.

    Raises FileNotFoundError if there is nothing to report, BadInput if a file of the tree cannot be read or if no tutor
    was trained on `trained_on`.
    """
    from utils.artifacts import write_text
    from utils.results.html import page
    from utils.results.reading import read_root

    root = read_root(training_root)
    root.refuse_empty()
    path = output_path or root.path / "report.html"
    write_text(path, page(root, trained_on))
    print(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser")
    return path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--training-root", type=Path, required=True, help="folder that `pipeline` or the original code wrote"
    )
    parser.add_argument(
        "--output-path",
        type=Path,
        metavar="FILE",
        help="the file to write (default: <training-root>/report.html)",
    )
    add_trained_on_flag(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main, parse_args)
