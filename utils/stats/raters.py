"""Statistics of the agreement between two raters.

Every statistic takes ratings of shape (n,), or (resamples, n) for many resamples at once, and returns one number,
or (resamples,). An undefined statistic is nan. For a rater who always gives the same rating, the correlations are nan,
kappa and ICC are 0, alpha is at most 1 / 2n, and the pairwise accuracy is 1/2 (every pair is a tie). If both raters
always give the same one rating, everything but the bias is nan, since agreement cannot be told from chance.
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
    """Return the Pearson correlation of the ranks; ties share their mean rank."""
    return pearson(stats.rankdata(one, axis=-1), stats.rankdata(other, axis=-1))


def partial_pearson(one: ArrayLike, other: ArrayLike, given: ArrayLike) -> np.ndarray:
    """Return the partial Pearson correlation of two ratings, given a yes/no variable."""
    return pearson(_residual(one, given), _residual(other, given))


def _residual(ratings: ArrayLike, given: ArrayLike) -> np.ndarray:
    """Return the residuals of the regression on a yes/no variable: ratings minus the mean of those with its value."""
    ratings, given = np.asarray(ratings, float), np.asarray(given, bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # about the mean of no rows, which is then not used
        yes, no = (np.nanmean(np.where(kind, ratings, np.nan), -1, keepdims=True) for kind in (given, ~given))
    return np.round(ratings - np.where(given, yes, no), 9)  # rounding noise would correlate


def nearest_point(ratings: ArrayLike) -> np.ndarray:
    """Round to whole points, halves upwards, for statistics that need categories."""
    return np.floor(np.asarray(ratings, float) + 0.5).astype(int)


def kappa(one: ArrayLike, other: ArrayLike, categories: Sequence[int], *, quadratic: bool = False) -> np.ndarray:
    """Return Cohen's kappa, or quadratic-weighted kappa, of ratings rounded to the nearest category.

    `categories` includes those that nobody used; quadratic weights depend on the distance between two categories.
    """
    one, other = nearest_point(one), nearest_point(other)
    if one.ndim == 1:
        from sklearn.metrics import cohen_kappa_score

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an undefined kappa is nan
            return np.float64(cohen_kappa_score(one, other, labels=categories, weights="quadratic" * quadratic or None))
    # All resamples at once: scikit-learn takes 0.8 ms for each, which is 20 s for the intervals of one judge.
    points = np.asarray(categories)
    distances = (points[:, None] - points) ** 2 if quadratic else points[:, None] != points
    shares = [(ratings[..., None] == points).mean(-2) for ratings in (one, other)]
    observed = distances[np.searchsorted(points, one), np.searchsorted(points, other)].mean(-1)
    return 1 - _ratio(observed, np.einsum("ri,ij,rj->r", shares[0], distances, shares[1]))


def alpha(*raters: ArrayLike) -> np.ndarray:
    """Return Krippendorff's alpha (interval level) of summary scores, rounded to the rubric's steps of 0.05.

    (The library compares every distinct value with every other; unrounded scores would take it seconds.)
    """
    import krippendorff

    steps = np.stack([nearest_point(np.asarray(ratings, float) * 20) for ratings in raters], axis=-2)
    if steps.ndim == 2:
        return np.float64(np.nan if (steps == steps[0, 0]).all() else krippendorff.alpha(steps))
    return np.array([alpha(*sample / 20) for sample in steps])


def icc(*raters: ArrayLike) -> np.ndarray:
    """Return the intraclass correlation ICC(2,1): two-way random effects, absolute agreement, single rater.

    It follows Shrout & Fleiss (1979).
    """
    table = np.stack([np.asarray(ratings, float) for ratings in raters], axis=-1)
    n, k = table.shape[-2:]
    rows, columns = table.mean(-1, keepdims=True), table.mean(-2, keepdims=True)
    rest = table - rows - columns + table.mean((-2, -1), keepdims=True)
    between_rows = k * rows.var((-2, -1), ddof=1)
    between_raters = n * columns.var((-2, -1), ddof=1)
    error = (rest**2).sum((-2, -1)) / ((n - 1) * (k - 1))
    return _ratio(between_rows - error, between_rows + (k - 1) * error + k * (between_raters - error) / n)


def pairwise_accuracy(human: ArrayLike, judge: ArrayLike, given: ArrayLike | None = None) -> np.ndarray:
    """Return the share of the pairs ranked by the human that the judge ranks alike; a tie by the judge counts half.

    This is (1 + Somers' D) / 2. With `given`, only pairs of answers with the same value of it count.
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
    """Return part / whole, or nan if the whole is 0 up to rounding noise."""
    defined = np.abs(whole) > 1e-12
    return np.where(defined, part / np.where(defined, whole, 1), np.nan)
