"""Build the page on which people rate answers: a dialogue, an answer (or two to compare), the rubric's questions."""

import re
import time
from collections.abc import Sequence
from typing import Any

from utils.errors import BadInput
from utils.pages import outcome, outcome_html
from utils.pages.ratings import Ratings, checked_name, minutes_left, next_showing
from utils.pages.serve import blocks
from utils.pages.text import as_html, dialogue_as_html, escaped, turn_as_html
from utils.pages.to_rate import Item
from utils.prompts import JUDGE_PROMPT
from utils.records import CRITERIA

YES_NO = [("Yes (y)", "yes"), ("No (n)", "no")]
POINTS = [(str(point), point) for point in range(1, 6)]
TIE = "tie"
PICKS = [("The first (1)", 0), ("The second (2)", 1), ("No difference (3)", TIE)]
WHY_SKIPPED = ["I do not know the subject well enough", "The dialogue is broken", "Something else: see the note"]
TITLES = dict(
    zip(
        CRITERIA,
        ("Does it ask a question?", "Is it on topic?", "Is it helpful?", "Does it reveal the answer?"),
        strict=True,
    )
)
WHICH = "Which of the two is the better next turn of the tutor?"


def rubric_words() -> dict[str, str]:
    """Return each criterion in the words of the judge's prompt (prompts/judge.txt)."""
    template = JUDGE_PROMPT.read_text(encoding="utf-8")
    words = {name: re.search(rf"^{name} \([^)]*\): (.+)$", template, re.MULTILINE) for name in CRITERIA}
    return {name: found[1][0].upper() + found[1][1:] for name, found in words.items()}


def build(queue: Sequence[tuple[Item, int]], ratings: Ratings, *, pairwise: bool = False):
    """Build the page for `queue`, the showings in order. It never tells which model gave an answer."""
    page = blocks("Rate answers")
    import gradio as gr

    with page:
        rater, place, since = gr.State(""), gr.State(0), gr.State(0.0)
        with gr.Group() as welcome:
            gr.HTML(_welcome(queue, pairwise))
            name = gr.Textbox("", label="Your name", info="It tells raters apart; use the same to go on later.",
                              max_length=40, elem_id="name", autofocus=True)  # fmt: skip
            start = gr.Button("Start", variant="primary", elem_id="start")
        with gr.Column(visible=False) as rating:
            progress = gr.HTML(elem_id="progress")
            dialogue = gr.HTML(elem_id="dialogue")
            if pairwise:
                given = [gr.Radio(PICKS, label=WHICH, elem_classes="criterion", elem_id="preferred")]
            else:
                given = [
                    gr.Radio(POINTS if name in ("on_topic", "helpful") else YES_NO, label=TITLES[name], info=words,
                             elem_classes="criterion", elem_id=name)
                    for name, words in rubric_words().items()
                ]  # fmt: skip
            note = gr.Textbox("", label="Note (optional)", lines=1, elem_id="note")
            status = gr.HTML('<p class="status" role="status"></p>', elem_id="status")
            with gr.Row():
                back = gr.Button("Back (b)", elem_id="back", min_width=80)
                save = gr.Button("Save, next (Enter)", variant="primary", elem_id="save", min_width=120)
            with gr.Accordion("Skip this answer", open=False, elem_id="skipping"):
                why = gr.Radio(WHY_SKIPPED, label="Why?", elem_id="why")
                skip = gr.Button("Skip it", elem_id="skip")
            keys = "1 to 3" if pairwise else "y and n, 1 to 5"
            gr.Checkbox(True, label=f"Single keys answer: {keys}, Enter, b", elem_id="keys", interactive=True)
        with gr.Column(visible=False) as end:
            summary = gr.HTML(elem_id="summary")
            with gr.Row():
                back_from_end = gr.Button("Back to the last answer", elem_id="back-from-end", min_width=120)
                reveal = gr.Button("Show how far the judge agrees", variant="primary", elem_id="reveal", min_width=120)
            results = gr.HTML(elem_id="results")
    shown = [rater, place, since, welcome, rating, end, progress, dialogue, *given, note, status, summary,
             back_from_end, results, why]  # fmt: skip

    def show(who: str, at: int) -> dict[Any, Any]:
        """Return the page's contents for this rater at position `at` of the queue."""
        said = ratings.of(who)
        updates = {rater: who, place: at, since: time.monotonic(), welcome: gr.update(visible=False),
                   rating: gr.update(visible=at < len(queue)), end: gr.update(visible=at == len(queue))}  # fmt: skip
        if at == len(queue):
            missing = len(queue) - len(said)
            return updates | {
                summary: _summary(said, missing, ratings),
                back_from_end: gr.update(visible=not ratings.has_seen_verdicts(who)), results: "",
            }  # fmt: skip
        item, showing = queue[at]
        before = said.get((item.key, showing), {})
        return updates | dict(zip(given, _values(before, pairwise), strict=True)) | {
            progress: _progress(queue, at, said), dialogue: _item(item), note: before.get("note", ""),
            why: before.get("skipped"), status: _status("You have skipped this one." if "skipped" in before else ""),
        }  # fmt: skip

    def begin(typed: str):
        try:
            who = checked_name(typed)
        except BadInput as error:
            raise gr.Error(str(error), title="A name, please", print_exception=False) from None
        return show(who, next_showing(queue, ratings.of(who)))

    def keep(who: str, at: int, began: float, text: str, *values):
        names = [WHICH] if pairwise else [TITLES[c] for c in CRITERIA]
        missing = [name for name, value in zip(names, values, strict=True) if value is None]
        if missing:
            return {status: _status(f"Not saved yet. Still to answer: {' '.join(missing)}")}
        if pairwise:
            return store(who, at, began, text, preferred=None if values[0] == TIE else values[0])
        numbers = (float(value) if isinstance(value, int) else value for value in values)
        return store(who, at, began, text, evaluation=dict(zip(CRITERIA, numbers, strict=True)))

    def leave_out(who: str, at: int, began: float, text: str, reason: str | None):
        if reason is None or (reason == WHY_SKIPPED[-1] and not text.strip()):
            return {status: _status("Not skipped yet: say why (for something else, in the note).")}
        return store(who, at, began, text, skipped=reason)

    def store(who: str, at: int, began: float, text: str, **answer):
        item, showing = queue[at]
        try:
            ratings.add(who, item, showing, seconds=time.monotonic() - began, note=text, **answer)
        except (BadInput, OSError) as error:  # a full disk, say: show it and stay at this answer
            return {status: _status(f"Not saved: {error}")}
        return show(who, at + 1)

    def compare(who: str):
        if not who or next_showing(queue, ratings.of(who)) < len(queue):
            return {results: _status("First rate what is left.")}
        ratings.note_verdicts_seen(who)
        items = list(dict.fromkeys(item for item, _ in queue))
        found = (outcome.compare_picks if pairwise else outcome.compare_ratings)(items, ratings)
        return {results: outcome_html.page(found, items, ratings.of(who)), back_from_end: gr.update(visible=False)}

    with page:
        arrived = {"fn": None, "js": "() => window.answerShown()"}
        for trigger in (start.click, name.submit):
            trigger(begin, [name], shown, show_progress="hidden").success(**arrived)
        save.click(keep, [rater, place, since, note, *given], shown, show_progress="hidden").success(**arrived)
        skip.click(leave_out, [rater, place, since, note, why], shown, show_progress="hidden").success(**arrived)
        for button in (back, back_from_end):
            button.click(
                lambda who, at: show(who, max(at - 1, 0)), [rater, place], shown, show_progress="hidden"
            ).success(**arrived)
        reveal.click(compare, [rater], shown)
        page.load(None, js="() => window.answerShown()")
    return page


def _values(entry: dict[str, Any], pairwise: bool) -> list[Any]:
    """Return the values of the buttons from an earlier rating; None for each that is missing."""
    if not pairwise:
        return [entry.get("evaluation", {}).get(name) for name in CRITERIA]
    return [TIE if entry["preferred"] is None else entry["preferred"]] if "preferred" in entry else [None]


def _welcome(queue: Sequence[tuple[Item, int]], pairwise: bool) -> str:
    task = (
        "two answers of a tutor; say which is the better"
        if pairwise
        else "a tutor's answer; grade it by four questions"
    )
    return (
        f"<div class='text'><h1>Rate a tutor's answers</h1>You will see {len(queue)} dialogues, each with {task}. "
        "The tutor should lead the student on with questions and not hand over the solution. Where an answer breaks "
        "off, the tutor has stopped there: rate what you see.\n"
        "Every rating is saved at once. You may stop at any time and go on later under the same name.</div>"
    )


def _status(message: str) -> str:
    return f'<p class="status" role="status" aria-live="polite">{escaped(message)}</p>'


def _progress(queue: Sequence[tuple[Item, int]], at: int, said: dict) -> str:
    left = minutes_left(queue, said)
    time_left = f", about {max(1, round(left))} min left" if left else ""
    text = f"{at + 1} of {len(queue)} ({len(said)} saved{time_left})"
    bar = f'<progress max="{len(queue)}" value="{len(said)}" aria-label="rated"></progress>'
    return f'<p class="hint">{text}</p>{bar}'


def _item(item: Item) -> str:
    known = item.row.get("known_answer")
    hidden = (
        f'<details class="known"><summary>Show the known answer</summary>{as_html(known)}</details>' if known else ""
    )
    titles = ("The tutor's answer to rate",) if len(item.answers) == 1 else ("The first answer", "The second answer")
    answers = "".join(
        turn_as_html(title, answer.output).replace('class="turn', 'class="rated turn', 1)
        for title, answer in zip(titles, item.answers, strict=True)
    )
    heading = '<h1 id="heading" tabindex="-1">The dialogue</h1>'
    return f"{heading}{dialogue_as_html(item.prompt)}{hidden}{answers}"


def _summary(said: dict, missing: int, ratings: Ratings) -> str:
    skipped = sum("skipped" in entry for (_, showing), entry in said.items() if not showing)
    twice = sum(showing for _, showing in said)
    rest = f", {missing} still to do" if missing else ""
    return (
        f"<h1>Thank you: all is rated.</h1><p>{len(said) - twice - skipped} rated, {twice} of them twice, {skipped} "
        f"skipped{rest}. "
        f"Everything is in <code>{escaped(str(ratings.output))}</code>. Once you have seen the judge's verdicts you "
        "can no longer change your ratings.</p>"
    )
