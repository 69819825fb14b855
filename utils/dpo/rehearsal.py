"""Rehearse a training on one pair: trl and what it needs refuse some words of `--set` only while they train."""

import contextlib
import functools
import io
import os
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from utils.dpo.config import dpo_config
from utils.dpo.recipe import Training
from utils.dpo.trainer import SharedPromptDPOTrainer
from utils.errors import BadInput, disk_error, interrupt_behind, is_out_of_memory

WORDS = ["<end>", "<pad>", "<unknown>", "why", "so"]
CHAT = "{% for message in messages %}{{ message.content }} <end> {% endfor %}"
PAIR = {role: [{"role": "assistant", "content": said}] for role, said in (("chosen", "why"), ("rejected", "so"))}
PAIR |= {"prompt": [{"role": "user", "content": "so why"}]}


def rehearse(training: Training) -> None:
    """Train a model of some hundred weights for two updates, with the words of `--set`; it takes a second.

    Raises BadInput, which says what is wrong with the words. In one of several processes nothing is rehearsed.
    """
    words = [word for word in training.trl_fields or [] if not word.startswith("torch_compile")]  # it takes minutes
    if words and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        _rehearse(tuple(words), training.full_finetune, training.device, training.dtype)


@functools.cache
def _rehearse(words: tuple[str, ...], full_finetune: bool, device: str, dtype: str) -> None:
    training = Training("", trl_fields=list(words), full_finetune=full_finetune, device=device, dtype=dtype)
    try:
        with tempfile.TemporaryDirectory() as folder, _silently(), torch.random.fork_rng():
            _train(replace(training, gradient_accumulation=1), Path(folder))
    except Exception as error:
        named = isinstance(error, BadInput) and str(error).startswith("--")
        if named or interrupt_behind(error) or is_out_of_memory(error) or disk_error(error):
            raise
        said = " ".join(str(error).split()).partition(": training has stopped")[0] or type(error).__name__
        flags = " ".join(f"--set {word}" for word in words)
        raise BadInput(f"{flags}: no training can begin with it: {said}") from None


def _train(training: Training, folder: Path) -> None:
    import datasets

    config = dpo_config(training, folder)
    config.gradient_checkpointing = bool(config.gradient_checkpointing)
    config.max_steps = min(config.max_steps, 2)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[2]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(**size, vocab_size=len(WORDS), eos_token_id=0, pad_token_id=1))
    SharedPromptDPOTrainer(
        model.to(config.device),
        args=config,
        train_dataset=datasets.Dataset.from_list([PAIR]),
        processing_class=PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token=WORDS[0], pad_token=WORDS[1], unk_token=WORDS[2], chat_template=CHAT
        ),
        peft_config=None if training.full_finetune else LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"),
    ).train()


@contextlib.contextmanager
def _silently():
    """Show neither progress nor warnings: they would be about a training that the user did not ask for."""
    import datasets

    datasets.disable_progress_bars()
    shown = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with (
            warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):  # fmt: skip
            yield
    finally:
        transformers_logging.set_verbosity(shown)
