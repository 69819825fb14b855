"""Define the interface of a chat model, its replies and errors; `ask` reads paid replies back from the journal."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from utils.errors import BadInput
from utils.journal import Journal, key_of


class JudgeError(RuntimeError):
    """The judge cannot be used at all: wrong key, no credit, unknown model, bad address. One clear line.

    `status` is the HTTP status, if there was one.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class JudgeUnavailable(RuntimeError):
    """The judge cannot be used now: retries used up the time budget. The run can be resumed.

    `busy` means that the service answers, but only to say that it is overloaded (429, 503).
    """

    def __init__(self, message: str, busy: bool = False):
        super().__init__(message)
        self.busy = busy


@dataclass(frozen=True)
class Reply:
    """A chat model's reply.

    `details` holds the usage (tokens), the model's full name, its fingerprint, and the parameters that had to be
    changed. `logprobs`, if requested, has one entry per token of the reply: (token, {alternative: log-probability}).
    """

    text: str
    finish_reason: str | None = None  # "stop", "length", "content_filter", "refusal", "context_length", …
    details: dict[str, Any] = field(default_factory=dict)
    logprobs: Sequence[tuple[str, dict[str, float]]] = ()

    @property
    def tokens(self) -> int:
        """Return the number of tokens of the reply; 0 if the server did not report it."""
        return self.details.get("usage", {}).get("completion_tokens", 0)


class Chat(Protocol):
    """A chat model behind a service."""

    name: str
    settings: dict[str, Any]  # everything that can change a reply, as JSON, without the key

    def check(self) -> None:
        """Check that the server answers and has the model. Raises JudgeError, which says what is wrong."""

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        """Look at all prompts before the first is sent, to set a context size that fits the longest."""

    def complete(
        self,
        messages: list[dict],
        *,
        temperature: float,
        seed: int,
        max_tokens: int,
        schema: dict | None = None,
        logprobs: bool = False,
    ) -> Reply:
        """Get one reply, retrying transient failures. Raises JudgeError or JudgeUnavailable."""


def as_sent(schema: dict | None) -> dict | None:
    """Return the schema to send: without our docstring, which serves only as part of the journal's keys."""
    return schema and {name: value for name, value in schema.items() if name != "description"}


def ask(
    chat: Chat,
    messages: list[dict],
    journal: Journal | None = None,
    *,
    sample: int = 0,
    condense: Callable[[Reply], Reply] = lambda reply: reply,
    cap: int | None = None,
    key: str = "",
    **options: Any,
) -> Reply:
    """Return the reply from the journal, or else ask the chat and store its reply, after `condense`, in the journal.

    `sample` numbers the replies to one and the same question. `cap` is sent as `max_tokens` instead of the one in
    `options`, but the journal's key is made from the latter: a complete reply does not depend on the limit.
    `key` is the `question_key`, if the caller has it already.
    """
    sent = options if cap is None else options | {"max_tokens": cap}
    if journal is None:
        return condense(chat.complete(messages, **sent))
    key = key or question_key(chat, messages, sample, options, journal)
    return reply_of_entry(journal.once(key, lambda: entry_of(condense(chat.complete(messages, **sent)))), journal)


def question_key(chat: Chat, messages: list[dict], sample: int, options: dict, journal: Journal) -> str:
    """Return the key of a question in the journal.

    A reply whose key was made from the server's address with a slash at its end is found too.
    """
    key = key_of(chat.settings, messages, sample, options)
    server = chat.settings.get("server")
    if journal.kept and key not in journal and server and not server.endswith("/"):
        former = key_of(chat.settings | {"server": f"{server}/"}, messages, sample, options)
        return former if former in journal else key
    return key


def entry_of(reply: Reply) -> dict[str, Any]:
    """Convert a reply to a journal entry, without log-probabilities, which would make it a thousand times larger."""
    return {name: value for name, value in asdict(reply).items() if name != "logprobs"}


def reply_of_entry(entry: Any, journal: Journal) -> Reply:
    """Convert a journal entry to a reply, ignoring unknown fields of an entry that another version wrote.

    Raises BadInput, which names the journal, if the entry is not a reply.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise BadInput(
            f"{journal.path}: an entry that is no reply of a chat; move this file away, or take a new folder"
        )
    reason, details = entry.get("finish_reason"), entry.get("details")
    details = dict(details) if isinstance(details, dict) else {}
    usage = details.pop("usage", None)
    if isinstance(usage, dict):
        details["usage"] = {name: tokens for name, tokens in usage.items() if isinstance(tokens, int)}
    return Reply(entry["text"], reason, details)
