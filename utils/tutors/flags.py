"""Make the tutor that the command line names."""

from collections.abc import Sequence
from pathlib import Path

from utils.clients.make_chat import FORMS, make_chat
from utils.errors import BadInput
from utils.prompts import load_template
from utils.tutors.chat_tutor import ChatTutor
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling, Tutor


def from_flags(
    *, model: str, temperature: float, top_k: int, max_new_tokens: int, inference_prompt: str | Path, seed: int,
    device: str, dtype: str, engine: str, server: str, tutor: Sequence[str] | None = None,
) -> Tutor:  # fmt: skip
    """Make the tutor that the flags of `flags.add_generation_flags` describe. Loads no model and asks no server.

    `tutor` names a chat service to ask instead of `model`. Raises BadInput if its words have no known form.
    """
    template = load_template(inference_prompt, "input")
    sampling = Sampling(temperature, top_k, max_new_tokens, seed)
    if tutor:
        chat = make_chat(tutor)
        if chat is None:
            raise BadInput(f"--tutor takes {FORMS}")
        return ChatTutor(chat, sampling, template)
    local = LocalTutor(model, sampling, template, device, dtype)
    return ServedTutor(local, server) if engine == "server" else local
