"""The original code's command lines work: each of its flags is an alias."""

import importlib
from pathlib import Path

import pytest


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
