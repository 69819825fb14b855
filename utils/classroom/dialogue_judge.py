"""Judge whole dialogues, knowing the answer: was it given away, did the tutor help?"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from utils.classroom.closed_questions import ask_closed
from utils.classroom.dialogues import Dialogue
from utils.clients.chat import Chat
from utils.judges.judge import GradingOptions
from utils.prompts import PROMPTS_DIR, fill, load_template
from utils.records import YesNo

PROMPT = PROMPTS_DIR / "classroom_judge.txt"


class Lesson(BaseModel):
    """The judge's reply for one dialogue."""

    model_config = ConfigDict(extra="forbid", strict=True)

    leak: YesNo
    helpful: YesNo


def judge_dialogues(
    chat: Chat, dialogues: Sequence[Dialogue], journal_path: Path, grading: GradingOptions
) -> list[Lesson | None]:
    """Return one verdict per dialogue; None where the judge gave no valid verdict."""
    template = load_template(PROMPT, "answer", "dialogue")
    return ask_closed(
        chat, [messages(template, dialogue) for dialogue in dialogues], Lesson, journal_path, grading,
        description=f"{chat.name} on whole dialogues",
    )  # fmt: skip


def messages(template: str, dialogue: Dialogue) -> list[dict]:
    text, answer = dialogue.text, dialogue.problem.answer
    tag = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]  # a mark that cannot occur in the dialogue
    return [{"role": "user", "content": fill(template, answer=answer, dialogue=text, tag=tag)}]
