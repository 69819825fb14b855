"""Services as they are: each is played in the shape that it documents (tests/fake_services.py), and grades."""

import gzip
import json

import pytest
from fake_services import SERVICES, Refusal, Service, chat, error, verdict
from fault_server import FaultServer, evaluation_of

from utils.artifacts import write_json
from utils.clients import retry
from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.clients.thoughts import without_thoughts
from utils.journal import Journal
from utils.judges import flags as judges
from utils.judges import grading
from utils.judges.judge import GradingOptions
from utils.records import Evaluation, TutorAnswer

KEY = "sk-secret-0123456789"
TEMPLATE = "Grade by the rubric, in JSON.\n---\n{conversation}\n{answer}"
ITEMS = [TutorAnswer(f"Student: {n}?", f"What is {n}?") for n in range(12)]


@pytest.fixture
def judge_of(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)

    def make(server, template=TEMPLATE, **keywords):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        judge = judges.make_judge(["openai", "none", "judge-1"], template, **keywords)
        judge.chat.queue.budget = 5
        return judge

    return make


def expected(judge, item):
    return Evaluation(**evaluation_of(judge.messages(item)[-1]["content"]))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_grades_and_is_asked_about_each_answer_once(tmp_path, judge_of, name):
    """The run stopped at its first reply, or paid a refusal for each call."""
    with Service(name) as server:
        judge = judge_of(server)
        judge.check()
        verdicts = grading.grade(judge, ITEMS, tmp_path / "j", description="x", concurrency=2)
        assert [one.evaluation for one in verdicts] == [expected(judge, item) for item in ITEMS]
        assert all(one.details["attempts"] == 1 for one in verdicts)
        asked = len(server.bodies)
        assert asked <= len(ITEMS) + 2 * 4  # two calls at once learn what the service does not take, each for itself
        grading.grade(judge, ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == asked


@pytest.mark.parametrize("template", ["Grade by the rubric.\n---\n{conversation}\n{answer}"])
def test_json_mode_is_left_out_where_the_prompt_does_not_say_json(judge_of, template):
    """DeepSeek refuses it then: every call was a 400."""
    with Service("DeepSeek chat") as server:
        judge = judge_of(server, template)
        item = TutorAnswer("Student: why?", "What do you think?")
        assert judge.grade(item).evaluation == expected(judge, item)
        assert "response_format" not in server.bodies[-1]


def test_thoughts_are_given_room_and_what_was_learnt_is_recorded(judge_of):
    """300 tokens went to the thoughts, and every verdict was invalid."""
    with Service("OpenAI o4-mini, gpt-5") as server:
        judge = judge_of(server)
        verdict = judge.grade(ITEMS[0])
        judge.grade(ITEMS[1])
    assert verdict.details["usage"]["completion_tokens"] == 2 * 300 + 40  # those of the thoughts that were cut too
    assert server.bodies[-1]["max_completion_tokens"] == 300 + 4096 and "temperature" not in server.bodies[-1]
    changed = {"max_tokens": "max_completion_tokens", "temperature": None}
    changed["chat_template_kwargs"] = {"enable_thinking": False}  # played at an address that is not OpenAI's
    assert verdict.details["changed_parameters"] == changed
    assert verdict.details["room_for_thoughts"] == 4096


@pytest.mark.parametrize(
    "crowded",
    [
        chat("", "stop", {"completion_tokens": 300, "completion_tokens_details": {"reasoning_tokens": 300}}),
        chat("<think>Hm, {", None), chat({"role": "assistant", "content": None, "reasoning": "Hm"}, "stop"),
        error(400, "Could not finish the message because max_tokens or model output limit was reached."),
    ],
)  # fmt: skip
def test_thoughts_that_took_all_tokens_are_given_room_whatever_that_is_called(judge_of, crowded):
    """Only a reply that ended by `length` was known to be one."""
    with Service(lambda body: crowded if body["max_tokens"] < 1000 else chat(verdict(body))) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation and len(server.bodies) <= 3


@pytest.mark.parametrize(
    ("refusal", "calls"),
    [
        (None, 1 + 12),  # vLLM, SGLang, llama.cpp
        (error(422, "extra", type="extra_forbidden", param="chat_template_kwargs"), 3 + 12),
        (error(400, "property 'chat_template_kwargs' is unsupported"), 3 + 12),
        (error(400, "Bad Request"), 6 + 12),  # whether it is the prompt, a harmless one finds out
        (error(500, "Unrecognized request argument supplied: chat_template_kwargs"), 3 + 12),
    ],
)
def test_a_model_that_thinks_is_told_not_to_where_the_server_can(judge_of, refusal, calls):
    """It was given 4,096 tokens a verdict for thoughts that nobody reads. A server that cannot is told so once."""

    def server_of(body):
        quiet = body.get("chat_template_kwargs") == {"enable_thinking": False}
        if quiet and refusal:
            return refusal
        thinks = not quiet and body["max_tokens"] < 1000
        return chat("<think>hm", "length") if thinks else chat(verdict(body))

    with Service(server_of) as server:
        judge = judge_of(server)
        assert [judge.grade(item).evaluation for item in ITEMS] == [expected(judge, item) for item in ITEMS]
        assert len(server.bodies) <= calls
        assert ("chat_template_kwargs" in server.bodies[-1]) == (refusal is None)
        assert server.bodies[-1]["max_tokens"] == (300 if refusal is None else 4396)


def test_openais_own_service_is_sent_nothing_that_it_does_not_document(monkeypatch):
    for address, hushed in (
        ("", False), ("https://eu.api.openai.com/v1", False), ("https://x.openai.azure.com/openai/v1", False),
        ("http://localhost:8000/v1", True), ("https://openrouter.ai/api/v1", True),
    ):  # fmt: skip
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        assert judges.make_judge(["openai", "none", "judge-1"], TEMPLATE).chat.hushed == hushed


def test_more_tokens_than_the_service_gives_are_not_asked_for_again(judge_of):
    def small(body):
        if body["max_tokens"] > 2048:
            return error(
                400, f"max_tokens is too large: {body['max_tokens']}", param="max_tokens", code="invalid_value"
            )
        thoughts = {"role": "assistant", "content": "", "reasoning_content": "hm"}
        return chat(thoughts, "length") if body["max_tokens"] < 1000 else chat(verdict(body))

    with Service(small) as server:
        judge = judge_of(server)
        assert judge.grade(ITEMS[0]).evaluation
        assert [body["max_tokens"] for body in server.bodies] == [300, 300, 4396, 2348, 1324]
        assert judge.grade(ITEMS[1]).evaluation and server.bodies[-1]["max_tokens"] == 1324


def test_a_context_that_cannot_hold_the_room_gives_what_it_has(judge_of):
    """vLLM counts max_tokens into the context: a prompt that fits was called too long."""

    def vllm(body):
        if body["max_tokens"] > 1500:
            return error(
                400, "This model's maximum context length is 2048 tokens. However, you requested 4896 tokens (500 in "
                "the messages, 4396 in the completion).", code=400,
            )  # fmt: skip
        return chat("<think>hm", "length") if body["max_tokens"] < 1000 else chat(f"<think>hm</think>{verdict(body)}")

    with Service(vllm) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation
        assert [body["max_tokens"] for body in server.bodies] == [300, 300, 4396, 1324]


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "Content Exists Risk", type="invalid_request_error", code="invalid_request_error"),
        error(400, "Input data may contain inappropriate content.", code="data_inspection_failed"),
        error(
            400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            code="content_filter", param="prompt", innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
        error(
            403, "Your chosen model requires moderation and your input was flagged", code=403,
            metadata={"reasons": ["violence"], "flagged_input": "..."},
        ),
        Refusal(403, "blocked by policy", kind="text/plain"),
        Refusal(422, {"detail": "this text is not accepted"}),
        Refusal(451, {"message": "unavailable"}),
        Refusal(200, {"error": {"message": "input was flagged by moderation", "code": 403}}),
        Refusal(200, {"id": "1", "choices": [], "usage": {}, "prompt_filter_results": [
            {"content_filter_results": {"violence": {"filtered": True}}}]}),
        Refusal(413, "Request Entity Too Large", kind="text/html"),
        Refusal(431, ""), Refusal(424, {"detail": "a dependency failed"}),
    ],
)  # fmt: skip
def test_one_prompt_that_is_refused_is_invalid_and_the_run_goes_on(tmp_path, judge_of, refusal):
    """One dialogue about violence ended a run of ten thousand calls, blaming the key."""
    refuse = lambda body: refusal if "What is 3?" in str(body["messages"]) else chat(verdict(body))  # noqa: E731
    with Service(refuse) as server:
        judge = judge_of(server)
        verdicts = grading.grade(judge, ITEMS, tmp_path / "j", description="x", concurrency=2)
        asked = sum("What is 3?" in str(body["messages"]) for body in server.bodies)
        assert len(server.bodies) <= len(ITEMS) + 1  # the one more finds out whether it is the prompt
    assert [n for n, one in enumerate(verdicts) if one.evaluation is None] == [3] and asked == 1
    assert verdicts[3].score is None and verdicts[3].evaluation_error.count("finish_reason=") == 1


@pytest.mark.parametrize(
    "refusal, word",
    [
        (error(403, "Country, region, or territory not supported"), "refuses the key"),
        (error(400, "Your credit balance is too low to access the API"), "credit balance"),
        (error(402, "Insufficient Balance"), "no credit"),
        (error(429, "Insufficient balance or no resource package. Please recharge.", code="1113"), "no credit"),
        (error(400, "Access denied: your account is not in good standing.", code="Arrearage"), "no credit"),
        (Refusal(200, {"error": {"message": "Invalid API key", "type": "invalid_request_error"}}), "refuses the key"),
        (Refusal(200, {"error": "model 'judge-1' not found"}), "no model"),
        (Refusal(200, {"error": {"message": "nonsense", "type": "invalid_request_error"}}), "nonsense"),
        (Refusal(200, {"error": {"message": "Insufficient credits", "code": 402}}), "no credit"),
        (Refusal(404, {"detail": "Not Found"}), "not the address of an API"),
        (Refusal(405, "Method Not Allowed", kind="text/plain"), "does it end in /v1"),
        (Refusal(505, "HTTP Version Not Supported", kind="text/plain"), "HTTP 505"),
        (Refusal(511, "Network Authentication Required", kind="text/plain"), "HTTP 511"),
        (error(429, "You exceeded your current quota, please check your plan and billing details."), "no credit"),
        (error(429, "Your account is suspended", type="exceeded_current_quota_error"), "no credit"),  # Moonshot
        (error(429, "余额不足或无可用资源包,请充值。", code="1113"), "no credit"),  # Zhipu
    ],
)
def test_what_is_refused_for_all_stops_at_once(judge_of, refusal, word):
    """Each prompt would be found invalid, one by one."""
    with Service(lambda body: refusal) as server:
        with pytest.raises(JudgeError, match=word):
            judge_of(server).grade(ITEMS[0])
        assert len(server.bodies) <= (7 if word == "nonsense" else 2)  # with less and less, where nothing is said


@pytest.mark.parametrize(
    "refusal, sent",
    [
        (error(400, "Unrecognized request argument supplied: seed", type="invalid_request_error"), "seed"),
        (Refusal(500, {"error": "create_completion() got an unexpected keyword argument 'seed'"}), "seed"),
        (Refusal(400, "json_schema is not supported", kind="text/plain"), "response_format"),
        (Refusal(422, {"detail": "response_format: structured output is not available"}), "response_format"),
        (Refusal(501, {"error": {"message": "response_format not implemented"}}), "response_format"),
        (Refusal(500, {"error": {"message": "failed to parse grammar", "code": 500}}), "response_format"),
        (error(400, "`temperature` must be strictly positive", type="validation"), "temperature"),
        (Refusal(200, {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}}), "seed"),
    ],
)
def test_a_parameter_that_is_named_in_words_alone_is_sent_otherwise(judge_of, refusal, sent):
    """Each server has its own words, and some call it their own failure: exit code 3, or asked again for 10 minutes."""
    with Service(lambda body: refusal if sent in body else chat(verdict(body))) as server:
        judge = judge_of(server)
        assert judge.grade(ITEMS[0]).evaluation and judge.grade(ITEMS[1]).evaluation
        assert sent not in server.bodies[-1] and len(server.bodies) <= 4


@pytest.mark.parametrize(
    "cannot",
    [
        lambda body: "json_schema" in str(body),
        lambda body: "response_format" in body,
        lambda body: "seed" in body,
        lambda body: body["messages"][0]["role"] == "system",
    ],
)
@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "Bad Request"), Refusal(422, ""), Refusal(501, "", kind="text/plain"),
        error(404, "No endpoints found that can handle the requested parameters. To learn more, visit ...", code=404),
        error(404, "No endpoints found that support this request", code=404),
    ],
)  # fmt: skip
def test_a_refusal_that_does_not_say_why_is_asked_with_less(tmp_path, judge_of, cannot, refusal):
    """Each prompt was found invalid, one by one, or the run ended, over a parameter that the server does not know."""
    with Service(lambda body: refusal if cannot(body) else chat(verdict(body))) as server:
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x", concurrency=1)
        assert all(one.evaluation for one in verdicts) and len(server.bodies) <= len(ITEMS) + 6


@pytest.mark.parametrize("name", ["top_k", "n", "min_p", "repetition_penalty", "top_p"])
def test_a_served_tutor_is_asked_with_less_too_where_the_refusal_does_not_say_why(monkeypatch, name):
    """What is sent for a tutor alone was never left out: exit code 3."""
    refuse = lambda body: error(400, "Bad Request") if name in body else chat("What?")  # noqa: E731
    with Service(refuse) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        chat_ = judges.make_chat(["openai", "none", "judge-1"])
        replies = chat_.sample([{"role": "user", "content": "hi"}], n=3, temperature=1, top_k=50, seed=0, max_tokens=9)
        assert [reply.text for reply in replies] == ["What?"] and name not in server.bodies[-1]


def test_a_quota_that_is_full_for_a_minute_is_waited_for(judge_of):
    """Gemini says so in the words with which OpenAI says that no credit is left, but adds when to come back."""
    said = "You exceeded your current quota, please check your plan and billing details. Please retry in 0.1s."
    left = [Refusal(429, [{"error": {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED"}}])]
    with Service(lambda body: left.pop() if left else chat(verdict(body))) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation and len(server.bodies) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "'messages[0].role' does not support 'system' with this model.", param="messages[0].role"),
        error(400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        Refusal(422, {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user'"}]}),
        error(400, 'unexpected role "system"'),
    ],
)
def test_a_system_role_that_is_refused_in_other_words_is_left_out(judge_of, refusal):
    """What a harmless prompt was asked with had no system role: every verdict was invalid, as refused."""
    with Service(lambda body: refusal if body["messages"][0]["role"] == "system" else chat(verdict(body))) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation and len(server.bodies) <= 7


def test_a_parameter_that_the_service_requires_is_sent(judge_of):
    """DashScope's qwen3: four parameters were left out, one after the other, and then exit code 3."""
    said = "parameter.enable_thinking must be set to false for non-streaming calls"
    thinks = lambda body: chat(verdict(body)) if body.get("enable_thinking") is False else error(400, said)  # noqa: E731
    with Service(thinks) as server:
        judge = judge_of(server)
        assert judge.grade(ITEMS[0]).details["changed_parameters"] == {"enable_thinking": False}
        assert len(server.bodies) == 2


def test_the_cap_under_its_other_name_is_understood(judge_of):
    """`max_tokens is too large`, of a request that has max_completion_tokens."""

    def small(body):
        if "max_tokens" in body:
            return error(400, "Unsupported parameter: 'max_tokens'", param="max_tokens", code="unsupported_parameter")
        if body["max_completion_tokens"] > 4096:
            return error(400, "max_tokens is too large: 4396", param="max_tokens", code="invalid_value")
        return chat("", "length") if body["max_completion_tokens"] < 1000 else chat(verdict(body))

    with Service(small) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation
        assert server.bodies[-1]["max_completion_tokens"] == 300 + 2048


def test_json_that_the_server_read_and_text_without_a_message_are_replies(judge_of):
    def parsed(body):
        return chat({"role": "assistant", "content": json.loads(verdict(body))})

    def completion(body):
        return {"choices": [{"index": 0, "text": verdict(body), "finish_reason": "stop"}]}

    def delta(body):
        return {"choices": [{"index": 0, "delta": {"content": verdict(body)}, "finish_reason": "stop"}]}

    def value(body):
        return chat([{"reasoningContent": {"text": "{}"}}, {"type": "text", "text": {"value": verdict(body)}}])

    def in_an_envelope(body):
        return {"code": 200, "data": chat(verdict(body)), "msg": "success"}

    def as_a_text(body):
        return json.dumps(json.dumps(chat(verdict(body))))

    def in_another_order(body):
        other = {"index": 1, "message": {"content": json.dumps({**evaluation_of(""), "helpful": 5})}}
        return {**chat(verdict(body)), "choices": [other, *chat(verdict(body))["choices"]]}

    for replies in (parsed, completion, delta, value, in_an_envelope, as_a_text, in_another_order):
        with Service(replies) as server:
            judge = judge_of(server)
            assert judge.grade(ITEMS[0]).evaluation == expected(judge, ITEMS[0]) and len(server.bodies) == 1


@pytest.mark.parametrize("body", [{"id": "1", "outcome": "fine"}, {"outcome": "fine"}, "fine", '"fine"'])
def test_replies_in_an_unknown_form_end_the_run_after_a_few(tmp_path, judge_of, body):
    """Each question in flight was paid for again and again, for ten minutes."""
    with Service(lambda _: Refusal(200, body)) as server:
        with pytest.raises(JudgeError, match="in a form that is not known"):
            grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) <= 10 + 2 * 8


@pytest.mark.parametrize("failure", [error(500, "runner crashed"), {"id": "1", "usage": {}}])
def test_a_prompt_that_always_fails_is_invalid_and_the_run_goes_on(tmp_path, judge_of, failure):
    """Exit code 4 after ten minutes, each time: no run could get past it. All other prompts were answered."""
    fail = lambda body: failure if "What is 3?" in str(body["messages"]) else chat(verdict(body))  # noqa: E731
    with Service(fail) as server:
        judge = judge_of(server)
        judge.chat.queue.budget = 1.0
        verdicts = grading.grade(judge, ITEMS, tmp_path / "j", description="x", concurrency=2)
        asked = len(server.bodies)
        grading.grade(judge, ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == asked
    assert [n for n, one in enumerate(verdicts) if one.evaluation is None] == [3]
    assert "without success" in verdicts[3].evaluation_error and verdicts[3].score is None


@pytest.mark.parametrize("word, instead", [("json_schema", {"type": "json_object"}), ("response_format", None)])
def test_a_server_that_fails_over_the_schema_without_a_word_is_asked_without(tmp_path, judge_of, word, instead):
    """HTTP 500 to each request with a JSON schema: asked again for ten minutes, and exit code 4."""
    fail = lambda body: Refusal(500, "Internal Server Error", kind="text/plain")  # noqa: E731
    with Service(lambda body: fail(body) if word in str(body) else chat(verdict(body))) as server:
        judge = judge_of(server)
        judge.check()
        verdicts = grading.grade(judge, ITEMS, tmp_path / "j", description="x", concurrency=8)
        assert all(one.evaluation for one in verdicts) and len(server.bodies) <= len(ITEMS) + 2 * (8 + 2)
        assert verdicts[-1].details["changed_parameters"] == {"response_format": instead}


def test_a_service_that_fails_for_all_invalidates_nothing(tmp_path, judge_of):
    with Service(lambda body: error(500, "out of order")) as server:
        judge = judge_of(server)
        judge.chat.queue.budget = 0.5
        with pytest.raises(JudgeUnavailable, match="out of order"):
            grading.grade(judge, ITEMS, tmp_path / "j", description="x")
    assert (tmp_path / "j").read_text() == ""


@pytest.mark.parametrize(
    "broken",
    [
        Refusal(200, {"error": {"message": "Provider returned error", "code": 502}}),
        Refusal(400, {"__type": "ThrottlingException", "message": "Rate exceeded"}),
        error(400, "Failed to generate JSON.", code="json_validate_failed", failed_generation="{"),
        Refusal(200, {"error": "upstream is busy"}),
        Refusal(200, {"choices": [{"error": {"code": 502, "message": "x"}, "message": {"content": ""}}]}),
        Refusal(200, [{"error": {"code": 503, "message": "The model is overloaded"}}]),
        chat("", "insufficient_system_resource"), chat("{}", "error"), chat("", "abort"),
        Refusal(200, 'data: {"choices": [{"index": 0, "delta": {"content": "{"}}]}\n\n', kind="text/event-stream"),
        Refusal(200, 'data: {"error": {"message": "overloaded", "code": 503}}\n\ndata: [DONE]\n\n'),
        {"choices": "none"}, {"choices": [None]}, {"choices": [{"message": None}]}, [], "null", "7",
        Refusal(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        Refusal(200, "[" * 100_000),
    ],
)  # fmt: skip
def test_what_broke_off_is_asked_again(judge_of, broken):
    """Read as a reply, or a traceback."""
    left = [broken, broken]
    with Service(lambda body: left.pop() if left else chat(verdict(body))) as server:
        judge = judge_of(server)
        assert judge.grade(ITEMS[0]).evaluation == expected(judge, ITEMS[0])
        assert len(server.bodies) == 3


@pytest.mark.parametrize("words", [["openai", "none", "judge-1"], ["ollama", "llama3"]])
def test_a_reply_that_was_sent_twice_is_no_reply_to_the_next_question(judge_of, monkeypatch, words):
    """A desynchronised proxy: what was left on a connection was the verdict on another answer, without a word."""

    class Twice(Service):
        class handler(Service.handler):
            def send_bytes(self, *given, **named):
                super().send_bytes(*given, **named)
                super().send_bytes(*given, **named)

    def replies(body):
        message = {"role": "assistant", "content": verdict(body)}
        return {**chat(verdict(body)), "message": message, "done_reason": "stop", "prompt_eval_count": 99}

    with Twice(replies) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OLLAMA_HOST", server.url.removesuffix("/v1"))
        judge = judges.make_judge(words, TEMPLATE)
        assert [judge.grade(item).evaluation for item in ITEMS] == [expected(judge, item) for item in ITEMS]


@pytest.mark.parametrize(
    "models", [[{"id": "judge-1", "object": "model"}], {"data": [{"id": "judge-1"}, None, {}], "object": "list"}]
)
def test_a_bare_list_of_models_is_one(judge_of, models):
    with Service("Together", model_list=models) as server:
        judge_of(server).check()
        assert server.bodies == []


PAGE = Refusal(200, "<!DOCTYPE html><html><title>Open WebUI</title></html>", kind="text/html; charset=utf-8")


@pytest.mark.parametrize("models", ["7", '"x"', "null", "[]", "{}", '{"data": {}}', '{"data": ["judge-1"]}', "OK"])
def test_an_odd_list_of_models_is_none(judge_of, models):
    """A traceback."""
    with Service("Together", model_list=models) as server:
        judge_of(server).check()
        assert len(server.bodies) == 1


def test_the_address_of_a_web_page_is_said_at_once(judge_of):
    """OPENAI_BASE_URL without /v1: asked again for a minute, then `nobody answers`."""
    with Service(lambda body: PAGE, model_list=PAGE) as server, pytest.raises(JudgeError, match="Open WebUI"):
        judge_of(server).check()


def test_a_page_in_place_of_the_model_list_alone_is_no_matter(judge_of):
    with Service("Together", model_list=PAGE) as server:
        judge_of(server).check()
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "usage", [None, "140 tokens", [], {"prompt_tokens": "100", "completion_tokens": None}, {"prompt_tokens": -1},
              {"prompt_tokens": float("nan")}, {"prompt_tokens_details": []}, '{"prompt_tokens": 100}'],
)  # fmt: skip
def test_odd_usage_is_counted_as_far_as_it_is_numbers(tmp_path, judge_of, usage):
    """A traceback after the call was paid for."""
    with Service(lambda body: chat(verdict(body), usage=usage)) as server:
        [graded] = grading.grade(judge_of(server), ITEMS[:1], tmp_path / "j", description="x")
    assert graded.evaluation and graded.details["usage"]["prompt_tokens"] in (0, 100)


@pytest.mark.parametrize(
    "content", [None, 7, True, {}, [None, 3], [{"type": "image_url"}], {"text": None}, [[]], [{"type": "thinking"}]]
)
def test_an_odd_content_is_no_verdict(judge_of, content):
    message = {"role": "assistant", "content": content, "tool_calls": []}
    with Service(lambda body: chat(message)) as server:
        graded = judge_of(server).grade(ITEMS[0])
    assert graded.evaluation is None and graded.score is None and "empty" in graded.evaluation_error


@pytest.mark.parametrize(
    "packed", [lambda text: text.encode("utf-16"), lambda text: text.encode("utf-16-be"),
               lambda text: text.encode("utf-8-sig"), lambda text: gzip.compress(text.encode())],
)  # fmt: skip
def test_a_body_in_utf_16_or_packed_without_a_word_about_it_is_read(judge_of, packed):
    """Asked again for ten minutes."""
    with Service(lambda body: Refusal(200, packed(json.dumps(chat(verdict(body)))))) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation and len(server.bodies) == 1


@pytest.mark.parametrize("reason", [1, True, ["stop"], {"type": "stop"}, "FINISH", None])
def test_a_word_for_the_end_that_nobody_knows_costs_no_verdict_and_is_kept(judge_of, reason):
    with Service(lambda body: chat(verdict(body), reason)) as server:
        graded = judge_of(server).grade(ITEMS[0])
        assert graded.evaluation and len(server.bodies) == 1
        assert ("ended_with" in graded.details) == (reason is not None)


@pytest.mark.parametrize(
    "events",
    [
        "data: keep-alive\n\n{}",
        "event: ping\ndata: {{}}\n\n{}",
        'data: {{"choices": [null]}}\n\n{}',
        'data: {{"choices": null, "error": null}}\n\n{}',
        "data: {{\ndata: }}\n\n{}",
        'data: {{"choices": [{{"delta": {{"content": "\u2028"}}}}]}}\n\n{}',
    ],
)
def test_odd_events_in_a_stream_cost_nothing(judge_of, events):
    """A traceback, or asked again for ten minutes."""

    def streaming(body):
        chunk = {"choices": [{"index": 0, "delta": {"content": verdict(body)}, "finish_reason": "stop"}]}
        return Refusal(200, events.format(f"data: {json.dumps(chunk)}\n\n"))

    with Service(streaming) as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation and len(server.bodies) == 1


def test_half_an_emoji_is_sent_kept_and_written(tmp_path, judge_of):
    """A UnicodeEncodeError: when the question's hash was taken, and again when the verdict was written."""
    half = json.dumps("half of it: \ud83d")[1:-1]
    raw = json.dumps(chat("@")).replace("@", half).encode()
    with Service(lambda body: Refusal(200, raw)) as server:
        judge = judge_of(server)
        judge.grading = GradingOptions(max_invalid=1)
        [graded] = grading.grade(judge, [TutorAnswer("Student: \ud83d?", "What?")], tmp_path / "j", description="x")
    assert graded.raw_evaluation == "half of it: \ufffd"
    graded.model_dump_json().encode()


def test_bytes_that_are_no_utf8_cost_a_character_not_the_run(judge_of):
    raw = json.dumps(chat("@")).encode().replace(b"@", json.dumps('{"note": "x"}').encode()[1:-1] + b"\xf0\x9f")
    with Service(lambda body: Refusal(200, raw)) as server:
        assert "\ufffd" in judge_of(server).grade(ITEMS[0]).raw_evaluation


def test_asking_once_more_is_not_tried_where_the_prompt_is_too_long(tmp_path, judge_of):
    """Each time with a longer prompt, three times."""
    with FaultServer(lambda *_: "too long") as server:
        assert judge_of(server).grade(ITEMS[0]).evaluation is None
        assert len(server.bodies) == 1


def test_a_bad_reply_is_asked_about_in_turns_that_alternate(judge_of):
    """An empty reply left two messages of the user in a row, which some templates refuse."""
    from fake_services import gemma

    empty = [chat("")]
    with Service(lambda body: empty.pop() if empty and len(body["messages"]) == 1 else gemma(body)) as server:
        verdict = judge_of(server).grade(ITEMS[0])
        assert verdict.evaluation and verdict.details["attempts"] == 2
        assert [m["role"] for m in server.bodies[-1]["messages"]] == ["user"]


def test_a_model_that_changes_is_said_once(judge_of, caplog):
    """Six verdicts of one model and six of another became one judge's table."""
    with Service(
        lambda body: chat(verdict(body)) | {"model": f"judge-1{'-mini' * ('What is 3?' in str(body))}"}
    ) as server:
        judge = judge_of(server)
        judge.chat.name = "judge"
        for item in ITEMS:
            judge.grade(item)
    assert caplog.text.count("WARNING: a reply comes from the model judge-1-mini, after judge-1 was asked") == 1
    assert caplog.text.count("WARNING: ") == 1


@pytest.mark.parametrize("page", ["/chat/completions", "/responses", "/models"])
def test_the_address_of_the_chat_itself_is_refused(monkeypatch, page):
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:9/v1{page}/")
    with pytest.raises(ValueError, match=f"without {page}:"):
        judges.make_judge(["openai", "none", "judge-1"], TEMPLATE)


def test_the_list_of_models_asks_to_wait(monkeypatch, judge_of):
    """Exit code 3, `nobody answers`, of a server that said when to come back."""
    busy = Refusal(429, {"error": {"message": "too many requests"}}, {"Retry-After": "7200"})
    with Service(lambda body: busy, model_list=busy) as server, pytest.raises(JudgeUnavailable, match="left alone"):
        judge_of(server).check()


@pytest.mark.parametrize(
    "text, answer",
    [
        ("<think>a</think>\n\nWhat?", "What?"),
        ("a\n</think>\nWhat?", "What?"),
        ("<THINKING>a</THINKING>What?", "What?"),
        ("<think>a</think>b</think>What?", "What?"),
        ("<reasoning>\na\n</reasoning>\nWhat?", "What?"),
        ("<think>a", ""),
        (" <analysis>a", ""),
        ("What does <analysis> mean here?", "What does <analysis> mean here?"),
        ("Is a < b, and x[0] <= 1?", "Is a < b, and x[0] <= 1?"),
        ("  What?\n", "  What?\n"),
    ],
)
def test_thoughts_are_no_part_of_an_answer_and_code_is_no_thought(text, answer):
    assert without_thoughts(text)[0] == answer


@pytest.mark.parametrize(
    "reply",
    [
        lambda body: {**chat(verdict(body)), "model": f"{KEY} \ud83d", "system_fingerprint": {"a": KEY}},
        lambda body: chat(verdict(body), f"{KEY} \ud83d"),
    ],
)
def test_what_a_service_calls_itself_is_kept_without_keys_and_halves_of_characters(
    judge_of, monkeypatch, tmp_path, reply
):
    """A key that a gateway gave back as its name went into every artifact; half an emoji there ended the run at its
    end, when the artifact was written."""
    monkeypatch.setenv("MY_KEY", KEY)
    with Service(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        judge = judges.make_judge(["openai", "env:MY_KEY", "judge-1"], TEMPLATE)
        with Journal(tmp_path / "journal") as journal:
            write_json(tmp_path / "out.json", judge.grade(ITEMS[0], journal).model_dump())
    kept = (tmp_path / "out.json").read_text() + (tmp_path / "journal").read_text()
    assert "<key>" in kept and KEY not in kept


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"code": 1002, "msg": "rate limit reached"}, "rate limit reached"),
        ({"success": False, "message": "the model is overloaded"}, "overloaded"),
        ({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "invalid api key"}}, "refuses the key"),
        ({"status": "error", "message": "no such model: judge-1"}, "has no model"),
    ],
)
def test_an_error_under_200_is_understood_whatever_it_is_called(judge_of, body, said):
    """A wrong key that came so was asked about for ten minutes."""
    with Service(lambda _: body) as server:
        judge = judge_of(server)
        judge.chat.queue.budget = 0.2
        with pytest.raises((JudgeError, JudgeUnavailable), match=said) as ended:
            judge.grade(ITEMS[0])
        fatal = said in ("refuses the key", "has no model")
        assert isinstance(ended.value, JudgeError) == fatal
        assert not fatal or len(server.bodies) == 1
