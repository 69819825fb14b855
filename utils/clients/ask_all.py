"""Asking many things at once: in parallel, with progress, each reply in a journal as soon as it arrives."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from utils.clients.chat import Chat, Reply, ask
from utils.clients.retry import cancel_all
from utils.journal import Journal

GRACE = 10.0  # seconds for calls in flight to end by themselves when a run stops: they are paid for
T = TypeVar("T")


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
