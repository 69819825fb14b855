"""The journal: what a crash may leave, and what it may not."""

import errno
import os
import threading
import time

import pytest

from utils import journal as journal_module
from utils.errors import DISK, disk_error
from utils.journal import Journal, key_of


def test_entries_are_there_after_reopening(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.add("a", {"text": "line\nbreak { } ü \ud800"})
        journal.add("b", None)
    with Journal(tmp_path / "j") as journal:
        assert journal["a"]["text"].startswith("line\nbreak { } ü")
        assert "b" in journal and journal["b"] is None and "c" not in journal


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_torn_last_line_is_cut_and_written_again(tmp_path, cut):
    """A crash in mid-write made the whole journal unreadable, or glued the next reply to the half line."""
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.add("a", 1)
        journal.add("b", "a longer value than the cut")
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path) as journal:
        assert "a" in journal and "b" not in journal
        journal.add("b", 2)
    with Journal(path) as journal:
        assert journal.entries == {"a": 1, "b": 2}


def test_damage_elsewhere_names_the_line(tmp_path):
    (tmp_path / "j").write_text('{"key": "a", "value": 1}\n{"key": "b", "va\n{"key": "c", "value": 3}\n')
    with pytest.raises(ValueError, match="line 2: damaged"):
        Journal(tmp_path / "j")
    with pytest.raises(ValueError, match="line 2: damaged"):  # and not: another run has it open
        Journal(tmp_path / "j")


def test_a_second_writer_is_refused(tmp_path):
    with Journal(tmp_path / "j"), pytest.raises(ValueError, match="another run"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


def test_each_entry_is_one_write_and_synced_before_add_returns(tmp_path, monkeypatch):
    calls = []
    real_write, real_sync = os.write, journal_module.sync
    monkeypatch.setattr(os, "write", lambda fd, data: calls.append("write") or real_write(fd, data))
    monkeypatch.setattr(journal_module, "sync", lambda fd: calls.append("sync") or real_sync(fd))
    with Journal(tmp_path / "j") as journal:
        journal.add("a", 1)
        assert calls == ["write", "sync"]
        journal.add("b", 1)
        assert calls == ["write", "sync"] * 2


def test_many_threads_lose_nothing(tmp_path):
    with Journal(tmp_path / "j") as journal:
        threads = [threading.Thread(target=journal.add, args=(str(n), "x" * 5000)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with Journal(tmp_path / "j") as journal:
        assert journal.entries.keys() == {str(n) for n in range(50)}


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    real_write = os.write
    with Journal(tmp_path / "j") as journal:
        journal.add("a", 1)
        monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[: len(data) // 2]))
        with pytest.raises(OSError, match="no space left"):
            journal.add("b", 2)
        monkeypatch.setattr(os, "write", real_write)
        journal.add("c", 3)
    with Journal(tmp_path / "j") as journal:
        assert journal.entries == {"a": 1, "c": 3}


def test_a_file_server_without_locks_is_named(tmp_path, monkeypatch):
    """`[Errno 37] No locks available`, without the path."""

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="the journal cannot be opened: No locks available") as caught:
        Journal(tmp_path / "j")
    assert caught.value.filename == str(tmp_path / "j") and "file server" in DISK[disk_error(caught.value)]


def test_once_computes_once(tmp_path):
    computed = []

    def compute():
        time.sleep(0.05)
        computed.append(1)
        return len(computed)

    with Journal(tmp_path / "j") as journal:
        threads = [threading.Thread(target=journal.once, args=("a", compute)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert computed == [1] and journal["a"] == 1


def test_once_tries_again_after_a_failure(tmp_path):
    with Journal(tmp_path / "j") as journal:
        with pytest.raises(ZeroDivisionError):
            journal.once("a", lambda: 1 / 0)
        assert journal.once("a", lambda: 7) == 7


def test_keys_depend_on_everything_and_not_on_order():
    assert key_of({"a": 1, "b": 2}, "x") == key_of({"b": 2, "a": 1}, "x")
    assert len({key_of("a", "b"), key_of("ab", ""), key_of("b", "a"), key_of(["a", "b"]), key_of("a", "b", 0)}) == 5


def test_what_is_asked_for_again_counts_from_then_on(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.add("a", "cut")
        journal.add("b", 1)
    with Journal(tmp_path / "j") as journal:
        journal.forget(["a"])
        assert "a" not in journal and journal.once("a", lambda: "whole") == "whole"
        journal.forget(["a"])  # once a run: another thread may have found the same
        assert journal["a"] == "whole"
    with Journal(tmp_path / "j") as journal:
        assert journal.entries == {"a": "whole", "b": 1}


def test_a_thread_that_is_late_writes_into_no_other_file(tmp_path):
    """The number of a closed file is given to the next one that is opened."""
    journal = Journal(tmp_path / "j")
    journal.close()
    with (tmp_path / "other").open("w") as other, pytest.raises(OSError, match="cannot be kept"):
        journal.add("a", 1)
        other.flush()
    assert (tmp_path / "other").read_text() == ""


def test_half_a_character_has_a_key():
    assert key_of("\ud83d") != key_of("?")


@pytest.mark.parametrize("line", ["[1, 2]", "7", '"key"', '{"key": {}, "value": 1}', "null"])
def test_a_line_that_is_no_entry_is_named(tmp_path, line):
    (tmp_path / "j").write_text(f"{line}\n")
    with pytest.raises(ValueError, match="line 1: damaged"):
        Journal(tmp_path / "j")
