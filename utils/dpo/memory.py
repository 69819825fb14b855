"""What a training takes of memory and disk, by the size of the model.

Measured with SmolLM2 (135 million parameters, rows of 163 tokens, bfloat16, CPU): LoRA 1.28 GB of memory (reckoned:
1.16), full fine-tuning 3.2 GB (3.25) and 4.85 GB of checkpoints at their most (4.84).
"""

from typing import Any

from utils.dpo.recipe import Training

WEIGHTS = 2  # bytes per parameter: 16 bit
# Full fine-tuning: 32-bit weights, gradients and Adam's two moments, and a 16-bit copy to compute with. LoRA: the
# frozen weights, and the adapters with theirs.
FULL, LORA = 18, 2.5
CHECKPOINT = 12  # full fine-tuning: 32-bit weights and two moments. An adapter's are some MB.
LIBRARIES = 0.6e9  # bytes of a process that has loaded them


def to_train(size: int, config: Any, training: Training, tokens: int) -> float:
    """Bytes of memory to train a model of `size` parameters on rows of up to `tokens` tokens."""
    itemsize = 4 if training.dtype == "float32" else 2
    held = (FULL if training.full_finetune else LORA) * size
    return held + activations(config, tokens * training.batch_size, itemsize) + LIBRARIES


def activations(config: Any, tokens: int, itemsize: int) -> float:
    """Bytes that the backward pass keeps of a batch of pairs whose longer row has `tokens` tokens.

    Per token and layer these are 12 hidden and 3 intermediate values (measured with SmolLM2 in bfloat16, 755 to 1,099
    tokens: 11,610 values +- 0.3 %); a batch has twice `tokens` where prompts cannot be shared.
    """
    text = config.get_text_config()
    intermediate = getattr(text, "intermediate_size", 4 * text.hidden_size)
    return 2 * tokens * text.num_hidden_layers * (12 * text.hidden_size + 3 * intermediate) * itemsize


def on_disk(size: int, training: Training, trainings: int) -> tuple[float, float]:
    """Bytes of the weights of so many trainings, and of their checkpoints at their most.

    Two checkpoints are kept, a third one is written before the oldest goes; of a finished training's only the weights
    stay.
    """
    kept = 3 * CHECKPOINT + 2 * 4 * (trainings - 1) if training.full_finetune and trainings else 0
    return WEIGHTS * size * trainings, kept * size
