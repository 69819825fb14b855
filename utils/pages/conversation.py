"""Keep a conversation with a tutor. Its text equals the prompt text of a seed dialogue with the same turns."""

import json
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

from utils.dialogue import split_turns
from utils.records import SeedDialogue

STUDENT, TEACHER = "student", "teacher"


@dataclass(frozen=True)
class Conversation:
    """`turns` are (role, content). `opening` is a dialogue in the original code's format, which is kept verbatim."""

    context: str = ""
    turns: tuple[tuple[str, str], ...] = ()
    opening: str = ""
    known_answer: str | None = None
    group: str = ""  # picks within one conversation are not independent

    @property
    def text(self) -> str:
        """Return the dialogue's text for the prompt, as `utils.seeds.read` makes it from a row."""
        lines = [f"{role.capitalize()}: {content}" for role, content in self.turns]
        head = [self.opening] if self.opening else [self.context + "\n"] if self.context else []
        return "\n".join([*head, *lines])

    @property
    def waits_for_tutor(self) -> bool:
        return self.turns[-1][0] == STUDENT if self.turns else bool(self.opening)

    def with_turn(self, role: str, content: str) -> "Conversation":
        return replace(self, turns=(*self.turns, (role, content.strip())))

    def without_last(self) -> "Conversation":
        """Return the conversation without its last student turn and all turns after it. The opening stays."""
        turns = list(self.turns)
        while turns and turns.pop()[0] != STUDENT:
            pass
        return replace(self, turns=tuple(turns))

    @property
    def last_student_turn(self) -> str:
        return next((content for role, content in reversed(self.turns) if role == STUDENT), "")

    def all_turns(self) -> list[tuple[str | None, str]]:
        """Return (role, content) of all turns, including those of the opening. The context has the role None."""
        head = self.opening or self.context
        before = [(turn.speaker, turn.content) for turn in split_turns(head)] if self.opening else [(None, head)]
        # The original code's format, a Python list as text, leaves a bracket before the first turn.
        return [(role, content) for role, content in [*before, *self.turns] if role or content.strip("[]\"' ")]

    def as_seed_row(self, tutor: str) -> dict[str, Any]:
        """Make a row for `--seeds`. It ends on the student; a tutor's last turn goes to `meta`."""
        turns = [(role, content) for role, content in self.all_turns() if role]
        last = turns.pop()[1] if turns and turns[-1][0] == TEACHER else None
        context = self.context or next((content for role, content in self.all_turns() if role is None), None)
        name = f"chat-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
        return {
            "id": name, "source": "chat", "group": self.group or name, "problem": None, "context": context,
            "turns": [{"role": role, "content": content} for role, content in turns], "answer": self.known_answer,
            "meta": {"tutor": tutor} | ({"tutor_said": last} if last else {}),
        }  # fmt: skip

    def as_seed_line(self, tutor: str) -> str:
        return json.dumps(self.as_seed_row(tutor), ensure_ascii=False) + "\n"


def from_seed(seed: SeedDialogue) -> Conversation:
    """Begin a conversation where a seed dialogue stops. Its text equals the seed's, character by character."""
    pieces = split_turns(seed.text)
    context = pieces[0].content if pieces[0].speaker is None else ""
    turns = tuple((turn.speaker, turn.content) for turn in pieces if turn.speaker)
    found = Conversation(context, turns, known_answer=seed.answer, group=seed.group)
    return found if found.text == seed.text else replace(found, context="", turns=(), opening=seed.text)
