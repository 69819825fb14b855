"""Answer and grade a test set. The artifact has one row per seed, in the original code's format with more fields."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from utils.answers import variety
from utils.artifacts import journal_beside
from utils.journal import Journal
from utils.judges.grading import grade
from utils.judges.judge import Judge
from utils.records import CRITERIA, Evaluation, Sample, SeedDialogue, TutorAnswer, Verdict
from utils.tutors.tutor import Answers, Tutor

REFERENCE = "reference"  # the finish reason of a seed's own teacher turn
# The finish reasons of real answers. Any other means that the answer was refused, filtered or never given.
ANSWERED = ("stop", "length", "speaker", REFERENCE)

log = logging.getLogger(__name__)


def evaluate(
    seeds: Sequence[SeedDialogue], tutor: Tutor, judge: Judge, output_path: Path | str, *, best_of: int = 1, what: str
) -> tuple[list[dict[str, Any]], Answers]:
    """Let the tutor answer every seed `best_of` times, and grade all answers. A row has the best one.

    Replies are kept in journals beside `output_path`. `what` is the label of the progress bars.
    Returns (the rows of an evaluation file, the answers).
    """
    name = f"{tutor.name}, best of {best_of}" if best_of > 1 else tutor.name
    answers, verdicts = answer_and_grade(seeds, tutor, judge, output_path, num_samples=best_of, what=what)
    rows = []
    for i, seed in enumerate(seeds):
        best = max(range(best_of), key=lambda k, i=i: -1 if verdicts[i][k].score is None else verdicts[i][k].score)
        more = {"best_of": best_of} if best_of > 1 else {}
        more["dropped_turns"] = answers.dropped_turns[i]
        rows.append(graded_row(seed, answers.samples[i][best], verdicts[i][best], tutor=name, **more))
    return rows, answers


def answer_and_grade(
    seeds: Sequence[SeedDialogue], tutor: Tutor, judge: Judge, output_path: Path | str, *, num_samples: int, what: str,
    with_reference: bool = False,
) -> tuple[Answers, list[list[Verdict]]]:  # fmt: skip
    """Sample `num_samples` answers to every seed and grade them. A missing answer (refused, filtered) is not graded.

    With `with_reference`, a seed's reference turn, if any, is appended to its answers and graded like them.
    Returns (answers, a verdict per answer).
    """
    judge.see([seed.text for seed in seeds])
    tutor.check()
    judge.check()
    Journal(journal_beside(output_path, "verdicts")).close()  # finds a damaged journal before the sampling
    answers = tutor.answer(
        seeds, num_samples, journal_path=journal_beside(output_path, "candidates"), description=f"answers {what}"
    )
    if answers.shortened:
        log.info(
            "%d of %d prompts were too long for the model's context: their oldest turns were left out (%d in all)",
            answers.shortened, len(seeds), sum(answers.dropped_turns),
        )  # fmt: skip
    if with_reference:
        both = zip(seeds, answers.samples, strict=True)
        answers = replace(answers, samples=[row + _reference(seed) for seed, row in both])
    items = [
        TutorAnswer(seed.text, sample.text, seed.answer, k)
        for seed, row in zip(seeds, answers.samples, strict=True)
        for k, sample in enumerate(row)
        if has_answer(sample)
    ]
    graded = iter(grade(judge, items, journal_beside(output_path, "verdicts"), description=f"grades {what}"))
    verdicts = [
        [next(graded) if has_answer(sample) else _no_answer(sample, judge) for sample in row] for row in answers.samples
    ]
    return answers, verdicts


def _reference(seed: SeedDialogue) -> list[Sample]:
    return [Sample(seed.reference, REFERENCE, None)] if (seed.reference or "").strip() else []


def has_answer(sample: Sample) -> bool:
    """Return whether there is an answer to grade. An empty text counts as one if the model itself ended it."""
    return sample.finish_reason in ANSWERED


def _no_answer(sample: Sample, judge: Judge) -> Verdict:
    return Verdict(
        evaluation=None, score=None, raw_evaluation="", judge=judge.name,
        evaluation_error=f"no answer came to be graded (finish_reason={sample.finish_reason})",
    )  # fmt: skip


def graded_row(seed: SeedDialogue, sample: Sample, verdict: Verdict, **more: Any) -> dict[str, Any]:
    """Make one row of an evaluation file."""
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
    """Summarise the rows of an evaluation file in numbers.

    Return the means of the summary score and of the criteria (in [0, 1]) over the valid verdicts; the numbers of
    invalid verdicts, of empty answers and of answers `cut` at the token limit; the shares of distinct and of loops.
    """
    valid = [Evaluation(**row["evaluation"]).as_numbers() for row in rows if row["evaluation"]]
    scores = [row["score"] for row in rows if row["score"] is not None]
    summary = {"answers": len(rows), "invalid": len(rows) - len(valid), "score": fmean(scores) if scores else None}
    summary |= {name: fmean(row[name] for row in valid) if valid else None for name in CRITERIA}
    kinds = variety([row["output"] for row in rows])
    return summary | {
        "empty": sum(not row["output"].strip() for row in rows),
        "cut": sum(row["finish_reason"] == "length" for row in rows),
        "distinct": kinds["distinct"],
        "loops": kinds["loops"],
    }


def format_summary(summary: dict[str, Any]) -> str:
    """Format the summary for the terminal, with a warning if most answers are empty."""
    seen = (
        f"  its answers: {summary['distinct']:.0%} distinct, {summary['loops']:.0%} loop; {summary['empty']} empty, "
        f"{summary['cut']} cut at the token limit"
    )
    if 2 * summary["empty"] > summary["answers"]:
        seen += f"\n  WARNING: {summary['empty']} of {summary['answers']} answers are EMPTY: this model does not answer"
        seen += " (after a training: its learning rate was too high)"
    if summary["score"] is None:
        return f"no valid verdict among {summary['answers']} answers\n{seen}"
    return (
        f"score {summary['score']:.3f} over {summary['answers'] - summary['invalid']} answers"
        f" ({summary['invalid']} invalid): asks {summary['questions']:.0%}, on topic {summary['on_topic']:.2f},"
        f" helpful {summary['helpful']:.2f}, reveals {summary['reveal_answer']:.0%}\n{seen}"
    )
