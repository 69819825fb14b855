"""Asking a judge, or a chat, many things: in parallel, with progress, each reply in a journal as soon as it arrives."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from utils.clients.chat import Chat, Reply, ask
from utils.clients.retry import cancel_all
from utils.journal import Journal
from utils.judges import batch
from utils.judges.judge import Judge, JudgeError
from utils.records import TutorAnswer, Verdict

GRACE = 10.0  # seconds for calls in flight to end by themselves when a run stops: they are paid for
T = TypeVar("T")


def grade(
    judge: Judge,
    items: Sequence[TutorAnswer],
    journal_path: Path | str,
    *,
    description: str,
    concurrency: int | None = None,
) -> list[Verdict]:
    """One verdict per item, in the items' order. Replies that the journal has are not asked for again.

    Raises JudgeError as soon as more verdicts are invalid than `judge.how.max_invalid` allows, or when the judge
    cannot be used; JudgeUnavailable when the run must stop for now. What was answered is in the journal.
    """
    judge.prepare(items)
    with Journal(journal_path) as journal:
        if judge.how.batch:
            batch.prefill(judge, items, journal)
        total, invalid, allowed = Counter(), Counter(), judge.how.max_invalid * len(items)

        def watch(verdict: Verdict) -> dict[str, Any]:
            total.update(count(verdict))
            for member, one in enumerate(single_verdicts(verdict)):
                if one.evaluation is None:
                    invalid[member] += 1
                    if invalid[member] > allowed:
                        raise JudgeError(
                            f"{description}: {invalid[member]} of {len(items)} verdicts of {one.judge} are invalid; "
                            f"--max-invalid allows {judge.how.max_invalid:.0%}. The last: {one.evaluation_error}. "
                            f"All replies are in {journal.path}"
                        )
            return {"invalid": sum(invalid.values()), "tokens": total["tokens"], "cost": dollars(total)}

        work = [lambda item=item: judge.grade(item, journal) for item in items]
        return run_all(work, concurrency or judge.how.concurrency, description, "verdict", watch)


def ask_all(
    chat: Chat,
    prompts: Sequence[list[dict]],
    journal_path: Path | str,
    *,
    description: str,
    concurrency: int = 8,
    temperature: float,
    seed: int,
    max_tokens: int,
) -> list[Reply]:
    """One reply per prompt, in order, with the protections that a judge's calls have."""
    chat.prepare(prompts, max_tokens)
    options = {"temperature": temperature, "seed": seed, "max_tokens": max_tokens}
    with Journal(journal_path) as journal:
        work = [lambda prompt=prompt: ask(chat, prompt, journal, **options) for prompt in prompts]
        return run_all(work, concurrency, description, "reply", lambda reply: {})


def single_verdicts(verdict: Verdict) -> list[Verdict]:
    """The verdicts of a panel's members; of any other judge, the verdict itself."""
    return [Verdict.model_validate(one) for one in verdict.details.get("panel", [])] or [verdict]


def count(verdict: Verdict) -> Counter:
    """What one verdict adds to the counts that a table shows beside its scores; a panel's members count each."""
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
    """What a table must say beside its scores: graded, invalid, disagreements with the `?` rule, tokens, cost."""
    total = sum((count(verdict) for verdict in verdicts), Counter())
    names = ("graded", "invalid", "invalid_members", "questions_without_mark", "tokens")
    return {name: total[name] for name in names} | {"cost": dollars(total)}


def dollars(total: Counter) -> str:
    return "unknown" if total["unpriced"] else f"${total['dollars']:.4f}"


def run_all(
    work: Sequence[Callable[[], T]],
    concurrency: int,
    description: str,
    unit: str,
    watch: Callable[[T], dict[str, Any]],
) -> list[T]:
    """The results of all `work`, in order. Whatever ends it early, calls in flight are first given time to end."""
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix=unit)
    futures = [pool.submit(job) for job in work]
    try:
        with tqdm(total=len(work), desc=description, unit=unit) as bar:
            for future in as_completed(futures):
                bar.set_postfix(watch(future.result()), refresh=False)
                bar.update()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        _let_end([future for future in futures if future.running()])


def _let_end(running: list[Future]) -> None:
    try:
        wait(running, timeout=GRACE)
    finally:  # a second Ctrl-C comes here at once
        while wait(running, timeout=0.1).not_done:
            cancel_all()
