"""Score whether the words of a text are in the order of a sentence, by a bigram table of kinds of words.

Words drawn from a dialogue at random make a "question" that is on topic by every count of words. Their order gives it
away: "the" is never followed by "is". Each word is reduced to its kind (`KINDS`; content words to their ending). The
table holds the pointwise mutual information of each pair of kinds, counted in our own texts.

    python -m fit_rubric --word-order datasets/*.jsonl README.md --output-path utils/rubric/word_order.json
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

TABLE = Path(__file__).with_name("word_order.json")
CHANCE = 30  # a kind's followers are trusted by as much as its count exceeds this
KINDS = {
    kind: words.split()
    for kind, words in {
        "the": "the",
        "a": "a an",
        "your": "your my his her its our their",
        "this": "this that these those",
        "we": "i he we they she",
        "you": "you",
        "it": "it",
        "them": "me him them us myself itself yourself",
        "is": "is are was were am isn't aren't wasn't weren't",
        "be": "be been being",
        "do": "do does did don't doesn't didn't",
        "have": "have has had haven't hasn't hadn't having",
        "can": "can could would will should may might must shall can't cannot couldn't wouldn't won't shouldn't",
        "that's": "it's that's there's he's she's what's here's let's i'm you're we're they're i've you've we've "
        "they've i'd you'd i'll you'll we'll",
        "to": "to",
        "of": "of",
        "in": "in for with on at by from about into over under after before between during through above below "
        "without within onto upon until around per off up down out as like than",
        "and": "and or",
        "if": "but because so since though if when while whether unless",
        "how": "what which how why where who whose whom",
        "not": "not never",
        "each": "each every another some any all both no many much more most few several less other enough same",
        "now": "now then here there again also just only even still really very too quite perhaps maybe once often "
        "always today almost already yet rather instead together first next last",
        "get": "get got gets getting give gives given go goes going gonna make makes made making need needs take takes "
        "taking use uses used using want wants say said see seem seems let look think try find tell know check show",
    }.items()
}
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}
PIECE = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d[\d.,/]*|[.?!,;:]|`[^`\n]*`|[=+*×/<>-]+")
ENDING = re.compile(r"(ing|ed|ly|s)$")
MARKS = frozenset([".", ",", "=", "#", "`"])
CONTENT = frozenset(["content", "content-ing", "content-ed", "content-ly", "content-s"])
BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def kinds(text: str) -> list[str]:
    """Return the kinds of a text's words and marks, in order, between two full stops."""
    found = ["."]
    for piece in PIECE.findall(BLOCK.sub(" ", text.lower().replace("’", "'"))):
        kind = _kind(piece)
        if kind != "." or found[-1] != ".":
            found.append(kind)
    return found if found[-1] == "." else [*found, "."]


@lru_cache(65536)
def _kind(piece: str) -> str:
    first = piece[0]
    if first.isdigit():
        return "#"
    if first in "`.?!,;:=+*×/<>-":
        return {"`": "`", "?": ".", "!": ".", ".": ".", ",": ",", ";": ",", ":": ","}.get(first, "=")
    if piece in KIND_OF:
        return KIND_OF[piece]
    ending = ENDING.search(piece)
    return f"content-{ending[1]}" if ending and len(piece) > 4 else "content"


def count(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return {kind: {next kind: log of (its share among the followers / its share overall)}}, smoothed towards 0."""
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        row = kinds(text)
        pairs.update(pairwise(row))
    total, before, after = sum(pairs.values()), Counter(), Counter()
    for (one, other), times in pairs.items():
        before[one] += times
        after[other] += times
    names = sorted(before.keys() | after.keys())
    table: dict[str, dict[str, float]] = {}
    for one in names:
        for other in names:
            usual = (after[other] + 0.5) / total
            share = (pairs[one, other] + CHANCE * usual) / (before[one] + CHANCE)
            table.setdefault(one, {})[other] = round(math.log(share / usual), 2)
    return table


@cache
def _table() -> dict[tuple[str, str], float]:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {(one, other): log for one, followers in table.items() for other, log in followers.items()}


def order(row: Sequence[str]) -> float:
    """Score how much likelier this order is than a random one: the sum of the pairs' logs over the root of their count.

    Below 0 the order is worse than chance. Sentences of real teachers score around 2.
    """
    logs = filter(None, map(_table().get, pairwise(row)))
    return math.fsum(logs) / math.sqrt(max(1, len(row) - 1))


def shares_of_content(row: Sequence[str]) -> tuple[int, float]:
    """Return the number of words and the share of content words. Strung-together keywords have hardly any other."""
    words = len(row) - sum(map(MARKS.__contains__, row))
    return words, sum(map(CONTENT.__contains__, row)) / max(1, words)
