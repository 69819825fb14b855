"""Find what an answer certainly gives away: the known answer (in digits, words or as an offset), code, replies to its
own questions."""

import re

from utils.rubric.any_language import INLINE_CODE, code_in, squeeze
from utils.rubric.quantities import NUMBER, as_digits, in_digits
from utils.rubric.reading import Answer, Conversation
from utils.rubric.text import TUTOR_STEMS, stem, words_of
from utils.rubric.words import CODE_LINE, FUNCTION_WORDS, ORDER, SELF_ANSWER

# A number that was said before is given away only where it stands as a result; one that the problem itself gives, only
# where it is called so.
AS_RESULT = r"(?:\b(?:answer|result|altogether|therefore|thus|final(?:ly)?|must be|should be|would be)\b"
AS_OUTCOME = AS_RESULT + r"|=|\b(?:equals?|total|so|left|actually|simply|correct(?:ly)?|gives?|makes?|get|is)\b"
UP_TO = r")(?:(?!\bnot\b|n't)[^.?!\n]){0,40}?(?<![\d.,])\$?"
AFTER = r"(?![\d]|[.,]\d| ?[-+*/×÷x=] ?\$?\d| (?:times|plus|minus|divided|multiplied)\b)"

OFFSET = re.compile(  # "falls two short", "3 too many"
    r"(?<![\d.])(\d+(?:\.\d+)?)(?: [^\W\d]+){0,2}? "
    r"(?:(short|too (?:few|little|low|small))|too (?:many|much|high|big|large))\b",
)
OWN = re.compile(r"\byour (\d+(?:\.\d+)?)(?![\d.]*\d)")


def tells(conversation: Conversation, answer: Answer, known_answer: str | None) -> dict[str, str]:
    """Return {guard: why} for what the answer certainly gives away, whatever it asks besides."""
    found = {}
    for known in [*(known_answer or "").splitlines(), *conversation.known_fix.splitlines()]:  # one, or alternatives
        if why := _states(conversation, answer, known):
            found["gives the answer"] = why
    if why := _gives_code(conversation, answer):
        found["gives code"] = why
    for _, after in answer.answered:
        if SELF_ANSWER.search(after.lower()):
            found["answers itself"] = f"it answers its own question: {after[:60]!r}"
    return found


def _states(conversation: Conversation, answer: Answer, known: str) -> str | None:
    """Say how the answer states the known one: a final number, a fix with code in backticks, or a sentence.

    A number or code that the dialogue did not have counts even inside a question.
    """
    numbers = NUMBER.findall(known)
    if len(numbers) == 1 and len(words_of(known)) <= 2:  # "29", "$1,200", "29 apples"
        final = as_digits(numbers[0])
        if final in conversation.last_student_numbers[-1:]:
            return None  # the student has it
        if final not in conversation.numbers:
            said = final in answer.all_numbers
        else:
            places = [(AS_RESULT, in_digits(answer.lower, answer.words))]
            if final not in conversation.given_numbers:
                places.append((AS_OUTCOME, answer.told_digits))
            said = any(re.search(before + UP_TO + re.escape(final) + AFTER, text) for before, text in places)
        if said or _by_an_offset(conversation, answer, float(final)):
            return f"it states {final}, the final answer, which the student has not found"
        return None
    squeezed = squeeze(answer.text)
    if len(known) >= 12 and squeeze(known).rstrip(".") in squeezed:
        return f"it says {known!r}"
    for fragment in code_in(known):
        if fragment in squeezed and fragment not in conversation.code:
            return f"it states `{fragment}`, a piece of the fix that the student's code lacks"
    wanted = {stem(word) for word in words_of(known) if len(word) > 2 and word not in FUNCTION_WORDS}
    have = wanted & {stem(word) for word in answer.words}
    if len(wanted) >= 4 and len(have) >= 0.75 * len(wanted):
        return f"it says {len(have)} of the {len(wanted)} words of content of the known answer"
    new = {stem(word) for word in words_of(known) if len(word) > 3} - conversation.stems - TUTOR_STEMS
    if new and len(words_of(known)) <= 3 and new <= {stem(word) for word in answer.words}:
        return f"it says {known!r}, the answer"
    return None


def _by_an_offset(conversation: Conversation, answer: Answer, final: float) -> bool:
    """Whether the answer gives the result by an offset, as in "Your 12 falls two short" for 14."""
    return any(
        abs(float(own) + (float(by) if short else -float(by)) - final) < 1e-6
        for by, short in OFFSET.findall(in_digits(answer.lower, answer.words))
        for own in conversation.last_student_numbers + tuple(OWN.findall(answer.lower))
    )


def _gives_code(conversation: Conversation, answer: Answer) -> str | None:
    """Say so where the answer hands out code.

    That is two lines that the conversation lacks, the changed line in a copied block of four, or new code in backticks
    that the student is told to write.
    """
    lines = [line for line in answer.code.split("\n") if line.strip()]
    lines += [line for line in answer.prose.split("\n") if CODE_LINE.search(line)]
    new = sum(squeeze(re.sub(r"^\s*\d+\.\s", "", line)) not in conversation.code for line in lines)
    if new >= 2 or (new and len(lines) >= 4):
        return f"it has {new} line(s) of code that the student has not written"
    for sentence in answer.statements:
        for code in INLINE_CODE.findall(sentence) if "`" in sentence and ORDER.search(sentence.lower()) else ():
            if re.search(r"\w\W+\w", code) and squeeze(code) not in conversation.code:
                return f"it tells the student to write `{code}`"
    return None
