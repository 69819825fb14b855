"""Convert raw files of the three sources to seed rows. Each dialogue becomes a row, or is counted under a reason."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from utils.errors import BadInput
from utils.seeds.near_duplicates import words
from utils.sources import debugging, mathdial, tutorchat
from utils.sources.raw_dialogue import LeftOut, RawDialogue, RawTurn, order_of_cuts

CONVERTERS = {"mathdial": mathdial, "tutorchat": tutorchat, "debugging": debugging}
# Where the raw files are in a folder given by --from: for each source, the first pattern that matches a file.
LAYOUT = {
    "mathdial": ("mathdial/**/*.jsonl", "mathdial/**/*.csv"),
    "tutorchat": ("tutorchat/**/*.parquet",),
    "debugging": ("debugging/**/*.txt",),
}


@dataclass
class Converted:
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)  # reason -> where, one entry per raw dialogue

    def leave_out(self, reason: str, where: str) -> None:
        self.left_out.setdefault(reason, []).append(where)


def find_raw(folder: Path) -> dict[str, list[Path]]:
    """Find the raw files of each source in `folder`. Raises FileNotFoundError if there are none."""
    found = {
        source: next((paths for pattern in patterns if (paths := sorted(folder.glob(pattern)))), [])
        for source, patterns in LAYOUT.items()
    }
    if not any(found.values()):
        looked_for = ", ".join(pattern.replace("**/", "") for patterns in LAYOUT.values() for pattern in patterns)
        raise FileNotFoundError(f"{folder}: no raw files in it, looked for {looked_for}")
    return {source: paths for source, paths in found.items() if paths}


def convert_files(source: str, paths: list[Path], seed: int) -> Converted:
    """Convert all rows of one source, independently of the order of files and dialogues.

    A dialogue that occurs twice gives one row. If another dialogue has already given the same prompt, the next cut is
    taken. Raises BadInput, which names the file, the line and the fault, for a row that cannot be read.
    """
    result = Converted()
    converter, dialogues = CONVERTERS[source], []
    raws = (entry for path in paths for entry in READERS[path.suffix](path))
    for where, raw in tqdm(raws, desc=f"converting {source}", unit=" dialogues", total=_count(paths)):
        try:
            dialogue = converter.read(*raw) if isinstance(raw, tuple) else converter.read(raw)
            dialogues.append((dialogue, order_of_cuts(dialogue, converter.cuts(dialogue), seed), where))
        except LeftOut as reason:
            result.leave_out(str(reason), where)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(f"{where}: not a {source} dialogue ({type(error).__name__}: {error})") from error
    known, prompts = set(), set()
    for dialogue, cuts, where in sorted(dialogues, key=_order):
        whole = _said(dialogue.turns)
        new = [n for n in cuts if _said(dialogue.turns[:n]) not in prompts]
        if whole in known:
            result.leave_out("the same dialogue again", where)
        elif not new:
            result.leave_out("all its prompts are other dialogues' too", where)
        else:
            prompts.add(_said(dialogue.turns[: new[0]]))
            result.rows.append(converter.row_at(dialogue, new[0]))
        known.add(whole)
    for places in result.left_out.values():
        places.sort()
    if not result.rows:
        reasons = "; ".join(f"{reason} ({places[0]})" for reason, places in result.left_out.items())
        raise BadInput(f"{source}: no seed dialogue in {paths[0].parent}: {reasons}")
    return result


def _order(entry: tuple[RawDialogue, list[int], str]) -> tuple[str, bytes]:
    """Return a key that sorts dialogues by id, then by content, but never by file."""
    return entry[0].id, hashlib.sha256(repr(entry[0]).encode()).digest()


def _said(turns: list[RawTurn]) -> int:
    """Return the turns and their speakers as one text, ignoring layout."""
    return hash(tuple((turn.role, *words(turn.content)) for turn in turns))


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}, line {line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    if not text.strip():
        raise BadInput(f"{path}: the file is empty; download it again")
    return text


def _read_jsonl(path: Path) -> Iterator[tuple[str, dict]]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            try:
                yield f"{path}, line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise BadInput(
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
        raise BadInput(f"{path}: not a whole parquet file ({error}); fetch it again") from error


def _count(paths: list[Path]) -> int | None:
    """Return the number of dialogues if it is known before reading and reading takes long; else None."""
    if paths[0].suffix != ".parquet":
        return None
    import pyarrow
    import pyarrow.parquet

    try:
        return sum(pyarrow.parquet.read_metadata(path).num_rows for path in paths)
    except pyarrow.ArrowException:  # the error is reported when the file is read
        return None


READERS = {".jsonl": _read_jsonl, ".csv": _read_csv, ".txt": _read_txt, ".parquet": _read_parquet}
