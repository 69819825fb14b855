"""Summarise ratings: how well people agree with each other, with themselves, and with the judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from utils.pages.ratings import Ratings
from utils.pages.to_rate import Item
from utils.records import Evaluation
from utils.stats.agreement_table import shown

SHOWN = {  # (criterion, statistic) -> its name on the page
    ("score", "pearson"): "Summary score: Pearson",
    ("score", "alpha"): "Summary score: Krippendorff's alpha",
    ("questions", "kappa"): "Asks a question: kappa",
    ("on_topic", "quadratic_kappa"): "On topic: quadratic kappa",
    ("helpful", "quadratic_kappa"): "Helpful: quadratic kappa",
    ("reveal_answer", "kappa"): "Reveals the answer: kappa",
    ("score", "bias"): "Difference of the mean summary scores",
}
TOO_FEW = "Fewer than two answers that both have rated: nothing can be said."


POINT = 1.0  # two ratings from 1 to 5 that differ by at most this much count as agreeing on the page


@dataclass(frozen=True)
class Comparison:
    """Two raters (or one rater twice) on `answers` answers. The plain `lines` and the statistics are (name, value)."""

    title: str
    answers: int
    lines: list[tuple[str, str]]
    figures: list[tuple[str, str]]
    sentence: str = ""


CRITERION_WORDS = {
    "questions": "asks a question", "on_topic": "on topic", "helpful": "helpful", "reveal_answer": "reveals the answer",
}  # fmt: skip
Rated = Mapping[str, tuple[Evaluation, float | None]]  # by item key: the rating, and a judge's own summary score


def compare_ratings(items: Sequence[Item], ratings: Ratings) -> list[Comparison]:
    """Compare each rater with the judges in the files, the other raters, and the rater's own second ratings."""
    by_key = {item.key: item for item in items}
    people = {name: _ratings_of(ratings, name, by_key) for name in ratings.raters}
    found = [
        _compare(f"The judge ({judge}) against {name}", (name, judge), mine, verdicts, by_key, is_judge=True)
        for name, mine in people.items()
        for judge, verdicts in _verdicts(items).items()
    ]
    found += [
        _compare(f"{other} against {name}", (name, other), mine, theirs, by_key)
        for (name, mine), (other, theirs) in combinations(people.items(), 2)
    ]
    for name, mine in people.items():
        if second := _ratings_of(ratings, name, by_key, showing=1):
            found.append(_compare_with_self(f"{name}, first and second time", mine, second, by_key))
    return found


def _compare(
    title: str, names: tuple[str, str], mine: Rated, theirs: Rated, by_key: Mapping[str, Item], is_judge: bool = False
) -> Comparison:
    from utils.stats.agreement import analyse

    keys, groups, (one, two) = _both(mine, theirs, by_key)
    if len(keys) < 2:
        return Comparison(title, len(keys), [], [], TOO_FEW)
    outputs = [by_key[key].answers[0].output for key in keys]
    found = analyse(one, {names[1]: [two]}, outputs, groups)["raters"][names[1]]
    sentences = [found["sentence"][:1].upper() + found["sentence"][1:]] if is_judge else []
    lines = [*_counts(one, two), _means(names, one, two)]
    return Comparison(title, len(keys), lines, _figures(found["statistics"]), " ".join([*sentences, *_caution(groups)]))


def _compare_with_self(title: str, first: Rated, second: Rated, by_key: Mapping[str, Item]) -> Comparison:
    from utils.stats.agreement import retest

    keys, groups, columns = _both(first, second, by_key)
    if len(keys) < 2:
        return Comparison(title, len(keys), [], [], TOO_FEW)
    again = retest(columns, groups)["statistics"]
    figures = [("Summary score: Krippendorff's alpha", estimate(again["alpha"]))]
    figures += [(f"Same rating: {words}", estimate(again[name])) for name, words in CRITERION_WORDS.items()]
    lines = [*_counts(*columns), _means(("first", "second"), *columns)]
    return Comparison(title, len(keys), lines, figures, " ".join(_caution(groups)))


def _counts(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for name, words in CRITERION_WORDS.items():
        how = "at most a point apart" if name in ("on_topic", "helpful") else "the same"
        same = sum(abs(one[name] - two[name]) <= (POINT if how != "the same" else 0))
        lines.append((f"{words.capitalize()}: {how}", f"{same} of {len(one[name])}"))
    return lines


def _means(names: tuple[str, str], one: Mapping[str, Any], two: Mapping[str, Any]) -> tuple[str, str]:
    means = (f"{name} {shown(columns['score'].mean())}" for name, columns in zip(names, (one, two), strict=True))
    return "Mean summary score, at most 1", ", ".join(means)


def _both(mine: Rated, theirs: Rated, by_key: Mapping[str, Item]) -> tuple[list[str], list[str], list[dict]]:
    """Return (items that both rated, their groups, both raters' columns as in `utils.stats.agreement`)."""
    from utils.stats.agreement import rater

    keys = [key for key in by_key if key in mine and key in theirs]
    columns = [rater(*map(list, zip(*(one[key] for key in keys), strict=True))) for one in (mine, theirs) if keys]
    return keys, _groups(keys, by_key), columns or [{}, {}]


def _groups(keys: Sequence[str], by_key: Mapping[str, Item]) -> list[str]:
    from utils.stats.groups import group_of

    return [group_of(by_key[key].row | {"prompt": by_key[key].prompt}) for key in keys]


def _caution(groups: Sequence[str]) -> list[str]:
    from utils.stats.means import FEW_GROUPS

    if (problems := len(set(groups))) >= FEW_GROUPS:
        return []
    return [f"Only {problems} problems: too few to conclude anything, whatever the intervals say."]


def compare_picks(items: Sequence[Item], ratings: Ratings) -> list[Comparison]:
    """Count how often the judge scores a person's preferred answer higher, and how often two people agree."""
    by_key = {item.key: item for item in items}
    people = {name: _picks(ratings, name, by_key) for name in ratings.raters}
    judges = {}
    for item in items:
        verdicts = [answer.verdict for answer in item.answers]
        if all(verdicts) and verdicts[0]["judge"] == verdicts[1]["judge"]:
            one, two = (verdict["score"] for verdict in verdicts)
            pick = None if abs(one - two) < 1e-9 else int(two > one)
            judges.setdefault(verdicts[0]["judge"], {})[item.key] = pick
    found = [
        _same_picks(f"The judge ({judge}) against {name}", mine, theirs, by_key)
        for name, mine in people.items()
        for judge, theirs in judges.items()
    ]
    found += [
        _same_picks(f"{other} against {name}", mine, theirs, by_key)
        for (name, mine), (other, theirs) in combinations(people.items(), 2)
    ]
    for name, mine in people.items():
        second = _picks(ratings, name, by_key, showing=1)
        if second:
            found.append(_same_picks(f"{name}, first and second time", mine, second, by_key))
    return found


def _same_picks(title: str, mine: dict[str, Any], theirs: dict[str, Any], by_key: dict[str, Item]) -> Comparison:
    from utils.stats.means import share_of

    both = [key for key in mine if key in theirs]
    decided = [key for key in both if mine[key] is not None and theirs[key] is not None]
    if not decided:
        return Comparison(title, len(both), [], [], "No pair of which both prefer one answer: nothing can be said.")
    groups = _groups(decided, by_key)
    same = [float(mine[key] == theirs[key]) for key in decided]
    share = share_of(same, groups)
    lines = [
        ("Prefer the same answer", f"{sum(same):g} of {len(same)}"),
        ("Pairs of which one sees no difference (left out)", str(len(both) - len(decided))),
    ]
    interval = {"value": share.value, "low": share.low, "high": share.high}
    figures = [("Prefer the same answer", estimate(interval)), ("Chance reaches", "0.50")]
    return Comparison(title, len(both), lines, figures, " ".join(_caution(groups)))


def _ratings_of(ratings: Ratings, name: str, by_key: Mapping[str, Item], showing: int = 0) -> Rated:
    return {
        item: (Evaluation.model_validate(entry["evaluation"]), None)
        for (item, shown), entry in ratings.of(name).items()
        if shown == showing and "evaluation" in entry and item in by_key
    }


def _picks(ratings: Ratings, name: str, by_key: Mapping[str, Item], showing: int = 0) -> dict[str, int | None]:
    return {
        item: entry["preferred"]
        for (item, shown), entry in ratings.of(name).items()
        if shown == showing and "preferred" in entry and item in by_key
    }


def _verdicts(items: Sequence[Item]) -> dict[str, Rated]:
    """Return the stored verdicts by judge."""
    judges: dict[str, dict[str, Any]] = {}
    for item in items:
        if verdict := item.answers[0].verdict:
            evaluation = Evaluation.model_validate(verdict["evaluation"])
            judges.setdefault(verdict["judge"], {})[item.key] = (evaluation, verdict["score"])
    return judges


def _figures(statistics: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(title, estimate(statistics[criterion][name])) for (criterion, name), title in SHOWN.items()]


def estimate(entry: Mapping[str, float | None]) -> str:
    """Format as `0.62 [0.31, 0.84]`, without the interval if there is none, and in words if there is no value."""
    if entry["value"] is None:
        return "not defined: all the same"
    value, low, high = (shown(entry[name]) for name in ("value", "low", "high"))
    return value if entry["low"] is None else f"{value} [{low}, {high}]"
