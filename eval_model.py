"""Evaluate a model as a tutor: it answers every test dialogue once, and the judge grades the answers.

    python -m eval_model --seeds datasets/mathdial_test.jsonl --model-path smollm2 --output-path runs/base.json
    python -m eval_model --seeds datasets/mathdial_test.jsonl --tutor openai env:OPENAI_API_KEY gpt-4o-mini \\
        --output-path runs/gpt-4o-mini.json
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags

if TYPE_CHECKING:
    from utils.judges.judge import Judge
    from utils.tutors.tutor import Tutor


def main(
    *, seeds: Sequence[Path], output_path: Path, tutor: "Tutor", judge: "Judge", split: str | None = None,
    roles: dict[str, Any] | None = None, own_dialogue_gain: bool = False, best_of: int = 1, limit: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write the graded answers to `output_path`; returns their means (`utils.evaluation.summarise`)."""
    from utils.artifacts import refuse_existing, write_json
    from utils.evaluation import evaluate, format_summary, summarise
    from utils.own_dialogue import add_gain
    from utils.seeds.read import read_all

    refuse_existing(output_path, overwrite)
    dialogues = read_all(seeds, limit, split=split, roles=roles)
    what = f"{output_path.stem} on {'+'.join(path.stem for path in seeds)}"
    rows, answers = evaluate(dialogues, tutor, judge, output_path, best_of=best_of, what=what)
    gain = add_gain(rows, judge, output_path, what=what) if own_dialogue_gain or judge.free else {}
    write_json(output_path, rows)
    summary = summarise(rows) | gain
    print(f"{what}: {format_summary(summary)}")
    return summary | answers.made


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    flags.add_seeds_flags(parser)
    parser.add_argument("--model-path", dest="model", default=flags.DEFAULT_MODEL, help=flags.MODEL_HELP)
    flags.add_tutor_flag(parser)
    flags.add_generation_flags(parser, max_new_tokens=250, temperature=0.0)
    parser.add_argument(
        "--best-of", type=flags.positive_int, default=1, metavar="N",
        help="sample N answers to each dialogue and keep the one with the best score; needs --temperature above 0",
    )  # fmt: skip
    flags.add_gain_flag(parser)
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
