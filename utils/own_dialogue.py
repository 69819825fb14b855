"""Measure whether an answer suits its own dialogue better than others, by grading it on other dialogues too.

A judge that sees one dialogue cannot notice that a question would suit every dialogue. Such a question has no gain.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from utils.artifacts import journal_beside
from utils.judges.grading import counts, grade
from utils.judges.judge import Judge
from utils.records import TutorAnswer
from utils.stats.groups import group_of
from utils.tutors.baselines import others

OTHERS = 5  # dialogues, of other problems
GAIN = ("own_dialogue_gain", "on_others")  # the fields of a row


def others_each(groups: Sequence[Hashable]) -> int:
    """Return on how many other dialogues `add_gain` grades each answer."""
    return len(next(iter(others(groups, OTHERS)), []))


def add_gain(rows: Sequence[dict[str, Any]], judge: Judge, output_path: Path | str, *, what: str) -> dict[str, Any]:
    """Give each row of an evaluation file its `own_dialogue_gain`, and the scores behind it as `on_others`.

    The gain is the row's score minus the mean score of the same answer on OTHERS dialogues of other problems. Every
    dialogue is used equally often, so one answer for everyone gains 0 on average. The gain is None if one of the two
    scores is missing. The journal of verdicts beside `output_path` is used, so nothing is graded twice.
    Returns {"own_dialogue_gain": the mean, …} with the `counts` of the further verdicts.
    """
    taken = others([group_of(row) for row in rows], OTHERS)
    pairs = [
        (row, rows[other]) for row, numbers in zip(rows, taken, strict=True) for other in numbers if row["evaluation"]
    ]
    items = [TutorAnswer(other["prompt"], row["output"], other.get("known_answer")) for row, other in pairs]
    journal = journal_beside(output_path, "verdicts")
    verdicts = grade(judge, items, journal, description=f"on other dialogues, {what}") if items else []
    for row in rows:
        row |= {"own_dialogue_gain": None, "on_others": []}
    for (row, other), verdict in zip(pairs, verdicts, strict=True):
        found = {"score": verdict.score, "judge": verdict.judge, "details": verdict.details}
        row["on_others"].append({"id": other.get("id")} | found)
    for row in rows:
        scores = [one["score"] for one in row["on_others"] if one["score"] is not None]
        if scores:
            row["own_dialogue_gain"] = row["score"] - fmean(scores)
    gains = [row["own_dialogue_gain"] for row in rows if row["own_dialogue_gain"] is not None]
    return {"own_dialogue_gain": fmean(gains) if gains else None, "on_others": counts(verdicts)}
