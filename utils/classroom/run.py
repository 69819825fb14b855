"""Run the classroom: let every tutor and control talk about every problem, and measure all dialogues."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from utils.classroom.actors import Classroom
from utils.classroom.controls import NO_TUTOR
from utils.classroom.dialogue_judge import Lesson, judge_dialogues
from utils.classroom.dialogues import Dialogue, hold
from utils.classroom.exams import examine, selectivity
from utils.classroom.measures import measure, turn_measures
from utils.classroom.rule_student import RuleStudent, deltas
from utils.classroom.summary import MEASURES, compare_tutors, misses, summarise
from utils.judges.grading import grade
from utils.judges.judge import Judge
from utils.records import TutorAnswer, Verdict


def run(classroom: Classroom, judge: Judge, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Hold and measure all dialogues, with the replies in journals in `folder`. Returns (rows, result)."""
    controls, tutors = [control.name for control in classroom.controls], classroom.names
    speakers = dict(zip([*controls, *tutors], [*classroom.controls, *classroom.tutors], strict=True))
    dialogues: dict[str, list[Dialogue]] = {}
    for name, tutor in tqdm(speakers.items(), desc="classroom", unit="tutor"):
        turns = 0 if name == NO_TUTOR else classroom.turns
        dialogues[name] = hold(tutor, classroom.student, classroom.reader, classroom.problems, turns, folder)
    rows = [row_of(name, dialogue, classroom) for name, held in dialogues.items() for dialogue in held]
    grade_turns(rows, dialogues, tutors, judge, folder)
    self_test = None
    if classroom.examinee:
        self_test = selectivity(classroom.examinee, dialogues, folder)
        for name, held in dialogues.items():
            wrong = [dialogue for dialogue in held if not dialogue.problem.student_is_right]
            papers = examine(classroom.examinee, wrong, classroom.exam_samples, folder, name)
            _add(rows, name, wrong, papers)
    unjudged = 0
    if chat := chat_of(judge):
        for name in tutors:
            lessons = judge_dialogues(chat, dialogues[name], folder / "lessons.jsonl", judge.grading)
            unjudged += lessons.count(None)
            _add(rows, name, dialogues[name], list(map(judged, dialogues[name], lessons)))
    shortened = Counter(
        row["tutor"] for row in rows for turn in row["turns"] if turn["dropped_turns"] and row["tutor"] in tutors
    )
    summary = summarise(rows)
    missed = misses(summary, classroom.controls)
    result = {
        "valid": not missed, "misses": missed, "settings": classroom.settings | {"judge": judge.settings},
        "controls": controls, "tutors": tutors,
        "self_test": self_test, "shortened": dict(shortened),
        "unread": getattr(classroom.reader, "unread", 0), "unjudged": unjudged, "measures": summary,
        "scopes": {measure.key: f"{measure.scope}; {measure.of}" for measure in MEASURES},
        "comparisons": [] if missed else compare_tutors(rows, tutors),
    }  # fmt: skip
    return rows, result


def judged(dialogue: Dialogue, lesson: Lesson | None) -> dict[str, float]:
    """Convert the judge's verdict to measures, without the leak if the student had the answer from the start."""
    if lesson is None:
        return {}
    helpful = {"judged helpful": float(lesson.helpful == "yes")}
    return helpful if dialogue.problem.student_is_right else {"judged leak": float(lesson.leak == "yes")} | helpful


def row_of(tutor: str, dialogue: Dialogue, classroom: Classroom) -> dict[str, Any]:
    """Convert a dialogue to a row of dialogues.jsonl."""
    problem, of_turns = dialogue.problem, turn_measures(dialogue)
    measures = measure(dialogue, of_turns)
    if isinstance(classroom.student, RuleStudent) and not problem.student_is_right:
        measures |= deltas(dialogue)
    turns = [
        {"tutor": turn.tutor, "student": turn.student} | what
        for turn, what in zip(dialogue.turns, of_turns, strict=True)
    ]
    return {
        "tutor": tutor, "student": classroom.student.name, "reader": classroom.reader.name, "id": problem.id,
        "group": problem.group, "problem": problem.text, "answer": problem.answer,
        "student_is_right": problem.student_is_right, "opening": dialogue.opening, "turns": turns, "measures": measures,
    }  # fmt: skip


def grade_turns(
    rows: Sequence[dict[str, Any]], dialogues: Mapping[str, Sequence[Dialogue]], tutors: Sequence[str], judge: Judge,
    folder: Path,
) -> None:  # fmt: skip
    """Add the judge's verdict to every turn. A judge that costs money grades only the tutors, not the controls."""
    graded = set(tutors)
    if not hasattr(judge, "chat") and not hasattr(judge, "members"):
        graded |= dialogues.keys()
    items: list[TutorAnswer] = []
    turns: list[dict[str, Any]] = []
    for row, dialogue in zip(rows, (dialogue for held in dialogues.values() for dialogue in held), strict=True):
        before = f"Student: {dialogue.opening}"
        for spoken, turn in zip(dialogue.turns, row["turns"], strict=True):
            if row["tutor"] in graded:
                items.append(TutorAnswer(before, spoken.tutor, dialogue.problem.answer))
                turns.append(turn)
            before += f"\nTeacher: {spoken.tutor}\nStudent: {spoken.student}"
    for turn, verdict in zip(turns, grade_once(judge, items, folder), strict=True):
        turn["verdict"] = verdict.model_dump(include={"evaluation", "score", "evaluation_error", "reasons", "judge"})
    for row in rows:
        scores = [turn["verdict"]["score"] for turn in row["turns"] if "verdict" in turn]
        if scores and None not in scores:
            row["measures"]["score"] = sum(scores) / len(scores)


def grade_once(judge: Judge, items: Sequence[TutorAnswer], folder: Path) -> list[Verdict]:
    """Return a verdict for each item. The same answer in the same dialogue is graded only once."""
    distinct = list(dict.fromkeys(items))
    verdicts = grade(judge, distinct, folder / "verdicts.jsonl", description="grades of the turns") if distinct else []
    of = dict(zip(distinct, verdicts, strict=True))
    return [of[item] for item in items]


def chat_of(judge: Judge):
    """Return the chat model behind a judge, or behind a panel's first member; None for the offline judge."""
    first = next(iter(getattr(judge, "members", [judge])))
    return getattr(first, "chat", None)


def _add(
    rows: list[dict[str, Any]], tutor: str, dialogues: Sequence[Dialogue], found: Sequence[Mapping[str, Any]]
) -> None:
    of = {(row["tutor"], row["id"]): row["measures"] for row in rows}
    for dialogue, more in zip(dialogues, found, strict=True):
        of[tutor, dialogue.problem.id] |= more
