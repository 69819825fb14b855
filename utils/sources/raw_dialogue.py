"""Cut one seed out of a whole raw dialogue: the code that the three converters share."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

from utils.seeds.near_duplicates import words

# Turns that only close a conversation are never a reference, and never the last turn of a prompt.
THANKS = re.compile(r"\bthank|\bbye\b", re.I)
FAREWELL = re.compile(
    r"welcome\b|\bglad\b|\bhappy (?:to|I|that)|(?:good|great|nice|excellent) (?:work|job)|well done|\bbye\b|good luck"
    r"|anything else|(?:other|more|further) (?:questions|help|assistance)",
    re.I,
)
# A tutor's turn with no other words ("Great!", "ok, good job") teaches nothing, so it is not used as a reference.
COURTESIES = {
    "great", "good", "nice", "well", "done", "ok", "okay", "yes", "yeah", "yep", "right", "correct", "exactly", "cool",
    "perfect", "excellent", "awesome", "fantastic", "wonderful", "brilliant", "amazing", "sure", "indeed", "absolutely",
    "hi", "hello", "hey", "thanks", "thank", "you", "that", "is", "it", "s", "are", "very", "so", "job", "work", "and",
}  # fmt: skip


class LeftOut(Exception):
    """A raw dialogue gives no seed. The text is the reason under which it is counted."""


@dataclass
class RawTurn:
    role: str  # student or teacher
    content: str
    act: str | None = None  # mathdial: the label of the teacher's move (telling, probing, ...)
    alternatives: list[str] = field(default_factory=list)  # debugging: alternatives that the annotators wrote
    code: str | None = None  # debugging: the code that the turn shows, also part of `content`


@dataclass
class RawDialogue:
    """All turns, cleaned, so that the speakers alternate. Turn 0 is the student's if the student brings the problem."""

    id: str
    source: str
    group: str
    turns: list[RawTurn]
    problem: str | None = None
    context: str | None = None
    answer: str | None = None
    explanation: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def merge(turns: list[RawTurn]) -> list[RawTurn]:
    """Join consecutive turns of one speaker into one, a line each. A turn that is repeated at once is kept once.

    Trailing blanks of lines are removed. An alternative to one part of a joined turn is joined with the other part.
    """
    merged: list[RawTurn] = []
    for turn in turns:
        turn.content = re.sub(r"[ \t]+$", "", turn.content, flags=re.M).strip()
        if not turn.content:
            continue
        last = merged[-1] if merged and merged[-1].role == turn.role else None
        if last is None:
            merged.append(turn)
        elif turn.content == last.content:
            last.alternatives += [other for other in turn.alternatives if other not in last.alternatives]
        else:
            before = [f"{other}\n{turn.content}" for other in last.alternatives]
            last.alternatives = before + [f"{last.content}\n{other}" for other in turn.alternatives]
            last.content += f"\n{turn.content}"
            last.code = turn.code or last.code
    return merged


def usable_cuts(turns: list[RawTurn], answered_at: int | None = None) -> list[int]:
    """Return every `n` for which `turns[:n]` ends on the student and `turns[n]` is a useful turn of the teacher.

    Cuts after turn `answered_at`, the first that says the answer, and cuts among the closing courtesies are left out.
    """
    end = len(turns)
    while end > 1 and _closes(turns[end - 1]):
        end -= 1
    last = end - 1 if answered_at is None else min(end - 1, answered_at)
    return [
        n for n in range(1, last + 1)
        if turns[n].role == "teacher" and turns[n - 1].role == "student" and not _says_nothing(turns[n].content)
    ]  # fmt: skip


def order_of_cuts(dialogue: RawDialogue, cuts: list[int], seed: int) -> list[int]:
    """Order the cuts: a random one first, drawn by the seed and the dialogue's id alone, and the earliest one last."""
    if not cuts:
        raise LeftOut("no tutor turn to cut at before the answer is said")
    later = [n for n in cuts if n > 1]
    picked = random.Random(f"{seed} {dialogue.id}").choice(later or cuts)
    return [picked, *(n for n in [*later, *cuts[: len(cuts) - len(later)]] if n != picked)]


def seed_row(dialogue: RawDialogue, cut: int, **meta: Any) -> dict[str, Any]:
    """Make the seed row whose reference is `turns[cut]`."""
    reference = dialogue.turns[cut]
    return {
        "id": f"{dialogue.id}-t{cut}",
        "source": dialogue.source,
        "group": dialogue.group,
        "problem": dialogue.problem,
        "context": dialogue.context,
        "turns": [{"role": turn.role, "content": turn.content} for turn in dialogue.turns[:cut]],
        "reference": reference.content,
        "reference_alternatives": reference.alternatives,
        "answer": dialogue.answer,
        "explanation": dialogue.explanation,
        "meta": {**dialogue.meta, **meta, "turns_in_dialogue": len(dialogue.turns)},
    }


def _closes(turn: RawTurn) -> bool:
    """Return whether a turn only says thanks or goodbye; the question "anything else?" is allowed."""
    if turn.role == "student":
        return bool(THANKS.search(turn.content)) and "?" not in turn.content
    return bool(FAREWELL.search(turn.content)) and (
        "?" not in turn.content
        or bool(re.search(r"anything else|(?:other|more|further) questions", turn.content, re.I))
    )


def _says_nothing(text: str) -> bool:
    return "?" not in text and not set(words(text)) - COURTESIES
