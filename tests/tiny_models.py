"""Tiny random models of the architectures that tutors have, as the folders that `train` leaves, tokenizers included."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from utils.errors import BadInput
from utils.export import gguf
from utils.models import BUNDLED, resolve
from utils.seeds.read import DATASETS, DATASETS_DIR, find_seeds, read_seeds

SIZES = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "initializer_range": 0.2, "rms_norm_eps": 1e-6,
}  # fmt: skip
BYTE_LEVEL = ("llama", "qwen2", "qwen3", "mistral")  # get the bundled model's tokenizer
MORE = {
    "qwen3": {"head_dim": 16},
    "mistral": {"head_dim": 16, "sliding_window": None},
    "phi3": {"num_key_value_heads": 4, "original_max_position_embeddings": 2048, "sliding_window": None},
    "gemma3_text": {"head_dim": 16, "sliding_window": 64, "query_pre_attn_scalar": 16},
}
PHI3_CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
GEMMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def lacking() -> str | None:
    """Which package of an export is not installed, and how it is."""
    try:
        gguf.check_packages(["f16", "q4_k_m"])
    except BadInput as error:
        return str(error)
    return None


needs_export_packages = pytest.mark.skipif(lacking() is not None, reason=str(lacking()))


def make(architecture: str, folder: Path) -> Path:
    """A random model of `architecture` (transformers' model_type) in `folder`."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    if architecture in BYTE_LEVEL:
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(Path(resolve(BUNDLED)) / name, folder)
        special = {"vocab_size": 49152, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    else:
        special = sentencepiece_tokenizer(architecture, folder)
    config = AutoConfig.for_model(architecture, **SIZES | MORE.get(architecture, {}) | special)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


def sentencepiece_tokenizer(architecture: str, folder: Path) -> dict[str, int]:
    """Train a SentencePiece model on the shipped seeds, and write it as Phi-3's and Gemma's folders have it.

    Returns the config's fields that speak of tokens.
    """
    import sentencepiece

    phi = architecture == "phi3"
    lines = [
        line for name in DATASETS for seed in read_seeds(find_seeds(DATASETS_DIR, name, "train"))
        for line in seed.text.split("\n")
    ]  # fmt: skip
    marks = [] if phi else ["<start_of_turn>", "<end_of_turn>"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(folder / "tokenizer"), vocab_size=800, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        add_dummy_prefix=phi, user_defined_symbols=marks, num_threads=1, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.vocab").unlink()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    vocab = {pieces.id_to_piece(i): i for i in range(len(pieces))}
    tokenizer = Tokenizer(models.BPE(vocab, _merges(vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    blanks = [normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), *blanks] if phi else blanks)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    # Phi-3's marks swallow the blanks that follow them; Gemma's do not.
    added = ["<|endoftext|>", "<|user|>", "<|end|>", "<|assistant|>", "<|system|>"] if phi else marks
    tokenizer.add_special_tokens([AddedToken(mark, rstrip=phi, normalized=False) for mark in ["<s>", "</s>", *added]])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|end|>" if phi else "</s>", unk_token="<unk>",
        pad_token="<|endoftext|>" if phi else "</s>", chat_template=PHI3_CHAT if phi else GEMMA_CHAT,
    )  # fmt: skip
    fast.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"add_bos_token": not phi, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    size = -(-len(fast) // 64) * 64  # as real models pad it
    return {
        "vocab_size": size, "bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id,
        "pad_token_id": fast.pad_token_id,
    }  # fmt: skip


def _merges(vocab: dict[str, int]) -> list[tuple[str, str]]:
    """The merges behind a SentencePiece BPE vocabulary: an earlier piece is merged first."""
    found = []
    for piece, rank in vocab.items():
        halves = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        known = [(left, right) for left, right in halves if left in vocab and right in vocab]
        found += [(rank, vocab[left], vocab[right], left, right) for left, right in known]
    return [(left, right) for *_, left, right in sorted(found)]
