"""What the first version left behind still opens: its training roots, and the replies in its journals.

`older_manifest.json` is a manifest that it wrote, but for the hashes, which the test fills in for files of today.
"""

import functools
import json
from pathlib import Path

import pytest

import pipeline
from utils import cli, models
from utils.artifacts import read_json, sha256
from utils.clients.chat import question_key
from utils.clients.openai_chat import OpenAIChat
from utils.errors import BadInput
from utils.journal import Journal, key_of
from utils.judges.chat_judge import ChatJudge
from utils.judges.judge import OfflineJudge
from utils.prompts import INFERENCE_PROMPT
from utils.records import TutorAnswer
from utils.seeds.read import DATASETS_DIR
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling

MANIFEST = Path(__file__).with_name("older_manifest.json")
STAGES = ("gen_train_dataset", "train", "eval_model", "self_eval", "human_vs_gpt")


@pytest.fixture
def older(tmp_path, tiny, monkeypatch):
    """(the flags that made an older training root, the files that stages of today write into it)."""
    seeds, root = tmp_path / "seeds", tmp_path / "root"
    seeds.mkdir()
    for split in ("train", "test"):
        (seeds / f"mathdial_{split}.jsonl").symlink_to(DATASETS_DIR / f"mathdial_{split}.jsonl")
    rated = {"questions": "yes", "on_topic": 4, "helpful": 3, "reveal_answer": "no"}
    ratings = [{"prompt": f"Student: {text}", "output": "Why?", "evaluation": rated} for text in "ab"]
    (seeds / pipeline.HUMAN_RATINGS).write_text(json.dumps(ratings))
    manifest = MANIFEST.read_text()
    for name in json.loads(manifest)["artifacts"]:
        path = root / name if name.endswith(".json") else root / name / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[]")
    hashes = {
        "train seeds": sha256(seeds / "mathdial_train.jsonl"), "test seeds": sha256(seeds / "mathdial_test.jsonl"),
        "ratings": sha256(seeds / pipeline.HUMAN_RATINGS), "inference prompt": sha256(INFERENCE_PROMPT),
        "train dataset": sha256(root / "dpo/mathdial/train_dataset.json"), "base": sha256(tiny),
        "weights": sha256(root / "dpo/mathdial/weights"), "rubric": OfflineJudge().settings["version"],
    }  # fmt: skip
    for name, value in hashes.items():
        assert f"<{name}>" in manifest
        manifest = manifest.replace(f"<{name}>", value)
    (root / "manifest.json").write_text(manifest)

    written = []
    for name in STAGES:
        stage = getattr(pipeline, name)

        @functools.wraps(stage.main)  # `Run.make` looks at its keywords
        def main(*, output_path=None, output_dir=None, **_):
            path = output_path or output_dir / "weights"
            written.append(str(path.relative_to(root)))
            path.write_text("[]")

        monkeypatch.setattr(stage, "main", main)
    monkeypatch.setattr(pipeline.figures, "main", lambda **_: {})
    monkeypatch.setattr(pipeline.report, "main", lambda **_: None)
    flags = ["--output-dir", root, "--datasets-dir", seeds, "--datasets", "mathdial", "--instruct-model", tiny]
    flags += ["--max-new-tokens", 12, "--eval-max-new-tokens", 8, "--num-candidates", 3, "--min-chosen-score", 0.2]
    flags += ["--gradient-accumulation", 1, "--learning-rate", 1e-2, "--dtype", "float32", "--device", "cpu"]
    flags += ["--classroom-problems", 0]
    return list(map(str, flags)), written


def run(flags: list[str]) -> None:
    cli.call(pipeline.main, pipeline.parse_args(flags))


def test_a_training_root_of_the_first_version_is_gone_on_with(older):
    """Every such root was refused: `judge_scores: 'hard' -> None`, which is a setting of the judge by now."""
    flags, written = older
    before = read_json(Path(flags[1]) / "manifest.json")
    run(flags)
    baselines = [f"evaluation/mathdial/baseline_{name}.json" for name in ("constant_question", "shuffled", "reference")]
    assert written == baselines  # which that version did not have
    after = read_json(Path(flags[1]) / "manifest.json")
    assert {name: after["artifacts"][name] for name in before["artifacts"]} == before["artifacts"]


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        (("--temperature", "0.5"), "temperature: 1.2 -> 0.5"),
        (("--lora-rank", "8"), "lora_rank: 16 -> 8"),
        (("--top-k", "9"), "top_k: 50 -> 9"),
        (("--limit", "2"), "limit: None -> 2"),
    ],
)
def test_it_is_refused_for_what_differs_and_for_nothing_else(older, more, differs):
    with pytest.raises(BadInput, match=rf"was made with other inputs: {differs}\. Take"):
        run([*older[0], *more])


def test_replies_in_its_journals_are_found_under_their_keys(tmp_path, monkeypatch):
    """The keys are those that the first version wrote: with others, all that was paid for is paid again.

    A judge's question holds the JSON schema, whose description is the docstring of `Evaluation`.
    """
    monkeypatch.setattr(models, "identity", lambda model: {"model": "m", "sha256": "00"})
    local = LocalTutor("m", Sampling(1.2, 50, 12, 0), "{input}", dtype="float32")
    assert key_of(local._drawn_by(), [1, 2, 3], 4) == "a2839bcd44c0d609d27ee78a1e957bcc"
    served = ServedTutor(local, "http://127.0.0.1:9/v1")
    question = [{"role": "user", "content": "hi"}]
    assert key_of(served._drawn_by(), question) == "b717b1f07cd244399a264e2cbe025622"

    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    judge = ChatJudge(OpenAIChat("none", "judge-1"), "Rubric.\n---\n{conversation} | {answer}")
    item = TutorAnswer("Student: Is 7 odd?", "What makes a number odd?")
    with Journal(tmp_path / "j") as journal:
        found = question_key(judge.chat, judge.messages(item), 0, judge.options(item), journal)
    assert found == "78078094e0ddf7b6e97bbdac028e8f2a"
