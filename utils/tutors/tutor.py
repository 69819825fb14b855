"""The interface of a tutor, and how its answers are sampled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from utils.records import Sample, SeedDialogue


@dataclass(frozen=True)
class Sampling:
    """How answers are sampled. Temperature 0 is greedy; `top_k` 0 samples from the whole vocabulary."""

    temperature: float
    top_k: int
    max_new_tokens: int
    seed: int


TOO_LONG = Sample("", "context_length", 0)  # stands for the answer to a prompt that is too long for the context


@dataclass(frozen=True)
class Answers:
    """`samples[i]` are the answers to seed i; `dropped_turns[i]` counts its oldest turns that did not fit.

    A seed whose last student turn alone does not fit has no answer: its samples are `TOO_LONG`.
    `computed_in` is what a model that was loaded here computed in (`models.computed_in`).
    """

    samples: list[list[Sample]]
    dropped_turns: list[int]
    computed_in: dict[str, str] | None = None

    @property
    def shortened(self) -> int:
        """Number of prompts whose oldest turns were dropped."""
        return sum(map(bool, self.dropped_turns))

    @property
    def made(self) -> dict[str, Any]:
        """How they were made, for a stage's summary."""
        return {"shortened_prompts": self.shortened} | ({"computed_in": self.computed_in} if self.computed_in else {})


class Tutor(Protocol):
    """Answers seed dialogues. `settings` holds all that can change an answer; journal and manifest are keyed by it."""

    name: str  # what rows, tables and figures call it
    settings: dict[str, Any]

    def check(self) -> None:
        """Check, before anything is sampled, that the tutor can answer. Raises BadInput, OSError or JudgeError."""

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """Sample `num_samples` answers to each seed. Answers that are in the journal are not sampled again."""
