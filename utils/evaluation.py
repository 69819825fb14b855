"""Graded answers to a test set as an artifact: one row per seed, in the original's format with more fields."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from utils.records import CRITERIA, Evaluation, Sample, SeedDialogue, TutorAnswer, Verdict


def to_grade(seeds: Sequence[SeedDialogue], samples: Sequence[Sequence[Sample]]) -> list[TutorAnswer]:
    """Every seed's every answer, seed by seed, as a judge gets it."""
    return [
        TutorAnswer(seed.text, sample.text, seed.answer, k)
        for seed, row in zip(seeds, samples, strict=True)
        for k, sample in enumerate(row)
    ]


def graded_row(seed: SeedDialogue, sample: Sample, verdict: Verdict, **more: Any) -> dict[str, Any]:
    """One row of an evaluation file."""
    return {
        "id": seed.id,
        "group": seed.group,
        "prompt": seed.text,
        "known_answer": seed.answer,
        "output": sample.text,
        "finish_reason": sample.finish_reason,
        "tokens": sample.tokens,
        **verdict.model_dump(),
        **more,
    }


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the summary score and of the criteria (in [0, 1]) over the valid verdicts; how many were invalid."""
    valid = [Evaluation(**row["evaluation"]).as_numbers() for row in rows if row["evaluation"]]
    scores = [row["score"] for row in rows if row["score"] is not None]
    summary = {"answers": len(rows), "invalid": len(rows) - len(valid), "score": fmean(scores) if scores else None}
    return summary | {name: fmean(row[name] for row in valid) if valid else None for name in CRITERIA}


def format_summary(summary: dict[str, Any]) -> str:
    """One line for the terminal."""
    if summary["score"] is None:
        return f"no valid verdict among {summary['answers']} answers"
    return (
        f"score {summary['score']:.3f} over {summary['answers'] - summary['invalid']} answers"
        f" ({summary['invalid']} invalid): asks {summary['questions']:.0%}, on topic {summary['on_topic']:.2f},"
        f" helpful {summary['helpful']:.2f}, reveals {summary['reveal_answer']:.0%}"
    )
