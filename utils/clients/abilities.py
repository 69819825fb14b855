"""Remember what a service does not accept, once it has said so, and what is sent instead."""

import logging
from typing import Any

from utils.clients.chat import JudgeError
from utils.clients.refusals import RejectedParameter

# What a service may not take -> what it may take instead, in this order; None leaves it out.
# A text is the parameter's other name, anything else another value of it.
FORMS: dict[str, tuple[Any, ...]] = {
    "max_tokens": ("max_completion_tokens", None), "max_completion_tokens": (None,),
    "response_format": ({"type": "json_object"}, None), "format": (["json"], None),
    "top_logprobs": (5, None), "think": (None,), "roles": ("user and assistant in turn",),
    "chat_template_kwargs": (None,),
}  # fmt: skip
for _name in (
    "temperature", "seed", "logprobs", "n", "top_k", "top_p", "min_p", "repetition_penalty", "truncate", "shift",
):  # fmt: skip
    FORMS[_name] = (None,)
CAPS = ("max_tokens", "max_completion_tokens")
# What tells a model at vLLM, SGLang or llama.cpp not to think: sent once it was seen to, before room is given.
QUIET = {"chat_template_kwargs": {"enable_thinking": False}}
# Tokens beside those of the reply, for a model that thinks before it answers: what it is given, and if that was used
# up. It is learnt from a reply whose thoughts left no room for the answer.
ROOMS = (0, 4096, 16384)


class Abilities:
    """What one model at one service accepts. `changed` is what it does not accept, and what is sent instead."""

    def __init__(self, name: str):
        self.name, self.room, self.most = name, ROOMS[0], ROOMS[-1]
        self.quiet = False  # whether it is told not to think
        self.changed: dict[str, Any] = {}

    @property
    def noted(self) -> dict[str, Any]:
        """The changes to requests, as they are recorded with each reply."""
        return (QUIET if self.quiet else {}) | self.changed

    def adjusted(self, request: dict[str, Any], room: int) -> dict[str, Any]:
        """Return the request in the form that the service accepts, with `room` more tokens for thoughts."""
        request = {name: value + room if name in CAPS else value for name, value in request.items()}
        request |= QUIET if self.quiet else {}
        if "roles" in self.changed:
            request["messages"] = alternating(request["messages"])
        for name, form in self.changed.items():
            if name in request:
                value = request.pop(name)
                if isinstance(form, str):
                    request[form] = value
                elif form is not None:
                    request[name] = form[0] if isinstance(form, list) else form
        return request

    def learn(self, rejected: RejectedParameter, request: dict[str, Any], sent: dict[str, Any], room: int) -> None:
        """Remember another form of what was rejected; JudgeError if there is none.

        `sent` is the request that was refused, as it was adjusted: if it would be sent otherwise by now, another call
        has learnt the same meanwhile.
        """
        name = rejected.name
        if self.adjusted(request, room) != sent:
            return
        if room and name in CAPS and not rejected.unknown:  # more tokens than the service gives
            self.most = min(self.most, room // 2)
            self.room = min(self.room, self.most)
            return
        forms = FORMS[name]
        rest = forms[forms.index(self.changed[name]) + 1 :] if name in self.changed else forms
        if not rest:
            raise JudgeError(f"{self.name}: {rejected}") from None
        form = None if rejected.unknown and not isinstance(rest[0], str) else rest[0]
        logging.info("%s rejects %s: %s", self.name, name, "left out" if form is None else f"{form} instead")
        self.changed[name] = form

    def hush(self, sent: dict[str, Any]) -> bool:
        """Tell the model not to think, from now on. Returns False if `sent` said so already, or it is not accepted."""
        if QUIET.keys() & {*sent, *self.changed}:
            return False
        if not self.quiet:
            logging.info("%s thinks before it answers: it is told not to", self.name)
        self.quiet = True
        return True

    def less(self, request: dict[str, Any], sent: dict[str, Any], room: int, refusal: Exception) -> bool:
        """Send less after a refusal without a reason. Returns False if there is nothing to leave out."""
        system = any(message["role"] == "system" for message in sent["messages"])
        suspects = [name for name in (*QUIET, "response_format", "seed") if name in sent]
        if system and "roles" not in self.changed:
            suspects.append("roles")
        if suspects:
            self.learn(RejectedParameter(suspects[0], str(refusal)), request, sent, room)
        return bool(suspects)

    def more_room(self, given: int) -> int:
        """Return the room to try after thoughts have filled the given one; the same if there is no more."""
        more = max(self.room, next((room for room in ROOMS if given < room <= self.most), given))
        if more > self.room:
            self.room = more
            logging.info("%s thinks before it answers: it is given %d tokens for that", self.name, more)
        return more


def alternating(messages: list[dict]) -> list[dict]:
    """Return the messages as user and assistant in turn, with the system message put into the first user message."""
    turns: list[dict] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1] = {"role": role, "content": f"{turns[-1]['content']}\n\n{message['content']}"}
        else:
            turns.append({"role": role, "content": message["content"]})
    return turns
