"""Read the rows of a file one at a time: .jsonl, .json (a list, or a row per line), .csv, .parquet, or .gz of these.

The rows of a Hugging Face dataset are read in the same way. A row is read only when it is asked for. An error names
the place. JSON is read strictly: NaN, a repeated key or half a character, which Python's reader accepts, are refused.
"""

import csv
import gzip
import io
import json
import re
import zlib
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

from utils.errors import BadInput

SUFFIXES = tuple(f"{kind}{packed}" for kind in (".jsonl", ".json", ".csv", ".parquet") for packed in ("", ".gz"))
CHUNK = 1 << 16  # characters
BLANK = re.compile(r"\s*")
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")  # perhaps half of a surrogate pair; a lone half cannot be encoded
# Columns of a CSV file whose cells may hold JSON.
STRUCTURED = (
    "turns", "messages", "conversations", "prompt", "chosen", "rejected", "reference_alternatives", "meta"
)  # fmt: skip
NEVER_TEXT = ("turns", "messages", "conversations")  # a cell of the other columns may be text that begins with `[`
OBJECTS = re.compile(r"\s*\[\s*\{\s*[\"']")


def stem(path: Path) -> str:
    """Return the name without its suffix: `physics_train` for `physics_train.csv.gz`."""
    suffix = next((suffix for suffix in reversed(SUFFIXES) if path.name.endswith(suffix)), path.suffix)
    return path.name.removesuffix(suffix)


def rows_of_file(path: Path) -> Iterator[Any]:
    """Yield the rows of a file. Raises BadInput, which names the file, the place and the fault."""
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind not in SUFFIXES:
        raise BadInput(f"{path}: expected {', '.join(SUFFIXES[::2])} or .gz of these, not {path.suffix or 'this'}")
    with _named_faults(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        if kind == ".parquet":
            yield from _parquet(path, io.BytesIO(file.read()) if path.suffix == ".gz" else file)
        elif kind == ".csv":
            yield from _csv(path, io.TextIOWrapper(file, "utf-8-sig", newline=""))
        elif kind == ".json" and _starts_a_list(file):
            yield from _json_list(path, io.TextIOWrapper(file, "utf-8-sig"))
        else:
            yield from _json_lines(path, file)


def rows_of_dataset(name: str, split: str) -> Iterator[Any]:
    """Yield the rows of a Hugging Face dataset (`owner/name`, `owner/name:configuration` or a folder), streamed.

    Raises BadInput if it cannot be read.
    """
    import datasets

    place, _, configuration = name.partition(":")
    try:
        yield from datasets.load_dataset(place, configuration or None, split=split, streaming=True)
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(f"{name}, split {split}: could not be read: {' '.join(str(error).split())}") from error


def _json_lines(path: Path, file: IO[bytes]) -> Iterator[Any]:
    for number, line in enumerate(file, 1):
        where = f"{path}, line {number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(f"{where}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
        if text.strip():
            yield _parse(where, text)


def _starts_a_list(file: IO[bytes]) -> bool:
    start = file.read(CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return start.startswith(b"[")


def _json_list(path: Path, file: io.TextIOWrapper) -> Iterator[Any]:
    """Yield the items of a list. `text[at:]` is what was read but not yet used; `text` begins on line `line`."""
    text, line = file.read(CHUNK), 1
    at = text.index("[") + 1
    while True:
        at = BLANK.match(text, at).end()
        if text.startswith("]", at):
            return
        fault, where = None, f"{path}, line {line + text.count(chr(10), 0, at)}"
        try:
            value, end = _decode(where, text, at)
            end = BLANK.match(text, end).end()
            if text[end : end + 1] in (",", "]") and text[end : end + 1]:
                _no_half_characters(where, text[at:end], value)
                yield value
                at = end + (text[end] == ",")
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


def _csv(path: Path, file: io.TextIOWrapper) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(2**31 - 1)  # a cell may hold a whole dialogue
    header = file.readline()
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(chain([header], file), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(reader, 1):
            where = f"{path}, row {number}"
            if None in row:
                raise BadInput(f"{where}: more cells than the header has columns")
            yield {name: _cell(f"{where}, {name}", name, cell) for name, cell in row.items() if cell}
    except csv.Error as error:
        raise BadInput(f"{path}, after line {reader.line_num}: not CSV ({error})") from error


def _cell(where: str, name: str, cell: str) -> Any:
    """Return the value of a cell: a list or an object, in JSON or as pandas writes it, or else text."""
    if name not in STRUCTURED or cell.lstrip()[:1] not in ("[", "{"):
        return cell
    try:
        return _parse(where, cell)
    except BadInput as fault:
        try:
            return literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            if name in NEVER_TEXT or OBJECTS.match(cell):  # or else half a list of messages would be a student's text
                raise fault from None
            return cell


def _parquet(path: Path, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1000):
            yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise BadInput(f"{path}: not a whole parquet file ({error})") from error


def _parse(where: str, text: str) -> Any:
    try:
        value, end = _decode(where, text, BLANK.match(text).end())
        if text[end:].strip():
            raise json.JSONDecodeError("something follows the row", text, end)
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}: not JSON ({error.msg} at column {error.colno}); is the file cut off?") from error
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
