"""Retry calls to a server that fails now and then, with a queue of our own, deadlines and back-off.

Time in our own queue counts towards no deadline and no budget, since the server is not to blame for it. A call's
deadline counts from the last answer to a call that may have been ahead of it in the server's queue. No reply that has
arrived is thrown away.
"""

import asyncio
import bisect
import itertools
import logging
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from utils.clients.chat import JudgeUnavailable
from utils.clients.loop import closing, event_loop, on_loop

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts: doubled each time, with jitter
BUDGET = 600.0  # seconds that one question may take, all attempts and pauses together
STEP = 0.02  # seconds between two checks of the queue
LATEST = 1e9  # seconds to wait; a larger number is a date
OVERSLEPT = 1.0  # seconds: if a timer is later than this, the process (Ctrl-Z) or the machine was suspended


class Transient(Exception):
    """A failure that may pass. `pause` is the server's Retry-After in seconds. `busy`: the server is overloaded."""

    def __init__(self, message: str, *, pause: float | None = None, busy: bool = False):
        super().__init__(message)
        self.pause, self.busy = pause, busy


class Overdue(Transient):
    """No complete reply came within the deadline."""


@dataclass(eq=False)
class Call:
    """A call in flight: when it was sent, and when its deadline began to count (`time.monotonic`)."""

    sent: float
    clock: float


class CallQueue:
    """The calls to one server, first come, first served; a call that is repeated keeps its place.

    A 429 or a missed deadline halves the number of concurrent calls. Each full round of successes adds one.
    """

    def __init__(self, name: str, *, deadline: float, budget: float = BUDGET):
        self.name, self.deadline, self.budget = name, deadline, budget
        self.limit: float = math.inf
        self.in_flight = self.successes = 0
        self.not_before = self.cut_at = self.answered = 0.0
        self._places = itertools.count()
        self._waiting: list[int] = []  # places in the queue, sorted
        self._calls: set[Call] = set()  # in flight
        event_loop()

    def run(self, attempt: Callable[[], Awaitable[Any]], budget: float | None = None) -> Any:
        """Return the result of `attempt`, repeating it after Transient. Raises JudgeUnavailable when time is up."""
        return on_loop(self._run(attempt, self.budget if budget is None else budget))

    async def _run(self, attempt: Callable[[], Awaitable[Any]], budget: float) -> Any:
        place, pause, spent, asked = next(self._places), FIRST_PAUSE, 0.0, time.monotonic()
        while True:
            await self._turn(place)
            call, allowed = Call(time.monotonic(), time.monotonic()), min(self.deadline, budget)
            self._calls.add(call)
            self.in_flight += 1
            try:
                result = await self._result(call, attempt, allowed)
            except Transient as error:
                trouble = error
            else:
                self._answer(call)
                return result
            finally:
                self.in_flight -= 1
                self._calls.remove(call)
            late = isinstance(trouble, Overdue)
            if late:  # the server may be slower than assumed: the next attempt has twice as long
                self.deadline = max(self.deadline, min(2 * allowed, budget))
            if trouble.busy or late:
                self._fewer(call.sent)
                if self.answered > asked:
                    spent = 0.0  # others were served meanwhile, so the server works: the budget starts again
            asked = time.monotonic()
            wait = max(trouble.pause or 0, random.uniform(pause / 2, pause))
            spent += min(asked - call.clock, allowed) + wait
            if (trouble.pause or 0) > budget:
                said = f"{self.name} asks to be left alone for {duration(wait)}: {trouble}"
                raise JudgeUnavailable(said, trouble.busy)
            if spent > budget:
                said = f"{self.name} was asked again for {budget:g} s without success: {trouble}"
                raise JudgeUnavailable(said, trouble.busy)
            if pause >= 4 * FIRST_PAUSE:
                logging.info("%s: %s; asking again in %.0f s", self.name, trouble, wait)
            pause = min(2 * pause, LONGEST_PAUSE)
            if trouble.busy and trouble.pause:  # the whole queue waits
                self.not_before = max(self.not_before, asked + trouble.pause)
            else:
                await self._until(lambda until=asked + wait: time.monotonic() >= until)

    async def _turn(self, place: int) -> None:
        """Wait until this call is the first in the queue and one more may be sent."""
        bisect.insort(self._waiting, place)
        try:
            await self._until(
                lambda: (
                    self._waiting[0] == place and self.in_flight < self.limit and time.monotonic() >= self.not_before
                )
            )
        finally:
            self._waiting.remove(place)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not closing.is_set():
            if condition():
                return
            await asyncio.sleep(STEP)
        raise JudgeUnavailable(f"{self.name}: not asked, because the run ends")

    async def _result(self, call: Call, attempt: Callable[[], Awaitable[Any]], allowed: float) -> Any:
        """Return the result of one attempt. Raises Overdue after `allowed` seconds on its clock."""
        task = asyncio.ensure_future(attempt())
        try:
            while True:
                due = call.clock + allowed
                await asyncio.wait({task}, timeout=max(0.0, due - time.monotonic()))
                if task.done():
                    return task.result()
                now = time.monotonic()
                if now - due > OVERSLEPT:  # we were suspended, not the server: its reply may have arrived unread
                    call.clock = now
                elif now >= call.clock + allowed:
                    raise Overdue(f"no complete reply within {allowed:.3g} s")
        finally:
            task.cancel()

    def _answer(self, answered: Call) -> None:
        """Record an answer, and restart the deadlines of the calls that may have waited behind it at the server."""
        self.answered = time.monotonic()
        for call in self._calls:
            if answered.sent <= call.sent + self.deadline:
                call.clock = self.answered
        self._more()

    def _fewer(self, started: float) -> None:
        if started >= self.cut_at:  # failures of calls from the same burst count once
            self.limit = max(1, (self.in_flight + 1) // 2)
            self.cut_at, self.successes = time.monotonic(), 0

    def _more(self) -> None:
        self.successes += 1
        if self.successes >= self.limit:
            self.limit, self.successes = self.limit + 1, 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read from the headers `retry-after-ms` or `Retry-After` how many seconds to wait; None if they do not say.

    `Retry-After` has seconds or a date, and some servers give the date in seconds since 1970. A date is compared with
    the server's own clock (its `Date` header), since ours may be wrong. Without that header, a date in the past or
    beyond the budget is ignored. See RFC 9110, section 10.2.3.
    """
    try:
        if "retry-after-ms" in headers:
            return _seconds(float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "").strip()
        is_number = re.fullmatch(r"[\d.]+", value)
        if is_number and float(value) < LATEST:
            return _seconds(float(value))
        until = float(value) if is_number else parsedate_to_datetime(value).timestamp()
        if "date" in headers:
            return max(0.0, until - parsedate_to_datetime(headers["date"]).timestamp())
        return until - time.time() if 0 < until - time.time() < BUDGET else None
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(number: float) -> float | None:
    return max(0.0, number) if math.isfinite(number) else None


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
