"""Shared-prompt DPO against trl's own way: the same loss, gradients and reference, for every shape of a pair."""

import copy

import datasets
import pytest
import torch
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

from utils.dpo import shared_prompts as sharing
from utils.dpo import trainer as dpo

BOTH = (dpo.SharedPromptDPOTrainer, DPOTrainer)
WORDS = 64
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": WORDS + 2, "max_position_embeddings": 256, "head_dim": 8,
        "initializer_range": 0.3, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}  # fmt: skip
ARCHITECTURES = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "phi3": {"num_key_value_heads": 4},
    "phi3-window": {"sliding_window": 9},
    "gemma": {},
    "gemma3_text": {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "gpt_neox": {},
    "gemma2": {},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
}
# (prompt, chosen, rejected) lengths in words: equal, chosen longer, rejected much longer, prompts of one and two words
PAIRS = [(20, 5, 5), (13, 9, 2), (31, 3, 17), (1, 4, 6), (2, 1, 3), (8, 12, 1)]


def tiny(architecture: str):
    torch.manual_seed(0)
    config = AutoConfig.for_model(architecture.split("-")[0], **TEXT | ARCHITECTURES[architecture])
    return AutoModelForCausalLM.from_config(config)


@pytest.fixture(scope="module")
def tokenizer():
    words = {"<pad>": 0, "<eos>": 1} | {f"w{i}": i + 2 for i in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


def text(seed: int, length: int) -> str:
    generator = torch.Generator().manual_seed(seed)
    return " ".join(f"w{i}" for i in torch.randint(WORDS, (length,), generator=generator).tolist())


def make(trainer_class, model, tokenizer, tmp_path, pairs=PAIRS, lora=True, **settings):
    rows = [
        {"prompt": text(i, p), "chosen": " " + text(100 + i, c), "rejected": " " + text(200 + i, r)}
        for i, (p, c, r) in enumerate(pairs)
    ]
    config = DPOConfig(
        **{"output_dir": str(tmp_path), "max_length": None, "use_cpu": True, "bf16": False, "report_to": "none",
           "gradient_checkpointing": False, "precompute_ref_log_probs": True, "learning_rate": 1e-2,
           "per_device_train_batch_size": len(pairs), "num_train_epochs": 1, "save_strategy": "no",
           "dataloader_pin_memory": False} | settings
    )  # fmt: skip
    adapters = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    return trainer_class(
        copy.deepcopy(model), args=config, train_dataset=datasets.Dataset.from_list(rows), processing_class=tokenizer,
        peft_config=adapters if lora else None,
    )  # fmt: skip


def loss_and_gradients(trainer, batch):
    trainer.model.zero_grad()
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(batch))
    loss.backward()
    return loss.item(), {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}


def assert_same_training(ours, stock, batch):
    loss, gradients = loss_and_gradients(ours, batch)
    expected_loss, expected = loss_and_gradients(stock, batch)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert loss != pytest.approx(0.6931, abs=1e-3), "at the reference itself any path gives ln 2"
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (gradients[name] - gradient).norm() <= 1e-4 * gradient.norm() + 1e-9, name


def move_away_from_reference(*trainers):
    for trainer in trainers:
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter += 0.05 * torch.randn_like(parameter)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "gemma2"])
@pytest.mark.parametrize("lora", [True, False], ids=["lora", "full"])
def test_loss_gradients_and_reference_are_trls(architecture, lora, tokenizer, tmp_path):
    """Guards: wrong positions or masks, padding that leaks, one completion seeing the other, one pair another."""
    model = tiny(architecture)
    ours, stock = (
        make(kind, model, tokenizer, tmp_path, lora=lora) for kind in (dpo.SharedPromptDPOTrainer, DPOTrainer)
    )
    assert ours.shared
    for side in ("ref_chosen_logps", "ref_rejected_logps"):
        assert ours.train_dataset[side] == pytest.approx(list(stock.train_dataset[side]), abs=1e-4)
    if not lora:
        move_away_from_reference(ours, stock)
    rows = list(stock.train_dataset)
    for batch in (rows[:1], rows[3:4], rows[1:3], rows):
        assert_same_training(ours, stock, batch)


def test_gradient_checkpointing_forwards_the_layers_again_in_the_same_way(tokenizer, tmp_path):
    """Guards: the attention switched back to trl's before the backward pass runs."""
    model = tiny("llama")
    ours = make(dpo.SharedPromptDPOTrainer, model, tokenizer, tmp_path, gradient_checkpointing=True)
    stock = make(DPOTrainer, model, tokenizer, tmp_path)
    ours.model.gradient_checkpointing_enable()
    assert ours.shared
    assert ours.model.get_base_model().model.layers[0].gradient_checkpointing
    assert_same_training(ours, stock, list(stock.train_dataset)[:2])


def test_padding_stays_within_the_models_positions(tokenizer, tmp_path):
    """Guards: a long prompt's short answer padded to its neighbour's long one, past the last learned position."""
    model = tiny("gpt2")
    lengths = [(250, 3, 3), (5, 40, 20)]
    ours, stock = (make(kind, model, tokenizer, tmp_path, pairs=lengths) for kind in BOTH)
    assert ours.shared
    assert_same_training(ours, stock, list(stock.train_dataset))


def test_other_losses_see_trls_rows(tokenizer, tmp_path):
    model = tiny("llama")
    settings = {"loss_type": ["ipo", "sigmoid"], "loss_weights": [1.0, 0.5], "use_weighting": True}
    ours, stock = (
        make(kind, model, tokenizer, tmp_path, **settings) for kind in (dpo.SharedPromptDPOTrainer, DPOTrainer)
    )
    assert_same_training(ours, stock, list(stock.train_dataset))


def test_metrics_are_trls(tokenizer, tmp_path):
    """Guards: accuracy, entropy or logits taken from other positions than trl's."""
    model = tiny("llama")
    ours, stock = (make(kind, model, tokenizer, tmp_path) for kind in BOTH)
    for trainer in (ours, stock):
        loss_and_gradients(trainer, list(stock.train_dataset))
    for name, values in stock._metrics["train"].items():
        assert ours._metrics["train"][name] == pytest.approx(values, abs=1e-4), name


@pytest.mark.parametrize("broken", ["_mask", "_attention"])
def test_falls_back_with_one_line_where_the_two_ways_differ(broken, tokenizer, tmp_path, monkeypatch, caplog):
    model = tiny("llama")
    if broken == "_mask":  # both completions see each other
        right = sharing._mask
        monkeypatch.setattr(sharing, "_mask", lambda *args: torch.ones_like(right(*args)))
    else:  # as a model whose attention has what we do not do

        def refuse(*args, **kwargs):
            raise NotImplementedError("attention with softcap")

        monkeypatch.setattr(sharing, "_forward", refuse)
    caplog.set_level("INFO", "utils.dpo.trainer")
    ours, stock = (make(kind, model, tokenizer, tmp_path) for kind in BOTH)
    assert ours.shared is False
    assert sum("prompts are forwarded twice" in record.message for record in caplog.records) == 1
    assert_same_training(ours, stock, list(stock.train_dataset))


def test_attention_with_soft_capping_is_left_to_trl(tokenizer, tmp_path):
    ours = make(dpo.SharedPromptDPOTrainer, tiny("gemma2"), tokenizer, tmp_path)
    assert ours.shared is False


def test_lengths_and_throughput_are_logged(tokenizer, tmp_path):
    """Guards: lengths of another update's pairs, answers counted with their prompts."""
    trainer = make(
        dpo.SharedPromptDPOTrainer, tiny("llama"), tokenizer, tmp_path, logging_steps=1, per_device_train_batch_size=1,
        gradient_accumulation_steps=2,
    )  # fmt: skip
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logged) == len(PAIRS) / 2 and all(entry["pairs_per_second"] > 0 for entry in logged)
    for part in ("prompt", "chosen", "rejected"):
        lengths = [len(row[f"{part}_ids"]) for row in trainer.train_dataset]
        assert sum(2 * entry[f"lengths/{part}"] for entry in logged) == sum(lengths)
        possible = {(a + b) / 2 for i, a in enumerate(lengths) for b in lengths[:i]}
        assert {entry[f"lengths/{part}"] for entry in logged} <= possible


def test_a_loss_that_is_no_number_stops_at_once(tokenizer, tmp_path):
    ours = make(dpo.SharedPromptDPOTrainer, tiny("llama"), tokenizer, tmp_path)
    with torch.no_grad():
        next(p for n, p in ours.model.named_parameters() if "lora_B" in n).fill_(float("nan"))
    with pytest.raises(ValueError, match="the loss became nan in update 1"):
        ours.train()


@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_blocks_is_attention(masked, monkeypatch):
    """Guards: a block that sees keys behind it, one pair's mask on another, heads that take another group's keys."""
    monkeypatch.setattr(sharing, "CPU_BLOCK", 7)
    torch.manual_seed(0)
    query, key, value = inputs = [torch.randn(2, heads, 24, 8, requires_grad=True) for heads in (4, 2, 2)]
    mask = torch.rand(2, 1, 24, 24) > 0.5 if masked else None
    if masked:
        mask[..., 0] = True
    whole = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, mask, is_causal=not masked, enable_gqa=True
    )
    blocks = sharing._attend_in_blocks(query, key, value, mask, 0.0, is_causal=not masked)
    assert torch.allclose(blocks, whole, atol=1e-5)
    weights = torch.randn_like(whole)
    expected, found = (torch.autograd.grad((out * weights).sum(), inputs) for out in (whole, blocks))
    for ours, right in zip(found, expected, strict=True):
        assert torch.allclose(ours, right, atol=1e-5)


@pytest.mark.parametrize("architecture", ["llama", "phi3-window"])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_training_in_bfloat16_goes_trls_way(gradient_checkpointing, architecture, tokenizer, tmp_path):
    """Guards: adapters that autocast does not reach, recomputed layers that differ from the forwarded ones."""
    model = tiny(architecture).bfloat16()
    losses = []
    for kind, folder in zip(BOTH, ("ours", "trl"), strict=True):
        trainer = make(
            kind, model, tokenizer, tmp_path / folder, bf16=True, gradient_checkpointing=gradient_checkpointing,
            per_device_train_batch_size=2, logging_steps=1, num_train_epochs=2, warmup_steps=0, learning_rate=2e-3,
        )  # fmt: skip
        assert getattr(trainer, "shared", True)
        before = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}
        trainer.train()
        after = dict(trainer.model.named_parameters())
        assert all(value.dtype == torch.float32 and not value.equal(after[name]) for name, value in before.items())
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    assert losses[0] == pytest.approx(losses[1], abs=0.03)
