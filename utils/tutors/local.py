"""A model answers seed dialogues: prompts made to fit, answers sampled, each kept in a journal as it arrives."""

import gc
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from utils import models
from utils.journal import Journal, key_of
from utils.prompts import load_template, shorten, tutor_messages
from utils.records import Sample, SeedDialogue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn. Temperature 0 is greedy; `top_k` 0 draws from the whole vocabulary."""

    num_samples: int
    temperature: float
    top_k: int
    max_new_tokens: int
    seed: int


@dataclass(frozen=True)
class Answers:
    """`samples[i]` are the answers to seed i, `dropped_turns[i]` how many of its oldest turns did not fit."""

    samples: list[list[Sample]]
    dropped_turns: list[int]


def answer_seeds(
    seeds: Sequence[SeedDialogue], model: str, sampling: Sampling, *, inference_prompt: Path | str,
    journal_path: Path | str, device: str, dtype: str, engine: str, server: str, description: str,
) -> Answers:  # fmt: skip
    """Every seed's answers, by a model here or (`engine` "server") there. What the journal has is not sampled again."""
    template = load_template(inference_prompt, "input")
    common = {"template": template, "journal_path": journal_path, "description": description}
    if engine == "server":
        from utils.tutors.served import ask_server

        samples, dropped = ask_server(seeds, model, sampling, server=server, **common)
    else:
        samples, dropped = _answer_here(seeds, model, sampling, device=device, dtype=dtype, **common)
    if any(dropped):
        log.info(
            "%d of %d prompts were too long for the model's context: their oldest turns were left out (%d in all)",
            sum(map(bool, dropped)), len(seeds), sum(dropped),
        )  # fmt: skip
    return Answers(samples, dropped)


def _answer_here(
    seeds, model, sampling, *, template, journal_path, device, dtype, description
) -> tuple[list[list[Sample]], list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(models.resolve(model))
    room = models.context_length(model) - sampling.max_new_tokens
    prompts, dropped = zip(*(fit_prompt(tokenizer, template, seed, room) for seed in seeds), strict=True)
    settings = {**models.identity(model), **asdict(sampling), "dtype": dtype}
    del settings["num_samples"]  # the fifth answer is the same one, however many are asked for
    keys = [[key_of(settings, prompt, k) for k in range(sampling.num_samples)] for prompt in prompts]
    with Journal(journal_path) as journal:
        missing = [i for i, row in enumerate(keys) if any(key not in journal for key in row)]
        if missing:
            _sample(journal, model, [prompts[i] for i in missing], [keys[i] for i in missing], sampling, device, dtype,
                    description)  # fmt: skip
        samples = [[Sample(**journal[key]) for key in row] for row in keys]
    return samples, list(dropped)


def fit_prompt(tokenizer, template: str, seed: SeedDialogue, room: int) -> tuple[list[int], int]:
    """(token ids of a seed's prompt in at most `room` tokens, oldest turns dropped for it).

    ValueError names a seed whose last student turn alone is too long.
    """

    def tokens(dialogue: str) -> list[int]:
        messages = tutor_messages(template, dialogue)
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)

    try:
        dialogue, dropped = shorten(seed.text, lambda text: len(tokens(text)) <= room)
    except ValueError as error:
        raise ValueError(f"seed {seed.id}: {error} ({room} tokens)") from None
    return tokens(dialogue), dropped


def _sample(journal, model, prompts, keys, sampling, device, dtype, description) -> None:
    from utils.tutors.generation import sample_answers

    loaded, tokenizer = models.load(model, device, dtype)
    total = len(prompts) * sampling.num_samples
    with tqdm(total=total, desc=description, unit="answer") as bar:
        for i, samples in sample_answers(loaded, tokenizer, prompts, **asdict(sampling)):
            for key, sample in zip(keys[i], samples, strict=True):
                journal.add(key, asdict(sample))
            bar.update(len(samples))
    del loaded
    gc.collect()  # the next stage needs the memory
