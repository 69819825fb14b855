"""Fetch the three public datasets, convert them to clean seeds, split them without leaks, and audit the result.

    python -m fetch_datasets --output-dir data/clean

Then train on them with `--datasets-dir data/clean`. It also does the following:

    python -m fetch_datasets --output-dir data/paper --paper      the paper's own seeds, ratings and prompts
    python -m fetch_datasets --output-dir data/clean --from DIR   convert files that are already here
    python -m fetch_datasets --audit DIR --strict                 audit any folder of seeds
    python -m fetch_datasets --output-dir data/mrbench --mrbench  tutors' answers with human labels, for mrbench.py

MathDial's licence is CC BY-SA 4.0, the debugging benchmark's MIT; TutorChat states none, so keep it to yourself.
`LICENSES.md` beside the seeds has the details, `sources.json` the origin of each file.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from utils import cli, flags
from utils.artifacts import sha256, write_json, write_text
from utils.errors import BadInput
from utils.manifest import only_run
from utils.seeds.audit import audit as examine
from utils.seeds.audit import estimate_tokens, table
from utils.sources.convert import LAYOUT, find_raw
from utils.sources.download import SOURCES, fetch
from utils.sources.folder import dataset_of, put_seeds, read_record
from utils.sources.licenses import LICENSES
from utils.sources.make_seeds import make_seeds, summary

Files = list[dict[str, Any]]  # as `sources.json` lists them


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--output-dir", type=Path, help="the folder for the seeds; with --audit, for audit.json")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--paper", action="store_true", help="fetch the paper's own seeds, unchanged, to reproduce it")
    task.add_argument(
        "--from", dest="from_dir", type=Path, metavar="DIR",
        help="convert raw files in DIR: mathdial/*.jsonl, tutorchat/*.parquet, debugging/{train,testset}/*.txt",
    )  # fmt: skip
    task.add_argument("--audit", type=Path, metavar="DIR", help="audit the seeds in DIR, without fetching anything")
    task.add_argument("--mrbench", action="store_true", help="fetch MRBench, which checks a judge: see mrbench.py")
    parser.add_argument("--strict", action="store_true", help="exit with code 1 if a split or a prompt leaks")
    parser.add_argument(
        "--tokenizer",
        metavar="MODEL",
        help="measure lengths with this model's tokenizer: a hub name, a folder or smollm2 (default: count words and "
        "punctuation marks)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the cuts and of the splits")
    parser.add_argument("--train-size", type=flags.positive_int, default=500, help="most training rows per dataset")
    parser.add_argument(
        "--test-size", type=flags.positive_int, default=100,
        help="most test rows per dataset, and never more than a quarter of all",
    )  # fmt: skip
    parser.add_argument("--max-tokens", type=flags.positive_int, default=2500, help="leave out longer dialogues")
    parser.add_argument(
        "--tutorchat-train", action="store_true", help="also fetch TutorChat's five training files (1.1 GB)"
    )
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
    """Fetch seeds, or only audit them. Raises SystemExit(1) if `strict` and something leaks."""
    if output_dir is None and not audit:
        raise BadInput("--output-dir is missing: say where the seeds should go")
    count_tokens = _token_counter(tokenizer)
    if not audit:
        with only_run(output_dir):
            if mrbench:
                from utils.sources.mrbench import fetch_mrbench

                print("fetched", *fetch_mrbench(output_dir), sep="\n  ")
                return
            known = read_record(output_dir)["files"]
            if paper:
                seeds, record = fetch_paper(output_dir, known)
            else:
                raw, files = take_raw(from_dir) if from_dir else fetch_raw(output_dir, known, tutorchat_train)
                sizes = {"train_size": train_size, "test_size": test_size, "max_tokens": max_tokens}
                seeds, report = make_seeds(raw, count_tokens, seed=seed, **sizes)
                record = {"files": files, "seed": seed, **sizes, "datasets": report}
                print(summary(report))
            made = set(record["datasets"])
            kept = put_seeds(output_dir, seeds, made, record)
            write_text(output_dir / "LICENSES.md", LICENSES)
            for name in [name for name in LAYOUT if name not in made]:
                stay = ", ".join(file for file in kept if dataset_of(file) == name)
                print(f"{name}: no raw files" + (f"; {stay} of an earlier run stay" if stay else ""))
    result = examine(audit or output_dir, count_tokens)
    if output_dir is not None:
        write_json(output_dir / "audit.json", result)
    print(f"\n{table(result)}")
    if strict and result["leaks"]:
        raise SystemExit(1)


def fetch_paper(output_dir: Path, known: Files) -> tuple[dict[str, str], dict[str, Any]]:
    """Fetch the original's files unchanged; write all but the seeds. Returns (text of each seed file, record)."""
    files = fetch(SOURCES["paper"], output_dir / "raw", known)
    texts = {file.path: file.local.read_text(encoding="utf-8") for file in files}
    names = {path: Path(path).name for path in texts}
    seeds = {names[path]: text for path, text in texts.items() if Path(path).stem.endswith(("_train", "_test"))}
    for path, text in texts.items():
        if names[path] not in seeds:
            folder = "prompts" if path.startswith("templates/") else "."
            write_text(output_dir / folder / names[path], text)
    print(f"{len(files)} files of {SOURCES['paper'].repo} in {output_dir}")
    datasets = {dataset_of(name): {"unchanged": True} for name in seeds}
    return seeds, {"files": [_entry("paper", **asdict(file)) for file in files], "datasets": datasets}


def fetch_raw(output_dir: Path, known: Files, tutorchat_train: bool) -> tuple[dict[str, list[Path]], Files]:
    """Fetch the raw files of the three sources. Returns (paths by dataset, files with revision and checksum)."""
    paths, entries = {}, []
    for name in LAYOUT:
        parts = [name, f"{name}_train"] if name == "tutorchat" and tutorchat_train else [name]
        files = [file for part in parts for file in fetch(SOURCES[part], output_dir / "raw" / name, known)]
        paths[name] = [file.local for file in files]
        entries += [_entry(name, **asdict(file)) for file in files]
    return paths, entries


def take_raw(folder: Path) -> tuple[dict[str, list[Path]], Files]:
    """Find the raw files in a folder. Returns (paths by dataset, files with checksum)."""
    paths = find_raw(folder)
    return paths, [
        _entry(name, local=path, size=path.stat().st_size, sha256=sha256(path))
        for name, found in paths.items() for path in found
    ]  # fmt: skip


def _entry(dataset: str, local: Path, **facts: Any) -> dict[str, Any]:
    """Describe a file as `sources.json` lists it."""
    return {"dataset": dataset, "local": str(local), **facts}


def _token_counter(name: str | None) -> Callable[[str], int]:
    if name is None:
        return estimate_tokens
    from transformers import AutoTokenizer

    from utils.models import resolve

    tokenizer = AutoTokenizer.from_pretrained(resolve(name))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


if __name__ == "__main__":
    cli.run(main, parse_args)
