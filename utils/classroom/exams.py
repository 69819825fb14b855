"""Examine a student that is a model, before and after the dialogue, with the same prompt.

The exam after the dialogue contains it; the exam before contains only the student's opening. "No tutor" is an arm like
any other, so the effect of the prompt itself cancels out. The student's selectivity is tested too: a student that
changes its answer at any pushback cannot show a difference between tutors.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from utils.classroom.dialogues import Dialogue
from utils.classroom.numbers import numbers_said
from utils.classroom.problems import Problem, transfer_of
from utils.records import SeedDialogue
from utils.rubric.any_language import gives_away
from utils.tutors.tutor import Tutor

ANSWER = re.compile(r"answer\s*[:=]\s*(.+)", re.IGNORECASE)
SELECTIVE = 0.2  # below this, the student gives in to bad pushbacks about as often as to good ones
PUSHBACKS = ("targeted question", "question on another step", "generic question")


def solved(text: str, problem: Problem) -> bool:
    """Return whether an exam paper ends on the right answer. Without a line "Answer: …" its last sentence counts."""
    lines = ANSWER.findall(text) or [line for line in text.strip().split("\n") if line.strip()][-1:]
    if not lines:
        return False
    if problem.value is None:
        return gives_away(lines[-1], problem.answer, "") is not None
    value, stated = problem.value, numbers_said(lines[-1])
    return value in stated and stated <= {value, value.numerator, value.denominator}  # "42 or 43" is not an answer


def sit(
    examinee: Tutor, dialogues: Sequence[Dialogue], problems: Sequence[Problem], samples: int, folder: Path, what: str
) -> list[float]:
    """Return, per dialogue, the share of `samples` exam papers in which its student solves the given problem."""
    seeds = [
        SeedDialogue(
            id=f"{dialogue.problem.id} exam", group=dialogue.problem.group,
            text=f"{dialogue.text}\n\nThe problem of the exam: {problem.text}",
        )
        for dialogue, problem in zip(dialogues, problems, strict=True)
    ]  # fmt: skip
    answers = examinee.answer(seeds, samples, journal_path=folder / "exams.jsonl", description=what)
    return [
        sum(solved(sample.text, problem) for sample in papers) / samples
        for papers, problem in zip(answers.samples, problems, strict=True)
    ]


def examine(
    examinee: Tutor, dialogues: Sequence[Dialogue], samples: int, folder: Path, tutor: str
) -> list[dict[str, float]]:
    """Return {"pre", "post", "exam same", "exam transfer"} per dialogue; transfer only for generated problems.

    The papers before the dialogue are the same for every tutor, so they are in the journal only once.
    """
    before = [replace(dialogue, turns=[]) for dialogue in dialogues]
    same = [dialogue.problem for dialogue in dialogues]
    pre = sit(examinee, before, same, samples, folder, "exam before any talk")
    post = sit(examinee, dialogues, same, samples, folder, f"exam after {tutor}")
    found = [{"pre": a, "post": b, "exam same": b - a} for a, b in zip(pre, post, strict=True)]
    if all(problem.is_generated for problem in same):
        other = [transfer_of(problem) for problem in same]
        pre = sit(examinee, before, other, samples, folder, "exam on new problems before any talk")
        post = sit(examinee, dialogues, other, samples, folder, f"exam on new problems after {tutor}")
        for one, a, b in zip(found, pre, post, strict=True):
            one["exam transfer"] = b - a
    return found


def selectivity(examinee: Tutor, dialogues: Mapping[str, Sequence[Dialogue]], folder: Path) -> dict[str, float] | None:
    """Measure how often the student is right after one pushback, which is good, misplaced or generic.

    "selectivity" is the first share minus the mean of the other two. Return None if these controls are missing.
    """
    if not all(name in dialogues for name in PUSHBACKS):
        return None
    found = {}
    for name in PUSHBACKS:
        first = [
            replace(dialogue, turns=dialogue.turns[:1])
            for dialogue in dialogues[name]
            if not dialogue.problem.student_is_right
        ]
        right = sit(examinee, first, [dialogue.problem for dialogue in first], 1, folder, f"self-test: {name}")
        found[name] = sum(right) / len(right)
    targeted, misplaced, generic = (found[name] for name in PUSHBACKS)
    return found | {"selectivity": targeted - (misplaced + generic) / 2}
