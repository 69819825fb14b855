"""Seeds, formats and names that nobody here had in mind: from a stranger's folder to figures and report."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from utils.artifacts import read_json

ROOT = Path(__file__).resolve().parent.parent
QUICK = [
    "--limit", "4", "--max-new-tokens", "12", "--eval-max-new-tokens", "8", "--num-candidates", "3",
    "--min-chosen-score", "0.1", "--gradient-accumulation", "1", "--learning-rate", "1e-2", "--dtype", "float32",
    "--device", "cpu",
]  # fmt: skip


def talk(number: int, split: str) -> list[tuple[str, str]]:
    start = 3 + number + (20 if split == "test" else 0)
    return [
        ("student", f"A ball rolls {start} metres in 4 seconds. I get {start * 4} metres per second."),
        ("teacher", "What does metres per second ask you to compare?"),
        ("student", f"Metres and seconds, so I multiplied {start} by 4."),
    ]


def write_folder(folder: Path) -> None:
    """physics: csv with `messages`, parquet; optics: ShareGPT, gzipped; wurf: German labels in plain text."""
    folder.mkdir()
    for split in ("train", "test"):
        dialogues = [talk(number, split) for number in range(5)]
        messages = [
            [{"role": "user" if who == "student" else "assistant", "content": said} for who, said in one]
            for one in dialogues
        ]
        if split == "train":
            with (folder / "physics_train.csv").open("w", newline="") as f:
                writer = csv.writer(f)
                writer.writerow(["id", "messages"])
                writer.writerows([number, json.dumps(one)] for number, one in enumerate(messages))
        else:
            pd.DataFrame({"id": range(len(messages)), "messages": messages}).to_parquet(folder / "physics_test.parquet")
        sharegpt = [
            {"id": f"optics-{split}-{number}", "conversations": [
                {"from": "human" if who == "student" else "gpt", "value": said.replace("ball rolls", "ray runs")}
                for who, said in one
            ]}
            for number, one in enumerate(dialogues)
        ]  # fmt: skip
        with gzip.open(folder / f"optics_{split}.json.gz", "wt") as f:
            json.dump(sharegpt, f)
    german = [
        {"id": number, "text": f"Schüler: Der Ball fällt {number + 30} Meter.\nLehrerin: Wie lange?\nSchüler: 2 s."}
        for number in range(4)
    ]
    (folder / "wurf_train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in german), encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("stranger")
    write_folder(folder / "seeds")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "--output-dir", folder / "run", "--datasets-dir", folder / "seeds",
         "--instruct-model", tiny, "--train-on", "physics,optics+wurf", "--training-seeds", "0", "1", "--trained-on",
         "physics", "--also-evaluate", tiny, "--report-judge", "offline", *QUICK],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run", done


def test_every_dataset_is_found_and_what_has_no_test_set_is_said(made):
    root, done = made
    assert "no test set of wurf: no tutor is evaluated on it" in done.stderr
    assert sorted(path.name for path in (root / "evaluation").iterdir()) == ["optics", "physics"]
    seeds = read_json(root / "manifest.json")["artifacts"]["dpo/optics+wurf/train_dataset.json"]["paths"]
    rows = read_json(root / "dpo" / "optics+wurf" / "train_dataset.json")
    assert len(rows) == 8 and rows[-1]["prompt"].startswith("Student: Der Ball") and seeds is not None


def test_tutors_baselines_and_the_second_judge_are_evaluated_and_shown(made):
    root, done = made
    files = {path.name for path in (root / "evaluation" / "physics").glob("*.json")}
    trained = {name for name in files if name.startswith("from_finetuned_with_")}
    assert {"base.json", "gpt4o.json", "also_tiny.json", "baseline_constant_question.json"} <= files
    assert any(".by_" in name for name in files)
    assert "Physics" in done.stdout and "one question to everyone" in done.stdout
    assert (root / "figures" / "figure_5.png").is_file() and (root / "report.html").stat().st_size > 50_000
    log = done.stderr + done.stdout
    assert trained or "no pair was eligible" in log  # an untrained model's answers may give no pair


def test_paper_values_stand_beside_the_papers_own_alone(made):
    root, _ = made
    assert "0.98" not in (root / "figures" / "table_1.md").read_text()


def test_a_dataset_that_is_not_there_is_named(tmp_path):
    write_folder(tmp_path / "seeds")
    for flags, message in (
        (["--datasets", "physik"], "has no physik_train and no physik_test"),
        (["--train-on", "physics+chemistry"], "has no chemistry_train"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "--output-dir", tmp_path / "x", "--datasets-dir", tmp_path / "seeds",
             *flags],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
