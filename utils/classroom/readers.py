"""Reading a tutor's words for the rule student: which step of the solution do they point at, and what do they do?

The reader by code weighs what points at a step: the numbers in the student's own lines, "your second line", words for
the step's quantity and for what is calculated. It reads English. Its recall and its false alarms on paraphrases are in
docs/classroom.md (`python -m benchmarks.reader` measures them on yours); `chat_reader.py` asks an LLM instead.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

from utils.classroom.leaks import gives_answer, gives_calculation, tells_step
from utils.classroom.numbers import numbers_said
from utils.classroom.problems import Problem
from utils.rubric.reading import SENTENCE_END, stem, words_of
from utils.rubric.words import phrases

Kind = Literal["targeted", "tells the step", "gives the answer", "other step", "generic", "nothing"]
POINTS = 1.0  # evidence that a step needs before it is taken for the one that is meant …
LEAD = 1.3  # … and how many times that of the next one
COPIED = 0.6  # an utterance that has more of the problem's text than this repeats the problem: it points nowhere


@dataclass(frozen=True)
class Heard:
    """What an utterance is to the student. `step`: the key of the step that it points at."""

    kind: Kind
    step: str | None = None
    confirms: bool = False  # says that the student's answer is right
    denies: bool = False  # says that something is wrong


class Reader(Protocol):
    name: str
    settings: dict[str, Any]

    def read(self, heard: Sequence[tuple[Problem, str, str]], journal_path: Any = None) -> list[Heard]:
        """What each utterance is: (the problem, the dialogue before it, the utterance)."""


# "right" and "wrong" said of the answer. A question ("is that right?") says neither.
_NOT = r"(?:not|\w+n't|never|hardly|far from)(?: \w+){0,2} "
DENIES = phrases(
    "wrong", "incorrect(?:ly)?", "mistake[ns]?", "errors?", "mistaken", "slip(?:ped)?", "inaccurate", "almost",
    "close but", "not there yet", 
    _NOT + r"(?:right|correct|true|accurate|exact(?:ly)?|work|match|add up|it)",
    "not (?:quite|exactly)", "isn't (?:quite|what)", "try (?:it )?again", "went (?:off|astray)", r"no\b(?=[,.!])",
    "too (?:high|low|big|small|large|much)", "however", "not what",
)  # fmt: skip
NO_DENIAL = phrases(
    r"(?:no|any|without) (?:\w+ )?(?:mistakes?|errors?)", "(?:not|isn't|nothing) wrong",
    "if (?:it|that|this) (?:is|were)",
    "can't go wrong", "(?:a |the )?common mistakes?", "learn from",
)  # fmt: skip
CONFIRMS = phrases(
    "correct(?:ly)?", "(?:that|this|it)(?:'s| is| was) (?:\\w+ )?right", "you(?:'re| are) (?:\\w+ )?right", "exactly",
    "(?:answer|result|solution|work|it all|everything) (?:is|looks|seems)(?: \\w+)? (?:right|fine|good)", "checks out",
    "well done", "perfect(?:ly)?", "spot on", "(?:you )?(?:got|have|nailed) it", "that(?:'s| is) it", "bravo",
    "solved it", "^yes", "^right", "^absolutely", "i agree",
)  # fmt: skip
# What is right here is a part of it, or is yet to be found.
PARTLY = phrases(
    "but", "although", "though", "so far", "first", "second", "third", "step", "part", "line", "method", "idea",
    "approach", "track", "start", "beginning", "until", "setup", "the correct", "the right", "a correct", "find", "get",
    "to check", "whether", "if", "calculation of", "would", "might", "could",
)  # fmt: skip
# A request that is put as an order: "Think about …", "Have another look at …".
REQUEST = re.compile(
    r"^\W*(?:(?:so|now|please|maybe|perhaps|okay|ok|well|then|and|let's|let us|try to|"
    r"you (?:could|can|may|might want to)|i (?:want|would like) you to|i'd like you to|go back and|go back to)\W+)*"
    r"(?:look|think|check|re-?check|double-check|consider|try|explain|tell|show|describe|recall|remember|read|re-?read|"
    r"imagine|picture|draw|go|compare|revisit|review|reconsider|focus|notice|see|work|walk|take|have|pay|say|write|"
    r"justify|examine|test|find|ask|start|suppose|reflect|study|count|use|be|watch|make)\b",
    re.IGNORECASE,
)
TOLD = re.compile(
    r"\b(?:should|needs? to|have to|has to|must|ought to|just|simply|instead)\b|"
    r"^\W*(?:multiply|add|subtract|divide)",
    re.IGNORECASE,
)
GENERIC = phrases("how", "why", "what", "check", "again", "explain", "work", "answer", "solution", "think", "sure")
OPERATIONS = {
    "×": r"multipl\w+|times|product|repeated",
    "+": r"add\w*|sum|plus|put\w* together|combin\w+",
    "−": r"subtract\w*|minus|tak\w+ away|difference|take (?:it|them|this|that) off",
    "÷": r"divi\w+|split\w*|quotient|share[sd]? (?:out|equally)",
}
ORDINALS = {word: i for i, word in enumerate(["first", "second", "third", "fourth"])}
PLACES = re.compile(
    r"\b(?:(first|second|third|fourth|last|final) (?:\w+ )?(?:step|line|calculation|row|equation|sum|operation|number)"
    r"|(?:step|line|calculation|row|number) (?:number )?(\d|one|two|three|four))\b"
)
WORDS = r"[a-z0-9']+"
COUNTED = {"one": 1, "two": 2, "three": 3, "four": 4}


class CodeReader:
    """Reads by rules: no key, no server, the same every time."""

    name = "code"

    @property
    def settings(self) -> dict[str, Any]:
        return {"reader": "code", "version": 1}

    def read(self, heard: Sequence[tuple[Problem, str, str]], journal_path: Any = None) -> list[Heard]:
        return [read_utterance(*one) for one in heard]


def read_utterance(problem: Problem, before: str, said: str) -> Heard:
    """What `said` is to a student who has come to `before`."""
    sentences = [part.strip() for part in SENTENCE_END.split(said) if part.strip()]
    denies = any(_denies(sentence) for sentence in sentences)
    confirms = not denies and any(_confirms(sentence) for sentence in sentences)
    step, asks = _points_at(problem, sentences, said)
    if not problem.student_is_right and (
        gives_answer(problem, said, before) or gives_calculation(problem, said, before)
    ):
        return Heard("gives the answer", step, confirms, denies)
    if tells_step(problem, said, before):
        return Heard("tells the step", problem.mistake.step, confirms, denies)
    if step and problem.mistake and step == problem.mistake.step and not problem.student_is_right:
        if _tells_operation(problem, sentences):
            return Heard("tells the step", step, confirms, denies)
        if asks or denies:
            return Heard("targeted", step, confirms, denies)
    elif step:
        return Heard("other step", step, confirms, denies)
    return Heard("generic" if denies or GENERIC.search(said) else "nothing", None, confirms, denies)


def _denies(sentence: str) -> bool:
    return bool(DENIES.search(NO_DENIAL.sub(" ", _plain(sentence)))) and not sentence.endswith("?")


def _confirms(sentence: str) -> bool:
    plain = _plain(sentence)
    return bool(CONFIRMS.search(plain)) and not PARTLY.search(plain) and not sentence.endswith("?")


def _plain(sentence: str) -> str:
    return sentence.lower().replace("’", "'").lstrip()


def _points_at(problem: Problem, sentences: Sequence[str], said: str) -> tuple[str | None, bool]:
    """(the step that the utterance points at, whether it asks or requests anything about it)."""
    if not problem.is_generated or _repeats(problem.text, said):
        return None, False
    total: Counter[str] = Counter()
    asks = False
    for sentence in sentences:
        requests = sentence.endswith("?") or REQUEST.match(sentence) is not None
        asks |= requests
        weight = 1.0 if requests or _denies(sentence) else 0.0 if _confirms(sentence) else 0.6
        for step, evidence in evidence_of(problem, sentence).items():
            total[step] += weight * evidence
    ranked = total.most_common(2)
    if not ranked or ranked[0][1] < POINTS:
        return None, asks
    if len(ranked) > 1 and ranked[0][1] < LEAD * ranked[1][1]:
        return None, asks
    return ranked[0][0], asks


def evidence_of(problem: Problem, sentence: str) -> dict[str, float]:
    """How much a sentence points at each step, by the step's key."""
    lines, words = problem.lines, f" {' '.join(re.findall(WORDS, _plain(sentence)))} "
    numbers, found, stems = numbers_said(sentence), Counter(), f" {_stems(sentence)} "
    for cue, steps in cues_of(problem).items():
        if f" {cue} " in stems:
            for step, weight in steps.items():
                found[step] += weight
    for place, line in enumerate(lines):
        step, operands = line.step.key, operands_of(line.shown)
        if line.value in numbers:
            found[step] += 0.5 if place == len(lines) - 1 else 3.0
        said = operands & numbers
        for number in said:
            found[step] += 1.0 / sum(number in operands_of(other.shown) for other in lines)
        if len(said) > 1 and said == operands:
            found[step] += 1.5
        for sign, pattern in OPERATIONS.items():
            if sign in line.shown and re.search(rf"\b(?:{pattern})\b", words):
                found[step] += 0.8 / sum(sign in other.shown for other in lines)
    for ordinal, number in PLACES.findall(words):
        place = (
            len(lines) - 1 if ordinal in ("last", "final")
            else ORDINALS[ordinal] if ordinal else int(COUNTED.get(number, number)) - 1
        )  # fmt: skip
        if 0 <= place < len(lines):
            found[lines[place].step.key] += 3.0
    return found


@lru_cache(1024)
def cues_of(problem: Problem) -> dict[str, dict[str, float]]:
    """The words and phrases that point at steps: {cue: {step: weight}}. What several steps share counts a share."""
    weights: dict[str, Counter[str]] = {}
    for line in problem.right:
        step = line.step
        for cue in step.cues.split(","):
            weights.setdefault(_stems(cue), Counter())[step.key] = 1.0 + 0.5 * (" " in cue.strip())
        if step.key == problem.mistake.step:
            for cue in filter(None, problem.mistake.cues.split(",")):
                weights.setdefault(_stems(cue), Counter()).setdefault(step.key, 0.6)
    return {cue: {step: weight / len(steps) for step, weight in steps.items()} for cue, steps in weights.items()}


def _stems(text: str) -> str:
    """The stems of a text's words: "the painted walls" and "paint a wall" have two in common."""
    return " ".join(stem(word) for word in re.findall(WORDS, _plain(text).replace("%", " percent ")))


@lru_cache(4096)
def operands_of(shown: str) -> frozenset:
    return numbers_said(shown)


def _tells_operation(problem: Problem, sentences: Sequence[str]) -> bool:
    """Whether an order names the right operation of the mistaken step, which the student did not use."""
    right, wrong = problem.right[problem.at].shown, problem.wrong[problem.at].shown
    signs = [sign for sign in OPERATIONS if sign in right and sign not in wrong]
    return any(
        TOLD.search(sentence) and not sentence.endswith("?")
        and any(re.search(rf"\b(?:{OPERATIONS[sign]})\b", _plain(sentence)) for sign in signs)
        for sentence in sentences
    )  # fmt: skip


def _repeats(text: str, said: str) -> bool:
    """Whether most of the problem stands in an utterance, in runs of four words."""
    runs = [set(zip(*(words_of(one)[i:] for i in range(4)), strict=False)) for one in (text, said)]
    return len(runs[0] & runs[1]) > COPIED * len(runs[0])
