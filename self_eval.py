"""Let the judge play the tutor: it answers every test dialogue with the same prompt, and its answers are graded.

    python -m self_eval --seeds datasets/mathdial_test.jsonl --output-path runs/self.json

This is the ceiling for a fine-tuned model. The offline judge has no LLM that could answer: instead, the base model
answers five times, and the answer with the best score by the rubric counts (`tutor` in each row says so).
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

BEST_OF, TEMPERATURE = 5, 1.0


def main(
    *, seeds: Sequence[Path], output_path: Path, tutor: "Tutor", judge: "Judge", split: str | None = None,
    roles: dict[str, Any] | None = None, own_dialogue_gain: bool = False, limit: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write the graded answers to `output_path`; returns their means (`utils.evaluation.summarise`).

    `tutor` is the base model: its sampling and prompt are the judge's too, and it stands in where the judge is no LLM.
    """
    from utils.artifacts import refuse_existing, write_json
    from utils.evaluation import evaluate, format_summary, summarise
    from utils.own_dialogue import add_gain
    from utils.seeds.read import read_all

    refuse_existing(output_path, overwrite)
    dialogues = read_all(seeds, limit, split=split, roles=roles)
    tutor, best_of = played_by(judge, tutor)
    what = f"{output_path.stem} on {'+'.join(path.stem for path in seeds)}"
    rows, answers = evaluate(dialogues, tutor, judge, output_path, best_of=best_of, what=what)
    gain = add_gain(rows, judge, output_path, what=what) if own_dialogue_gain or judge.free else {}
    write_json(output_path, rows)
    summary = summarise(rows) | gain
    print(f"{what} ({rows[0]['tutor']}): {format_summary(summary)}")
    return summary | {"tutor": rows[0]["tutor"]} | answers.made


def played_by(judge: "Judge", base: "Tutor") -> tuple["Tutor", int]:
    """Return (tutor, number of answers): the judge's own chat model, or else the base model's best of five.

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
    """Return the tutor's real name: the judge's model, or its substitute."""
    tutor, best_of = played_by(judge, base)
    return f"{tutor.name}, best of {best_of}" if best_of > 1 else tutor.name


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    flags.add_seeds_flags(parser)
    parser.add_argument(
        "--instruct-model", dest="model", default=flags.DEFAULT_MODEL, help="answers if the judge is not an LLM"
    )
    flags.add_generation_flags(parser, max_new_tokens=250, temperature=TEMPERATURE)
    flags.add_gain_flag(parser)
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
