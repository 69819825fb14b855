"""Read a training root: the evaluations that this run made, who answered, who judged, and what was left out.

    evaluation/mathdial/base.json                                the base model's answers, graded
    evaluation/mathdial/from_finetuned_with_tutorchat.json       a trained tutor's; its further trainings: ….seed1.json
    evaluation/mathdial/baseline_constant_question.json          a baseline's
    evaluation/mathdial/gpt4o.json                               the judge's own model as tutor, or its substitute
    evaluation/mathdial/base.by_gpt-4o.json                      the same answers graded by a second judge
    evaluation/human_vs_gpt.json                                 answers that people and the judge have graded
    dpo/mathdial/checkpoints/training_log.json                   the log of a training
    classroom/classroom.json                                     dialogues of several turns, with their other files

Trees of the original code are read too. They have no manifest; their rows have no `judge`, `id` or `group`, and some
have no `score`.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from utils.artifacts import read_json, read_manifest
from utils.errors import BadInput
from utils.records import odd_field
from utils.results.training_root import (
    ALSO,
    BASELINE,
    ORIGINAL_JUDGE,
    TRAINED,
    UNNAMED_JUDGE,
    Evaluated,
    Grade,
    HumanJudgePair,
    TrainingRoot,
    in_order,
)  # fmt: skip
from utils.stats.groups import group_of
from utils.stats.human_ratings import read_evaluation

CLASSROOM = "classroom/classroom.json"
FILE = re.compile(
    rf"(?P<model>base|gpt4o|{TRAINED}.+?|{BASELINE}.+?|{ALSO}.+?)(?:\.seed(?P<training>\d+))?(?:\.by_(?P<by>.+))?\.json"
)


def read_root(path: Path | str) -> TrainingRoot:
    """Read what can be shown of a training root.

    If it has a `manifest.json`, only files that this lists as done are read: others are of another run, or incomplete.
    Raises FileNotFoundError for a missing folder, and BadInput (file, row, reason) for a broken file.
    """
    root, left_out = Path(path), []
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; --training-root is the --output-dir of `pipeline`")
    manifest = read_manifest(root)

    def shown(file: str, artifact: str | None = None) -> bool:
        state = "done" if manifest is None else manifest["artifacts"].get(artifact or file, {}).get("state")
        if state == "done" and dropped(artifact or file, (manifest or {}).get("last_run", ())):
            state = "the last run neither made nor took it"
        if (root / file).is_file() and state != "done":
            ended = "the stage that makes it did not finish" if state == "running" else state
            why = ended or "manifest.json does not list it"
            left_out.append(f"{file}: {why}")
        return (root / file).is_file() and state == "done"

    unnamed = ORIGINAL_JUDGE if manifest is None else UNNAMED_JUDGE
    evaluations = []
    for file in sorted(root.glob("evaluation/*/[!.]*.json")):
        name = str(file.relative_to(root))
        if not (match := FILE.fullmatch(file.name)):
            left_out.append(f"{name}: not the name of an evaluation")
        elif shown(name):
            evaluations.append(_read_evaluation(root, name, match, unnamed))
    human_pairs, human_pair_judges = [], ()
    if shown(people := "evaluation/human_vs_gpt.json"):
        rows = _read_rows(root / people, "prompt", "output", "human", "gpt4o")
        human_pairs = [_pair(root / people, i, row) for i, row in enumerate(rows, 1)]
        human_pair_judges = _names(rows, unnamed)
    trainings, training_sets, preference_judges = {}, [], set()
    for folder in in_order(file.name for file in root.glob("dpo/[!.]*") if file.is_dir()):
        if shown(training_log(folder), f"dpo/{folder}/weights"):
            trainings[folder] = _read_log(root / training_log(folder))
        if shown(made := training_set(folder)):
            training_sets.append(folder)
            if not (manifest or {}).get("pairs_judge"):
                preference_judges |= _judges_of_pairs(root / made, unnamed)
    if named := (manifest or {}).get("pairs_judge"):
        preference_judges = {named} if isinstance(named, str) else set(named)
    return TrainingRoot(
        root, manifest, evaluations, human_pairs, human_pair_judges, tuple(sorted(preference_judges)), trainings,
        training_sets, left_out, shown(CLASSROOM),
    )  # fmt: skip


def dropped(artifact: str, last_run: Collection[str]) -> bool:
    """Whether an artifact of `evaluation/` or `dpo/` is not of the last run, though its dataset is.

    Runs on other datasets add to the same root; a tutor, a judge or a training seed that is not named any more goes.
    """
    room, name, *_ = artifact.split("/")
    tested = {one.split("/")[1] for one in last_run if one.startswith("evaluation/") and one.count("/") == 2}
    of = {name} if room == "evaluation" else set(re.sub(r"\.seed\d+$", "", name).split("+"))
    return room in ("evaluation", "dpo") and artifact not in last_run and of <= tested


def second_file(artifact: str, judge: str) -> str:
    """Return the path of an evaluation as graded by a second judge: base.json by "gpt-4o" is base.by_gpt-4o.json."""
    name = re.sub(r"[^0-9A-Za-z._-]+", "-", judge).strip("-")
    return f"{artifact.removesuffix('.json')}.by_{name}.json"


def read_training_sets(root: TrainingRoot) -> dict[str, list[dict[str, Any]]]:
    """Read the rows of every train_dataset.json of this run, by folder in dpo/. They are not kept in `root`."""
    found = {}
    for folder in root.training_sets:
        path = root.path / training_set(folder)
        found[folder] = _read_rows(path, "prompt", "all_evaluations")
        for number, row in enumerate(found[folder], 1):
            for one in [*(row["all_evaluations"] or []), row.get("chosen_eval"), row.get("rejected_eval")]:
                if one is not None:
                    _check_row(f"{path}, row {number}", one, ("output", "evaluation"))
    return found


def training_set(folder: str) -> str:
    """Return the path of a training's candidates and pairs, within the training root."""
    return f"dpo/{folder}/train_dataset.json"


def training_log(folder: str) -> str:
    """Return the path of a training's log, within the training root."""
    return f"dpo/{folder}/checkpoints/training_log.json"


def _read_evaluation(root: Path, name: str, match: re.Match, unnamed: str) -> Evaluated:
    path = root / name
    rows = _read_rows(path, "prompt", "output", "evaluation")
    grades = [grade_of(path, i, row, "evaluation") for i, row in enumerate(rows, 1)]
    tutors = tuple(sorted({row["tutor"] for row in rows if row.get("tutor")}))
    return Evaluated(
        name, path.parent.name, match["model"], int(match["training"] or 0), match["by"], rows, grades,
        _names(rows, unnamed), tutors,
    )  # fmt: skip


def _names(rows: Sequence[dict[str, Any]], unnamed: str) -> tuple[str, ...]:
    return tuple(sorted({row.get("judge") or unnamed for row in rows}))


def _judges_of_pairs(path: Path, unnamed: str) -> set[str]:
    evals = [row.get("chosen_eval") or row.get("rejected_eval") or {} for row in _read_rows(path, "prompt")]
    return {one.get("judge") or unnamed for one in evals if one.get("evaluation")}


def _read_log(path: Path) -> list[dict[str, float]]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(log := content.get("log"), list) or not log:
        raise BadInput(f'{path}: expected an object with a list "log", as `train` writes it')
    if not all(isinstance(entry, dict) and "step" in entry for entry in log):
        raise BadInput(f'{path}: expected a "step" in every entry of "log", as `train` writes it')
    return log


def _read_rows(path: Path, *fields: str) -> list[dict[str, Any]]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise BadInput(f"{path}: expected a JSON list of graded answers, found {type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        _check_row(f"{path}, row {number}", row, fields)
    return rows


def _check_row(where: str, row: Any, fields: Sequence[str]) -> None:
    absent = [name for name in fields if name not in row] if isinstance(row, dict) else fields
    if absent:
        raise BadInput(f"{where}: no {', '.join(map(repr, absent))}: not a graded answer")
    for name in ("prompt", "output"):
        if not isinstance(row.get(name, ""), str):
            raise BadInput(f"{where}: {name!r} is {row[name]!r}, not a text")
    if odd := odd_field(row):
        raise BadInput(f"{where}: {odd}")


def _pair(path: Path, number: int, row: dict[str, Any]) -> HumanJudgePair:
    sides = [grade_of(path, number, row, name) for name in ("human", "gpt4o")]
    both = [read_evaluation(row[name]) if side else None for name, side in zip(("human", "gpt4o"), sides, strict=True)]
    return HumanJudgePair(number, row["output"], *sides, tuple(both))


def grade_of(path: Path, number: int, row: dict[str, Any], name: str) -> Grade | None:
    """Return the grade in a row's field `name`; None if it is not valid.

    A judge's `score` in the row is used in place of the evaluation's: it may be an expected score.
    Raises BadInput for a score that is not a number from 0 to 1.
    """
    if row[name] is None:
        return None
    try:
        evaluation = read_evaluation(row[name])
    except BadInput as error:
        # the original code accepted values outside the rubric, such as `on_topic: 50`: they are invalid verdicts
        print(f"{path}, row {number}: counted as invalid ({name}.{error})")
        return None
    score = row.get("score") if name != "human" else None
    if score is None:
        score = evaluation.score
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise BadInput(f"{path}, row {number}: the score {score!r} is not a number from 0 to 1")
    return Grade(float(score), evaluation.as_numbers(), group_of(row))


def gain_is_by_same_judge(row: dict[str, Any], *, second: bool) -> bool:
    """Whether a row's own-dialogue gain is by the judge of its score.

    A `second` judge's rows of earlier versions still hold the first judge's gain: their scores name no judge.
    """
    return not second or any(one.get("judge") == row.get("judge") for one in row.get("on_others") or [])
