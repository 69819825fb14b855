"""Find the turns in a dialogue's text, in any of the known formats."""

import re
from dataclasses import dataclass
from typing import Literal

from utils.roles import label_pattern

SPEAKERS = {"student": "student", "user": "student", "teacher": "teacher", "tutor": "teacher", "assistant": "teacher"}
# Clean rows: a label at the start of a line. The original's strings: Python list reprs, whose labels come after
# a quote, after `\n` written as two characters, after a tab, or (mathdial) glued to the student's last number.
CLEAN_LABEL = re.compile(r"^(Student|Teacher): ", re.MULTILINE)
# A few mathdial students speak under their name, which opens an element of the list: `', 'DeAndre: …`.
LOOSE_LABEL = re.compile(
    r"(?:(?<![A-Za-z])|(?<=\\n))(Student|Teacher|User|Assistant|user|assistant):(?=\s|\(|\Z)"
    r"|(?<=['\"], ['\"])([A-Z][a-z]\w*):(?=\s)"
)
# None has a label at the start of a later line: a lesson may begin with a quotation, too.
REPR_START = re.compile(r"""\A(?:Student: ["']|\s*\[?["']|<problem>)(?![\s\S]*\n(?:Student|Teacher): )""")
# A line that opens a new speaker's turn: where a tutor's answer ends.
NEW_TURN = re.compile(rf"\s*\n{label_pattern()}", re.IGNORECASE)


@dataclass(frozen=True)
class Turn:
    """A piece of a dialogue. The `text`s of all pieces, joined, are the dialogue; the first may have no speaker."""

    speaker: Literal["student", "teacher"] | None
    text: str
    content: str


def split_turns(text: str) -> list[Turn]:
    """Cut `text` before each speaker's label. Nothing is lost: `"".join(turn.text for turn in turns) == text`."""
    original_format = REPR_START.match(text) is not None
    marks = list((LOOSE_LABEL if original_format else CLEAN_LABEL).finditer(text))
    if not marks:
        return [Turn(None, text, text.strip())]
    starts = [mark.start() for mark in marks]
    turns = [Turn(None, text[: starts[0]], text[: starts[0]].strip())] if starts[0] else []
    for mark, end in zip(marks, [*starts[1:], len(text)], strict=True):
        content = text[mark.end() : end]
        if original_format:  # `\n` as two characters, quotes and commas of the list
            content = content.replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"').strip().strip("\"', []\n\t")
        speaker = SPEAKERS.get((mark[1] or "").lower(), "student")
        turns.append(Turn(speaker, text[mark.start() : end], content.strip()))
    return turns


def cut_at_new_turn(answer: str) -> tuple[str, bool]:
    """End a tutor's answer where a line opens another turn; nothing else is cut. Returns (answer, was it cut)."""
    mark = NEW_TURN.search(answer)
    return (answer[: mark.start()], True) if mark else (answer, False)
