"""Draw the forest plot of the paired differences between tutors on the same dialogues."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.results.charts import GREEN, GREY, ORANGE, wrap
from utils.stats.comparisons import BETTER, NOT_APART, WORSE

COLORS = {BETTER: GREEN, WORSE: ORANGE, NOT_APART: GREY}


def forest_chart(title: str, lines: Sequence[tuple[str, Mapping[str, Any]]], note: str):
    """Draw a line per comparison, given as (label, dict of `stats.comparisons.compare`), from top to bottom.

    The thick line is the 95 % interval, the thin one the interval corrected within its family; filled dots are primary.
    Returns None if there is nothing to draw.
    """
    lines = [(label, one) for label, one in lines if one["difference"] is not None]
    if not lines:
        return None
    from matplotlib.figure import Figure

    title, note = wrap(title, 96), wrap(note, 125)
    height = 1.8 + 0.47 * len(lines) + 0.2 * (title.count("\n") + note.count("\n"))
    figure = Figure(figsize=(12, height), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--", zorder=1)
    for place, (_, one) in enumerate(lines):
        color, fill = COLORS[one["finding"]], COLORS[one["finding"]] if one.get("primary") else "white"
        if one["corrected_low"] is not None:
            axes.hlines(place, one["corrected_low"], one["corrected_high"], color=color, linewidth=1.2, zorder=2)
            axes.hlines(place, one["low"], one["high"], color=color, linewidth=3.4, zorder=2)
        axes.scatter([one["difference"]], [place], s=46, facecolor=fill, edgecolor=color, linewidth=1.6, zorder=3)
        axes.text(1.02, place, words(one), transform=axes.get_yaxis_transform(), va="center", fontsize=9.5, color=color)
    axes.set_yticks(range(len(lines)), [wrap(label, 60) for label, _ in lines])
    axes.set(ylim=(len(lines) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E5E5E5", zorder=0)
    axes.set_title(title, loc="left", x=0)
    axes.set_xlabel("difference in the summary score (right of 0: the tutor scores higher)")
    figure.supxlabel(note, fontsize=9.5, color=GREY)
    return figure


def words(one: Mapping[str, Any]) -> str:
    """Write the text beside a line: the difference, its corrected interval, and the finding."""
    if one["corrected_low"] is None:
        return f"{one['difference']:+z.2f}, all on one problem: no interval"
    interval = f"{one['difference']:+z.2f} [{one['corrected_low']:+z.2f}, {one['corrected_high']:+z.2f}]"
    if one["finding"] == NOT_APART:
        unseen = "no difference" if one["smallest"] is None else f"under {one['smallest']:.2f}"
        return f"{interval} cannot be told apart\n({unseen} would {'' if one['smallest'] is None else 'not '}show)"
    return f"{interval} {one['finding']}"
