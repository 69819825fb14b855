"""Convert one row of a seed file, in any of the common formats, to a seed dialogue.

The dialogue is in `turns` or `messages` ({"role", "content"}), `conversations` ({"from", "value"}), `prompt` (messages
or a string) or `text`. A row may also be a string, or the list of messages itself. Everything else is optional:
{"id": "7", "group": "lake", "problem": "…", "context": "…", "answer": "42", "explanation": "…", "reference": "…",
"reference_alternatives": ["…"], "source": "…", "meta": {…}}. Other fields are ignored.
"""

import hashlib
import math
import re
from collections import Counter
from itertools import pairwise
from typing import Any

from utils.dialogue import REPR_START
from utils.errors import BadInput
from utils.records import SeedDialogue
from utils.roles import Role, Roles, role_key
from utils.seeds.near_duplicates import words

DIALOGUE = ("turns", "messages", "conversations", "prompt", "text")  # the first that a row has is taken
OTHER_FIELDS = {
    "id", "source", "group", "problem", "context", "answer", "explanation", "reference", "reference_alternatives",
    "meta",
}  # fmt: skip
OUR_LABELS = {"Student: ", "Teacher: "}
# The start of a line that may be somebody's turn: `Mr Smith: …`, `[10:02] Student: …`, `- Tutor: …`.
SPEAKER = re.compile(
    r"^([^\w\n]*(?:\d[\d:.,/ -]*(?:[AP]M)?[^\w\n]+)?([^\W\d_][^\n:\uff1a]{0,29})[:\uff1a])[ \t\xa0]*\S", re.MULTILINE
)
UNKNOWN = "had a line like `Mr Smith: …` between two turns of one speaker, which was taken for a part of the first"
JOINED = "had two turns of one speaker in a row, which were joined"
REFERENCE = "ended on the tutor: that turn became the reference"
GREETING = 5  # words: a shorter opening does not identify the subject of a dialogue

Turns = list[tuple[Role, str]]


def seed_of(name: str, number: int, row: Any, roles: Roles, mended: Counter[str]) -> SeedDialogue:
    """Make the seed of row `number` (from 1) of the file or dataset `name`. Corrections are counted in `mended`.

    Raises BadInput, which says what is wrong.
    """
    fields = row if isinstance(row, dict) else {"text": row} if isinstance(row, str) else {"messages": row}
    field = next((field for field in DIALOGUE if fields.get(field) is not None), None)
    if field is None:
        empty = [name for name in DIALOGUE if name in fields]
        found = f"its `{empty[0]}` is null" if empty else f"it has {', '.join(map(str, fields)) or 'nothing'}"
        found = found if isinstance(row, dict) else "it is null"
        raise BadInput(f"not a seed dialogue: {found}; expected one of {', '.join(DIALOGUE)}")
    unread = [name for name, value in fields.items() if name not in {"", field} | OTHER_FIELDS and value is not None]
    if unread:
        mended[f"have fields that are not looked at: {', '.join(unread)}"] += 1
    given, reference = fields[field], _scalar(fields, "reference")
    meta, context = _meta(fields), [text for text in [_scalar(fields, "context")] if text]
    original = isinstance(given, str) and _keep_as_it_is(given, roles)
    if original:
        body = given
    else:
        more, turns = _of_text(given, roles, mended) if isinstance(given, str) else _of_messages(field, given, roles)
        if more and not isinstance(given, str):
            meta = {**meta, "system_message": True}  # not a chapter: many rows share it
        context += more
        turns = _joined(turns, mended)
        opening = next((content for role, content in turns if role == "student"), "")
        if turns and turns[-1][0] == "teacher" and len(turns) > 1:
            if reference is not None:
                raise BadInput("it ends with the tutor and also has a `reference`; a seed must end with the student")
            reference = turns.pop()[1]
            mended[REFERENCE] += 1
        if not turns or turns[-1][0] != "student":
            raise BadInput(f"a seed must end with a student's turn; the speakers are {[r for r, _ in turns]}")
        body = "\n".join(f"{role.capitalize()}: {content}" for role, content in turns)
    text = "\n".join([*(f"{one}\n" for one in context), body])
    problem = _scalar(fields, "problem")
    group = _scalar(fields, "group") or f"{name}-{_digest(text if original else _subject(problem, opening, text))}"
    return SeedDialogue(
        id=_scalar(fields, "id") or f"{name}-{number:04d}", source=_scalar(fields, "source"), group=group, text=text,
        problem=problem, answer=_scalar(fields, "answer"), explanation=_scalar(fields, "explanation"),
        reference=reference, reference_alternatives=_strings(fields, "reference_alternatives"), meta=meta,
    )  # fmt: skip


def _keep_as_it_is(text: str, roles: Roles) -> bool:
    """Return whether a text is kept unchanged: the original code's strings, and dialogues that have our own labels."""
    if not text.strip():
        raise BadInput("an empty dialogue")
    labels = [text[mark.start() : mark.end() + 1] for mark in roles.label.finditer(text)]
    in_turn = all(label != following for label, following in pairwise(labels)) and labels[-1:] == ["Student: "]
    return REPR_START.match(text) is not None or (in_turn and OUR_LABELS.issuperset(labels))


def _of_text(text: str, roles: Roles, mended: Counter[str]) -> tuple[list[str], Turns]:
    """Split a dialogue at its speaker labels; without any label it is one turn of the student.

    Returns (context, turns).
    Raises BadInput for a chat among unknown names: one in which a speaker has several lines, between those of others.
    """
    marks = list(roles.label.finditer(text))
    if not marks:
        speakers = {mark[2]: mark[1] for mark in SPEAKER.finditer(text)}
        if 1 < len(speakers) < len(SPEAKER.findall(text)):
            first, second = list(speakers)[:2]
            hint = f"give their roles, e.g. --roles '{first}=student,{second}=teacher'"
            if role_key(first) in roles.by_word:
                hint = "write the speaker first in the line"
            raise BadInput(
                f"its lines begin with `{speakers[first]}` and `{speakers[second]}`, which are no speakers that are "
                f"known: {hint}; if all of it is the student's, begin it with `Student:`"
            )
        return [], [("student", text.strip())]
    before = text[: marks[0].start()].strip()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = [
        (roles.by_word[role_key(mark[1])], text[mark.end() : end].strip(" \t*\n"))
        for mark, end in zip(marks, ends, strict=True)
    ]
    if found[-1] == ("teacher", ""):  # a bare label at the end only asks for an answer
        found.pop()
    for i, (_, content) in enumerate(found, 1):
        if not content:
            raise BadInput(f"turn {i} is empty")
    alike = (turn for turn, following in pairwise(found) if turn[0] == following[0])
    mended[UNKNOWN] += any(SPEAKER.search(content.partition("\n")[2]) for _, content in alike)
    return [before] if before else [], found


def _of_messages(field: str, messages: Any, roles: Roles) -> tuple[list[str], Turns]:
    """Return (context, turns) of a list of messages; a system message counts as context."""
    if not isinstance(messages, list):
        raise BadInput(f"not a seed dialogue: `{field}` is {_kind(messages)}, expected a list of messages")
    context, turns = [], []
    for i, message in enumerate(messages, 1):
        if not isinstance(message, dict):
            raise BadInput(f"turn {i} is {_kind(message)}, expected an object with `role` and `content`")
        if not message.keys() & {"role", "from"}:
            raise BadInput(f"turn {i} has {', '.join(message) or 'nothing'}; expected `role` and `content`")
        word, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
        role = roles.by_word.get(role_key(word))
        if role is None:
            raise BadInput(
                f"turn {i} is by {word!r}, which is not a known role; "
                f"say whose turns these are, e.g. --roles {word if word else 'pupil'}=student"
            )
        if not isinstance(content, str) or not content.strip():
            kind = "an empty string" if isinstance(content, str) else _kind(content)
            raise BadInput(f"the content of turn {i} is {kind}; it must be a string")
        if role == "context" and turns:
            raise BadInput(f"turn {i} is by {word!r}, within the dialogue; context must come before the first turn")
        if role == "context":
            context.append(content.strip())
        else:
            turns.append((role, content.strip()))
    return context, turns


def _joined(turns: Turns, mended: Counter[str]) -> Turns:
    joined: Turns = []
    for role, content in turns:
        if joined and joined[-1][0] == role:
            joined[-1] = (role, f"{joined[-1][1]}\n{content}")
        else:
            joined.append((role, content))
    mended[JOINED] += len(joined) < len(turns)
    return joined


def _subject(problem: str | None, opening: str, text: str) -> str:
    """Return what identifies a row's group if it has no `group`: the problem, or the student's opening."""
    subject = words(problem or opening)
    return " ".join(subject) if problem or len(subject) >= GREETING else text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _scalar(fields: dict[str, Any], name: str) -> str | None:
    """Return a field as text. Numbers become text (7, 7.0 and "7" are the same); blank text becomes None."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value if value and value.strip() else None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return str(int(value) if value == int(value) else value)
    raise BadInput(f"`{name}` is {_kind(value)}, expected text")


def _strings(fields: dict[str, Any], name: str) -> list[str]:
    value = fields.get(name)
    if value is not None and (not isinstance(value, list) or not all(isinstance(one, str) for one in value)):
        raise BadInput(f"`{name}` is {_kind(value)}, expected a list of texts")
    return value or []


def _meta(fields: dict[str, Any]) -> dict[str, Any]:
    value = fields.get("meta")
    if value is not None and not isinstance(value, dict):
        raise BadInput(f"`meta` is {_kind(value)}, expected an object")
    return value or {}


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    names = {list: "a list", dict: "an object", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "text" if isinstance(value, str) else type(value).__name__)
