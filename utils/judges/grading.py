"""Grade many answers: in parallel, with progress, each reply in a journal as soon as it arrives."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from utils.artifacts import read_json
from utils.clients.ask_all import run_all
from utils.clients.chat import JudgeError
from utils.journal import Journal
from utils.judges import batch
from utils.judges.json_reply import CUT_OFF
from utils.judges.judge import Judge
from utils.records import TutorAnswer, Verdict


def grade(
    judge: Judge,
    items: Sequence[TutorAnswer],
    journal_path: Path | str,
    *,
    description: str,
    concurrency: int | None = None,
) -> list[Verdict]:
    """Grade all items. Replies that are in the journal are not asked for again, and new ones are kept there.

    Returns one verdict per item, in the items' order.
    Raises JudgeError if the judge cannot be used, or as soon as more verdicts are invalid than
    `judge.grading.max_invalid` allows, and JudgeUnavailable if the run must stop for now.
    """
    judge.see([item.conversation for item in items])
    judge.prepare(items)
    with Journal(journal_path) as journal:
        batch.prefill(judge, items, journal, judge.grading.batch)
        total, invalid, cut, allowed = Counter(), Counter(), 0, judge.grading.max_invalid * len(items)

        def watch(verdict: Verdict) -> dict[str, Any]:
            nonlocal cut
            total.update(count(verdict))
            for member, one in enumerate(single_verdicts(verdict)):
                if one.evaluation is None:
                    invalid[member] += 1
                    cut += CUT_OFF in (one.evaluation_error or "")
                    if invalid[member] > allowed:
                        raise JudgeError(
                            f"{description}: {invalid[member]} of {len(items)} verdicts of {one.judge} are invalid; "
                            f"--max-invalid allows {judge.grading.max_invalid:.0%}. The last: {one.evaluation_error}. "
                            f"All replies are in {journal.path}{advice_on_invalid(journal, cut)}"
                        )
            return {"invalid": sum(invalid.values()), "tokens": total["tokens"], "cost": dollars(total)}

        work = [lambda item=item: judge.grade(item, journal) for item in items]
        verdicts = run_all(work, concurrency or judge.grading.concurrency, description, "verdict", watch)
        if advice := advice_on_invalid(journal, cut):
            logging.warning("%s%s", description, advice)
        return verdicts


def advice_on_invalid(journal: Journal, cut: int) -> str:
    """Say what to do about an earlier run's replies that are no valid verdict, and about `cut` verdicts cut off.

    The text is empty if there are none.
    """
    advice = []
    if journal.invalid:
        advice.append(
            f"{len(journal.invalid)} replies without a valid verdict are from an earlier run ({journal.path}) and were "
            "not asked for again; --ask-invalid-again does so"
        )
    if cut:
        advice.append(
            f"verdicts that are invalid because their reply was cut off: {cut}; to get longer replies, raise "
            "--judge-max-tokens and add --ask-invalid-again"
        )
    return "".join(f": {one}" for one in advice)


def to_ask_again(judge: Judge | None, path: Path) -> bool:
    """Return whether an existing artifact has invalid verdicts for which the judge is to be asked again."""
    return bool(judge) and judge.grading.ask_invalid_again and path.is_file() and has_invalid(read_json(path))


def has_invalid(artifact: Any) -> bool:
    """Return whether an artifact's rows have an invalid verdict that a judge was asked for (and so has details)."""
    if isinstance(artifact, list):
        return any(map(has_invalid, artifact))
    if not isinstance(artifact, dict):
        return False
    invalid = artifact.get("score", 0) is None and bool(artifact.get("details"))
    return invalid or any(has_invalid(value) for name, value in artifact.items() if name != "earlier")


def single_verdicts(verdict: Verdict) -> list[Verdict]:
    """Return the verdicts of a panel's members, or any other judge's own verdict."""
    return [Verdict.model_validate(one) for one in verdict.details.get("panel", [])] or [verdict]


def count(verdict: Verdict) -> Counter:
    """Count what one verdict adds to the figures shown beside the scores; each member of a panel counts."""
    total = Counter(graded=1, invalid=verdict.evaluation is None)
    for one in single_verdicts(verdict):
        usage = one.details.get("usage", {})
        total += Counter(
            tokens=usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0),
            invalid_members=one.evaluation is None,
            questions_without_mark="questions_without_mark" in one.details,
            unpriced=bool(usage) and "cost" not in one.details,
            dollars=one.details.get("cost", 0),
        )
    return total


def counts(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Sum the counts of verdicts: graded, invalid, disagreements with the `?` rule, tokens, cost."""
    total = sum((count(verdict) for verdict in verdicts), Counter())
    names = ("graded", "invalid", "invalid_members", "questions_without_mark", "tokens")
    return {name: total[name] for name in names} | {"cost": dollars(total)}


def dollars(total: Counter) -> str:
    return "unknown" if total["unpriced"] else f"${total['dollars']:.4f}"
