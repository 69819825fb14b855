"""Run llama.cpp's HTTP server on one GGUF file, and query its token ids and probabilities.

It runs in a child process, because a failed assertion inside llama.cpp ends the process.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import httpx

from utils.errors import BadInput

START = 300.0  # seconds that a model may take to load
TIMEOUT = 600.0  # seconds for one answer of the server
TOP = 256  # next-token probabilities to request; the rest of the vocabulary is merged into one outcome


class LlamaServer:
    """A running server. `address` is where it listens; `<address>/v1` speaks OpenAI's protocol."""

    def __init__(self, address: str):
        self.address = address
        self._client = httpx.Client(base_url=address, timeout=TIMEOUT)
        # a token that is neither an end token nor half a character, for `next_token`
        self._harmless = self.tokenize("a")[-1]

    def tokenize(self, text: str) -> list[int]:
        """Tokenize a prompt as llama.cpp and Ollama do: special tokens parsed, BOS added. Returns the ids."""
        return self._ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]

    def chat_ids(self, messages: list[dict[str, str]]) -> list[int]:
        """Tokenize a chat with the chat template that is stored in the file. Returns the ids."""
        return self.tokenize(self._ask("/apply-template", {"messages": messages})["prompt"])

    def next_token(self, ids: list[int], slot: int) -> tuple[list[int], list[float]]:
        """Return the `TOP` likeliest next tokens after `ids`, likeliest first, with their natural log-probabilities.

        The server reports no probabilities if it samples an end token or half a character. A bias therefore makes it
        sample a harmless token. The reported list is computed from the raw logits, without the bias.
        """
        reply = self._ask(
            "/completion",
            {
                "prompt": ids, "n_predict": 1, "temperature": 0, "n_probs": TOP, "cache_prompt": True, "id_slot": slot,
                "logit_bias": [[self._harmless, 1000]],
            },
        )  # fmt: skip
        top = reply["completion_probabilities"][0]["top_logprobs"]
        return [entry["id"] for entry in top], [entry["logprob"] for entry in top]

    def greedy(self, ids: list[int], max_new_tokens: int) -> list[int]:
        """Decode greedily after `ids`. Returns the new ids without the end token."""
        reply = self._ask(
            "/completion",
            {
                "prompt": ids, "n_predict": max_new_tokens, "temperature": 0, "return_tokens": True,
                "repeat_penalty": 1.0,
            },
        )  # fmt: skip
        return reply["tokens"]

    def _ask(self, page: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = self._client.post(page, json=body)
        if reply.is_error:
            raise RuntimeError(f"llama.cpp's server answers {reply.status_code} to {page}: {reply.text[:300]}")
        return reply.json()


@contextlib.contextmanager
def serve(gguf: Path, *, context: int, slots: int, log: Path) -> Iterator[LlamaServer]:
    """Run the server on a file, for `slots` concurrent requests of `context` tokens each. Its output goes to `log`.

    Raises BadInput with the last line of `log` if llama.cpp cannot load the file.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(gguf, context, slots, log, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        wait([ours], START)
        try:
            address = ours.recv() if ours.poll() else None
        except EOFError:  # the process has ended
            address = None
        if address is None:
            raise BadInput(f"llama.cpp cannot run {gguf.name}: {last_words(log)} (all of it is in {log})")
        yield LlamaServer(address)
    finally:
        process.kill()
        process.join()


def _serve(gguf: Path, context: int, slots: int, log: Path, pipe) -> None:
    redirect(log)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.n_ctx, params.n_parallel = context * slots, slots
    params.kv_unified = False  # so that longrope chooses its factors by the context of one request
    params.fit_params = params.warmup = params.ui = False
    params.hostnames, params.port = ["127.0.0.1"], 0
    # The threads synchronise at every step: on a busy machine, half of the cores are faster than all of them.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 1) // 2)
    params.sampling.seed = 0
    server = xllamacpp.Server(params)
    pipe.send(server.listening_address)
    wait([multiprocessing.parent_process().sentinel])  # until the parent process has ended


def redirect(log: Path) -> None:
    """Redirect all output of this process, including its C libraries, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def last_words(log: Path) -> str:
    """Return the last line of a log that mentions an error, or else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "missing" in line.lower()]
    return (errors or lines or ["no word of why"])[-1]
