"""Real processes that sample and train here, ended by real signals: what is there is kept, and the run goes on."""

import json
import shlex
import signal
from pathlib import Path

import in_process
import pytest
import torch
from forks import Forks
from safetensors.torch import load_file

from utils.artifacts import read_json
from utils.dpo import checkpoints

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "datasets" / "mathdial_test.jsonl"
SIGNALS = {"SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP", "SIGINT": "Ctrl-C"}


@pytest.fixture(scope="module")
def forks():
    with Forks() as forks:
        yield forks


def says_how_to_go_on(output: Path, by: str, script: str, words: list[str]) -> None:
    """The last line is ours, on a line of its own, and its command is the one that was started."""
    last = output.read_text().rstrip("\n").split("\n")[-1]
    said, _, command = last.partition("go on with: ")
    assert said == f"error: stopped by {by}; what was answered is kept; ", output.read_text()[-2000:]
    assert shlex.split(command)[1:] == ["-m", script, *words]


# Sampling


def sampling(output: Path, tiny: str) -> list[str]:
    words = ["--seeds", SEEDS, "--output-path", output, "--limit", 12, "--max-new-tokens", 48, "--num-candidates", 8,
             "--dtype", "float32", "--instruct-model", tiny]  # fmt: skip
    return list(map(str, words))


def end_once_some_are_there(forks: Forks, number: int, words: list[str], folder: Path) -> tuple[int, bytes]:
    """Returns (the exit code, the journal). A group of answers is written together: not all are there yet."""
    journal = folder / "a.candidates.jsonl"
    child = forks.start("gen_train_dataset", *words, output=folder / "shown")
    code = forks.end(child, number, when=lambda: journal.is_file() and journal.read_bytes().count(b'"text"') >= 8)
    assert not (folder / "a.json").exists()
    return code, journal.read_bytes()


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_while_answers_are_sampled_keeps_those_that_are_there(name, forks, tiny, tmp_path):
    words = sampling(tmp_path / "a.json", tiny)
    code, kept = end_once_some_are_there(forks, signal.Signals[name], words, tmp_path)
    assert code == 130 and kept.endswith(b"\n") and all(map(json.loads, kept.splitlines()))
    says_how_to_go_on(tmp_path / "shown", SIGNALS[name], "gen_train_dataset", words)


def test_generation_goes_on_after_a_kill(forks, tiny, tmp_path):
    """A killed run lost everything that it had generated."""
    words = sampling(tmp_path / "a.json", tiny)
    code, journal = end_once_some_are_there(forks, signal.SIGKILL, words, tmp_path)
    kept = journal.count(b'"text"')  # other lines say what was computed in
    assert code == -signal.SIGKILL
    with (tmp_path / "a.candidates.jsonl").open("ab") as f:
        f.write(b'{"key": "torn')  # what a crash in the middle of a write leaves
    done = in_process.run("gen_train_dataset", *words)
    assert done.returncode == 0, done.stderr
    assert f"/{96 - kept // 8 * 8} [" in done.stderr  # the bar: what was left to generate, by whole prompts
    whole = in_process.run("gen_train_dataset", *sampling(tmp_path / "b.json", tiny))
    assert whole.returncode == 0 and read_json(tmp_path / "a.json") == read_json(tmp_path / "b.json")


# Training


def training(folder: Path, tiny: str, name: str = "out") -> list[str]:
    """The words of a training of 12 updates, whose pairs are written into `folder`."""
    rows = [{"prompt": f"Is {n} even?", "chosen": "Why?", "rejected": f"It is {n}, so yes."} for n in range(8)]
    (folder / "pairs.json").write_text(json.dumps(rows))
    words = ["--train-dataset", folder / "pairs.json", "--output-dir", folder / name, "--instruct-model", tiny,
             "--device", "cpu", "--dtype", "float32", "--gradient-accumulation", 2, "--learning-rate", 0.005,
             "--epochs", 3, "--set", "save_steps=2"]  # fmt: skip
    return list(map(str, words))


def end_once_a_checkpoint_is_whole(forks: Forks, number: int, words: list[str], folder: Path) -> tuple[int, Path]:
    """Returns (the exit code, the last complete checkpoint)."""
    last = lambda: checkpoints.last_whole(folder / "out" / "checkpoints")  # noqa: E731
    code = forks.end(forks.start("train", *words, output=folder / "shown"), number, when=last)
    assert not (folder / "out" / "weights").exists()
    return code, last()


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_while_a_model_is_trained_keeps_its_last_checkpoint(name, forks, tiny, tmp_path):
    words = training(tmp_path, tiny)
    code, last = end_once_a_checkpoint_is_whole(forks, signal.Signals[name], words, tmp_path)
    assert code == 130 and last
    says_how_to_go_on(tmp_path / "shown", SIGNALS[name], "train", words)


def test_a_killed_training_goes_on_to_the_same_weights(forks, tiny, tmp_path):
    """Guards: a resume from a half-written checkpoint, with another order of pairs, or from the start."""
    code, last = end_once_a_checkpoint_is_whole(forks, signal.SIGKILL, words := training(tmp_path, tiny), tmp_path)
    assert code == -signal.SIGKILL
    half = last.with_name(f"checkpoint-{int(last.name.split('-')[1]) + 2}")
    half.mkdir(exist_ok=True)  # as if the kill had struck while the next one was being written
    (half / "trainer_state.json").write_text('{"global_st')
    (half / checkpoints.MARKER).unlink(missing_ok=True)
    done = in_process.run("train", *words)
    assert done.returncode == 0 and "resuming from update " in done.stderr, done.stderr[-2000:]
    assert in_process.run("train", *training(tmp_path, tiny, "undisturbed")).returncode == 0
    summaries, weights = [], []
    for name in ("out", "undisturbed"):
        summaries.append(read_json(tmp_path / name / "checkpoints" / "training_log.json")["summary"])
        weights.append(load_file(tmp_path / name / "weights" / "model.safetensors"))
    assert 0 < summaries[0]["resumed_from_update"] < summaries[0]["updates"] == summaries[1]["updates"] == 12
    assert summaries[1]["resumed_from_update"] == 0
    for name, value in weights[0].items():
        assert torch.allclose(value.float(), weights[1][name].float(), atol=2e-3), name
