"""Tutors for the classroom, with the face of `Tutor`, until utils/tutors has them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from utils import models
from utils.clients.chat import Chat
from utils.journal import key_of
from utils.prompts import load_template
from utils.records import Sample, SeedDialogue
from utils.tutors.chat_tutor import answer_by_chat, came
from utils.tutors.local import Answers, Sampling, answer_seeds


class LocalTutor:
    """A model that is loaded here, or (`engine` "server") behind a server."""

    def __init__(self, model: str, sampling: Sampling, prompt: Path | str, **where: str):
        """`where`: device, dtype, engine, server."""
        self.model, self.sampling, self.prompt, self.where = model, sampling, prompt, where
        self.name = models.display_name(model)

    @property
    def settings(self) -> dict[str, Any]:
        here = models.identity(self.model) if self.where["engine"] == "local" else {"model": self.model}
        return {**here, **asdict(self.sampling), "prompt": key_of(load_template(self.prompt, "input"))}

    def check(self) -> None:
        if self.where["engine"] == "local":
            models.resolve(self.model)

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path, description: str
    ) -> Answers:
        sampling = replace(self.sampling, num_samples=num_samples)
        return answer_seeds(
            seeds, self.model, sampling, inference_prompt=self.prompt, journal_path=journal_path,
            description=description, **self.where,
        )  # fmt: skip


class ChatTutor:
    """A chat service."""

    def __init__(self, chat: Chat, sampling: Sampling, prompt: Path | str, concurrency: int):
        self.chat, self.sampling, self.concurrency = chat, sampling, concurrency
        self.template = load_template(prompt, "input")
        self.name = chat.name

    @property
    def settings(self) -> dict[str, Any]:
        return {**self.chat.settings, **asdict(self.sampling), "prompt": key_of(self.template)}

    def check(self) -> None:
        self.chat.check()

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path, description: str
    ) -> Answers:
        rounds, dropped = [], [0] * len(seeds)
        for k in range(num_samples):
            samples, lacking = answer_by_chat(
                self.chat, seeds, self.template, journal_path, description=description, concurrency=self.concurrency,
                temperature=self.sampling.temperature, seed=self.sampling.seed + k,
                max_tokens=self.sampling.max_new_tokens,
            )  # fmt: skip
            rounds.append([sample if came(sample) else Sample("", sample.finish_reason, 0) for sample in samples])
            dropped = [max(pair) for pair in zip(dropped, lacking, strict=True)]
        return Answers([list(row) for row in zip(*rounds, strict=True)], dropped)
