"""Measure how well a judge agrees with people, and whether it does better than merely looking for a question mark.

Whether an answer contains a `?` alone correlates about 0.75 with the human summary score, so every figure is reported
beside that rule's. `analyse_rows` takes the rows of a `human_vs_gpt.json`, also of one by the original code.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from utils.errors import BadInput
from utils.records import CRITERIA, Evaluation
from utils.stats import raters as statistics
from utils.stats.agreement_table import sentence
from utils.stats.bootstrap import RESAMPLES, bootstrap, number
from utils.stats.comparisons import sign_flips
from utils.stats.groups import group_of
from utils.stats.human_ratings import read_evaluation

PEOPLE, MARK_RULE = "people", "`?` rule"
POINTS, YES_NO = (1, 2, 3, 4, 5), (0, 1)
Rater = dict[str, np.ndarray]  # "score" and each criterion -> (n,); yes is 1; nan for an invalid rating


def rater(evaluations: Sequence[Evaluation | None], scores: Sequence[float | None] | None = None) -> Rater:
    """Return one rater's ratings as columns. `scores` replaces the evaluations' summary scores (expected scores).

    None in `evaluations` means no valid rating; None in `scores` means the evaluation's own summary score.
    """
    rows = []
    for row, evaluation in enumerate(evaluations):
        if evaluation is None:
            rows.append([np.nan] * 5)
            continue
        score = scores[row] if scores and scores[row] is not None else evaluation.score
        values = (getattr(evaluation, name) for name in CRITERIA)
        rows.append([round(score, 9), *({"yes": 1, "no": 0}.get(value, value) for value in values)])
    return dict(zip(("score", *CRITERIA), np.array(rows, float).reshape(-1, 5).T, strict=True))


def question_mark_rule(human: Rater, marks: np.ndarray) -> Rater:
    """Return the ratings of the rule that an answer with a `?` asks and does not reveal, and any other the reverse.

    Its points are the median of the human points of the answers with, or without, a `?`: the best such a rule can do.
    """
    kinds = {
        kind: Evaluation(
            questions="yes" if kind else "no", reveal_answer="no" if kind else "yes",
            **{name: float(statistics.nearest_point(np.median(human[name][marks == kind]))) for name in CRITERIA[1:3]},
        )
        for kind in {bool(mark) for mark in marks}
    }  # fmt: skip
    return rater([kinds[bool(mark)] for mark in marks])


def select(ratings: Rater, rows: np.ndarray) -> Rater:
    """Return the ratings of the given rows."""
    return {name: column[rows] for name, column in ratings.items()}


def measure(human: Rater, judge: Rater, marks: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Return all statistics of a judge against a human, {("score", "pearson"): value, ...}. Bias is judge - human."""
    one, other = human["score"], judge["score"]
    found = {
        ("score", "pearson"): statistics.pearson(one, other),
        ("score", "spearman"): statistics.spearman(one, other),
        ("score", "partial_pearson"): statistics.partial_pearson(one, other, marks),
        ("score", "pairwise"): statistics.pairwise_accuracy(one, other),
        ("score", "pairwise_same_kind"): statistics.pairwise_accuracy(one, other, marks),
        ("score", "alpha"): statistics.alpha(one, other),
        ("score", "icc"): statistics.icc(one, other),
    }
    for name in CRITERIA:
        points = name in ("on_topic", "helpful")
        categories = POINTS if points else YES_NO
        found[name, "kappa"] = statistics.kappa(human[name], judge[name], categories)
        if points:  # with two categories it equals kappa
            found[name, "quadratic_kappa"] = statistics.kappa(human[name], judge[name], categories, quadratic=True)
    for name in ("score", *CRITERIA):
        found[name, "bias"] = (judge[name] - human[name]).mean(-1)
    return found


def correlations(
    human: Rater, judge: Rater, marks: np.ndarray, groups: Sequence[Hashable], *, times: int = RESAMPLES, seed: int = 0
) -> dict[str, dict[str, float | None]]:
    """Correlate the human summary score with the judge's, and with the `?` alone, for a figure.

    The values are those of `analyse`. All rows must have both ratings.
    Returns {"judge": {value, low, high}, "marks": {value, low, high}}.
    """

    def both(rows: np.ndarray) -> dict[str, np.ndarray]:
        people = human["score"][rows]
        return {
            "judge": statistics.pearson(people, judge["score"][rows]),
            "marks": statistics.pearson(people, marks[rows]),
        }

    return bootstrap(both, groups, times=times, seed=seed)


def analyse(
    human: Rater,
    judges: Mapping[str, Sequence[Rater]],
    answers: Sequence[str],
    groups: Sequence[Hashable],
    *,
    people: Mapping[str, Rater] | None = None,
    fitted_on: Mapping[str, int] | None = None,
    times: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure the agreement of each judge with `human`, of all raters with each other, and of each judge with itself.

    `judges` holds each judge's runs: the first is compared with people, further ones give the test-retest agreement.
    `people` are further human raters, compared in the same way; they show what a judge could reach. All ratings are of
    the same n `answers`. `groups` names each answer's conversation. `fitted_on` counts, by judge, the answers whose
    human ratings the judge was fitted to. A rater's invalid ratings are left out and counted.
    Raises BadInput if a rater has fewer than two valid ratings.
    """
    marks = np.array(["?" in answer for answer in answers])
    rule = question_mark_rule(human, marks)
    groups = np.array(groups, dtype=object)
    raters = {**(people or {}), **{name: runs[0] for name, runs in judges.items()}}
    found = {}
    for name, ratings in raters.items():
        valid = np.flatnonzero(np.isfinite(ratings["score"]))
        if len(valid) < 2:
            raise BadInput(f"{name}: {len(valid)} valid verdicts on {len(marks)} answers; agreement needs two or more")
        found[name] = {"rated": len(valid), "invalid": len(marks) - len(valid)}
        found[name] |= _compare_with_rule(*(select(r, valid) for r in (human, ratings, rule)), marks[valid],
                                          groups[valid], times, seed)  # fmt: skip
        if fitted := (fitted_on or {}).get(name):
            found[name]["fitted_on"] = fitted
        found[name]["sentence"] = sentence(name, found[name])
        if len(judges.get(name, ())) > 1:
            found[name]["retest"] = retest(judges[name], groups, times=times, seed=seed)
    everyone = {PEOPLE: human, **raters, MARK_RULE: rule}
    return {
        "answers": len(marks), "conversations": len(set(groups)), "with_question_mark": int(marks.sum()),
        "interval": "95 %, bootstrap over conversations", "resamples": times, "seed": seed,
        "raters": found,
        "matrix": matrix(everyone),
        "comparisons": [
            compare(human, (one, raters[one]), (other, everyone[other]), groups, times=times, seed=seed)
            for one, other in combinations([*raters, MARK_RULE], 2)
        ],
    }  # fmt: skip


def _compare_with_rule(
    human: Rater, judge: Rater, rule: Rater, marks: np.ndarray, groups: np.ndarray, times: int, seed: int
) -> dict[str, Any]:
    """Compare a judge with the `?` rule; both are measured against the human.

    Returns {"statistics": {"score": {"pearson": {value, low, high, mark_rule, gain: {value, low, high}}, ...}, ...}}.
    """

    def all_three(rows: np.ndarray) -> dict[tuple[str, str, str], np.ndarray]:
        ours = measure(select(human, rows), select(judge, rows), marks[rows])
        theirs = measure(select(human, rows), select(rule, rows), marks[rows])
        return (
            {(*key, "judge"): value for key, value in ours.items()}
            | {(*key, "rule"): value for key, value in theirs.items()}
            | {(*key, "gain"): value - theirs[key] for key, value in ours.items() if key[1] != "bias"}
        )

    measured = bootstrap(all_three, groups, times=times, seed=seed)
    nested: dict[str, Any] = {}
    for (criterion, name, who), entry in measured.items():
        if who == "judge":
            gain = measured.get((criterion, name, "gain"))
            nested.setdefault(criterion, {})[name] = {
                **entry, "mark_rule": measured[criterion, name, "rule"]["value"], "gain": gain,
            }  # fmt: skip
    return {"statistics": nested}


def matrix(raters: Mapping[str, Rater]) -> dict[str, Any]:
    """Return Pearson and alpha of the summary scores between all raters, each pair on the answers that both rated."""
    pearson, alpha = (
        [[number(f(*_both(one["score"], other["score"]))) for other in raters.values()] for one in raters.values()]
        for f in (statistics.pearson, statistics.alpha)
    )
    return {"raters": list(raters), "pearson": pearson, "alpha": alpha}


def _both(*columns: np.ndarray) -> list[np.ndarray]:
    valid = np.isfinite(columns).all(0)
    if valid.sum() < 2:
        raise BadInput("two raters have fewer than two answers in common with valid ratings: nothing to compare")
    return [column[valid] for column in columns]


def compare(
    human: Rater, one: tuple[str, Rater], other: tuple[str, Rater], groups: np.ndarray, *, times: int, seed: int
) -> dict[str, Any]:
    """Compare how well two judges agree with the human, on the answers that both rated (paired).

    Returns the mean |judge - human| of the summary score of each, with the p of a permutation test, and the difference
    of the Pearson correlations with its bootstrap interval.
    """
    valid = np.flatnonzero(np.isfinite([one[1]["score"], other[1]["score"]]).all(0))
    truth, first, second = (ratings["score"][valid] for ratings in (human, one[1], other[1]))
    errors = np.abs(first - truth), np.abs(second - truth)

    def gain(rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"pearson": statistics.pearson(first[rows], truth[rows]) - statistics.pearson(second[rows], truth[rows])}

    return {
        "judges": [one[0], other[0]], "answers": len(valid), "errors": [number(e.mean()) for e in errors],
        "p": sign_flips(errors[0] - errors[1], groups[valid], seed),
        "pearson_gain": bootstrap(gain, groups[valid], times=times, seed=seed)["pearson"],
    }  # fmt: skip


def retest(runs: Sequence[Rater], groups: Sequence[Hashable], *, times: int = RESAMPLES, seed: int = 0) -> dict:
    """Measure a judge's agreement with itself over several runs, on the answers with a valid rating in every run.

    Returns alpha and ICC of the summary score, `spread` (the range of an answer's summary scores, averaged over the
    answers), and for each criterion the share of the answers with the same rating in every run.
    """
    valid = np.flatnonzero(np.isfinite([run["score"] for run in runs]).all(0))
    if len(valid) < 2:
        return {"runs": len(runs), "rated": len(valid)}

    def within(rows: np.ndarray) -> dict[str, np.ndarray]:
        sampled = [select(run, valid[rows]) for run in runs]
        scores = [run["score"] for run in sampled]
        found = {"alpha": statistics.alpha(*scores), "icc": statistics.icc(*scores)}
        found["spread"] = np.ptp(scores, axis=0).mean(-1)
        return found | {name: (np.ptp([run[name] for run in sampled], axis=0) == 0).mean(-1) for name in CRITERIA}

    found = bootstrap(within, [groups[row] for row in valid], times=times, seed=seed)
    return {"runs": len(runs), "rated": len(valid), "statistics": found}


def analyse_rows(rows: Sequence[Mapping[str, Any]], **settings: Any) -> dict[str, Any]:
    """Measure the agreement (`analyse`) in the rows of a `human_vs_gpt.json`, also of one by the original code.

    A row: {"prompt", "output", "human": evaluation, "gpt4o": evaluation or null}. Our rows also have the verdict's
    other fields ("judge": its name, "score", "details" with the members of a panel, …), "group", "runs" (the verdicts
    of several runs) and "people" (further human raters).
    Raises BadInput, which names the row that is wrong.
    """
    human, people, runs, scores = [], defaultdict(list), defaultdict(list), defaultdict(list)
    fitted_on = Counter()
    for row_number, row in enumerate(rows, 1):
        try:
            human.append(read_evaluation(row["human"]))
            for run, verdict in enumerate(row.get("runs") or [{"judge": "GPT-4o", **row, "evaluation": row["gpt4o"]}]):
                names = Counter()
                for member in [verdict, *(verdict.get("details") or {}).get("panel", [])]:
                    name = member["judge"]
                    names[name] += 1
                    name += f" ({names[name]})" if names[name] > 1 else ""  # a panel may have one model twice
                    runs[name, run].append(_verdict_evaluation(member["evaluation"]))
                    scores[name, run].append(member.get("score"))
                    fitted_on[name] += run == 0 and bool((member.get("details") or {}).get("fitted_on"))
            for name, evaluation in (row.get("people") or {}).items():
                people[name].append(_verdict_evaluation(evaluation))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(f"row {row_number}: not a row of human_vs_gpt.json ({error})") from error
    if any(len(column) != len(rows) for column in [*runs.values(), *people.values()]):
        raise BadInput("each row must have one verdict by every judge in every run, and one rating by every person")
    judges = defaultdict(list)
    for (name, _), evaluations in runs.items():
        judges[name].append(rater(evaluations, scores[name, len(judges[name])]))
    return analyse(
        rater(human), judges, [row["output"] for row in rows], [group_of(row) for row in rows],
        people={name: rater(evaluations) for name, evaluations in people.items()}, fitted_on=fitted_on, **settings,
    )  # fmt: skip


def _verdict_evaluation(data: Any) -> Evaluation | None:
    return None if data is None else read_evaluation(data)
