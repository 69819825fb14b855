"""Choose the two candidates of a prompt that become a preference pair, and describe the whole set of pairs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles
from typing import Any

from utils.answers import plain, variety
from utils.records import Verdict
from utils.rubric.any_language import barred

# Scores closer than this are a tie. It is half of what one point of on_topic or helpful adds to the score: grades in
# whole points are tied only if they are equal, and smaller differences of the offline judge's fractional grades are
# noise.
TIE = 0.025
EPSILON = 1e-9  # 0.9 - 0.8 is 0.09999999999999998 in binary, and still a margin of 0.1


@dataclass(frozen=True)
class PairChoice:
    """The pair made of one prompt's candidates, or why there is none. `chosen` and `rejected` are indices.

    `chosen` is None if no candidate may be chosen; `rejected` is None if none has a valid verdict. `margin` is the
    difference of their scores. `reason` says why the pair is not eligible; None means that it is. `caught[i]` says
    why candidate i may not be chosen (its guards, "tells").
    """

    chosen: int | None
    rejected: int | None
    margin: float | None = None
    both_ask: bool = False
    reason: str | None = None
    caught: tuple[tuple[str, ...], ...] = ()

    @property
    def eligible(self) -> bool:
        return self.reason is None


def choose_pair(
    conversation: str,
    answers: Sequence[str],
    verdicts: Sequence[Verdict],
    *,
    min_chosen_score: float = 0.8,
    min_margin: float = 0.0,
    known_answer: str | None = None,
) -> PairChoice:
    """Choose the best candidate of one prompt and reject the worst; `answers[i]` was graded by `verdicts[i]`.

    - An answer with an invalid verdict is neither chosen nor rejected.
    - An answer is never chosen if its verdict names a guard or says that it reveals the answer, or if it is barred in
      every language (`rubric.any_language.barred`). The next best is then considered. Checks that need English words
      are guards of the offline judge alone, so they never overrule another judge on another language.
    - The chosen answer must score above `min_chosen_score` and above the rejected one, by at least `min_margin`.
    - Among tied candidates one that asks the student a question is preferred, on both sides. More pairs then teach
      which question to ask, rather than to append a `?`.
    """
    caught = tuple(
        tuple(dict.fromkeys([*verdict.guards, *barred(answer, known_answer, conversation)]))
        for answer, verdict in zip(answers, verdicts, strict=True)
    )
    valid = [i for i, verdict in enumerate(verdicts) if verdict.evaluation is not None]
    if not valid:
        return PairChoice(None, None, reason="no candidate has a valid verdict", caught=caught)
    scores = {i: verdicts[i].score for i in valid}
    asks = {i: verdicts[i].evaluation.questions == "yes" for i in valid}
    rejected = _asking_among(valid, scores, asks, worst=True)
    good = [i for i in valid if not caught[i] and verdicts[i].evaluation.reveal_answer == "no"]
    if not good:
        reason = "every candidate reveals the answer or was caught by a guard"
        return PairChoice(None, rejected, reason=reason, caught=caught)
    chosen = _asking_among(good, scores, asks, worst=False)
    margin = scores[chosen] - scores[rejected]
    reason = not_apart(scores[chosen], scores[rejected], min_chosen_score, min_margin)
    if reason is None and plain(answers[chosen]) == plain(answers[rejected]):
        reason = "chosen and rejected are the same text"
    return PairChoice(chosen, rejected, margin, asks[chosen] and asks[rejected], reason, caught)


def not_apart(chosen: float, rejected: float, min_chosen_score: float, min_margin: float = 0.0) -> str | None:
    """Return why two scores make no preference pair, or None if they do."""
    if chosen <= min_chosen_score + EPSILON:
        return f"chosen does not score above {min_chosen_score:g}"
    if chosen <= rejected + EPSILON:
        return "chosen scores no higher than rejected"
    if chosen - rejected < min_margin - EPSILON:
        return f"chosen and rejected are less than {min_margin:g} apart"
    return None


def pair_fields(pair: PairChoice, candidates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of a training row that follow from its pair; `candidates[i]["output"]` is the i-th answer."""
    none = {"output": "", "raw_evaluation": "", "evaluation_error": pair.reason, "evaluation": None}
    chosen, rejected = (candidates[k] if k is not None else None for k in (pair.chosen, pair.rejected))
    return {
        "eligible": pair.eligible,
        "not_eligible_because": pair.reason,
        "chosen_eval": chosen or none,  # the original's record class wants an object
        "rejected_eval": rejected or none,
        "all_evaluations": list(candidates),
        "chosen": chosen and chosen["output"],
        "rejected": rejected and rejected["output"],
    }


def set_report(
    answers: Sequence[Sequence[str]], verdicts: Sequence[Sequence[Verdict]], pairs: Sequence[PairChoice]
) -> dict[str, Any]:
    """Summarise what a set of pairs will teach, as JSON. Each argument has one entry per prompt.

    `both_ask` is a share of the eligible pairs; `distinct` and `commonest_share` are shares of the texts. `deciles` are
    the candidates' lowest score, the nine deciles and the highest score. The commonest answer is reported because a
    judge of single answers cannot see that a tutor puts the same question to everyone.
    """
    eligible = [pair for pair in pairs if pair.eligible]
    given = [verdict for row in verdicts for verdict in row]
    scores = [verdict.score for verdict in given if verdict.score is not None]
    chosen = [row[pair.chosen] for row, pair in zip(answers, pairs, strict=True) if pair.eligible]
    return {
        "prompts": len(pairs),
        "eligible": len(eligible),
        "not_eligible": dict(Counter(pair.reason for pair in pairs if not pair.eligible).most_common()),
        "both_ask": sum(pair.both_ask for pair in eligible) / len(eligible) if eligible else None,
        "mean_margin": fmean(pair.margin for pair in eligible) if eligible else None,
        "candidates": len(given),
        "invalid": len(given) - len(scores),
        "caught": dict(Counter(guard for pair in pairs for caught in pair.caught for guard in caught).most_common()),
        "mean_score": fmean(scores) if scores else None,
        "deciles": _deciles(scores),
        "all_answers": variety([answer for row in answers for answer in row]),
        "chosen_answers": variety(chosen),
    }


def format_report(report: dict[str, Any]) -> str:
    """Format the report of `set_report` as a few lines for the terminal."""
    lines = [f"{report['eligible']} of {report['prompts']} prompts give a preference pair"]
    lines += [f"  {count} do not: {reason}" for reason, count in report["not_eligible"].items()]
    if report["eligible"]:
        lines.append(
            f"  both sides ask a question in {report['both_ask']:.0%} of the pairs"
            f"; chosen scores {report['mean_margin']:z.2f} more than rejected on average"
        )
    lines.append(f"{report['candidates']} candidates, {report['invalid']} of them without a valid verdict")
    if "references" in report:
        lines.append(
            f"  {report['references']} of them are reference turns (of {report['prompts']} prompts); "
            f"{report['references_chosen']} are the chosen side of a pair"
        )
    if report["deciles"]:
        deciles = " ".join(f"{score:.2f}" for score in report["deciles"])
        lines.append(f"  score: mean {report['mean_score']:.2f}, lowest to highest by deciles: {deciles}")
    if report["caught"]:
        lines.append("  never chosen: " + ", ".join(f"{name} {count}" for name, count in report["caught"].items()))
    for name, of in (("all_answers", "candidates"), ("chosen_answers", "chosen answers")):
        if found := report[name]:
            lines.append(
                f"  {found['distinct']:.0%} of the {of} are distinct; the commonest is "
                f"{found['commonest_share']:.0%} of them: {found['commonest'][:60]!r}; {found['loops']:.0%} loop"
            )
    return "\n".join(lines)


def _asking_among(candidates: Sequence[int], scores: dict[int, float], asks: dict[int, bool], worst: bool) -> int:
    """Return the best (or worst) candidate. A tie goes to one that asks, then to the better (or worse), then the first.

    The result is an index into `scores` and `asks`.
    """
    sign = -1 if worst else 1
    edge = max(sign * scores[i] for i in candidates)
    tied = [i for i in candidates if edge - sign * scores[i] < TIE]
    return max(tied, key=lambda i: (asks[i], sign * scores[i]))


def _deciles(scores: Sequence[float]) -> list[float]:
    if len(scores) < 2:
        return list(scores)
    return [min(scores), *quantiles(scores, n=10, method="inclusive"), max(scores)]
