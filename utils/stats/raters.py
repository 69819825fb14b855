"""How well two raters agree: the statistics.

Every statistic takes ratings of shape (n,), or (resamples, n) for many resamples at once, and returns one number,
or (resamples,). A statistic that is not defined is nan. What a constant rater gets: nan for the correlations,
0 for kappa and ICC, at most 1 / 2n for alpha, 1/2 for the pairwise accuracy (every pair is a tie); two raters who give
one and the same rating throughout get nan for everything but the bias, since nothing tells agreement from chance.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def pearson(one: ArrayLike, other: ArrayLike) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return stats.pearsonr(np.asarray(one, float), np.asarray(other, float), axis=-1).statistic


def spearman(one: ArrayLike, other: ArrayLike) -> np.ndarray:
    """Pearson of the ranks, ties sharing their mean rank."""
    return pearson(stats.rankdata(one, axis=-1), stats.rankdata(other, axis=-1))


def partial_pearson(one: ArrayLike, other: ArrayLike, given: ArrayLike) -> np.ndarray:
    """Pearson of what is left of both when the yes/no variable `given` has explained what it can."""
    return pearson(_residual(one, given), _residual(other, given))


def _residual(ratings: ArrayLike, given: ArrayLike) -> np.ndarray:
    """Ratings less the mean of the ratings of the same kind: the regression on a yes/no variable."""
    ratings, given = np.asarray(ratings, float), np.asarray(given, bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no rows, which no row then takes
        yes, no = (np.nanmean(np.where(kind, ratings, np.nan), -1, keepdims=True) for kind in (given, ~given))
    return np.round(ratings - np.where(given, yes, no), 9)  # a rest of rounding noise would correlate


def nearest_point(ratings: ArrayLike) -> np.ndarray:
    """Whole points, halves upwards: statistics that count categories cannot take 3.4."""
    return np.floor(np.asarray(ratings, float) + 0.5).astype(int)


def kappa(one: ArrayLike, other: ArrayLike, categories: Sequence[int], *, quadratic: bool = False) -> np.ndarray:
    """Cohen's kappa, or quadratic-weighted kappa, of ratings rounded to the nearest category.

    All categories count, also those that nobody used: quadratic weights go by the distance between them.
    """
    one, other = nearest_point(one), nearest_point(other)
    if one.ndim == 1:
        from sklearn.metrics import cohen_kappa_score

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of being undefined, which nan says
            return np.float64(cohen_kappa_score(one, other, labels=categories, weights="quadratic" * quadratic or None))
    # The same for all resamples in one go: scikit-learn takes 0.8 ms for each, 20 s for the intervals of a judge.
    points = np.asarray(categories)
    distances = (points[:, None] - points) ** 2 if quadratic else points[:, None] != points
    shares = [(ratings[..., None] == points).mean(-2) for ratings in (one, other)]
    observed = distances[np.searchsorted(points, one), np.searchsorted(points, other)].mean(-1)
    return 1 - _ratio(observed, np.einsum("ri,ij,rj->r", shares[0], distances, shares[1]))


def alpha(*raters: ArrayLike) -> np.ndarray:
    """Krippendorff's alpha, interval level, of summary scores rounded to the rubric's own steps of 0.05.

    (The library compares every value with every other, so that unrounded scores take it seconds.)
    """
    import krippendorff

    steps = np.stack([nearest_point(np.asarray(ratings, float) * 20) for ratings in raters], axis=-2)
    if steps.ndim == 2:
        return np.float64(np.nan if (steps == steps[0, 0]).all() else krippendorff.alpha(steps))
    return np.array([alpha(*sample / 20) for sample in steps])


def icc(*raters: ArrayLike) -> np.ndarray:
    """Intraclass correlation ICC(2,1): two-way random, absolute agreement, one rater (Shrout & Fleiss 1979)."""
    table = np.stack([np.asarray(ratings, float) for ratings in raters], axis=-1)
    n, k = table.shape[-2:]
    rows, columns = table.mean(-1, keepdims=True), table.mean(-2, keepdims=True)
    rest = table - rows - columns + table.mean((-2, -1), keepdims=True)
    between_rows = k * rows.var((-2, -1), ddof=1)
    between_raters = n * columns.var((-2, -1), ddof=1)
    error = (rest**2).sum((-2, -1)) / ((n - 1) * (k - 1))
    return _ratio(between_rows - error, between_rows + (k - 1) * error + k * (between_raters - error) / n)


def pairwise_accuracy(human: ArrayLike, judge: ArrayLike, given: ArrayLike | None = None) -> np.ndarray:
    """Share of the pairs that the human ranks which the judge ranks alike; a tie of the judge counts half.

    This is (1 + Somers' D) / 2. With `given`, only pairs of answers that are of the same kind count.
    """
    human, judge = np.asarray(human, float), np.asarray(judge, float)
    better = human[..., :, None] > human[..., None, :]
    if given is not None:
        given = np.asarray(given)
        better &= given[..., :, None] == given[..., None, :]
    alike = better & (judge[..., :, None] > judge[..., None, :])
    tied = better & (judge[..., :, None] == judge[..., None, :])
    return _ratio(alike.sum((-2, -1)) + tied.sum((-2, -1)) / 2, better.sum((-2, -1)))


def _ratio(part: ArrayLike, whole: ArrayLike) -> np.ndarray:
    """part / whole, nan where the whole is nothing (but for rounding noise)."""
    defined = np.abs(whole) > 1e-12
    return np.where(defined, part / np.where(defined, whole, 1), np.nan)
