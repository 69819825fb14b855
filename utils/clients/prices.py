"""Compute the cost of a judge: a price table, the cost of replies, and an estimate before any money is spent.

The table below applies only to OpenAI's own service. `--prices FILE` gives prices for any server:
{"gpt-4o": {"prompt": 2.5, "cached": 1.25, "completion": 10, "context": 128000}}. Unit: dollars per million tokens.
`context`, in tokens, may be left out.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from utils.artifacts import read_json
from utils.errors import BadInput
from utils.records import TutorAnswer

USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
BATCH_FACTOR = 0.5  # OpenAI's Batch API
OPENAI_SERVER = "https://api.openai.com"
CHARACTERS_PER_TOKEN = 3.6  # in English with numbers and code; an estimate, accurate to about 20 %
REPLY_TOKENS = 40  # of a judge's JSON object


@dataclass(frozen=True)
class Price:
    """A price in dollars per million tokens, and the longest context in tokens."""

    prompt: float
    cached: float
    completion: float
    context: int | None = None


PRICES_OF = "2025-08"  # the date of the table; services change their prices without notice
PRICES = {
    "gpt-4o": Price(2.50, 1.25, 10.00, 128_000),
    "gpt-4o-mini": Price(0.15, 0.075, 0.60, 128_000),
    "gpt-4.1": Price(2.00, 0.50, 8.00, 1_047_576),
    "gpt-4.1-mini": Price(0.40, 0.10, 1.60, 1_047_576),
    "gpt-4.1-nano": Price(0.10, 0.025, 0.40, 1_047_576),
    "gpt-5": Price(1.25, 0.125, 10.00, 400_000),
    "gpt-5-mini": Price(0.25, 0.025, 2.00, 400_000),
    "gpt-5-nano": Price(0.05, 0.005, 0.40, 400_000),
    "o4-mini": Price(1.10, 0.275, 4.40, 200_000),
}
FREE = Price(0, 0, 0)  # an Ollama server runs on the user's own machine


LOCAL = ("localhost", "127.0.0.1", "::1")  # a server on this machine costs nothing


def price_of(settings: dict[str, Any], path: Path | str | None = None) -> Price | None:
    """Look up the price of a chat by its settings; None if unknown. Dated names (gpt-4o-2024-08-06) cost the same."""
    own = read_prices(path) if path else {}
    model = settings["model"]
    short = re.sub(r"-\d{4}-\d\d-\d\d$", "", model)
    if found := own.get(model) or own.get(short):
        return found
    if settings["judge"] == "ollama" or urlsplit(settings["server"]).hostname in LOCAL:
        return FREE
    return PRICES.get(short) if settings["server"].startswith(OPENAI_SERVER) else None


def read_prices(path: Path | str) -> dict[str, Price]:
    """Read a file of the user's own prices. Raises BadInput, which names the file and the fault."""
    try:
        table = {name: Price(**fields) for name, fields in read_json(path).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not a price table ({error}); see the head of utils/clients/prices.py") from error
    for name, price in table.items():
        numbers = (price.prompt, price.cached, price.completion)
        if not all(isinstance(one, int | float) and math.isfinite(one) and one >= 0 for one in numbers):
            raise BadInput(f"{path}: the prices of {name} must be numbers, in dollars per million tokens")
        if price.context is not None and not (isinstance(price.context, int) and price.context > 0):
            raise BadInput(f"{path}: the context of {name} must be a number of tokens")
    return table


def cost(details: dict[str, Any], price: Price) -> float:
    """Compute the cost of one reply in dollars from its `details` (the usage, and whether the Batch API was used)."""
    usage = details.get("usage", {})
    cached = usage.get("cached_tokens", 0)
    dollars = (
        (usage.get("prompt_tokens", 0) - cached) * price.prompt
        + cached * price.cached
        + usage.get("completion_tokens", 0) * price.completion
    ) / 1e6
    return dollars * (BATCH_FACTOR if details.get("batch") else 1)


@dataclass(frozen=True)
class Estimate:
    """The estimate for one judge. Tokens are estimated from characters; `cost` is None if the price is unknown."""

    judge: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    longest_prompt: int
    context: int | None

    def __str__(self) -> str:
        dollars = "cost unknown (no price: see --prices)" if self.cost is None else "free"
        if self.cost:
            dollars = f"about ${self.cost:,.2f} (prices of {PRICES_OF}, or yours)"
        room = "of an unknown context" if self.context is None else f"of {self.context:,}"
        warning = " TOO LONG" if self.context is not None and self.longest_prompt > self.context else ""
        return (
            f"{self.judge}: {self.calls:,} calls, about {self.prompt_tokens:,} tokens in and "
            f"{self.completion_tokens:,} out, {dollars}, "
            f"longest prompt about {self.longest_prompt:,} tokens {room}{warning}"
        )


def estimate(judge: Any, conversations: Sequence[str], *, answers: int = 1, answer_tokens: int = 250) -> list[Estimate]:
    """Estimate what grading `answers` answers to each conversation takes. Returns one entry per LLM judge."""
    if hasattr(judge, "members"):
        parts = [
            estimate(member, conversations, answers=answers, answer_tokens=answer_tokens) for member in judge.members
        ]
        return [one for part in parts for one in part]
    if not hasattr(judge, "chat"):
        return []  # the offline judge makes no calls
    answer = "word " * int(answer_tokens * CHARACTERS_PER_TOKEN / 5)
    lengths = [tokens_of(judge.messages(TutorAnswer(conversation, answer))) for conversation in conversations]
    calls, prompt_tokens = len(lengths) * answers, sum(lengths) * answers
    completion_tokens = calls * REPLY_TOKENS
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    dollars = cost({"usage": usage, "batch": judge.grading.batch}, judge.price) if judge.price else None
    context = getattr(judge.chat, "model_context", None) or (judge.price.context if judge.price else None)
    return [Estimate(judge.name, calls, prompt_tokens, completion_tokens, dollars, max(lengths, default=0), context)]


def tokens_of(messages: Sequence[dict]) -> int:
    """Estimate how many tokens a prompt has."""
    return round(sum(len(message["content"]) / CHARACTERS_PER_TOKEN + 4 for message in messages))
