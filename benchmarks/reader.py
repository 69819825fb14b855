"""Measure how well the classroom's reader finds the step that a tutor means: recall and false alarms on paraphrases.

    python -m benchmarks.reader
    python -m benchmarks.reader --show > problems.txt
    python -m benchmarks.reader --paraphrases mine.jsonl --reader ollama qwen3:14b
    python -m benchmarks.reader --elsewhere data/mrbench/MRBench_V2.json

`--show` prints a student's wrong solution of every story and mistake. For each, write down what a tutor could say, as
rows {"problem": "eggs-1-p", "kind": "targeted", "said": "…"}, without looking at the reader. `kind` is "targeted" for
words that lead the student to the mistaken line, and anything else for words that do not. A problem's name is its
story, its mistake (1 or 2) and a seed of your choice.
benchmarks/paraphrases.jsonl was written by the reader's own author, so its results are optimistic. Set 1 was used while
the reader was developed. Sets 2 and 3 were written later and measured once before the reader was changed again
(docs/classroom.md has both figures). benchmarks/paraphrases_outside.jsonl is by a language model that had not seen the
reader, and the reader was not changed for it.
`--elsewhere` takes the tutor turns of MRBench (github.com/kaushal0494/UnifyingAITutorEvaluation). They are about other
problems, so each that is read as targeted is a false alarm.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import cli
from utils.classroom.actors import make_reader
from utils.classroom.problems import TEMPLATES, Problem, make
from utils.classroom.readers import TutorMove
from utils.classroom.rule_student import opening_of
from utils.errors import BadInput

PARAPHRASES = Path(__file__).with_name("paraphrases.jsonl")


def main(
    *, paraphrases: Path, reader: Sequence[str], show: bool, misses: bool, elsewhere: Path | None
) -> dict[str, Any]:  # fmt: skip
    """Print how often each kind is read as "targeted". Returns {"recall", "false_alarms"}."""
    if show:
        for template in TEMPLATES:
            for mistake in range(len(template.mistakes)):
                problem = make(template, mistake, "p")
                print(f"{problem.id}\n{opening_of(problem)}\n")
        return {}
    if elsewhere:
        return {"false_alarms": false_alarms(elsewhere, reader)}
    rows = [json.loads(line) for line in paraphrases.read_text(encoding="utf-8").splitlines() if line.strip()]
    utterances = [(problem, f"Student: {opening_of(problem)}", row["said"]) for row in rows for problem in [named(row)]]
    read = read_all(utterances, reader)
    total, hits = Counter(), Counter()
    for row, one in zip(rows, read, strict=True):
        for key in (row["kind"], *([f"set {row['set']}, {row['kind']}"] if "set" in row else [])):
            total[key] += 1
            hits[key] += one.kind == "targeted"
        if misses and (one.kind == "targeted") != (row["kind"] == "targeted"):
            print(f"{row['problem']}, {row['kind']}, read as {one.kind} ({one.step}): {row['said']}")
    for key in sorted(total):
        print(f"{key}: {hits[key]} of {total[key]} read as targeted ({hits[key] / total[key]:.0%})")
    others = [row["kind"] for row in rows if row["kind"] != "targeted"]
    result = {
        "recall": hits["targeted"] / max(1, total["targeted"]),
        "false_alarms": sum(hits[kind] for kind in set(others)) / max(1, len(others)),
    }
    print(f"recall {result['recall']:.2f}, false alarms {result['false_alarms']:.1%}")
    return result


def false_alarms(path: Path, reader: Sequence[str]) -> float:
    """Return the share of MRBench's tutor turns that are read as targeted, each beside one of our problems."""
    problems = [make(template, mistake, "elsewhere") for template in TEMPLATES for mistake in (0, 1)]
    rows = json.loads(path.read_text(encoding="utf-8"))
    turns = [
        one["response"] for row in rows for one in (row.get("anno_llm_responses") or row["tutor_responses"]).values()
    ]
    beside = [problems[i % len(problems)] for i in range(len(turns))]
    utterances = [
        (problem, f"Student: {opening_of(problem)}", turn) for problem, turn in zip(beside, turns, strict=True)
    ]
    kinds = Counter(one.kind for one in read_all(utterances, reader))
    for kind, times in kinds.most_common():
        print(f"{kind}: {times} of {len(turns)} ({times / len(turns):.1%})")
    return kinds["targeted"] / len(turns)


def read_all(utterances: Sequence[tuple[Problem, str, str]], reader: Sequence[str]) -> list[TutorMove]:
    with tempfile.TemporaryDirectory() as folder:
        return make_reader(reader, pull=True).read(utterances, Path(folder) / "reader.jsonl")


def named(row: dict[str, Any]) -> Problem:
    """Make the problem that a row names."""
    name, _, rest = str(row.get("problem")).partition("-")
    mistake, _, seed = rest.partition("-")
    template = next((one for one in TEMPLATES if one.name == name), None)
    if template is None or mistake not in ("1", "2"):
        raise BadInput(f"no problem {row.get('problem')!r}: expected story-mistake-seed, as --show prints them")
    return make(template, int(mistake) - 1, seed)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--paraphrases", type=Path, default=PARAPHRASES, metavar="FILE", help="JSONL rows, see above")
    parser.add_argument("--reader", nargs="+", default=["code"], metavar="WORD", help="`code`, `openai …`, `ollama …`")
    parser.add_argument("--show", action="store_true", help="only print the problems to write paraphrases for")
    parser.add_argument("--elsewhere", type=Path, metavar="FILE", help="MRBench's JSON: false alarms on its turns")
    parser.add_argument("--misses", action="store_true", help="print each utterance that is read wrongly")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
