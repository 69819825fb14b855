"""A chat model behind an Ollama server, by its native API (the OpenAI-compatible one cannot set the context)."""

import json
import logging
import os
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from utils.clients.chat import JudgeError, JudgeUnavailable, Reply
from utils.clients.keys import SECRETS, SHORTEST, checked_address, redact
from utils.clients.retry import BUDGET, Line, Transient

DEADLINE = 600.0  # seconds for one call: a model on a CPU reads a long prompt slowly
CHECK_BUDGET = 30.0  # seconds that a health check waits for a server
STALL = 300.0  # seconds without a byte after which a download is given up
SMALLEST_CONTEXT, CONTEXT_STEP = 4096, 2048  # tokens; the same size for all calls, or the server reloads the model
REPAIR = 256  # tokens that asking again adds to a prompt, beside the bad reply


class OllamaChat:
    """A `Chat` (see utils/clients/chat.py). The client has neither time-outs nor retries of its own: they are ours."""

    def __init__(
        self, address: str, model: str, *, pull: bool = True, deadline: float = DEADLINE, budget: float = BUDGET
    ):
        """`address` as Ollama's own client takes it: host, :port, host:port, a URL, or "" for OLLAMA_HOST or local."""
        address = checked_address(address or os.environ.get("OLLAMA_HOST", ""), "the Ollama address")
        import ollama

        if len(os.environ.get("OLLAMA_API_KEY", "")) >= SHORTEST:  # the client sends it by itself
            SECRETS.add(os.environ["OLLAMA_API_KEY"])
        self.name, self.pull = model, pull
        self.client = ollama.AsyncClient(host=address, follow_redirects=False, timeout=deadline)
        self.server = str(self.client._client.base_url)
        self.puller = ollama.Client(host=address, follow_redirects=False, timeout=STALL)
        self.line = Line(f"{model} at {self.server}", deadline=deadline, budget=budget)
        self.settings = {"judge": "ollama", "model": model, "server": self.server}
        self.context, self.model_context = SMALLEST_CONTEXT, None

    def check(self) -> None:
        """The server answers and has the model, which is pulled if not; learns the model's longest context."""
        try:
            answer = self.line.run(lambda: self._try(self.client.list), CHECK_BUDGET)
        except JudgeUnavailable as error:
            raise JudgeError(f"no Ollama server answers: {error}") from error
        if full_name(self.name) not in {full_name(model.model or "") for model in answer.models}:
            if not self.pull:
                raise JudgeError(
                    f"the Ollama server has no model {self.name!r}: run `ollama pull {self.name}`, or drop --no-pull"
                )
            self._pull()
        shown = self.line.run(lambda: self._try(self.client.show, self.name), CHECK_BUDGET)
        sizes = [size for name, size in (shown.modelinfo or {}).items() if name.endswith(".context_length")]
        self.model_context = int(sizes[0]) if sizes else None

    def prepare(self, prompts: Sequence[list[dict]], max_tokens: int) -> None:
        """Size the context to the longest prompt. JudgeError if the model's own context is too short for it."""
        if not prompts:
            return
        longest = max(map(upper_bound, prompts))
        needed = longest + 2 * max_tokens + REPAIR
        self.context = max(SMALLEST_CONTEXT, -(-needed // CONTEXT_STEP) * CONTEXT_STEP)
        if self.model_context:
            self.context = min(self.context, self.model_context)
            shortest_possible = max(map(lower_bound, prompts)) + max_tokens
            if shortest_possible > self.model_context:
                raise JudgeError(
                    f"the longest prompt has over {shortest_possible - max_tokens} tokens; "
                    f"{self.name} reads {self.model_context}, the reply included: use a judge with a longer context"
                )

    def complete(self, messages, *, temperature, seed, max_tokens, schema=None, logprobs=False) -> Reply:
        options = {"temperature": temperature, "seed": seed, "num_predict": max_tokens}
        request = {"model": self.name, "messages": messages, "format": schema, "options": options}
        if logprobs:
            request |= {"logprobs": True, "top_logprobs": 20}
        return self.line.run(lambda: self._send(request))

    async def _send(self, request: dict[str, Any]) -> Reply:
        while True:
            context = self.context
            answer = await self._try(
                self.client.chat, **{**request, "options": {**request["options"], "num_ctx": context}}
            )
            read, least = answer.prompt_eval_count or 0, lower_bound(request["messages"])
            if read < least:
                raise JudgeError(
                    f"{self.name}: the server read {read} tokens of a prompt of {least} words: it cut the prompt, "
                    "or is too old to say; set OLLAMA_CONTEXT_LENGTH higher or update the server"
                )
            if read + request["options"]["num_predict"] <= context:
                break
            # Filled to the brim: cut, or about to be. Ask again with more room, if the model has it.
            if self.model_context is None or context >= self.model_context:
                if read < context:
                    break  # it was read whole; a reply cut for want of room says so by itself
                raise JudgeError(f"{self.name}: a prompt does not fit into the model's context of {context} tokens")
            self.context = max(self.context, min(2 * context, self.model_context))
        details = {
            "model": answer.model,
            "num_ctx": context,
            "usage": {
                "prompt_tokens": read, "completion_tokens": answer.eval_count or 0,
                "cached_tokens": 0, "reasoning_tokens": 0,
            },
        }  # fmt: skip
        alternatives = [
            (t.token, {other.token: other.logprob for other in [t, *(t.top_logprobs or [])]})
            for t in answer.logprobs or []
        ]
        return Reply(redact(answer.message.content or ""), answer.done_reason, details, alternatives)

    async def _try(self, call, *words: Any, **arguments: Any) -> Any:
        """The call's result; what the client may raise (httpx, json, pydantic, builtin errors) made ours."""
        import httpx
        import ollama
        import pydantic

        try:
            return await call(*words, **arguments)
        except ollama.ResponseError as error:
            raise self._explain(error) from None
        except (httpx.HTTPError, ConnectionError) as error:
            raise Transient(redact(f"{type(error).__name__}: {error}")) from None
        except (json.JSONDecodeError, pydantic.ValidationError, UnicodeDecodeError) as error:
            raise Transient(f"the body is no reply of Ollama ({type(error).__name__})") from None

    def _explain(self, error: Any) -> Exception:
        status, text = error.status_code, redact(error.error)[:300].replace("\n", " ")
        if status in (408, 429) or status >= 500:
            return Transient(f"HTTP {status}: {text}", busy=status in (429, 503))
        if status == 404:
            return JudgeError(f"the Ollama server has no model {self.name!r} ({text})", status)
        if 300 <= status < 400:
            return JudgeError(f"{self.server} redirects elsewhere (HTTP {status}): give its own address", status)
        return JudgeError(f"{self.name}: HTTP {status}: {text}", status)

    def _pull(self) -> None:
        import httpx
        import ollama

        logging.info("the Ollama server lacks %s: pulling it (--no-pull refuses)", self.name)
        status = ""
        try:
            with tqdm(unit="B", unit_scale=True, desc=f"pulling {self.name}") as bar:
                for part in self.puller.pull(self.name, stream=True):
                    status = part.status or ""
                    bar.set_postfix_str(status[:40], refresh=False)
                    bar.total = part.total or bar.total
                    bar.update((part.completed or bar.n) - bar.n)
        except (ollama.ResponseError, httpx.HTTPError, OSError, ValueError) as error:  # under HTTP 200 too
            raise JudgeError(f"the Ollama server could not pull {self.name!r}: {redact(error)}") from None
        if status != "success":
            raise JudgeError(f"the Ollama server could not pull {self.name!r}: it ended at {status!r}")


def full_name(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def upper_bound(messages: list[dict]) -> int:
    """More tokens than the prompt has: a tokenizer needs over two bytes per token, but for odd scripts."""
    return sum(len(message["content"].encode(errors="replace")) // 2 + 16 for message in messages)


def lower_bound(messages: list[dict]) -> int:
    """Fewer tokens than the prompt has: no usual tokenizer joins two words into one token."""
    return sum(len(message["content"].split()) for message in messages)
