"""Parse what a service sends back, once `body.py` has decoded it: an error, or replies.

Services that call themselves compatible differ. Content is a string or a list of parts. Thoughts are in a field of
their own or in the text. Finish reasons have other names, errors come under HTTP 200, and usage has odd shapes.
Nothing is guessed: a body that cannot be parsed raises, and a message without an answer becomes an empty text.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from utils.clients.chat import Reply
from utils.clients.keys import redact
from utils.clients.pauses import pause_in
from utils.clients.retry import Transient, Unread
from utils.clients.thoughts import without_thoughts

THOUGHT_FIELDS = ("reasoning_content", "reasoningContent", "reasoning", "thinking", "thoughts")
SAID_FIELDS = ("text", "content", "value")
THOUGHT_PARTS = ("thinking", "reasoning", "redacted_thinking", "thought")

FINISHED = {
    "stop", "eos", "eos_token", "eos_found", "end", "end_turn", "stop_sequence", "complete", "completed", "finished",
    "stop_token", "done",
}  # fmt: skip
# Finish reasons of a reply that the model did not end itself. The names for a normal end are too many to list them all.
CUT = re.compile(r"length|max.?tok|max_|limit|context|incomplete|trunc|(?<![a-z])cut|partial|exceed|repetition")
FILTERED = re.compile(
    r"filter|safety|sensitiv|recitation|prohibit|block|moderat|flag|refus|policy|violat|guardrail|spii|toxic|^language"
)
BROKEN = re.compile(r"^error|insufficient|network|abort|cancel|time.?d?.?out|interrupt|disconnect|fail|crash")
# A completion without choices whose prompt was blocked (Azure, Gemini).
FILTERED_PROMPT = re.compile(r'"filtered": true|"block_?reason"', re.IGNORECASE)
UNFINISHED = ("length", "content_filter", "broken off")


@dataclass
class Complaint(Exception):
    """An error that a service sends instead of a reply; `utils/clients/refusals.py` interprets it."""

    message: str
    status: int | None = None  # the HTTP status, or the one in the body
    words: str = ""  # its error codes and types
    names: list[str] = field(default_factory=list)  # the parameters that it points at
    pause: float | None = None
    headers: dict[str, str] = field(default_factory=dict)  # of another service, which this one passes on

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.message}" if self.status else self.message


def complaint_of(body: Any, status: int | None = None) -> Complaint:
    """Parse the body of an error in any of the known forms."""
    body = _parsed(body[0] if isinstance(body, list) and body else body)
    if not isinstance(body, dict):
        return Complaint(_line(body), status)
    errors = body.get("errors")
    inner = _parsed(body.get("error") or (errors[0] if isinstance(errors, list) and errors else errors) or body)
    if not isinstance(inner, dict):
        inner = {**body, "message": inner}
    elif isinstance(inner.get("error"), dict | str) and inner is not body:  # an error nested in an error
        return complaint_of(inner, status)
    said = _parsed(next((inner[name] for name in ("message", "detail", "msg", "description") if inner.get(name)), ""))
    details = said.get("detail", said) if isinstance(said, dict) else said
    names = [str(inner["param"])] if inner.get("param") else []
    words = [str(inner.get(name) or "") for name in ("code", "type", "status", "error_type", "__type")]
    if isinstance(details, list):  # FastAPI: one entry for each rejected field
        entries = [entry for entry in details if isinstance(entry, dict)]
        places = [[str(part) for part in entry.get("loc") or []] for entry in entries]
        names += [next((part for part in place if part != "body"), "") for place in places]
        words += [str(entry.get("type") or "") for entry in entries]
        said = "; ".join(f"{'.'.join(place)}: {entry.get('msg')}" for place, entry in zip(places, entries, strict=True))
    given = inner.get("code")
    if status is None and isinstance(given, int | str) and str(given).isdigit() and 400 <= int(given) < 600:
        status = int(given)
    text = _line(said or inner or body)
    pause = pause_in(json.dumps(inner))
    sent = inner["metadata"].get("headers") if isinstance(inner.get("metadata"), dict) else None  # OpenRouter
    headers = {name.lower(): str(value) for name, value in sent.items()} if isinstance(sent, dict) else {}
    return Complaint(text, status, " ".join(filter(None, words)), [name for name in names if name], pause, headers)


def replies_of(body: Any) -> list[Reply]:
    """Return the replies in the body of a chat completion, one per choice, each with the whole request's usage.

    Raises Complaint for an error under HTTP 200, and Unread for a body that is not a chat completion.
    """
    body = _unwrapped(body)
    choices = body.get("choices") if isinstance(body, dict) else None
    if not choices and (isinstance(body, list) or (isinstance(body, dict) and not {"id", "usage"} & body.keys())):
        raise complaint_of(body)  # under any name: "error", "detail", "msg", "base_resp", ...
    if not choices and isinstance(body, dict) and body.get("error"):
        raise complaint_of(body)
    if choices == [] and FILTERED_PROMPT.search(json.dumps(body)):
        return [Reply("", "content_filter", {"error": redact(json.dumps(body))[:300]})]
    if not isinstance(choices, list) or not choices or not all(isinstance(c, dict) for c in choices):
        raise Unread(f"the body is no chat completion: {redact(json.dumps(body))[:200]}")
    choices = sorted(choices, key=lambda choice: number(choice.get("index")))
    for choice in choices:
        if choice.get("error"):
            raise complaint_of(choice)
        choice.setdefault("message", choice.get("text") or choice.get("delta"))  # of a text completion, or of a stream
    if not any(choice["message"] for choice in choices):
        raise Unread(f"the body is no chat completion: {redact(json.dumps(body))[:200]}")
    details = {
        "model": named(body.get("model")), "system_fingerprint": named(body.get("system_fingerprint")),
        "usage": usage_of(body),
    }  # fmt: skip
    return [reply_of(one["message"], one.get("finish_reason"), details, one.get("logprobs")) for one in choices]


def reply_of(message: Any, finish_reason: Any, details: Mapping[str, Any], logprobs: Any = None) -> Reply:
    """Return one reply: its text without thoughts, its finish reason in our terms, and its details.

    Raises Transient if the service reports that the reply broke off.
    """
    message = message if isinstance(message, dict) else {"content": message}
    text, thoughts = _split(message.get("content"))
    answer, in_text = without_thoughts(text)
    thoughts += in_text + "".join(_split(message[name])[0] for name in THOUGHT_FIELDS if message.get(name))
    refused = message.get("refusal")
    ended = "refusal" if refused else ending_of(finish_reason)
    if ended == "broken off":
        raise Transient(f"the service broke off (finish_reason={finish_reason})")
    found = dict(details)
    if thoughts:
        found["thought_characters"] = len(thoughts)
    if answer.strip() and ended not in (None, "stop", "refusal", *UNFINISHED):
        found["ended_with"], ended = ended, "stop"  # an unknown finish reason
    answer = whole(answer) or (whole(refused) if isinstance(refused, str) else "")
    return Reply(redact(answer), ended, found, _alternatives(logprobs))


def usage_of(body: Mapping[str, Any]) -> dict[str, int]:
    """Return the token counts under our four names; 0 where the service gives none."""
    usage = _parsed(body.get("usage"))
    usage = usage if isinstance(usage, dict) else {}
    details = [usage[name] for name in usage if name.endswith("_details") and isinstance(usage[name], dict)]

    def first(*names: str) -> int:
        found = (number(part.get(name)) for part in (usage, *details) for name in names)
        return next(filter(None, found), 0)

    prompt = first("prompt_tokens", "input_tokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": first("completion_tokens", "output_tokens"),
        "cached_tokens": min(prompt, first("cached_tokens", "prompt_cache_hit_tokens")),
        "reasoning_tokens": first("reasoning_tokens"),
    }


def number(value: Any) -> int:
    """Convert a count, also one given as text, to an integer; anything else becomes 0."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(found) if math.isfinite(found) and found > 0 else 0


def whole(text: str) -> str:
    """Replace lone surrogates (half an emoji), which cannot be written to a file."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _split(content: Any) -> tuple[str, str]:
    """Split a content (a text, a part or a list of parts) into (the answer, the thoughts)."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, list):
        parts = [_split(part) for part in content]
        return "".join(said for said, _ in parts), "".join(thought for _, thought in parts)
    if not isinstance(content, dict):
        return "", ""
    inner = next((content[name] for name in (*THOUGHT_FIELDS, *SAID_FIELDS) if content.get(name)), "")
    named_so = str(content.get("type")).startswith(THOUGHT_PARTS) or content.get("thought") is True
    if named_so or (set(THOUGHT_FIELDS) & content.keys() and not set(SAID_FIELDS) & content.keys()):
        return "", "".join(_split(inner))
    if content and not {"type", *SAID_FIELDS} & content.keys():  # the reply's JSON, already parsed by the server
        return json.dumps(content), ""
    return _split(next((content[name] for name in SAID_FIELDS if content.get(name)), None))


def ending_of(reason: Any) -> str | None:
    """Translate a finish reason to "stop" or one of UNFINISHED; an unknown one is returned as it is."""
    word = _line(reason).strip().lower().removeprefix("finishreason.") if reason else ""  # a Python proxy's prefix
    if word in FINISHED:
        return "stop"
    signs = zip(UNFINISHED, (CUT, FILTERED, BROKEN), strict=True)
    return next((ending for ending, sign in signs if sign.search(word)), word or None)


def _alternatives(logprobs: Any) -> Sequence[tuple[str, dict[str, float]]]:
    """Return (token, {alternative: log-probability}) for each token of a reply; skip entries in other forms."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else logprobs

    def known(tokens: Any) -> list[dict]:
        return [t for t in tokens or [] if isinstance(t, dict) and isinstance(t.get("token"), str)]

    def value(token: dict) -> float:
        return token["logprob"] if isinstance(token.get("logprob"), int | float) else -math.inf

    if not isinstance(content, list):
        return ()
    return [(t["token"], {o["token"]: value(o) for o in [t, *known(t.get("top_logprobs"))]}) for t in known(content)]


def _parsed(value: Any) -> Any:
    """Parse a text that holds a JSON object or list (as in Mistral's and Ollama's errors); else return the text."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _unwrapped(body: Any) -> Any:
    """Return the completion in a body, which a gateway may put into an object or a text of its own."""
    body = _parsed(body)
    if isinstance(body, dict) and "choices" not in body:
        inner = map(_parsed, body.values())
        return next((value for value in inner if isinstance(value, dict) and "choices" in value), body)
    return body


def named(value: Any) -> str | None:
    """Clean a name that a service gives (of a model, say): a short text without keys and lone surrogates."""
    return None if value is None else _line(value)


def _line(said: Any) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    return redact(whole(text))[:300].replace("\n", " ")
