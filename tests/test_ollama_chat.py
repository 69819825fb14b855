"""The Ollama client against a double of the real server (tests/fake_ollama.py)."""

import pytest
from fake_ollama import FakeOllama

from utils.clients import retry
from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.clients.ollama_chat import CONTEXT_STEP, OllamaChat
from utils.judges import flags as judges
from utils.records import TutorAnswer

ASK = {"temperature": 0.2, "seed": 7, "max_tokens": 300}
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr("utils.clients.ollama_chat.CHECK_BUDGET", 2.0)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


@pytest.mark.parametrize(
    "address, server",
    [("", "http://127.0.0.1:11434"), ("host", "http://host:11434"), (":99", "http://127.0.0.1:99"),
     ("host:99", "http://host:99"), ("http://host", "http://host:80"), ("https://host:99", "https://host:99")],
)  # fmt: skip
def test_address_forms(address, server):
    assert OllamaChat(address, "m").server.rstrip("/") in (server, server.removesuffix(":80"))


def test_ollama_host_is_used_when_no_address_is_given(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "other:1234")
    assert judges.make_chat(["ollama", "m"]).server.startswith("http://other:1234")


@pytest.mark.parametrize("address", ["http://user:pass@host", "ftp://host"])
def test_addresses_that_are_refused(address):
    with pytest.raises(ValueError, match="Ollama address"):
        OllamaChat(address, "m")


@pytest.mark.parametrize("model", ["llama3", "llama3:latest", "org/tutor", "tutor:7b"])
def test_latest_is_matched(model):
    """`llama3` was not found among `llama3:latest`, and pulled again."""
    with FakeOllama(["llama3:latest", "org/tutor:latest", "tutor:7b"]) as server:
        OllamaChat(server.host, model, pull=False).check()
        assert "/api/pull" not in server.pages


def test_a_missing_model_is_pulled_or_refused():
    with FakeOllama(pullable=["new:latest"]) as server:
        with pytest.raises(JudgeError, match="ollama pull new"):
            OllamaChat(server.host, "new", pull=False).check()
        OllamaChat(server.host, "new").check()
        assert server.pages.count("/api/pull") == 1


def test_an_error_of_the_pull_under_http_200_is_seen():
    with FakeOllama() as server, pytest.raises(JudgeError, match=r"could not pull.*file does not exist"):
        OllamaChat(server.host, "misspelt").check()


@pytest.mark.parametrize("body", [b"null\n", b"7\n", b'"x"\n', b"[]\n", b"{}\n"])
def test_an_odd_line_of_a_pull_is_one_line_of_ours(body):
    with FakeOllama() as server, pytest.raises(JudgeError, match="could not pull"):
        server.instead["/api/pull"] = (200, body)
        OllamaChat(server.host, "new").check()


@pytest.mark.parametrize("page", ["/api/tags", "/api/show"])
@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b'{"error": "invalid model name"}'), (413, b"prompt is too long"), (418, b""), (403, b"")],
)
def test_a_refusal_of_the_check_is_one_line(page, status, body):
    """A traceback of our own `Doubtful`: there is no prompt that could be to blame."""
    with FakeOllama() as server, pytest.raises(JudgeError, match=f"HTTP {status}"):
        server.instead[page] = (status, body)
        OllamaChat(server.host, "llama3").check()


def test_no_server():
    with pytest.raises(JudgeError, match="no Ollama server answers"):
        OllamaChat("127.0.0.1:9", "m").check()


@pytest.mark.parametrize("fault", ["busy", "crash", "not json", "empty", "error under 200", "load", "hang"])
def test_what_may_pass_is_asked_again(fault):
    with FakeOllama(faults=[fault, fault]) as server:
        reply = OllamaChat(server.host, "llama3", deadline=0.5).complete(HELLO, **ASK)
        assert len(server.bodies) == 3 and reply.finish_reason == "stop"


def test_busy_beyond_the_budget():
    with FakeOllama(faults=["busy"] * 999) as server, pytest.raises(JudgeUnavailable, match="server busy"):
        OllamaChat(server.host, "llama3", budget=0.4).complete(HELLO, **ASK)


def test_what_cannot_pass_stops_at_once():
    with FakeOllama(faults=["bad"]) as server:
        with pytest.raises(JudgeError, match="invalid options"):
            OllamaChat(server.host, "llama3").complete(HELLO, **ASK)
        with pytest.raises(JudgeError, match="no model 'other'"):
            OllamaChat(server.host, "other").complete(HELLO, **ASK)
        assert len(server.bodies) == 1


def test_options_go_where_the_server_reads_them():
    """temperature and seed beside `options` are ignored; without num_predict a JSON reply may never end."""
    with FakeOllama() as server:
        OllamaChat(server.host, "llama3").complete(HELLO, **ASK, schema={"type": "object"})
        body = server.bodies[0]
        assert {"temperature": 0.2, "seed": 7, "num_predict": 300}.items() <= body["options"].items()
        assert body["format"] == {"type": "object"} and body["options"]["num_ctx"] >= 4096


TEMPLATE = "Rubric: first word of all.\n---\n{conversation}\n{answer}"
LONG = TutorAnswer("Student: " + "word " * 6000, "What?")


def test_num_ctx_is_sized_to_the_longest_prompt_and_the_same_for_all():
    """The default context cuts a long prompt to its first 4 tokens and its tail: the judge loses its rubric."""
    with FakeOllama() as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        items = [TutorAnswer("Student: hi", "What?"), LONG]
        judge.prepare(items)
        for item in items:
            judge.grade(item)
        contexts = {body["options"]["num_ctx"] for body in server.bodies}
        assert len(contexts) == 1 and contexts.pop() % CONTEXT_STEP == 0
        assert server.read[1][:3] == ["Rubric:", "first", "word"] and len(server.read[1]) > 6000


def test_a_silently_cut_prompt_is_an_error_never_a_score():
    with FakeOllama(ignores_num_ctx=True) as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        judge.prepare([LONG])
        with pytest.raises(JudgeError, match="cut the prompt"):
            judge.grade(LONG)
        assert len(server.read[0]) == 4096  # the double did cut it, under HTTP 200


def test_a_context_filled_to_the_brim_is_asked_again_with_more():
    """The estimate was too low for this text: num_ctx grows instead of a score on half a prompt."""
    with FakeOllama() as server:
        chat = OllamaChat(server.host, "llama3")
        chat.check()
        chat.context = 4096
        prompt = [{"role": "user", "content": "a " * 4000}]
        reply = chat.complete(prompt, **ASK)
        assert [body["options"]["num_ctx"] for body in server.bodies] == [4096, 8192]
        assert reply.details["usage"]["prompt_tokens"] == 4000 and reply.details["num_ctx"] == 8192


def test_a_prompt_that_the_model_cannot_hold_is_refused_before_the_first_call():
    with FakeOllama(model_context=4096) as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        with pytest.raises(JudgeError, match="longer context"):
            judge.prepare([LONG])
        assert server.bodies == []


DENSE = TutorAnswer("Student: " + "=" * 36_000, "What?")  # few words, 12,000 tokens of three letters


@pytest.mark.parametrize(
    "server_options", [{"knows_truncate": "plain"}, {"knows_truncate": "nested"}, {"half": True}, {}]
)
def test_a_prompt_of_few_words_and_many_tokens_is_never_cut_and_scored(server_options):
    """4,098 of 12,000 tokens were read, and scored: no count of words could tell."""
    with FakeOllama(letters=3, model_context=8192, **server_options) as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        judge.prepare([DENSE])
        verdict = judge.grade(DENSE)
        assert verdict.evaluation is None and "context_length" in verdict.evaluation_error
        assert len(server.bodies) == 1 and server.bodies[0]["truncate"] is server.bodies[0]["shift"] is False


@pytest.mark.parametrize("context", [2048, 4096, 5000])
@pytest.mark.parametrize("half", [False, True])
def test_a_server_that_ignores_the_context_size_gives_no_score_on_a_cut_prompt(caplog, context, half):
    """4,096 of 12,000 tokens were read, and scored: only a cut to half of the context asked for was known. What
    fits into the server's own context is graded."""
    short = TutorAnswer("Student: " + "=" * 3_500, "What?")
    with FakeOllama(letters=3, ignores_num_ctx=True, default_context=context, half=half) as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        judge.prepare([DENSE, short])
        verdict = judge.grade(DENSE)
        assert verdict.evaluation is None and "context_length" in verdict.evaluation_error
        assert judge.grade(short).evaluation and len(server.read[-1]) > 1000
        assert "whatever context is asked for" in caplog.text


def test_an_old_server_is_measured_once_and_one_that_refuses_costs_nothing():
    """A prompt longer than its context is read by an old server alone; short prompts need no measuring at all."""
    for knows, measured, items in (
        ("", 1, [LONG] * 3),
        ("plain", 1, [LONG] * 3),
        ("", 0, [TutorAnswer("Hi", "What?")]),
    ):
        with FakeOllama(knows_truncate=knows) as server:
            judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
            judge.check()
            judge.prepare(items)
            assert all(judge.grade(item).evaluation for item in items)
            assert len(server.measured) == measured and len(server.bodies) == len(items)


def test_a_dense_prompt_that_fits_is_scored():
    with FakeOllama(letters=3, model_context=16_384, knows_truncate="plain") as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        judge.prepare([DENSE])
        assert judge.grade(DENSE).evaluation and len(server.bodies) == 1


@pytest.mark.parametrize(
    "shows, told",
    [
        ({"capabilities": ["completion", "thinking"]}, False),
        ({"capabilities": ["completion", "thinking"], "details": {"family": "gptoss"}}, "low"),
        ({"thinking": {"values": [True, False], "default": True}}, False),
        ({"thinking": {"values": ["low", "medium", "high"], "default": "medium"}}, "low"),
        ({"thinking": {"values": [False]}}, None),
        ({"capabilities": ["completion"]}, None),
        ({}, None),
    ],
)
def test_a_model_that_can_think_is_told_not_to(shows, told):
    """The README's own qwen3:14b thought its 300 tokens away: exit code 3."""
    with FakeOllama(shows=shows) as server:
        chat = OllamaChat(server.host, "llama3")
        chat.check()
        chat.complete(HELLO, **ASK)
        assert server.bodies[0].get("think") == told and ("think" in server.bodies[0]) == (told is not None)


@pytest.mark.parametrize("shows", [{"capabilities": ["thinking"]}, {}])
def test_one_that_cannot_be_told_is_given_room(shows):
    """gpt-oss, DeepSeek-R1, or a server that is too old to say: the verdict after the thoughts counts."""
    with FakeOllama(thinks=900, obeys=False, shows=shows) as server:
        judge = judges.make_judge(["ollama", server.host, "llama3"], TEMPLATE)
        judge.check()
        items = [TutorAnswer(f"Student: {n}", "What?") for n in range(3)]
        judge.prepare(items)
        verdicts = [judge.grade(item) for item in items]
        assert all(one.evaluation and one.details["attempts"] == 1 for one in verdicts)
        assert [body["options"]["num_predict"] for body in server.bodies] == [300, 4396, 4396, 4396]
        assert all(body["options"]["num_ctx"] > 4396 for body in server.bodies[1:])


def test_an_error_that_names_a_parameter_leaves_it_out():
    """A server older than structured outputs takes no schema."""
    with FakeOllama() as server:
        chat = OllamaChat(server.host, "llama3")
        server.faults = ["no schema"]
        reply = chat.complete(HELLO, **ASK, schema={"type": "object"})
        assert [body.get("format") for body in server.bodies] == [{"type": "object"}, "json"]
        assert reply.details["changed_parameters"] == {"format": ["json"]}


@pytest.mark.parametrize(
    "shows",
    [
        {"model_info": None, "capabilities": None, "details": None},
        {"model_info": {"llama.context_length": None}, "capabilities": [], "details": [1]},
        {"model_info": [1], "thinking": "x"},
    ],
)
def test_a_server_that_shows_nothing_of_a_model_is_taken_as_it_is(shows):
    with FakeOllama() as server:
        server.shows = shows
        chat = OllamaChat(server.host, "llama3")
        chat.check()
        assert chat.model_context is None and chat.think is None


def test_the_address_of_a_web_page_is_said_at_once(monkeypatch):
    from fake_services import Refusal, Service

    page = Refusal(200, "<html><title>Open WebUI</title>", kind="text/html")
    with Service(lambda body: page, model_list=page) as server, pytest.raises(JudgeError, match="Open WebUI"):
        OllamaChat(server.url.removesuffix("/v1"), "llama3").check()
