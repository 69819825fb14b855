"""Fit the rubric's weights to people's ratings: ridge towards a prior, with fixed signs. `fit_rubric.py` runs it."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from utils.rubric.features import SIGNS
from utils.rubric.rubric import Reading, Rubric

PRIOR_WEIGHT = 1.0  # with no ratings at all every feature weighs one point (for reveals: one unit of log-odds)
# So many answers that differ wholly in a feature move it half of the way from the prior to what they say. Few and
# coarse steps: fifty ratings tell no more apart. Which features there are, they cannot decide at all: dropping those
# that see a stated result agrees as well with them, and loses most reveals in other people's data (docs/judges.md).
PRIOR_ANSWERS = (10.0, 5.0, 20.0)


def read_rows(rows: Sequence[dict[str, Any]]) -> list[Reading]:
    """Compute what the rubric finds in each answer before weights are applied."""
    return [Reading(row["prompt"], row["output"], row.get("known_answer")) for row in rows]


def fit(
    rows: Sequence[dict[str, Any]], readings: Sequence[Reading] | None = None, prior_answers: float = PRIOR_ANSWERS[0]
) -> dict[str, dict[str, float]]:
    """Fit weights to rated answers (rows of `read_humans`) by ridge regression towards the prior, with fixed signs.

    `on_topic` and `helpful` are least squares. `reveal_answer` is a logistic regression with balanced classes.
    """
    import numpy as np

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
    for criterion in ("on_topic", "helpful"):  # guards and clipping lower the mean: shift it back
        missing = fmean(
            row["evaluation"][criterion] - getattr(one, criterion) for row, one in zip(rows, graded, strict=True)
        )
        weights[criterion]["intercept"] = round(weights[criterion]["intercept"] + missing, 3)
    return weights


def _least_squares(signed, rated, prior_answers):
    """Return (intercept, sizes >= 0) that minimise |rated - intercept - signed @ sizes|² + ridge |sizes - prior|²."""
    import numpy as np
    from scipy.optimize import lsq_linear

    middle, count = signed.mean(0), signed.shape[1]
    ridge = np.sqrt(prior_answers) * np.eye(count)
    target = np.concatenate([rated - rated.mean(), ridge @ np.full(count, PRIOR_WEIGHT)])
    sizes = lsq_linear(np.vstack([signed - middle, ridge]), target, bounds=(0, np.inf)).x
    return rated.mean() - middle @ sizes, sizes


def _logistic(signed, rated, prior_answers):
    """Return (intercept, sizes >= 0) that minimise the class-balanced log loss + ridge |sizes - prior|² / 2."""
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
