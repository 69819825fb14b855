"""Retry calls to a server that fails now and then, with a queue of our own, deadlines and back-off.

Time in our own queue counts towards no deadline and no budget, since the server is not to blame for it. A call's
deadline counts from the last answer to a call that may have been ahead of it in the server's queue. A call that missed
its deadline stays open beside the next attempt, since many servers compute its reply to the end whether anyone waits
for it or not: the first reply counts.
"""

import asyncio
import bisect
import itertools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from utils.clients.chat import JudgeUnavailable
from utils.clients.loop import closing, event_loop, on_loop
from utils.clients.pauses import duration

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts: doubled each time, with jitter
BUDGET = 600.0  # seconds that one question may take, all attempts and pauses together
MOST_UNREAD = 6  # replies to one question that cannot be read
STEP = 0.02  # seconds between two checks of the queue
OVERSLEPT = 1.0  # seconds: if a timer is later than this, the process (Ctrl-Z) or the machine was suspended


class Transient(Exception):
    """A failure that may pass. `pause` is the server's Retry-After in seconds. `busy`: the server is overloaded.

    `status` is the HTTP status, if there was one.
    """

    def __init__(self, message: str, *, pause: float | None = None, busy: bool = False, status: int | None = None):
        super().__init__(message)
        self.pause, self.busy, self.status = pause, busy, status


class Unread(Transient):
    """A reply that came whole, and was probably paid for, but cannot be read."""


@dataclass(eq=False)
class Call:
    """A call in flight: when it was sent, when its deadline began to count, and whether that has passed."""

    task: asyncio.Future
    sent: float
    clock: float
    late: bool = False


@dataclass
class Question:
    """What is asked until it is answered, with one call or several. Times are those of `time.monotonic`."""

    place: int  # in the queue
    budget: float
    asked: float
    ready: float  # when it may be asked again
    spent: float = 0.0  # seconds of its budget
    unread: int = 0  # replies that could not be read
    pause: float = field(default_factory=lambda: FIRST_PAUSE)
    patience: float = 0.0  # the deadline for its next call, if that is longer than the queue's
    calls: list[Call] = field(default_factory=list)  # in flight, in the order in which they were sent


class CallQueue:
    """The calls to one server, first come, first served; a call that is repeated keeps its place.

    A 429 or a missed deadline halves the number of concurrent calls, and a server that answers nobody is asked one call
    at a time. Each full round of successes adds one. `deadline` grows to twice the longest time that a reply took.
    """

    def __init__(self, name: str, *, deadline: float, budget: float = BUDGET):
        self.name, self.deadline, self.budget = name, deadline, budget
        self.limit: float = math.inf
        self.successes = 0
        self.not_before = self.cut_at = self.answered = 0.0
        self._places = itertools.count()
        self._waiting: list[int] = []  # places in the queue, sorted
        self._calls: set[Call] = set()  # in flight, late ones too
        event_loop()

    @property
    def in_flight(self) -> int:
        """Return the number of calls in flight, without those that are late."""
        return sum(not call.late for call in self._calls)

    def run(self, attempt: Callable[[], Awaitable[Any]], budget: float | None = None) -> Any:
        """Return the result of `attempt`, repeating it after Transient. Raises JudgeUnavailable when time is up."""
        return on_loop(self._run(attempt, self.budget if budget is None else budget))

    async def _run(self, attempt: Callable[[], Awaitable[Any]], budget: float) -> Any:
        now = time.monotonic()
        question = Question(next(self._places), budget, now, now)
        calls = question.calls
        try:
            while True:
                if await self._until(lambda: time.monotonic() >= question.ready, calls) and await self._turn(question):
                    calls.append(self._send(attempt()))
                allowed = min(max(self.deadline, question.patience), budget)
                call = await self._ended_or_late(calls, allowed)
                counted, trouble = call.late, Transient(f"no complete reply within {allowed:.3g} s")
                call.late = not call.task.done()
                if not call.late:
                    calls.remove(call)
                    self._calls.remove(call)
                    try:
                        result = call.task.result()
                    except Transient as error:
                        trouble = error
                    else:
                        self._answer(call)
                        return result
                if not counted:  # a late call was counted when it became late
                    self._count(question, call, trouble, allowed)
        finally:
            for call in calls:
                call.task.cancel()
            self._calls.difference_update(calls)

    def _count(self, question: Question, call: Call, trouble: Transient, allowed: float) -> None:
        """Decide when the question may be asked again. Raises JudgeUnavailable if it has used up its budget."""
        served = self.answered > question.asked
        question.asked = time.monotonic()
        if call.late:  # the server may be slower than assumed
            question.patience = 2 * allowed
        if trouble.busy or call.late:
            self._fewer(call)
        wait = max(trouble.pause or 0, random.uniform(question.pause / 2, question.pause))
        if (trouble.busy or call.late) and served:
            question.spent = 0.0  # others were served meanwhile, so the server works: the budget starts again
        else:
            question.spent += min(question.asked - call.clock, allowed)
        if (trouble.pause or 0) > question.budget:
            said = f"{self.name} asks to be left alone for {duration(wait)}: {trouble}"
            raise JudgeUnavailable(said, trouble.busy)
        question.unread += isinstance(trouble, Unread)
        if question.spent > question.budget or question.unread == MOST_UNREAD:
            tried = f"for {question.budget:g} s" if question.unread < MOST_UNREAD else f"{MOST_UNREAD} times"
            said = f"{self.name} was asked again {tried} without success: {trouble}"
            raise JudgeUnavailable(said, trouble.busy)
        if question.pause >= 4 * FIRST_PAUSE:
            logging.info("%s: %s; asking again in %.0f s", self.name, trouble, wait)
        question.spent += wait
        question.pause = min(2 * question.pause, LONGEST_PAUSE)
        if trouble.busy and trouble.pause:  # the whole queue waits
            self.not_before = max(self.not_before, question.asked + trouble.pause)
        else:
            question.ready = question.asked + wait

    async def _turn(self, question: Question) -> bool:
        """Wait as `_until` does, until this question is the first in the queue and one more call may be sent."""

        def may_send() -> bool:
            first = self._waiting[0] == question.place
            return first and self.in_flight < self.limit and time.monotonic() >= self.not_before

        bisect.insort(self._waiting, question.place)
        try:
            return await self._until(may_send, question.calls)
        finally:
            self._waiting.remove(question.place)

    async def _until(self, condition: Callable[[], bool], calls: list[Call]) -> bool:
        """Wait for the condition, and return True. Return False if one of the late calls is answered or late no more.

        Raises JudgeUnavailable if the run ends and there are no calls to wait for.
        """
        while calls or not closing.is_set():
            if any(call.task.done() or not call.late for call in calls):
                return False
            if condition() and not closing.is_set():
                return True
            await asyncio.sleep(STEP)
        raise JudgeUnavailable(f"{self.name}: not asked, because the run ends")

    def _send(self, attempt: Awaitable[Any]) -> Call:
        now, task = time.monotonic(), asyncio.ensure_future(attempt)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # else asyncio calls it forgotten
        call = Call(task, now, now)
        self._calls.add(call)
        return call

    async def _ended_or_late(self, calls: list[Call], allowed: float) -> Call:
        """Return the first call that ends, or the newest one after `allowed` seconds on its clock."""
        newest = calls[-1]
        while True:
            due = newest.clock + allowed
            await asyncio.wait(
                [call.task for call in calls], timeout=max(0.0, due - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )  # fmt: skip
            if ended := [call for call in calls if call.task.done()]:
                return ended[0]
            now = time.monotonic()
            if now - due > OVERSLEPT:  # we were suspended, not the server: its reply may have arrived unread
                newest.clock = now
            elif now >= newest.clock + allowed:
                return newest

    def _answer(self, answered: Call) -> None:
        """Record an answer, and restart the deadlines of the calls that may have waited behind it at the server."""
        self.answered = time.monotonic()
        self.deadline = max(self.deadline, min(2 * (self.answered - answered.clock), self.budget))
        for call in self._calls:
            if answered.sent <= call.sent + self.deadline:
                call.clock, call.late = self.answered, False
        self._more()

    def _fewer(self, call: Call) -> None:
        if call.sent >= self.cut_at:  # failures of calls from the same burst count once
            silent = call.late and self.answered <= call.clock  # what is sent now waits behind all that was sent
            self.limit = 1 if silent else max(1, (self.in_flight + 1) // 2)
            self.cut_at, self.successes = time.monotonic(), 0

    def _more(self) -> None:
        self.successes += 1
        if self.successes >= self.limit:
            self.limit, self.successes = self.limit + 1, 0
