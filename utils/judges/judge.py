"""The interface of a judge, and the offline judge, which needs no key, no server and no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from utils.journal import Journal
from utils.records import TutorAnswer, Verdict


@dataclass(frozen=True)
class GradingOptions:
    """Options of a judge's calls. No verdict depends on them."""

    concurrency: int = 8  # calls in flight
    max_invalid: float = 0.1  # the share of invalid verdicts that is allowed
    batch: bool = False  # use the Batch API
    max_tokens: int = 300  # of the longest reply; a model's thoughts get room besides
    ask_invalid_again: bool = False  # ask anew about answers for which an earlier run got no valid verdict


class Judge(Protocol):
    """Grades tutors' answers. `settings` holds all that can change a verdict; journal and manifest are keyed by it."""

    name: str
    free: bool  # whether a verdict costs neither money nor time
    settings: dict[str, Any]
    grading: GradingOptions

    def check(self) -> None:
        """Check that the judge can be used. Raises JudgeError if not."""

    def see(self, conversations: Sequence[str]) -> None:
        """Check, before anything is spent, that this judge can read the conversations to be answered and graded.

        Raises BadInput if it can read none of them; warns, once, if it cannot read all.
        """

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        """Look at all items before the first is graded."""

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        """Grade one answer. A reply that is in the journal is not asked for again; a new one is kept in it."""


class OfflineJudge:
    """The rubric as features and rules (`utils/rubric/rubric.py`). It needs no key, server, model or journal."""

    grading = GradingOptions()
    free = True

    def __init__(self, weights: str | None = None):
        from utils.rubric import rubric

        self.rubric = rubric.load(weights) if weights else rubric.load()
        self.name = self.rubric.name
        self.settings = {"judge": "offline", "version": self.rubric.version}
        self.has_seen = False

    def check(self) -> None:
        pass

    def see(self, conversations: Sequence[str]) -> None:
        from utils.rubric.language import english_only

        if conversations and not self.has_seen:
            self.has_seen = True
            english_only(conversations)

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        pass

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        return self.rubric.grade(item.conversation, item.answer, item.known_answer)
