"""Let a judge score a file's answers, and compare them with those of the float32 weights to the same dialogues."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.evaluation import evaluate
from utils.export.source import Source
from utils.judges.judge import Judge
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling


def answer_and_grade(
    source: Source, judge: Judge, model: str, path: Path, *, device: str = "auto", server: str | None = None
) -> list[dict[str, Any]]:
    """Answer the judged dialogues and grade the answers, with journals beside `path`.

    `model` runs here in float32, or at the address `server`. For a server it is only a label, which keeps the answers
    of different files apart in the journal. Returns the rows of an evaluation file.
    """
    sampling = Sampling(source.temperature, source.top_k, source.max_new_tokens, 0)
    tutor = LocalTutor(model, sampling, source.template, device, "float32")
    return evaluate(
        source.judged, ServedTutor(tutor, f"{server}/v1") if server else tutor, judge, path, what=path.stem
    )[0]


def against_reference(files: Sequence[list[dict[str, Any]]], reference: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare each file with the weights in float32, paired (`stats.comparisons.compare`), and add its mean."""
    from utils.stats.comparisons import compare, join
    from utils.stats.groups import group_of
    from utils.stats.means import mean_of

    found = compare([join(rows, reference) for rows in files])
    for one, rows in zip(found, files, strict=True):
        valid = [row for row in rows if row["score"] is not None]
        one["mean"] = mean_of([row["score"] for row in valid], [group_of(row) for row in valid], len(rows) - len(valid))
    return found
