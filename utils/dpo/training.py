"""One training by trl: its configuration, the model under it, its progress, and when it has to stop."""

import argparse
import dataclasses
import difflib
import logging
import math
import os
import re
import tempfile
import time
import warnings
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import psutil
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    HfArgumentParser,
    ProgressCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import get_reporting_integration_callbacks
from transformers.utils import logging as transformers_logging

from utils.dpo.checkpoints import PAIRS, MarkWhole, last_whole
from utils.dpo.memory import activations
from utils.dpo.recipe import Training
from utils.models import computed_in, pick_device, pick_dtype, reading, resolve

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl would report each training
from trl import DPOConfig

from utils.errors import BadInput, is_out_of_memory

# Fields of trl's configuration that are not --set's: they decide what is trained on, or the safety of a run hangs on
# them.
FIXED = {
    "max_length": None, "logging_nan_inf_filter": False, "logging_strategy": "steps", "logging_steps": 1,
    "save_strategy": "steps", "save_only_model": False,
}  # fmt: skip
NOT_TO_BE_SET = {
    *FIXED,
    "precompute_ref_log_probs",
    "truncation_mode",
    "padding_free",
    "bf16",
    "fp16",
    "resume_from_checkpoint",
}

log = logging.getLogger(__name__)


class Trained(NamedTuple):
    checkpoint: Path  # whole, of the last update
    summary: dict[str, Any]
    log: list[dict[str, float]]  # an entry per update, as the trainer logged it


def training_dtype(device: str, dtype: str) -> torch.dtype:
    """What to compute in. float16 needs a scaled loss, which only CUDA has: elsewhere float32 takes its place."""
    where = pick_device() if device == "auto" else torch.device(device)
    chosen = pick_dtype(where) if dtype == "auto" else getattr(torch, dtype)
    return torch.float32 if chosen == torch.float16 and where.type != "cuda" else chosen


def dpo_config(training: Training, output_dir: Path) -> DPOConfig:
    """Make trl's configuration of a DPO; BadInput says which word of `--set` is wrong, and how."""
    defaults, settings = trl_settings(training, output_dir)
    settings |= {"beta": training.beta, "precompute_ref_log_probs": True}
    words = _parse(training.set or [], settings.keys() | NOT_TO_BE_SET)
    if unknown := set(words.get("loss_type", ())) - losses():
        raise BadInput(f"--set loss_type={','.join(sorted(unknown))}: trl knows {', '.join(sorted(losses()))}")
    return DPOConfig(**defaults | words | settings)


def trl_settings(training: Training, output_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what `--set` may change, what it may not) of what every trainer of trl is told.

    In 16 bit the arithmetic is mixed: what is trained stays in float32, where small updates do not drown, and the
    multiplications are in `dtype` (a tenth faster than adapters that are multiplied in float32, measured on a CPU).
    """
    dtype = training_dtype(training.device, training.dtype)
    cpu = training.device == "cpu" or pick_device().type == "cpu"
    defaults = {
        "lr_scheduler_type": "cosine", "save_steps": 0.1, "save_total_limit": 2,
        "gradient_checkpointing": None, "disable_tqdm": False,
        "dataloader_pin_memory": not cpu,
    }  # fmt: skip
    try:
        get_reporting_integration_callbacks([] if training.report_to == "none" else [training.report_to])
    except (ValueError, ImportError, RuntimeError) as error:
        raise BadInput(f"--report-to {training.report_to}: {error}") from None
    settings = {
        "output_dir": str(output_dir), "learning_rate": training.learning_rate, "num_train_epochs": training.epochs,
        "per_device_train_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation, "warmup_steps": training.warmup_ratio,
        "max_grad_norm": training.max_grad_norm, "seed": training.seed, "report_to": training.report_to,
        "use_cpu": cpu, "bf16": dtype == torch.bfloat16, "fp16": dtype == torch.float16,
    }  # fmt: skip
    return defaults, settings | FIXED


def losses() -> set[str]:
    """The losses that trl has, which only its help text lists."""
    field = next(field for field in dataclasses.fields(DPOConfig) if field.name == "loss_type")
    return set(re.findall(r"`'(\w+)'`", field.metadata["help"]))


def train(
    rows: list[dict[str, Any]], training: Training, config: TrainingArguments, trainer: type[Trainer], *,
    longest: int, resume_from: Path | None,
) -> Trained:  # fmt: skip
    """Let `trainer` (`dpo.trainer`, `dpo.sft`) train on conversational rows; checkpoints go to `config.output_dir`."""
    folder = Path(config.output_dir)
    start, seen = time.monotonic(), {}
    if resume_from is None or not _is_finished(resume_from):
        try:
            seen = _train(rows, training, config, trainer, longest, resume_from)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryError(_what_takes_less(training, config, longest)) from None
        config.distributed_state.wait_for_everyone()  # the first process marks the checkpoints
    checkpoint = last_whole(folder)
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    entries = [entry for entry in state.log_history if "loss" in entry]
    tail = entries[-max(1, len(entries) // 10) :]
    summary = {
        "updates": state.global_step,
        "seconds": round(time.monotonic() - start, 1),
        "resumed_from_update": _step(resume_from),
        "computed_in": seen,
        **{name: fmean(entry[key] for entry in tail) for name, key in trainer.SUMMARY.items()},
    }
    # fp16's first steps may have an infinite norm, which JSON has no number for
    finite = [{name: value if math.isfinite(value) else None for name, value in entry.items()} for entry in entries]
    return Trained(checkpoint, summary, finite)


def _train(rows, training, config, trainer, longest, resume_from) -> dict[str, str]:
    """Train; returns what was computed in, as the model shows it."""
    import datasets

    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    pairs = Path(config.output_dir) / PAIRS
    with config.main_process_first():
        if not pairs.is_dir():
            with tempfile.TemporaryDirectory(dir=pairs.parent) as temporary:
                datasets.Dataset.from_list(rows).save_to_disk(temporary + "/whole")
                Path(temporary, "whole").rename(pairs)
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")  # trl's, on every checkpoint
    model = _load(training, config)
    if config.gradient_checkpointing is None:
        config.gradient_checkpointing = _memory_asks_for_checkpointing(model, longest, config)
    trainer = trainer(
        model,
        args=config,
        train_dataset=datasets.load_from_disk(pairs),
        processing_class=AutoTokenizer.from_pretrained(resolve(training.model)),
        peft_config=None if training.full_finetune else _adapters(training),
        callbacks=[MarkWhole()],
    )
    if trainer.is_world_process_zero():
        for part, ids in trainer.example(trainer.train_dataset[0]).items():  # as the model gets it
            log.info("--- a training example: %s (%d tokens)\n%s", part, len(ids), trainer.processing_class.decode(ids))
        log.info("---")
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(OneLineProgress)
    if resume_from:
        log.info("going on from update %d", _step(resume_from))
    trainer.train(resume_from_checkpoint=resume_from and str(resume_from))
    seen = computed_in(model)
    return seen | {"weights": seen["dtype"], "dtype": str(_arithmetic(config)).removeprefix("torch.")}


def _load(training: Training, config: TrainingArguments):
    """The model to be trained, on the device. Only frozen weights may be held in 16 or 4 bits."""
    base = resolve(training.model)
    dtype = _arithmetic(config)
    if not training.load_in_4bit:
        with reading(training.model):
            model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32 if training.full_finetune else dtype)
        return model.to(config.device)
    from peft import prepare_model_for_kbit_training
    from transformers import BitsAndBytesConfig

    four_bits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=dtype, quantization_config=four_bits, device_map={"": config.device}
    )
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # the trainer switches it on


def _arithmetic(config: TrainingArguments) -> torch.dtype:
    """As the configuration has it: `auto` is measured, and a second measurement may come out otherwise."""
    return torch.bfloat16 if config.bf16 else torch.float16 if config.fp16 else torch.float32


def _adapters(training: Training):
    from peft import LoraConfig

    names = training.lora_targets
    return LoraConfig(
        r=training.lora_rank, lora_alpha=training.lora_alpha, task_type="CAUSAL_LM",
        target_modules=names if names == "all-linear" else names.split(","),
    )  # fmt: skip


class OneLineProgress(ProgressCallback):
    """The trainer's bar with the latest loss and margin behind it, instead of a line of metrics per update."""

    def on_train_begin(self, args, state, control, **kwargs):
        super().on_train_begin(args, state, control, **kwargs)
        if self.training_bar is not None:
            self.training_bar.set_description("training")
            self.training_bar.unit = "update"

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is not None and "loss" in logs:
            margin = {"margin": f"{logs['rewards/margins']:.2f}"} if "rewards/margins" in logs else {}
            self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}", **margin)


def _memory_asks_for_checkpointing(model, longest: int, config: TrainingArguments) -> bool:
    """Whether the activations of one batch would take more than half of the free memory."""
    needed = activations(model.config, longest * config.per_device_train_batch_size, model.dtype.itemsize)
    cuda = config.device.type == "cuda"
    free = torch.cuda.mem_get_info()[0] if cuda else psutil.virtual_memory().available
    return needed > free / 2


def _what_takes_less(training: Training, config: TrainingArguments, longest: int) -> str:
    """What helps where memory is short: of the flags, those that are not used yet."""
    helps = [
        (training.full_finetune, "LoRA instead of --full-finetune"),
        (config.per_device_train_batch_size > 1, "--batch-size 1 with a larger --gradient-accumulation"),
        (True, f"--max-length below the {longest} tokens of the longest row"),
        (isinstance(config, DPOConfig) and not config.gradient_checkpointing, "--set gradient_checkpointing=true"),
        (config.device.type == "cuda" and not training.load_in_4bit, "--load-in-4bit"),
    ]
    return f"this training does not fit. What takes less: {'; '.join(said for applies, said in helps if applies)}"


def _is_finished(checkpoint: Path) -> bool:
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state.global_step >= state.max_steps


def _step(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _parse(words: list[str], own: set[str]) -> dict[str, Any]:
    """`["optim=adafactor", "loss_type=sigmoid,sft"]` as fields of DPOConfig, each parsed by the field's type."""
    parser = HfArgumentParser(DPOConfig, exit_on_error=False, allow_abbrev=False)
    fields = [field.name for field in dataclasses.fields(DPOConfig) if field.init]
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--set {word}: write it as name=value")
        if name in own:
            raise BadInput(f"--set {name}: train.py sets this one itself, by a flag or for safety; see --help")
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise BadInput(f"--set {name}: trl's DPOConfig has no such field{hint}")
        action = next(action for action in parser._actions if action.dest == name)
        values = value.split(",") if action.nargs in ("+", "*") else [value]
        try:
            given[name] = getattr(parser.parse_args(["--output_dir", "", f"--{name}", *values]), name)
        except (argparse.ArgumentError, ValueError, TypeError) as error:
            raise BadInput(f"--set {word}: {error}") from None
    return given
