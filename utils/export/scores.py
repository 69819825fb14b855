"""What a judge says of a file's answers, against the answers of the weights in float32 to the same dialogues."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.evaluation import graded_row, to_grade
from utils.export.source import Source
from utils.judges.grading import grade
from utils.judges.judge import Judge
from utils.tutors.local import Sampling, answer_seeds


def answer_and_grade(
    source: Source, judge: Judge, model: str, work: Path, label: str, *, device: str = "auto", server: str | None = None
) -> list[dict[str, Any]]:
    """The graded answers to the judged dialogues, as rows of an evaluation file.

    `model` answers here in float32, or at the address `server`, where it is only a name: one that tells this file's
    answers in the journal from another's.
    """
    answers = answer_seeds(
        source.judged, model, Sampling(1, source.temperature, source.top_k, source.max_new_tokens, 0),
        inference_prompt=source.inference_prompt, journal_path=work / f"{label}.candidates.jsonl", device=device,
        dtype="float32", engine="server" if server else "local", server=f"{server}/v1", description=f"{label}: answers",
    )  # fmt: skip
    verdicts = grade(
        judge,
        to_grade(source.judged, answers.samples),
        work / f"{label}.verdicts.jsonl",
        description=f"{label}: grades",
    )
    return [
        graded_row(seed, samples[0], verdict, tutor=label)
        for seed, samples, verdict in zip(source.judged, answers.samples, verdicts, strict=True)
    ]


def against_reference(files: Sequence[list[dict[str, Any]]], reference: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each file, its paired comparison with the weights in float32 (`stats.comparisons.compare`), and its mean."""
    from utils.stats.comparisons import compare, join
    from utils.stats.groups import group_of
    from utils.stats.means import mean_of

    found = compare([join(rows, reference) for rows in files])
    for one, rows in zip(found, files, strict=True):
        valid = [row for row in rows if row["score"] is not None]
        one["mean"] = mean_of([row["score"] for row in valid], [group_of(row) for row in valid], len(rows) - len(valid))
    return found
