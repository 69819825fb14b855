"""Talking to a tutor, without a browser: what it is sent, how its answer grows, what is picked and saved."""

import importlib
import io
import json
import re
import shlex
import time
from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from llama_server import llama_server

import chat
from utils import cli
from utils.clients.ollama_chat import OllamaChat
from utils.clients.openai_chat import OpenAIChat
from utils.errors import BadInput
from utils.judges.judge import OfflineJudge
from utils.pages import terminal
from utils.pages.conversation import STUDENT, TEACHER, Conversation, from_seed
from utils.pages.picks import Picks
from utils.pages.session import STOPPED, Session, by_name, models_of
from utils.prompts import INFERENCE_PROMPT, load_template
from utils.records import Sample, SeedDialogue
from utils.seeds.read import DATASETS_DIR, read_seeds
from utils.tutors.generation import sample_answers
from utils.tutors.local import LocalTutor, fit_prompt
from utils.tutors.stream import WRITING, ChatStream, LocalStream, Prompt
from utils.tutors.tutor import Sampling

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = load_template(INFERENCE_PROMPT, "input")
ORIGINAL = "['Student: Half of 30 is 10.', 'Teacher: Is it?', 'Student: I think so.']"


class Scripted:
    """A tutor that says one thing, word by word."""

    def __init__(self, name, answer):
        self.name, self.answer = name, answer

    def prompt(self, dialogue):
        return Prompt(f"<s>{dialogue}", 0)

    def stream(self, dialogue, sample=0):
        words = f"{self.answer} ({sample})".split(" ")
        for number in range(1, len(words)):
            yield Sample(" ".join(words[:number]), WRITING, number)
        yield Sample(" ".join(words), "stop", len(words))


def test_the_conversation_is_what_a_seed_row_has_in_its_prompt(tmp_path):
    """Guards: a page whose tutor sees another text than in training."""
    for path in sorted(DATASETS_DIR.glob("*_test.jsonl")):
        for seed in read_seeds(path):
            conversation = from_seed(seed)
            assert conversation.text == seed.text and not conversation.opening and conversation.waits_for_tutor
    original = from_seed(SeedDialogue(id="1", group="g", text=ORIGINAL))
    assert original.text == ORIGINAL and original.opening
    assert [role for role, _ in original.all_turns()] == [STUDENT, TEACHER, STUDENT]
    assert (
        original.with_turn(TEACHER, "Try.").with_turn(STUDENT, "ok").text == ORIGINAL + "\nTeacher: Try.\nStudent: ok"
    )

    talk = (
        Conversation("A lesson.")
        .with_turn(STUDENT, "Hm {x}\n\nwhy?")
        .with_turn(TEACHER, "Well?")
        .with_turn(STUDENT, "So.")
    )
    rows = tmp_path / "seeds.jsonl"
    rows.write_text(talk.as_seed_line("a tutor") + talk.with_turn(TEACHER, "Go on?").as_seed_line("a tutor"))
    assert [seed.text for seed in read_seeds(rows)] == [talk.text] * 2  # a seed ends on the student
    assert read_seeds(rows)[1].meta == {"tutor": "a tutor", "tutor_said": "Go on?"}


def test_an_answer_grows_into_what_an_evaluation_would_have(model_and_tokenizer):
    """Guards: a page that draws, fits or cuts otherwise than the stages do."""
    options = {"temperature": 1.0, "top_k": 50, "max_new_tokens": 12, "seed": 7}
    tutor = LocalStream(LocalTutor("smollm2", Sampling(**options), TEMPLATE))
    tutor.__dict__["_loaded"] = model_and_tokenizer
    text = "Student: I think 3/4 + 1/2 = 4/6."
    ids, _ = fit_prompt(model_and_tokenizer[1], TEMPLATE, SeedDialogue(id="", group="", text=text), 8000)
    ((_, drawn),) = sample_answers(*model_and_tokenizer, [ids], num_samples=2, **options)
    *growing, last = tutor.stream(text, 1)
    assert last == drawn[1] != drawn[0]
    assert len(growing) > 3 and {one.finish_reason for one in growing} == {WRITING}
    assert tutor.prompt(text).shown == model_and_tokenizer[1].decode(ids)


class SmallService:
    """A chat service whose context holds 60 characters of dialogue."""

    name = "small"

    def prepare(self, prompts, max_tokens):
        pass

    def complete(self, messages, **options):
        from utils.clients.chat import Reply

        if len(messages[0]["content"]) > len(TEMPLATE) + 60:
            return Reply("", "context_length")
        return Reply("What is half of 30?\nStudent: 15", "stop")


def test_a_service_answers_with_the_same_fitting_and_cutting():
    tutor = ChatStream(SmallService(), Sampling(0.7, 50, 20, 0), TEMPLATE)
    talk = (
        Conversation().with_turn(STUDENT, "a" * 40).with_turn(TEACHER, "b" * 30).with_turn(STUDENT, "Half of 30 is 10.")
    )
    (*_, last) = Session(talk).answering([tutor])
    (given,) = last.answers
    assert given.sample.text == "What is half of 30?" and given.dropped_turns == 1
    assert given.remarks == ["cut where it began another speaker's turn",
                             "the 1 oldest turns did not fit into the model's context and were left out"]  # fmt: skip
    with pytest.raises(BadInput, match="longer than the model's context"):
        list(Session(Conversation().with_turn(STUDENT, "c" * 90)).answering([tutor]))


def test_a_server_s_answer_grows_and_ends_when_nobody_waits():
    """Guards: an answer of a server that comes in one piece, or a prompt too long for it that is no clear error."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    talk = "Student: I think 3/4 + 1/2 = 4/6."
    with llama_server() as address:
        chat = OpenAIChat("none", "any", address=address)
        tutor = ChatStream(chat, Sampling(temperature=0, top_k=50, max_new_tokens=24, seed=0), TEMPLATE)
        *growing, last = tutor.stream(talk)
        assert last.text and last.finish_reason in ("stop", "length", "speaker")
        texts = [one.text for one in growing]
        assert len(set(texts)) > 5 and all(last.text.startswith(text) for text in texts)
        early = tutor.stream(talk)
        next(early), next(early)
        early.close()
        tutor = ChatStream(OpenAIChat("none", "any", address=address), Sampling(0, 50, 24, 0), "x " * 5000 + "{input}")
        with pytest.raises(BadInput, match="longer than the model's context"):
            list(tutor.stream(talk))


def test_an_ollama_answer_grows_and_ends_when_nobody_waits():
    """Guards: an answer of Ollama that comes in one piece, half of one taken for the whole, a prompt that is cut."""
    talk = "Student: " + "why " * 120 + "\nTeacher: Well?\nStudent: I think 3/4 + 1/2 = 4/6."
    with FakeOllama(faults=["crash"]) as server:
        server.breaks_off = True
        chat = OllamaChat(server.host, "llama3")
        chat.check()
        tutor = ChatStream(chat, Sampling(temperature=0, top_k=50, max_new_tokens=24, seed=0), TEMPLATE)
        *growing, last = tutor.stream(talk)
        assert len(server.bodies) == 3  # one that crashed, one that broke off, one that is whole
        whole = chat.complete(server.bodies[-1]["messages"], temperature=0, seed=0, max_tokens=24)
        assert (last.text, last.finish_reason) == (whole.text, "stop")
        assert len({one.text for one in growing}) > 5 and all(last.text.startswith(one.text) for one in growing[-5:])
        assert {body["stream"] for body in server.bodies[:3]} == {True}
        early, written = tutor.stream(talk), server.written
        next(early), next(early)
        early.close()
        deadline = time.monotonic() + 5
        while chat.queue.in_flight and time.monotonic() < deadline:
            time.sleep(0.02)
        assert chat.queue.in_flight == 0 and server.written - written < 7
    with FakeOllama(model_context=200, knows_truncate="plain") as server:
        chat = OllamaChat(server.host, "llama3")
        chat.check()
        (*_, last) = Session(from_seed(SeedDialogue(id="", group="", text=talk))).answering(
            [ChatStream(chat, Sampling(0.7, 50, 24, 0), TEMPLATE)]
        )
        assert last.answers[0].dropped_turns == 1


def test_again_edit_stop_and_going_on():
    tutor = Scripted("one", "What is half of 30?")
    session = Session().told("Half of 30 is 10.", "A lesson.")
    *growing, session = session.answering([tutor])
    stopped = growing[1].stopped()
    assert stopped.answers[0].sample.finish_reason == STOPPED and stopped.answers[0].remarks == ["stopped by you"]
    *_, again = session.again().answering([tutor])
    assert again.answers[0].sample.text.endswith("(1)")
    assert session.undone().conversation.turns == ()
    assert session.told("15?", "A lesson.").conversation.text == (
        "A lesson.\n\nStudent: Half of 30 is 10.\nTeacher: What is half of 30? (0)\nStudent: 15?"
    )
    with pytest.raises(BadInput, match="write what the student says"):
        session.told(" ", "")


def test_a_blind_pair_hides_names_until_one_is_picked(tmp_path):
    """Guards: a name that shows while the first answer still grows; a pick of the wrong answer."""
    tutors = by_name([Scripted("tutor", "Is it?"), Scripted("tutor", "It is 15.")])
    assert list(tutors) == ["tutor", "tutor (2)"]
    orders = set()
    for _ in range(40):
        states = list(Session(blind=True).told("Half of 30 is 10.", "").answering(tutors.values()))
        assert all(state.names_hidden for state in states)
        orders.add(states[-1].answers[0].tutor)
    assert orders == set(tutors)  # in half of the cases the other one comes first
    session = states[-1]
    with pytest.raises(BadInput, match="first say which answer is better"):
        session.told("And now?", "")

    picks = Picks(tmp_path / "picks.json")
    for group, picked in (("a", 1), ("b", 1), ("c", 0), ("d", -1)):
        conversation = Conversation(turns=((STUDENT, "Half of 30 is 10."),), group=group)
        picks.add(conversation, ["It is 15.", "Is it?"], ["tutor (2)", "tutor"], picked, blind=True)
    score = picks.score("tutor (2)", "tutor")
    assert (score.wins, score.decided, score.ties) == (2, 3, 1)
    # Wilson (1927), 2 of 3: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96
    assert (score.low, score.high) == (pytest.approx(0.208, abs=1e-3), pytest.approx(0.939, abs=1e-3))
    assert str(score).startswith(
        "tutor preferred to tutor (2) in 2 of 3 (1 more without a difference): 0.67 [0.21, 0.94]"
    )
    picks.close()
    rows = json.loads((tmp_path / "picks.json").read_text())
    assert [row["chosen"] for row in rows[:3]] == ["Is it?", "Is it?", "It is 15."]
    assert [row["eligible"] for row in rows] == [True, True, True, False] and rows[0]["tutor_chosen"] == "tutor"
    again = Picks(tmp_path / "picks.json")
    assert again.score("tutor (2)", "tutor") == score  # it goes on where it was
    again.close()


def test_a_training_root_stands_for_its_weights(tmp_path):
    for name in ("mathdial", "tutorchat"):
        (tmp_path / "dpo" / name / "weights").mkdir(parents=True)
    found = models_of(["smollm2", str(tmp_path)])
    assert [Path(word).name for word in found] == ["smollm2", "weights", "weights"]


def test_a_talk_in_the_terminal(tmp_path, capsys):
    lines = iter(
        ["I think 15.", "/judge", "/again", "/prompt", f"/save {tmp_path / 's.jsonl'}", "/save x", "/undo", "/quit"]
    )
    terminal.chat_in_terminal(
        by_name([Scripted("one", "What is 2 + 3?")]), OfflineJudge(), Session(), read=lambda _: next(lines)
    )
    out, err = capsys.readouterr()
    assert "one: What is 2 + 3? (0)" in out and "one: What is 2 + 3? (1)" in out and "offline rubric: score" in out
    assert "<s>Student: I think 15." in out and "the file's name ends in .jsonl" in err
    assert read_seeds(tmp_path / "s.jsonl")[0].text == "Student: I think 15."


def test_a_byte_that_is_no_letter_does_not_end_the_talk(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"is it \xff 5?\n/prompt\n"), encoding="utf-8"))
    terminal.chat_in_terminal(by_name([Scripted("one", "What is 2 + 3?")]), OfflineJudge(), Session())
    assert "<s>Student: is it \ufffd 5?" in capsys.readouterr().out


def test_two_tutors_blind_in_the_terminal(tmp_path, capsys):
    """Guards: names that show before the pick, a pick of the wrong answer, a talk that goes on without one."""
    asked, tutors = [], [Scripted("base", "It is 15."), Scripted("tuned", "Is it?"), Scripted("third", "No.")]

    def read(prompt):
        asked.append(prompt)
        if prompt.startswith("Better"):
            said.append(capsys.readouterr().out)
            return "1" if "Answer 1: Is it?" in said[-1] else "2" if "Answer 2: Is it?" in said[-1] else "="
        return next(lines)

    said, lines = [], iter(["/blind", "Half of 30 is 10.", "15?", "/quit"])
    picks = Picks(tmp_path / "picks.json")
    terminal.chat_in_terminal(by_name(tutors), OfflineJudge(), Session(), picks, read=read)
    picks.close()
    out, err = capsys.readouterr()
    assert asked == ["Student: ", "Student: ", "Better, 1, 2 or =: ", "Student: ", "Better, 1, 2 or =: ", "Student: "]
    assert all("base:" not in text and "tuned:" not in text for text in said) and err == ""
    assert "tuned preferred to base in 2 of 2" in out and ("answer 1 was tuned" in out or "answer 2 was tuned" in out)
    first, second = json.loads((tmp_path / "picks.json").read_text())
    assert [row["tutor_chosen"] for row in (first, second)] == ["tuned", "tuned"] and first["group"] == second["group"]
    assert "Teacher: Is it? (0)\nStudent: 15?" in second["prompt"]


def test_the_offline_judge_is_no_tutor():
    with pytest.raises(ValueError, match="--tutor-llm takes `openai"):
        cli.call(chat.main, chat.parse_args(["--tutor-llm", "offline"]))


COMMANDS = re.findall(r"^python -m (.+)$", (ROOT / "docs" / "pages.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_in_the_docs_are_understood(command):
    name, *words = shlex.split(command)
    importlib.import_module(name).parse_args(words)
