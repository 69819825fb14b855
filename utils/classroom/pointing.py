"""Find the step of a solution that a tutor's words refer to, by numbers in its line, position, quantity and operation.

Evidence that several steps share is divided among them. Without a clear leader, no step counts as meant.
"""

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from utils.classroom.numbers import numbers_said
from utils.classroom.problems import SMALLEST, Problem
from utils.classroom.verdicts import confirms, denies, plain
from utils.rubric.text import content_stems, stem, words_of

POINTS = 1.0  # evidence that a step needs to count as the one that is meant …
LEAD = 1.3  # … and how many times the evidence of the next one
COPIED = 0.6  # an utterance with more than this share of the problem's text only repeats it, and points nowhere

# A request in the imperative: "Think about …", "Have another look at …".
REQUEST = re.compile(
    r"^\W*(?:(?:so|now|please|maybe|perhaps|okay|ok|well|then|and|let's|let us|try to|"
    r"you (?:could|can|may|might want to)|i (?:want|would like) you to|i'd like you to|go back and|go back to)\W+)*"
    r"(?:look|think|check|re-?check|double-check|consider|try|explain|tell|show|describe|recall|remember|read|re-?read|"
    r"imagine|picture|draw|go|compare|revisit|review|reconsider|focus|notice|see|work|walk|take|have|pay|say|write|"
    r"justify|examine|test|find|ask|start|suppose|reflect|study|count|use|be|watch|make)\b",
    re.IGNORECASE,
)
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
COMMON = ("total", "altogether", "sum", "all", "cost", "costs", "price", "money", "dollars", "left", "number")  # in any
WORDS = r"[a-z0-9']+"
COUNTED = {"one": 1, "two": 2, "three": 3, "four": 4}


def points_at(problem: Problem, sentences: Sequence[str], utterance: str) -> tuple[str | None, bool]:
    """Return (the step that the utterance points at, whether it asks or requests anything about it)."""
    if not problem.is_generated or _repeats(problem.text, utterance):
        return None, False
    total: Counter[str] = Counter()
    asks = False
    for sentence in sentences:
        requests = sentence.endswith("?") or REQUEST.match(sentence) is not None
        asks |= requests
        weight = 1.0 if requests or denies(sentence) else 0.0 if confirms(sentence) else 0.6
        for step, evidence in evidence_of(problem, sentence).items():
            total[step] += weight * evidence
    ranked = total.most_common(2)
    strange = numbers_said(utterance) - numbers_known(problem)  # perhaps another problem
    if not ranked or ranked[0][1] < POINTS + min(len(strange), 2) / 2:
        return None, asks
    if len(ranked) > 1 and ranked[0][1] < LEAD * ranked[1][1]:
        return None, asks
    return ranked[0][0], asks


def evidence_of(problem: Problem, sentence: str) -> dict[str, float]:
    """Compute how strongly a sentence points at each step, by the step's key."""
    lines, words = problem.lines, f" {' '.join(re.findall(WORDS, plain(sentence)))} "
    numbers, found, stems = numbers_said(sentence), Counter(), f" {_stems(sentence)} "
    for cue, steps in cues_of(problem).items():
        if f" {cue} " in stems:
            for step, weight in steps.items():
                found[step] += weight
    used = [
        operands_of(mine.shown) | operands_of(right.shown) for mine, right in zip(lines, problem.right, strict=True)
    ]
    whole = [
        any(len(operands) > 1 and operands <= numbers for operands in map(operands_of, (mine.shown, right.shown)))
        for mine, right in zip(lines, problem.right, strict=True)
    ]
    for place, line in enumerate(lines):
        step = line.step.key
        if line.value in numbers:
            # "Why did you take 50 from 150?" is about the line that uses 50, not about the line with the result 50.
            passed_on = any(
                line.value in used[later] and (whole[later] or lines[later].value in numbers)
                for later in range(place + 1, len(lines))
            )
            found[step] += 0.5 if passed_on or place == len(lines) - 1 else 3.0
        for number in used[place] & numbers:
            weight = 1.0 if number > SMALLEST else 0.7  # small numbers occur for other reasons too
            found[step] += weight / sum(number in operands for operands in used)
        found[step] += 1.5 * whole[place]
        for sign, pattern in OPERATIONS.items():
            if re.search(rf"\b(?:{pattern})\b", words):
                using = sum(sign in other.shown for other in lines)
                if sign in line.shown:
                    found[step] += 0.6 / using
                elif sign in problem.right[place].shown:  # what the student should have done there
                    found[step] += 0.8 / (1 + using)
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
    """Return the words and phrases that point at steps: {cue: {step: weight}}. Steps with a cue in common share it."""
    weights: dict[str, Counter[str]] = {}
    for line in problem.right:
        step = line.step
        for cue in step.cues.split(","):
            weight = 1.5 if " " in cue.strip() else 0.6 if cue.strip() in COMMON else 1.0
            weights.setdefault(_stems(cue), Counter())[step.key] = weight
        for word in content_stems(words_of(step.what)):
            weights.setdefault(word, Counter()).setdefault(step.key, 0.7)
        if step.key == problem.mistake.step:
            for cue in filter(None, problem.mistake.cues.split(",")):
                weights.setdefault(_stems(cue), Counter()).setdefault(step.key, 0.6)
    return {cue: {step: weight / len(steps) for step, weight in steps.items()} for cue, steps in weights.items()}


def _stems(text: str) -> str:
    """Reduce a text to the stems of its words: "the painted walls" and "paint a wall" have two in common."""
    return " ".join(stem(word) for word in re.findall(WORDS, plain(text).replace("%", " percent ")))


@lru_cache(1024)
def numbers_known(problem: Problem) -> frozenset[Fraction]:
    """Return the numbers of the problem and of its solutions, right and wrong."""
    lines = (*problem.right, *problem.wrong)
    return numbers_said(problem.text).union(*(operands_of(line.shown) | {line.value} for line in lines))


@lru_cache(4096)
def operands_of(shown: str) -> frozenset[Fraction]:
    return numbers_said(shown)


def _repeats(text: str, utterance: str) -> bool:
    """Return whether an utterance contains most of the problem's runs of four words."""
    runs = [set(zip(*(words_of(one)[i:] for i in range(4)), strict=False)) for one in (text, utterance)]
    return len(runs[0] & runs[1]) > COPIED * len(runs[0])
