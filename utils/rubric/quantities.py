"""Find the numbers in a text, in digits or words ("fifty-six"), and check sums that are written out."""

import re
from collections.abc import Sequence

# Patterns that begin with a character, and look behind it afterwards, are found several times as fast as the other way
# round: `re` skips what they cannot begin with.
DIGIT = re.compile(r"\d")
NUMBER = re.compile(
    r"[\d.](?<![\w.].)(?:(?<=\d)(?:\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d*(?:\.\d+)?)|(?<=\.)\d+)"
)  # 1,200.50 or 0.5 or .5
# Numbers that only point at a place, in lower case: "line 5", "step 2", "test case 1", the marks of a numbered list.
_PLACES = "|".join(rf"{word[0]}(?<!\w.){word[1:]}" for word in ("line", "step", "test", "case", "question", "part"))
PLACE = re.compile(rf"(?:{_PLACES})s? ?#?\d+(?: ?(?:-|to|and|,) ?\d+)*")
LIST_MARK = re.compile(r"\n[ \t]*\**\d+[.)](?=\s)")
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
NUMBER_WORDS = (
    {"zero": 0, "hundred": 100, "thousand": 1000}
    | {word: value for value, word in enumerate(f"{_ONES}|{_TEENS}".split("|"), 1)}
    | {word: 10 * value for value, word in enumerate(_TENS.split("|"), 2)}
)


_SMALL = f"(?:(?:{_TENS})(?:[- ](?:{_ONES}))?|{_TEENS}|{_ONES})"
_HUNDREDS = f"(?:(?:{_SMALL} |a )?hundred(?:(?: and)? {_SMALL})?)"
_THOUSANDS = f"(?:(?:(?:{_HUNDREDS}|{_SMALL}) |a )?thousand(?:(?: and)? (?:{_HUNDREDS}|{_SMALL}))?)"
# "one" alone is a pronoun too often to be a number.
SPOKEN = re.compile(rf"\b(?=[aefhnostz])(?:{_THOUSANDS}|{_HUNDREDS}|zero|(?!one\b){_SMALL})\b")
SUM = re.compile(
    r"(?<![\d.+*/×÷x=$-])(?<![-+*/×÷x=] )(?<![-+*/×÷x=] \$)(?<![-+*/×÷x=]\$)(?<!plus )(?<!minus )(?<!times )(?<!and )"
    r"\$?(\d+(?:\.\d+)?) ?(\+|-|–|\*|×|x|/|÷|plus|and|minus|times|divided by|multiplied by) ?\$?(\d+(?:\.\d+)?) ?"
    r"(=|is|equals|makes?|gives?|add up to) ?\$?(\d+(?:\.\d+)?)(?!\.?\d|%| ?[-+*/×÷x=%])"
)
GROUPS, ZEROS = re.compile(r"(?<=\d),(?=\d{3})"), re.compile(r"(?<=\d)\.0+(?!\d)")


def numbers_of(text: str, words: Sequence[str]) -> list[str]:
    """Return the numbers in `text` as digits: "1,200.50" is 1200.5, "four" is 4. Line and step numbers are left out.

    `words` are those of `text`, in lower case.
    """
    text = text.lower()
    digits = [as_digits(number) for number in NUMBER.findall(without_places(text))] if DIGIT.search(text) else []
    if NUMBER_WORDS.keys().isdisjoint(words):
        return digits
    spoken = " ".join(word if word in NUMBER_WORDS or word == "and" else "." for word in words)
    return digits + [_value(one) for one in SPOKEN.findall(spoken)]


def without_places(text: str) -> str:
    """Drop the numbers that only point at a place from a text in lower case."""
    return LIST_MARK.sub(" ", "\n" + PLACE.sub(" ", text))


def as_digits(number: str) -> str:
    """ "1,200.50" is 1200.5, "007" is 7."""
    number = number.replace(",", "")
    return (number.rstrip("0").rstrip(".") if "." in number else number.lstrip("0")) or "0"


def in_digits(text: str, words: Sequence[str]) -> str:
    """Write number words as digits and drop grouping and idle zeros: "fifty-six of $1,200.00" is "56 of $1200".

    `text` is in lower case; `words` are its words, or more.
    """
    if not NUMBER_WORDS.keys().isdisjoint(words):
        text = SPOKEN.sub(lambda found: _value(found[0]), text)
    return ZEROS.sub("", GROUPS.sub("", text)) if DIGIT.search(text) else text


def _value(spoken: str) -> str:
    """ "two hundred and five" is 205."""
    total = group = 0
    for word in re.split(r"[- ]", spoken):
        if word == "thousand":
            total, group = 1000 * max(group, 1), 0
        elif word == "hundred":
            group = 100 * max(group, 1)
        else:
            group += NUMBER_WORDS.get(word, 0)
    return str(total + group)


def wrong_sum(text: str, spared: tuple[str, ...]) -> str | None:
    """Return the first calculation with a wrong result, such as "6 + 14 = 21" or "6 and 14 make 21", or None.

    `text` comes from `in_digits`. Results in `spared` are the student's own.
    """
    for left, sign, right, equals, result in SUM.findall(text) if DIGIT.search(text) else ():
        if as_digits(result) in spared or (sign == "/" and equals != "="):  # "2/3 is 12"
            continue
        one, other, stated = (float(number) for number in (left, right, result))
        match sign.split()[0]:
            case "+" | "plus" | "and":
                true = one + other
            case "-" | "–" | "minus":
                true = one - other
            case "/" | "÷" | "divided":
                true = one / other if other else None
            case _:
                true = one * other
        if true is not None and abs(true - stated) > 0.01 * max(1.0, abs(true)):  # a rounded result is not wrong
            return f"{left} {sign} {right} is {result}"
    return None
