"""The rubric's version: verdicts may change only together with it, or old runs would be resumed by another judge.

python -m tests.test_rubric_snapshot      writes the table anew, after VERSION was raised
"""

import json
from pathlib import Path

from tests.test_rubric import CODE, GOOD, JUNK, MATH, PRAISE, PROSE, REVEALS, VAGUE
from utils.rubric import rubric

TABLE = Path(__file__).with_name("rubric_snapshot.json")
FLAWED = [
    "Remember that 6 and 14 make 21. What do you do with the 19?",
    "You are brilliant, I am so proud of you! How many tulips are in a row?",
    "rows the is gardener of what tulips you in how frost a, can?",
    "Could it be 65, and how would you check that?",
    "How many tulips are in the six rows?\nStudent: There are 84.\nTeacher: Right!",
    "Does that make sense?",
    "You have thought about the tulips. What do you expect, and how would you check it?",
    "Isn't it sixty-five, because the frost takes nineteen of the tulips?",
]


def verdicts() -> dict:
    """Scores and guards of a fixed table of answers, with weights that no refitting changes."""
    weights = {
        criterion: {"intercept": 0.0 if criterion == "reveal_answer" else 3.0, **signs}
        for criterion, signs in rubric.SIGNS.items()
    }
    judge = rubric.Rubric(weights, "")
    rows = {}
    for name, talk in {"math": MATH, "code": CODE, "prose": PROSE}.items():
        for answer in [*GOOD[talk], REVEALS[talk], VAGUE, PRAISE, *JUNK, *(FLAWED if talk == MATH else ())]:
            found = judge.grade(talk, answer, "65" if talk == MATH else None)
            rows[f"{name}: {answer}"] = [round(found.score, 3), found.evaluation.reveal_answer, *found.guards]
    return {"version": rubric.VERSION, "verdicts": rows}


def test_verdicts_change_only_with_the_version():
    recorded, now = json.loads(TABLE.read_text(encoding="utf-8")), verdicts()
    if recorded["version"] == now["version"]:
        assert now["verdicts"] == recorded["verdicts"], "a rule decides otherwise: raise VERSION in rubric.py"
    assert recorded["version"] == now["version"], "write the table anew: python -m tests.test_rubric_snapshot"


def test_the_version_follows_rules_and_weights_and_nothing_else(tmp_path):
    """It was a hash of the source files: mending a comment made old runs refuse to resume."""
    shipped = json.loads(rubric.WEIGHTS.read_text())
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(shipped | {"remark": "another file"}, indent=4))
    assert rubric.load(copy).version == rubric.load().version
    assert rubric.load().version.startswith(f"{rubric.VERSION}-")
    shipped["weights"]["helpful"]["intercept"] += 0.5
    copy.with_name("mine.json").write_text(json.dumps(shipped))
    assert rubric.load(copy.with_name("mine.json")).version != rubric.load().version


if __name__ == "__main__":
    TABLE.write_text(json.dumps(verdicts(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
