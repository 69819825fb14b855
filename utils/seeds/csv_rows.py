"""The rows of a CSV file as spreadsheets, pandas and people write it."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from utils.errors import BadInput

ODD_BYTE = re.compile("[\udc80-\udcff]")  # how `surrogateescape` marks what is not UTF-8


def csv_rows(path: Path, file: io.TextIOWrapper) -> Iterator[dict[str, str]]:
    """The rows, by the header's names. `file` must be opened with errors="surrogateescape".

    BadInput names the row and the fault.
    """
    csv.field_size_limit(2**31 - 1)  # a cell may hold a whole dialogue
    header = file.readline()
    _utf8(f"{path}, header", header)
    delimiter = max(",;\t", key=lambda one: _columns(header, one))
    reader = csv.DictReader(chain([header], file), delimiter=delimiter, strict=True)
    try:
        names = reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if twice := next((name for name in names if name and names.count(name) > 1), None):
            raise BadInput(f"{path}: the column {twice!r} is there twice; rename one")
        rows = (row for row in reader if any(row.values()))  # spreadsheets write rows of empty cells at the end
        for number, row in enumerate(rows, 1):
            where = f"{path}, row {number}"
            if None in row:
                raise BadInput(f"{where}: more cells than the header has columns")
            _utf8(where, "".join(filter(None, row.values())))
            yield {name: cell for name, cell in row.items() if cell}
    except csv.Error as error:
        raise BadInput(f"{path}, after line {reader.line_num}: not CSV ({error})") from error


def _columns(header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter, strict=True), ()))
    except csv.Error:  # a quoted name has this sign in it
        return 0


def _utf8(where: str, text: str) -> None:
    if odd := ODD_BYTE.search(text):
        byte = ord(odd[0]) - 0xDC00
        raise BadInput(f"{where}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8 (in Excel: `CSV UTF-8`)")
