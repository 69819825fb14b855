"""The project's charts. The same data gives the same bytes, and a file appears only when it is complete."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.artifacts import whole
from utils.stats.means import Mean

TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)
BLUE, ORANGE, GREEN = COLORS = ("#0072B2", "#E69F00", "#009E73")  # of Okabe and Ito's colour-blind-safe palette
GREY = "#555555"
MARKERS = ("o", "s", "^", "v", "P", "X", "*", "<", ">")  # of the baselines
STYLE = {
    "font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 12,
    "text.parse_math": False, "svg.hashsalt": "socratic-llm", "savefig.dpi": 150,
    "figure.constrained_layout.h_pad": 0.1, "figure.constrained_layout.w_pad": 0.1,
}  # fmt: skip
# The rows of the training chart: the label of the axis, and the logged values by their names in the legend.
TRAINING_PANELS = {
    "DPO loss": {"loss": "loss"},
    "rewards": {"margin": "rewards/margins", "chosen": "rewards/chosen", "rejected": "rewards/rejected"},
    "chosen preferred\n(share of the pairs)": {"accuracy": "rewards/accuracies"},
    "tokens per answer": {"chosen": "lengths/chosen", "rejected": "lengths/rejected"},
    "pairs per second": {"throughput": "pairs_per_second"},
}


@dataclass(frozen=True)
class Series:
    """The bars of one colour, one per group of the chart, with the paper's values, if any."""

    name: str
    color: str
    bars: Sequence[Mean]
    paper: Sequence[float] = ()


def style():
    """Return the context in which figures must be drawn and saved."""
    import matplotlib

    return matplotlib.rc_context(STYLE)


def bar_chart(
    title: str,
    groups: Sequence[str],
    series: Sequence[Series],
    note: str,
    show_values: bool = True,
    baselines: Sequence[Series] = (),
):
    """Draw bars in [0, 1] side by side, one per series in each group, with the paper's values.

    `baselines` are small grey marks beside the bars, to compare them with. Returns None if there is no bar.
    """
    series, baselines = ([s for s in some if any(bar.answers for bar in s.bars)] for some in (series, baselines))
    if not any(bar.rows for s in series for bar in s.bars):
        return None
    from matplotlib.figure import Figure

    title, note, labels = wrap(title, 84), wrap(note, 118), [wrap(s.name, 46) for s in series]
    rows = sum(text.count("\n") for text in (title, note, *labels)) + 1.4 * ((len(baselines) + 1) // 2)
    figure = Figure(figsize=(9, 5 + 0.18 * rows), layout="constrained")
    axes = figure.subplots()
    width = min(0.84 / (len(series) + 0.25 * len(baselines)), 0.4)
    left = -(len(series) + 0.25 * len(baselines)) * width / 2
    margin = 0.55 + max(0, 3 - len(groups)) / 2  # a lone bar stays a bar
    handles, ticks, published = [], [], []
    for k, s in enumerate(series):
        places = np.arange(len(groups)) + left + (k + 0.5) * width
        heights = [bar.value or 0 for bar in s.bars]
        handles.append(axes.bar(places, heights, width * 0.92, color=s.color, zorder=2, label=labels[k]))
        published += [(x + 0.3 * width, y) for x, y in zip(places, s.paper, strict=bool(s.paper)) if y is not None]
        for place, bar in zip(places, s.bars, strict=True):
            ticks.append((place, f"{bar.value:.2f}" if bar.rows else "–"))
            if not bar.rows:
                text = "no valid verdict" if bar.invalid else "missing"
                axes.text(place, 0.02, text, rotation=90, ha="center", va="bottom", color=GREY, fontsize=9)
            elif bar.low is not None:
                axes.vlines(place, bar.low, bar.high, color="#222222", linewidth=1.3, zorder=3)
    if published:
        look = {"marker": "D", "s": 24, "facecolor": "white", "edgecolor": "black", "linewidth": 0.9}
        label = "paper (Phi-3-mini, GPT-4o)"
        handles.append(axes.scatter(*zip(*published, strict=True), zorder=4, clip_on=False, label=label, **look))
    for k, s in enumerate(baselines):
        place = left + (len(series) + 0.25 * (k + 0.5)) * width
        seen = [(group + place, bar) for group, bar in enumerate(s.bars) if bar.rows]
        spans = [(x, bar.low, bar.high) for x, bar in seen if bar.low is not None]
        axes.vlines(*np.transpose(spans), color=s.color, linewidth=0.9, zorder=3) if spans else None
        handles.append(
            axes.scatter(
                [x for x, _ in seen], [bar.value for _, bar in seen], marker=MARKERS[k % len(MARKERS)], s=26,
                color=s.color, linewidth=0, zorder=4, clip_on=False, label=wrap(s.name, 46),
            )
        )  # fmt: skip

    axes.set(ylim=(0, 1.03), yticks=TICKS, xlim=(-margin, len(groups) - 1 + margin))
    axes.set_title(title, loc="left")
    axes.set_xlabel(note, fontsize=9.5, color=GREY, labelpad=8)
    axes.set_xticks(range(len(groups)), groups)
    axes.tick_params(axis="x", length=0, pad=23 if show_values else 3, labelsize=11 if show_values else 9)
    if show_values:  # below each bar, clear of intervals and diamonds
        axes.xaxis.remove_overlapping_locs = False
        axes.set_xticks(*zip(*ticks, strict=True), minor=True)
        axes.tick_params(axis="x", which="minor", length=0, pad=7, labelsize=9.5)
    axes.grid(axis="y", color="#E5E5E5", zorder=0)
    columns = len(handles) if sum(len(handle.get_label()) for handle in handles) < 80 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=10.5)
    return figure


def training_chart(logs: Mapping[str, Sequence[Mapping[str, float]]]):
    """Draw the log of each training, a column each: loss, rewards, accuracy, lengths of answers, throughput.

    `logs` maps a title to the entries of a `training_log.json`, one per update.
    """
    import pandas
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4 + 3.4 * len(logs), 11), layout="constrained")
    grid = figure.subplots(len(TRAINING_PANELS), len(logs), sharex="col", sharey="row", squeeze=False)
    for column, (title, log) in zip(grid.T, logs.items(), strict=True):
        keys = [key for lines in TRAINING_PANELS.values() for key in lines.values()]
        table = pandas.DataFrame(log).set_index("step").reindex(columns=keys)  # an older log lacks some
        points = {"marker": "." if len(table) == 1 else None}
        smooth = table.rolling(max(1, len(table) // 10), min_periods=1, center=True).mean()
        for axes, (label, lines) in zip(column, TRAINING_PANELS.items(), strict=True):
            for name, key in lines.items():
                color = {"chosen": GREEN, "rejected": ORANGE}.get(name, BLUE)
                axes.plot(table[key], color=color, linewidth=0.8, alpha=0.35, **points)
                axes.plot(smooth[key], color=color, linewidth=1.8, label=name)
            axes.grid(axis="y", color="#E5E5E5")
            axes.margins(x=0.02)
            if axes in grid[:, 0]:
                axes.set_ylabel(label)
                if len(lines) > 1:
                    axes.legend(fontsize=9.5, framealpha=0.8, edgecolor="none")
        column[0].axhline(np.log(2), color=GREY, linewidth=1, linestyle="--")
        column[0].set_title(f"{title}\n{len(table)} updates", loc="left")
        column[-1].set_xlabel("update of the weights")
        column[-1].xaxis.get_major_locator().set_params(integer=True)
    for axes in (grid[0, 0], grid[4, 0]):
        axes.set_ylim(bottom=0)
    grid[2, 0].set(ylim=(0, 1.05), yticks=(0, 0.5, 1))
    figure.align_ylabels(grid[:, 0])
    note = (
        "thin: each update; thick: the mean around it; dashed: ln 2, the sigmoid loss while neither is preferred\n"
        "rewards: beta times the log-probability that an answer has gained over the reference model"
    )
    figure.supxlabel(wrap(note, 40 + 42 * len(logs)), fontsize=9.5, color=GREY)
    return figure


def wrap(text: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def save_figure(figure, stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.svg; the same data gives the same bytes. Returns their paths."""
    paths = []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        paths.append(stem.with_suffix(f".{kind}"))
        with whole(paths[-1]) as part:
            figure.savefig(part, format=kind, metadata=metadata)
    return paths
