"""Calls to a server that fails now and then: deadlines, back-off, and no more calls at once than it bears.

All calls run on one event loop in a thread of its own, so that a deadline bounds a call whatever it is stuck in
(connecting, headers or body that drip in byte by byte), and so that a run that ends can cancel what is in flight.
"""

import asyncio
import functools
import logging
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from utils.clients.chat import JudgeUnavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts, doubled each time, jittered
BUDGET = 600.0  # seconds that one question may take, all attempts and pauses together


class Transient(Exception):
    """A failure that may pass. `pause` is the server's Retry-After in seconds; `busy`: it asks for fewer calls."""

    def __init__(self, message: str, *, pause: float | None = None, busy: bool = False):
        super().__init__(message)
        self.pause, self.busy = pause, busy


class Line:
    """The calls to one server. After a 429 fewer go at once (halved), and one more after each full round that works."""

    def __init__(self, name: str, *, deadline: float, budget: float = BUDGET):
        self.name, self.deadline, self.budget = name, deadline, budget
        self.limit: float = math.inf
        self.in_flight = self.successes = 0
        self.not_before = self.cut_at = 0.0
        _loop()

    def run(self, attempt: Callable[[], Awaitable[Any]], budget: float | None = None) -> Any:
        """The result of `attempt`, which raises Transient for what may pass; JudgeUnavailable once time is up."""
        return on_loop(self._run(attempt, self.budget if budget is None else budget))

    async def _run(self, attempt: Callable[[], Awaitable[Any]], budget: float) -> Any:
        give_up, pause = time.monotonic() + budget, FIRST_PAUSE
        while True:
            while self.in_flight >= self.limit or time.monotonic() < self.not_before:
                await asyncio.sleep(max(0.02, min(0.5, self.not_before - time.monotonic())))
            self.in_flight += 1
            started = time.monotonic()
            try:
                time_left = max(0.1, min(self.deadline, give_up - started))
                result = await asyncio.wait_for(attempt(), time_left)
            except TimeoutError:
                trouble = Transient(f"no complete reply within {time_left:.3g} s")
            except Transient as error:
                trouble = error
            else:
                self._more()
                return result
            finally:
                self.in_flight -= 1
            if trouble.busy:
                self._fewer(started)
            wait = max(trouble.pause or 0, random.uniform(pause / 2, pause))
            if trouble.busy and trouble.pause:
                self.not_before = max(self.not_before, time.monotonic() + trouble.pause)
            if time.monotonic() + wait > give_up:
                raise JudgeUnavailable(f"{self.name} was asked again for {budget:g} s without success: {trouble}")
            if pause >= 4 * FIRST_PAUSE:
                logging.info("%s: %s; asking again in %.0f s", self.name, trouble, wait)
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _fewer(self, started: float) -> None:
        if started >= self.cut_at:  # the other calls of the same burst say the same: they count once
            self.limit = max(1, (self.in_flight + 1) // 2)
            self.cut_at, self.successes = time.monotonic(), 0

    def _more(self) -> None:
        self.successes += 1
        if self.successes >= self.limit:
            self.limit, self.successes = self.limit + 1, 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the headers `retry-after-ms` or `Retry-After` (seconds or a date); None if they say nothing.

    RFC 9110, section 10.2.3.
    """
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "")
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="calls", daemon=True).start()
    return loop


def on_loop(coroutine: Coroutine) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, _loop()).result()


def cancel_all() -> None:
    """Cancel every call in flight; whoever waits for one gets CancelledError."""
    _loop().call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(_loop())])
