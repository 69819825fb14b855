"""A causal language model's forward pass in which both answers of a pair attend to one copy of the prompt.

trl forwards every pair as two rows, prompt + chosen and prompt + rejected, and our prompts are longer than the answers.
We pack each pair into one row instead:

    prompt without its last token | last prompt token, chosen | last prompt token, rejected

Each completion attends to the prompt and to itself, at the positions that it has in trl's rows. Only the completions
go through the language model head. The outputs are put back into trl's two rows; they are the same up to rounding.

Names used for shapes: `pairs`, `rows` = 2 x pairs, `length` (of trl's padded rows), `prompt_room` (the longest prompt
but its last token), `rooms` (the longest chosen and the longest rejected completion) and "both rooms", their sum.
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
    """Share the prompts of trl's rows in every call of `model(..., fused_lm_head=True)` within this context.

    The model needs trl's fused head. It also needs the attention `ATTENTION` until the last backward pass is done,
    because gradient checkpointing forwards the layers again.
    """
    fused = model.forward
    model.forward = lambda *args, **kwargs: _forward(model, fused, *args, **kwargs)
    try:
        yield
    finally:
        model.forward = fused


def _forward(model, fused, *, input_ids, attention_mask, labels, fused_lm_head, **kwargs):
    """Run trl's fused forward pass on packed rows.

    input_ids, attention_mask and labels are [rows, length], right-padded, all chosen rows before all rejected ones;
    labels are -100 outside the completions. Returns the outputs with every per-token value as [rows, length - 1].
    """
    start = (labels != -100).int().argmax(1)  # [rows]: where the completion begins, the same in both rows of a pair
    end = attention_mask.sum(1)  # [rows]
    rows, length = input_ids.shape
    pairs = rows // 2
    prompt_room = max(int(start.max()) - 1, 1)
    rooms = [int(lengths.max()) for lengths in (end - start).split(pairs)]  # of the chosen, of the rejected
    room = max(rooms)

    # [rows, room] each: where a completion's inputs are in trl's rows, the inputs themselves, the tokens to predict
    positions = start[:, None] - 1 + torch.arange(room, device=start.device)
    tokens = input_ids.gather(1, positions.clamp_max(length - 1))
    targets = labels.gather(1, (positions + 1).clamp_max(length - 1)).masked_fill(positions + 1 >= end[:, None], -100)
    prompt_positions = torch.arange(prompt_room, device=start.device).expand(pairs, -1)  # [pairs, prompt_room]

    def in_one_row(per_row: torch.Tensor) -> torch.Tensor:
        """[rows, room] -> [pairs, both rooms]: the chosen completion, then the rejected one."""
        return torch.cat([half[:, :size] for half, size in zip(per_row.split(pairs), rooms, strict=True)], 1)

    with only_completions(model.base_model, prompt_room):
        outputs = fused(
            input_ids=torch.cat([input_ids[:pairs, :prompt_room], in_one_row(tokens)], 1),
            # clamped, because padding may reach beyond the last position that the model has
            position_ids=torch.cat([prompt_positions, in_one_row(positions.clamp_max(length - 1))], 1),
            attention_mask=_mask(start[:pairs], prompt_room, rooms), shift_labels=in_one_row(targets),
            fused_lm_head=fused_lm_head, **kwargs,
        )  # fmt: skip

    def as_trl(values: torch.Tensor) -> torch.Tensor:
        """[pairs, both rooms] -> [rows, length - 1]. The value at a position belongs to the next token."""
        values = torch.cat([F.pad(half, (0, room - half.shape[1])) for half in values.split(rooms, dim=1)])
        return values.new_zeros(rows, length + room).scatter(1, positions, values)[:, : length - 1]

    per_token = {name: as_trl(value) for name, value in outputs.items() if value.shape == (pairs, sum(rooms))}
    return type(outputs)(**{**outputs, **per_token})


@contextlib.contextmanager
def only_completions(backbone, prompt_room: int):
    """Give the head only the hidden states after the first `prompt_room` positions, within this context.

    `backbone` then returns [batch, length - prompt_room, hidden] instead of [batch, length, hidden].
    """

    def cut(module, args, output):
        output.last_hidden_state = output.last_hidden_state[:, prompt_room:]
        return output

    hook = backbone.register_forward_hook(cut)
    try:
        yield
    finally:
        hook.remove()


def _mask(start: torch.Tensor, prompt_room: int, rooms: list[int]) -> torch.Tensor:
    """Return what the completions' tokens attend to, their prompt and their past, as True; `start` is [pairs].

    The mask is [pairs, 1, both rooms, prompt_room + both rooms].
    """
    prompt = torch.arange(prompt_room, device=start.device) < start[:, None] - 1  # [pairs, prompt_room]
    past = torch.block_diag(*(torch.ones(room, room, device=start.device).tril() for room in rooms)).bool()
    return torch.cat([prompt[:, None].expand(-1, len(past), -1), past.expand(len(start), -1, -1)], 2)[:, None]


def _attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **kwargs):
    """Compute scaled dot-product attention of packed rows: causal within the prompt, by `_mask` after it.

    query [pairs, heads, length, size]; key and value [pairs, groups, length, size]. A mask with fewer query rows than
    `length` is `_mask`'s, and the prompt is what it leaves out; any other call is passed on to transformers.
    Returns ([pairs, length, heads, size], None).
    """
    if attention_mask is None or attention_mask.shape[2] == query.shape[2]:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    if unsupported := {"softcap", "s_aux", "position_bias"} & {n for n, v in kwargs.items() if v is not None}:
        raise NotImplementedError(f"attention with {', '.join(unsupported)}")
    # under autocast with float32 weights, rotary embeddings leave query and key in float32
    query, key = query.to(value.dtype), key.to(value.dtype)
    end = query.shape[2] - attention_mask.shape[2]  # of the prompt
    causal = None
    window = kwargs.get("sliding_window")
    if window:
        position = kwargs["position_ids"]
        near = (position[:, :, None] - position[:, None, :] < window)[:, None]  # [pairs, 1, length, length]
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
    """Compute `scaled_dot_product_attention` with plain matrix products, one block of queries at a time.

    torch's own takes twice the time on a CPU in bfloat16, most of it in the backward pass. A block's scores are
    computed again in the backward pass instead of being kept: memory then grows with the length, not with its square,
    and the time by a fiftieth. With `is_causal` a block computes no scores for later keys.
    query [pairs, heads, queries, size]; key and value [pairs, groups, keys, size]; mask [pairs, 1, queries, keys], True
    where a key is seen. Returns [pairs, heads, queries, size].
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
    """Compute attention without repeating the keys and values that several heads share (grouped-query attention).

    query [pairs, heads, queries, size], scaled; key and value [pairs, groups, keys, size]; seen [1 or pairs, 1,
    queries, keys]. Returns [pairs, heads, queries, size].
    """
    pairs, heads, queries, size = query.shape
    groups = key.shape[1]
    bias = torch.zeros(seen.shape, dtype=query.dtype).masked_fill(~seen, torch.finfo(query.dtype).min)
    bias = bias.repeat(1, 1, heads // groups, 1).expand(pairs, groups, -1, -1).flatten(0, 1)
    scores = torch.baddbmm(bias, query.reshape(pairs * groups, -1, size), key.flatten(0, 1).transpose(1, 2))
    return (scores.softmax(-1) @ value.flatten(0, 1)).view(pairs, heads, queries, -1)


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
