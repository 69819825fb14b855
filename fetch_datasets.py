"""Fetch the three public datasets, convert them to clean seeds, split them without leaks, and audit the result.

    python -m fetch_datasets --output-dir data/clean

then train on them with `--datasets-dir data/clean`. Other things it does:

    python -m fetch_datasets --output-dir data/paper --paper      the original's own seeds, ratings and prompts
    python -m fetch_datasets --output-dir data/clean --from DIR   convert files that are already here
    python -m fetch_datasets --audit DIR --strict                 examine any folder of seeds
    python -m fetch_datasets --output-dir data/mrbench --mrbench  tutors' answers with human labels, for mrbench.py

MathDial is CC BY-SA 4.0, the debugging benchmark MIT; TutorChat states no licence: for your own use, not to be
passed on. `LICENSES.md` beside the seeds says so in full, `sources.json` where each file came from.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from utils import cli
from utils.artifacts import read_json, write_json, write_text
from utils.seeds.audit import audit as examine
from utils.seeds.audit import estimate_tokens, table
from utils.sources.convert import LAYOUT, convert_files, find_raw
from utils.sources.download import SOURCES, Fetched, fetch
from utils.sources.licenses import LICENSES
from utils.sources.splits import prompt_text, split


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--output-dir", type=Path, help="where the seeds go; with --audit, where audit.json goes")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--paper", action="store_true", help="fetch the original's own seeds, unchanged, to reproduce it")
    task.add_argument(
        "--from", dest="from_dir", type=Path, metavar="DIR",
        help="convert raw files in DIR: mathdial/*.jsonl, tutorchat/*.parquet, debugging/{train,testset}/*.txt",
    )  # fmt: skip
    task.add_argument("--audit", type=Path, metavar="DIR", help="fetch nothing, examine the seeds in DIR")
    task.add_argument("--mrbench", action="store_true", help="fetch MRBench, which checks a judge: see mrbench.py")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a split or a prompt leaks")
    parser.add_argument(
        "--tokenizer",
        metavar="MODEL",
        help="count lengths as this model does: a hub name, a folder or smollm2 (default: words and punctuation marks)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the cuts and of the splits")
    parser.add_argument("--train-size", type=cli.positive_int, default=500, help="training rows per dataset, at most")
    parser.add_argument(
        "--test-size", type=cli.positive_int, default=100, help="test rows per dataset, at most, and a quarter of all"
    )
    parser.add_argument("--max-tokens", type=cli.positive_int, default=2500, help="leave longer dialogues out")
    parser.add_argument("--tutorchat-train", action="store_true", help="also TutorChat's five train files (1.1 GB)")
    return parser.parse_args(argv)


def main(
    *,
    output_dir: Path | None,
    paper: bool,
    from_dir: Path | None,
    audit: Path | None,
    mrbench: bool,
    strict: bool,
    tokenizer: str | None,
    seed: int,
    train_size: int,
    test_size: int,
    max_tokens: int,
    tutorchat_train: bool,
) -> None:
    """Fetch or only audit; SystemExit(1) if `strict` and something leaks."""
    if mrbench and output_dir:
        from utils.sources.mrbench import fetch_mrbench

        print("fetched", *fetch_mrbench(output_dir), sep="\n  ")
        return
    count_tokens = _token_counter(tokenizer)
    if not audit:
        if output_dir is None:
            raise ValueError("--output-dir is missing: say where the seeds should go")
        old = _earlier_seeds(output_dir)
        if paper:
            files, seeds = fetch_paper(output_dir)
            report = {}
        else:
            raw, files = (find_raw(from_dir), []) if from_dir else fetch_raw(output_dir, tutorchat_train)
            sizes = {"train_size": train_size, "test_size": test_size, "max_tokens": max_tokens}
            seeds, report = make_seeds(raw, count_tokens, seed=seed, **sizes)
            report = {"seed": seed, **sizes, "datasets": report}
        origins = [{**asdict(file), "local": str(file.local)} for file in files]
        write_json(output_dir / "sources.json", {"seeds": sorted(seeds), "files": origins, **report})
        write_text(output_dir / "LICENSES.md", LICENSES)
        for name in old - seeds.keys():
            (output_dir / name).unlink()
        for name, text in seeds.items():
            write_text(output_dir / name, text)

    result = examine(audit or output_dir, count_tokens)
    if output_dir is not None:
        write_json(output_dir / "audit.json", result)
    print(f"\n{table(result)}")
    if strict and result["leaks"]:
        raise SystemExit(1)


def fetch_paper(output_dir: Path) -> tuple[list[Fetched], dict[str, str]]:
    """The original's files: prompts go to `output_dir/prompts`, the text of all others is returned by name."""
    files = fetch(SOURCES["paper"], output_dir / "raw")
    texts = {file.path: file.local.read_text(encoding="utf-8") for file in files}
    for path, text in texts.items():
        if path.startswith("templates/"):
            write_text(output_dir / "prompts" / Path(path).name, text)
    print(f"{len(files)} files of {SOURCES['paper'].repo} in {output_dir}")
    return files, {Path(path).name: text for path, text in texts.items() if not path.startswith("templates/")}


def fetch_raw(output_dir: Path, tutorchat_train: bool) -> tuple[dict[str, list[Path]], list[Fetched]]:
    """The raw files of the three sources: (where they are, by dataset; all of them with revision and checksum)."""
    parts = {name: [name] for name in LAYOUT}
    parts["tutorchat"] += ["tutorchat_train"] if tutorchat_train else []
    files = {
        name: [file for part in parts[name] for file in fetch(SOURCES[part], output_dir / "raw" / name)]
        for name in LAYOUT
    }
    paths = {name: [file.local for file in found] for name, found in files.items()}
    return paths, [file for found in files.values() for file in found]


def make_seeds(
    raw: dict[str, list[Path]], count_tokens: Callable[[str], int], *, seed: int, train_size: int, test_size: int,
    max_tokens: int,
) -> tuple[dict[str, str], dict[str, Any]]:  # fmt: skip
    """Convert and split: (the JSONL text of each seed file, by its name; how many rows came of what, by dataset)."""
    texts, report = {}, {}
    for name in LAYOUT:
        if name not in raw:
            print(f"{name}: no raw files")
            continue
        converted = convert_files(name, raw[name], seed)
        rows = []
        for row in converted.rows:
            if count_tokens(prompt_text(row)) <= max_tokens:
                rows.append(row)
            else:
                converted.leave_out(f"a prompt of more than {max_tokens} tokens", row["id"])
        parted = split(rows, train_size, test_size, seed)
        for part, chosen in (("train", parted.train), ("test", parted.test)):
            if chosen:
                lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in chosen]
                texts[f"{name}_{part}.jsonl"] = "".join(lines)
        report[name] = {
            "train": len(parted.train), "test": len(parted.test), "beyond_size": parted.not_needed,
            "moved_to_train": parted.moved_to_train,
            "left_out": {why: {"count": len(where), "first": where[:3]} for why, where in converted.left_out.items()},
        }  # fmt: skip
        print(
            f"{name}: {len(parted.train)} train rows, {len(parted.test)} test rows ({parted.moved_to_train} moved to "
            f"train as too close to a training row), {parted.not_needed} more than asked for"
        )
        for reason, where in converted.left_out.items():
            print(f"  left out, {reason}: {len(where)} (first: {where[0]})")
    return texts, report


def _earlier_seeds(output_dir: Path) -> set[str]:
    """The names of the seed files that an earlier run has made there. ValueError if there are others, such as the
    sample in `datasets/`: those are never written over."""
    record = output_dir / "sources.json"
    own = set(read_json(record).get("seeds", [])) if record.is_file() else set()
    for path in output_dir.glob("*_t*.json*"):
        if path.name not in own:
            raise ValueError(f"{output_dir} holds seeds of another origin ({path.name}); choose a new --output-dir")
    return {name for name in own if (output_dir / name).is_file()}


def _token_counter(name: str | None) -> Callable[[str], int]:
    if name is None:
        return estimate_tokens
    from transformers import AutoTokenizer

    from utils.models import resolve

    tokenizer = AutoTokenizer.from_pretrained(resolve(name))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


if __name__ == "__main__":
    cli.run(main, parse_args)
