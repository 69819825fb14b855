"""Attention of a decoding step (one new token per row): our implementation or transformers', whichever is faster here.

On a CPU ours takes half of the time in bfloat16 and the same time in float32; on a GPU it must be measured.
"""

import contextlib
import time
from types import SimpleNamespace

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "fastest_step"


def plain_step(module, query, key, value, attention_mask, scaling=None, **kwargs):
    """Compute the attention of one new token per row with plain matrix products.

    query [rows, heads, 1, size]; key and value [rows, groups, length, size]: grouped keys are not repeated;
    attention_mask [rows, 1, 1, length], True where a position may be seen. Returns ([rows, 1, heads, size], None).
    """
    rows, heads, _, size = query.shape
    grouped = query.view(rows, key.shape[1], heads // key.shape[1], size)
    scores = grouped @ key.transpose(2, 3) * (size**-0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    return (weights @ value).view(rows, 1, heads, -1), None


def fastest_step(model):
    """Measure for a few milliseconds which attention to use: transformers' if it takes less than 0.7 of our time.

    A near tie thus always goes to `plain_step`: the two round differently, and a second run on this machine should
    choose the same one.
    """
    config, rows, keys = model.config.get_text_config(), 8, 1024
    heads = config.num_attention_heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    like = {"device": model.device, "dtype": model.dtype}
    query = torch.ones(rows, heads, 1, size, **like)
    key, value = torch.ones(2, rows, groups, keys, size, **like)
    mask = torch.ones(rows, 1, 1, keys, dtype=torch.bool, device=model.device)
    module = SimpleNamespace(num_key_value_groups=heads // groups)
    seconds = {plain_step: [], sdpa_attention_forward: []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine, several threads would measure how they wait for each other
    try:
        for step in 5 * list(seconds):  # the first call of each also pays for what is built once
            start = time.perf_counter()
            step(module, query, key, value, mask)[0][0, 0, 0, 0].item()  # `item` waits until a GPU is done
            seconds[step].append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    stock_wins = min(seconds[sdpa_attention_forward]) < 0.7 * min(seconds[plain_step])
    return sdpa_attention_forward if stock_wins else plain_step


@contextlib.contextmanager
def fast_steps(model):
    """Use the faster attention for decoding steps within this context, if the model's attention is `sdpa`.

    A model with another attention (soft-capped, with attention sinks) keeps it.
    """
    before = model.config._attn_implementation
    if before != "sdpa":
        yield
        return
    fastest = fastest_step(model)

    def attention(module, query, key, value, attention_mask, **kwargs):
        plain = query.shape[2] == 1 and kwargs.get("position_bias") is None
        return (fastest if plain else sdpa_attention_forward)(module, query, key, value, attention_mask, **kwargs)

    AttentionInterface.register(ATTENTION, attention)
    model.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


AttentionMaskInterface.register(ATTENTION, sdpa_mask)
