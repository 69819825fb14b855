"""The report: what stands in the file, whatever models have written, and that it works in a real browser."""

import base64
import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

import report
from tests.test_figures import BAD, BAD_SCORE, GOOD, GOOD_SCORE, edit, make_tree, rows, write, write_manifest
from utils.errors import BadInput
from utils.results import drawing, html

CHROMIUM = shutil.which("chromium")
BREAKS_OUT = "</script><script>window.hacked = 1</script>"
HOSTILE = [
    BREAKS_OUT,
    '<img src="https://example.org/x.png" onerror="window.hacked = 2"> "><svg onload=window.hacked=3>',
    "{{ 7 * 7 }} {% raw %} <!--<script> ]]> &lt;b&gt; &amp;",
    "line\u2028separator, NUL \u0000, half a character \ud800, \u202eright to left",
]
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "paper"


def make_root(root: Path) -> Path:
    """A whole tree with baselines, a second judge, training sets, an invalid verdict; hostile text wherever it can be.

    On MathDial the base's row k has HOSTILE[k] as its answer; those rows are good (k < 3) or bad.
    """
    names = {"judge": "offline rubric", "base": f"base {BREAKS_OUT}", "self": "another"}
    make_tree(root, names=names)

    def poison(answers: list[dict]) -> None:
        for row, text in zip(answers, HOSTILE, strict=False):
            row |= {"output": text, "reasons": [f"because {text}"], "guards": [f"guard {text}"]}

    folder = root / "evaluation" / "mathdial"
    edit(folder / "base.json", poison)
    edit(folder / "from_finetuned_with_mathdial.json", lambda answers: answers[7].update(guards=["off topic"]))
    edit(folder / "from_finetuned_with_mathdial.json", lambda answers: answers[4].update(known_answer="it is 42 here"))
    worst = {"evaluation": BAD | {"on_topic": 2.0}, "score": 0.25 * 2 / 5 + 0.25 * 2 / 5}
    edit(folder / "from_finetuned_with_mathdial.json", lambda answers: answers[1].update(worst))
    invalid = {"evaluation": None, "score": None, "evaluation_error": "no JSON", "raw_evaluation": BREAKS_OUT}
    edit(folder / "from_finetuned_with_mathdial.json", lambda answers: answers[2].update(invalid))
    write(folder / "baseline_constant_question.json", rows(9, 1, own_dialogue_gain=0.0))
    second = rows(0, 10, judge="second judge")
    for row, first in zip(second, json.loads((folder / "base.json").read_text()), strict=True):
        row["output"] = first["output"]
    write(folder / "base.by_second.json", second)
    for name in ("mathdial", "tutorchat"):
        write(root / "dpo" / name / "train_dataset.json", [prompt(name, k) for k in range(30)])
    leaks = ["mathdial: 3 of 10 test rows stand in train word for word"]
    write_manifest(root, names, seeds_audit={"leaks": leaks, "defects": []})
    return root


def prompt(name: str, number: int) -> dict:
    """A prompt with four candidates; every third gives no pair."""
    texts = [f"What is {number}?", "It is 4.", HOSTILE[number % 4], "Why so?"]
    grades = [GOOD, BAD, BAD, GOOD | {"helpful": 2.0}]
    scores = [GOOD_SCORE, BAD_SCORE, BAD_SCORE, 0.85]
    given = [
        {"output": text, "evaluation": grade, "score": score, "judge": "offline rubric", "guards": [], "reasons": []}
        for text, grade, score in zip(texts, grades, scores, strict=True)
    ]
    why = "the best scores no higher than the worst" if number % 3 == 2 else None
    sides = {"chosen_eval": given[0], "rejected_eval": given[1], "all_evaluations": given}
    row = {
        "id": f"{name}-{number}",
        "group": f"p{number}",
        "prompt": f"Student: {number} of {name}?",
        "known_answer": "4",
    }
    return row | sides | {"eligible": why is None, "not_eligible_because": why}


def unpacked(path: Path) -> dict:
    packed = re.search(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]+)</script>', path.read_text("utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def file(root):
    return report.main(root)


@pytest.fixture
def without_figures(monkeypatch):
    """Without the seconds that drawing takes; what is missing is still said."""
    monkeypatch.setattr(drawing, "draw", lambda root, compared, trained_on: dict.fromkeys(html.CAPTIONS, (None, "…")))


# --- what stands in the file


def test_every_answer_is_in_the_file_as_it_was_given(root, file):
    data = unpacked(file)
    assert len(data["dialogues"]) == 30 and len(data["prompts"]) == 60
    first = data["dialogues"][0]
    assert (first["set"], first["id"], first["group"]) == ("mathdial", "row-0", "problem-0")
    for k, text in enumerate(HOSTILE):
        assert data["dialogues"][k]["answers"]["base"]["text"] == text
    verdict, other = first["answers"]["base"]["verdicts"]  # by the first judge and by the second
    assert (verdict["score"], other["score"]) == (GOOD_SCORE, BAD_SCORE)
    assert verdict["criteria"] == {"questions": "yes", "on_topic": 5.0, "helpful": 5.0, "reveal_answer": "no"}
    assert verdict["guards"] == [f"guard {BREAKS_OUT}"] and verdict["reasons"] == [f"because {BREAKS_OUT}"]
    assert data["judges"] == ["offline rubric", "second judge"]
    bad = data["dialogues"][2]["answers"]["from_finetuned_with_mathdial"]["verdicts"]
    assert bad == [{"reasons": [], "guards": [], "error": "no JSON", "raw": BREAKS_OUT}, None]
    assert {prompt["why"] for prompt in data["prompts"]} == {None, "the best scores no higher than the worst"}
    assert sum(prompt["pair"] for prompt in data["prompts"]) == 40
    assert {(p["chosen"], p["rejected"], len(p["candidates"])) for p in data["prompts"]} == {(0, 1, 4)}


def test_no_text_of_a_model_is_markup_in_the_page(file):
    page = file.read_text("utf-8")
    assert len(re.findall("<script", page)) == len(re.findall("</script>", page)) == 2
    assert 'onerror="' not in page and "base &lt;/script&gt;&lt;script&gt;window.hacked" in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)


def test_claims_warnings_and_the_audit_stand_before_the_table_and_the_answers_after_the_figures(file):
    page = file.read_text("utf-8")
    parts = [
        'id="run"', "stand in train word for word", 'id="claims"', "the tutor trained on MathDial",
        "Before you believe the numbers", "Table 1.", "by second judge", "one question to everyone", 'id="figures"',
        "data:image/svg+xml", 'id="people"', "agrees with people", 'id="answers"', 'id="pairs"', 'id="manifest"',
    ]  # fmt: skip
    place = 0
    for part in parts:
        assert part in page[place:], part
        place = page.index(part, place)
    assert page.count("data:image/svg+xml") == 7  # Figures 2 to 6, comparisons, trainings


def test_a_tree_of_the_original_code(tmp_path, without_figures, capsys):
    root = make_tree(tmp_path, original=True)
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: rows[0]["evaluation"].update(on_topic=50.0))
    edit(root / "evaluation" / "human_vs_gpt.json", lambda rows: rows[0]["gpt4o"].update(on_topic=50.0))
    given = [{"output": text, "evaluation": grade, "evaluation_error": None, "raw_evaluation": "{}"}
             for text, grade in (("Why?", GOOD), ("4", BAD))]  # fmt: skip
    row = {"prompt": "Student: 4?", "chosen": "Why?", "rejected": "4", "all_evaluations": given}
    nothing = {"prompt": "Student: 5?", "chosen": None, "rejected": None, "all_evaluations": [given[1]]}
    pairs = [row | {"chosen_eval": given[0], "rejected_eval": given[1]}]
    pairs += [nothing | {"chosen_eval": None, "rejected_eval": None}]
    write(root / "dpo" / "mathdial" / "train_dataset.json", pairs)
    data, page = unpacked(report.main(root)), (root / "report.html").read_text("utf-8")
    assert data["dialogues"][0]["id"] == "row 1"
    assert data["dialogues"][0]["answers"]["base"]["verdicts"][0]["error"] == "outside the rubric's scale"
    assert data["dialogues"][9]["answers"]["base"]["verdicts"][0]["score"] == pytest.approx(BAD_SCORE)
    assert [(p["pair"], p["chosen"], p["rejected"]) for p in data["prompts"]] == [(True, 0, 1), (False, None, None)]
    assert "no manifest.json" in page and "Not audited" in page and "GPT-4o" in page
    assert str(root / "report.html") in capsys.readouterr().out


def test_an_evaluation_alone_is_enough_and_an_empty_folder_is_refused(tmp_path, without_figures):
    with pytest.raises(FileNotFoundError, match="nothing to draw"):
        report.main(tmp_path)
    write(tmp_path / "evaluation" / "mathdial" / "base.json", rows(3, 7))
    page = report.main(tmp_path, tmp_path / "elsewhere.html").read_text("utf-8")
    assert "Nothing can be claimed" in page and "Not checked" in page and "no training set" in page
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(("change", "said"), [
    (lambda row: row.update(output=None), "base.json, row 3: 'output' is None, not a text"),
    (lambda row: row.pop("evaluation"), "base.json, row 3: no 'evaluation'"),
])  # fmt: skip
def test_a_broken_answer_is_named(tmp_path, without_figures, change, said):
    root = make_tree(tmp_path)
    edit(root / "evaluation" / "mathdial" / "base.json", lambda answers: change(answers[2]))
    with pytest.raises(BadInput, match=re.escape(said)):
        report.main(root)


def test_a_broken_candidate_is_named(tmp_path, without_figures):
    root = make_tree(tmp_path)
    candidates = [prompt("mathdial", k) for k in range(3)]
    del candidates[1]["all_evaluations"][2]["evaluation"]
    write(root / "dpo" / "mathdial" / "train_dataset.json", candidates)
    write_manifest(root)
    with pytest.raises(BadInput, match=r"train_dataset\.json, row 2: no 'evaluation'"):
        report.main(root)


def test_a_second_judges_verdict_on_another_answer_is_not_shown_as_one_on_this(tmp_path, without_figures):
    root = make_tree(tmp_path)
    other = rows(9, 1, judge="second judge")
    other[0]["output"] = "an answer of another run"
    write(root / "evaluation" / "mathdial" / "base.by_second.json", other)
    write_manifest(root)
    path = report.main(root)
    assert "base.by_second.json, row 1: not the answer in the first judge" in path.read_text("utf-8")
    assert unpacked(path)["dialogues"][0]["answers"]["base"]["verdicts"][1] is None


def test_another_tutor_and_another_dataset_are_shown_without_the_papers_values(tmp_path, without_figures):
    for model, tutor in (("base", "base"), ("from_finetuned_with_optics", "weights"), ("also_qwen3-8b", "qwen3:8b")):
        write(tmp_path / "evaluation" / "optics" / f"{model}.json", rows(4, 6, tutor=tutor))
    write_manifest(tmp_path)
    path = report.main(tmp_path)
    page, data = path.read_text("utf-8"), unpacked(path)
    assert data["tutors"]["also_qwen3-8b"] == "qwen3:8b" and "<td>qwen3:8b</td>" in page
    assert all("also_qwen3-8b" in one["answers"] for one in data["dialogues"])
    assert "Phi-3" not in page and ">paper</th>" not in page


def test_the_cost_is_the_sum_of_what_the_verdicts_say(tmp_path, without_figures):
    """3 test sets x 10 answers of the base at half a dollar; rows of other files say nothing."""
    root = make_tree(tmp_path)
    for path in root.glob("evaluation/*/gpt4o.json"):
        edit(path, lambda answers: [row.update(details={"features": {"length": 0.5}}) for row in answers])
    assert f"no paid call for {3 * 5 * 10 + 20} verdicts" in report.main(root).read_text("utf-8")
    paid = {"usage": {"prompt_tokens": 100, "completion_tokens": 10}, "cost": 0.5}
    for path in root.glob("evaluation/*/base.json"):
        edit(path, lambda answers: [row.update(details=paid) for row in answers])
    page = report.main(root).read_text("utf-8")
    assert f"${30 * 0.5:.4f} and {30 * 110:,} tokens for {3 * 5 * 10 + 20} verdicts" in page


@pytest.mark.skipif(not SHARED.is_dir(), reason="the paper's files are not here")
def test_the_papers_human_ratings_are_reported(tmp_path, without_figures):
    people = json.loads((SHARED / "mathdial_human_eval.json").read_text())
    pairs = [{"prompt": r["prompt"], "output": r["output"], "human": r["evaluation"], "gpt4o": r["evaluation"]}
             for r in people]  # fmt: skip
    write(tmp_path / "evaluation" / "human_vs_gpt.json", pairs)
    assert "GPT-4o agrees with people better than" in report.main(tmp_path).read_text("utf-8")


# --- in a browser


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, file):
    """Open the report: a page that must end without a message on the console and without a request but the file's."""
    said, pages = [], []

    def open_page(address: str = "", **settings):
        page = browser.new_page(**settings)
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}") or dialog.dismiss())
        page.on("request", lambda sent: sent.url.startswith(("data:", "file:")) or said.append(sent.url))
        page.goto(f"file://{file}{address}")
        page.wait_for_selector("#answers article")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []


def shows(page, count: str, ids: list[str] | None = None, section: str = "answers") -> None:
    """Wait until a section says how many rows it shows, and shows those (None: whichever)."""
    from playwright.sync_api import expect

    expect(page.locator(f"#{section} .count")).to_have_text(count)
    if ids is not None:
        expect(page.locator(f"#{section} article > h3 a")).to_have_text(ids)


def named(*numbers: int) -> list[str]:
    return [f"row-{k}" for k in numbers]


def test_it_opens_and_what_models_wrote_stays_text(opened):
    page = opened()
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 2 and page.locator("main img").count() == 7
    shown = page.locator("#answers article .answer > .text")
    texts = [shown.nth(2 * k).evaluate("node => node.textContent") for k in range(3)]
    assert texts == HOSTILE[:3]  # the base's answers, which stand first
    page.locator("#answers select[name=order]").select_option("changed")
    page.locator("#answers select[name=tutor]").select_option("*")
    shows(page, "30 of 30 dialogues")
    assert page.evaluate("window.hacked") is None


def test_filters_leave_the_rows_that_the_tree_has(opened):
    """The tutor trained on MathDial: row 1 is worst and off topic, 2 has no verdict, 9 is bad, the rest is good."""
    page = opened()
    form = page.locator("#answers form")
    shows(page, "30 of 30 dialogues", [*named(*range(10)), *named(*range(10))])
    page.locator("#answers .more").click()
    shows(page, "30 of 30 dialogues", named(*range(10)) * 3)
    assert page.locator("#answers .more").is_hidden()
    form.locator("[name=set]").select_option("mathdial")
    shows(page, "10 of 30 dialogues", named(*range(10)))
    for name, value, expected in [
        ("criterion", "reveals", (1, 9)), ("criterion", "asks-not", (1, 9)), ("criterion", "off-topic", (1,)),
        ("criterion", "unhelpful", (1, 9)), ("criterion", "asks", (0, 3, 4, 5, 6, 7, 8)), ("verdict", "invalid", (2,)),
        ("guard", "off topic", (7,)), ("guard", "*", (7,)),
    ]:  # fmt: skip
        form.locator(f"[name={name}]").select_option(value)
        shows(page, f"{len(expected)} of 30 dialogues", named(*expected))
        form.locator(f"[name={name}]").select_option("")
    form.locator("[name=to]").fill("0.35")
    shows(page, "2 of 30 dialogues", named(1, 9))
    form.locator("[name=from]").fill("0.3")
    shows(page, "1 of 30 dialogues", named(9))
    form.locator("[name=to]").fill("")
    shows(page, "8 of 30 dialogues", named(0, 3, 4, 5, 6, 7, 8, 9))
    form.locator("[name=from]").fill("0.9")
    form.locator("[name=tutor]").select_option("base")
    shows(page, "3 of 30 dialogues", named(0, 1, 2))
    form.locator("[name=judge]").select_option("1")  # to whom all is bad
    shows(page, "0 of 30 dialogues")
    form.locator("button[type=reset]").click()
    shows(page, "30 of 30 dialogues")


def test_orders_and_the_difference_to_the_base(opened):
    """On MathDial the base is good in rows 0 to 2: the tutor gains in rows 3 to 8 and loses in 1; 2 has no verdict."""
    page = opened()
    form = page.locator("#answers form")
    form.locator("[name=set]").select_option("mathdial")
    for order, expected in [
        ("gained", (3, 4, 5, 6, 7, 8, 0, 9, 1, 2)), ("lost", (1, 0, 9, 3, 4, 5, 6, 7, 8, 2)),
        ("changed", (1, 3, 4, 5, 6, 7, 8, 0, 9, 2)), ("worst", (1, 9, 0, 3, 4, 5, 6, 7, 8, 2)),
        ("best", (0, 3, 4, 5, 6, 7, 8, 9, 1, 2)),
    ]:  # fmt: skip
        form.locator("[name=order]").select_option(order)
        shows(page, "10 of 30 dialogues", named(*expected))
    page.locator("#answers details", has_text="Beside it").locator("summary").click()
    form.get_by_role("checkbox", name="one question to everyone").check()
    form.locator("[name=id]").fill("row-3")
    shows(page, "1 of 30 dialogues", named(3))
    card = page.locator("#answers article").inner_text()
    assert f"+{GOOD_SCORE - BAD_SCORE:.2f} against base" in card and "own-dialogue gain +0.00" in card


def test_search_and_a_link_to_a_row(opened):
    page = opened("#answers?" + "set=mathdial&id=row-4")
    shows(page, "1 of 30 dialogues", named(4))
    assert page.locator("#answers [name=id]").input_value() == "row-4"
    page.locator("#answers button[type=reset]").click()
    page.locator("#answers [name=q]").fill("IT IS 42")
    shows(page, "1 of 30 dialogues", named(4))
    assert "q=IT+IS+42" in page.url  # the address is what can be sent on
    page.locator("#answers [name=q]").fill("")
    shows(page, "30 of 30 dialogues")
    page.locator("#answers article > h3 a").nth(5).click()
    shows(page, "1 of 30 dialogues", named(5))


def test_pairs_stand_side_by_side_and_say_why_there_is_none(opened):
    page = opened()
    shows(page, "40 of 60 prompts", section="pairs")
    card = page.locator("#pairs article").first
    assert card.locator("h4").all_inner_texts()[:2] == ["chosen", "rejected"]
    assert card.locator(".answer > .text").nth(0).inner_text() == "What is 0?"
    card.locator("details").last.locator("summary").click()
    assert card.locator("details .answer > .text").first.evaluate("node => node.textContent") == HOSTILE[0]
    form = page.locator("#pairs form")
    form.locator("[name=set]").select_option("tutorchat")
    form.locator("[name=pair]").select_option("no")
    shows(page, "10 of 60 prompts", [f"tutorchat-{k}" for k in range(2, 30, 3)], "pairs")
    assert "No pair: the best scores no higher" in page.locator("#pairs article").first.inner_text()
    page.locator("#pairs article > h3 a").first.click()
    shows(page, "1 of 60 prompts", ["tutorchat-2"], "pairs")


def test_on_a_phone_in_the_dark_by_keyboard_and_printed(opened):
    page = opened(viewport={"width": 400, "height": 800}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 22)"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answers"
    page.locator("#answers .more").focus()
    page.keyboard.press("Enter")
    shows(page, "30 of 30 dialogues", named(*range(10)) * 3)
    assert page.evaluate("[...document.querySelectorAll('#answers article')].indexOf(document.activeElement)") == 20
    page.locator("#answers [name=q]").focus()
    page.keyboard.type("it is 42 here")
    shows(page, "1 of 30 dialogues", named(4))
    page.emulate_media(media="print")
    assert page.locator("#answers form").is_hidden() and page.locator("nav").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
