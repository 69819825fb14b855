"""A panel of judges: all grade the same answer, every verdict is kept, and the valid ones are averaged."""

import logging
from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import Any

from utils.errors import BadInput
from utils.journal import Journal
from utils.records import Evaluation, TutorAnswer, Verdict

log = logging.getLogger(__name__)

AVERAGES: dict[str, Callable] = {"mean": mean, "median": median}


class PanelJudge:
    """Several judges as one. A member's invalid verdict is left out and counted in `details["invalid_members"]`."""

    free = False

    def __init__(self, members: Sequence, average: str = "mean"):
        self.members, self.average, self.grading = members, AVERAGES[average], members[0].grading
        self.name = "panel of " + ", ".join(member.name for member in members)
        self.settings: dict[str, Any] = {"judge": "panel", "join": average, "members": [m.settings for m in members]}

    def check(self) -> None:
        for member in self.members:
            member.check()

    def see(self, conversations: Sequence[str]) -> None:
        """Let every member check the conversations. Raises BadInput if no member can read them."""
        refused = []
        for member in self.members:
            try:
                member.see(conversations)
            except BadInput as error:
                refused.append(error)
        if len(refused) == len(self.members):
            raise refused[0]
        for error in refused:  # the other members can read them; the user should leave this one out
            log.warning("WARNING: of the panel, %s", error)

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        for member in self.members:
            member.prepare(items)

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        return join([member.grade(item, journal) for member in self.members], self.average, self.name)


def join(verdicts: list[Verdict], average: Callable, name: str) -> Verdict:
    """Join several verdicts into one: points by `average`, yes or no by majority. A tie counts against the answer."""
    valid = [verdict for verdict in verdicts if verdict.evaluation is not None]
    evaluations = [verdict.evaluation for verdict in valid]
    details = {
        "panel": [verdict.model_dump() for verdict in verdicts],
        "invalid_members": len(verdicts) - len(valid),
    }
    raw = "\n".join(verdict.raw_evaluation for verdict in verdicts)
    if not valid:
        errors = "; ".join(f"{verdict.judge}: {verdict.evaluation_error}" for verdict in verdicts)
        return Verdict(
            evaluation=None, score=None, raw_evaluation=raw, evaluation_error=errors, judge=name, details=details
        )
    asks = sum(evaluation.questions == "yes" for evaluation in evaluations)
    keeps = sum(evaluation.reveal_answer == "no" for evaluation in evaluations)
    evaluation = Evaluation(
        questions="yes" if 2 * asks > len(valid) else "no",
        on_topic=float(average(evaluation.on_topic for evaluation in evaluations)),
        helpful=float(average(evaluation.helpful for evaluation in evaluations)),
        reveal_answer="no" if 2 * keeps > len(valid) else "yes",
    )
    return Verdict(
        evaluation=evaluation, score=average(verdict.score for verdict in valid), raw_evaluation=raw, judge=name,
        reasons=[f"{verdict.judge}: {reason}" for verdict in valid for reason in verdict.reasons],
        guards=sorted({guard for verdict in valid for guard in verdict.guards}), details=details,
    )  # fmt: skip
