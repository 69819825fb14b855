"""Make the pictures of both pages that docs/pages.md shows, with real models in a real browser (Debian's chromium).

    python -m docs.make_pictures --model smollm2 runs/demo/dpo/mathdial/weights

The answers that are rated are the teacher's own turns and bare results of our test dialogues; the ratings in the
pictures follow a rule (who asks: yes, 5, 4, no; who tells: no, 4, 2, yes): it shows the page, it proves nothing.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from utils.artifacts import write_json
from utils.judges.judge import OfflineJudge
from utils.pages.picks import Picks
from utils.pages.ratings import Ratings
from utils.pages.serve import FOLDER, open_page
from utils.pages.session import by_name
from utils.pages.to_rate import read_items, showings, shuffled
from utils.prompts import INFERENCE_PROMPT, load_template
from utils.records import TutorAnswer
from utils.seeds.read import read_seeds
from utils.tutors.local import LocalTutor
from utils.tutors.stream import LocalStream
from utils.tutors.tutor import Sampling

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "datasets" / "mathdial_test.jsonl"
WIDTHS = (1280, 400)


def main(*, model: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        os.chdir(folder)  # the pages show where they write
        rating(chromium)
        talking(chromium, model)
        chromium.close()


def rating(chromium) -> None:
    """rate_1280.png, rate_400.png: an answer to rate; agreement_1280.png: what is shown once all is rated."""
    from utils.pages import rate_page

    judge, rows = OfflineJudge(), []
    for number, seed in enumerate(read_seeds(SEEDS)):
        answer = seed.reference if number % 2 == 0 else f"No, that is not right. The answer is {seed.answer}."
        verdict = judge.grade(TutorAnswer(seed.text, answer, seed.answer)).model_dump()
        fields = {"id": seed.id, "group": seed.group, "prompt": seed.text, "known_answer": seed.answer}
        rows.append(fields | {"output": answer} | verdict)
    write_json("runs/answers.json", rows)
    queue = showings(shuffled(read_items(["runs/answers.json"])[0], 0), 0, 0)
    ratings = Ratings("runs/ratings.json")
    built = rate_page.build(queue, ratings)
    url = open_page(built, script=(FOLDER / "rate.js").read_text(encoding="utf-8"))
    for width, name in zip(WIDTHS, ("Ben", "Ann"), strict=True):
        page = visit(chromium, url, width)
        page.fill("#name input, #name textarea", name)
        page.keyboard.press("Enter")
        page.wait_for_selector("#save", state="visible")
        page.wait_for_timeout(500)
        for _ in range(3):
            rate_one(page)
        page.keyboard.press("y")
        keep(page, f"rate_{width}", full_page=width < 500)
    while not page.is_visible("#reveal"):
        rate_one(page)
    page = visit(chromium, url, 1280)
    page.fill("#name input, #name textarea", "Ann")
    page.keyboard.press("Enter")
    page.click("#reveal")
    page.wait_for_selector("#results h2", timeout=120_000)
    keep(page, "agreement_1280")
    ratings.close()
    built.close(verbose=False)


def rate_one(page) -> None:
    before = page.inner_text("#progress .hint")
    tells = "The answer is" in page.inner_text("#dialogue .rated")
    for key in "n42y" if tells else "y54n":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "before => !document.querySelector('#save')?.offsetParent"
        " || document.querySelector('#progress .hint').innerText !== before", arg=before,
    )  # fmt: skip
    page.wait_for_timeout(300)


def talking(chromium, models: list[str]) -> None:
    """chat_1280.png: two tutors side by side, after a pick; chat_400.png: while they answer, on a phone."""
    from utils.pages import chat_page

    sampling = Sampling(temperature=0.7, top_k=50, max_new_tokens=64, seed=0)
    template = load_template(INFERENCE_PROMPT, "input")
    tutors = [LocalStream(LocalTutor(model, sampling, template)) for model in models]
    picks = Picks("runs/picks.json")
    built = chat_page.build(by_name(tutors), OfflineJudge(), picks, read_seeds(SEEDS))
    url = open_page(built)
    for width in WIDTHS:
        page = visit(chromium, url, width)
        page.locator("#verdicts input").check()
        page.fill("#message textarea", "I think 3/4 + 1/2 = 4/6, because 3 + 1 = 4 and 4 + 2 = 6. Is that right?")
        page.keyboard.press("Enter")
        if len(models) > 1:
            page.wait_for_selector("#pick-1", state="visible")
            if width == WIDTHS[0]:
                page.click("#pick-1")
                page.get_by_text("(taken)").wait_for()
        else:
            page.get_by_text("offline rubric: score").wait_for()
        keep(page, f"chat_{width}", full_page=True)
    picks.close()
    built.close(verbose=False)


def visit(chromium, url: str, width: int):
    page = chromium.new_context(viewport={"width": width, "height": 1000}).new_page()
    page.set_default_timeout(300_000)
    page.goto(url)
    page.wait_for_selector("#name, #message")
    return page


def keep(page, name: str, full_page: bool = False) -> None:
    """A PNG of 48 colours: a page has no more, and the file is a quarter of the size."""
    from PIL import Image

    path = ROOT / "docs" / f"{name}.png"
    page.wait_for_timeout(500)
    page.screenshot(path=path, full_page=full_page)
    Image.open(path).convert("RGB").quantize(48).save(path, optimize=True)
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["smollm2"], help="one tutor, or two to show side by side")
    models = [str(Path(word).resolve()) if Path(word).exists() else word for word in parser.parse_args().model]
    main(model=models)
