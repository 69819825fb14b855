"""Splits: each test builds rows that a careless split would leak, and looks for them on both sides."""

import pytest

from utils.sources.splits import split


def rows_of(groups: list[str]) -> list[dict]:
    return [
        {"id": f"{i}", "group": group, "problem": None, "context": None,
         "turns": [{"role": "student", "content": f"{group} {i} " * 6}]}
        for i, group in enumerate(groups)
    ]  # fmt: skip


def test_no_group_is_in_two_splits_and_order_does_not_matter():
    rows = rows_of([f"g{i // 3}" for i in range(60)])
    parted = split(rows, 500, 12, seed=1)
    train, test = ({row["group"] for row in part} for part in (parted.train, parted.test))
    assert not train & test and len(parted.test) == 12 and len(parted.train) == 48
    again = split(rows[::-1], 500, 12, seed=1)
    assert again == parted and split(rows, 500, 12, seed=2) != parted


def test_sizes_are_kept_and_a_small_source_keeps_most_for_training():
    parted = split(rows_of([f"g{i}" for i in range(40)]), 20, 100, seed=0)
    assert (len(parted.train), len(parted.test), parted.not_needed) == (20, 10, 10)  # 40 / 4 = 10 for the test


@pytest.mark.parametrize("seed", range(4))
def test_what_nearly_repeats_a_training_row_goes_to_train_with_its_group(seed):
    """Every row has a twin in another group; groups have two rows. A twin apart from its row would be a leak."""
    rows = rows_of([f"g{i // 2}" for i in range(40)])
    twins = [{**row, "id": f"twin {row['id']}", "group": f"twins {i % 7}"} for i, row in enumerate(rows)]
    parted = split(rows + twins, 500, 20, seed)
    for key in (lambda row: row["turns"][0]["content"], lambda row: row["group"]):
        train, test = ({key(row) for row in part} for part in (parted.train, parted.test))
        assert not train & test
    assert parted.moved_to_train > 0 and len(parted.train) + len(parted.test) == 80


def test_rows_that_state_one_problem_are_not_split():
    rows = rows_of([f"g{i}" for i in range(8)])
    for row in rows:
        row["problem"] = "The same problem!"
    parted = split(rows, 500, 2, seed=0)
    assert parted.test == [] and parted.moved_to_train == 2


def test_one_chapter_in_two_folders_is_one_problem():
    """22 of 30 test rows had their chapter in train, and the audit said "leaks: none"."""
    rows = rows_of([f"folder {i % 20}" for i in range(40)])
    for i, row in enumerate(rows):
        row["context"] = f"Chapter {i % 20 // 2}: of lakes,\nseas and ponds." if i % 3 else None
    parted = split(rows, 500, 10, seed=0)
    chapters = [{row["context"] for row in part} - {None} for part in (parted.train, parted.test)]
    assert not chapters[0] & chapters[1] and parted.test
    groups = {row["context"]: set() for row in parted.train + parted.test}
    for row in parted.train + parted.test:
        groups[row["context"]].add(row["group"])
    assert all(len(found) == 1 for context, found in groups.items() if context)
    assert split(rows[::-1], 500, 10, seed=0) == parted
