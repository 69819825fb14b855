"""Reading seed dialogues: `.jsonl` rows of our clean format, or the original's `.json` list of strings."""

import hashlib
import json
from collections import Counter
from pathlib import Path

from utils.records import SeedDialogue

DATASETS_DIR = Path(__file__).resolve().parents[2] / "datasets"
DATASETS = ("mathdial", "tutorchat", "debugging")


def find_seeds(folder: Path | str, dataset: str, split: str) -> Path:
    """`{dataset}_{split}.jsonl` or `.json` in `folder`; FileNotFoundError says what was looked for."""
    candidates = [Path(folder) / f"{dataset}_{split}{suffix}" for suffix in (".jsonl", ".json")]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f"no seeds: neither {candidates[0]} nor {candidates[1].name} is there")


def read_seeds(path: Path | str, limit: int | None = None) -> list[SeedDialogue]:
    """Read a seed file (its first `limit` rows). ValueError names the file, the row and what is wrong with it.

    A clean row: {"id": "sample-1", "source": "mathdial", "group": "bakery", "problem": "…", "context": null,
    "turns": [{"role": "student", "content": "…"}], "answer": "42", …}
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error}); save the file as UTF-8") from error
    if path.suffix == ".jsonl":
        rows = [_parse(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        rows = _parse(path, 1, text)
        if not isinstance(rows, list):
            raise ValueError(f"{path}: expected a JSON list of dialogues, found {type(rows).__name__}")
    if not rows:
        raise ValueError(f"{path}: no seed dialogue in it")
    seeds = [_seed(path, number, row) for number, row in enumerate(rows, 1)]
    name, times = Counter(seed.id for seed in seeds).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{path}: the id {name!r} occurs {times} times; ids must be unique")
    return seeds[:limit]


def _parse(path: Path, line: int, text: str):
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {line if path.suffix == '.jsonl' else error.lineno}"
        raise ValueError(f"{path}, {where}: not JSON ({error.msg}); is the file cut off?") from error


def _seed(path: Path, number: int, row) -> SeedDialogue:
    where = f"{path}, row {number}"
    if isinstance(row, str):
        if not row.strip():
            raise ValueError(f"{where}: an empty dialogue")
        digest = hashlib.sha256(row.encode()).hexdigest()[:12]
        return SeedDialogue(id=f"{path.stem}-{number:04d}", group=f"{path.stem}-{digest}", text=row)
    try:
        turns = row["turns"]
        roles = [turn["role"] for turn in turns]
        lines = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns]
        fields = {name: row.get(name) for name in ("source", "problem", "answer", "explanation", "reference")}
        seed = SeedDialogue(
            id=row["id"], group=row["group"], meta=row.get("meta") or {},
            reference_alternatives=row.get("reference_alternatives") or [],
            text="\n".join(lines if not row.get("context") else [row["context"] + "\n", *lines]), **fields,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: not a seed dialogue ({type(error).__name__}: {error})") from error
    if not set(roles) <= {"student", "teacher"} or roles[-1:] != ["student"]:
        raise ValueError(f"{where}: turns must be by 'student' and 'teacher' and end on the student, not {roles}")
    return seed
