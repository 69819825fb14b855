"""Whole files, one run per folder, and a manifest that refuses to mix settings."""

import hashlib
import io
import json
import subprocess
import sys

import pytest

from utils.artifacts import Manifest, only_run, read_json, sha256, write_json


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    """A half-written artifact counted as done."""
    path = tmp_path / "a.json"
    write_json(path, [1])
    with pytest.raises(ValueError):
        write_json(path, [float("nan")])
    with pytest.raises(TypeError):
        write_json(path, [object()])
    assert read_json(path) == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert path.stat().st_mode & 0o777 == 0o644  # readable outside a container


def test_a_cut_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text('[{"prompt": "x"')
    with pytest.raises(ValueError, match=r"a\.json: not a whole JSON file"):
        read_json(tmp_path / "a.json")


def test_the_hash_of_a_folder_sees_names_and_contents(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("1")
    first = sha256(tmp_path / "m")
    assert sha256(tmp_path / "m") == first
    (tmp_path / "m" / "config.json").write_text("2")
    second = sha256(tmp_path / "m")
    (tmp_path / "m" / "config.json").rename(tmp_path / "m" / "other.json")
    assert len({first, second, sha256(tmp_path / "m")}) == 3


def test_a_second_run_on_one_folder_is_refused(tmp_path):
    code = f"from utils.artifacts import only_run\nwith only_run({str(tmp_path)!r}): print('in')"
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
    manifest = Manifest(tmp_path)
    manifest.data["artifacts"]["a.json"] = {"state": "done", "inputs": {"x": 1, "max_invalid": 0.1}}
    (tmp_path / "a.json").write_text("[]")
    assert not manifest.make("a.json", "stage", {"x": 1}, lambda: pytest.fail("it was made before"))


def test_a_file_is_read_once_for_its_hash_until_it_changes(tmp_path, monkeypatch):
    """A run in which all is skipped hashed the same weights 21 times."""
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    reads = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *given: reads.append(1) or real(*given))
    assert sha256(path) == sha256(path) == real(io.BytesIO(b"one"), "sha256").hexdigest() and len(reads) == 1
    path.write_bytes(b"other")
    assert sha256(path) == real(io.BytesIO(b"other"), "sha256").hexdigest()
