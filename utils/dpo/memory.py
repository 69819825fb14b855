"""Estimate the memory and the disk space of a training from the size of the model.

Measured with SmolLM2 (135 million parameters, rows of 163 tokens, bfloat16, CPU; estimates in brackets): LoRA takes
1.28 GB of memory (1.16 GB), full fine-tuning 3.2 GB (3.25 GB) and at most 4.85 GB of checkpoints (4.84 GB).
"""

from typing import Any

from utils.dpo.recipe import Training

WEIGHTS = 2  # bytes per parameter: 16 bit
# Bytes per parameter. Full fine-tuning: 32-bit weights, gradients and Adam's two moments, and a 16-bit copy to compute
# with. LoRA: the frozen weights, and all of these for the adapters.
FULL, LORA = 18, 2.5
CHECKPOINT = 12  # full fine-tuning: 32-bit weights and two moments; an adapter's checkpoint has some MB
LIBRARIES = 0.6e9  # bytes of a process that has loaded the libraries


def to_train(size: int, config: Any, training: Training, tokens: int) -> float:
    """Return the bytes of memory needed to train a model of `size` parameters on rows of up to `tokens` tokens."""
    itemsize = 4 if training.dtype == "float32" else 2
    held = (FULL if training.full_finetune else LORA) * size
    return held + activations(config, tokens * training.batch_size, itemsize) + LIBRARIES


def activations(config: Any, tokens: int, itemsize: int) -> float:
    """Return the bytes of activations kept for the backward pass, for a batch of pairs of at most `tokens` tokens each.

    Per token and layer, 12 hidden and 3 intermediate values are kept (measured with SmolLM2 in bfloat16, 755 to 1,099
    tokens: 11,610 values +- 0.3 %). A batch has twice `tokens` tokens if prompts cannot be shared.
    """
    text = config.get_text_config()
    intermediate = getattr(text, "intermediate_size", 4 * text.hidden_size)
    return 2 * tokens * text.num_hidden_layers * (12 * text.hidden_size + 3 * intermediate) * itemsize


def on_disk(size: int, training: Training, trainings: int) -> tuple[float, float]:
    """Return the bytes on disk of the weights of all `trainings`, and of their checkpoints at the peak.

    A running training keeps two checkpoints and writes a third before it deletes the oldest. A finished training keeps
    two, without the optimizer's states.
    """
    kept = 3 * CHECKPOINT + 2 * 4 * (trainings - 1) if training.full_finetune and trainings else 0
    return WEIGHTS * size * trainings, kept * size
