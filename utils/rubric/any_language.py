"""Bar answers from being `chosen`, in any language and by any judge.

`barred` needs no word list: it checks numbers, code, repetition and marks. The offline rubric adds guards that need
English words (`rubric/guards.py`).
"""

import re
from functools import lru_cache

from utils.answers import loops, tokens

# A small judge copies a verdict that it finds in the answer. A tutor has no reason to write one to a student.
OWN_VERDICT = re.compile(r"(reveal_answer|on_topic|helpful)[\"']?\s*[:=]\s*[\"']?(yes|no|[1-5])\b", re.IGNORECASE)
# A number in any notation: 1,200.50, 1.200,50, 1'200, 0,5, .5. A sign or a unit before it does not matter.
NUMBER = re.compile(r"(?<![\dA-Za-z_.])(?:\d{1,3}(?:[,.'’\u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?|\.\d+)")
LIST_MARK = re.compile(r"^[ \t]*[*#>-]*[ \t]*\d+[.)](?=\s)", re.MULTILINE)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
JOINED_CODE = re.compile(r"`([^`\n]+)` (before|after) `([^`\n]+)`")
# The paper's prompts tell the tutor the fixes. (The lookahead stops a match at the next opening tag, to save time.)
BUG_FIXES = re.compile(r"<bug_fixes>((?:(?!<bug_fixes>).)*?)</bug_fixes>", re.DOTALL)
FOR_THE_TUTOR = re.compile(r"<bug_(desc|fixes)>(?:(?!<bug_\1>).)*?</bug_\1>", re.DOTALL)


def barred(answer: str, known_answer: str | None, conversation: str) -> list[str]:
    """Name every reason why `answer` must not be preferred to another one; [] if there is none.

    `known_answer` (one per line, if there are several) is what the tutor must not give away. It counts anywhere, even
    inside a question, unless the conversation has it already.
    """
    reasons = []
    if not any(character.isalnum() for character in answer):
        reasons.append("empty")
    if loops(answer):
        reasons.append("repeats")
    if OWN_VERDICT.search(answer):
        reasons.append("carries a verdict")
    if gives_away(answer, known_answer, conversation):
        reasons.append("gives the answer")
    return reasons


def gives_away(answer: str, known_answer: str | None, conversation: str) -> str | None:
    """Return the part of the known answer that `answer` says and the conversation does not, or None."""
    known_fixes = "\n".join(BUG_FIXES.findall(conversation))  # the paper's prompts tell the tutor the fix
    for known in f"{known_answer or ''}\n{known_fixes}".splitlines():
        if found := _says(answer, known.strip(), FOR_THE_TUTOR.sub(" ", conversation)):
            return found
    return None


def _says(answer: str, known: str, conversation: str) -> str | None:
    """Find a known number ("29", "$1,200", "29 apples", "3/4"), code in backticks, or the words of a sentence."""
    said, before = squeeze(answer), squeeze(conversation)
    if INLINE_CODE.search(known):
        return next((piece for piece in code_in(known) if piece in said and piece not in before), None)
    short = len(tokens(NUMBER.sub(" ", known))) <= 2
    numbers = NUMBER.findall(known)
    if short and len(numbers) == 1:
        final = canonical(numbers[0])
        return final if final in numbers_in(LIST_MARK.sub(" ", answer)) - numbers_in(conversation) else None
    if short and numbers:  # a fraction, a time, a pair
        whole = re.compile(rf"(?<!\d){re.escape(squeeze(known))}(?!\d)")
        return known if whole.search(said) and not whole.search(before) else None
    new = long_words(known) - long_words(conversation)
    told = new & long_words(answer)
    enough = told == new if short else len(new) >= 4 and len(told) >= 0.75 * len(new)
    return " ".join(sorted(told)) if told and enough else None


def code_in(known: str) -> list[str]:
    """Return the pieces of code in a fix, without white space: "Replace `xs` by `xs + 1`" has "xs" and "xs+1".

    A single letter or digit does not count, because every text has it.
    """
    joined = [one + other if order == "before" else other + one for one, order, other in JOINED_CODE.findall(known)]
    return [piece for piece in map(squeeze, [*INLINE_CODE.findall(known), *joined]) if len(piece) > 1]


@lru_cache(256)  # the candidates of one prompt are checked one after the other
def numbers_in(text: str) -> frozenset[str]:
    """Return the numbers in `text`, from digits of any script, in one notation: no grouping, no trailing zeros."""
    return frozenset(canonical(number) for number in NUMBER.findall(text))


def canonical(number: str) -> str:
    """Normalise a number: "1,200.50", "1.200,50" and "1'200.5" to "1200.5"; "0,5" and ".5" to "0.5"; "٢٩" to "29"."""
    number = "".join(str(int(sign)) if sign.isdigit() else sign for sign in number)
    *front, last = re.split(r"\D", number)
    marks = re.findall(r"\D", number)
    # Three digits after a mark are thousands, unless another kind of mark, or only a zero or nothing, comes before.
    thousands = len(last) == 3 and len(set(marks)) == 1 and front[0] not in ("", "0")
    decimal = marks[-1:] in (["."], [","]) and not thousands
    whole, rest = ("".join(front), last.rstrip("0")) if decimal else ("".join([*front, last]), "")
    return (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def squeeze(code: str) -> str:
    """Remove white space from code and make all quotes alike, for comparison."""
    return "".join(code.split()).replace('"', "'")


def long_words(text: str) -> frozenset[str]:
    """Return the words of four letters or more, which carry the subject in most languages."""
    return frozenset(word for word in tokens(text) if len(word) >= 4)
