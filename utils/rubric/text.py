"""Cut a text into words, stems and sentences."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from utils.rubric.words import CODE_WORDS, FUNCTION_WORDS, MATH_WORDS, OTHER_SPEAKER, TUTOR_WORDS, VAGUE_WORDS

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
TYPOGRAPHY = re.compile("[\u00a0\u2010-\u2027°×÷£€→−≤≥]")  # the marks that are no letters in most texts of English
ASCII_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")  # the same, twice as fast
# A sentence ends after `?`, after `.` or `!` with a space or a capital behind it, and at the end of a line.
SENTENCE_END = re.compile(r"[?.!\n](?:(?<=\?)(?!\s*\?)|(?<=[.!])(?=\s+\S)|(?<=[a-z][.!])(?=[A-Z])|(?<=\n))")
ENDING = re.compile(r"(?<=...)(?:ations?|ings?|ions?|ies|ied|(?<!e)edly|(?<!e)ed|ly|es|s|e|y)$")
RUN = 4  # words in a row that two texts have in common by copying alone


def sentences_of(text: str) -> list[str]:
    """Split a text into sentences and lines, without the space around them."""
    ends = [mark.end() for mark in SENTENCE_END.finditer(text)]
    pieces = (text[start:end].strip() for start, end in pairwise([0, *ends, len(text)]))
    return [piece for piece in pieces if piece]


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case and with straight apostrophes."""
    text = text.lower().replace("’", "'")
    text = text if text.isascii() else TYPOGRAPHY.sub(" ", text)
    return (ASCII_WORD if text.isascii() else WORD).findall(text)


@lru_cache(65536)
def stem(word: str) -> str:
    """Return a rough stem: no plural or verb ending, no double letter at the end, seven letters at most."""
    word = ENDING.sub("", word.removesuffix("'s"))
    return (word[:-1] if len(word) > 3 and word[-1] == word[-2] else word)[:7]


def content_stems(words: Iterable[str]) -> list[str]:
    """Return the distinct stems of the content words, in order."""
    return [found for found in dict.fromkeys(map(_content_stem, words)) if found]


@lru_cache(65536)
def _content_stem(word: str) -> str | None:
    found = stem(word) if len(word) > 2 and word not in FUNCTION_WORDS else None
    return None if found in TUTOR_STEMS else found


def plain(text: str) -> str:
    """Keep words and numbers alone, in lower case, one space between."""
    return " ".join(re.findall(r"\w+", text.lower()))


def pairs_of(words: list[str]) -> list[tuple[str, str]]:
    """Return each two words in a row, as a tutor would say them: "my" is "your"."""
    return list(pairwise([OTHER_SPEAKER.get(word, word) for word in words]))


def runs_of(words: list[str]) -> list[tuple[str, ...]]:
    """Return each RUN words in a row."""
    return list(zip(*(words[start:] for start in range(RUN)), strict=False))


TUTOR_STEMS, CODE_STEMS, MATH_STEMS, VAGUE_STEMS = (
    frozenset(map(stem, words)) for words in (TUTOR_WORDS, CODE_WORDS, MATH_WORDS, VAGUE_WORDS)
)
