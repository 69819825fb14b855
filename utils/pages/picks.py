"""Store a person's preferences between two tutors as preference pairs, and compute the score so far."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from utils.artifacts import journal_beside, write_json
from utils.errors import BadInput
from utils.journal import Journal
from utils.pages.conversation import Conversation
from utils.pages.ratings import preference_row
from utils.pages.session import STOPPED, Session
from utils.stats.agreement_table import shown


@dataclass(frozen=True)
class Score:
    """How often `second` was preferred to `first`. `low` and `high` are None if there is no interval."""

    first: str
    second: str
    wins: int
    decided: int
    ties: int
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if not self.decided:
            ties = f", {self.ties} without a difference" if self.ties else ""
            return f"{self.second} against {self.first}: nothing decided yet{ties}"
        share = f"{self.second} preferred to {self.first} in {self.wins} of {self.decided}"
        share += f" ({self.ties} more without a difference)" if self.ties else ""
        if self.low is None:
            return f"{share}; all in one conversation, which tells nothing of others"
        interval = f"{shown(self.wins / self.decided)} [{shown(self.low)}, {shown(self.high)}]"
        return f"{share}: {interval}, where 0.50 is no difference"


class Picks:
    """The picks in a file of preference rows (`eligible`, `chosen`, `rejected`, … as in a train_dataset.json).

    `add` returns only after a pick has been written to the journal beside the file. Raises BadInput if the file exists
    without its journal, or if another run has it open.
    """

    def __init__(self, output: str | Path):
        self.output = Path(output)
        path = journal_beside(output, "said")
        if self.output.exists() and not path.exists():
            raise BadInput(f"{output} is there, but not its journal {path.name}: give another --picks")
        self._journal, self._lock = Journal(path), threading.Lock()

    def close(self) -> None:
        self._journal.close()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(self._journal.entries.values())

    def add(
        self, conversation: Conversation, outputs: Sequence[str], tutors: Sequence[str], picked: int, *, blind: bool
    ) -> None:
        """Store that `outputs[picked]` was preferred; -1 means neither."""
        preferred = None if picked < 0 else picked
        row = preference_row({"group": conversation.group, "prompt": conversation.text}, outputs, preferred)
        order = tutors if preferred is None else (tutors[preferred], tutors[1 - preferred])
        row |= {"tutor_chosen": order[0], "tutor_rejected": order[1], "blind": blind}
        with self._lock:
            at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            self._journal.add(str(len(self._journal.entries) + 1), row | {"at": at})
            write_json(self.output, self.rows)

    def take(self, now: Session, picked: int) -> tuple[Session, str]:
        """Pick an answer (-1: neither); store that unless an answer was stopped. Returns (the new session, a message).

        Raises OSError if the pick cannot be stored.
        """
        outputs, tutors = [one.sample.text for one in now.answers], [one.tutor for one in now.answers]
        if any(one.sample.finish_reason == STOPPED for one in now.answers):
            kept = "Not kept as a preference: an answer was stopped."
        else:
            self.add(now.conversation, outputs, tutors, picked, blind=now.blind)
            kept = f"Saved in {self.output}."
        taken = "the one that you took" if picked >= 0 else "the first"
        return replace(now, picked=picked), f"{kept} The conversation goes on with {taken}."

    def score(self, first: str, second: str) -> Score:
        """Compute the share with Wilson's interval, conversations being the groups (`utils.stats.means.share_of`)."""
        from utils.stats.means import share_of

        rows = [row for row in self.rows if {row["tutor_chosen"], row["tutor_rejected"]} == {first, second}]
        decided = [row for row in rows if row["eligible"]]
        share = share_of([float(row["tutor_chosen"] == second) for row in decided], [row["group"] for row in decided])
        wins = sum(row["tutor_chosen"] == second for row in decided)
        return Score(first, second, wins, len(decided), len(rows) - len(decided), share.low, share.high)
