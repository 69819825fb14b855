"""Format the measurements of the exported files, and the tutor's own evaluation, as tables and sentences."""

from collections.abc import Sequence
from typing import Any

from utils.artifacts import read_json
from utils.export.source import Source
from utils.results.training_root import BASELINES, TRAINED, in_order, title_of

BESIDE = {"base": "base", "gpt4o": "judge's model"} | BASELINES  # models to compare the tutor with, and their titles


def parity_table(table: Sequence[dict[str, Any]]) -> str:
    """Format one Markdown row per file: size, bits, ids, KL, top-1, the judge's score and its paired difference."""
    from tabulate import tabulate

    head = ("file", "MiB", "bits", "equal prompts", "KL", "KL 99 %", "top-1", "score", "difference from float32 [95 %]")
    lines = []
    for row in table:
        parity, score = row["parity"], row["score"]
        sizes = [row["kind"], f"{row['bytes'] / 2**20:.0f}", f"{row['bits']:.1f}", str(row["ids_equal"])]
        near = [f"{parity['kl']:.1e}", f"{parity['kl_p99']:.1e}", f"{parity['top_1']:.3f}"]
        mean = "–" if score["mean"].value is None else f"{score['mean'].value:.2f}"
        lines.append([*sizes, *near, mean, _difference(score["difference"], score["low"], score["high"])])
    return tabulate(lines, head, tablefmt="github", disable_numparse=True)


def verdicts(table: Sequence[dict[str, Any]]) -> list[str]:
    """State what the judge's scores show about each file, and the smallest difference that so many answers can show."""
    from utils.stats.comparisons import sentence

    tokens = table[0]["parity"]["tokens"]
    lines = [f"KL and top-1 over {tokens} tokens of {table[0]['parity']['prompts']} answers."]
    return lines + [
        sentence(row["score"], f"the {row['kind']} file", "the weights in float32", "these dialogues") for row in table
    ]


def evaluation_rows(source: Source) -> list[dict[str, Any]]:
    """Make a row of the paper's Table 1 for each test set that the tutor has answered, with its baselines.

    "mean", and one entry for each model of `BESIDE` that answered the set, are `stats.means.Mean`. "paired" is the
    comparison with the base, corrected for the number of sets.
    """
    from utils.stats.comparisons import compare, join
    from utils.stats.groups import group_of
    from utils.stats.means import mean_of

    artifacts = source.manifest["artifacts"]

    def read(dataset: str, model: str) -> list[dict[str, Any]]:
        name = f"evaluation/{dataset}/{model}.json"
        return read_json(source.root / name) if artifacts.get(name, {}).get("state") == "done" else []

    def mean(rows):
        valid = [row for row in rows if row["score"] is not None]
        return mean_of([row["score"] for row in valid], [group_of(row) for row in valid], len(rows) - len(valid))

    sets = in_order(
        {name.split("/")[1] for name in artifacts if name.startswith("evaluation/") and name.count("/") > 1}
    )
    found = {name: read(name, TRAINED + source.dataset) for name in sets}
    found = {name: rows for name, rows in found.items() if rows}
    paired = compare([join(rows, read(name, "base")) for name, rows in found.items()])
    return [
        {"test_set": name, "mean": mean(rows), "paired": one}
        | {model: mean(beside) for model in BESIDE if (beside := read(name, model))}
        for (name, rows), one in zip(found.items(), paired, strict=True)
    ]


def evaluation(source: Source, results: Sequence[dict[str, Any]]) -> str:
    """Format the rows of Table 1 with their baselines, and the claims that they support."""
    if not results:
        return "It was exported without its evaluation: nothing is claimed."
    from utils.stats.comparisons import sentence

    names = source.manifest["names"]
    shown = [model for model in BESIDE if any(model in row for row in results)]
    head = ["test set", "this tutor", "difference from base", *(BESIDE[model] for model in shown)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in results:
        one = row["paired"]
        cells = [title_of(row["test_set"]), _mean(row["mean"]), _difference(one["difference"], one["low"], one["high"])]
        cells += [_mean(row[model]) if model in row else "–" for model in shown]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Mean summary score of four criteria, 0.1 to 1 [95 % interval]. Judge: {names['judge']}. "
        f"Base: {names['base']}; the judge's model as tutor: {names['self']}.",
        "",
        *(f"- {sentence(row['paired'], 'this tutor', 'its base', title_of(row['test_set']))}" for row in results),
    ]
    return "\n".join(lines)


def _mean(mean) -> str:
    if mean.value is None:
        return "–"
    return f"{mean.value:.2f}" + ("" if mean.low is None else f" [{mean.low:.2f}, {mean.high:.2f}]")


def _difference(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:+z.2f}" + ("" if low is None else f" [{low:+z.2f}, {high:+z.2f}]")
