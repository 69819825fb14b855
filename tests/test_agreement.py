"""A judge beside the `?` rule: the rule itself, several judges, retests, the original's rows, and the words."""

import json
from pathlib import Path

import numpy as np
import pytest

from utils.records import Evaluation
from utils.stats import agreement
from utils.stats.agreement_table import WIDTH, shown, table

RATINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "paper" / "mathdial_human_eval.json"
FAST = {"times": 200}


def rating(questions="yes", on_topic=4.0, helpful=3.0, reveal_answer="no"):
    return {"questions": questions, "on_topic": on_topic, "helpful": helpful, "reveal_answer": reveal_answer}


def people(n=40, seed=0):
    """Rows with ratings that follow the question mark, and something that no mark shows."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        asks = number % 2 == 0
        points = float(random.integers(1, 6))
        rows.append({
            "prompt": f"Student: I am stuck on exercise {number}.",
            "output": "What have you tried?" if asks else "Add the two numbers.",
            "human": rating("yes" if asks else "no", points, points, "no" if asks or random.random() < 0.5 else "yes"),
        })  # fmt: skip
    return rows


def judged(rows, judge):
    return [row | {"gpt4o": judge(number, row)} for number, row in enumerate(rows)]


def only(found, name="GPT-4o"):
    return found["raters"][name]


# --- columns and the rule


def test_a_rater_as_columns():
    columns = agreement.rater([Evaluation(**rating()), None])
    assert {name: column[0] for name, column in columns.items()} == {
        "score": 0.25 + 0.25 + 0.05 * 4 + 0.05 * 3, "questions": 1, "on_topic": 4, "helpful": 3, "reveal_answer": 0,
    }  # fmt: skip
    assert all(np.isnan(column[1]) for column in columns.values())


def test_scores_that_are_equal_are_ties():
    """Guards: 0.25 + 0.2 + 0.25 and 0.25 + 0.25 + 0.2 differ in the last binary digit and ranked a pair."""
    columns = agreement.rater([Evaluation(**rating(on_topic=a, helpful=b)) for a, b in ((4.4, 3.2), (3.2, 4.4))])
    assert columns["score"][0] == columns["score"][1]


def test_expected_scores_replace_the_summary():
    assert agreement.rater([Evaluation(**rating())], [0.61])["score"].tolist() == [0.61]


def test_the_question_mark_rule():
    human = agreement.rater([Evaluation(**rating(on_topic=p, helpful=6 - p)) for p in (5.0, 4.0, 1.0, 2.0, 3.0)])
    rule = agreement.question_mark_rule(human, np.array([True, True, False, False, False]))
    assert rule["questions"].tolist() == [1, 1, 0, 0, 0]
    assert rule["reveal_answer"].tolist() == [0, 0, 1, 1, 1]
    assert rule["on_topic"].tolist() == [5, 5, 2, 2, 2]  # medians 4.5 (upwards) and 2
    assert rule["helpful"].tolist() == [2, 2, 4, 4, 4]  # medians 1.5 and 4


# --- one judge


def test_a_judge_that_counts_question_marks_is_told_so():
    """The reason for all this: such a judge's Pearson looks good."""
    rows = people()
    found = agreement.analyse_rows(
        judged(rows, lambda _, row: rating("yes" if "?" in row["output"] else "no", 3.0, 3.0)), **FAST
    )
    score = only(found)["statistics"]["score"]
    assert score["pearson"]["value"] > 0.6
    assert score["pearson"]["gain"]["value"] == pytest.approx(0)
    assert score["partial_pearson"]["value"] is None  # nothing is left once the marks are known
    assert score["pairwise_same_kind"]["value"] == 0.5
    assert "GPT-4o agrees with people no better than counting question marks" in only(found)["sentence"]


def test_a_perfect_judge():
    found = only(agreement.analyse_rows(judged(people(), lambda _, row: row["human"]), **FAST))
    score = found["statistics"]["score"]
    for name in ("pearson", "spearman", "partial_pearson", "pairwise", "pairwise_same_kind", "alpha", "icc"):
        assert [score[name][of] for of in ("value", "low", "high")] == pytest.approx([1, 1, 1])
    assert score["bias"]["value"] == 0
    assert "better than counting question marks" in found["sentence"]
    assert "no better" not in found["sentence"] and "chance" not in found["sentence"]


def test_a_judge_that_rates_at_random_does_worse_than_the_rule():
    random = np.random.default_rng(5)
    found = only(agreement.analyse_rows(
        judged(people(), lambda *_: rating(random.choice(["yes", "no"]), float(random.integers(1, 6)))), **FAST
    ))  # fmt: skip
    assert "agrees with people less than counting question marks" in found["sentence"]
    assert "no better than chance on questions, on topic, helpful" in found["sentence"]


def test_a_constant_judge_has_no_correlation_and_no_more_than_chance():
    found = only(agreement.analyse_rows(judged(people(), lambda *_: rating()), **FAST))
    assert found["statistics"]["score"]["pearson"]["value"] is None
    assert found["statistics"]["score"]["pairwise"]["value"] == 0.5
    assert found["statistics"]["questions"]["kappa"]["value"] == 0
    assert "no agreement can be measured" in found["sentence"]


def test_bias_is_judge_less_human():
    harsh = lambda _, row: row["human"] | {"on_topic": 1.0}  # noqa: E731
    rows = people()
    found = only(agreement.analyse_rows(judged(rows, harsh), **FAST))
    lower = 1 - np.mean([row["human"]["on_topic"] for row in rows])
    assert found["statistics"]["on_topic"]["bias"]["value"] == pytest.approx(lower)
    assert found["statistics"]["score"]["bias"]["value"] == pytest.approx(0.05 * lower)
    assert f"scores {-0.05 * lower:.2f} lower than people" in found["sentence"]


def test_answers_that_all_ask_have_no_rule_to_beat():
    rows = [row | {"output": "And then?"} for row in people()]
    sentence = only(agreement.analyse_rows(judged(rows, lambda _, row: row["human"]), **FAST))["sentence"]
    assert "Pearson 1.00" in sentence and "no `?` rule" in sentence


def test_invalid_verdicts_are_left_out_and_counted():
    rows = judged(people(), lambda number, row: None if number < 3 else row["human"])
    found = agreement.analyse_rows(rows, **FAST)
    assert (only(found)["rated"], only(found)["invalid"]) == (37, 3)
    assert only(found)["statistics"]["score"]["pearson"]["value"] == pytest.approx(1)
    assert "on 37 answers (3 more without a valid rating, left out)" in table(found)
    with pytest.raises(ValueError, match=r"GPT-4o: 1 valid verdicts on 40 answers"):
        agreement.analyse_rows(judged(people(), lambda number, row: None if number else row["human"]), **FAST)


def test_rows_of_one_group_or_prompt_are_one_conversation():
    rows = judged(people(), lambda _, row: row["human"])
    same = [row | {"prompt": rows[number // 2]["prompt"]} for number, row in enumerate(rows)]
    grouped = [row | {"group": f"problem {number // 4}"} for number, row in enumerate(rows)]
    counts = [agreement.analyse_rows(some, times=20)["conversations"] for some in (rows, same, grouped)]
    assert counts == [40, 20, 10]


def test_answers_of_one_conversation_say_so():
    rows = [row | {"group": "one"} for row in judged(people(), lambda _, row: row["human"])]
    found = agreement.analyse_rows(rows, **FAST)
    assert "without an interval: all answers are of one conversation" in only(found)["sentence"]
    assert found["comparisons"][0]["p"] is None and "p –" in table(found)


def test_a_judge_made_from_these_ratings_says_so():
    rows = judged(people(), lambda _, row: row["human"])
    assert "fitted" not in only(agreement.analyse_rows(rows, **FAST))["sentence"]
    for row in rows[:30]:
        row["details"] = {"fitted_on": True}
    assert "it was fitted to 30 of these answers" in only(agreement.analyse_rows(rows, **FAST))["sentence"]


def test_the_same_seed_gives_the_same_figures():
    rows = judged(people(), lambda number, _: rating(on_topic=1.0 + number % 4))
    assert agreement.analyse_rows(rows, **FAST) == agreement.analyse_rows(rows, **FAST)


# --- rows


def test_rows_of_the_original_are_enough():
    """Only prompt, output, human, gpt4o: no name, no score, no verdict."""
    rows = judged(people(), lambda _, row: row["human"])
    assert set(rows[0]) == {"prompt", "output", "human", "gpt4o"}
    assert list(agreement.analyse_rows(rows, **FAST)["raters"]) == ["GPT-4o"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [({"human": None}, "row 7.*"), ({"human": rating(on_topic=50.0)}, "row 7.*on_topic"), ({"gpt4o": "yes"}, "row 7")],
)
def test_a_wrong_row_is_named(broken, says):
    rows = judged(people(), lambda _, row: row["human"])
    rows[6] |= broken
    with pytest.raises(ValueError, match=says):
        agreement.analyse_rows(rows)


# --- several judges, raters, runs


def verdict(judge, evaluation, **details):
    return {"judge": judge, "evaluation": evaluation, "score": None, "details": details}


def test_a_panel_is_analysed_member_by_member():
    rows = people()
    for number, row in enumerate(rows):
        good, bad = verdict("good", row["human"]), verdict("bad", rating(on_topic=1.0 + number % 5))
        panel = verdict("panel of good, bad", row["human"], panel=[good, bad])
        row |= {**panel, "gpt4o": panel["evaluation"], "people": {"second.json": rating(helpful=1.0 + number % 3)}}
    found = agreement.analyse_rows(rows, **FAST)
    assert list(found["raters"]) == ["second.json", "panel of good, bad", "good", "bad"]
    names, pearson = found["matrix"]["raters"], found["matrix"]["pearson"]
    assert names == ["people", "second.json", "panel of good, bad", "good", "bad", "`?` rule"]
    assert np.allclose(pearson, np.transpose(pearson)) and np.allclose(np.diag(pearson), 1)
    assert pearson[0][3] == pytest.approx(1)
    duel = next(one for one in found["comparisons"] if one["judges"] == ["good", "bad"])
    assert duel["errors"][0] == 0 < duel["errors"][1] and duel["p"] < 0.01 and duel["pearson_gain"]["low"] > 0
    same = next(one for one in found["comparisons"] if one["judges"] == ["panel of good, bad", "good"])
    assert same["p"] == 1 and same["pearson_gain"]["value"] == 0


def test_judges_are_compared_on_the_answers_that_both_rated():
    rows = people()
    for number, row in enumerate(rows):
        late, early = (row["human"] if number >= 5 else None), (row["human"] if number < 30 else None)
        row |= verdict("both", row["human"], panel=[verdict("late", late), verdict("early", early)])
        row["gpt4o"] = row["human"]
    found = agreement.analyse_rows(rows, **FAST)
    assert next(one for one in found["comparisons"] if one["judges"] == ["late", "early"])["answers"] == 25


def test_a_row_that_lacks_a_judge_is_an_error():
    rows = [row | {"judge": "b" if number == 3 else "a"} for number, row in enumerate(people())]
    rows = judged(rows, lambda _, row: row["human"])
    with pytest.raises(ValueError, match="each row must have one verdict by every judge"):
        agreement.analyse_rows(rows)


def test_retest():
    """Three answers, two runs: the same, one criterion changed, invalid once."""
    rows = people(4)
    again = [rows[0]["human"], rows[1]["human"] | {"helpful": 3.0}, None, rows[3]["human"]]
    rows[1]["human"]["helpful"] = 5.0
    for row, second in zip(rows, again, strict=True):
        row |= {"gpt4o": row["human"], "runs": [verdict("a", row["human"]), verdict("a", second)]}
    found = only(agreement.analyse_rows(rows, **FAST), "a")
    assert (found["retest"]["runs"], found["retest"]["rated"]) == (2, 3)
    values = {name: entry["value"] for name, entry in found["retest"]["statistics"].items()}
    assert values["helpful"] == pytest.approx(2 / 3) and values["questions"] == 1
    assert values["spread"] == pytest.approx((0 + 0.05 * 2 + 0) / 3)
    assert 0 < values["alpha"] < 1 and 0 < values["icc"] < 1
    assert found["rated"] == 4  # compared with people by the first run


# --- words


def test_the_table_fits_a_terminal_and_says_all():
    rows = people()
    for number, row in enumerate(rows):
        long = verdict("a-model-with-a-very-long-name-2024-11-20", rating(on_topic=1.0 + number % 5))
        row |= verdict("panel", row["human"], panel=[long])
        row |= {"gpt4o": row["human"], "runs": [verdict("panel", row["human"], panel=[long])] * 2}
    text = table(agreement.analyse_rows(rows, **FAST))
    assert max(map(len, text.splitlines())) <= WIDTH
    for word in ("Spearman", "partial Pearson given `?`", "pairs ranked alike", "Krippendorff's alpha", "ICC(2,1)",
                 "mean bias", "quadratic kappa", "`?` rule", "against itself: 2 runs", "p < 0.001"):  # fmt: skip
        assert word in text


def test_what_is_undefined_is_shown_as_a_dash():
    assert (shown(None), shown(-0.001, "+"), shown(0.456, "+")) == ("–", "+0.00", "+0.46")
    lines = table(agreement.analyse_rows(judged(people(), lambda *_: rating()), **FAST)).splitlines()
    assert next(line for line in lines if line.startswith("  Pearson")).split()[1] == "–"


@pytest.mark.skipif(not RATINGS.is_file(), reason="the paper's human ratings are not on this machine")
def test_the_marks_alone_correlate_with_the_papers_ratings():
    rows = [
        {"prompt": row["prompt"], "output": row["output"], "human": row["evaluation"], "gpt4o": row["evaluation"]}
        for row in json.loads(RATINGS.read_text(encoding="utf-8"))
    ]
    pearson = only(agreement.analyse_rows(rows, **FAST))["statistics"]["score"]["pearson"]
    assert 0.66 <= pearson["mark_rule"] <= 0.84  # the published study: 0.75 on all 100
