"""Convert the Socratic debugging benchmark to seed rows.

Source: Al-Hossami et al., 2024; github.com/taisazero/socratic-debugging-benchmark.
A raw file, `14_43_used_twice_conversational_thread_1.txt` (problem 14, bug 43): `<problem>`, `<bug_code>`,
`<bug_desc>`, `<bug_fixes>`, `<unit_tests>`, `<stu_desc>`, then `<dialogue>` with lines `User: …`, `Assistant: …`,
alternative turns behind `<alt>`, and `<code>` blocks that belong to the turn above them.
"""

import re
from typing import Any

from utils.sources.raw_dialogue import LeftOut, RawDialogue, RawTurn, merge, seed_row, usable_cuts

TAGS = ("problem", "bug_code", "bug_desc", "bug_fixes", "unit_tests", "stu_desc", "dialogue")
NAME = re.compile(r"(\d+)_(\d+)_(\w+?)_((?:conversational|socratic)_\w+)")
LABEL = re.compile(r"^[ \t]*(User|Assistant|Instructor):[ \t]*", re.M)
CODE = re.compile(r"<code>(.*?)(?:</code>|\Z)", re.S)
FENCE = re.compile(r"```\w*\n(.*?)```", re.S)
NUMBERED = re.compile(r"^\s*\d+\.", re.M)


def read(name: str, text: str) -> RawDialogue:
    """Read a dialogue; `name` is the file name without `.txt`. Task and code go into the student's first turn."""
    mark = NAME.fullmatch(name)
    if mark is None:
        raise LeftOut("a file name without problem, bug and thread")
    task, bug, _, thread = mark.groups()
    problem, code, description, fixes, tests, student, talk = (_block(text, tag) for tag in TAGS)
    for tag, content in (("problem", problem), ("bug_code", code), ("bug_fixes", fixes)):
        if not content:
            raise LeftOut(f"no <{tag}> in the file")
    problem = re.sub(r"[ \t]+$", "", problem, flags=re.M)
    turns = merge(_turns(talk))
    if not turns or turns[0].role != "student":
        raise LeftOut("a dialogue that the student does not open")
    turns[0].content += f"\n\nThe task:\n{problem}\n\nMy code:\n```\n{code}\n```"
    return RawDialogue(
        id=f"debugging-{task}-{bug}-{thread.removeprefix('conversational_')}", source="debugging",
        group=f"debugging-{task}", turns=turns, problem=problem, answer=fixes, explanation=description or None,
        meta={
            "bug": name.removesuffix(f"_{thread}"), "thread": thread, "bug_code": code,
            "fix_fragments": fix_fragments(fixes, code), "unit_tests": tests or None, "student": student or None,
        },
    )  # fmt: skip


def cuts(dialogue: RawDialogue) -> list[int]:
    """Return the usable cuts. A turn that shows the fix cannot be a reference."""
    shown = next((i for i, turn in enumerate(dialogue.turns) if i and shows_fix(turn, dialogue.meta)), None)
    return [n for n in usable_cuts(dialogue.turns, shown) if n != shown]


def row_at(dialogue: RawDialogue, cut: int) -> dict[str, Any]:
    edited = any(turn.code for turn in dialogue.turns[:cut])
    return seed_row(dialogue, cut, code_edited_before=edited)


def fix_fragments(fixes: str, code: str) -> list[str]:
    """Find code in the fixes that is not in the buggy code: inline code, and the lines of code blocks."""
    lines = [line.strip() for block in FENCE.findall(fixes) for line in block.split("\n")]
    pieces = {piece.strip() for piece in [*lines, *re.findall(r"`([^`\n]+)`", FENCE.sub("", fixes))]}
    return sorted(piece for piece in pieces if piece and _dense(piece) not in _dense(code))


def shows_fix(turn: RawTurn, meta: dict[str, Any]) -> bool:
    """Return whether a turn shows the fix: any fragment in its code, or one of three tokens or more in its prose.

    If the fix has no fragment of its own (lines swapped, a name replaced), all changed code counts.
    """
    fragments, prose = meta["fix_fragments"], CODE.sub("", turn.content)
    if turn.code and (any(_has(turn.code, piece) for piece in fragments) or not fragments):
        return True
    return any(len(re.findall(r"\w+|[^\w\s]", piece)) > 2 and _has(prose, piece) for piece in fragments)


def _block(text: str, tag: str) -> str:
    """Return the text from a tag to its last closing tag before the next block: some files close it twice."""
    _, opened, rest = text.partition(f"<{tag}>")
    following = re.search(rf"<(?:{'|'.join(TAGS)})>", rest.replace(f"<{tag}>", " " * (len(tag) + 2)))
    block = rest[: following.start()] if following else rest
    end = block.rfind(f"</{tag}>")
    return re.sub(rf"(?:\s*</?{tag}>)+\s*", "\n", block if end < 0 else block[:end]).strip() if opened else ""


def _turns(talk: str) -> list[RawTurn]:
    marks = list(LABEL.finditer(talk))
    ends = [mark.start() for mark in marks[1:]] + [len(talk)]
    return [
        _turn("student" if mark[1] == "User" else "teacher", talk[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
    ]


def _turn(role: str, text: str) -> RawTurn:
    """Make a turn: its words, then its code as a fenced block. Alternatives go into a field of their own."""
    blocks = [block.strip("\n").rstrip() for block in CODE.findall(text)]
    said, *others = (part.strip() for part in CODE.sub("", text).split("<alt>"))
    content = "\n".join([said, *(f"```\n{block}\n```" for block in blocks)]) if said or blocks else ""
    return RawTurn(role, content, alternatives=[other for other in others if other], code="\n".join(blocks) or None)


def _dense(code: str) -> str:
    """Remove line numbers and white space from code: `high + 1` becomes `high+1`."""
    return re.sub(r"\s+", "", NUMBERED.sub("", code))


def _has(text: str, piece: str) -> bool:
    """Return whether the text contains the piece as whole words, ignoring white space: `or` is not in `for`."""
    pattern = r"\s*".join(re.escape(token) for token in re.findall(r"\w+|[^\w\s]", piece))
    return re.search(rf"(?<!\w){pattern}(?!\w)", text) is not None
