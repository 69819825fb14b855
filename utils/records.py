"""Define the data types: a seed dialogue, a rubric evaluation, a verdict and an answer.

Rubric and summary score are those of Bonino et al., "EULER" (2024). There are four criteria per answer; the summary is
0.25 [questions = yes] + 0.25 [reveal_answer = no] + 0.25 on_topic / 5 + 0.25 helpful / 5, in [0.1, 1].
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from utils.artifacts import is_text

CRITERIA = ("questions", "on_topic", "helpful", "reveal_answer")

# Case and outer blanks are ignored, because people and models also write "Yes" and " NO" (as the paper's prompt does).
YesNo = Annotated[
    Literal["yes", "no"], BeforeValidator(lambda word: word.strip().lower() if isinstance(word, str) else word)
]
# Any number from 1 to 5 is valid, because people give half points. The JSON schema has five integers, because servers
# with strict schemas support enums but not minimum / maximum.
FivePoints = Annotated[
    float, Field(ge=1, le=5, allow_inf_nan=False), WithJsonSchema({"type": "integer", "enum": [1, 2, 3, 4, 5]})
]


def summary_score(questions: float, on_topic: float, helpful: float, reveal_answer: float) -> float:
    """Compute the paper's summary score, in [0.1, 1]: a quarter for each criterion.

    `questions` and `reveal_answer` are 0, 1 or a probability of "yes"; `on_topic` and `helpful` are points from 1 to 5.
    """
    return 0.25 * questions + 0.25 * (1 - reveal_answer) + 0.25 * on_topic / 5 + 0.25 * helpful / 5


class Evaluation(BaseModel):
    """A judge's (or a person's) reply for one answer. The JSON schema sent to a server comes from this class."""

    # Do not reword that docstring. It is the schema's description and so part of the key of every question: with other
    # words, all replies in journals would be requested, and paid for, again.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    questions: YesNo
    on_topic: FivePoints
    helpful: FivePoints
    reveal_answer: YesNo

    @property
    def score(self) -> float:
        """Return the paper's summary score, in [0.1, 1]."""
        return summary_score(self.questions == "yes", self.on_topic, self.helpful, self.reveal_answer == "yes")

    def as_numbers(self) -> dict[str, float]:
        """Return the four criteria in [0, 1], in the order of `CRITERIA` (yes = 1; points divided by 5)."""
        return {
            "questions": float(self.questions == "yes"),
            "on_topic": self.on_topic / 5,
            "helpful": self.helpful / 5,
            "reveal_answer": float(self.reveal_answer == "yes"),
        }


@dataclass(frozen=True)
class Sample:
    """An answer. It ended by itself ("stop"), at the token limit ("length") or at another speaker's turn ("speaker").

    A server may give another reason ("content_filter"), and for one of several answers no number of tokens.
    """

    text: str
    finish_reason: Literal["stop", "length", "speaker"] | str
    tokens: int | None


@dataclass(frozen=True)
class TutorAnswer:
    """One tutor answer to be graded: what a judge gets to see."""

    conversation: str
    answer: str
    known_answer: str | None = None  # the seed row's `answer`, if it has one
    sample: int = 0  # the number of this answer among those to the same dialogue
    repeat: int = 0  # the number of this grading of the same answer (test-retest)


class Verdict(BaseModel):
    """The result of judging one answer: an evaluation, or the reason why there is none.

    `score` is None exactly when `evaluation` is None: an invalid reply never becomes a number.
    """

    evaluation: Evaluation | None
    score: float | None  # the evaluation's, unless the judge gave expected scores
    raw_evaluation: str  # the judge's last reply, unchanged
    evaluation_error: str | None = None
    judge: str  # the judge's real name
    reasons: list[str] = []  # reasons in words, if the judge gives any
    guards: list[str] = []  # the guards that fired: such an answer is never `chosen`
    details: dict[str, Any] = {}  # attempts, tokens, system fingerprint, …


class SeedDialogue(BaseModel):
    """A dialogue that stops where the tutor speaks next.

    `text` is what stands in the prompt; `answer` and `explanation` are only for checking that a tutor does
    not give them away. Rows of the original's format (plain strings) have `text` alone.
    """

    id: str
    source: str | None = None
    group: str  # the underlying problem; rows of one group are not independent
    text: str
    problem: str | None = None
    answer: str | None = None
    explanation: str | None = None
    reference: str | None = None  # the real teacher's next turn
    reference_alternatives: list[str] = []
    meta: dict[str, Any] = {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


# What is read of a graded answer and its row, and what it must be where it is there.
SOUND = {
    "prompt": _is_text, "output": _is_text, "known_answer": _is_text, "judge": _is_text, "tutor": _is_text,
    "score": lambda value: isinstance(value, int | float) and math.isfinite(value),
    "details": lambda value: isinstance(value, dict), "earlier": _is_objects, "on_others": _is_objects,
    "guards": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}  # fmt: skip


def odd_field(row: dict[str, Any], *, to_send: bool = False) -> str | None:
    """Describe the first field of a graded answer that is of another type than we write; None if there is none.

    What is `to_send` to a judge must not hold half a character either.
    """
    sound = SOUND | (dict.fromkeys(("prompt", "output", "known_answer"), is_text) if to_send else {})
    odd = [name for name, fits in sound.items() if row.get(name) is not None and not fits(row[name])]
    return f"odd `{odd[0]}` ({str(row[odd[0]])[:40]!r})" if odd else None
