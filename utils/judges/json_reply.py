"""Find the JSON object that a judge's reply is, and nothing that only looks like one."""

import json
import re
from typing import Any

from utils.clients.chat import Reply
from utils.clients.reply import UNFINISHED, ending_of
from utils.clients.thoughts import without_thoughts

# What may stand around the object: fences, tags that models close their thoughts with, characters without a width,
# remains of a chat template, a list of one.
AROUND = (
    r"[`~]{3,}[^\S\n]*\w{0,9}|^json\b|[\s`~\[\]\ufeff\u200b\u2060]|"
    r"</?(?:answer|output|response|result|json|evaluation|verdict|final)>|<\|\w+\|>|</?s>|<end_of_turn>|<eos>"
)
OPENED = re.compile(r"\{(?=\s*[\"}])")
AFTER = re.compile(rf"(?:{AROUND}|\}})*", re.IGNORECASE)
BEFORE = re.compile(rf"(?:{AROUND})+\Z", re.IGNORECASE | re.MULTILINE)
# What introduces the object has to announce it as the verdict; "I would say:" may introduce a draft or a quotation.
_NAME = r"(?:evaluation|verdict|assessment|judge?ment|grades?|grading|scores?|ratings?|results?|json|object|format)"
_OF = r"(?:of|for) (?:the|this) (?:(?:tutor|teacher)(?:['’]s)? )?(?:answer|response|reply|turn)"
ANNOUNCEMENT = re.compile(
    r"(?:(?:sure|ok(?:ay)?|certainly|of course|absolutely)\W*)?"
    r"(?:here (?:you go|it is)|(?:here(?:['’]s| is| are) |this is |below is )?"
    r"(?:(?:my|the|your|final|overall|complete|requested) )*"
    rf"(?:final answer|{_NAME}(?: (?:in|as|is|are|{_NAME}|{_OF}|based on the (?:rubric|criteria)))*))?",
    re.IGNORECASE,
)


CUT_OFF = "finish_reason=length"  # in the error of a reply that was cut at the limit of its tokens


def read_object(reply: Reply) -> dict[str, Any]:
    """Return the object that a reply ends with. Raises ValueError, which says what is wrong.

    Before it, there may be sentences, or a line that announces it: an object in the middle of prose, or introduced by
    other words, is a draft or a quotation. Nothing may follow, since it could take the object back.
    """
    text = without_thoughts(_unquoted(reply.text))[0]
    if ending_of(reply.finish_reason) in UNFINISHED:
        said = f": {reply.details['error']}" if "error" in reply.details else ""
        raise ValueError(f"the reply was cut off or refused (finish_reason={reply.finish_reason}){said}")
    found = _objects(text)
    if not found:
        raise ValueError("the reply holds no JSON object" if text.strip() else "the reply is empty")
    if len(different := {text[start:end] for start, end, _ in found}) > 1:
        raise ValueError(f"the reply holds {len(different)} different JSON objects, not one")
    start, end, value = found[-1]
    if not (_may_introduce(text[:start].replace(text[start:end], "")) and AFTER.fullmatch(text[end:])):
        raise ValueError("the reply does not end with the JSON object, on lines of its own")
    while len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):  # {"evaluation": {...}}
        value = inner
    return value


def _may_introduce(before: str) -> bool:
    """Return whether the text before an object is empty, ends with a sentence on a line above, or announces it."""
    near = re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", before))[-300:]
    said = BEFORE.sub("", near)
    lines = [line for line in said.splitlines() if re.search(r"\w", line)]
    if not lines:
        return True
    above = "\n" in near[len(said) :] or lines[-1] != said.splitlines()[-1]
    is_sentence = above and re.search(r"[.!?…。！？][^\w:]*\Z", lines[-1])
    return bool(is_sentence or ANNOUNCEMENT.fullmatch(re.sub(r"^\W+|\W+$", "", lines[-1])))


def _objects(text: str) -> list[tuple[int, int, dict[str, Any]]]:
    """Return (start, end, value) of each JSON object. Raises ValueError if there is only one that is not JSON."""
    decoder, found, end = json.JSONDecoder(object_pairs_hook=_no_key_twice), [], 0
    while opened := OPENED.search(text, end):
        start = opened.start()
        try:
            value, end = decoder.raw_decode(text, start)
            found.append((start, end, value))
        except json.JSONDecodeError:  # a brace in prose
            end = start + 1
        except RecursionError:
            raise ValueError("not JSON: nested too deeply") from None
    if not found and (blocks := re.findall(r"\{[^{}]*\}", text)):
        try:
            json.loads(blocks[-1])
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error.msg}") from error
    return found


def _unquoted(text: str) -> str:
    """Return the text of a reply that came as JSON of a text."""
    try:
        inner = json.loads(text) if text.strip().startswith('"') else text
    except ValueError:
        return text
    return inner if isinstance(inner, str) else text


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)
