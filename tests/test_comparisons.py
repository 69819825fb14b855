"""Paired differences: by hand, by scipy and statsmodels, by simulation; and words that claim no more than they show."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from utils.results import forest
from utils.results.claims import shown
from utils.stats.comparisons import compare, join, p_text, sentence, sign_flips, smallest
from utils.stats.means import DIFFERENCES, Mean, mean_of


def row(number, score, group=None, **more):
    return {"id": f"row-{number}", "prompt": f"Student: {number}", "group": group or f"problem-{number}",
            "score": score} | more  # fmt: skip


def pairs(differences, groups=None):
    """Joined rows whose scores differ by this much."""
    groups = groups or [None] * len(differences)
    return [
        (row(i, 0.5 + d, group), row(i, 0.5, group))
        for i, (d, group) in enumerate(zip(differences, groups, strict=True))
    ]


# --- which rows belong together


def test_rows_are_joined_by_id_wherever_they_stand():
    """Guards: a tutor's third answer compared with the base's third answer, to another dialogue."""
    joined = join([row(1, 0.3), row(2, 0.4), row(9, 1.0)], [row(2, 0.8), row(1, 0.9)])
    assert [(one["id"], one["score"], other["score"]) for one, other in joined] == [
        ("row-1", 0.3, 0.9), ("row-2", 0.4, 0.8),
    ]  # fmt: skip


def test_rows_of_the_original_are_joined_by_prompt_each_once():
    """56 of the original's 60 debugging prompts are distinct: a second one has a second as its partner."""
    ones = [{"prompt": p, "score": s} for p, s in (("a", 0.1), ("a", 0.2), ("b", 0.3))]
    others = [{"prompt": p, "score": s} for p, s in (("a", 0.5), ("b", 0.6), ("a", 0.7))]
    assert [(a["score"], b["score"]) for a, b in join(ones, others)] == [(0.1, 0.5), (0.2, 0.7), (0.3, 0.6)]


# --- the numbers


def test_a_difference_is_the_paired_one():
    """With equal differences on many problems the interval is that of the paired t test."""
    random = np.random.default_rng(2)
    differences = random.normal(0.05, 0.2, 400).clip(-0.4, 0.5)
    (found,) = compare([pairs(differences)])
    test = stats.ttest_1samp(differences, 0)
    assert found["difference"] == pytest.approx(differences.mean())
    assert (found["low"], found["high"]) == pytest.approx(test.confidence_interval(), abs=1e-3)
    assert found["p"] == pytest.approx(test.pvalue, abs=0.01)
    assert (found["rows"], found["groups"], found["left_out"]) == (400, 400, 0)


def test_p_counts_every_flip_of_signs():
    differences = [0.3, 0.1, -0.05, 0.2]
    sums = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=4)]
    expected = np.mean([value >= 0.55 - 1e-9 for value in sums])
    assert sign_flips(differences, "abcd") == pytest.approx(expected)
    # Guards: answers on one problem flipped one by one. Six answers on three problems: 2 of the 2³ flips are as far.
    assert sign_flips([0.1] * 6, "aabbcc") == pytest.approx(2 / 8)
    assert sign_flips([0.1, 0.2], "aa") is None and sign_flips([], []) is None
    assert sign_flips([0.0] * 5, "abcde") == 1


def test_a_rows_invalid_verdict_is_left_out_and_counted():
    some = pairs([0.1, 0.2, 0.3, 0.2])
    some[1] = (row(1, None), row(1, 0.5))
    (found,) = compare([some])
    assert (found["rows"], found["left_out"]) == (3, 1) and found["difference"] == pytest.approx(0.2)


def test_the_smallest_difference_is_found_in_80_of_100_trials():
    random = np.random.default_rng(0)
    for groups, alpha in ((12, 0.05), (30, 0.05 / 9)):
        size = smallest(0.2 / np.sqrt(groups), groups, alpha)
        trials = random.normal(size, 0.2, (20_000, groups))
        found = (stats.ttest_1samp(trials, 0, axis=1).pvalue < alpha).mean()
        assert found == pytest.approx(0.8, abs=0.01)
    # by the normal approximation for many groups: (1.96 + 0.84) standard errors
    assert smallest(0.01, 10_000) == pytest.approx((1.95996 + 0.84162) * 0.01, rel=1e-3)
    assert smallest(None, 1) is None


@pytest.mark.parametrize("comparisons", [6, 9, 12])
def test_the_smallest_difference_is_right_for_any_number_of_problems(comparisons):
    """By statsmodels, whose own solver gives an array for 53 problems and nine comparisons, a negative one for 77."""
    alpha = 0.05 / comparisons
    for groups in [*range(10, 110), 500, 5000]:
        effect = smallest(1 / np.sqrt(groups), groups, alpha)  # in standard deviations
        assert TTestPower().power(effect, groups, alpha) == pytest.approx(0.8, abs=1e-4)


def test_holm_by_hand():
    """p of 2/2⁹ each for nine problems all on one side, against three that are undecided."""
    clear, open_ = [0.3, 0.25, 0.35, 0.3, 0.2, 0.3, 0.4, 0.3, 0.28], [0.1, -0.1, 0.2, -0.2, 0.1, -0.1, 0.05, -0.02, 0]
    found = compare([pairs(open_), pairs(clear), pairs(open_), pairs(np.negative(clear))])
    assert [one["finding"] for one in found] == ["cannot be told apart", "better", "cannot be told apart", "worse"]
    p = 2 / 2**9
    assert found[1]["p"] == found[3]["p"] == pytest.approx(p)
    assert found[1]["p_corrected"] == found[3]["p_corrected"] == pytest.approx(4 * p)
    # the first one decided has 5 % / 4, the second 5 % / 3, the two left undecided 5 % / 2 each
    assert [1 - one["level"] for one in found] == pytest.approx([0.05 / 2, 0.05 / 4, 0.05 / 2, 0.05 / 3])
    wide = mean_of(clear, range(9), scale=DIFFERENCES, level=1 - 0.05 / 4)
    assert (found[1]["corrected_low"], found[1]["corrected_high"]) == pytest.approx((wide.low, wide.high))
    assert found[1]["corrected_low"] < found[1]["low"] and all(one["comparisons"] == 4 for one in found)


def test_how_much_else_a_table_shows_does_not_decide_what_was_named_beforehand():
    """Guards: a primary p of 0.004 that further rows of the table made 0.06 (Holm within families, by statsmodels)."""
    clear, open_ = [0.3, 0.25, 0.35, 0.3, 0.2, 0.3, 0.4, 0.3, 0.28, -0.1], np.resize([0.1, -0.1, 0.05], 10)
    shown = [pairs(clear), pairs(open_), pairs(open_[::-1])] + [pairs(clear)] + [pairs(open_)] * 12
    found = compare(shown, ["primary"] * 3 + ["secondary"] * 13)
    for family, some in (("primary", found[:3]), ("secondary", found[3:])):
        _, expected, *_ = multipletests([one["p"] for one in some], method="holm")
        assert [one["p_corrected"] for one in some] == pytest.approx(list(expected))
        assert {(one["family"], one["comparisons"]) for one in some} == {(family, len(some))}
    together = compare(shown)
    assert found[0]["p"] == together[0]["p"] == pytest.approx(4 / 2**10)  # all for it, or all but the one against it
    assert found[0]["p_corrected"] == pytest.approx(3 * 4 / 2**10) and found[0]["finding"] == "better"
    assert together[0]["p_corrected"] == pytest.approx(16 * 4 / 2**10)
    assert together[0]["finding"] == "cannot be told apart"
    assert found[3]["finding"] == "cannot be told apart"  # the same differences, one of 13 that were not named
    assert "on 10 problems, 1 of 3 primary comparisons, p = 0.012" in sentence(found[0], "a", "b", "X")
    assert "on 10 problems, 1 of 13 secondary comparisons (" in sentence(found[3], "a", "b", "X")


def test_a_difference_that_holds_alone_may_not_hold_among_nine():
    """Guards: nine comparisons at 5 % each, of which one in three tables shows a "better" that is chance."""
    shift = [0.1, 0.12, -0.03, 0.15, 0.08, 0.2, -0.02, 0.11, 0.09, 0.14]
    alone, *_ = compare([pairs(shift)])
    among, *_ = compare([pairs(shift)] + [pairs(np.resize([0.1, -0.1], 10))] * 14)
    assert alone["finding"] == "better" and among["finding"] == "cannot be told apart"
    assert among["low"] == alone["low"] > 0 > among["corrected_low"]


def test_chance_is_seldom_called_better(monkeypatch):
    """100 tables of three tutors that are the base itself, resampled: in few is one called "better" or "worse"."""
    monkeypatch.setattr("gc.collect", int)  # which statsmodels calls each time: it would be most of the time
    random = np.random.default_rng(4)
    scores = [0.35, 0.55, 0.65, 0.8, 0.95]
    wrong = 0
    for _ in range(100):
        table = random.choice(scores, (3, 8)) - random.choice(scores, (3, 8))
        wrong += any(one["finding"] != "cannot be told apart" for one in compare([pairs(d) for d in table]))
    assert wrong / 100 <= 0.05


def test_five_problems_cannot_show_anything():
    """2 of the 2⁵ flips are as far as it goes: p = 0.06, whatever the difference."""
    (found,) = compare([pairs([0.5, 0.45, 0.5, 0.55, 0.48])])
    assert found["p"] == pytest.approx(2 / 32) and found["finding"] == "cannot be told apart"
    assert found["low"] > 0.2 and found["smallest"] is None
    assert "no difference, however large, would show with 5 problems" in sentence(found, "a", "b", "X")


def test_the_same_answers_are_no_proof_of_equality():
    (found,) = compare([pairs([0.0] * 12)])
    assert found["difference"] == 0 and found["low"] < -0.05 and found["high"] > 0.05 and found["smallest"] > 0.05


# --- the words


def test_nothing_is_minus_nothing():
    """Guards: "-0.00 [-0.05, +0.05]", which reads as if it were a little less."""
    (found,) = compare([pairs(np.resize([0.1, -0.1, 0.02, -0.0201], 12))])
    found |= {"corrected_high": -0.004}
    assert -0.001 < found["difference"] < 0
    for text in (sentence(found, "a", "b", "X"), forest.words(found), shown(Mean(-0.002, -0.004, 0.0, 3), "+")):
        assert "-0.00" not in text and "+0.00" in text
    assert sentence(found | {"over_trainings": [-0.001, 0.2]}, "a", "b", "X").count("-0.00") == 0


def test_a_better_tutor_in_words():
    shift = [0.3, 0.25, 0.35, 0.3, 0.2, 0.3, 0.4, 0.3, 0.28, 0.31, 0.27, 0.33]
    (found,) = compare([pairs(shift)])
    low, high = found["corrected_low"], found["corrected_high"]
    assert sentence(found, "the tutor", "base", "MathDial") == (
        f"On MathDial, the tutor is better than base: +{np.mean(shift):.2f} [+{low:.2f}, +{high:.2f}] on 12 dialogues "
        "on 12 problems, p < 0.001."
    )
    assert found["p_corrected"] == pytest.approx(2 / 2**12) and p_text(found["p_corrected"]) == "p < 0.001"


def test_what_cannot_be_told_apart_says_what_would_not_show():
    (found,) = compare([pairs(np.resize([0.2, -0.1, 0.05, -0.2], 12))])
    words = sentence(found, "the tutor", "base", "MathDial")
    assert "the tutor and base cannot be told apart" in words and "better" not in words
    assert f"a difference under {found['smallest']:.2f} would not show with 12 problems" in words


def test_few_problems_and_one_problem_say_so():
    (few,) = compare([pairs([0.2, -0.1, 0.3, 0.1, 0.2, 0.1])])
    assert "With fewer than 10 problems the interval itself is uncertain" in sentence(few, "a", "b", "X")
    one, none = compare([pairs([0.2, 0.3], ["same", "same"]), []])
    assert "all dialogues are on one problem, which says nothing about others" in sentence(one, "a", "b", "X")
    assert (one["finding"], one["p"], one["corrected_low"], one["comparisons"]) == (
        "cannot be told apart",
        None,
        None,
        0,
    )
    assert "no dialogue on which both have a valid verdict" in sentence(none, "a", "b", "X")


def test_trainings_that_disagree_are_named():
    (found,) = compare([pairs([0.3, 0.25, 0.35, 0.3, 0.2, 0.3, 0.4, 0.3, 0.28, 0.31])])
    words = sentence(found | {"over_trainings": [0.9, -0.05, 0.1]}, "a", "b", "X")
    assert "over 3 trainings the difference went from -0.05 to +0.90, so not every training helps" in words
    assert "not every" not in sentence(found | {"over_trainings": [0.3, 0.35]}, "a", "b", "X")
