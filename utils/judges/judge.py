"""A judge: what it is to every stage, and the one that needs no key, no server and no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from utils.journal import Journal
from utils.records import TutorAnswer, Verdict


@dataclass(frozen=True)
class GradingOptions:
    """How a judge's calls are made; no verdict depends on it.

    Calls in flight, share of invalid verdicts that is allowed, by Batch API or not, the longest reply in tokens (a
    model's thoughts have room of their own), and whether what an earlier run got no verdict for is asked anew.
    """

    concurrency: int = 8
    max_invalid: float = 0.1
    batch: bool = False
    max_tokens: int = 300
    ask_invalid_again: bool = False


class Judge(Protocol):
    """Grades one tutor answer. `settings` is all that can change a verdict; journal and manifest are keyed by it."""

    name: str
    free: bool  # whether a verdict costs neither money nor time
    settings: dict[str, Any]
    grading: GradingOptions

    def check(self) -> None:
        """Make sure that the judge can be asked; JudgeError if not."""

    def see(self, conversations: Sequence[str]) -> None:
        """Look at what is to be answered and graded, before anything is spent on it: can this judge read it?

        BadInput if it can read none of it, a warning if not all; said once."""

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        """See all that is to be graded, before the first is."""

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        """The verdict; replies that the journal has are not asked for again, new ones are kept in it."""


class OfflineJudge:
    """The rubric as features and rules (`utils/rubric/rubric.py`): no key, no server, no model, and nothing to keep."""

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
