"""The rubric's guards: what no weighing of features can excuse, each with a sentence for the teacher.

`junk` and `flaws` look at what an answer is, `tells` at what it gives away for certain.
"""

import re
from functools import lru_cache

from utils.answers import loops
from utils.rubric.any_language import INLINE_CODE, OWN_VERDICT, code_in, squeeze
from utils.rubric.features import noise
from utils.rubric.reading import (
    LONG,
    NUMBER,
    TUTOR_STEMS,
    Answer,
    Conversation,
    as_digits,
    copied,
    numbers_of,
    plain,
    stem,
    words_of,
)
from utils.rubric.word_order import kinds, order, shares_of_content
from utils.rubric.words import (
    CODE_LINE,
    FLATTERY,
    FUNCTION_WORDS,
    LEAK,
    ORDER,
    OUT_OF_ROLE,
    POINTS_OUT,
    SELF_ANSWER,
    TUTOR_WORDS,
)

# A number that was said before is given away only where it stands as a result; one that the problem itself gives, only
# where it is called so.
AS_RESULT = r"(?:\b(?:answer|result|altogether|therefore|thus|final(?:ly)?|must be|should be|would be)\b"
AS_OUTCOME = AS_RESULT + r"|=|\b(?:equals?|total|so|left|actually|simply|correct(?:ly)?|gives?|makes?|get|is)\b"
UP_TO = r")(?:(?!\bnot\b|n't)[^.?!\n]){0,40}?(?<![\d.,])\$?"
AFTER = r"(?![\d]|[.,]\d| ?[-+*/×÷x=] ?\$?\d| (?:times|plus|minus|divided|multiplied)\b)"
SUM = re.compile(
    r"(?<![\d.+*/×÷x=$-])(?<![-+*/×÷x=] )(?<![-+*/×÷x=] \$)(?<![-+*/×÷x=]\$)(?<!plus )(?<!minus )(?<!times )(?<!and )"
    r"\$?(\d+(?:\.\d+)?) ?(\+|-|–|\*|×|x|/|÷|plus|and|minus|times|divided by|multiplied by) ?\$?(\d+(?:\.\d+)?) ?"
    r"(=|is|equals|makes?|gives?|add up to) ?\$?(\d+(?:\.\d+)?)(?!\.?\d|%| ?[-+*/×÷x=%])",
    re.IGNORECASE,
)
GROUPS, ZEROS = re.compile(r"(?<=\d),(?=\d{3})"), re.compile(r"(?<=\d)\.0+(?!\d)")
FEW_WORDS = 8  # too few to judge their order by
KEYWORDS = 0.75  # share of words of content: real teachers' sentences have a third to two thirds
DISORDER = 0.35  # see `word_order.order`: one or two of a hundred real teachers' turns pass it
MUCH = 4000  # characters: an order that holds for so many holds


def junk(conversation: Conversation, answer: Answer) -> dict[str, str]:
    """{guard: why} for answers that are none: they get the lowest points on everything that they could earn."""
    words, asked = answer.words, answer.asked
    if not words and not answer.code.strip() and not numbers_of(answer.text):
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


def flaws(conversation: Conversation, answer: Answer) -> dict[str, str]:
    """{guard: why} for answers that are partly sound: their points are capped."""
    found = {}
    if noise(conversation, answer) >= 0.8:
        found["garbled"] = "much of it is debris: words run together, markup, other scripts"
    if LEAK.search(answer.prose):
        found["plays the student"] = "it goes on with another speaker's turn"
    strange = [
        phrase for phrase in OUT_OF_ROLE.findall(answer.prose) if phrase.split()[-1].lower() not in conversation.words
    ]
    if strange:
        found["out of role"] = f"it speaks of {strange[0].lower()!r} instead of speaking to the student"
    if not answer.code.strip() and "`" not in answer.prose and 0 < salad(answer.prose) < 1:
        found["word salad"] = "its words are in an order that hardly a sentence has"
    if OWN_VERDICT.search(answer.text):
        found["carries a verdict"] = "it grades itself"
    if answer.questions and not answer.guiding:
        found["only checks"] = "it asks nothing but whether that was understood"
    elif answer.guiding and not answer.code.strip() and not conversation.mentions(answer.prose):
        found["generic"] = "it could be said to everyone: no word, number or code of this dialogue is in it"
    if flatters(answer):
        found["flatters"] = "it praises the student instead of looking at the work"
    if why := wrong_sum(conversation, answer):
        found["wrong sum"] = f"it says that {why}"
    return found


@lru_cache(8)  # asked twice for each answer
def salad(prose: str) -> float:
    """0: the words are in an order that sentences have, or too few to tell; 1: in none; between: hardly."""
    row = kinds(prose[:MUCH])
    words, content = shares_of_content(row)
    if words < FEW_WORDS:
        return 0.0
    if content > KEYWORDS:
        return 1.0
    disorder = -order(row)
    return 1.0 if disorder > 1 else 0.5 if disorder > DISORDER else 0.0


def flatters(answer: Answer) -> bool:
    """Two flattering phrases beside its questions; real teachers say one at most."""
    return len(FLATTERY.findall(answer.told)) >= 2


def wrong_sum(conversation: Conversation, answer: Answer) -> str | None:
    """A calculation with a wrong result, "6 + 14 = 21" or "6 and 14 make 21", which is not the student's own."""
    for left, sign, right, equals, result in SUM.findall(plain_numbers(answer.told)):
        if as_digits(result) in conversation.last_student_numbers or (sign == "/" and equals != "="):  # "2/3 is 12"
            continue
        one, other, stated = (float(number) for number in (left, right, result))
        match sign.lower().split()[0]:
            case "+" | "plus" | "and":
                true = one + other
            case "-" | "–" | "minus":
                true = one - other
            case "/" | "÷" | "divided":
                true = one / other if other else None
            case _:
                true = one * other
        if true is not None and abs(true - stated) > 0.01 * max(1.0, abs(true)):  # a rounded result is not wrong
            return f"{left} {sign} {right} is {result}"
    return None


def tells(conversation: Conversation, answer: Answer, known_answer: str | None) -> dict[str, str]:
    """{guard: why} for what the declarative part certainly gives away, whatever the answer asks besides."""
    found = {}
    for known in [*(known_answer or "").splitlines(), *conversation.known_fix.splitlines()]:  # one, or alternatives
        if why := _states(conversation, answer, known):
            found["gives the answer"] = why
    if why := _gives_code(conversation, answer):
        found["gives code"] = why
    guiding, questions = set(answer.guiding), set(answer.questions)
    for question, after in zip(answer.sentences, answer.sentences[1:], strict=False):
        if question in guiding and SELF_ANSWER.search(after) and after not in questions:
            found["answers itself"] = f"it answers its own question: {after[:60]!r}"
    return found


def _states(conversation: Conversation, answer: Answer, known: str) -> str | None:
    """How the answer states the known one: a final number, a fix with code in backticks, a sentence.

    A number or a piece of code that the dialogue did not have counts inside a question, too.
    """
    numbers = NUMBER.findall(known)
    if len(numbers) == 1 and len(words_of(known)) <= 2:  # "29", "$1,200", "29 apples"
        (final,) = numbers_of(numbers[0])
        if final in conversation.last_student_numbers[-1:]:
            return None  # the student has it
        if final not in conversation.numbers:
            said = final in numbers_of(answer.prose, list(answer.words))
        else:
            places = [(AS_RESULT, answer.prose)]
            if final not in conversation.given_numbers:
                places.append((AS_OUTCOME, answer.told))
            said = any(
                re.search(before + UP_TO + re.escape(final) + AFTER, plain_numbers(text), re.IGNORECASE)
                for before, text in places
            )
        return f"it states {final}, the final answer, which the student has not found" if said else None
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


def plain_numbers(text: str) -> str:
    """ "$1,200.00" is "$1200"."""
    return ZEROS.sub("", GROUPS.sub("", text))


def _gives_code(conversation: Conversation, answer: Answer) -> str | None:
    """Two lines of code that the conversation lacks, the changed line of a copied block of four, or new code in
    backticks that the student is told to write."""
    lines = [line for line in answer.code.split("\n") if line.strip()]
    lines += [line for line in answer.prose.split("\n") if CODE_LINE.search(line)]
    new = sum(squeeze(re.sub(r"^\s*\d+\.\s", "", line)) not in conversation.code for line in lines)
    if new >= 2 or (new and len(lines) >= 4):
        return f"it has {new} line(s) of code that the student has not written"
    for sentence in answer.told.split("\n"):
        for code in INLINE_CODE.findall(sentence) if ORDER.search(sentence) else ():
            if re.search(r"\w\W+\w", code) and squeeze(code) not in conversation.code:
                return f"it tells the student to write `{code}`"
    return None


def _copies(conversation: Conversation, answer: Answer) -> bool:
    """The student's last line, or five words or more that stand so in the student's turns or the problem, or nearly."""
    words = plain(answer.text).split()
    if " ".join(words) == conversation.last_student_plain:
        return True
    return len(words) >= 5 and copied(words, conversation, 0.85 if len(words) >= 8 else 1.0)


def _is_gibberish(conversation: Conversation, words: tuple[str, ...]) -> bool:
    """Hardly a common word: letters in run-together tokens, or four words and none that is known."""
    common = sum(word in FUNCTION_WORDS or word in TUTOR_WORDS for word in words)
    run_together = sum(len(word) for word in words if len(word) > LONG and word not in conversation.words)
    nothing_known = len(words) >= 4 and not common and not any(word in conversation.words for word in words)
    return nothing_known or (common < 6 and 2 * run_together > sum(map(len, words)))


def _strays(conversation: Conversation, answer: Answer) -> str | None:
    """Three words of content or more, and next to none of them in the conversation; half a word for those that are
    usual in such a lesson."""
    stems = answer.stems
    shared = sum(stem in conversation.stems for stem in stems)
    shared += sum(stem in conversation.lesson_stems for stem in stems if stem not in conversation.stems) / 2
    shared += len(
        conversation.numbers.intersection(n for n in numbers_of(answer.text, list(answer.words)) if len(n) > 1)
    )
    shared += POINTS_OUT.search(answer.prose) is not None  # it speaks about the student's work
    if answer.code or len(stems) < 3 or shared >= min(3.5, 0.2 * len(stems)):
        return None
    return f"the conversation has next to none of its {len(stems)} words of content"
