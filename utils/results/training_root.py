"""Reading what a training root's evaluations say: grades, names, means with their intervals.

Trees of the original code are read too: they have no manifest, their rows no `group`, sometimes no `score`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from utils.records import CRITERIA, Evaluation
from utils.seeds.read import DATASETS

TITLES = {"mathdial": "MathDial", "tutorchat": "TutorChat", "debugging": "Debugging"}
FINETUNED = {f"from_finetuned_with_{dataset}": dataset for dataset in DATASETS}  # file stem -> training set
MODELS = (*FINETUNED, "base", "gpt4o")  # file stems; `gpt4o`: the judge's model as tutor, whatever its name
RESAMPLES = 2000


@dataclass(frozen=True)
class Grade:
    """One valid verdict. `criteria` are the four of the rubric in [0, 1], by name."""

    score: float
    criteria: dict[str, float]
    group: str  # rows of one group (one underlying problem) are not independent


Grades = dict[tuple[str, str], list[Grade | None]]  # by (dataset, model's file stem); None: no valid verdict


@dataclass(frozen=True)
class Pair:
    """One answer graded twice; an invalid grade is None. `number` counts the file's rows from 1."""

    number: int
    output: str
    human: Grade | None
    judge: Grade | None


@dataclass(frozen=True)
class Names:
    """The real names of the judge, the base model (None: not known) and the judge's model as tutor."""

    judge: str
    base: str | None
    tutor: str

    def of(self, model: str) -> str:
        """A model's name by its file stem, one of `MODELS`."""
        if model in FINETUNED:
            return f"{self.base + ', ' if self.base else ''}fine-tuned on {TITLES[FINETUNED[model]]}"
        if model == "base":
            return f"{self.base} (base)" if self.base else "base"
        return self.tutor


@dataclass(frozen=True)
class Mean:
    """A mean over `rows` valid verdicts (None over no row), its 95 % interval, and how many more were `invalid`."""

    value: float | None
    low: float | None = None
    high: float | None = None
    rows: int = 1
    invalid: int = 0

    @property
    def answers(self) -> int:
        """Valid and invalid ones; 0 where the evaluation is missing."""
        return self.rows + self.invalid


def read_names(root: Path) -> Names:
    """The names in `manifest.json`; without one, those of the original's trees."""
    names = _read_manifest(root, "names")
    return Names(names.get("judge", "GPT-4o"), names.get("base"), names.get("self", "GPT-4o"))


def read_evaluations(root: Path) -> Grades:
    """The grades of each evaluation that is there; where a manifest lists artifacts, of those that it calls done."""
    found = {}
    for dataset in DATASETS:
        for model in MODELS:
            path = root / "evaluation" / dataset / f"{model}.json"
            if path.is_file() and _is_of_this_run(root, path, f"evaluation/{dataset}/{model}.json"):
                rows = _read_rows(path, "evaluation")
                found[dataset, model] = [_grade(path, i, row, "evaluation") for i, row in enumerate(rows, 1)]
    return found


def read_pairs(root: Path) -> list[Pair]:
    """The rows of `evaluation/human_vs_gpt.json`, in the file's order; none where there is no such file."""
    path = root / "evaluation" / "human_vs_gpt.json"
    if not path.is_file() or not _is_of_this_run(root, path, "evaluation/human_vs_gpt.json"):
        return []
    rows = _read_rows(path, "output", "human", "gpt4o")
    return [
        Pair(i, row["output"], _grade(path, i, row, "human"), _grade(path, i, row, "gpt4o"))
        for i, row in enumerate(rows, 1)
    ]


def training_log(dataset: str) -> str:
    """Where the log of the training on a dataset is, within the training root."""
    return f"dpo/{dataset}/checkpoints/training_log.json"


def read_trainings(root: Path) -> dict[str, list[dict[str, float]]]:
    """What was logged at each update of the trainings that are there, by dataset."""
    found = {}
    for dataset in DATASETS:
        path = root / training_log(dataset)
        if path.is_file() and _is_of_this_run(root, path, f"dpo/{dataset}/weights"):
            content = _read_json(path)
            if not isinstance(content, dict) or not isinstance(log := content.get("log"), list) or not log:
                raise ValueError(f'{path}: expected an object with a list "log", as `train` writes it')
            if not all(isinstance(entry, dict) and "step" in entry for entry in log):
                raise ValueError(f'{path}: expected a "step" in every entry of "log", as `train` writes it')
            found[dataset] = log
    return found


def lacking(grades: Grades, datasets: Sequence[str], models: Sequence[str]) -> str:
    """The evaluations that a figure lacks, a whole test set named once."""
    paths = []
    for dataset in datasets:
        absent = [model for model in models if not grades.get((dataset, model))]
        whole = len(absent) == len(models)
        paths += [f"evaluation/{dataset}/ (all)"] if whole else [f"evaluation/{dataset}/{m}.json" for m in absent]
    return ", ".join(paths)


def score_mean(grades: Sequence[Grade | None]) -> Mean:
    """The mean summary score over the valid verdicts."""
    valid = [grade for grade in grades if grade]
    return mean_of([grade.score for grade in valid], [grade.group for grade in valid], len(grades) - len(valid))


def criteria_means(grades: Sequence[Grade | None]) -> list[Mean]:
    """The means of the four criteria over the valid verdicts, in the order of `CRITERIA`."""
    valid = [grade for grade in grades if grade]
    groups, invalid = [grade.group for grade in valid], len(grades) - len(valid)
    return [mean_of([grade.criteria[name] for grade in valid], groups, invalid) for name in CRITERIA]


def mean_of(values: Sequence[float], groups: Sequence[str], invalid: int = 0) -> Mean:
    """The mean of `values` (n,) and its 95 % percentile bootstrap interval, whole `groups` (n,) being resampled.

    There is no interval where all rows are of one group.
    """
    if not len(values):
        return Mean(None, rows=0, invalid=invalid)
    _, index = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    low, high = interval(lambda s, c: s.sum(-1) / c.sum(-1), sums, counts) if len(sums) > 1 else (None, None)
    return Mean(float(np.mean(values)), low, high, len(values), invalid)


def interval(statistic, *columns: np.ndarray) -> tuple[float, float]:
    """95 % percentile bootstrap (Efron 1979) of `statistic`, which maps columns (..., n) to (...).

    Resamples without a value (a correlation of constants is NaN) are left out. The same data, the same interval.
    """
    size = len(columns[0])
    picks = np.random.default_rng(0).integers(0, size, (RESAMPLES, size))
    low, high = np.nanpercentile(statistic(*(column[picks] for column in columns)), (2.5, 97.5))
    return float(low), float(high)


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r along the last axis, (..., n) -> (...); NaN where x or y is constant."""
    dx, dy = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    norm = np.sqrt((dx**2).sum(-1) * (dy**2).sum(-1))
    # a constant column leaves rounding dust of about 1e-16 instead of 0
    return np.divide((dx * dy).sum(-1), norm, out=np.full_like(norm, np.nan), where=norm > 1e-12)


def _read_manifest(root: Path, entry: str) -> dict[str, Any]:
    """An entry of `manifest.json`; empty where there is none."""
    path = root / "manifest.json"
    manifest = _read_json(path) if path.is_file() else {}
    if not isinstance(manifest, dict) or not isinstance(found := manifest.get(entry, {}), dict):
        raise ValueError(f'{path}: expected an object with an object "{entry}", as `pipeline` writes it')
    return found


def _is_of_this_run(root: Path, path: Path, artifact: str) -> bool:
    """Whether the manifest calls the artifact that `path` belongs to done; true where no artifacts are listed."""
    listed = _read_manifest(root, "artifacts")
    state = listed.get(artifact, {}).get("state", "not in the manifest")
    if listed and state != "done":
        print(f"{path}: left out, it is not of this run ({state})")
    return not listed or state == "done"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path}: not JSON ({error}); is the file cut off? Run the stage that makes it again"
        ) from error


def _read_rows(path: Path, *fields: str) -> list[dict]:
    rows = _read_json(path)
    if not isinstance(rows, list):
        raise ValueError(f"{path}: expected a JSON list of graded answers, found {type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        lacking = [name for name in fields if name not in row] if isinstance(row, dict) else fields
        if lacking:
            raise ValueError(f"{path}, row {number}: no {', '.join(map(repr, lacking))}: not a graded answer")
    return rows


def _grade(path: Path, number: int, row: dict, name: str) -> Grade | None:
    if row[name] is None:
        return None
    try:
        evaluation = Evaluation.model_validate(row[name])
    except ValidationError as error:
        # The original's judge let through what is outside the rubric, such as `on_topic: 50`: no valid verdict.
        problem = error.errors()[0]
        where = ".".join(map(str, (name, *problem["loc"])))
        print(f"{path}, row {number}: counted as invalid ({where}: {problem['msg']})")
        return None
    score = row.get("score") if name == "evaluation" else None
    if score is None:
        score = evaluation.score
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise ValueError(f"{path}, row {number}: the score {score!r} is not a number from 0 to 1")
    return Grade(float(score), evaluation.as_numbers(), str(row.get("group") or f"row {number}"))
