"""Compute the classroom's exact measures for MathDial's human tutors: the column "human tutors" of its table.

    python -m benchmarks.human_tutors --dialogues data/mathdial/test.jsonl

The file is `data/test.jsonl` of github.com/eth-nlped/mathdial (CC BY-SA 4.0). People teach, and a language model plays
the student, who is wrong at first. Rows that cannot be read are left out and counted. So are, for leaks, rows whose
answer is already in the opening.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import cli
from utils.classroom.dialogues import Dialogue, Turn
from utils.classroom.measures import measure, turn_measures
from utils.classroom.problems import Problem
from utils.classroom.readers import read_utterance
from utils.classroom.summary import MEASURES, summarise
from utils.sources import mathdial
from utils.sources.raw_dialogue import LeftOut, RawDialogue

TUTORS = "human tutors"


def main(*, dialogues: Path) -> dict[str, Any]:
    """Print and return the measures with their intervals."""
    rows, left_out = [], Counter()
    for line in dialogues.read_text(encoding="utf-8").splitlines():
        try:
            dialogue = dialogue_of(mathdial.read(json.loads(line)))
        except LeftOut as reason:
            left_out[str(reason)] += 1
            continue
        measures = measure(dialogue, turn_measures(dialogue))
        rows.append({"tutor": TUTORS, "id": dialogue.problem.id, "group": dialogue.problem.group, "measures": measures})
    found = summarise(rows)[TUTORS]
    print(f"{len(rows)} dialogues; left out: {dict(left_out) or 'none'}")
    for one in MEASURES:
        if entry := found.get(one.key):
            interval = "" if entry["low"] is None else f" [{entry['low']:.2f}, {entry['high']:.2f}]"
            print(f"{one.label}: {entry['value']:.2f}{interval} ({entry['rows']} dialogues; {one.scope})")
    return found


def dialogue_of(raw: RawDialogue) -> Dialogue:
    """Convert to the classroom's form of a dialogue: the opening, then turns of the tutor with the student's reply."""
    problem = Problem(id=raw.id, group=raw.group, text=raw.problem, answer=raw.answer.strip("-$% "))
    opening, *spoken = raw.turns
    dialogue = Dialogue(problem, opening.content)
    for turn in spoken:
        if turn.role == "teacher":
            dialogue.turns.append(Turn(turn.content, read_utterance(problem, dialogue.text, turn.content)))
        elif dialogue.turns:
            dialogue.turns[-1].student = turn.content
    return dialogue


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--dialogues", type=Path, required=True, metavar="FILE", help="MathDial's own test.jsonl")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
