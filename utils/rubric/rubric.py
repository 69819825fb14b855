"""The offline judge: the rubric as features with fitted weights, and guards. No key, no server, no model.

Features: `rubric/features.py`; guards: `rubric/guards.py`, and `rubric/tells.py` for what is given away; how a text is
read: `rubric/reading.py`, `rubric/quantities.py`, `rubric/words.py`;
weights, what they were fitted on and their cross-validated figures: `weights.json`, written by `fit_rubric.py`.
What it reaches, and what it cannot see: docs/judges.md.
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
from utils.rubric.reading import read_answer, read_conversation, words_of
from utils.rubric.tells import tells

WEIGHTS = Path(__file__).with_name("weights.json")
WORD_ORDER = WEIGHTS.with_name("word_order.json")
NAME = "offline rubric"
VERSION = 6  # goes up whenever any rule may decide otherwise; tests/test_rubric_snapshot.py notices
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
    """All that can be said about an answer without weights."""

    def __init__(self, conversation: str, answer: str, known_answer: str | None = None):
        self.talk = read_conversation(conversation)
        self.said = read_answer(answer, self.talk)
        self.features = features(self.talk, self.said, known_answer)
        self.junk = junk(self.talk, self.said)
        self.flaws = flaws(self.talk, self.said, known_answer, self.features)
        self.tells = tells(self.talk, self.said, known_answer)
        self.known_number = is_number(known_answer)


@dataclass(frozen=True)
class Rubric:
    """The rubric with a set of weights."""

    weights: Weights
    version: str
    name: str = NAME
    fitted_on: frozenset[str] = frozenset()  # `digest` of the rated answers that gave the weights

    def grade(self, conversation: str, answer: str, known_answer: str | None = None) -> Verdict:
        """A verdict with its reasons. `known_answer`: the final number, bug fix or sentence that must not be told.

        `guards` names every reason why this answer must never be `chosen`; [] if there is none.
        """
        read = Reading(conversation, answer, known_answer)
        evaluation, found = self.evaluate(read), read.features
        guards = read.junk | {name: why for name, why in read.flaws.items() if name not in MILD} | read.tells
        if read.said.questions and not guards and self.lectures(read):
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
        """The four criteria: junk gets the lowest points, flaws cap them, what is certainly told is a reveal."""
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
            questions="yes" if read.said.questions else "no", **points, reveal_answer="yes" if reveals else "no"
        )

    def lectures(self, read: Reading) -> bool:
        """Does the declarative part alone tell too much: a result that nobody has found, or a lot, beyond doubt?

        Who explains something first and then asks does not lecture; nor do steps on the way to a known number.
        """
        told = self.weigh("reveal_answer", read.features | {"guiding": 0.0})
        return told > (1.0 if read.features["result"] and not read.known_number else LECTURE)

    def weigh(self, criterion: str, found: dict[str, float]) -> float:
        """Points, of which 1 to 5 count; for `reveal_answer` the log-odds."""
        weights = self.weights[criterion]
        return weights["intercept"] + math.fsum(weights[name] * found[name] for name in SIGNS[criterion])

    def explain(self, read: Reading, reveals: bool) -> list[str]:
        """Why, in words: what it asks, what it gives away, and what cost it the most points."""
        talk, said, found = read.talk, read.said, read.features
        reasons = [f"asks: {said.questions[0]}" if said.questions else "asks no question"]
        if said.questions and not said.guiding:
            reasons[0] += " (which only checks or closes, and guides to nothing)"
        if reveals:
            why = [WHY[name] for name in self._strongest("reveal_answer", found, +1) if name != "unsaid"]
            if new := unsaid_numbers(talk, said):
                why.insert(0, f"states {', '.join(new[:3])}, which nobody has said so far")
            reasons.append("reveals: " + "; ".join(why))
        if stems := said.stems:
            taken_up = sum(stem in talk.stems for stem in stems)
            reasons.append(f"on topic: {taken_up} of its {len(stems)} words of content are from the conversation")
        for criterion in ("on_topic", "helpful"):
            if why := self._strongest(criterion, found, -1):
                reasons.append(f"less {criterion.replace('_', ' ')}: " + "; ".join(WHY[name] for name in why))
        return reasons

    def _strongest(self, criterion: str, found: dict[str, float], direction: int) -> list[str]:
        """At most three features that moved a criterion up (+1) or down (-1) by more than a fifth of a point."""
        push = {name: self.weights[criterion][name] * found[name] * direction for name in SIGNS[criterion]}
        return sorted((name for name in push if push[name] > 0.2), key=push.__getitem__, reverse=True)[:3]


@cache
def load(path: Path | str = WEIGHTS) -> Rubric:
    """The rubric with the weights in a file that `fit_rubric.py` wrote. BadInput says what is wrong with it.

    Its version is that of the rules and a hash of the weights: "2-1a2b3c4d". Where it stands, prose may change freely.
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
    """Is the known answer a single number, with a unit at most?"""
    return bool(known_answer) and len(NUMBER.findall(known_answer)) == 1 and len(words_of(known_answer)) <= 2


def digest(conversation: str, answer: str) -> str:
    """Names a rated answer without its text: agreement on answers that the weights were fitted on is flattered."""
    return hashlib.sha256(f"{conversation}\0{answer}".encode()).hexdigest()[:12]


def grade(conversation: str, answer: str, known_answer: str | None = None) -> Verdict:
    """`Rubric.grade` with the weights that ship."""
    return load().grade(conversation, answer, known_answer)
