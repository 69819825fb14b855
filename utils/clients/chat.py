"""The interface of a chat model behind a service: its replies, its errors, and how each reply is paid for only once."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from utils.errors import BadInput
from utils.journal import Journal, key_of


class JudgeError(RuntimeError):
    """The judge cannot be used at all: wrong key, no credit, unknown model, bad address. One clear line.

    `status` is the HTTP status that said so, if one did.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class JudgeUnavailable(RuntimeError):
    """The judge cannot be used now: it was asked again until the time budget was spent. The run can be resumed.

    `busy`: it answers, but only that it has no time (429, 503).
    """

    def __init__(self, message: str, busy: bool = False):
        super().__init__(message)
        self.busy = busy


@dataclass(frozen=True)
class Reply:
    """What a chat model answered.

    `details` holds the usage (tokens), the model's full name, its fingerprint, parameters that had to be changed.
    `logprobs` has one entry per token of the reply, if asked for: (token, {alternative: log-probability}).
    """

    text: str
    finish_reason: str | None = None  # "stop", "length", "content_filter", "refusal", "context_length", …
    details: dict[str, Any] = field(default_factory=dict)
    logprobs: Sequence[tuple[str, dict[str, float]]] = ()

    @property
    def tokens(self) -> int:
        """The number of tokens of the reply; 0 if the server did not say."""
        return self.details.get("usage", {}).get("completion_tokens", 0)


class Chat(Protocol):
    """A chat model behind a service."""

    name: str
    settings: dict[str, Any]  # all that can change a reply, as JSON; no key

    def check(self) -> None:
        """Check that the server answers and has the model. Raises JudgeError, which says what is wrong."""

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        """Look at all prompts before the first is asked, to size what must fit the longest."""

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
        """Get one reply; transient failures are retried. Raises JudgeError or JudgeUnavailable."""


def as_sent(schema: dict | None) -> dict | None:
    """Return the schema that a service gets: without our docstring, which is only part of the journal's keys."""
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
    """Return the reply in the journal, or else ask the chat and keep its reply, after `condense`, in the journal.

    `sample` tells questions apart that are asked several times in the very same words. `cap` is sent as `max_tokens`
    in place of the one in `options`, which the question is kept under: a whole reply is the same with more room.
    `key` saves making it, where the caller has it (`question_key`).
    """
    sent = options if cap is None else options | {"max_tokens": cap}
    if journal is None:
        return condense(chat.complete(messages, **sent))
    key = key or question_key(chat, messages, sample, options, journal)
    return reply_of_entry(journal.once(key, lambda: entry_of(condense(chat.complete(messages, **sent)))), journal)


def question_key(chat: Chat, messages: list[dict], sample: int, options: dict, journal: Journal) -> str:
    """Return the key of a question in the journal.

    A reply is also found if its server's address was once given with a slash at the end.
    """
    key = key_of(chat.settings, messages, sample, options)
    server = chat.settings.get("server")
    if journal.kept and key not in journal and server and not server.endswith("/"):
        former = key_of(chat.settings | {"server": f"{server}/"}, messages, sample, options)
        return former if former in journal else key
    return key


def entry_of(reply: Reply) -> dict[str, Any]:
    """Return the reply as the journal keeps it: without log-probabilities, which take a thousand times more room."""
    return {name: value for name, value in asdict(reply).items() if name != "logprobs"}


def reply_of_entry(entry: Any, journal: Journal) -> Reply:
    """Return the reply that an entry keeps; an entry by another version of this program is read as far as possible.

    BadInput names the journal if that is too little.
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
