"""Hold the chat page's conversation in a terminal, for people on a server."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.clients.keys import redact
from utils.errors import BadInput
from utils.judges.judge import Judge
from utils.pages.picks import Picks
from utils.pages.session import Given, Session, in_words
from utils.records import Verdict
from utils.tutors.stream import StreamingTutor

HELP = """what the student says, or
  /again        another answer        /undo          take the last turn back
  /judge        the judge's verdict   /prompt        the prompt as the model sees it
  /context TEXT a lesson or problem   /save FILE     a seed row (.jsonl) or text (.txt)
  /blind        hide the two names until you pick, or show them again
  /clear        begin anew            /quit"""
PICKED = {"1": 0, "2": 1, "=": -1}


def chat_in_terminal(
    tutors: Mapping[str, StreamingTutor], judge: Judge, session: Session, picks: Picks | None = None,
    read: Callable[[str], str] = input,
) -> None:  # fmt: skip
    """Read lines until /quit or the end of the input, and print the answers as they grow.

    With `picks`, the first two tutors answer, and the person is asked which answer is better.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a byte that is no UTF-8 must not end the talk
    talking = list(tutors.values())[: 2 if picks else 1]
    about = session.conversation.context
    print(f"you talk to {' and '.join(tutor.name for tutor in talking)} as the student; type\n{HELP}")
    if session.conversation.waits_for_tutor:
        print(session.conversation.text)
        session = _answer(session, talking)
    while True:
        try:
            line = read("Better, 1, 2 or =: " if session.waits_for_pick else "Student: ").strip()
        except EOFError:
            return
        word, _, rest = line.partition(" ")
        try:
            match word:
                case "/quit":
                    return
                case "1" | "2" | "=" if session.waits_for_pick:
                    session, note = picks.take(session, PICKED[word])
                    if session.blind:
                        print(", ".join(f"answer {i} was {one.tutor}" for i, one in enumerate(session.answers, 1)))
                    print(f"{note}\n{picks.score(*(tutor.name for tutor in talking))}")
                case "/again":
                    session = _answer(session.again(), talking)
                case "/undo":
                    session = session.undone()
                    print(session.conversation.text or "(nothing is said)")
                case "/clear":
                    session, about = Session(blind=session.blind), ""
                case "/blind":
                    session = replace(session, blind=not session.blind)
                    print("names are hidden" if session.blind else "names are shown")
                case "/context":
                    about = rest
                case "/judge":
                    session = session.judged(judge)
                    for one in session.answers:
                        print(_verdict(one.verdict))
                case "/prompt":
                    found = talking[0].prompt(session.conversation.text)
                    print(f"{found.shown}\n({found.dropped_turns} of the oldest turns left out)")
                case "/save":
                    print(f"saved: {_save(session, rest)}")
                case _ if word.startswith("/") or not line:
                    print(HELP)
                case _:
                    session = _answer(session.told(line, about), talking)
        except (BadInput, JudgeError, JudgeUnavailable, OSError) as error:
            print(f"error: {redact(error)}", file=sys.stderr)


def _answer(session: Session, tutors: Sequence[StreamingTutor]) -> Session:
    """Print the answers as they grow. Ctrl-C stops them and keeps the text so far."""
    shown, number, now = "", 0, session
    try:
        for now in session.answering(tutors):
            *before, given = now.answers
            if len(now.answers) > number:
                if before:
                    print(_remarks(before[-1]))
                shown, number = "", len(now.answers)
                print(f"{f'Answer {number}' if now.names_hidden else given.tutor}: ", end="", flush=True)
            if given.sample.text.startswith(shown):
                print(given.sample.text[len(shown) :], end="", flush=True)
                shown = given.sample.text
    except KeyboardInterrupt:
        now = now.stopped()
    print(_remarks(now.answers[-1]) if now.answers else "")
    return now


def _remarks(given: Given) -> str:
    return "".join(f"\n  ({remark})" for remark in given.remarks)


def _verdict(verdict: Verdict) -> str:
    reasons = (f"  {reason}" for reason in [*verdict.reasons, *verdict.guards])
    return "\n".join([in_words(verdict), *reasons])


def _save(session: Session, name: str) -> str:
    if not name.endswith((".jsonl", ".txt")):
        raise BadInput("/save FILE: the file's name ends in .jsonl (a seed row, added at its end) or .txt")
    conversation = session.continued()
    with Path(name).open("a", encoding="utf-8") as file:
        file.write(conversation.as_seed_line(session.speaker) if name.endswith(".jsonl") else conversation.text + "\n")
    return name
