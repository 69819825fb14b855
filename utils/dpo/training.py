"""Run one training with trl: load the model, show the progress, and explain a lack of memory."""

import logging
import math
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
    ProgressCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging
from trl import DPOConfig

from utils.dpo.checkpoints import PAIRS, MarkWhole, last_whole
from utils.dpo.memory import activations
from utils.dpo.recipe import Training
from utils.errors import disk_error, is_out_of_memory
from utils.hub import reading
from utils.models import computed_in, resolve

log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """What a training left behind."""

    checkpoint: Path  # the complete one of the last update
    summary: dict[str, Any]
    log: list[dict[str, float]]  # the trainer's log, one entry per update


def train(
    rows: list[dict[str, Any]], training: Training, config: TrainingArguments, trainer: type[Trainer], *,
    longest: int, resume_from: Path | None,
) -> Trained:  # fmt: skip
    """Train on rows in trl's conversational format with `trainer` (of `dpo.trainer` or `dpo.sft`).

    Checkpoints go to `config.output_dir`. `longest` is the length in tokens of the longest row. A training that
    `resume_from` shows to be finished is only summarised.
    Raises MemoryError, which names the flags that need less memory, and OSError, which names the folder, if the disk is
    full.
    """
    folder = Path(config.output_dir)
    start, seen = time.monotonic(), {}
    if resume_from is None or not _is_finished(resume_from):
        try:
            seen = _train(rows, training, config, trainer, longest, resume_from)
        except Exception as error:
            if is_out_of_memory(error):
                raise MemoryError(_what_takes_less(training, config, longest)) from None
            if (number := disk_error(error)) and not isinstance(error, OSError):
                raise OSError(number, str(error), str(folder)) from None
            raise
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
    # in float16 the first steps may have an infinite gradient norm, which JSON cannot express
    finite = [{name: value if math.isfinite(value) else None for name, value in entry.items()} for entry in entries]
    return Trained(checkpoint, summary, finite)


def _train(rows, training, config, trainer, longest, resume_from) -> dict[str, str]:
    """Train. Returns the device and the dtypes that were used, as the model itself shows them."""
    import datasets

    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    pairs = Path(config.output_dir) / PAIRS
    with config.main_process_first():
        if not pairs.is_dir():
            with tempfile.TemporaryDirectory(dir=pairs.parent) as temporary:
                datasets.Dataset.from_list(rows).save_to_disk(temporary + "/whole")
                Path(temporary, "whole").rename(pairs)
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")  # trl warns at every checkpoint
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
        for part, ids in trainer.example(trainer.train_dataset[0]).items():  # as the model receives it
            log.info("--- a training example: %s (%d tokens)\n%s", part, len(ids), trainer.processing_class.decode(ids))
        log.info("---")
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(OneLineProgress)
    if resume_from:
        log.info("resuming from update %d", _step(resume_from))
    trainer.train(resume_from_checkpoint=resume_from and str(resume_from))
    seen = computed_in(model)
    return seen | {"weights": seen["dtype"], "dtype": str(_arithmetic(config)).removeprefix("torch.")}


def _load(training: Training, config: TrainingArguments):
    """Load the model to be trained onto the device. Only frozen weights are held in 16 or 4 bits."""
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
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # the trainer turns it on itself


def _arithmetic(config: TrainingArguments) -> torch.dtype:
    """Return the dtype in the configuration: `auto` measures, and a second measurement may choose another dtype."""
    return torch.bfloat16 if config.bf16 else torch.float16 if config.fp16 else torch.float32


def _adapters(training: Training):
    from peft import LoraConfig

    names = training.lora_targets
    return LoraConfig(
        r=training.lora_rank, lora_alpha=training.lora_alpha, task_type="CAUSAL_LM",
        target_modules=names if names == "all-linear" else names.split(","),
    )  # fmt: skip


class OneLineProgress(ProgressCallback):
    """Shows the latest loss and margin in the progress bar, instead of a line of metrics per update."""

    def on_train_begin(self, args, state, control, **kwargs):
        super().on_train_begin(args, state, control, **kwargs)
        if self.training_bar is not None:
            self.training_bar.set_description("training")
            self.training_bar.unit = "update"

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is not None and "loss" in logs:
            margin = {"margin": f"{logs['rewards/margins']:z.2f}"} if "rewards/margins" in logs else {}
            self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}", **margin)


def _memory_asks_for_checkpointing(model, longest: int, config: TrainingArguments) -> bool:
    """Return whether the activations of one batch would take more than half of the free memory."""
    needed = activations(model.config, longest * config.per_device_train_batch_size, model.dtype.itemsize)
    cuda = config.device.type == "cuda"
    free = torch.cuda.mem_get_info()[0] if cuda else psutil.virtual_memory().available
    return needed > free / 2


def _what_takes_less(training: Training, config: TrainingArguments, longest: int) -> str:
    """Describe which flags would need less memory, except those that are in use already."""
    helps = [
        (training.full_finetune, "LoRA instead of --full-finetune"),
        (config.per_device_train_batch_size > 1, "--batch-size 1 with a larger --gradient-accumulation"),
        (True, f"--max-length below the {longest} tokens of the longest row"),
        (isinstance(config, DPOConfig) and not config.gradient_checkpointing, "--set gradient_checkpointing=true"),
        (config.device.type == "cuda" and not training.load_in_4bit, "--load-in-4bit"),
    ]
    remedies = "; ".join(remedy for applies, remedy in helps if applies)
    return f"this training does not fit into memory. What needs less: {remedies}"


def _is_finished(checkpoint: Path) -> bool:
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state.global_step >= state.max_steps


def _step(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
