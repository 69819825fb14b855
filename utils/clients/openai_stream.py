"""Stream a chat completion word by word, from OpenAI's API or any compatible server."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

from utils.clients.chat import Reply
from utils.clients.keys import redact
from utils.clients.openai_chat import OpenAIChat, chat_request
from utils.clients.reply import reply_of
from utils.clients.retry import Transient
from utils.clients.thoughts import without_thoughts


def stream(
    chat: OpenAIChat, messages: list[dict], *, temperature: float, seed: int, max_tokens: int
) -> Iterator[Reply]:
    """Yield the reply as it grows; only the last one has a finish_reason. Closing the iterator ends the request.

    What may pass is ridden out as in `OpenAIChat.complete`; then the text begins anew.
    Raises JudgeError or JudgeUnavailable.
    """
    request = chat_request(chat.name, messages, temperature, seed, max_tokens, None, False) | {"stream": True}
    arrived: SimpleQueue[Reply | BaseException] = SimpleQueue()
    closed = threading.Event()

    async def post(sent: dict[str, Any]) -> list[Reply]:
        return [await _read(chat, sent, arrived, closed)]

    def ask() -> None:
        try:
            arrived.put(chat.queue.run(lambda: chat.ask(request, post))[0])
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


async def _read(chat: OpenAIChat, sent: dict[str, Any], arrived: SimpleQueue, closed: threading.Event) -> Reply:
    """Send one request, and put the reply into `arrived` as it grows. Returns the complete reply."""
    import httpx
    import openai

    text, reason = "", None
    events = await chat.guarded(chat.client.chat.completions.create, **sent)
    try:
        async for event in events:
            if closed.is_set():
                return Reply(text, "stop")
            for choice in event.choices[:1]:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
            arrived.put(Reply(redact(without_thoughts(text)[0])))
    except (httpx.HTTPError, openai.APIError) as error:
        raise Transient(f"the answer broke off ({redact(error)})") from None
    finally:
        await events.close()
    if reason is None:
        raise Transient("the answer broke off")
    return reply_of({"content": text}, reason, {})
