"""Hold the dialogues. Tutor and student take turns, and each turn is answered for all dialogues in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from utils.classroom.leaks import says_answer
from utils.classroom.problems import Problem
from utils.classroom.readers import Reader, TutorMove
from utils.records import SeedDialogue
from utils.tutors.tutor import Tutor


@dataclass
class Turn:
    """The tutor's words, the student's interpretation of them, and the student's reply."""

    tutor: str
    move: TutorMove
    student: str = ""
    finish_reason: str = "stop"  # how the tutor's answer ended
    dropped_turns: int = 0  # number of oldest turns that did not fit into the tutor's prompt


@dataclass
class Dialogue:
    """A dialogue about one problem. It ends when the student has the answer, or is told that it is right."""

    problem: Problem
    opening: str
    turns: list[Turn] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the dialogue so far as the text of a seed."""
        lines = [f"Student: {self.opening}"]
        for turn in self.turns:
            lines += [f"Teacher: {turn.tutor}"] + ([f"Student: {turn.student}"] if turn.student else [])
        return "\n".join(lines)

    @property
    def done(self) -> bool:
        if not self.turns:
            return False
        last = self.turns[-1]
        return last.move.confirms if self.problem.student_is_right else says_answer(self.problem, last.student)

    def seed(self) -> SeedDialogue:
        """Return the dialogue so far as a seed for the tutor."""
        return SeedDialogue(
            id=f"{self.problem.id} turn {len(self.turns) + 1}", source="classroom", group=self.problem.group,
            text=self.text, problem=self.problem.text, answer=self.problem.answer, meta={"problem": self.problem.id},
        )  # fmt: skip


class Student(Protocol):
    """A student. `settings` holds everything that can change its replies, without keys."""

    name: str
    settings: dict[str, Any]

    def check(self) -> None:
        """Check that the student can answer. Raises before anything is paid for."""

    def open(self, problems: Sequence[Problem], journal_path: Path, description: str) -> list[str]:
        """Return the student's first turn for each problem."""

    def reply(self, dialogues: Sequence[Dialogue], journal_path: Path, description: str) -> list[str]:
        """Return the student's reply to the tutor's last turn, for each dialogue."""


def hold(
    tutor: Tutor, student: Student, reader: Reader, problems: Sequence[Problem], turns: int, folder: Path
) -> list[Dialogue]:
    """Hold a dialogue of at most `turns` tutor turns about every problem.

    The replies of tutor, student and reader are kept in journals in `folder`, so a resumed run repeats no call.
    """
    openings = student.open(problems, folder / "student.jsonl", f"{student.name} opens")
    dialogues = [Dialogue(problem, opening) for problem, opening in zip(problems, openings, strict=True)]
    for number in range(1, turns + 1):
        live = [dialogue for dialogue in dialogues if not dialogue.done]
        if not live:
            break
        what = f"{tutor.name}, turn {number} of {turns}"
        answers = tutor.answer(
            [dialogue.seed() for dialogue in live], 1, journal_path=folder / "tutors.jsonl", description=what
        )
        tutor_turns = [samples[0] for samples in answers.samples]
        moves = reader.read(
            [(dialogue.problem, dialogue.text, one.text) for dialogue, one in zip(live, tutor_turns, strict=True)],
            folder / "reader.jsonl",
        )
        for dialogue, one, move, dropped in zip(live, tutor_turns, moves, answers.dropped_turns, strict=True):
            dialogue.turns.append(Turn(one.text, move, finish_reason=one.finish_reason, dropped_turns=dropped))
        replies = student.reply(live, folder / "student.jsonl", f"{student.name}, turn {number} of {turns}")
        for dialogue, reply in zip(live, replies, strict=True):
            dialogue.turns[-1].student = reply
    return dialogues
