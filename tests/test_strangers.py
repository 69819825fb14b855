"""Seeds, formats and names that nobody here had in mind: from a stranger's folder to figures and report."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import in_process
import pandas as pd
import pytest
from fault_server import FaultServer

import figures
import pipeline
from utils.artifacts import read_json
from utils.cli import call
from utils.errors import BadInput
from utils.seeds.chosen import choose

ROOT = Path(__file__).resolve().parent.parent
QUICK = [
    "--limit", "4", "--max-new-tokens", "12", "--eval-max-new-tokens", "8", "--num-candidates", "3",
    "--min-chosen-score", "0.1", "--gradient-accumulation", "1", "--learning-rate", "1e-2", "--dtype", "float32",
    "--device", "cpu", "--classroom-problems", "0",
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
        done = in_process.run("pipeline", "--output-dir", tmp_path / "x", "--datasets-dir", tmp_path / "seeds", *flags)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_names_and_ids_that_cannot_be_joined_are_refused_before_anything_is_made(tmp_path):
    """`a+b` was taken for the datasets a and b; an id in both of two was found when the first tutor was trained."""
    for name, row in (("a", 1), ("b", 1), ("a+b", 2)):
        (tmp_path / f"{name}_train.jsonl").write_text(json.dumps({"id": row, "text": f"{name} falls"}))
    limits = {"train": None, "test": None}
    with pytest.raises(BadInput, match=r"name a\+b_train otherwise"):
        choose(tmp_path, limits=limits)
    with pytest.raises(BadInput, match=r"a_train\.jsonl, .*b_train\.jsonl: the id '1' is in 2 of them"):
        choose(tmp_path, ["a", "b"], ["a", "a+b"], limits=limits)
    assert choose(tmp_path, ["a", "b"], limits=limits).train_on == ["a", "b"]


def test_a_dataset_without_a_test_set_is_trained_on_and_what_is_not_shown_is_said(tmp_path, caplog):
    """It was refused: "nothing could be evaluated"."""
    write_folder(tmp_path / "seeds")
    with caplog.at_level("WARNING"):
        seeds = choose(tmp_path / "seeds", ["wurf"], limits={"train": 4, "test": 4})
    assert (seeds.train_on, seeds.tested) == (["wurf"], []) and len(seeds.dialogues["wurf", "train"]) == 4
    assert "no test set of wurf: no tutor is evaluated on it; nothing is evaluated, so the table" in caplog.text


def test_two_datasets_without_a_test_set_make_one_tutor_and_a_report(tmp_path, tiny):
    """The run ended before it began: nothing could be evaluated."""
    for name in ("physics", "optics"):
        text = "Student: 3 + {} is {}.\nTeacher: Why?\nStudent: I counted.\nTeacher: What do 3 and {} more make?"
        lines = [json.dumps({"text": f"{name}\n" + text.format(n, n + 4, n)}) + "\n" for n in range(3)]
        (tmp_path / f"{name}_train.jsonl").write_text("".join(lines))
    done = in_process.run(
        "pipeline", "--output-dir", tmp_path / "run", "--datasets-dir", tmp_path, "--instruct-model", tiny,
        "--train-on", "physics+optics", "--with-reference", *QUICK, "--limit", "2", "--epochs", "1",
    )  # fmt: skip
    assert done.returncode == 0 and "nothing is evaluated" in done.stderr, done.stderr[-2000:]
    rows = read_json(tmp_path / "run/dpo/physics+optics/train_dataset.json")
    assert len(rows) == 4 and "The weights of each tutor" in done.stdout
    assert (tmp_path / "run/figures/training.png").is_file() and (tmp_path / "run/report.html").is_file()


def test_what_a_tree_of_other_datasets_lacks_is_named_by_its_own_names(tmp_path, capsys):
    """Guards: "figure_5: not drawn, without evaluation/mathdial/ (all), …" of a run on physics."""
    log = tmp_path / "dpo" / "physics" / "checkpoints" / "training_log.json"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({"log": [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.5}]}))
    (tmp_path / "dpo" / "physics" / "train_dataset.json").write_text("[]")
    missing = figures.main(tmp_path)["missing"]
    assert "figure_5: not drawn, without evaluation/physics/ (all)" in missing, missing
    assert "mathdial" not in capsys.readouterr().out


# --- every format that is read, from a folder to figures


def chat(one, asks="user", says="assistant", role="role", content="content") -> list[dict]:
    return [{role: asks if who == "student" else says, content: said} for who, said in one]


def labelled(one, asks="Pupil", says="Tutor") -> str:
    return "\n".join(f"{asks if who == 'student' else says}: {said}" for who, said in one)


SYSTEM = {"role": "system", "content": "A lesson in mechanics."}
ROWS = {  # a row of each shape, of one dialogue
    "our rows": lambda n, one: {"id": n, "answer": 42, "group": f"p{n}", "turns": chat(one, "student", "teacher")},
    "the original's strings": lambda n, one: "Student: " + repr([said for _, said in one])[1:-1],
    "messages": lambda n, one: {"messages": [SYSTEM, *chat(one, "pupil", "tutor")]},
    "bare messages": lambda n, one: chat(one, "user", "model"),
    "prompt, a string": lambda n, one: {"prompt": labelled(one), "source": "a forum"},
    "prompt, messages": lambda n, one: {"prompt": chat(one)},
    "ShareGPT": lambda n, one: {"conversations": chat(one, "human", "gpt", "from", "value")},
    "plain text": lambda n, one: {"text": labelled(one, "Alumna", "Profesora")},
}
FILES = {  # what a stranger may have: the shape of the rows, how they are packed for training and for the test
    "rows": ("our rows", ".jsonl", ".json.gz"), "strings": ("the original's strings", ".json", ".json"),
    "messages": ("messages", ".parquet", ".csv"), "bare": ("bare messages", ".jsonl.gz", ".json"),
    "asked": ("prompt, a string", ".csv.gz", ".parquet.gz"), "lines": ("prompt, messages", ".json", ".parquet"),
    "shared": ("ShareGPT", ".csv", ".jsonl"), "plain": ("plain text", ".csv", ".json"),
}  # fmt: skip


def pack(path: Path, rows: list) -> None:
    """The rows in the format that the suffix names; .json is a list or, for `lines_train`, a row in each line."""
    opened = gzip.open if path.suffix == ".gz" else open
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        file = path.with_suffix("") if path.suffix == ".gz" else path
        pd.DataFrame(rows).to_parquet(file)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
        return
    with opened(path, "wt", encoding="utf-8-sig" if kind == "csv" else "utf-8", newline="") as f:
        if kind == "csv":
            writer = csv.DictWriter(f, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(
                {name: cell if isinstance(cell, str) else json.dumps(cell) for name, cell in row.items()}
                for row in rows
            )
        elif kind == "json" and path.name != "lines_train.json":
            json.dump(rows, f, indent=1)
        else:
            f.write("".join(json.dumps(row) + "\n" for row in rows))


def test_a_folder_in_every_format_goes_from_pipeline_to_figures(tmp_path, tiny, monkeypatch):
    """A row in each line, a list, csv, parquet and gz of these, and every shape of a row; a judge with an API."""
    seeds, root = tmp_path / "seeds", tmp_path / "run"
    seeds.mkdir()
    for place, (name, (shape, *suffixes)) in enumerate(FILES.items()):
        for split, suffix in zip(("train", "test"), suffixes, strict=True):
            dialogues = [talk(100 * place + number, split) for number in range(6)]
            pack(seeds / f"{name}_{split}{suffix}", [ROWS[shape](n, one) for n, one in enumerate(dialogues)])
    flags = [
        "--output-dir", root, "--datasets-dir", seeds, "--instruct-model", tiny, "--train-on", "+".join(FILES),
        "--judge-llm", "openai", "none", "judge-1", "--seed", "1", *QUICK, "--epochs", "1", "--num-candidates", "2",
    ]  # fmt: skip
    with FaultServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = call(pipeline.main, pipeline.parse_args(list(map(str, flags))))
    rows = read_json(root / "dpo" / "+".join(FILES) / "train_dataset.json")
    assert len(rows) == 4 * len(FILES)  # --limit 4 of each
    for place in range(len(FILES)):
        said = rows[4 * place]["prompt"]
        assert f"A ball rolls {100 * place + 3} metres in 4 seconds." in said and "ask you to compare?" in said
        assert said.rstrip("'\" ").endswith(f"multiplied {100 * place + 3} by 4."), said
    evaluated = {(row["test_set"], row["model"]) for row in result["table"]}
    trained = "from_finetuned_with_" + "+".join(FILES)
    assert {(name, model) for name in FILES for model in ("base", trained, "gpt4o")} <= evaluated
    assert all(row["answers"] == 4 for row in result["table"])
    primary = {(one["dataset"], one["family"]) for one in result["comparisons"] if one["against"] == "base"}
    assert primary == {(name, "primary") for name in FILES}  # every kind that it was trained on is its own
    assert {"figure_5.png", "figure_6.png", "comparisons.png", "training.png", "table_1.csv"} <= {
        path.name for path in result["files"]
    }
    assert (root / "report.html").stat().st_size > 50_000
