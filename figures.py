"""Draw the paper's Figures 2-6 and Table 1, the comparison of tutors, and the training curves. Runs no model.

    python -m figures --training-root runs/demo

Bars are means with 95 % intervals clustered by problem, diamonds the paper's published values, grey marks baselines
and other tutors. Answers without a valid verdict are left out and counted in the figure. What is missing is listed, the
rest is drawn. A training root made by the original code works too.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from pathlib import Path
from typing import Any

from utils.artifacts import write_text
from utils.cli import make_parser, run
from utils.flags import add_trained_on_flag
from utils.results import charts, claims, drawing, table
from utils.results.reading import read_root


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--training-root", type=Path, required=True, help="folder that `pipeline` or the original code wrote"
    )
    parser.add_argument("--output-dir", type=Path, help="the folder for the figures (default: <training-root>/figures)")
    add_trained_on_flag(parser)
    return parser.parse_args(argv)


def main(training_root: Path | str, output_dir: Path | None = None, trained_on: str | None = None) -> dict[str, Any]:
    """Draw what can be drawn, and print Table 1, the comparisons and what can be claimed.

    Returns the `files` written, Table 1's rows as `table`, the `comparisons` (dicts), the `claims` and `warnings`
    (sentences), and a line on each thing that is `missing` or was left out.
    Raises FileNotFoundError if there is nothing to draw, BadInput if a file of the tree cannot be read or if no tutor
    was trained on `trained_on`.
    """
    root = read_root(training_root)
    root.refuse_empty()
    rows, compared = table.rows(root), claims.comparisons(root)
    claimed, beware = claims.claims(compared), claims.warnings(root, compared)
    out = Path(output_dir) if output_dir else root.path / "figures"
    with charts.style():
        drawn = drawing.draw(root, compared, trained_on)
        files = [
            path for name, (figure, _) in drawn.items() if figure for path in charts.save_figure(figure, out / name)
        ]
    if rows:
        parts = [table.as_markdown(rows, root), table.comparisons_as_markdown(compared, root)]
        texts = {"table_1.csv": table.as_csv(rows), "table_1.md": "\n".join(part for part in parts if part)}
        if sentences := claims.as_markdown(claimed, beware):
            texts["claims.md"] = sentences
        for name, text in texts.items():
            write_text(out / name, text)
            files.append(out / name)
        print(f"\n{texts['table_1.md']}\n{sentences}")

    missing = drawing.missing(root, {**drawn, "table_1": (rows, drawing.lacks_scores(root))})
    print("\n".join([*missing, f"{len(files)} files in {out}"]))
    return {
        "files": files, "table": rows, "comparisons": compared,
        "claims": [line for sentences in claimed.values() for line in sentences],
        "warnings": beware, "missing": missing,
    }  # fmt: skip


if __name__ == "__main__":
    run(main, parse_args)
