"""What a run leaves behind: files that are whole when they exist, and a manifest that says how each was made."""

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "openai",
    "ollama",
    "pandas",
    "matplotlib",
)

# What manifests of earlier versions compared though it changes no artifact.
FORMER_INPUTS = ("max_invalid", "judge_panel")


def write_text(path: Path | str, text: str) -> None:
    """Write under a temporary name, then rename: a reader finds the old file or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as f:
        try:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
            Path(f.name).chmod(0o644)
            Path(f.name).replace(path)
        except BaseException:
            Path(f.name).unlink(missing_ok=True)
            raise


def write_json(path: Path | str, data: Any) -> None:
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """The content of a JSON file; ValueError says which file is broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a whole JSON file ({error})") from error


def refuse_existing(path: Path | str, overwrite: bool) -> None:
    """FileExistsError unless `path` is free or may be replaced: asked before anything expensive starts."""
    if Path(path).exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; give another path, or --overwrite to replace it")


def journal_beside(path: Path | str, kind: str) -> Path:
    """Where the replies behind an artifact are kept: `base.json` -> `base.{kind}.jsonl`."""
    return Path(path).with_suffix(f".{kind}.jsonl")


def sha256(path: Path | str) -> str:
    """Of a file, or of a folder: its files' names and contents."""
    path = Path(path)
    if path.is_file():
        state = path.stat()
        return _sha256_of_file(path, state.st_ino, state.st_size, state.st_mtime_ns)
    digests = [f"{p.relative_to(path)} {sha256(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


@functools.cache  # a run compares the same weights again and again: they are read once
def _sha256_of_file(path: Path, *state: int) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@contextlib.contextmanager
def only_run(root: Path | str) -> Iterator[None]:
    """Hold the folder for this process; BlockingIOError names the run that has it already."""
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BlockingIOError(f"{root} is in use by another run (process {lock.read().strip()})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


class Manifest:
    """`manifest.json` of a training root: for each artifact its stage, inputs, versions, times and summary.

    An artifact is `done` when its stage has ended; one that a crash left `running` is made again, which is cheap:
    the replies and checkpoints behind it are kept.
    """

    def __init__(self, root: Path | str, overwrite: bool = False):
        self.root, self.overwrite = Path(root), overwrite
        self.path = self.root / "manifest.json"
        self.data = read_json(self.path) if self.path.is_file() else {"names": {}, "artifacts": {}}

    def set(self, **values: Any) -> None:
        """Set top-level entries, such as the names that figures show."""
        self.data.update(values)
        write_json(self.path, self.data)

    def outdate(self, artifacts: Iterable[str], state: str) -> None:
        """Note that these artifacts, as far as they are listed, are not what this run would have made."""
        for artifact in artifacts:
            if artifact in self.data["artifacts"]:
                self.data["artifacts"][artifact]["state"] = state
        write_json(self.path, self.data)

    def make(self, artifact: str, stage: str, inputs: dict[str, Any], run: Callable[[], Any]) -> bool:
        """Run a stage unless its artifact was made from the same inputs; returns whether it ran.

        ValueError says which inputs differ; with `overwrite` the artifact is made again instead.
        """
        inputs = json.loads(json.dumps(inputs))  # as it will be read back
        entry = self.data["artifacts"].get(artifact)
        exists = (self.root / artifact).exists()
        if exists and entry is None and not self.overwrite:
            raise ValueError(
                f"{self.root / artifact} is there, but {self.path.name} does not say how it was made; "
                "take a new --output-dir, or --overwrite to make it again"
            )
        if exists and entry:
            before = {name: value for name, value in entry["inputs"].items() if name not in FORMER_INPUTS}
            changed = _differences(before, inputs)
            if changed and not self.overwrite:
                raise ValueError(
                    f"{self.root / artifact} was made with other inputs: {'; '.join(changed)}. "
                    "Take a new --output-dir for a fresh run, or --overwrite to make it again"
                )
            if not changed and entry["state"] == "done":
                return False
        entry = {"stage": stage, "state": "running", "inputs": inputs, "versions": versions(), "started": _now()}
        self.data["artifacts"][artifact] = entry
        write_json(self.path, self.data)
        start = time.monotonic()
        summary = run()
        entry.update(state="done", seconds=round(time.monotonic() - start, 1), summary=summary)
        write_json(self.path, self.data)
        return True


def _differences(old: dict, new: dict) -> list[str]:
    names = sorted(old.keys() | new.keys())
    return [f"{name}: {old.get(name)!r} -> {new.get(name)!r}" for name in names if old.get(name) != new.get(name)]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def versions() -> dict[str, str]:
    """Of Python and of the packages that shape a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
