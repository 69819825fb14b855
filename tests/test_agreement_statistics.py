"""Each statistic: a value worked by hand, and what holds for any ratings (bounds, symmetry, perfect, constant)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import somersd
from sklearn.metrics import cohen_kappa_score

from utils.stats import raters as stats
from utils.stats.bootstrap import bootstrap, resamples


def near(value):
    return pytest.approx(value, abs=1e-9, nan_ok=True)


def kappa(one, other):
    return stats.kappa(one, other, (1, 2, 3, 4, 5))


def quadratic_kappa(one, other):
    return stats.kappa(one, other, (1, 2, 3, 4, 5), quadratic=True)


# --- worked by hand


def test_pearson():
    # deviations (-1, 0, 1) and (-1, 1, 0): products 1 + 0 + 0, squares 2 and 2
    assert stats.pearson([1, 2, 3], [1, 3, 2]) == near(1 / np.sqrt(2 * 2))


def test_spearman_shares_the_ranks_of_ties():
    # ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4): products 2.25 + 0 + 0 + 2.25, squares 4.5 and 5
    assert stats.spearman([1, 7, 7, 90], [1, 2, 3, 4]) == near(4.5 / np.sqrt(4.5 * 5))


def test_the_partial_correlation_takes_out_what_the_marks_explain():
    human, judge, marks = [1, 2, 3, 4], [2, 1, 4, 3], [False, False, True, True]
    assert stats.pearson(human, judge) == near((0.75 + 0.75 + 0.75 + 0.75) / 5)
    # left within the kinds: (-.5, .5, -.5, .5) and (.5, -.5, .5, -.5)
    assert stats.partial_pearson(human, judge, marks) == near(-1)


def test_kappa():
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 35/50; by chance .5 * .6 + .5 * .4
    one = [1] * 25 + [0] * 25
    other = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert stats.kappa(one, other, (0, 1)) == near((0.7 - 0.5) / (1 - 0.5))


def test_quadratic_kappa_weighs_by_points_also_over_unused_ones():
    # Guards: without all the categories 2 and 5 would be neighbours. Observed (0 + 0 + 9) / 3; by chance over all
    # pairs (1, 2, 5) x (1, 2, 2): (0 + 1 + 1) + (1 + 0 + 0) + (16 + 9 + 9) = 37, by 9.
    assert quadratic_kappa([1, 2, 5], [1, 2, 2]) == near(1 - (9 / 3) / (37 / 9))


def test_kappa_rounds_fractions_to_the_nearest_point_halves_upwards():
    assert stats.nearest_point([3.4, 2.5, 3.5, 1.0, 4.5]).tolist() == [3, 3, 4, 1, 5]
    assert quadratic_kappa([1, 3, 5, 4], [1.4, 3.4, 4.5, 3.6]) == near(1)


def test_alpha():
    # units (.2, .2) and (.4, .6), in steps of .05: 4 4, 8 12. Within the units (0 + 16) / 2; between any two of the
    # four values: 2 * 16 (4-8) + 2 * 64 (4-12) + 16 (8-12) = 176, by 6 pairs
    assert stats.alpha([0.2, 0.4], [0.2, 0.6]) == near(1 - 8 / (176 / 6))


def test_icc():
    # one point apart throughout: mean squares 2 (answers), 1.5 (raters), 0 (rest); 2 / (2 + 0 + 2/3 * 1.5)
    assert stats.icc([1, 2, 3], [2, 3, 4]) == near(2 / 3)
    # the example of Shrout & Fleiss (1979), table 2: 6 targets, 4 judges, ICC(2,1) = .29
    judges = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
    assert round(float(stats.icc(*judges)), 2) == 0.29


def test_pairwise_accuracy():
    # pairs 1-2: the judge ties, 1-3 and 2-3: right
    assert stats.pairwise_accuracy([1, 2, 3], [1, 1, 3]) == near((0.5 + 1 + 1) / 3)
    # of one kind is only the pair 2-3
    assert stats.pairwise_accuracy([1, 2, 3], [1, 9, 3], [False, True, True]) == near(0)


# --- any ratings

POINTS = st.integers(2, 10).map(lambda half: half / 2)
PAIRS = st.lists(st.tuples(POINTS, POINTS, st.booleans()), min_size=3, max_size=12)


def split(pairs):
    return [np.array(column) for column in zip(*pairs, strict=True)]


def partial(one, other):
    return stats.partial_pearson(one, other, np.arange(len(one)) % 2 == 0)


def alpha(one, other):
    return stats.alpha(one / 5, other / 5)


# name: statistic, lowest, does a swap of the raters leave it, what a constant rater gets beside one who varies
STATISTICS = {
    "pearson": (stats.pearson, -1, True, np.nan),
    "spearman": (stats.spearman, -1, True, np.nan),
    "partial": (partial, -1, True, np.nan),
    "kappa": (kappa, -1, True, 0),
    "quadratic_kappa": (quadratic_kappa, -1, True, 0),
    "alpha": (alpha, -1, True, None),  # 1 / (2 n) at most
    "icc": (stats.icc, -np.inf, True, 0),
    "pairwise": (stats.pairwise_accuracy, 0, False, 0.5),
}
each = pytest.mark.parametrize("name", STATISTICS)


@each
@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS)
def test_bounds_and_symmetry(name, pairs):
    statistic, lowest, symmetric, _ = STATISTICS[name]
    one, other, _ = split(pairs)
    value = statistic(one, other)
    assert np.isnan(value) or lowest - 1e-9 <= value <= 1 + 1e-9
    if symmetric:
        assert statistic(other, one) == near(value)
    else:  # ranking everything the other way round, both of them
        assert statistic(-one, -other) == near(value)


@each
@settings(max_examples=40, deadline=None)
@given(pairs=PAIRS)
def test_perfect_agreement_is_1_if_there_is_anything_to_agree_on(name, pairs):
    statistic, *_ = STATISTICS[name]
    one = np.floor(split(pairs)[0])
    assert statistic(one, one) == near(1) or (name == "partial" or len(set(one)) == 1)
    assert np.isnan(statistic(np.full(5, 3.0), np.full(5, 3.0)))


@each
@settings(max_examples=40, deadline=None)
@given(pairs=PAIRS, points=st.integers(1, 5))
def test_a_constant_rater(name, pairs, points):
    statistic, *_, expected = STATISTICS[name]
    one = np.concatenate([[1, 5, 3], np.floor(split(pairs)[0])])
    value = statistic(one, np.full(len(one), float(points)))
    if expected is None:
        assert value <= 1 / (2 * len(one)) + 1e-9
    else:
        assert value == near(expected)


@each
@settings(max_examples=30, deadline=None)
@given(
    samples=st.lists(PAIRS.filter(lambda pairs: len(pairs) >= 4).map(lambda pairs: pairs[:4]), min_size=1, max_size=4)
)
def test_many_resamples_at_once_give_the_same_as_one_by_one(name, samples):
    """Guards: kappa's own vectorised way drifting from scikit-learn's."""
    statistic, *_ = STATISTICS[name]
    ones, others = (np.array([split(pairs)[side] for pairs in samples]) for side in (0, 1))
    if name == "partial":
        together = stats.partial_pearson(ones, others, np.arange(4) % 2 == np.zeros((len(ones), 1)))
    else:
        together = statistic(ones, others)
    assert together == near(np.array([statistic(one, other) for one, other in zip(ones, others, strict=True)]))


@pytest.mark.filterwarnings("ignore:.*only one label in common")
@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS)
def test_the_libraries_agree(pairs):
    human, judge, marks = split(pairs)
    if len(set(human)) > 1 and len(set(judge)) > 1:  # beside a constant, scipy gives nan
        assert stats.pairwise_accuracy(human, judge) == near((1 + somersd(human, judge).statistic) / 2)
    whole = np.floor(human), np.floor(judge)
    library = cohen_kappa_score(*whole, labels=[1, 2, 3, 4, 5], weights="quadratic")
    assert quadratic_kappa(*whole) == near(library)
    pearsons = [stats.pearson(human, judge), stats.pearson(human, marks), stats.pearson(judge, marks)]
    if np.isfinite(pearsons).all() and np.abs(pearsons[1:]).max() < 0.999:
        xy, xz, yz = pearsons
        by_formula = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
        assert stats.partial_pearson(human, judge, marks) == pytest.approx(by_formula, abs=1e-6)


def test_a_judge_that_is_the_marks_leaves_nothing_to_correlate():
    """Guards: 1e-17 of rounding noise correlated with the human ratings."""
    marks = np.array([True, False, True, True, False, False, True])
    judge = np.where(marks, 0.95, 0.3)
    assert np.isnan(stats.partial_pearson([0.1, 0.7, 0.2, 0.9, 0.4, 0.45, 0.8], judge, marks))


def test_partial_correlation_without_any_mark_is_plain_pearson():
    assert stats.partial_pearson([1, 2, 3], [1, 3, 2], [False] * 3) == near(0.5)


# --- bootstrap


def test_resamples_draw_whole_conversations():
    groups = ["a", "b", "a", "c", "c", "c"]
    blocks = resamples(groups, 200, seed=1)
    assert sum(len(block) for block in blocks) == 200
    for sample in (sample for block in blocks for sample in block):
        counts = np.bincount(sample, minlength=6)
        assert counts[0] == counts[2] and counts[3] == counts[4] == counts[5]
        assert counts[0] + counts[1] + counts[3] == 3  # as many conversations as there are


def test_resamples_of_many_rows_come_in_blocks():
    blocks = resamples(range(1000), 10, seed=0)
    assert [block.shape for block in blocks] == [(4, 1000), (3, 1000), (3, 1000)]


def test_bootstrap_gives_value_and_percentile_interval():
    values = np.arange(100.0)
    found = bootstrap(lambda rows: {"mean": values[rows].mean(-1)}, range(100), times=2000, seed=0)["mean"]
    assert found["value"] == 49.5
    error = values.std() / np.sqrt(100)  # the interval of a mean: 1.96 standard errors to either side
    assert found["low"] == pytest.approx(49.5 - 1.96 * error, abs=0.5)
    assert found["high"] == pytest.approx(49.5 + 1.96 * error, abs=0.5)
    assert "undefined" not in found


def test_conversations_with_many_answers_widen_the_interval():
    """Guards: answers of one conversation resampled as if they were independent."""
    values = np.repeat(np.arange(10.0), 10)
    width = {}
    for groups in (tuple(range(100)), tuple(np.repeat(range(10), 10))):
        found = bootstrap(lambda rows: {"mean": values[rows].mean(-1)}, groups, times=500, seed=0)["mean"]
        width[len(set(groups))] = found["high"] - found["low"]
    assert width[10] > 2.5 * width[100]  # sqrt(10) = 3.2


def test_one_conversation_has_no_interval():
    """Guards: every sample is the same then, and the interval seemed to be of no width."""
    values = np.arange(4.0)
    found = bootstrap(lambda rows: {"mean": values[rows].mean(-1)}, "aaaa", times=50, seed=0)["mean"]
    assert found == {"value": 1.5, "low": None, "high": None}


def test_undefined_resamples_are_counted_and_an_undefined_value_is_none():
    def measure(rows):
        one = np.array([0.0, 0.0, 1.0])[rows]
        return {"pearson": stats.pearson(one, [0.2, 0.1, 0.9][0] + one), "never": stats.pearson(one, one * 0)}

    found = bootstrap(measure, range(3), times=300, seed=0)
    # all three draws from the two zeros, or all from the one: (2/3)^3 + (1/3)^3 = 1/3 of the samples are constant
    assert found["pearson"]["undefined"] == pytest.approx(100, abs=35)
    assert found["never"] == {"value": None, "low": None, "high": None}
