"""Write the report: one HTML file that holds all of a training root, and neither loads nor sends anything.

Text written by models is hostile input. jinja2 escapes it in the page's own HTML. The transcripts are compressed JSON
in base64, which no `</script>` can break out of, and report.js shows them as text only. The page's content security
policy allows no other script than report.js.
"""

import base64
import gzip
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from utils.artifacts import read_json
from utils.judges.grading import count, dollars
from utils.records import Verdict
from utils.results import charts, claims, drawing, table
from utils.results.reading import gain_is_by_same_judge, read_training_sets
from utils.results.training_root import TrainingRoot, in_order, title_of
from utils.results.transcripts import transcripts

PAGE = Path(__file__).with_name("page")
CAPTIONS = {
    "figure_5": "Figure 5. Summary score of tutors on every test set; its numbers are in Table 1.",
    "comparisons": "Paired differences against the base on the same dialogues, as in the table above.",
    "figure_6": "Figure 6. The four criteria of the rubric, by tutor.",
    "figure_2": "Figure 2. Summary score of single answers, by people and by the judge.",
    "figure_3": "Figure 3. Summary scores by people and by the judge, and how they correlate.",
    "figure_4": "Figure 4. The four criteria, by people and by the judge.",
    "training": "How each training went: loss, rewards, accuracy, length of answers, throughput.",
}


def page(root: TrainingRoot, trained_on: str | None) -> str:
    """Return the report as HTML. Figures 5 and 6 show the tutor of `trained_on` (see `drawing.draw`)."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    rows, compared, training_sets = table.rows(root), claims.comparisons(root), read_training_sets(root)
    data = transcripts(root, training_sets)  # may add to `root.left_out`
    figures, missing = _figures(root, compared, trained_on)
    why = Counter(prompt["why"] for prompt in data["prompts"] if not prompt["pair"])
    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template("report.html").render(
        title=f"Socratic tutors: {root.path.resolve().name}", facts=_facts(root, training_sets),
        audit=(root.manifest or {}).get("seeds_audit"), claims=claims.claims(compared),
        warnings=claims.warnings(root, compared), scores=table.score_lines(rows),
        scores_note=table.score_note(rows, root) if rows else "", commonest=table.commonest(rows),
        comparisons=table.comparison_lines(compared, root), comparisons_note=table.COMPARISONS_NOTE, figures=figures,
        missing=missing, agreement=_agreement(root),
        sets=_training_sets(data["prompts"], root), data=data, judges=dict(enumerate(data["judges"])),
        guards={guard: guard for guard in _guards(data)}, why=dict(why.most_common()),
        reasons={reason: f"without: {reason}" for reason in why},
        classroom=_classroom(root.path / "classroom") if root.classroom else None, stages=_stages(root),
        manifest=json.dumps(root.manifest, indent=2, ensure_ascii=False),
        style=style, script=script, style_hash=_hash(style), script_hash=_hash(script), packed=_packed(data),
    )  # fmt: skip
    return text.encode("utf-8", "replace").decode()  # JSON may contain a lone surrogate, UTF-8 may not


def _packed(data: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 9, mtime=0)).decode()


def _hash(text: str) -> str:
    """Return a style's or a script's hash in the form that a content security policy wants."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _figures(
    root: TrainingRoot, compared: Sequence[dict[str, Any]], trained_on: str | None
) -> tuple[list[dict[str, str]], list[str]]:
    """Return (name, caption and data URI of every figure that was drawn, a line on each thing that is missing)."""
    found = []
    with charts.style():
        drawn = drawing.draw(root, compared, trained_on)
        for name, caption in CAPTIONS.items():
            if figure := drawn[name][0]:
                file = io.BytesIO()
                figure.savefig(file, format="svg", metadata={"Date": None})
                found.append({"name": name, "caption": caption, "uri": _data_uri(file.getvalue())})
    return found, drawing.missing(root, drawn)


def _facts(root: TrainingRoot, training_sets: Mapping[str, Any]) -> dict[str, str]:
    """Return what was run, as terms and their descriptions."""
    sizes = {name: _span([len(e.rows) for e in root.evaluations if e.dataset == name]) for name in root.datasets}
    prompts = [f"{title_of(name)} {len(rows)}" for name, rows in training_sets.items()]
    entries = (root.manifest or {}).get("artifacts", {}).values()
    run = next((entry["run"] for entry in entries if "run" in entry), {})  # older manifests have none
    seconds = [entry["seconds"] for entry in entries if "seconds" in entry]
    starts = [entry["started"] for entry in entries if "started" in entry]
    return {
        "Base model": root.base or "not known: the tree has no manifest, and its rows do not say",
        "Tutors": ", ".join(map(root.title, root.trained)) or "none was trained",
        "Baselines": ", ".join(map(root.title, root.baselines)) or "none",
        "Who chose the pairs": ", ".join(root.preference_judges) or "not known",
        "Who graded the answers": root.judge() or "nobody",
        "Second judge": "; ".join(root.judge(by) for by in root.second_judges) or "none",
        "Tested on": ", ".join(f"{title_of(name)} {size} dialogues" for name, size in sizes.items()) or "nothing",
        "Prompts for training": ", ".join(prompts) or "none in this tree",
        "Started": min(starts, default="not known").replace("T", " "),
        "Time": f"{sum(seconds) / 60:.1f} minutes in {len(seconds)} stages" if seconds else "not known",
        "Judges' cost": _cost(root, training_sets),
        **{term: run[name] for term, name in (("Command", "command"), ("Code", "commit")) if name in run},
    }


def _span(sizes: Sequence[int]) -> str:
    return str(min(sizes)) if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"


def _cost(root: TrainingRoot, training_sets: Mapping[str, Any]) -> str:
    """Say what the verdicts in the root cost, by their `details`; verdicts without them were not paid for."""
    rows = [row for evaluation in root.evaluations for row in evaluation.rows]
    evaluated = [(row, evaluation.by is not None) for evaluation in root.evaluations for row in evaluation.rows]
    gains = [row for row, second in evaluated if gain_is_by_same_judge(row, second=second)]
    rows += [one for row in gains for one in row.get("on_others") or []]
    rows += [one for prompts in training_sets.values() for row in prompts for one in row["all_evaluations"] or []]
    rows += _rated(root)
    total = Counter()
    for row in rows:
        if details := row.get("details"):
            total += count(Verdict(evaluation=None, score=None, raw_evaluation="", judge="", details=details))
    if not total:
        return "not known"
    if not total["tokens"]:
        return f"none: no paid call for {len(rows):,} verdicts"
    return f"{dollars(total)} and {total['tokens']:,} tokens for {len(rows):,} verdicts"


def _rated(root: TrainingRoot) -> list[dict[str, Any]]:
    return read_json(root.path / "evaluation" / "human_vs_gpt.json") if root.human_pairs else []


def _agreement(root: TrainingRoot) -> dict[str, Any] | None:
    """Return the judge's agreement with people, in sentences and as the table that `human_vs_gpt` prints."""
    from utils.stats import agreement_table
    from utils.stats.agreement import analyse_rows

    both = zip(_rated(root), root.human_pairs, strict=True)
    rows = [row if pair.judge else row | {"gpt4o": None} for row, pair in both if pair.human]
    if len(rows) < 2:
        return None
    found = analyse_rows(rows)
    return {"sentences": [one["sentence"] for one in found["raters"].values()], "table": agreement_table.table(found)}


def _classroom(folder: Path) -> dict[str, Any]:
    """Return a classroom's text, its figure, and each tutor's dialogues; the controls' stay in their file."""
    tutors, drawn = read_json(folder / "classroom.json")["tutors"], folder / "classroom.svg"
    lines = (folder / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    dialogues: dict[str, list[dict[str, Any]]] = {tutor: [] for tutor in tutors}
    for row in map(json.loads, lines):
        if row["tutor"] in dialogues:
            dialogues[row["tutor"]].append(row)
    return {
        "words": (folder / "classroom.txt").read_text(encoding="utf-8"), "dialogues": dialogues,
        "figure": _data_uri(drawn.read_bytes()) if drawn.is_file() else None,
    }  # fmt: skip


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _training_sets(prompts: Sequence[dict[str, Any]], root: TrainingRoot) -> list[dict[str, str]]:
    """Summarise each training set in a line of a table."""
    lines = []
    for name in in_order({prompt["set"] for prompt in prompts}):
        rows = [prompt for prompt in prompts if prompt["set"] == name]
        scores = [[one["verdicts"][0].get("score") for one in row["candidates"]] for row in rows]
        valid = [score for row in scores for score in row if score is not None]
        margins = [given[row["chosen"]] - given[row["rejected"]] for row, given in zip(rows, scores, strict=True)
                   if row["pair"] and None not in (given[row["chosen"]], given[row["rejected"]])]  # fmt: skip
        lines.append({
            "training set": title_of(name), "prompts": str(len(rows)), "pairs": str(sum(row["pair"] for row in rows)),
            "chosen less rejected, mean": f"{fmean(margins):+z.2f}" if margins else "–",
            "candidates": str(sum(map(len, scores))), "mean score": f"{fmean(valid):.2f}" if valid else "–",
            "invalid verdicts": str(sum(map(len, scores)) - len(valid)),
            "updates": str(len(root.trainings[name])) if name in root.trainings else "–",
        })  # fmt: skip
    return lines


def _guards(data: Mapping[str, Any]) -> list[str]:
    answers = [answer for dialogue in data["dialogues"] for answer in dialogue["answers"].values()]
    answers += [answer for prompt in data["prompts"] for answer in prompt["candidates"]]
    verdicts = [verdict for answer in answers for verdict in answer["verdicts"] if verdict]
    return sorted({guard for verdict in verdicts for guard in verdict["guards"]})


def _stages(root: TrainingRoot) -> list[dict[str, str]]:
    entries = (root.manifest or {}).get("artifacts", {})
    return [
        {
            "artifact": name, "stage": str(entry.get("stage", "–")), "state": str(entry.get("state", "–")),
            "seconds": str(entry.get("seconds", "–")), "started": str(entry.get("started", "–")).replace("T", " "),
        }
        for name, entry in entries.items()
    ]  # fmt: skip
