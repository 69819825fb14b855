"""A chat model behind OpenAI's API, or behind any compatible server (`OPENAI_BASE_URL`, or an address given)."""

import json
import logging
import os
import re
from collections.abc import Sequence
from typing import Any

from utils.clients.chat import JudgeError, JudgeUnavailable, Reply
from utils.clients.keys import checked_address, read_key, redact
from utils.clients.retry import BUDGET, Line, Transient, retry_after

OPENAI = "https://api.openai.com/v1"
DEADLINE = 180.0  # seconds for one call
CHECK_BUDGET = 30.0  # seconds that a health check waits for a server
# What a model may reject, by the name in the request -> its other name, or None to leave it out.
CHANGES = {
    "max_tokens": "max_completion_tokens", "max_completion_tokens": None, "temperature": None, "seed": None,
    "response_format": None, "logprobs": None, "top_logprobs": None, "n": None, "top_k": None, "min_p": None,
    "repetition_penalty": None,
}  # fmt: skip
NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
PASSING = (408, 409, 425, 429)


class RejectedParameter(Exception):
    """A 400 that names a parameter which the model does not take."""

    def __init__(self, name: str, message: str):
        super().__init__(message)
        self.name = name


class BadPrompt(Exception):
    """A 400 that is about this prompt alone (too long, filtered): its reply is invalid, the run goes on."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class OpenAIChat:
    """A `Chat` (see utils/clients/chat.py). The client's own retries are off, redirects are not followed."""

    def __init__(
        self, key: str, model: str, *, address: str | None = None, deadline: float = DEADLINE, budget: float = BUDGET
    ):
        """`key` is a key, `env:NAME` or `file:PATH`; `deadline` seconds per call, `budget` seconds per question."""
        origin = "--server" if address else "OPENAI_BASE_URL"
        address = checked_address(address or os.environ.get("OPENAI_BASE_URL") or OPENAI, origin)
        if "://" not in address:
            raise ValueError(f"{origin}: {address} lacks http:// or https://")
        self.key = read_key(key, "--server" if origin == "--server" else "--judge-llm")
        import openai

        self.name = model
        self.client = openai.AsyncOpenAI(
            api_key=self.key, base_url=address, max_retries=0, timeout=deadline,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )  # fmt: skip
        self.line = Line(f"{model} at {address}", deadline=deadline, budget=budget)
        self.settings = {"judge": "openai", "model": model, "server": address}
        self.changed: dict[str, str | None] = {}  # parameters that this model rejected, once learnt

    def check(self) -> None:
        """The server's list of models; where it has none, or not this one, a one-word chat decides."""
        known: list[str] = []
        try:
            known = self.line.run(self._models, budget=CHECK_BUDGET)
            if self.name in known:
                return
        except JudgeUnavailable as error:
            raise JudgeError(f"nobody answers: {error}") from error
        except JudgeError as error:
            if error.status == 401:
                raise
        try:
            self.complete([{"role": "user", "content": "Hello"}], temperature=0, seed=0, max_tokens=16, budget=60)
        except JudgeUnavailable as error:
            raise JudgeError(f"nobody answers: {error}") from error
        except JudgeError as error:
            raise JudgeError(f"{error}{'; it has ' + ', '.join(known[:10]) if known else ''}") from None

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        pass  # the service sizes the context itself, and says so when a prompt is too long

    def complete(
        self, messages, *, temperature, seed, max_tokens, schema=None, logprobs=False, budget: float | None = None
    ) -> Reply:
        request = chat_request(self.name, messages, temperature, seed, max_tokens, schema, logprobs)
        return self.line.run(lambda: self._send(request), budget)[0]

    def sample(
        self, messages: list[dict], *, n: int, temperature: float, top_k: int, seed: int, max_tokens: int
    ) -> list[Reply]:
        """`n` answers to one prompt, drawn as utils/tutors/generation.py draws them; fewer if the server knows no `n`.

        A prompt that the server refuses has one reply, an empty one, whose finish_reason says why.
        """
        request = chat_request(self.name, messages, temperature, seed, max_tokens, None, False)
        # Said in full: each server has other defaults, and -1 is what they all take for "the whole vocabulary".
        request |= {"n": n, "top_k": top_k or -1, "top_p": 1, "min_p": 0, "repetition_penalty": 1}
        return self.line.run(lambda: self._send(request))

    async def _models(self) -> list[str]:
        page = await self.guarded(self.client.models.list)
        return [model.id for model in getattr(page, "data", None) or []]

    async def _send(self, request: dict[str, Any]) -> list[Reply]:
        while True:
            sent = self.adjusted(request)
            try:
                # `post` leaves body and answer as they are; `chat.completions.create` costs twice the CPU
                answer = await self.guarded(self.client.post, "/chat/completions", body=sent, cast_to=object)
                return replies_of(answer, self.changed)
            except BadPrompt as error:
                return [Reply("", error.reason, {"error": str(error)})]
            except RejectedParameter as error:
                if error.name not in sent:
                    raise JudgeError(f"{self.name}: {error}") from None
                self.learn(error)

    def learn(self, error: RejectedParameter) -> None:
        """Leave out or rename, from now on, what this model has rejected."""
        if error.name not in self.changed:
            logging.info("%s rejects %s: %s", self.name, error.name, CHANGES[error.name] or "left out")
        self.changed[error.name] = CHANGES[error.name]

    def request(self, messages: list[dict], **options: Any) -> dict[str, Any]:
        """The request's body as this model takes it: for the Batch API."""
        options = {"schema": None, "logprobs": False, **options}
        return self.adjusted(chat_request(self.name, messages, **options))

    def adjusted(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request without, or with renamed, what this model is known to reject."""
        for name, other in self.changed.items():
            if name in request:
                renamed = {(other if key == name else key): value for key, value in request.items()}
                request = {key: value for key, value in renamed.items() if key}
        return request

    async def guarded(self, call, *words: Any, **arguments: Any) -> Any:
        """The call's result; every failure as Transient, RejectedParameter or JudgeError, with no key in it."""
        import openai

        try:
            return await call(*words, **arguments)
        except openai.APIStatusError as error:
            raise self._explain(error) from None
        except openai.APIConnectionError as error:
            raise Transient(redact(f"{error} ({error.__cause__})" if error.__cause__ else error)) from None
        except (json.JSONDecodeError, openai.APIResponseValidationError, UnicodeDecodeError) as error:
            raise Transient(f"the body is not JSON ({redact(error)})") from None

    def _explain(self, error: Any) -> Exception:
        body = error.body if isinstance(error.body, dict) else {}
        code, status = str(body.get("code") or ""), error.status_code
        text = redact(body.get("message") or str(error.message))[:300].replace("\n", " ")
        if code in NO_CREDIT or str(body.get("type")) in NO_CREDIT:
            return JudgeError(f"{self.name}: the account has no credit left ({text})", status)
        if status in PASSING or (status >= 500 and status != 501):
            pause = retry_after(error.response.headers)
            return Transient(f"HTTP {status}: {text}", pause=pause, busy=status in (429, 503))
        if status in (401, 403):
            return JudgeError(f"{self.settings['server']} refuses the key (HTTP {status}: {text})", status)
        if status == 404:
            return JudgeError(f"{self.settings['server']} has no model {self.name!r} (HTTP 404: {text})", status)
        if 300 <= status < 400:
            return JudgeError(
                f"{self.settings['server']} redirects elsewhere (HTTP {status}): give its own address", status
            )
        if status == 400:
            about = f"{code} {body.get('type')}"
            # vLLM and SGLang say it in words alone, with 'max_tokens' in quotes, which is not what they reject
            if "context" in about or re.search("context (length|size|window)|maximum allowed length", text.lower()):
                return BadPrompt("context_length", text)
            if "content_filter" in about:
                return BadPrompt("content_filter", text)
            name = body.get("param") or next(iter(re.findall(r"'(\w+)'", text)), None)
            if name in CHANGES:
                return RejectedParameter(name, text)
        return JudgeError(f"{self.name}: HTTP {status}: {text}", status)


def chat_request(model, messages, temperature, seed, max_tokens, schema, logprobs) -> dict[str, Any]:
    """The body of a chat request, in OpenAI's terms."""
    request = {
        "model": model, "messages": messages, "temperature": temperature, "seed": seed, "max_tokens": max_tokens
    }  # fmt: skip
    if schema:
        json_schema = {"name": "reply", "strict": True, "schema": schema}
        request["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    if logprobs:
        request |= {"logprobs": True, "top_logprobs": 20}
    return request


def replies_of(body: Any, changed: dict[str, str | None]) -> list[Reply]:
    """The replies in the body of a chat completion, one per choice; each has the usage of the whole request.

    Raises Transient for a body that is none.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not choices or not all(choice.get("message") for choice in choices):
        raise Transient(f"the body is no chat completion: {redact(json.dumps(body))[:200]}")
    usage = body.get("usage") or {}
    details: dict[str, Any] = {
        "model": body.get("model"),
        "system_fingerprint": body.get("system_fingerprint"),
        "usage": {
            "prompt_tokens": usage.get("prompt_tokens") or 0,
            "completion_tokens": usage.get("completion_tokens") or 0,
            "cached_tokens": (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
            "reasoning_tokens": (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0,
        },
    }
    if changed:
        details["changed_parameters"] = dict(changed)
    return [_reply(choice, details) for choice in choices]


def _reply(choice: dict[str, Any], details: dict[str, Any]) -> Reply:
    message = choice["message"]
    refused = message.get("refusal")
    tokens = (choice.get("logprobs") or {}).get("content") or []
    return Reply(
        redact(message.get("content") or refused or ""), "refusal" if refused else choice.get("finish_reason"), details,
        [(t["token"], {o["token"]: o["logprob"] for o in [t, *(t.get("top_logprobs") or [])]}) for t in tokens],
    )  # fmt: skip
