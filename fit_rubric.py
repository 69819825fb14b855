"""Fit the offline judge to a person's ratings, so that a teacher who rates answers gets a judge of her own.

    python -m fetch_datasets --paper --output-dir data/paper
    python -m fit_rubric --humans data/paper/mathdial_human_eval.json --output-path runs/my_rubric.json
    python -m human_vs_gpt --humans runs/ratings.json --judge-llm offline runs/my_rubric.json

A human-rated file is a JSON list of {"prompt": the dialogue, "output": the tutor's answer, "evaluation":
{"questions": "yes", "on_topic": 4, "helpful": 2, "reveal_answer": "no"}}; 50 rows are few, but they do. Which features
there are, and the sign of each, is fixed (utils/rubric/features.py); the ratings decide how much each one weighs.
The agreement on answers that the weights were not fitted on is printed and written beside them.

    python -m fit_rubric --word-order datasets/*.jsonl --output-path utils/rubric/word_order.json

counts instead how words follow each other in English texts (seeds, or any text). By this table the rubric recognises
words in random order.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from utils import cli
from utils.errors import BadInput
from utils.rubric.fitting import PRIOR_ANSWERS, fit, read_rows

FOLDS, INNER_FOLDS, REPEATS = 5, 4, 5


def main(
    *, humans: Sequence[str] | None = None, word_order: Sequence[str] | None = None, output_path: str,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Fit, cross-validate and write the weights, or count the order of words. Return what was written."""
    # Before numpy is loaded: on matrices this small several threads take 25 times as long as one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from utils.artifacts import refuse_existing, write_json
    from utils.rubric.language import english_only
    from utils.rubric.rubric import digest
    from utils.stats.groups import group_of
    from utils.stats.human_ratings import read_humans

    refuse_existing(output_path, overwrite)
    if word_order:
        return count_word_order(word_order, output_path)
    rows = [row for path in humans for row in read_humans(path)]
    english_only([row["prompt"] for row in rows])
    for criterion in ("questions", "reveal_answer"):
        if len({row["evaluation"][criterion] for row in rows}) < 2:
            raise BadInput(f"all {len(rows)} answers have the same `{criterion}`: rate some of the other kind too")
    figures, prior_answers = cross_validate(rows), best_prior(rows, read_rows(rows), FOLDS, seed=0)
    fitted = {
        "fitted_on": {
            "files": [Path(path).name for path in humans],
            "answers": len(rows),
            "conversations": len({group_of(row) for row in rows}),
            "fewest": min(
                len({group_of(row) for row in rows if row["evaluation"]["reveal_answer"] == kind})
                for kind in ("yes", "no")
            ),
            "digests": [digest(row["prompt"], row["output"]) for row in rows],
        },
        "cross_validated": figures,
        "prior_answers": prior_answers,
        "weights": fit(rows, prior_answers=prior_answers),
    }
    write_json(output_path, fitted)
    print(report(fitted))
    print(f"weights: {output_path}; use them with `--judge-llm offline {output_path}`")
    return fitted


def count_word_order(paths: Sequence[str], output_path: str) -> dict[str, dict[str, float]]:
    """Count the table of `utils/rubric/word_order.py` in seed files (.jsonl, all turns and references) and in texts."""
    from utils.artifacts import write_json
    from utils.rubric.word_order import count

    texts = []
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        for row in map(json.loads, text.splitlines() if path.suffix == ".jsonl" else ()):
            texts += [turn["content"] for turn in row["turns"]]
            texts += [row[name] for name in ("reference", "explanation") if row.get(name)]
            texts += row.get("reference_alternatives") or []
        texts += [] if path.suffix == ".jsonl" else [text]
    table = count(texts)
    write_json(output_path, table)
    print(f"order of words in {len(texts)} texts, {sum(map(len, texts)):,} characters: {output_path}")
    return table


def folds_of(groups: Sequence[str], count: int, seed: int) -> Any:
    """Assign a fold to each answer, shape (answers,). No group is in two folds."""
    import numpy as np

    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    fold_of = {group: place % count for place, group in enumerate(shuffled)}
    return np.array([fold_of[group] for group in groups])


def grade_held_out(
    rows: Sequence[dict[str, Any]], readings: Sequence[Any], count: int, seed: int, priors: Sequence[float]
) -> list[Any]:
    """Grade each answer with weights that were fitted on the other folds.

    An inner cross-validation within those folds picks the best of several `priors`; held-out answers decide nothing.
    """
    import numpy as np

    from utils.rubric.rubric import Rubric
    from utils.stats.groups import group_of

    folds = folds_of([group_of(row) for row in rows], count, seed)
    graded: list[Any] = [None] * len(rows)
    for fold in range(count):
        inside = np.flatnonzero(folds != fold)
        mine, theirs = [rows[i] for i in inside], [readings[i] for i in inside]
        prior = priors[0] if len(priors) == 1 else best_prior(mine, theirs, INNER_FOLDS, seed)
        judge = Rubric(fit(mine, theirs, prior), "")
        for i in np.flatnonzero(folds == fold):
            graded[i] = judge.evaluate(readings[i])
    return graded


def best_prior(rows: Sequence[dict[str, Any]], readings: Sequence[Any], count: int, seed: int) -> float:
    """Pick the value of `PRIOR_ANSWERS` that agrees best in a cross-validation; the first one within a hundredth."""
    agreed = [round(_pearson(rows, grade_held_out(rows, readings, count, seed, [prior])), 2) for prior in PRIOR_ANSWERS]
    return PRIOR_ANSWERS[agreed.index(max(agreed))]


def _pearson(rows: Sequence[dict[str, Any]], graded: Sequence[Any]) -> float:
    from utils.stats.raters import pearson

    found = float(pearson([row["score"] for row in rows], [one.score for one in graded]))
    return 0.0 if math.isnan(found) else found  # where all scores are the same, nothing agrees


def cross_validate(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Measure the agreement with the ratings by nested cross-validation, guards included.

    There are five times five outer folds, and no group is in two of them. An inner cross-validation picks the prior's
    strength. Return means over the five repeats, None where these ratings allow no figure.
    """
    import numpy as np

    from utils.records import Evaluation
    from utils.stats import raters as statistics
    from utils.stats.agreement import rater

    readings = read_rows(rows)
    people = rater([Evaluation.model_validate(row["evaluation"]) for row in rows])
    marks = np.array(["?" in row["output"] for row in rows])
    found = []
    for repeat in range(REPEATS):
        judge = rater(grade_held_out(rows, readings, FOLDS, repeat, PRIOR_ANSWERS))
        figures = {
            "pearson": statistics.pearson(people["score"], judge["score"]),
            "pearson of the `?` rule": statistics.pearson(people["score"], marks),
            "partial correlation given `?`": statistics.partial_pearson(people["score"], judge["score"], marks),
            "mean bias": (judge["score"] - people["score"]).mean(),
        }
        for name in ("questions", "reveal_answer"):
            figures[f"kappa of {name}"] = statistics.kappa(people[name], judge[name], (0, 1))
        for name in ("on_topic", "helpful"):
            figures[f"quadratic kappa of {name}"] = statistics.kappa(
                people[name], judge[name], (1, 2, 3, 4, 5), quadratic=True
            )
        found.append(figures)
    told = {name: [float(one[name]) for one in found if np.isfinite(one[name])] for name in found[0]}
    return {name: round(fmean(values), 3) if values else None for name, values in told.items()}


def report(fitted: dict[str, Any]) -> str:
    """Format what was fitted for the terminal."""
    on = fitted["fitted_on"]
    lines = [
        f"fitted on {on['answers']} rated answers to {on['conversations']} conversations; on answers not fitted on "
        f"({REPEATS} x {FOLDS}-fold nested cross-validation by conversation):"
    ]
    lines += [
        f"  {name:32}      – (one of the two never varies in these ratings)" if value is None
        else f"  {name:32} {value:6.2f}"
        for name, value in fitted["cross_validated"].items()
    ]  # fmt: skip
    if on["fewest"] < FOLDS:
        lines.append(
            f"  only {on['fewest']} of the conversations have an answer that reveals, or one that does not: a fold may "
            "have none to fit on, and the kappa of reveal_answer says little; rate more of them"
        )
    for criterion, weights in fitted["weights"].items():
        sizes = sorted(weights.items(), key=lambda item: -abs(item[1]))
        lines.append(f"{criterion}: " + ", ".join(f"{name} {size:+z.2f}" for name, size in sizes if size))
    return "\n".join(lines)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--humans", nargs="+", metavar="FILE", help="answers that a person has rated")
    task.add_argument(
        "--word-order", nargs="+", metavar="FILE", help="English texts: count how words follow each other"
    )
    parser.add_argument("--output-path", required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that is there already")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
