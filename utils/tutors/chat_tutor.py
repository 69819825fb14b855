"""A chat service answers seed dialogues as a tutor, with the prompts, fitting and cutting of every other tutor."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from utils.clients.ask_all import ask_all
from utils.clients.chat import Chat
from utils.dialogue import cut_at_new_turn
from utils.errors import BadInput
from utils.prompts import shorten, tutor_messages
from utils.records import Sample, SeedDialogue

CAME = ("stop", "length", "speaker")  # how an answer that is one may end; else it was refused, filtered or never given


def answer_by_chat(
    chat: Chat, seeds: Sequence[SeedDialogue], template: str, journal_path: Path | str, **options: Any
) -> tuple[list[Sample], list[int]]:
    """Ask for one answer to each seed; `options` are those of `ask_all`.

    A prompt that the service calls too long is asked again without its oldest turn, as often as it takes. An answer
    ends where it begins another speaker's turn.
    Returns (the answers, how many turns each prompt lacks).
    Raises BadInput for a seed whose last student turn alone is too long.
    """
    dropped = [0] * len(seeds)
    replies: list[Any] = [None] * len(seeds)
    waiting = list(range(len(seeds)))
    while waiting:
        prompts = [tutor_messages(template, _without_oldest(seeds[i], dropped[i])) for i in waiting]
        for i, reply in zip(waiting, ask_all(chat, prompts, journal_path, **options), strict=True):
            replies[i] = reply
        waiting = [i for i in waiting if replies[i].finish_reason == "context_length"]
        for i in waiting:
            dropped[i] += 1
    samples = []
    for reply in replies:
        text, cut = cut_at_new_turn(reply.text)
        samples.append(Sample(text.strip(), "speaker" if cut else reply.finish_reason or "stop", reply.tokens))
    return samples, dropped


def came(sample: Sample) -> bool:
    """Whether there is an answer to grade: a refused, filtered or empty one is no answer."""
    return bool(sample.text) and sample.finish_reason in CAME


def _without_oldest(seed: SeedDialogue, turns: int) -> str:
    """The dialogue without its `turns` oldest turns."""
    tries = count()
    try:
        return shorten(seed.text, lambda _: next(tries) == turns)[0]
    except ValueError as error:
        raise BadInput(f"seed {seed.id}: {error}") from None
