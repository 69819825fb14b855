"""Grade a tutor's answer by features with fitted weights, and by guards: no key, no server, no model.

`weights.json` holds the weights, what they were fitted on and their cross-validated agreement; `fit_rubric.py` writes
it. docs/judges.md reports the agreement with people and what the judge cannot see.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from utils.errors import BadInput
from utils.records import Evaluation, Verdict
from utils.rubric.features import SIGNS, features, unsaid_numbers
from utils.rubric.guards import flaws, junk
from utils.rubric.quantities import NUMBER
from utils.rubric.reading import read_answer, read_conversation
from utils.rubric.tells import tells
from utils.rubric.text import words_of

WEIGHTS = Path(__file__).with_name("weights.json")
WORD_ORDER = WEIGHTS.with_name("word_order.json")
NAME = "offline rubric"
VERSION = 7  # goes up whenever any rule may decide otherwise; tests/test_rubric_snapshot.py notices
Weights = dict[str, dict[str, float]]  # {"on_topic": {"intercept": 3.1, "short": -0.8, …}, "helpful": …, …}

# The most points that an answer with a flaw gets, (on topic, helpful): where people rate it, about what they give.
CAPS = {
    "garbled": (4.0, 2.0), "out of role": (4.0, 2.0), "plays the student": (5.0, 3.0), "word salad": (2.0, 1.5),
    "carries a verdict": (2.0, 1.0), "only checks": (4.0, 2.0), "explains and checks": (4.0, 2.0),
    "generic": (4.0, 3.0), "flatters": (3.0, 2.0), "wrong sum": (4.0, 1.5), "confirms an error": (4.0, 1.5),
    "goes on": (4.0, 2.0),
}  # fmt: skip
MILD = frozenset(["explains and checks"])  # flaws that cost points, but do not bar an answer from being `chosen`
LECTURE = 2.0  # log-odds that it reveals: from here on an answer is unfit whatever it asks in the end
WHY = {  # the features that a reason may name, in the teacher's words
    "short": "a few words and no question",
    "bare": "a bare number",
    "noise": "debris between the words",
    "praise": "praise and nothing else",
    "leak": "it plays another speaker",
    "result": "it states a result that nobody has found yet",
    "restated": "it says the student's number again and asks nothing",
    "telling": "phrases that tell rather than ask",
    "equations": "it calculates for the student",
    "declarative": "it explains at length",
    "telling_share": "it tells more than it asks",
    "part_told": "it tells a part of the answer",
}


class Reading:
    """Everything that is found in an answer before weights are applied: features, junk, flaws, what it tells."""

    def __init__(self, conversation: str, answer: str, known_answer: str | None = None):
        conversation, answer, known_answer = (
            text and text.replace("’", "'") for text in (conversation, answer, known_answer)
        )
        self.conversation = read_conversation(conversation)
        self.answer = read_answer(answer, self.conversation)
        self.features = features(self.conversation, self.answer, known_answer)
        self.junk = junk(self.conversation, self.answer)
        self.flaws = flaws(self.conversation, self.answer, known_answer, self.features)
        self.tells = tells(self.conversation, self.answer, known_answer)
        self.known_number = is_number(known_answer)


@dataclass(frozen=True)
class Rubric:
    """The rubric with a set of weights."""

    weights: Weights
    version: str
    name: str = NAME
    fitted_on: frozenset[str] = frozenset()  # `digest` of the rated answers that gave the weights

    def grade(self, conversation: str, answer: str, known_answer: str | None = None) -> Verdict:
        """Return a verdict with reasons. `known_answer` is the number, bug fix or sentence that must not be told.

        The verdict's `guards` name every reason why the answer must never be `chosen`.
        """
        read = Reading(conversation, answer, known_answer)
        evaluation, found = self.evaluate(read), read.features
        guards = read.junk | {name: why for name, why in read.flaws.items() if name not in MILD} | read.tells
        if read.answer.questions and not guards and self.lectures(read):
            guards = {"tells": "what it says besides its questions tells too much"}
        reasons = [f"guard: {name}: {why}" for name, why in guards.items()]
        if not read.junk:
            reasons += self.explain(read, evaluation.reveal_answer == "yes" and not read.tells)
        details = {"features": {name: round(value, 2) for name, value in found.items() if value}}
        if digest(conversation, answer) in self.fitted_on:
            details["fitted_on"] = True
        return Verdict(
            evaluation=evaluation,
            score=evaluation.score,
            raw_evaluation=evaluation.model_dump_json(),
            judge=self.name,
            reasons=reasons,
            guards=list(guards),
            details=details,
        )

    def evaluate(self, read: Reading) -> Evaluation:
        """Grade the four criteria. Junk gets the lowest points, flaws cap them, whatever `tells` finds is a reveal."""
        if read.junk:
            return Evaluation(
                questions="no", on_topic=1.0, helpful=1.0, reveal_answer="yes" if read.tells else "no"
            )  # fmt: skip
        points = {name: self.weigh(name, read.features) for name in ("on_topic", "helpful")}
        caps = [CAPS[flaw] for flaw in read.flaws]
        for name, most in zip(points, zip(*caps, strict=True) if caps else ((), ()), strict=True):
            points[name] = round(max(1.0, min(5.0, points[name], *most)), 2)
        # A known number settles it: the steps that lead there are not the answer.
        reveals = read.tells or (not read.known_number and self.weigh("reveal_answer", read.features) > 0)
        return Evaluation(
            questions="yes" if read.answer.questions else "no", **points, reveal_answer="yes" if reveals else "no"
        )

    def lectures(self, read: Reading) -> bool:
        """Whether the declarative part alone tells too much: a new result, or so much that nobody could doubt it.

        A short explanation before a question is no lecture. Nor are steps on the way to a known number.
        """
        told = self.weigh("reveal_answer", read.features | {"guiding": 0.0})
        return told > (1.0 if read.features["result"] and not read.known_number else LECTURE)

    def weigh(self, criterion: str, found: dict[str, float]) -> float:
        """Return the points before they are clipped to 1 to 5; for `reveal_answer`, the log-odds."""
        weights = self.weights[criterion]
        return weights["intercept"] + math.fsum(weights[name] * found[name] for name in SIGNS[criterion])

    def explain(self, read: Reading, reveals: bool) -> list[str]:
        """Say in words what the answer asks, what it gives away, and what cost it the most points."""
        conversation, answer, found = read.conversation, read.answer, read.features
        reasons = [f"asks: {answer.questions[0]}" if answer.questions else "asks no question"]
        if answer.questions and not answer.guiding:
            reasons[0] += " (which only checks or closes, and guides to nothing)"
        if reveals:
            why = [WHY[name] for name in self._strongest("reveal_answer", found, +1) if name != "unsaid"]
            if new := unsaid_numbers(conversation, answer):
                why.insert(0, f"states {', '.join(new[:3])}, which nobody has said so far")
            reasons.append("reveals: " + "; ".join(why))
        if stems := answer.stems:
            taken_up = sum(stem in conversation.stems for stem in stems)
            reasons.append(f"on topic: {taken_up} of its {len(stems)} words of content are from the conversation")
        for criterion in ("on_topic", "helpful"):
            if why := self._strongest(criterion, found, -1):
                reasons.append(f"less {criterion.replace('_', ' ')}: " + "; ".join(WHY[name] for name in why))
        return reasons

    def _strongest(self, criterion: str, found: dict[str, float], direction: int) -> list[str]:
        """Return up to three features that moved a criterion up (+1) or down (-1) by over a fifth of a point."""
        push = {name: self.weights[criterion][name] * found[name] * direction for name in SIGNS[criterion]}
        return sorted((name for name in push if push[name] > 0.2), key=push.__getitem__, reverse=True)[:3]


@cache
def load(path: Path | str = WEIGHTS) -> Rubric:
    """Load the weights that `fit_rubric.py` wrote to a file. BadInput says what is wrong with it.

    The version combines that of the rules with a hash of the weights: "2-1a2b3c4d". Comments may change freely.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())
        weights, fitted_on = content["weights"], frozenset(content["fitted_on"].get("digests", ()))
        for criterion, signs in SIGNS.items():
            if set(weights[criterion]) != {"intercept", *signs}:
                raise ValueError(f"its features of {criterion} are not those of this version")
            for name, sign in signs.items():
                if weights[criterion][name] * sign < 0:
                    raise ValueError(f"the weight of {name} for {criterion} has the wrong sign")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: not weights of the offline rubric ({error}); fit_rubric.py writes them") from error
    content = json.dumps(weights, sort_keys=True) + WORD_ORDER.read_text(encoding="utf-8")
    version = f"{VERSION}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    return Rubric(weights, version, NAME if path == WEIGHTS else f"{NAME} ({path.stem})", fitted_on)


def is_number(known_answer: str | None) -> bool:
    """Whether the known answer is a single number, with at most a unit."""
    return bool(known_answer) and len(NUMBER.findall(known_answer)) == 1 and len(words_of(known_answer)) <= 2


def digest(conversation: str, answer: str) -> str:
    """Identify a rated answer without its text. Agreement is too high on answers that the weights were fitted on."""
    return hashlib.sha256(f"{conversation}\0{answer}".encode()).hexdigest()[:12]


def grade(conversation: str, answer: str, known_answer: str | None = None) -> Verdict:
    """Grade with the weights that ship."""
    return load().grade(conversation, answer, known_answer)
