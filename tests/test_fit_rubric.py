"""Refitting the offline judge to a person's ratings."""

import json
import random
import warnings
from pathlib import Path

import pytest

import fit_rubric
from utils.records import Evaluation
from utils.rubric import fitting, rubric
from utils.rubric.features import SIGNS

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
ANSWERS = {
    "asks how": "How would you share the coins?",
    "asks": "Would anyone share the coins?",
    "praises": "Well done, great work!",
    "reveals": "The answer is {0}.",
}


def ratings(helpful: dict[str, float], count: int = 12) -> list[dict]:
    """Rated answers to `count` problems, each kind of answer rated as `helpful` says."""
    rows = []
    for number in range(count):
        prompt = f"Student: Problem {number}: I have {number + 20} coins and share them with my sister. Is it 3?"
        for kind, answer in ANSWERS.items():
            evaluation = {
                "questions": "yes" if kind.startswith("asks") else "no", "on_topic": 4.0, "helpful": helpful[kind],
                "reveal_answer": "yes" if kind == "reveals" else "no",
            }  # fmt: skip
            row = {"prompt": prompt, "output": answer.format(number + 500), "evaluation": evaluation}
            rows.append(row | {"score": Evaluation(**evaluation).score})
    random.Random(0).shuffle(rows)
    return rows


def test_weights_follow_the_ratings_and_keep_their_signs():
    cares = fitting.fit(ratings({"asks how": 5.0, "asks": 2.0, "praises": 2.0, "reveals": 2.0}))
    cares_not = fitting.fit(ratings({"asks how": 2.0, "asks": 5.0, "praises": 5.0, "reveals": 2.0}))
    assert cares["helpful"]["open"] > fitting.PRIOR_WEIGHT > cares_not["helpful"]["open"]
    assert cares["helpful"]["praise"] < cares_not["helpful"]["praise"] <= 0
    for weights in (cares, cares_not):
        for criterion, signs in SIGNS.items():
            assert all(weights[criterion][name] * sign >= 0 for name, sign in signs.items())


def test_without_evidence_the_prior_stays():
    """No feature that the ratings never show may get a weight of its own."""
    weights = fitting.fit(ratings(dict.fromkeys(ANSWERS, 3.0)))
    assert weights["helpful"]["noise"] == -fitting.PRIOR_WEIGHT
    assert weights["reveal_answer"]["equations"] == pytest.approx(fitting.PRIOR_WEIGHT, abs=1e-3)


def test_mean_of_the_grades_is_the_mean_of_the_ratings():
    rows = ratings({"asks how": 4.0, "asks": 4.0, "praises": 2.0, "reveals": 2.0})
    judge = rubric.Rubric(fitting.fit(rows), "")
    graded = [judge.grade(row["prompt"], row["output"]).evaluation.helpful for row in rows]
    assert sum(graded) / len(graded) == pytest.approx((4 + 4 + 2 + 2) / 4, abs=0.1)


def test_the_script_writes_weights_that_the_judge_takes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fit_rubric, "REPEATS", 1)
    humans, out = tmp_path / "mine.json", tmp_path / "weights.json"
    rows = ratings({"asks how": 5.0, "asks": 4.0, "praises": 1.0, "reveals": 2.0})
    humans.write_text(json.dumps(rows))
    fit_rubric.main(**vars(fit_rubric.parse_args(["--humans", str(humans), "--output-path", str(out)])))
    written = json.loads(out.read_text())
    on = written["fitted_on"]
    assert (on["files"], on["answers"], on["conversations"], len(on["digests"])) == (["mine.json"], 48, 12, 48)
    assert written["cross_validated"]["pearson"] > 0.9  # the ratings follow a rule that the features can see
    assert "48 rated answers to 12 conversations" in capsys.readouterr().out
    judge = rubric.load(out)
    assert (
        judge.grade(rows[0]["prompt"], ANSWERS["asks how"]).score > judge.grade(rows[0]["prompt"], "Well done!").score
    )
    with pytest.raises(FileExistsError):
        fit_rubric.main(humans=[str(humans)], output_path=str(out))


def test_ratings_of_one_kind_are_refused_before_the_fit(tmp_path):
    """With no reveal among them the logistic fit has nothing to tell apart, and divides by zero."""
    rows = [row for row in ratings(dict.fromkeys(ANSWERS, 3.0)) if row["evaluation"]["reveal_answer"] == "no"]
    humans = tmp_path / "mine.json"
    humans.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="all 36 answers have the same `reveal_answer`"):
        fit_rubric.main(humans=[str(humans)], output_path=str(tmp_path / "weights.json"))


def test_nothing_about_a_held_out_answer_decides_anything(monkeypatch):
    """Answers to one problem resemble each other: a fold that shares them, an inner one too, would flatter."""
    rows, fits = ratings(dict.fromkeys(ANSWERS, 3.0)), []
    fit = fit_rubric.fit

    def watch(part, readings, prior_answers):
        fits.append(({row["prompt"] for row in part}, len(part), prior_answers))
        return fit(part, readings, prior_answers)

    monkeypatch.setattr(fit_rubric, "fit", watch)
    monkeypatch.setattr(fit_rubric, "REPEATS", 1)
    fit_rubric.cross_validate(rows)
    inner = fit_rubric.INNER_FOLDS * len(fit_rubric.PRIOR_ANSWERS)
    assert len(fits) == fit_rubric.FOLDS * (inner + 1)
    everyone = {row["prompt"] for row in rows}
    held_out = []
    for fold in range(fit_rubric.FOLDS):
        *chosen_by, (inside, count, prior) = fits[fold * (inner + 1) : (fold + 1) * (inner + 1)]
        held_out.append(everyone - inside)
        assert count == len(ANSWERS) * len(inside) and prior in fit_rubric.PRIOR_ANSWERS
        assert all(within < inside for within, *_ in chosen_by)
    assert sum(map(len, held_out)) == len(everyone) and set().union(*held_out) == everyone


def test_order_of_words_is_counted_in_seeds_and_other_texts(tmp_path):
    from utils.rubric.word_order import kinds

    turns = [{"role": "student", "content": "The frost takes the tulips."}]
    seeds, text = tmp_path / "seeds.jsonl", tmp_path / "text.md"
    seeds.write_text(json.dumps({"turns": turns, "reference": "Is it the frost?", "reference_alternatives": ["Why?"]}))
    text.write_text("You ask the gardener.")
    flags = ["--word-order", str(seeds), str(text), "--output-path", str(tmp_path / "table.json")]
    table = fit_rubric.main(**vars(fit_rubric.parse_args(flags)))
    assert table == json.loads((tmp_path / "table.json").read_text())
    # "the" comes 4 times among 17 kinds, always before a word of content: "frost", "tulips", "frost", "gardener".
    assert kinds("Is it the frost?") == [".", "is", "it", "the", "content", "."]
    assert table["the"]["content"] > 0 > table["the"]["the"]


def test_the_table_of_word_order_that_ships_is_of_texts_that_ship(tmp_path):
    """Its licence is ours: it may hold nothing of other people's dialogues, whatever seeds are added later."""
    from utils.rubric.word_order import KINDS, TABLE

    shipped = json.loads(TABLE.read_text())
    marks = {".", ",", "=", "#", "`", "content", "content-ing", "content-ed", "content-ly", "content-s"}
    assert shipped.keys() <= KINDS.keys() | marks  # kinds of words, no word of content


@pytest.mark.skipif(not (SHARED / "paper").exists(), reason="the human ratings are not on this machine")
def test_the_weights_that_ship_reach_what_their_file_says(tmp_path):
    humans = SHARED / "paper" / "mathdial_human_eval.json"
    fitted = fit_rubric.main(humans=[str(humans)], output_path=str(tmp_path / "weights.json"))
    assert fitted == json.loads(rubric.WEIGHTS.read_text())
    figures = fitted["cross_validated"]
    assert figures["pearson"] >= 0.8 and figures["partial correlation given `?`"] >= 0.4
    assert figures["kappa of questions"] >= 0.8 and figures["kappa of reveal_answer"] >= 0.4
    assert min(figures["quadratic kappa of on_topic"], figures["quadratic kappa of helpful"]) >= 0.2


def test_ratings_of_one_kind_in_a_fold_are_said_and_make_no_number_up(tmp_path, capsys):
    """A fold without a reveal printed warnings of numpy; answers that all ask ended in a traceback over NaN."""
    rows = [row for row in ratings(dict.fromkeys(ANSWERS, 3.0), 4) if row["evaluation"]["reveal_answer"] == "no"]
    rows[0]["evaluation"]["reveal_answer"] = "yes"
    rows[0]["evaluation"]["questions"], rows[1]["evaluation"]["questions"] = "yes", "no"
    for row in rows:
        row["output"] += " Or?"
    (tmp_path / "rated.json").write_text(json.dumps(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit_rubric.main(humans=[str(tmp_path / "rated.json")], output_path=str(tmp_path / "mine.json"))
    assert fitted["cross_validated"]["pearson of the `?` rule"] is None and fitted["fitted_on"]["fewest"] == 1
    shown = capsys.readouterr().out
    assert "only 1 of the conversations have an answer that reveals" in shown and "nan" not in shown
    assert json.loads((tmp_path / "mine.json").read_text()) == fitted
