"""The rating page in a real browser, as people use it: by keyboard, two at once, with a kill in the middle."""

import contextlib
import json
import signal
import socket
import subprocess
import sys

import browser
import pytest
from browser import ROOT, PageServer, Visitor, opened

import human_vs_gpt
from utils import cli
from utils.errors import BadInput
from utils.pages import serve

GOOD = {"questions": "yes", "on_topic": 5.0, "helpful": 4.0, "reveal_answer": "no"}
BAD = {"questions": "no", "on_topic": 4.0, "helpful": 1.0, "reveal_answer": "yes"}
HOSTILE = (
    "<script>window.hacked = 1</script><img src='http://192.0.2.1/x.png' onerror='window.hacked = 2'>"
    "${window.hacked = 3} <style>body {display: none}</style> What is $\\frac{1}{2}$ of 4?"
)


def answers(count):
    """Half of them asks, half of them tells; the first is an attack on the page."""
    return [
        {
            "group": f"g{number}", "prompt": f"Student: what is {number} + {number}?", "known_answer": str(2 * number),
            "output": f"It is {2 * number}." if number % 2 else f"What is {number} + 1?" if number else HOSTILE,
            "evaluation": BAD if number % 2 else GOOD, "score": 0.3 if number % 2 else 0.95, "judge": "a judge",
        }
        for number in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def chromium():
    browser.needed()
    with browser.chromium() as chromium:
        yield chromium


@contextlib.contextmanager
def rating_page(answers_path, output, limit=None, pairwise=False, **flags):
    """The page of `rate` in this process."""
    from utils.pages import rate_page
    from utils.pages.ratings import Ratings
    from utils.pages.to_rate import pair_up, read_items, showings, shuffled

    items, _ = read_items([answers_path])
    ratings = Ratings(output)
    queue = showings(shuffled(pair_up(items, 0) if pairwise else items, 0)[:limit], 0, 0)
    with opened(rate_page.build(queue, ratings, pairwise=pairwise), "rate.js", **flags) as url:
        yield url
    ratings.close()


@pytest.fixture
def files(tmp_path):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers(10)), encoding="utf-8")
    return path, tmp_path / "ratings.json"


class Rater(Visitor):
    def begin(self, name):
        self.page.wait_for_selector("#name input, #name textarea")
        self.page.fill("#name input, #name textarea", name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#save, #reveal", state="visible")
        self.page.wait_for_timeout(300)

    def place(self):
        return self.page.inner_text("#progress .hint") if self.page.is_visible("#save") else "end"

    def rate(self):
        """One answer by keys alone, as the stored verdict has it; returns when the next one is shown."""
        before, tells = self.place(), "It is" in self.page.inner_text("#dialogue .rated")
        self.press("n41y" if tells else "y54n")
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(
            "before => !document.querySelector('#save')?.offsetParent"
            " || document.querySelector('#progress .hint').innerText !== before", arg=before,
        )  # fmt: skip
        self.page.wait_for_timeout(200)


def test_ten_answers_by_keyboard_with_a_kill_in_the_middle(chromium, files, tmp_path):
    """Guards: lost ratings, a page that needs a mouse or another site, an answer that runs, too wide a page."""
    answers_path, output = files
    with PageServer("rate", "--answers", answers_path, "--output", output) as server:
        ann = Rater(chromium, server.url, width=400)
        ann.begin("Ann")
        for _ in range(4):
            ann.rate()
        server.kill()
    assert len(json.loads(output.read_text())) == 4
    with rating_page(*files) as url:  # the same answers and output, as the same command would have them
        ann = Rater(chromium, url, width=400)
        ann.begin("Ann")
        assert ann.place().startswith("5 of 10 (4 saved")
        wide = ann.too_wide()
        for _ in range(6):
            ann.rate()
            wide += ann.too_wide()
        assert ann.place() == "end"
        ann.page.click("#reveal")
        ann.page.wait_for_selector("#results h2")
        results = ann.page.inner_text("#results")
        assert "The judge (a judge) against Ann, on 10 answers" in results and "1.00 [1.00, 1.00]" in results
        assert "Helpful: at most a point apart\t10 of 10" in results
        assert wide + ann.too_wide() == []
        assert ann.page.evaluate("window.hacked") is None
        assert ann.page.locator("#results mfrac").count() == 1  # the attack's formula is one, the rest of it is text
        assert (ann.elsewhere, ann.errors) == ([], [])
    rows = json.loads(output.read_text())
    assert {row["output"]: row["evaluation"] for row in rows} == {
        row["output"]: row["evaluation"] for row in answers(10)
    }

    compared = str(tmp_path / "human_vs_gpt.json")
    args = human_vs_gpt.parse_args(["--humans", str(output), "--output-path", compared])
    assert cli.call(human_vs_gpt.main, args)["answers"] == 10


def test_one_sees_what_the_keys_do(chromium, files):
    """Guards: keys that act out of sight, arrow keys that stick, a focus that does not show, keys without a switch."""
    answers_path, output = files
    rows = [{**row, "prompt": "Student: why?" + "\nHm." * 60} for row in answers(2)]
    answers_path.write_text(json.dumps(rows), encoding="utf-8")
    with rating_page(answers_path, output) as url:
        ann = Rater(chromium, url)
        ann.begin("Ann")
        page, chosen = ann.page, "[...document.querySelectorAll('fieldset.criterion input:checked')].map(e => e.value)"
        page.locator("details.known summary").focus()
        page.keyboard.press("Enter")
        ann.press("y")
        page.wait_for_timeout(200)
        assert page.evaluate(
            "(box => box.top >= 0 && box.bottom <= innerHeight)"
            "(document.querySelector('fieldset.active').getBoundingClientRect())"
        )
        ann.press("54n")
        page.wait_for_timeout(100)
        for key, left in (("ArrowUp", "yes"), ("ArrowDown", "no"), ("ArrowUp", "yes"), ("ArrowDown", "no")):
            page.keyboard.press(key)
            page.wait_for_timeout(100)
            assert page.evaluate(chosen) == ["yes", "5", "4", left]
        page.keyboard.press("y")  # all is answered: a key corrects the question that has the focus
        assert page.evaluate(chosen) == ["yes", "5", "4", "yes"]
        page.keyboard.press("Shift+Tab")
        outline = "getComputedStyle(document.activeElement.closest('label')).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Enter")  # it saves, and does not close the known answer, which was opened before
        page.get_by_text("2 of 2 (1 saved").wait_for()
        page.get_by_label("Single keys answer").uncheck()
        ann.press("n")
        assert page.evaluate(chosen) == []
    assert json.loads(output.read_text())[0]["evaluation"]["reveal_answer"] == "yes"


def test_two_browsers_at_once_labels_back_and_skip(chromium, files):
    """Guards: one rater's place or words in the other's page; buttons that a screen reader cannot name."""
    answers_path, output = files
    with rating_page(answers_path, output, limit=3) as url:
        ann, ben = Rater(chromium, url), Rater(chromium, url)
        ann.begin("Ann")
        ben.begin("Ben")
        ann.rate()
        ben.press("y")
        ann.rate()
        assert (ann.place()[:6], ben.place()[:6]) == ("3 of 3", "1 of 3")
        page = ben.page
        for group, count in (("Does it ask a question?", 2), ("Is it on topic?", 5), ("Does it reveal the answer?", 2)):
            assert page.get_by_role("radiogroup", name=group).get_by_role("radio").count() == count
        assert page.get_by_role("radio", name="Yes (y)").first.is_checked()
        page.keyboard.press("Enter")  # three answers are missing
        page.get_by_text("Not saved yet. Still to answer: Is it on topic?").wait_for()
        page.get_by_role("button", name="Skip this answer").click()
        page.get_by_label("The dialogue is broken").check()
        page.get_by_role("button", name="Skip it").click()
        page.get_by_text("2 of 3 (1 saved)").wait_for()
        ben.press("b")
        page.get_by_text("You have skipped this one.").wait_for()
        ann.press("b")
        ann.page.get_by_text("2 of 3 (2 saved").wait_for()
        assert ann.page.locator("fieldset.criterion input:checked").count() == 4  # what she said before
        assert "a judge" not in ann.page.content() and "answers.json" not in ann.page.content()  # blind
        assert (ann.errors, ben.errors) == ([], [])
    assert [row["rater"] for row in json.loads(output.read_text())] == ["Ann", "Ann"]


def test_a_pair_is_picked_by_one_key(chromium, tmp_path):
    rows = answers(2)
    rows[1]["prompt"] = rows[0]["prompt"]
    path, output = tmp_path / "answers.json", tmp_path / "picks.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    with rating_page(path, output, pairwise=True, password="not-told-to-anyone") as url:
        visitor = Rater(chromium, url)
        visitor.page.locator("input").first.fill("Ann")
        visitor.page.locator("input[type=password]").fill("not-told-to-anyone")
        visitor.page.keyboard.press("Enter")
        visitor.begin("Ann")
        first = visitor.page.locator("#dialogue .rated .text").nth(1).inner_text()
        visitor.press("2")
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_selector("#reveal", state="visible")
    (row,) = json.loads(output.read_text())
    assert row["chosen"] != row["rejected"] and row["eligible"] and row["chosen"][:9] == first[:9]


def test_it_ends_at_once_while_a_browser_has_the_page_open(chromium, files):
    """Guards: the same command again, which would say that another run is writing there."""
    with PageServer("rate", "--answers", files[0], "--output", files[1]) as server:
        Rater(chromium, server.url).begin("Ann")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=4) == 0


def test_without_a_tunnel_one_line_says_so(monkeypatch, capsys, caplog):
    """No test opens a page to the world: here the tunnel fails as it does without the internet."""
    browser.needed()
    monkeypatch.setattr("gradio.networking.setup_tunnel", lambda **_: 1 / 0)
    with serve.blocks("shared") as page:
        pass
    with opened(page, share=True, password="not-told-to-anyone") as url:
        assert url.startswith("http://127.0.0.1:")
    assert "Could not create share link" not in capsys.readouterr().out
    (warning,) = caplog.messages  # and none that it were open to others
    assert warning.startswith("no public address, the page is at this one alone. Gradio says: Could not create share")


def test_without_gradio_one_line_says_what_to_install(files):
    code = "import sys; sys.modules['gradio'] = None; import rate; rate.cli.run(rate.main, rate.parse_args)"
    command = [sys.executable, "-c", code, "--answers", str(files[0]), "--output", str(files[1])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "error: the pages need Gradio: pip install -r requirements-pages.txt\n",
    )


@pytest.mark.parametrize("flags", [{"server_name": "there.is.none.invalid"}, {"server_port": 1}])
def test_an_address_that_cannot_be_had_is_one_line(flags):
    """Gradio tried a name that nobody has for ever."""
    pytest.importorskip("gradio")
    if "server_port" in flags:
        taken = socket.create_server(("127.0.0.1", 0))
        flags = {"server_port": taken.getsockname()[1]}
    with serve.blocks("a page") as page:
        pass
    with pytest.raises(BadInput, match=r"there\.is\.none\.invalid: |is taken or not allowed"):
        serve.open_page(page, **flags)
