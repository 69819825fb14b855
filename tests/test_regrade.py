"""Stored answers graded again by another judge, at a server that counts what it is asked."""

import json

import pytest
from fault_server import FaultServer

import regrade
from utils import cli
from utils.errors import BadInput
from utils.records import Evaluation

KEY = "sk-secret-0123456789"


def entry(text, on_topic):
    evaluation = Evaluation(questions="yes", on_topic=on_topic, helpful=on_topic, reveal_answer="no")
    return {
        "output": text, "evaluation": evaluation.model_dump(), "score": evaluation.score, "judge": "former",
        "raw_evaluation": "{}", "evaluation_error": None,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    def start(rows, *more, server):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        (tmp_path / "old.json").write_text(json.dumps(rows))
        flags = ["--artifact", str(tmp_path / "old.json"), "--output-path", str(tmp_path / "new.json"), *more]
        found = cli.call(regrade.main, regrade.parse_args([*flags, "--judge-llm", "openai", KEY, "judge-1"]))
        return found, json.loads((tmp_path / "new.json").read_text())

    return start


def test_an_evaluation_keeps_its_former_verdicts(run):
    rows = [{"id": f"r{n}", "prompt": f"Student: {n}?", **entry(f"What is {n}?", 2)} for n in range(8)]
    with FaultServer() as server:
        found, new = run(rows, server=server)
        assert len(server.bodies) == 8
        _, twice = run(new, "--overwrite", server=server)
        assert len(server.bodies) == 8, "the same judge was asked, and paid, again"
    assert [row["earlier"][0]["judge"] for row in new] == ["former"] * 8
    assert {row["judge"] for row in new} == {"judge-1"}
    assert [len(row["earlier"]) for row in twice] == [2] * 8
    assert found["compared"] == 8 and found["mean_before"] == pytest.approx(0.5 + 0.5 * 2 / 5)
    assert [row["output"] for row in new] == [row["output"] for row in rows]


@pytest.mark.parametrize("asked", [False, True])
def test_the_former_judges_gain_does_not_pass_for_this_ones(run, asked):
    """Guards: a row by one judge with the own-dialogue gain by another. Recomputed by hand where it is asked for."""
    gain = {"own_dialogue_gain": 0.4, "on_others": [{"id": "r1", "score": 0.5, "details": {}}]}
    rows = [{"id": f"r{n}", "group": f"p{n}", "prompt": f"Student: {n}?", **entry(f"What is {n}?", 2), **gain}
            for n in range(8)]  # fmt: skip
    with FaultServer() as server:
        found, new = run(rows, *(["--own-dialogue-gain"] if asked else []), server=server)
        assert len(server.bodies) == 8 + 5 * 8 * asked
    assert all(row["earlier"][0]["own_dialogue_gain"] == 0.4 and row["earlier"][0]["on_others"] for row in new)
    if not asked:
        assert not any("own_dialogue_gain" in row or "on_others" in row for row in new)
        return
    for row in new:
        assert [one["judge"] for one in row["on_others"]] == ["judge-1"] * 5
        assert row["own_dialogue_gain"] == pytest.approx(row["score"] - sum(o["score"] for o in row["on_others"]) / 5)
    assert found["own_dialogue_gain"] == pytest.approx(sum(row["own_dialogue_gain"] for row in new) / 8)


def test_a_judge_that_costs_nothing_finds_its_own_gain(tmp_path):
    """Rows of the original's, without a group: each prompt is one."""
    rows = [{"prompt": f"Student: {n} x 3 is {n + 3}?", **entry(f"How did you get {n + 3}?", 2)} for n in range(8)]
    (tmp_path / "old.json").write_text(json.dumps(rows))
    flags = ["--artifact", str(tmp_path / "old.json"), "--output-path", str(tmp_path / "new.json")]
    cli.call(regrade.main, regrade.parse_args(flags))
    new = json.loads((tmp_path / "new.json").read_text())
    assert {row["judge"] for row in new} == {one["judge"] for row in new for one in row["on_others"]}
    assert all(len(row["on_others"]) == 5 and row["own_dialogue_gain"] is not None for row in new)


def test_a_training_set_gets_its_pairs_chosen_anew(run):
    rows = [
        {"prompt": f"Student: {n}?", "all_evaluations": [entry(f"What is {n} and {k}?", 3) for k in range(5)]}
        for n in range(4)
    ]
    with FaultServer() as server:
        _, new = run(rows, "--min-chosen-score", "0.5", server=server)
        assert len(server.bodies) == 20
    for row in new:
        scores = {one["output"]: one["score"] for one in row["all_evaluations"]}
        assert len(scores) == 5 and {one["judge"] for one in row["all_evaluations"]} == {"judge-1"}
        if row["eligible"]:
            assert scores[row["chosen"]] == max(scores.values()) > scores[row["rejected"]] == min(scores.values())
    assert any(row["eligible"] for row in new)


@pytest.mark.parametrize(
    "rows", [[], {}, ["text"], [{"prompt": "x"}], [{"output": "x"}], [{"prompt": "x", "output": "y", "human": {}}]]
)
def test_other_files_are_refused_before_anything_is_asked(run, rows):
    with FaultServer() as server:
        with pytest.raises(ValueError, match=r"old\.json"):
            run(rows, server=server)
        assert server.bodies == [] and server.paths == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("score", "0.8"), ("score", float("nan")), ("score", [1]), ("known_answer", 4), ("known_answer", ["4"]),
     ("output", "half an emoji \ud83d"), ("prompt", "\ud83d"), ("earlier", "x")],
)  # fmt: skip
def test_an_odd_field_is_named_before_anything_is_asked(run, name, value):
    """Each was a traceback, most of them after all was graded; a text as `earlier` became its letters."""
    rows = [{"prompt": "Student: 1?", **entry("What is 1?", 2)}, {"prompt": "Student: 2?", **entry("What is 2?", 2)}]
    rows[1][name] = value
    with FaultServer() as server:
        with pytest.raises(BadInput, match=f"row 2: odd `{name}`"):
            run(rows, server=server)
        assert not server.bodies
