"""Convert MathDial (Macina et al., 2023; github.com/eth-nlped/mathdial) to seed rows.

A raw row: {"qid": 6000025, "scenario": 1, "question": "…", "ground_truth": "… \n 10", "student_incorrect_solution":
"… \n 4", "conversation": "Teacher: (generic)Hi …|EOM|Student: Sure. …|EOM|…", …}. The student's label may be a name.
"""

import hashlib
import re
from typing import Any

from utils.seeds.answers import NUMBER, number_of, says, states
from utils.seeds.near_duplicates import words
from utils.sources.raw_dialogue import LeftOut, RawDialogue, RawTurn, merge, seed_row, usable_cuts

LABEL = re.compile(r"\s*([^:\n|]{1,40}):\s*(?:\((generic|focus|probing|telling)\))?\s*")


def read(raw: dict[str, Any]) -> RawDialogue:
    """Read a dialogue; its first turn is the problem with the student's wrong solution.

    Raises KeyError if a field is missing.
    """
    question, solution = raw["question"].strip(), raw["student_incorrect_solution"].strip()
    explanation, conversation = raw["ground_truth"], raw["conversation"].strip()
    if not question or not solution or not conversation:
        raise LeftOut("no question, wrong solution or conversation")
    steps, wrong = _final_number(solution)
    answer = _final_number(explanation)[1]
    if answer is None:
        raise LeftOut("no final number in the worked solution")
    opening = f"I have a problem: {' '.join(question.split())}\n\nHere is my solution:\n{steps}"
    if wrong is not None:
        opening += f"\nMy answer: {wrong}"
    spoken = merge([_turn(line) for line in conversation.split("|EOM|")])
    if spoken and spoken[0].role == "student" and _says(spoken[0].content, answer):
        raise LeftOut("the answer is said before the tutor speaks")
    turns = merge([RawTurn("student", opening), *spoken])
    said = hashlib.sha256(conversation.encode()).hexdigest()[:6]  # a problem has several dialogues
    return RawDialogue(
        id=f"mathdial-{raw['qid']}-{raw['scenario']}-{said}", source="mathdial", turns=turns,
        group="mathdial-" + hashlib.sha256(" ".join(words(question)).encode()).hexdigest()[:12],
        problem=question, answer=answer, explanation=explanation,
        meta={
            "qid": str(raw["qid"]), "student_solved": raw.get("self-correctness"),
            "confusion": (raw.get("teacher_described_confusion") or "").strip() or None,
            "answer_in_first_turn": _says(opening, answer),
        },
    )  # fmt: skip


def cuts(dialogue: RawDialogue) -> list[int]:
    """Return the usable cuts. If the answer's number is in the problem too, the answer counts only as a conclusion."""
    says = _concludes if dialogue.meta["answer_in_first_turn"] else _says
    turns = enumerate(dialogue.turns)
    return usable_cuts(
        dialogue.turns, next((i for i, turn in turns if i and says(turn.content, dialogue.answer)), None)
    )


def row_at(dialogue: RawDialogue, cut: int) -> dict[str, Any]:
    reference = dialogue.turns[cut]
    return seed_row(
        dialogue, cut, reference_act=reference.act, reference_has_answer=_says(reference.content, dialogue.answer)
    )


def _turn(line: str) -> RawTurn:
    label = LABEL.match(line)
    if label is None:
        raise LeftOut("a turn without a speaker")
    content = re.sub(r"[ \t]+\n", "\n", line[label.end() :]).strip()
    return RawTurn("teacher" if label[1].strip() == "Teacher" else "student", content, act=label[2])


def _final_number(solution: str) -> tuple[str, str | None]:
    """Split a solution into (steps, the number that is alone on the last line); line ends are stripped."""
    lines = [line.strip() for line in solution.strip().split("\n")]
    if NUMBER.fullmatch(lines[-1].strip("-$% ")):
        return "\n".join(lines[:-1]).strip(), lines[-1]
    return "\n".join(lines), None


def _says(text: str, answer: str) -> bool:
    return says(text, number_of(answer)) or states(text, number_of(answer))


def _concludes(text: str, answer: str) -> bool:
    """Return whether the text concludes with the answer: "The answer is 12" anywhere, or 12 as its last number."""
    numbers = NUMBER.findall(text)
    return states(text, number_of(answer)) or (bool(numbers) and says(numbers[-1], number_of(answer)))
