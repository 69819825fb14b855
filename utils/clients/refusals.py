"""Interpret refusals: retry, or blame the prompt, a parameter, or the whole service."""

import re
from collections.abc import Mapping
from typing import Any

from utils.clients.chat import JudgeError
from utils.clients.reply import Complaint
from utils.clients.retry import Transient, Unread

NO_CREDIT = re.compile(
    r"insufficient_quota|exceeded_current_quota|余额不足|欠费|billing_hard_limit|billing_not_active|insufficient.(balance|credit|fund)|arrear|recharge|"
    r"credit balance is too low",
    re.IGNORECASE,
)
# OpenAI's words for an account without credit. Gemini's are the same for a quota per minute, and say when to retry.
NO_QUOTA = re.compile(r"exceeded your current quota", re.IGNORECASE)
PASSING = (408, 409, 425, 429, 460, 499)
BUSY = (408, 429, 503, 504, 524, 529)  # the server, or a gateway before it, takes fewer requests at once
LASTING = (501, 505, 506, 508, 510, 511)  # errors of a server that do not pass
# Messages about a prompt that is too long. Those of vLLM and SGLang have no code and quote 'max_tokens'.
TOO_LONG = re.compile(
    r"context.?(length|size|window)|maximum (allowed|prompt) length|(prompt|input|request) is too (long|large)|"
    r"too large for model|input token count|input length|reduce the length|must have less than \d+ tokens|"
    r"inputs?.{0,9} tokens.{0,60}must be <=",
    re.IGNORECASE,
)
# A reasoning model's thoughts used up all tokens; OpenAI reports that as an error.
UNFINISHED = re.compile(r"could not finish the message|output limit was reached", re.IGNORECASE)
FILTER = re.compile(r"content.?filter|content.?policy|data_inspection|responsibleai|moderation", re.IGNORECASE)
# Other names of our parameters in error messages.
ALSO_CALLED = {
    "response_format": r"(response|json).?(format|schema|object|mode)|structured.?output|guided|grammar|'json'",
    "logprobs": r"log.?prob", "max_tokens": r"max.?(completion.?)?tokens",
    "max_completion_tokens": r"max.?(completion.?)?tokens", "format": r"\.format\b|\bformat\b|grammar|schema",
    "think": r"\bthink",
}  # fmt: skip
# The chat templates of Gemma and of the first Mistrals have no system message and require alternating roles.
ROLES = re.compile(
    r"system (role|message|prompt)s?\b.{0,30}(not|n't|un)|only user.{0,30}roles|roles? must alternate|"
    r"does not support .?system|developer instruction",
    re.IGNORECASE,
)
CANNOT = re.compile(r"support|unknown|unexpected|unrecognized|unmarshal|grammar|not implemented|invalid", re.IGNORECASE)
# A router's 404 (OpenRouter): it has the model, but no provider that takes all the parameters.
ROUTED = re.compile(r"no endpoints? found that", re.IGNORECASE)
THROTTLED = r"rate.?limit|rate exceeded|too many requests|throttl"
# The status that an error implies if it comes under HTTP 200 without a status of its own.
IMPLIED = (
    (401, r"invalid.?api.?key|incorrect api key|authentication|unauthorized"),
    (404, r"model.{0,20}(not.?found|does not exist)|no such model|unknown model"),
    (429, THROTTLED),
    (503, r"overloaded|capacity|busy|unavailable"),
    (400, r"invalid.?request|bad.?request|validation|unsupported.?(parameter|value)|unknown.?(parameter|field)"),
)
UNKNOWN = re.compile(  # the parameter itself, not its value
    r"unsupported_parameter|extra_forbidden|unknown_parameter|unknown (name|field|parameter)|extra inputs|unrecognized|"
    r"property .* is unsupported",
    re.IGNORECASE,
)
# A service has thoughts of its own to be turned off (DashScope).
REQUIRED = re.compile(r"(\w+) must be (?:set to )?false", re.IGNORECASE)
# The service's own parser refused what the model wrote (Groq).
UNPARSED = re.compile(r"json_validate_failed", re.IGNORECASE)
REJECTING = (400, 404, 415, 422, 500, 501)


class RejectedParameter(Exception):
    """The service rejects a value of a parameter, or the parameter itself (`unknown`), or requires it (`missing`)."""

    def __init__(self, name: str, message: str, unknown: bool = False, missing: bool = False):
        super().__init__(message)
        self.name, self.unknown, self.missing = name, unknown, missing


class BadPrompt(Exception):
    """Only this prompt is refused (too long, filtered). Its reply is invalid, and the run goes on."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class Doubtful(Exception):
    """Either this prompt is refused or every prompt: a second one tells. If that is refused too, `fatal` is raised."""

    def __init__(self, fatal: JudgeError):
        super().__init__(str(fatal))
        self.fatal = fatal


def explain(complaint: Complaint, name: str, server: str, sent: Mapping[str, Any], changeable: Mapping) -> Exception:
    """Return the exception for a complaint: Transient, BadPrompt, RejectedParameter, Doubtful or JudgeError.

    `sent` is the refused request. `changeable` has the parameters that may be replaced or left out.
    """
    text, words = complaint.message, complaint.words.lower()
    said = f"{words} {text}"
    status = complaint.status or next((code for code, sign in IMPLIED if re.search(sign, said, re.IGNORECASE)), None)
    if status == 400 and re.search(THROTTLED, said, re.IGNORECASE):  # AWS
        status = 429
    if status == 402 or NO_CREDIT.search(said) or (NO_QUOTA.search(said) and complaint.pause is None):
        return JudgeError(f"{name}: the account has no credit left ({text})", status)
    if status not in PASSING and status != 401 and ("context" in words or TOO_LONG.search(text)):
        return BadPrompt("context_length", text)
    if status == 400 and UNFINISHED.search(text):
        return BadPrompt("length", text)
    if status is None or status in PASSING or (status >= 500 and status not in LASTING):
        # A server that cannot parse a value, or apply its chat template, may report that as its own failure.
        mine = status == 500 and (CANNOT.search(text) or ROLES.search(text))
        if mine and (rejected := rejection(complaint, sent, changeable)):
            return rejected
        kind = Unread if status is None else Transient
        return kind(str(complaint), pause=complaint.pause, busy=status in BUSY, status=status)
    if status == 401:
        return JudgeError(f"{server} refuses the key ({complaint})", status)
    if 300 <= status < 400:
        return JudgeError(f"{server} redirects elsewhere (HTTP {status}): give its own address", status)
    if FILTER.search(said) and status in (400, 403, 422):
        return BadPrompt("content_filter", text)
    if UNPARSED.search(said):
        return Unread(str(complaint), status=status)
    if status in REJECTING and (rejected := rejection(complaint, sent, changeable)):
        return rejected
    if status == 404 and not ROUTED.search(text):
        return JudgeError(f"{server} has no model {name!r}, or this is not the address of an API ({complaint})", status)
    if status == 405:
        return JudgeError(f"{server} is not the address of an API; does it end in /v1? ({complaint})", status)
    if status == 403:
        return Doubtful(JudgeError(f"{server} refuses the key ({complaint})", status))
    fatal = JudgeError(f"{name}: {complaint}", status)
    return Doubtful(fatal) if status < 500 or status == 501 else fatal


def rejection(complaint: Complaint, sent: Mapping[str, Any], changeable: Mapping) -> RejectedParameter | None:
    """Return the parameter that a complaint is about, if it was sent and may be changed."""
    if len(sent.get("messages", ())) > 1 and ROLES.search(complaint.message):
        return RejectedParameter("roles", complaint.message)
    mine = [name for name in changeable if name in sent]
    text = complaint.message
    if (required := REQUIRED.search(text)) and sent and required[1] not in sent:
        return RejectedParameter(required[1], text, missing=True)
    pointed = [name.split(".")[0].split("[")[0] for name in complaint.names]
    quoted = re.findall(r"['\"`](\w+)", text)
    spoken = [name for name in mine if re.search(ALSO_CALLED.get(name, rf"\b{name}\b"), text, re.IGNORECASE)]
    unknown = bool(UNKNOWN.search(f"{complaint.words} {text}"))
    named = [name for name in (*pointed, *quoted, *spoken) if name in mine]
    # If the service points at a parameter that must not be changed, changing another one does not help.
    if not named or (pointed and pointed[0] in sent and pointed[0] not in mine):
        return None
    return RejectedParameter(named[0], text, unknown)
