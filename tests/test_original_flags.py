"""The original code's command lines work: each of its flags is an alias."""

import importlib
import json
import re
from pathlib import Path

import pytest
from fault_server import FaultServer

from utils.artifacts import read_json
from utils.cli import call


@pytest.mark.parametrize(
    ("script", "flags", "expected"),
    [
        (
            "gen_train_dataset", ["--input", "s.json", "--output", "t.json", "--eval-prompt", "j.txt"],
            {"seeds": [Path("s.json")], "output_path": Path("t.json"), "judge_prompt": "j.txt"},
        ),
        (
            "train", ["--input", "t.json", "--checkpoints-dir", "c", "--model-dir", "m"],
            {"train_dataset": Path("t.json"), "checkpoints_dir": Path("c"), "model_dir": Path("m")},
        ),
        (
            "eval_model", ["--input", "s.json", "--output", "b.json", "--eval-prompt", "j.txt"],
            {"seeds": [Path("s.json")], "output_path": Path("b.json"), "judge_prompt": "j.txt"},
        ),
        (
            "self_eval", ["--input", "s.json", "--output", "b.json", "--eval-prompt", "j.txt"],
            {"seeds": [Path("s.json")], "output_path": Path("b.json"), "judge_prompt": "j.txt"},
        ),
        ("human_vs_gpt", ["--humans", "h.json", "--output-dir", "o"], {"output_dir": Path("o")}),
        ("pipeline", ["--use-cache"], {"use_cache": True}),
    ],
)  # fmt: skip
def test_the_originals_flags_are_aliases(script, flags, expected):
    args = vars(importlib.import_module(script).parse_args(flags))
    assert expected.items() <= args.items()


DOCS = (Path(__file__).resolve().parent.parent / "docs" / "datasets.md").read_text(encoding="utf-8")
STAGE = {"--input": "--seeds", "--output": "--output-path", "--eval-prompt": "--judge-prompt"}
FLAGS = {  # the original's flags and what they are called here
    "gen_train_dataset": STAGE, "eval_model": STAGE, "self_eval": STAGE,
    "train": {"--input": "--train-dataset", "--checkpoints-dir": "--output-dir", "--model-dir": "--output-dir"},
    "human_vs_gpt": {"--output-dir": "--output-path"}, "pipeline": {"--use-cache": "always on"},
}  # fmt: skip


@pytest.mark.parametrize("script", FLAGS)
def test_help_and_docs_have_the_originals_flags(script, capsys):
    """argparse takes `--output` for the beginning of `--output-path`: what is accepted need not be told."""
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(script).parse_args(["--help"])
    entries = re.findall(r"^  --.*(?:\n {8,}.*)*", capsys.readouterr().out, re.MULTILINE)
    (row,) = [line for line in DOCS.splitlines() if line.startswith(f"| `{script} --")]
    for old, new in FLAGS[script].items():
        (entry,) = [one for one in entries if re.search(rf"(?:^  |, ){old}\b(?!-)", one)]
        assert len(entry.split()) > 4  # it says what it is
        assert f"{old} " in row.replace("`", " ") and new in row


def test_what_use_cache_asks_for_is_said_in_one_line(tmp_path, caplog):
    Path(tmp_path / "optics_train.json").write_text(json.dumps([STRING.format(n=n, s=n + 3) for n in range(4)]))
    flags = ["--datasets-dir", str(tmp_path), "--output-dir", str(tmp_path / "out"), "--dry-run"]
    with caplog.at_level("INFO"):
        pipeline = importlib.import_module("pipeline")
        call(pipeline.main, pipeline.parse_args([*flags, "--use-cache"]))
    (said,) = [record.getMessage() for record in caplog.records if "cache" in record.getMessage()]
    assert "--use-cache is always on" in said


# --- the six lines run, one after the other, in one folder

STRING = (
    'Student: "A ball costs {n} euros. I pay for 3 balls and get {n} + 3 = {s}.", \'Teacher: (probing)What does each '
    "of them cost?', \"Student: Each costs {n} euros.\", '"
)
JUDGE = 'Grade the answer {answer} in the conversation {conversation} as {"questions": "yes", "on_topic": 1}'
JUDGED = ["--judge-llm", "openai", "sk-of-nobody", "gpt-4o"]  # a key given literally, as the original has it
TINY = ["--instruct-model", "{tiny}", "--dtype", "float32", "--device", "cpu"]
SHORT = ["--inference-prompt", "inference.txt", "--max-new-tokens", "8", "--seed", "1"]
LINES = {
    "gen_train_dataset": [
        "--input", "mathdial_train.json", "--output", "train_dataset.json", "--eval-prompt", "eval.txt", *JUDGED,
        "--num-candidates", "4", "--min-chosen-score", "0.1", *SHORT, *TINY,
    ],
    "train": [
        "--input", "train_dataset.json", "--checkpoints-dir", "checkpoints", "--model-dir", "weights",
        "--min-chosen-score", "0.1", "--epochs", "1", "--learning-rate", "1e-2", *SHORT[:2], *TINY,
    ],
    "eval_model": [
        "--input", "mathdial_test.json", "--output", "finetuned.json", "--eval-prompt", "eval.txt", *JUDGED,
        "--model-path", "weights", *SHORT, *TINY[2:],
    ],
    "self_eval": [
        "--input", "mathdial_test.json", "--output", "self.json", "--eval-prompt", "eval.txt", *JUDGED,
        *SHORT, *TINY,
    ],
    "human_vs_gpt": [
        "--humans", "mathdial_human_eval.json", "--eval-prompt", "eval.txt", "--output-dir", ".", *JUDGED,
    ],
    "pipeline": [
        "--datasets-dir", ".", "--output-dir", "out", "--use-cache", *JUDGED, "--limit", "2",
        "--eval-max-new-tokens", "8", "--min-chosen-score", "0.1", "--epochs", "1", "--best-of", "3",
        *SHORT, *TINY,
    ],
}  # fmt: skip


def test_the_originals_six_lines_run_in_one_folder(tmp_path, monkeypatch, tiny):
    """On the original's own files: lists of strings, a judge prompt with braces, rated answers."""
    monkeypatch.chdir(tmp_path)
    write_inputs()
    with FaultServer(models=["gpt-4o"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for script, flags in LINES.items():
            module = importlib.import_module(script)
            call(module.main, module.parse_args([flag.format(tiny=tiny) for flag in flags]))
    look_at_outputs()


def write_inputs() -> None:
    for split, numbers in (("train", range(4, 8)), ("test", range(20, 23))):
        Path(f"mathdial_{split}.json").write_text(json.dumps([STRING.format(n=n, s=n + 3) for n in numbers]))
    Path("inference.txt").write_text("Be a Socratic tutor.\n{input}")
    Path("eval.txt").write_text(JUDGE)
    rated = [
        {"prompt": STRING.format(n=n, s=n + 3), "output": output, "evaluation":
         {"questions": asks, "on_topic": points, "helpful": points, "reveal_answer": "no" if asks == "yes" else "yes"}}
        for n, output, asks, points in ((40, "What do 3 balls cost, then?", "yes", 5), (41, "It is 123.", "no", 2),
                                        (42, "Why did you add?", "yes", 4), (43, "Nice work!", "no", 1))
    ]  # fmt: skip
    Path("mathdial_human_eval.json").write_text(json.dumps(rated))


def look_at_outputs() -> None:
    pairs, graded = read_json(Path("train_dataset.json")), read_json(Path("finetuned.json"))
    assert len(pairs) == 4 and any(row["eligible"] for row in pairs)
    assert all(len(row["all_evaluations"]) == 4 and "evaluation_error" in row["chosen_eval"] for row in pairs)
    assert Path("weights/model.safetensors").is_file() and Path("checkpoints/training_log.json").is_file()
    assert len(graded) == 3 and graded[0]["tutor"] != read_json(Path("self.json"))[0]["tutor"]
    assert [row["human"]["questions"] for row in read_json(Path("human_vs_gpt.json"))] == ["yes", "no", "yes", "no"]
    best = read_json(Path("out/evaluation/mathdial/baseline_best_of_n.json"))
    assert {row["best_of"] for row in best} == {3} and "| base, best of 3" in Path("out/figures/table_1.md").read_text()
    assert Path("out/figures/figure_4.png").is_file() and Path("out/report.html").is_file()
    assert Path("out/evaluation/human_vs_gpt.json").is_file() and Path("mathdial_train.json").is_file()
