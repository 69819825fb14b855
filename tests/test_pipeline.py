"""The whole pipeline at toy size, twice: everything is made, then nothing is made again."""

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import in_process
import pytest
from fault_server import FaultServer

import eval_model
import pipeline
from utils import cli, plan, speed
from utils.artifacts import read_json
from utils.dpo.recipe import Training
from utils.errors import BadInput
from utils.judges.judge import GradingOptions
from utils.manifest import Manifest
from utils.run import Run
from utils.tutors import baselines
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling
from utils.tutors.variants import also

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
QUICK = [
    "--limit", "2", "--max-new-tokens", "12", "--eval-max-new-tokens", "8", "--num-candidates", "3",
    "--min-chosen-score", "0.2", "--gradient-accumulation", "1", "--learning-rate", "1e-2", "--epochs", "1",
    "--classroom-problems", "4", "--classroom-turns", "1",
]  # fmt: skip
FOR_ONE_STAGE = [
    "--seeds", "x", "--output-path", "x", "--judge-llm", "openai", "none", "judge-1", "--max-invalid", "0.3",
    "--judge-concurrency", "1",
]  # fmt: skip


run = functools.partial(in_process.run, "pipeline")


def pick_datasets(folder: Path) -> Path:
    """The shipped datasets, the shortest dialogues first, and a human-rated file of our own writing."""
    folder.mkdir()
    for path in (ROOT / "datasets").glob("*.jsonl"):
        lines = sorted(path.read_text(encoding="utf-8").splitlines(keepends=True), key=len)
        (folder / path.name).write_text("".join(lines), encoding="utf-8")
    rating = {"questions": "yes", "on_topic": 4, "helpful": 3, "reveal_answer": "no"}
    poor = rating | {"questions": "no", "helpful": 1, "reveal_answer": "yes"}
    rows = [
        {"prompt": f"Student: Is {n} x 3 = {3 * n + 1}?", "output": output, "evaluation": evaluation}
        for n, (output, evaluation) in enumerate(
            [("What is 3 + 3?", rating), ("It is 9.", poor), ("How did you count?", rating), ("No, 15.", poor)], 2
        )
    ]
    (folder / "mathdial_human_eval.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("pipeline") / "root"
    seeds = pick_datasets(root.parent / "seeds")
    flags = ["--output-dir", root, "--datasets-dir", seeds, "--datasets", "mathdial,debugging", *QUICK]
    command = [sys.executable, "-m", "pipeline", *map(str, flags)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # for once as a person runs it
    assert done.returncode == 0, done.stderr[-3000:]
    return root, flags, done


def test_the_tree_is_the_documented_one(made):
    root, _, done = made
    expected = {"manifest.json", "evaluation/human_vs_gpt.json", "figures/figure_5.png", "figures/table_1.csv"}
    expected |= {"figures/training.png"}
    for name in ("mathdial", "debugging"):
        expected |= {
            f"dpo/{name}/train_dataset.json",
            f"dpo/{name}/weights/config.json",
            f"dpo/{name}/checkpoints/training.png",
        }
        files = ("base", "gpt4o", "from_finetuned_with_mathdial", "from_finetuned_with_debugging")
        expected |= {f"evaluation/{name}/{file}.json" for file in files}
    assert {path for path in expected if not (root / path).exists()} == set()
    assert not list(root.rglob(".writing-*")) and not list(root.rglob(".weights-*"))
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in root.rglob("*.json"))
    assert "| test set" in done.stdout and str(root / "figures") in done.stdout and "Next:" in done.stdout


def test_the_manifest_says_how_each_artifact_was_made(made):
    root, _, _ = made
    manifest = read_json(root / "manifest.json")
    assert manifest["names"] == {
        "judge": "offline rubric", "base": "SmolLM2-135M-Instruct", "self": "SmolLM2-135M-Instruct, best of 5",
    }  # fmt: skip
    artifacts = manifest["artifacts"]
    assert len(artifacts) == 2 * 2 + 2 * (4 + 3) + 2  # three baselines each; people; the classroom
    for entry in artifacts.values():
        assert entry["state"] == "done" and entry["seconds"] >= 0 and entry["versions"]["torch"] and entry["started"]
    trained = artifacts["dpo/mathdial/weights"]["inputs"]
    assert len(trained["train_dataset"]) == 64
    assert trained["training"]["beta"] == 0.1 and trained["training"]["model"]["sha256"]
    weights = {artifacts[f"evaluation/mathdial/{file}.json"]["inputs"]["tutor"]["sha256"]
               for file in ("base", "from_finetuned_with_mathdial", "from_finetuned_with_debugging")}  # fmt: skip
    assert len(weights) == 3


def test_base_and_tutors_are_in_the_classroom_and_it_is_in_the_report(made):
    root, _, done = made
    assert "student is made of rules" in done.stdout and "compliance, not learning" in done.stdout
    assert read_json(root / "classroom" / "classroom.json")["tutors"] == [
        "SmolLM2-135M-Instruct", "mathdial/weights", "debugging/weights"
    ]  # fmt: skip
    page = (root / "report.html").read_text()
    assert page.count("; the student is right</summary>") == 3  # one of four dialogues, of each tutor
    assert "compliance, not learning" in page.partition('id="classroom"')[2].partition("</section>")[0]


def test_the_second_run_does_nothing(made):
    root, flags, _ = made
    before = {path: path.stat().st_mtime_ns for path in (root / "dpo").rglob("*")}
    before |= {path: path.stat().st_mtime_ns for path in (root / "evaluation").rglob("*")}
    again = run(*flags)
    assert again.returncode == 0, again.stderr[-3000:]
    assert again.stderr.count("skipped") == 2 * 2 + 2 * (4 + 3) + 2  # three baselines each; people; the classroom
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_inputs_stop_the_run_and_say_which_differ(made):
    _, flags, _ = made
    done = run(*flags, "--temperature", "0.7")
    assert done.returncode == 2 and "temperature: 1.2 -> 0.7" in done.stderr and "--overwrite" in done.stderr
    other = run(*flags, "--beta", "0.3")
    assert other.returncode == 2 and "dpo/mathdial/weights" in other.stderr and "beta: 0.1 -> 0.3" in other.stderr


def test_what_is_not_ours_stays(made, tmp_path):
    """The original deletes everything in its output folder."""
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "dpo" / "mathdial").mkdir(parents=True)
    (tmp_path / "dpo" / "mathdial" / "train_dataset.json").write_text("[]")
    _, flags, _ = made
    done = run(*flags, "--output-dir", tmp_path)
    assert done.returncode == 2 and "does not say how it was made" in done.stderr
    assert (tmp_path / "thesis.tex").read_text() == "mine"
    assert (tmp_path / "dpo" / "mathdial" / "train_dataset.json").read_text() == "[]"


def test_fine_tuned_weights_are_not_asked_of_a_server(tmp_path, monkeypatch):
    """A server that was started before the run would answer with other weights, or not at all."""
    asked = {}

    def note(run, stage, artifact, **given):
        asked[artifact] = type(given["tutor"]) if "tutor" in given else None
        return run.root / artifact

    monkeypatch.setattr(Run, "make", note)
    monkeypatch.setattr(pipeline.figures, "main", lambda **_: {})
    monkeypatch.setattr(pipeline.report, "main", lambda **_: None)
    flags = ["--output-dir", str(tmp_path), "--datasets", "mathdial", "--engine", "server"]
    cli.call(pipeline.main, pipeline.parse_args(flags))
    assert asked["dpo/mathdial/train_dataset.json"] == asked["evaluation/mathdial/base.json"] == ServedTutor
    assert asked["evaluation/mathdial/from_finetuned_with_mathdial.json"] == LocalTutor


def test_each_round_goes_on_from_the_tutor_of_the_one_before(tmp_path, monkeypatch):
    """Guards: a DPO that begins at the base again, a warm start that is made again with another beta, and a tutor
    that is sampled or decoded otherwise than the base beside it."""
    made = {}

    def note(run, stage, artifact, **given):
        made[artifact] = given
        return run.root / artifact

    monkeypatch.setattr(Run, "make", note)
    monkeypatch.setattr(pipeline.figures, "main", lambda **_: {})
    monkeypatch.setattr(pipeline.report, "main", lambda **_: None)
    flags = ["--output-dir", str(tmp_path), "--datasets", "mathdial,debugging", "--warm-start", "--rounds", "2"]
    flags += ["--with-reference", "--eval-temperature", "0.7", "--eval-limit", "5", "--beta", "0.3", "--best-of", "3"]
    cli.call(pipeline.main, pipeline.parse_args(flags))

    warm = made["warm_start/weights"]
    assert [path.name for path in warm["seeds"]] == ["mathdial_train.jsonl", "debugging_train.jsonl"]
    recipe = warm["training"]
    assert (recipe.model, recipe.learning_rate, recipe.epochs, recipe.beta) == ("smollm2", 2e-4, 1, 0.1)
    weights = [str(tmp_path / one / "weights") for one in ("warm_start", "dpo/mathdial/round_1", "dpo/mathdial")]
    for folder, model in (("dpo/mathdial/round_1", weights[0]), ("dpo/mathdial", weights[1])):
        pairs, training = made[f"{folder}/train_dataset.json"], made[f"{folder}/weights"]
        assert pairs["tutor"].model == training["training"].model == model
        assert pairs["with_reference"] and pairs["tutor"].sampling.temperature == 1.2
        assert training["train_dataset"] == tmp_path / folder / "train_dataset.json"
        assert (training["training"].beta, training["training"].learning_rate) == (0.3, 5e-5)
    assert made["dpo/debugging/round_1/train_dataset.json"]["tutor"].model == weights[0]
    shown = [made[f"evaluation/mathdial/{file}.json"] for file in
             ("base", "baseline_warm_start", "from_finetuned_with_mathdial")]  # fmt: skip
    best = made["evaluation/debugging/baseline_best_of_n.json"]
    assert (best["best_of"], best["tutor"].model, best["tutor"].sampling.temperature) == (3, "smollm2", 1.0)
    assert [one["tutor"].model for one in shown] == ["smollm2", weights[0], weights[2]]
    assert {one["tutor"].sampling.temperature for one in shown} == {0.7}
    assert {one["limit"] for one in shown} == {5}


def test_a_dataset_without_an_eligible_pair_does_not_end_the_run(tmp_path, tiny):
    flags = ["--output-dir", tmp_path, "--datasets", "mathdial", "--instruct-model", tiny, *QUICK]
    flags += ["--limit", "1", "--min-chosen-score", "1"]
    done = run(*flags)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "no pair is eligible" in done.stderr and "No tutor was trained on mathdial" in done.stdout
    assert (tmp_path / "evaluation/mathdial/base.json").exists() and not (tmp_path / "dpo/mathdial/weights").exists()
    assert "/weights" not in done.stdout


def test_what_a_run_did_not_make_is_not_shown_as_its_own(made, tmp_path):
    """After --overwrite without an eligible pair, the former tutor's answers stood in the table as fresh ones."""
    root, flags, _ = made
    shutil.copytree(root, tmp_path / "root")
    flags = [*flags, "--output-dir", tmp_path / "root", "--datasets", "mathdial", "--min-chosen-score", "1"]
    done = run(*flags, "--overwrite")
    assert done.returncode == 0, done.stderr[-3000:]
    entries = read_json(tmp_path / "root/manifest.json")["artifacts"]
    stale = "evaluation/mathdial/from_finetuned_with_mathdial.json"
    assert entries["dpo/mathdial/weights"]["state"] == entries[stale]["state"] == "no eligible pair"
    assert f"left out: {stale}: no eligible pair" in done.stdout and "trained on MathDial" not in done.stdout
    other = "evaluation/mathdial/from_finetuned_with_debugging.json"
    assert f"left out: {other}: the last run" in done.stdout and entries[other]["state"] == "done"


def test_a_refused_run_relabels_nothing(made):
    """The names were changed before the inputs were compared: figures then named a judge that had graded nothing."""
    root, flags, _ = made
    before = read_json(root / "manifest.json")
    refused = run(*flags, "--temperature", "0.7", "--instruct-model", root / "dpo/mathdial/weights")
    assert refused.returncode == 2, refused.stderr[-2000:]
    assert read_json(root / "manifest.json")["names"] == before["names"]


def test_dry_run_says_what_it_takes_and_writes_nothing(tmp_path):
    done = run(
        "--output-dir", tmp_path / "x", "--dry-run", "--judge-llm", "openai", "sk-not-a-key", "gpt-4o-mini"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # 5 candidates for each of 60 + 60 + 61, and 52 test dialogues x (3 fine-tuned + base + judge's model + 3 baselines)
    assert (
        f"{(60 + 60 + 61) * 5 + 3 * 52 * 8:,} calls" in done.stdout
        and "and 156 calls in which" in done.stdout
        and "135 million parameters" in done.stdout
        and "gpt-4o-mini as judge of dialogues: 96 calls" in done.stdout
    )
    more = run(
        "--output-dir", tmp_path / "x", "--dry-run", "--judge-llm", "openai", "sk-not-a-key", "gpt-4o-mini",
        "--best-of", "4", "--own-dialogue-gain", "--report-judge", "openai", "sk-not-a-key", "gpt-4o",
    )  # fmt: skip
    # nine kinds of answers now, each graded on five other dialogues too, and three more of the base, of four
    assert f"{(60 + 60 + 61) * 5 + 3 * 52 * (9 * 6 + 3):,} calls" in more.stdout, more.stdout + more.stderr
    assert f"{3 * 52 * 9 * 6:,} calls" in more.stdout  # the second judge sees the best alone
    few = run(
        "--output-dir", tmp_path / "x", "--dry-run", "--judge-llm", "openai", "sk-not-a-key", "gpt-4o-mini",
        "--own-dialogue-gain", "--limit", "2", "--datasets", "mathdial",
    )  # fmt: skip
    assert f"{2 * 5 + 2 * 6 * (1 + 1):,} calls" in few.stdout, few.stdout  # each of two dialogues has one other
    assert "$" in done.stdout and "sk-not-a-key" not in done.stdout + done.stderr
    assert not (tmp_path / "x").exists()


def test_dry_run_reckons_the_time_by_the_speed_of_this_machine(monkeypatch):
    """By hand: one dialogue each, 2.7e8 FLOP a token forward; 0.7, 0.3 and 0.45 of 1e11 FLOP/s are reached."""
    monkeypatch.setattr(speed, "matrix_rate", lambda device, dtype: 1e11)
    tutor = LocalTutor("smollm2", Sampling(1, 0, 100, 0), "x" * 1000)
    prompts = {("physics", "train"): [250.0], ("physics", "test"): [250.0]}
    given = (tutor, tutor, Training("smollm2", epochs=2), 5, {"physics": 4}, 1)
    said = plan._time(135_000_000, prompts, *given)
    sampled = 2.7e8 * (250 / 0.7e11 + 500 / 0.3e11) + 2.7e8 * (4 * 250 / 0.7e11 + 400 / 0.3e11)
    trained = 2 * 5.4e8 * 450 / 0.45e11 + 2.7e8 * 450 / 0.7e11
    assert said.startswith(f"about {sampled:.0f} s at most to sample, {trained:.0f} s to train, by the 0.1 TFLOP/s")
    assert speed.to_train(100, 1.0, 9, full=True) == 1.5 * speed.to_train(100, 1.0, 9, full=False)


def test_a_limited_dry_run_reads_and_audits_no_more_than_the_limit(tmp_path, capsys):
    """`--dry-run --limit 3` read and audited a folder of 110,000 rows for minutes."""
    for split in ("train", "test"):
        lines = (ROOT / "datasets" / f"mathdial_{split}.jsonl").read_text().splitlines(keepends=True)[:3]
        (tmp_path / f"mathdial_{split}.jsonl").write_text("".join(lines) + "{")  # whoever reads on stumbles
    words = ["--output-dir", str(tmp_path / "x"), "--datasets-dir", str(tmp_path), "--dry-run"]
    cli.call(pipeline.main, pipeline.parse_args([*words, "--limit", "3"]))
    assert "mathdial train: 3 dialogues" in capsys.readouterr().out
    with pytest.raises(BadInput, match="line 4"):
        cli.call(pipeline.main, pipeline.parse_args([*words, "--limit", "4"]))


@pytest.mark.parametrize("folder", ["paper", "clean"])
def test_the_real_seeds_run_end_to_end(folder, tmp_path):
    if not (SHARED / folder).is_dir():
        pytest.skip("the real seeds are not here")
    done = run(
        "--output-dir", tmp_path, "--datasets-dir", SHARED / folder, "--datasets", "mathdial", *QUICK,
        "--limit", "1", "--max-length", "700",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "evaluation" / "human_vs_gpt.json").exists() == (folder == "paper")


def test_what_got_no_verdict_is_asked_again_though_its_stage_is_done(tmp_path, monkeypatch):
    """`--ask-invalid-again` was of no use in a pipeline: the stage was skipped as made from the same inputs."""

    def make(file, tutor, *flags):
        given = cli.with_actors(eval_model.main, vars(eval_model.parse_args([*FOR_ONE_STAGE, *flags])))
        test = {"seeds": [ROOT / "datasets/mathdial_test.jsonl"], "limit": 4, "tutor": tutor, "judge": given["judge"]}
        run = Run(tmp_path, Manifest(tmp_path))
        return [row["score"] for row in read_json(run.make(eval_model, f"evaluation/mathdial/{file}.json", **test))]

    cut, asked = ["length"] * 3, []
    with FaultServer(lambda *_: cut.pop() if cut else None) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        question, teacher = baselines.ConstantTutor(), baselines.ReferenceTutor()
        for file, tutor, more in (
            ("a", question, []), ("b", teacher, []), ("a", question, []),
            ("b", teacher, ["--ask-invalid-again"]), ("a", question, ["--ask-invalid-again"]), ("a", question, []),
        ):  # fmt: skip
            before = len(server.bodies)
            scores = make(file, tutor, *more)
            asked.append((scores.count(None), len(server.bodies) - before))
    # three attempts at what is cut; no call for what is whole, with the flag or without
    assert asked == [(1, 6), (0, 4), (1, 0), (0, 0), (0, 1), (0, 0)]


def test_the_second_judge_is_asked_by_the_same_flags(tmp_path):
    """It took the prompt that ships, eight calls at once, no prices and hard scores, whatever the flags said."""
    prompt, prices = tmp_path / "prompt.txt", tmp_path / "prices.json"
    prompt.write_text("Mine: {conversation} {answer} {tag}")
    prices.write_text(json.dumps({"judge-2": {"prompt": 1, "cached": 1, "completion": 2}}))
    flags = ["--judge-prompt", prompt, "--prices", prices, "--judge-concurrency", "3", "--judge-max-tokens", "77"]
    flags += ["--judge-llm", "offline", "--report-judge", "openai", "none", "judge-2", "--ask-invalid-again"]
    given = cli.with_actors(pipeline.main, vars(pipeline.parse_args(list(map(str, flags)))))
    judge = given["report_judge"]
    assert (judge.name, judge.template, judge.price.completion) == ("judge-2", prompt.read_text(), 2)
    assert judge.grading == GradingOptions(concurrency=3, max_tokens=77, ask_invalid_again=True)
    flags += ["--report-judge", "openai", "none", "judge-3", "--judge-scores", "expected", "--judge-panel", "median"]
    for more, batch in ([], True), (["--report-judge", "offline"], False):
        words = list(map(str, [*flags, *more, "--judge-batch"]))
        panel = cli.with_actors(pipeline.main, vars(pipeline.parse_args(words)))["report_judge"]
        assert panel.average is median and [one.name for one in panel.members][:2] == ["judge-2", "judge-3"]
        assert panel.members[0].expected and panel.members[0].grading.batch == batch
    assert cli.with_actors(pipeline.main, vars(pipeline.parse_args([])))["report_judge"] is None


def test_another_tutor_is_the_folder_that_was_named(tmp_path):
    """`./nomodel` became `nomodel`, which is a name on the hub."""
    tutors = also([["./nomodel"]], LocalTutor("smollm2", Sampling(0, 0, 8, 0), "{input}"))
    assert tutors["also_nomodel"].model == "./nomodel"
    with pytest.raises(FileNotFoundError, match="no such folder"):
        tutors["also_nomodel"].check()


def test_another_tutor_may_be_a_service_and_is_asked_as_the_base_is():
    base = LocalTutor("smollm2", Sampling(0.7, 0, 8, 3), "Guide.\n{input}")
    tutors = also([["openai", "none", "gpt-4o-mini"], ["ollama", "qwen3:8b"]], base)
    assert {name: one.name for name, one in tutors.items()} == {
        "also_gpt-4o-mini": "gpt-4o-mini",
        "also_qwen3-8b": "qwen3:8b",
    }
    assert all((one.sampling, one.template) == (base.sampling, base.template) for one in tutors.values())
    with pytest.raises(BadInput, match="--also-evaluate openai gpt-4o: expected a model, `openai"):
        also([["openai", "gpt-4o"]], base)


def test_a_judge_that_fails_in_the_classroom_costs_no_report(tmp_path, tiny, monkeypatch):
    """The run ended with exit code 3 and without its report: all grades were there."""
    (tmp_path / "seeds").mkdir()
    lines = (ROOT / "datasets/mathdial_test.jsonl").read_text().splitlines()[:2]
    (tmp_path / "seeds/mathdial_test.jsonl").write_text("\n".join(lines))
    refuse = lambda _, body: "prose" if '{"leak"' in str(body["messages"]) else None  # noqa: E731
    with FaultServer(refuse) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        done = run(
            "--output-dir", tmp_path / "root", "--datasets-dir", tmp_path / "seeds", "--instruct-model", tiny, *QUICK,
            "--judge-llm", "openai", "none", "judge-1",
        )  # fmt: skip
    assert done.returncode == 3 and "on whole dialogues" in done.stderr.splitlines()[-1], done.stderr[-2000:]
    assert "The classroom did not end" in done.stdout and (tmp_path / "root/report.html").is_file()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        # 135 million x (3 x 2 + 3 x 12 + 2 x 8) bytes
        (["--full-finetune"], r"3 trainings \(--full-finetune: LoRA takes less\) need 7.8 GB of disk, 7.0 GB are"),
        (["--max-length", "999999"], "--max-length 999999"),
        (["--set", "loss_type=banana"], "loss_type"),
        (["--set", "adam_beta1=5"], "--set adam_beta1=5: no training can begin with it"),
        (["--max-length", "3"], "--max-length 3 leaves no room"),
        (["--max-new-tokens", "99999"], "leaves no room"),
        (["--max-new-tokens", "8150"], "leaves no room for a prompt.* has 8192 tokens, the prompt without a dialogue"),
        (["--report-to", "wandb"], "requires wandb to be installed"),
        (["--device", "cuda:7"], "cuda:7: this machine has no such device"),
        (["--also-evaluate", "./nomodel"], "no such folder"),
        (["--trained-on", "nope"], "--trained-on nope: no tutor is trained on it"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(tmp_path, monkeypatch, flags, said, dry):
    """A disk that is too small was found after a dataset was generated and graded; a dry run checked nothing."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=7.0e9))
    monkeypatch.setattr(Run, "make", lambda *_, **__: pytest.fail("something was started"))
    with pytest.raises((BadInput, OSError), match=said):
        cli.call(pipeline.main, pipeline.parse_args(["--output-dir", str(tmp_path / "x"), *flags, *dry]))
    assert not (tmp_path / "x").exists()


def test_damaged_ratings_are_found_before_anything_starts(tmp_path, monkeypatch):
    """They were read after all trainings and evaluations."""
    monkeypatch.setattr(Run, "make", lambda *_, **__: pytest.fail("something was started"))
    seeds = pick_datasets(tmp_path / "seeds")
    (seeds / "mathdial_human_eval.json").write_text("[{")
    done = run("--output-dir", tmp_path / "x", "--datasets-dir", seeds, "--limit", "1")
    assert done.returncode == 2 and "mathdial_human_eval.json: not a whole JSON file" in done.stderr, done.stderr


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--top-k", "-5"], "argument --top-k: -5 is not 0 or more"),
        (["--min-chosen-score", "nan"], "argument --min-chosen-score: nan is not between 0 and 1"),
        (["--inference-prompt", "nowhere.txt"], "error: --inference-prompt nowhere.txt: No such file"),
        (["--judge-prompt", "datasets"], "error: --judge-prompt datasets: Is a directory"),
        (["--judge-prompt", "docs/figure_5.png"], "error: --judge-prompt docs/figure_5.png: not a text in UTF-8"),
    ],
)
def test_a_wrong_number_or_a_missing_prompt_is_one_line(tmp_path, monkeypatch, flags, said, dry):
    """With a threshold of nan no pair would be eligible, after everything was paid for."""
    monkeypatch.setattr(Run, "make", lambda *_, **__: pytest.fail("something was started"))
    done = run("--output-dir", tmp_path / "x", *flags, *dry)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == "" and not (tmp_path / "x").exists()


def test_a_dry_run_counts_the_answers_that_people_rated(tmp_path, capsys):
    """The check against people asks the judge too: its calls are in the estimate."""
    seeds = pick_datasets(tmp_path / "seeds")
    words = ["--output-dir", str(tmp_path / "x"), "--datasets-dir", str(seeds), "--dry-run",
             "--judge-llm", "openai", "none", "judge-1", "--classroom-problems", "0"]  # fmt: skip
    calls = []
    for there in (True, False):
        cli.call(pipeline.main, pipeline.parse_args(words))
        said = capsys.readouterr().out
        assert ("mathdial_human_eval.json: 4 answers that people rated" in said) == there
        calls.append(int(re.search(r"judge-1: ([\d,]+) calls", said)[1].replace(",", "")))
        (seeds / "mathdial_human_eval.json").unlink(missing_ok=True)
    assert calls[0] == calls[1] + 4
    pick_datasets(tmp_path / "again")
    words[words.index(str(seeds))] = str(tmp_path / "again")
    cli.call(pipeline.main, pipeline.parse_args([*words, "--limit", "3"]))
    assert "mathdial_human_eval.json: 3 answers" in capsys.readouterr().out  # no more than a run would ask about
