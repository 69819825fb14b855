"""One run per folder, and a manifest that refuses to mix settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from utils import manifest
from utils.artifacts import read_json, sha256, write_json
from utils.dpo.recipe import Training
from utils.errors import BadInput
from utils.export.source import from_root
from utils.manifest import Manifest, check_root, only_run
from utils.plan import _done
from utils.prompts import INFERENCE_PROMPT, load_template
from utils.results.reading import dropped, read_root
from utils.tutors.local import LocalTutor
from utils.tutors.tutor import Sampling


def test_a_second_run_on_one_folder_is_refused(tmp_path):
    code = f"from utils.manifest import only_run\nwith only_run({str(tmp_path)!r}): print('in')"
    with only_run(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "is in use by another run" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "in\n"


class Stage:
    """Writes an artifact and counts how often it ran."""

    def __init__(self, root):
        self.root, self.runs = root, 0

    def __call__(self):
        self.runs += 1
        write_json(self.root / "a.json", self.runs)
        return {"runs": self.runs}


def test_a_stage_runs_once_per_set_of_inputs(tmp_path):
    stage = Stage(tmp_path)
    assert Manifest(tmp_path).make("a.json", "stage", {"temperature": 1.2, "pair": (1, 2)}, stage)
    assert not Manifest(tmp_path).make("a.json", "stage", {"temperature": 1.2, "pair": (1, 2)}, stage)
    with pytest.raises(ValueError, match=r"temperature: 1\.2 -> 1\.0"):
        Manifest(tmp_path).make("a.json", "stage", {"temperature": 1.0, "pair": (1, 2)}, stage)
    assert stage.runs == 1
    assert Manifest(tmp_path, overwrite=True).make("a.json", "stage", {"temperature": 1.0}, stage)
    entry = read_json(tmp_path / "manifest.json")["artifacts"]["a.json"]
    assert entry["inputs"] == {"temperature": 1.0} and entry["summary"] == {"runs": 2} and entry["state"] == "done"
    assert entry["versions"]["python"]


def test_files_are_compared_by_content_and_actors_by_settings_whatever_they_are_called(tmp_path):
    """Lists of parameter names said what an input is: one that was not on them changed an artifact unseen."""

    class Actor:
        def __init__(self, name, **settings):
            self.name, self.settings = name, settings

    one, other = tmp_path / "one.jsonl", tmp_path / "moved" / "other.jsonl"
    other.parent.mkdir()
    one.write_text("[1]")
    other.write_text("[1]")
    stage = Stage(tmp_path)
    made = {"anything": one, "several": [one], "player": Actor("a", warmth=1)}
    Manifest(tmp_path).make("a.json", "stage", made, stage)
    same = {"anything": other, "several": [other], "player": Actor("b", warmth=1)}
    assert not Manifest(tmp_path).make("a.json", "stage", same, stage)
    with pytest.raises(BadInput, match=r"inputs: player: {'warmth': 1} -> {'warmth': 2}\. Take"):
        Manifest(tmp_path).make("a.json", "stage", same | {"player": Actor("b", warmth=2)}, stage)
    other.write_text("[2]")
    with pytest.raises(BadInput, match=r"inputs: anything: .*; several: "):
        Manifest(tmp_path).make("a.json", "stage", same, stage)


def test_what_the_manifest_does_not_know_is_left_alone(tmp_path):
    """The original's pipeline deleted everything in its output folder."""
    (tmp_path / "a.json").write_text('"mine"')
    stage = Stage(tmp_path)
    with pytest.raises(ValueError, match="does not say how it was made"):
        Manifest(tmp_path).make("a.json", "stage", {}, stage)
    assert json.loads((tmp_path / "a.json").read_text()) == "mine" and stage.runs == 0


def test_a_stage_that_broke_off_is_run_again(tmp_path):
    def crash():
        write_json(tmp_path / "a.json", "from the crash")
        raise KeyboardInterrupt

    stage = Stage(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Manifest(tmp_path).make("a.json", "stage", {"x": 1}, crash)
    assert Manifest(tmp_path).make("a.json", "stage", {"x": 1}, stage)
    assert read_json(tmp_path / "a.json") == 1


def test_what_former_versions_compared_needlessly_is_no_difference(tmp_path):
    found = Manifest(tmp_path)
    found.data["artifacts"]["a.json"] = {"state": "done", "versions": {}, "inputs": {"x": 1, "max_invalid": 0.1}}
    (tmp_path / "a.json").write_text("[]")
    assert not found.make("a.json", "stage", {"x": 1}, lambda: pytest.fail("it was made before"))


def test_an_artifact_of_the_version_before_actors_is_skipped_when_its_inputs_are_the_same(tmp_path):
    """Inputs had a flag's name each; now an actor's settings hold them."""
    template = load_template(INFERENCE_PROMPT, "input")
    tutor = LocalTutor("smollm2", Sampling(1.2, 50, 400, 0), template)
    model = {name: tutor.settings[name] for name in ("model", "sha256")}
    shared = {"dtype": "auto", "seed": 0, "inference_prompt": sha256(INFERENCE_PROMPT)}
    pairs = shared | {
        "seeds": "5e", "instruct_model": model, "num_candidates": 5, "temperature": 1.2, "top_k": 50, "limit": None,
        "max_new_tokens": 400, "engine": "local", "min_chosen_score": 0.8, "min_margin": 0.0, "judge": {"judge": "x"},
    }  # fmt: skip
    weights = shared | {
        "train_dataset": "da", "instruct_model": model, "min_chosen_score": 0.8, "full_finetune": False,
        "learning_rate": 5e-05, "beta": 0.1, "epochs": 2, "batch_size": 1, "gradient_accumulation": 4,
        "warmup_ratio": 0.05, "max_grad_norm": 0.3, "max_length": None, "set": None,
    }  # fmt: skip
    for name in ("pairs.json", "weights"):
        (tmp_path / name).write_text("[]")
    found = Manifest(tmp_path)
    found.data["artifacts"] = {
        name: {"state": "done", "versions": {}, "inputs": inputs}
        for name, inputs in (("pairs.json", pairs), ("weights", weights))
    }
    now = {"seeds": "5e", "tutor": tutor, "judge": {"judge": "x"}, "num_candidates": 5, "min_chosen_score": 0.8}
    now |= {"min_margin": 0.0, "limit": None}
    assert not found.make("pairs.json", "gen_train_dataset", now, lambda: pytest.fail("it was made before"))
    now = {"train_dataset": "da", "training": Training("smollm2")}
    assert not found.make("weights", "train", now, lambda: pytest.fail("it was made before"))
    with pytest.raises(ValueError, match="inputs: lora_rank: 16 -> 8"):
        found.make("weights", "train", now | {"training": Training("smollm2", lora_rank=8)}, lambda: None)


def test_an_artifact_that_was_cut_off_since_is_named(tmp_path):
    """It was skipped as done, and the stage that read it blamed other inputs."""
    stage = Stage(tmp_path)
    Manifest(tmp_path).make("a.json", "stage", {}, stage)
    (tmp_path / "a.json").write_text("[")
    with pytest.raises(BadInput, match=r"a\.json is not what stage made: it was changed or cut off since"):
        Manifest(tmp_path).make("a.json", "stage", {}, stage)


def test_the_manifest_says_by_which_command_code_and_paths(tmp_path):
    (tmp_path / "seeds.json").write_text("[]")
    Manifest(tmp_path).make("a.json", "stage", {"seeds": tmp_path / "seeds.json"}, Stage(tmp_path))
    entry = read_json(tmp_path / "manifest.json")["artifacts"]["a.json"]
    assert entry["paths"] == {"seeds": str(tmp_path / "seeds.json")}
    assert (
        sys.executable in entry["run"]["command"] and "CPU cores" in entry["run"]["machine"] and entry["run"]["commit"]
    )


def test_another_package_version_is_said(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    stage = Stage(tmp_path)
    monkeypatch.setattr(manifest, "versions", lambda: {"torch": "2.1"})
    Manifest(tmp_path).make("a.json", "stage", {}, stage)
    monkeypatch.setattr(manifest, "versions", lambda: {"torch": "2.2"})
    assert not Manifest(tmp_path).make("a.json", "stage", {}, stage)
    assert "torch: '2.1' -> '2.2'" in caplog.text


@pytest.mark.parametrize(
    "content",
    ['{"name": "a web app"}', "[]", "5", "null", '{"names": {}, "artifacts": []}',
     '{"names": {}, "artifacts": {"dpo/a/weights": 5}}', '{"names": {}, "artifacts": {"a.json": {"inputs": {}}}}',
     '{"names": {}, "artifacts": {"a.json": {"state": "done", "inputs": [1]}}}'],
)  # fmt: skip
def test_a_manifest_of_somebody_elses_is_not_replaced(tmp_path, content):
    """A dry run, the check of the disk and the export read it without looking at its form."""
    (tmp_path / "manifest.json").write_text(content)
    export = lambda root: from_root(root, "a", seeds=None, limit=None, inference_prompt=INFERENCE_PROMPT,  # noqa: E731
                                    max_new_tokens=None, base=None, license=None)  # fmt: skip
    for reader in (Manifest, _done, read_root, export):
        with pytest.raises(BadInput, match=r"manifest\.json is not a manifest of ours"):
            reader(tmp_path)
    assert (tmp_path / "manifest.json").read_text() == content


def test_what_the_last_run_does_not_name_any_more_is_not_of_it():
    """A seed, a tutor, a second judge that were dropped stood in the table, and a paid judge graded them again."""
    last_run = ["evaluation/a/base.json", "evaluation/a/from_finetuned_with_a.json", "dpo/a/weights"]
    for artifact in (
        "evaluation/a/from_finetuned_with_a.seed1.json", "evaluation/a/also_x.json", "evaluation/a/base.by_y.json",
        "dpo/a.seed1/weights", "evaluation/a/from_finetuned_with_b.json",
    ):  # fmt: skip
        assert dropped(artifact, last_run) and not dropped(artifact, [])
    for artifact in (
        *last_run, "evaluation/b/also_x.json", "dpo/b/weights", "dpo/a+b/weights", "evaluation/human_vs_gpt.json",
        "classroom/classroom.json",
    ):  # fmt: skip
        assert not dropped(artifact, last_run)  # runs on other datasets add to the same root


def test_figures_of_somebody_elses_are_not_replaced(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figure_5.png").write_bytes(b"mine")
    with pytest.raises(BadInput, match=r"figures is there, but .*: it is not ours"):
        check_root(tmp_path)
    assert (tmp_path / "figures" / "figure_5.png").read_bytes() == b"mine"
    Manifest(tmp_path).update(names={})
    check_root(tmp_path)  # a run of ours drew them


@pytest.mark.parametrize("root", ["/", "~", "~/x/.."])
def test_neither_the_home_folder_nor_the_disk_is_a_training_root(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").mkdir()
    with pytest.raises(BadInput, match="is not a folder for a run alone; give --output-dir one of its own"):
        check_root(Path(root).expanduser())
