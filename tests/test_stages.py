"""The scripts themselves, run at toy size with the real small model, the real rubric and real files."""

import json
from pathlib import Path

import pytest
from in_process import run

from utils import models
from utils.artifacts import read_json
from utils.judges.judge import OfflineJudge
from utils.prompts import INFERENCE_PROMPT, digest, load_template
from utils.records import TutorAnswer
from utils.seeds.read import read_seeds
from utils.tutors.local import LocalTutor
from utils.tutors.tutor import Sampling

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "datasets" / "mathdial_test.jsonl"
QUICK = ["--limit", "3", "--max-new-tokens", "12", "--dtype", "float32"]
FIELDS = {"prompt", "output", "raw_evaluation", "evaluation_error", "evaluation", "score"}  # the original's


def test_eval_model_writes_the_originals_fields_and_more(tmp_path):
    output = tmp_path / "base.json"
    done = run("eval_model", "--seeds", SEEDS, "--output-path", output, *QUICK)
    assert done.returncode == 0, done.stderr
    rows = read_json(output)
    assert len(rows) == 3 and FIELDS | {"id", "group", "finish_reason", "tutor"} <= rows[0].keys()
    assert rows[0]["tutor"] == "SmolLM2-135M-Instruct" and 0 < rows[0]["tokens"] <= 12
    assert "score 0." in done.stdout
    again = run("eval_model", "--seeds", SEEDS, "--output-path", output, *QUICK)
    assert again.returncode == 2 and "is there already" in again.stderr and "Traceback" not in again.stderr


def test_self_eval_takes_the_best_of_five_and_says_so(tmp_path):
    output = tmp_path / "gpt4o.json"
    done = run("self_eval", "--seeds", SEEDS, "--output-path", output, *QUICK)
    assert done.returncode == 0, done.stderr
    rows = read_json(output)
    assert {row["tutor"] for row in rows} == {"SmolLM2-135M-Instruct, best of 5"}
    seeds = read_seeds(SEEDS, 3)
    template = load_template(INFERENCE_PROMPT, "input")
    tutor = LocalTutor("smollm2", Sampling(1.0, 50, 12, 0), template, device="cpu", dtype="float32")
    answers = tutor.answer(seeds, 5, journal_path=tmp_path / "gpt4o.candidates.jsonl", description="")  # from there
    judge = OfflineJudge()
    for seed, samples, row in zip(seeds, answers.samples, rows, strict=True):
        scores = [judge.grade(TutorAnswer(seed.text, sample.text, seed.answer)).score for sample in samples]
        assert row["score"] == max(scores) and row["output"] in {sample.text for sample in samples}


def test_gen_train_dataset_keeps_every_candidate_and_pairs_best_with_worst(tmp_path):
    output = tmp_path / "train_dataset.json"
    flags = ["--seeds", SEEDS, "--output-path", output, *QUICK, "--num-candidates", 4, "--min-chosen-score", 0.3]
    done = run("gen_train_dataset", *flags)
    assert done.returncode == 0, done.stderr
    for row in read_json(output):
        candidates = row["all_evaluations"]
        assert len(candidates) == 4
        assert {"output", "raw_evaluation", "evaluation_error", "evaluation"} <= candidates[0].keys()
        assert row["rejected_eval"]["score"] <= min(c["score"] for c in candidates) + 0.025
        if row["eligible"]:
            assert row["chosen_eval"]["score"] > max(0.3, row["rejected_eval"]["score"])
            assert row["chosen"] == row["chosen_eval"]["output"] and not row["chosen_eval"]["guards"]
    assert "prompts give a preference pair" in done.stdout


def test_the_reference_is_one_more_candidate_that_may_be_chosen(tmp_path):
    """What a teacher really said stood in the seeds and was never looked at."""
    rows = [json.loads(line) for line in SEEDS.read_text().splitlines()[:3]]
    rows[2]["reference"] = None
    seeds, output = tmp_path / "seeds.jsonl", tmp_path / "train_dataset.json"
    seeds.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ["--seeds", seeds, "--output-path", output, *QUICK, "--num-candidates", 2, "--with-reference"]
    done = run("gen_train_dataset", *flags)
    assert done.returncode == 0, done.stderr
    found = read_json(output)
    sources = [[one["source"] for one in row["all_evaluations"]] for row in found]
    assert sources == [["tutor", "tutor", "reference"]] * 2 + [["tutor", "tutor"]]
    judge = OfflineJudge()
    for row, seed in zip(found[:2], read_seeds(seeds), strict=False):
        said = row["all_evaluations"][2]
        assert said["output"] == seed.reference
        assert said["score"] == judge.grade(TutorAnswer(seed.text, seed.reference, seed.answer)).score
        assert row["eligible"] and row["chosen"] == seed.reference, "12 tokens of the base are no better than a teacher"
    assert "8 candidates" in done.stdout
    assert "2 of them are reference turns (of 3 prompts); 2 are the chosen side of a pair" in done.stdout


def test_an_overlong_seed_is_left_out_and_counted_and_rows_say_who_sampled_them(tmp_path, tiny):
    """One seed that does not fit must not end a run; and pairs of one model must not train another."""
    seeds, output = tmp_path / "x.json", tmp_path / "pairs.json"
    seeds.write_text(json.dumps(["Student: Is 4 even?", "Student: " + "Is 4 even? " * 2000]))
    flags = ["--seeds", seeds, "--max-new-tokens", "4", "--dtype", "float32", "--device", "cpu"]
    done = run("eval_model", *flags, "--output-path", tmp_path / "x_out.json", "--model-path", tiny)
    assert done.returncode == 0 and "left out: seed" in done.stderr and "(1 invalid)" in done.stdout, done.stderr
    fits, long = read_json(tmp_path / "x_out.json")
    assert fits["score"] is not None and (long["score"], long["finish_reason"]) == (None, "context_length")
    flags += ["--num-candidates", "2", "--temperature", "0.9", "--top-k", "7", "--seed", "3"]
    done = run("gen_train_dataset", *flags, "--output-path", output, "--instruct-model", tiny)
    assert done.returncode == 0 and "left out: seed" in done.stderr, done.stderr
    expected = {"temperature": 0.9, "top_k": 7, "max_new_tokens": 4, "seed": 3, "dtype": "float32"}
    expected |= models.identity(tiny) | {"inference_prompt": digest(INFERENCE_PROMPT.read_text(encoding="utf-8"))}
    rows = read_json(output)
    assert [row["sampled_by"] for row in rows] == 2 * [{"model": tiny, "settings": expected}]
    assert not rows[1]["eligible"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--judge-llm", "gpt-4o"], "--judge-llm"),
        (["--judge-llm", "openai", "env:NO_SUCH_KEY", "m"], "NO_SUCH_KEY is empty or not set"),
        (["--model-path", "datasets"], "not a model folder"),
        (["--model-path", "./nomodel"], "./nomodel: no such folder"),
        (["--inference-prompt", "prompts/judge.txt"], "no {input} placeholder"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(tmp_path, flags, message):
    done = run("eval_model", "--seeds", SEEDS, "--output-path", tmp_path / "x.json", *flags)
    assert done.returncode == 2 and message in done.stderr
    assert "Traceback" not in done.stderr
