"""Evaluate a model as a tutor: it answers every test dialogue once, and the judge grades the answers.

python -m eval_model --seeds datasets/mathdial_test.jsonl --model-path smollm2 --output-path runs/base.json
"""

import argparse
from pathlib import Path
from typing import Any

from utils import cli


def main(
    *, seeds: str, output_path: str, model_path: str, temperature: float, top_k: int, max_new_tokens: int,
    inference_prompt: str, seed: int, device: str, dtype: str, engine: str, server: str, limit: int | None = None,
    overwrite: bool = False, **judge_flags: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write the graded answers to `output_path`; returns their means (`utils.evaluation.summarise`)."""
    from utils import models
    from utils.artifacts import journal_beside, refuse_existing, write_json
    from utils.evaluation import format_summary, graded_row, summarise, to_grade
    from utils.judges.flags import from_flags
    from utils.judges.grading import grade
    from utils.seeds.read import read_seeds
    from utils.tutors.local import Sampling, answer_seeds

    refuse_existing(output_path, overwrite)
    dialogues = read_seeds(seeds, limit)
    judge = from_flags(**judge_flags)
    judge.check()
    name = models.display_name(model_path)
    what = f"{Path(output_path).stem} on {Path(seeds).stem}"
    answers = answer_seeds(
        dialogues, model_path, Sampling(1, temperature, top_k, max_new_tokens, seed),
        inference_prompt=inference_prompt, journal_path=journal_beside(output_path, "candidates"), device=device,
        dtype=dtype, engine=engine, server=server, description=f"answers {what}",
    )  # fmt: skip
    verdicts = grade(
        judge,
        to_grade(dialogues, answers.samples),
        journal_beside(output_path, "verdicts"),
        description=f"grades {what}",
    )
    rows = [
        graded_row(dialogue, samples[0], verdict, tutor=name, dropped_turns=dropped)
        for dialogue, samples, verdict, dropped in zip(
            dialogues, answers.samples, verdicts, answers.dropped_turns, strict=True
        )
    ]
    write_json(output_path, rows)
    summary = summarise(rows)
    print(f"{what}: {format_summary(summary)}")
    return summary | {"shortened_prompts": sum(map(bool, answers.dropped_turns))}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    cli.add_seeds_flags(parser)
    parser.add_argument("--model-path", default=cli.DEFAULT_MODEL, help=cli.MODEL_HELP)
    cli.add_generation_flags(parser, max_new_tokens=250, temperature=0.0)
    cli.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
