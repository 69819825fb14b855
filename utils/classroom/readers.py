"""Interpret a tutor's words for the rule student: which step do they point at, and what do they say about it?

The reader by code weighs the evidence for each step: numbers in the student's own lines, "your second line", words for
the step's quantity and operation. It reads only English. Its recall and false alarms on paraphrases are in
docs/classroom.md, and `python -m benchmarks.reader` measures them on yours. `chat_reader.py` asks an LLM instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from utils.classroom.leaks import given_away, tells_step
from utils.classroom.pointing import OPERATIONS, points_at
from utils.classroom.problems import Problem
from utils.classroom.verdicts import confirms, denies, plain, states
from utils.rubric.text import sentences_of
from utils.rubric.words import phrases

Kind = Literal["targeted", "tells the step", "gives the answer", "other step", "generic", "nothing"]
TOLD = re.compile(
    r"\b(?:should|needs? to|have to|has to|must|ought to|just|simply|instead)\b|"
    r"^\W*(?:multiply|add|subtract|divide)",
    re.IGNORECASE,
)
GENERIC = phrases("how", "why", "what", "check", "again", "explain", "work", "answer", "solution", "think", "sure")


@dataclass(frozen=True)
class TutorMove:
    """A tutor's utterance as the student understands it. `step` is the key of the step that it points at."""

    kind: Kind
    step: str | None = None
    confirms: bool = False  # says that the student's answer is right
    denies: bool = False  # says that something is wrong


class Reader(Protocol):
    name: str
    settings: dict[str, Any]

    def check(self) -> None:
        """Check that the reader can answer. Raises before anything is paid for."""

    def read(self, utterances: Sequence[tuple[Problem, str, str]], journal_path: Any = None) -> list[TutorMove]:
        """Read utterances, given as (problem, dialogue before it, utterance)."""


class CodeReader:
    """Reads by rules: needs no key and no server, and is deterministic."""

    name = "code"

    @property
    def settings(self) -> dict[str, Any]:
        return {"reader": "code", "version": 1}

    def check(self) -> None:
        pass

    def read(self, utterances: Sequence[tuple[Problem, str, str]], journal_path: Any = None) -> list[TutorMove]:
        return [read_utterance(*one) for one in utterances]


def read_utterance(problem: Problem, before: str, utterance: str) -> TutorMove:
    """Interpret `utterance` for a student after the dialogue `before`."""
    sentences = sentences_of(utterance)
    mine = problem.own_result
    wrong = any(map(denies, sentences))
    right = not wrong and any(confirms(one) or (mine is not None and states(one, mine)) for one in sentences)
    step, asks = points_at(problem, sentences, utterance)
    mistaken = problem.mistake.step if problem.mistake and not problem.student_is_right else None
    kind: Kind = "generic" if wrong or GENERIC.search(utterance.lower()) else "nothing"
    if given_away(problem, utterance, before):
        kind = "gives the answer"
    elif tells_step(problem, utterance, before):
        kind, step = "tells the step", mistaken
    elif step and step == mistaken and _tells_operation(problem, sentences):
        kind = "tells the step"
    elif step and step == mistaken and (asks or wrong):
        kind = "targeted"
    elif step and step != mistaken:
        kind = "other step"
    return TutorMove(kind, step, right, wrong)


def _tells_operation(problem: Problem, sentences: Sequence[str]) -> bool:
    """Return whether an imperative names the right operation of the mistaken step, which the student did not use."""
    right, wrong = problem.right[problem.at].shown, problem.wrong[problem.at].shown
    signs = [sign for sign in OPERATIONS if sign in right and sign not in wrong]
    return any(
        TOLD.search(sentence) and not sentence.endswith("?")
        and any(re.search(rf"\b(?:{OPERATIONS[sign]})\b", plain(sentence)) for sign in signs)
        for sentence in sentences
    )  # fmt: skip
