"""The real small model, loaded once for all tests that need it, in float32: equality is then exact arithmetic."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin slow each other down on a busy machine

import pytest

from utils import models


@pytest.fixture(scope="session")
def model_and_tokenizer():
    return models.load(models.BUNDLED, device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(models.resolve(models.BUNDLED))


@pytest.fixture(scope="session")
def tiny(tokenizer, tmp_path_factory) -> str:
    """A folder with an untrained Llama of two small layers in bfloat16 and the real small model's tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, initializer_range=0.1, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "tiny"
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(b"sentencepiece")
    return str(folder)
