"""A model behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp) answers seed dialogues.

One request (`n`) asks for all samples of a prompt, so that the server forwards the prompt once. The request's seed
depends on the prompt. Servers give sample k the seed + k, so the fifth answer is the same however many are requested;
whether it is the same in another run is up to the server.
Only the server knows how many tokens a prompt has. While it says that a prompt is too long, the oldest turn is dropped.
(llama.cpp counts the prompt alone: if the context ends before `--max-new-tokens`, so does the answer, with
finish_reason "length".)
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utils.clients.ask_all import run_all
from utils.clients.openai_chat import OpenAIChat
from utils.errors import BadInput
from utils.journal import Journal, key_of
from utils.prompts import digest, shorten, tutor_messages
from utils.records import Sample, SeedDialogue
from utils.tutors.chat_tutor import sample_of
from utils.tutors.local import LocalTutor
from utils.tutors.tutor import TOO_LONG, Answers

log = logging.getLogger(__name__)

IN_FLIGHT = 80  # answers requested at once: enough to keep a GPU busy; a small server queues the rest
DEADLINE, BUDGET = 1800.0, 3600.0  # seconds for one request, with queueing; and with all of its retries


@dataclass(frozen=True)
class ServedTutor:
    """The model of a `LocalTutor`, with its sampling and its prompt, answered by the server at `address`."""

    local: LocalTutor
    address: str

    @property
    def name(self) -> str:
        return self.local.name

    @property
    def settings(self) -> dict[str, Any]:
        return self._drawn_by() | {"inference_prompt": digest(self.local.template)}

    def _drawn_by(self) -> dict[str, Any]:
        return {"engine": "server", "model": self.local.model, **asdict(self.local.sampling)}

    @property
    def chat(self) -> OpenAIChat:
        key = "env:TUTOR_API_KEY" if os.environ.get("TUTOR_API_KEY") else "none"
        return OpenAIChat(key, self.local.model, address=self.address, deadline=DEADLINE, budget=BUDGET)

    def check(self) -> None:
        """Check nothing yet: no server is needed where all answers are in the journal."""

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """See `Tutor.answer`.

        Raises JudgeError if the server cannot be used, JudgeUnavailable when the run must stop for now.
        """
        chat, settings = self.chat, self._drawn_by()
        prompts = [key_of(settings, tutor_messages(self.local.template, seed.text)) for seed in seeds]
        with Journal(journal_path) as journal:
            if any(f"{prompt}-{k}" not in journal for prompt in prompts for k in range(num_samples)):
                chat.check()
            work = [
                lambda seed=seed, prompt=prompt: _answers(chat, seed, self.local, prompt, num_samples, journal)
                for seed, prompt in zip(seeds, prompts, strict=True)
            ]
            at_once = max(1, IN_FLIGHT // num_samples)
            answers = run_all(work, at_once, description, "prompt", lambda _: {})
        return Answers([samples for samples, _ in answers], [dropped for _, dropped in answers])


def _answers(
    chat: OpenAIChat, seed: SeedDialogue, tutor: LocalTutor, prompt: str, num_samples: int, journal: Journal
) -> tuple[list[Sample], int]:
    """Return (the seed's samples, number of turns dropped). `prompt` is the prefix of its keys in the journal."""
    sampling = tutor.sampling
    keys = [f"{prompt}-{k}" for k in range(num_samples)]
    replies = []

    def fits(dialogue: str) -> bool:
        replies[:] = chat.sample(
            tutor_messages(tutor.template, dialogue), n=len(missing), temperature=sampling.temperature,
            top_k=sampling.top_k, seed=int(prompt[:7], 16) + missing[0], max_tokens=sampling.max_new_tokens,
        )  # fmt: skip
        return replies[0].finish_reason != "context_length"

    while missing := [k for k, key in enumerate(keys) if key not in journal]:  # again: a server may ignore `n`
        try:
            dropped = shorten(seed.text, fits)[1]
        except BadInput as error:
            log.warning("left out: seed %s: %s", seed.id, error)
            return [TOO_LONG] * num_samples, 0
        for k, reply in zip(missing, replies, strict=False):
            tokens = reply.tokens or None if len(replies) == 1 else None  # else it is the sum of all
            journal.add(keys[k], asdict(sample_of(reply, tokens)) | {"dropped_turns": dropped})
    entries = [dict(journal[key]) for key in keys]
    dropped = max(entry.pop("dropped_turns") for entry in entries)
    return [Sample(**entry) for entry in entries], dropped
