"""Fits the offline judge to a person's ratings: a teacher who has rated answers can have her own judge.

    python -m fit_rubric --humans data/paper/mathdial_human_eval.json --output-path runs/my_rubric.json
    python -m human_vs_gpt --humans other_ratings.json --judge-llm offline runs/my_rubric.json

A human-rated file is a JSON list of {"prompt": the dialogue, "output": the tutor's answer, "evaluation":
{"questions": "yes", "on_topic": 4, "helpful": 2, "reveal_answer": "no"}}; 50 rows are few, but they do. Which features
there are, and the sign of each, is fixed (utils/rubric/features.py); the ratings decide how much each one weighs.
Printed, and written beside the weights: what they reach on answers that they were not fitted on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from utils import cli

# With no ratings at all every feature weighs one point (for reveals: one unit of log-odds); it takes this many answers
# that differ wholly in a feature to move it half of the way to what they say. Fifty ratings can support no more.
PRIOR_WEIGHT, PRIOR_ANSWERS = 1.0, 10.0
FOLDS, REPEATS = 5, 5


def main(*, humans: Sequence[str], output_path: str, overwrite: bool = False) -> dict[str, Any]:
    """Fit, cross-validate and write the weights; returns what was written."""
    from utils.artifacts import refuse_existing, write_json
    from utils.rubric.rubric import digest
    from utils.stats.groups import group_of
    from utils.stats.human_ratings import read_humans

    refuse_existing(output_path, overwrite)
    rows = [row for path in humans for row in read_humans(path)]
    for criterion in ("questions", "reveal_answer"):
        if len({row["evaluation"][criterion] for row in rows}) < 2:
            raise ValueError(f"all {len(rows)} answers have the same `{criterion}`: rate some of the other kind too")
    figures = cross_validate(rows)
    fitted = {
        "fitted_on": {
            "files": [Path(path).name for path in humans],
            "answers": len(rows),
            "conversations": len({group_of(row) for row in rows}),
            "digests": [digest(row["prompt"], row["output"]) for row in rows],
        },
        "cross_validated": figures,
        "weights": fit(rows),
    }
    write_json(output_path, fitted)
    print(report(fitted))
    print(f"weights: {output_path}; use them with `--judge-llm offline {output_path}`")
    return fitted


def fit(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Weights for rated answers (rows of `utils.stats.human_ratings.read_humans`): ridge towards the prior, signs kept.

    on_topic and helpful: least squares; reveal_answer: logistic, both classes weighing the same.
    """
    import numpy as np

    from utils.rubric.features import SIGNS, features
    from utils.rubric.reading import read_answer, read_conversation
    from utils.rubric.rubric import Rubric

    talks = [read_conversation(row["prompt"]) for row in rows]
    found = [features(talk, read_answer(row["output"], talk)) for talk, row in zip(talks, rows, strict=True)]
    weights = {}
    for criterion, signs in SIGNS.items():
        sign = np.array(list(signs.values()))
        signed = np.array([[one[name] for name in signs] for one in found]) * sign  # (answers, features), all count up
        if criterion == "reveal_answer":
            rated = np.array([row["evaluation"][criterion] == "yes" for row in rows])
            intercept, sizes = _logistic(signed, rated)
        else:
            intercept, sizes = _least_squares(signed, np.array([row["evaluation"][criterion] for row in rows]))
        sized = zip(signs, (sizes * sign).round(3).tolist(), strict=True)
        weights[criterion] = {"intercept": round(float(intercept), 3), **dict(sized)}
    graded = [Rubric(weights, "").grade(row["prompt"], row["output"]).evaluation for row in rows]
    for criterion in ("on_topic", "helpful"):  # what guards and the ends of the scale take away, all get back
        missing = fmean(
            row["evaluation"][criterion] - getattr(one, criterion) for row, one in zip(rows, graded, strict=True)
        )
        weights[criterion]["intercept"] = round(weights[criterion]["intercept"] + missing, 3)
    return weights


def _least_squares(signed, rated):
    """(intercept, sizes >= 0) that minimise |rated - intercept - signed @ sizes|² + ridge |sizes - prior|²."""
    import numpy as np
    from scipy.optimize import lsq_linear

    middle, count = signed.mean(0), signed.shape[1]
    ridge = np.sqrt(PRIOR_ANSWERS) * np.eye(count)
    target = np.concatenate([rated - rated.mean(), ridge @ np.full(count, PRIOR_WEIGHT)])
    sizes = lsq_linear(np.vstack([signed - middle, ridge]), target, bounds=(0, np.inf)).x
    return rated.mean() - middle @ sizes, sizes


def _logistic(signed, rated):
    """(intercept, sizes >= 0) that minimise the class-balanced log loss + ridge |sizes - prior|² / 2."""
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit

    balance = np.where(rated, 0.5 / rated.mean(), 0.5 / (1 - rated.mean()))
    ridge = PRIOR_ANSWERS / 4  # an answer tells a quarter as much about log-odds as about points

    def loss(parameters):
        odds, off = parameters[0] + signed @ parameters[1:], parameters[1:] - PRIOR_WEIGHT
        slope = balance * (expit(odds) - rated)
        value = balance @ np.logaddexp(0, np.where(rated, -odds, odds)) + ridge / 2 * off @ off
        return value, np.concatenate([[slope.sum()], slope @ signed + ridge * off])

    count = signed.shape[1]
    start, bounds = np.r_[0.0, np.full(count, PRIOR_WEIGHT)], [(None, None)] + [(0, None)] * count
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found[0], found[1:]


def cross_validate(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Agreement with the ratings on answers that the weights were not fitted on, guards and all.

    Five times five folds, no group in two folds; means over the five repeats.
    """
    import numpy as np

    from utils.records import Evaluation
    from utils.rubric.rubric import Rubric
    from utils.stats import raters as statistics
    from utils.stats.agreement import rater
    from utils.stats.groups import group_of

    people = rater([Evaluation.model_validate(row["evaluation"]) for row in rows])
    marks = np.array(["?" in row["output"] for row in rows])
    groups = np.array([group_of(row) for row in rows])
    found = []
    for repeat in range(REPEATS):
        shuffled = np.random.default_rng(repeat).permutation(np.unique(groups))
        fold_of = {group: place % FOLDS for place, group in enumerate(shuffled)}
        folds = np.array([fold_of[group] for group in groups])
        graded = [None] * len(rows)
        for fold in range(FOLDS):
            judge = Rubric(fit([row for row, where in zip(rows, folds, strict=True) if where != fold]), "")
            for number in np.flatnonzero(folds == fold):
                row = rows[number]
                graded[number] = judge.grade(row["prompt"], row["output"], row.get("known_answer")).evaluation
        judge = rater(graded)
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
    return {name: round(float(np.mean([one[name] for one in found])), 3) for name in found[0]}


def report(fitted: dict[str, Any]) -> str:
    """What was fitted, for the terminal."""
    on = fitted["fitted_on"]
    lines = [
        f"fitted on {on['answers']} rated answers to {on['conversations']} conversations; on answers not fitted on "
        f"({REPEATS} x {FOLDS}-fold cross-validation by conversation):"
    ]
    lines += [f"  {name:32} {value:6.2f}" for name, value in fitted["cross_validated"].items()]
    for criterion, weights in fitted["weights"].items():
        sizes = sorted(weights.items(), key=lambda item: -abs(item[1]))
        lines.append(f"{criterion}: " + ", ".join(f"{name} {size:+.2f}" for name, size in sizes if size))
    return "\n".join(lines)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--humans", required=True, nargs="+", metavar="FILE", help="answers that a person has rated")
    parser.add_argument("--output-path", required=True, metavar="FILE", help="the weights file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that is there already")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
