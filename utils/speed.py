"""Estimate the time of sampling and training from this machine's speed of matrix products.

A token costs 2 floating-point operations per parameter forward and 4 backward. LoRA, with frozen weights, needs half of
the latter (Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1).
"""

import time

from utils import models

# The share of that speed that is reached, measured with SmolLM2 in bfloat16 on a CPU when forwarding prompts of 300
# tokens, decoding 30 answers together, and training LoRA on rows of 300 tokens.
PROMPTS, ANSWERS, TRAINING = 0.7, 0.3, 0.45


def matrix_rate(device: str, dtype: str) -> float:
    """Measure the floating-point operations per second of matrix products on `device` in `dtype` (about 0.2 s)."""
    import torch

    where = models.device_of(device)
    kind = getattr(torch, models.dtype_name(device, dtype))
    a, b = (torch.ones(1024, 1024, dtype=kind, device=where) for _ in range(2))
    float((a @ b).sum())  # the first call builds the kernel
    start, times = time.perf_counter(), 0
    while time.perf_counter() - start < 0.2:
        float((a @ b).sum())  # waits for the device
        times += 1
    return times * 2 * 1024**3 / (time.perf_counter() - start)


def to_sample(size: int, rate: float, prompt_tokens: float, answer_tokens: float) -> float:
    """Estimate the seconds that a model of `size` parameters needs to forward its prompts and to decode its answers."""
    return 2 * size * (prompt_tokens / PROMPTS + answer_tokens / ANSWERS) / rate


def to_train(size: int, rate: float, tokens: float, *, full: bool) -> float:
    """Estimate the seconds to train on so many tokens, forward and backward."""
    return (6 if full else 4) * size * tokens / (TRAINING * rate)
