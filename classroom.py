"""Hold a classroom: tutors talk to students for several turns, and what happened is measured, beside controls.

    python -m classroom --output-dir runs/classroom
    python -m classroom --output-dir runs/classroom --tutor smollm2 --training-root runs/demo
    python -m classroom --output-dir runs/llm --student openai env:OPENAI_API_KEY gpt-4o-mini \\
        --tutor openai env:OPENAI_API_KEY gpt-4o --judge-llm openai env:OPENAI_API_KEY gpt-4o --dry-run

Without a tutor it needs no key and no model: the controls alone, seconds. The student of rules takes every word
literally: what it shows is compliance, never learning. A run in which a control lands wrong is void. docs/classroom.md
has the method, what each measure can tell, and what has been found on simulated students. Stopped anywhere, the same
command goes on where it was.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import cli
from utils.prompts import INFERENCE_PROMPT

STUDENTS = (
    "`rules` (code, takes words literally); `script FILE` (its lines in turn); `openai <key | env:NAME | file:PATH> "
    "<model>`; `ollama [address] <model>`; `model NAME` (loaded here)"
)


def main(
    *, output_dir: str, tutor: Sequence[Sequence[str]] = (), training_root: str | None = None,
    problems: str | None = None, num_problems: int = 24, turns: int = 6, student: Sequence[str] = ("rules",),
    reader: Sequence[str] = ("code",), exam_samples: int = 4, student_temperature: float = 0.6,
    temperature: float = 0.0, top_k: int = 50, max_new_tokens: int = 120,
    inference_prompt: str = str(INFERENCE_PROMPT), seed: int = 0, device: str = "auto", dtype: str = "auto",
    engine: str = "local", server: str = "", overwrite: bool = False, dry_run: bool = False, **judge_flags: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write dialogues.jsonl, classroom.json and a figure to `output_dir`; returns what classroom.json has."""
    from utils.artifacts import only_run, refuse_existing, write_json, write_text
    from utils.classroom.actors import make_reader, make_speaker, make_student, name_apart, weights_of
    from utils.classroom.cost import estimate
    from utils.classroom.figure import draw
    from utils.classroom.problems import generate, read_problems
    from utils.classroom.run import Classroom, run
    from utils.classroom.students import refuse_plain
    from utils.classroom.table import report
    from utils.judges.flags import from_flags
    from utils.tutors.local import Sampling

    folder = Path(output_dir)
    refuse_existing(folder / "classroom.json", overwrite or dry_run)
    about = read_problems(problems, num_problems) if problems else generate(num_problems, seed)
    judge = from_flags(**judge_flags)
    speaker = {
        "device": device, "dtype": dtype, "pull": not judge_flags.get("no_pull"),
        "concurrency": judge.grading.concurrency,
    }  # fmt: skip
    words = [*tutor, *([path] for path in (weights_of(training_root) if training_root else []))]
    sampling = Sampling(1, temperature, top_k, max_new_tokens, seed)
    tutors = [
        make_speaker(one, inference_prompt, sampling, flag="--tutor", engine=engine, server=server, **speaker)
        for one in words
    ]
    name_apart(tutors)
    who, examinee = make_student(student, student_temperature, top_k, seed, **speaker)
    refuse_plain(who, about)
    classroom = Classroom(
        tutors, who, examinee, make_reader(reader, speaker["pull"]), judge, about, turns, exam_samples
    )
    if dry_run:
        print(estimate(classroom, judge_flags.get("prices")))
        return {}
    classroom.check()
    with only_run(folder):
        rows, result = run(classroom, folder)
        write_text(folder / "dialogues.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        write_json(folder / "classroom.json", result)
        shown = result["tutors"] if result["valid"] else []
        draw(result["measures"], shown, result["controls"], folder / "classroom")
    print(report(result, about))
    print(f"\nThe dialogues, turn by turn, are in {folder / 'dialogues.jsonl'}.")
    return result


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="dialogues, measures, figure, journals")
    parser.add_argument(
        "--tutor", nargs="+", action="append", default=[], metavar="WORD",
        help=f"{cli.MODEL_HELP}; or `openai <key | env:NAME | file:PATH> <model>`; or `ollama [address] <model>`. "
        "May be given more than once; each is compared with the first",
    )  # fmt: skip
    parser.add_argument("--training-root", metavar="DIR", help="every fine-tuned tutor of a pipeline run")
    parser.add_argument("--student", nargs="+", default=["rules"], metavar="WORD", help=STUDENTS)
    parser.add_argument(
        "--reader", nargs="+", default=["code"], metavar="WORD",
        help="who reads the tutor's words: `code` (rules, English), `openai …` or `ollama …` (closed questions)",
    )  # fmt: skip
    parser.add_argument(
        "--problems", metavar="FILE",
        help='JSONL, {"problem": "…", "answer": "42"} or seed rows; without it they are generated, new for each --seed',
    )  # fmt: skip
    parser.add_argument(
        "--num-problems", type=cli.positive_int, default=24, help="the student of every fourth is right"
    )
    parser.add_argument("--turns", type=cli.positive_int, default=6, help="the most turns that a tutor has")
    parser.add_argument("--exam-samples", type=cli.positive_int, default=4, help="papers per exam of an LLM student")
    parser.add_argument("--student-temperature", type=cli.not_negative, default=0.6, help="of an LLM student")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that are there already")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would take: calls, tokens, cost")
    cli.add_generation_flags(parser, max_new_tokens=120, temperature=0.0)
    cli.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
