"""The column of human tutors: MathDial's raw rows read as dialogues of the classroom."""

import json

from raw_files import mathdial_row

from benchmarks import human_tutors


def test_mathdials_rows_are_measured_as_the_classroom_measures(tmp_path, capsys):
    """Row 1's student finds the number before the tutor says it; row 2's tutor tells."""
    told = "Teacher: (telling)It is 1035, is it not?|EOM|Student: Oh, 1035."
    rows = [mathdial_row(1), mathdial_row(2, conversation=told), mathdial_row(3, conversation="no speaker")]
    path = tmp_path / "test.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = human_tutors.main(**vars(human_tutors.parse_args(["--dialogues", str(path)])))
    assert found["leak"]["value"] == found["telling"]["value"] == 1 / 2
    assert found["success"]["value"] == 1 and found["turns"]["value"] == (4 + 1) / 2
    assert found["asks"]["value"] == (3 / 4 + 1) / 2 and "step told" not in found
    assert "2 dialogues; left out: {'a turn without a speaker': 1}" in capsys.readouterr().out
