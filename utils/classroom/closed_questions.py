"""Ask an LLM closed questions: replies follow a JSON schema and are validated; a bad one is asked for again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from utils.clients.ask_all import run_all
from utils.clients.chat import Chat, JudgeError, Reply, ask
from utils.errors import problems_of
from utils.journal import Journal
from utils.judges.json_reply import read_object

TEMPERATURE, SEED, MAX_TOKENS = 0.0, 0, 200
MAX_ATTEMPTS = 3  # a bad reply is asked again at most twice
MAX_INVALID = 0.1  # share of the questions; above it the model is not fit for this
T = TypeVar("T", bound=BaseModel)


def ask_closed(
    chat: Chat, prompts: Sequence[list[dict]], shape: type[T], journal_path: Path, *, description: str,
    concurrency: int = 8,
) -> list[T | None]:  # fmt: skip
    """Ask for a reply of `shape` to each prompt; None where three replies in a row were not valid.

    Raises JudgeError if more than `MAX_INVALID` of the replies are None.
    """
    if not prompts:
        return []
    chat.prepare(prompts, MAX_TOKENS)
    with Journal(journal_path) as journal:
        work = [lambda prompt=prompt: _reply(chat, prompt, shape, journal) for prompt in prompts]
        replies = run_all(work, concurrency, description, "reply", lambda _: {})
    invalid = sum(reply is None for reply in replies)
    if invalid > MAX_INVALID * len(replies):
        raise JudgeError(
            f"{description}: {invalid} of {len(replies)} replies of {chat.name} are not valid, more than "
            f"{MAX_INVALID:.0%}: take another model. All replies are in {journal_path}"
        )
    return replies


def _reply(chat: Chat, prompt: list[dict], shape: type[T], journal: Journal) -> T | None:
    messages = prompt
    for attempt in range(MAX_ATTEMPTS):
        reply = ask(
            chat, messages, journal, temperature=TEMPERATURE, seed=SEED + attempt, max_tokens=MAX_TOKENS,
            schema=shape.model_json_schema(),
        )  # fmt: skip
        try:
            return parse(reply, shape)
        except ValueError as error:
            bad_reply = [{"role": "assistant", "content": reply.text}] if reply.text.strip() else []
            again = f"That reply is not valid: {error}. Send the JSON object alone, as described."
            messages = [*prompt, *bad_reply, {"role": "user", "content": again}]
    return None


def parse(reply: Reply, shape: type[T]) -> T:
    """Parse the object in a reply. Raises ValueError, which says what is wrong."""
    try:
        return shape.model_validate(read_object(reply))
    except ValidationError as error:
        raise ValueError(problems_of(error)) from error
