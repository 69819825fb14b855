"""Rate answers by hand, in a browser: is the judge any good, and do people agree with each other?

    python -m rate --answers runs/demo/evaluation/mathdial/base.json --output runs/ratings.json
    python -m human_vs_gpt --humans runs/ratings.json

Opens a page on this machine. Each answer is shown with its dialogue and the rubric's four questions, blind to the
model and to the judge's verdict. Every rating is on disk before the next answer appears; the same command resumes.
Several people can rate, each under a name, one after another or at once. At the end the page shows how far raters agree
with each other and with the judge.
Writes the file that human_vs_gpt and fit_rubric read, one row per rater and answer, and its journal.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import cli, flags
from utils.pages.serve import add_page_flags


def main(
    *, answers: Sequence[Path], output: Path, seed: int = 0, limit: int | None = None, repeat: float = 0.0,
    pairwise: bool = False, server_name: str = "127.0.0.1", server_port: int | None = None, share: bool = False,
    password: str | None = None, inbrowser: bool = False,
) -> None:  # fmt: skip
    """Open the page and wait until Ctrl-C; prints what was rated."""
    from utils.pages.ratings import Ratings
    from utils.pages.serve import FOLDER, serve
    from utils.pages.to_rate import pair_up, read_items, showings, shuffled

    items, left_out = read_items(answers)
    for why, times in left_out.items():
        print(f"left out: {times} ({why})")
    items = shuffled(pair_up(items, seed) if pairwise else items, seed)[:limit]
    queue = showings(items, repeat, seed)
    ratings = Ratings(output)
    try:
        from utils.pages.rate_page import build

        twice = f", {len(queue) - len(items)} of them twice" if repeat else ""
        print(f"{len(items)} {'pairs' if pairwise else 'answers'} to rate{twice}")
        serve(
            build(queue, ratings, pairwise=pairwise), script=(FOLDER / "rate.js").read_text(encoding="utf-8"),
            server_name=server_name, server_port=server_port, share=share, password=password, inbrowser=inbrowser,
        )  # fmt: skip
    finally:
        for name in ratings.raters:
            said: dict[Any, Any] = ratings.of(name)
            skipped = sum("skipped" in entry for entry in said.values())
            print(f"{name}: {len(said) - skipped} rated, {skipped} skipped, in {output}")
        ratings.close()


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--answers", type=Path, required=True, nargs="+", metavar="PATH",
        help="evaluation files (lists of rows with `prompt` and `output`) or training roots: all are shuffled together",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the ratings; the same file goes on")
    parser.add_argument("--seed", type=int, default=0, help="another seed shows the answers in another order")
    parser.add_argument("--limit", type=flags.positive_int, help="only the first LIMIT of that order")
    parser.add_argument(
        "--repeat", type=percent, default=0.0, metavar="SHARE",
        help="show this share (10%% or 0.1) once more at the end: does a rater agree with themselves?",
    )  # fmt: skip
    parser.add_argument("--pairwise", action="store_true", help="ask for the better of two answers to one dialogue")
    add_page_flags(parser)
    return parser.parse_args(argv)


def percent(word: str) -> float:
    return flags.share(str(float(word[:-1]) / 100)) if word.endswith("%") else flags.share(word)


if __name__ == "__main__":
    cli.run(main, parse_args)
