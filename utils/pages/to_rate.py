"""Select what people rate: answers from evaluation files, without their origin, in a fixed order."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from utils.artifacts import read_json
from utils.errors import BadInput
from utils.records import Evaluation

NOT_ANSWERS = ("human_vs_gpt.json", "human_vs_gpt.agreement.json")  # other files in a training root's evaluation/


@dataclass(frozen=True)
class Answer:
    """One answer. `verdict` is the one in the stored row (judge, evaluation, score, …), or None."""

    output: str
    source: str  # the file; not shown until all is rated
    verdict: dict[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Item:
    """A dialogue with one answer to rate, or two to compare. `row` has the fields that are copied to a rating."""

    prompt: str
    answers: tuple[Answer, ...]
    row: dict[str, Any] = field(default_factory=dict, compare=False)  # id, group, known_answer, if the file has them

    @property
    def key(self) -> str:
        """Return a hash of the item's texts, so that the same answer has the same key in every file."""
        return digest(self.prompt, *(answer.output for answer in self.answers))


def digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode(errors="replace")).hexdigest()[:16]


def read_items(paths: Iterable[str | Path]) -> tuple[list[Item], Counter[str]]:
    """Read answers from files. Returns (the answers, {reason: number of rows left out}).

    A path is an evaluation file, a list of {"prompt": …, "output": …}, or a training root, which stands for all of its
    evaluations. An answer in several files is one item, under its first file.
    Raises BadInput for a file that holds no answers.
    """
    items: dict[str, Item] = {}
    left_out: Counter[str] = Counter()
    for file in (file for path in paths for file in files_of(Path(path))):
        rows = read_json(file)
        if not isinstance(rows, list) or not rows:
            raise BadInput(f"{file}: expected a JSON list of answers, as eval_model writes it")
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict) or not isinstance(row.get("prompt"), str) or "output" not in row:
                raise BadInput(f"{file}, row {number}: expected an object with the texts `prompt` and `output`")
            if not isinstance(row["output"], str) or not row["output"].strip():
                left_out["no answer in the row"] += 1
                continue
            verdict = _verdict(row, file)
            if row.get("evaluation") and not verdict:
                left_out["a verdict outside the rubric (the answer is kept)"] += 1
            common = {name: row[name] for name in ("id", "group", "known_answer") if row.get(name) is not None}
            item = Item(row["prompt"], (Answer(row["output"], str(file), verdict),), common)
            if item.key in items:
                left_out["the same answer to the same dialogue again"] += 1
            else:
                items[item.key] = item
    if not items:
        raise BadInput("there is no answer to rate in these files")
    return list(items.values()), left_out


def _verdict(row: dict[str, Any], file: Path) -> dict[str, Any] | None:
    """Return the stored verdict; None if there is none, or if it is not valid, as some of the original code's are."""
    try:
        evaluation = Evaluation.model_validate(row.get("evaluation"))
    except ValidationError:
        return None
    score = row["score"] if isinstance(row.get("score"), int | float) else evaluation.score
    judge = row.get("judge") or f"judge without a name in {file.name}"
    return {**row, "judge": judge, "evaluation": evaluation.model_dump(), "score": score}


def files_of(path: Path) -> list[Path]:
    """Return the evaluation files of a training root, or the path itself if it is a file."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.glob("evaluation/*/*.json") if file.name not in NOT_ANSWERS)
    if not files:
        raise BadInput(f"{path}: not a training root, it has no evaluation/DATASET/MODEL.json; name the files instead")
    return files


def pair_up(items: Sequence[Item], seed: int) -> list[Item]:
    """Pair every two different answers to the same dialogue, in an order drawn by `seed`."""
    by_prompt = defaultdict(list)
    for item in items:
        by_prompt[item.prompt].append(item)
    pairs = []
    for same in by_prompt.values():
        for two in combinations(same, 2):
            first, second = sorted(two, key=lambda item: digest(seed, "first", item.key))
            pairs.append(Item(first.prompt, first.answers + second.answers, first.row | second.row))
    if not pairs:
        raise BadInput("no dialogue has two different answers in these files: --pairwise compares two tutors' answers")
    return pairs


def shuffled(items: Iterable[Item], seed: int) -> list[Item]:
    """Shuffle by `seed` and each item's text, so that the order of the files, or one more file, changes little."""
    return sorted(items, key=lambda item: digest(seed, item.key))


def showings(items: Sequence[Item], repeat: float, seed: int) -> list[tuple[Item, int]]:
    """List what one person sees, in order: (item, 0), and (item, 1) a second time for the share `repeat` of the items.

    The second showings come last, in another order. They measure how well raters agree with themselves.
    """
    again = sorted(items, key=lambda item: digest(seed, "again", item.key))[: ceil(len(items) * repeat)]
    return [(item, 0) for item in items] + [(item, 1) for item in again]
