"""What people are asked to rate: answers out of evaluation files, blind to where they come from, in a fixed order."""

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

NOT_ANSWERS = ("human_vs_gpt.json", "human_vs_gpt.agreement.json")  # what else lies in a training root's evaluation/


@dataclass(frozen=True)
class Answer:
    """One answer. `verdict` is the stored row's own (judge, evaluation, score, …), None where it has none."""

    output: str
    source: str  # the file; never shown before all is rated
    verdict: dict[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Item:
    """A dialogue with one answer to rate, or with two to compare. `row` has the fields that a rating repeats."""

    prompt: str
    answers: tuple[Answer, ...]
    row: dict[str, Any] = field(default_factory=dict, compare=False)  # id, group, known_answer: where the file has them

    @property
    def key(self) -> str:
        """Names the item by its texts: the same answer has the same key in whichever file it lies."""
        return digest(self.prompt, *(answer.output for answer in self.answers))


def digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode(errors="replace")).hexdigest()[:16]


def read_items(paths: Iterable[str | Path]) -> tuple[list[Item], Counter[str]]:
    """(the answers in the files, why how many rows were left out).

    A path is an evaluation file, a list of {"prompt": …, "output": …}, or a training root: then all of its
    evaluations. An answer that stands in several files is one item, under its first file.
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
    """The stored verdict; None without one, or with one outside the rubric, as the original's judge let pass."""
    try:
        evaluation = Evaluation.model_validate(row.get("evaluation"))
    except ValidationError:
        return None
    score = row["score"] if isinstance(row.get("score"), int | float) else evaluation.score
    judge = row.get("judge") or f"judge without a name in {file.name}"
    return {**row, "judge": judge, "evaluation": evaluation.model_dump(), "score": score}


def files_of(path: Path) -> list[Path]:
    """A file itself; the evaluation files of a training root."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.glob("evaluation/*/*.json") if file.name not in NOT_ANSWERS)
    if not files:
        raise BadInput(f"{path}: not a training root, it has no evaluation/DATASET/MODEL.json; name the files instead")
    return files


def pair_up(items: Sequence[Item], seed: int) -> list[Item]:
    """Every two different answers to the same dialogue, which of them comes first being drawn by `seed`."""
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
    """An order that `seed` and each item's text fix: files named in another order, or one more file, change little."""
    return sorted(items, key=lambda item: digest(seed, item.key))


def showings(items: Sequence[Item], repeat: float, seed: int) -> list[tuple[Item, int]]:
    """What one person sees, in order: (item, 0), and for the share `repeat` of them (item, 1) once more.

    The second showings come last, in another order: they tell how far a rater agrees with themselves.
    """
    again = sorted(items, key=lambda item: digest(seed, "again", item.key))[: ceil(len(items) * repeat)]
    return [(item, 0) for item in items] + [(item, 1) for item in again]
