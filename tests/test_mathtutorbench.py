"""The export for MathTutorBench: its own format, its own file names, rows that were trained on marked."""

import json

import pytest

from benchmarks import mathtutorbench
from utils import cli
from utils.errors import BadInput

ROWS = [
    {
        "problem": f"Ada has {n} pens and buys 3 more. How many has she?", "reference_solution": f"{n} + 3 = {n + 3}",
        "dialog_history": [
            {"user": "Teacher", "text": "How did you go about it?"}, {"user": "Student", "text": f"I get {n}."},
            {"user": "Teacher", "text": "What happens when she buys some?"},
        ],
    }
    for n in (20, 31)
]  # fmt: skip


def export(folder, rows, *flags):
    data = folder / "mathdial_bridge.json"
    data.write_text(json.dumps(rows))
    words = ["--data", str(data), "--output-dir", str(folder), "--max-new-tokens", "6", "--dtype", "float32", *flags]
    return cli.call(mathtutorbench.main, mathtutorbench.parse_args(words))


def test_the_rows_are_what_the_benchmarks_scripts_read(tmp_path):
    """Its script splits the name at "-": part 1 is the model, part 2 the task."""
    trained = tmp_path / "train.jsonl"
    turns = [{"role": "student", "content": ROWS[1]["problem"]}]
    trained.write_text(json.dumps({"id": "a", "group": "g", "problem": ROWS[1]["problem"].upper(), "turns": turns}))
    path = export(tmp_path, ROWS, "--trained-on", str(trained))
    assert path.stem.split("-") == ["generations", "SmolLM2_135M_Instruct", "scaffolding_generation"]
    written = json.loads(path.read_text())
    for row, source in zip(written, ROWS, strict=True):
        assert row["dialog_history"] == source["dialog_history"][:2]
        assert row["ground_truth_response"] == source["dialog_history"][2]
        assert row["dialog_formatted"].startswith("Teacher: How did you go about it?\nStudent: I get")
        assert row["generated_teacher_utterance"] and isinstance(row["generated_teacher_utterance"], str)
        assert {"problem", "reference_solution"} <= row.keys()
    assert [row["trained_on"] for row in written] == [False, True]
    unseen = json.loads(path.with_name(f"{path.stem}_unseen.json").read_text())
    assert [row["problem"] for row in unseen] == [ROWS[0]["problem"]]


def test_the_tutor_sees_the_problem_and_not_the_teachers_turn():
    text = mathtutorbench.as_seed(1, ROWS[0]).text
    assert ROWS[0]["problem"] in text and text.endswith("Student: I get 20.")
    assert "buys some" not in text and "20 + 3" not in text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "expected a list"),
        ([{"problem": "x", "dialog_history": []}], "row 1"),
        ([{**ROWS[0], "dialog_history": ROWS[0]["dialog_history"][:2]}], "must end with the teacher"),
    ],
)
def test_what_is_no_row_is_named_before_anything_is_loaded(tmp_path, rows, message):
    with pytest.raises(BadInput, match=message):
        export(tmp_path, rows)
