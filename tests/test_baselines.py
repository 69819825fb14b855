"""Baselines: tutors that answer without being trained, and what an answer gains from its own dialogue."""

import functools
import json
from collections import Counter
from pathlib import Path

import pytest

import eval_model
import regrade
from utils.artifacts import write_json
from utils.errors import BadInput
from utils.evaluation import evaluate
from utils.judges.judge import GradingOptions, OfflineJudge
from utils.manifest import Manifest
from utils.own_dialogue import OTHERS, add_gain
from utils.records import Evaluation, Sample, SeedDialogue, Verdict
from utils.results import table
from utils.results.reading import gain_is_by_same_judge, read_root, second_file
from utils.seeds.read import DATASETS_DIR, find_seeds, read_seeds
from utils.tutors.baselines import QUESTION, ConstantTutor, ReferenceTutor, ShuffledTutor, baselines, others
from utils.tutors.tutor import Answers


def seed(k: int, group: str, reference: str | None = None) -> SeedDialogue:
    return SeedDialogue(
        id=f"row-{k}", group=group, text=f"Student: is {k} a prime?", answer=str(k), reference=reference
    )


class Echo:
    """A base model that answers with the dialogue's number, and keeps the journals that it was given."""

    name, settings = "echo", {"model": "echo"}

    def __init__(self):
        self.journals = []

    def check(self):
        pass

    def answer(self, seeds, num_samples, *, journal_path, description):
        self.journals.append(Path(journal_path).name)
        return Answers(
            [[Sample(f"Why {seed.id}?", "stop", 2)] * num_samples for seed in seeds], list(range(len(seeds)))
        )


class Counting:
    """A judge that scores by the dialogue alone, or by whether the answer names it; it counts its gradings."""

    name, grading, free = "counting", GradingOptions(max_invalid=1), False

    def __init__(self, by_dialogue: bool = False):
        self.by_dialogue, self.graded = by_dialogue, []
        self.settings = {"judge": "counting"}

    def check(self):
        pass

    def see(self, conversations):
        pass

    def prepare(self, items):
        pass

    def grade(self, item, journal=None):
        self.graded.append((item.conversation, item.answer, item.known_answer))
        number = item.conversation.split()[2]
        points = int(number) % 5 + 1 if self.by_dialogue else 5 if f"row-{number}?" in item.answer else 1
        found = Evaluation(questions="yes", on_topic=points, helpful=5, reveal_answer="no")
        return Verdict(evaluation=found, score=found.score, raw_evaluation="", judge=self.name, details={"cost": 0.5})


@pytest.mark.parametrize("groups", ["abcdefgh", "aabbccdd", "aaabcdde", "abcabcab", "aaaabbbb", "ab"])
@pytest.mark.parametrize("count", [1, 5])
def test_others_are_of_other_problems_and_each_is_taken_equally_often(groups, count):
    """Were some taken more often, a constant question would gain (or lose) by how easy those are."""
    found = others(groups, count)
    steps = len(groups) - 2 * max(Counter(groups).values()) + 1
    assert {len(row) for row in found} == {min(count, steps)}
    assert all(groups[j] != groups[i] for i, row in enumerate(found) for j in row)
    assert all(len(set(row)) == len(row) for row in found)
    assert set(Counter(j for row in found for j in row).values()) == {min(count, steps)}


@pytest.mark.parametrize("groups", ["", "a", "aaab"])
def test_there_are_no_others_where_one_problem_has_most_dialogues(groups):
    assert not any(others(groups, 5))


def test_the_baselines_of_a_test_set_are_those_that_its_seeds_allow(tmp_path):
    with_turn = [seed(k, f"p{k}", "Which number divides it?" if k else None) for k in range(4)]
    assert list(baselines(Echo(), with_turn)) == [
        "baseline_constant_question", "baseline_shuffled", "baseline_reference",
    ]  # fmt: skip
    assert list(baselines(Echo(), [seed(k, "one problem") for k in range(4)])) == ["baseline_constant_question"]
    for tutor in baselines(Echo(), with_turn).values():
        tutor.check()
        json.dumps(tutor.settings)  # the manifest keeps them


def test_a_constant_tutor_and_a_teacher_answer_as_they_say(tmp_path):
    seeds = [seed(k, f"p{k}", "Which number divides it?" if k else None) for k in range(3)]
    rows, _ = evaluate(seeds, ConstantTutor(), OfflineJudge(), tmp_path / "x.json", what="x")
    assert [row["output"] for row in rows] == [QUESTION] * 3 and rows[0]["tutor"] == "one question to everyone"
    assert all(row["evaluation"]["questions"] == "yes" for row in rows)
    rows, _ = evaluate(seeds, ReferenceTutor(), OfflineJudge(), tmp_path / "y.json", what="y")
    assert [row["output"] for row in rows] == ["", "Which number divides it?", "Which number divides it?"]
    assert rows[0]["score"] is None and "no reference" in rows[0]["evaluation_error"] and rows[1]["score"] > 0.5


def test_a_shuffled_tutor_gives_each_answer_of_the_base_to_another_dialogue(tmp_path):
    seeds, base = [seed(k, f"p{k // 2}") for k in range(8)], Echo()
    tutor = ShuffledTutor(base)
    answers = tutor.answer(seeds, 2, journal_path=tmp_path / "baseline_shuffled.candidates.jsonl", description="")
    given = [row[0].text for row in answers.samples]
    assert sorted(given) == sorted(f"Why {one.id}?" for one in seeds)
    numbers = [int(text.removeprefix("Why row-").removesuffix("?")) for text in given]
    assert all(seeds[j].group != one.group for j, one in zip(numbers, seeds, strict=True))
    assert answers.dropped_turns == numbers  # they are of the prompt that was answered
    assert base.journals == ["base.candidates.jsonl"]  # what the base has answered is not sampled again
    assert tutor.settings != base.settings and "echo" in tutor.name
    with pytest.raises(BadInput, match="one problem"):
        tutor.answer([seed(k, "p") for k in range(3)], 1, journal_path=tmp_path / "x.jsonl", description="")


def test_the_stage_and_the_manifest_take_a_baseline_as_any_tutor(tmp_path):
    root, inputs = tmp_path / "run", {"judge": OfflineJudge(), "limit": 4}
    seeds = find_seeds(DATASETS_DIR, "mathdial", "test")
    for name, tutor in baselines(Echo(), read_seeds(seeds, 4)).items():
        file = f"evaluation/mathdial/{name}.json"
        given = {**inputs, "seeds": [seeds], "tutor": tutor}

        def make(file=file, given=given) -> bool:
            stage = functools.partial(eval_model.main, **given, output_path=root / file, overwrite=True)
            return Manifest(root).make(file, "eval_model", given, stage)

        assert make() and not make()
        if name == "baseline_constant_question":
            given["tutor"] = ConstantTutor("Why?")
            with pytest.raises(BadInput, match=r"question: .* -> 'Why\?'"):
                make()
    assert read_root(root).baselines == ["baseline_constant_question", "baseline_shuffled", "baseline_reference"]


# --- own-dialogue gain


def test_the_gain_is_the_score_less_the_mean_on_five_other_dialogues(tmp_path):
    """An answer that names its dialogue scores 1.0 there, and 0.75 + 0.25 · 1/5 = 0.8 elsewhere."""
    seeds, judge = [seed(k, f"p{k // 2}") for k in range(12)], Counting()
    rows, _ = evaluate(seeds, Echo(), judge, tmp_path / "x.json", what="x")
    judge.graded.clear()
    summary = add_gain(rows, judge, tmp_path / "x.json", what="x")
    assert summary["own_dialogue_gain"] == pytest.approx(1.0 - (0.75 + 0.25 / 5))
    assert [row["own_dialogue_gain"] for row in rows] == pytest.approx([0.2] * 12)
    assert len(judge.graded) == 12 * OTHERS == summary["on_others"]["graded"]
    assert ("Student: is 1 a prime?", "Why row-0?", "1") not in judge.graded  # of the same problem
    conversation, answer, known = judge.graded[0]
    assert answer == "Why row-0?" and conversation == f"Student: is {known} a prime?"  # the known answer is the other's
    assert len(rows[0]["on_others"]) == OTHERS and rows[0]["on_others"][0]["details"] == {"cost": 0.5}


def test_a_constant_question_gains_nothing(tmp_path):
    """Its score depends on the dialogue alone: 0.75 + 0.25 · (k mod 5 + 1) / 5."""
    seeds, judge = [seed(k, f"p{k // 3}") for k in range(13)], Counting(by_dialogue=True)
    rows, _ = evaluate(seeds, ConstantTutor(), judge, tmp_path / "x.json", what="x")
    assert len({row["score"] for row in rows}) == 5
    assert add_gain(rows, judge, tmp_path / "x.json", what="x")["own_dialogue_gain"] == pytest.approx(0, abs=1e-12)
    assert any(abs(row["own_dialogue_gain"]) > 0.05 for row in rows)


def test_what_has_no_verdict_or_no_other_dialogue_has_no_gain(tmp_path):
    seeds = [seed(k, f"p{k}", "Why?" if k else None) for k in range(6)]
    rows, _ = evaluate(seeds, ReferenceTutor(), Counting(), tmp_path / "x.json", what="x")
    add_gain(rows, judge := Counting(), tmp_path / "x.json", what="x")
    assert rows[0]["own_dialogue_gain"] is None and all(answer for _, answer, _ in judge.graded)
    assert [row["own_dialogue_gain"] for row in rows[1:]] == pytest.approx([0.0] * 5)
    one = rows[1:2]
    assert add_gain(one, Counting(), tmp_path / "x.json", what="x")["own_dialogue_gain"] is None


def test_with_the_shipped_seeds_and_the_offline_judge_a_constant_question_gains_nothing(tmp_path):
    seeds = read_seeds(find_seeds(DATASETS_DIR, "mathdial", "test"))
    rows, _ = evaluate(seeds, ConstantTutor(), OfflineJudge(), tmp_path / "x.json", what="x")
    assert abs(add_gain(rows, OfflineJudge(), tmp_path / "x.json", what="x")["own_dialogue_gain"]) < 1e-9


# --- a second judge


def test_what_a_second_judge_graded_stands_beside_the_first_with_the_gap(tmp_path):
    """The first judge scores by the dialogue, 0.8 to 1.0; the second gives an answer without its number 0.8."""
    seeds = [seed(k, f"p{k}") for k in range(10)]
    path = tmp_path / "evaluation" / "mathdial" / "base.json"
    rows, _ = evaluate(seeds, ConstantTutor(), first := Counting(by_dialogue=True), path, what="x")
    add_gain(rows, first, path, what="x")
    write_json(path, rows)
    second = Counting()
    second.name = "gpt-4o (a server's)"
    again = tmp_path / second_file("evaluation/mathdial/base.json", second.name)
    assert again.name == "base.by_gpt-4o-a-server-s.json"
    regrade.main(artifact=path, output_path=again, judge=second, min_chosen_score=0.8, min_margin=0)
    root = read_root(tmp_path)
    by_second = {"own_dialogue_gain": 0.3, "on_others": [{"id": "x", "score": 0.5, "judge": second.name}]}
    assert gain_is_by_same_judge({"judge": second.name} | by_second, second=True)
    stale = {"own_dialogue_gain": 0.3, "on_others": [{"id": "x", "score": 0.5}]}  # as older files have the first one's
    assert gain_is_by_same_judge({"judge": "counting"} | stale, second=False)
    assert not gain_is_by_same_judge({"judge": second.name} | stale, second=True)
    assert root.left_out == [] and root.judges() == ["counting"]
    assert [root.judges(by) for by in root.second_judges] == [["gpt-4o (a server's)"]]
    one, other = table.rows(root)
    assert (one["second_judge"], other["second_judge"]) == (False, True)
    means = [sum(0.75 + 0.05 * (k % 5 + 1) for k in range(10)) / 10, 0.8]
    assert [one["mean"], other["mean"]] == pytest.approx(means)
    assert other["judge_gap"] == pytest.approx(means[0] - means[1]) and other["own_dialogue_gain"] is None
    (line,) = table.score_lines([one, other])
    assert (
        line["by gpt-4o (a server's)"].startswith("0.80") and line["counting less gpt-4o (a server's)"][:5] == "+0.10"
    )
