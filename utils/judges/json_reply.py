"""The JSON object that a judge's reply ends with, and nothing that only looks like one."""

import json
import re
from typing import Any

from utils.clients.chat import Reply
from utils.clients.reply import UNFINISHED, ending_of
from utils.clients.thoughts import without_thoughts

# What may stand around the object on its lines: a fence, the tags that models close their thoughts with, marks without
# a width, what a template leaves behind; before it an object or list around it, or an earlier copy.
_AROUND = (
    r"[\s`~\[\]\ufeff\u200b\u2060]|</?(?:answer|output|response|result|json|evaluation|verdict|final)>|"
    r"<\|\w+\|>|</?s>|<end_of_turn>|<eos>"
)
BEFORE = re.compile(
    rf"\n(?:{_AROUND}|\}})*(?:\W*(?:json|evaluation|verdict|final answer)\b[*:]*)?(?:{_AROUND})*"
    r"(?:\{\s*\"\w+\"\s*:\s*)?\Z",
    re.IGNORECASE,
)
AFTER = re.compile(rf"(?:{_AROUND}|\}})*", re.IGNORECASE)


def read_object(reply: Reply) -> dict[str, Any]:
    """The object that a reply ends with. ValueError says what is wrong.

    Fences and words before it are tolerated, but it stands on lines of its own, and nothing follows: an object in the
    middle of prose is a draft or a quotation.
    """
    text = without_thoughts(_unquoted(reply.text))[0]
    if ending_of(reply.finish_reason) in UNFINISHED:
        said = f": {reply.details['error']}" if "error" in reply.details else ""
        raise ValueError(f"the reply was cut off or refused (finish_reason={reply.finish_reason}){said}")
    blocks = list(re.finditer(r"\{[^{}]*\}", text))
    if not blocks:
        raise ValueError("the reply holds no JSON object" if text.strip() else "the reply is empty")
    if len(different := {block[0] for block in blocks}) > 1:
        raise ValueError(f"the reply holds {len(different)} different JSON objects, not one")
    before, after = text[: blocks[-1].start()], text[blocks[-1].end() :]
    lines = re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", f"\n{before}"))
    near = lines[-100:]  # little, for an expression that tries many ways
    if not (BEFORE.search(near) and AFTER.fullmatch(after)):
        raise ValueError("the reply does not end with the JSON object, on lines of its own")
    try:
        return json.loads(blocks[-1][0], object_pairs_hook=_no_key_twice)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from error


def _unquoted(text: str) -> str:
    """The text that a reply is, where it came as JSON of a text."""
    try:
        inner = json.loads(text) if text.strip().startswith('"') else text
    except ValueError:
        return text
    return inner if isinstance(inner, str) else text


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)
