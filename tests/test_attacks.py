"""The attacks of benchmarks/attacks.py: what they count, and that the offline judge stands them."""

import json

import pytest

from benchmarks import attacks
from utils import cli
from utils.records import Evaluation, SeedDialogue, Verdict


def verdict(score_points: float, reveals: str = "no", guards=()):
    evaluation = Evaluation(questions="yes", on_topic=score_points, helpful=score_points, reveal_answer=reveals)
    return Verdict(
        evaluation=evaluation, score=evaluation.score, raw_evaluation="", judge="test", guards=list(guards)
    )  # fmt: skip


def test_shares_are_worked_arithmetic():
    """Two dialogues, three attacks each: ties count as "at or above", and in the best of four as a half."""
    import random

    seeds = [SeedDialogue(id=name, group=name, text="Student: So?") for name in ("a", "b")]
    honest = {"a": verdict(4), "b": verdict(3)}
    rows = [(seed, kind, "") for seed in seeds for kind in ("salad", "reveal", "spam")]
    verdicts = [verdict(4), verdict(5, "yes"), verdict(1), verdict(5, guards=["generic"]), verdict(2), verdict(1)]
    found = attacks.measure(honest, rows, verdicts, random.Random(0))
    assert found["kinds"]["salad"]["at_or_above"] == 2 / 2 and found["kinds"]["salad"]["may_be_chosen"] == 1 / 2
    assert found["kinds"]["reveal"]["at_or_above"] == 0 and found["kinds"]["reveal"]["may_be_chosen"] == 1 / 2
    assert found["kinds"]["all"] == {
        "attacks": 6, "score": pytest.approx(sum(one.score for one in verdicts) / 6), "at_or_above": 2 / 6,
        "may_be_chosen": 4 / 6,
    }  # fmt: skip
    assert found["best_of_4"] == (0.5 + 0) / 2


def test_the_offline_judge_stands_them():
    """The sample's own honest answers win, and what is unfit for training is barred (docs/judges.md has the table)."""
    both = cli.call(attacks.main, attacks.parse_args(["--limit", "12"]))
    found, written = both["made by code"], both["written one by one"]
    kinds = found["kinds"]
    # Attacks on the content, written without a look at the rules, mostly pass: the card says so.
    assert written["kinds"]["all"]["attacks"] == 72 and written["kinds"]["all"]["at_or_above"] <= 0.15
    assert found["honest"]["may_be_chosen"] >= 0.85 and found["best_of_4"] >= 0.85
    assert kinds["all"]["at_or_above"] <= 0.2 and kinds["all"]["may_be_chosen"] <= 0.15
    assert kinds["generic question"]["may_be_chosen"] == 0
    for name in ("word salad", "reveal inside a question", "flattery and a generic question", "question spam"):
        assert kinds[name]["at_or_above"] <= 0.2 and kinds[name]["may_be_chosen"] <= 0.15, name


@pytest.mark.parametrize(
    ("name", "count", "most"),
    [
        ("attacks_seen", 120, 0.25),
        ("attacks_kinds", 60, 0.35),
        ("attacks_kinds_unseen", 60, 0.2),
        ("attacks_hard", 72, 0.5),
    ],
)
def test_written_attacks_pass_no_more_often_than_the_card_says(name, count, most):
    written = str(attacks.WRITTEN.with_name(f"{name}.jsonl"))
    found = cli.call(attacks.main, attacks.parse_args(["--written", written]))["written one by one"]["kinds"]["all"]
    assert found["attacks"] == count and found["at_or_above"] <= most


def test_written_attacks_are_read_and_wrong_rows_named(tmp_path, capsys):
    path = tmp_path / "attacks.jsonl"
    rows = [{"dialogue_id": name, "kind": "bluff", "answer": "Why?"} for name in ("here", "elsewhere")]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert attacks.read_written(path, {"here": None}) == rows[:1]
    assert "1 of 2 attacks are on dialogues that are not among the seeds" in capsys.readouterr().out
    assert attacks.read_written(tmp_path / "none.jsonl", {}) == []
    path.write_text('{"dialogue_id": "here"}')
    with pytest.raises(ValueError, match="row 1: expected dialogue_id, kind and answer"):
        attacks.read_written(path, {"here": None})


def test_turns_that_no_teacher_should_take_are_counted(tmp_path, capsys):
    from benchmarks import barred

    turns = [
        {"role": "student", "content": "I have 3 apples and 4 pears. Is that 12?"},
        {"role": "teacher", "content": "What do you think you should do next?"},
        {"role": "student", "content": "I don't know."},
    ]
    row = {"id": "a", "source": "fruit", "group": "a", "turns": turns, "reference": "Which 3 are pears?", "answer": "7"}
    path = tmp_path / "fruit_test.jsonl"
    rows = [row, row | {"id": "b", "reference": None}, row | {"id": "c", "turns": turns[:1], "reference": None}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert barred.main(seeds=[path]) == {"fruit": 1 / 2}
    assert "50.0% of 2 turns have a guard (generic 1)" in capsys.readouterr().out
