"""Build the page on which a person talks to one tutor, or to two side by side."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.clients.keys import redact
from utils.errors import BadInput
from utils.judges.judge import Judge
from utils.pages.conversation import from_seed
from utils.pages.picks import Picks
from utils.pages.serve import blocks
from utils.pages.session import Session
from utils.pages.talk_html import talk_as_html
from utils.pages.text import NAMES, escaped
from utils.records import SeedDialogue
from utils.seeds.read import read_seeds
from utils.tutors.stream import StreamingTutor

PICKS = (("First better", "pick-0"), ("Same", "pick-tie"), ("Second better", "pick-1"))
NOBODY = "nobody: one tutor alone"
MENDABLE = (BadInput, JudgeError, JudgeUnavailable, OSError)  # shown in one line; any other exception is a bug
PAUSE = 0.15  # seconds between two updates of the page while an answer grows
AT_ONCE = 4  # people answered at the same time; others wait in a queue
WRITE_ON = "() => document.querySelector('#message textarea').focus()"
SAVE_AS_FILE = """(file) => {
  if (!file) return;
  const link = Object.assign(document.createElement("a"), { download: file.name });
  link.href = URL.createObjectURL(new Blob([file.content]));
  link.click();
}"""


def build(tutors: Mapping[str, StreamingTutor], judge: Judge, picks: Picks | None, seeds: Sequence[SeedDialogue] = ()):
    """Build the page. A user can open one of `seeds`. Preferences between two answers go to `picks`."""
    page = blocks("Talk to the tutor")
    import gradio as gr

    names = list(tutors)
    with page:
        session = gr.State(None)
        gr.HTML("<h1>Talk to the tutor</h1>")
        offered = gr.State(list(seeds))
        with gr.Row():
            first = gr.Dropdown(names, value=names[0], label="Tutor", elem_id="first", min_width=200)
            second = gr.Dropdown([NOBODY, *names], value=names[1] if len(names) > 1 else NOBODY,
                                 label="Beside it", elem_id="second", min_width=200)  # fmt: skip
        with gr.Row():
            blind = gr.Checkbox(False, label="Blind: names are hidden until you pick", elem_id="blind", min_width=200)
            verdicts = gr.Checkbox(False, label=f"Show the verdict of {judge.name}", elem_id="verdicts", min_width=200)
        talk = gr.HTML(talk_as_html(None), elem_id="talk")
        with gr.Row(visible=False) as choice:
            pick = [gr.Button(label, elem_id=name, min_width=90) for label, name in PICKS]
        score = gr.HTML(elem_id="score")
        status = gr.HTML(_status(""), elem_id="status")
        message = gr.Textbox("", label="The student says", lines=1, max_lines=8, elem_id="message", autofocus=True,
                             info="Enter sends, Shift+Enter begins a new line", submit_btn=False)  # fmt: skip
        with gr.Row():
            send = gr.Button("Send", variant="primary", elem_id="send", min_width=80)
            stop = gr.Button("Stop", elem_id="stop", min_width=80)
            again = gr.Button("Again", elem_id="again", min_width=80)
            edit = gr.Button("Edit last", elem_id="edit", min_width=80)
            undo = gr.Button("Undo", elem_id="undo", min_width=80)
            clear = gr.Button("Clear", elem_id="clear", min_width=80)
        with gr.Row():
            as_seed = gr.Button("Save as seed row", elem_id="as-seed", min_width=120)
            as_text = gr.Button("Save as text", elem_id="as-text", min_width=120)
            to_save = gr.JSON(visible=False)
        with gr.Accordion("Lesson text or problem, put above the conversation", open=False, elem_id="about"):
            context = gr.Textbox("", label="Lesson or problem", lines=3, elem_id="context")
        with gr.Accordion("Open a seed dialogue and go on from its last turn", open=False, elem_id="opening"):
            file = gr.File(label="A file of seeds (.jsonl or .json)", file_types=[".jsonl", ".json"], elem_id="file")
            seed = gr.Dropdown(_titles(seeds), value=None, label="Dialogue", type="index", elem_id="seed")
        with gr.Accordion("The prompt as the model sees it", open=False, elem_id="prompt-box") as prompt_box:
            look = gr.Button("Show it for the conversation so far", elem_id="look")
            prompt = gr.HTML(elem_id="prompt")
    shown = [session, talk, choice, score, status, prompt]

    def view(now: Session | None, note: str = "") -> dict[Any, Any]:
        now = now or Session()
        both = [one.tutor for one in now.answers]
        told = "" if len(both) < 2 or now.names_hidden else str(picks.score(*sorted(both, key=names.index)))
        return {
            session: now, talk: talk_as_html(now), choice: gr.update(visible=now.waits_for_pick and _finished(now)),
            score: f"<p class='hint'>{escaped(told)}</p>" if told else "", status: _status(note),
            prompt: "",
        }  # fmt: skip

    def file_of(now: Session | None, name: str) -> dict[Any, Any]:
        talk_so_far = (now or Session()).continued()
        if not talk_so_far.text:
            return {to_save: None, status: _status("Nothing is said yet.")}
        turns = "\n\n".join(f"{NAMES[role]}: {content}" for role, content in talk_so_far.all_turns())
        content = talk_so_far.as_seed_line(now.speaker) if name.endswith(".jsonl") else turns + "\n"
        return {to_save: {"name": name, "content": content}}

    def answer(now: Session, one: str, other: str, with_verdicts: bool):
        """Yield the page as the answers grow."""
        chosen = [tutors[name] for name in dict.fromkeys([one, other]) if name in tutors]
        last = 0.0
        try:
            yield view(now, "The tutor is reading …")
            for now in now.answering(chosen):  # noqa: B020 - the session is replaced by each update
                if time.monotonic() - last > PAUSE or not now.answers[-1].sample.text:
                    last = time.monotonic()
                    yield view(now)
            if with_verdicts:
                now = now.judged(judge)
            yield view(now)
        except MENDABLE as error:
            yield view(now.stopped(), f"No answer: {redact(error)}")

    def say(now: Session | None, text: str, about: str, one: str, other: str, hidden: bool, with_verdicts: bool):
        now = replace(now or Session(), blind=hidden) if not (now and now.answers) else now
        try:
            now = replace(now.told(text, about), blind=hidden)
        except BadInput as error:
            yield {status: _status(str(error))}
            return
        yield view(now) | {message: ""}
        yield from answer(now, one, other, with_verdicts)

    def once_more(now: Session | None, one: str, other: str, hidden: bool, with_verdicts: bool):
        try:
            now = replace((now or Session()).again(), blind=hidden)
        except BadInput as error:
            yield {status: _status(str(error))}
            return
        yield from answer(now, one, other, with_verdicts)

    def halt(now: Session | None):
        return view((now or Session()).stopped(), "Stopped.")

    def take(now: Session, picked: int):
        if not now or not now.waits_for_pick:
            return {status: _status("There are no two answers to pick from.")}
        try:
            return view(*picks.take(now, picked))
        except OSError as error:
            return {status: _status(f"Not saved: {error}")}

    def take_back(now: Session | None):
        now = now or Session()
        return view(now.undone()) | {message: now.conversation.last_student_turn}

    def open_file(path: str | None):
        try:
            found = read_seeds(path) if path else list(seeds)
        except (ValueError, OSError) as error:
            return {status: _status(f"Not opened: {error}")}
        return {offered: found, seed: gr.update(choices=_titles(found), value=None)}

    def open_seed(number: int | None, found: list[SeedDialogue]):
        if number is None:
            return {status: _status("")}
        conversation = from_seed(found[number])
        note = "Opened. Send, with nothing written, lets the tutor answer the last turn."
        return view(Session(conversation), note) | {context: conversation.context}

    def judge_now(now: Session | None, wanted: bool):
        try:
            return view(now.judged(judge) if now and wanted else now and _without_verdicts(now))
        except MENDABLE as error:
            return {status: _status(f"No verdict: {redact(error)}")}

    def look_at(now: Session | None, text: str, about: str, one: str):
        try:
            asked = now if now and now.conversation.waits_for_tutor else (now or Session()).told(text, about)
            found = tutors[one].prompt(asked.conversation.text)
        except MENDABLE as error:
            return f"<p>{escaped(str(error))}</p>"
        dropped = f"<p>{found.dropped_turns} of the oldest turns are left out: too long for the model's context.</p>"
        return (
            dropped if found.dropped_turns else ""
        ) + f"<pre class='prompt' tabindex='0'>{escaped(found.shown)}</pre>"

    with page:
        who = [first, second, blind, verdicts]
        live = {"show_progress": "hidden", "concurrency_limit": AT_ONCE, "concurrency_id": "tutor"}
        writing = [
            trigger(say, [session, message, context, *who], [*shown, message], **live)
            for trigger in (send.click, message.submit)
        ]
        writing.append(again.click(once_more, [session, *who], shown, **live))

        def interrupt(trigger, *event):
            """End the answer that is being written first, because a later update of it would bring it back."""
            return trigger(None, cancels=writing).then(*event, show_progress="hidden")

        interrupt(stop.click, halt, [session], shown)
        interrupt(edit.click, take_back, [session], [*shown, message]).success(None, js=WRITE_ON)
        interrupt(undo.click, lambda now: view((now or Session()).undone()), [session], shown)
        empty = {message: "", context: ""}
        interrupt(clear.click, lambda: view(Session()) | empty, None, [*shown, message, context])
        for button, picked in zip(pick, (0, -1, 1), strict=True):
            button.click(lambda now, picked=picked: take(now, picked), [session], shown).success(None, js=WRITE_ON)
        for button, name in ((as_seed, "seed.jsonl"), (as_text, "conversation.txt")):
            button.click(
                lambda now, name=name: file_of(now, name), [session], [to_save, status], show_progress="hidden"
            ).success(None, [to_save], js=SAVE_AS_FILE)
        file.change(open_file, [file], [offered, seed, status])
        interrupt(seed.input, open_seed, [seed, offered], [*shown, context]).success(None, js=WRITE_ON)
        verdicts.change(judge_now, [session, verdicts], shown)
        for trigger in (prompt_box.expand, look.click):
            trigger(look_at, [session, message, context, first], [prompt])
    return page


def _finished(now: Session) -> bool:
    return all(one.sample.finish_reason != "writing" for one in now.answers)


def _without_verdicts(now: Session) -> Session:
    return replace(now, answers=tuple(replace(one, verdict=None) for one in now.answers))


def _titles(seeds: Sequence[SeedDialogue]) -> list[str]:
    return [f"{seed.id}: {seed.text[:60]}" for seed in seeds]


def _status(message: str) -> str:
    sentence = message[:1].upper() + message[1:]
    return f'<p class="status" role="status" aria-live="polite">{escaped(sentence)}</p>'
