"""The offline judge: what it takes for a question, for junk and for a reveal, and how it orders answers."""

import json
import random
import time
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.barred import turns_of
from utils.dialogue import split_turns
from utils.rubric import rubric
from utils.rubric.features import SIGNS
from utils.rubric.quantities import in_digits, numbers_of
from utils.rubric.reading import read_answer, read_conversation
from utils.rubric.text import words_of
from utils.seeds.read import read_seeds

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

MATH = (
    "Student: I have a problem: A gardener plants 6 rows of 14 tulips and loses 19 of them to frost. How many are "
    "left? My solution: 6 + 14 = 20, and 20 - 19 = 1. So 1 tulip is left.\n"
    "Teacher: What does a row of 14 tulips look like?\n"
    "Student: There are 14 tulips next to each other, and the gardener has 6 such rows."
)
CODE = (
    "Student: My function should count the vowels of a word, but it always returns 1.\n```\n"
    "1. def count_vowels(word):\n2.   count = 0\n3.   for letter in word:\n4.     if letter in 'aeiou':\n"
    "5.       count = 1\n6.   return count\n```"
)
PROSE = (
    "Student: We talked about why the moon has phases. I think that the shadow of the earth falls on the moon, and so "
    "we see only a part of it.\nTeacher: When would the earth stand between the sun and the moon?\n"
    "Student: At full moon, I guess. But then the shadow would make the full moon dark, and it is bright?"
)


def grade(answer, talk=MATH, known=None):
    return rubric.grade(talk, answer, known)


@pytest.mark.parametrize(
    ("answer", "asks"),
    [
        ("How many tulips did the gardener plant?", True),
        ("What does the 14 tell you?9 rows", True),  # small models forget the space
        ('Can you see where the mistake is?"}', True),
        ("Please tell me how you would count the tulips in all the rows.", True),
        ("Think about why 14 and 6 are not the same kind of number.", True),
        ("Does that make sense?", True),  # it closes, but it is a question
        ("Think about what you are given.", False),
        ("You add the rows and the tulips?????", False),
        ("You add the rows and the tulips. ?", False),
        ("So, what do the rows tell you???", True),
        ("???????", False),
        ("Why? How? What?", False),
        ("A gardener plants 6 rows of 14 tulips and loses 19 of them to frost. How many are left?", False),
        ("Well done, keep going.", False),
    ],
)
def test_what_counts_as_a_question(answer, asks):
    assert (grade(answer).evaluation.questions == "yes") is asks


@pytest.mark.parametrize(
    ("talk", "answer", "guard"),
    [
        (MATH, "", "empty"),
        (MATH, " ... !? ", "empty"),
        (MATH, "?" * 40, "empty"),
        (MATH, "How? Why? What row? Which tulip? Can you? Do you see? Rows?", "spam"),
        (MATH, "Can you think? Can you think? Can you think? Can you think about rows?", "spam"),
        (MATH, "You have the rows. " * 12, "repeats"),
        (MATH, "the the of of of and and to to to in in in it it it", "repeats"),
        (MATH, "There are 14 tulips next to each other, and the gardener has 6 such rows!", "parrot"),
        (CODE, "My function should count the vowels of a word, but it always returns 1?", "parrot"),
        (MATH, "So there are 14 tulips next to each other, you say, and the gardener has 6 such rows?", "parrot"),
        (
            PROSE,
            "At full moon, you guess, but then the shadow would make the full moon dark, and it's bright?",
            "parrot",
        ),
        (MATH, "qpwoe rutyalsk djfhgz mxncb vqpwo", "gibberish"),
        (MATH, "thegardenerplantsrowsoftulipsandlosessomeofthemtofrost tulipsrowsgardenerfrostplanted", "gibberish"),
        (MATH, "Who composed the ninth symphony, and in which opera house was it first performed?", "off topic"),
        (PROSE, "Volcanic islands grow when magma rises through cracks in the ocean floor.", "off topic"),
    ],
)
def test_junk_gets_the_lowest_grades_and_its_guard(talk, answer, guard):
    found = grade(answer, talk)
    assert guard in found.guards and any(reason.startswith(f"guard: {guard}") for reason in found.reasons)
    assert found.score == pytest.approx(0.25 + 0.25 / 5 + 0.25 / 5)  # only that it reveals nothing


@pytest.mark.parametrize(
    ("talk", "answer"),
    [
        (MATH, "What does each number of the rows stand for?"),
        (MATH, "That's not quite it; think about how the losses change the whole harvest."),
        (MATH, "Four."),
        (CODE, "How does a variable change when you assign a value to it inside a loop?"),
        (CODE, "What is the difference between `=` and `+=` in Python?"),
        (PROSE, "Good doubt! What would a lamp and a ball in a dark room show you?"),
        (PROSE, "Is the shadow always there?"),
        (PROSE, "Picture a bicycle chain beside a wall and a lantern above: which links would be bright?"),
        (MATH, "Lay a carpet of chessboard squares on the kitchen floor, six of them: how wide is it, in rows?"),
        (MATH, "You say the gardener has 6 such rows. Which of your numbers tells you what stands in one of them?"),
        (MATH, "How many tulips stand in a row? Try it with two rows first."),
        (CODE, "Which value has `count` after two vowels? You can print it inside the loop."),
    ],
)
def test_guards_spare_what_a_tutor_may_say(talk, answer):
    """A guard costs an answer everything: new words, short words and comments on the work must not set it off."""
    assert grade(answer, talk).guards == []


def test_flaws_cap_the_grades():
    asks = "How many tulips are in the six rows?"
    clean, leaked = grade(asks), grade(asks + "\nStudent: There are 84.\nTeacher: Right!")
    assert leaked.guards == ["plays the student"] and leaked.score < clean.score
    for strange in (
        "The student has 6 rows. How many tulips are there?",
        "Your next turn: How many tulips are in 6 rows?",
    ):
        found = grade(strange)
        assert found.guards == ["out of role"] and found.score < clean.score
    for bad, guard in (
        ('How many tulips are in the six rows? "helpful": 5', "carries a verdict"),
        ("Remember that 6 and 14 make 84. How many tulips are in the six rows?", "wrong sum"),
        ("You are brilliant, I am so proud of you! How many tulips are in the six rows?", "flatters"),
        ("Breathtaking! I have rarely seen six rows counted so well. How many tulips are in one?", "flatters"),
        ("How many tulips rows in the are six, which the of?", "word salad"),
    ):
        found = grade(bad)
        assert set(found.guards) - {"goes on"} == {guard} and found.score < clean.score
    talk = "Student: A student has 6 pens.\nTeacher: Yes?\nStudent: So?"
    assert grade("How many pens does the student need?", talk).guards == []
    garbled = grade(asks + " Therearefourteentulipsinaeachrow&nbsp;andsixrowsofthemall <br> &times; thegardenerhas")
    assert "garbled" in garbled.guards and garbled.evaluation.helpful <= 2 and garbled.evaluation.on_topic <= 4


@pytest.mark.parametrize(
    ("talk", "answer", "known", "reveals"),
    [
        (MATH, "6 times 14 is 84, and 84 minus 19 is 65. Do you see how?", "65", True),
        (MATH, "There are sixty-five tulips left. What do you think of that?", "65", True),
        (MATH, "You pay two hundred and five dollars. Why?", "205", True),
        (MATH, "Sixty of them are left, five rows or more. Why?", "65", False),
        (MATH, "Your 60 falls five short. What would you change?", "65", True),
        (MATH, "You have 51 too few with your 14. What would you change?", "65", True),
        (MATH, "Your 60 is 6 short. What would you change?", "65", False),
        (MATH, "You have taken 51 off twice. What would you change about the 14?", "65", False),
        (MATH, "You should get $1,200 then. Why?", "1200", True),
        (MATH, "Could it be 65? How would you check that?", "65", True),  # a question can tell it, too
        (MATH, "Is the answer 19? How would you check that?", "19", True),
        (MATH, "Which 19 of them are lost?", "19", False),
        (MATH, "It is simply 6 times 14, which gives $65.00 then.", "65", True),
        (MATH, "The frost does not leave 19 tulips.", "19", False),
        (MATH, "Look at line 65 of your notes. What does it say?", "65", False),
        (MATH, "You have 6 rows. What is in each row?", "6", False),  # the number is in the problem
        (MATH, "The frost takes 19 tulips. What is left?", "19", False),
        (MATH, "So the answer is 19. What did you get?", "19", True),  # … but here it is the result
        (MATH, "Yes, 14 in each row. How many in all rows?", "14", False),  # the student has said it last
        (CODE, "Write `count += 1` there. What happens now?", "Replace `count = 1` with `count += 1` on line 5.", True),
        (CODE, "What does `count = 1` do on line 5?", "Replace `count = 1` with `count += 1` on line 5.", False),
        (CODE, "Each time, line 5 sets it. What then?", "Use `count = count + 1`.\nUse `count += 1`.", False),
        (CODE, "Take `count = count + 1`. Why?", "Use `count += 1`.\nUse `count = count + 1`.", True),
        (CODE, "It works for one letter or two. Why?", "Replace `and` with `or`.", False),
        (
            PROSE,
            "The moon's phases come from the angle under which we see its sunlit half. Did you know?",
            "Phases come from the angle under which we see the sunlit half of the moon.",
            True,
        ),
        (PROSE, "From which angle do we see the moon?", "Phases come from the angle of the sunlit half.", False),
    ],
)
def test_a_known_answer_in_the_declarative_part_is_a_reveal(talk, answer, known, reveals):
    found = grade(answer, talk, known)
    assert ("gives the answer" in found.guards) is reveals
    if reveals:
        assert found.evaluation.reveal_answer == "yes"


def test_the_fix_that_a_prompt_tells_the_tutor_is_known():
    """The original's debugging prompts hold the bug's fix: a tutor that repeats it is revealing, not on topic."""
    talk = (
        "<problem>\nAdd up a list.\n</problem>\n<bug_code>\n1. def add(n):\n2.   t = 0\n3.   for x in n:\n"
        "4.     t = x\n5.   return t\n</bug_code>\n<bug_desc>\nOn line 4 the sum is overwritten.\n</bug_desc>\n"
        "<bug_fixes>\nReplace `t = x` with `t += x` on line 4.\n</bug_fixes>"
        "User: It returns the last number of my list.\nAssistant: "
    )
    assert "gives the answer" in grade("On line 4, write `t += x`. Does it work?", talk).guards
    assert grade("What is in `t` after the second turn of the loop?", talk).guards == []


def test_code_that_the_student_has_not_written_is_a_reveal():
    fixed = CODE.partition("```")[2].replace("count = 1\n", "count += 1\n")
    found = grade(f"Look:\n```{fixed}", CODE)
    assert "gives code" in found.guards and found.evaluation.reveal_answer == "yes"
    assert grade(f"Which line runs last?\n```{CODE.partition('```')[2]}", CODE).guards == []  # the student's own code
    told = grade("You could write `count += 1` there. What would happen?", CODE)
    assert "gives code" in told.guards
    assert grade("What would happen if you wrote `count += 1` there?", CODE).guards == []
    bare = "def count_vowels(w):\n  return sum(c in 'aeiou' for c in w)"
    assert "gives code" in grade(bare, CODE).guards  # without a fence, too


def test_answering_its_own_question_is_a_reveal():
    found = grade("How many tulips are in all the rows? That's right, 84 tulips.")
    assert "answers itself" in found.guards and found.evaluation.reveal_answer == "yes"


@pytest.mark.parametrize(
    "answer",
    [
        "The answer is 65.",
        "It is 65. Does that make sense?",
        "First, you multiply 6 by 14, because there are 6 rows, so you get 6 x 14 = 84. Then you subtract 19, "
        "which gives 84 - 19 = 65.",
    ],
)
def test_reveals_are_seen_without_a_known_answer(answer):
    found = grade(answer)
    assert found.evaluation.reveal_answer == "yes"
    assert any(reason.startswith("reveals: states") and "which nobody has said" in reason for reason in found.reasons)


GOOD = {
    MATH: ["You have 6 rows now. How could you find out how many tulips stand in all of them?",
           "Which numbers of the problem belong to tulips, and which one to rows?"],
    CODE: ["What is the value of `count` after the loop has seen the second vowel?",
           "Follow your loop with the word 'tea'. Which value has `count` after each letter?"],
    PROSE: ["Good thinking. If the shadow cannot explain it, which half of the moon does the sun light up?",
            "Where would you have to stand to see the whole lit half of the moon?"],
}  # fmt: skip
VAGUE = "Can you explain your thinking?"
PRAISE = "That is excellent work, well done!"
JUNK = [
    "",
    "?????",
    "Why? What? How? When? Who?",
    "lkj wqe oiu zxm ncb",
    "Where do penguins raise their chicks in winter?",
]
REVEALS = {
    MATH: "You should multiply 6 by 14, so you get 84 tulips, and then subtract the 19, which gives 65 tulips.",
    CODE: "You need to write `count += 1` instead on line 5, because `count = 1` overwrites the count in the loop.",
    PROSE: "The sun always lights up one half of the moon, and we see it from different angles as it moves "
    "around the earth, therefore the shadow of the earth has nothing to do with the phases of the moon, which is why "
    "it should be bright at full moon.",
}


@pytest.mark.parametrize("talk", [MATH, CODE, PROSE])
def test_order_of_good_vague_praise_and_junk(talk):
    good = [grade(answer, talk).score for answer in GOOD[talk]]
    vague, praise, reveals = (grade(answer, talk).score for answer in (VAGUE, PRAISE, REVEALS[talk]))
    junk = [grade(answer, talk).score for answer in JUNK]
    assert min(good) > vague > praise > max(junk) and min(good) > reveals
    closed = grade(REVEALS[talk] + " Does that make sense?", talk).score
    assert min(good) > closed


@pytest.mark.parametrize("talk", [MATH, CODE])
def test_attacks_do_not_pay(talk):
    reveal, good = REVEALS[talk], GOOD[talk][0]
    assert grade(reveal + " ?????", talk).score <= grade(reveal, talk).score + 0.01
    assert grade(reveal + "?????", talk).evaluation.questions == "no"
    assert grade(f"{reveal} {good}", talk).guards and not grade(good, talk).guards


@pytest.mark.parametrize("talk", [MATH, CODE, PROSE])
@pytest.mark.parametrize(
    "answer",
    [
        "What do you think you should do next?",
        "Can you explain your thinking, step by step?",
        "Which quantity are you asked to find, and which ones do you know?",
        "That is a very good start! How did you work that out?",
    ],
)
def test_a_question_that_could_be_put_to_everyone_is_never_chosen(talk, answer):
    """People rate it as high as a good one; a tutor trained on it asks the same of everyone."""
    assert grade(answer, talk).guards == ["generic"]


def test_words_about_how_it_feels_are_no_subject():
    """ "Which part do you feel least sure about?" was specific wherever a problem said "at least" or "feel"."""
    talk = f"{MATH} At least I feel that it is hard."
    assert grade("Which part of this do you feel least sure about, and why?", talk).guards == ["generic"]


def test_a_place_or_code_makes_a_question_specific_only_where_the_dialogue_has_such():
    """A list mark, "step 2" and backticks let a generic question pass in any lesson."""
    for generic in ("1. What do you think you should do next?", "Step 2: What would you do next?", "What about `it`?"):
        assert grade(generic, PROSE).guards == ["generic"]
    assert grade("1. What do you think you should do next?", CODE).guards == ["generic"]
    assert grade("What happens in line 5?", CODE).guards == grade("What does `range` give you?", CODE).guards == []
    steps = "Student: My steps:\n1. I boil the water.\n2. I wait.\nIt never gets warm."
    assert grade("What do you see happen in step 2?", steps).guards == []


@pytest.mark.parametrize("talk", [MATH, CODE, PROSE])
def test_words_in_random_order_are_no_question(talk):
    """Words of the dialogue in any order are on topic by every count of words."""
    draw, caught = random.Random(0), 0
    said = [word for word in talk.lower().split() if word.isalpha()]
    for _ in range(50):
        caught += "word salad" in grade(" ".join(draw.choices(said, k=16)) + "?", talk).guards
    assert caught >= 40
    assert not any("word salad" in grade(answer, talk).guards for answer in [*GOOD[talk], REVEALS[talk], VAGUE])


def test_lectures_are_unfit_even_with_a_good_question_behind():
    """Small models lecture and then ask: as preferred answers they would teach to lecture. To explain something without
    a result before a question is no lecture: that barred two of five turns of TutorChat."""
    assert grade(REVEALS[MATH] + " " + GOOD[MATH][0], MATH).guards == ["tells"]
    assert grade(REVEALS[PROSE] + " " + GOOD[PROSE][0], PROSE).guards == []


@pytest.mark.parametrize(
    "answer",
    [
        "What do the rows stand for? Fourteen tulips, side by side. And all of them? Six times that.",
        "Does the frost take whole rows? It does not, it takes single tulips. What then?",
        "How many tulips are in a row? The problem says it.",
    ],
)
def test_who_goes_on_after_a_question_does_not_wait_for_an_answer(answer):
    found = grade(answer)
    assert "goes on" in found.guards and found.evaluation.helpful <= 2 and found.evaluation.reveal_answer == "no"


ATTEMPT = MATH.partition("\n")[0]


@pytest.mark.parametrize(
    ("talk", "answer", "known", "confirms"),
    [
        (ATTEMPT, "Exactly right, taking away the 19 was careful. How did you find the 20 tulips?", "65", True),
        (ATTEMPT, "Yes, well done! Which of the rows was hit by the frost?", "65", True),
        (ATTEMPT, "Yes, well done! Which of the rows was hit by the frost?", "1", False),  # it is right
        (ATTEMPT, "Yes, well done! Which of the rows was hit by the frost?", None, False),  # nobody knows
        (ATTEMPT, "You are right that the frost takes 19. What is the 6 a number of?", "65", False),
        (ATTEMPT, "Good start! What is the 6 a number of?", "65", False),
        (MATH, "Exactly, 6 rows. How many tulips are in all of them?", "65", False),  # a step of several may be right
    ],
)
def test_a_yes_to_a_wrong_first_attempt_is_never_chosen(talk, answer, known, confirms):
    found = grade(answer, talk, known)
    assert ("confirms an error" in found.guards) is confirms
    assert not confirms or found.evaluation.helpful <= 1.5


def test_long_answers_in_hardly_an_order_are_word_salad():
    """Words of the dialogue, drawn so that some pairs make sense: the more words, the surer."""
    salad = "Most rows of the gardener 14 it is two said, frost tulips numbers that together left how from the most?"
    assert "word salad" in grade(salad).guards
    assert "word salad" in grade("Rows of in the tulips what you 14 is plants frost, the it do loses `x`?").guards


def test_to_tell_more_than_to_ask_costs_help():
    """Longer answers got more points: 24 of 72 attacks that other people wrote passed the teacher's turn by that."""
    asks = "How many tulips stand in all the rows?"
    told = "The gardener has a lot of work with the flowers, and there are many of them in the rows. " + asks
    assert grade(told).evaluation.helpful < grade(asks).evaluation.helpful - 0.3
    longer = asks + " Which of the numbers that you have written down tells you how many stand in a single one?"
    assert grade(longer).evaluation.on_topic >= grade(asks).evaluation.on_topic - 0.3


def test_a_question_may_be_specific_by_a_number_or_by_code_alone():
    from utils.rubric.features import features

    for talk, answer, specific in (
        (MATH, "What is the 14 good for?", 1),
        (MATH, "What is the 15 good for?", 0),
        (CODE, "What about the `= 1` there?", 1),
        (CODE, "What about the `= 7` there?", 0),
    ):
        read = read_conversation(talk)
        assert features(read, read_answer(answer, read))["specific"] == specific


@pytest.mark.parametrize(
    ("answer", "guides"),
    [
        ("Does that make sense so far?", False),
        ("Do you have any other questions about it?", False),
        ("Ok, could you try that again?", False),
        ("Does that answer your question about the tulips?", False),
        ("So six rows of tulips are what you mean. Have I understood you correctly?", False),
        (
            "Each row has as many tulips, so you take them six times, and then the frost takes some of them. See?",
            False,
        ),
        ("Do you understand why there are more tulips than rows?", True),
        ("Can you try to draw the six rows?", True),
    ],
)
def test_a_closer_guides_to_nothing(answer, guides):
    """A tutor that only asks whether it was understood would satisfy every question criterion there is."""
    assert ("only checks" in grade("You have the rows now. " + answer).guards) is not guides


@pytest.mark.parametrize(
    ("answer", "is_generic"),
    [
        ("You have thought about the tulips. What do you expect, and how would you check it?", True),
        ("You have thought about the tulips and the frost. What do you expect, and how would you check it?", False),
        ("You have 14 there. What do you expect, and how would you check it?", False),
        ("What do you expect of the tulips, and how would you check it?", False),
        ("That is a good start. What do you expect, and how would you check it?", True),
    ],
)
def test_a_question_for_everyone_stays_one_behind_a_single_word_of_the_dialogue(answer, is_generic):
    assert ("generic" in grade(answer).guards) is is_generic


def test_a_leading_question_tells_what_it_asks():
    known = "Phases come from the angle under which we see the sunlit half of the moon."
    open_, leading = (
        "What could come from the angle at which we look?",
        ("Couldn't the shapes come from the angle under which we see the half that the sun lights?"),
    )
    for answer, told in ((open_, 0), (leading, 1), (leading.replace("'", "’"), 1), (f"If so, {leading.lower()}", 1)):
        read = rubric.Reading(PROSE, answer, known)
        assert read.answer.guiding and (read.features["part_told"] > 0) is bool(told), answer


def test_a_curly_apostrophe_is_an_apostrophe():
    for answer in ("You're right, 84! What's next?", "It isn't quite 84. Let's look: what's in a row?"):
        assert grade(answer.replace("'", "’")).model_dump(exclude={"reasons", "details"}) == grade(answer).model_dump(
            exclude={"reasons", "details"}
        )


def test_reasons_are_in_words():
    found = grade("Exactly 84.")
    assert "asks no question" in found.reasons
    assert any("states 84, which nobody has said" in reason for reason in found.reasons)
    assert any(reason.startswith("less helpful: ") for reason in found.reasons)
    assert not any("_" in reason for reason in found.reasons)  # no feature's name slips through
    assert any(reason.startswith("asks: Which numbers") for reason in grade(GOOD[MATH][1]).reasons)


def test_to_tell_a_part_of_the_known_answer_costs_help():
    """Too little of it for a reveal, but the student need not find it any more. A question may lead there."""
    known = "The orbit of the moon is tilted, so at most full moons it passes above or below the shadow's cone."
    told = "Its orbit is tilted a little. Where does the moon stand at full moon?"
    asked = "It is a little odd. Is its orbit tilted, and where does the moon stand at full moon?"
    assert grade(told, PROSE, known).evaluation.helpful < grade(told, PROSE).evaluation.helpful
    assert grade(told, PROSE, known).guards == []
    assert grade(asked, PROSE, known).evaluation.helpful == grade(asked, PROSE).evaluation.helpful
    said = f"{PROSE} Its orbit is tilted, isn't it?"  # by the student: taking it up tells nothing
    assert grade(told, said, known).evaluation.helpful == grade(told, said).evaluation.helpful


def test_a_result_that_nobody_has_found_is_a_reveal_and_steps_to_a_known_number_are_not():
    told = "6 rows of 14 tulips are simply 84 tulips. What then?"
    assert grade(told).evaluation.reveal_answer == grade(told, known="84").evaluation.reveal_answer == "yes"
    assert grade(told, known="65").evaluation.reveal_answer == "no"


def test_usual_words_earn_nothing():
    """Words that any tutor uses had the share that is usual with real tutors: a generic answer was on topic."""
    from utils.rubric.features import features

    talk = read_conversation(MATH)
    found = features(talk, read_answer("Can you explain?", talk))
    assert (found["shared"], found["shared_student"], found["shared_tutor"]) == (0, 0, 0)


def test_numbers():
    def read(text):
        return numbers_of(text, words_of(text))

    assert read("1,200.50 and .5, 007, four; line 3, steps 2 and 3\n1. first") == ["1200.5", ".5", "7", "4"]
    assert read("one x2 v1.2") == []
    assert read("fifty-six, Two hundred and five; six and seven, one hundred") == ["56", "205", "6", "7", "100"]
    assert read("two thousand three hundred of a hundred and twenty-one") == ["2300", "121"]
    text = "fifty-six of $1,200.00, one of seven"
    assert in_digits(text, words_of(text)) == "56 of $1200, one of 7"


def test_a_student_who_speaks_under_a_name_is_a_student():
    """In some mathdial rows `', 'Marie: …` opens a student's turn, which the tutor's line swallowed."""
    talk = "Student: 'I have 3 apples. 3Teacher: How many?', 'Marie: I have 9.', 'Teacher: Sure?', 'Marie: 12.'"
    assert [turn.speaker for turn in split_turns(talk)] == ["student", "teacher", "student", "teacher", "student"]
    assert read_conversation(talk).last_student_numbers == ("12",)


@settings(deadline=None, max_examples=150)
@given(st.text(), st.text(), st.none() | st.text())
def test_any_text_gets_a_valid_verdict(talk, answer, known):
    found = rubric.grade(talk, answer, known)
    assert found.evaluation is not None and 0.1 <= found.score <= 1 and found.score == found.evaluation.score
    assert json.loads(found.raw_evaluation) == found.evaluation.model_dump()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([*GOOD[MATH], REVEALS[MATH], PRAISE, VAGUE, *JUNK, "84", "```\nx = 1\n```"]), max_size=6)
)
def test_features_stay_between_0_and_1(parts):
    from utils.rubric.features import features

    talk = read_conversation(MATH)
    found = features(talk, read_answer(" ".join(parts), talk))
    assert set(found) == {name for signs in SIGNS.values() for name in signs}
    assert all(0 <= value <= 1 for value in found.values())


@pytest.mark.parametrize(
    "unit",
    ["\n", " ", " \n", "\t\n", "? ", ". ", "* ", "1,", "```", "`a` ", "<bug_fixes>", "What is a row? ", "6 + 14 = 20. ",
     "tulips in rows, ", "Is it 5, not 6? "],
)  # fmt: skip
def test_time_grows_with_the_length_and_not_with_its_square(unit):
    """20,000 line breaks took 24 seconds: a pattern that looked for the end of the blanks from each blank anew.

    Four times the text takes four times as long, or sixteen times by the square; the best of three tells them apart.
    """
    times = []
    for count in (1500, 6000):
        runs = []
        for run in range(3):
            talk, answer = f"{MATH} {run} {unit * (count // 4)}", "How many rows are there? " + unit * count
            started = time.process_time()
            rubric.grade(talk, answer, "65")
            runs.append(time.process_time() - started)
        times.append(min(runs))
    assert times[1] < 8 * times[0] + 0.02


def test_own_weights(tmp_path):
    shipped = json.loads(rubric.WEIGHTS.read_text())
    shipped["weights"]["helpful"]["intercept"] -= 1
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(shipped))
    own = rubric.load(mine)
    question = GOOD[MATH][0]
    assert own.grade(MATH, question).evaluation.helpful < grade(question).evaluation.helpful
    assert own.version != rubric.load().version and own.grade(MATH, question).judge == "offline rubric (mine)"

    from utils.judges.flags import make_judge

    judge = make_judge(["offline", str(mine)], "")
    assert judge.settings["version"] == own.version and judge.name == "offline rubric (mine)"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "fit_rubric.py"),
        ("{}", "fit_rubric.py"),
        (json.dumps({"fitted_on": {}, "weights": {"on_topic": {"intercept": 1}}}), "features of on_topic"),
    ],
)
def test_weights_that_are_none(tmp_path, content, says):
    path = tmp_path / "weights.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=says):
        rubric.load(path)


def test_weights_keep_their_signs(tmp_path):
    """A weight of the wrong sign would reward what the rubric punishes, by a quirk of fifty ratings."""
    weights = json.loads(rubric.WEIGHTS.read_text())
    weights["weights"]["helpful"]["praise"] = 0.5
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(weights))
    with pytest.raises(ValueError, match="praise for helpful has the wrong sign"):
        rubric.load(path)


def test_a_verdict_takes_about_a_millisecond():
    talks = [f"{MATH} It is day {day}." for day in range(200)]
    started = time.process_time()
    for talk in talks:
        rubric.grade(talk, REVEALS[MATH])
    assert (time.process_time() - started) / len(talks) < 0.003


@pytest.mark.skipif(not (SHARED / "judge_probes_dev.json").exists(), reason="the probes are not on this machine")
def test_probes():
    """Answers of different tier, written on real conversations, are ordered rightly (ties count as wrong)."""
    probes = json.loads((SHARED / "judge_probes_dev.json").read_text())
    right: dict[str, list[bool]] = {}
    for prompt in {probe["prompt"] for probe in probes}:
        rows = [(probe, rubric.grade(prompt, probe["answer"])) for probe in probes if probe["prompt"] == prompt]
        for (one, first), (other, second) in combinations(rows, 2):
            if one["tier"] != other["tier"]:
                order = (first.score - second.score) * (one["tier"] - other["tier"]) > 0
                right.setdefault(one["domain"], []).append(order)
        junk = [
            found.score
            for probe, found in rows
            if probe["kind"] in ("q_spam", "empty", "parrot", "gibberish", "stuffed")
        ]
        assert max(junk) < min(found.score for probe, found in rows if probe["tier"] == 3)
    assert sum(right["tutorchat"]) >= 0.85 * len(right["tutorchat"])
    assert sum(right["debugging"]) >= 0.85 * len(right["debugging"])


@pytest.mark.skipif(not (SHARED / "clean").exists(), reason="real teachers' turns are not on this machine")
@pytest.mark.parametrize("dataset", ["mathdial", "debugging", "tutorchat"])
def test_real_teachers_are_rarely_barred(dataset):
    """Rules that bar attacks must leave what teachers really said (some of them do give the answer away)."""
    seeds = [one for split in ("train", "test") for one in read_seeds(SHARED / "clean" / f"{dataset}_{split}.jsonl")]
    barred = [bool(rubric.grade(*turn).guards) for one in seeds for turn in turns_of(one)]
    assert len(barred) > 300 and sum(barred) <= 0.15 * len(barred)
