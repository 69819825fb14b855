"""Services that call themselves compatible, each in the shape that it documents (docs/reliability.md says where).

`with Service("deepseek") as server:` refuses what that service refuses, and replies in its form. A service is a
function of the request's body: it returns a body (or bytes) to send under HTTP 200, or a `Refusal`.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from fault_server import USAGE, FaultServer, evaluation_of

KNOWN = {"model", "messages", "temperature", "max_tokens", "response_format"}


@dataclass
class Refusal:
    status: int
    body: Any
    headers: dict = field(default_factory=dict)
    kind: str = "application/json"


def question(body):
    """What is asked, without the rubric that a client may have put before it."""
    return body["messages"][-1]["content"].rpartition("\n\n")[2]


def verdict(body):
    return json.dumps(evaluation_of(question(body)))


def chat(message, finish_reason="stop", usage=USAGE, **fields):
    message = {"role": "assistant", "content": message} if not isinstance(message, dict) else message
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "judge-1", "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **fields,
    }  # fmt: skip


def error(status, message, **fields):
    return Refusal(status, {"error": {"message": message, **fields}})


def cap(body):
    return body.get("max_tokens") or body.get("max_completion_tokens") or 0


def thinking(body, tokens, thoughts):
    """A reply whose `tokens` tokens of thoughts count against the cap: `thoughts(done)` is the message."""
    if cap(body) < tokens + 40:
        usage = {**USAGE, "completion_tokens": cap(body)}
        return chat(thoughts(body, False), "length", usage)
    return chat(thoughts(body, True))


def o4_mini(body):
    """OpenAI's reasoning models: hidden thoughts, their own name for the cap, the default temperature alone."""
    if "max_tokens" in body:
        return error(
            400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.", type="invalid_request_error", param="max_tokens", code="unsupported_parameter",
        )  # fmt: skip
    if body.get("temperature") not in (None, 1):
        return error(
            400, "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is "
            "supported.", type="invalid_request_error", param="temperature", code="unsupported_value",
        )  # fmt: skip
    reply = thinking(body, 900, lambda body, done: verdict(body) if done else "")
    reply["usage"] = {**reply["usage"], "completion_tokens_details": {"reasoning_tokens": min(900, cap(body))}}
    return reply


def deepseek_chat(body):
    if body.get("response_format", {}).get("type") == "json_schema":
        return error(
            400, "This response_format type is unavailable now", type="invalid_request_error", param=None,
            code="invalid_request_error",
        )  # fmt: skip
    if "json" not in str(body["messages"]).lower() and "response_format" in body:
        return error(
            400, "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'.",
            type="invalid_request_error", param=None, code="invalid_request_error",
        )  # fmt: skip
    usage = {"prompt_tokens": 100, "completion_tokens": 40, "prompt_cache_hit_tokens": 64}
    return chat(verdict(body), usage=usage)


def deepseek_reasoner(body):
    if "json_schema" in str(body.get("response_format")):
        return error(
            422, "Failed to deserialize the JSON body into the target type: response_format: response_format.type "
            "`json_schema` is unavailable now at line 1 column 12440",
        )  # fmt: skip

    def message(body, done):
        draft = 'A first idea: {"questions": "no", "on_topic": 1, "helpful": 1, "reveal_answer": "yes"}. Or not?'
        return {"role": "assistant", "content": verdict(body) if done else "", "reasoning_content": draft}

    return thinking(body, 2000, message)


def qwen_in_text(body):
    """A server without a reasoning parser: thoughts in the text, a draft of the verdict among them."""

    def text(body, done):
        draft = '<think>\nPerhaps {"questions": "no", "on_topic": 1, "helpful": 1, "reveal_answer": "yes"}?\n'
        return f"{draft}No.\n</think>\n\n{verdict(body)}" if done else draft

    return thinking(body, 1500, text)


def magistral(body):
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": 'Say {"questions": "no"}?'}], "closed": True}
    return chat([thought, {"type": "text", "text": verdict(body)}])


def mistral(body):
    """Unknown fields are refused by FastAPI's error, in a JSON text or an object, one after the other or together."""
    unknown = [name for name in body if name not in KNOWN]
    if unknown:
        detail = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": 0}
            for name in unknown
        ]
        said = {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "param": None}
        return Refusal(422, said)
    return chat(verdict(body), usage={"prompt_tokens": 100, "total_tokens": 140, "completion_tokens": 40})


def old_mistral(body):
    refused = mistral(body)
    if isinstance(refused, Refusal):
        refused.body["message"] = json.dumps(refused.body["message"])
    return refused


def fastapi(body):
    """A server of one's own: only the fields that its author knew, validated."""
    if "response_format" in body:
        loc = ["body", "response_format", "type"]
        entry = {"type": "literal_error", "loc": loc, "msg": "Input should be 'text'", "input": "json_schema"}
        return Refusal(422, {"detail": [entry]})
    return chat(verdict(body), usage=None)


def groq(body):
    if "json_schema" in str(body.get("response_format")):
        return error(
            400, "This model does not support response format `json_schema`. See supported models at ...",
            type="invalid_request_error",
        )  # fmt: skip
    if "seed" in body:
        return error(400, "property 'seed' is unsupported", type="invalid_request_error")
    return chat(verdict(body), usage={**USAGE, "queue_time": 0.01, "total_time": 0.3}, x_groq={"id": "req_1"})


def gemini(body):
    """Google's errors come in a list."""
    if "seed" in body:
        said = {"code": 400, "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'}
        return Refusal(400, [{"error": {**said, "status": "INVALID_ARGUMENT"}}])
    return chat(verdict(body))


def together(body):
    return chat(verdict(body), "eos", prompt=[])


def text_generation_inference(body):
    return chat(verdict(body), "eos_token")


def llama_style(body):
    """Parts, usage as text, JSON under text/plain, with a mark at its beginning."""
    reply = chat([{"type": "text", "text": part} for part in verdict(body).partition(",")])
    reply["usage"] = {"prompt_tokens": "100", "completion_tokens": "40", "prompt_tokens_details": "none"}
    return Refusal(200, "\ufeff" + json.dumps(reply), kind="text/plain; charset=utf-8")


def streaming(body):
    """Sends an event stream though none was asked for; OpenRouter's comments among the events."""
    text = verdict(body)
    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    chunks += [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": USAGE}]
    events = [": OPENROUTER PROCESSING", *(f"data: {json.dumps(chunk)}" for chunk in chunks), "data: [DONE]"]
    return Refusal(200, "\r\n\r\n".join(events), kind="text/event-stream")


def gemma(body):
    """A template without a system role, that wants user and assistant in turn: vLLM says 400, llama.cpp 500."""
    roles = [message["role"] for message in body["messages"]]
    if roles[0] == "system":
        return error(400, "System role not supported", type="BadRequestError", param=None, code=400)
    if roles != ["user", "assistant", "user", "assistant", "user"][: len(roles)]:
        return error(500, "Conversation roles must alternate user/assistant/user/assistant/...", type="server_error")
    return chat(verdict(body))


def strict_thinker(body):
    """Reasoning in a stream, and a list of parts in it."""
    draft = '{"questions": "no"}'
    deltas = [{"reasoning_content": f"Perhaps {draft}? "}, {"reasoning_content": "No."}, {"content": verdict(body)}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return Refusal(200, "\n\n".join(f"data: {json.dumps(chunk)}" for chunk in chunks), kind="application/json")


SERVICES = {
    "OpenAI o4-mini, gpt-5": o4_mini, "DeepSeek chat": deepseek_chat, "DeepSeek reasoner": deepseek_reasoner,
    "thoughts in the text": qwen_in_text, "Mistral": mistral, "Mistral of 2024": old_mistral, "Magistral": magistral,
    "FastAPI": fastapi, "Groq": groq, "Gemini": gemini, "Together": together, "TGI": text_generation_inference,
    "parts under text/plain": llama_style, "event stream": streaming,
    "Gemma's template": gemma, "thoughts in a stream": strict_thinker,
}  # fmt: skip


class Service(FaultServer):
    """`replies` is one of SERVICES, by name, or such a function; `model_list` what /v1/models gives."""

    def __init__(self, replies, *, model_list=None, **keywords):
        super().__init__(**keywords)
        self.replies, self.model_list = (
            SERVICES.get(replies, replies) if isinstance(replies, str) else replies,
            model_list,
        )

    class handler(FaultServer.handler):
        def do_GET(self):
            if self.owner.model_list is None:
                return super().do_GET()
            return self.give(self.owner.model_list)

        def play(self, fault, body, prompt):
            if fault:
                return super().play(fault, body, prompt)
            return self.give(self.owner.replies(body))

        def give(self, answer):
            answer = answer if isinstance(answer, Refusal) else Refusal(200, answer)
            data = answer.body if isinstance(answer.body, bytes) else None
            if data is None:
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                data = text.encode(errors="surrogatepass")
            self.send_bytes(data, answer.status, answer.headers, answer.kind)


def one_at_a_time(seconds, slots=1):
    """A server with one slot, or a few: a request waits in the server's own queue until there is room."""
    slot = threading.Semaphore(slots)

    def replies(body):
        with slot:
            time.sleep(seconds)
        return chat(verdict(body))

    return replies
