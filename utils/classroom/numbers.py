"""Find the numbers in a text: in digits, in words ("twenty-eight"), and as written-out calculations ("60 − 18")."""

import re
from fractions import Fraction
from functools import lru_cache

from utils.rubric.any_language import NUMBER, canonical
from utils.rubric.quantities import without_places

SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
VALUES = {word: value for value, word in enumerate(SMALL)} | {word: 10 * i for i, word in enumerate(TENS, 2)}
SCALES = {"hundred": 100, "thousand": 1000}
_WORD = "|".join(sorted([*VALUES, *SCALES], key=len, reverse=True))
SPELLED = re.compile(rf"\b(?:a[ ](?=hundred|thousand))?(?:{_WORD})(?:(?:[ -]|[ ]and[ ])(?:{_WORD}))*\b")
# Ways to write an operation between two numbers. A colon, and a dash between spaces, count as punctuation instead.
OPERATORS = {
    r"[×*·✕]|(?<=\d)\s*x\s*(?=[$€£]?\d)|\b(?:times|multiplied by)\b": "*",
    r"\b(?:plus|added to)\b": "+",
    r"[−–—]|\b(?:minus|take away|less)\b": "-",
    r"[÷]|\b(?:divided by|over)\b": "/",
}
_N = r"[$€£]?(\d+(?:\.\d+)?)%?"
_UNITS = r"(?: (?!and |from |by |to |of |or )[a-z]+){0,2}"
CHAIN = re.compile(rf"{_N}{_UNITS}(?:\s*[-+*/]\s*{_N}{_UNITS})+")
FRACTION = re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])")
PARTS = re.compile(r"\d+(?:\.\d+)?|[-+*/]")
PHRASES = (  # a calculation in words: (pattern with two numbers, its value)
    (rf"\b(?:subtract|take|remove|deduct)(?:ing)? {_N}{_UNITS}(?: away)? from {_N}", lambda a, b: b - a),
    (rf"{_N}{_UNITS} (?:subtracted|taken|deducted|removed)(?: away)? from {_N}", lambda a, b: b - a),
    (rf"{_N}{_UNITS} (?:less|fewer)(?: [a-z]+)? than {_N}", lambda a, b: b - a),
    (rf"\b(?:reduce|decrease|lower)(?:d|ing)? {_N}{_UNITS} by {_N}", lambda a, b: a - b),
    (rf"\b(?:increas|rais)(?:e|ed|ing) {_N}{_UNITS} by {_N}", lambda a, b: a + b),
    (rf"{_N}{_UNITS} more(?: [a-z]+)? than {_N}", lambda a, b: a + b),
    (rf"\b(?:add(?:ing)?|sum of|combin(?:e|ing)) {_N}{_UNITS} (?:and|to|with) {_N}", lambda a, b: a + b),
    (rf"\b(?:multiply(?:ing)?|product of) {_N}{_UNITS} (?:by|and|with) {_N}", lambda a, b: a * b),
    (rf"\b(?:divid(?:e|ing)) {_N}{_UNITS} (?:by|into) {_N}", lambda a, b: a / b if b else None),
    (rf"\bdifference (?:between|of) {_N}{_UNITS} and {_N}", lambda a, b: abs(a - b)),
    (rf"(\d+(?:\.\d+)?)(?:%| percent) of {_N}", lambda a, b: a * b / 100),
    (rf"{_N} (?:groups|lots|sets|rows|boxes|packs) of {_N}", lambda a, b: a * b),
    (rf"(\d+)/(\d+) of {_N}", lambda a, b, of: of * a / b if b else None),
)
PHRASES = tuple((re.compile(pattern), value) for pattern, value in PHRASES)
PART_OF = re.compile(rf"(?:\d+(?:\.\d+)?(?:%| percent)|\d+/\d+) of {_N}")  # names a quantity, not its calculation
HALF = re.compile(rf"\bhalf of {_N}")


@lru_cache(4096)  # a dialogue is parsed again at every turn
def numbers_said(text: str) -> frozenset[Fraction]:
    """Return the numbers in digits or words, except in "step 2", "line 3" and list marks, and except a lone "one".

    A fraction counts as itself and as its two parts.
    """
    plain = without_places(digits(text))
    fractions = {Fraction(int(a), int(b)) for a, b in FRACTION.findall(plain) if int(b)}
    return frozenset(Fraction(canonical(number)) for number in NUMBER.findall(plain)) | fractions


@lru_cache(4096)
def calculations(text: str) -> frozenset[Fraction]:
    """Return the values of the calculations in a text: 42 for "What is 60 − 18?", 40 for "half of 80"."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", digits(text))
    found: set[Fraction | None] = set()
    for pattern, value in PHRASES:
        found |= {value(*map(Fraction, numbers)) for numbers in pattern.findall(plain)}
    found |= {Fraction(number) / 2 for number in HALF.findall(plain)}
    for pattern, sign in OPERATORS.items():
        plain = re.sub(pattern, f" {sign} ", plain)
    for chain in CHAIN.finditer(plain):
        found |= _values(PARTS.findall(chain[0]))
    return frozenset(found - {None})


def digits(text: str) -> str:
    """Return the text in lower case, with spelled-out numbers in digits."""
    return SPELLED.sub(lambda found: _spelled(found[0]), text.lower())


def written(value: Fraction) -> str:
    """Write a number as people do: 12, 2.5, 1/3."""
    as_float = f"{float(value):.10g}"
    return as_float if Fraction(as_float) == value else str(value)


def _spelled(words: str) -> str:
    if words == "one":
        return words
    total = part = 0
    for word in re.split(r"[ -]", words):
        if word == "thousand":
            total, part = total + max(part, 1) * 1000, 0
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            part += VALUES.get(word, 0)
    return str(total + part)


def _values(parts: list[str]) -> set[Fraction | None]:
    """Compute the value of a chain such as 5 * 14 + 20, and of each product or quotient in it."""
    products, signs = [Fraction(parts[0])], [1]
    factors = [1]
    for sign, number in zip(parts[1::2], map(Fraction, parts[2::2]), strict=True):
        if sign in "+-":
            products.append(number)
            signs.append(1 if sign == "+" else -1)
            factors.append(1)
        elif sign == "/" and not number:
            return set()
        else:
            products[-1] = products[-1] * number if sign == "*" else products[-1] / number
            factors[-1] += 1
    whole = sum((sign * product for sign, product in zip(signs, products, strict=True)), Fraction(0))
    return {whole} | {product for product, count in zip(products, factors, strict=True) if count > 1}
