"""Ask an LLM closed questions. Replies follow a JSON schema and are validated; an invalid one is requested again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from utils.clients.ask_all import run_all
from utils.clients.chat import Chat, JudgeError, Reply, ask, question_key
from utils.errors import problems_of
from utils.journal import Journal
from utils.judges.json_reply import read_object
from utils.judges.judge import GradingOptions

TEMPERATURE, SEED = 0.0, 0
MAX_TOKENS = 200  # part of a question's key in the journal, whatever --judge-max-tokens is
MAX_ATTEMPTS = 3  # after an invalid reply, the question is repeated at most twice
T = TypeVar("T", bound=BaseModel)


def ask_closed(
    chat: Chat, prompts: Sequence[list[dict]], shape: type[T], journal_path: Path, grading: GradingOptions, *,
    description: str,
) -> list[T | None]:  # fmt: skip
    """Ask for a reply of `shape` to each prompt; None where three replies in a row were invalid.

    Raises JudgeError if more of the replies are None than `grading.max_invalid` allows.
    """
    if not prompts:
        return []
    chat.prepare(prompts, grading.max_tokens)
    with Journal(journal_path) as journal:
        work = [lambda prompt=prompt: _reply(chat, prompt, shape, journal, grading) for prompt in prompts]
        replies = run_all(work, grading.concurrency, description, "reply", lambda _: {})
    invalid = sum(reply is None for reply in replies)
    if invalid > grading.max_invalid * len(replies):
        raise JudgeError(
            f"{description}: {invalid} of {len(replies)} replies of {chat.name} are not valid, more than "
            f"{grading.max_invalid:.0%} (--max-invalid): take another model, or if they were cut off, raise "
            f"--judge-max-tokens and add --ask-invalid-again. All replies are in {journal_path}"
        )
    return replies


def _reply(chat: Chat, prompt: list[dict], shape: type[T], journal: Journal, grading: GradingOptions) -> T | None:
    """Return the reply, from the journal or new. `ask_invalid_again` replaces an invalid one of an earlier run."""
    read, kept = _read(chat, prompt, shape, journal, grading)
    if read is None and kept and grading.ask_invalid_again:
        journal.forget(kept)
        read, _ = _read(chat, prompt, shape, journal, grading)
    return read


def _read(
    chat: Chat, prompt: list[dict], shape: type[T], journal: Journal, grading: GradingOptions
) -> tuple[T | None, list[str]]:
    """Return (the parsed reply, or None after three invalid ones; the keys of replies that an earlier run stored)."""
    messages, kept = prompt, []
    for attempt in range(MAX_ATTEMPTS):
        options = {
            "temperature": TEMPERATURE, "seed": SEED + attempt, "max_tokens": MAX_TOKENS,
            "schema": shape.model_json_schema(),
        }  # fmt: skip
        key = question_key(chat, messages, 0, options, journal)
        kept += [key] if key in journal.kept else []
        reply = ask(chat, messages, journal, cap=grading.max_tokens, key=key, **options)
        try:
            return parse(reply, shape), kept
        except ValueError as error:
            if "error" in reply.details:  # the service refuses this prompt and would refuse it again
                break
            bad_reply = [{"role": "assistant", "content": reply.text}] if reply.text.strip() else []
            again = f"That reply is not valid: {error}. Send the JSON object alone, as described."
            messages = [*prompt, *bad_reply, {"role": "user", "content": again}]
    return None, kept


def parse(reply: Reply, shape: type[T]) -> T:
    """Parse the object in a reply. Raises ValueError, which names the fault."""
    try:
        return shape.model_validate(read_object(reply))
    except ValidationError as error:
        raise ValueError(problems_of(error)) from error
