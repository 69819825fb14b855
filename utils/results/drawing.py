"""Draw a training root: the paper's Figures 2-6, the comparisons of the tutors, and the logs of the trainings."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from utils.errors import BadInput
from utils.results import charts, forest, paper
from utils.results.reading import training_log
from utils.results.training_root import (
    TRAINED,
    HumanJudgePair,
    Mean,
    TrainingRoot,
    criteria_means,
    in_order,
    is_own,
    lacking,
    score_mean,
    title_of,
)
from utils.stats.comparisons import PRIMARY, SECONDARY

CRITERIA_TITLES = (
    "asks a question\n(share)", "on topic\n(points / 5)", "helpful\n(points / 5)",
    "reveals the answer\n(share; less is better)",
)  # fmt: skip
SAMPLES = 30  # of Figure 2


def draw(
    root: TrainingRoot, compared: Sequence[dict[str, Any]], trained_on: str | None
) -> dict[str, tuple[Any, str]]:  # fmt: skip
    """Draw every figure. Call this, and save the figures, within `charts.style()`.

    `compared` are the root's `claims.comparisons`. Figures 5 and 6 show the tutor of `trained_on` (None: TutorChat's,
    as in the paper), or the first one that was evaluated if that one was not.
    Returns {name: (the figure, or None if there is nothing to draw; the files that it lacks, or "")}.
    Raises BadInput if no tutor was trained on `trained_on`.
    """
    if trained_on and trained_on not in (there := tutors(root)):
        raise BadInput(f"--trained-on {trained_on}: no tutor was trained on it; there are {', '.join(there)}")
    trained_on = trained_on or "tutorchat"
    if root.trained and TRAINED + trained_on not in root.trained:
        first = root.trained[0].removeprefix(TRAINED)
        print(f"no model trained on {trained_on} was evaluated: Figures 5 and 6 show the one trained on {first}")
        trained_on = first
    datasets = wanted(root)
    if not root.trained and trained_on not in datasets:
        trained_on = datasets[0]
    models = (TRAINED + trained_on, "base", "gpt4o")
    one_set = "mathdial" if "mathdial" in root.datasets else next(iter(root.datasets), datasets[0])
    graded = [pair for pair in root.human_pairs if pair.human and pair.judge]
    invalid = len(root.human_pairs) - len(graded)
    left_out = f"\nleft out, no valid verdict: {invalid} of {len(root.human_pairs)}" if invalid else ""
    no_pairs = "" if root.human_pairs else "evaluation/human_vs_gpt.json"
    judge = " and ".join(root.human_pair_judges)
    trainings = {title_of(name): log for name, log in root.trainings.items()}
    return {
        "figure_2": (figure_2(graded, judge, left_out), no_pairs),
        "figure_3": (figure_3(graded, judge, left_out), no_pairs),
        "figure_4": (figure_4(graded, judge, left_out), no_pairs),
        "figure_5": (figure_5(root, models), lacking(root, datasets, models)),
        "figure_6": (figure_6(root, models, one_set), lacking(root, [one_set], models)),
        "comparisons": (figure_comparisons(root, compared), "" if compared else "a trained tutor beside the base"),
        "training": (
            charts.training_chart(trainings) if trainings else None,
            ", ".join(training_log(name) for name in tutors(root) if name not in root.trainings),
        ),
    }


def wanted(root: TrainingRoot) -> list[str]:
    """Return the datasets that a complete root would have: the paper's, unless there are others."""
    trained = {part for name in root.training_sets for part in name.partition(".seed")[0].split("+")}
    there = {*root.datasets, *trained}
    return list(paper.TITLES) if there <= set(paper.TITLES) else in_order(there)


def tutors(root: TrainingRoot) -> list[str]:
    """Return what the tutors of a complete root were trained on: each dataset alone, if the root has no tutor yet."""
    there = {*(model.removeprefix(TRAINED) for model in root.trained), *root.trainings, *root.training_sets}
    return in_order({name.partition(".seed")[0] for name in there}) or wanted(root)


def lacks_scores(root: TrainingRoot) -> str:
    """List the evaluations that Table 1 lacks."""
    return lacking(root, wanted(root), [*(TRAINED + name for name in tutors(root)), "base", "gpt4o"])


def missing(root: TrainingRoot, drawn: dict[str, tuple[Any, str]]) -> list[str]:
    """List the figures that are not drawn or incomplete, and the files that were left out, a line each."""
    lines = [f"left out: {line}" for line in root.left_out]
    for name, (figure, without) in drawn.items():
        if without or not figure:
            line = f"without {without}" if without else "no answer has a valid verdict"
            lines.append(f"{name}: {line if figure else 'not drawn, ' + line}")
    return lines


def figure_2(graded: Sequence[HumanJudgePair], judge: str, left_out: str):
    """Draw the summary scores of single answers, by people beside the judge."""
    shown = sorted(graded[:SAMPLES], key=lambda pair: pair.human.score)
    series = [
        charts.Series("people", charts.ORANGE, [Mean(pair.human.score) for pair in shown]),
        charts.Series(judge, charts.BLUE, [Mean(pair.judge.score) for pair in shown]),
    ]
    note = f"row of human_vs_gpt.json, ordered by people's score; the first {len(shown)} of {len(graded)} answers"
    note += f", on {len({pair.human.group for pair in shown})} problems"
    title = f"Summary score of single answers: people and {judge}"
    return charts.bar_chart(title, [str(pair.number) for pair in shown], series, note + left_out, show_values=False)


def figure_3(graded: Sequence[HumanJudgePair], judge: str, left_out: str):
    """Draw the summary score by people against the judge's, with Pearson's r, and the r of a mere `?` in the answer."""
    if not graded:
        return None
    from matplotlib.figure import Figure

    from utils.stats.agreement import correlations, rater

    groups = [pair.human.group for pair in graded]
    people = rater([pair.evaluations[0] for pair in graded])
    judged = rater([pair.evaluations[1] for pair in graded], [pair.judge.score for pair in graded])
    r = correlations(people, judged, np.array(["?" in pair.output for pair in graded]), groups)
    spots = Counter(zip(people["score"].round(3), judged["score"].round(3), strict=True))
    figure = Figure(figsize=(6.4, 6.8), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=1, zorder=0)
    axes.scatter(
        *zip(*spots, strict=True), s=[40 * n for n in spots.values()], color=charts.BLUE, alpha=0.6, linewidths=0
    )
    axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xticks=charts.TICKS, yticks=charts.TICKS, aspect="equal")
    axes.set(xlabel="summary score by people", ylabel=charts.wrap(f"summary score by {judge}", 55))
    sizes = f"{len(graded)} answers on {len(set(groups))} problems"
    axes.set_title(f"Pearson's {correlation(r['judge'])}, {sizes}", loc="left", fontsize=11)
    note = (
        f"a mere “?” in the answer: {correlation(r['marks'])}; paper (GPT-4o): r = {paper.PEARSON}\n"
        f"larger dots are several answers; on the line both agree{left_out}"
    )
    figure.supxlabel(charts.wrap(note, 92), fontsize=9.5, color=charts.GREY)
    return figure


def figure_4(graded: Sequence[HumanJudgePair], judge: str, left_out: str):
    """Draw the four criteria: means by people beside the judge's, over the same answers."""
    series = [
        charts.Series("people", charts.ORANGE, criteria_means([pair.human for pair in graded]), paper.PEOPLE),
        charts.Series(judge, charts.BLUE, criteria_means([pair.judge for pair in graded]), paper.JUDGE),
    ]
    note = counts(series, ["all"]) + left_out
    return charts.bar_chart(f"The four criteria: people and {judge}", CRITERIA_TITLES, series, note)


def figure_5(root: TrainingRoot, models: Sequence[str]):
    """Draw the mean summary score of each model on each test set, with other tutors and baselines beside it."""
    there = [name for name in root.datasets if any(root.of(name, model) for model in models)]
    first = ["mathdial", "debugging", "tutorchat"]  # the paper's order in this figure
    sets = [name for name in first if name in there] + [name for name in there if name not in first]
    series = [
        charts.Series(
            root.name(model), color, [score_mean(root.of(name, model)) for name in sets],
            [paper.score(name, model) for name in sets],
        )
        for model, color in zip(models, charts.COLORS, strict=True)
    ]  # fmt: skip
    baselines = [
        charts.Series(root.title(model), charts.GREY, [score_mean(root.of(name, model)) for name in sets])
        for model in root.beside
    ]
    titles = [title_of(name) for name in sets]
    title = f"Summary score by test set (judge: {root.judge()})"
    return charts.bar_chart(title, titles, series, counts([*series, *baselines], titles), baselines=baselines)


def figure_6(root: TrainingRoot, models: Sequence[str], dataset: str):
    """Draw the four criteria of each model on one test set. The paper has values for the TutorChat tutor alone."""
    published = paper.CRITERIA_MEANS if dataset == "mathdial" else {}
    series = [
        charts.Series(
            root.name(model), color,
            criteria_means([grade for evaluation in root.of(dataset, model) for grade in evaluation.grades]),
            published.get(model, ()),
        )
        for model, color in zip(models, charts.COLORS, strict=True)
    ]  # fmt: skip
    baselines = [
        charts.Series(
            root.title(model), charts.GREY,
            criteria_means([grade for evaluation in root.of(dataset, model) for grade in evaluation.grades]),
        )
        for model in root.beside
    ]  # fmt: skip
    title = title_of(dataset)
    note = counts([*series, *baselines], [title])  # a verdict is valid for all four criteria or for none
    heading = f"The four criteria on {title} (judge: {root.judge()})"
    return charts.bar_chart(heading, CRITERIA_TITLES, series, note, baselines=baselines)


def figure_comparisons(root: TrainingRoot, compared: Sequence[dict[str, Any]]):
    """Draw each tutor's paired differences against the base, and against one question to everyone."""
    lines = []
    for one in compared:
        own = " (its own kind)" if is_own(one["tutor"], one["dataset"]) else ""
        label = f"{root.title(one['tutor'])}, on {title_of(one['dataset'])}{own}"
        more = [] if one["against"] == "base" else [f"against {root.title(one['against'])}"]
        more += [f"by {one['judge']}"] if root.second_judges else []
        lines.append((f"{label}\n{', '.join(more)}" if more else label, one))
    sizes = sorted({(one["rows"], one["groups"]) for one in compared})
    several = ", ".join(f"{rows} on {groups} problems" for rows, groups in sizes)
    tested = {family: [one["comparisons"] for one in compared if one["family"] == family and one["comparisons"]]
              for family in (PRIMARY, SECONDARY)}  # fmt: skip
    families = ", ".join(f"{span(counts)} {family}" for family, counts in tested.items() if counts) or "none tested"
    note = (
        "filled: primary, named beforehand; hollow: secondary; thick: the 95 % interval alone; thin: corrected within "
        f"its family (Holm: {families}), which “better” and “worse” need\ndialogues: {several}; judge: {root.judge()}"
    )
    title = "The tutors against the base on the same dialogues" + (f" ({root.base})" if root.base else "")
    return forest.forest_chart(title, lines, note)


def correlation(r: dict[str, float | None]) -> str:
    """Format Pearson's r with its 95 % bootstrap interval."""
    if r["value"] is None:
        return "r is undefined (one side is constant)"
    interval = "" if r["low"] is None else f" [{r['low']:z.2f}, {r['high']:z.2f}]"
    return f"r = {r['value']:z.2f}{interval}"


def counts(series: Sequence[charts.Series], sets: Sequence[str]) -> str:
    """Say how many answers and problems the first `len(sets)` bars of each series stand for, and what is left out."""
    invalid, bars = [], [bar for s in series for bar in list(s.bars)[: len(sets)] if bar.rows]
    for s in series:
        some = [(bar, title) for bar, title in zip(s.bars, sets, strict=False) if bar.invalid]
        lines = [f"{bar.invalid} of {bar.answers}" + ("" if title == "all" else f" on {title}") for bar, title in some]
        invalid += [f"{s.name}: {', '.join(lines)}"] if lines else []
    answers, problems = (span([size(bar) for bar in bars]) for size in (lambda b: b.rows, lambda b: b.groups))
    note = f"means of {answers} answers on {problems} problems, 95 % intervals"
    return note + (f"\nleft out, no valid verdict: {'; '.join(invalid)}" if invalid else "")


def span(sizes: Sequence[int]) -> str:
    """Format sizes: the one that all have, or "smallest to largest"."""
    few = sorted(set(sizes)) or [0]
    return str(few[0]) if len(few) == 1 else f"{few[0]} to {few[-1]}"
