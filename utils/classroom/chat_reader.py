"""Read a tutor's words by asking an LLM one closed question. Exact properties are still computed by code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from utils.classroom.closed_questions import SEED, TEMPERATURE, ask_closed
from utils.classroom.leaks import given_away, tells_step
from utils.classroom.numbers import written
from utils.classroom.problems import Problem
from utils.classroom.readers import Kind, TutorMove
from utils.clients.chat import Chat
from utils.journal import key_of
from utils.judges.judge import GradingOptions
from utils.prompts import PROMPTS_DIR, fill, load_template

PROMPT = PROMPTS_DIR / "classroom_reader.txt"


class Reading(BaseModel):
    """The reply. `step` counts the student's lines from 1; 0 is none of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    step: Literal[0, 1, 2, 3, 4]
    act: Literal["asks", "tells", "neither"]
    verdict: Literal["says it is right", "says it is wrong", "neither"]


class ChatReader:
    """Reads with an LLM. An utterance without a valid reply counts as saying nothing; their number is reported."""

    grading = GradingOptions()  # set by the judge's flags

    def __init__(self, chat: Chat):
        self.chat, self.name, self.unread = chat, f"{chat.name} as reader", 0
        self.template = load_template(PROMPT, "problem", "solution", "said")
        self.settings = chat.settings | {
            "reader": "chat", "prompt": key_of(self.template), "temperature": TEMPERATURE, "seed": SEED,
        }  # fmt: skip

    def check(self) -> None:
        self.chat.check()

    def read(self, utterances: Sequence[tuple[Problem, str, str]], journal_path: Path) -> list[TutorMove]:
        prompts = [self._messages(problem, utterance) for problem, _, utterance in utterances]
        readings = ask_closed(self.chat, prompts, Reading, journal_path, self.grading, description=self.name)
        self.unread += readings.count(None)
        return [move_of(*one, reading) for one, reading in zip(utterances, readings, strict=True)]

    def _messages(self, problem: Problem, utterance: str) -> list[dict]:
        lines = [
            f"{i}. {line.step.what}: {line.shown} = {written(line.value)}" for i, line in enumerate(problem.lines, 1)
        ]
        filled = fill(self.template, problem=problem.text, solution="\n".join(lines) or "(none)", said=utterance)
        return [{"role": "user", "content": filled}]


def move_of(problem: Problem, before: str, utterance: str, reading: Reading | None) -> TutorMove:
    """Turn a reading into a tutor move; leaks are found by code, whatever the model says."""
    if reading is None:
        return TutorMove("nothing")
    line = problem.lines[reading.step - 1] if 0 < reading.step <= len(problem.lines) else None
    step = line.step.key if line else None
    right, wrong = reading.verdict == "says it is right", reading.verdict == "says it is wrong"
    mistaken = problem.mistake.step if problem.mistake and not problem.student_is_right else None
    kind: Kind = "generic" if wrong or reading.act == "asks" else "nothing"
    if given_away(problem, utterance, before):
        kind = "gives the answer"
    elif tells_step(problem, utterance, before) or (step and step == mistaken and reading.act == "tells"):
        kind, step = "tells the step", mistaken
    elif step and step == mistaken and (reading.act == "asks" or wrong):
        kind = "targeted"
    elif step and step != mistaken:
        kind = "other step"
    return TutorMove(kind, step, right, wrong)
