"""The chat page in a real browser: the bundled model, stopped in the middle; attacks; two people; two tutors, blind."""

import contextlib
import json
import tempfile
import time
from pathlib import Path

import pytest
from browser import CONNECTED, Visitor, needed, opened
from browser import chromium as open_chromium

from utils.judges.judge import OfflineJudge
from utils.pages.picks import Picks
from utils.prompts import INFERENCE_PROMPT, load_template
from utils.records import Sample
from utils.seeds.read import DATASETS_DIR, read_seeds
from utils.tutors.local import LocalTutor
from utils.tutors.stream import WRITING, LocalStream, Prompt
from utils.tutors.tutor import Sampling

HOSTILE = (
    "<script>window.hacked = 1</script><img src='http://192.0.2.1/x.png' onerror='window.hacked = 2'>"
    "${window.hacked = 3} <style>body {display: none}</style> What is $\\frac{1}{2}$ of 4?"
)


class Scripted:
    """A tutor that says what it is told to; `slowly` it waits between two words."""

    def __init__(self, name, answer, slowly=0.0):
        self.name, self.answer, self.slowly, self.words = name, answer, slowly, 0

    def prompt(self, dialogue):
        return Prompt(f"<start>{dialogue}", 0)

    def stream(self, dialogue, sample=0):
        said = dialogue.rsplit("Student: ", 1)[1]
        words = f"{self.answer} You said: {said}".split(" ")
        for number in range(1, len(words)):
            self.words += 1
            time.sleep(self.slowly)
            yield Sample(" ".join(words[:number]), WRITING, number)
        yield Sample(" ".join(words), "stop", len(words))


@pytest.fixture(scope="module")
def chromium():
    needed()
    with open_chromium() as chromium:
        yield chromium


@contextlib.contextmanager
def chat_page(picks_path, *tutors, seeds=()):
    from utils.pages import chat_page

    picks = Picks(picks_path)
    with opened(chat_page.build({tutor.name: tutor for tutor in tutors}, OfflineJudge(), picks, seeds)) as url:
        yield url
    picks.close()


class Student(Visitor):
    def say(self, words):
        self.page.fill("#message textarea", words)
        self.page.keyboard.press("Enter")

    def answered(self, words):
        """Wait until these words stand in an answer."""
        self.page.locator(".pair .turn", has_text=words).first.wait_for()


def test_a_talk_with_the_bundled_model_stopped_in_the_middle(chromium, tmp_path, model_and_tokenizer):
    """Guards: another prompt than in training, an answer that does not grow, a model that goes on after Stop."""
    sampling = Sampling(temperature=1.0, top_k=50, max_new_tokens=400, seed=0)
    tutor = LocalStream(LocalTutor("smollm2", sampling, load_template(INFERENCE_PROMPT, "input")))
    tutor.__dict__["_loaded"] = model_and_tokenizer
    seed = read_seeds(DATASETS_DIR / "mathdial_test.jsonl")[0]
    with chat_page(tmp_path / "picks.json", tutor, seeds=[seed]) as url:
        student = Student(chromium, url)
        page = student.page
        page.get_by_role("button", name="Open a seed dialogue").click()
        page.get_by_role("listbox", name="Dialogue").or_(page.get_by_label("Dialogue")).first.click()
        page.get_by_role("option").first.click()
        page.get_by_text("Opened.").wait_for()
        page.get_by_role("button", name="Send").click()  # the student has spoken already
        page.wait_for_function("document.querySelectorAll('.pair .turn .text')[0]?.innerText.length > 20")
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("stopped by you").wait_for()
        early = page.locator(".pair .text").inner_text()
        page.wait_for_timeout(700)
        assert page.locator(".pair .text").inner_text() == early
        page.get_by_role("button", name="The prompt as the model sees it").click()
        page.get_by_role("button", name="Show it").click()
        page.wait_for_selector("pre.prompt")
        assert page.inner_text("pre.prompt").strip() == tutor.prompt(seed.text).shown.strip()
        with page.expect_download() as download:
            page.click("#as-seed")
        (saved,) = read_seeds(_copied(download.value, tmp_path / "seed.jsonl"))
        assert saved.text == seed.text and saved.meta["tutor_said"].strip()
        assert (student.elsewhere, student.errors) == ([], [])


def _copied(download, path):
    download.save_as(path)
    return path


def test_an_attack_is_text_and_two_people_do_not_meet(chromium, tmp_path):
    """Guards: an answer that runs; one person's words on another's page; a page wider than a phone."""
    with chat_page(tmp_path / "picks.json", Scripted("tutor", HOSTILE, slowly=0.02)) as url:
        ann, ben = Student(chromium, url, width=400), Student(chromium, url, width=400)
        ann.page.locator("#verdicts input").check()
        ann.say("Ann's <b>question</b>")
        ben.say("Ben's question")
        ann.answered("You said: Ann's <b>question</b>")
        ben.answered("You said: Ben's question")
        ann.page.get_by_text("offline rubric: score").wait_for()
        assert "Ben's" not in ann.page.inner_text("#talk") and "Ann's" not in ben.page.inner_text("#talk")
        assert ann.page.evaluate("window.hacked") is None and ann.page.locator("#talk mfrac").count() == 1
        assert ann.too_wide() + ben.too_wide() == []
        ann.page.get_by_role("button", name="Edit last").click()
        ann.page.wait_for_function("document.querySelector('#message textarea').value.startsWith('Ann')")
        assert ann.page.locator("#talk .turn").count() == 0
        assert ann.elsewhere + ben.elsewhere + ann.errors + ben.errors == []
        assert {"127.0.0.1"} == CONNECTED  # nor does the server call anybody


def test_base_and_tuned_side_by_side_blind(chromium, tmp_path):
    base, tuned = Scripted("base", "It is 15."), Scripted("tuned", "What is 15 + 15?")
    with chat_page(tmp_path / "picks.json", base, tuned) as url:
        student = Student(chromium, url)
        page = student.page
        page.locator("#blind input").check()
        student.say("Half of 30 is 10.")
        page.wait_for_selector("#pick-0", state="visible")
        assert "base" not in page.inner_text("#talk") and "tuned" not in page.inner_text("#talk")
        student.say("And now?")  # first one is to be picked
        page.get_by_text("first say which answer is better").wait_for()
        first = page.locator(".pair .text").first.inner_text()
        page.click("#pick-0" if "What" in first else "#pick-1")
        page.get_by_text("tuned preferred to base in 1 of 1").wait_for()
        student.say("30?")
        student.answered("You said: 30?")
        page.wait_for_selector("#pick-0", state="visible")
        assert page.locator("#talk > div, #talk").first.inner_text().count("Teacher") == 1
        assert "What is 15 + 15?" in page.inner_text(".turn.teacher")  # the talk goes on with the one that was taken
        assert (student.elsewhere, student.errors) == ([], [])
    (row,) = json.loads((tmp_path / "picks.json").read_text())
    assert (row["tutor_chosen"], row["tutor_rejected"], row["blind"]) == ("tuned", "base", True)
    assert row["chosen"].startswith("What is") and row["prompt"] == "Student: Half of 30 is 10."


def test_what_is_saved_and_shown_belongs_to_the_talk_as_it_stands(chromium, tmp_path):
    """Guards: a file or a prompt of what was undone; folders that stay behind."""
    before = set(Path(tempfile.gettempdir()).glob("chat-*"))
    with chat_page(tmp_path / "picks.json", Scripted("tutor", "What is 15 + 15?")) as url:
        student = Student(chromium, url)
        page = student.page
        page.click("#as-text")
        page.get_by_text("Nothing is said yet.").wait_for()
        student.say("Half of 30 is 10.")
        student.answered("You said: Half of 30 is 10.")
        student.say("And 15?")
        student.answered("You said: And 15?")
        page.get_by_role("button", name="The prompt as the model sees it").click()
        page.get_by_text("<start>Student: Half of 30 is 10.").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.wait_for_function("!document.querySelector('#talk').innerText.includes('And 15?')")
        assert page.locator("pre.prompt").count() == 0
        with page.expect_download() as download:
            page.click("#as-text")
        saved = _copied(download.value, tmp_path / "talk.txt").read_text()
        assert saved.startswith("Student: Half of 30 is 10.\n\nTeacher: What is") and "And 15?" not in saved
        assert (student.elsewhere, student.errors) == ([], [])
    assert set(Path(tempfile.gettempdir()).glob("chat-*")) == before


def test_a_stopped_answer_is_no_preference(chromium, tmp_path):
    """Guards: half an answer as the rejected one of a pair; a page that is silent while the second tutor reads."""
    quick, slow = Scripted("quick", "Is it?"), Scripted("slow", "Well, " * 200, slowly=0.1)
    with chat_page(tmp_path / "picks.json", quick, slow) as url:
        student = Student(chromium, url)
        page = student.page
        student.say("Half of 30 is 10.")
        page.locator(".pair .turn", has_text="Well, Well").get_by_text("writing").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("stopped by you").wait_for()
        page.click("#pick-0")
        page.get_by_text("Not kept as a preference: an answer was stopped.").wait_for()
        assert page.evaluate("document.activeElement.closest('#message') !== null")  # one can write on at once
        student.say("And now?")
        page.get_by_text("Is it? You said: And now?").wait_for()
        assert "Is it? You said: Half of 30" in page.inner_text(".turn.teacher")
    assert not (tmp_path / "picks.json").exists()
