"""Which candidates become a pair, and what is said of a whole set."""

import json

import pytest

from utils.dpo.pairs import choose_pair, format_report, pair_fields, set_report
from utils.judges.judge import OfflineJudge
from utils.records import Evaluation, TutorAnswer, Verdict

TALK = (
    "Student: A baker sells 12 rolls for 3 euros. What does one roll cost? I divided 12 by 3, so 4 euros.\n"
    "Teacher: Which of the two numbers is the money?\nStudent: The 3 euros are the money."
)
GOOD = "You know the money now. How could you share the 3 euros among the rolls?"
OTHER = "You have the money right. Which number tells you how many rolls there are?"
DULL = "Can you say more about the rolls?"
FLAT = "The rolls are sold for money."


def verdict(questions="yes", on_topic=5.0, helpful=5.0, reveal_answer="no", guards=()) -> Verdict:
    evaluation = Evaluation(questions=questions, on_topic=on_topic, helpful=helpful, reveal_answer=reveal_answer)
    return Verdict(
        evaluation=evaluation, score=evaluation.score, raw_evaluation="", judge="by hand", guards=list(guards)
    )


INVALID = Verdict(evaluation=None, score=None, raw_evaluation="?", evaluation_error="no JSON", judge="by hand")


def test_best_is_chosen_and_worst_rejected():
    pair = choose_pair(TALK, [DULL, GOOD, FLAT], [verdict(helpful=3.0), verdict(), verdict("no", helpful=1.0)])
    assert (pair.chosen, pair.rejected, pair.eligible) == (1, 2, True)
    assert pair.margin == pytest.approx(1.0 - (0.25 + 0.25 + 0.05))
    assert not pair.both_ask


def test_an_invalid_verdict_is_on_neither_side():
    """The original let a candidate whose grading had failed become `rejected`."""
    pair = choose_pair(TALK, [FLAT, GOOD, DULL], [INVALID, verdict(), verdict(helpful=2.0)])
    assert (pair.chosen, pair.rejected) == (1, 2)
    none = choose_pair(TALK, [FLAT, GOOD], [INVALID, INVALID])
    assert (none.chosen, none.rejected, none.reason) == (None, None, "no candidate has a valid verdict")


@pytest.mark.parametrize(
    ("best", "why"),
    [
        ("One roll costs 0.25 euros. How could you share the 3 euros?", "gives the answer"),
        ("?????????", "empty"),
        ("The 3 euros are the money.", "parrot"),
        ("How many rolls are there?\nStudent: 12\nTeacher: Right, now divide.", "plays the student"),
        (
            "First, take the 3 euros, because they are the money, and then divide them by the 12 rolls, so you get "
            "3 / 12 = 0.25, which means that each roll is a quarter. How does that feel to you as a baker?",
            "tells",
        ),
    ],
)
def test_what_a_guard_catches_is_never_chosen_whatever_the_judge_says(best, why):
    """A guiding question behind a revealing text gets full marks of an LLM judge; the offline judge says why not."""
    known = "0.25" if why == "gives the answer" else None
    guards = OfflineJudge().grade(TutorAnswer(TALK, best, known)).guards
    pair = choose_pair(
        TALK, [best, GOOD, DULL], [verdict(guards=guards), verdict(helpful=4.5), verdict(helpful=1.0)],
        known_answer=known,
    )  # fmt: skip
    assert (pair.chosen, pair.rejected) == (1, 2)
    assert why in pair.caught[0] and not pair.caught[1]


FOREIGN = {
    "German": (
        "Schüler: Ein Rad hat 24 Speichen. Vier Räder haben 28, oder?",
        "Wie viele Speichen zählst du an zwei Rädern?",
    ),
    "Russian": (
        "Ученик: На полке 9 книг, на трёх полках 12.",
        "Сколько книг на двух таких полках?",
    ),
    "Chinese": ("学生：一盒有8支笔，五盒有13支。", "好的。我们先看一盒有8支笔。那么两盒呢？你会怎么算？"),
    "Japanese": (
        "生徒：1箱に6個入りで、4箱だと10個です。",
        "いいですね。1箱に6個入っています。では2箱だと何個ですか？",
    ),
}


@pytest.mark.parametrize("language", FOREIGN)
def test_another_judges_verdict_on_another_language_stands(language):
    """English-only guards called good answers off topic, or telling, so that no pair was made."""
    talk, answer = FOREIGN[language]
    pair = choose_pair(talk, [answer, "…"], [verdict(), verdict("no", 1.0, 1.0)])
    assert pair.eligible and pair.chosen == 0 and pair.caught[0] == ()


@pytest.mark.parametrize(
    ("best", "known", "why"),
    [("Ist es vielleicht 96?", "96", "gives the answer"), ("Gut! on_topic: 5", None, "carries a verdict"),
     ("Was meinst du damit? " * 5, None, "repeats"), ("?!", None, "empty")],
)  # fmt: skip
def test_what_holds_in_any_language_holds_for_every_judge(best, known, why):
    talk, answer = FOREIGN["German"]
    pair = choose_pair(talk, [best, answer], [verdict(), verdict(helpful=4.0)], known_answer=known)
    assert pair.chosen == 1 and why in pair.caught[0]


def test_a_row_without_a_pair_still_has_evaluations_as_the_original_has_them():
    """`chosen_eval: null` broke readers whose record class wants an object."""
    pair = choose_pair(TALK, ["???"], [verdict()])
    fields = pair_fields(pair, [{"output": "???", **verdict().model_dump()}])
    assert fields["chosen_eval"]["evaluation"] is None and "caught" in fields["chosen_eval"]["evaluation_error"]
    assert fields["chosen"] is None and not fields["eligible"]


def test_guards_and_reveals_of_the_judge_count_too():
    graded = [verdict(guards=["spam"]), verdict(reveal_answer="yes"), verdict(helpful=2.0)]
    assert choose_pair(TALK, [GOOD, OTHER, DULL], graded).chosen == 2
    pair = choose_pair(TALK, [GOOD, OTHER], graded[:2])
    assert pair.chosen is None and not pair.eligible


def test_the_bar_and_the_margin():
    """0.25 + 0.25 + 0.15 + 0.15 is the bar of 0.8 itself, and not above it, in binary too."""
    at_bar, low = verdict(on_topic=3.0, helpful=3.0), verdict("no", 1.0, 1.0)
    assert "0.8" in choose_pair(TALK, [GOOD, DULL], [at_bar, low]).reason
    assert choose_pair(TALK, [GOOD, DULL], [at_bar, low], min_chosen_score=0.75).eligible
    near = [verdict(), verdict(helpful=3.0)]  # 1.0 and 0.9
    assert choose_pair(TALK, [GOOD, DULL], near, min_margin=0.1).eligible
    assert "0.15" in choose_pair(TALK, [GOOD, DULL], near, min_margin=0.15).reason
    assert "no higher" in choose_pair(TALK, [GOOD, DULL], [verdict(), verdict()]).reason
    swapped = [verdict(on_topic=5.0, helpful=4.0), verdict(on_topic=4.0, helpful=5.0)]  # the same sum, added otherwise
    assert "no higher" in choose_pair(TALK, [GOOD, DULL], swapped).reason


def test_same_text_on_both_sides_is_no_pair():
    """A judge that is sampled may grade one text in two ways; DPO would learn noise from it."""
    assert "same text" in choose_pair(TALK, [GOOD, GOOD.upper()], [verdict(), verdict(helpful=2.0)]).reason


def test_ties_go_to_the_side_that_asks():
    """Else DPO learns to append a question mark, and nothing else."""
    silent = verdict("no", on_topic=5.0, helpful=4.0)  # 0.25 + 0.25 + 0.2 = 0.7
    asking = verdict("yes", on_topic=1.0, helpful=3.0)  # 0.25 + 0.25 + 0.05 + 0.15 = 0.7
    for order in ((FLAT, DULL), (DULL, FLAT)):
        graded = [silent if answer == FLAT else asking for answer in order]
        pair = choose_pair(TALK, [GOOD, *order], [verdict(), *graded])
        assert order[pair.rejected - 1] == DULL and pair.both_ask


def test_lower_is_worse_than_asking():
    """Preferring a question must not turn over what the judge has told apart: a step of one point is no tie."""
    graded = [verdict(), verdict("no", 5.0, 4.0), verdict("yes", 1.0, 4.0)]  # 1.0, 0.7, 0.75
    assert choose_pair(TALK, [GOOD, FLAT, DULL], graded).rejected == 1


NO_FLAW = {"loops": 0.0, "empty": 0.0}


def test_report_of_a_set():
    rows = [[GOOD, DULL], [GOOD + " ", FLAT], [FLAT, DULL]]
    verdicts = [
        [verdict(), verdict(helpful=1.0)],
        [verdict(), verdict("no", 3.0, 1.0)],
        [verdict("no", 3.0, 1.0), INVALID],
    ]
    pairs = [choose_pair(TALK, answers, graded) for answers, graded in zip(rows, verdicts, strict=True)]
    report = set_report(rows, verdicts, pairs)
    assert (report["prompts"], report["eligible"], report["candidates"], report["invalid"]) == (3, 2, 6, 1)
    assert report["both_ask"] == 1 / 2
    assert sum(report["not_eligible"].values()) == 1
    assert report["all_answers"]["distinct"] == 3 / 6 and report["all_answers"]["commonest_share"] == 2 / 6
    assert report["chosen_answers"] == {"distinct": 1 / 2, "commonest_share": 1.0, "commonest": GOOD} | NO_FLAW
    assert report["mean_score"] == pytest.approx((1.0 + 0.8 + 1.0 + 0.45 + 0.45) / 5)
    assert report["deciles"][0] == pytest.approx(0.45) and report["deciles"][-1] == 1.0 and len(report["deciles"]) == 11
    assert json.loads(json.dumps(report)) == report
    text = format_report(report)
    assert "2 of 3 prompts" in text and "50% of the pairs" in text and "the commonest is 100%" in text


def test_report_of_nothing_gradable():
    """The end of a run whose judge failed on everything is a report too, not a division by zero."""
    report = set_report([[GOOD]], [[INVALID]], [choose_pair(TALK, [GOOD], [INVALID])])
    assert report["eligible"] == 0 and report["deciles"] == [] and report["both_ask"] is None
    assert "0 of 1 prompts" in format_report(report)
