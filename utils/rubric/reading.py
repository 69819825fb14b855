"""Parse a dialogue and a tutor's answer for the rubric: sentences, questions, content words, numbers, code."""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from utils.dialogue import split_turns
from utils.rubric.any_language import BUG_FIXES, FOR_THE_TUTOR, squeeze
from utils.rubric.quantities import PLACE, in_digits, numbers_of, without_places
from utils.rubric.text import (
    CODE_STEMS,
    MATH_STEMS,
    VAGUE_STEMS,
    content_stems,
    pairs_of,
    plain,
    runs_of,
    sentences_of,
    words_of,
)
from utils.rubric.words import CLOSER, INDIRECT, INTERROGATIVE, LATEX, LEADING, MARKUP

CODE_BLOCK = re.compile(r"```[^\n`]*\n?(.*?)(?:```|\Z)", re.DOTALL)
APPENDED = re.compile(r"(?<!\.)[.!]\s*\?+$")  # a statement with question marks behind its full stop
SHOUTED = re.compile(r"(?:\?\s*){3}$")  # "?????" makes no question of a sentence that is not built like one
HOW = frozenset(("how", "why", "which", "where"))  # one of them is in every INDIRECT question
EARLIER = 20  # questions that a new one is compared with: with all of them, time would grow by the square
CLOSER_REST = 3  # words: with more behind it, "do you see …" asks for something of its own
CLAIM = 8  # words: a leading question that is as long states something
LONG = 18  # letters: a longer token is words run together, unless the conversation has it


@dataclass(frozen=True)
class Conversation:
    """A dialogue that ends where the tutor speaks next. `known_fix` is the bug fix that a prompt tells the tutor."""

    text: str  # everything that was said
    known_fix: str
    words: frozenset[str]
    stems: frozenset[str]  # of words of content, everyone's
    last_student_stems: frozenset[str]
    last_tutor_stems: frozenset[str]
    numbers: frozenset[str]  # said so far by anyone
    last_student_numbers: tuple[str, ...]
    last_student_plain: str
    last_student_pairs: frozenset[tuple[str, str]]  # words in a row, as a tutor would say them: "my" is "your"
    student_turns: int
    student_asks: bool  # in the last turn
    runs: frozenset[tuple[str, ...]]  # four words in a row of the student's turns or before the first one: copies
    problem: str  # up to the first question mark
    code: str  # everything without white space: for finding copied code
    lesson_stems: frozenset[str]  # what may come up in any lesson of this kind
    has_markup: bool
    programs: bool  # a lesson about code
    calculates: bool  # a lesson about numbers: what it is after is one

    @cached_property
    def given_numbers(self) -> frozenset[str]:
        """The numbers in the problem."""
        return frozenset(numbers_of(self.problem, words_of(self.problem)))

    @cached_property
    def has_places(self) -> bool:
        """Whether its lines or steps have numbers, by which an answer could point at them."""
        text = self.text.lower()
        return without_places(text) != f"\n{text}"

    def mentioned_in(self, text: str) -> int:
        """Count how often a text refers to this dialogue: by a content word once, by a number, a place or code twice.

        Two words that are usual in this kind of lesson ("assign", "loop") count once, too.
        """
        words = words_of(text)
        stems = set(content_stems(words)) - VAGUE_STEMS
        certain = (
            not self.numbers.isdisjoint(numbers_of(text, words))
            or ("`" in text and self.programs)
            or ((self.programs or self.has_places) and PLACE.search(text.lower()) is not None)
        )
        usual = len(stems & self.lesson_stems) >= 2
        return max(len(stems & self.stems), usual) + 2 * certain


@dataclass(frozen=True)
class Answer:
    """A tutor's answer, cut into sentences."""

    text: str
    prose: str  # without the code blocks
    lower: str  # `prose` in lower case
    code: str  # the code blocks
    words: tuple[str, ...]  # of the whole text, in lower case
    sentences: tuple[str, ...]
    asked: int  # sentences that end on a question mark, real questions or not
    questions: tuple[str, ...]  # the real ones, see `is_real_question`
    guiding: tuple[str, ...]  # real questions that are no closers
    answered: tuple[tuple[str, str], ...]  # each guiding question with the statement right behind it
    statements: tuple[str, ...]  # the declarative part: the sentences that ask nothing, and leading questions
    told: str  # the same in lower case, a line each
    told_digits: str  # the same with the number words as digits
    told_words: int
    told_stems: frozenset[str]
    numbers: tuple[str, ...]  # in the declarative part
    all_numbers: tuple[str, ...]  # anywhere in the prose
    stems: tuple[str, ...]  # of words of content, one each


@lru_cache(64)  # the candidates of one prompt come one after the other
def read_conversation(text: str) -> Conversation:
    """Parse a dialogue in any format that `utils.dialogue` knows."""
    turns = [turn for turn in split_turns(text) if turn.content]
    before = "\n".join(turn.content for turn in turns if turn.speaker is None)
    known_fix = "\n".join(BUG_FIXES.findall(before))
    before = FOR_THE_TUTOR.sub(" ", before)
    students = [turn.content for turn in turns if turn.speaker == "student"] or [before]
    tutors = [turn.content for turn in turns if turn.speaker == "teacher"] or [""]
    texts = [before, *tutors, *students]  # the last one is what the student said last
    everything = "\n".join(texts)
    words = [words_of(one) for one in texts]
    numbers = [numbers_of(one, of) for one, of in zip(texts, words, strict=True)]
    theirs = [plain(one) for one in (before, *students)]
    lesson: frozenset[str] = frozenset()
    programs = "`" in everything or "<bug_code>" in everything
    counts = len(set().union(*numbers)) >= 3
    if programs:
        lesson |= CODE_STEMS
    if counts:
        lesson |= MATH_STEMS
    return Conversation(
        text=everything,
        known_fix=known_fix,
        words=frozenset().union(*words),
        stems=frozenset(content_stems(set().union(*words))),
        last_student_stems=frozenset(content_stems(words[-1])),
        last_tutor_stems=frozenset(content_stems(words[len(tutors)])),
        numbers=frozenset().union(*numbers),
        last_student_numbers=tuple(numbers[-1]),
        last_student_plain=theirs[-1],
        last_student_pairs=frozenset(pairs_of(theirs[-1].split())),
        student_turns=len(students),
        student_asks="?" in students[-1],
        runs=frozenset().union(*(runs_of(one.split()) for one in theirs)),
        problem="\n".join([before, *(turn.content for turn in turns)]).partition("?")[0],
        code=squeeze(everything),
        lesson_stems=lesson,
        has_markup=bool(MARKUP.search(everything) or LATEX.search(everything)),
        programs=programs,
        calculates=counts and not programs,
    )


def read_answer(text: str, conversation: Conversation) -> Answer:
    """Parse a tutor's answer to `conversation`."""
    prose = CODE_BLOCK.sub("\n", text)
    sentences = sentences_of(prose)
    questions, guiding, told, told_words = [], [], [], []
    earlier: deque[set[str]] = deque(maxlen=EARLIER)
    for sentence in sentences:
        lower, of = sentence.lower(), words_of(sentence)
        asks = lower.endswith("?") or (not HOW.isdisjoint(of) and INDIRECT.search(lower) is not None)
        if not asks or not is_real_question(sentence, set(of), earlier, conversation):
            told.append(sentence)
            told_words += of
            continue
        if len(of) >= CLAIM and LEADING.search(lower):  # it asks, and tells what it asks
            told.append(sentence)
            told_words += of
        questions.append(sentence)
        earlier.append(set(of))
        closer = CLOSER.search(lower)
        if closer is None or len(words_of(lower[closer.end() :])) > CLOSER_REST:
            guiding.append(sentence)
    words, declarative = words_of(text), "\n".join(told).lower()
    return Answer(
        text=text,
        prose=prose,
        lower=prose.lower(),
        code="\n".join(CODE_BLOCK.findall(text)),
        words=tuple(words),
        sentences=tuple(sentences),
        asked=sum(sentence.endswith("?") for sentence in sentences),
        questions=tuple(questions),
        guiding=tuple(guiding),
        answered=tuple(
            (one, after)
            for one, after in pairwise(sentences)
            if one in guiding and after not in questions and not after.endswith("?")
        ),
        statements=tuple(told),
        told=declarative,
        told_digits=in_digits(declarative, told_words),
        told_words=len(told_words),
        told_stems=frozenset(content_stems(told_words)),
        numbers=tuple(numbers_of(declarative, told_words)),
        all_numbers=tuple(numbers_of(prose, words)),
        stems=tuple(content_stems(words)),
    )


def is_real_question(sentence: str, words: set[str], earlier: Iterable[set[str]], conversation: Conversation) -> bool:
    """Whether it has three distinct words, repeats no earlier question, and copies neither student nor problem."""
    if (
        len(words) < 3
        or APPENDED.search(sentence)
        or (SHOUTED.search(sentence) and not INTERROGATIVE.match(sentence.lower()))
    ):
        return False
    if any(len(words & other) >= 0.8 * len(words | other) for other in earlier):
        return False
    return not copied(plain(sentence).split(), conversation)


def copied(words: list[str], conversation: Conversation, share: float = 1.0) -> bool:
    """Whether at least this share of the four-word runs is the student's or the problem's."""
    runs = runs_of(words)
    return bool(runs) and sum(map(conversation.runs.__contains__, runs)) >= share * len(runs)


def echoed(words: list[str], conversation: Conversation) -> float:
    """Return the share of word pairs that are in the student's last turn, "I" and "you" exchanged."""
    pairs = pairs_of(words)
    return sum(map(conversation.last_student_pairs.__contains__, pairs)) / len(pairs) if pairs else 0.0
