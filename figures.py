"""Draw the paper's Figures 2-6 and Table 1 from a training root, as it is: nothing is run, nothing else written.

    python -m figures --training-root runs/demo

Bars are means with 95 % bootstrap intervals (whole problems are resampled), diamonds the paper's published values.
Answers without a valid verdict are left out and counted in the figure. What is missing is named, the rest is drawn.
"""

import argparse
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils import paper, results, table
from utils.cli import make_parser, run
from utils.results import FINETUNED, MODELS, TITLES, Grades, Mean, Names, Pair
from utils.seeds import DATASETS

CRITERIA_TITLES = (
    "asks a question\n(share)", "on topic\n(points / 5)", "helpful\n(points / 5)",
    "reveals the answer\n(share; less is better)",
)  # fmt: skip
SAMPLES = 30  # of Figure 2
TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)
BLUE, ORANGE, GREEN = COLORS = ("#0072B2", "#E69F00", "#009E73")  # of Okabe and Ito's colour-blind-safe palette
GREY = "#555555"
STYLE = {
    "font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 12,
    "text.parse_math": False, "svg.hashsalt": "socratic-llm", "savefig.dpi": 150,
    "figure.constrained_layout.h_pad": 0.1, "figure.constrained_layout.w_pad": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """The bars of one colour, one per group of the chart, and the paper's values where it has some."""

    name: str
    color: str
    bars: Sequence[Mean]
    paper: Sequence[float] = ()


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--training-root", required=True, help="folder that `pipeline` wrote, or the original code")
    parser.add_argument("--output-dir", help="where the figures go; when not given, <training-root>/figures")
    parser.add_argument(
        "--trained-on", choices=DATASETS, default="tutorchat", help="the fine-tuned model that Figures 5 and 6 show"
    )
    return parser.parse_args(argv)


def main(training_root: str, output_dir: str | None = None, trained_on: str = "tutorchat") -> dict[str, Any]:
    """Draw what can be drawn. Returns the `files` written, Table 1's rows as `table`, and a line on each `missing`.

    Raises FileNotFoundError if there is nothing to draw, ValueError if a file of the tree cannot be read.
    """
    root = Path(training_root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; --training-root is what `pipeline` got as --output-dir")
    grades, pairs, names = results.read_evaluations(root), results.read_pairs(root), results.read_names(root)
    if not any(grades.values()) and not pairs:
        raise FileNotFoundError(f"{root}: nothing to draw, no evaluation/*/*.json in it; `pipeline` makes them")

    trained = [dataset for model, dataset in FINETUNED.items() if any(grades.get((d, model)) for d in DATASETS)]
    if trained and trained_on not in trained:
        print(f"no model trained on {trained_on} was evaluated: Figures 5 and 6 show the one trained on {trained[0]}")
        trained_on = trained[0]
    models = (f"from_finetuned_with_{trained_on}", "base", "gpt4o")

    graded = [pair for pair in pairs if pair.human and pair.judge]
    invalid = len(pairs) - len(graded)
    left_out = f"\nleft out, no valid verdict: {invalid} of {len(pairs)}" if invalid else ""
    no_pairs = "" if pairs else "evaluation/human_vs_gpt.json"
    rows = table.rows(grades, names)
    out = Path(output_dir) if output_dir else root / "figures"

    import matplotlib

    with matplotlib.rc_context(STYLE):
        figures = {
            "figure_2": (figure_2(graded, names.judge, left_out), no_pairs),
            "figure_3": (figure_3(graded, names.judge, left_out), no_pairs),
            "figure_4": (figure_4(graded, names.judge, left_out), no_pairs),
            "figure_5": (figure_5(grades, models, names), results.lacking(grades, DATASETS, models)),
            "figure_6": (figure_6(grades, models, names), results.lacking(grades, ["mathdial"], models)),
        }
        files = [path for name, (figure, _) in figures.items() if figure for path in save_figure(figure, out / name)]
    if rows:
        text = table.as_markdown(rows, names)
        files += [
            save(out / "table_1.csv", Path.write_text, data=table.as_csv(rows), encoding="utf-8", newline=""),
            save(out / "table_1.md", Path.write_text, data=text, encoding="utf-8"),
        ]
        print(f"\n{text}")

    missing = []
    for name, (drawn, without) in {**figures, "table_1": (rows, results.lacking(grades, DATASETS, MODELS))}.items():
        if without or not drawn:
            line = f"without {without}" if without else "no answer has a valid verdict"
            missing.append(f"{name}: {line if drawn else 'not drawn, ' + line}")
    print("\n".join([*missing, f"{len(files)} files in {out}"]))
    return {"files": files, "table": rows, "missing": missing}


def figure_2(graded: Sequence[Pair], judge: str, left_out: str):
    """Summary score of single answers: people beside the judge."""
    shown = sorted(graded[:SAMPLES], key=lambda pair: pair.human.score)
    series = [
        Series("people", ORANGE, [Mean(pair.human.score) for pair in shown]),
        Series(judge, BLUE, [Mean(pair.judge.score) for pair in shown]),
    ]
    note = f"row of human_vs_gpt.json, ordered by people's score; the first {len(shown)} of {len(graded)} answers"
    title = f"Summary score of single answers: people and {judge}"
    return bar_chart(title, [str(pair.number) for pair in shown], series, note + left_out, show_values=False)


def figure_3(graded: Sequence[Pair], judge: str, left_out: str):
    """Summary score by people against the judge's, with Pearson's r, and the r that a mere `?` in the answer has."""
    if not graded:
        return None
    from matplotlib.figure import Figure

    people = np.array([pair.human.score for pair in graded])
    judged = np.array([pair.judge.score for pair in graded])
    asks = np.array([float("?" in pair.output) for pair in graded])
    spots = Counter(zip(people.round(3), judged.round(3), strict=True))
    figure = Figure(figsize=(6.4, 6.8), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=1, zorder=0)
    axes.scatter(*zip(*spots, strict=True), s=[40 * n for n in spots.values()], color=BLUE, alpha=0.6, linewidths=0)
    axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xticks=TICKS, yticks=TICKS, aspect="equal")
    axes.set(xlabel="summary score by people", ylabel=wrap(f"summary score by {judge}", 55))
    axes.set_title(f"Pearson's {correlation(people, judged)}, {len(graded)} answers", loc="left")
    note = (
        f"a mere “?” in the answer: {correlation(people, asks)}; paper (GPT-4o): r = {paper.PEARSON}\n"
        f"larger dots are several answers; on the line both agree{left_out}"
    )
    figure.supxlabel(wrap(note, 92), fontsize=9.5, color=GREY)
    return figure


def figure_4(graded: Sequence[Pair], judge: str, left_out: str):
    """The four criteria: means by people beside the judge's, over the same answers."""
    series = [
        Series("people", ORANGE, results.criteria_means([pair.human for pair in graded]), paper.PEOPLE),
        Series(judge, BLUE, results.criteria_means([pair.judge for pair in graded]), paper.JUDGE),
    ]
    note = f"means of {len(graded)} answers, 95 % bootstrap intervals{left_out}"
    return bar_chart(f"The four criteria: people and {judge}", CRITERIA_TITLES, series, note)


def figure_5(grades: Grades, models: Sequence[str], names: Names):
    """Summary score of each model on each test set."""
    sets = [name for name in ("mathdial", "debugging", "tutorchat") if any(grades.get((name, m)) for m in models)]
    means = {model: [results.score_mean(grades.get((name, model), [])) for name in sets] for model in models}
    series = [
        Series(names.of(model), color, means[model], [paper.SCORES[name][model] for name in sets])
        for model, color in zip(models, COLORS, strict=True)
    ]
    titles = [TITLES[name] for name in sets]
    return bar_chart(f"Summary score by test set (judge: {names.judge})", titles, series, counts(series, titles))


def figure_6(grades: Grades, models: Sequence[str], names: Names):
    """The four criteria of each model on MathDial. The paper has values for the model trained on TutorChat alone."""
    means = {model: results.criteria_means(grades.get(("mathdial", model), [])) for model in models}
    series = [
        Series(names.of(model), color, means[model], paper.CRITERIA_MEANS.get(model, ()))
        for model, color in zip(models, COLORS, strict=True)
    ]
    note = counts(series, ["MathDial"])  # what is valid is so for all four criteria
    return bar_chart(f"The four criteria on MathDial (judge: {names.judge})", CRITERIA_TITLES, series, note)


def bar_chart(title: str, groups: Sequence[str], series: Sequence[Series], note: str, show_values: bool = True):
    """Bars in [0, 1] side by side, one per series in each group, with the paper's values; None if there is no bar."""
    series = [s for s in series if any(bar.answers for bar in s.bars)]
    if not any(bar.rows for s in series for bar in s.bars):
        return None
    from matplotlib.figure import Figure

    title, note, labels = wrap(title, 84), wrap(note, 118), [wrap(s.name, 46) for s in series]
    height = 5 + 0.18 * sum(text.count("\n") for text in (title, note, *labels))
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    width = min(0.8 / len(series), 0.4)
    margin = 0.55 + max(0, 3 - len(groups)) / 2  # a lone bar stays a bar
    handles, ticks, published = [], [], []
    for k, s in enumerate(series):
        places = np.arange(len(groups)) + (k - (len(series) - 1) / 2) * width
        heights = [bar.value or 0 for bar in s.bars]
        handles.append(axes.bar(places, heights, width * 0.92, color=s.color, zorder=2, label=labels[k]))
        published += zip(places + 0.3 * width, s.paper, strict=True) if s.paper else []
        for place, bar in zip(places, s.bars, strict=True):
            ticks.append((place, f"{bar.value:.2f}" if bar.rows else "–"))
            if not bar.rows:
                text = "no valid verdict" if bar.invalid else "missing"
                axes.text(place, 0.02, text, rotation=90, ha="center", va="bottom", color=GREY, fontsize=9)
            elif bar.low is not None:
                axes.vlines(place, bar.low, bar.high, color="#222222", linewidth=1.3, zorder=3)
    if published:
        style = {"marker": "D", "s": 24, "facecolor": "white", "edgecolor": "black", "linewidth": 0.9}
        label = "paper (Phi-3-mini, GPT-4o)"
        handles.append(axes.scatter(*zip(*published, strict=True), zorder=4, clip_on=False, label=label, **style))

    axes.set(ylim=(0, 1.03), yticks=TICKS, xlim=(-margin, len(groups) - 1 + margin))
    axes.set_title(title, loc="left")
    axes.set_xlabel(note, fontsize=9.5, color=GREY, labelpad=8)
    axes.set_xticks(range(len(groups)), groups)
    axes.tick_params(axis="x", length=0, pad=23 if show_values else 3, labelsize=11 if show_values else 9)
    if show_values:  # each bar's value stands under it, where neither intervals nor diamonds are
        axes.xaxis.remove_overlapping_locs = False
        axes.set_xticks(*zip(*ticks, strict=True), minor=True)
        axes.tick_params(axis="x", which="minor", length=0, pad=7, labelsize=9.5)
    axes.grid(axis="y", color="#E5E5E5", zorder=0)
    columns = len(handles) if sum(len(handle.get_label()) for handle in handles) < 80 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=10.5)
    return figure


def correlation(x: np.ndarray, y: np.ndarray) -> str:
    """Pearson's r of two columns (n,), with its 95 % bootstrap interval over rows, in words."""
    r = float(results.pearson(x, y))
    if np.isnan(r):
        return "r is undefined (one side is constant)"
    return "r = {:.2f} [{:.2f}, {:.2f}]".format(r, *results.interval(results.pearson, x, y))


def counts(series: Sequence[Series], sets: Sequence[str]) -> str:
    """How many answers are behind the bars of each test set (the first `len(sets)` bars), how many were left out."""
    sizes, invalid = set(), []
    for s in series:
        bars = list(zip(s.bars, sets, strict=False))
        sizes |= {bar.rows for bar, _ in bars if bar.rows}
        some = [f"{bar.invalid} of {bar.answers} on {title}" for bar, title in bars if bar.invalid]
        invalid += [f"{s.name}: {', '.join(some)}"] if some else []
    several = f"{min(sizes)} to {max(sizes)}" if len(sizes) > 1 else "".join(map(str, sizes))
    note = f"means of {several} answers, 95 % bootstrap intervals"
    return note + (f"\nleft out, no valid verdict: {'; '.join(invalid)}" if invalid else "")


def wrap(text: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def save_figure(figure, stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.svg, byte for byte the same for the same data."""
    return [
        save(stem.with_suffix(f".{kind}"), figure.savefig, format=kind, metadata=metadata)
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None}))
    ]


def save(path: Path, write: Callable[..., Any], **how) -> Path:
    """`write` to a temporary name, then rename: a file that exists is a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        write(part, **how)
        return part.replace(path)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main, parse_args)
