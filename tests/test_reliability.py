"""docs/reliability.md has a row for each fault, and each row names its tests: they are in the files that it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
TABLES = re.findall(r"^\| fault \| what happens \| test \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
ROWS = [row for table in TABLES for row in table.splitlines()]
CASES = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*.py"))  # those of fake services too


def test_every_row_is_looked_at():
    assert len(ROWS) == len(re.findall(r"^\|.*\btest_\w+.*\|$", TEXT, re.MULTILINE)) > 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.strip("| ")[:50])
def test_a_row_names_its_tests_and_the_file_that_has_them(row):
    """Two rows named a file and no test in it."""
    for part in row.strip("| ").split(" | ")[2].split("; "):
        file, _, names = part.partition(": ")
        source = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
        assert re.fullmatch(r"`[^`]+`(, `[^`]+`)*", names), f"{part}: no test is named"
        for name in re.findall(r"`([^`]+)`", names):
            test, more, case = re.fullmatch(r"(test_\w+|)(…?)(?:\[(.+)\])?", name).groups()
            assert re.search(rf"^def {test}" + ("" if more else r"\("), source, re.MULTILINE), name
            assert (test or case) and (not case or f'"{case}"' in CASES), name
