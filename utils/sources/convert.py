"""Raw files of the three sources to seed rows: every raw dialogue becomes a row or is counted under a reason."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from utils.seeds.near_duplicates import words
from utils.sources import debugging as convert_debugging
from utils.sources import mathdial as convert_mathdial
from utils.sources import tutorchat as convert_tutorchat
from utils.sources.raw_dialogue import LeftOut

# Where the raw files lie in a folder given by --from: per source, the first pattern that finds something.
LAYOUT = {
    "mathdial": ("mathdial/*.jsonl", "mathdial/*.csv"),
    "tutorchat": ("tutorchat/*.parquet",),
    "debugging": ("debugging/*/*.txt",),
}


@dataclass
class Converted:
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)  # reason -> where, one entry per raw dialogue

    def leave_out(self, reason: str, where: str) -> None:
        self.left_out.setdefault(reason, []).append(where)


def find_raw(folder: Path) -> dict[str, list[Path]]:
    """The raw files per source, of those sources that are there. FileNotFoundError if none is."""
    found = {
        source: next((paths for pattern in patterns if (paths := sorted(folder.glob(pattern)))), [])
        for source, patterns in LAYOUT.items()
    }
    if not any(found.values()):
        looked_for = ", ".join(pattern for patterns in LAYOUT.values() for pattern in patterns)
        raise FileNotFoundError(f"{folder}: no raw files in it, looked for {looked_for}")
    return {source: paths for source, paths in found.items() if paths}


def convert_files(source: str, paths: list[Path], seed: int) -> Converted:
    """All rows of one source. ValueError names the file, the line and the fault of what cannot be read at all."""
    result, ids, prompts = Converted(), set(), set()
    raws = (entry for path in paths for entry in READERS[path.suffix](path))
    for where, raw in tqdm(raws, desc=f"converting {source}", unit=" dialogues", total=_count(paths)):
        try:
            row = _convert(source, raw, seed)
        except LeftOut as reason:
            result.leave_out(str(reason), where)
            continue
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{where}: not a {source} dialogue ({type(error).__name__}: {error})") from error
        prompt = hash(tuple(words(" ".join(turn["content"] for turn in row["turns"]))))
        if row["id"].rpartition("-t")[0] in ids:
            result.leave_out("the same dialogue again", where)
        elif prompt in prompts:
            result.leave_out("the same prompt as another dialogue", where)
        else:
            ids.add(row["id"].rpartition("-t")[0])
            prompts.add(prompt)
            result.rows.append(row)
    if not result.rows:
        reasons = "; ".join(f"{reason} ({places[0]})" for reason, places in result.left_out.items())
        raise ValueError(f"{source}: no seed dialogue in {paths[0].parent}: {reasons}")
    return result


def _convert(source: str, raw: Any, seed: int) -> dict[str, Any]:
    if source == "mathdial":
        return convert_mathdial.convert(raw, seed)
    if source == "tutorchat":
        return convert_tutorchat.convert(raw, seed)
    return convert_debugging.convert(*raw, seed)


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    if not text.strip():
        raise ValueError(f"{path}: the file is empty; download it again")
    return text


def _read_jsonl(path: Path) -> Iterator[tuple[str, dict]]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            try:
                yield f"{path}, line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: not JSON ({error.msg} at column {error.colno}); "
                    "if the line breaks off, the download was cut short: fetch the file again"
                ) from error


def _read_csv(path: Path) -> Iterator[tuple[str, dict]]:
    reader = csv.DictReader(_text(path).splitlines(keepends=True))
    for row in reader:
        yield f"{path}, line {reader.line_num}", row


def _read_txt(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    yield str(path), (path.stem, _text(path).replace("\r\n", "\n"))


def _read_parquet(path: Path) -> Iterator[tuple[str, dict]]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        columns = ["conversation", "mode", "textbook_folder"]
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=500, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path}: not a whole parquet file ({error}); fetch it again") from error


def _count(paths: list[Path]) -> int | None:
    """How many dialogues there are, where that is known before reading (and reading takes long)."""
    if paths[0].suffix != ".parquet":
        return None
    import pyarrow
    import pyarrow.parquet

    try:
        return sum(pyarrow.parquet.read_metadata(path).num_rows for path in paths)
    except pyarrow.ArrowException:  # reading the file says what is wrong with it
        return None


READERS = {".jsonl": _read_jsonl, ".csv": _read_csv, ".txt": _read_txt, ".parquet": _read_parquet}
