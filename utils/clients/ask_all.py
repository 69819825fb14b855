"""Ask many questions in parallel, with progress, and keep each reply in a journal as soon as it arrives."""

import errno
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from tqdm import tqdm

from utils.clients.chat import Chat, Reply, ask
from utils.clients.loop import cancel_all, closing
from utils.journal import Journal

GRACE = 20.0  # seconds for calls in flight to end by themselves when a run stops: they are paid for
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
    """Return one reply per prompt, in order. Calls are queued, retried and kept in a journal, as a judge's are."""
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
    """Return the results of all `work`, in order. If the run stops early, calls in flight get time to finish."""
    jobs, taking = iter(enumerate(work)), threading.Lock()
    results: list[Any] = [None] * len(work)
    ended: SimpleQueue = SimpleQueue()
    stopping, crew = threading.Event(), set()

    def serve() -> None:
        crew.add(threading.current_thread())
        while not stopping.is_set():
            with taking:
                number, job = next(jobs, (0, None))
            if job is None:
                return
            try:
                results[number] = job()
                ended.put((number, None))
            except BaseException as error:  # raised again where the result is waited for
                ended.put((number, error))

    try:
        for started in range(min(concurrency, len(work))):
            try:
                threading.Thread(target=serve, name=f"{unit} {started}", daemon=True).start()
            except RuntimeError as error:  # the system allows no more threads
                if not started:
                    raise OSError(errno.EAGAIN, f"the system gives this program no thread ({error})") from None
                logging.warning("%d calls at once instead of %d (%s)", started, concurrency, error)
                break
        with tqdm(total=len(work), desc=description, unit=unit) as bar:
            for _ in work:
                number, error = ended.get()
                if error is not None:
                    raise error
                bar.set_postfix(watch(results[number]), refresh=False)
                bar.update()
        return results
    finally:
        stopping.set()
        _let_end(crew)


def _let_end(crew: set[threading.Thread]) -> None:
    """Wait for the calls in flight, for at most GRACE seconds. A second Ctrl-C cancels them at once."""
    closing.set()
    try:
        end, said = time.monotonic() + GRACE, False
        while (left := _alive(crew)) and time.monotonic() < end:
            left[0].join(0.5)
            if not said and (left := _alive(crew)):
                said = True
                logging.info("waiting up to %.0f s for %d calls in flight: they are paid for", GRACE, len(left))
    finally:
        while left := _alive(crew):
            cancel_all()
            left[0].join(0.1)
        closing.clear()


def _alive(crew: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in crew.copy() if thread.is_alive()]
