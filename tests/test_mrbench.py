"""MRBench: its traps, the figures as worked arithmetic, the stage and the download."""

import json

import numpy as np
import pytest

import mrbench
from tests.fake_hub import FakeHub
from tests.mrbench_sample import FLORIST, write_sample
from utils import cli
from utils.records import Evaluation, Verdict
from utils.sources.mrbench import DESIDERATA, SOURCE, fetch_mrbench, half_of, read_mrbench
from utils.stats import labels
from utils.stats.labels import analyse, auc


@pytest.fixture
def rows(tmp_path):
    return read_mrbench(write_sample(tmp_path))


def test_every_answer_is_read_once_with_all_its_labels(rows):
    """Ids repeat within a file, and the development set has dialogues of V2 again, with fewer labels."""
    assert len(rows) == 4 + 3 + 2 + 1
    assert len({(row.dialogue, row.tutor) for row in rows}) == len(rows)
    florist = [row for row in rows if row.dialogue == "77-abc"]
    assert all(set(DESIDERATA) <= row.labels.keys() for row in florist)
    (only_four,) = (row for row in rows if row.dialogue == "79-ghi")
    assert only_four.desiderata is None and only_four.known_answer is None and only_four.part == "MathDial"
    assert {row.group for row in florist} == {only_four.group}  # another dialogue on the same problem


def test_traps_of_the_texts(rows):
    by_tutor = {row.tutor: row for row in rows if row.dialogue == "77-abc"}
    assert by_tutor["GPT4"].answer == "There are 4 x 9 = 36 roses, not 13."  # stray quotes
    assert by_tutor["Phi3"].answer == "Great work!"  # a leading "Tutor:"
    talk = by_tutor["Phi3"].conversation
    assert talk.startswith("Teacher: Hi, ") and talk.endswith("\nStudent: 9 roses, so 13.") and "Tutor:" not in talk
    bridge = next(row for row in rows if row.part == "Bridge")
    assert bridge.conversation == "Teacher: What is the value of 3 times 8?\nStudent: 32"  # no-break spaces
    assert (by_tutor["GPT4"].known_answer, bridge.known_answer) == ("36", None)


def test_sum_of_the_eight(rows):
    """Six labels, not revealing, and the tone: "to some extent" and neutral are halves, wrong answers revealed too."""
    found = {row.tutor: row.desiderata for row in rows if row.dialogue == "77-abc"}
    assert found == {"Expert": 6 + 1 + 1, "GPT4": 3 + 0 + 0.5, "Phi3": 0 + 1 + 1, "Gemini": 0 + 0 + 0}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: row.pop("conversation_history"), "dialogue 1"),
        (lambda row: row["anno_llm_responses"]["GPT4"]["annotation"].update(Actionability="Perhaps"), "'Perhaps'"),
    ],
)
def test_other_files_are_refused(tmp_path, change, says):
    row = json.loads(json.dumps(FLORIST))
    change(row)
    path = tmp_path / "other.json"
    path.write_text(json.dumps([row]))
    with pytest.raises(ValueError, match=says):
        read_mrbench([path])


def test_a_problem_is_in_one_half():
    halves = [half_of(f"problem {number}") for number in range(400)]
    assert set(halves) == {"first", "second"} and 150 < halves.count("first") < 250


def test_auc_counts_pairs():
    # 3 of (2 x 3) pairs above, 1 tie: scores 0.9 and 0.5 are labelled
    assert auc([1, 0, 0, 1, 0], [0.9, 0.5, 0.9, 0.5, 0.2]) == pytest.approx((1.5 + 0.5 + 2) / 6)
    assert np.isnan(auc([1, 1], [0.1, 0.2]))


def test_figures_are_worked_arithmetic(rows):
    """The judge here scores as the first letter of the tutor's name says, and sees every reveal but one."""
    score = {"Expert": 5.0, "GPT4": 4.0, "Gemini": 3.0, "Novice": 2.0, "Phi3": 1.0}
    verdicts = []
    for row in rows:
        sees = bool(row.labels.get("revealing_of_the_answer")) and row.tutor != "Novice"
        evaluation = Evaluation(
            questions="yes", on_topic=score[row.tutor], helpful=score[row.tutor], reveal_answer="yes" if sees else "no"
        )
        verdicts.append(Verdict(evaluation=evaluation, score=score[row.tutor] / 5, raw_evaluation="", judge="test"))
    found = analyse(rows, verdicts, times=50)
    figures = found["figures"]
    assert (found["answers"], found["reveal"]) == (10, 4)
    # 9 answers have all labels: 4 reveal, 3 of them are seen, none of the 5 others is taken for one
    assert figures["reveal_auc"]["value"] == pytest.approx((3 * 5 + 1 * 5 / 2) / (4 * 5))
    agree, chance = 8 / 9, (4 * 3 + 5 * 6) / 81
    assert figures["reveal_kappa"]["value"] == pytest.approx((agree - chance) / (1 - chance))
    # all ten have actionability: the four Experts and the baker's GPT4 say what to do; GPT4's other answer ties with it
    assert figures["actionability_auc"]["value"] == pytest.approx((4 * 5 + 4 + 0.5) / (5 * 5))
    # florist: Expert (8) above Gemini (0); baker: Expert or GPT4 (7.5) above Phi3; shapes: Expert above Novice
    assert figures["best_above_worst"]["value"] == 1 and figures["worst_above_best"]["value"] == 0
    assert figures["tutors_spearman"]["value"] is not None
    assert figures["reveal_auc"]["low"] is not None


def test_the_stage_grades_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(labels, "TIMES", 20)
    files = write_sample(tmp_path)
    flags = ["--files", *map(str, files), "--output-path", str(tmp_path / "rows.json")]
    found = cli.call(mrbench.main, mrbench.parse_args(flags))
    written = json.loads((tmp_path / "rows.json").read_text())
    assert len(written) == found["answers"] == 10 and found["invalid"] == 0
    assert {row["tutor"]: row["evaluation"]["reveal_answer"] for row in written if row["dialogue"] == "77-abc"} == {
        "Expert": "no", "GPT4": "yes", "Phi3": "no", "Gemini": "no"
    }  # fmt: skip
    assert json.loads((tmp_path / "rows.figures.json").read_text()) == found
    printed = capsys.readouterr().out
    assert "`?` rule" in printed and "MathDial: 8 answers" in printed and "Bridge: 2 answers" in printed
    with pytest.raises(FileExistsError):
        cli.call(mrbench.main, mrbench.parse_args(flags))
    halves = []
    for half in ("first", "second"):
        found = cli.call(mrbench.main, mrbench.parse_args([*flags, "--overwrite", "--half", half]))
        halves.append(found["answers"])
    assert sum(halves) == 10


def test_fetching_keeps_files_credit_and_origin(tmp_path, monkeypatch):
    (tmp_path / "sample").mkdir()
    hub = FakeHub()
    hub.files = {SOURCE.repo: {f"data/{path.name}": path.read_bytes() for path in write_sample(tmp_path / "sample")}}
    hub.files[SOURCE.repo]["README.md"] = b"not wanted"
    with hub.serve():
        for name, value in (hub.env | {"HF_HOME": str(tmp_path / "home")}).items():
            monkeypatch.setenv(name, value)
        paths = fetch_mrbench(tmp_path / "out")
    paths = sorted((tmp_path / "out").glob("*ench*.json"))
    assert [path.name for path in paths] == ["MRBench_V2.json", "mrbench_v3_devset.json"]
    assert len(read_mrbench(paths)) == 10 and "README.md" not in hub.times_asked()
    assert "CC BY-SA 4.0" in (tmp_path / "out/LICENSES.md").read_text()
    origins = json.loads((tmp_path / "out/sources.json").read_text())["files"]
    (tmp_path / "out/sources.json").write_text('{"seeds": ["mathdial_test.jsonl"]}')
    with pytest.raises(ValueError, match="holds fetched seeds"):
        fetch_mrbench(tmp_path / "out")
    assert all(len(one["revision"]) == 40 and len(one["sha256"]) == 64 for one in origins)
