"""The figures and Table 1, drawn from trees whose every number is known from its rows."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

import figures
from utils.results import charts, paper
from utils.results import training_root as results

NAMES = {"judge": "offline rubric", "base": "SmolLM2-135M-Instruct", "self": "SmolLM2-135M-Instruct, best of 5"}
GOOD = {"questions": "yes", "on_topic": 5.0, "helpful": 5.0, "reveal_answer": "no"}  # .25 + .25 + .25 + .25
BAD = {"questions": "no", "on_topic": 5.0, "helpful": 2.0, "reveal_answer": "yes"}  # 0 + 0 + .25 + .25 · 2/5
GOOD_SCORE, BAD_SCORE = 1.0, 0.25 + 0.1


def rows(good: int, bad: int, invalid: int = 0, original: bool = False) -> list[dict]:
    """Graded answers; two rows of a kind share a group. The original's rows have no score, id and group."""
    made = []
    for i, evaluation in enumerate([GOOD] * good + [BAD] * bad + [None] * invalid):
        score = None if evaluation is None else GOOD_SCORE if evaluation is GOOD else BAD_SCORE
        row = {"prompt": f"Student: {i}?", "output": "What next?" if evaluation is GOOD else "It is 4."}
        row |= {"raw_evaluation": "…", "evaluation_error": None if evaluation else "no JSON", "evaluation": evaluation}
        made.append(row if original else row | {"score": score, "id": f"row-{i}", "group": f"problem-{i // 2}"})
    return made


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def make_tree(root: Path, original: bool = False, names: dict = NAMES) -> Path:
    """A whole tree: fine-tuned 9 good of 10, base 3 of 10, the judge's model 8 of 10; 20 answers rated by people."""
    for dataset in results.DATASETS:
        for model in results.MODELS:
            good = {"base": 3, "gpt4o": 8}.get(model, 9)
            write(root / "evaluation" / dataset / f"{model}.json", rows(good, 10 - good, original=original))
    graded = rows(10, 10)
    judged = [GOOD] * 8 + [BAD] * 12
    pairs = [
        {"prompt": r["prompt"], "output": r["output"], "human": r["evaluation"], "gpt4o": verdict}
        for r, verdict in zip(graded, judged, strict=True)
    ]
    write(root / "evaluation" / "human_vs_gpt.json", pairs)
    if not original:
        write(root / "manifest.json", {"names": names})
        for updates, dataset in enumerate(results.DATASETS, 5):
            write(root / results.training_log(dataset), {"log": training_log(updates)})
    return root


def training_log(updates: int) -> list[dict[str, float]]:
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
    logs = [root / results.training_log(dataset) for dataset in results.DATASETS]
    edit(logs[0], lambda log: [entry.pop("lengths/chosen") for entry in log["log"]])
    edit(logs[1], lambda log: log["log"].__delitem__(slice(1, None)))
    panels = np.reshape(draw(root)["drawn"]["training"].axes, (5, 3))
    assert (
        np.isnan(curves(panels[3, 0])[charts.GREEN]).all() and not np.isnan(curves(panels[3, 0])[charts.ORANGE]).any()
    )
    assert [line.get_marker() for line in panels[0, 1].lines[:1]] == ["."]  # a line of one point would not be seen


def test_trainings_alone_are_enough(tmp_path, draw):
    write(tmp_path / results.training_log("mathdial"), {"log": training_log(3)})
    assert list(draw(tmp_path)["drawn"]) == ["training"]


def test_the_papers_values_stand_at_the_bars_they_belong_to(tmp_path, draw):
    assert paper.SCORES["tutorchat"]["from_finetuned_with_debugging"] == 0.96
    assert paper.SCORES["debugging"] == dict(zip(results.MODELS, (0.97, 0.99, 0.94, 0.48, 0.97), strict=True))
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
    for model in results.MODELS:
        (root / "evaluation" / "tutorchat" / f"{model}.json").unlink()
    for dataset in ("mathdial", "debugging"):
        (root / "evaluation" / dataset / "from_finetuned_with_tutorchat.json").unlink()
    result = draw(root)
    assert sorted(result["drawn"]) == ["figure_5", "figure_6", "training"]
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
    assert len(heights(figure)[charts.BLUE]) == 30 and "the first 30 of 45 answers" in words(figure)


@pytest.mark.parametrize("make", [lambda root: None, lambda root: write(root / "manifest.json", {"names": NAMES})])
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
        (lambda path: path.write_text(path.read_text()[:-9]), "base.json: not JSON"),
        (lambda path: write(path, {"rows": []}), "expected a JSON list of graded answers, found dict"),
        (lambda path: edit(path, lambda rows: rows[4].pop("evaluation")), "row 5: no 'evaluation'"),
        (lambda path: edit(path, lambda rows: rows[4].update(score=1.5)), "row 5: the score 1.5"),
        (lambda path: edit(path, lambda rows: rows[4].update(score="high")), "row 5: the score 'high'"),
        (lambda path: write(path.parents[2] / "manifest.json", {"names": ["GPT-4o"]}), 'an object "names"'),
    ],
)
def test_a_broken_file_is_named_before_anything_is_drawn(tmp_path, change, says):
    root = make_tree(tmp_path)
    change(root / "evaluation" / "mathdial" / "base.json")
    with pytest.raises(ValueError, match=says):
        figures.main(str(root))
    assert not (root / "figures").exists()


def test_a_judges_expected_score_is_used_as_it_is(tmp_path):
    root = make_tree(tmp_path)
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: [row.update(score=0.5) for row in rows])
    figures.main(str(root))
    assert float(csv_rows(root)["mathdial", "base"]["mean"]) == 0.5


def test_the_interval_resamples_whole_groups():
    """Rows of one problem agree with each other: taken for independent, they would make the interval too narrow."""
    values = [1.0] * 50 + [0.0] * 50
    two = results.mean_of(values, ["a"] * 50 + ["b"] * 50)  # resampled means are 0, 0.5 or 1, at 1/4, 1/2, 1/4
    assert (two.value, two.low, two.high) == (0.5, 0.0, 1.0)
    rows = results.mean_of(values, [str(i) for i in range(100)])  # the normal interval: 0.5 ± 1.96 · 0.5 / sqrt(100)
    assert (rows.low, rows.high) == (pytest.approx(0.5 - 0.098, abs=0.015), pytest.approx(0.5 + 0.098, abs=0.015))
    one = results.mean_of(values, ["a"] * 100)
    assert (one.value, one.low, one.high) == (0.5, None, None)


def test_groups_of_the_rows_reach_the_interval(tmp_path):
    root = make_tree(tmp_path)
    figures.main(str(root))
    before = csv_rows(root)["mathdial", "base"]
    edit(root / "evaluation" / "mathdial" / "base.json", lambda rows: [row.update(group="one problem") for row in rows])
    figures.main(str(root))
    after = csv_rows(root)["mathdial", "base"]
    assert float(before["low"]) < float(before["mean"]) == float(after["mean"]) and after["low"] == after["high"] == ""


def test_pearson_and_its_interval():
    random = np.random.default_rng(1)
    x = random.normal(size=400)
    y = 0.6 * x + 0.8 * random.normal(size=400)  # true correlation: 0.6
    assert float(results.pearson(x, y)) == pytest.approx(np.corrcoef(x, y)[0, 1])
    low, high = results.interval(results.pearson, x, y)
    r = np.corrcoef(x, y)[0, 1]
    fisher = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(400 - 3))  # Fisher's z interval
    assert (low, high) == pytest.approx(fisher, abs=0.02)
    assert np.isnan(results.pearson(np.full(9, 0.35), np.arange(9.0)))


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    """A date or random ids in an SVG would make every redraw a change in version control."""
    root = make_tree(tmp_path / "tree")
    first = figures.main(str(root), output_dir=str(tmp_path / "a"))["files"]
    second = figures.main(str(root), output_dir=str(tmp_path / "b"))["files"]
    names = [f"figure_{n}.{kind}" for n in range(2, 7) for kind in ("png", "svg")]
    names += ["training.png", "training.svg", "table_1.csv", "table_1.md", "claims.md"]
    assert [path.name for path in first] == names
    assert sorted(names) == sorted(path.name for path in (tmp_path / "a").iterdir())
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert not (root / "figures").exists()


def test_a_failing_write_leaves_the_older_file_whole(tmp_path):
    path = tmp_path / "figure_5.png"
    path.write_bytes(b"older")

    def half(part):
        part.write_bytes(b"ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        charts.save(path, half)
    assert [p.name for p in tmp_path.iterdir()] == ["figure_5.png"] and path.read_bytes() == b"older"


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
    for dataset in results.DATASETS:
        write(root / "evaluation" / dataset / "base.json", rows(40, 60, invalid=invalid))
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


@pytest.mark.parametrize("how", [["-m", "figures"], [str(Path(figures.__file__))]])
def test_it_runs_as_a_script(tmp_path, how):
    checkout = Path(figures.__file__).parent
    root = make_tree(tmp_path)
    done = subprocess.run(
        [sys.executable, *how, "--training-root", str(root)], cwd=checkout, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and done.stderr == "" and f"15 files in {root / 'figures'}" in done.stdout
    assert (root / "figures" / "figure_5.png").read_bytes().startswith(b"\x89PNG")
    done = subprocess.run(
        [sys.executable, *how, "--training-root", str(tmp_path / "no")], cwd=checkout, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("manifest", ["[]", '{"names": []}', '{"artifacts": ["x"]}'])
def test_a_manifest_of_another_shape_is_named(tmp_path, manifest):
    root = make_tree(tmp_path / "tree")
    (root / "manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match=r"manifest\.json: expected an object"):
        figures.main(str(root))
