"""Stream a chat completion, from either API."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

from utils.clients.chat import Reply
from utils.clients.keys import redact
from utils.clients.service import Service
from utils.clients.thoughts import without_thoughts


class NobodyWaits(Exception):
    """The iterator was closed before its reply was complete."""


def stream(chat: Service, messages: list[dict], **options: Any) -> Iterator[Reply]:
    """Yield the reply as it grows; only the last one has a finish_reason. Closing the iterator ends the request.

    `options` are `temperature`, `seed` and `max_tokens`. Transient failures are retried as in `Chat.complete`; the text
    then starts again from its beginning. Raises JudgeError or JudgeUnavailable.
    """
    arrived: SimpleQueue[Reply | BaseException] = SimpleQueue()
    closed = threading.Event()
    request = chat.request_of(messages, **options)
    attempts = 0

    async def attempt() -> list[Reply]:
        nonlocal attempts
        attempts += 1
        number = attempts

        def grow(text: str) -> None:
            if closed.is_set():
                raise NobodyWaits  # ends the request on its way out
            if number == attempts:  # an earlier attempt may still be open
                arrived.put(Reply(redact(without_thoughts(text)[0])))

        return await chat.ask(request, lambda sent: chat.post_live(sent, grow))

    def ask() -> None:
        try:
            arrived.put(chat.queue.run(attempt)[0])
        except BaseException as error:  # it is raised where the reply is waited for
            arrived.put(error)

    threading.Thread(target=ask, name="stream", daemon=True).start()
    try:
        while True:
            found = arrived.get()
            if isinstance(found, BaseException):
                raise found
            yield found
            if found.finish_reason:
                return
    finally:
        closed.set()
