"""Write the folder of fetched seeds, in which new seeds of a dataset replace the old ones.

`sources.json` describes the folder:
{"seeds": ["mathdial_train.jsonl", …], "files": [{"dataset": "mathdial", "local": …, "repo": …,
"revision": …, "path": …, "size": …, "sha256": …}, …], "datasets": {"mathdial": {"train": 500, …}}, …}.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.artifacts import read_json, write_json, write_text
from utils.errors import BadInput
from utils.seeds.files import SUFFIXES, stem

RECORD = "sources.json"


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of an earlier run, without seed files that no longer exist.

    Raises BadInput if the folder has other seeds, such as the sample in `datasets/`, which are never overwritten.
    """
    path = folder / RECORD
    record = {"seeds": [], "files": [], "datasets": {}} | (read_json(path) if path.is_file() else {})
    for found in folder.glob("*_t*"):
        if found.name.endswith(SUFFIXES) and _is_split(found.name) and found.name not in record["seeds"]:
            raise BadInput(f"{folder} holds seeds of another origin ({found.name}); choose a new --output-dir")
    return record | {"seeds": [name for name in record["seeds"] if _is_split(name) and (folder / name).is_file()]}


def put_seeds(folder: Path, seeds: Mapping[str, str], made: set[str], record: dict[str, Any]) -> list[str]:
    """Replace the seeds of the datasets `made` by `seeds` (name -> text), and write the record.

    `record` is the new run's, without "seeds". Files of other datasets are kept, in the record too. All old files of a
    dataset are removed before a new one is written, so that a run stopped in between leaves no problem in both splits.
    Returns the names of the datasets that were kept.
    """
    old = read_record(folder)
    kept = [name for name in old["seeds"] if dataset_of(name) not in made]
    if kept:
        remade = {file["local"] for file in record["files"]}
        record = record | {
            "files": record["files"]
            + [file for file in old["files"] if file.get("dataset") not in made and file["local"] not in remade],
            "datasets": {name: one for name, one in old["datasets"].items() if name not in made} | record["datasets"],
        }
    write_json(folder / RECORD, record | {"seeds": sorted({*old["seeds"], *seeds})})
    for name, text in seeds.items():
        write_text(folder / f".{name}.new", text)
    for name in old["seeds"]:
        if name not in kept:
            (folder / name).unlink()
    for name in seeds:
        (folder / f".{name}.new").replace(folder / name)
    write_json(folder / RECORD, record | {"seeds": sorted([*kept, *seeds])})
    return kept


def dataset_of(name: str) -> str:
    return stem(Path(name)).rpartition("_")[0]


def _is_split(name: str) -> bool:
    return stem(Path(name)).endswith(("_train", "_test"))
