"""Fits the offline judge to a person's ratings: a teacher who has rated answers can have her own judge.

    python -m fetch_datasets --paper --output-dir data/paper
    python -m fit_rubric --humans data/paper/mathdial_human_eval.json --output-path runs/my_rubric.json
    python -m human_vs_gpt --humans runs/ratings.json --judge-llm offline runs/my_rubric.json

A human-rated file is a JSON list of {"prompt": the dialogue, "output": the tutor's answer, "evaluation":
{"questions": "yes", "on_topic": 4, "helpful": 2, "reveal_answer": "no"}}; 50 rows are few, but they do. Which features
there are, and the sign of each, is fixed (utils/rubric/features.py); the ratings decide how much each one weighs.
Printed, and written beside the weights: what they reach on answers that they were not fitted on.

    python -m fit_rubric --word-order datasets/*.jsonl --output-path utils/rubric/word_order.json

counts instead how words follow each other in English texts (seeds, or any text): the table by which the rubric knows
words in random order.
"""

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

PRIOR_WEIGHT = 1.0  # with no ratings at all every feature weighs one point (for reveals: one unit of log-odds)
FOLDS, INNER_FOLDS, REPEATS = 5, 4, 5


# So many answers that differ wholly in a feature move it half of the way from the prior to what they say. Few and
# coarse steps: fifty ratings tell no more apart. Which features there are, they cannot decide at all: dropping those
# that see a stated result agrees as well with them, and loses most reveals in other people's data (docs/judges.md).
PRIOR_ANSWERS = (10.0, 5.0, 20.0)


def main(
    *, humans: Sequence[str] | None = None, word_order: Sequence[str] | None = None, output_path: str,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Fit, cross-validate and write the weights, or count the order of words; returns what was written."""
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
    """The table of `utils/rubric/word_order.py` from seed files (.jsonl: all that is said in them) and other texts."""
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


def read_rows(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """What the rubric finds in each answer, whatever the weights (`utils.rubric.rubric.Reading`)."""
    from utils.rubric.rubric import Reading

    return [Reading(row["prompt"], row["output"], row.get("known_answer")) for row in rows]


def fit(
    rows: Sequence[dict[str, Any]], readings: Sequence[Any] | None = None, prior_answers: float = PRIOR_ANSWERS[0]
) -> dict[str, dict[str, float]]:
    """Weights for rated answers (rows of `utils.stats.human_ratings.read_humans`): ridge towards the prior, signs kept.

    on_topic and helpful: least squares; reveal_answer: logistic, both classes weighing the same.
    """
    import numpy as np

    from utils.rubric.features import SIGNS
    from utils.rubric.rubric import Rubric

    readings = readings or read_rows(rows)
    weights = {}
    for criterion, signs in SIGNS.items():
        sign = np.array(list(signs.values()))
        signed = np.array([[read.features[name] for name in signs] for read in readings]) * sign  # (answers, features)
        if criterion == "reveal_answer":
            rated = np.array([row["evaluation"][criterion] == "yes" for row in rows])
            intercept, sizes = _logistic(signed, rated, prior_answers)
        else:
            rated = np.array([row["evaluation"][criterion] for row in rows])
            intercept, sizes = _least_squares(signed, rated, prior_answers)
        sized = zip(signs, (sizes * sign).round(3).tolist(), strict=True)
        weights[criterion] = {"intercept": round(float(intercept), 3), **dict(sized)}
    judge = Rubric(weights, "")
    graded = [judge.evaluate(read) for read in readings]
    for criterion in ("on_topic", "helpful"):  # what guards and the ends of the scale take away, all get back
        missing = fmean(
            row["evaluation"][criterion] - getattr(one, criterion) for row, one in zip(rows, graded, strict=True)
        )
        weights[criterion]["intercept"] = round(weights[criterion]["intercept"] + missing, 3)
    return weights


def _least_squares(signed, rated, prior_answers):
    """(intercept, sizes >= 0) that minimise |rated - intercept - signed @ sizes|² + ridge |sizes - prior|²."""
    import numpy as np
    from scipy.optimize import lsq_linear

    middle, count = signed.mean(0), signed.shape[1]
    ridge = np.sqrt(prior_answers) * np.eye(count)
    target = np.concatenate([rated - rated.mean(), ridge @ np.full(count, PRIOR_WEIGHT)])
    sizes = lsq_linear(np.vstack([signed - middle, ridge]), target, bounds=(0, np.inf)).x
    return rated.mean() - middle @ sizes, sizes


def _logistic(signed, rated, prior_answers):
    """(intercept, sizes >= 0) that minimise the class-balanced log loss + ridge |sizes - prior|² / 2."""
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit

    if not 0 < rated.mean() < 1:  # a fold without a reveal: nothing to learn from, the prior stays
        return 0.0, np.full(signed.shape[1], PRIOR_WEIGHT)
    balance = np.where(rated, 0.5 / rated.mean(), 0.5 / (1 - rated.mean()))
    ridge = prior_answers / 4  # an answer tells a quarter as much about log-odds as about points

    def loss(parameters):
        odds, off = parameters[0] + signed @ parameters[1:], parameters[1:] - PRIOR_WEIGHT
        slope = balance * (expit(odds) - rated)
        value = balance @ np.logaddexp(0, np.where(rated, -odds, odds)) + ridge / 2 * off @ off
        return value, np.concatenate([[slope.sum()], slope @ signed + ridge * off])

    count = signed.shape[1]
    start, bounds = np.r_[0.0, np.full(count, PRIOR_WEIGHT)], [(None, None)] + [(0, None)] * count
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found[0], found[1:]


def folds_of(groups: Sequence[str], count: int, seed: int) -> Any:
    """The fold of each answer, shape (answers,); no group is in two folds."""
    import numpy as np

    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    fold_of = {group: place % count for place, group in enumerate(shuffled)}
    return np.array([fold_of[group] for group in groups])


def grade_held_out(
    rows: Sequence[dict[str, Any]], readings: Sequence[Any], count: int, seed: int, priors: Sequence[float]
) -> list[Any]:
    """The evaluation of each answer by weights that were fitted on the other folds.

    Of several `priors` the one is taken that agrees best in a cross-validation within those other folds: nothing about
    the held-out answers decides anything.
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
    """Which of `PRIOR_ANSWERS` agrees best in a cross-validation; the first of those within a hundredth."""
    agreed = [round(_pearson(rows, grade_held_out(rows, readings, count, seed, [prior])), 2) for prior in PRIOR_ANSWERS]
    return PRIOR_ANSWERS[agreed.index(max(agreed))]


def _pearson(rows: Sequence[dict[str, Any]], graded: Sequence[Any]) -> float:
    from utils.stats.raters import pearson

    found = float(pearson([row["score"] for row in rows], [one.score for one in graded]))
    return 0.0 if math.isnan(found) else found  # where all scores are the same, nothing agrees


def cross_validate(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Agreement with the ratings on answers that nothing was fitted or chosen on, guards and all.

    Nested: five times five outer folds, no group in two of them; the prior's strength by an inner cross-validation.
    Means over the five repeats; None for what cannot be told of these ratings.
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
    """What was fitted, for the terminal."""
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
