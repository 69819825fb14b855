"""A chat service answers seed dialogues as a tutor, with the prompts, fitting and cutting of every other tutor."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from utils.clients.ask_all import ask_all
from utils.clients.chat import Chat, Reply
from utils.dialogue import cut_at_new_turn
from utils.errors import BadInput
from utils.prompts import digest, shorten, tutor_messages
from utils.records import Sample, SeedDialogue
from utils.tutors.tutor import Answers, Sampling

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChatTutor:
    """A tutor behind a chat service. `sampling.top_k` is not sent: few services accept it."""

    chat: Chat
    sampling: Sampling
    template: str
    concurrency: int = 8

    @property
    def name(self) -> str:
        return self.chat.name

    @property
    def settings(self) -> dict[str, Any]:
        return {**self.chat.settings, **asdict(self.sampling), "inference_prompt": digest(self.template)}

    def check(self) -> None:
        self.chat.check()

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """See `Tutor.answer`. Sample k is requested with seed + k.

        Raises JudgeError and JudgeUnavailable as every chat does.
        """
        columns = [self._ask(seeds, k, journal_path, description) for k in range(num_samples)]
        samples = [[sample_of(reply, reply.tokens) for reply, _ in row] for row in zip(*columns, strict=True)]
        return Answers(samples, [max(dropped for _, dropped in row) for row in zip(*columns, strict=True)])

    def _ask(
        self, seeds: Sequence[SeedDialogue], k: int, journal_path: Path | str, description: str
    ) -> list[tuple[Reply, int]]:
        """Ask for sample k of every seed.

        A prompt that the service calls too long is sent again without its oldest turn, until it fits.
        Returns (reply, number of turns dropped from its prompt) per seed.
        """
        dropped = [0] * len(seeds)
        replies: list[Any] = [None] * len(seeds)
        waiting = list(range(len(seeds)))
        while waiting:
            prompts = [tutor_messages(self.template, _without_oldest(seeds[i], dropped[i])) for i in waiting]
            asked = ask_all(
                self.chat, prompts, journal_path, description=description, concurrency=self.concurrency,
                temperature=self.sampling.temperature, seed=self.sampling.seed + k,
                max_tokens=self.sampling.max_new_tokens,
            )  # fmt: skip
            for i, reply in zip(waiting, asked, strict=True):
                replies[i] = reply
            waiting = [i for i in waiting if replies[i].finish_reason == "context_length"]
            for i in waiting:
                dropped[i] += 1
            waiting = [i for i in waiting if _without_oldest(seeds[i], dropped[i]) is not None]
        return list(zip(replies, dropped, strict=True))


def sample_of(reply: Reply, tokens: int | None) -> Sample:
    """Cut a reply where another speaker's turn begins. An empty reply is marked as no answer."""
    text, cut = cut_at_new_turn(reply.text)
    sample = Sample(text.strip(), "speaker" if cut else reply.finish_reason or "stop", tokens)
    silent = not sample.text and sample.finish_reason in ("stop", "length")
    return replace(sample, finish_reason="empty") if silent else sample


def _without_oldest(seed: SeedDialogue, turns: int) -> str | None:
    """Drop the `turns` oldest turns of the dialogue. Returns None if that many cannot be dropped."""
    tries = count()
    try:
        return shorten(seed.text, lambda _: next(tries) == turns)[0]
    except BadInput:
        log.warning("left out: seed %s: its last student turn alone is too long for the service", seed.id)
        return None
