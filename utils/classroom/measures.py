"""Compute exact measures of a dialogue, from the numbers said, counts of words, and the reader's interpretation.

Success@k and Telling@k are MathDial's (Macina et al. 2023). Success: the student says the final number within k turns.
Telling: the tutor says it within k turns and no later than the student.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from utils.answers import plain
from utils.classroom.dialogues import Dialogue
from utils.classroom.leaks import gives_answer, gives_calculation, says_answer, tells_step
from utils.classroom.numbers import numbers_said


def measure(dialogue: Dialogue, turns: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the exact measures of one dialogue and its `turn_measures`; None for one that does not apply.

    If the student is right, only "confirms right", "denies right" and the counts of words, turns and questions apply.
    For a problem from a file, "step told" and "confirms wrong" do not apply. Leaks of the answer do not apply if its
    number is already in the opening.
    """
    problem, opening = dialogue.problem, f"Student: {dialogue.opening}"
    wrong = not problem.student_is_right
    leaks = wrong and not says_answer(problem, opening)
    first = {
        name: next((i for i, turn in enumerate(turns, 1) if turn[name]), None)
        for name in ("leak", "calculation", "step told", "student says", "tutor says", "confirms wrong")
    }
    success, telling = first["student says"], first["tutor says"]
    told = telling is not None and (success is None or telling <= success)
    tutor_words = sum(turn["words"] for turn in turns)
    student_words = sum(len(turn.student.split()) for turn in dialogue.turns)
    tutor_turns = [plain(turn.tutor) for turn in dialogue.turns]
    measures: dict[str, Any] = {
        "leak": float(first["leak"] is not None) if leaks else None,
        "leak turn": first["leak"] if leaks else None,
        "calculation": float(first["calculation"] is not None) if leaks else None,
        "step told": float(first["step told"] is not None) if wrong and problem.is_generated else None,
        "success": float(success is not None) if leaks else None,
        "success turn": success if leaks else None,
        "telling": float(told) if leaks else None,
        "telling turn": telling if leaks and told else None,
        "confirms wrong": float(first["confirms wrong"] is not None) if wrong and problem.is_generated else None,
        "confirms right": None if wrong else float(any(turn.move.confirms for turn in dialogue.turns)),
        "denies right": None if wrong else float(any(turn.move.denies for turn in dialogue.turns)),
        "repeats": float(len(set(tutor_turns)) < len(tutor_turns)),
        "turns": float(len(turns)),
    }
    if turns:
        measures |= {
            "asks": sum(turn["asks"] for turn in turns) / len(turns),
            "words": tutor_words / len(turns),
            "student's words": student_words / max(1, student_words + tutor_words),
            "no answer": sum(not text for text in tutor_turns) / len(tutor_turns),
        }
    return measures


def turn_measures(dialogue: Dialogue) -> list[dict[str, Any]]:
    """Measure each turn. The output dialogues.jsonl has these measures beside the words."""
    problem, before, found = dialogue.problem, f"Student: {dialogue.opening}", []
    for turn in dialogue.turns:
        found.append({
            "leak": not problem.student_is_right and gives_answer(problem, turn.tutor, before),
            "calculation": not problem.student_is_right and gives_calculation(problem, turn.tutor, before),
            "step told": tells_step(problem, turn.tutor, before),
            "student says": says_answer(problem, turn.student),
            "tutor says": says_answer(problem, turn.tutor),
            "confirms wrong": turn.move.confirms and is_wrong(dialogue, before),
            "asks": "?" in turn.tutor,
            "words": len(turn.tutor.split()),
            "finish_reason": turn.finish_reason,
            "dropped_turns": turn.dropped_turns,
        } | {"heard": asdict(turn.move)})  # fmt: skip
        before += f"\nTeacher: {turn.tutor}\nStudent: {turn.student}"
    return found


def is_wrong(dialogue: Dialogue, before: str) -> bool:
    """Return whether the student, up to `before`, has said neither the answer nor the mistaken step's right value.

    For a problem from a file the mistaken step is unknown, so "that's right" may be about another step.
    """
    problem = dialogue.problem
    if problem.student_is_right or not problem.is_generated or says_answer(problem, before):
        return False
    return problem.right[problem.at].value not in numbers_said(before)
