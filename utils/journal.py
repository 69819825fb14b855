"""An append-only journal of replies: what has been paid for, or computed, is there after a crash."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any


def key_of(*parts: Any) -> str:
    """A stable hash of JSON values: the same question, asked in the same way, has the same key."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


class Journal:
    """A JSONL file of `{"key", "value"}`; one write and fdatasync per entry; a torn last line is tolerated."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.entries: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        lines = self.path.read_bytes().split(b"\n")
        for line in lines[:-1]:
            entry = json.loads(line)
            self.entries[entry["key"]] = entry["value"]
        if lines[-1]:  # a write that a crash cut short: the reply is asked for again
            os.ftruncate(self._file, sum(len(line) + 1 for line in lines[:-1]))

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def __getitem__(self, key: str) -> Any:
        return self.entries[key]

    def add(self, key: str, value: Any) -> None:
        line = json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n"
        with self._lock:
            os.write(self._file, line.encode())
            os.fdatasync(self._file)
            self.entries[key] = value

    def close(self) -> None:
        os.close(self._file)
