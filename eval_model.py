"""Evaluate a model as a tutor: it answers every test dialogue once, and the judge grades the answers.

    python -m eval_model --seeds datasets/mathdial_test.jsonl --model-path smollm2 --output-path runs/base.json
    python -m eval_model --seeds datasets/mathdial_test.jsonl --tutor openai env:OPENAI_API_KEY gpt-4o-mini \\
        --output-path runs/gpt-4o-mini.json
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli

if TYPE_CHECKING:
    from utils.judges.judge import Judge
    from utils.tutors.tutor import Tutor


def main(
    *, seeds: Path, output_path: Path, tutor: "Tutor", judge: "Judge", limit: int | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Write the graded answers to `output_path`; returns their means (`utils.evaluation.summarise`)."""
    from utils.artifacts import refuse_existing, write_json
    from utils.evaluation import evaluate, format_summary, summarise
    from utils.seeds.read import read_seeds

    refuse_existing(output_path, overwrite)
    dialogues = read_seeds(seeds, limit)
    what = f"{output_path.stem} on {seeds.stem}"
    rows, answers = evaluate(dialogues, tutor, judge, output_path, what=what)
    write_json(output_path, rows)
    summary = summarise(rows)
    print(f"{what}: {format_summary(summary)}")
    return summary | {"shortened_prompts": answers.shortened}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    cli.add_seeds_flags(parser)
    parser.add_argument("--model-path", dest="model", default=cli.DEFAULT_MODEL, help=cli.MODEL_HELP)
    cli.add_tutor_flag(parser)
    cli.add_generation_flags(parser, max_new_tokens=250, temperature=0.0)
    cli.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
