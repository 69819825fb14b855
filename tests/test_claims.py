"""The sentences that a finished run may say of its tutors, from files as the stages write them."""

import json

import pytest
from scipy import stats

import figures

GOOD = {"questions": "yes", "on_topic": 5, "helpful": 5, "reveal_answer": "no"}


def write(root, dataset, model, scores):
    path = root / "evaluation" / dataset / f"{model}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"{dataset}-{n}", "group": f"p{n}", "prompt": f"Student: {n}?", "output": "Why?", "evaluation": GOOD,
         "score": score, "judge": "offline rubric"}
        for n, score in enumerate(scores)
    ]  # fmt: skip
    path.write_text(json.dumps(rows))


@pytest.fixture
def root(tmp_path):
    base = [0.40 + 0.02 * n for n in range(12)]
    write(tmp_path, "mathdial", "base", base)
    write(tmp_path, "mathdial", "from_finetuned_with_mathdial", [s + 0.3 + 0.02 * (n % 3) for n, s in enumerate(base)])
    write(tmp_path, "tutorchat", "base", base)
    write(tmp_path, "tutorchat", "from_finetuned_with_tutorchat", [s + 0.1 * (-1) ** n for n, s in enumerate(base)])
    write(tmp_path, "tutorchat", "from_finetuned_with_mathdial", [s + 0.3 for s in base])
    return tmp_path


def test_better_is_said_only_where_the_corrected_interval_says_so(root, capsys):
    """Two of three tutors were called better than their base, on intervals that overlapped."""
    mathdial, tutorchat = figures.main(str(root))["claims"]
    # (0.30 + 0.32 + 0.34) / 3 = 0.32
    assert "On MathDial, the tutor trained on MathDial is better than base: +0.32 [+0.2" in mathdial
    assert (
        "12 dialogues on 12 problems" in mathdial and "1 of 2 primary comparisons, p < 0.001" in mathdial
    )  # 2 / 2**12 by Holm: times 2
    assert "cannot be told apart: +0.00 [" in tutorchat and "would not show with 12 problems" in tutorchat
    assert mathdial in capsys.readouterr().out
    text = (root / "figures" / "claims.md").read_text()
    assert mathdial in text and tutorchat in text and text.startswith("Primary, named beforehand: ")
    table = (root / "figures" / "table_1.md").read_text()
    assert table.count("| primary (of 2)") == 2 and table.count("| secondary ") == 1


def test_the_p_is_that_of_an_independent_sign_test(root):
    """All 12 differences are positive: of 2^12 sign patterns two are as extreme; Holm doubles the smaller p."""
    from utils.results.claims import compare

    both = [({"id": str(n), "score": 0.7, "group": str(n)}, {"score": 0.4 + 0.01 * n}) for n in range(12)]
    [one] = compare([both])
    assert one["p"] == pytest.approx(2 / 2**12) and one["p_corrected"] == one["p"]
    plain = stats.ttest_1samp([0.3 - 0.01 * n for n in range(12)], 0).confidence_interval()
    assert (
        plain.low - 0.06 < one["low"] <= plain.low and plain.high <= one["high"] < plain.high + 0.06
    )  # never narrower


def test_a_tree_without_base_claims_nothing(tmp_path):
    write(tmp_path, "mathdial", "from_finetuned_with_mathdial", [0.5, 0.6])
    assert figures.main(str(tmp_path))["claims"] == []
