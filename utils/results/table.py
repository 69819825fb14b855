"""Make Table 1: every tutor and baseline on every test set, as CSV and as Markdown."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from utils.answers import variety
from utils.results import paper
from utils.results.claims import judge_gap, shown
from utils.results.reading import gain_is_by_same_judge
from utils.results.training_root import Evaluated, Mean, TrainingRoot, score_mean, title_of
from utils.stats.comparisons import p_text
from utils.stats.groups import group_of
from utils.stats.means import DIFFERENCES, mean_of

COMPARISONS_NOTE = (
    "Paired differences on the same dialogues [interval and p corrected by Holm within the family and judge].\n"
    "Primary: each tutor against the base on its own kind of dialogue, named beforehand; secondary: all others, leads "
    "to be tested on new dialogues rather than results.\n"
    "“Would show from”: a smaller true difference would be missed by more than 1 in 5 such tests (none: every one)."
)
SHARES = {"distinct": "distinct", "commonest_share": "commonest", "loops": "loops", "empty": "empty"}


def rows(root: TrainingRoot) -> list[dict[str, Any]]:
    """Return one row per test set, tutor and judge. A tutor's trainings share a row, which has their spread."""
    found = []
    for dataset in root.datasets:
        for model in root.models:
            for by in [None, *root.second_judges]:
                if evaluations := root.of(dataset, model, by):
                    found.append(_row(root, dataset, model, by, evaluations))
    return found


def _row(
    root: TrainingRoot, dataset: str, model: str, by: str | None, evaluations: Sequence[Evaluated]
) -> dict[str, Any]:
    answers = [row for evaluation in evaluations for row in evaluation.rows]
    mean = score_mean(evaluations)
    trainings = [one.value for one in (score_mean([evaluation]) for evaluation in evaluations) if one.value is not None]
    several = len(trainings) > 1
    varieties = [variety([row["output"] for row in evaluation.rows]) for evaluation in evaluations if evaluation.rows]
    alike = {name: fmean(one[name] for one in varieties) for name in SHARES if varieties}  # the mean over trainings
    alike |= {"commonest": max(varieties, key=lambda one: one["commonest_share"])["commonest"]} if varieties else {}
    ended = [row["finish_reason"] for row in answers if row.get("finish_reason")]
    measured = [row for row in answers if isinstance(row.get("own_dialogue_gain"), int | float)]
    gains = [row for row in measured if gain_is_by_same_judge(row, second=by is not None)]
    gain = mean_of([row["own_dialogue_gain"] for row in gains], [group_of(row) for row in gains], scale=DIFFERENCES)
    gap = judge_gap(root.of(dataset, model), evaluations) if by else Mean(None)
    return {
        "test_set": dataset, "model": model, "name": root.name(model), "title": root.title(model),
        "judge": ", ".join(sorted({name for evaluation in evaluations for name in evaluation.judges})),
        "second_judge": by is not None, "mean": mean.value, "low": mean.low, "high": mean.high, "answers": mean.rows,
        "groups": mean.groups, "invalid": mean.invalid, "trainings": len(evaluations),
        "trainings_sd": stdev(trainings) if several else None,
        "trainings_low": min(trainings) if several else None, "trainings_high": max(trainings) if several else None,
        **alike, "cut": fmean(reason == "length" for reason in ended) if ended else None,
        "own_dialogue_gain": gain.value, "gain_low": gain.low, "gain_high": gain.high,
        "judge_gap": gap.value, "gap_low": gap.low, "gap_high": gap.high, "paper": paper.score(dataset, model),
    }  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Format the rows as CSV."""
    from pandas import DataFrame

    return DataFrame(rows).to_csv(index=False, lineterminator="\n")


def as_markdown(rows: list[dict[str, Any]], root: TrainingRoot) -> str:
    """Format the means with their intervals, the shares of the answers, and who answered and judged."""
    lines, repeated = score_lines(rows), "\n".join(f"- {line}" for line in commonest(rows))
    repeated = f"\nThe commonest answers:\n\n{repeated}\n" if repeated else ""
    return f"{_pipe(lines)}\n\n{score_note(rows, root)}\n{repeated}"


def score_lines(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the lines of Table 1, one per test set and tutor, each {column title: cell}."""
    lines = []
    for row in (row for row in rows if not row["second_judge"]):
        line = {"test set": title_of(row["test_set"]), "tutor": row["title"], "score": cell(row)}
        for other in rows:
            if other["second_judge"] and (other["test_set"], other["model"]) == (row["test_set"], row["model"]):
                line[f"by {other['judge']}"] = cell(other)
                line[f"{row['judge']} less {other['judge']}"] = _interval(other, "judge_gap", "gap_low", "gap_high")
        line |= {
            "answers (problems)": f"{row['answers']} ({row['groups']})",
            "paper": "" if row["paper"] is None else f"{row['paper']:.2f}",
            "over trainings": _trainings(row),
            "own-dialogue gain": _interval(row, "own_dialogue_gain", "gain_low", "gain_high"),
        }
        for name, title in (SHARES | {"cut": "cut off"}).items():
            line[title] = "" if row.get(name) is None else f"{row[name]:.0%}"
        lines.append(line)
    return filled(lines)


def score_note(rows: Sequence[dict[str, Any]], root: TrainingRoot) -> str:
    """Write the note below Table 1."""
    known = {"base": root.base, "judge": root.judge()}
    if "gpt4o" in root.models:
        known[root.title("gpt4o")] = root.name("gpt4o")
    known |= {f"by {', '.join(root.judges(by))}": root.judge(by) for by in root.second_judges}
    who = "; ".join(f"{role}: {name}" for role, name in known.items() if name and role != f"by {name}")
    note = (
        f"Mean summary score [95 % interval, clustered by problem]. {who}.\nOf the answers: distinct ones, the share "
        "of the commonest one, those that loop, are empty, were cut off at the token limit."
    )
    if any(row["own_dialogue_gain"] is not None for row in rows):
        note += (
            "\nOwn-dialogue gain: the score on its own dialogue less the mean score of the same answer on five others; "
            "an answer that suits every dialogue gains 0."
        )
    if any(row["paper"] is not None for row in rows):
        note += "\nThe paper's values: base Phi-3-mini, judge GPT-4o."
    return note


def comparisons_as_markdown(compared: Sequence[dict[str, Any]], root: TrainingRoot) -> str:
    """Format the paired differences with their corrected intervals; the text is empty if there are none."""
    return f"{_pipe(comparison_lines(compared, root))}\n\n{COMPARISONS_NOTE}\n" if compared else ""


def comparison_lines(compared: Sequence[dict[str, Any]], root: TrainingRoot) -> list[dict[str, str]]:
    """Return the lines of the table of comparisons, each {column title: cell}."""
    lines = [
        {
            "tutor": root.title(one["tutor"]), "against": root.title(one["against"]),
            "test set": title_of(one["dataset"]),
            "family": one["family"] + (f" (of {one['comparisons']})" if one["comparisons"] > 1 else ""),
            "judge": one["judge"] if root.second_judges else "",
            "difference": _interval(one, "difference", "corrected_low", "corrected_high"),
            "p": p_text(one["p_corrected"]).removeprefix("p ").removeprefix("= "), "finding": one["finding"],
            "would show from": "none" if one["smallest"] is None else f"{one['smallest']:.2f}",
            "dialogues (problems)": f"{one['rows']} ({one['groups']})",
        }
        for one in compared
    ]  # fmt: skip
    return filled(lines)


def cell(row: dict[str, Any]) -> str:
    """Format a row's mean with its interval and the number of invalid verdicts."""
    invalid = f", {row['invalid']} of {row['answers'] + row['invalid']} invalid" if row["invalid"] else ""
    return _interval(row, "mean", "low", "high", "") + invalid


def _interval(row: dict[str, Any], value: str, low: str, high: str, sign: str = "+") -> str:
    return "" if row[value] is None and sign else shown(Mean(row[value], row[low], row[high]), sign)


def _trainings(row: dict[str, Any]) -> str:
    if row["trainings_sd"] is None:
        return ""
    low, high = row["trainings_low"], row["trainings_high"]
    return f"{row['trainings']}: SD {row['trainings_sd']:.2f}, {low:.2f} to {high:.2f}"


def commonest(rows: Sequence[dict[str, Any]]) -> list[str]:
    """List each tutor's commonest answer to a test set, if it gave it more than once, a line each."""
    lines = []
    for row in (row for row in rows if not row["second_judge"]):
        share, dialogues = row.get("commonest_share", 0), (row["answers"] + row["invalid"]) / row["trainings"]
        if share * dialogues > 1 + 1e-9:
            text = " ".join(row["commonest"].split())
            text = text if len(text) <= 100 else text[:99] + "…"
            lines.append(f"{title_of(row['test_set'])}, {row['title']}, {share:.0%}: “{text}”")
    return lines


def filled(lines: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Fill empty cells of a table with a dash, and drop columns that are empty throughout."""
    columns = dict.fromkeys(name for line in lines for name in line)
    columns = [name for name in columns if any(line.get(name) for line in lines)]
    return [{name: line.get(name) or "–" for name in columns} for line in lines]


def _pipe(lines: Sequence[dict[str, str]]) -> str:
    """Format lines as a Markdown table."""
    from tabulate import tabulate

    cells = [[cell.replace("|", "\\|") for cell in line.values()] for line in lines]
    return tabulate(cells, list(lines[0]), tablefmt="pipe", disable_numparse=True)
