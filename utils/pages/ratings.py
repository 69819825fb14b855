"""Store people's ratings immediately, in a journal and in the file that other scripts read."""

import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.artifacts import journal_beside, write_json
from utils.errors import BadInput
from utils.journal import Journal
from utils.pages.to_rate import Item
from utils.records import Evaluation

LONG = 600.0  # seconds; a longer pause does not count as time spent on an answer
NAME_LENGTH = 40  # characters


class Ratings:
    """All ratings of the answers, by rater.

    The journal beside the output (`ratings.said.jsonl`) has every entry, including corrections. A rating is on disk
    before the next answer is shown. The output is rewritten after each rating. `human_vs_gpt` and `fit_rubric`
    read its format (`utils.stats.human_ratings`): one row per rater and answer, with `rater`, `note`, `seconds`, and
    in `again` the second rating of an answer that was shown twice. With `--pairwise` it has preference rows. Raises
    BadInput if the output exists without its journal, and ValueError if another run has it open.
    """

    def __init__(self, output: str | Path):
        self.output = Path(output)
        path = journal_beside(output, "said")
        if self.output.exists() and not path.exists():
            raise BadInput(f"{output} is there, but not its journal {path.name}: give another --output")
        self._journal, self._lock = Journal(path), threading.Lock()

    def close(self) -> None:
        self._journal.close()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return all journal entries, oldest first."""
        return list(self._journal.entries.values())

    @property
    def raters(self) -> list[str]:
        return list(dict.fromkeys(entry["rater"] for entry in self.entries))

    def of(self, rater: str) -> dict[tuple[str, int], dict[str, Any]]:
        """Return a rater's latest entry on each showing, by (item key, 0 or 1)."""
        said = (entry for entry in self.entries if entry["rater"] == rater and "item" in entry)
        return {(entry["item"], entry["showing"]): entry for entry in said}

    def has_seen_verdicts(self, rater: str) -> bool:
        return any("saw_verdicts" in entry for entry in self.entries if entry["rater"] == rater)

    def note_verdicts_seen(self, rater: str) -> None:
        """Freeze this rater's ratings, because a change made after seeing the judge's verdicts is not independent."""
        if not self.has_seen_verdicts(rater):
            self._write({"rater": rater, "saw_verdicts": True})

    def add(self, rater: str, item: Item, showing: int, *, seconds: float, note: str = "", **answer: Any) -> None:
        """Store a rater's entry on an item: `evaluation`, or `preferred` (0, 1 or None: a tie), or `skipped` (why).

        The entry is on disk when this returns. Raises BadInput for a change after the rater has seen the verdicts.
        """
        if self.has_seen_verdicts(rater) and (item.key, showing) in self.of(rater):
            raise BadInput("you have seen the judge's verdicts: ratings given before can no longer be changed")
        entry = {
            "rater": rater, "item": item.key, "showing": showing, "seconds": round(seconds, 1), "note": note.strip(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **answer,
            "row": item.row | {"prompt": item.prompt}, "outputs": [one.output for one in item.answers],
        }  # fmt: skip
        if "evaluation" in answer:
            entry["evaluation"] = Evaluation.model_validate(answer["evaluation"]).model_dump()
        self._write(entry)

    def _write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self._journal.add(str(len(self._journal.entries) + 1), entry)
            write_json(self.output, self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Return the output's rows, rater by rater, in the order in which the answers were shown."""
        return [row for rater in self.raters for row in _rows_of(self.of(rater))]


def _rows_of(last: dict[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for (item, showing), entry in last.items():
        if showing or "skipped" in entry:
            continue
        about = {"rater": entry["rater"], "note": entry["note"], "seconds": entry["seconds"]}
        again = last.get((item, 1), {})
        if "evaluation" in entry:
            second = {"again": again["evaluation"]} if "evaluation" in again else {}
            rows.append(
                entry["row"] | {"output": entry["outputs"][0], "evaluation": entry["evaluation"]} | about | second
            )
        else:
            second = {"again": again["preferred"]} if "preferred" in again else {}
            rows.append(preference_row(entry["row"], entry["outputs"], entry["preferred"]) | about | second)
    return rows


def preference_row(row: dict[str, Any], outputs: Sequence[str], preferred: int | None) -> dict[str, Any]:
    """Convert a preference between two answers to a row of a train_dataset.json. A tie is not eligible for training."""
    if preferred is None:
        why = {"eligible": False, "not_eligible_because": "neither answer is better"}
        return row | {"chosen": outputs[0], "rejected": outputs[1], "preferred_by": "person"} | why
    return row | {
        "chosen": outputs[preferred], "rejected": outputs[1 - preferred], "preferred_by": "person", "eligible": True,
    }  # fmt: skip


def next_showing(queue: Sequence[tuple[Item, int]], said: dict[tuple[str, int], Any]) -> int:
    """Return the index of the first showing that this rater has not answered; len(queue) if there is none."""
    return next((i for i, (item, showing) in enumerate(queue) if (item.key, showing) not in said), len(queue))


def minutes_left(queue: Sequence[tuple[Item, int]], said: dict[tuple[str, int], dict[str, Any]]) -> float | None:
    """Estimate the remaining minutes from this rater's median pace; None before two answers are rated."""
    paces = [min(entry["seconds"], LONG) for entry in said.values()]
    rest = sum((item.key, showing) not in said for item, showing in queue)
    return statistics.median(paces) * rest / 60 if len(paces) > 1 else None


def checked_name(name: str) -> str:
    """Normalise the blanks in a rater's name. Raises BadInput if it is empty or too long."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_LENGTH:
        raise BadInput(f"a name of 1 to {NAME_LENGTH} characters is needed: it tells raters apart in the file")
    return name
