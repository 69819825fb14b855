"""Let the judge itself play the tutor: it answers every test dialogue with the same prompt, and is graded.

    python -m self_eval --seeds datasets/mathdial_test.jsonl --output-path runs/self.json

This is the ceiling that a fine-tuned model is compared with. The offline judge has no LLM that could answer: its
tutor is the base model, which answers five times, and the rubric takes the best (`tutor` in each row says so).
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli

if TYPE_CHECKING:
    from utils.judges.judge import Judge
    from utils.tutors.tutor import Tutor

BEST_OF, TEMPERATURE = 5, 1.0


def main(
    *, seeds: Path, output_path: Path, tutor: "Tutor", judge: "Judge", limit: int | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Write the graded answers to `output_path`; returns their means (`utils.evaluation.summarise`).

    `tutor` is the base model: its sampling and prompt are the judge's too, and it stands in where the judge is no LLM.
    """
    from utils.artifacts import refuse_existing, write_json
    from utils.evaluation import evaluate, format_summary, summarise
    from utils.seeds.read import read_seeds

    refuse_existing(output_path, overwrite)
    dialogues = read_seeds(seeds, limit)
    tutor, best_of = played_by(judge, tutor)
    what = f"{output_path.stem} on {seeds.stem}"
    rows, _ = evaluate(dialogues, tutor, judge, output_path, best_of=best_of, what=what)
    write_json(output_path, rows)
    summary = summarise(rows)
    print(f"{what} ({rows[0]['tutor']}): {format_summary(summary)}")
    return summary | {"tutor": rows[0]["tutor"]}


def played_by(judge: "Judge", base: "Tutor") -> tuple["Tutor", int]:
    """(the tutor, how many answers it is given): the judge's own chat model, or else the base model's best of five.

    Of a panel, the first member that is an LLM plays.
    """
    from utils.judges.chat_judge import ChatJudge
    from utils.tutors.chat_tutor import ChatTutor
    from utils.tutors.served import ServedTutor

    local = base.local if isinstance(base, ServedTutor) else base
    for member in getattr(judge, "members", [judge]):
        if isinstance(member, ChatJudge):
            return ChatTutor(member.chat, local.sampling, local.template, judge.grading.concurrency), 1
    return base, BEST_OF


def tutor_name(judge: "Judge", base: "Tutor") -> str:
    """The tutor's real name: the judge's model, or what stands in for it."""
    tutor, best_of = played_by(judge, base)
    return f"{tutor.name}, best of {best_of}" if best_of > 1 else tutor.name


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    cli.add_seeds_flags(parser)
    parser.add_argument(
        "--instruct-model", dest="model", default=cli.DEFAULT_MODEL, help="answers where the judge is no LLM"
    )
    cli.add_generation_flags(parser, max_new_tokens=250, temperature=TEMPERATURE)
    cli.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
