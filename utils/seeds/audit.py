"""Audit a folder of seeds: leaks between splits, answers in prompts, repeated rows and debris of conversion.

It works on our clean rows and on the original code's strings. A *leak* makes a result worthless (training has seen the
test set, or the prompt contains the answer); a *defect* only makes the data worse.
"""

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from utils.dialogue import Turn, split_turns
from utils.records import SeedDialogue
from utils.seeds.answers import gives_away
from utils.seeds.near_duplicates import split_words
from utils.seeds.overlaps import KINDS, Seeds, overlaps, problem_keys
from utils.seeds.read import SPLITS, find_datasets, find_seeds, read_seeds

# Each kind of debris: strings of which a text must contain one before the pattern is searched for (searching every text
# for every pattern would take a fifth of an audit's time), and the pattern.
DEBRIS = {
    "list syntax": (("',", '",'), re.compile(r"""["'], ?["'](?:\\n)?(?:Student|Teacher|user|assistant): """)),
    "act label": ((":(", ": ("), re.compile(r"(?:Teacher|Tutor): ?\((?:generic|focus|probing|telling)\)")),
    "markup": (("|EOM|", "<"), re.compile(r"\|EOM\||</?(?:alt|bug_\w+|stu_desc|unit_tests|dialogue)>")),
    "label in mid-line": (
        ("\t", ":(", ": ("),
        re.compile(r"\t(?:User|Assistant): |(?:Teacher|Student)(?<=\w.{7}): ?\("),
    ),
    "empty turn": ((":",), re.compile(r"^(?:Student|Teacher|User|Assistant):[ \t]*$", re.M)),
    # any suspicious character first, its context only then: this takes a third of the time
    "broken encoding": (
        ("",),
        re.compile("[\ufffd\x00-\x08\x0b\x0c\x0e-\x1fâÃ](?:(?<=[^âÃ])|(?<=â)€|(?<=Ã)[\x80-\xbf])"),
    ),
}


def estimate_tokens(text: str) -> int:
    """Count words and punctuation marks, which needs no tokenizer and is somewhat below a model's own count."""
    found = split_words(text)  # the same words as by TOKEN, in half of the time
    return len(found) + len("".join(text.split())) - len("".join(found))


def audit(
    folder: Path | str, count_tokens: Callable[[str], int] = estimate_tokens, limit: int | None = None
) -> dict[str, Any]:
    """Examine the first `limit` rows of every `{dataset}_{split}` in `folder`: see `examine`.

    Raises FileNotFoundError if there are no seeds, and BadInput for a broken file.
    """
    seeds = {
        name: {
            split: read_seeds(path, limit)
            for split in SPLITS if (path := find_seeds(folder, name, split, optional=True))
        }
        for name in find_datasets(folder)
    }  # fmt: skip
    return examine(seeds, folder, count_tokens)


def examine(seeds: Seeds, folder: Path | str, count_tokens: Callable[[str], int] = estimate_tokens) -> dict[str, Any]:
    """Examine seeds that were read from `folder`, by dataset and split.

    Returns JSON values: {"datasets": {name: {"splits": {split: {"rows", "tokens", …}}, "overlaps": {"train/test":
    {…}}}}, "leaks": ["…"], "defects": ["…"]}.
    """
    found = {
        name: {split: _examine_split(f"{name} {split}", rows, count_tokens) for split, rows in splits.items()}
        for name, splits in seeds.items()
    }
    keys = {name: {split: row_keys for split, (_, row_keys) in splits.items()} for name, splits in found.items()}
    known = overlaps(seeds, keys)
    datasets = {
        name: {"splits": {split: counts for split, (counts, _) in splits.items()}, "overlaps": known[name]}
        for name, splits in found.items()
    }
    result = {"folder": str(folder), "datasets": datasets}
    return {**result, "leaks": list(_leaks(datasets)), "defects": list(_defects(datasets))}


def one_line(result: dict[str, Any]) -> str | None:
    """Return the warning for a run on these seeds, or None if nothing leaks."""
    return f"the seeds in {result['folder']} leak: {'; '.join(result['leaks'])}" if result["leaks"] else None


def table(result: dict[str, Any]) -> str:
    """Format the result: a line per file, then the leaks and the defects in words."""
    from tabulate import tabulate

    head = ("", "rows", "problems", "tokens: median", "p95", "max", "repeats", "tell answer", "unknown", "off student")
    rows = []
    for name, dataset in result["datasets"].items():
        for split, row in dataset["splits"].items():
            tokens = [round(row["tokens"][key]) for key in ("median", "p95", "max")]
            keys = ("repeated", "answer_in_prompt", "answer_unknown", "not_ending_on_student")
            rows.append([f"{name} {split}", row["rows"], row["problems"], *tokens, *(row[key] for key in keys)])
    lines = [tabulate(rows, head, tablefmt="plain")]
    for title, found in (("leaks", result["leaks"]), ("defects", result["defects"])):
        lines += ["", f"{title}:" if found else f"{title}: none", *(f"  {line}" for line in found)]
    return "\n".join(lines)


def _examine_split(
    name: str, seeds: Sequence[SeedDialogue], count_tokens: Callable[[str], int]
) -> tuple[dict[str, Any], list[list[int]]]:
    """Return (the counts of one split, the problem keys of each row)."""
    keys, told, debris, lengths = [], [], Counter(), []
    endings = 0
    for seed in tqdm(seeds, desc=f"auditing {name}", unit=" rows", delay=2):
        pieces = split_turns(seed.text)
        keys.append(problem_keys(seed, pieces))
        told.append(gives_away(seed, pieces))
        debris.update(_debris(seed.text))
        lengths.append(count_tokens(seed.text))
        endings += not _ends_on_student(pieces)
    lengths.sort()
    return {
        "rows": len(seeds),
        "problems": len({row_keys[0] for row_keys in keys}),
        "tokens": {
            "min": lengths[0], "median": statistics.median(lengths),
            "p95": lengths[math.ceil(0.95 * (len(lengths) - 1))], "max": lengths[-1],
        },
        "repeated": len(seeds) - len({seed.text for seed in seeds}),
        "answer_in_prompt": told.count(True),
        "answer_unknown": told.count(None),
        "not_ending_on_student": endings,
        "debris": dict(debris),
    }, keys  # fmt: skip


def _debris(text: str) -> Iterator[str]:
    for kind, (needed, pattern) in DEBRIS.items():
        if any(piece in text for piece in needed) and pattern.search(text):
            yield kind


def _ends_on_student(turns: Sequence[Turn]) -> bool:
    """Return whether the student speaks last. An empty label of the tutor at the end (the original's) is no turn."""
    spoken = [turn for turn in turns if turn.speaker and turn.content]
    return bool(spoken) and spoken[-1].speaker == "student"


def _leaks(datasets: dict[str, Any]) -> Iterator[str]:
    for name, dataset in datasets.items():
        for pair, overlap in dataset["overlaps"].items():
            earlier, later = pair.split("/")
            for kind, what in KINDS.items():
                if overlap[kind]:
                    yield f"{name}: {overlap[kind]} of {overlap['rows']} {later} rows {what.format(earlier)}"
        for split, found in dataset["splits"].items():
            if found["answer_in_prompt"]:
                share = f"{found['answer_in_prompt']} of {found['rows']}"
                yield f"{name}: {share} {split} prompts contain the answer or the fix"


def _defects(datasets: dict[str, Any]) -> Iterator[str]:
    for name, dataset in datasets.items():
        for split, found in dataset["splits"].items():
            counts = {
                "repeat another row": found["repeated"],
                "do not end on the student": found["not_ending_on_student"],
                **{f"have debris ({kind})": count for kind, count in found["debris"].items()},
            }
            rows = f"of {found['rows']} {split} rows"
            yield from (f"{name}: {count} {rows} {what}" for what, count in counts.items() if count)
