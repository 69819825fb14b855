"""Simulate a student by rules, who has a known mistake and takes every utterance literally.

It measures compliance: whether somebody who does exactly what the tutor's words ask for reaches the right step. It
learns nothing, so it shows nothing about learning. How much of the mistake remains on a new problem is not measured but
assumed, in three tables. An order of tutors is claimed only if it holds under all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.classroom.dialogues import Dialogue
from utils.classroom.numbers import written
from utils.classroom.problems import Problem, SolutionLine

# The share of the mistake that remains on a new problem, by the utterance that ended it on this one. All are assumed.
GAIN_TABLES: dict[str, Mapping[str, float]] = {
    "author": {"targeted": 0.3, "tells the step": 0.7, "gives the answer": 1.0},
    "flat": {"targeted": 0.5, "tells the step": 0.5, "gives the answer": 1.0},
    "telling helps more": {"targeted": 0.7, "tells the step": 0.3, "gives the answer": 1.0},
}
ENDS = tuple(GAIN_TABLES["author"])  # the kinds of utterance that end the mistake on this problem


class RuleStudent:
    """Corrects the mistaken step when asked about it or told it, copies a given answer, and else changes nothing."""

    name = "rules"

    @property
    def settings(self) -> dict[str, Any]:
        return {"student": "rules", "version": 1}

    def check(self) -> None:
        pass

    def open(self, problems: Sequence[Problem], journal_path: Any, description: str) -> list[str]:
        return [opening_of(problem) for problem in problems]

    def reply(self, dialogues: Sequence[Dialogue], journal_path: Any, description: str) -> list[str]:
        return [answer(dialogue) for dialogue in dialogues]


def opening_of(problem: Problem) -> str:
    """Return the student's first turn: the problem and its numbered lines."""
    lines = [f"{i}. {_capital(line.step.what)}: {line.shown} = {written(line.value)}"
             for i, line in enumerate(problem.lines, 1)]  # fmt: skip
    return "\n".join(
        [problem.text, "", "This is what I did:", *lines, f"My answer: {written(problem.lines[-1].value)}"]
    )


def answer(dialogue: Dialogue) -> str:
    """Return the student's reply to the tutor's last turn."""
    problem, move = dialogue.problem, dialogue.turns[-1].move
    mine = written(problem.lines[-1].value)
    pointed = next((line for line in problem.lines if line.step.key == move.step), None)
    if problem.student_is_right:
        if move.confirms:
            return "Thank you, then I am done."
        if move.denies:
            return f"I checked all of it and I still get {mine}."
        return f"I did this: {_sentence(pointed)}. Is {mine} right?" if pointed else f"Is {mine} right?"
    if move.kind == "gives the answer":
        return f"Oh, so it is {problem.answer}. Thank you."
    end = end_of(dialogue)
    if end is not None:  # one more line of the right solution for each turn since then
        place = min(problem.at + len(dialogue.turns) - 1 - end, len(problem.right) - 1)
        reply = ("Oh, I see. " if end == len(dialogue.turns) - 1 else "") + f"{_sentence(problem.right[place])}."
        return reply + (f" So the answer is {problem.answer}." if place == len(problem.right) - 1 else "")
    if move.kind == "other step" and pointed:
        return f"I did this: {_sentence(pointed)}. My answer is {mine}."
    if move.confirms:
        return f"Good, then my answer is {mine}."
    if move.kind == "generic":
        return f"I went through it again and I still get {mine}."
    return f"I am not sure what you mean. I get {mine}."


def end_of(dialogue: Dialogue) -> int | None:
    """Return the turn, from 0, whose utterance ended the mistake on this problem, or None."""
    return next((i for i, turn in enumerate(dialogue.turns) if turn.move.kind in ENDS), None)


def deltas(dialogue: Dialogue) -> dict[str, float]:
    """Return by how much the dialogue raises the chance of being right: {"same": …, "transfer, author": …, …}.

    Before the dialogue that chance is 0. "same" is this problem, "transfer" is one with other numbers.
    """
    end = end_of(dialogue)
    left = {name: 1.0 if end is None else table[dialogue.turns[end].move.kind] for name, table in GAIN_TABLES.items()}
    return {"same": float(end is not None)} | {f"transfer, {name}": 1 - share for name, share in left.items()}


def _sentence(line: SolutionLine) -> str:
    return f"{line.step.what}, {line.shown} = {written(line.value)}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
