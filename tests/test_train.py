"""Training end to end on a tiny model with the real tokenizer: pairs, prompts that fit, resume, weights, two processes.

Each test says which bug it guards.
"""

import json
import math
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import in_process
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

import train
from utils import cli, models
from utils.dpo import checkpoints, rehearsal, training
from utils.dpo import trainer as dpo
from utils.dpo.config import dpo_config
from utils.dpo.preferences import Preference, fit_preferences, read_preferences, sampled_by, tokenize
from utils.dpo.recipe import Training
from utils.dpo.rehearsal import rehearse
from utils.errors import BadInput
from utils.manifest import only_run
from utils.prompts import INFERENCE_PROMPT, digest, load_template, tutor_messages
from utils.results import charts

ROOT = Path(__file__).resolve().parent.parent
GOOD = ["What have you tried so far?", "Which number in the problem says how many there are?", "Why did you add these?"]
BAD = ["The answer is 12.", "You must divide 60 by 5, which gives 12 boxes, so the result is 12."]


def graded(output: str, questions: str, on_topic: float, helpful: float, reveal_answer: str) -> dict:
    return {
        "output": output, "raw_evaluation": "{}", "evaluation_error": None,
        "evaluation": {
            "questions": questions, "on_topic": on_topic, "helpful": helpful, "reveal_answer": reveal_answer,
        },
    }  # fmt: skip


def row(prompt: str, chosen: dict, rejected: dict, **more) -> dict:
    """As the original writes them, and as gen_train_dataset does with `more`."""
    return {
        "prompt": prompt, "chosen": chosen["output"], "rejected": rejected["output"], "chosen_eval": chosen,
        "rejected_eval": rejected, "all_evaluations": [chosen, rejected],
    } | more  # fmt: skip


def pair_of(**more) -> str:
    """A file with one pair."""
    good, bad = graded("Why?", "yes", 5, 5, "no"), graded("It is 4.", "no", 1, 1, "yes")
    return json.dumps([row("Student: hi", good, bad, **more)])


def dialogue(number: int, turns: int = 1) -> str:
    lines = [f"Student: A baker has {number + 20} rolls and puts {number + 2} into a box. How many boxes?"]
    for turn in range(turns - 1):
        lines += [f"Teacher: Go on with step {turn}, please.", f"Student: I got {number * turn} there, I think."]
    return "\n".join(lines)


@pytest.fixture
def dataset(tmp_path) -> str:
    rows = [
        row(dialogue(i), graded(GOOD[i % 3], "yes", 5, 4 + i % 2, "no"), graded(BAD[i % 2], "no", 5, 3, "yes"))
        for i in range(8)
    ]
    path = tmp_path / "train_dataset.json"
    path.write_text(json.dumps(rows))
    return str(path)


@pytest.fixture(autouse=True)
def once(request, monkeypatch):
    """Some twenty trainings here set the same `save_steps`, and each draws: a second for each rehearsal and chart."""
    if "rehearsal" not in request.node.name:
        monkeypatch.setattr(rehearsal, "_rehearse", lambda *_: None)
    if "end_to_end" not in request.node.name:
        monkeypatch.setattr(charts, "save_figure", lambda *_: [])


def flags(dataset: str, output: Path, model: str, *words: str) -> list[str]:
    return [
        "--train-dataset", dataset, "--output-dir", str(output), "--instruct-model", model, "--device", "cpu",
        "--dtype", "float32", "--gradient-accumulation", "2", "--set", "save_steps=0.5", *words,
    ]  # fmt: skip


def run(dataset: str, output: Path, model: str, *words: str) -> dict:
    return cli.call(train.main, train.parse_args(flags(dataset, output, model, *words)))


def config_of(output: Path, *words: str) -> DPOConfig:
    """The configuration of a training in float32 on the CPU, with these words of --set."""
    return dpo_config(Training("smollm2", device="cpu", dtype="float32", trl_fields=list(words)), output)


def weights_of(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "weights" / "model.safetensors")


# Which rows are pairs


def test_eligibility_is_decided_by_scores(tmp_path):
    """Guards: a failed candidate as `rejected`; a score of exactly 0.8 let through by its last binary digit."""
    best, worst = graded("a?", "yes", 5, 5, "no"), graded("b", "no", 3, 3, "yes")
    exactly = graded("c?", "yes", 3, 3, "no")  # 0.25 + 0.25 + 0.15 + 0.15
    failed = {"output": "d", "raw_evaluation": "{", "evaluation_error": "not JSON", "evaluation": None}
    rows = [
        row("Student: 1", best, worst),
        row("Student: 2", exactly, worst),
        row("Student: 3", best, best),
        row("Student: 4", best, failed),
        row("Student: 5", best, worst, eligible=False, not_eligible_because="best and worst are the same text"),
        row("Student: 6", best, worst) | {"chosen": None, "rejected": None, "chosen_eval": None},
        row("Student: 7", exactly | {"score": 0.93}, worst | {"score": 0.21}),  # the judge's own expected scores
        row("Student: 8", exactly, worst, eligible=True),  # made with a lower --min-chosen-score: asked once, not twice
        row("Student: 9", best | {"output": " "}, worst, eligible=True),
    ]
    path = tmp_path / "train_dataset.json"
    path.write_text(json.dumps(rows))
    pairs, left_out = read_preferences(path, 0.8)
    assert [pair.row for pair in pairs] == [1, 7, 8]
    assert left_out == {
        "chosen does not score above 0.8": 1, "chosen scores no higher than rejected": 1,
        "chosen or rejected has no valid evaluation": 2, "best and worst are the same text": 1,
        "chosen or rejected is empty": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{", "line 1: not JSON"),
        ("{}", "row 1: not a preference pair: expected prompt, chosen and rejected"),
        ('[{"prompt": "Student: hi", "chosen_eval": null}, {"text": 1}]', "row 2: not an object with a `prompt`"),
        (json.dumps([row("Student: x", graded("a", "yes", 50, 5, "no"), graded("b", "no", 1, 1, "no"))]), "on_topic"),
        (json.dumps([{"prompt": "x", "chosen_eval": "good"}]), "row 1, chosen_eval: not a graded answer"),
        (pair_of(all_evaluations=5), "row 1: `all_evaluations` is not a list"),
        (pair_of(sampled_by="banana"), "row 1: `sampled_by` is not an object with `model` and `settings`"),
        (pair_of(sampled_by={"model": "x", "settings": None}), "row 1: `sampled_by` is not an object"),
        (pair_of(sampled_by={"model": "smollm2", "settings": {"sha256": "1"}}), "inference_prompt: None -> "),
    ],
)
def test_bad_files_are_named_before_anything_expensive(content, message, tmp_path):
    path = tmp_path / "train_dataset.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=message):
        run(str(path), tmp_path / "out", "smollm2")


def test_without_an_eligible_pair_the_scores_are_shown(tmp_path):
    low, lower = graded("a", "no", 5, 5, "no"), graded("b", "no", 1, 1, "yes")  # 0.75 and 0.1
    path = tmp_path / "train_dataset.json"
    path.write_text(json.dumps([row("Student: hi", low, lower)] * 3))
    with pytest.raises(ValueError, match="no pair is eligible") as error:
        run(str(path), tmp_path / "out", "no-such-model")
    assert "3 rows: chosen does not score above 0.8" in str(error.value)
    assert "0.7-0.8     3 ####" in str(error.value)
    assert "with a lower --min-chosen-score" in str(error.value)
    assert not (tmp_path / "out").exists()


# Prompts that fit


def test_a_long_prompt_keeps_its_instructions_its_last_student_turn_and_the_whole_completion(tokenizer):
    """Guards: trl's length default, which cut every training prompt's instructions or completions."""
    template = load_template(INFERENCE_PROMPT, "input")
    pairs = [Preference(1, dialogue(3, turns=80), GOOD[0], BAD[1]), Preference(2, dialogue(4), GOOD[1], BAD[0])]
    fitted = fit_preferences(pairs, tokenizer, template, 500)
    assert fitted.shortened == 1
    long, short = fitted.rows
    text = long["prompt"][0]["content"]
    assert text.startswith(template[: template.index("{input}")])
    assert text.endswith(pairs[0].prompt.splitlines()[-1] + template[template.index("{input}") + len("{input}") :])
    assert "A baker has" not in text
    sequences = [tokenize(tokenizer, long["prompt"] + long[side], False) for side in ("chosen", "rejected")]
    assert max(map(len, sequences)) == fitted.longest <= 500
    assert fitted.longest > 450, "more turns were dropped than had to be"
    assert [long[side][0]["content"] for side in ("chosen", "rejected")] == [GOOD[0], BAD[1]]
    assert short["prompt"] == tutor_messages(template, pairs[1].prompt)


def test_a_last_turn_that_cannot_fit_is_left_out_and_counted(tokenizer):
    pairs = [Preference(1, "Student: " + "why " * 600, "a?", "b"), Preference(2, dialogue(4), "a?", "b")]
    fitted = fit_preferences(pairs, tokenizer, "{input}", 300)
    assert len(fitted.rows) == 1
    assert sum(fitted.left_out.values()) == 1
    with pytest.raises(ValueError, match="raise --max-length"):
        fit_preferences(pairs[:1], tokenizer, "{input}", 300)


def test_a_template_that_changes_the_prompt_once_answered_is_refused(tokenizer):
    """Guards: training on a context that generation never sees, of which trl only warns."""
    other = AutoTokenizer.from_pretrained(models.resolve("smollm2"))
    other.chat_template = "{% if add_generation_prompt %}Q{% else %}A{% endif %}{{ messages[0]['content'] }}"
    with pytest.raises(ValueError, match="renders the prompt differently"):
        fit_preferences([Preference(1, dialogue(4), "a?", "b")], other, "{input}", 300)


@pytest.mark.parametrize("prompt_tokens", [960, 1010, 1023, 1300])
def test_trls_length_traps(prompt_tokens, tokenizer, tiny, tmp_path):
    """trl's default length cuts completions or drops the pair without a word; with our configuration it does not."""
    words = " ".join(["step"] * 2000)
    base = len(tokenize(tokenizer, [{"role": "user", "content": ""}], True))
    filler = tokenizer.decode(tokenizer(words)["input_ids"][: prompt_tokens - base])
    answer = [{"role": "assistant", "content": " ".join(["why"] * 90)}]
    rows = [{"prompt": [{"role": "user", "content": filler}], "chosen": answer, "rejected": answer}]
    rows += [{"prompt": [{"role": "user", "content": "hi"}], "chosen": answer, "rejected": answer}]

    def completion_tokens(trainer) -> list[int]:
        batches = [trainer.data_collator([row]) for row in trainer.train_dataset]
        return [int(batch["completion_mask"][0].sum()) for batch in batches]

    ours = config_of(tmp_path, "gradient_checkpointing=false")
    stock = DPOConfig(
        str(tmp_path / "a"), use_cpu=True, report_to="none", bf16=False, gradient_checkpointing=False
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    kept = completion_tokens(
        dpo.SharedPromptDPOTrainer(
            model, args=ours, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
        )
    )  # fmt: skip
    cut = completion_tokens(
        DPOTrainer(
            AutoModelForCausalLM.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny), stock,
            train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
        )
    )  # fmt: skip
    assert kept == [kept[1]] * 2
    assert cut == ([kept[1]] if prompt_tokens >= 1024 else [1024 - prompt_tokens, kept[1]]), "trl's trap has changed"


# Flags


def test_any_other_field_of_trl_can_be_set(tmp_path):
    words = ["loss_type=sigmoid,sft", "loss_weights=1.0,0.1", "optim=adafactor", "save_total_limit=3", "tf32=false"]
    config = config_of(tmp_path, *words)
    assert config.loss_type == ["sigmoid", "sft"]
    assert config.loss_weights == [1.0, 0.1]
    assert (config.optim, config.save_total_limit, config.tf32) == ("adafactor", 3, False)
    assert config.max_length is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("loss_typ=ipo", "no such field; did you mean loss_type"),
        ("save_total_limit=many", "save_total_limit=many: .*invalid int value"),
        ("save_total_limit", "write it as name=value"),
        ("learning_rate=1", "sets this one itself"),
        ("max_length=64", "sets this one itself"),
        ("logging_steps=10", "sets this one itself"),
        ("truncation_mode=keep_end", "sets this one itself"),
    ],
)
def test_a_wrong_set_is_explained(word, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        config_of(tmp_path, word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("adam_beta1=5", "--set adam_beta1=5: no training can begin with it: Invalid beta"),
        ("dataloader_num_workers=-1", "no training can begin with it: num_workers"),
        ("eval_strategy=steps", "no training can begin with it: .*eval_dataset"),
        ("optim=galore_adamw", "no training can begin with it: You need to install"),
        ("weight_decay=nan", "no training can begin with it: the loss became nan in update 2$"),
        ("deepspeed=nofile.json", "no training can begin with it: .*deepspeed"),
        ("push_to_hub=true", "sets this one itself"),
    ],
)
def test_a_value_that_only_a_training_refuses_is_found_by_a_rehearsal(word, message):
    """trl's configuration takes them all: each was a traceback after a dataset had been sampled and graded."""
    state = torch.get_rng_state()
    with pytest.raises(BadInput, match=message):
        rehearse(Training("not loaded", device="cpu", dtype="float32", trl_fields=[word]))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_epoch_at_all_is_refused(dataset, tiny, tmp_path, capsys):
    """Guards: a run that ends without an update, and so without a checkpoint to make the weights of."""
    with pytest.raises(SystemExit):
        run(dataset, tmp_path, tiny, "--epochs", "0")
    assert "--epochs: 0 is not more than 0" in capsys.readouterr().err


# Training


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_lora_end_to_end(dtype, dataset, tiny, tmp_path, tokenizer, caplog, capsys):
    """Guards: training that moves nothing, weights that do not load by themselves, unreadable files, a lost example."""
    caplog.set_level("INFO")
    output = tmp_path / "out"
    words = ("--learning-rate", "0.01", "--epochs", "4", "--max-grad-norm", "10", "--dtype", dtype)
    summary = run(dataset, output, tiny, *words)
    assert (summary["pairs"], summary["updates"], summary["shortened_prompts"]) == (8, 4 * 8 // 2, 0)
    assert summary["rewards_margin"] > 0.1
    assert summary["rewards_accuracy"] > 0.9
    assert summary["loss"] < 0.6931
    attention = summary["computed_in"].pop("attention")
    assert attention and summary["computed_in"] == {"device": "cpu", "dtype": dtype, "weights": dtype}
    summary["computed_in"]["attention"] = attention
    logged = json.loads((output / "checkpoints" / "training_log.json").read_text())
    assert logged["summary"] == summary
    lengths = [[entry[f"lengths/{part}"] for part in ("prompt", "chosen", "rejected")] for entry in logged["log"]]
    assert all(sum(row) <= summary["longest_sequence"] * 2 and min(row) >= 1 for row in lengths)
    assert all(entry["pairs_per_second"] > 0 for entry in logged["log"])
    assert (output / "checkpoints" / "training.png").read_bytes().startswith(b"\x89PNG")
    assert [entry["step"] for entry in logged["log"]] == list(range(1, 17))
    assert logged["log"][0]["loss"] == pytest.approx(math.log(2), abs={"float32": 1e-4, "bfloat16": 0.02}[dtype])

    model = AutoModelForCausalLM.from_pretrained(output / "weights")
    assert model.dtype == torch.bfloat16
    assert not any("lora" in name for name, _ in model.named_parameters())
    before = AutoModelForCausalLM.from_pretrained(tiny)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    assert AutoTokenizer.from_pretrained(output / "weights").chat_template == tokenizer.chat_template
    assert (output / "weights" / "tokenizer.model").read_bytes() == b"sentencepiece"
    for path in (output / "weights").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not list(output.glob(".weights-*"))

    # the merged model prefers chosen as the adapter did
    example = tokenize(tokenizer, tutor_messages(load_template(INFERENCE_PROMPT), dialogue(0)), True)
    assert tokenizer.decode(example) in caplog.text
    assert "8 pairs, 16 updates" in capsys.readouterr().out

    with pytest.raises(FileExistsError, match="--overwrite"):
        run(dataset, output, tiny)


def test_merged_weights_are_base_plus_adapter(dataset, tiny, tmp_path):
    """Guards: an adapter scaled wrongly or merged twice."""
    output = tmp_path / "out"
    run(dataset, output, tiny, "--learning-rate", "0.01", "--max-grad-norm", "10")
    last = checkpoints.last_whole(output / "checkpoints")
    adapter = load_file(last / "adapter_model.safetensors")
    name = "model.layers.1.mlp.down_proj"
    a, b = (adapter[f"base_model.model.{name}.lora_{x}.weight"] for x in "AB")
    base = load_file(Path(tiny) / "model.safetensors")[f"{name}.weight"].float()
    expected = base + 32 / 16 * b @ a
    assert torch.equal(weights_of(output)[f"{name}.weight"], expected.bfloat16())
    assert not torch.equal(expected.bfloat16(), base.bfloat16())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_full_fine_tuning_moves_every_matrix(dtype, dataset, tiny, tmp_path):
    """Guards: small updates that drown because the trained weights are in 16 bit."""
    output = tmp_path / "out"
    words = ("--full-finetune", "--learning-rate", "1e-3", "--dtype", dtype, "--batch-size", "2")
    summary = run(dataset, output, tiny, *words)
    assert summary["updates"] == 2 * 8 // 4
    assert summary["rewards_margin"] > 0
    after, before = weights_of(output), load_file(Path(tiny) / "model.safetensors")
    assert after.keys() == before.keys()
    assert all(not torch.equal(after[name], before[name]) for name in after if "proj" in name)


def test_a_diverging_run_stops_and_keeps_its_last_whole_checkpoint(dataset, tiny, tmp_path):
    output = tmp_path / "out"
    words = ("--learning-rate", "1e38", "--max-grad-norm", "1e38", "--warmup-ratio", "0.5", "--set", "save_steps=1")
    ended = in_process.run("train", *flags(dataset, output, tiny, *words))
    assert ended.returncode == cli.BAD_INPUT
    last = ended.stderr.split("\n")[-2]  # a line of its own: the progress bar was on the same one
    assert re.match(r"error: the loss became (nan|inf)", last), ended.stderr[-2000:]
    assert checkpoints.last_whole(output / "checkpoints")
    assert not (output / "weights").exists()


def test_weights_that_the_last_update_broke_are_not_written(dataset, tiny, tmp_path):
    """The loss is computed before an update: NaN weights were written, with exit code 0."""
    words = ("--learning-rate", "1e38", "--max-grad-norm", "1e38", "--warmup-ratio", "0", "--epochs", "1")
    words += ("--gradient-accumulation", "8")  # a single update
    ended = in_process.run("train", *flags(dataset, tmp_path / "out", tiny, *words))
    assert ended.returncode == cli.BAD_INPUT, ended.stdout
    assert "the last update made weights that are NaN or infinite: they are not written" in ended.stderr.split("\n")[-2]
    assert not (tmp_path / "out" / "weights").exists()


# Going on


def test_a_checkpoint_without_its_marker_does_not_count(tmp_path):
    for step in (2, 4, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step < 10:
            (tmp_path / f"checkpoint-{step}" / checkpoints.MARKER).write_text("{}")
    assert checkpoints.last_whole(tmp_path).name == "checkpoint-4"  # 10 was being written; 4 is after 2


def test_a_checkpoint_that_was_cut_off_does_not_count_and_the_one_before_does(
    dataset, tiny, tmp_path, caplog, monkeypatch
):
    """It was a traceback, and the same command failed for ever."""
    output, words = tmp_path / "out", ("--set", "save_steps=2")
    with monkeypatch.context() as killed:
        killed.setattr(checkpoints, "drop_optimizer_states", lambda _: None)
        run(dataset, output, tiny, *words)
    other = moved(output)
    last = checkpoints.last_whole(other / "checkpoints")
    for name in ("adapter_model.safetensors", "trainer_state.json"):
        file = last / name
        file.write_bytes((whole := file.read_bytes())[:37])
        assert checkpoints.last_whole(other / "checkpoints").name == "checkpoint-6", name
        file.write_bytes(whole)
        assert checkpoints.last_whole(other / "checkpoints") == last
    file.write_bytes(b"{")
    assert run(dataset, other, tiny, *words)["resumed_from_update"] == 6
    assert "checkpoint-8 is left out: it was not written to its end, or cut off since" in caplog.text
    assert all(torch.equal(value, weights_of(other)[name]) for name, value in weights_of(output).items())
    shutil.rmtree(other / "weights")
    (checkpoints.last_whole(other / "checkpoints") / "trainer_state.json").write_text("{")
    assert checkpoints.last_whole(other / "checkpoints") is None  # the one before has no optimiser states any more
    (other / "checkpoints" / checkpoints.MADE_WITH).write_text("[]")
    with pytest.raises(BadInput, match=r"made_with\.json is not of ours"):
        run(dataset, other, tiny, *words)


def test_other_settings_or_data_are_refused_and_overwrite_starts_again(dataset, tiny, tmp_path):
    output = tmp_path / "out"
    first = run(dataset, output, tiny)
    before = weights_of(output)
    with pytest.raises(ValueError, match=r"other settings \(beta: 0.1 -> 0.2\)"):
        run(dataset, moved(output), tiny, "--beta", "0.2")
    rows = json.loads(Path(dataset).read_text())[:6]
    Path(dataset).write_text(json.dumps(rows))
    again = run(dataset, output, tiny, "--overwrite", "--learning-rate", "0.01")
    assert (first["pairs"], again["pairs"], again["resumed_from_update"]) == (8, 6, 0)
    assert any(not torch.equal(before[name], value) for name, value in weights_of(output).items())


def moved(output: Path) -> Path:
    """The folder as a run leaves it that was killed before its weights were there."""
    other = output.with_name("killed")
    shutil.copytree(output / "checkpoints", other / "checkpoints")
    return other


def test_a_finished_training_is_not_done_again_to_make_its_weights(dataset, tiny, tmp_path):
    """Guards also: an infinite norm, as in fp16's first steps, that made the log unwritable after a whole training."""
    output = tmp_path / "out"
    run(dataset, output, tiny)
    other = moved(output)
    state = checkpoints.last_whole(other / "checkpoints") / "trainer_state.json"
    state.write_text(re.sub(r'"grad_norm": [\d.e+-]+', '"grad_norm": Infinity', state.read_text(), count=1))
    checkpoints.mark_whole(state.parent)
    summary = run(dataset, other, tiny)
    assert summary["resumed_from_update"] == summary["updates"] == 8
    logged = json.loads((other / "checkpoints" / "training_log.json").read_text())["log"]
    assert [entry["grad_norm"] is None for entry in logged] == [True] + 7 * [False]
    assert all(torch.equal(value, weights_of(other)[name]) for name, value in weights_of(output).items())


def test_weights_are_written_beside_what_is_not_ours(tiny, tmp_path):
    """A folder beside the weights that has a temporary name may be somebody's; only those in checkpoints/ are ours."""
    for foreign in (".weights-mine", "weights-old", "export-mine"):
        (tmp_path / foreign).mkdir()
    last = shutil.copytree(tiny, tmp_path / "checkpoints" / "checkpoint-1")
    (tmp_path / "checkpoints" / "export-x").mkdir()  # of a run that was killed here
    checkpoints.export_weights(last, tiny, tmp_path / "weights")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".weights-mine", "weights-old", "export-mine", "checkpoints", "weights"}
    assert [path.name for path in last.parent.iterdir()] == ["checkpoint-1"] and weights_of(tmp_path)


def test_two_processes_share_the_pairs(dataset, tiny, tmp_path):
    """Guards: every process training on everything, writing over the others, or waiting for them for ever."""
    output = tmp_path / "out"
    # accelerate's `--cpu` starts a single process; what it starts for several GPUs also runs on CPUs, over gloo
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
                "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]  # fmt: skip
    command = [*launcher, "-m", "train", *flags(dataset, output, tiny, "--learning-rate", "0.01")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((output / "checkpoints" / "training_log.json").read_text())["summary"]
    assert summary["updates"] == 2 * 8 // (2 * 2)  # epochs x pairs over processes x accumulation
    made_with = json.loads((output / "checkpoints" / checkpoints.MADE_WITH).read_text())
    assert made_with["processes"] == 2
    AutoModelForCausalLM.from_pretrained(output / "weights")


def test_memory_asks_for_gradient_checkpointing(tiny, monkeypatch, tmp_path):
    config = config_of(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tiny)
    assert not training._memory_asks_for_checkpointing(model, 1000, config)
    little = type("Memory", (), {"available": 1_000_000})
    monkeypatch.setattr(training.psutil, "virtual_memory", lambda: little)
    assert training._memory_asks_for_checkpointing(model, 1000, config)


# What is checked before anything is sampled or paid


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trl_fields": ["loss_type=banana"]}, "loss_type=banana: trl knows aot, .*sigmoid"),
        ({"report_to": "banana"}, "--report-to banana: .*tensorboard"),
        ({"max_length": 999_999}, "more than the model's context of 8192"),
        ({"max_length": 3}, "--max-length 3 leaves no room: the prompt has .* tokens without a dialogue"),
        ({"lora_targets": "q_proj,banana"}, "--lora-targets banana: SmolLM2-135M-Instruct has no such modules"),
        ({"load_in_4bit": True, "full_finetune": True}, "--load-in-4bit trains adapters on frozen weights"),
        ({"load_in_4bit": True, "device": "cpu"}, "needs an NVIDIA GPU"),
    ],
)
def test_a_training_that_cannot_begin_is_refused_beforehand(given, message, tmp_path):
    """It was found after a whole dataset had been generated and graded, some as tracebacks."""
    asked = Training("smollm2", **given)
    with pytest.raises(BadInput, match=message):
        asked.check()
        dpo_config(asked, tmp_path)  # as `pipeline` does before anything is sampled


def test_the_model_is_the_one_that_the_pairs_were_sampled_from(dataset, tiny, tmp_path):
    """Pairs of one model trained another without a word: `train` took its default."""
    rows = json.loads(Path(dataset).read_text())
    settings = models.identity(tiny) | {"inference_prompt": digest(INFERENCE_PROMPT.read_text(encoding="utf-8"))}
    for one in rows:
        one["sampled_by"] = {"model": tiny, "settings": settings}
    Path(dataset).write_text(json.dumps(rows))
    made_by = sampled_by(dataset)
    assert Training(None).starting_from(made_by).model == tiny
    moved_model = str(shutil.copytree(tiny, tmp_path / "moved"))
    assert Training(moved_model).starting_from(made_by).model == moved_model  # the same weights under another name
    with pytest.raises(BadInput, match=r"sampled from another model .*sha256"):
        Training("smollm2").starting_from(made_by)
    other = tmp_path / "other.txt"
    other.write_text("{input}")
    with pytest.raises(BadInput, match="inference_prompt"):
        Training(tiny, inference_prompt=other).starting_from(made_by)
    with pytest.raises(BadInput, match="with --instruct-model"):
        Training(None).starting_from(None)


def test_an_adapter_folder_of_somebody_elses_is_not_replaced(dataset, tiny, tmp_path):
    (tmp_path / "out/adapter").mkdir(parents=True)
    (tmp_path / "out/adapter/notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"adapter holds notes\.txt"):
        run(dataset, tmp_path / "out", tiny, "--keep-adapter")
    assert (tmp_path / "out/adapter/notes.txt").read_text() == "mine" and not (tmp_path / "out/checkpoints").exists()


def test_adapters_of_another_shape_are_kept_and_load_as_a_model(dataset, tiny, tmp_path, monkeypatch):
    output = tmp_path / "out"
    run(dataset, output, tiny, "--learning-rate", "0.01", "--lora-rank", "4", "--lora-alpha", "8",
        "--lora-targets", "q_proj,v_proj", "--keep-adapter")  # fmt: skip
    adapter = json.loads((output / "adapter" / "adapter_config.json").read_text())
    assert (adapter["r"], adapter["lora_alpha"], set(adapter["target_modules"])) == (4, 8, {"q_proj", "v_proj"})
    monkeypatch.setattr(models, "CACHE_DIR", tmp_path / "cache")
    merged = models.load(str(output / "adapter"), device="cpu", dtype="bfloat16")[0].state_dict()
    assert all(torch.equal(merged[name], value) for name, value in weights_of(output).items())
    assert not list(output.glob("checkpoints/checkpoint-*/optimizer*"))  # 8 bytes a trained parameter, for nothing


def test_a_second_training_in_the_same_folder_is_refused(dataset, tiny, tmp_path):
    with only_run(tmp_path / "out" / "checkpoints"), pytest.raises(BlockingIOError, match="in use by another run"):
        run(dataset, tmp_path / "out", tiny)


def test_a_training_that_does_not_fit_says_what_takes_less_and_goes_on(dataset, tiny, tmp_path, monkeypatch):
    """It was a traceback; and a run with other settings was refused, though no checkpoint was there."""
    output, words = tmp_path / "out", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    with monkeypatch.context() as small:
        small.setattr(dpo.SharedPromptDPOTrainer, "compute_loss", lambda *_, **__: raising(RuntimeError(words)))
        with pytest.raises(MemoryError, match=r"LoRA .*--batch-size 1 .*--max-length below .*gradient_checkpointing=t"):
            run(dataset, output, tiny, "--full-finetune", "--batch-size", "2")
        small.setattr(dpo.SharedPromptDPOTrainer, "compute_loss", lambda *_, **__: raising(RuntimeError("a slip")))
        with pytest.raises(RuntimeError, match="a slip"):
            run(dataset, output, tiny)
    assert run(dataset, output, tiny, "--batch-size", "1")["updates"] == 8


def test_gradient_checkpointing_changes_no_weight_and_goes_on(dataset, tiny, tmp_path):
    output = tmp_path / "out"
    run(dataset, output, tiny)
    assert run(dataset, moved(output), tiny, "--set", "gradient_checkpointing=true")["resumed_from_update"] == 8


def raising(error: Exception):
    raise error
