"""Means and shares with 95 % confidence intervals that hold with a dozen problems and rows that are not independent.

Their coverage is measured (tests/test_means.py simulates it). On 12 rows a percentile bootstrap of the mean score
covers 91 %, or 73 % if most scores are near 1.0 (a plain t interval: 79 %), and it gives a share of 0 % no interval at
all. docs/statistics.md lists the coverage of ours, also where they are too wide.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from utils.stats.groups import numbered

LEVEL = 0.95
FEW_GROUPS = 10  # with fewer, even the best interval says little


@dataclass(frozen=True)
class Scale:
    """The range of values, from `low` to `high`. `ends` is how many problems `mean_of` adds at either end."""

    low: float
    high: float
    ends: float


SCORES = Scale(0.1, 1.0, 0.2)  # the summary score
POINTS = Scale(0.2, 1.0, 0.2)  # on_topic and helpful, divided by 5
# Differences of two summary scores: none exceeds 1.0 - 0.1, so clipping an interval there loses nothing. Few values
# reach the ends, so less is added there.
DIFFERENCES = Scale(-0.9, 0.9, 0.05)


@dataclass(frozen=True)
class Mean:
    """A mean over `rows` valid verdicts (None without any) on `groups` problems, with its 95 % interval.

    `low` and `high` are None if all rows are on one problem, which says nothing about others. `invalid` counts the rows
    without a valid verdict, which are left out.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    rows: int = 1
    invalid: int = 0
    groups: int = 1
    error: float | None = None  # the standard error of a t interval

    @property
    def answers(self) -> int:
        """The number of answers with a valid or invalid verdict; 0 for a missing evaluation."""
        return self.rows + self.invalid


def mean_of(
    values: Sequence[float],
    groups: Sequence[Hashable],
    invalid: int = 0,
    scale: Scale = SCORES,
    level: float = LEVEL,
) -> Mean:
    """Return the mean of `values` (n,), each within `scale`, with a t interval clustered by `groups` (n,).

    The variance is the jackknife over groups, CV3 of MacKinnon, Nielsen & Webb (2023), with (groups - 1) degrees of
    freedom; with one row per group this is the textbook's s² / n. First, a fraction `scale.ends` of a problem (a fifth,
    for scores) is added at either end of the scale, as Agresti & Coull (1998) add observations to a proportion: a few
    scores just below 1.0 do not show how rare low ones are, and without the addition the interval covers too little.
    """
    if not len(values):
        return Mean(None, rows=0, invalid=invalid, groups=0)
    values, group_of = np.asarray(values, float), numbered(groups)
    sizes = np.bincount(group_of)
    value, count = float(values.mean()), len(sizes)
    if count < 2:
        return Mean(value, None, None, len(values), invalid, count)
    sums, size = np.bincount(group_of, values), len(values) / count
    ends = np.array([scale.low, scale.high]) * size  # the sums of the two groups that are added, of weight scale.ends
    rows = len(values) + 2 * scale.ends * size
    middle = (sums.sum() + scale.ends * ends.sum()) / rows
    seen = (((sums - sizes * middle) / (1 - sizes / rows)) ** 2).sum()
    added = scale.ends * (((ends - size * middle) / (1 - size / rows)) ** 2).sum()
    error = float(np.sqrt((1 - 1 / (count + 2 * scale.ends)) * (seen + added)) / rows)
    half = t_quantile(count - 1, level) * error
    low, high = max(scale.low, middle - half), min(scale.high, middle + half)
    return Mean(value, float(min(low, value)), float(max(high, value)), len(values), invalid, count, error)


def share_of(yes: Sequence[float], groups: Sequence[Hashable], invalid: int = 0) -> Mean:
    """Return the share of ones in `yes` (n,), with Wilson's interval (1927) for the effective number of answers.

    If each row has a group of its own, that number is n. Otherwise it is n divided by the design effect (Kish 1965),
    the variance clustered by `groups` (n,) relative to that of independent rows, corrected for the number of groups
    that it is estimated from (Korn & Graubard 1998). If all rows are alike, it is the number of groups.
    """
    if not len(yes):
        return Mean(None, rows=0, invalid=invalid, groups=0)
    from statsmodels.stats.proportion import proportion_confint

    yes, group_of = np.asarray(yes, float), numbered(groups)
    value, count = float(yes.mean()), len(np.bincount(group_of))
    if count < 2:
        return Mean(value, None, None, len(yes), invalid, count)
    independent = float(len(yes))
    if count < len(yes):
        variance = jackknife(yes, group_of) ** 2
        if 0 < value < 1 and variance > 0:
            independent = min(independent, value * (1 - value) / variance)
            independent *= (normal_quantile() / t_quantile(count - 1)) ** 2
        else:
            independent = float(count)
    low, high = proportion_confint(value * independent, independent, 1 - LEVEL, method="wilson")
    return Mean(value, float(min(low, value)), float(max(high, value)), len(yes), invalid, count)


def jackknife(values: ArrayLike, group_of: np.ndarray) -> float:
    """Return the jackknife standard error of the mean of `values` (n,), leaving out whole groups in turn (CV3).

    `group_of` (n,) numbers the groups from 0. With g groups the error is
    sqrt((g - 1) / g · Σ_k (mean without group k - mean)²).
    """
    values = np.asarray(values, float)
    sizes, rest = np.bincount(group_of), np.bincount(group_of, values - values.mean())
    return float(np.sqrt((1 - 1 / len(sizes)) * ((rest / (len(values) - sizes)) ** 2).sum()))


@cache
def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return the half-width, in standard errors, of a two-sided t interval of this level."""
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, freedom))


@cache
def normal_quantile(level: float = LEVEL) -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))
