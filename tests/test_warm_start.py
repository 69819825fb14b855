"""Supervised fine-tuning on reference turns, with a tiny model and the real tokenizer: what is learnt, how it resumes.

Each test says which bug it guards.
"""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from torch.nn import functional as F
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

import warm_start
from utils import cli, models
from utils.dpo import checkpoints, config
from utils.dpo.preferences import tokenize
from utils.dpo.recipe import Training
from utils.dpo.references import fit_references
from utils.dpo.sft import ReferenceSFTTrainer, sft_config
from utils.errors import BadInput
from utils.prompts import INFERENCE_PROMPT, load_template, tutor_messages
from utils.records import SeedDialogue
from utils.seeds.read import read_seeds
from utils.tutors.local import fit_prompt

TEMPLATE = load_template(INFERENCE_PROMPT)
REFERENCES = ["How many rolls go into one box?", "What does the 20 stand for in your sum?", "Which step came first?"]


def seed(number: int, reference: str | None, turns: int = 1) -> dict:
    talk = [{"role": "student", "content": f"A baker puts {number + 20} rolls into boxes of {number + 2}. How many?"}]
    for turn in range(turns - 1):
        talk += [{"role": "teacher", "content": f"Go on with step {turn}."}, {"role": "student", "content": "I did."}]
    return {"id": f"s{number}", "group": f"g{number}", "turns": talk, "reference": reference}


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Two kinds of dialogue, eight references; two rows have none."""
    rows = [seed(i, REFERENCES[i % 3]) for i in range(8)] + [seed(8, None), seed(9, " ")]
    return [write(tmp_path / "a_train.jsonl", rows[:6]), write(tmp_path / "b_train.jsonl", rows[6:])]


def run(files: list[Path], output: Path, model: str, *words: str) -> dict:
    flags = ["--seeds", *map(str, files), "--output-dir", str(output), "--instruct-model", model, "--device", "cpu"]
    args = warm_start.parse_args([*flags, "--dtype", "float32", *words])
    return warm_start.main(**cli.with_actors(warm_start.main, vars(args)))


def likelihood(model, tokenizer, dialogue: SeedDialogue) -> float:
    """Mean log-probability of the reference's tokens behind the tutor's own prompt, computed without trl."""
    prompt, _ = fit_prompt(tokenizer, TEMPLATE, dialogue, 2000)
    answer = [{"role": "assistant", "content": dialogue.reference}]
    whole = tokenize(tokenizer, tutor_messages(TEMPLATE, dialogue.text) + answer, False)
    assert whole[: len(prompt)] == prompt
    with torch.no_grad():
        scores = model(torch.tensor([whole])).logits[0, len(prompt) - 1 : -1].float().log_softmax(-1)
    return scores.gather(1, torch.tensor(whole[len(prompt) :])[:, None]).mean().item()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_references_of_all_files_are_learnt(dtype, files, tiny, tmp_path, tokenizer, caplog, capsys):
    """Guards: training on another prompt than the tutor's, weights that do not load, rows that vanish in silence."""
    caplog.set_level("INFO")
    output = tmp_path / "out"
    words = ("--learning-rate", "0.02", "--epochs", "4", "--max-grad-norm", "10", "--dtype", dtype)
    summary = run(files, output, tiny, *words)
    assert (summary["references"], summary["updates"], summary["left_out"]) == (8, 4 * 8, {"no reference turn": 2})
    assert "2 rows left out: no reference turn" in caplog.text
    assert "8 references (2 rows left out), 32 updates" in capsys.readouterr().out
    logged = json.loads((output / "checkpoints" / "training_log.json").read_text())
    assert logged["summary"] == summary
    assert [entry["step"] for entry in logged["log"]] == list(range(1, 33))

    before = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    after = AutoModelForCausalLM.from_pretrained(output / "weights", dtype=torch.float32)
    dialogues = [one for path in files for one in read_seeds(path) if one.reference and one.reference.strip()]
    gains = [likelihood(after, tokenizer, one) - likelihood(before, tokenizer, one) for one in dialogues]
    assert min(gains) > 1

    with pytest.raises(FileExistsError, match="--overwrite"):
        run(files, output, tiny)


@pytest.mark.parametrize("size", [1, 2])
def test_the_loss_is_trls_and_on_the_reference_alone(size, tiny, tmp_path, tokenizer):
    """Guards: a loss shifted by one position where the head sees the references only, or one on the prompt's tokens."""
    dialogues = [SeedDialogue(id=str(i), group="g", text="Student: " + "why " * (9 * i + 1), reference=text)
                 for i, text in enumerate(REFERENCES[:size])]  # fmt: skip
    rows = fit_references(dialogues, tokenizer, TEMPLATE, 2048).rows
    ours = sft_config(Training(tiny, batch_size=size, device="cpu", dtype="float32"), tmp_path)
    ours.gradient_checkpointing = False
    stock = SFTConfig(str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=None)
    losses = []
    for kind, settings in ((ReferenceSFTTrainer, ours), (SFTTrainer, stock)):
        model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
        trainer = kind(model, args=settings, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
        batch = trainer.data_collator([trainer.train_dataset[i] for i in range(size)])
        losses.append(trainer.compute_loss(model, batch).item())
        if kind is ReferenceSFTTrainer:
            example = {part: tokenizer.decode(ids) for part, ids in trainer.example(trainer.train_dataset[0]).items()}
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert REFERENCES[0] in example["reference"] and REFERENCES[0] not in example["prompt"]
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    if size == 1:
        prompt = tokenize(tokenizer, rows[0]["prompt"], True)
        whole = tokenize(tokenizer, rows[0]["prompt"] + rows[0]["completion"], False)
        logits = model(torch.tensor([whole])).logits[0, len(prompt) - 1 : -1]
        assert losses[0] == pytest.approx(F.cross_entropy(logits, torch.tensor(whole[len(prompt) :])).item(), abs=1e-5)


def test_a_stopped_training_goes_on(files, tiny, tmp_path, monkeypatch):
    """Guards: a resume that starts again, or that takes checkpoints of other references."""
    words = ("--learning-rate", "0.01", "--epochs", "2")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    monkeypatch.setattr(checkpoints, "drop_optimizer_states", lambda folder: None)  # as long as it has not ended
    run(files, whole, tiny, *words)
    shutil.copytree(whole, stopped)
    shutil.rmtree(stopped / "weights")
    shutil.rmtree(stopped / "checkpoints" / "checkpoint-16")  # the last one: as if the kill came before it
    summary = run(files, stopped, tiny, *words)
    assert 0 < summary["resumed_from_update"] < summary["updates"] == 16
    a, b = (AutoModelForCausalLM.from_pretrained(folder / "weights") for folder in (whole, stopped))
    assert all(torch.allclose(x, y, atol=2e-3) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    shutil.rmtree(stopped / "weights")
    with pytest.raises(BadInput, match="seeds: "):
        run(files[:1], stopped, tiny, *words)


def test_a_long_dialogue_loses_its_oldest_turns_never_its_reference(tokenizer):
    """Guards: trl's length default, which cuts the reference off the end."""
    long = SeedDialogue(id="a", group="a", text="\n".join(
        f"{'Student' if i % 2 == 0 else 'Teacher'}: step {i} of the sum, please" for i in range(81)
    ), reference=REFERENCES[0])  # fmt: skip
    endless = SeedDialogue(id="b", group="b", text="Student: " + "why " * 600, reference=REFERENCES[1])
    fitted = fit_references([long, endless], tokenizer, TEMPLATE, 400)
    assert (len(fitted.rows), fitted.shortened, sum(fitted.left_out.values())) == (1, 1, 1)
    assert "step 80" in fitted.rows[0]["prompt"][0]["content"]
    assert "step 0 " not in fitted.rows[0]["prompt"][0]["content"]
    whole = tokenize(tokenizer, fitted.rows[0]["prompt"] + fitted.rows[0]["completion"], False)
    assert REFERENCES[0] in tokenizer.decode(whole)
    assert 360 < len(whole) == fitted.longest <= 400


def test_seeds_without_any_reference_are_refused_before_anything_is_written(tmp_path, tiny):
    path = write(tmp_path / "a_train.jsonl", [seed(1, None), seed(2, None)])
    with pytest.raises(BadInput, match=r"none of the 2 seeds has a reference turn.*2: no reference turn"):
        run([path], tmp_path / "out", tiny)
    assert not (tmp_path / "out").exists()


def test_auto_is_measured_once(files, tiny, tmp_path, monkeypatch):
    """Guards: weights in bfloat16 under a configuration in float32, as a busy machine measures twice."""
    measured = iter([torch.bfloat16, torch.float32] * 2)
    for module in (config, models):
        monkeypatch.setattr(module, "pick_dtype", lambda device: next(measured))
    run(files, tmp_path / "out", tiny, "--dtype", "auto", "--limit", "1")
    assert (tmp_path / "out" / "weights").is_dir()


def test_a_loss_that_is_no_number_stops_the_training(files, tiny, tmp_path):
    with pytest.raises(BadInput, match="the loss became"):
        run(files, tmp_path / "out", tiny, "--learning-rate", "1e30", "--epochs", "3")


def test_a_warm_start_that_does_not_fit_says_what_takes_less_and_goes_on(files, tiny, tmp_path, monkeypatch):
    """Only the training on pairs was known to say it."""

    def full(*_, **__):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    output = tmp_path / "out"
    with monkeypatch.context() as small:
        small.setattr(ReferenceSFTTrainer, "compute_loss", full)
        with pytest.raises(MemoryError, match=r"LoRA .*--batch-size 1 .*--max-length below the \d+ tokens") as said:
            run(files, output, tiny, "--full-finetune", "--batch-size", "2")
    assert "--set" not in str(said.value)  # which this script does not have
    assert run(files, output, tiny, "--batch-size", "1")["references"] == 8


def test_a_full_disk_in_a_checkpoint_names_the_folder_and_goes_on_later(files, tiny, tmp_path):
    """Libraries raise errors of their own for it: it was called a defect of the program, with exit code 1."""
    command = [sys.executable, "-m", "warm_start", "--seeds", *files, "--output-dir", tmp_path / "out"]
    command += ["--instruct-model", tiny, "--device", "cpu", "--dtype", "float32"]
    small = (20_000, 20_000)  # bytes that a file may have
    done = subprocess.run(
        [*map(str, command)], cwd=Path(warm_start.__file__).parent, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, small),
    )  # fmt: skip
    assert done.returncode == 4 and str(tmp_path / "out" / "checkpoints") in done.stderr, done.stderr[-2000:]
    assert "make room; what was answered is kept; go on later with: " in done.stderr
    assert run(files, tmp_path / "out", tiny)["updates"] == 8
