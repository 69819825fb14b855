"""Write the manifest of a training root, which says from which inputs each artifact was made."""

import contextlib
import fcntl
import fnmatch
import importlib.metadata
import json
import logging
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from utils.artifacts import place_of, read_manifest, sha256, write_json
from utils.clients.keys import command_line
from utils.dpo.recipe import upgraded
from utils.errors import BadInput

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


log = logging.getLogger(__name__)


def identity(value: Any) -> Any:
    """Return the part of an input that is compared: an actor's settings, the hash of a file, or the value itself."""
    if isinstance(value, list):
        return [identity(one) for one in value]
    return sha256(value) if isinstance(value, Path) else getattr(value, "settings", value)


@contextlib.contextmanager
def only_run(root: Path | str) -> Iterator[None]:
    """Lock the folder for this process. Raises BlockingIOError, which names the process that holds it."""
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


def check_root(root: Path) -> None:
    """Raise BadInput or an OSError if the folder cannot be used as a training root.

    That is so if figures of another origin would be replaced, or if something blocks the place of a file or folder.
    """
    if root.resolve() in (Path.home().resolve(), Path(root.resolve().anchor)):
        raise BadInput(f"{root} is not a folder for a run alone; give --output-dir one of its own")
    if (root / "figures").exists() and not (root / "manifest.json").is_file():
        raise BadInput(f"{root / 'figures'} is there, but no manifest.json: it is not ours; take a new --output-dir")
    folders = [root / name / "x" for name in ("dpo", "evaluation", "figures", "classroom")]
    for place in (*root.rglob("*.json*"), *folders, root / "report.html"):
        place_of(place)


class Manifest:
    """`manifest.json` of a training root: for each artifact its stage, inputs, versions, times and summary.

    An artifact is `done` when its stage has ended. One that a crash left `running` is made again, which is cheap,
    because its replies and checkpoints were kept.
    """

    def __init__(self, root: Path | str, overwrite: bool = False):
        self.root, self.overwrite = Path(root), overwrite
        self.path = self.root / "manifest.json"
        self.data = read_manifest(self.root) or {"names": {}, "artifacts": {}}

    def update(self, **values: Any) -> None:
        """Set top-level entries, such as the names that figures show."""
        self.data.update(values)
        write_json(self.path, self.data)

    def outdate(self, pattern: str, state: str) -> None:
        """Set the state of all artifacts that match a file-name pattern, because this run would not make the same."""
        for artifact in fnmatch.filter(self.data["artifacts"], pattern):
            self.data["artifacts"][artifact]["state"] = state
        write_json(self.path, self.data)

    def make(
        self, artifact: str, stage: str, inputs: dict[str, Any], run: Callable[[], Any], again: bool = False
    ) -> bool:
        """Run a stage unless its artifact was made from the same inputs. Returns whether it ran.

        `inputs` are compared by their `identity`. Raises BadInput, which names the inputs that differ; with `overwrite`
        the artifact is made again instead. With `again`, an artifact that is done is made again too.
        """
        paths = {name: str(value) for name, value in inputs.items() if isinstance(value, Path)}
        inputs = {name: identity(value) for name, value in inputs.items()}
        inputs = json.loads(json.dumps(inputs))  # as they will be read back
        entry = self.data["artifacts"].get(artifact)
        exists = (self.root / artifact).exists()
        if exists and entry is None and not self.overwrite:
            raise BadInput(
                f"{self.root / artifact} is there, but {self.path.name} does not say how it was made; "
                "take a new --output-dir, or --overwrite to make it again"
            )
        if exists and entry:
            changed = differences(flat(entry.get("inputs", {})), flat(inputs))
            if changed and not self.overwrite:
                raise BadInput(
                    f"{self.root / artifact} was made with other inputs: {'; '.join(changed)}. "
                    "Take a new --output-dir for a fresh run, or --overwrite to make it again"
                )
            if not changed and entry["state"] == "done" and not again:
                self._check_made(artifact, entry)
                return False
        entry = {
            "stage": stage, "state": "running", "inputs": inputs, "paths": paths, "run": run_of(),
            "versions": versions(), "started": _now(),
        }  # fmt: skip
        self.data["artifacts"][artifact] = entry
        write_json(self.path, self.data)
        start = time.monotonic()
        summary = run()
        seconds = round(time.monotonic() - start, 1)
        entry.update(state="done", seconds=seconds, summary=summary, sha256=sha256(self.root / artifact))
        write_json(self.path, self.data)
        return True

    def _check_made(self, artifact: str, entry: dict[str, Any]) -> None:
        """Raise BadInput if the artifact has changed since its stage made it; log if package versions differ."""
        if entry.get("sha256", now := sha256(self.root / artifact)) != now:
            raise BadInput(
                f"{self.root / artifact} is not what {entry.get('stage')} made: it was changed or cut off since. Put "
                "it back, or delete it and run again (what it was made of is kept)"
            )
        if other := differences(entry.get("versions", {}), versions()):
            log.info("made with other packages: %s", "; ".join(other))


# Inputs in manifests of earlier versions that are ignored: they change no artifact, or the judge's settings have them.
FORMER_INPUTS = ("max_invalid", "judge_panel", "judge_scores")
ACTORS = ("tutor", "training", "instruct_model", "model_path")  # the last two are names from earlier versions


def flat(inputs: dict[str, Any]) -> dict[str, Any]:
    """Flatten the inputs: "temperature" instead of "tutor": {"temperature": ...}.

    Earlier versions wrote them flat. Settings that those versions did not have are filled in.
    """
    found = {name: value for name, value in inputs.items() if name not in (*FORMER_INPUTS, *ACTORS)}
    for name in ACTORS:
        found |= inputs.get(name, {})
    if "beta" in found:
        found = upgraded(found)
    if isinstance(found.get("seeds"), list) and len(found["seeds"]) == 1:
        found["seeds"] = found["seeds"][0]
    if isinstance(found.get("model"), dict):
        found |= found["model"]
    if found.get("engine") == "local":
        del found["engine"]
    elif "engine" in found:  # only the server knows its dtype and revision
        found = {name: value for name, value in found.items() if name not in ("dtype", "revision", "sha256")}
    return found


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = sorted(old.keys() | new.keys())
    return [f"{name}: {old.get(name)!r} -> {new.get(name)!r}" for name in names if old.get(name) != new.get(name)]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def run_of() -> dict[str, str]:
    """Describe this run: the command, the code's commit (in a git checkout) and the machine."""
    git = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        commit = subprocess.run(git, cwd=Path(__file__).parent, capture_output=True, text=True).stdout.strip()
    except OSError:  # git is not installed
        commit = ""
    return {
        "command": command_line(),
        "commit": commit or "unknown",
        "machine": f"{platform.node()}, {platform.machine()}, {os.cpu_count()} CPU cores",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can affect a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
