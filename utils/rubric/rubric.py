"""The offline judge: the rubric as features with fitted weights, and guards. No key, no server, no model.

Features: `rubric/features.py`; guards: `rubric/guards.py`; how a text is read: `rubric/reading.py`, `rubric/words.py`;
weights, what they were fitted on and their cross-validated figures: `weights.json`, written by `fit_rubric.py`.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from utils.records import Evaluation, Verdict
from utils.rubric.features import SIGNS, features, unsaid_numbers
from utils.rubric.guards import flaws, junk, tells
from utils.rubric.reading import Answer, Conversation, read_answer, read_conversation

WEIGHTS = Path(__file__).with_name("weights.json")
NAME = "offline rubric"
VERSION = 2  # raise it with every change of the rules that can change a verdict: journals and manifests hold it
Weights = dict[str, dict[str, float]]  # {"on_topic": {"intercept": 3.1, "short": -0.8, …}, "helpful": …, …}

WHY = {  # the features that a reason may name, in the teacher's words
    "short": "a few words and no question",
    "bare": "a bare number",
    "noise": "debris between the words",
    "praise": "praise and nothing else",
    "leak": "it plays another speaker",
    "restated": "it says the student's number again and asks nothing",
    "telling": "phrases that tell rather than ask",
    "equations": "it calculates for the student",
    "declarative": "it explains at length",
}


@dataclass(frozen=True)
class Rubric:
    """The rubric with a set of weights."""

    weights: Weights
    version: str
    name: str = NAME
    fitted_on: frozenset[str] = frozenset()  # `digest` of the rated answers that gave the weights

    def grade(self, conversation: str, answer: str, known_answer: str | None = None) -> Verdict:
        """A verdict with its reasons. `known_answer`: the final number, bug fix or sentence that must not be told."""
        talk = read_conversation(conversation)
        said = read_answer(answer, talk)
        found = features(talk, said)
        on_topic, helpful = (min(5.0, max(1.0, self.weigh(name, found))) for name in ("on_topic", "helpful"))
        asks, reveals = bool(said.questions), self.weigh("reveal_answer", found) > 0

        worthless, flawed, told = junk(talk, said), flaws(talk, said), tells(talk, said, known_answer)
        if "garbled" in flawed or "out of role" in flawed:
            on_topic, helpful = min(on_topic, 4.0), min(helpful, 2.0)
        if "plays the student" in flawed:
            helpful = max(1.0, helpful - 0.5)
        if worthless:
            asks, reveals, on_topic, helpful = False, False, 1.0, 1.0
        evaluation = Evaluation(
            questions="yes" if asks else "no",
            on_topic=round(on_topic, 2),
            helpful=round(helpful, 2),
            reveal_answer="yes" if reveals or told else "no",
        )
        guards = worthless | flawed | told
        reasons = [f"guard: {name}: {why}" for name, why in guards.items()]
        if not worthless:
            reasons += self.explain(talk, said, found, reveals and not told)
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

    def unfit(self, conversation: str, answer: str, known_answer: str | None = None) -> list[str]:
        """Why an answer must never be `chosen`, whatever a judge says: its guards; "tells", if what it says besides
        its questions tells too much; "only checks", if it asks nothing but whether that makes sense."""
        talk = read_conversation(conversation)
        said = read_answer(answer, talk)
        reasons = list(junk(talk, said) | flaws(talk, said) | tells(talk, said, known_answer))
        if not reasons and self.weigh("reveal_answer", features(talk, said) | {"guiding": 0.0}) > 0:
            reasons.append("tells")
        if said.questions and not said.guiding:
            reasons.append("only checks")
        return reasons

    def weigh(self, criterion: str, found: dict[str, float]) -> float:
        """Points, of which 1 to 5 count; for `reveal_answer` the log-odds."""
        weights = self.weights[criterion]
        return weights["intercept"] + math.fsum(weights[name] * found[name] for name in SIGNS[criterion])

    def explain(self, talk: Conversation, said: Answer, found: dict[str, float], reveals: bool) -> list[str]:
        """Why, in words: what it asks, what it gives away, and what cost it the most points."""
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
    """The rubric with the weights in a file that `fit_rubric.py` wrote. ValueError says what is wrong with the file.

    Its version is `VERSION` and a hash of the weights: it changes whenever a verdict may change.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        content = json.loads(data)
        weights, fitted_on = content["weights"], frozenset(content["fitted_on"].get("digests", ()))
        for criterion, signs in SIGNS.items():
            if set(weights[criterion]) != {"intercept", *signs}:
                raise ValueError(f"its features of {criterion} are not those of this version")
            for name, sign in signs.items():
                if weights[criterion][name] * sign < 0:
                    raise ValueError(f"the weight of {name} for {criterion} has the wrong sign")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not weights of the offline rubric ({error}); fit_rubric.py writes them") from error
    version = f"{VERSION}-{hashlib.sha256(data).hexdigest()[:12]}"
    return Rubric(weights, version, NAME if path == WEIGHTS else f"{NAME} ({path.stem})", fitted_on)


def digest(conversation: str, answer: str) -> str:
    """Names a rated answer without its text: agreement on answers that the weights were fitted on is flattered."""
    return hashlib.sha256(f"{conversation}\0{answer}".encode()).hexdigest()[:12]


def grade(conversation: str, answer: str, known_answer: str | None = None) -> Verdict:
    """`Rubric.grade` with the weights that ship."""
    return load().grade(conversation, answer, known_answer)
