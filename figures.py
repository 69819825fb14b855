"""Draw the paper's Figures 2-6 and Table 1, and how the trainings went, from a training root as it is: nothing is run.

    python -m figures --training-root runs/demo

Bars are means with 95 % bootstrap intervals (whole problems are resampled), diamonds the paper's published values.
Answers without a valid verdict are left out and counted in the figure. What is missing is named, the rest is drawn.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.cli import make_parser, run
from utils.results import charts, paper, table
from utils.results import training_root as results
from utils.results.training_root import FINETUNED, MODELS, TITLES, Grades, Mean, Names, Pair
from utils.seeds.read import DATASETS

CRITERIA_TITLES = (
    "asks a question\n(share)", "on topic\n(points / 5)", "helpful\n(points / 5)",
    "reveals the answer\n(share; less is better)",
)  # fmt: skip
SAMPLES = 30  # of Figure 2


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--training-root", required=True, help="folder that `pipeline` wrote, or the original code")
    parser.add_argument("--output-dir", help="where the figures go; when not given, <training-root>/figures")
    parser.add_argument(
        "--trained-on", choices=DATASETS, default="tutorchat", help="the fine-tuned model that Figures 5 and 6 show"
    )
    return parser.parse_args(argv)


def main(training_root: str, output_dir: str | None = None, trained_on: str = "tutorchat") -> dict[str, Any]:
    """Draw what can be drawn. Returns `files`, Table 1's rows as `table`, `claims`, and a line on each `missing`.

    Raises FileNotFoundError if there is nothing to draw, ValueError if a file of the tree cannot be read.
    """
    from utils.results.claims import claims

    root = Path(training_root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; --training-root is what `pipeline` got as --output-dir")
    grades, pairs, names = results.read_evaluations(root), results.read_pairs(root), results.read_names(root)
    trainings = results.read_trainings(root)
    if not any(grades.values()) and not pairs and not trainings:
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

    with charts.style():
        figures = {
            "figure_2": (figure_2(graded, names.judge, left_out), no_pairs),
            "figure_3": (figure_3(graded, names.judge, left_out), no_pairs),
            "figure_4": (figure_4(graded, names.judge, left_out), no_pairs),
            "figure_5": (figure_5(grades, models, names), results.lacking(grades, DATASETS, models)),
            "figure_6": (figure_6(grades, models, names), results.lacking(grades, ["mathdial"], models)),
            "training": (
                charts.training_chart({TITLES[name]: log for name, log in trainings.items()}) if trainings else None,
                ", ".join(results.training_log(name) for name in DATASETS if name not in trainings),
            ),
        }
        files = [
            path for name, (figure, _) in figures.items() if figure for path in charts.save_figure(figure, out / name)
        ]
    if rows:
        text = table.as_markdown(rows, names)
        files += [
            charts.save(out / "table_1.csv", Path.write_text, data=table.as_csv(rows), encoding="utf-8", newline=""),
            charts.save(out / "table_1.md", Path.write_text, data=text, encoding="utf-8"),
        ]
        print(f"\n{text}")
    said = claims(root, grades, names)
    if said:
        intro = (
            "Each tutor against its base on its own kind of dialogue; intervals and p corrected for all shown (Holm):"
        )
        text = "\n".join([intro, "", *(f"- {one}" for one in said), ""])
        files += [charts.save(out / "claims.md", Path.write_text, data=text, encoding="utf-8")]
        print(f"\n{text}")

    missing = []
    for name, (drawn, without) in {**figures, "table_1": (rows, results.lacking(grades, DATASETS, MODELS))}.items():
        if without or not drawn:
            line = f"without {without}" if without else "no answer has a valid verdict"
            missing.append(f"{name}: {line if drawn else 'not drawn, ' + line}")
    print("\n".join([*missing, f"{len(files)} files in {out}"]))
    return {"files": files, "table": rows, "claims": said, "missing": missing}


def figure_2(graded: Sequence[Pair], judge: str, left_out: str):
    """Summary score of single answers: people beside the judge."""
    shown = sorted(graded[:SAMPLES], key=lambda pair: pair.human.score)
    series = [
        charts.Series("people", charts.ORANGE, [Mean(pair.human.score) for pair in shown]),
        charts.Series(judge, charts.BLUE, [Mean(pair.judge.score) for pair in shown]),
    ]
    note = f"row of human_vs_gpt.json, ordered by people's score; the first {len(shown)} of {len(graded)} answers"
    title = f"Summary score of single answers: people and {judge}"
    return charts.bar_chart(title, [str(pair.number) for pair in shown], series, note + left_out, show_values=False)


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
    axes.scatter(
        *zip(*spots, strict=True), s=[40 * n for n in spots.values()], color=charts.BLUE, alpha=0.6, linewidths=0
    )
    axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xticks=charts.TICKS, yticks=charts.TICKS, aspect="equal")
    axes.set(xlabel="summary score by people", ylabel=charts.wrap(f"summary score by {judge}", 55))
    axes.set_title(f"Pearson's {correlation(people, judged)}, {len(graded)} answers", loc="left")
    note = (
        f"a mere “?” in the answer: {correlation(people, asks)}; paper (GPT-4o): r = {paper.PEARSON}\n"
        f"larger dots are several answers; on the line both agree{left_out}"
    )
    figure.supxlabel(charts.wrap(note, 92), fontsize=9.5, color=charts.GREY)
    return figure


def figure_4(graded: Sequence[Pair], judge: str, left_out: str):
    """The four criteria: means by people beside the judge's, over the same answers."""
    series = [
        charts.Series("people", charts.ORANGE, results.criteria_means([pair.human for pair in graded]), paper.PEOPLE),
        charts.Series(judge, charts.BLUE, results.criteria_means([pair.judge for pair in graded]), paper.JUDGE),
    ]
    note = f"means of {len(graded)} answers, 95 % bootstrap intervals{left_out}"
    return charts.bar_chart(f"The four criteria: people and {judge}", CRITERIA_TITLES, series, note)


def figure_5(grades: Grades, models: Sequence[str], names: Names):
    """Summary score of each model on each test set."""
    sets = [name for name in ("mathdial", "debugging", "tutorchat") if any(grades.get((name, m)) for m in models)]
    means = {model: [results.score_mean(grades.get((name, model), [])) for name in sets] for model in models}
    series = [
        charts.Series(names.of(model), color, means[model], [paper.SCORES[name][model] for name in sets])
        for model, color in zip(models, charts.COLORS, strict=True)
    ]
    titles = [TITLES[name] for name in sets]
    return charts.bar_chart(f"Summary score by test set (judge: {names.judge})", titles, series, counts(series, titles))


def figure_6(grades: Grades, models: Sequence[str], names: Names):
    """The four criteria of each model on MathDial. The paper has values for the model trained on TutorChat alone."""
    means = {model: results.criteria_means(grades.get(("mathdial", model), [])) for model in models}
    series = [
        charts.Series(names.of(model), color, means[model], paper.CRITERIA_MEANS.get(model, ()))
        for model, color in zip(models, charts.COLORS, strict=True)
    ]
    note = counts(series, ["MathDial"])  # what is valid is so for all four criteria
    return charts.bar_chart(f"The four criteria on MathDial (judge: {names.judge})", CRITERIA_TITLES, series, note)


def correlation(x: np.ndarray, y: np.ndarray) -> str:
    """Pearson's r of two columns (n,), with its 95 % bootstrap interval over rows, in words."""
    r = float(results.pearson(x, y))
    if np.isnan(r):
        return "r is undefined (one side is constant)"
    return "r = {:.2f} [{:.2f}, {:.2f}]".format(r, *results.interval(results.pearson, x, y))


def counts(series: Sequence[charts.Series], sets: Sequence[str]) -> str:
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


if __name__ == "__main__":
    run(main, parse_args)
