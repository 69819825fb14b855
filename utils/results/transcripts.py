"""Collect every answer in a training root with its verdicts, and every candidate for training, as JSON values.

The report's page unpacks, filters and shows them. A dialogue is stored once, however many tutors answered it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.records import CRITERIA
from utils.results.reading import grade_of, training_set
from utils.results.training_root import Evaluated, Grade, TrainingRoot, in_order, is_own, title_of
from utils.stats.comparisons import keys
from utils.stats.human_ratings import read_evaluation

Rows = Sequence[Mapping[str, Any]]


def transcripts(root: TrainingRoot, training_sets: Mapping[str, Rows]) -> dict[str, Any]:
    """Return {"sets", "tutors", "judges": titles by key, in their order; "dialogues": […]; "prompts": […]; "own": {…}}.

    A dialogue: {"set", "id", "group", "prompt", "known", "answers": {tutor: {"text", "finish", "row", "gain",
    "dropped", "verdicts"}}}, with one verdict per judge, or None. A prompt of a training set has "candidates" instead
    of "answers", "chosen" and "rejected" (indices into them, or None), "pair" (whether it is one) and "why" it is not.
    A verdict: {"score", "criteria"} or {"error", "raw"}, with "reasons" and "guards". "own" maps a set to the tutor
    that was trained on its kind of dialogue.
    """
    sets = in_order({*root.datasets, *training_sets})
    return {
        "sets": {name: title_of(name) for name in sets},
        "tutors": {tutor: title for model in root.models for tutor, title in _trainings(root, model)},
        "judges": [", ".join(root.judges(by)) for by in [None, *root.second_judges]],
        "own": {name: model for name in sets for model in root.trained[::-1] if is_own(model, name)},
        "dialogues": [dialogue for name in root.datasets for dialogue in _dialogues(root, name)],
        "prompts": [
            _prompt(root, name, number, row)
            for name, rows in training_sets.items()
            for number, row in enumerate(rows, 1)
        ],
    }


def _trainings(root: TrainingRoot, model: str) -> list[tuple[str, str]]:
    """Return the trainings of a tutor as (key, title)."""
    trainings = sorted({e.training for e in root.evaluations if e.model == model})
    return [(_tutor(model, k), root.title(model) + (f", training {k + 1}" if k else "")) for k in trainings]


def _tutor(model: str, training: int) -> str:
    return f"{model}.seed{training}" if training else model


def _dialogues(root: TrainingRoot, dataset: str) -> list[dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    judges = [None, *root.second_judges]
    for model in root.models:
        for place, by in enumerate(judges):
            for evaluation in root.of(dataset, model, by):
                tutor = _tutor(model, evaluation.training)
                for number, key in enumerate(keys(evaluation.rows), 1):
                    row, grade = evaluation.rows[number - 1], evaluation.grades[number - 1]
                    dialogue = found.setdefault(key, _dialogue(dataset, row, number) | {"answers": {}})
                    answer = dialogue["answers"].get(tutor)
                    if answer and answer["text"] != row["output"]:
                        root.left_out.append(_not_the_same(evaluation, number))
                        continue
                    answer = answer or _answer(row) | {
                        "row": number, "gain": row.get("own_dialogue_gain"), "dropped": row.get("dropped_turns"),
                        "verdicts": [None] * len(judges),
                    }  # fmt: skip
                    answer["verdicts"][place] = _verdict(row, grade, row["evaluation"])
                    dialogue["answers"][tutor] = answer
    return list(found.values())


def _not_the_same(evaluation: Evaluated, number: int) -> str:
    return f"{evaluation.path}, row {number}: not the answer in the first judge's file, so it is not shown"


def _dialogue(dataset: str, row: Mapping[str, Any], number: int) -> dict[str, Any]:
    found = {"set": dataset, "id": str(row.get("id") or f"row {number}"), "prompt": row["prompt"]}
    return found | {"group": row.get("group"), "known": row.get("known_answer")}


def _prompt(root: TrainingRoot, dataset: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    given, path = list(row["all_evaluations"] or []), root.path / training_set(dataset)
    sides = {}
    for side in ("chosen", "rejected"):
        one = row.get(f"{side}_eval")
        if one and one.get("output") and one not in given:
            given.append(one)
        sides[side] = given.index(one) if one in given else None
    grades = [grade_of(path, number, {"prompt": row["prompt"], **one}, "evaluation") for one in given]
    candidates = [
        _answer(one) | {"verdicts": [_verdict(one, grade, one["evaluation"])]}
        for one, grade in zip(given, grades, strict=True)
    ]
    # rows of the original code do not say which were trained on: those with two sides, if its threshold allowed it
    pair = row.get("eligible", None not in sides.values())
    why = None if pair else row.get("not_eligible_because") or "no two valid candidates"
    return _dialogue(dataset, row, number) | {"row": number, "candidates": candidates, "pair": pair, "why": why} | sides


def _answer(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": row["output"], "finish": row.get("finish_reason")}


def _verdict(row: Mapping[str, Any], grade: Grade | None, evaluation: Any) -> dict[str, Any]:
    found = {"reasons": row.get("reasons") or [], "guards": row.get("guards") or []}
    raw = row.get("raw_evaluation") or ""
    if grade is None:
        return found | {"error": row.get("evaluation_error") or "outside the rubric's scale", "raw": raw}
    read = read_evaluation(evaluation)
    found |= {"score": round(grade.score, 4), "criteria": {name: getattr(read, name) for name in CRITERIA}}
    more = raw and not found["reasons"] and not raw.lstrip().startswith(("{", "`"))  # than the JSON that we show
    return found | ({"raw": raw} if more else {})
