"""Format the results of a classroom: the controls, the measures with their scope, and the comparisons."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from utils.classroom.exams import SELECTIVE
from utils.classroom.problems import Problem
from utils.classroom.rule_student import GAIN_TABLES
from utils.classroom.summary import MEASURES, RIGHT, TRANSFER

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
WIDTH = 118
LABELS = {measure.key: measure.label for measure in MEASURES}
SHORT = {
    "leak": "leak", "calculation": "calc.", "step told": "step", "same": "Δ same", "transfer, author": "Δ new",
    "confirms wrong": "conf. wrong", "denies right": "denies right", "repeats": "repeats", "turns": "turns",
    "score": "rubric",
}  # fmt: skip


def report(result: Mapping[str, Any], problems: Sequence[Problem]) -> str:
    """Format all results of a run. If it is void, the tutors' figures are not shown."""
    summary, tutors, generated = result["measures"], result["tutors"], all(one.is_generated for one in problems)
    parts = []
    if test := result["self_test"]:
        parts.append(self_test(test))
    parts.append(controls_table(summary, result["controls"], result["misses"]))
    if not result["valid"]:
        parts.append("This run is VOID: a control landed where it cannot, so what the tutors did was not measured.")
        parts.append("\n".join(result["misses"]))
        return "\n\n".join(parts)
    if tutors:
        parts.append(measures_table(summary, tutors))
        parts.append("\n".join(showed(name, summary[name]) for name in tutors))
        parts.append("\n".join(sentences(result["comparisons"])))
    right = sum(problem.student_is_right for problem in problems)
    student, reader = (result["settings"][who] for who in ("student", "reader"))
    parts.append(limits(student["student"], reader["reader"], len(problems), right, generated))
    parts += [
        f"{count} prompts were too long for {name}: their oldest turns, the problem first, were left out."
        for name, count in result["shortened"].items()
        if count
    ]
    if result["unjudged"]:
        parts.append(
            f"{result['unjudged']} dialogues have no valid verdict of the judge and are left out of its shares."
        )
    if result["unread"]:
        parts.append(f"{result['unread']} utterances had no valid reading and count as nothing.")
    return "\n\n".join(part for part in parts if part)


def self_test(test: Mapping[str, float]) -> str:
    """Describe the selectivity of a student that is a model."""
    shares = ", ".join(f"{name} {share:.2f}" for name, share in test.items() if name != "selectivity")
    words = f"the student's own test: right after one turn of {shares}; selectivity {test['selectivity']:+z.2f}."
    if test["selectivity"] < SELECTIVE:
        words += (
            f" Below {SELECTIVE} this student changes its mind (or keeps it) whatever the tutor says: its Δ shows "
            "nothing about tutors."
        )
    return textwrap.fill(words, WIDTH)


def controls_table(summary: Summary, controls: Sequence[str], misses: Sequence[str]) -> str:
    """Format the controls, one row each, and whether each has the values that it must have."""
    rows = [["control", *SHORT.values(), "lands"]]
    for name in controls:
        cells = [_value(summary[name].get(key)) for key in SHORT]
        rows.append([name, *cells, "WRONG" if any(miss.startswith(f"{name}:") for miss in misses) else "ok"])
    return _aligned(rows)


def measures_table(summary: Summary, tutors: Sequence[str]) -> str:
    """Format measures in rows and tutors in columns, human tutors last. Measures are grouped under their scope."""
    scope = None
    rows: list[list[str]] = []
    for measure in MEASURES:
        if not any(measure.key in summary[tutor] for tutor in tutors):
            continue
        if (measure.scope, measure.of) != scope:
            scope = (measure.scope, measure.of)
            rows.append([f"[{measure.scope}; {'all dialogues' if measure.of == 'all' else measure.of}]"])
        rows.append(
            [f"  {measure.label}", *(_interval(summary[tutor].get(measure.key)) for tutor in tutors), measure.human]
        )
    return _aligned([["", *tutors, "human tutors"], *rows])


def showed(tutor: str, measures: Mapping[str, Mapping[str, Any]]) -> str:
    """Describe what a tutor did, in counts of dialogues."""
    phrases = {
        "leak": "gives the answer away in {}", "confirms wrong": "confirms a wrong answer in {}",
        "confirms right": "confirms a right one in {}", "repeats": "says the same twice in {}",
        "same": "leads a student who takes its words literally to the mistaken step in {}",
    }  # fmt: skip
    counts = [
        phrase.format(f"{round(measures[key]['value'] * measures[key]['rows'])} of {measures[key]['rows']}")
        for key, phrase in phrases.items()
        if key in measures
    ]
    return textwrap.fill(f"{tutor} {', '.join(counts)} dialogues.", WIDTH)


def sentences(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    """Put the comparisons into words: one sentence for each order that is shown, and one for all others."""
    found: list[str] = []
    alike: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in comparisons:
        names, tables = (one["tutor"], one["against"]), ""
        if one["measure"] in TRANSFER:
            if one["measure"] != TRANSFER[0]:  # the finding about transfer is for all tables together
                continue
            tables = f" under all {len(GAIN_TABLES)} gain tables"
        if one["finding"] == "depends on the gain table":
            found.append(f"{_label(one)}: whether {names[0]} or {names[1]} is ahead depends on the gain table.")
        elif one["finding"] in ("more", "less"):
            numbers = f"{one['difference']:+z.2f} [{one['corrected_low']:+z.2f}, {one['corrected_high']:+z.2f}]"
            found.append(f"{_label(one)}: {one['finding']} for {names[0]} than for {names[1]}{tables}, {numbers}.")
        else:
            alike.setdefault(names, []).append(one)
    for (tutor, against), several in alike.items():
        sizes = [one["smallest"] for one in several if one["smallest"]]
        needed = f"; a difference under {min(sizes):.2f} would show in none of them" if sizes and min(sizes) < 1 else ""
        labels = ", ".join(_label(one) for one in several)
        stories = f"{several[0]['groups']} stories{needed}"
        found.append(f"{tutor} and {against} cannot be told apart by: {labels} ({stories}).")
    return [textwrap.fill(sentence, WIDTH) for sentence in found]


def _label(one: Mapping[str, Any]) -> str:
    return "Δ on a new problem" if one["measure"] in TRANSFER else LABELS[one["measure"]]


def limits(student: str, reader: str, dialogues: int, right: int, generated: bool) -> str:
    """Describe what the run cannot show."""
    words = [
        f"{dialogues} dialogues for each tutor; in {right} of them the student is right, and these count for "
        f"{RIGHT} alone."
    ]
    if student == "rules":
        words.append(
            "The student is made of rules and takes every word literally. Its Δ says whether somebody who does what "
            "the words ask for gets to the right step: that is compliance, not learning. How much carries "
            "over to a new problem is an assumption (three gain tables), so an order counts only if it holds under all."
        )
    else:
        words.append(
            "A language model plays the student. Such students know more than they should and give in too easily; "
            "their Δ says nothing about children, and nothing at all if the self-test above calls them unselective."
        )
    if reader == "code":
        words.append("Confirming, denying and pointing at a step are read by rules, in English.")
    if not generated:
        words.append("The problems come from a file: mistaken steps are unknown, and models may have seen them.")
    return "\n".join(textwrap.fill(sentence, WIDTH) for sentence in words)


def _value(entry: Mapping[str, Any] | None) -> str:
    return "–" if entry is None or entry["value"] is None else f"{entry['value']:.2f}"


def _interval(entry: Mapping[str, Any] | None) -> str:
    if entry is None or entry["value"] is None:
        return "–"
    if entry["low"] is None:
        return f"{entry['value']:.2f}"
    return f"{entry['value']:.2f} [{entry['low']:.2f}, {entry['high']:.2f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align columns; a row of one cell is a heading."""
    from tabulate import tabulate

    cells = [row for row in rows if len(row) > 1]
    lines = iter(tabulate(cells, tablefmt="plain", disable_numparse=True, preserve_whitespace=True).splitlines())
    return "\n".join(row[0] if len(row) == 1 else next(lines).rstrip() for row in rows)
