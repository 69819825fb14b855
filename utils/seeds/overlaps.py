"""Find the rows of a later split that an earlier split, of the same or of another dataset, has already shown."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from utils.dialogue import Turn
from utils.records import SeedDialogue
from utils.seeds.near_duplicates import NearIndex, WordIds, words
from utils.seeds.read import SPLITS

# The problem in the original code's strings; clean rows have a field for it.
PROBLEM = re.compile(r"<problem>(.*?)</problem>|here is the text:(.*?)Here is my solution", re.S)
CODE = re.compile(r"<bug_code>(.*?)</bug_code>|```\w*\n(.*?)```", re.S)
LINE_NUMBER = re.compile(r"^\s*\d+\.", re.M)
SHORTEST_CODE = 40  # characters without blanks: shorter pieces of code may be equal by chance
FEWEST_WORDS = 10  # of a chapter, and of a text that is compared without its numbers
# The kinds of overlap, and how each is worded.
KINDS = {
    "exact": "stand in {} word for word",
    "near": "nearly repeat a row of {}",
    "numbers_changed": "are a row or a problem of {} with other numbers",
    "same_problem": "are on a problem of {}",
}

Seeds = Mapping[str, Mapping[str, Sequence[SeedDialogue]]]  # by dataset and split
Keys = Mapping[str, Mapping[str, Sequence[list[int]]]]


def problem_keys(seed: SeedDialogue, pieces: Sequence[Turn]) -> list[int]:
    """Return hashes of what a row is about: its problem, code and chapter (ignoring layout), its group, and its text.

    The problem comes first, if there is one. `pieces` are the turns of `seed.text`. A system message is not a chapter,
    since many rows share it.
    """
    texts = [seed.problem, *(part for match in PROBLEM.findall(seed.text) for part in match)]
    before = pieces[0].content if not pieces[0].speaker and not seed.meta.get("system_message") else ""
    if len(words(before)) >= FEWEST_WORDS:  # fewer are a heading, or the list syntax of the original's strings
        texts.append(before)
    found = [" ".join(words(text)) for text in texts if text and text.strip()] + [seed.group, seed.text]
    for code in [part for match in CODE.findall(seed.text) for part in match]:
        dense = re.sub(r"\s+", "", LINE_NUMBER.sub("", code))
        if len(dense) >= SHORTEST_CODE:
            found.append(dense)
    return [hash(key) for key in found]


def overlaps(seeds: Seeds, keys: Keys) -> dict[str, dict[str, dict[str, int]]]:
    """Count the rows of later splits that overlap with earlier splits. `keys` are the rows' problem keys.

    A row counts at most once under `exact`, `near` or `numbers_changed`, and possibly under `same_problem` as well.
    Pairs with another dataset are listed only if they overlap.
    Returns {dataset: {"train/test": {"rows": 100, "exact": 2, …}, "other train/test": {…}}}.
    """
    result: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for i, earlier in enumerate(SPLITS[:-1]):
        known_by = [name for name in seeds if earlier in seeds[name]]
        places = [(name, split) for split in SPLITS[i + 1 :] for name in seeds if split in seeds[name]]
        later = [(place, seed) for place in places for seed in seeds[place[0]][place[1]]]
        if not known_by or not later:
            continue
        tests = [seed for _, seed in later]
        test_keys = [one for name, split in places for one in keys[name][split]]
        ids = WordIds()
        near = NearIndex(ids.of(test.text) for test in tests)
        alike = NearIndex((_if_long(ids.of(test.text)) for test in tests), numbers=False)
        alike_problem = NearIndex((_if_long(ids.of(test.problem or "")) for test in tests), numbers=False)
        for name in known_by:
            known = seeds[name][earlier]
            texts, every_key = {seed.text for seed in known}, set().union(*keys[name][earlier])
            for index in (near, alike, alike_problem):
                index.begin()
            for seed in tqdm(known, desc=f"comparing with {name} {earlier}", unit=" rows", delay=2):
                sequence = ids.of(seed.text)
                near.meet(sequence)
                alike.meet(_if_long(sequence))
                alike_problem.meet(_if_long(ids.of(seed.problem or "")))
            exact = {j for j, test in enumerate(tests) if test.text in texts}
            same = {j for j, own_keys in enumerate(test_keys) if not every_key.isdisjoint(own_keys)}
            changed = (alike.found | alike_problem.found) - near.found - same
            found = {"exact": exact, "near": near.found - exact, "numbers_changed": changed, "same_problem": same}
            for other, split in places:
                rows = {j for j, (place, _) in enumerate(later) if place == (other, split)}
                counts = {kind: len(rows & those) for kind, those in found.items()}
                if other == name:
                    result[other][f"{earlier}/{split}"] = {"rows": len(rows), **counts}
                elif any(counts.values()):
                    result[other][f"{name} {earlier}/{split}"] = {"rows": len(rows), **counts}
    return {name: result[name] for name in seeds}


def _if_long(ids: Any) -> Any:
    """Return the words if there are enough of them to compare the text without its numbers, else none."""
    return ids if len(ids) >= FEWEST_WORDS else ids[:0]
