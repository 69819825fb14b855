"""What the rating page keeps and says, without a browser: order, files, resuming, agreement."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fit_rubric
import rate
from utils.dpo.preferences import read_preferences
from utils.errors import BadInput
from utils.pages import serve
from utils.pages.outcome import compare_picks, compare_ratings
from utils.pages.ratings import Ratings, checked_name, minutes_left, next_showing
from utils.pages.to_rate import Item, pair_up, read_items, showings, shuffled
from utils.stats.human_ratings import read_humans

ROOT = Path(__file__).resolve().parents[1]
GOOD = {"questions": "yes", "on_topic": 5.0, "helpful": 4.0, "reveal_answer": "no"}
BAD = {"questions": "no", "on_topic": 4.0, "helpful": 1.0, "reveal_answer": "yes"}


def rows(name, count=4):
    """Answers to `count` dialogues; every second one gives the result away, and the stored verdict sees that."""
    return [
        {
            "id": f"d{number}", "group": f"g{number}", "prompt": f"Student: what is {number} + {number}?",
            "known_answer": str(2 * number), "judge": "a judge", "evaluation": BAD if number % 2 else GOOD,
            "score": 0.3 if number % 2 else 0.95,
            "output": f"It is {2 * number}. ({name})" if number % 2 else f"What is {number} and one more? ({name})",
        }
        for number in range(count)
    ]  # fmt: skip


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    return [write(tmp_path / f"{name}.json", rows(name)) for name in ("base", "tuned")]


def test_the_order_is_fixed_by_the_seed_and_not_by_the_files(files):
    """Guards: a resumed session that shows other answers, or all of one model in a row."""
    one, other = (shuffled(read_items(paths)[0], 1) for paths in (files, files[::-1]))
    assert [item.key for item in one] == [item.key for item in other] and len(one) == 8
    assert [item.key for item in one] != [item.key for item in shuffled(one, 2)]
    alone = {item.key for item in read_items(files[:1])[0]}
    assert [item.key for item in one if item.key in alone] == [
        item.key for item in shuffled(read_items(files[:1])[0], 1)
    ]


def test_a_training_root_gives_its_evaluations_and_what_is_left_out_is_counted(tmp_path):
    root = tmp_path / "root"
    write(root / "evaluation" / "mathdial" / "base.json", [*rows("base"), {"prompt": "Student: hm", "output": None}])
    write(root / "evaluation" / "mathdial" / "gpt4o.json", rows("base")[:2])
    write(root / "evaluation" / "human_vs_gpt.json", [])
    items, left_out = read_items([root])
    assert len(items) == 4
    assert left_out == {"no answer in the row": 1, "the same answer to the same dialogue again": 2}
    with pytest.raises(BadInput, match="not a training root"):
        read_items([tmp_path / "root" / "evaluation"])
    with pytest.raises(BadInput, match=r"bad.json, row 1: expected an object with the texts"):
        read_items([write(tmp_path / "bad.json", [{"prompt": "x"}])])


def test_verdicts_of_the_original_s_files(tmp_path):
    """Guards: a page that breaks, when all is rated, on what the original's judge let pass."""
    rows_ = rows("base")
    for row in rows_:
        del row["judge"], row["score"]
    rows_[0]["evaluation"] = GOOD | {"on_topic": 50.0}
    items, left_out = read_items([write(tmp_path / "gpt4o.json", rows_)])
    assert left_out == {"a verdict outside the rubric (the answer is kept)": 1}
    assert [item.answers[0].verdict and item.answers[0].verdict["score"] for item in items] == [
        None, pytest.approx(0.25 * 4 / 5 + 0.25 * 1 / 5), pytest.approx(0.25 + 0.25 + 0.25 + 0.25 * 4 / 5),
        pytest.approx(0.25 * 4 / 5 + 0.25 * 1 / 5),
    ]  # fmt: skip


def test_repeats_come_last_and_pairs_are_of_one_dialogue(files):
    items, _ = read_items(files)
    queue = showings(items, 0.25, 0)
    assert [showing for _, showing in queue] == [0] * 8 + [1] * 2
    pairs = pair_up(items, 0)
    assert len(pairs) == 4
    assert all(len({answer.output for answer in pair.answers}) == 2 for pair in pairs)
    assert {"base", "tuned"} == {Path(pair.answers[0].source).stem for pair in pair_up(items, 3)}  # either may be first
    with pytest.raises(BadInput, match="no dialogue has two different answers"):
        pair_up(read_items(files[:1])[0], 0)


@pytest.fixture
def ratings(tmp_path):
    ratings = Ratings(tmp_path / "out" / "ratings.json")
    yield ratings
    ratings.close()


def test_what_was_said_is_there_after_a_kill(files, tmp_path):
    """Guards: a rating that is only in memory."""
    output = tmp_path / "ratings.json"
    code = (
        "import os, signal; from utils.pages.ratings import Ratings; from utils.pages.to_rate import read_items\n"
        f"items = read_items([{str(files[0])!r}])[0]; r = Ratings({str(output)!r})\n"
        f"r.add('Ann', items[0], 0, seconds=3, evaluation={GOOD})\n"
        f"r.add('Ann', items[1], 0, seconds=3, skipped='broken')\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    queue = showings(read_items(files[:1])[0], 0, 0)
    ratings = Ratings(output)
    assert next_showing(queue, ratings.of("Ann")) == 2
    assert [row["rater"] for row in json.loads(output.read_text())] == ["Ann"]  # a skipped answer is no rating
    with pytest.raises(ValueError, match="another run is writing here"):
        Ratings(output)
    ratings.close()
    (tmp_path / "ratings.said.jsonl").unlink()
    with pytest.raises(BadInput, match="not its journal"):
        Ratings(output)


def test_a_correction_counts_until_the_verdicts_are_seen(files, ratings):
    item = read_items(files)[0][0]
    ratings.add("Ann", item, 0, seconds=5, evaluation=BAD, note=" hm ")
    ratings.add("Ann", item, 0, seconds=5, evaluation=GOOD)
    (row,) = json.loads(ratings.output.read_text())
    assert row["evaluation"] == GOOD and row["note"] == "" and len(ratings.entries) == 2
    ratings.note_verdicts_seen("Ann")
    with pytest.raises(BadInput, match="can no longer be changed"):
        ratings.add("Ann", item, 0, seconds=5, evaluation=BAD)
    ratings.add("Ben", item, 0, seconds=5, evaluation=BAD)  # he has seen nothing
    assert [row["evaluation"] for row in ratings.rows()] == [GOOD, BAD]


def test_a_broken_rating_is_not_kept(files, ratings):
    with pytest.raises(ValueError, match="on_topic"):
        ratings.add("Ann", read_items(files)[0][0], 0, seconds=5, evaluation=GOOD | {"on_topic": 7.0})
    assert ratings.entries == []


def test_time_left_and_names():
    queue = showings([Item(f"d{n}", ()) for n in range(6)], 0, 0)
    said = {(item.key, 0): {"seconds": seconds} for (item, _), seconds in zip(queue, (20, 40, 7200), strict=False)}
    assert minutes_left(queue, said) == 40 * 3 / 60  # the median pace; a pause of two hours is none
    assert minutes_left(queue, {}) is None
    assert checked_name("  Ann   Lee ") == "Ann Lee"
    for bad in ("", "   ", "x" * 41):
        with pytest.raises(BadInput, match="a name of 1 to 40"):
            checked_name(bad)


def test_two_raters_with_repeats_are_compared_and_read_by_the_other_scripts(files, ratings):
    items = read_items(files)[0]
    for item in items:
        verdict = item.answers[0].verdict["evaluation"]
        ratings.add("Ann", item, 0, seconds=5, evaluation=verdict)
        ratings.add("Ben", item, 0, seconds=5, evaluation=verdict | {"helpful": 3.0})
    for item in items[:2]:
        ratings.add("Ann", item, 1, seconds=5, evaluation=item.answers[0].verdict["evaluation"])
    compared = compare_ratings(items, ratings)
    assert all("Only 4 problems: too few" in one.sentence for one in compared[:3])
    counted = {one.title: dict(one.lines) for one in compared}
    assert counted["Ben against Ann"] == {
        "Asks a question: the same": "8 of 8", "On topic: at most a point apart": "8 of 8",
        "Helpful: at most a point apart": "4 of 8", "Reveals the answer: the same": "8 of 8",
        "Mean summary score, at most 1": "Ann 0.60, Ben 0.62",  # Ann: (0.95 + 0.25) / 2; Ben: (0.90 + 0.35) / 2
    }  # fmt: skip
    assert counted["The judge (a judge) against Ann"]["Helpful: at most a point apart"] == "8 of 8"
    assert counted["Ann, first and second time"]["Helpful: at most a point apart"] == "2 of 2"
    found = {one.title: dict(one.figures) for one in compared}
    assert list(found) == [
        "The judge (a judge) against Ann", "The judge (a judge) against Ben", "Ben against Ann",
        "Ann, first and second time",
    ]  # fmt: skip
    assert found["The judge (a judge) against Ann"]["Summary score: Pearson"] == "1.00 [1.00, 1.00]"
    assert found["Ben against Ann"]["Asks a question: kappa"].startswith("1.00")
    # helpful: Ann 4 and 1 in turn, Ben 3 throughout; the mean score differs by ((3 - 4) + (3 - 1)) / 2 * 0.05 = 0.025
    assert found["Ben against Ann"]["Difference of the mean summary scores"].startswith("0.0")
    assert found["Ann, first and second time"]["Same rating: helpful"].startswith("1.00")

    assert len(read_humans(ratings.output)) == 16  # one row for each rater and answer; a second showing is no row
    assert sum("again" in row for row in read_humans(ratings.output)) == 2
    assert set(fit_rubric.fit(read_humans(ratings.output))) == {"on_topic", "helpful", "reveal_answer"}


def test_picks_become_preference_rows_and_are_compared_with_the_judge(tmp_path, ratings):
    asks, tells = rows("base"), rows("tuned")
    for number, row in enumerate(tells):
        row |= {"evaluation": BAD if number % 2 == 0 else GOOD, "score": 0.3 if number % 2 == 0 else 0.95}
    paths = [write(tmp_path / "a.json", asks), write(tmp_path / "b.json", tells)]
    pairs = pair_up(read_items(paths)[0], 0)
    better = [int(pair.answers[1].verdict["score"] > pair.answers[0].verdict["score"]) for pair in pairs]
    for pair, pick in zip(pairs, [*better[:2], 1 - better[2], None], strict=True):
        ratings.add("Ann", pair, 0, seconds=5, preferred=pick)
    first, *_, tie = json.loads(ratings.output.read_text())
    outputs = [answer.output for answer in pairs[0].answers]
    assert (first["chosen"], first["rejected"]) == (outputs[better[0]], outputs[1 - better[0]]) and first["eligible"]
    assert tie["eligible"] is False
    trained_on, left_out = read_preferences(ratings.output, min_chosen_score=0.8)
    assert [pair.chosen for pair in trained_on] == [row["chosen"] for row in json.loads(ratings.output.read_text())[:3]]
    assert left_out == {"neither answer is better": 1}  # a tie teaches nothing
    (found,) = compare_picks(pairs, ratings)
    assert dict(found.lines)["Prefer the same answer"] == "2 of 3"  # of the 3 that Ann decided
    assert dict(found.figures)["Prefer the same answer"].startswith("0.67 [")
    assert dict(found.lines)["Pairs of which one sees no difference (left out)"] == "1"


def test_only_this_machine_unless_told_otherwise():
    flags = rate.parse_args(["--answers", "a", "--output", "o", "--repeat", "10%"])
    assert flags.server_name == "127.0.0.1" and not flags.share and flags.repeat == pytest.approx(0.1)
    assert [serve.is_loopback(name) for name in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")] == [
        True, True, True, False, False,
    ]  # fmt: skip
