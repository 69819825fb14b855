"""A model loaded in this process answers seed dialogues: fit the prompts, sample, keep each answer as it arrives."""

import gc
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from utils import models
from utils.errors import BadInput
from utils.journal import Journal, key_of
from utils.prompts import digest, shorten, tutor_messages
from utils.records import Sample, SeedDialogue
from utils.tutors.tutor import TOO_LONG, Answers, Sampling

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalTutor:
    """A tutor loaded here. `model`: a hub name, folder or `smollm2`; `template`: the inference prompt, with {input}."""

    model: str
    sampling: Sampling
    template: str
    device: str = "auto"
    dtype: str = "auto"

    @property
    def name(self) -> str:
        return models.display_name(self.model)

    @property
    def settings(self) -> dict[str, Any]:
        return self._drawn_by() | {"inference_prompt": digest(self.template)}

    def _drawn_by(self) -> dict[str, Any]:
        """All settings that can change the answer to given token ids: what the journal is keyed by."""
        return {**models.identity(self.model), **asdict(self.sampling), "dtype": self.dtype}

    def check(self) -> None:
        """See `Tutor.check`: the device is there, the tokenizer has a chat template, the context room for a prompt."""
        models.device_of(self.device)
        if self.room() <= (bare := models.check(self.model, tutor_messages(self.template, ""))):
            raise BadInput(
                f"--max-new-tokens {self.sampling.max_new_tokens} leaves no room for a prompt: the context of "
                f"{self.name} has {models.context_length(self.model)} tokens, the prompt without a dialogue {bare}"
            )

    def room(self) -> int:
        """Longest prompt in tokens that leaves room for an answer."""
        return models.context_length(self.model) - self.sampling.max_new_tokens

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Path | str, description: str
    ) -> Answers:
        """See `Tutor.answer`."""
        tokenizer, settings = models.load_tokenizer(self.model), self._drawn_by()
        room = self.room()
        fitted = [fit_or_none(tokenizer, self.template, seed, room) for seed in seeds]
        there = [i for i, one in enumerate(fitted) if one]
        prompts = [fitted[i][0] for i in there]
        keys = [[key_of(settings, prompt, k) for k in range(num_samples)] for prompt in prompts]
        samples = [[TOO_LONG] * num_samples for _ in seeds]
        with Journal(journal_path) as journal:
            missing = {i for i, row in enumerate(keys) if any(key not in journal for key in row)}
            if missing:
                self._sample(journal, tokenizer, prompts, keys, missing, description)
            for i, row in zip(there, keys, strict=True):
                samples[i] = [Sample(**journal[key]) for key in row]
            computed_in = journal.entries.get(self._computed_in)
        return Answers(samples, [one[1] if one else 0 for one in fitted], computed_in)

    @property
    def _computed_in(self) -> str:
        """Return the journal's key for the device and dtype of the answers."""
        return key_of("computed in", self.device, self.dtype)

    def _sample(
        self, journal: Journal, tokenizer, prompts: list[list[int]], keys: list[list[str]], missing: set[int],
        description: str,
    ) -> None:  # fmt: skip
        from utils.tutors.generation import sample_answers

        # `auto` is measured: a resumed run keeps the dtype that it began with
        dtype = journal.once(
            key_of("dtype", self.device, self.dtype), lambda: models.dtype_name(self.device, self.dtype)
        )
        loaded = models.load_model(self.model, self.device, dtype)
        computed_in = models.computed_in(loaded)
        journal.once(self._computed_in, lambda: computed_in)
        num_samples = len(keys[0])
        with tqdm(total=len(missing) * num_samples, desc=description, unit="answer") as bar:
            for i, samples in sample_answers(
                loaded, tokenizer, prompts, num_samples=num_samples, wanted=missing, **asdict(self.sampling)
            ):
                for key, sample in zip(keys[i], samples, strict=True):
                    journal.add(key, asdict(sample))
                bar.update(len(samples))
        del loaded
        gc.collect()  # the next stage needs the memory


def fit_or_none(tokenizer, template: str, seed: SeedDialogue, room: int) -> tuple[list[int], int] | None:
    """`fit_prompt`, or None for a seed that does not fit."""
    try:
        return fit_prompt(tokenizer, template, seed, room)
    except BadInput as error:
        log.warning("left out: %s", error)
        return None


def fit_prompt(tokenizer, template: str, seed: SeedDialogue, room: int) -> tuple[list[int], int]:
    """Make a seed's prompt fit into `room` tokens.

    Returns (its token ids, how many of the oldest turns were dropped for it).
    Raises BadInput, which names the seed, if its last student turn alone is too long.
    """

    def tokens(dialogue: str) -> list[int]:
        messages = tutor_messages(template, dialogue)
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)

    try:
        dialogue, dropped = shorten(seed.text, lambda text: len(tokens(text)) <= room)
    except BadInput as error:
        raise BadInput(f"seed {seed.id}: {error} ({room} tokens)") from None
    return tokens(dialogue), dropped
