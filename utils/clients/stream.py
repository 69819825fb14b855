"""A chat completion out of an event stream, which some servers send whether it was asked for or not."""

import json
from typing import Any

STARTS = ("data:", "event:", "id:", "retry:", ":")


def is_stream(text: str) -> bool:
    return text.startswith(STARTS)


def assembled(text: str) -> dict[str, Any]:
    """The completion that the events of a stream spell; ValueError if it was cut off before its end.

    An error in an event, and a completion that comes whole in one, are returned as they are.
    """
    lines = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")]
    chunks = [json.loads(line) for line in lines if line and line != "[DONE]"]
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        if not isinstance(chunk, dict) or chunk.get("error"):
            return chunk
        body.update({name: value for name, value in chunk.items() if name != "choices" and value})
        for choice in chunk.get("choices") or []:
            if choice.get("message"):
                return chunk
            _add(choices.setdefault(choice.get("index") or 0, {"message": {}}), choice)
    if "[DONE]" not in lines and not (choices and all(choice.get("finish_reason") for choice in choices.values())):
        raise ValueError("an event stream that was cut off")
    return body | {"choices": [choices[index] for index in sorted(choices)]}


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    message = choice["message"]
    for name, value in (piece.get("delta") or {}).items():
        if isinstance(value, str | list) and isinstance(message.get(name, value), type(value)) and name != "role":
            message[name] = message[name] + value if name in message else value
    message.setdefault("content", "")
    if piece.get("finish_reason"):
        choice["finish_reason"] = piece["finish_reason"]
    tokens = (piece.get("logprobs") or {}).get("content")
    if tokens:
        choice.setdefault("logprobs", {"content": []})["content"].extend(tokens)
