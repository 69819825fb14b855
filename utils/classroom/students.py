"""Define the other students: one that says the lines of a file, and one played by a model.

The model is a tutor with another prompt (prompts/student.txt), at a chat service or loaded here. So it has the same
journals, batches and retries.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.classroom.dialogues import Dialogue
from utils.classroom.problems import Problem
from utils.classroom.rule_student import opening_of
from utils.errors import BadInput
from utils.tutors.tutor import Tutor

ROUND = "I have this problem: {problem}\n\nI worked it out and my answer is {answer}. Is that right?"
STUCK = "I have this problem: {problem}\n\nI do not know how to go on. Can you help me?"


def opening(problem: Problem) -> str:
    """Return the first turn of a student: the lines of a solution, the first turn of a seed, or a request for help."""
    if problem.is_generated:
        return opening_of(problem)
    if problem.opening:
        return problem.opening
    return (ROUND if problem.student_is_right else STUCK).format(problem=problem.text, answer=problem.answer)


class ScriptStudent:
    """Says the lines of a file in turn ("I don't know.", "Just tell me the answer."), whatever the tutor says."""

    def __init__(self, path: Path | str):
        self.lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
        if not self.lines:
            raise BadInput(f"{path}: no line for the student to say; write one utterance a line")
        self.name = f"script {Path(path).name}"
        self.settings: dict[str, Any] = {"student": "script", "lines": self.lines}

    def check(self) -> None:
        pass

    def open(self, problems: Sequence[Problem], journal_path: Path, description: str) -> list[str]:
        return [opening(problem) for problem in problems]

    def reply(self, dialogues: Sequence[Dialogue], journal_path: Path, description: str) -> list[str]:
        return [self.lines[(len(dialogue.turns) - 1) % len(self.lines)] for dialogue in dialogues]


class ModelStudent:
    """A model that plays the student. `speaker` is a Tutor with the student's prompt."""

    def __init__(self, speaker: Tutor):
        self.speaker, self.name = speaker, f"{speaker.name} as student"
        self.settings = {"student": "model", **speaker.settings}

    def check(self) -> None:
        self.speaker.check()

    def open(self, problems: Sequence[Problem], journal_path: Path, description: str) -> list[str]:
        return [opening(problem) for problem in problems]

    def reply(self, dialogues: Sequence[Dialogue], journal_path: Path, description: str) -> list[str]:
        answers = self.speaker.answer(
            [dialogue.seed() for dialogue in dialogues], 1, journal_path=journal_path, description=description
        )
        return [samples[0].text or "…" for samples in answers.samples]  # a student who says nothing
