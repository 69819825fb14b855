"""The stage as a user runs it, with the real offline judge; its errors; and, at a server, what a repeat is."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fake_services import Service, chat
from fault_server import FaultServer

import fit_rubric
import human_vs_gpt
from utils import cli
from utils.clients.chat import JudgeError

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = [  # a conversation, a tutor's answer, and our rating of it
    ("Student: 3 boxes hold 12 pens, so one holds 9.", "How did you get from 12 and 3 to 9?", "yes", 5, 5, "no"),
    ("Student: 3 boxes hold 12 pens, so one holds 9.", "No. One box holds 12 / 3 = 4 pens.", "no", 5, 2, "yes"),
    (
        "Student: Half of 30 is 10, I think.",
        "If you put two of your halves together, what do you get?",
        "yes",
        5,
        5,
        "no",
    ),
    ("Student: Half of 30 is 10, I think.", "Half of 30 is 15.", "no", 5, 1, "yes"),
    ("Student: My loop never ends. while i < 5: print(i)", "Where does i change in your loop?", "yes", 5, 4, "no"),
    ("Student: My loop never ends. while i < 5: print(i)", "Bananas are yellow.", "no", 1, 1, "no"),
    ("Student: What is a prime?", "Which numbers divide 7 without a rest?", "yes", 4, 4, "no"),
    ("Student: What is a prime?", "Good.", "no", 2, 1, "no"),
]


def rated(**changes):
    return [
        {"prompt": prompt, "output": output} | {"evaluation": {
            "questions": asks, "on_topic": on_topic, "helpful": helpful, "reveal_answer": reveals,
        } | changes}
        for prompt, output, asks, on_topic, helpful, reveals in ANSWERS
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """Run the stage with flags on rated rows, and on other people's files; the artifacts are in `tmp_path / "out"`."""

    def run(rows, *flags, people=()):
        humans = tmp_path / "humans.json"
        humans.write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
        out = str(tmp_path / "out" / "human_vs_gpt.json")
        args = human_vs_gpt.parse_args(["--humans", str(humans), *map(str, people), "--output-path", out, *flags])
        return cli.call(human_vs_gpt.main, args)

    return run


def artifact(tmp_path, suffix=".json"):
    return json.loads((tmp_path / "out" / f"human_vs_gpt{suffix}").read_text(encoding="utf-8"))


def test_the_stage_end_to_end(run, tmp_path, capsys):
    found = run(rated())
    rows = artifact(tmp_path)
    assert artifact(tmp_path, ".agreement.json") == found
    assert [(row["prompt"], row["output"]) for row in rows] == [row[:2] for row in ANSWERS]
    for row, human in zip(rows, rated(), strict=True):
        assert row["human"] == human["evaluation"]
        assert row["judge"] == "offline rubric" and row["raw_evaluation"] and row["evaluation_error"] is None
        assert 0.1 <= row["score"] <= 1
    assert rows[0]["human_score"] == 1 and rows[3]["human_score"] == pytest.approx(0.05 * 5 + 0.05 * 1)
    assert [row["gpt4o"]["questions"] for row in rows[:2]] == ["yes", "no"]
    assert (found["answers"], found["conversations"], found["with_question_mark"]) == (8, 4, 4)
    printed = capsys.readouterr().out
    assert found["raters"]["offline rubric"]["sentence"] in printed.replace("\n", " ")
    assert max(map(len, printed.split("\nrows: ")[0].splitlines())) <= 80


def test_limit_takes_the_first_answers_and_never_fewer_than_agreement_needs(run, tmp_path):
    """`--limit` did not limit it: a cheap trial paid for every rated answer."""
    assert run(rated(), "--limit", "3")["answers"] == 3
    assert [row["output"] for row in artifact(tmp_path)] == [output for _, output in (row[:2] for row in ANSWERS[:3])]
    assert run(rated(), "--limit", "1", "--overwrite")["answers"] == 2


def test_an_artifact_is_replaced_only_when_asked(run):
    found = run(rated())
    with pytest.raises(FileExistsError, match="--overwrite"):
        run(rated())
    assert run(rated(), "--overwrite") == found


@pytest.fixture
def server(monkeypatch):
    with FaultServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


LLM = ("--judge-llm", "openai", "sk-0123456789", "judge-1")


def test_a_repeat_is_asked_anew_and_with_another_seed(run, tmp_path, server):
    """Guards: a second run that reads the first one's replies from the journal, or has its seed, tells nothing."""
    found = run(rated(), *LLM, "--repeats", "3")
    assert Counter(body["seed"] for body in server.bodies) == {0: 8, 3: 8, 6: 8}  # up to three attempts each
    assert len(artifact(tmp_path)[0]["runs"]) == 3
    retest = found["raters"]["judge-1"]["retest"]
    assert (retest["runs"], retest["rated"]) == (3, 8)
    assert retest["statistics"]["spread"]["value"] == 0  # this server grades by a fixed rule

    assert run(rated(), *LLM, "--repeats", "3", "--overwrite") == found
    assert len(server.bodies) == 24  # what was paid for is in the journal


def test_a_reply_that_stays_invalid_is_no_rating(run, tmp_path, server):
    """Guards: a failed parse that becomes a score, or a judge that is dropped without a word."""
    bad = rated()[0]["output"]
    server.faults = lambda _, body: "maybe" if bad in json.dumps(body["messages"]) else None
    found = run(rated(), *LLM, "--max-invalid", "0.2")
    row = artifact(tmp_path)[0]
    assert row["gpt4o"] is None and row["score"] is None and "questions" in row["evaluation_error"]
    assert (found["raters"]["judge-1"]["rated"], found["raters"]["judge-1"]["invalid"]) == (7, 1)


def test_a_second_person_is_a_rater_like_any_other(run, tmp_path):
    second = tmp_path / "second.json"
    second.write_text(json.dumps(rated(helpful=3)), encoding="utf-8")
    found = run(rated(), people=[second])
    assert list(found["raters"]) == [str(second), "offline rubric"]
    assert found["raters"][str(second)]["statistics"]["questions"]["kappa"]["value"] == 1
    assert artifact(tmp_path)[0]["people"][str(second)]["helpful"] == 3

    second.write_text(json.dumps(rated()[::-1]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"second.json, row 1: another prompt or output than in .*humans.json"):
        run(rated(), "--overwrite", people=[second])
    second.write_text(json.dumps(rated()[:3]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"second.json has 3 rows, .*humans.json has 8"):
        run(rated(), "--overwrite", people=[second])


def test_people_who_share_a_file_are_told_apart(run, tmp_path, capsys):
    """Guards: one answer, rated by two people, that counts as two answers (`rate` writes one row for each rater)."""
    ann = [row | {"rater": "Ann"} for row in rated()]
    ben = [row | {"rater": "Ben"} for row in rated(helpful=3)[:5]]
    other = {**ben[0], "output": "Hm?"}
    found = run([*ben, *ann, other])
    assert found["answers"] == 8 and list(found["raters"]) == ["Ben", "offline rubric"]
    assert (found["raters"]["Ben"]["rated"], found["raters"]["Ben"]["invalid"]) == (5, 3)
    assert artifact(tmp_path)[0]["people"]["Ben"]["helpful"] == 3 and artifact(tmp_path)[7]["people"]["Ben"] is None
    printed = capsys.readouterr().out
    assert "people: Ann, 8 answers; compared with it: Ben, 6" in printed and "left out: 1 answers" in printed


def test_a_panel_is_told_apart(run):
    found = run(rated(), "--judge-llm", "offline", "--judge-llm", "offline")
    assert list(found["raters"]) == ["panel of offline rubric, offline rubric", "offline rubric", "offline rubric (2)"]


def test_a_judge_fitted_on_these_ratings_says_so(run, tmp_path):
    """Guards: a judge that shines on the ratings that it was made from."""
    weights, humans = tmp_path / "weights.json", tmp_path / "humans.json"
    humans.write_text(json.dumps(rated()), encoding="utf-8")
    fit_rubric.main(humans=[str(humans)], output_path=str(weights))
    found = run(rated(), "--judge-llm", "offline", str(weights))
    assert "it was fitted to 8 of these answers" in found["raters"]["offline rubric (weights)"]["sentence"]


def broken(row, **changes):
    rows = rated()
    rows[row - 1] |= changes
    return rows


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("[{]", r"humans.json.*not a whole JSON file"),
        ({"prompt": "x"}, "expected a JSON list"),
        ([], "two or more rated answers"),
        (broken(2, evaluation=None), "row 2: no `evaluation` by a person"),
        (broken(3, evaluation={"questions": "yes"}), "row 3: not a valid evaluation .*on_topic: Field required"),
        (broken(4, evaluation=rated(on_topic=50)[0]["evaluation"]), "row 4: .*on_topic: Input should be less than"),
        (broken(5, evaluation=rated(questions="maybe")[0]["evaluation"]), "row 5: .*questions: Input should be 'yes'"),
        (broken(5, judge="offline rubric"), "row 5: a judge rated it .offline rubric.; expected people's ratings"),
        (broken(6, output=None), "row 6: expected an object with the texts `prompt` and `output`"),
    ],
)
def test_bad_ratings_are_named_before_anything_is_graded(run, tmp_path, rows, says):
    with pytest.raises(ValueError, match=says) as error:
        run(rows)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_error_is_one_line_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "human_vs_gpt", "--humans", str(tmp_path / "none.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "none.json" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"), [("known_answer", 4), ("known_answer", ["4"]), ("output", "\ud83d"), ("prompt", "\ud83d")]
)
def test_an_odd_field_of_a_rated_row_is_named(tmp_path, name, value):
    """Each was a traceback, after all was graded."""
    rating = {"questions": "yes", "on_topic": 4, "helpful": 3, "reveal_answer": "no"}
    rows = [{"prompt": "Student: 1?", "output": "What?", "evaluation": rating} for _ in range(2)]
    rows[1][name] = value
    (tmp_path / "rated.json").write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="row 2: "):
        human_vs_gpt.read_people([tmp_path / "rated.json"])


def test_a_judge_without_valid_verdicts_is_no_wrong_input(run):
    """--max-invalid 1 let them all pass, and the run ended as if its input were wrong."""
    with Service(lambda body: chat("no verdict")) as server:
        flags = ["--judge-llm", "openai", "none", "m", "--max-invalid", "1"]
        with pytest.MonkeyPatch.context() as patch, pytest.raises(JudgeError, match="two valid verdicts or more"):
            patch.setenv("OPENAI_BASE_URL", server.url)
            run(rated(), *flags)
