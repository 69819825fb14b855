"""A chat service as tutor: prompts that fit, answers cut as every tutor's, nothing graded that never came."""

import json

from fake_ollama import FakeOllama
from fault_server import FaultServer

import eval_model
import self_eval
from utils.artifacts import read_json
from utils.cli import call
from utils.clients.chat import Reply
from utils.judges.chat_judge import ChatJudge
from utils.records import SeedDialogue
from utils.tutors.chat_tutor import ChatTutor
from utils.tutors.local import LocalTutor
from utils.tutors.tutor import Sampling

TEMPLATE = "{input}"
SAMPLING = Sampling(temperature=0.0, top_k=50, max_new_tokens=9, seed=0)
GOOD = json.dumps({"questions": "yes", "on_topic": 5, "helpful": 4, "reveal_answer": "no"})
LONG = "Student: 2 x 6 is 8.\nTeacher: Show me two rows of six.\nStudent: I drew them. Now 12?"


class SmallContext:
    """A service whose context holds `room` characters; what it is asked is kept."""

    name = "small"

    def __init__(self, room: int, reply: Reply):
        self.room, self.reply, self.asked = room, reply, []
        self.settings = {"judge": "openai", "model": self.name}

    def check(self):
        pass

    def prepare(self, prompts, max_tokens):
        pass

    def complete(self, messages, *, schema=None, **options):
        if schema:  # it is the judge too
            return Reply(GOOD, "stop")
        self.asked.append(messages[-1]["content"])
        return self.reply if len(self.asked[-1]) <= self.room else Reply("", "context_length")


def seed(text=LONG, name="a"):
    return SeedDialogue(id=name, group=name, text=text)


def ask(chat, folder, num_samples=1):
    tutor = ChatTutor(chat, SAMPLING, TEMPLATE, concurrency=2)
    return tutor.answer([seed()], num_samples, journal_path=folder / "j", description="answers")


def test_the_oldest_turns_go_until_the_prompt_fits_and_the_answer_ends_at_another_turn(tmp_path):
    """An over-long prompt became an empty answer that was graded; answers went on as the student."""
    chat = SmallContext(40, Reply("How many are in one row?\nStudent: 6", "stop"))
    answers = ask(chat, tmp_path, num_samples=2)
    texts = [(one.text, one.finish_reason) for one in answers.samples[0]]
    assert texts == [("How many are in one row?", "speaker")] * 2
    assert answers.dropped_turns == [2] and chat.asked[-1] == "Student: I drew them. Now 12?"


def test_a_last_turn_that_is_too_long_is_named_and_left_out(tmp_path, caplog):
    """One overlong seed ended a run."""
    answers = ask(SmallContext(3, Reply("?", "stop")), tmp_path)
    assert answers.samples[0][0].finish_reason == "context_length" and "left out: seed a" in caplog.text


def test_an_answer_that_never_came_is_not_graded(tmp_path):
    """A filtered or empty answer scored 0.70 and counted as valid."""
    seeds = tmp_path / "x_test.json"
    seeds.write_text(json.dumps(["Student: Is 4 even?"]))
    chat = SmallContext(99999, Reply("", "content_filter"))
    judge = ChatJudge(chat, "{conversation} {answer}")
    base = LocalTutor("smollm2", SAMPLING, TEMPLATE)
    summary = self_eval.main(seeds=[seeds], output_path=tmp_path / "self.json", tutor=base, judge=judge)
    assert summary["invalid"] == 1 and summary["score"] is None
    assert "content_filter" in read_json(tmp_path / "self.json")[0]["evaluation_error"]


def test_eval_model_asks_ollama_where_its_flags_say_so(tmp_path):
    seeds = tmp_path / "x.json"
    seeds.write_text(json.dumps(["Student: Why does it float?"]))
    with FakeOllama(models=["qwen3:8b"]) as server:
        flags = ["--seeds", str(seeds), "--output-path", str(tmp_path / "x_out.json"), "--tutor", "ollama"]
        call(eval_model.main, eval_model.parse_args([*flags, server.host, "qwen3:8b"]))
    (body,) = server.bodies
    assert body["model"] == "qwen3:8b" and "Student: Why does it float?" in body["messages"][-1]["content"]
    (row,) = read_json(tmp_path / "x_out.json")
    assert row["tutor"] == "qwen3:8b" and row["output"]


def test_eval_model_asks_the_service_that_its_flags_name(tmp_path, monkeypatch):
    """From the command line to the rows: another tutor, a dataset by its split, speakers of another name."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab/physics").mkdir(parents=True)
    (tmp_path / "lab/physics/test.jsonl").write_text(
        json.dumps({"text": "Kid: Why does it float?\nCoach: Hm?\nKid: Air?"})
    )
    (tmp_path / "prompt.txt").write_text("Guide.\n{input}")
    flags = ["--seeds", "lab/physics", "--split", "test", "--roles", "Kid=student,Coach=teacher"]
    flags += ["--tutor", "openai", "none", "tutor-1", "--inference-prompt", "prompt.txt", "--output-path", "x.json"]
    with FaultServer(models=["tutor-1"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        call(eval_model.main, eval_model.parse_args(flags))
    dialogue = "Student: Why does it float?\nTeacher: Hm?\nStudent: Air?"
    assert [body["messages"] for body in server.bodies] == [[{"role": "user", "content": f"Guide.\n{dialogue}"}]]
    (row,) = read_json(tmp_path / "x.json")
    assert (row["tutor"], row["prompt"]) == ("tutor-1", dialogue) and row["output"] and row["score"]
