"""A GGUF file is the model that it was made from: the same tokens, the same probabilities, or it is refused."""

import json
import math

import numpy as np
import pytest
import tiny_models
from transformers import AutoTokenizer

from utils.errors import BadInput
from utils.export import gguf, parity
from utils.export.llama_cpp import serve
from utils.export.measured import adds_bos, usable_context
from utils.export.modelfile import go_template
from utils.prompts import INFERENCE_PROMPT, load_template, tutor_messages
from utils.seeds.read import DATASETS, DATASETS_DIR, find_seeds, read_seeds

pytestmark = tiny_models.needs_export_packages
TEMPLATE = load_template(INFERENCE_PROMPT, "input")
DIALOGUES = [  # every fourth; tests/test_models.py asks of all whether the bundled model's ids are llama.cpp's
    seed.text for name in DATASETS for split in ("train", "test")
    for seed in read_seeds(find_seeds(DATASETS_DIR, name, split))[::4]
]  # fmt: skip
# transformers 5 reads every qwen2 folder's tokenizer as Qwen's own, except under the names that it lists: under this
# one it reads the tokenizer that is there, and llama.cpp knows that.
FOLDERS = {"qwen2": "deepseek-ai/deepseek-coder-tiny"}
NAMES = {"phi3": "Phi-3 tiny"}


def converted(architecture, tmp_path, monkeypatch, spoil=None, name=None):
    """(weights, f16 file) of a tiny model, whose folder `spoil` may change before it is converted."""
    monkeypatch.chdir(tmp_path)
    folder = tiny_models.make(architecture, tmp_path / FOLDERS.get(architecture, "weights")).relative_to(tmp_path)
    if spoil:
        spoil(folder)
    target = tmp_path / "f16.gguf"
    gguf.convert(folder, target, "f16", name or NAMES.get(architecture, "tiny"), tmp_path / "convert.log")
    return folder, target


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "phi3", "gemma3_text", "mistral"])
def test_every_architecture_has_the_same_tokens_and_probabilities(architecture, tmp_path, monkeypatch):
    """Gemma's marks became plain text: transformers 5 does not write the list that the converter reads."""
    weights, file = converted(architecture, tmp_path, monkeypatch)
    tokenizer = AutoTokenizer.from_pretrained(weights)
    with serve(file, context=2048, slots=2, log=tmp_path / "server.log") as server:
        template = go_template(tokenizer, TEMPLATE, adds_bos(server, tokenizer))
        prompts, chats = parity.check_ids(server, tokenizer, TEMPLATE, template, DIALOGUES)
        assert prompts == chats == len(DIALOGUES) + len(parity.HARD)
        ids = [
            tokenizer.apply_chat_template(tutor_messages(TEMPLATE, text), add_generation_prompt=True, return_dict=False)
            for text in DIALOGUES[:3]
        ]
        answers = [tokenizer(text[:80], add_special_tokens=False).input_ids[:16] for text in DIALOGUES[3:6]]
        known = parity.reference(str(weights), ids, answers, "cpu")
        found = parity.measure(server, 2, known, "tiny")
    assert found.tokens == 3 * 17  # the token after the last one too
    parity.check_f16(found)
    assert found.kl < 1e-4


def change_tokenizer(folder, change):
    tokens = json.loads((folder / "tokenizer.json").read_text())
    change(tokens)
    (folder / "tokenizer.json").write_text(json.dumps(tokens))


def test_a_tokenizer_that_llama_cpp_does_not_know_is_one_clear_line(tmp_path, monkeypatch):
    def split_otherwise(folder):
        change_tokenizer(folder, lambda tokens: tokens["pre_tokenizer"]["pretokenizers"].pop(0))
        change_tokenizer(folder, lambda tokens: tokens["model"]["merges"].pop(0))

    with pytest.raises(BadInput, match=r"converter refuses it: .*pre-tokenizer was not recognized"):
        converted("llama", tmp_path, monkeypatch, split_otherwise)
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob(".*.part"))


def test_phi3_under_another_name_is_refused(tmp_path, monkeypatch):
    """llama.cpp strips the line break after `<|user|>` only if the file's name says phi-3."""
    weights, file = converted("phi3", tmp_path, monkeypatch, name="weights")
    tokenizer = AutoTokenizer.from_pretrained(weights)
    with serve(file, context=1024, slots=1, log=tmp_path / "server.log") as server:
        template = go_template(tokenizer, TEMPLATE, adds_bos(server, tokenizer))
        with pytest.raises(BadInput, match="see --base"):
            parity.check_ids(server, tokenizer, TEMPLATE, template, DIALOGUES[:1])


def test_a_file_that_is_none_is_one_clear_line(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(64))
    with (
        pytest.raises(BadInput, match=r"llama.cpp cannot run broken.gguf: "),
        serve(tmp_path / "broken.gguf", context=64, slots=1, log=tmp_path / "server.log"),
    ):
        pass


def test_divergence_by_hand():
    """P = (1/2, 1/4, 1/8, 1/8), Q = (1/4, 1/4, 1/4, 1/4), of Q the first two known: the other two count as one."""
    p = np.log([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    expected = 1 / 2 * math.log(2) + 1 / 4 * math.log(1) + (1 / 8 + 1 / 8) * math.log((1 / 4) / (1 / 2))
    assert parity.divergence(p, np.array([0, 1]), np.log([1 / 4, 1 / 4])) == pytest.approx(expected)
    assert parity.divergence(p, np.arange(4), p) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("kl", "top_1"), [(1e-3, 1.0), (1e-5, 0.989), (float("nan"), 1.0)])
def test_an_f16_file_that_predicts_otherwise_is_refused(kl, top_1):
    with pytest.raises(BadInput, match="not exported"):
        parity.check_f16(parity.Parity(8, 320, kl, kl, top_1, top_1))
    parity.check_f16(parity.Parity(8, 320, 9e-4, 1e-2, 0.98, 0.99))


def test_longrope_is_used_only_as_far_as_both_compute_alike(tmp_path):
    factors = {"short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 256, **factors}
    config = {"model_type": "phi3", "hidden_size": 64, "num_attention_heads": 4, "max_position_embeddings": 2048,
              "original_max_position_embeddings": 256, "rope_parameters": rope, "pad_token_id": 0}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert usable_context(tmp_path) == 256
