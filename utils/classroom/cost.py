"""Estimate the cost of a classroom before anything is paid: calls, tokens and dollars per chat service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils.classroom.actors import EXAM_TOKENS, REPLY_TOKENS, Classroom
from utils.classroom.controls import NO_TUTOR
from utils.classroom.exams import PUSHBACKS
from utils.classroom.run import chat_of
from utils.classroom.students import opening
from utils.clients.prices import CHARACTERS_PER_TOKEN, Estimate, cost, price_of
from utils.judges.judge import Judge
from utils.tutors.chat_tutor import ChatTutor

PROMPT_TOKENS = 150  # tokens of a prompt without the dialogue; the judge's prompt has three times as many
TUTOR_TOKENS, STUDENT_TOKENS = 40, 30  # of a turn, on average
VERDICT_TOKENS = 40


def estimate(classroom: Classroom, judge: Judge, prices: Path | str | None) -> str:
    """Return the lines that --dry-run prints, assuming that every dialogue uses all of its turns."""
    who = f"{len(classroom.tutors)} tutors and {len(classroom.controls)} controls"
    lines = [
        f"{who} x {len(classroom.problems)} problems x {classroom.turns} turns at most; what is asked for by calls:"
    ]
    lines += [f"  {one}" for one in _estimates(classroom, judge, prices)] or ["  nothing: nobody is a chat service"]
    return "\n".join(lines)


def _estimates(classroom: Classroom, judge: Judge, prices: Path | str | None) -> Iterator[Estimate]:
    problems, turns = classroom.problems, classroom.turns
    start = sum(len(opening(problem)) for problem in problems) / len(problems) / CHARACTERS_PER_TOKEN
    exchange = TUTOR_TOKENS + STUDENT_TOKENS
    whole = PROMPT_TOKENS + start + turns * exchange
    middle = PROMPT_TOKENS + start + turns * exchange / 2
    held = len(problems) * turns  # the turns of one tutor
    arms = len(classroom.tutors) + sum(control.name != NO_TUTOR for control in classroom.controls)
    wrong = sum(not problem.student_is_right for problem in problems)
    for tutor in classroom.tutors:
        if isinstance(tutor, ChatTutor):
            yield _one(tutor.chat, f"{tutor.name} as tutor", held, middle, TUTOR_TOKENS, whole, prices)
    if chat := getattr(getattr(classroom.student, "speaker", None), "chat", None):
        yield _one(
            chat, f"{chat.name} as student", arms * held, middle, min(STUDENT_TOKENS, REPLY_TOKENS), whole, prices
        )
        kinds = 1 + all(problem.is_generated for problem in problems)  # the same problem, and the transfer problem
        papers = wrong * classroom.exam_samples * kinds * (2 + arms)  # before; after no tutor; after each other arm
        papers += wrong * len(PUSHBACKS)
        yield _one(chat, f"{chat.name} in exams", papers, whole, EXAM_TOKENS // 3, whole + EXAM_TOKENS, prices)
    if chat := getattr(classroom.reader, "chat", None):
        yield _one(
            chat, f"{chat.name} as reader", arms * held, 2 * PROMPT_TOKENS + start, VERDICT_TOKENS, middle, prices
        )
    if chat := chat_of(judge):
        calls, tutors = len(classroom.tutors) * held, len(classroom.tutors)
        yield _one(
            chat, f"{chat.name} as judge of turns", calls, middle + 2 * PROMPT_TOKENS, VERDICT_TOKENS, whole, prices
        )
        calls = tutors * len(problems)
        yield _one(
            chat, f"{chat.name} as judge of dialogues", calls, whole + PROMPT_TOKENS, VERDICT_TOKENS, whole, prices
        )


def _one(
    chat: Any, name: str, calls: int, tokens: float, reply: int, longest: float, prices: Path | str | None
) -> Estimate:
    price = price_of(chat.settings, prices)
    usage = {"prompt_tokens": round(calls * tokens), "completion_tokens": calls * reply}
    dollars = cost({"usage": usage}, price) if price else None
    return Estimate(name, calls, *usage.values(), dollars, round(longest), price.context if price else None)
