"""Split rows into train and test without leaks: by underlying problem, then by removing near-duplicates."""

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from utils.seeds.near_duplicates import near_to, words

MAX_TEST_SHARE = 0.25  # at most this share of a small source goes to test


@dataclass
class Split:
    train: list[dict[str, Any]]
    test: list[dict[str, Any]]
    moved_to_train: int  # test rows that nearly repeat a training row
    not_needed: int  # rows beyond the requested sizes


def split(rows: list[dict[str, Any]], train_size: int, test_size: int, seed: int) -> Split:
    """Split into at most `train_size` and `test_size` rows. The result does not depend on the order of `rows`.

    A group is in one split only, and groups that share a chapter are joined. Test rows that nearly repeat a training
    row, or state its problem, move to train with their group. This is repeated until none is left.
    """
    rng = random.Random(f"{seed} split")
    groups = defaultdict(list)
    for row in sorted(_linked_by_chapter(rows), key=lambda row: row["id"]):
        groups[row["group"]].append(row)
    order = sorted(groups)
    rng.shuffle(order)
    room, test_groups = min(test_size, int(MAX_TEST_SHARE * len(rows))), []
    for group in order:
        if len(groups[group]) <= room:
            test_groups.append(group)
            room -= len(groups[group])

    chosen = set(test_groups)
    pool = newcomers = [row for group in order if group not in chosen for row in groups[group]]
    moved, test = 0, []
    while newcomers:
        test = [row for group in test_groups for row in groups[group]]
        close = {test[j]["group"] for j in _too_close(newcomers, test)}
        newcomers = [row for row in test if row["group"] in close]
        test_groups = [group for group in test_groups if group not in close]
        pool = pool + newcomers
        moved += len(newcomers)
    rng.shuffle(pool)
    return Split(pool[:train_size], test, moved, len(pool[train_size:]))


def _too_close(rows: list[dict[str, Any]], test: list[dict[str, Any]]) -> set[int]:
    """Return the indices of test rows whose near-duplicate or problem is among `rows`."""
    problems = {" ".join(words(row["problem"])) for row in rows if row["problem"]}
    same = {j for j, row in enumerate(test) if row["problem"] and " ".join(words(row["problem"])) in problems}
    bar = tqdm(rows, desc="comparing with the test rows", unit=" rows", delay=2)
    return same | near_to(map(prompt_text, test), map(prompt_text, bar))


def _linked_by_chapter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join groups that share a chapter (TutorChat has some chapters in two folders). Returns the rows."""
    same: dict[str, str] = {}  # group -> another group that it is joined with

    def name_of(group: str) -> str:
        while group in same:
            group = same[group]
        return group

    first: dict[str, str] = {}  # chapter -> the first group that has it
    for row in rows:
        if row["context"]:
            known = first.setdefault(" ".join(words(row["context"])), row["group"])
            low, high = sorted((name_of(known), name_of(row["group"])))
            if low != high:
                same[high] = low
    return [{**row, "group": name_of(row["group"])} for row in rows]


def prompt_text(row: dict[str, Any]) -> str:
    """Return the text of a row that goes into its prompt, without speakers."""
    return "\n".join([row["context"] or "", *(turn["content"] for turn in row["turns"])])
