"""Run the event loop of all calls in a thread of its own, so that a call can always be cancelled."""

import asyncio
import functools
import threading
from collections.abc import Coroutine
from typing import Any

closing = threading.Event()  # set while a run ends: calls in flight may finish, no new ones are made


@functools.cache
def event_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="calls", daemon=True).start()
    return loop


def on_loop(coroutine: Coroutine) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, event_loop()).result()


def cancel_all() -> None:
    """Cancel every call in flight. Threads that wait for one get CancelledError."""
    event_loop().call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(event_loop())])
