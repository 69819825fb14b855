"""How well two raters agree: the statistics, and their intervals by bootstrap over conversations.

Every statistic takes ratings of shape (n,), or (resamples, n) for many resamples at once, and returns one number,
or (resamples,). A statistic that is not defined is nan. What a constant rater gets: nan for the correlations,
0 for kappa and ICC, at most 1 / 2n for alpha, 1/2 for the pairwise accuracy (every pair is a tie); two raters who give
one and the same rating throughout get nan for everything but the bias, since nothing tells agreement from chance.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from tqdm import tqdm

RESAMPLES = 2000
CELLS = 4_000_000  # the largest temporary array of a bootstrap step, in elements


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


def resamples(groups: Sequence[Hashable], times: int, seed: int) -> list[np.ndarray]:
    """Row numbers of `times` bootstrap samples that draw whole groups; samples of one length are stacked.

    A group is a conversation: its answers are not independent. Returns arrays (samples, length).
    """
    group_of = _numbered(groups)
    members = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
    by_length = defaultdict(list)
    for draw in np.random.default_rng(seed).integers(len(members), size=(times, len(members))):
        sample = np.concatenate([members[group] for group in draw])
        by_length[len(sample)].append(sample)
    stacks = [np.array(samples) for samples in by_length.values()]
    return [
        block
        for stack in stacks
        for block in np.array_split(stack, min(len(stack), 1 + stack.shape[0] * stack.shape[1] ** 2 // CELLS))
    ]


def _numbered(groups: Sequence[Hashable]) -> np.ndarray:
    """The groups as 0, 1, …, in the order in which they come."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] for group in groups])


def bootstrap(
    measure: Callable[[np.ndarray], dict[Any, np.ndarray]], groups: Sequence[Hashable], *, times: int, seed: int
) -> dict[Any, dict[str, float | int | None]]:
    """Value and 95 % percentile interval of all that `measure` gives for row numbers (n,) and (samples, n).

    `undefined` counts the samples in which a statistic had no value (left out of its interval); None is no value,
    and no interval where all answers are of one conversation.
    """
    values = measure(np.arange(len(groups)))
    blocks = resamples(groups, times, seed)
    drawn = [measure(rows) for rows in tqdm(blocks, desc="bootstrap", unit="block", delay=2, leave=False)]
    found = {}
    for key, value in values.items():
        sample = np.concatenate([block[key] for block in drawn])
        sample = sample[np.isfinite(sample)]
        spread = len(sample) and np.isfinite(value) and len(set(groups)) > 1  # one conversation tells of no other
        low, high = np.percentile(sample, [2.5, 97.5]) if spread else (np.nan, np.nan)
        found[key] = {"value": number(value), "low": number(low), "high": number(high)}
        if np.isfinite(value) and len(sample) < times:
            found[key]["undefined"] = times - len(sample)
    return found


def number(value: float) -> float | None:
    """A value for JSON, which knows no nan."""
    return float(value) if np.isfinite(value) else None


def paired_test(errors: ArrayLike, other_errors: ArrayLike, groups: Sequence[Hashable], seed: int = 0) -> float | None:
    """p of the hypothesis that two judges err alike: a permutation test that swaps them within a conversation.

    `errors` and `other_errors` are |judge - human| of the same n answers; None if they are of one conversation.
    """
    group_of = _numbered(groups)
    one, other = (np.bincount(group_of, rows) / np.bincount(group_of) for rows in (errors, other_errors))
    if len(one) < 2:
        return None
    test = stats.permutation_test(
        (one, other), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=9999, rng=seed,
    )  # fmt: skip
    return float(test.pvalue)
