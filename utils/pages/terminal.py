"""The conversation of the chat page in a terminal, for people on a server."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.clients.keys import redact
from utils.errors import BadInput
from utils.judges.judge import Judge
from utils.pages.session import Session, in_words
from utils.records import Verdict
from utils.tutors.stream import StreamingTutor

HELP = """what the student says, or
  /again        another answer        /undo          take the last turn back
  /judge        the judge's verdict   /prompt        the prompt as the model sees it
  /context TEXT a lesson or problem   /save FILE     a seed row (.jsonl) or text (.txt)
  /clear        begin anew            /quit"""


def chat_in_terminal(
    tutors: Mapping[str, StreamingTutor], judge: Judge, session: Session, read: Callable[[str], str] = input
) -> None:
    """Read lines until /quit or the end of the input; the answers are printed as they grow."""
    tutor = next(iter(tutors.values()))
    about = session.conversation.context
    print(f"you talk to {tutor.name} as the student; type\n{HELP}")
    if session.conversation.waits_for_tutor:
        print(session.conversation.text)
        session = _answer(session, tutor)
    while True:
        try:
            line = read("Student: ").strip()
        except EOFError:
            return
        word, _, rest = line.partition(" ")
        try:
            match word:
                case "/quit":
                    return
                case "/again":
                    session = _answer(session.again(), tutor)
                case "/undo":
                    session = session.undone()
                    print(session.conversation.text or "(nothing is said)")
                case "/clear":
                    session, about = Session(), ""
                case "/context":
                    about = rest
                case "/judge":
                    session = session.judged(judge)
                    for one in session.answers:
                        print(_verdict(one.verdict))
                case "/prompt":
                    found = tutor.prompt(session.conversation.text)
                    print(f"{found.shown}\n({found.dropped_turns} of the oldest turns left out)")
                case "/save":
                    print(f"saved: {_save(session, tutor.name, rest)}")
                case _ if word.startswith("/") or not line:
                    print(HELP)
                case _:
                    session = _answer(session.told(line, about), tutor)
        except (BadInput, JudgeError, JudgeUnavailable, OSError) as error:
            print(f"error: {redact(error)}", file=sys.stderr)


def _answer(session: Session, tutor: StreamingTutor) -> Session:
    """Print the answer as it grows; Ctrl-C stops it and keeps what is there."""
    shown = ""
    now = session
    print(f"{tutor.name}: ", end="", flush=True)
    try:
        for now in session.answering([tutor]):
            text = now.answers[0].sample.text
            if text.startswith(shown):
                print(text[len(shown) :], end="", flush=True)
                shown = text
    except KeyboardInterrupt:
        now = now.stopped()
    print("".join(f"\n  ({remark})" for one in now.answers for remark in one.remarks))
    return replace(now, blind=False)


def _verdict(verdict: Verdict) -> str:
    reasons = (f"  {reason}" for reason in [*verdict.reasons, *verdict.guards])
    return "\n".join([in_words(verdict), *reasons])


def _save(session: Session, tutor: str, name: str) -> str:
    if not name.endswith((".jsonl", ".txt")):
        raise BadInput("/save FILE: the file's name ends in .jsonl (a seed row, added at its end) or .txt")
    conversation = session.continued()
    with Path(name).open("a", encoding="utf-8") as file:
        file.write(conversation.as_seed_line(tutor) if name.endswith(".jsonl") else conversation.text + "\n")
    return name
