"""What the clients of both APIs share: ask until the service accepts the request, and learn what it does not accept."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from utils.clients.abilities import FORMS, Abilities
from utils.clients.body import WebPage
from utils.clients.chat import JudgeError, Reply
from utils.clients.refusals import BadPrompt, Doubtful, RejectedParameter, explain
from utils.clients.reply import Complaint, whole
from utils.clients.retry import CallQueue

# What no service refuses; some want to read the word JSON where they are to write it.
HELLO = "Hello! Reply with a small JSON object."
TRIAL = [{"role": "user", "content": HELLO}]
TRUST = 60.0  # seconds for which an answer to it tells that the service answers


class Service(ABC):
    """A model at an address.

    `queue` holds the calls to it, `abilities` what it takes, `settings` all that can change a reply.
    """

    moderated = True  # a refusal may be of this prompt alone
    hushed = False  # whether a model may be told not to think by a field that this API does not have

    def __init__(self, kind: str, model: str, server: str, *, deadline: float, budget: float):
        self.name, self.server = model, server
        self.settings: dict[str, Any] = {"judge": kind, "model": model, "server": server}
        self.queue = CallQueue(f"{model} at {server}", deadline=deadline, budget=budget)
        self.abilities = Abilities(model)
        self._tried = -TRUST  # when the service last answered HELLO

    @abstractmethod
    async def post(self, sent: dict[str, Any]) -> list[Reply]:
        """Send the request and read the replies. Raises Complaint or Transient."""

    @abstractmethod
    async def post_live(self, sent: dict[str, Any], grow: Callable[[str], None]) -> list[Reply]:
        """As `post`. `grow` is told the text so far; what it raises ends the request."""

    @abstractmethod
    def request_of(
        self, messages: list[dict], *, temperature: float, seed: int, max_tokens: int, schema=None, logprobs=False
    ) -> dict[str, Any]:
        """The request for `ask`, in this API's terms."""

    async def ask(
        self, request: dict[str, Any], post: Callable[[dict], Awaitable[list[Reply]]] | None = None, trial: bool = False
    ) -> list[Reply]:
        """Return the replies to a request, sent by `post`. What the service does not accept is changed or left out.

        `trial`: the prompt is one that nobody could refuse. Where it is refused all the same, without a reason that we
        understand, it is asked again with less.
        A prompt that it refuses has one reply, an empty one, whose finish_reason says why: "context_length",
        "content_filter" or "refused"; `details["error"]` has its words.
        """
        request = {**request, "messages": [{**one, "content": whole(one["content"])} for one in request["messages"]]}
        room, lost = self.abilities.room, Counter()
        while True:
            sent = self.abilities.adjusted(request, room)
            try:
                replies = await self.explained((post or self.post)(sent), sent)
            except RejectedParameter as rejected:
                self.abilities.learn(rejected, request, sent, room)
                room = min(room, self.abilities.most)
            except BadPrompt as bad:
                if bad.reason == "length" and room < (more := self.abilities.more_room(room)):
                    room = more
                    continue
                if bad.reason != "context_length" or not room:
                    return [Reply("", bad.reason, {"error": str(bad)})]
                room = room // 4 if room > 1024 else 0  # it may be the room for thoughts that is too much
            except Doubtful as doubtful:
                key = doubtful.fatal.status == 403
                if trial and not key and self.abilities.less(request, sent, room, doubtful):
                    continue
                if trial or not (self.moderated and await self._answers(request)):
                    raise doubtful.fatal from None
                if self.abilities.adjusted(request, room) == sent:  # else it would be sent otherwise by now
                    return [Reply("", "refused", {"error": str(doubtful)})]
            else:
                crowded = any(map(crowded_out, replies)) or all(map(only_thought, replies))
                hushed = crowded and self.hushed and self.abilities.hush(sent)
                more = self.abilities.more_room(room) if crowded and not hushed else room
                if more == room and not hushed:
                    return [self.recorded(reply, room, lost) for reply in replies]
                self._tried = -TRUST if hushed else self._tried
                room = more
                lost.update(replies[0].details.get("usage", {}))  # thoughts without an answer are paid for too

    async def checked(self, call: Any) -> Any:
        """Return the call's result. Raises JudgeError for a web page at once, since it would be the same next time."""
        try:
            return await self.explained(call, {})
        except WebPage as page:
            raise JudgeError(f"{self.server} is not the address of an API; does it end in /v1? ({page})") from None

    async def explained(self, call: Any, sent: dict[str, Any]) -> Any:
        """Return the call's result. Raises the exception that explains a complaint."""
        try:
            return await call
        except Complaint as complaint:
            raise explain(complaint, self.name, self.server, sent, FORMS) from None

    async def _answers(self, request: dict[str, Any]) -> bool:
        """Return whether the service answers a harmless prompt with the same parameters and roles."""
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
        """Return the reply with the changes to its request, and with the tokens that lost attempts used."""
        details = dict(reply.details)
        if lost:
            details["usage"] = {name: tokens + lost[name] for name, tokens in details.get("usage", {}).items()}
        if self.abilities.noted:
            details["changed_parameters"] = self.abilities.noted
        if room:
            details["room_for_thoughts"] = room
        return replace(reply, details=details)


def crowded_out(reply: Reply) -> bool:
    """Return whether thoughts left no room for the answer, or not enough."""
    return reply.finish_reason == "length" and bool(has_thought(reply) or not reply.text)


def only_thought(reply: Reply) -> bool:
    """Return whether there are thoughts and no answer; some services call a reply that was cut so an end."""
    return reply.finish_reason in (None, "stop") and bool(has_thought(reply) and not reply.text)


def has_thought(reply: Reply) -> Any:
    return reply.details.get("thought_characters") or reply.details.get("usage", {}).get("reasoning_tokens")
