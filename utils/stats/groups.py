"""Which rows are not independent: answers on one problem share a group."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

OPENING = 120  # characters


def group_of(row: Mapping[str, Any]) -> str:
    """Return the problem that a graded or rated answer is about: its `group`, or else the beginning of its dialogue.

    A dialogue begins with its problem, so rows without `group` (by the original code, or people's ratings) are taken to
    be on the same problem if the first 120 characters of their prompts are equal. On 104 MathDial dialogues with known
    problems this rule finds all 65 problems and merges no two. With whole prompts as groups, two dialogues on one
    problem would count as independent, and intervals would be too narrow.
    """
    return str(row.get("group") or row["prompt"][:OPENING])


def numbered(groups: Sequence[Hashable]) -> np.ndarray:
    """Return the groups (n,) as numbers 0, 1, … in the order in which they first occur."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] for group in groups], dtype=int)
