"""Describe a set of answers without a judge: how many are distinct, which one is the most common, which ones loop.

A judge that sees one answer at a time cannot see that a tutor asks everyone the same question. These numbers can.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

# Scripts without spaces between words: Thai to Khmer, kana, Chinese characters. There each character is a token.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
LONGEST_PHRASE = 200  # tokens: comparing longer ones would take time by the square of the text's length
_SENTENCE_END = re.compile(r"[.!?\n。！？]+")


def tokens(text: str) -> list[str]:
    """Split a text into words and numbers, in lower case and without punctuation."""
    return _TOKEN.findall(text.lower())


def plain(text: str) -> str:
    """Normalise a text for comparing answers: case, punctuation and spacing are ignored."""
    return " ".join(tokens(text))


def loops(text: str) -> bool:
    """Whether an answer repeats itself, in any language.

    It does when one sentence (of three tokens or more) occurs three times, when a text of 12 to 60 tokens has
    2 distinct ones in 5 or fewer, when fewer than half of the runs of four tokens are distinct (of 27 runs or more),
    or when the text ends in one phrase said four times in a row (twice, for a phrase of twelve tokens or more).
    """
    words = tokens(text)
    sentences = Counter(tuple(tokens(sentence)) for sentence in _SENTENCE_END.split(text))
    if any(times >= 3 and len(sentence) >= 3 for sentence, times in sentences.items()):
        return True
    if 12 <= len(words) <= 60 and 5 * len(set(words)) <= 2 * len(words):
        return True
    runs = list(zip(*(words[i:] for i in range(4)), strict=False))
    if len(runs) >= 27 and 2 * len(set(runs)) < len(runs):
        return True
    for length in range(3, min(len(words) // 2, LONGEST_PHRASE) + 1):
        times = 2 if length >= 12 else 4
        if len(words) < times * length or words[-1] != words[-1 - length]:
            continue  # before the lists are compared: that takes time by the square of the length
        if words[-times * length :] == times * words[-length:]:
            return len(set(words[-length:])) > 1
    return False


def variety(texts: Sequence[str]) -> dict[str, Any] | None:
    """Measure how alike the answers of a set are; None for an empty set.

    Returns {"distinct": distinct answers per answer, "commonest": the answer given most often, "commonest_share": its
    share, "loops": the share that loops, "empty": the share without a word}. Case, punctuation and spacing are
    ignored. One answer for everyone has `distinct` 1 / n and `commonest_share` 1.
    """
    if not texts:
        return None
    forms = [plain(text) for text in texts]
    commonest, times = Counter(forms).most_common(1)[0]
    return {
        "distinct": len(set(forms)) / len(texts),
        "commonest": texts[forms.index(commonest)].strip(),
        "commonest_share": times / len(texts),
        "loops": sum(map(loops, texts)) / len(texts),
        "empty": sum(not form for form in forms) / len(texts),
    }
