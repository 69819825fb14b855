"""Means and shares: worked by hand, by statsmodels, and what their intervals cover in a simulation."""

import numpy as np
import pytest
from scipy import stats

from utils.stats.groups import group_of, numbered
from utils.stats.means import DIFFERENCES, SCORES, jackknife, mean_of, share_of

TIMES = 4000
CEILINGS = (
    ([0.35, 0.6, 0.85, 0.9, 0.95, 1.0], [0.03, 0.05, 0.12, 0.3, 0.3, 0.2]),
    ([0.55, 0.85, 0.95, 1.0], [0.05, 0.1, 0.35, 0.5]), ([0.45, 0.7, 0.95, 1.0], [0.02, 0.08, 0.3, 0.6]),
    ([0.2, 0.95, 1.0], [0.1, 0.4, 0.5]), ([0.7, 0.9, 1.0], [0.15, 0.35, 0.5]),
)  # fmt: skip
# Mean scores as tutors have them: spread out (a small model), and near the upper end (a good one, a constant question).
SPREAD = ([0.35, 0.55, 0.65, 0.78, 0.9, 0.97], [0.35, 0.2, 0.2, 0.1, 0.1, 0.05])
HALVES = ([0.35, 0.95], [0.5, 0.5])
NEAR_1 = ([0.35, 0.6, 0.85, 0.9, 0.95, 1.0], [0.03, 0.05, 0.12, 0.3, 0.3, 0.2])


def covered(estimate, samples, truth, groups):
    """Share of the samples (times, n) whose interval holds the truth."""
    found = (estimate(sample, groups) for sample in samples)
    return np.mean([mean.low - 1e-12 <= truth <= mean.high + 1e-12 for mean in found])


# --- worked by hand and by the libraries


def test_the_standard_error_is_the_textbooks_where_rows_are_independent():
    values = [0.2, 0.4, 0.9, 0.5]  # mean 0.5, squares .09 + .01 + .16 + 0
    assert jackknife(values, np.arange(4)) == pytest.approx(np.sqrt(0.26 / 3 / 4))


def test_the_standard_error_by_leaving_out_groups_one_by_one():
    values, groups = np.array([0.1, 0.4, 0.9, 0.5, 0.7, 0.8]), np.array([0, 0, 1, 2, 2, 2])
    without = [values[groups != group].mean() for group in range(3)]
    expected = np.sqrt(2 / 3 * sum((mean - values.mean()) ** 2 for mean in without))
    assert jackknife(values, groups) == pytest.approx(expected)


def test_the_standard_error_is_statsmodels_for_groups_of_one_size():
    import statsmodels.api as sm

    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(8), 4)
    values = random.normal(size=32) + random.normal(size=8)[groups]
    fit = sm.OLS(values, np.ones(32)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert jackknife(values, groups) == pytest.approx(fit.bse[0])


def test_a_mean_by_hand():
    """Four scores and a fifth of one at 0.1 and at 1.0: as many weighted observations, by the weighted formula."""
    values, weights = np.array([0.2, 0.4, 0.9, 0.5, SCORES.low, SCORES.high]), np.array([1, 1, 1, 1, 0.2, 0.2])
    middle = weights @ values / 4.4
    variance = weights @ (values - middle) ** 2 / (4.4 - 1) / 4.4
    found = mean_of(values[:4], "abcd")
    assert found.value == 0.5 and (found.rows, found.groups) == (4, 4)
    half = stats.t.ppf(0.975, 3) * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((max(0.1, middle - half), min(1, middle + half)))


def test_the_addition_is_gone_with_many_rows():
    values = np.random.default_rng(0).choice(SPREAD[0], 5000, p=SPREAD[1])
    found = mean_of(values, range(5000))
    plain = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=2e-4)


def test_a_share_is_wilsons():
    for yes, n in ((0, 12), (1, 12), (6, 12), (8, 100), (30, 30)):
        found = share_of([1.0] * yes + [0.0] * (n - yes), range(n))
        wilson = stats.binomtest(yes, n).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


def test_a_share_of_0_has_an_interval():
    """Guards: a bootstrap of zeros is zero, and the figure showed no bar for "reveals 0 %"."""
    found = share_of([0.0] * 12, range(12))
    assert found.value == found.low == 0
    assert found.high == pytest.approx(1.959964**2 / (12 + 1.959964**2))  # Wilson at 0 of n: z² / (n + z²)
    five_each = share_of([0.0] * 60, np.repeat(range(12), 5))  # what five answers on a problem add is not known
    assert five_each.high == found.high


def test_answers_on_one_problem_tell_of_no_other():
    for estimate in (mean_of, share_of):
        found = estimate([0.0, 1.0, 1.0, 1.0], "aaaa")
        assert (found.value, found.low, found.high, found.groups) == (0.75, None, None, 1)
        empty = estimate([], [], 7)
        assert (empty.value, empty.rows, empty.answers) == (None, 0, 7)


def test_equal_scores_still_have_an_interval():
    """Guards: twelve answers with one and the same score seemed to say that all others have it too."""
    found = mean_of([1.0] * 12, range(12))
    assert found.low < 0.95 and found.high == found.value == 1


def test_rows_that_agree_within_problems_widen_the_interval():
    values = np.repeat(np.linspace(0.2, 0.9, 10), 10)
    width = {}
    for groups in (range(100), np.repeat(range(10), 10)):
        found = mean_of(values, list(groups))
        width[found.groups] = found.high - found.low
    assert width[10] > 3 * width[100]  # sqrt(10), and the t of 9 instead of 99 degrees of freedom
    assert share_of([1.0] * 50 + [0.0] * 50, np.repeat(range(10), 10)).low < share_of([1.0, 0.0] * 50, range(100)).low


# --- what the intervals cover


@pytest.mark.parametrize("n", [12, 30, 100])
@pytest.mark.parametrize("scores", [SPREAD, HALVES], ids=["spread", "halves"])
def test_the_mean_score_is_covered(n, scores):
    random = np.random.default_rng(n)
    samples = random.choice(scores[0], (TIMES, n), p=scores[1])
    assert 0.93 <= covered(mean_of, samples, np.dot(*scores), range(n)) <= 0.97


@pytest.mark.parametrize("n", [12, 30, 100])
def test_the_mean_score_is_covered_near_the_upper_end(n):
    """Guards: there a t interval covers 78 % at n = 12 and a percentile bootstrap no more than 75 %."""
    random = np.random.default_rng(n)
    truth = np.dot(*NEAR_1)
    samples = random.choice(NEAR_1[0], (TIMES, n), p=NEAR_1[1])
    assert covered(mean_of, samples, truth, range(n)) >= 0.93
    if n == 12:
        middle, error = samples.mean(1), samples.std(1, ddof=1) / np.sqrt(n)
        assert (abs(middle - truth) <= stats.t.ppf(0.975, n - 1) * error).mean() < 0.85
        drawn = samples[:, random.integers(0, n, (300, n))].mean(-1)
        low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
        assert ((low <= truth) & (truth <= high)).mean() < 0.85


@pytest.mark.parametrize(("n", "most"), [(12, 1.0), (30, 0.99), (100, 0.97)])
@pytest.mark.parametrize("scores", CEILINGS, ids=str)
def test_near_the_ceiling_it_is_too_wide_rather_than_too_narrow(n, most, scores):
    """What docs/statistics.md says of five kinds of scores near 1.0; with few problems a rare low one is not seen."""
    samples = np.random.default_rng(n).choice(scores[0], (TIMES, n), p=scores[1])
    assert 0.93 <= covered(mean_of, samples, np.dot(*scores), range(n)) <= most


@pytest.mark.parametrize("n", [12, 30, 100])
@pytest.mark.parametrize("scores", [(SPREAD, SPREAD), (NEAR_1, SPREAD)], ids=["alike", "apart"])
def test_a_paired_difference_is_covered(n, scores):
    random = np.random.default_rng(n)
    tuned, base = (random.choice(values, (TIMES, n), p=shares) for values, shares in scores)
    truth = np.dot(*scores[0]) - np.dot(*scores[1])
    estimate = lambda sample, groups: mean_of(sample, groups, scale=DIFFERENCES)  # noqa: E731
    assert 0.93 <= covered(estimate, tuned - base, truth, range(n)) <= 0.97


@pytest.mark.parametrize("n", [12, 30, 100])
@pytest.mark.parametrize("share", [0.0, 0.08, 0.5])
def test_a_share_is_covered(n, share):
    """Exactly: the sum of the binomial probabilities of the counts whose interval holds the truth."""
    counts = np.arange(n + 1)
    rows = (np.arange(n) < counts[:, None]).astype(float)
    holds = [covered(share_of, row[None], share, range(n)) for row in rows]
    coverage = stats.binom.pmf(counts, n, share) @ holds
    if share:
        assert 0.93 <= coverage <= 0.9708  # 0.97072 at n = 30 and 8 %: counts are whole
    else:
        assert coverage == 1 and share_of(rows[0], range(n)).high > 0


@pytest.mark.parametrize("sizes", [[3] * 12, [1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 8], [3] * 30], ids=str)
def test_rows_of_common_problems_are_covered(sizes):
    """Scores and shares whose problems differ (correlation within problems 0.3). Guards: rows taken as independent."""
    random = np.random.default_rng(len(sizes))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    of_problem = random.beta(0.3 * 7 / 3, 0.7 * 7 / 3, (TIMES, len(sizes)))  # mean 0.3, correlation 1 / (1 + 7 / 3)
    yes = (random.random((TIMES, len(groups))) < of_problem[:, groups]).astype(float)
    assert 0.92 <= covered(share_of, yes, 0.3, groups) <= 0.975
    assert 0.92 <= covered(mean_of, 0.35 + 0.6 * yes, 0.35 + 0.6 * 0.3, groups) <= 0.975
    assert covered(share_of, yes, 0.3, range(len(groups))) < 0.9


# --- which rows are independent


def test_what_is_a_group():
    problem = "Student: Two beacons flash together, the red one every 12 seconds, the white one every 18. How often do "
    problem += "they flash together in three minutes?"
    one, other = ({"prompt": f"{problem} {answer}"} for answer in ("I say never.", "It must be five times."))
    assert group_of(one) == group_of(other)
    assert group_of(one) != group_of({"prompt": "Student: What is a prime?"})
    assert group_of(one | {"group": "beacons"}) == "beacons"
    assert numbered(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
