"""Parse the JSON in a body, even with a wrong content type, compressed, in UTF-16, or as an unrequested stream."""

import gzip
import json
import re
import zlib
from typing import Any

from utils.clients.keys import redact
from utils.clients.retry import Transient, Unread

STARTS = ("data:", "event:", "id:", "retry:", ":")


class WebPage(Transient):
    """The body is a web page: it comes from a proxy, or the address is not that of an API."""


def body_of(data: bytes) -> Any:
    """Return the JSON in a body, whatever its content type. Raises WebPage or Unread if there is none."""
    text = _text_of(data).lstrip("\ufeff").strip()
    if text.startswith("<"):
        title = re.search(r"<title[^>]*>([^<]*)", text, re.IGNORECASE)
        raise WebPage(f"the body is a web page{f' ({title[1].strip()[:60]})' if title else ''}")
    try:
        return assembled(text) if is_stream(text) else json.loads(text)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # also for a malformed stream
        raise Unread(f"the body is not JSON ({redact(error)[:100]})" if text else "the body is empty") from None


def _text_of(data: bytes) -> str:
    """Decode a body, even if it is compressed or in UTF-16 and its headers do not say so."""
    try:
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        raise Unread(f"the body is a gzip file that cannot be read ({error})") from None
    return data.decode(json.detect_encoding(data), "replace")


def is_stream(text: str) -> bool:
    return text.startswith(STARTS)


def assembled(text: str) -> dict[str, Any]:
    """Join the events of a stream into a completion. Raises ValueError if it was cut off before its end.

    An error, or a completion that is complete in one event, is returned unchanged.
    """
    events = [_data(event) for event in re.split(r"(?:\r\n|\r(?!\n)|\n){2,}", text)]
    done = any("[DONE]" in lines for lines in events)
    chunks = [chunk for lines in events for chunk in _chunks(lines)]
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        if not isinstance(chunk, dict) or chunk.get("error"):
            return chunk
        body.update({name: value for name, value in chunk.items() if name != "choices" and value})
        for choice in filter(None, chunk.get("choices") or []):
            if choice.get("message") and choice.get("finish_reason"):
                return chunk
            _add(choices.setdefault(choice.get("index") or 0, {"message": {}}), choice)
    if not done and not (choices and all(choice.get("finish_reason") for choice in choices.values())):
        raise ValueError("an event stream that was cut off")
    return body | {"choices": [choices[index] for index in sorted(choices)]}


def _data(event: str) -> list[str]:
    """Return the data lines of an event; only \\r and \\n end a line."""
    lines = re.split(r"[\r\n]+", event)
    return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]


def _chunks(lines: list[str]) -> list[Any]:
    """Parse the JSON of an event: one value per line, or one value over several lines. Skip keep-alive text."""
    lines = [line for line in lines if line and line != "[DONE]"]
    if not "".join(lines).startswith(("{", "[")):
        return []
    try:
        return [json.loads(line) for line in lines]
    except ValueError:
        return [json.loads("\n".join(lines))]


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    message = choice["message"]
    for name, value in (piece.get("delta") or piece.get("message") or {}).items():
        if isinstance(value, str | list) and isinstance(message.get(name, value), type(value)) and name != "role":
            message[name] = message[name] + value if name in message else value
    message.setdefault("content", "")
    if piece.get("finish_reason"):
        choice["finish_reason"] = piece["finish_reason"]
    tokens = (piece.get("logprobs") or {}).get("content")
    if tokens:
        choice.setdefault("logprobs", {"content": []})["content"].extend(tokens)
