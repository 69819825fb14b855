"""Read the rows of a file one at a time: .jsonl, .json (a list, or a row per line), .csv, .parquet, or .gz of these.

The rows of a Hugging Face dataset are read in the same way. A row is read only when it is asked for. An error names
the place. JSON is read strictly: NaN, a repeated key or half a character, which Python's reader accepts, are refused.
"""

import gzip
import io
import json
import re
import zlib
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from utils.errors import BadInput
from utils.seeds.csv_rows import csv_rows

SUFFIXES = tuple(f"{kind}{packed}" for kind in (".jsonl", ".json", ".csv", ".parquet") for packed in ("", ".gz"))
CHUNK = 1 << 16  # characters
BLANK = re.compile(r"\s*")
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")  # perhaps half of a surrogate pair; a lone half cannot be encoded
# Fields that may hold JSON in a string: in every cell of a CSV file, and often in a column of a Parquet file.
STRUCTURED = (
    "turns", "messages", "conversations", "prompt", "chosen", "rejected", "reference_alternatives", "meta"
)  # fmt: skip
MAY_BE_TEXT = ("prompt", "chosen", "rejected")  # which may begin with a bracket
OBJECTS = re.compile(r"\s*\[\s*\{\s*[\"']")


def stem(path: Path) -> str:
    """Return the name without its suffix: `physics_train` for `physics_train.csv.gz`."""
    suffix = next((suffix for suffix in reversed(SUFFIXES) if path.name.lower().endswith(suffix)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def is_seed_file(path: Path) -> bool:
    """Return whether a file is read: by its suffix, in any case; hidden ones (macOS: `._physics_train.csv`) are not."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def rows_of_file(path: Path) -> Iterator[Any]:
    """Yield the rows of a file. Raises BadInput, which names the file, the place and the fault."""
    return _unpacked(str(path), _rows(path))


def _rows(path: Path) -> Iterator[Any]:
    packed = path.suffix.lower() == ".gz"
    kind = (path.with_suffix("") if packed else path).suffix.lower()
    if kind not in SUFFIXES:
        raise BadInput(f"{path}: expected {', '.join(SUFFIXES[::2])} or .gz of these, not {path.suffix or 'this'}")
    with _named_faults(path), gzip.open(path) if packed else path.open("rb") as file:
        if kind == ".parquet":
            yield from _parquet(path, io.BytesIO(file.read()) if packed else file)
        elif kind == ".csv":
            yield from csv_rows(path, io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline=""))
        elif kind == ".json" and _starts_a_list(file):
            yield from _json_list(path, io.TextIOWrapper(file, "utf-8-sig"))
        else:
            one_object = "; a .json file is a list of rows, or has a row in each line" if kind == ".json" else ""
            yield from _json_lines(path, file, f"is the file cut off?{one_object}")


def rows_of_dataset(name: str, split: str) -> Iterator[Any]:
    """Yield the rows of a Hugging Face dataset (`owner/name`, `owner/name:configuration` or a folder), streamed.

    Raises BadInput if it cannot be read.
    """
    return _unpacked(f"{name}, split {split}", _streamed(name, split))


def _streamed(name: str, split: str) -> Iterator[Any]:
    import datasets

    place, _, configuration = name.partition(":")
    try:
        yield from datasets.load_dataset(place, configuration or None, split=split, streaming=True)
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(f"{name}, split {split}: could not be read: {' '.join(str(error).split())}") from error


def _unpacked(where: str, rows: Iterator[Any]) -> Iterator[Any]:
    """The rows, with lists and objects for the strings that hold them."""
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict):
            for name in STRUCTURED:
                if isinstance(value := row.get(name), str):
                    row[name] = _cell(f"{where}, row {number}, {name}", name, value)
        yield row


def _json_lines(path: Path, file: IO[bytes], hint: str) -> Iterator[Any]:
    for number, line in enumerate(file, 1):
        where = f"{path}, line {number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(f"{where}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
        if text.strip():
            yield _parse(where, text, hint)


def _starts_a_list(file: IO[bytes]) -> bool:
    start = file.read(CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return start.startswith(b"[")


def _json_list(path: Path, file: io.TextIOWrapper) -> Iterator[Any]:
    """Yield the items of a list. `text[at:]` is what was read but not yet used; `text` begins on line `line`."""
    text, line = file.read(CHUNK), 1
    at, after_comma = text.index("[") + 1, False
    while True:
        at = BLANK.match(text, at).end()
        fault, where = None, f"{path}, line {line + text.count(chr(10), 0, at)}"
        if text.startswith("]", at):
            if after_comma or (text[at + 1 :] + file.read()).strip():
                what = "no row follows the last comma" if after_comma else "something follows the list"
                raise BadInput(f"{where}: not JSON ({what}); a .json file is one list of rows")
            return
        try:
            value, end = _decode(where, text, at)
            end = BLANK.match(text, end).end()
            if text[end : end + 1] in (",", "]") and text[end : end + 1]:
                _no_half_characters(where, text[at:end], value)
                yield value
                after_comma = text[end] == ","
                at = end + after_comma
                continue
            if end < len(text):
                fault = "expected , or ]"
        except json.JSONDecodeError as error:
            fault = error.msg
        more = file.read(max(CHUNK, len(text) - at))  # the item may continue there
        if not more:
            raise BadInput(f"{where}: not JSON ({fault or 'the list does not end'}); is the file cut off?")
        line += text.count("\n", 0, at)
        text, at = text[at:] + more, 0


def _cell(where: str, name: str, cell: str) -> Any:
    """Return the value of a cell: a list or an object, in JSON or as pandas writes it, or else text."""
    if cell.lstrip()[:1] not in ("[", "{") or (name in MAY_BE_TEXT and not OBJECTS.match(cell)):
        return cell
    try:
        return _parse(where, cell, "write the list with json.dumps")
    except BadInput as fault:
        try:
            return literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise fault from None  # or else half a list of messages would be a student's text


def _parquet(path: Path, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1000):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:  # OSError: of a page in the middle
        raise BadInput(f"{path}: not a whole parquet file ({error})") from error


def _parse(where: str, text: str, hint: str) -> Any:
    try:
        value, end = _decode(where, text, BLANK.match(text).end())
        if text[end:].strip():
            raise json.JSONDecodeError("something follows the row", text, end)
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}: not JSON ({error.msg} at column {error.colno}); {hint}") from error
    _no_half_characters(where, text, value)
    return value


def _decode(where: str, text: str, at: int) -> tuple[Any, int]:
    try:
        return DECODER.raw_decode(text, at)
    except _Refused as error:
        raise BadInput(f"{where}: {error}") from None
    except RecursionError:
        raise BadInput(f"{where}: nested too deeply for a dialogue") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python refuses to convert integers of more than 4,300 digits
        raise BadInput(f"{where}: a number with thousands of digits; write it as text") from None


def _no_half_characters(where: str, text: str, value: Any) -> None:
    if HALF_CHARACTER.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = ascii(error.object[error.start])[1:-1]
            raise BadInput(f"{where}: {half} is half of a character; write the character itself") from None


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Refused(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _no_number(name: str) -> None:
    raise _Refused(f"{name} is not JSON; leave the field out, or write null")


class _Refused(Exception):
    pass


DECODER = json.JSONDecoder(object_pairs_hook=_keys_once, parse_constant=_no_number)


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    """Turn errors that concern the whole file into BadInput with its name, which these exceptions lack."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{path}: not a whole gzip file ({error})") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
