"""Keep paid or computed replies in an append-only journal, which survives a crash."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from utils.artifacts import place_of
from utils.errors import BadInput

sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def key_of(*parts: Any) -> str:
    """Hash JSON values to a key: the same question with the same settings always has the same key."""
    return hashlib.sha256(
        json.dumps(parts, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass")
    ).hexdigest()[:32]


class Journal:
    """A JSONL file of `{"key", "value"}`. Each entry is written at once and synced before `add` returns.

    An incomplete last line, left by a crash, is cut off. Later entries of a key are ignored, so a value never changes
    once it was read, except after `forget`.
    Raises BadInput if another run has the file open, or if it is damaged anywhere but at its end.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        place_of(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.entries: dict[str, Any] = {}
        self.invalid: set[str] = set()  # keys of unusable replies from earlier runs; set by the caller
        self._asked_again: set[str] = set()
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError:
            os.close(self._file)
            raise BadInput(f"{self.path}: another run is writing here; wait for it, or use another folder") from None
        except OSError as error:  # a disk that fails, or a file server that gives no locks
            os.close(self._file)
            raise OSError(error.errno, f"the journal cannot be opened: {error.strerror}", str(self.path)) from None
        except ValueError:
            os.close(self._file)
            raise

    def _read(self) -> None:
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], 1):
            try:
                entry = json.loads(line)
                if entry.get("again"):
                    self.entries[entry["key"]] = entry["value"]
                else:
                    self.entries.setdefault(entry["key"], entry["value"])
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadInput(f"{self.path}, line {number}: damaged ({error}); delete that line") from error
        self.kept = set(self.entries)  # the keys that earlier runs wrote
        self._size = self._synced = sum(len(line) + 1 for line in lines[:-1])
        if lines[-1]:  # cut short by a crash: that reply is requested again
            os.ftruncate(self._file, self._size)

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def __getitem__(self, key: str) -> Any:
        return self.entries[key]

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, key: str, value: Any) -> None:
        """Write an entry and sync it, unless the key has one. Raises OSError if the disk is full."""
        entry = {"key": key, "value": value} | ({"again": True} if key in self._asked_again else {})
        line = (json.dumps(entry, ensure_ascii=False) + "\n").encode(errors="replace")
        try:
            with self._lock:
                self._write(line)
                end = self._size
            with self._syncing:
                if self._synced < end:  # else another thread has synced after our write
                    written = self._size
                    sync(self._file)
                    self._synced = written
        except OSError as error:
            raise OSError(error.errno, f"a reply cannot be kept: {error.strerror}", str(self.path)) from None
        self.entries.setdefault(key, value)

    def _write(self, line: bytes) -> None:
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, "no space left")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)  # leave no half line before a later entry
            raise
        self._size += len(line)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop entries of an earlier run. The next entry with such a key replaces it, in later runs too."""
        with self._lock:
            fresh = set(keys) & self.kept
            self.kept -= fresh
            self._asked_again |= fresh
            for key in fresh:
                del self.entries[key]

    def once(self, key: str, compute: Callable[[], Any]) -> Any:
        """Return the value of `key`, computing and adding it if it is missing. No two threads compute the same key."""
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            if key in self.entries:
                return self.entries[key]
            value = compute()
            self.add(key, value)
            return value

    def close(self) -> None:
        with self._lock:
            file, self._file = self._file, -1  # a late thread must not write to another file with this number
        os.close(file)
