"""Format a conversation as HTML: the turns, the answers side by side, and the judge's verdict under each."""

from utils.pages.session import Given, Session, in_words
from utils.pages.text import NAMES, escaped, turn_as_html
from utils.records import Verdict


def talk_as_html(now: Session | None) -> str:
    """Return the conversation as HTML; every text in it is escaped."""
    if now is None or not (now.conversation.text or now.answers):
        return '<p class="hint">Write what a student would say, or open a seed dialogue.</p>'
    turns = "".join(turn_as_html(NAMES[role], content) for role, content in now.conversation.all_turns())
    answers = [_answer(now, number, one) for number, one in enumerate(now.answers)]
    side_by_side = f'<div class="pair">{"".join(answers)}</div>' if answers else ""
    return f'<div role="log" aria-label="Conversation" aria-live="polite">{turns}{side_by_side}</div>'


def _answer(now: Session, number: int, given: Given) -> str:
    name = f"Answer {number + 1}" if now.names_hidden else given.tutor
    if now.picked == number:
        name += " (taken)"
    remarks = "".join(f"<p class='hint'>{escaped(remark)}</p>" for remark in given.remarks)
    return turn_as_html(name, given.sample.text, remarks + (_verdict(given.verdict) if given.verdict else ""))


def _verdict(verdict: Verdict) -> str:
    barred = [f"never chosen for training: {', '.join(verdict.guards)}"] if verdict.guards else []
    more = "".join(f"<li>{escaped(reason)}</li>" for reason in [*verdict.reasons, *barred])
    return f'<div class="verdict below">{escaped(in_words(verdict))}<ul>{more}</ul></div>'
