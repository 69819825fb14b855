"""Share what both APIs need: repeat a request until the service accepts it, and learn which parameters it rejects."""

import asyncio
import logging
import math
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from utils.clients.abilities import FORMS, Abilities
from utils.clients.body import WebPage
from utils.clients.chat import JudgeError, JudgeUnavailable, Reply
from utils.clients.refusals import BadPrompt, Doubtful, RejectedParameter, explain
from utils.clients.reply import Complaint, whole
from utils.clients.retry import CallQueue, Transient, Unread

# A prompt that no service refuses. It has the word JSON, which some services require before they write JSON.
HELLO = "Hello! Reply with a small JSON object."
TRIAL = [{"role": "user", "content": HELLO}]
MOST_UNREAD = 10  # replies in a form that we do not know, if none was ever read
TRUST = 60.0  # seconds for which an answer to HELLO proves that the service works


class Service(ABC):
    """A model at an address.

    `queue` sends the calls to it. `abilities` remembers which parameters it rejects. `settings` is everything that can
    change a reply.
    """

    moderated = True  # whether the service may refuse a single prompt
    hushed = False  # whether a model may be told not to think by QUIET, which OpenAI's API does not define

    def __init__(self, kind: str, model: str, server: str, *, deadline: float, budget: float):
        self.name, self.server = model, server
        self.settings: dict[str, Any] = {"judge": kind, "model": model, "server": server}
        self.queue = CallQueue(f"{model} at {server}", deadline=deadline, budget=budget)
        self.abilities = Abilities(model)
        self._unread: float = 0  # replies that could not be read, before the first that could
        self._named: set[str] = set()  # the names that the replies gave
        self._suspicions, self._trying = 3, asyncio.Lock()  # how often a failure may still be tried without the schema
        self._tried = -TRUST  # when the service last answered HELLO

    @abstractmethod
    async def post(self, sent: dict[str, Any]) -> list[Reply]:
        """Send the request and read the replies. Raises Complaint or Transient."""

    @abstractmethod
    async def post_live(self, sent: dict[str, Any], grow: Callable[[str], None]) -> list[Reply]:
        """As `post`, but call `grow` with the text so far as it arrives. An exception in `grow` ends the request."""

    @abstractmethod
    def request_of(
        self, messages: list[dict], *, temperature: float, seed: int, max_tokens: int, schema=None, logprobs=False
    ) -> dict[str, Any]:
        """Make the request for `ask` in this API's format."""

    def answered(self, request: dict[str, Any]) -> list[Reply]:
        """Send a request until it is answered, and return the replies.

        For a prompt that fails as long as its budget lasts, though the service answers a harmless one, return one empty
        reply whose `details["error"]` has the last failure. Raises JudgeError or JudgeUnavailable.
        """
        try:
            return self.queue.run(lambda: self.ask(request))
        except JudgeUnavailable as failed:
            if failed.busy:
                raise
            self._tried = -TRUST
            try:
                works = self.queue.run(lambda: self._answers(request), self.queue.budget / 10)
            except JudgeUnavailable:
                works = False
            if not works:
                raise
            return [Reply("", "broken off", {"error": str(failed)})]

    async def ask(
        self, request: dict[str, Any], post: Callable[[dict], Awaitable[list[Reply]]] | None = None, trial: bool = False
    ) -> list[Reply]:
        """Send a request by `post` and return the replies. Rejected parameters are replaced or left out, once learnt.

        `trial` means that the prompt is harmless. If the service refuses it without a reason that we understand, it is
        sent again with fewer parameters.
        For a prompt that the service refuses, return one empty reply. Its finish_reason says why ("context_length",
        "content_filter" or "refused"), and `details["error"]` has the service's message.
        """
        request = {**request, "messages": [{**one, "content": whole(one["content"])} for one in request["messages"]]}
        room, lost = self.abilities.room, Counter()
        while True:
            sent = self.abilities.adjusted(request, room)
            try:
                replies = await self.explained((post or self.post)(sent), sent)
                self._unread = -math.inf
            except Unread as unread:
                self._unread += 1
                if self._unread < MOST_UNREAD:
                    raise
                raise JudgeError(f"{self.server} answers in a form that is not known: {unread}") from None
            except Transient as failed:
                if failed.status != 500 or not await self._fails_for_schema(request, sent, room):
                    raise
            except RejectedParameter as rejected:
                self.abilities.learn(rejected, request, sent, room)
                room = min(room, self.abilities.most)
            except BadPrompt as bad:
                if bad.reason == "length" and room < (more := self.abilities.more_room(room)):
                    room = more
                    continue
                if bad.reason != "context_length" or not room:
                    return [Reply("", bad.reason, {"error": str(bad)})]
                room = room // 4 if room > 1024 else 0  # perhaps only the tokens for thoughts are too many
            except Doubtful as doubtful:
                key = doubtful.fatal.status == 403
                if trial and not key and self.abilities.less(request, sent, room, doubtful):
                    continue
                if trial or not (self.moderated and await self._answers(request)):
                    raise doubtful.fatal from None
                if self.abilities.adjusted(request, room) == sent:  # else another call has changed `abilities`
                    return [Reply("", "refused", {"error": str(doubtful)})]
            else:
                crowded = any(map(crowded_out, replies)) or all(map(only_thought, replies))
                hushed = crowded and self.hushed and self.abilities.hush(sent)
                more = self.abilities.more_room(room) if crowded and not hushed else room
                if more == room and not hushed:
                    return [self.recorded(reply, room, lost) for reply in replies]
                self._tried = -TRUST if hushed else self._tried
                room = more
                lost.update(replies[0].details.get("usage", {}))  # tokens of thoughts without an answer cost money too

    async def _fails_for_schema(self, request: dict[str, Any], sent: dict[str, Any], room: int) -> bool:
        """Find out, before anything was answered, whether the server fails because of the schema; if so, learn it."""
        name = next((name for name in ("response_format", "format") if sent.get(name)), None)
        async with self._trying:
            if self.abilities.adjusted(request, room) != sent:
                return True  # another call has learnt it
            if not name or self._unread < 0 or not self._suspicions:  # after a reply was read, it is not the schema
                return False
            hello = {**sent, "messages": TRIAL}
            try:
                await self.post({key: value for key, value in hello.items() if key != name})
            except (Transient, Complaint):
                self._suspicions -= 1
                return False  # it fails without the schema, too
            try:
                await self.post(hello)
            except (Transient, Complaint) as failed:
                self.abilities.learn(RejectedParameter(name, str(failed)), request, sent, room)
                return True
            self._suspicions = 0
            return False

    async def checked(self, call: Any) -> Any:
        """Return the call's result. Raises JudgeError at once for a web page, since retrying would not change it."""
        try:
            return await self.explained(call, {})
        except WebPage as page:
            raise JudgeError(f"{self.server} is not the address of an API; does it end in /v1? ({page})") from None

    async def explained(self, call: Any, sent: dict[str, Any]) -> Any:
        """Return the call's result. Raises what `explain` makes of a Complaint. `sent` is {} if this is no chat."""
        try:
            return await call
        except Complaint as complaint:
            error = explain(complaint, self.name, self.server, sent, FORMS)
            if not sent and isinstance(error, BadPrompt | Doubtful):  # there is no prompt to blame
                error = JudgeError(f"{self.name}: {complaint}", complaint.status)
            raise error from None

    async def _answers(self, request: dict[str, Any]) -> bool:
        """Check whether the service answers a harmless prompt with the same parameters and roles."""
        if time.monotonic() - self._tried > TRUST:
            roles = [one["role"] for one in request["messages"]]
            greeting = [{"role": role, "content": HELLO} for role in roles[: roles.index("user") + 1]]
            try:
                await self.ask({**request, "messages": greeting}, trial=True)
            except JudgeError:
                return False
            self._tried = time.monotonic()
        return True

    def recorded(self, reply: Reply, room: int = 0, lost: Mapping[str, int] | None = None) -> Reply:
        """Add to a reply's details the changes to its request and the tokens of attempts without an answer."""
        details = dict(reply.details)
        model = details.get("model")
        if model and model not in self._named:
            if self._named or not same_name(model, self.name):
                before = " and ".join(sorted(self._named)) or self.name
                logging.warning("WARNING: a reply comes from the model %s, after %s was asked", model, before)
            self._named.add(model)
        if lost:
            details["usage"] = {name: tokens + lost[name] for name, tokens in details.get("usage", {}).items()}
        if self.abilities.noted:
            details["changed_parameters"] = self.abilities.noted
        if room:
            details["room_for_thoughts"] = room
        return replace(reply, details=details)


def same_name(said: str, asked: str) -> bool:
    """Return whether a service may mean the same model: gpt-4o-2024-08-06 for gpt-4o, llama3:latest for llama3."""
    said, asked = (name.lower().rpartition("/")[2] for name in (said, asked))
    return said in asked or asked in said


def no_reuse() -> Any:
    """Return limits by which each call has a connection of its own: what is left on one may be another call's reply."""
    import httpx

    return httpx.Limits(max_keepalive_connections=0)


def crowded_out(reply: Reply) -> bool:
    """Return whether the reply was cut at the token limit because of its thoughts."""
    return reply.finish_reason == "length" and bool(has_thought(reply) or not reply.text)


def only_thought(reply: Reply) -> bool:
    """Return whether there are thoughts and no answer. Some services report such a cut reply as a normal end."""
    return reply.finish_reason in (None, "stop") and bool(has_thought(reply) and not reply.text)


def has_thought(reply: Reply) -> Any:
    return reply.details.get("thought_characters") or reply.details.get("usage", {}).get("reasoning_tokens")
