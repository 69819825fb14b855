"""Which texts of one collection nearly repeat a text of another."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

NEAR = 0.8  # Jaccard similarity of the sets of word 5-grams


def words(text: str) -> list[str]:
    """The words and numbers of a text in lower case: what is left when layout and punctuation do not count."""
    return re.findall(r"\w+", text.lower())


def near_pairs(texts: Iterable[str], others: Iterable[str], threshold: float = NEAR) -> Iterator[tuple[int, int]]:
    """Index pairs (text, other) whose Jaccard similarity is `threshold` or more.

    Exact, by an inverted index over `others` (the smaller collection): cheaper than the signatures that MinHash
    would need, since every text is cut into 5-grams once in either case.
    """
    index, sizes = defaultdict(list), []
    for j, other in enumerate(others):
        grams = _five_grams(other)
        sizes.append(len(grams))
        for gram in grams:
            index[gram].append(j)
    for i, text in enumerate(texts):
        grams = _five_grams(text)
        shared = Counter(j for gram in grams for j in index.get(gram, ()))
        yield from ((i, j) for j, n in shared.items() if n >= threshold * (len(grams) + sizes[j] - n))


def _five_grams(text: str) -> set[tuple[str, ...]]:
    sequence = words(text)
    return set(zip(*(sequence[i:] for i in range(5)), strict=False)) or {tuple(sequence)}
