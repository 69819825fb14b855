"""Table 1: mean summary score by test set and model, as rows for a CSV file and as Markdown."""

from typing import Any

from utils.results import paper
from utils.results.training_root import FINETUNED, MODELS, TITLES, Grades, Names, score_mean


def rows(grades: Grades, names: Names) -> list[dict[str, Any]]:
    """Table 1 with one row per mean, test set by test set; the paper has a value for each."""
    found = []
    for (dataset, model), verdicts in grades.items():
        mean = score_mean(verdicts)
        if mean.answers:
            row = {"test_set": dataset, "model": model, "name": names.of(model), "mean": mean.value, "low": mean.low}
            row |= {"high": mean.high, "answers": mean.rows, "invalid": mean.invalid}
            found.append(row | {"paper": paper.SCORES[dataset][model]})
    return found


def as_csv(rows: list[dict[str, Any]]) -> str:
    from pandas import DataFrame

    return DataFrame(rows).to_csv(index=False, lineterminator="\n")


def as_markdown(rows: list[dict[str, Any]], names: Names) -> str:
    """Table 1 as the paper has it: a row per test set, a column per model; the paper's values below ours."""
    cells = {(row["test_set"], row["model"]): row for row in rows}
    models = [model for model in MODELS if any(row["model"] == model for row in rows)]
    titles = {model: f"trained on {TITLES[dataset]}" for model, dataset in FINETUNED.items()}
    titles |= {"base": "base", "gpt4o": "judge's model"}
    lines = [["test set", *(titles[model] for model in models)], []]
    for dataset in dict.fromkeys(row["test_set"] for row in rows):
        lines.append([TITLES[dataset], *(cell(cells.get((dataset, model))) for model in models)])
        lines.append(["– paper", *(f"{paper.SCORES[dataset][model]:.2f}" for model in models)])
    widths = [max(map(len, column)) for column in zip(lines[0], *lines[2:], strict=True)]
    lines[1] = ["-" * width for width in widths]
    padded = (" | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines)
    known = {"base": names.base, "judge's model": names.tutor, "judge": names.judge}
    who = "; ".join(f"{role}: {name}" for role, name in known.items() if name)
    note = f"Mean summary score [95 % bootstrap interval]. {who}.\nThe paper's: base Phi-3-mini, judge GPT-4o."
    return "\n".join([*(f"| {line} |" for line in padded), "", note, ""])


def cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    text = "–" if row["mean"] is None else f"{row['mean']:.2f}"
    text += "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return text + (f", {row['invalid']} of {row['answers'] + row['invalid']} invalid" if row["invalid"] else "")
