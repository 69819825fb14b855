"""Turn raw files into the text of seed files: convert, leave out long dialogues, split, and report the counts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from utils.sources.convert import convert_files
from utils.sources.splits import prompt_text, split


def make_seeds(
    raw: dict[str, list[Path]], count_tokens: Callable[[str], int], *, seed: int, train_size: int, test_size: int,
    max_tokens: int,
) -> tuple[dict[str, str], dict[str, Any]]:  # fmt: skip
    """Return (JSONL text of each seed file by name, counts of converted and omitted dialogues by dataset)."""
    texts, report = {}, {}
    for name, paths in raw.items():
        converted = convert_files(name, paths, seed)
        rows = []
        for row in converted.rows:
            if count_tokens(prompt_text(row)) <= max_tokens:
                rows.append(row)
            else:
                converted.leave_out(f"a prompt of more than {max_tokens} tokens", row["id"])
        parted = split(rows, train_size, test_size, seed)
        for part, chosen in (("train", parted.train), ("test", parted.test)):
            if chosen:
                texts[f"{name}_{part}.jsonl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
        report[name] = {
            "train": len(parted.train), "test": len(parted.test), "beyond_size": parted.not_needed,
            "moved_to_train": parted.moved_to_train,
            "left_out": {why: {"count": len(where), "first": where[:3]} for why, where in converted.left_out.items()},
        }  # fmt: skip
    return texts, report


def summary(report: dict[str, Any]) -> str:
    """Format the report: a line per dataset, and one for each reason why dialogues were left out."""
    lines = []
    for name, found in report.items():
        lines.append(
            f"{name}: {found['train']} train rows, {found['test']} test rows ({found['moved_to_train']} moved to train "
            f"as too close to a training row), {found['beyond_size']} more than asked for"
        )
        lines += [
            f"  left out, {why}: {where['count']} (first: {where['first'][0]})"
            for why, where in found["left_out"].items()
        ]
    return "\n".join(lines)
