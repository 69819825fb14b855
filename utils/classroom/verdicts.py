"""Detect by rules whether an English sentence says that the student's answer is right, or that something is wrong.

A question ("is that right?") says neither. Calling a part right ("your first step is correct") does not confirm the
answer, and neither does praise of the student ("great job!").
"""

import re
from fractions import Fraction

from utils.classroom.numbers import numbers_said
from utils.rubric.words import phrases

_NOT = r"(?:not|\w+n't|never|hardly|far from)(?: \w+){0,2} "
DENIES = phrases(
    "wrong", "incorrect(?:ly)?", "mistake[ns]?", "errors?", "mistaken(?:ly)?", "slip(?:ped)?", "inaccurate", "almost",
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
    "correct(?:ly)?", "(?:that|this|it)(?:'s| is| was) (?:\\w+ )?right", "you(?:'re| are) (?:\\w+ )?right", "^exactly",
    "(?:answer|result|solution|work|it all|everything) (?:is|looks|seems)(?: \\w+)? (?:right|fine|good)", "checks out",
    "well done", "^perfect(?:ly)?", "(?:that's|is) perfect", "spot on", "(?:you )?(?:got|have|nailed) it",
    "that(?:'s| is) it", "bravo", "solved it", "^yes", "^right", "^absolutely", "i agree",
)  # fmt: skip
# "The answer to it is 12.", "Mina earns $12." and "12" state a result. "You got 12." describes what the student did.
STATES = re.compile(
    r"(?:^|\b(?:is|are|be|equals|makes|gives|gets?|earns?|pays?|has|have|takes?|costs?|left|so|to|answer:|=)\W*"
    r"(?:indeed |about |exactly )?)\W*(\d[\d.,]*)"
)
ABOUT_THE_STUDENT = phrases(
    "you", "your", "i", "my", "you're", "let's", "let us", "where", "how", "why", "check", "i see", "if"
)
# Only a part is called right, or what is right has yet to be found.
PARTLY = phrases(
    "but", "although", "though", "so far", "first", "second", "third", "step", "part", "line", "method", "idea",
    "approach", "track", "start", "beginning", "until", "setup", "the correct", "the right", "a correct", "find", "get",
    "to check", "whether", "if", "calculation of", "would", "might", "could",
)  # fmt: skip


def denies(sentence: str) -> bool:
    """Return whether the sentence says that something is wrong."""
    return bool(DENIES.search(NO_DENIAL.sub(" ", plain(sentence)))) and not sentence.endswith("?")


def confirms(sentence: str) -> bool:
    """Return whether the sentence says that the whole answer is right."""
    words = plain(sentence)
    return bool(CONFIRMS.search(words)) and not PARTLY.search(words) and not sentence.endswith("?")


def states(sentence: str, value: Fraction) -> bool:
    """Return whether the sentence states `value` as the result, and is not about what the student did."""
    words = plain(sentence)
    if sentence.endswith("?") or PARTLY.search(words) or ABOUT_THE_STUDENT.search(words):
        return False
    return any(value in numbers_said(number.rstrip(".,")) for number in STATES.findall(words))


def plain(sentence: str) -> str:
    """Return the sentence in lower case, with straight apostrophes."""
    return sentence.lower().replace("’", "'").lstrip()
