"""Read answers that people have rated."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from utils.artifacts import is_text, read_json
from utils.errors import BadInput, problems_of
from utils.records import Evaluation


def read_evaluation(data: Any) -> Evaluation:
    """Read an evaluation from a file's data. Raises BadInput, which says in one line what is wrong with it."""
    try:
        return Evaluation.model_validate(data)
    except ValidationError as error:
        raise BadInput(problems_of(error)) from error


def read_humans(path: str | Path) -> list[dict[str, Any]]:
    """Read the rows of a file of human ratings, and add the rubric's summary `score` to each.

    A row: {"prompt": "Student: …", "output": "How did you get 9?", "evaluation": {"questions": "yes", "on_topic": 4.0,
    "helpful": 3.0, "reveal_answer": "no"}}
    Raises BadInput, which names the row, also where the rating is a judge's.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or len(rows) < 2:
        raise BadInput(f"{path}: expected a JSON list of two or more rated answers")
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        if not isinstance(row, dict) or not all(is_text(row.get(name)) for name in ("prompt", "output")):
            raise BadInput(f"{where}: expected an object with the texts `prompt` and `output` (no half of an emoji)")
        if row.get("known_answer") is not None and not is_text(row["known_answer"]):
            raise BadInput(f"{where}: `known_answer` is not a text")
        if row.get("judge"):  # agreement of a judge with itself would be made up
            raise BadInput(f"{where}: a judge rated it ({row['judge']!s:.60}); expected people's ratings")
        if row.get("evaluation") is None:
            raise BadInput(f"{where}: no `evaluation` by a person: rate the answer or take the row out")
        try:
            evaluation = read_evaluation(row["evaluation"])
        except BadInput as error:
            raise BadInput(f"{where}: not a valid evaluation ({error})") from error
        row |= {"evaluation": evaluation.model_dump(), "score": evaluation.score}
    return rows
