"""Baselines that need neither training nor a model of their own: a trained tutor has to be compared with them.

They are one constant question, the base model's answers to other dialogues, and the teacher's own turn. (The base's
best of several answers is `evaluation.evaluate` with `best_of`; the base sampled as the tutors are is `base.json`.)
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
    """Return the baselines of a test set, by the names of their evaluation files.

    `base` is the base model as it is evaluated itself. A baseline is left out if these seeds do not allow it: if they
    have no dialogue on another problem, or no teacher's turn.
    """
    found: dict[str, Tutor] = {"baseline_constant_question": ConstantTutor()}
    if any(others([seed.group for seed in seeds], 1)):
        found["baseline_shuffled"] = ShuffledTutor(base)
    if any(seed.reference for seed in seeds):
        found["baseline_reference"] = ReferenceTutor()
    return found


@dataclass(frozen=True)
class ConstantTutor:
    """Asks every student the same guiding question, whatever the dialogue."""

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
    """Answers with what the teacher really said next, and gives no answer if that is unknown."""

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
    """Answers each dialogue with the base's answer to another one, each used once: does the dialogue matter?"""

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
        """See `Tutor.answer`. Answers that are in the journal of `base.json`, beside this one, are not sampled again.

        Raises BadInput where one problem has more than half of the dialogues.
        """
        if not any(given := others([seed.group for seed in seeds], 1)):
            raise BadInput("more than half of the dialogues are on one problem: there are no others to take answers of")
        journal = Path(journal_path).with_name("base.candidates.jsonl")
        answers = self.base.answer(seeds, num_samples, journal_path=journal, description=description)
        samples, dropped = zip(*[(answers.samples[o], answers.dropped_turns[o]) for (o,) in given], strict=True)
        return Answers(list(samples), list(dropped), answers.computed_in)


def others(groups: Sequence[Hashable], count: int) -> list[list[int]]:
    """Pick for each row `count` rows of other `groups` (n,), so that every row is picked equally often.

    The rows are sorted by group; row i then takes the rows i + d (modulo n) for `count` shifts d from the size of the
    largest group to n minus that size. Returns the row numbers; fewer than `count` per row where there are fewer such
    shifts, and none where one group has more than half of the rows.
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
