"""Make trl's configuration of a training from its flags and `--set`, and check it."""

import argparse
import dataclasses
import difflib
import os
import re
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser
from transformers.integrations import get_reporting_integration_callbacks

from utils.dpo.recipe import Training
from utils.errors import BadInput
from utils.models import device_of, pick_device, pick_dtype

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl would report each training
from trl import DPOConfig

# Fields of trl's configuration that --set may not change: what is trained on, or the safety of a run, depends on them.
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
    "push_to_hub",
}


def training_dtype(device: str, dtype: str) -> torch.dtype:
    """Return the dtype to compute in. float16 needs loss scaling, which only CUDA has: elsewhere it becomes float32."""
    where = device_of(device)
    chosen = pick_dtype(where) if dtype == "auto" else getattr(torch, dtype)
    return torch.float32 if chosen == torch.float16 and where.type != "cuda" else chosen


def dpo_config(training: Training, output_dir: Path) -> DPOConfig:
    """Make trl's configuration of a DPO training. Raises BadInput, which says what is wrong with a word of `--set`."""
    defaults, settings = trl_settings(training, output_dir)
    settings |= {"beta": training.beta, "precompute_ref_log_probs": True}
    words = _parse(training.trl_fields or [], settings.keys() | NOT_TO_BE_SET)
    if unknown := set(words.get("loss_type", ())) - losses():
        raise BadInput(f"--set loss_type={','.join(sorted(unknown))}: trl knows {', '.join(sorted(losses()))}")
    return DPOConfig(**defaults | words | settings)


def trl_settings(training: Training, output_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the settings that all of trl's trainers share.

    In 16 bits we train in mixed precision: trained weights stay in float32, so that small updates are not rounded away,
    and matrix products are in `dtype` (a tenth faster than adapters multiplied in float32, measured on a CPU).
    Returns (the settings that `--set` may change, those that it may not).
    Raises BadInput if the package for `report_to` is not installed.
    """
    dtype = training_dtype(training.device, training.dtype)
    cpu = training.device == "cpu" or pick_device().type == "cpu"
    defaults = {
        "lr_scheduler_type": "cosine", "save_steps": 0.1, "save_total_limit": 2,
        "gradient_checkpointing": None, "disable_tqdm": False,
        "dataloader_pin_memory": not cpu,
    }  # fmt: skip
    try:
        for callback in get_reporting_integration_callbacks(training.report_to):
            callback()  # each says by itself that its package is not installed
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
    """Return the names of trl's losses, which it lists only in a help text."""
    field = next(field for field in dataclasses.fields(DPOConfig) if field.name == "loss_type")
    return set(re.findall(r"`'(\w+)'`", field.metadata["help"]))


def _parse(words: list[str], own: set[str]) -> dict[str, Any]:
    """Parse `["optim=adafactor", "loss_type=sigmoid,sft"]` into fields of DPOConfig, each by the field's type.

    Raises BadInput for a field in `own`, an unknown field or a value of another type.
    """
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
