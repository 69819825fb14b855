"""Format the agreement measured by `agreement.analyse`: a table for a terminal of 80 columns, and plain sentences."""

import textwrap
from collections.abc import Iterator
from typing import Any

from utils.records import CRITERIA
from utils.stats.comparisons import p_text

WIDTH = 80
CRITERION_NAMES = dict(zip(CRITERIA, ("questions", "on topic", "helpful", "reveals"), strict=True))
TITLES = {
    "pearson": "Pearson", "spearman": "Spearman", "partial_pearson": "partial Pearson given `?`",
    "pairwise": "pairs ranked alike", "pairwise_same_kind": "… both with/without `?`",
    "alpha": "Krippendorff's alpha", "icc": "ICC(2,1)", "bias": "mean bias", "kappa": "kappa",
    "quadratic_kappa": "quadratic kappa", "spread": "mean range of the summary",
    **{name: f"same rating: {title}" for name, title in CRITERION_NAMES.items()},
}  # fmt: skip


def sentence(name: str, found: dict[str, Any]) -> str:
    """Summarise one rater's statistics. It says "better", "less" or "more" only if the 95 % interval allows it."""
    score = found["statistics"]["score"]
    pearson, gain, partial, bias = score["pearson"], score["pearson"]["gain"], score["partial_pearson"], score["bias"]
    if pearson["value"] is None:
        return f"{name}, or the people, gave every answer the same summary score: no agreement can be measured."
    if pearson["mark_rule"] is None:
        return f"{name}: Pearson {pearson['value']:z.2f}. All answers have a question mark, or none has: no `?` rule."
    if gain["low"] is None:
        return f"{name}: Pearson {pearson['value']:z.2f}, without an interval: all answers are of one conversation."
    beyond = partial["low"] is not None and partial["low"] > 0
    if gain["low"] > 0:
        comparison = "better than"
    elif gain["high"] < 0:
        comparison = "less than"
    else:
        comparison = "not measurably better than" if beyond else "no better than"
    figures = f"Pearson {pearson['value']:z.2f} against {pearson['mark_rule']:z.2f}"
    parts = [f"{name} agrees with people {comparison} counting question marks ({figures})"]
    if beyond:
        parts.append(f"it does see more than the marks (partial correlation given `?` {partial['value']:z.2f})")
    kappas = {c: found["statistics"][c].get("quadratic_kappa", found["statistics"][c]["kappa"]) for c in CRITERIA}
    chance = [CRITERION_NAMES[c] for c, kappa in kappas.items() if kappa["low"] is not None and kappa["low"] <= 0]
    if chance:
        parts.append(f"no better than chance on {', '.join(chance)}")
    if bias["low"] > 0 or bias["high"] < 0:
        parts.append(f"scores {abs(bias['value']):.2f} {'higher' if bias['value'] > 0 else 'lower'} than people")
    if "fitted_on" in found:
        parts.append(f"but it was fitted to {found['fitted_on']} of these answers: report its agreement on others")
    return "; ".join(parts) + "."


def table(found: dict[str, Any]) -> str:
    """Format each rater beside the `?` rule, all raters beside each other, and the plain sentences last."""
    lines = [
        f"{found['answers']} answers in {found['conversations']} conversations, {found['with_question_mark']} with a "
        f"`?`. [95 % intervals]"
    ]
    for name, one in found["raters"].items():
        lines += ["", *_rater_lines(name, one)]
    lines += ["", *_matrix_lines(found["matrix"])]
    lines += ["", "Which agrees better? (mean error of the summary; p by permutation)"]
    for pair in found["comparisons"]:
        (one, other), errors = pair["judges"], pair["errors"]
        lines.append(f"  {_cut(one, 24)} {shown(errors[0])}, {_cut(other, 24)} {shown(errors[1])}: {p_text(pair['p'])}")
        lines.append(f"    difference of the Pearsons {_estimate(pair['pearson_gain'], '+')}")
    sentences = [textwrap.fill(one["sentence"], WIDTH) for one in found["raters"].values()]
    return "\n".join([*lines, "", *sentences])


def _rater_lines(name: str, one: dict[str, Any]) -> Iterator[str]:
    invalid = f" ({one['invalid']} more without a valid rating, left out)" if one["invalid"] else ""
    yield from textwrap.wrap(f"{name} against people, on {one['rated']} answers{invalid}", WIDTH)
    rows = [["", _cut(name, 19), "by `?`", "gain over `?`"]]
    for criterion, statistics in one["statistics"].items():
        rows.append([CRITERION_NAMES.get(criterion, "summary score")])
        for key, entry in statistics.items():
            sign = "+" if key == "bias" else ""
            gain = _estimate(entry["gain"], "+") if entry["gain"] else ""
            rows.append([f"  {TITLES[key]}", _estimate(entry, sign), shown(entry["mark_rule"], sign), gain])
    yield _table(rows)
    if "retest" in one:
        again = one["retest"]
        yield f"against itself: {again['runs']} runs, {again['rated']} answers with a valid verdict in each"
        yield _table([[f"  {TITLES[key]}", _estimate(entry)] for key, entry in again.get("statistics", {}).items()])


def _matrix_lines(matrix: dict[str, Any]) -> Iterator[str]:
    yield "Pearson of the summary scores; below it Krippendorff's alpha"
    names = matrix["raters"]
    rows = [["", *map(str, range(1, len(names) + 1))]]
    for row, name in enumerate(names):
        cells = (matrix["pearson" if column > row else "alpha"][row][column] for column in range(len(names)))
        marks = ("·" if column == row else shown(cell) for column, cell in enumerate(cells))
        rows.append([f"  {row + 1} {_cut(name, 24)}", *marks])
    yield _table(rows)


def _table(rows: list[list[str]]) -> str:
    """Align the first column to the left and the others to the right."""
    from tabulate import tabulate

    width = max(map(len, rows), default=1)
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    sides = ("left", *["right"] * (width - 1))
    return tabulate(rows, tablefmt="plain", colalign=sides, disable_numparse=True, preserve_whitespace=True)


def _estimate(entry: dict[str, Any], sign: str = "") -> str:
    if entry["low"] is None:
        return shown(entry["value"], sign)
    return f"{shown(entry['value'], sign)} [{shown(entry['low'], sign)}, {shown(entry['high'], sign)}]"


def shown(value: float | None, sign: str = "") -> str:
    """Format a value with two decimals, or as a dash if it is undefined."""
    return "–" if value is None else f"{value:{sign}z.2f}"


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"
