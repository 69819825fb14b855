"""Write and read the forms of Ollama's API: a request's body, a model's name and abilities, bounds of its tokens."""

from typing import Any


def body_of_request(sent: dict[str, Any], context: int) -> dict[str, Any]:
    """Return the body for /api/chat: what Ollama calls options stands apart."""
    options = {"temperature": sent["temperature"], "seed": sent["seed"], "num_predict": sent["max_tokens"]}
    body = {k: v for k, v in sent.items() if k not in ("temperature", "seed", "max_tokens") and v is not None}
    return {**body, "options": {**options, "num_ctx": context}}


def how_to_think(shown: dict[str, Any]) -> bool | str | None:
    """Return the value of `think` for a model that the server describes: False, or "low" if it cannot be turned off.

    Return None for a model that does not think, and for a server that is too old to tell.
    """
    control = shown.get("thinking")
    values = control.get("values") or [] if isinstance(control, dict) else []
    if values:
        return False if False in values and True in values else "low" if "low" in values else None
    if "thinking" not in (shown.get("capabilities") or []):
        return None
    details = shown.get("details")
    family = str(details.get("family")) if isinstance(details, dict) else ""
    return "low" if "gptoss" in family.replace("-", "") else False  # gpt-oss accepts only levels


def full_name(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def upper_bound(messages: list[dict]) -> int:
    """Return an upper bound of the prompt's tokens: a token has over two bytes, except in rare scripts."""
    return sum(len(message["content"].encode(errors="replace")) // 2 + 16 for message in messages)


def lower_bound(messages: list[dict]) -> int:
    """Return a lower bound of the prompt's tokens: no common tokenizer joins two words into one token."""
    return sum(len(message["content"].split()) for message in messages)
