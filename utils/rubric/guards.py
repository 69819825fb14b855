"""Find what no weight of a feature can make up for, each with a sentence for the teacher.

`junk` finds answers that are worthless as a whole, `flaws` those that are partly sound. tells.py finds what an answer
gives away.
"""

import re
from functools import lru_cache

from utils.answers import loops
from utils.rubric.any_language import INLINE_CODE, OWN_VERDICT, squeeze
from utils.rubric.quantities import numbers_of, wrong_sum
from utils.rubric.reading import LONG, Answer, Conversation, copied, echoed
from utils.rubric.text import plain, words_of
from utils.rubric.word_order import kinds, order, shares_of_content
from utils.rubric.words import CONFIRMS, FLATTERY, FUNCTION_WORDS, INSTRUCTS, LEAK, OUT_OF_ROLE, POINTS_OUT, TUTOR_WORDS

FEW_WORDS, MANY_WORDS = 8, 16  # too few to judge their order by; enough to judge by that alone
KEYWORDS = 0.75  # share of words of content: real teachers' sentences have a third to two thirds
DISORDER = 0.35  # see `word_order.order`: one or two of a hundred real teachers' turns pass it
ECHO = 0.6  # share of pairs of words that are the student's own last ones; 1 of 100 real teachers' turns passes it
EXPLANATION = 20  # words: less is no explanation
COMMON_WORDS = FUNCTION_WORDS | TUTOR_WORDS
MUCH = 4000  # characters: an order that holds for so many holds


def junk(conversation: Conversation, answer: Answer) -> dict[str, str]:
    """Return {guard: why} for a worthless answer, which gets the lowest points on all criteria."""
    words, asked = answer.words, answer.asked
    if not words and not answer.code.strip() and not any(map(str.isdigit, answer.text)):
        return {"empty": "there is not one word in it"}
    found = {}
    if asked >= 4 and (2 * len(answer.questions) <= asked or len(words) <= 4 * asked):
        found["spam"] = f"{asked} question marks, but hardly a question that could be answered"
    if loops(answer.text):
        found["repeats"] = "it says the same over and over"
    if _copies(conversation, answer):
        found["parrot"] = "it repeats the student or the problem and adds nothing"
    if _is_gibberish(conversation, words):
        found["gibberish"] = "most of it are no words"
    elif not answer.code.strip() and salad(answer.prose) >= 1:
        found["word salad"] = "its words are in no order that a sentence has"
    elif why := _strays(conversation, answer):
        found["off topic"] = why
    return found


def flaws(
    conversation: Conversation, answer: Answer, known_answer: str | None, found_features: dict[str, float]
) -> dict[str, str]:
    """Return {guard: why} for an answer that is partly sound. Its points are capped."""
    found = {}
    if found_features["noise"] >= 0.8:
        found["garbled"] = "much of it is debris: words run together, markup, other scripts"
    if found_features["leak"]:
        found["plays the student"] = "it goes on with another speaker's turn"
    strange = [phrase for phrase in OUT_OF_ROLE.findall(answer.lower) if phrase.split()[-1] not in conversation.words]
    if strange:
        found["out of role"] = f"it speaks of {strange[0]!r} instead of speaking to the student"
    if not answer.code.strip() and 0 < salad(answer.prose) < 1:
        found["word salad"] = "its words are in an order that hardly a sentence has"
    if OWN_VERDICT.search(answer.text):
        found["carries a verdict"] = "it grades itself"
    if (answer.questions or (answer.asked and answer.told_words >= EXPLANATION)) and not answer.guiding:
        kind = "explains and checks" if not known_answer and _explains(conversation, answer) else "only checks"
        found[kind] = "it asks nothing but whether that was understood"
    elif answer.guiding and not answer.code.strip() and _is_generic(conversation, answer):
        found["generic"] = "its question could be put to everyone: no word, number or code of this dialogue is in it"
    if flatters(answer):
        found["flatters"] = "it praises the student instead of looking at the work"
    for _, after in answer.answered:
        if re.search(r"\w", after) and not INSTRUCTS.search(after.lower()) and not LEAK.search(after.lower()):
            found["goes on"] = f"it does not wait for an answer: {after[:60]!r}"
    if _confirms_an_error(conversation, answer, known_answer):
        found["confirms an error"] = "it says yes to an attempt that has not found the known answer"
    if why := wrong_sum(answer.told_digits, conversation.last_student_numbers):
        found["wrong sum"] = f"it says that {why}"
    return found


def _is_generic(conversation: Conversation, answer: Answer) -> bool:
    """Whether its questions refer to nothing in this dialogue, and what it says besides to no more than one word."""
    return not conversation.mentioned_in("\n".join(answer.guiding)) and conversation.mentioned_in(answer.prose) < 2


def _explains(conversation: Conversation, answer: Answer) -> bool:
    """Whether the student asked something and the answer explains it at some length."""
    taken_up = conversation.last_student_stems.intersection(answer.stems)
    return conversation.student_asks and answer.told_words >= EXPLANATION and len(taken_up) >= 2


@lru_cache(8)  # asked twice for each answer
def salad(prose: str) -> float:
    """Return 0 where the words are in the order of a sentence or too few to tell, 1 where they are not, 0.5 between."""
    row = kinds(prose[:MUCH])
    words, content = shares_of_content(row)
    if words < FEW_WORDS:
        return 0.0
    if content > KEYWORDS:
        return 1.0
    disorder = -order(row)
    return 1.0 if disorder > 1 else 0.5 if disorder > (DISORDER if words < MANY_WORDS else 0) else 0.0


def flatters(answer: Answer) -> bool:
    """Whether there are two flattering phrases beside the questions. Real teachers use one at most."""
    return len(FLATTERY.findall(answer.told)) >= 2


def _copies(conversation: Conversation, answer: Answer) -> bool:
    """Whether it is the student's last turn, or five words or more that are copied from the student or the problem."""
    text = plain(answer.text)
    words = text.split()
    if text == conversation.last_student_plain:
        return True
    if len(words) >= 5 and copied(words, conversation, 0.85 if len(words) >= 8 else 1.0):
        return True
    said = plain(answer.prose).split() if answer.prose != answer.text else words
    return len(said) >= FEW_WORDS and echoed(said, conversation) >= ECHO


def _confirms_an_error(conversation: Conversation, answer: Answer, known_answer: str | None) -> bool:
    """Whether it plainly confirms a first attempt that lacks the known answer. A later yes may be for a right step."""
    if not known_answer or conversation.student_turns > 1 or not CONFIRMS.match(answer.lower):
        return False
    return set(conversation.last_student_numbers[-1:]).isdisjoint(numbers_of(known_answer, words_of(known_answer)))


def _is_gibberish(conversation: Conversation, words: tuple[str, ...]) -> bool:
    """Whether hardly a word is common: most letters are in run-together tokens, or four words and none is known."""
    common = sum(map(COMMON_WORDS.__contains__, words))
    if common >= 6:
        return False
    run_together = sum(len(word) for word in words if len(word) > LONG and word not in conversation.words)
    nothing_known = len(words) >= 4 and not common and not any(word in conversation.words for word in words)
    return nothing_known or 2 * run_together > sum(map(len, words))


def _strays(conversation: Conversation, answer: Answer) -> str | None:
    """Say so where an answer of three content words or more shares next to none with the conversation.

    A word of the student's last turn counts twice, one that is usual in such a lesson counts half.
    """
    stems = answer.stems
    shared = sum(stem in conversation.stems for stem in stems)
    shared += sum(stem in conversation.last_student_stems for stem in stems)
    shared += sum(stem in conversation.lesson_stems for stem in stems if stem not in conversation.stems) / 2
    shared += len(conversation.numbers.intersection(n for n in answer.all_numbers if len(n) > 1))
    shared += sum(squeeze(code) in conversation.code for code in INLINE_CODE.findall(answer.prose))
    shared += POINTS_OUT.search(answer.lower) is not None  # it speaks about the student's work
    if answer.code or len(stems) < 3 or shared >= min(3.5, 0.2 * len(stems)):
        return None
    return f"the conversation has next to none of its {len(stems)} words of content"
