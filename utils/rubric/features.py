"""Compute the rubric's features: properties of an answer, each in [0, 1].

`SIGNS` fixes whether a feature speaks for (+1) or against (-1) a criterion; `fit_rubric.py` fits its weight.
"""

import math

from utils.rubric.any_language import INLINE_CODE, squeeze
from utils.rubric.quantities import DIGIT, as_digits, numbers_of
from utils.rubric.reading import LONG, Answer, Conversation
from utils.rubric.text import content_stems, words_of
from utils.rubric.words import (
    CORRECTED,
    EQUATION,
    LATEX,
    LEAK,
    MARKUP,
    OPEN,
    ORDER,
    PRAISE,
    RESULT,
    TELLING,
)

SIGNS = {
    "on_topic": {
        "short": -1, "bare": -1, "noise": -1, "length": +1, "shared": +1, "shared_student": +1, "shared_tutor": +1,
    },
    "helpful": {
        "guiding": +1, "open": +1, "specific": +1, "length": +1,
        "short": -1, "bare": -1, "praise": -1, "noise": -1, "leak": -1, "telling_share": -1,
        "part_told": -1,
    },
    "reveal_answer": {
        "guiding": -1, "bare": +1, "result": +1, "unsaid": +1, "restated": +1, "telling": +1, "equations": +1,
        "declarative": +1, "praise": -1, "short": +1,
    },
}  # fmt: skip
ENOUGH_WORDS = 20  # a tutor's turn need not be longer: what is longer mostly tells more
KNOWN_SENTENCE = 4  # words of content: a known answer of fewer names a thing and explains nothing
ENOUGH_SHARED = 0.5  # share of words of content that are the dialogue's: a good question brings in some of its own


def features(conversation: Conversation, answer: Answer, known_answer: str | None = None) -> dict[str, float]:
    """Compute every feature of `SIGNS`."""
    count, told = len(answer.words), answer.told
    silent, asked = not answer.guiding, " ".join(answer.guiding)
    asked_words = words_of(asked)
    taken_up = len(conversation.stems.intersection(content_stems(asked_words)))
    taken_up += len(conversation.numbers.intersection(numbers_of(asked, asked_words)))
    taken_up += sum(squeeze(code) in conversation.code for code in set(INLINE_CODE.findall(asked)))
    unsaid, result = unsaid_numbers(conversation, answer), new_result(conversation, answer)
    # Where a number is what is looked for, words alone give nothing away.
    telling = 1.0 if result or not conversation.calculates else 0.5
    return {
        "short": float(count <= 6 and silent),
        "bare": float(count <= 8 and silent and bool(answer.numbers)),
        "noise": noise(conversation, answer),
        "length": min(1.0, math.log1p(count) / math.log1p(ENOUGH_WORDS)),
        "shared": _share(answer, conversation.stems),
        "shared_student": _share(answer, conversation.last_student_stems),
        "shared_tutor": _share(answer, conversation.last_tutor_stems),
        "guiding": max((1.0 if question.endswith("?") else 0.5 for question in answer.guiding), default=0.0),
        "open": float(any(OPEN.search(question.lower()) for question in answer.guiding)),
        "praise": float(count <= 15 and silent and PRAISE.search(told) is not None),
        "telling_share": answer.told_words / max(1, count) if answer.guiding else 0.0,
        "leak": float(LEAK.search(answer.lower) is not None),
        "result": float(result is not None),
        "unsaid": min(1.0, len(unsaid) / 2),
        "restated": float(silent and bool(set(answer.numbers) & set(conversation.last_student_numbers[-1:]))),
        "telling": telling * min(1.0, (len(TELLING.findall(told)) + len(ORDER.findall(told))) / 2),
        "equations": telling * min(1.0, equations(told) / 3),
        "declarative": telling * min(1.0, answer.told_words / 60),
        "specific": float(taken_up > 0),
        "part_told": min(1.0, len(_part_told(conversation, answer, known_answer or "")) / 2),
    }


def equations(told: str) -> int:
    """Count the calculations that are written out."""
    possible = DIGIT.search(told) or any(sign in told for sign in "=({\\")
    return len(EQUATION.findall(told)) if possible else 0


def unsaid_numbers(conversation: Conversation, answer: Answer) -> list[str]:
    """Return the numbers in the declarative part that nobody has said so far."""
    return [number for number in dict.fromkeys(answer.numbers) if number not in conversation.numbers]


def new_result(conversation: Conversation, answer: Answer) -> str | None:
    """Return a number that is stated as a result, or None.

    Either nobody has said it so far ("…, which gives 84") or it corrects the student's own ("84, not 20").
    """
    if not DIGIT.search(answer.told_digits):
        return None
    own = conversation.last_student_numbers[-1:]
    for right, wrong in CORRECTED.findall(answer.told):
        if as_digits(wrong) in own:
            return as_digits(right)
    for stated in RESULT.findall(answer.told_digits):
        number = as_digits(stated)
        if number not in conversation.numbers:
            return number
    return None


def _part_told(conversation: Conversation, answer: Answer, known_answer: str) -> frozenset[str]:
    """Return the content words of a known sentence that are new in the declarative part."""
    known = content_stems(words_of(known_answer))
    return answer.told_stems.intersection(known) - conversation.stems if len(known) >= KNOWN_SENTENCE else frozenset()


def noise(conversation: Conversation, answer: Answer) -> float:
    """Measure debris per word, times five: words run together; markup and LaTeX, unless the conversation has some."""
    debris = sum(1 + len(word) / 10 for word in answer.words if len(word) > LONG and word not in conversation.words)
    if not conversation.has_markup:
        debris += len(MARKUP.findall(answer.prose)) + len(LATEX.findall(answer.prose)) / 4
    return min(1.0, 5 * debris / max(len(answer.words), 5))


def _share(answer: Answer, of: frozenset[str]) -> float:
    """Return the share of the answer's content words that are in `of`, doubled and at most 1.

    Words that any tutor uses do not count.
    """
    return min(1.0, len(of.intersection(answer.stems)) / len(answer.stems) / ENOUGH_SHARED) if answer.stems else 0.0
