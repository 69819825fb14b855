"""Remember which parameters a service has rejected, and what to send instead."""

import logging
from typing import Any

from utils.clients.chat import JudgeError
from utils.clients.refusals import RejectedParameter

# Parameters that some services reject -> the replacements to try, in this order. A string renames the parameter,
# None leaves it out, and anything else is another value for it; a value that is a string stands in a list. "roles" is
# not a parameter: its replacement makes `adjusted` alternate the roles of the messages.
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
# Tells a model at vLLM, SGLang or llama.cpp not to think. It is sent once thoughts have crowded out an answer, before
# the model is given more tokens.
QUIET = {"chat_template_kwargs": {"enable_thinking": False}}
# What is left out, in this order, after a refusal without a reason.
SUSPECTS = (*QUIET, "response_format", "seed", "top_k", "min_p", "repetition_penalty", "n", "top_p")
# Tokens for thoughts, added to those of the reply. The next number is tried when thoughts left no room for the answer.
ROOMS = (0, 4096, 16384)


class Abilities:
    """The parameters that one model at one service accepts. `changed` maps each rejected one to its replacement."""

    def __init__(self, name: str):
        self.name, self.room, self.most = name, ROOMS[0], ROOMS[-1]
        self.quiet = False  # whether it is told not to think
        self.required: dict[str, Any] = {}  # parameters that the service requires
        self.changed: dict[str, Any] = {}

    @property
    def noted(self) -> dict[str, Any]:
        """Return the changes to requests, which are recorded with each reply."""
        return (QUIET if self.quiet else {}) | self.changed | self.required

    def adjusted(self, request: dict[str, Any], room: int) -> dict[str, Any]:
        """Return the request in the form that the service accepts, with `room` more tokens for thoughts."""
        request = {name: value + room if name in CAPS else value for name, value in request.items()}
        request |= (QUIET if self.quiet else {}) | self.required
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
        """Choose the next replacement for a rejected parameter. Raises JudgeError if there is none left.

        `sent` is `request` as it was adjusted and rejected. If it would be adjusted differently by now, another call
        has already learnt from the same error, and nothing is changed.
        """
        name = rejected.name
        if self.adjusted(request, room) != sent:
            return
        if rejected.missing:
            logging.info("%s requires %s: false", self.name, name)
            self.required[name] = False
            return
        if room and name in CAPS and not rejected.unknown:  # more tokens than the service allows
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
        """Tell the model not to think, from now on. Returns False if `sent` did so already, or if that was rejected."""
        if QUIET.keys() & {*sent, *self.changed}:
            return False
        if not self.quiet:
            logging.info("%s thinks before it answers: it is told not to", self.name)
        self.quiet = True
        return True

    def less(self, request: dict[str, Any], sent: dict[str, Any], room: int, refusal: Exception) -> bool:
        """Leave out or simplify one field after a refusal without a reason. Returns False if none is left to try."""
        system = any(message["role"] == "system" for message in sent["messages"])
        suspects = [name for name in SUSPECTS if name in sent]
        if system and "roles" not in self.changed:
            suspects.append("roles")
        if suspects:
            self.learn(RejectedParameter(suspects[0], str(refusal)), request, sent, room)
        return bool(suspects)

    def more_room(self, given: int) -> int:
        """Return how many tokens for thoughts to try after `given` were used up; `given` if there are no more."""
        more = max(self.room, next((room for room in ROOMS if given < room <= self.most), given))
        if more > self.room:
            self.room = more
            logging.info("%s thinks before it answers: it is given %d tokens for that", self.name, more)
        return more


def alternating(messages: list[dict]) -> list[dict]:
    """Return the messages with alternating roles; the system message goes into the first user message."""
    turns: list[dict] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1] = {"role": role, "content": f"{turns[-1]['content']}\n\n{message['content']}"}
        else:
            turns.append({"role": role, "content": message["content"]})
    return turns
