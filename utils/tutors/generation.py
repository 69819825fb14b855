"""Sample several answers to many prompts, fast.

Each prompt is forwarded once for all of its samples, and the prefix that all prompts share is forwarded once in all.
The key-value caches are copied, left-padded, into one buffer. A plain loop then decodes all rows of a group together,
and finished rows leave the batch. Each row has its own random stream, so the same (prompt, sample, seed) gives the same
text in any group. The one exception is rounding: in bfloat16, with another batch shape or another implementation of
attention, a draw that falls just between two tokens may come out differently.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence

import psutil
import torch
from transformers import DynamicCache
from transformers.cache_utils import StaticLayer

from utils.dialogue import cut_at_new_turn
from utils.errors import BadInput, is_out_of_memory
from utils.records import Sample
from utils.tutors.step_attention import fast_steps

OUT_OF_MEMORY = (
    "out of memory with a single prompt: fewer samples (--num-candidates) or tokens (--max-new-tokens), or a smaller "
    "model, take less"
)
CHECK_EVERY = 8  # tokens between two checks for the beginning of another speaker's turn
GROUP_ROWS = {"cpu": 40, "mps": 32, "cuda": 256}  # on a CPU 40 rows cost 23 % less per token than 20, padding and all


def sample_answers(
    model, tokenizer, prompts: Sequence[list[int]], *, num_samples: int, temperature: float, top_k: int,
    max_new_tokens: int, seed: int, wanted: Collection[int] | None = None,
) -> Iterator[tuple[int, list[Sample]]]:  # fmt: skip
    """Yield (index of the prompt, its samples) for every prompt, group by group, longest prompts first.

    `prompts` are token ids. `temperature` 0 is greedy decoding; `top_k` 0 samples from the whole vocabulary. Only the
    prompts in `wanted` are answered, but groups and shared prefix are those of all prompts: a run that is resumed after
    a crash rounds exactly as an uninterrupted one. A group that does not fit into memory is halved.
    Raises MemoryError if even a single prompt does not fit.
    """
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))  # if memory is short, the longest shows it
    shared = _shared_prefix(prompts) if len(prompts) > 1 else 0
    with torch.inference_mode(), fast_steps(model):
        prefix = _forward_prompt(model, prompts[0][:shared], DynamicCache())[1] if shared else DynamicCache()
        limit = None
        while order:
            longest = len(prompts[order[0]])
            size = max(1, min(limit or len(order), _rows_that_fit(model, longest + max_new_tokens) // num_samples))
            group = order[:size]
            if wanted is not None and not any(i in wanted for i in group):
                order = order[size:]
                continue
            try:
                results = _decode_group(
                    model, tokenizer, [prompts[i] for i in group], prefix, shared, num_samples, temperature, top_k,
                    max_new_tokens, seed,
                )  # fmt: skip
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise MemoryError(OUT_OF_MEMORY) from None
                limit = size // 2
                continue
            yield from ((i, row) for i, row in zip(group, results, strict=True) if wanted is None or i in wanted)
            order = order[size:]


def _decode_group(
    model, tokenizer, prompts, prefix, shared, num_samples, temperature, top_k, max_new_tokens, seed
) -> list[list[Sample]]:
    """Decode `num_samples` rows for each prompt of a group together; the rows of one prompt are adjacent.

    `prefix` is the cache of the first `shared` tokens of every prompt. Returns the samples of each prompt.
    """
    device = model.device
    forwarded = [_forward_prompt(model, prompt[shared:], _copy(prefix)) for prompt in prompts]
    lengths = torch.tensor([len(prompt) for prompt in prompts]).repeat_interleave(num_samples)  # [rows]
    logits = torch.cat([logits for logits, _ in forwarded]).repeat_interleave(num_samples, dim=0)  # [rows, vocabulary]
    cache = _left_padded([cache for _, cache in forwarded], num_samples, max_new_tokens)
    del forwarded
    longest = int(lengths.max())
    # attention mask [rows, longest + max_new_tokens]: 0 on the padding; position of the next token and noise by row
    mask = (torch.arange(longest + max_new_tokens) >= (longest - lengths)[:, None]).long().to(device)
    position = lengths[:, None].to(device)  # [rows, 1]
    noise = torch.stack([_noise(prompt, k, seed, max_new_tokens) for prompt in prompts for k in range(num_samples)])
    noise = noise.to(device)  # [rows, max_new_tokens]

    ends = _end_tokens(model, tokenizer)
    rows = list(range(len(prompts) * num_samples))  # which answer each row of the batch belongs to
    ids: list[list[int]] = [[] for _ in rows]
    reasons: list[str] = ["length"] * len(rows)
    for step in range(max_new_tokens):
        tokens = _pick(logits, noise[:, step], temperature, top_k)
        alive = []
        for row, (answer, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
            if token in ends:
                reasons[answer] = "stop"
                continue
            ids[answer].append(token)
            if len(ids[answer]) % CHECK_EVERY == 0 and cut_at_new_turn(tokenizer.decode(ids[answer]))[1]:
                continue
            alive.append(row)
        if not alive or step == max_new_tokens - 1:
            break
        if len(alive) < len(rows):  # a finished row costs nothing from here on
            keep = torch.tensor(alive, device=device)
            rows = [rows[row] for row in alive]
            tokens, mask, position, noise = tokens[keep], mask[keep], position[keep], noise[keep]
            for layer in cache.layers:
                layer.keep(keep)
        logits = model(
            input_ids=tokens[:, None], attention_mask=mask, position_ids=position,
            past_key_values=cache, use_cache=True,
        ).logits[:, -1]  # fmt: skip
        position = position + 1

    samples = []
    for answer, reason in zip(ids, reasons, strict=True):
        text, cut = cut_at_new_turn(tokenizer.decode(answer, skip_special_tokens=True))
        samples.append(Sample(text.strip(), "speaker" if cut else reason, len(answer)))
    return [samples[i : i + num_samples] for i in range(0, len(samples), num_samples)]


def _forward_prompt(model, ids: list[int], cache: DynamicCache) -> tuple[torch.Tensor, DynamicCache]:
    """Forward `ids` after the tokens in `cache`. Returns (logits of the last token [1, vocabulary], cache)."""
    ids = torch.tensor([ids], device=model.device)
    output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return output.logits[:, -1], output.past_key_values


def _shared_prefix(prompts: Sequence[list[int]]) -> int:
    """Return the length of the prefix that all prompts share, less than the length of the shortest prompt."""
    low, high = min(prompts), max(prompts)  # the two that differ first, in lexicographic order
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return min(same, min(map(len, prompts)) - 1)


def _copy(cache: DynamicCache) -> DynamicCache:
    """Copy a cache so that the copy can grow alone (a dynamic layer concatenates and never writes in place)."""
    copy = DynamicCache()
    for index, layer in enumerate(cache.layers):
        copy.update(layer.keys, layer.values, index)
    return copy


class _BufferLayer(StaticLayer):
    """Keys and values [rows, heads, room, size] allocated once: a step writes in place and nothing is copied."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int):
        super().__init__(max_cache_len=keys.shape[2])
        self.keys, self.values, self.length = keys, values, length
        self.is_initialized = True

    def update(self, key_states, value_states, *args, **kwargs):
        # The whole buffer is returned, with unwritten positions masked: a slice would be copied for every product.
        end = self.length + key_states.shape[2]
        self.keys[:, :, self.length : end], self.values[:, :, self.length : end] = key_states, value_states
        self.length = end
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.length

    def keep(self, rows: torch.Tensor) -> None:
        self.keys, self.values = self.keys[rows], self.values[rows]


def _left_padded(caches: list[DynamicCache], num_samples: int, room: int) -> DynamicCache:
    """Copy the prompts' caches into one, each `num_samples` times, left-padded, with `room` for further tokens.

    A cache's tensors are [1, heads, tokens, size]; those of the result are [rows, heads, longest + room, size].
    """
    longest = max(cache.get_seq_length() for cache in caches)
    together = DynamicCache()
    for parts in zip(*(cache.layers for cache in caches), strict=True):
        buffers = []
        for tensors in ([part.keys for part in parts], [part.values for part in parts]):
            _, heads, _, size = tensors[0].shape
            buffer = tensors[0].new_zeros(len(tensors) * num_samples, heads, longest + room, size)
            for i, tensor in enumerate(tensors):
                buffer[i * num_samples : (i + 1) * num_samples, :, longest - tensor.shape[2] : longest] = tensor
            buffers.append(buffer)
        together.layers.append(_BufferLayer(*buffers, longest))
    return together


def _pick(logits: torch.Tensor, noise: torch.Tensor, temperature: float, top_k: int) -> torch.Tensor:
    """Draw the next token of each row by inverting the cumulative distribution. Returns token ids [rows].

    logits [rows, vocabulary]; noise [rows], uniform in [0, 1). Raises BadInput if a logit is NaN or infinite.
    """
    if temperature == 0:
        tokens = logits.argmax(-1, keepdim=True)
        greatest = logits.gather(-1, tokens)
    else:
        top = logits.float().topk(min(top_k, logits.shape[-1]) if top_k else logits.shape[-1])
        greatest = top.values[:, :1]
        cumulated = (top.values / temperature).softmax(-1).cumsum(-1)
        place = torch.searchsorted(cumulated, noise[:, None] * cumulated[:, -1:], right=True)
        tokens = top.indices.gather(-1, place.clamp_max(top.indices.shape[-1] - 1))
    if not greatest.isfinite().all():  # NaN counts as greater than any number, so that one value per row tells
        raise BadInput("the model answers with NaN: its weights are damaged, or --dtype is too narrow for it")
    return tokens.squeeze(-1)


def _noise(prompt: list[int], sample: int, seed: int, steps: int) -> torch.Tensor:
    """Make the random stream of one answer from its prompt, sample and seed alone: [steps], uniform in [0, 1)."""
    digest = hashlib.sha256(f"{seed} {sample} {prompt}".encode()).digest()
    return torch.rand(steps, generator=torch.Generator().manual_seed(int.from_bytes(digest[:7])))


def _end_tokens(model, tokenizer) -> set[int]:
    """Return the token ids that end an answer."""
    ends = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}


def _rows_that_fit(model, length: int) -> int:
    """Return how many rows of `length` tokens have caches that fit into half of the free memory, at most GROUP_ROWS."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    row = 2 * config.num_hidden_layers * heads * size * length * model.dtype.itemsize + 12 * config.vocab_size
    cuda = model.device.type == "cuda"
    free = torch.cuda.mem_get_info()[0] if cuda else psutil.virtual_memory().available
    return max(1, min(GROUP_ROWS[model.device.type], int(free / 2 / row)))
