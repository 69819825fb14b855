"""What holds of answers in any language, without a judge: loops, distinct ones, the commonest."""

import pytest

from utils.answers import loops, plain, variety
from utils.evaluation import format_summary, summarise

LOOPING = {
    "a sentence three times": "I'm glad you're here. Shall we start? I'm glad you're here. I'm glad you're here!",
    "without punctuation": "the number of and the number of and the number of and the number of and the",
    "a good start, then a phrase without end": "You split 84 by 4 first. What did you do with the rest that was left "
    "over after that step, and where does it belong in the answer, do you think" + " and so on it goes" * 4,
    "German": "Was meinst du denn? Was meinst du denn? Was meinst du denn?",
    "Russian": "Что ты думаешь? Что ты думаешь? Что ты думаешь?",
    "Chinese": "你觉得呢？你觉得呢？你觉得呢？",
    "Chinese without a mark": "我们再看看这个数字" * 4,
    "Japanese": "どうしてそう思いますか。" * 3,
    "a paragraph twice": 2 * "Ines has three fifths as many as Theo. He gives her 8 of his own. What is left? ",
    "lines": "Next step:\nadd them up\nadd them up\nadd them up",
    "only two words": "no yes no yes no yes no yes no yes no yes",
    "a long text in a circle": " ".join(f"step {n % 10} is done" for n in range(30)),
}
SOUND = {
    "a question": "What did you do with the 3 that were left over, and why?",
    "a sentence twice": "Read it again. What is asked? Read it again.",
    "a times table": "3 x 1 = 3, 3 x 2 = 6, 3 x 3 = 9, 3 x 4 = 12. What comes after 12?",
    "code": "for i in range(3):\n    print(i)\nfor j in range(4):\n    print(j)\nWhat does each loop print?",
    "a count": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15: which of them divide 30?",
    "a list of options": "Is it a sum? Is it a product? Is it a share? Say why.",
    "Chinese": "你是怎么得到这个数字的？再读一遍题目，看看问的是什么。",
    "yes, yes, yes": "Yes! Yes! Yes! What comes next?",
    "empty": "",
}


@pytest.mark.parametrize("name", LOOPING)
def test_an_answer_that_loops(name):
    assert loops(LOOPING[name])


@pytest.mark.parametrize("name", SOUND)
def test_an_answer_that_does_not_loop(name):
    """Guards: a student's tutor who repeats a phrase for good reason is not broken."""
    assert not loops(SOUND[name])


def test_answers_that_differ_in_punctuation_alone_are_the_same():
    assert plain(" What is next, then?\n") == plain("what is NEXT then") == "what is next then"


def test_variety():
    found = variety(["What next?", "what next", "Add them.", "…", LOOPING["German"]])
    assert found == {
        "distinct": 4 / 5, "commonest": "What next?", "commonest_share": 2 / 5, "loops": 1 / 5, "empty": 1 / 5,
    }  # fmt: skip
    assert variety([]) is None


def test_one_answer_for_everyone_is_seen():
    found = variety(["What do you think is the next step, and why?"] * 12)
    assert (found["distinct"], found["commonest_share"]) == (1 / 12, 1)


def rows(*answers: tuple[str, str]) -> list[dict]:
    return [{"output": text, "finish_reason": reason, "evaluation": None, "score": None} for text, reason in answers]


def test_an_evaluation_says_how_its_answers_look():
    """A model that a training has broken would show as a low score alone: nobody sees that it says nothing any more."""
    seen = summarise(
        rows((" ", "stop"), (LOOPING["German"], "length"), ("What next?", "length"), ("what next", "stop"))
    )
    assert {name: seen[name] for name in ("empty", "cut", "distinct", "loops")} == {
        "empty": 1, "cut": 2, "distinct": 3 / 4, "loops": 1 / 4,
    }  # fmt: skip
    said = format_summary(seen)
    assert "75% distinct, 25% loop; 1 empty, 2 cut at the token limit" in said and "WARNING" not in said
    broken = format_summary(summarise(rows(("", "stop"), ("\n", "stop"), ("What next?", "stop"))))
    assert "WARNING: 2 of 3 answers are EMPTY" in broken and "its learning rate was too high" in broken
