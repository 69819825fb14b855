"""Write files atomically, so that a file that exists is complete; read, hash and name them."""

import contextlib
import functools
import glob
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils.errors import BadInput

LEFTOVER_AFTER = 24 * 3600  # seconds after which a temporary file that nobody wrote to is one of a killed process


@contextlib.contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Yield an empty temporary file beside `path`. It becomes `path` if the block succeeds, and is removed if not.

    A reader thus finds the old file or the complete new one, also where several processes write it.
    """
    path = place_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if time.time() - left.stat().st_mtime > LEFTOVER_AFTER:
                left.unlink()
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(file)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        if error.errno and error.filename is None:  # a full disk: name the file
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a file that is complete as soon as it has its name (`whole`)."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path | str, data: Any) -> None:
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file. Raises BadInput, which names the file, if it is not valid."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not a whole JSON file ({error})") from error


def place_of(path: Path | str) -> Path:
    """Return the path to which a file is written, following links.

    Raises BadInput or an OSError if a file cannot be written there, or would replace a folder, a device or a pipe.
    """
    try:
        place = Path(path).resolve()
    except RuntimeError:
        raise BadInput(f"{path} is a link that leads to itself") from None
    if place.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the path of the file to write")
    if place.exists() and not place.is_file():
        raise BadInput(f"{path} is a device or a pipe, which a file would replace; give the path of a file")
    above = next(folder for folder in place.parents if os.path.lexists(folder))
    if not above.is_dir():
        raise NotADirectoryError(f"{path}: {above} is a file, not a folder")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"{path}: you have no right to write in {above}")
    return place


def is_text(value: Any) -> bool:
    """Return whether a value is a string without lone surrogates, which cannot be written to a file."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def refuse_existing(path: Path | str, overwrite: bool) -> None:
    """Raise FileExistsError if `path` exists and must not be replaced. Call this before anything expensive starts.

    The journals beside it are checked too, so that a folder in the place of one is found before the sampling.
    """
    for place in (path, *Path(path).parent.glob(f"{glob.escape(Path(path).stem)}.*.jsonl")):
        place_of(place)
    if Path(path).exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; give another path, or --overwrite to replace it")


def journal_beside(path: Path | str, kind: str) -> Path:
    """Return the path of the journal of an artifact: `base.json` -> `base.{kind}.jsonl`."""
    return Path(path).with_suffix(f".{kind}.jsonl")


def sha256(path: Path | str) -> str:
    """Hash a file, or the names and contents of all files in a folder."""
    path = Path(path)
    if path.is_file():
        state = path.stat()
        return _sha256_of_file(path, state.st_ino, state.st_size, state.st_mtime_ns)
    digests = [f"{p.relative_to(path)} {sha256(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


@functools.cache  # a run compares the same weights many times, but reads them only once
def _sha256_of_file(path: Path, *state: int) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def read_manifest(root: Path) -> dict[str, Any] | None:
    """Read the manifest of a training root, or None if there is none. Raises BadInput if it is another program's."""
    path = root / "manifest.json"
    if not path.is_file():
        return None
    data = read_json(path)
    fields = data if isinstance(data, dict) else {}
    entries = fields["artifacts"].values() if isinstance(fields.get("artifacts"), dict) else [None]
    if not isinstance(fields.get("names"), dict) or not all(map(_is_entry, entries)):
        raise BadInput(
            f"{path} is not a manifest of ours: expected the objects `names` and `artifacts`, as `pipeline` writes "
            "them; take a new --output-dir for a run"
        )
    return data


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict) and isinstance(entry.get("state"), str)
        and all(isinstance(entry.get(name, {}), dict) for name in ("inputs", "versions"))
    )  # fmt: skip
