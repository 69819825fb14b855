"""The OpenAI client against a server that plays every fault (tests/fault_server.py)."""

import logging
import time

import pytest
from fault_server import FaultServer

from utils.clients import pauses, retry
from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.clients.openai_chat import OpenAIChat

KEY = "sk-secret-0123456789"
ASK = {"temperature": 0.2, "seed": 0, "max_tokens": 300}
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)


@pytest.fixture
def chat_of(monkeypatch):
    def make(server, *, deadline=1.0, budget=20.0, model="judge-1", key=KEY):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        return OpenAIChat(key, model, deadline=deadline, budget=budget)

    return make


@pytest.mark.parametrize(
    "fault",
    ["500", "502", "503", "429", "reset", "hang=20", "drip", "drip headers", "cut", "empty", "html", "not json",
     "no choices", "null choices"],
)  # fmt: skip
def test_what_may_pass_is_asked_again(chat_of, fault):
    """A stalled or broken reply ended the run, or (html, no choices) was taken for a reply."""
    with FaultServer([fault, fault]) as server:
        reply = chat_of(server).complete(HELLO, **ASK)
        assert reply.text.startswith("{") and reply.finish_reason == "stop"
        assert server.hits == {"hello": 3}


@pytest.mark.parametrize(
    "fault, word", [("quota", "no credit"), ("bad key", "refuses the key"), ("no model", "no model")]
)
def test_what_cannot_pass_stops_at_once(chat_of, fault, word):
    """insufficient_quota comes as a 429: asking again until the budget is spent."""
    with FaultServer([fault] * 9) as server:
        with pytest.raises(JudgeError, match=word) as caught:
            chat_of(server).complete(HELLO, **ASK)
        assert len(server.bodies) == 1
        assert KEY not in str(caught.value) and caught.value.__cause__ is None


def test_a_redirect_is_not_followed(chat_of):
    """The key went to whatever address the server named."""
    with FaultServer(["redirect"]) as server, pytest.raises(JudgeError, match="redirects"):
        chat_of(server).complete(HELLO, **ASK)


def test_the_deadline_bounds_a_drip(chat_of):
    """A per-read time-out never fires while a byte comes now and then."""
    with FaultServer(["drip"] * 99) as server:
        started = time.monotonic()
        with pytest.raises(JudgeUnavailable, match="no complete reply within"):
            chat_of(server, deadline=0.5, budget=1.2).complete(HELLO, **ASK)
        assert time.monotonic() - started < 2.5


def test_the_budget_ends_retries(chat_of):
    with FaultServer(["500"] * 999) as server:
        started = time.monotonic()
        with pytest.raises(JudgeUnavailable, match="HTTP 500"):
            chat_of(server, budget=0.5).complete(HELLO, **ASK)
        assert time.monotonic() - started < 2
        assert len(server.bodies) > 2


def test_retry_after_is_obeyed(chat_of):
    with FaultServer(["429=1"]) as server:
        chat_of(server).complete(HELLO, **ASK)
        assert server.times[1] - server.times[0] >= 1


def test_a_burst_of_429_halves_the_concurrency_once():
    """Eight calls that were refused together took it down to one."""
    queue, now = retry.CallQueue("x", deadline=1), time.monotonic()
    burst = [retry.Call(None, now, now) for _ in range(8)]
    queue._calls = set(burst[1:])  # the eighth has just ended
    for call in burst:
        queue._fewer(call)
    assert queue.limit == 4
    for _ in range(4):
        queue._more()
    assert queue.limit == 5  # a full round that works is followed by one more at once
    queue._fewer(retry.Call(None, time.monotonic(), now))
    assert queue.limit == 4


def test_retry_after_forms():
    from email.utils import formatdate

    assert pauses.retry_after({"retry-after": "7"}) == 7
    assert pauses.retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert 3 < pauses.retry_after({"retry-after": formatdate(time.time() + 5, usegmt=True)}) <= 5
    assert pauses.retry_after({"retry-after": "soon"}) is None
    assert pauses.retry_after({}) is None


@pytest.mark.parametrize(
    "rejected, sent",
    [("temperature", None), ("seed", None), ("max_tokens", "max_completion_tokens"), ("response_format", None)],
)
def test_a_rejected_parameter_is_changed_once_and_recorded(chat_of, rejected, sent):
    """o-series models answer 400 to temperature and max_tokens: the run stopped, or paid a 400 for each call."""
    with FaultServer(rejects={rejected: sent}) as server:
        chat = chat_of(server)
        replies = [chat.complete(HELLO, **ASK, schema={"type": "object"}) for _ in range(3)]
        assert len(server.bodies) == 3 + 1
        assert all(rejected not in body for body in server.bodies[1:])
        if sent:
            assert server.bodies[-1][sent] == 300
        assert replies[-1].details["changed_parameters"] == {rejected: sent}
        assert {"temperature", "seed", "messages", "model"} - {rejected} <= server.bodies[-1].keys()


def test_a_rejection_of_something_else_is_fatal(chat_of):
    with FaultServer(rejects={"messages": None}) as server, pytest.raises(JudgeError, match="Unsupported"):
        chat_of(server).complete(HELLO, **ASK)


def test_usage_and_model_are_recorded(chat_of):
    with FaultServer() as server:
        details = chat_of(server).complete(HELLO, **ASK).details
    assert details["model"] == "judge-1-2024-08-06" and details["system_fingerprint"] == "fp_1"
    assert details["usage"] == {
        "prompt_tokens": 1000, "completion_tokens": 40, "cached_tokens": 600, "reasoning_tokens": 0
    }  # fmt: skip


def test_check_knows_the_model_by_the_list(chat_of):
    with FaultServer(models=["judge-1", "judge-2"]) as server:
        chat_of(server).check()
        assert server.bodies == []


def test_check_falls_back_to_a_short_chat(chat_of):
    """A server without a model list was taken for dead; llama.cpp's lists another name than it is asked for."""
    for models in (None, [], ["alias"]):
        with FaultServer(models=models) as server:
            chat_of(server).check()
            assert len(server.bodies) == 1 and server.bodies[0]["max_tokens"] <= 16


def test_check_says_what_models_there_are(chat_of):
    server = FaultServer(["no model"], models=["small", "large"])
    with server, pytest.raises(JudgeError, match="small, large"):
        chat_of(server).check()


def test_check_says_that_nobody_answers(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr("utils.clients.openai_chat.CHECK_BUDGET", 0.3)
    with pytest.raises(JudgeError, match="nobody answers"):
        OpenAIChat(KEY, "judge-1").check()


@pytest.mark.parametrize("address", ["ftp://host/v1", "http://user:pass@host/v1", "file:///etc/passwd", "host:80/v1"])
def test_addresses_that_are_refused(monkeypatch, address):
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(ValueError, match="OPENAI_BASE_URL"):
        OpenAIChat(KEY, "judge-1")


def test_a_key_that_the_server_echoes_is_in_no_log_and_no_reply(chat_of, caplog):
    caplog.set_level(logging.DEBUG)
    with FaultServer(["key echo", "bad key"]) as server:
        chat = chat_of(server)
        assert KEY not in chat.complete(HELLO, **ASK).text
        with pytest.raises(JudgeError) as caught:
            chat.complete(HELLO, **ASK)
    assert "<key>" in str(caught.value)
    assert KEY not in caplog.text
    assert KEY not in str(chat.settings)
