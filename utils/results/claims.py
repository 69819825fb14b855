"""Write what a run can claim, in sentences: each tutor against the base on the same dialogues, with warnings."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from utils.answers import variety
from utils.results.training_root import WARM_START, Evaluated, Mean, TrainingRoot, is_own, score_mean, title_of
from utils.stats.comparisons import PRIMARY, SECONDARY, compare, join, keys, sentence
from utils.stats.groups import group_of
from utils.stats.means import DIFFERENCES, FEW_GROUPS, mean_of

CONSTANT = "baseline_constant_question"
PRIMARY_INTRO = (
    "Primary, named beforehand: each tutor against the base on its own kind of dialogue; intervals and p are corrected "
    "among these comparisons alone"
)
SECONDARY_INTRO = (
    "Secondary, a lead to be tested on new dialogues rather than a result: the tutor against its warm start and "
    "against one question to everyone; corrected among all secondary comparisons"
)


def comparisons(root: TrainingRoot) -> list[dict[str, Any]]:
    """Compare the trained tutors with the base on every test set, and put each comparison into a sentence.

    Each tutor's primary comparison, named before any result was seen, is on its own kind of dialogue. There it is also
    compared with the baseline that asks everyone one question, and with the warm start that its DPO began from. By each
    judge, the primary comparisons are corrected together, and so are all others (the secondary ones). Several trainings
    of a tutor count as one tutor, whose score on a dialogue is their mean.
    Returns dicts with the keys of `stats.comparisons.compare` and "dataset", "tutor", "against" (file stems), "judge",
    "by", "primary", "trainings", "over_trainings" (one difference per training), "unpaired" (dialogues that only one of
    the two answered) and "sentence".
    """
    found = []
    for by in [None, *root.second_judges]:
        wanted = [
            (tutor, dataset, against)
            for tutor in root.trained
            for dataset in _own_first(root.datasets, tutor)
            for against in ("base", *((WARM_START, CONSTANT) if is_own(tutor, dataset) else ()))
            if root.of(dataset, tutor, by) and root.of(dataset, against, by)
        ]
        wanted = [one for one in wanted if not _other_judges(root, *one, by)]
        joined = []
        for tutor, dataset, against in wanted:
            ours, theirs = (_scores(root.of(dataset, model, by)) for model in (tutor, against))
            joined.append((ours, theirs, join(ours, theirs)))
        families = [PRIMARY if _is_primary(*one) else SECONDARY for one in wanted]
        results = compare([pairs for *_, pairs in joined], families)
        for (tutor, dataset, against), (ours, theirs, pairs), one in zip(wanted, joined, results, strict=True):
            one = {name: value for name, value in one.items() if name not in ("values", "of_groups")}
            one |= {"dataset": dataset, "tutor": tutor, "against": against, "by": by}
            one |= {"judge": ", ".join(root.of(dataset, tutor, by)[0].judges)}
            one |= {"primary": one["family"] == PRIMARY}
            one |= {"unpaired": len(ours) + len(theirs) - 2 * len(pairs)}
            trainings = [join(_scores([training]), theirs) for training in root.of(dataset, tutor, by)]
            one |= {"trainings": len(trainings), "over_trainings": [_difference(pairs) for pairs in trainings]}
            by_whom = f" (graded by {one['judge']})" if by or root.second_judges else ""
            where = f"{title_of(dataset)}{by_whom}"
            found.append(
                one | {"sentence": sentence(one, f"the tutor {root.title(tutor)}", root.title(against), where)}
            )
    return found


def claims(compared: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the main sentences as lists, by their introductions; empty lists are left out.

    The primary comparisons come first, then the secondary ones with the warm start and with one question to everyone.
    """
    beside = [one for one in compared if not one["primary"] and one["against"] in (WARM_START, CONSTANT)]
    lists = {PRIMARY_INTRO: [one for one in compared if one["primary"]], SECONDARY_INTRO: beside}
    return {intro: [one["sentence"] for one in some] for intro, some in lists.items() if some}


def warnings(root: TrainingRoot, compared: Sequence[dict[str, Any]]) -> list[str]:
    """Return what a reader must know before believing the numbers, a sentence each."""
    found = []
    judges = root.judges()
    if len(judges) > 1:
        by_judge = [f"{name}: {', '.join(e.path for e in root.evaluations if not e.by and name in e.judges)}"
                    for name in judges]  # fmt: skip
        found.append(
            f"Several judges graded these answers, so their scores cannot be compared ({'; '.join(by_judge)})."
        )
    for name in sorted(set(judges) & set(root.preference_judges)) if root.trained else ():
        found.append(
            f"{name} graded these answers and also chose the pairs that the tutors were trained on, so it may favour "
            "them" + ("." if root.second_judges else "; --report-judge grades them with another judge.")
        )
    seconds = {name for by in root.second_judges for name in root.judges(by)}
    for name in sorted(seconds & set(root.preference_judges) - set(judges)) if root.trained else ():
        found.append(
            f"{name}, the second judge, chose the pairs that the tutors were trained on, so it may favour them."
        )
    there = [(dataset, model) for dataset in root.datasets for model in root.models if root.of(dataset, model)]
    means = {(dataset, model): score_mean(root.of(dataset, model)) for dataset, model in there}
    problems = {name: max(m.groups for (of, _), m in means.items() if of == name) for name, _ in there}
    if few := [f"{title_of(name)} {count}" for name, count in problems.items() if 0 < count < FEW_GROUPS]:
        found.append(f"Few problems ({', '.join(few)}): fewer than {FEW_GROUPS} say little, whatever the intervals.")
    for (dataset, model), mean in means.items():
        if (model == "base" or model in root.baselines) and mean.high is not None and mean.high >= 1 - 1e-9:
            found.append(
                f"On {title_of(dataset)}, {root.title(model)} scores {shown(mean)}, within an interval of the highest "
                "score, 1.0: there a better tutor could not show that it is better."
            )
    for model in root.trained:
        answers = {name: [row["output"] for row in root.of(name, model)[0].rows] for name, of in there if of == model}
        alike = {name: variety(texts) for name, texts in answers.items() if len(texts) > 3}
        alike = {name: one for name, one in alike.items() if one["commonest_share"] >= 0.5}
        if alike:
            shares = ", ".join(f"{one['commonest_share']:.0%} on {title_of(name)}" for name, one in alike.items())
            answer = next(iter(alike.values()))["commonest"][:100]
            found.append(f"The tutor {root.title(model)} gives one answer to many dialogues ({shares}): “{answer}”.")
    for one in compared:
        if one["unpaired"] or one["left_out"]:
            found.append(
                f"On {title_of(one['dataset'])}, {root.title(one['tutor'])} against {root.title(one['against'])}: "
                f"{one['unpaired']} answers to dialogues that the other did not get and {one['left_out']} dialogues "
                "without two valid verdicts are left out."
            )
    for by in [None, *root.second_judges]:
        for dataset in root.datasets:
            for tutor in root.trained:
                if other := _other_judges(root, tutor, dataset, "base", by):
                    found.append(f"On {title_of(dataset)}, {root.title(tutor)} is not compared with base: {other}.")
    return found


def as_markdown(claimed: Mapping[str, Sequence[str]], beware: Sequence[str]) -> str:
    """Format the claims and the warnings as Markdown lists."""
    lists = [*((f"{intro}:", some) for intro, some in claimed.items()), ("Before you believe the numbers:", beware)]
    return "\n".join("\n".join([title, "", *(f"- {line}" for line in lines), ""]) for title, lines in lists if lines)


def judge_gap(firsts: Sequence[Evaluated], seconds: Sequence[Evaluated]) -> Mean:
    """Return by how much the first judge scores the same answers higher than a second one, with its 95 % interval."""
    values, groups = [], []
    for first in firsts:
        for second in (other for other in seconds if other.training == first.training):
            for one, other in join(_scores([first]), _scores([second])):
                if one["score"] is not None and other["score"] is not None:
                    values.append(one["score"] - other["score"])
                    groups.append(group_of(one))
    return mean_of(values, groups, scale=DIFFERENCES)


def shown(mean: Mean, sign: str = "") -> str:
    """Format a mean and its interval for tables and sentences."""
    text = "–" if mean.value is None else f"{mean.value:{sign}z.2f}"
    return text + ("" if mean.low is None else f" [{mean.low:{sign}z.2f}, {mean.high:{sign}z.2f}]")


def _is_primary(tutor: str, dataset: str, against: str) -> bool:
    return against == "base" and is_own(tutor, dataset)


def _own_first(datasets: Sequence[str], tutor: str) -> list[str]:
    return sorted(datasets, key=lambda dataset: not is_own(tutor, dataset))


def _other_judges(root: TrainingRoot, tutor: str, dataset: str, against: str, by: str | None) -> str:
    """Say who judged the two tutors, if it was not one and the same judge; else return an empty text."""
    sides = [sorted({name for e in root.of(dataset, model, by) for name in e.judges}) for model in (tutor, against)]
    if not all(sides) or (sides[0] == sides[1] and len(sides[0]) == 1):
        return ""
    return f"graded by {', '.join(sides[0])} and by {', '.join(sides[1])}"


def _scores(evaluations: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """Return a tutor's dialogues with its score on each, the mean over its trainings; None without a valid verdict."""
    rows, scores = {}, {}
    for evaluation in evaluations:
        for key, row, grade in zip(keys(evaluation.rows), evaluation.rows, evaluation.grades, strict=True):
            rows.setdefault(key, row)
            scores.setdefault(key, []).extend([grade.score] if grade else [])
    return [
        {"id": row.get("id"), "prompt": row["prompt"], "group": row.get("group")}
        | {"score": fmean(scores[key]) if scores[key] else None}
        for key, row in rows.items()
    ]


def _difference(pairs) -> float:
    both = [one["score"] - other["score"] for one, other in pairs if None not in (one["score"], other["score"])]
    return fmean(both) if both else float("nan")
