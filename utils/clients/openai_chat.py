"""Call a chat model at OpenAI, or at any server with the same API (`OPENAI_BASE_URL`, or a given address)."""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from utils.clients.body import WebPage, body_of
from utils.clients.chat import JudgeError, JudgeUnavailable, Reply, as_sent
from utils.clients.keys import by_proxy, checked_address, made, read_key, redact
from utils.clients.pauses import limit_reset, retry_after
from utils.clients.reply import Complaint, complaint_of, replies_of, reply_of
from utils.clients.retry import BUDGET, Transient
from utils.clients.service import TRIAL, Service, no_reuse
from utils.errors import BadInput

OPENAI = "https://api.openai.com/v1"
DEADLINE = 180.0  # seconds for one call
CHECK_BUDGET = 30.0  # seconds that a health check waits for a server


class OpenAIChat(Service):
    """A `Chat` (see utils/clients/chat.py). The library's retries, time-outs and redirects are off."""

    def __init__(
        self, key: str, model: str, *, address: str | None = None, deadline: float = DEADLINE, budget: float = BUDGET
    ):
        """`key` is a key, `env:NAME` or `file:PATH`; `deadline` seconds per call, `budget` seconds per question."""
        origin = "--server" if address else "OPENAI_BASE_URL"
        address = checked_address(address or os.environ.get("OPENAI_BASE_URL", "").strip() or OPENAI, origin)
        if "://" not in address:
            raise BadInput(f"{origin}: {address} lacks http:// or https://")
        if page := re.search(r"/((chat/)?completions|responses|models)/*$", address):
            raise BadInput(f"{origin}: give the address without {page[0].rstrip('/')}: {address}")
        self.key, self.keyless = "none", None
        try:
            self.key = read_key(key, "--server") if origin == "--server" else read_key(key)
        except (BadInput, OSError) as error:  # of no matter to a dry run, which asks nothing
            if not key.startswith(("env:", "file:")):
                raise
            self.keyless = error
        for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):  # the library sends them as headers
            if not (os.environ.get(name, "").isascii() and os.environ.get(name, "").isprintable()):
                raise BadInput(f"{name} holds line breaks or non-ASCII characters")
        if not model.isprintable():
            raise BadInput(f"the model's name holds characters that cannot be printed: {model!r}")
        import openai

        super().__init__("openai", model, address.rstrip("/"), deadline=deadline, budget=budget)
        # OpenAI's own service is sent only documented parameters
        self.hushed = not (urlsplit(self.server).hostname or "").endswith(("openai.com", "openai.azure.com"))
        self.client = made(
            lambda: openai.AsyncOpenAI(
                api_key=self.key, base_url=address, max_retries=0, timeout=None,
                http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=None, limits=no_reuse()),
            )
        )  # fmt: skip

    @property
    def changed(self) -> dict[str, Any]:
        """Return the parameters that this model rejected, each with its replacement."""
        return self.abilities.changed

    def check(self) -> None:
        """Check the server's list of models. If there is none, or the model is not on it, a one-word chat decides."""
        if self.keyless:
            raise self.keyless
        known: list[str] = []
        try:
            known = self._checked(self._models, CHECK_BUDGET)
            if self.name in known:
                return
        except JudgeError as error:
            if error.status == 401:
                raise
        try:
            self._checked(self._trial, 2 * CHECK_BUDGET)
        except JudgeError as error:
            raise JudgeError(f"{error}{'; it has ' + ', '.join(known[:10]) if known else ''}", error.status) from None

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        pass  # the service sizes the context itself, and says so when a prompt is too long

    def request_of(self, messages, *, temperature, seed, max_tokens, schema=None, logprobs=False) -> dict[str, Any]:
        """See `Service.request_of`."""
        return chat_request(self.name, messages, temperature, seed, max_tokens, schema, logprobs)

    def complete(self, messages, **options: Any) -> Reply:
        """See `Chat.complete`."""
        request = self.request_of(messages, **options)
        return self.answered(request)[0]

    def sample(
        self, messages: list[dict], *, n: int, temperature: float, top_k: int, seed: int, max_tokens: int
    ) -> list[Reply]:
        """Sample `n` answers to one prompt, as in utils/tutors/generation.py; fewer if the server does not support `n`.

        For a prompt that the server refuses, return one empty reply whose finish_reason says why.
        """
        request = chat_request(self.name, messages, temperature, seed, max_tokens, None, False)
        # All are set, because servers differ in their defaults. All servers take top_k -1 for the whole vocabulary.
        request |= {"n": n, "top_k": top_k or -1, "top_p": 1, "min_p": 0, "repetition_penalty": 1}
        return self.answered(request)

    def request(self, messages: list[dict], **options: Any) -> dict[str, Any]:
        """Return the request's body in the form that this model accepts, for the Batch API."""
        options = {"schema": None, "logprobs": False, **options}
        return self.abilities.adjusted(chat_request(self.name, messages, **options), self.abilities.room)

    async def post(self, sent: dict[str, Any]) -> list[Reply]:
        return replies_of(body_of(await self.guarded(self.client.post, "/chat/completions", body=sent, cast_to=bytes)))

    async def post_live(self, sent: dict[str, Any], grow: Callable[[str], None]) -> list[Reply]:
        """See `Service.post_live`."""
        import httpx
        import openai

        text, reason = "", None
        events = await self.guarded(self.client.chat.completions.create, **sent, stream=True)
        try:
            async for event in events:
                for choice in event.choices[:1]:
                    text += choice.delta.content or ""
                    reason = choice.finish_reason or reason
                grow(text)
        except (httpx.HTTPError, openai.APIError) as error:
            raise Transient(f"the answer broke off ({redact(error)})") from None
        finally:
            await events.close()
        if reason is None:
            raise Transient("the answer broke off")
        return [reply_of({"content": text}, reason, {})]

    async def guarded(self, call, *words: Any, **arguments: Any) -> Any:
        """Return the call's result. Raises Transient or Complaint for every failure, with all keys redacted."""
        import openai

        if self.keyless:
            raise self.keyless
        try:
            return await call(*words, **arguments)
        except openai.APIStatusError as error:
            raise self._complaint(error.response) from None
        except openai.APIConnectionError as error:
            why = redact(f"{error} ({error.__cause__})" if error.__cause__ else error)
            raise Transient(f"{why}{by_proxy(self.server)}") from None
        except (ValueError, openai.APIResponseValidationError) as error:
            raise Transient(f"the body is not JSON ({redact(error)})") from None

    def _complaint(self, response: Any) -> Complaint:
        try:
            body = body_of(response.content)
        except Transient as unread:
            body = str(unread) if isinstance(unread, WebPage) else response.text or response.reason_phrase
        complaint = complaint_of(body, response.status_code)
        headers = {**complaint.headers, **response.headers}
        pause = retry_after({**(limit_reset(headers) if response.status_code == 429 else {}), **headers})
        complaint.pause = complaint.pause if pause is None else pause
        return complaint

    async def _models(self) -> list[str]:
        """Return the names in the server's list of models, even a bare list (Together); [] if there is no list."""
        data = await self.explained(self.guarded(self.client.get, "/models", cast_to=bytes), {})
        try:
            body = body_of(data)
        except Transient:  # no JSON: asking for it again would only cost time
            return []
        models = body.get("data", body.get("models")) if isinstance(body, dict) else body
        models = models if isinstance(models, list) else []
        return [str(model["id"]) for model in models if isinstance(model, dict) and model.get("id")]

    async def _trial(self) -> None:
        await self.checked(self.ask(chat_request(self.name, TRIAL, 1, 0, 16, None, False), trial=True))

    def _checked(self, call: Any, budget: float) -> Any:
        try:
            return self.queue.run(call, budget)
        except JudgeUnavailable as error:
            if error.busy:
                raise
            raise JudgeError(f"nobody answers: {error}") from error


def chat_request(model, messages, temperature, seed, max_tokens, schema, logprobs) -> dict[str, Any]:
    """Return the body of a chat request in OpenAI's format."""
    request = {
        "model": model, "messages": messages, "temperature": temperature, "seed": seed, "max_tokens": max_tokens
    }  # fmt: skip
    if schema:
        json_schema = {"name": "reply", "strict": True, "schema": as_sent(schema)}
        request["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    if logprobs:
        request |= {"logprobs": True, "top_logprobs": 20}
    return request
