"""Measure how well a judge's verdicts agree with human labels of another scheme (MRBench's eight), beside the `?` rule.

The two scales differ, so a binary label is compared by the area under the ROC curve (AUC: the share of pairs in which
a labelled answer scores above an unlabelled one, ties counting half), and a sum of labels by Spearman correlation.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from utils.records import Verdict
from utils.stats.bootstrap import bootstrap
from utils.stats.raters import kappa, spearman

TIMES = 1000
REVEALS, GIVEN = "revealing_of_the_answer", {"providing_guidance": "guidance_auc", "actionability": "actionability_auc"}
NAMES = {
    "reveal_auc": "reveals the final answer: AUC",
    "reveal_kappa": "reveals the final answer: kappa",
    "guidance_auc": "gives guidance: AUC of the score",
    "actionability_auc": "says what to do next: AUC of the score",
    "desiderata_spearman": "sum of the eight labels: Spearman",
    "tutors_spearman": "order of the tutors: Spearman",
    "best_above_worst": "best answer scored above the worst",
    "worst_above_best": "worst answer scored above the best",
}


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: P(a labelled answer scores above another) + P(tie) / 2; nan without both."""
    labels, ranks = np.asarray(labels, bool), stats.rankdata(scores)
    yes, no = labels.sum(), (~labels).sum()
    return (ranks[labels].sum() - yes * (yes + 1) / 2) / (yes * no) if yes and no else np.nan


def _kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Return the kappa of yes/no ratings. As a batch of one it avoids scikit-learn, which is slow."""
    return float(kappa(one[None], other[None], (0, 1))[0])


def analyse(rows: Sequence[Any], verdicts: Sequence[Verdict], times: int | None = None) -> dict[str, Any]:
    """Compare `verdicts` with the labels of `rows` (of `utils.sources.mrbench.read_mrbench`), in the same order.

    Guidance and actionability count as given if the label is a plain "yes". Rows without all eight labels count only
    for these two.
    Returns {"answers", "problems", "reveal", "figures": {name: {value, low, high, mark_rule}}, "tutors": {name:
    means}}.
    """
    marks = np.array(["?" in row.answer for row in rows], float)
    reveals = np.array([_reveals(verdict) for verdict in verdicts])
    score = np.array([verdict.score for verdict in verdicts])
    raters = {"judge": (reveals, score), "rule": (1 - marks, marks)}
    label = {name: np.array([row.labels.get(name, np.nan) for row in rows]) for name in (REVEALS, *GIVEN)}
    desiderata = np.array([np.nan if row.desiderata is None else row.desiderata for row in rows])
    tutors = np.array([row.tutor for row in rows])
    names, tutor_of = np.unique(tutors, return_inverse=True)
    pairs = {who: _best_against_worst(rows, desiderata, one) for who, (_, one) in raters.items()}

    def measure_one(sample: np.ndarray) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        full = sample[np.isfinite(desiderata[sample])]
        for who, (reveal, one) in raters.items():
            for name, column in GIVEN.items():
                known = sample[np.isfinite(label[name][sample])]
                found[column, who] = auc(label[name][known] == 1, one[known])
            enough = len(full) > 1
            found["reveal_auc", who] = auc(label[REVEALS][full], reveal[full]) if enough else np.nan
            found["reveal_kappa", who] = _kappa(label[REVEALS][full], reveal[full]) if enough else np.nan
            found["desiderata_spearman", who] = spearman(desiderata[full], one[full]) if enough else np.nan
            means = [
                np.bincount(tutor_of[full], of[full], len(names))
                / np.maximum(1, np.bincount(tutor_of[full], minlength=len(names)))
                for of in (desiderata, one)
            ]
            there = np.bincount(tutor_of[full], minlength=len(names)) > 0
            found["tutors_spearman", who] = spearman(*(of[there] for of in means)) if there.sum() > 2 else np.nan
            outcomes = pairs[who][full]
            outcomes = outcomes[np.isfinite(outcomes)]
            for name, sign in (("best_above_worst", 1), ("worst_above_best", -1)):
                found[name, who] = (outcomes == sign).mean() if len(outcomes) else np.nan
        return found

    def measure(sample: np.ndarray) -> dict[tuple[str, str], Any]:
        if sample.ndim == 1:
            return measure_one(sample)
        each = [measure_one(one) for one in sample]
        return {key: np.array([one[key] for one in each]) for key in each[0]}

    with np.errstate(all="ignore"):
        found = bootstrap(measure, [row.group for row in rows], times=times or TIMES, seed=0)
    return {
        "answers": len(rows),
        "problems": len({row.group for row in rows}),
        "reveal": int(np.nansum(label[REVEALS])),
        "figures": {name: {**found[name, "judge"], "mark_rule": found[name, "rule"]["value"]} for name in NAMES},
        "tutors": _tutor_means(rows, score),
    }


def _reveals(verdict: Verdict) -> float:
    """Return the verdict's probability that the answer is revealed, if it has expected scores, else 1 or 0."""
    expected = verdict.details.get("expected") or {}
    return float(expected.get("reveal_answer", verdict.evaluation.reveal_answer == "yes"))


def _best_against_worst(rows: Sequence[Any], desiderata: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Compare the scores of each dialogue's best and worst answer by their labels.

    Returns (n,): 1, 0 or -1 at a best answer that scores above, like or below the worst one; nan elsewhere.
    """
    of_dialogue = defaultdict(list)
    for number, row in enumerate(rows):
        if np.isfinite(desiderata[number]):
            of_dialogue[row.dialogue].append(number)
    found = np.full(len(rows), np.nan)
    for numbers in of_dialogue.values():
        best, worst = max(numbers, key=desiderata.__getitem__), min(numbers, key=desiderata.__getitem__)
        if desiderata[best] > desiderata[worst]:
            found[best] = np.sign(round(score[best] - score[worst], 9))
    return found


def _tutor_means(rows: Sequence[Any], score: np.ndarray) -> dict[str, dict[str, float]]:
    of_tutor = defaultdict(list)
    for number, row in enumerate(rows):
        if row.desiderata is not None:
            of_tutor[row.tutor].append((row.desiderata, score[number]))
    means = {name: np.mean(both, axis=0) for name, both in of_tutor.items()}
    return {
        name: {"answers": len(of_tutor[name]), "labels": float(labels), "score": float(scored)}
        for name, (labels, scored) in sorted(means.items(), key=lambda item: -item[1][0])
    }


def table(found: dict[str, Any]) -> str:
    """Format the figures for the terminal, part by part."""
    told = "told the final numbers where there are any" if found["known_answers"] else "not told the final numbers"
    halves = "" if found["half"] == "both" else f", {found['half']} half"
    lines = [f"{found['judge']} against MRBench's labels{halves}; {told}. [95 % intervals, by problem]"]
    if found["invalid"]:
        lines.append(f"{found['invalid']} of {found['answers']} answers have no valid verdict and are left out")
    for part, one in found["parts"].items():
        head = f"{part}: {one['answers']} answers, {one['problems']} problems, {one['reveal']} reveal the answer"
        rows = [
            [f"  {title}", _shown(one["figures"][name]), _number(one["figures"][name]["mark_rule"])]
            for name, title in NAMES.items()
        ]
        lines += ["", _table([head, "judge", "`?` rule"], rows)]
    rows = [
        [f"  {name}", one["answers"], f"{one['labels']:.2f}", f"{one['score']:.2f}"]
        for name, one in found["parts"]["all"]["tutors"].items()
    ]
    head = ["tutors, best by their labels first", "answers", "mean sum of labels (of 8)", "mean score"]
    return "\n".join([*lines, "", _table(head, rows)])


def _table(head: list[str], rows: list[list[Any]]) -> str:
    from tabulate import tabulate

    return tabulate(
        [head, *rows],
        tablefmt="plain",
        colalign=["left", *["right"] * (len(head) - 1)],
        preserve_whitespace=True,
        disable_numparse=True,
    )


def _shown(entry: dict[str, Any]) -> str:
    interval = "" if entry["low"] is None else f" [{entry['low']:z.2f}, {entry['high']:z.2f}]"
    return _number(entry["value"]) + interval


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:z.2f}"
