"""Draw how often each tutor gives the answer away against what its student can do afterwards."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.results.charts import COLORS, GREY, save_figure, style, wrap

LEAK = "leak"
GAINS = {  # the first of these that was measured goes on the y axis
    "exam transfer": "Δ on a new problem (exam of an LLM student)",
    "exam same": "Δ on the same problem (exam of an LLM student)",
    "transfer, author": "Δ on a new problem (rule student, gain table 'author': an assumption)",
    "success": "the student says the answer",
}


def draw(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]], tutors: Sequence[str], controls: Sequence[str], stem: Path
) -> list[Path]:
    """Write `stem`.png and `stem`.svg: every tutor and control one point with its intervals. Returns the paths."""
    from matplotlib.figure import Figure

    gain = next((key for key in GAINS if any(key in summary[name] for name in (*tutors, *controls))), None)
    if gain is None:
        return []
    places: dict[tuple[float, float], list[str]] = {}
    with style():
        figure = Figure(figsize=(9, 6), layout="constrained")
        axes = figure.subplots()
        for name in (*controls, *tutors):
            x, y = (summary[name].get(key) for key in (LEAK, gain))
            if x is None or y is None:
                continue
            is_tutor = name in tutors
            color = COLORS[tutors.index(name) % len(COLORS)] if is_tutor else GREY
            errors = [_error(entry) for entry in (x, y)]
            axes.errorbar(
                x["value"], y["value"], xerr=errors[0], yerr=errors[1], color=color, fmt="o" if is_tutor else "s",
                markersize=9 if is_tutor else 6, markerfacecolor=color if is_tutor else "white", elinewidth=1.2,
                alpha=1 if is_tutor else 0.8, zorder=3 + is_tutor, label=name if is_tutor else None, clip_on=False,
            )  # fmt: skip
            places.setdefault((round(x["value"], 2), round(y["value"], 2)), []).append(name)
        for (x, y), names in places.items():  # points at the same place share one label; the tutors' is below it
            right = x < 0.6
            for below, some in enumerate((set(controls), set(tutors))):
                axes.annotate(
                    wrap(", ".join(name for name in names if name in some), 60), (x, y),
                    xytext=(12 if right else -12, -6 if below else 8), textcoords="offset points",
                    ha="left" if right else "right", va="top" if below else "bottom", fontsize=9.5,
                    weight="bold" if below else "normal",
                )  # fmt: skip
        axes.set(xlim=(-0.05, 1.05), ylim=(-0.1, 1.05), xlabel="gives the answer away (share of the dialogues)")
        axes.set_ylabel(wrap(GAINS[gain], 50))
        axes.set_title("Leak and gain of tutors (filled) and controls (squares)", loc="left")
        axes.grid(color="#E5E5E5", zorder=0)
        figure.supxlabel("points with 95 % intervals, clustered by problem", fontsize=9.5, color=GREY)
        return save_figure(figure, stem)


def _error(entry: Mapping[str, Any]) -> list[list[float]] | None:
    if entry["low"] is None:
        return None
    return [[entry["value"] - entry["low"]], [entry["high"] - entry["value"]]]
