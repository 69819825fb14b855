"""The bugs in the debugging dialogues are real: each program that a student shows fails its own unit tests."""

import re
import subprocess
import sys

import pytest

from utils.records import SeedDialogue
from utils.seeds.read import DATASETS_DIR, read_seeds

LINE_NUMBER = re.compile(r"^\d+\. ", re.MULTILINE)


def passes(seed: SeedDialogue) -> bool:
    """Run the program as the student shows it, then its unit tests. One that never ends does not pass."""
    source = LINE_NUMBER.sub("", seed.meta["bug_code"]) + "\n" + seed.meta["unit_tests"]
    compile(source, seed.id, "exec")  # a slip of ours is an error here, not a bug of the student's
    try:
        return subprocess.run([sys.executable, "-IS", "-c", source], capture_output=True, timeout=2).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@pytest.mark.parametrize(
    "path", sorted(DATASETS_DIR.rglob("debugging_*.jsonl")), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_every_program_in_the_debugging_dialogues_fails_its_tests(path):
    programs = {seed.group: seed for seed in read_seeds(path)}
    assert all(seed.meta["bug_code"] in seed.text for seed in programs.values())
    assert [group for group, seed in programs.items() if passes(seed)] == []
