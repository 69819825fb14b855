"""The last part of the rating page: agreement as tables, and the judge's verdict beside each rating."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.pages.outcome import CRITERION_WORDS, Comparison
from utils.pages.text import as_html, escaped
from utils.pages.to_rate import Item


def page(found: Sequence[Comparison], items: Sequence[Item], said: Mapping[tuple[str, int], dict[str, Any]]) -> str:
    """Return HTML: the comparisons, then each item that this rater has rated, with the judge's verdict on it."""
    parts = [_comparison(one) for one in found] or ["<p>No file has a judge's verdict, and there is one rater.</p>"]
    note = (
        "<p class='hint'>In brackets: 95 % intervals. With a dozen answers they are wide; so is what can be said.</p>"
    )
    rated = [(item, said[item.key, 0]) for item in items if (item.key, 0) in said]
    return f"<h2>Agreement</h2>{note}{''.join(parts)}<h2>Answer by answer</h2>{''.join(_beside(*one) for one in rated)}"


def _comparison(one: Comparison) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escaped(name)}</th><td>{escaped(value)}</td></tr>" for name, value in one.lines
    )
    table = f"<table>{rows}</table>" if rows else ""
    return (
        f"<section class='comparison'><h3>{escaped(one.title)}, on {one.answers} answers</h3>"
        f"<p>{escaped(one.sentence)}</p>{table}</section>"
    )


def _beside(item: Item, entry: Mapping[str, Any]) -> str:
    parts = []
    if "skipped" in entry:
        parts.append(f"<p>Skipped: {escaped(entry['skipped'])}</p>")
    for number, answer in enumerate(item.answers):
        verdict = answer.verdict or {}
        theirs, mine = verdict.get("evaluation") or {}, entry.get("evaluation") or {}
        if "preferred" in entry:
            pick = (
                "no difference" if entry["preferred"] is None else "better" if entry["preferred"] == number else "worse"
            )
            score = "no verdict" if verdict.get("score") is None else f"{verdict['score']:.2f}"
            table = f"<p>You: {pick}. The judge's score: {score}.</p>"
        else:
            rows = "".join(_row(words, mine.get(name), theirs.get(name)) for name, words in CRITERION_WORDS.items())
            head = "".join(f"<th scope='col'>{name}</th>" for name in ("Criterion", "You", "Judge"))
            table = f"<table><tr>{head}</tr>{rows}</table>"
        barred = [f"never chosen for training: {', '.join(verdict['guards'])}"] if verdict.get("guards") else []
        reasons = "; ".join([*verdict.get("reasons", []), *barred])
        parts.append(
            as_html(answer.output) + table + (f"<p class='hint'>{escaped(reasons)}</p>" if reasons else "")
            + f"<p class='sources'>{escaped(answer.source)}</p>"
        )  # fmt: skip
    return f"<section class='verdict turn'>{''.join(parts)}</section>"


def _row(words: str, mine: Any, theirs: Any) -> str:
    differs = " class='differs'" if None not in (mine, theirs) and mine != theirs else ""
    return f"<tr{differs}><th scope='row'>{words}</th><td>{_value(mine)}</td><td>{_value(theirs)}</td></tr>"


def _value(value: Any) -> str:
    return "–" if value is None else escaped(value) if isinstance(value, str) else f"{value:g}"
