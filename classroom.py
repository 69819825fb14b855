"""Let tutors talk to students for several turns, and measure the dialogues beside those of controls.

    python -m classroom --output-dir runs/classroom
    python -m classroom --output-dir runs/classroom --tutor smollm2 --training-root runs/demo
    python -m classroom --output-dir runs/llm --student openai env:OPENAI_API_KEY gpt-4o-mini \\
        --tutor openai env:OPENAI_API_KEY gpt-4o --judge-llm openai env:OPENAI_API_KEY gpt-4o --dry-run

Without a tutor it runs the controls alone, in seconds, and needs neither key nor model. The rule student takes each
word literally: it shows compliance, never learning. A run in which a control is measured wrong is void. If the run is
stopped, the same command resumes it. docs/classroom.md has the method, the meaning of each measure, and what is known
about simulated students.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags

if TYPE_CHECKING:
    from utils.classroom.actors import Classroom
    from utils.judges.judge import Judge

STUDENTS = (
    "`rules` (code, takes words literally); `script FILE` (its lines in turn); `openai <key | env:NAME | file:PATH> "
    "<model>`; `ollama [address] <model>`; `model NAME` (loaded here)"
)


def main(
    *, output_dir: Path, classroom: "Classroom", judge: "Judge", prices: str | None = None, overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write dialogues, measures (classroom.json), words and a figure to `output_dir`; returns whether it is valid."""
    from utils.artifacts import refuse_existing, write_json, write_text
    from utils.classroom.cost import estimate
    from utils.classroom.figure import draw
    from utils.classroom.run import run
    from utils.classroom.table import report
    from utils.manifest import only_run

    if dry_run:
        print(estimate(classroom, judge, prices))
        return {}
    refuse_existing(output_dir / "classroom.json", overwrite)
    judge.see([problem.text for problem in classroom.problems])
    classroom.check()
    judge.check()
    with only_run(output_dir):
        rows, result = run(classroom, judge, output_dir)
        write_text(output_dir / "dialogues.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        words = report(result, classroom.problems)
        write_text(output_dir / "classroom.txt", words + "\n")
        write_json(output_dir / "classroom.json", result)
        shown = result["tutors"] if result["valid"] else []
        draw(result["measures"], shown, result["controls"], output_dir / "classroom")
    print(words)
    print(f"\nThe dialogues, turn by turn, are in {output_dir / 'dialogues.jsonl'}.")
    return {name: result[name] for name in ("valid", "misses", "tutors")} | {"dialogues": len(rows)}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--output-dir", required=True, type=Path, metavar="DIR", help="dialogues, measures, figure, journals"
    )
    parser.add_argument(
        "--tutor", nargs="+", action="append", metavar="WORD",
        help=f"{flags.MODEL_HELP}; or `openai <key | env:NAME | file:PATH> <model>`; or `ollama [address] <model>`. "
        "May be repeated; each is compared with the first",
    )  # fmt: skip
    parser.add_argument("--training-root", metavar="DIR", help="also take every fine-tuned tutor of this pipeline run")
    parser.add_argument("--student", nargs="+", default=["rules"], metavar="WORD", help=STUDENTS)
    parser.add_argument(
        "--reader", nargs="+", default=["code"], metavar="WORD",
        help="who reads the tutor's words: `code` (rules, English), `openai …` or `ollama …` (closed questions)",
    )  # fmt: skip
    parser.add_argument(
        "--problems", metavar="FILE",
        help='JSONL with {"problem": "…", "answer": "42"} or seed rows (default: generate them, new ones for each '
        "--seed)",
    )  # fmt: skip
    parser.add_argument(
        "--num-problems", type=flags.positive_int, default=24,
        help="how many problems; in every fourth the student is right",
    )  # fmt: skip
    parser.add_argument("--turns", type=flags.positive_int, default=6, help="most turns of a tutor in a dialogue")
    parser.add_argument("--exam-samples", type=flags.positive_int, default=4, help="papers per exam of an LLM student")
    parser.add_argument("--student-temperature", type=flags.not_negative, default=0.6, help="of an LLM student")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist already")
    parser.add_argument("--dry-run", action="store_true", help="only estimate calls, tokens and cost")
    flags.add_generation_flags(parser, max_new_tokens=120, temperature=0.0)
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
