"""Find which texts of one collection nearly repeat a text of another, also when numbers are ignored."""

import math
import random
import re
from collections.abc import Iterable
from typing import Any

NEAR = 0.8  # Jaccard similarity of the sets of word 5-grams
GRAM = 5
EPSILON = 1e-9  # rounding: 0.8 * n may come out just above a whole number
FILTER_BITS = 24
SHIFT = 64 - FILTER_BITS
MIX = 0x9E3779B97F4A7C15
ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS = {"zero", *ONES, *TEENS, *TENS, "hundred", "thousand", "million"}


class _Blanks(dict):
    """A table for str.translate that turns all but word characters into blanks, three times as fast as a pattern."""

    def __missing__(self, code: int) -> int:
        self[code] = code if re.match(r"\w", chr(code)) else ord(" ")
        return self[code]


_BLANKS = _Blanks()


def words(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case, without layout and punctuation."""
    return split_words(text.lower())


def split_words(text: str) -> list[str]:
    """Return the words and numbers of a text as they are written."""
    return text.translate(_BLANKS).split()


class WordIds(dict):
    """A random id for each word, drawn when the word first occurs: odd for numbers, even for other words."""

    def __init__(self):
        self._random = random.Random(0)

    def __missing__(self, word: str) -> int:
        value = self[word] = self._random.getrandbits(63) << 1 | (word[0].isdigit() or word in NUMBER_WORDS)
        return value

    def of(self, text: str) -> Any:
        """Return the ids of a text's words, uint64 (words,)."""
        import numpy as np

        sequence = words(text)
        return np.fromiter(map(self.__getitem__, sequence), np.uint64, len(sequence))


class NearIndex:
    """Finds which texts have a near-duplicate among others that are given one by one: `found` holds their indices.

    The search is exact. Two texts with a Jaccard similarity of `NEAR` or more share a 5-gram among the rarest fifth of
    each (prefix filtering, Bayardo et al., WWW 2007), so only texts that do are compared. Before that, a bit table
    rules out most texts, because too few of their 5-grams occur at all. With `numbers` False all numbers are equal.
    """

    def __init__(self, texts: Iterable[Any], numbers: bool = True):
        """Index `texts`, arrays made by one WordIds. A text without words has no near-duplicate."""
        import numpy as np

        self._numbers = numbers
        self.begin()
        self._grams = [self._grams_of(text) for text in texts]
        every = np.concatenate([*self._grams, np.empty(0, np.uint64)])
        self._occurs = np.zeros(1 << FILTER_BITS, bool)
        self._occurs[every >> SHIFT] = True
        self._values, places, self._counts = np.unique(every, return_inverse=True, return_counts=True)
        ends = np.cumsum([len(grams) for grams in self._grams], dtype=int)[:-1]
        frequencies = np.split(self._counts[places], ends) if self._grams else []
        rarest = [_rarest(grams, often) for grams, often in zip(self._grams, frequencies, strict=True)]
        owners = np.repeat(np.arange(len(rarest)), [len(grams) for grams in rarest])
        rare = np.concatenate([*rarest, np.empty(0, np.uint64)])
        order = np.argsort(rare)
        self._rare, self._owners = rare[order], owners[order]

    def begin(self) -> None:
        """Forget what was given and found."""
        self.found: set[int] = set()
        self._met: set[bytes] = set()

    def meet(self, other: Any) -> None:
        """Add to `found` the texts that `other`, an array made by the same WordIds, nearly repeats."""
        import numpy as np

        grams = self._grams_of(other)
        if not len(grams) or np.count_nonzero(self._occurs[grams >> SHIFT]) < NEAR * len(grams) - EPSILON:
            return
        if (key := grams.tobytes()) in self._met:
            return
        self._met.add(key)
        places = np.searchsorted(self._values, grams).clip(max=len(self._values) - 1)
        rarest = _rarest(grams, np.where(self._values[places] == grams, self._counts[places], 0))
        starts, ends = np.searchsorted(self._rare, rarest, "left"), np.searchsorted(self._rare, rarest, "right")
        shared = [self._owners[i:j] for i, j in zip(starts, ends, strict=True) if i < j]
        if shared:
            close = set(np.concatenate(shared).tolist()) - self.found
            self.found.update(i for i in close if _similarity(self._grams[i], grams) >= NEAR)

    def _grams_of(self, ids: Any) -> Any:
        """Return the set of 5-grams as sorted hashes, uint64 (grams,). A shorter text is one gram, if not empty."""
        import numpy as np

        if not len(ids):
            return ids
        if not self._numbers:
            ids = np.where(ids & np.uint64(1), np.uint64(1), ids)
        if len(ids) < GRAM:
            return np.array([hash(ids.tobytes()) & (2**64 - 1)], np.uint64)
        mix = np.uint64(MIX)
        twos = ids[:-1] * mix + ids[1:]
        fours = twos[:-2] * mix + twos[2:]
        hashes = np.sort((fours[:-1] ^ (fours[:-1] >> np.uint64(29))) * mix + ids[4:])
        new = np.ones(len(hashes), bool)
        np.not_equal(hashes[1:], hashes[:-1], out=new[1:])
        return hashes[new]


def _rarest(grams: Any, frequency: Any) -> Any:
    """Return so many of the rarest grams that two near texts must share one; grams that never occur come first."""
    import numpy as np

    return grams[np.lexsort((grams, frequency))[: len(grams) - math.ceil(NEAR * len(grams) - EPSILON) + 1]]


def near_to(texts: Iterable[str], others: Iterable[str]) -> set[int]:
    """Return the indices of the texts that nearly repeat one of the others."""
    ids = WordIds()
    index = NearIndex(map(ids.of, texts))
    for other in others:
        index.meet(ids.of(other))
    return index.found


def _similarity(grams: Any, others: Any) -> float:
    import numpy as np

    shared = len(np.intersect1d(grams, others, assume_unique=True))
    return shared / (len(grams) + len(others) - shared)
