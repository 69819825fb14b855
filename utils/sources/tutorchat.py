"""Convert TutorChat (Chevalier et al., 2024; princeton-nlp/TutorChat on the Hub) to seed rows.

A raw row: {"mode": "openbook", "textbook_folder": "textbooks/bio/…", "conversation": ["the chapter", "a question",
"an answer", …]}. In `closedbook` there is no chapter and the tutor opens; `singleturn` is one text, often an exam.
"""

import hashlib
import re
from typing import Any

from utils.sources.raw_dialogue import LeftOut, RawDialogue, RawTurn, merge, seed_row, usable_cuts

LABEL = re.compile(r"\A\s*(user|assistant):\s*")
ROLES = {"user": "student", "assistant": "teacher"}


def read(raw: dict[str, Any]) -> RawDialogue:
    """Read a dialogue. The dialogues of one folder are a group; splits.py joins folders that share a chapter.

    Raises KeyError for a missing field.
    """
    mode, parts, folder = raw["mode"], list(raw["conversation"]), raw["textbook_folder"]
    if mode not in ("openbook", "closedbook"):
        raise LeftOut(f"mode {mode}, no dialogue turn by turn")
    chapter = parts.pop(0).strip() if mode == "openbook" and parts else None
    first = 0 if mode == "openbook" else 1  # the speaker of an unlabelled turn follows from its position
    turns = merge([_turn(part, ("student", "teacher")[(i + first) % 2]) for i, part in enumerate(parts)])
    if not any(turn.role == "student" for turn in turns):
        raise LeftOut("no student turn")
    return RawDialogue(
        id="tutorchat-" + _digest("\n".join(raw["conversation"])), source="tutorchat", turns=turns, context=chapter,
        group="tutorchat-" + _digest(folder), meta={"mode": mode, "textbook_folder": folder},
    )  # fmt: skip


def cuts(dialogue: RawDialogue) -> list[int]:
    return usable_cuts(dialogue.turns)


def row_at(dialogue: RawDialogue, cut: int) -> dict[str, Any]:
    return seed_row(dialogue, cut)


def _turn(text: str, role: str) -> RawTurn:
    label = LABEL.match(text)
    return RawTurn(ROLES[label[1]] if label else role, text[label.end() if label else 0 :].strip())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
