"""What is wrong with a folder of seeds: leaks between splits, answers in prompts, repeats and debris.

Works on our clean rows and on the original's strings alike. A *leak* makes a result worthless (the test set is
known from training, or the prompt says the answer); a *defect* only makes the data worse.
"""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from utils.dialogue import Turn, split_turns
from utils.records import SeedDialogue
from utils.seeds.near_duplicates import near_pairs, words
from utils.seeds.read import read_seeds

SPLITS = ("train", "validation", "test")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
TOKEN = re.compile(r"\w+|[^\w\s]")
# Where the original's strings keep the problem; clean rows have a field for it.
PROBLEM = re.compile(
    r"<problem>(.*?)</problem>|<bug_code>(.*?)</bug_code>|here is the text:(.*?)Here is my solution", re.S
)
CHAPTER = re.compile(r"\A\s*\[(.*?)\\n(?:assistant|user): ", re.S)  # the original's open-book rows start with `[`
FIX_MARKUP = re.compile(r"<bug_(?:desc|fixes)>")
DEBRIS = {
    "list syntax": re.compile(r"""["'], ?["'](?:\\n)?(?:Student|Teacher|user|assistant): """),
    "act label": re.compile(r"(?:Teacher|Tutor): ?\((?:generic|focus|probing|telling)\)"),
    "markup": re.compile(r"\|EOM\||</?(?:alt|bug_\w+|stu_desc|unit_tests|dialogue)>"),
    "label in mid-line": re.compile(r"\t(?:User|Assistant): |\w(?:Teacher|Student): ?\("),
    "empty turn": re.compile(r"^(?:Student|Teacher|User|Assistant):[ \t]*$", re.M),
    "broken encoding": re.compile("\ufffd|â€|Ã[\x80-\xbf]|[\x00-\x08\x0b\x0c\x0e-\x1f]"),
}


def estimate_tokens(text: str) -> int:
    """Words and punctuation marks: needs no tokenizer, and comes out somewhat below a model's own count."""
    return len(TOKEN.findall(text))


def audit(folder: Path | str, count_tokens: Callable[[str], int] = estimate_tokens) -> dict[str, Any]:
    """Examine every `{dataset}_{split}.jsonl` (or `.json`) in `folder`; plain JSON values.

    {"datasets": {name: {"splits": {split: {"rows", "tokens", …}}, "overlaps": {"train/test": {…}}}},
    "leaks": ["…"], "defects": ["…"]}. FileNotFoundError if there are no seeds, ValueError for a broken file.
    """
    datasets = {name: _audit_dataset(splits, count_tokens) for name, splits in _read(Path(folder)).items()}
    result = {"folder": str(folder), "datasets": datasets}
    return {**result, "leaks": list(_leaks(datasets)), "defects": list(_defects(datasets))}


def one_line(result: dict[str, Any]) -> str | None:
    """The warning for a run on these seeds, or None if nothing leaks."""
    return f"the seeds in {result['folder']} leak: {'; '.join(result['leaks'])}" if result["leaks"] else None


def table(result: dict[str, Any]) -> str:
    """The result for people: a line per file, a line per pair of splits, then leaks and defects in words."""
    head = ("rows", "problems", "tokens: median", "p95", "max", "repeats", "tell answer", "unknown", "off student")
    lines = [f"{'':16}" + "".join(f"{title:>{len(title) + 2}}" for title in head)]
    for name, dataset in result["datasets"].items():
        for split, row in dataset["splits"].items():
            tokens = [round(row["tokens"][key]) for key in ("median", "p95", "max")]
            keys = ("repeated", "answer_in_prompt", "answer_unknown", "not_ending_on_student")
            cells = (row["rows"], row["problems"], *tokens, *(row[key] for key in keys))
            numbers = "".join(f"{cell:>{len(title) + 2}}" for cell, title in zip(cells, head, strict=True))
            lines.append(f"{name + ' ' + split:16}{numbers}")
    for title, found in (("leaks", result["leaks"]), ("defects", result["defects"])):
        lines += ["", f"{title}:" if found else f"{title}: none", *(f"  {line}" for line in found)]
    return "\n".join(lines)


def _read(folder: Path) -> dict[str, dict[str, list[SeedDialogue]]]:
    found: dict[str, dict[str, list[SeedDialogue]]] = {}
    for path in sorted(folder.glob("*.json*"), reverse=True):  # a .jsonl goes before the .json of the same name
        name, _, split = path.stem.rpartition("_")
        if name and split in SPLITS and path.suffix in (".json", ".jsonl") and split not in found.get(name, {}):
            found.setdefault(name, {})[split] = read_seeds(path)
    if not found:
        raise FileNotFoundError(f"{folder}: no seeds in it, looked for *_train.jsonl, *_test.jsonl and the like")
    return {name: {split: found[name][split] for split in SPLITS if split in found[name]} for name in sorted(found)}


def _audit_dataset(splits: dict[str, list[SeedDialogue]], count_tokens: Callable[[str], int]) -> dict[str, Any]:
    return {
        "splits": {split: _audit_split(seeds, count_tokens) for split, seeds in splits.items()},
        "overlaps": {f"{a}/{b}": _overlap(splits[a], splits[b]) for a, b in combinations(splits, 2)},
    }


def _audit_split(seeds: list[SeedDialogue], count_tokens: Callable[[str], int]) -> dict[str, Any]:
    dialogues = [[turn for turn in split_turns(seed.text) if turn.speaker] for seed in seeds]
    told = [gives_away(seed, turns) for seed, turns in zip(seeds, dialogues, strict=True)]
    lengths = sorted(count_tokens(seed.text) for seed in seeds)
    debris = Counter(kind for seed in seeds for kind, pattern in DEBRIS.items() if pattern.search(seed.text))
    return {
        "rows": len(seeds),
        "problems": len({problem_keys(seed)[0] for seed in seeds}),
        "tokens": {
            "min": lengths[0], "median": statistics.median(lengths), "p95": lengths[int(0.95 * (len(lengths) - 1))],
            "max": lengths[-1],
        },
        "repeated": len(seeds) - len({seed.text for seed in seeds}),
        "answer_in_prompt": told.count(True),
        "answer_unknown": told.count(None),
        "not_ending_on_student": sum(not _ends_on_student(turns) for turns in dialogues),
        "debris": dict(debris),
    }  # fmt: skip


def _overlap(seeds: list[SeedDialogue], tests: list[SeedDialogue]) -> dict[str, int]:
    """How many rows of the later split are in the earlier one: verbatim, nearly, or by their problem alone."""
    known = {seed.text for seed in seeds}
    near = {j for _, j in near_pairs((seed.text for seed in seeds), (test.text for test in tests))}
    keys = {key for seed in seeds for key in problem_keys(seed)}
    return {
        "rows": len(tests),
        "exact": sum(test.text in known for test in tests),
        "near": sum(tests[j].text not in known for j in near),
        "same_problem": sum(not keys.isdisjoint(problem_keys(test)) for test in tests),
    }


def problem_keys(seed: SeedDialogue) -> list[str]:
    """What the row is about: its problem, buggy code or chapter (layout aside), its group, and the row itself."""
    found = [seed.problem, *(part for match in PROBLEM.findall(seed.text) for part in match)]
    found += CHAPTER.findall(seed.text)
    return [" ".join(words(text)) for text in found if text] + [seed.group, seed.text]


def gives_away(seed: SeedDialogue, turns: list[Turn]) -> bool | None:
    """Does the prompt say the answer, or the fix? None: no answer is known, or its number is in the problem too.

    A number counts in any later turn; the answer's or explanation's own words anywhere; code of the fix only where
    the tutor writes it (a student may have found it), and only from three tokens on: `<=` alone says nothing.
    """
    if FIX_MARKUP.search(seed.text):
        return True
    if seed.answer is None or not turns:
        return None
    first, later = turns[0].content, [turn.content for turn in turns[1:]]
    if NUMBER.fullmatch(seed.answer.strip(" $%")):
        number = _numbers(seed.answer)
        return None if number & _numbers(first) else any(number & _numbers(text) for text in later)
    said = " ".join(words(seed.text))
    fragments = [code for code in seed.meta.get("fix_fragments", ()) if estimate_tokens(code) > 2 and code not in first]
    return any(" ".join(words(text)) in said for text in (seed.answer, seed.explanation) if text) or any(
        code in turn.content for code in fragments for turn in turns if turn.speaker == "teacher"
    )


def _numbers(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in NUMBER.findall(text)}


def _ends_on_student(turns: list[Turn]) -> bool:
    """An empty tutor's label at the end (the original's way to ask for an answer) is not a turn."""
    spoken = [turn for turn in turns if turn.content]
    return bool(spoken) and spoken[-1].speaker == "student"


def _leaks(datasets: dict[str, Any]) -> Iterator[str]:
    for name, dataset in datasets.items():
        for pair, overlap in dataset["overlaps"].items():
            first, later = pair.split("/")
            for key, what in (
                ("exact", "stand in {} word for word"), ("near", "nearly repeat a row of {}"),
                ("same_problem", "are on a problem of {}"),
            ):  # fmt: skip
                if overlap[key]:
                    yield f"{name}: {overlap[key]} of {overlap['rows']} {later} rows {what.format(first)}"
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
