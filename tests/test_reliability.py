"""docs/reliability.md names a test for each fault: the tests are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_each_test_that_the_table_names_is_there():
    tests = set(re.findall(r"^def (test_\w+)", "\n".join(p.read_text() for p in ROOT.glob("tests/test_*.py")), re.M))
    files = {path.stem for path in ROOT.glob("tests/test_*.py")}
    named = set(re.findall(r"\b(test_\w+)(…?)", (ROOT / "docs" / "reliability.md").read_text()))
    assert len(named) > 60
    for name, more in named:
        assert name in files | tests or (more and any(test.startswith(name) for test in tests)), name
