"""Files that are whole when they exist, and their hashes."""

import errno
import hashlib
import io
import os
import time

import pytest

from utils.artifacts import read_json, refuse_existing, sha256, whole, write_json
from utils.errors import BadInput
from utils.evaluation import answer_and_grade
from utils.journal import Journal
from utils.judges.judge import OfflineJudge
from utils.manifest import check_root
from utils.records import SeedDialogue
from utils.tutors.baselines import ReferenceTutor


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


def test_two_processes_write_the_same_file_and_each_time_it_is_whole(tmp_path):
    """Both wrote under one temporary name: the first to end gave the other's half its name."""
    path = tmp_path / "figure_5.png"
    with whole(path) as first:
        first.write_bytes(b"one")
        with whole(path) as second:
            second.write_bytes(b"another, longer")
        assert path.read_bytes() == b"another, longer"
    assert path.read_bytes() == b"one" and list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_a_killed_process_left_goes_after_a_day(tmp_path):
    """A half-made file may have gigabytes."""
    for name, age in ((".a.gguf.x1.part", 90_000), (".a.gguf.x2.part", 60), (".b.gguf.x3.part", 90_000)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with whole(tmp_path / "a.gguf") as part:
        part.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.gguf", ".a.gguf.x2.part", ".b.gguf.x3.part"}


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


def test_a_folder_in_place_of_the_output_is_found_before_anything_is_paid(tmp_path):
    """With --overwrite it was found when all was graded."""
    for overwrite in (False, True):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            refuse_existing(tmp_path, overwrite)


def test_a_folder_in_place_of_a_journal_is_found_before_anything_is_sampled(tmp_path):
    """It was found after the sampling; a pipe hung for ever."""
    (tmp_path / "a.verdicts.jsonl").mkdir()
    os.mkfifo(tmp_path / "b.candidates.jsonl")
    for name in ("a", "b"):
        with pytest.raises((BadInput, OSError), match=f"{name}.*jsonl is a"):
            refuse_existing(tmp_path / f"{name}.json", overwrite=True)
        with pytest.raises((BadInput, OSError), match="jsonl is a"):
            Journal(next(tmp_path.glob(f"{name}.*")))
    refuse_existing(tmp_path / "c.json", overwrite=True)


def test_a_damaged_journal_of_verdicts_is_found_before_anything_is_sampled(tmp_path):
    (tmp_path / "a.verdicts.jsonl").write_text("no JSON\n")
    seed = SeedDialogue(id="1", group="1", text="Student: hi", reference="What?")
    with pytest.raises(BadInput, match="line 1: damaged"):
        answer_and_grade([seed], ReferenceTutor(), OfflineJudge(), tmp_path / "a.json", num_samples=1, what="x")
    assert not (tmp_path / "a.candidates.jsonl").exists()


@pytest.mark.parametrize("place", ["evaluation/x/base.verdicts.jsonl", "dpo/x/train_dataset.json", "report.html"])
def test_a_folder_in_place_of_a_file_of_a_run_is_found_before_it_starts(tmp_path, place):
    """Each stage found its own, after hours."""
    check_root(tmp_path)
    (tmp_path / place).mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=place):
        check_root(tmp_path)


def test_a_file_in_place_of_a_folder_of_a_run_is_found_before_it_starts(tmp_path):
    (tmp_path / "evaluation").write_text("mine")
    with pytest.raises(NotADirectoryError, match="evaluation is a file"):
        check_root(tmp_path)


def test_a_place_where_no_file_can_be_is_found_before_anything_is_paid(tmp_path, monkeypatch):
    """`--output-path` of a device replaced it by a file, where the user had the right to; a link that leads to itself
    was a traceback, after all was answered."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, said in (("pipe", "a device or a pipe"), ("loop", "leads to itself"), ("file/a.json", "is a file, not")):
        with pytest.raises((BadInput, OSError), match=said):
            refuse_existing(tmp_path / path, overwrite=True)
        with pytest.raises((BadInput, OSError), match=said):
            write_json(tmp_path / path, [1])
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "file").read_text() == "mine"
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="no right to write in"):
        refuse_existing(tmp_path / "new" / "a.json", overwrite=False)


def test_what_a_link_points_to_is_written(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "there" / "a.json")
    write_json(tmp_path / "link.json", [1])
    assert (tmp_path / "link.json").is_symlink() and read_json(tmp_path / "there" / "a.json") == [1]
    with whole(tmp_path / "link.json") as part:  # as figures are written: they replaced the link
        part.write_text("[2]")
    assert (tmp_path / "link.json").is_symlink() and read_json(tmp_path / "there" / "a.json") == [2]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_json(tmp_path / "a.json", 1)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
