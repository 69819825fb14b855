"""The figures and Table 1, drawn from trees whose every number is known from its rows."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

import figures
import report
from utils.artifacts import whole
from utils.errors import BadInput
from utils.results import charts, paper
from utils.results.reading import training_log
from utils.stats.agreement import analyse_rows

DATASETS = tuple(paper.TITLES)
TRAINED = tuple(f"from_finetuned_with_{dataset}" for dataset in DATASETS)
RATINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "paper" / "mathdial_human_eval.json"
NAMES = {"judge": "offline rubric", "base": "SmolLM2-135M-Instruct", "self": "SmolLM2-135M-Instruct, best of 5"}
GOOD = {"questions": "yes", "on_topic": 5.0, "helpful": 5.0, "reveal_answer": "no"}  # .25 + .25 + .25 + .25
BAD = {"questions": "no", "on_topic": 5.0, "helpful": 2.0, "reveal_answer": "yes"}  # 0 + 0 + .25 + .25 · 2/5
GOOD_SCORE, BAD_SCORE = 1.0, 0.25 + 0.1


def rows(good: int, bad: int, invalid: int = 0, original: bool = False, **more) -> list[dict]:
    """Graded answers, two of them per group. The original's rows have no score, id, group and judge."""
    made = []
    for i, evaluation in enumerate([GOOD] * good + [BAD] * bad + [None] * invalid):
        score = None if evaluation is None else GOOD_SCORE if evaluation is GOOD else BAD_SCORE
        row = {"prompt": f"Student: {i}?", "output": "What next?" if evaluation is GOOD else "It is 4."}
        row |= {"raw_evaluation": "…", "evaluation_error": None if evaluation else "no JSON", "evaluation": evaluation}
        ours = {"score": score, "id": f"row-{i}", "group": f"problem-{i // 2}", "judge": "offline rubric"}
        made.append(row if original else row | ours | more)
    return made


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_manifest(root: Path, names: dict = NAMES, **more) -> None:
    """A manifest that lists every file and training of the tree as done."""
    made = [str(path.relative_to(root)) for path in root.glob("evaluation/**/*.json")]
    made += [f"dpo/{path.name}/weights" for path in root.glob("dpo/*")]
    made += [str(path.relative_to(root)) for path in root.glob("dpo/*/train_dataset.json")]
    write(root / "manifest.json", {"names": names, "artifacts": {name: {"state": "done"} for name in made}} | more)


def make_tree(root: Path, original: bool = False, names: dict = NAMES) -> Path:
    """A whole tree: fine-tuned 9 good of 10, base 3 of 10, the judge's model 8 of 10; 20 answers rated by people."""
    for dataset in DATASETS:
        for model in paper.MODELS:
            good = {"base": 3, "gpt4o": 8}.get(model, 9)
            tutor = {"base": names["base"], "gpt4o": names["self"]}.get(model, "weights")
            answers = rows(good, 10 - good, original=original, **({} if model in TRAINED else {"tutor": tutor}))
            write(root / "evaluation" / dataset / f"{model}.json", answers)
    graded = rows(10, 10)
    judged = [GOOD] * 8 + [BAD] * 12
    pairs = [
        {"prompt": r["prompt"], "output": r["output"], "human": r["evaluation"], "gpt4o": verdict}
        for r, verdict in zip(graded, judged, strict=True)
    ]
    write(root / "evaluation" / "human_vs_gpt.json", pairs)
    if not original:
        edit(root / "evaluation" / "human_vs_gpt.json", lambda rows: [row.update(judge=names["judge"]) for row in rows])
        for path in root.glob("evaluation/*/*.json"):
            edit(path, lambda rows: [row.update(judge=names["judge"]) for row in rows])
        for updates, dataset in enumerate(DATASETS, 5):
            write(root / training_log(dataset), {"log": logged(updates)})
        write_manifest(root, names)
    return root


def logged(updates: int) -> list[dict[str, float]]:
    """Every logged value is another multiple of the update's number."""
    keys = [key for lines in charts.TRAINING_PANELS.values() for key in lines.values()]
    return [{"step": step} | {key: step * i for i, key in enumerate(keys, 1)} for step in range(1, updates + 1)]


def edit(path: Path, change) -> None:
    """Rewrite one JSON file: `change` works on its content in place."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    write(path, content)


def curves(axes) -> dict[str, list[float]]:
    """The thin lines of a panel, by their colour."""
    return {to_hex(line.get_color()).upper(): list(line.get_ydata()) for line in axes.lines if line.get_alpha()}


@pytest.fixture
def draw(monkeypatch):
    """`figures.main` with the matplotlib figures handed out by name, as `drawn`, in place of their files."""
    drawn = {}
    monkeypatch.setattr(charts, "save_figure", lambda figure, stem: drawn.update({stem.name: figure}) or [])

    def call(root, **flags):
        drawn.clear()
        return figures.main(str(root), **flags) | {"drawn": dict(drawn)}

    return call


def heights(figure) -> dict[str, list[float]]:
    """Bar heights by colour, from left to right."""
    bars: dict[str, list[float]] = {}
    for patch in figure.axes[0].patches:
        bars.setdefault(to_hex(patch.get_facecolor()).upper(), []).append(patch.get_height())
    return bars


def diamonds(figure) -> list[float]:
    (marks,) = [c for c in figure.axes[0].collections if str(c.get_label()).startswith("paper")]
    return [float(y) for _, y in marks.get_offsets()]


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def csv_rows(root: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (root / "figures" / "table_1.csv").open(encoding="utf-8", newline="") as file:
        return {(row["test_set"], row["model"]): row for row in csv.DictReader(file)}


def test_every_figure_shows_the_means_of_the_rows(tmp_path, draw):
    root = make_tree(tmp_path)
    result = draw(root)
    drawn = result["drawn"]
    tuned, base, tutor = ((good * GOOD_SCORE + (10 - good) * BAD_SCORE) / 10 for good in (9, 3, 8))

    assert heights(drawn["figure_5"]) == {
        charts.BLUE: pytest.approx([tuned] * 3), charts.ORANGE: pytest.approx([base] * 3),
        charts.GREEN: pytest.approx([tutor] * 3),
    }  # fmt: skip
    below = [label.get_text() for label in drawn["figure_5"].axes[0].get_xticklabels(minor=True)]
    assert below == [f"{mean:.2f}" for mean in (tuned, base, tutor) for _ in range(3)]  # each bar's value, none dropped
    assert heights(drawn["figure_6"]) == {  # asks, on topic, helpful, reveals
        charts.BLUE: pytest.approx([0.9, 1, (9 + 0.4) / 10, 0.1]),
        charts.ORANGE: pytest.approx([0.3, 1, (3 + 7 * 0.4) / 10, 0.7]),
        charts.GREEN: pytest.approx([0.8, 1, (8 + 2 * 0.4) / 10, 0.2]),
    }
    assert heights(drawn["figure_4"]) == {
        charts.ORANGE: pytest.approx([0.5, 1, (10 + 10 * 0.4) / 20, 0.5]),
        charts.BLUE: pytest.approx([8 / 20, 1, (8 + 12 * 0.4) / 20, 12 / 20]),
    }
    assert heights(drawn["figure_2"]) == {  # ordered by people's score; rows 9 and 10 are where the judge differs
        charts.ORANGE: pytest.approx([BAD_SCORE] * 10 + [GOOD_SCORE] * 10),
        charts.BLUE: pytest.approx([BAD_SCORE] * 10 + [GOOD_SCORE] * 8 + [BAD_SCORE] * 2),
    }
    people, judge = [1] * 10 + [0] * 10, [1] * 8 + [0] * 12
    title = drawn["figure_3"].axes[0].get_title(loc="left")
    assert f"r = {np.corrcoef(people, judge)[0, 1]:.2f} [" in title and "20 answers" in title
    assert "“?” in the answer: r = 1.00 [1.00, 1.00]" in words(drawn["figure_3"])  # `?` and people's score agree here

    table = csv_rows(root)
    assert len(table) == 15 and result["missing"] == []
    assert float(table["debugging", "base"]["mean"]) == pytest.approx(base)
    assert float(table["debugging", "from_finetuned_with_mathdial"]["mean"]) == pytest.approx(tuned)
    assert f"| {base:.2f} [" in (root / "figures" / "table_1.md").read_text(encoding="utf-8")


def test_the_trainings_are_drawn_as_they_were_logged(tmp_path, draw):
    drawn = draw(make_tree(tmp_path))["drawn"]["training"]
    panels = np.reshape(drawn.axes, (5, 3))
    for column, (title, updates) in enumerate((("MathDial", 5), ("TutorChat", 6), ("Debugging", 7))):
        steps = np.arange(1, updates + 1)
        loss, rewards, accuracy, lengths, throughput = map(curves, panels[:, column])
        assert panels[0, column].get_title(loc="left") == f"{title}\n{updates} updates"
        assert loss == {charts.BLUE: pytest.approx(steps)}
        assert rewards == {
            charts.BLUE: pytest.approx(2 * steps), charts.GREEN: pytest.approx(3 * steps),
            charts.ORANGE: pytest.approx(4 * steps),
        }  # fmt: skip
        assert accuracy == {charts.BLUE: pytest.approx(5 * steps)}
        assert lengths == {charts.GREEN: pytest.approx(6 * steps), charts.ORANGE: pytest.approx(7 * steps)}
        assert throughput == {charts.BLUE: pytest.approx(8 * steps)}
    assert "margin" in words(drawn) and "chosen" in words(drawn)


def test_a_log_of_an_older_version_is_drawn_as_far_as_it_goes(tmp_path, draw):
    root = make_tree(tmp_path)
    logs = [root / training_log(dataset) for dataset in DATASETS]
    edit(logs[0], lambda log: [entry.pop("lengths/chosen") for entry in log["log"]])
    edit(logs[1], lambda log: log["log"].__delitem__(slice(1, None)))
    panels = np.reshape(draw(root)["drawn"]["training"].axes, (5, 3))
    assert (
        np.isnan(curves(panels[3, 0])[charts.GREEN]).all() and not np.isnan(curves(panels[3, 0])[charts.ORANGE]).any()
    )
    assert [line.get_marker() for line in panels[0, 1].lines[:1]] == ["."]  # a line of one point would not be seen


def test_trainings_alone_are_enough(tmp_path, draw):
    write(tmp_path / training_log("mathdial"), {"log": logged(3)})
    assert list(draw(tmp_path)["drawn"]) == ["training"]


def test_the_papers_values_stand_at_the_bars_they_belong_to(tmp_path, draw):
    assert paper.SCORES["tutorchat"]["from_finetuned_with_debugging"] == 0.96
    assert paper.SCORES["debugging"] == dict(zip(paper.MODELS, (0.97, 0.99, 0.94, 0.48, 0.97), strict=True))
    root = make_tree(tmp_path)
    drawn = draw(root)["drawn"]  # series by series, in each: MathDial, Debugging, TutorChat
    assert diamonds(drawn["figure_5"]) == pytest.approx([0.99, 0.99, 1.00, 0.82, 0.48, 0.74, 1.00, 0.97, 1.00])
    assert diamonds(drawn["figure_6"])[:4] == pytest.approx([1.00, 0.99, 0.97, 0.00])
    assert diamonds(drawn["figure_4"]) == pytest.approx([*paper.PEOPLE, *paper.JUDGE])
    drawn = draw(root, trained_on="mathdial")["drawn"]  # Table 1 has this model's scores; Figure 6 has not its criteria
    assert diamonds(drawn["figure_5"])[:3] == pytest.approx([0.98, 0.97, 0.98])
    assert diamonds(drawn["figure_6"])[:4] == pytest.approx([0.72, 1.00, 0.85, 0.28])


def test_real_names_are_in_the_figures_and_the_table(tmp_path, draw, capsys):
    drawn = draw(make_tree(tmp_path))["drawn"]
    for name in ("figure_5", "figure_6"):
        text = words(drawn[name])
        assert "SmolLM2-135M-Instruct, fine-tuned on TutorChat" in text and "SmolLM2-135M-Instruct (base)" in text
        assert "SmolLM2-135M-Instruct, best of 5" in text and "judge: offline rubric" in text and "gpt4o" not in text
    assert all("offline rubric" in words(drawn[f"figure_{n}"]) for n in (2, 3, 4))
    printed = capsys.readouterr().out
    assert "judge: offline rubric" in printed and str(tmp_path / "figures") in printed


def test_a_tree_of_the_original_code(tmp_path, draw, capsys):
    """No manifest, no score, no group; a verdict outside the rubric, which its parser let through, is no verdict."""
    root = make_tree(tmp_path, original=True)
    bad = GOOD | {"on_topic": 50.0}  # the original's summary score of it: 3.25
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: rows[0].update(evaluation=bad, score=3.25))
    drawn = draw(root)["drawn"]
    text = words(drawn["figure_5"])
    assert "fine-tuned on TutorChat" in text and "judge: GPT-4o" in text
    assert heights(drawn["figure_5"])[charts.ORANGE][0] == pytest.approx((2 * GOOD_SCORE + 7 * BAD_SCORE) / 9)
    assert "base: 1 of 10 on MathDial" in text
    assert "base.json, row 1: counted as invalid (evaluation.on_topic" in capsys.readouterr().out


def test_invalid_verdicts_are_left_out_and_counted(tmp_path, draw):
    """An invalid verdict counted as 0 would pull a mean down; dropped silently, nobody would know."""
    root = make_tree(tmp_path)
    write(root / "evaluation" / "mathdial" / "base.json", rows(3, 7, invalid=2))
    write(root / "evaluation" / "tutorchat" / "gpt4o.json", rows(0, 0, invalid=10))
    edit(root / "evaluation" / "human_vs_gpt.json", lambda pairs: pairs[0].update(gpt4o=None))
    result = draw(root)
    drawn, table = result["drawn"], csv_rows(root)
    expected = (3 * GOOD_SCORE + 7 * BAD_SCORE) / 10
    assert heights(drawn["figure_5"])[charts.ORANGE][0] == pytest.approx(expected)
    assert "SmolLM2-135M-Instruct (base): 2 of 12 on MathDial" in words(drawn["figure_5"])
    assert "2 of 12 on MathDial" in words(drawn["figure_6"])
    assert "no valid verdict" in words(drawn["figure_5"])  # where the bar of the judge's model would be
    for name in ("figure_2", "figure_3", "figure_4"):
        assert "left out, no valid verdict: 1 of 20" in words(drawn[name])
    assert len(heights(drawn["figure_2"])[charts.BLUE]) == 19
    row = table["mathdial", "base"]
    assert (float(row["mean"]), row["answers"], row["invalid"]) == (pytest.approx(expected), "10", "2")
    assert (table["tutorchat", "gpt4o"]["mean"], table["tutorchat", "gpt4o"]["invalid"]) == ("", "10")
    assert "2 of 12 invalid" in (root / "figures" / "table_1.md").read_text(encoding="utf-8")


def test_what_is_missing_is_named_and_the_rest_is_drawn(tmp_path, draw, capsys):
    root = make_tree(tmp_path)
    (root / "evaluation" / "human_vs_gpt.json").unlink()
    (root / "evaluation" / "debugging" / "base.json").unlink()
    for model in paper.MODELS:
        (root / "evaluation" / "tutorchat" / f"{model}.json").unlink()
    for dataset in ("mathdial", "debugging"):
        (root / "evaluation" / dataset / "from_finetuned_with_tutorchat.json").unlink()
    result = draw(root)
    assert sorted(result["drawn"]) == ["comparisons", "figure_5", "figure_6", "training"]
    assert "fine-tuned on MathDial" in words(result["drawn"]["figure_5"])
    assert "TutorChat" not in words(result["drawn"]["figure_5"])  # no empty group that reads as zeros
    assert "missing" in words(result["drawn"]["figure_5"])
    assert result["missing"][0] == "figure_2: not drawn, without evaluation/human_vs_gpt.json"
    assert "figure_5: without evaluation/tutorchat/ (all), evaluation/debugging/base.json" in result["missing"]
    printed = capsys.readouterr().out
    assert all(line in printed for line in result["missing"])
    assert "no model trained on tutorchat was evaluated: Figures 5 and 6 show the one trained on mathdial" in printed


def test_people_alone_are_enough_and_fewer_than_thirty_rows_too(tmp_path, draw):
    write(
        tmp_path / "evaluation" / "human_vs_gpt.json", [{"prompt": "", "output": "a", "human": GOOD, "gpt4o": GOOD}] * 2
    )
    result = draw(tmp_path)
    assert sorted(result["drawn"]) == ["figure_2", "figure_3", "figure_4"] and result["table"] == []
    assert "undefined" in result["drawn"]["figure_3"].axes[0].get_title(loc="left")  # constant scores: no correlation


def test_figure_2_shows_thirty_samples_of_many(tmp_path, draw):
    pairs = [{"prompt": "", "output": "a", "human": GOOD, "gpt4o": BAD}] * 45
    write(tmp_path / "evaluation" / "human_vs_gpt.json", pairs)
    figure = draw(tmp_path)["drawn"]["figure_2"]
    assert re.search(r"the first 30 of \d+ answers, on \d+ problems", " ".join(words(figure).split()))
    assert len(heights(figure)[charts.BLUE]) == 30 and "the first 30 of 45 answers" in words(figure)


@pytest.mark.parametrize("make", [lambda root: None, write_manifest])
def test_nothing_at_all_is_an_error(tmp_path, make):
    make(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing to draw"):
        figures.main(str(tmp_path))
    assert not (tmp_path / "figures").exists()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        figures.main(str(tmp_path / "misspelt"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.write_text(path.read_text()[:-9]), "base.json: not a whole JSON file"),
        (lambda path: write(path, {"rows": []}), "expected a JSON list of graded answers, found dict"),
        (lambda path: edit(path, lambda rows: rows[4].pop("evaluation")), "row 5: no 'evaluation'"),
        (lambda path: edit(path, lambda rows: rows[4].update(score=1.5)), "row 5: the score 1.5"),
        (lambda path: edit(path, lambda rows: rows[4].update(score="high")), "row 5: odd `score`"),
        (lambda path: write(path.parents[2] / "manifest.json", {"names": ["GPT-4o"]}), "is not a manifest of ours"),
        (lambda path: write(path.parents[2] / "manifest.json", {"names": NAMES}), "is not a manifest of ours"),
    ],
)
def test_a_broken_file_is_named_before_anything_is_drawn(tmp_path, change, says):
    root = make_tree(tmp_path)
    change(root / "evaluation" / "mathdial" / "base.json")
    with pytest.raises(ValueError, match=says):
        figures.main(str(root))
    assert not (root / "figures").exists()


def test_yes_and_no_of_the_original_count_whatever_their_case(tmp_path, draw, capsys):
    """Guards: rows with "Yes" and " NO", as the paper's own prompt shows them, counted as invalid, with exit code 0."""
    root = make_tree(tmp_path)
    draw(root)
    before = csv_rows(root)["mathdial", "base"]
    shouted = {"yes": "Yes", "no": " NO"}
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: [
        row["evaluation"].update({k: shouted.get(v, v) for k, v in row["evaluation"].items()}) for row in rows
        if row["evaluation"]
    ])  # fmt: skip
    draw(root)
    assert csv_rows(root)["mathdial", "base"] == before and "counted as invalid" not in capsys.readouterr().out


def test_a_judges_expected_score_is_used_as_it_is(tmp_path, draw):
    root = make_tree(tmp_path)
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: [row.update(score=0.5) for row in rows])
    draw(root)
    assert float(csv_rows(root)["mathdial", "base"]["mean"]) == 0.5


def test_groups_of_the_rows_reach_the_interval(tmp_path, draw):
    root = make_tree(tmp_path)
    draw(root)
    before = csv_rows(root)["mathdial", "base"]
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: [row.update(group="one problem") for row in rows])
    draw(root)
    after = csv_rows(root)["mathdial", "base"]
    assert float(before["low"]) < float(before["mean"]) == float(after["mean"]) and after["low"] == after["high"] == ""


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    """A date or random ids in an SVG would make every redraw a change in version control."""
    root = make_tree(tmp_path / "tree")
    first = figures.main(str(root), output_dir=str(tmp_path / "a"))["files"]
    second = figures.main(str(root), output_dir=str(tmp_path / "b"))["files"]
    names = [f"figure_{n}.{kind}" for n in range(2, 7) for kind in ("png", "svg")]
    names += [
        "comparisons.png",
        "comparisons.svg",
        "training.png",
        "training.svg",
        "table_1.csv",
        "table_1.md",
        "claims.md",
    ]
    assert [path.name for path in first] == names
    assert sorted(names) == sorted(path.name for path in (tmp_path / "a").iterdir())
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert not (root / "figures").exists()


def test_a_failing_write_leaves_the_older_file_whole(tmp_path):
    path = tmp_path / "figure_5.png"
    path.write_bytes(b"older")

    with pytest.raises(OSError, match="disk full"), whole(path) as part:
        part.write_bytes(b"ha")
        raise OSError("disk full")
    assert [p.name for p in tmp_path.iterdir()] == ["figure_5.png"] and path.read_bytes() == b"older"


# --- only what this run made, by whom it was judged


def test_what_the_manifest_does_not_list_as_done_is_left_out(tmp_path, draw, capsys):
    """Guards: a tutor of an older run drawn as this run's, after a training that ended without weights."""
    root = make_tree(tmp_path)
    old, unfinished = "evaluation/mathdial/from_finetuned_with_tutorchat.json", "evaluation/tutorchat/base.json"
    edit(root / "manifest.json", lambda m: m["artifacts"].pop(old))
    edit(root / "manifest.json", lambda m: m["artifacts"][unfinished].update(state="running"))
    edit(root / "manifest.json", lambda m: m["artifacts"]["dpo/debugging/weights"].update(state="no eligible pair"))
    write(root / "evaluation" / "mathdial" / "notes.json", [])
    result = draw(root)
    table = csv_rows(root)
    assert ("mathdial", "from_finetuned_with_tutorchat") not in table and ("tutorchat", "base") not in table
    assert ("debugging", "from_finetuned_with_tutorchat") in table and len(table) == 13
    assert "missing" in words(result["drawn"]["figure_5"]) and len(result["drawn"]["training"].axes) == 10
    printed = capsys.readouterr().out
    for line in (
        f"left out: {old}: manifest.json does not list it",
        f"left out: {unfinished}: the stage that makes it did not finish",
        "left out: dpo/debugging/checkpoints/training_log.json: no eligible pair",
        "left out: evaluation/mathdial/notes.json: not the name of an evaluation",
    ):
        assert line in result["missing"] and line in printed
    pairs = [(one["tutor"], one["dataset"]) for one in result["comparisons"]]
    assert ("from_finetuned_with_tutorchat", "mathdial") not in pairs and len(pairs) == 5


def test_who_judged_comes_from_the_rows(tmp_path, draw):
    """Guards: a tree without a manifest labelled GPT-4o over rows that say `offline rubric`."""
    root = make_tree(tmp_path)
    (root / "manifest.json").unlink()
    drawn = draw(root)["drawn"]
    for name in ("figure_2", "figure_4", "figure_5", "figure_6"):
        assert "GPT-4o" not in words(drawn[name]).replace("(Phi-3-mini, GPT-4o)", "")
    assert "judge: offline rubric" in words(drawn["figure_5"])
    assert "people and offline rubric" in words(drawn["figure_4"])
    assert csv_rows(root)["mathdial", "base"]["judge"] == "offline rubric"


def test_rows_of_two_judges_in_one_table_say_so_and_are_not_compared(tmp_path, draw):
    root = make_tree(tmp_path)
    base = root / "evaluation" / "mathdial" / "base.json"
    edit(base, lambda rows: [row.update(judge="gpt-4o") for row in rows])
    result = draw(root)
    assert "judge: several judges: gpt-4o, offline rubric" in words(result["drawn"]["figure_5"])
    mixed = next(line for line in result["warnings"] if line.startswith("Several judges"))
    assert "gpt-4o: evaluation/mathdial/base.json;" in mixed
    assert "mathdial" not in {one["dataset"] for one in result["comparisons"]}
    refused = "On MathDial, trained on MathDial is not compared with base: graded by offline rubric and by gpt-4o."
    assert refused in result["warnings"]
    assert "several judges" in (root / "figures" / "table_1.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("where", ["manifest", "rows"])
def test_a_judge_that_also_chose_the_pairs_is_marked(tmp_path, draw, where):
    root = make_tree(tmp_path)
    assert not any("chose the pairs" in line for line in draw(root)["warnings"])
    if where == "manifest":
        write_manifest(root, pairs_judge="offline rubric")
    else:
        chosen = {"output": "What next?", "evaluation": GOOD, "judge": "offline rubric"}
        write(root / "dpo" / "mathdial" / "train_dataset.json", [{"prompt": "", "chosen_eval": chosen}])
        write_manifest(root)
    result = draw(root)
    assert any(line.startswith("offline rubric graded these answers and also chose") for line in result["warnings"])
    assert "judge: offline rubric, which also chose the pairs" in words(result["drawn"]["figure_5"])
    assert "also chose the pairs" in (root / "figures" / "table_1.md").read_text(encoding="utf-8")
    write_manifest(root, pairs_judge="another judge")
    assert not any("chose the pairs" in line for line in draw(root)["warnings"])


def test_it_is_marked_among_several_judges_and_as_the_second_one(tmp_path, draw):
    """Guards: a table of mixed judges, or of two, that no longer said which of them had chosen the pairs."""
    root = make_tree(tmp_path)
    base = root / "evaluation" / "mathdial" / "base.json"
    edit(base, lambda rows: [row.update(judge="gpt-4o") for row in rows])
    write_manifest(root, pairs_judge="gpt-4o")
    drawn = draw(root)["drawn"]
    assert "several judges: gpt-4o (also chose the pairs), offline rubric" in " ".join(words(drawn["figure_5"]).split())
    edit(base, lambda rows: [row.update(judge="offline rubric") for row in rows])
    again = rows(3, 7, judge="gpt-4o")
    write(root / "evaluation" / "mathdial" / "base.by_gpt-4o.json", again)
    write_manifest(root, pairs_judge="gpt-4o")
    result = draw(root)
    assert any(line.startswith("gpt-4o, the second judge, chose the pairs") for line in result["warnings"])
    text = (root / "figures" / "table_1.md").read_text(encoding="utf-8")
    assert "by gpt-4o: gpt-4o, which also chose the pairs" in text


# --- baselines, trainings, second judges, other datasets


def test_baselines_stand_beside_the_tutors(tmp_path, draw):
    root = make_tree(tmp_path)
    for dataset in DATASETS:
        answers = rows(12, 0, own_dialogue_gain=0.0)
        answers[1]["own_dialogue_gain"] = 0.6
        answers[2]["own_dialogue_gain"] = None
        write(root / "evaluation" / dataset / "baseline_constant_question.json", answers)
        write(root / "evaluation" / dataset / "baseline_of_our_own.json", rows(5, 5))
    write_manifest(root)
    result = draw(root)
    assert heights(result["drawn"]["figure_5"]).keys() == set(charts.COLORS)  # no bar of a baseline
    marks = [c for c in result["drawn"]["figure_5"].axes[0].collections if c.get_label() == "one question to everyone"]
    assert [float(y) for _, y in marks[0].get_offsets()] == [GOOD_SCORE] * 3
    assert "of our own" in words(result["drawn"]["figure_5"])
    marks = [c for c in result["drawn"]["figure_6"].axes[0].collections if c.get_label() == "of our own"]
    assert [float(y) for _, y in marks[0].get_offsets()] == pytest.approx([0.5, 1, (5 + 5 * 0.4) / 10, 0.5])
    row = csv_rows(root)["mathdial", "baseline_constant_question"]
    assert float(row["own_dialogue_gain"]) == pytest.approx(0.6 / 11) and row["paper"] == ""
    assert (float(row["distinct"]), float(row["commonest_share"])) == (pytest.approx(1 / 12), 1)
    text = (root / "figures" / "table_1.md").read_text(encoding="utf-8")
    assert "one question to everyone" in text and "own-dialogue gain" in text
    against = [one for one in result["comparisons"] if one["against"] == "baseline_constant_question"]
    assert [(one["tutor"], one["dataset"]) for one in against] == list(zip(TRAINED, DATASETS, strict=True))
    assert against[0]["difference"] == pytest.approx((BAD_SCORE - GOOD_SCORE) / 10)  # one of ten answers is bad
    assert against[0]["unpaired"] == 2 and any("2 answers to dialogues that the other" in w for w in result["warnings"])
    assert any("On MathDial, one question to everyone scores 1.00 [" in w and "1.0:" in w for w in result["warnings"])


def test_what_dpo_adds_to_the_warm_start_is_a_difference_of_its_own(tmp_path, draw):
    """Guards: a tutor's gain over the base shown as DPO's, where imitation made it."""
    root = make_tree(tmp_path)
    for dataset in DATASETS:
        for model, bad in (("base", 20), ("baseline_warm_start", 2), ("from_finetuned_with_mathdial", 1)):
            answers = [row | {"group": row["id"]} for row in rows(24 - bad, bad)]
            write(root / "evaluation" / dataset / f"{model}.json", answers)
    write_manifest(root)
    result = draw(root)
    against = [one for one in result["comparisons"] if one["against"] == "baseline_warm_start"]
    assert [(one["tutor"], one["dataset"]) for one in against] == list(zip(TRAINED, DATASETS, strict=True))
    one = against[0]
    assert not one["primary"]
    assert one["difference"] == pytest.approx((GOOD_SCORE - BAD_SCORE) / 24)
    assert one["finding"] == "cannot be told apart"
    assert any("cannot be told apart: " in line and "base after the warm start" in line for line in result["claims"])
    secondary = (root / "figures" / "claims.md").read_text(encoding="utf-8").split("Secondary, a lead")[1]
    assert one["sentence"] in secondary and "1 of 9 secondary comparisons" in one["sentence"]
    assert "base after the warm start" in (root / "figures" / "table_1.md").read_text(encoding="utf-8")


def test_the_tutors_are_compared_with_the_base_on_the_same_dialogues(tmp_path, draw):
    root = make_tree(tmp_path)
    for dataset in DATASETS:
        for model, bad in (("base", 20), ("from_finetuned_with_mathdial", 1)):
            answers = [row | {"group": row["id"]} for row in rows(24 - bad, bad)]
            write(root / "evaluation" / dataset / f"{model}.json", answers[::-1] if model == "base" else answers)
    result = draw(root)
    by_names = {(one["tutor"], one["dataset"]): one for one in result["comparisons"]}
    one = by_names["from_finetuned_with_mathdial", "mathdial"]
    assert one["primary"] and one["difference"] == pytest.approx(19 * (GOOD_SCORE - BAD_SCORE) / 24)
    assert (one["rows"], one["groups"], one["unpaired"], one["finding"]) == (24, 24, 0, "better")
    assert not by_names["from_finetuned_with_mathdial", "tutorchat"]["primary"]
    assert len(by_names) == 9 and len(result["claims"]) == 3  # a claim for each tutor's own kind of dialogue
    assert "the tutor trained on MathDial is better than base: +0.51 [" in result["claims"][0]
    shown = words(result["drawn"]["comparisons"])
    assert "trained on MathDial, on MathDial (its own kind)" in shown and "] better" in shown
    assert "Holm: 3 primary, 6 secondary" in " ".join(shown.split())
    text = (root / "figures" / "claims.md").read_text(encoding="utf-8")
    assert all(line in text for line in [*result["claims"], *result["warnings"]])


def test_several_trainings_of_a_tutor_are_one_tutor_with_a_spread(tmp_path, draw):
    root = make_tree(tmp_path)
    for seed, good in ((1, 7), (2, 5)):
        write(root / f"evaluation/mathdial/from_finetuned_with_mathdial.seed{seed}.json", rows(good, 10 - good))
    write_manifest(root)
    result = draw(root)
    row = csv_rows(root)["mathdial", "from_finetuned_with_mathdial"]
    means = [(good * GOOD_SCORE + (10 - good) * BAD_SCORE) / 10 for good in (9, 7, 5)]
    assert (row["trainings"], row["answers"], row["groups"]) == ("3", "30", "5")
    assert float(row["mean"]) == pytest.approx(np.mean(means))
    assert float(row["trainings_sd"]) == pytest.approx(np.std(means, ddof=1))
    assert (float(row["trainings_low"]), float(row["trainings_high"])) == pytest.approx((means[2], means[0]))
    assert float(row["distinct"]) == pytest.approx(0.2)  # 2 answers to 10 dialogues in each training, not 2 of 30
    one = next(one for one in result["comparisons"] if one["tutor"] == "from_finetuned_with_mathdial")
    base = (3 * GOOD_SCORE + 7 * BAD_SCORE) / 10
    assert one["over_trainings"] == pytest.approx([mean - base for mean in means]) and one["rows"] == 10
    assert one["difference"] == pytest.approx(np.mean(means) - base)
    assert "over 3 trainings the difference went from" in one["sentence"]
    text = (root / "figures" / "table_1.md").read_text(encoding="utf-8")
    assert f"3: SD {np.std(means, ddof=1):.2f}, 0.6" in text


def test_a_second_judge_stands_beside_the_first_with_their_gap(tmp_path, draw):
    root = make_tree(tmp_path)
    for model, good in (("base", 3), ("from_finetuned_with_mathdial", 5)):
        write(root / f"evaluation/mathdial/{model}.by_gpt-4o.json", rows(good, 10 - good, judge="gpt-4o"))
    write_manifest(root, pairs_judge="offline rubric")
    result = draw(root)
    second = {row["model"]: row for row in result["table"] if row["second_judge"]}
    assert second["base"]["judge_gap"] == pytest.approx(0)  # both grade the base alike
    gap = (9 - 5) * (GOOD_SCORE - BAD_SCORE) / 10  # the judge that chose the pairs finds four more good answers
    assert second["from_finetuned_with_mathdial"]["judge_gap"] == pytest.approx(gap)
    text = (root / "figures" / "table_1.md").read_text(encoding="utf-8")
    assert "by gpt-4o" in text and "offline rubric less gpt-4o" in text and f"+{gap:.2f} [" in text
    by_second = [one for one in result["comparisons"] if one["by"]]
    assert [(one["judge"], one["comparisons"], one["primary"]) for one in by_second] == [("gpt-4o", 1, True)]
    sizes = {(one["family"], one["comparisons"]) for one in result["comparisons"] if not one["by"]}
    assert sizes == {("primary", 3), ("secondary", 6)}  # corrected judge by judge
    assert any("On MathDial (graded by gpt-4o), " in line for line in result["claims"])
    assert "judge: offline rubric, which also chose the pairs" in words(result["drawn"]["figure_5"])


def test_other_datasets_than_the_papers(tmp_path, draw):
    """Guards: a fourth dataset that is evaluated and shown nowhere; the paper's values beside another test set."""
    for model, good in (("base", 2), ("from_finetuned_with_high_school_physics", 6), ("gpt4o", 8)):
        write(tmp_path / "evaluation" / "high_school_physics" / f"{model}.json", rows(good, 10 - good))
    write(tmp_path / training_log("high_school_physics"), {"log": logged(3)})
    write_manifest(tmp_path)
    result = draw(tmp_path)
    drawn = result["drawn"]
    assert "High School Physics" in words(drawn["figure_5"]) and "on High School Physics" in words(drawn["figure_6"])
    assert "paper" not in words(drawn["figure_5"]) + words(drawn["figure_6"])
    assert heights(drawn["figure_6"])[charts.BLUE][0] == pytest.approx(0.6)
    assert csv_rows(tmp_path)["high_school_physics", "base"]["paper"] == ""
    assert "paper" not in (tmp_path / "figures" / "table_1.md").read_text(encoding="utf-8")
    assert [one["dataset"] for one in result["comparisons"]] == ["high_school_physics"]
    assert drawn["training"].axes[0].get_title(loc="left").startswith("High School Physics")
    assert not any("mathdial" in line for line in result["missing"])


def test_one_tutor_of_all_kinds_lacks_no_tutor_of_each(tmp_path, draw, capsys):
    """Guards: `from_finetuned_with_debugging.json` and its log listed as missing where one tutor was trained on all."""
    joint = "+".join(DATASETS)
    for dataset in DATASETS:
        for model in ("base", f"from_finetuned_with_{joint}", "gpt4o"):
            write(tmp_path / "evaluation" / dataset / f"{model}.json", rows(3, 3))
    write(tmp_path / training_log(joint), {"log": logged(3)})
    write(tmp_path / "dpo" / joint / "train_dataset.json", [])
    write_manifest(tmp_path)
    people = [f"figure_{n}: not drawn, without evaluation/human_vs_gpt.json" for n in (2, 3, 4)]
    assert [line for line in draw(tmp_path, trained_on=joint)["missing"] if "left out" not in line] == people
    assert "Figures 5 and 6 show" not in capsys.readouterr().out
    (tmp_path / training_log(joint)).unlink()
    assert f"training: not drawn, without {training_log(joint)}" in draw(tmp_path)["missing"]


def test_a_tutor_that_was_never_trained_is_refused(tmp_path, draw):
    """Figures 5 and 6 showed another tutor than the one that was asked for, and the command succeeded."""
    root = make_tree(tmp_path)
    said = "--trained-on nope: no tutor was trained on it; there are mathdial, tutorchat, debugging"
    with pytest.raises(BadInput, match=said):
        draw(root, trained_on="nope")
    with pytest.raises(BadInput, match=said):
        report.main(root, trained_on="nope")
    assert not (root / "figures").exists() and not (root / "report.html").exists()


def test_another_tutor_stands_beside_base_and_tutors(tmp_path, draw):
    """It stood in the table alone, and in no figure."""
    root = make_tree(tmp_path)
    for dataset in DATASETS:
        write(root / "evaluation" / dataset / "also_qwen3-8b.json", rows(4, 6, tutor="qwen3:8b"))
    write_manifest(root)
    drawn = draw(root)["drawn"]
    for name, first in (("figure_5", (4 + 6 * BAD_SCORE) / 10), ("figure_6", 0.4)):
        (marks,) = [c for c in drawn[name].axes[0].collections if c.get_label() == "qwen3:8b"]
        assert marks.get_offsets()[0][1] == pytest.approx(first)
        assert heights(drawn[name]).keys() == set(charts.COLORS)
    row = csv_rows(root)["mathdial", "also_qwen3-8b"]
    assert (row["title"], row["answers"], row["paper"]) == ("qwen3:8b", "10", "")
    assert "| qwen3:8b" in (root / "figures" / "table_1.md").read_text(encoding="utf-8")


def test_a_tutor_of_two_datasets_is_one_tutor_and_both_are_its_own(tmp_path, draw):
    for dataset, good in (("optics", 9), ("physics", 8)):
        for model, extra in (("base", 5), ("from_finetuned_with_optics+physics", 0)):
            write(tmp_path / "evaluation" / dataset / f"{model}.json", rows(good - extra, 10 - good + extra))
    write_manifest(tmp_path)
    result = draw(tmp_path)
    assert "fine-tuned on Optics + Physics" in " ".join(words(result["drawn"]["figure_5"]).split())
    assert [(one["dataset"], one["primary"]) for one in result["comparisons"]] == [("optics", True), ("physics", True)]


# --- one file, one Pearson


def disagreeing_pairs() -> list[dict]:
    """Rows whose `score` is not their evaluation's, several on one problem: where two readers differed."""
    random = np.random.default_rng(3)
    pairs = []
    for number in range(24):
        human = GOOD | {"helpful": float(random.integers(1, 6)), "questions": "yes" if number % 2 else "no"}
        judged = GOOD | {"helpful": float(random.integers(1, 6)), "questions": human["questions"]}
        row = {"prompt": f"Student: problem {number // 3} " + "and so on, " * 12 + f"says {number}"}
        row |= {"output": "Why?" if number % 4 else "No.", "human": human, "gpt4o": judged, "judge": "a judge"}
        pairs.append(row | {"score": round(float(random.uniform(0.3, 1)), 3)})
    pairs[5]["gpt4o"] = pairs[5]["score"] = None
    return pairs


def test_one_file_has_one_pearson(tmp_path, draw):
    """Guards: 0.883 in the figure and 0.892 beside the rows; rows resampled here, conversations there."""
    pairs = disagreeing_pairs()
    write(tmp_path / "evaluation" / "human_vs_gpt.json", pairs)
    drawn = draw(tmp_path)["drawn"]
    found = analyse_rows(pairs)
    pearson = found["raters"]["a judge"]["statistics"]["score"]["pearson"]
    interval = f"r = {pearson['value']:.2f} [{pearson['low']:.2f}, {pearson['high']:.2f}]"
    assert drawn["figure_3"].axes[0].get_title(loc="left") == f"Pearson's {interval}, 23 answers on 8 problems"
    assert found["conversations"] == 8
    valid = [row for row in pairs if row["gpt4o"]]
    scores = [row["score"] for row in valid]
    people, own = (
        [0.5 + 0.25 * (row[who]["questions"] == "yes") + 0.05 * row[who]["helpful"] for row in valid]
        for who in ("human", "gpt4o")
    )
    assert pearson["value"] == pytest.approx(np.corrcoef(people, scores)[0, 1])
    assert abs(pearson["value"] - np.corrcoef(people, own)[0, 1]) > 0.02  # what it was while `score` was ignored
    assert sorted(heights(drawn["figure_2"])[charts.BLUE]) == pytest.approx(sorted(scores))
    assert f"“?” in the answer: r = {pearson['mark_rule']:.2f} [" in words(drawn["figure_3"])


@pytest.mark.skipif(not RATINGS.is_file(), reason="the paper's human ratings are not on this machine")
def test_the_papers_ratings_have_one_number_of_groups(tmp_path, draw):
    """50, 50 and 47 groups once: three of its conversations open with another one's problem."""
    humans = json.loads(RATINGS.read_text(encoding="utf-8"))
    both = [{"human": row["evaluation"], "gpt4o": row["evaluation"]} for row in humans]
    pairs = [{name: row[name] for name in ("prompt", "output")} | two for row, two in zip(humans, both, strict=True)]
    write(tmp_path / "evaluation" / "human_vs_gpt.json", pairs)
    assert "50 answers on 47 problems" in draw(tmp_path)["drawn"]["figure_3"].axes[0].get_title(loc="left")
    assert analyse_rows(pairs, times=20)["conversations"] == 47


LONG = "some-laboratory/Quite-A-Long-Model-Name-405B-Instruct-quantized.w4a16"
ODD = "a_b$x^2$"  # read as mathematics, this would lose its dollars


def beyond_the_axes(figure) -> list[Text]:
    """Labels of ticks that matplotlib keeps, and does not draw."""
    return [
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]


@pytest.mark.parametrize("name", ["tiny", LONG, ODD])
@pytest.mark.parametrize("invalid", [0, 3])
def test_no_text_overlaps_or_leaves_the_figure(tmp_path, draw, name, invalid):
    root = make_tree(tmp_path, names={"judge": name, "base": name, "self": name})
    for dataset in DATASETS:
        write(root / "evaluation" / dataset / "base.json", rows(40, 60, invalid=invalid))
        for baseline in ("constant_question", "shuffled", "best_of_n", "reference"):
            write(root / "evaluation" / dataset / f"baseline_{baseline}.json", rows(9, 1, invalid=invalid))
    write_manifest(root, {"judge": name, "base": name, "self": name}, pairs_judge="offline rubric")
    for label, figure in draw(root)["drawn"].items():
        canvas = FigureCanvasAgg(figure)
        with charts.style():  # as it is written: ticks are made when they are drawn
            canvas.draw()
        renderer = canvas.get_renderer()
        hidden = beyond_the_axes(figure)
        found = [t for t in figure.findobj(Text) if t.get_text().strip() and t not in hidden]
        boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in found if t.get_visible()]
        assert name == LONG or label == "training" or any(name in text for text, _ in boxes)
        assert not any(text.get_parse_math() for text in found)
        page = figure.bbox
        for i, (text, box) in enumerate(boxes):
            inside = box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1
            assert inside, f"{label}: {text!r} leaves the figure"
            for other, second in boxes[i + 1 :]:
                assert not box.overlaps(second), f"{label}: {text!r} overlaps {other!r}"


def test_it_runs_as_a_script(tmp_path):
    checkout = Path(figures.__file__).parent
    root = make_tree(tmp_path)
    command = [sys.executable, "-m", "figures", "--training-root"]
    done = subprocess.run([*command, str(root)], cwd=checkout, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "" and f"17 files in {root / 'figures'}" in done.stdout
    assert (root / "figures" / "figure_5.png").read_bytes().startswith(b"\x89PNG")
    command[1:3] = [figures.__file__]
    done = subprocess.run([*command, str(tmp_path / "no")], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "odd", [{"judge": ["x"]}, {"tutor": 5}, {"details": [1]}, {"on_others": 5}, {"on_others": ["x"]}, {"guards": "x"}]
)
def test_an_odd_field_of_a_row_is_named_by_figures_and_report(tmp_path, odd):
    """Each was a traceback, in one of the two or in both."""
    root = make_tree(tmp_path)
    edit(root / "evaluation/mathdial/base.json", lambda rows: rows[2].update(odd))
    for script in (figures, report):
        with pytest.raises(BadInput, match=rf"base\.json, row 3: odd `{next(iter(odd))}`"):
            script.main(root)


@pytest.mark.parametrize("manifest", ["[]", '{"names": []}', '{"artifacts": ["x"]}'])
def test_a_manifest_of_another_shape_is_named(tmp_path, manifest):
    root = make_tree(tmp_path / "tree")
    (root / "manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match=r"manifest\.json is not a manifest of ours"):
        figures.main(str(root))
