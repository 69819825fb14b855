"""Detect whether a text contains a known answer: a number in digits or in words, or the answer's own words."""

import re
from collections.abc import Sequence

from utils.dialogue import Turn
from utils.records import SeedDialogue
from utils.seeds.near_duplicates import NUMBER_WORDS, ONES, TEENS, TENS, words

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
EVERYDAY = 12  # up to here a number in words ("the two steps") is ignored, unless it is called the answer

_WORD = rf"(?:{'|'.join(sorted(NUMBER_WORDS, reverse=True))})"
IN_WORDS = rf"\b{_WORD}(?:[ -](?:and )?{_WORD})*\b"
VALUE = rf"(-?[$€£]?\s?-?{NUMBER.pattern})|({IN_WORDS})"
ANSWER = re.compile(r"\b(?:answer|result|solution)\b", re.IGNORECASE)
IS_IT = re.compile(rf"([^.?!\n\d]{{0,30}}?(?:\b(?:is|was|equals)\b|[:=])[^.?!\n\d]{{0,15}}?)(?:{VALUE})", re.IGNORECASE)
IT_IS = re.compile(
    rf"(?:{VALUE})([^.?!\n\d]{{0,15}}\b(?:is|was) (?:indeed )?the (?:right |correct |final )?)\Z", re.IGNORECASE
)
NEGATED = re.compile(r"\b(?:not|never)\b|n't\b", re.IGNORECASE)
FIX_MARKUP = re.compile(r"<bug_(?:desc|fixes)>")  # in debugging strings of the original code
SHORT = 4  # words: a shorter answer may also be a term of the question
SHORT_SOLUTION = 12  # words
TOKEN = re.compile(r"\w+|[^\w\s]")


def gives_away(seed: SeedDialogue, pieces: Sequence[Turn]) -> bool | None:
    """Return whether the prompt gives away the answer or the fix; None if no answer is known, or the question has it.

    `pieces` are the turns of `seed.text`. The worked solution counts anywhere, and so does a number that is called the
    answer. Any other mention of the number counts after the first turn, and before the dialogue if it is above
    `EVERYDAY`. Code of the fix counts only if the tutor writes it (a student may have found it) and only from three
    tokens on: `<=` alone gives nothing away.
    """
    if "<bug_" in seed.text and FIX_MARKUP.search(seed.text):
        return True
    turns = [piece for piece in pieces if piece.speaker]
    if not turns:
        return None
    prompt = _padded(seed.text)
    if seed.explanation and _pasted(seed.explanation, prompt, pieces):
        return True
    if seed.answer is None:
        return None
    first, value = turns[0].content, number_of(seed.answer)
    if value is not None:
        if states(seed.text, value):
            return True
        if says(first, value):
            return None
        later = "\n".join(turn.content for turn in turns[1:])
        return says(later, value) or (abs(value) > EVERYDAY and says(_of(None, pieces), value))
    answer = _padded(seed.answer)
    if len(answer.split()) < SHORT and answer in _padded(first):
        return None
    fragments = [code for code in seed.meta.get("fix_fragments", ()) if len(TOKEN.findall(code)) > 2]
    return (bool(answer.strip()) and answer in prompt) or any(
        code in _of("teacher", pieces) for code in fragments if code not in first
    )


def says(text: str, value: float) -> bool:
    """Return whether the text contains the number, in digits or, above `EVERYDAY`, in words. The sign is ignored."""
    value = abs(value)
    if value in {float(number.replace(",", "")) for number in NUMBER.findall(text)}:
        return True
    spelled = in_words(value) if value > EVERYDAY else None
    if spelled is None or spelled.split()[0] not in (lower := text.lower()) or spelled not in _number_words(lower):
        return False
    return any(spelled == _number_words(run) for run in re.findall(IN_WORDS, lower))


def states(text: str, value: float) -> bool:
    """Return whether the text calls this number the answer: "The answer is 150.", "Result: $-4", "six is the answer".

    "Would be" and "should be" do not count, since they leave it open, nor do negations.
    """
    lower = text.lower()  # a case-insensitive search of every text would take most of the time here
    if not any(word in lower for word in ("answer", "result", "solution")):
        return False
    for mark in ANSWER.finditer(text):
        after, before = IS_IT.match(text, mark.end()), IT_IS.search(text, max(0, mark.start() - 60), mark.start())
        for found, (between, digits, run) in ((after, (1, 2, 3)), (before, (3, 1, 2))):
            if found is None or NEGATED.search(found[between]):
                continue
            if (number_of(found[digits]) == value) if found[digits] else _number_words(found[run]) == in_words(value):
                return True
    return False


def in_words(value: float) -> str | None:
    """Write a number in words: 105 is `one hundred five`. Returns None unless it is a whole number below a million."""
    if value != int(value) or not 0 <= value < 1_000_000:
        return None
    value = int(value)
    if value >= 1000:
        return f"{in_words(value // 1000)} thousand {in_words(value % 1000) if value % 1000 else ''}".strip()
    if value >= 100:
        return f"{in_words(value // 100)} hundred {in_words(value % 100) if value % 100 else ''}".strip()
    if value >= 20:
        return f"{TENS[value // 10 - 2]} {ONES[value % 10 - 1] if value % 10 else ''}".strip()
    return ("zero", *ONES, *TEENS)[value]


def _number_words(text: str) -> str:
    """Return the words of a number, without `and` and hyphens."""
    return " ".join(word for word in words(text) if word in NUMBER_WORDS)


def number_of(answer: str) -> float | None:
    """Return the answer's value if it is a number and nothing else (`$1,200`, `-12 %`), else None."""
    bare = re.sub(r"[$€£%\s]", "", answer)
    sign = -1 if bare.startswith("-") else 1
    return sign * float(bare.lstrip("-").replace(",", "")) if NUMBER.fullmatch(bare.lstrip("-")) else None


def _pasted(explanation: str, prompt: str, pieces: Sequence[Turn]) -> bool:
    """Return whether the prompt contains the worked solution.

    It does if tutor or context have all its lines, or the student has it in one piece; the student may have found a
    short solution alone, which does not count. A last line that is the bare answer may be missing. `prompt` holds all
    words of the prompt.
    """
    lines = [line for line in explanation.strip().split("\n") if line.strip()]
    if len(lines) > 1 and len(words(lines[-1])) == 1:
        lines.pop()
    if not lines or not words(lines[0]) or _padded(lines[0]) not in prompt:
        return False
    told = [_padded(_of(who, pieces)) for who in (None, "teacher")]
    if any(all(_padded(line) in text for line in lines) for text in told):
        return True
    whole = _padded(" ".join(lines))
    return len(whole.split()) >= SHORT_SOLUTION and whole in _padded(_of("student", pieces))


def _of(speaker: str | None, pieces: Sequence[Turn]) -> str:
    """Return what one speaker says, or (None) what stands before the dialogue."""
    return "\n".join(piece.content for piece in pieces if piece.speaker == speaker)


def _padded(text: str) -> str:
    """Join the words of a text with single blanks around each, so that only whole words are found in it."""
    return f" {' '.join(words(text))} "
