"""Tutors that need no training, nor a model of their own: what a tutor that was trained must be seen against.

A constant question, the base model's answers to other dialogues, and the teacher's own turn. (The base's best of
several answers is `evaluation.evaluate` with `best_of`; the base drawn as the tutors are is the evaluation's `base`.)
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import BadInput
from utils.records import Sample, SeedDialogue
from utils.tutors.tutor import Answers, Tutor

QUESTION = "What do you think is the next step, and why?"
NO_REFERENCE = "the seed has no reference"  # the finish_reason of a teacher's turn that is not known


def baselines(base: Tutor, seeds: Sequence[SeedDialogue]) -> dict[str, Tutor]:
    """The baselines of a test set by the names of their evaluation files; `base`, as it is evaluated itself.

    Left out is what these seeds do not have: another problem's dialogue, or a teacher's turn.
    """
    found: dict[str, Tutor] = {"baseline_constant_question": ConstantTutor()}
    if any(others([seed.group for seed in seeds], 1)):
        found["baseline_shuffled"] = ShuffledTutor(base)
    if any(seed.reference for seed in seeds):
        found["baseline_reference"] = ReferenceTutor()
    return found


@dataclass(frozen=True)
class ConstantTutor:
    """Puts one guiding question to everyone, whatever they have said."""

    question: str = QUESTION
    name: str = "one question to everyone"

    @property
    def settings(self) -> dict[str, Any]:
        return {"tutor": "constant", "question": self.question}

    def check(self) -> None:
        pass

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """See `Tutor.answer`: nothing is sampled."""
        return Answers([[Sample(self.question, "stop", None)] * num_samples for _ in seeds], [0] * len(seeds))


@dataclass(frozen=True)
class ReferenceTutor:
    """Says what the teacher of the dialogue said next; where that is not known, no answer comes."""

    name: str = "human teacher"

    @property
    def settings(self) -> dict[str, Any]:
        return {"tutor": "reference"}

    def check(self) -> None:
        pass

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """See `Tutor.answer`: nothing is sampled."""
        turns = [
            Sample(seed.reference, "stop", None) if seed.reference else Sample("", NO_REFERENCE, None) for seed in seeds
        ]
        return Answers([[turn] * num_samples for turn in turns], [0] * len(seeds))


@dataclass(frozen=True)
class ShuffledTutor:
    """Gives every dialogue what `base` answered to another one, each answer once: does the dialogue matter at all?"""

    base: Tutor

    @property
    def name(self) -> str:
        return f"{self.base.name}, its answers to other dialogues"

    @property
    def settings(self) -> dict[str, Any]:
        return {"tutor": "shuffled", "base": self.base.settings}

    def check(self) -> None:
        self.base.check()

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """See `Tutor.answer`. What the journal of `base.json`, beside this one, has is not sampled again.

        Raises BadInput where one problem has more than half of the dialogues.
        """
        if not any(given := others([seed.group for seed in seeds], 1)):
            raise BadInput("more than half of the dialogues are on one problem: there are no others to take answers of")
        journal = Path(journal_path).with_name("base.candidates.jsonl")
        answers = self.base.answer(seeds, num_samples, journal_path=journal, description=description)
        samples, dropped = zip(*[(answers.samples[o], answers.dropped_turns[o]) for (o,) in given], strict=True)
        return Answers(list(samples), list(dropped), answers.computed_in)


def others(groups: Sequence[Hashable], count: int) -> list[list[int]]:
    """For each row the numbers of `count` rows of other `groups` (n,), every row being taken equally often.

    With the rows in the order of their groups, row i takes rows i + d (modulo n) for a few d between the size of the
    largest group and n less that size. Fewer than `count` where there are fewer such d, none where one group has more
    than half of the rows.
    """
    order = sorted(range(len(groups)), key=lambda i: str(groups[i]))
    largest = max(Counter(map(str, groups)).values(), default=0)
    steps = range(largest, len(groups) - largest + 1) if largest else range(0)
    count = min(count, len(steps))
    taken = [steps[k * len(steps) // count] for k in range(count)]
    found: list[list[int]] = [[] for _ in groups]
    for place, i in enumerate(order):
        found[i] = [order[(place + step) % len(order)] for step in taken]
    return found
