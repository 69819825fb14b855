"""A causal model's forward pass in which both answers of a pair attend to one prompt.

trl forwards every pair as two rows, prompt + chosen and prompt + rejected; prompts are the long part here. We lay a
pair into one row instead,

    prompt without its last token | last prompt token, chosen | last prompt token, rejected

where each completion attends to the prompt and to itself, at the positions it has in trl's rows. Only the completions
go through the language model head. What comes out is put back into trl's two rows. The result is the same to rounding.
"""

import contextlib

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "shared_prompt"
CPU_BLOCK = 256


@contextlib.contextmanager
def shared_prompts(model: PreTrainedModel):
    """Within this context `model(..., fused_lm_head=True)` takes trl's rows and shares the prompts of their pairs.

    The model needs trl's fused head, and the attention `ATTENTION` for as long as a backward pass may follow: gradient
    checkpointing forwards the layers again.
    """
    fused = model.forward
    model.forward = lambda *args, **kwargs: _forward(model, fused, *args, **kwargs)
    try:
        yield
    finally:
        model.forward = fused


def _forward(model, fused, *, input_ids, attention_mask, labels, fused_lm_head, **kwargs):
    """trl's fused forward of rows [2 x pairs, length], chosen first, with `labels` -100 outside the completions."""
    start = (labels != -100).int().argmax(1)  # where the completion begins: the same in both rows of a pair
    end = attention_mask.sum(1)
    rows, length = input_ids.shape
    pairs = rows // 2
    prompt_room = max(int(start.max()) - 1, 1)
    rooms = [int(lengths.max()) for lengths in (end - start).split(pairs)]  # of the chosen, of the rejected
    room = max(rooms)

    positions = start[:, None] - 1 + torch.arange(room, device=start.device)  # [rows, room], of the tokens read
    tokens = input_ids.gather(1, positions.clamp_max(length - 1))
    targets = labels.gather(1, (positions + 1).clamp_max(length - 1)).masked_fill(positions + 1 >= end[:, None], -100)
    prompt_positions = torch.arange(prompt_room, device=start.device).expand(pairs, -1)

    def in_one_row(per_row: torch.Tensor) -> torch.Tensor:
        return torch.cat([half[:, :size] for half, size in zip(per_row.split(pairs), rooms, strict=True)], 1)

    with only_completions(model.base_model, prompt_room):
        outputs = fused(
            input_ids=torch.cat([input_ids[:pairs, :prompt_room], in_one_row(tokens)], 1),
            # padding may lie behind the last position that the model has
            position_ids=torch.cat([prompt_positions, in_one_row(positions.clamp_max(length - 1))], 1),
            attention_mask=_mask(start[:pairs], prompt_room, rooms), shift_labels=in_one_row(targets),
            fused_lm_head=fused_lm_head, **kwargs,
        )  # fmt: skip

    def as_trl(values: torch.Tensor) -> torch.Tensor:
        """[pairs, both rooms] -> [rows, length - 1]: the value at `positions` is the next token's."""
        values = torch.cat([F.pad(half, (0, room - half.shape[1])) for half in values.split(rooms, dim=1)])
        return values.new_zeros(rows, length + room).scatter(1, positions, values)[:, : length - 1]

    per_token = {name: as_trl(value) for name, value in outputs.items() if value.shape == (pairs, sum(rooms))}
    return type(outputs)(**{**outputs, **per_token})


@contextlib.contextmanager
def only_completions(backbone, prompt_room: int):
    """Within this context the head sees the hidden states behind the first `prompt_room` positions alone."""

    def cut(module, args, output):
        output.last_hidden_state = output.last_hidden_state[:, prompt_room:]
        return output

    hook = backbone.register_forward_hook(cut)
    try:
        yield
    finally:
        hook.remove()


def _mask(start: torch.Tensor, prompt_room: int, rooms: list[int]) -> torch.Tensor:
    """What completion tokens attend to, [pairs, 1, both rooms, prompt_room + both rooms]: their prompt and past."""
    prompt = torch.arange(prompt_room, device=start.device) < start[:, None] - 1
    past = torch.block_diag(*(torch.ones(room, room, device=start.device).tril() for room in rooms)).bool()
    return torch.cat([prompt[:, None].expand(-1, len(past), -1), past.expand(len(start), -1, -1)], 2)[:, None]


def _attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **kwargs):
    """Scaled dot-product attention of packed rows: causal in the prompt, by `_mask` behind it.

    query [pairs, heads, length, size]; a mask of fewer rows than `length` is ours, and says where the prompt ends.
    """
    if attention_mask is None or attention_mask.shape[2] == query.shape[2]:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    if unsupported := {"softcap", "s_aux", "position_bias"} & {n for n, v in kwargs.items() if v is not None}:
        raise NotImplementedError(f"attention with {', '.join(unsupported)}")
    query, key = query.to(value.dtype), key.to(value.dtype)  # rotated in float32 where the weights are, under autocast
    end = query.shape[2] - attention_mask.shape[2]
    causal = None
    window = kwargs.get("sliding_window")
    if window:
        position = kwargs["position_ids"]
        near = (position[:, :, None] - position[:, None, :] < window)[:, None]
        attention_mask = attention_mask & near[:, :, end:]
        causal = near[:, :, :end, :end].tril() if end > window else None
    attend = _attend_in_blocks
    if query.device.type != "cpu" or query.dtype != torch.bfloat16 or dropout:
        attend = F.scaled_dot_product_attention
        key, value = (repeat_kv(x, query.shape[1] // key.shape[1]) for x in (key, value))
    prompt = attend(
        query[:, :, :end], key[:, :, :end], value[:, :, :end], causal, dropout, is_causal=causal is None, scale=scaling
    )
    completions = attend(query[:, :, end:], key, value, attention_mask, dropout, scale=scaling)
    return torch.cat([prompt, completions], 2).transpose(1, 2).contiguous(), None


def _attend_in_blocks(query, key, value, mask, dropout, is_causal=False, scale=None):
    """`scaled_dot_product_attention` by plain matmuls: torch's own needs twice the time on a CPU in bfloat16, most
    of it in the backward pass. A block of queries sees no key behind it, and its scores are computed again in the
    backward pass instead of kept: memory then grows with the length, not with its square, for a fiftieth of the time.
    """
    query = query * (query.shape[-1] ** -0.5 if scale is None else scale)
    length, outputs = query.shape[2], []
    for start in range(0, length, CPU_BLOCK):
        end = min(start + CPU_BLOCK, length)
        keys = end if is_causal else key.shape[2]
        seen = torch.ones(1, 1, end - start, keys, dtype=torch.bool).tril(start) if is_causal else mask[:, :, start:end]
        block = query[:, :, start:end], key[:, :, :keys], value[:, :, :keys], seen
        outputs.append(checkpoint(_attend_plainly, *block, use_reentrant=False, preserve_rng_state=False))
    return torch.cat(outputs, 2)


def _attend_plainly(query, key, value, seen):
    """Attention without repeating the keys of a group: query [pairs, heads, queries, size], scaled."""
    pairs, heads, queries, size = query.shape
    groups = key.shape[1]
    bias = torch.zeros(seen.shape, dtype=query.dtype).masked_fill(~seen, torch.finfo(query.dtype).min)
    bias = bias.repeat(1, 1, heads // groups, 1).expand(pairs, groups, -1, -1).flatten(0, 1)
    scores = torch.baddbmm(bias, query.reshape(pairs * groups, -1, size), key.flatten(0, 1).transpose(1, 2))
    return (scores.softmax(-1) @ value.flatten(0, 1)).view(pairs, heads, queries, -1)


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
