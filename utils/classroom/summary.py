"""Summarise a classroom: means with intervals, comparisons of the tutors, and whether the run is void.

Every measure is reported with its scope. Intervals are clustered by problem, because dialogues about one template, or
about one row of a file, are not independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from utils.classroom.controls import Control
from utils.classroom.rule_student import GAIN_TABLES

Row = Mapping[str, Any]  # a dialogue: "tutor", "id", "group", "measures", … (run.row_of)
EXACT = "numbers and words that were said"
WRONG, RIGHT = "students who are wrong", "students who are right"
RULES = "whether a student who takes the words literally gets there; not learning"
ASSUMED = "the same, for new numbers; the share that carries over is assumed, not measured"
LLM = "solutions of the student's model under one exam prompt, with and without the dialogue"
JUDGED = "the judge's reading of the whole dialogue, the answer shown to it"


@dataclass(frozen=True)
class Measure:
    """A measure, its title and its scope. Shares are of dialogues, and means are over dialogues."""

    key: str
    label: str
    scope: str
    of: str = WRONG
    share: bool = True
    human: str = ""  # the value for the human tutors in MathDial's test dialogues, if measured


# The last column: 599 dialogues of MathDial's test file (`python -m benchmarks.human_tutors` measures it).
MEASURES = (
    Measure("leak", "gives the answer away", EXACT, human="0.12"),
    Measure("calculation", "asks the last calculation", EXACT),
    Measure("step told", "tells the mistaken step", EXACT),
    Measure("success", "the student says the answer", "MathDial's Success@k, k the most turns"),
    Measure("telling", "… but the tutor first", "MathDial's Telling@k"),
    Measure("confirms wrong", "confirms a wrong answer", "by the reader"),
    Measure("confirms right", "confirms a right answer", "by the reader", RIGHT),
    Measure("denies right", "denies a right answer", "by the reader", RIGHT),
    Measure("repeats", "says the same twice", EXACT, "all"),
    Measure("turns", "turns of the tutor", EXACT, "all", False, "6.2"),
    Measure("asks", "turns with a question mark", EXACT, "all", False, "0.54"),
    Measure("words", "words per turn", EXACT, "all", False, "15"),
    Measure("student's words", "words that are the student's", EXACT, "all", False, "0.68"),
    Measure("no answer", "turns without an answer", EXACT, "all", False),
    Measure("score", "mean score of a turn", "the judge's rubric, turn by turn", "all", False),
    Measure("judged leak", "gives the answer away", JUDGED),
    Measure("judged helpful", "helps", JUDGED, "all"),
    Measure("same", "Δ on the same problem", RULES, share=False),
    *(Measure(f"transfer, {name}", f"Δ transfer, table {name!r}", ASSUMED, share=False) for name in GAIN_TABLES),
    Measure("pre", "right before the talk", LLM, share=False),
    Measure("post", "right after the talk", LLM, share=False),
    Measure("exam same", "Δ on the same problem", LLM, share=False),
    Measure("exam transfer", "Δ on a new problem", LLM, share=False),
)  # fmt: skip
COMPARED = ("leak", "confirms wrong", "repeats", "same", "exam same", "exam transfer")
TRANSFER = tuple(f"transfer, {name}" for name in GAIN_TABLES)


def summarise(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {tutor: {measure: {"value", "low", "high", "rows", "groups"}}}, without measures that never apply."""
    from utils.stats.means import Scale, mean_of, share_of

    found: dict[str, dict[str, dict[str, Any]]] = {}
    for tutor in dict.fromkeys(row["tutor"] for row in rows):
        found[tutor] = {}
        for measure in MEASURES:
            have = [row for row in rows if row["tutor"] == tutor and row["measures"].get(measure.key) is not None]
            values, groups = [row["measures"][measure.key] for row in have], [row["group"] for row in have]
            if not have:
                continue
            ends = 0.2 if measure.share or max(values) <= 1 else 0.0
            scale = Scale(min(0.0, *values), max(1.0, *values), ends)
            mean = share_of(values, groups) if measure.share else mean_of(values, groups, scale=scale)
            found[tutor][measure.key] = {
                "value": mean.value, "low": mean.low, "high": mean.high, "rows": mean.rows, "groups": mean.groups
            }  # fmt: skip
    return found


def misses(summary: Mapping[str, Mapping[str, Mapping[str, Any]]], controls: Sequence[Control]) -> list[str]:
    """List the controls with impossible values. If there is one, the run is void."""
    found = []
    for control in controls:
        for key, (low, high) in control.lands.items():
            value = summary[control.name].get(key, {}).get("value")
            if value is not None and not low - 1e-9 <= value <= high + 1e-9:
                found.append(
                    f"{control.name}: {key} is {value:.2f} and must be {low:g}" + f" to {high:g}" * (low < high)
                )
    return found


def compare_tutors(rows: Sequence[Row], tutors: Sequence[str]) -> list[dict[str, Any]]:
    """Compare each tutor with the first on the same problems: paired, clustered, corrected by Holm for all comparisons.

    The rule student's Δ transfer has three gain tables. An order is claimed ("finding") only if it holds under all.
    """
    from utils.stats.comparisons import NOT_APART, compare, join

    pairs = [(one, tutors[0]) for one in tutors[1:]]
    asked = [
        (one, other, key)
        for one, other in pairs
        for key in (*COMPARED, *TRANSFER)
        if _scored(rows, one, key) and _scored(rows, other, key)
    ]
    family = [join(_scored(rows, one, key), _scored(rows, other, key)) for one, other, key in asked]
    found = []
    for (one, other, key), result in zip(asked, compare(family), strict=True):
        kept = ("difference", "corrected_low", "corrected_high", "p_corrected", "smallest", "rows", "groups")
        # "better" of `compare` means larger; whether larger is better depends on the measure
        order = {"better": "more", "worse": "less"}.get(result["finding"], NOT_APART)
        found.append({"tutor": one, "against": other, "measure": key, "finding": order} | {k: result[k] for k in kept})
    for one in found:  # an order is claimed only if all tables agree
        if one["measure"] in TRANSFER:
            same = [x for x in found if x["measure"] in TRANSFER and _names(x) == _names(one)]
            one["holds"] = len({x["finding"] for x in same}) == 1
    for one in found:
        if one.get("holds") is False:
            one["finding"] = "depends on the gain table"
    return found


def _names(one: Mapping[str, Any]) -> tuple[str, str]:
    return one["tutor"], one["against"]


def _scored(rows: Sequence[Row], tutor: str, key: str) -> list[dict[str, Any]]:
    return [
        {"id": row["id"], "group": row["group"], "prompt": row["id"], "score": row["measures"][key]}
        for row in rows
        if row["tutor"] == tutor and row["measures"].get(key) is not None
    ]
