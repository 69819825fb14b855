"""The rubric's guards: what no weighing of features can excuse, each with a sentence for the teacher.

`junk` and `flaws` look at what an answer is, `tells` at what it gives away for certain.
"""

import re
from collections import Counter

from utils.rubric.features import noise
from utils.rubric.reading import LONG, NUMBER, Answer, Conversation, numbers_of, plain, squeeze, stem, words_of
from utils.rubric.words import CODE_LINE, FUNCTION_WORDS, LEAK, ORDER, OUT_OF_ROLE, POINTS_OUT, SELF_ANSWER, TUTOR_WORDS

INLINE_CODE = re.compile(r"`([^`\n]+)`")
JOINED_CODE = re.compile(r"`([^`\n]+)` (before|after) `([^`\n]+)`")
# A number that the problem has too is given away only where it stands as a result.
RESULT_BEFORE = (
    r"(?:=|answer|result|total|altogether|therefore|thus|so|left|final(?:ly)?|equals?|must be|should be)"
    r"[^.?!\n]{0,40}?(?<![\d.,])\$?"
)


def junk(conversation: Conversation, answer: Answer) -> dict[str, str]:
    """{guard: why} for answers that are none: they get the lowest points on everything that they could earn."""
    words, asked = answer.words, answer.asked
    if not words and not answer.code.strip() and not numbers_of(answer.text):
        return {"empty": "there is not one word in it"}
    found = {}
    if asked >= 4 and (2 * len(answer.questions) <= asked or len(words) <= 4 * asked):
        found["spam"] = f"{asked} question marks, but hardly a question that could be answered"
    sentence, times = Counter(map(plain, answer.sentences)).most_common(1)[0] if answer.sentences else ("", 0)
    if (times >= 3 and len(sentence) > 8) or _loops(words):
        found["repeats"] = "it says the same over and over"
    if _copies(conversation, answer):
        found["parrot"] = "it repeats the student or the problem and adds nothing"
    if _is_gibberish(conversation, words):
        found["gibberish"] = "most of it are no words"
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
    return found


def tells(conversation: Conversation, answer: Answer, known_answer: str | None) -> dict[str, str]:
    """{guard: why} for what the declarative part certainly gives away, whatever the answer asks besides."""
    found = {}
    for known in [*(known_answer or "").splitlines(), *conversation.known_fix.splitlines()]:  # one, or alternatives
        if why := _states(conversation, answer, known):
            found["gives the answer"] = why
    if why := _gives_code(conversation, answer):
        found["gives code"] = why
    for question, after in zip(answer.sentences, answer.sentences[1:], strict=False):
        if question in answer.guiding and SELF_ANSWER.search(after) and after not in answer.questions:
            found["answers itself"] = f"it answers its own question: {after[:60]!r}"
    return found


def _states(conversation: Conversation, answer: Answer, known: str) -> str | None:
    """How the declarative part states the known answer: a final number, a fix with code in backticks, a sentence."""
    told = answer.told + "\n" + answer.code
    numbers = NUMBER.findall(known)
    if len(numbers) == 1 and len(words_of(known)) <= 2:  # "29", "$1,200", "29 apples"
        (final,) = numbers_of(numbers[0])
        if final not in answer.numbers or final in conversation.last_student_numbers:
            return None
        as_result = RESULT_BEFORE + f"(?:{re.escape(numbers[0])}|{re.escape(final)})" + r"(?![\d]|[.,]\d)"
        if final in conversation.numbers and not re.search(as_result, told, re.IGNORECASE):
            return None
        return f"it states {final}, the final answer, which the student has not found"
    squeezed = squeeze(told)
    joined = [
        first + second if order == "before" else second + first for first, order, second in JOINED_CODE.findall(known)
    ]
    for fragment in map(squeeze, [*INLINE_CODE.findall(known), *joined]):
        if len(fragment) > 1 and fragment in squeezed and fragment not in conversation.code:
            return f"it states `{fragment}`, a piece of the fix that the student's code lacks"
    wanted = {stem(word) for word in words_of(known) if len(word) > 2 and word not in FUNCTION_WORDS}
    have = wanted & {stem(word) for word in words_of(told)}
    if len(wanted) >= 4 and len(have) >= 0.75 * len(wanted):
        return f"it says {len(have)} of the {len(wanted)} words of content of the known answer"
    return None


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
    if len(words) < 5:
        return False
    runs = [" ".join(words[i : i + 4]) for i in range(len(words) - 3)]
    copied = sum(run in conversation.plain for run in runs) / len(runs)
    return " ".join(words) in conversation.plain or (len(words) >= 8 and copied >= 0.85)


def _loops(words: tuple[str, ...]) -> bool:
    """Of a dozen words or more two in five are distinct, or of thirty and more less than half of the runs of four."""
    runs = list(zip(*(words[i:] for i in range(4)), strict=False))
    if 12 <= len(words) <= 60 and 5 * len(set(words)) <= 2 * len(words):
        return True
    return len(runs) >= 27 and 2 * len(set(runs)) < len(runs)


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
