"""Format the last part of the rating page: agreement as tables, and the judge's verdict beside each rating."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.pages.outcome import CRITERION_WORDS, POINT, Comparison
from utils.pages.text import as_html, dialogue_as_html, escaped
from utils.pages.to_rate import Item


def page(found: Sequence[Comparison], items: Sequence[Item], said: Mapping[tuple[str, int], dict[str, Any]]) -> str:
    """Format as HTML the comparisons, then each item that this rater has rated, with the judge's verdict on it."""
    parts = [_comparison(one) for one in found] or ["<p>No file has a judge's verdict, and there is one rater.</p>"]
    rated = [(item, said[item.key, 0]) for item in items if (item.key, 0) in said]
    beside = "".join(_beside(*one) for one in rated)
    return f"<h2>Agreement</h2>{STATISTICS}{''.join(parts)}<h2>Answer by answer</h2>{BOLD}{beside}"


STATISTICS = (
    "<p class='hint'>First plain counts, then statistics: 1 is full agreement, 0 is what chance would give. In "
    "brackets stands the 95 % interval: with a dozen answers it is wide, and so is what can be said.</p>"
)
BOLD = "<p class='hint'>In bold: where you and the judge differ, in yes and no or by more than a point.</p>"


def _comparison(one: Comparison) -> str:
    return (
        f"<section class='comparison'><h3>{escaped(one.title)}, on {one.answers} answers</h3>"
        f"{_table(one.lines)}{as_html(one.sentence)}{_table(one.figures)}</section>"
    )


def _table(lines: Sequence[tuple[str, str]]) -> str:
    rows = (f"<tr><th scope='row'>{escaped(name)}</th><td>{escaped(value)}</td></tr>" for name, value in lines)
    return f"<table>{''.join(rows)}</table>" if lines else ""


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
            as_html(answer.output) + table
            + (f"<p class='hint'>The judge: {escaped(reasons)}</p>" if reasons else "")
            + f"<p class='sources'>From {escaped(answer.source)}</p>"
        )  # fmt: skip
    dialogue = f"<details class='known'><summary>The dialogue</summary>{dialogue_as_html(item.prompt)}</details>"
    return f"<section class='verdict turn'>{dialogue}{''.join(parts)}</section>"


def _row(words: str, mine: Any, theirs: Any) -> str:
    both = None not in (mine, theirs)
    apart = both and (mine != theirs if isinstance(mine, str) else abs(mine - theirs) > POINT)
    differs = " class='differs'" if apart else ""
    return f"<tr{differs}><th scope='row'>{words}</th><td>{_value(mine)}</td><td>{_value(theirs)}</td></tr>"


def _value(value: Any) -> str:
    return "–" if value is None else escaped(value) if isinstance(value, str) else f"{value:g}"
