"""Variants of a tutor: with other sampling, with other weights, or another model with the same sampling."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.clients.make_chat import FORMS, make_chat
from utils.errors import BadInput
from utils.tutors.chat_tutor import ChatTutor
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Tutor


def resampled(tutor: LocalTutor | ServedTutor, **sampling: Any) -> LocalTutor | ServedTutor:
    """Copy the tutor with other fields of `Sampling`, such as `temperature` or `max_new_tokens`."""
    if hasattr(tutor, "local"):
        return replace(tutor, local=resampled(tutor.local, **sampling))
    return replace(tutor, sampling=replace(tutor.sampling, **sampling))


def finetuned(base: LocalTutor | ServedTutor, weights: Path | str) -> LocalTutor:
    """Copy the base with other weights, loaded here: a server that was started before the run cannot have them."""
    return replace(getattr(base, "local", base), model=str(weights))


def also(specs: list[list[str]], base: LocalTutor | ServedTutor) -> dict[str, Tutor]:
    """Make the tutors of --also-evaluate, by the names of their evaluation files; each spec is a model or a service."""
    found = {}
    local = getattr(base, "local", base)
    for words in specs:
        chat = make_chat(words)
        if chat is None and len(words) > 1:
            raise BadInput(f"--also-evaluate {' '.join(words)}: expected a model, {FORMS}")
        one = ChatTutor(chat, local.sampling, local.template) if chat else finetuned(base, words[0])
        found["also_" + re.sub(r"[^\w.-]+", "-", one.name)] = one
    return found
