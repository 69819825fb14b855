"""A chat model behind a service: what it answers, how it fails, and how a reply is paid for only once."""

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
        """How many tokens the reply has; 0 where the server did not say."""
        return self.details.get("usage", {}).get("completion_tokens", 0)


class Chat(Protocol):
    """A chat model behind a service."""

    name: str
    settings: dict[str, Any]  # all that can change a reply, as JSON; no key

    def check(self) -> None:
        """Make sure that the server answers and has the model; JudgeError says what is wrong."""

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        """See all prompts before the first is asked, for what must be sized to the longest."""

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
        """Ask once (passing troubles are ridden out). Raises JudgeError or JudgeUnavailable."""


def as_sent(schema: dict | None) -> dict | None:
    """The schema as a service gets it: without our docstring, which journals are keyed by all the same."""
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
    """The reply from the journal, or else from the chat and into the journal; `condense` is applied before it is kept.

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
    """The key that the journal has, or will have, a question under.

    The same server was another one, where its address was given with a slash at its end: such replies are found.
    """
    key = key_of(chat.settings, messages, sample, options)
    server = chat.settings.get("server")
    if journal.kept and key not in journal and server and not server.endswith("/"):
        former = key_of(chat.settings | {"server": f"{server}/"}, messages, sample, options)
        return former if former in journal else key
    return key


def entry_of(reply: Reply) -> dict[str, Any]:
    """The reply as the journal keeps it; its log-probabilities would be a thousand times the text, so they go."""
    return {name: value for name, value in asdict(reply).items() if name != "logprobs"}


def reply_of_entry(entry: Any, journal: Journal) -> Reply:
    """The reply that an entry keeps; of another version of this program, what it has in common with ours.

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
