"""Stream one answer, word by word, to a person: the very answer that `generation.sample_answers` would draw.

Prompt, fitting, cutting and random stream are those of every other tutor: sample k of a dialogue is the k-th answer of
an evaluation with the same flags.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Any, Protocol

from utils import models
from utils.clients.chat import JudgeError, Reply
from utils.dialogue import cut_at_new_turn
from utils.errors import BadInput
from utils.prompts import shorten, tutor_messages
from utils.records import Sample, SeedDialogue
from utils.tutors.local import LocalTutor, fit_prompt
from utils.tutors.tutor import Sampling

WRITING = "writing"  # the finish_reason of an answer that is not finished
TOKENS_AT_ONCE = 2  # drawn between two updates of the text


@dataclass(frozen=True)
class Prompt:
    """What a tutor is sent for a dialogue: `shown`, as the model sees it, and the number of oldest turns dropped."""

    shown: str
    dropped_turns: int


class StreamingTutor(Protocol):
    """A tutor that answers one dialogue while somebody watches."""

    name: str

    def prompt(self, dialogue: str) -> Prompt:
        """Return what the tutor would be sent. Raises BadInput if the last student turn alone is too long."""

    def stream(self, dialogue: str, sample: int = 0) -> Iterator[Sample]:
        """Yield the answer as it grows; the last item is finished. Closing the iterator stops the tutor."""


class LocalStream:
    """The model of a `LocalTutor`, loaded when it is first asked."""

    def __init__(self, tutor: LocalTutor):
        self.name = tutor.name
        self._tutor = tutor

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return models.load(self._tutor.model, self._tutor.device, self._tutor.dtype)

    def check(self) -> None:
        """Check, without loading the model, that it is there. Raises BadInput or OSError if not."""
        self._tutor.check()

    def _fitted(self, dialogue: str) -> tuple[list[int], int]:
        seed = SeedDialogue(id="", group="", text=dialogue)
        try:
            return fit_prompt(self._loaded[1], self._tutor.template, seed, self._tutor.room())
        except BadInput as error:
            raise BadInput(str(error).removeprefix("seed : ")) from None

    def prompt(self, dialogue: str) -> Prompt:
        ids, dropped = self._fitted(dialogue)
        return Prompt(self._loaded[1].decode(ids), dropped)

    def stream(self, dialogue: str, sample: int = 0) -> Iterator[Sample]:
        """See `StreamingTutor.stream`: the model draws token by token."""
        import torch
        from transformers import DynamicCache

        from utils.tutors.generation import _end_tokens, _forward_prompt, _noise, _pick

        (model, tokenizer), sampling = self._loaded, self._tutor.sampling
        prompt, _ = self._fitted(dialogue)
        noise, ends = (
            _noise(prompt, sample, sampling.seed, sampling.max_new_tokens).to(model.device),
            _end_tokens(model, tokenizer),
        )
        ids: list[int] = []
        answer = Sample("", WRITING, 0)
        with torch.inference_mode():
            logits, cache = _forward_prompt(model, prompt, DynamicCache())
        for step in range(sampling.max_new_tokens):
            with torch.inference_mode():  # not around a `yield`: inference mode would stay on in the caller
                token = int(_pick(logits, noise[step : step + 1], sampling.temperature, sampling.top_k))
                if token in ends:
                    yield replace(answer, text=_cut(tokenizer, ids)[0], finish_reason="stop", tokens=len(ids))
                    return
                ids.append(token)
                if step < sampling.max_new_tokens - 1:
                    logits, cache = _forward_prompt(model, [token], cache)
            if len(ids) % TOKENS_AT_ONCE == 0:
                text, cut = _cut(tokenizer, ids)
                yield (answer := Sample(text, "speaker" if cut else WRITING, len(ids)))
                if cut:
                    return
        text, cut = _cut(tokenizer, ids)
        yield Sample(text, "speaker" if cut else "length", len(ids))


def _cut(tokenizer, ids: list[int]) -> tuple[str, bool]:
    text, cut = cut_at_new_turn(tokenizer.decode(ids, skip_special_tokens=True))
    return text.strip(), cut


class ChatStream:
    """A chat service (`Chat` in utils/clients/chat.py)."""

    def __init__(self, chat, sampling: Sampling, template: str):
        self.name = chat.name
        self._chat, self._sampling, self._template = chat, sampling, template
        self._dropped: dict[str, int] = {}  # turns dropped, by dialogue: only the service knows how much fits

    def _messages(self, dialogue: str) -> list[dict[str, str]]:
        tries = count()
        rest = shorten(dialogue, lambda _: next(tries) == self._dropped.get(dialogue, 0))[0]
        return tutor_messages(self._template, rest)

    def prompt(self, dialogue: str) -> Prompt:
        shown = "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in self._messages(dialogue))
        return Prompt(shown, self._dropped.get(dialogue, 0))

    def stream(self, dialogue: str, sample: int = 0) -> Iterator[Sample]:
        """See `StreamingTutor.stream`: the service is asked again without its oldest turn if the prompt is too long."""
        yield Sample("", WRITING, None)
        sampling = self._sampling
        while True:
            messages = self._messages(dialogue)
            try:
                self._chat.prepare([messages], sampling.max_new_tokens)
            except JudgeError:  # too long for the model, which is known without asking it
                self._dropped[dialogue] = self._dropped.get(dialogue, 0) + 1
                continue
            options = {
                "temperature": sampling.temperature,
                "seed": sampling.seed + sample,
                "max_tokens": sampling.max_new_tokens,
            }
            for reply in self._replies(messages, options):
                text, cut = cut_at_new_turn(reply.text)
                if cut:
                    break
                yield Sample(text.strip(), WRITING, None)
            if reply.finish_reason != "context_length":
                break
            self._dropped[dialogue] = self._dropped.get(dialogue, 0) + 1
        yield Sample(text.strip(), "speaker" if cut else reply.finish_reason or "stop", reply.tokens or None)

    def _replies(self, messages: list[dict[str, str]], options: dict[str, Any]) -> Iterator[Reply]:
        """Yield the reply as it grows; the last item is whole."""
        from utils.clients.live import stream
        from utils.clients.service import Service

        if isinstance(self._chat, Service):
            yield from stream(self._chat, messages, **options)
        else:
            yield self._chat.complete(messages, **options)
