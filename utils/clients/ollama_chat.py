"""Call a chat model at an Ollama server by its native API; the OpenAI-compatible one cannot set the context size."""

import asyncio
import importlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tqdm import tqdm

from utils.clients.body import body_of
from utils.clients.chat import JudgeError, JudgeUnavailable, Reply, as_sent
from utils.clients.keys import SECRETS, SHORTEST, by_proxy, checked_address, made, redact
from utils.clients.ollama_format import body_of_request, full_name, how_to_think, lower_bound, upper_bound
from utils.clients.refusals import TOO_LONG, BadPrompt
from utils.clients.reply import Complaint, complaint_of, named, number, reply_of
from utils.clients.retry import BUDGET, Transient, Unread
from utils.clients.service import Service, no_reuse
from utils.errors import printable

DEADLINE = 600.0  # seconds for one call: a model on a CPU reads a long prompt slowly
CHECK_BUDGET = 30.0  # seconds that a health check waits for a server
STALL = 300.0  # seconds without a byte after which a download is given up
SMALLEST_CONTEXT, CONTEXT_STEP = 4096, 2048  # tokens; the same size for all calls, or the server reloads the model
SURE = 1536  # tokens of a prompt that a server reads whole even if it ignores the context size that is asked for
REPAIR = 256  # tokens that a request to correct a bad reply adds to the prompt, beside that reply


class OllamaChat(Service):
    """A `Chat` (see utils/clients/chat.py). The library's own time-outs and retries are off: `retry.py` has ours."""

    moderated = False

    def __init__(
        self, address: str, model: str, *, pull: bool = True, deadline: float = DEADLINE, budget: float = BUDGET
    ):
        """Take an address as Ollama's own client does: host, :port, host:port, a URL, or "" (OLLAMA_HOST or local)."""
        address = checked_address(address or os.environ.get("OLLAMA_HOST", ""), "the Ollama address")
        ollama = made(lambda: importlib.import_module("ollama"))  # it creates a default client on import
        if len(os.environ.get("OLLAMA_API_KEY", "")) >= SHORTEST:  # the library sends it, so it must be redacted
            SECRETS.add(os.environ["OLLAMA_API_KEY"])
        self.client = made(
            lambda: ollama.AsyncClient(host=address, follow_redirects=False, timeout=None, limits=no_reuse())
        )
        self.puller = made(lambda: ollama.Client(host=address, follow_redirects=False, timeout=STALL))
        super().__init__("ollama", model, str(self.client._client.base_url), deadline=deadline, budget=budget)
        self.pull = pull
        self.context, self.model_context = SMALLEST_CONTEXT, None
        self.cuts: dict[int, int] = {}  # context size -> to how many tokens the server cuts a prompt that is too long
        self.measuring = asyncio.Lock()
        self.think: bool | str | None = None  # sent to a model that can think: False, or "low"

    def check(self) -> None:
        """Check the server, pull the model if it is missing, and find out its context size and whether it thinks."""
        try:
            tags = self.queue.run(lambda: self.checked(self._get("GET", "/api/tags")), CHECK_BUDGET)
        except JudgeUnavailable as error:
            if error.busy:
                raise
            raise JudgeError(f"no Ollama server answers: {error}{by_proxy(self.server)}") from error
        models = tags.get("models") if isinstance(tags, dict) else None
        names = [str(one.get("model") or one.get("name")) for one in models or [] if isinstance(one, dict)]
        if full_name(self.name) not in map(full_name, names):
            if not self.pull:
                raise JudgeError(
                    f"the Ollama server has no model {self.name!r}: run `ollama pull {self.name}`, or drop --no-pull"
                )
            self._pull()
        shown = self.queue.run(lambda: self.checked(self._get("POST", "/api/show", model=self.name)), CHECK_BUDGET)
        shown = shown if isinstance(shown, dict) else {}
        info = shown.get("model_info") if isinstance(shown.get("model_info"), dict) else {}
        sizes = [number(size) for name, size in info.items() if name.endswith(".context_length")]
        self.model_context = next(filter(None, sizes), None)
        self.think = how_to_think(shown)

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        """Size the context to the longest prompt. Raises JudgeError if the model's own context is too short."""
        if not prompts:
            return
        longest = max(map(upper_bound, prompts))
        self.context = self.fitting(longest + 2 * max_tokens + REPAIR)
        if self.model_context:
            shortest_possible = max(map(lower_bound, prompts)) + max_tokens
            if shortest_possible > self.model_context:
                raise JudgeError(
                    f"the longest prompt has over {shortest_possible - max_tokens} tokens; "
                    f"{self.name} reads {self.model_context}, the reply included: use a judge with a longer context"
                )

    def fitting(self, tokens: int) -> int:
        """Return the context size for this many tokens, at most the model's own."""
        size = max(SMALLEST_CONTEXT, -(-tokens // CONTEXT_STEP) * CONTEXT_STEP)
        return min(size, self.model_context or size)

    def request_of(self, messages, *, temperature, seed, max_tokens, schema=None, logprobs=False) -> dict[str, Any]:
        """See `Service.request_of`."""
        request = {
            "model": self.name, "messages": messages, "temperature": temperature, "seed": seed,
            "max_tokens": max_tokens, "format": as_sent(schema), "truncate": False, "shift": False,
        }  # fmt: skip
        if self.think is not None:
            request["think"] = self.think
        if logprobs:
            request |= {"logprobs": True, "top_logprobs": 20}
        return request

    def complete(self, messages, **options: Any) -> Reply:
        """See `Chat.complete`."""
        request = self.request_of(messages, **options)
        return self.answered(request)[0]

    async def post(self, sent: dict[str, Any]) -> list[Reply]:
        return await self._post(sent, lambda body: self._get("POST", "/api/chat", **body, stream=False))

    async def post_live(self, sent: dict[str, Any], grow: Callable[[str], None]) -> list[Reply]:
        """See `Service.post_live`."""
        return await self._post(sent, lambda body: self._grown(body, grow))

    async def _post(self, sent: dict[str, Any], send: Callable[[dict[str, Any]], Awaitable[Any]]) -> list[Reply]:
        """Send one request; if the reply filled the context, ask again with a larger one."""
        messages, room = sent["messages"], self.abilities.room
        reply_tokens = sent["max_tokens"]
        if room:
            self.context = max(self.context, self.fitting(upper_bound(messages) + reply_tokens + REPAIR))
        while True:
            context, most = self.context, upper_bound(messages)
            cut_to = await self._cut_to(sent, context) if most > SURE else 0
            answer = await send(body_of_request(sent, context))
            if not isinstance(answer, dict) or not isinstance(answer.get("message"), dict):
                raise (
                    complaint_of(answer)
                    if isinstance(answer, dict) and answer.get("error")
                    else Unread("the body is no reply of Ollama")
                )
            read = number(answer.get("prompt_eval_count"))
            if not read and not answer["message"].get("content") and answer.get("done_reason") in ("load", "unload"):
                raise Transient(f"the server only did this: {answer['done_reason']} the model")
            if read < (least := lower_bound(messages)):
                raise JudgeError(
                    f"{self.name}: the server read {read} tokens of a prompt of {least} words: it cut the prompt, "
                    "or is too old to say; set OLLAMA_CONTEXT_LENGTH higher or update the server"
                )
            # The prompt was read whole if two things hold: prompt and reply fit into the context, and the number of
            # tokens read is not the one to which the server cuts.
            cut = cut_to and abs(read - cut_to) <= 16
            if read + reply_tokens - room <= context and not cut:
                break
            if self.model_context is None or context >= self.model_context:
                if read < context - 1 and not cut:
                    break  # a reply that was cut has that as its finish reason
                raise BadPrompt("context_length", f"the server read {read} tokens, cut to its context of {context}")
            self.context = max(self.context, min(2 * context, self.model_context))
        usage = {
            "prompt_tokens": read, "completion_tokens": number(answer.get("eval_count")), "cached_tokens": 0,
            "reasoning_tokens": 0,
        }  # fmt: skip
        details = {"model": named(answer.get("model")), "num_ctx": context, "usage": usage}
        return [reply_of(answer["message"], answer.get("done_reason"), details, answer.get("logprobs"))]

    async def _cut_to(self, sent: dict[str, Any], context: int) -> int:
        """Measure to how many tokens the server cuts a prompt that is too long; 0 if it refuses it, as it is asked to.

        Servers before 0.12.6 cut it to the context, or to half of it and a few tokens. Those that only speak Ollama's
        language may ignore the context size that is asked for.
        """
        async with self.measuring:
            if 0 in self.cuts.values():
                return 0
            if context not in self.cuts:
                words = {**sent, "messages": [{"role": "user", "content": "question " * context}], "max_tokens": 1}
                try:
                    answer = await self._get("POST", "/api/chat", **body_of_request(words, context), stream=False)
                    self.cuts[context] = number(answer.get("prompt_eval_count")) if isinstance(answer, dict) else 0
                except Complaint as complaint:
                    if not TOO_LONG.search(complaint.message):
                        raise
                    self.cuts[context] = 0
                if 0 < self.cuts[context] < context // 2:
                    logging.warning(
                        "%s reads only %d tokens of a longer prompt, whatever context is asked for; longer ones get no "
                        "verdict: start the server with a larger context", self.name, self.cuts[context],
                    )  # fmt: skip
            return self.cuts[context]

    async def _grown(self, body: dict[str, Any], grow: Callable[[str], None]) -> Any:
        """Read a streamed answer line by line into a complete one. Raises Transient if it breaks off."""
        import httpx

        text, thoughts, part = "", "", {}
        try:
            async with self.client._client.stream("POST", "/api/chat", json={**body, "stream": True}) as response:
                if response.status_code >= 400:
                    raise complaint_of(body_of(await response.aread()), response.status_code)
                async for line in response.aiter_lines():
                    part = body_of(line.encode())
                    if not isinstance(part, dict) or not isinstance(part.get("message"), dict):
                        return part  # an error, or not a reply of Ollama
                    text += part["message"].get("content") or ""
                    thoughts += part["message"].get("thinking") or ""
                    grow(text)
        except httpx.HTTPError as error:
            raise Transient(redact(f"{type(error).__name__}: {error}")) from None
        if not part.get("done"):
            raise Transient("the answer broke off")
        return part | {"message": {"content": text, **({"thinking": thoughts} if thoughts else {})}}

    async def _get(self, method: str, page: str, **body: Any) -> Any:
        """Return the JSON of a page. Raises Transient or Complaint for all errors of httpx, ollama and Python."""
        import httpx
        import ollama

        try:
            answer = await self.client._request_raw(method, page, **({"json": body} if body else {}))
        except ollama.ResponseError as error:
            raise complaint_of(error.error, error.status_code) from None
        except (httpx.HTTPError, ConnectionError) as error:
            raise Transient(redact(f"{type(error).__name__}: {error}")) from None
        return body_of(answer.content)

    def _pull(self) -> None:
        import httpx
        import ollama

        logging.info("the Ollama server lacks %s: pulling it (--no-pull refuses)", self.name)
        status = ""
        try:
            with tqdm(unit="B", unit_scale=True, desc=f"pulling {self.name}") as bar:
                for part in self.puller.pull(self.name, stream=True):
                    status = part.status or ""
                    bar.set_postfix_str(printable(status[:40]), refresh=False)
                    bar.total = part.total or bar.total
                    bar.update((part.completed or bar.n) - bar.n)
        # under HTTP 200 too; the last two where a line is JSON, but no object
        except (ollama.ResponseError, httpx.HTTPError, OSError, ValueError, TypeError, AttributeError) as error:
            raise JudgeError(f"the Ollama server could not pull {self.name!r}: {redact(error)}") from None
        if status != "success":
            raise JudgeError(f"the Ollama server could not pull {self.name!r}: it ended at {status!r}")
