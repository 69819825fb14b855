"""An OpenAI-compatible server that grades by a fixed rule and plays the faults that real ones have.

`with FaultServer(faults=["500", "reset"]) as server:` plays one fault per chat request, in order, then behaves.
`faults` may also be a function (request number, body) -> name of a fault or None.
"""

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {
    "prompt_tokens": 1000, "completion_tokens": 40, "total_tokens": 1040,
    "prompt_tokens_details": {"cached_tokens": 600}, "completion_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip
GOOD = {"questions": "yes", "on_topic": 4, "helpful": 3, "reveal_answer": "no"}
# Replies that come with HTTP 200 and are no evaluation: content, finish_reason
BAD_REPLIES = {
    "out of range": (json.dumps({**GOOD, "on_topic": 50}), "stop"),
    "zero": (json.dumps({**GOOD, "helpful": 0}), "stop"),
    "nan": ('{"questions": "yes", "on_topic": NaN, "helpful": 3, "reveal_answer": "no"}', "stop"),
    "boolean": ('{"questions": true, "on_topic": true, "helpful": 3, "reveal_answer": false}', "stop"),
    "missing": ('{"questions": "yes", "on_topic": 4, "helpful": 3}', "stop"),
    "maybe": (json.dumps({**GOOD, "questions": "maybe"}), "stop"),
    "one object too many": (json.dumps({**GOOD, "bonus": {"points": 5}}), "stop"),
    "key twice": ('{"questions": "yes", "on_topic": 1, "on_topic": 5, "helpful": 3, "reveal_answer": "no"}', "stop"),
    "two verdicts": (json.dumps({**GOOD, "on_topic": 1}) + "\n" + json.dumps(GOOD), "stop"),
    "prose": ("A fine answer, I would say.", "stop"),
    "cut json": ('{"questions": "yes", "on_topic": 4', "stop"),
    "length": (json.dumps(GOOD), "length"),
    "filtered": ("", "content_filter"),
    "white space": (" \n" * 20, "stop"),
    "null": (None, "stop"),
}
ERRORS = {  # status, error
    "500": (500, {"message": "internal error", "type": "server_error"}),
    "502": (502, {"message": "bad gateway"}),
    "503": (503, {"message": "overloaded"}),
    "429": (429, {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}),
    "quota": (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}),
    "bad key": (401, {"message": "Incorrect API key provided: {key}", "code": "invalid_api_key"}),
    "no model": (404, {"message": "The model does not exist", "code": "model_not_found"}),
    "too long": (400, {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}),
}  # fmt: skip


def evaluation_of(prompt: str) -> dict:
    """The server's verdict on a prompt: fixed, and different from prompt to prompt."""
    if '{"leak"' in prompt:  # on a whole dialogue of the classroom
        return {"leak": "no", "helpful": "yes"}
    number = hashlib.sha256(prompt.encode()).digest()[0]
    return {**GOOD, "on_topic": 1 + number % 5, "helpful": 1 + number // 5 % 5}


class FaultServer:
    """`hits` counts the chat requests by prompt, `peak` the most at once, `bodies` and `times` keep them all."""

    handler: type[BaseHTTPRequestHandler]

    def __init__(
        self,
        faults: list[str] | Callable[[int, dict], str | None] = (),
        *,
        latency: float = 0.0,
        models: list[str] | None = ("judge-1",),
        rejects: dict[str, str | None] | None = None,
        limit: int | None = None,
    ):
        self.faults, self.latency, self.models, self.rejects = faults, latency, models, rejects or {}
        self.limit = limit  # more requests at once than this get a 429
        self.hits: Counter[str] = Counter()
        self.bodies: list[dict] = []
        self.times: list[float] = []
        self.paths: list[str] = []
        self.in_flight = self.peak = 0
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), type("Handler", (self.handler,), {"owner": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> "FaultServer":
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def next_fault(self, body: dict) -> str | None:
        number = len(self.bodies) - 1
        if callable(self.faults):
            return self.faults(number, body)
        return self.faults[number] if number < len(self.faults) else None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # connections that wait; of the default 5 many at once lose a second


class Handler(BaseHTTPRequestHandler):
    owner: FaultServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass

    def send_json(self, body: object, status: int = 200, headers: dict | None = None) -> None:
        self.send_bytes(json.dumps(body).encode(), status, headers)

    def send_bytes(self, data: bytes, status: int = 200, headers: dict | None = None, kind: str = "application/json"):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def error(self, status: int, error: dict, headers: dict | None = None) -> None:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.send_json({"error": {**error, "message": error["message"].replace("{key}", key)}}, status, headers)

    def do_GET(self) -> None:
        self.owner.paths.append(self.path)
        if self.path == "/v1/models" and self.owner.models is not None:
            self.send_json({"object": "list", "data": [{"id": name, "object": "model"} for name in self.owner.models]})
        else:
            self.error(404, {"message": "no such page"})

    def do_POST(self) -> None:
        owner = self.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        with owner.lock:
            owner.hits[prompt] += 1
            owner.bodies.append(body)
            owner.times.append(time.monotonic())
            owner.paths.append(self.path)
            owner.in_flight += 1
            owner.peak = max(owner.peak, owner.in_flight)
            crowded = owner.limit is not None and owner.in_flight > owner.limit
            fault = "429" if crowded else owner.next_fault(body)
        try:
            if fault is None:
                time.sleep(owner.latency)
            self.play(fault, body, prompt)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with owner.lock:
                owner.in_flight -= 1

    def play(self, fault: str | None, body: dict, prompt: str) -> None:
        name, _, value = (fault or "").partition("=")
        rejected = next((name for name in self.owner.rejects if name in body), None)
        if rejected:
            error = {
                "message": f"Unsupported parameter: '{rejected}'",
                "param": rejected,
                "code": "unsupported_parameter",
            }
            return self.error(400, error)
        if name in ERRORS:
            status, error = ERRORS[name]
            headers = {"Retry-After": value or "0"} if name == "429" else {}
            return self.error(status, error, headers)
        good = completion(body, *self.reply(name, prompt))
        if name == "refusal":
            good["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I cannot grade this."}
        data = json.dumps(good).encode()
        match name:
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return self.connection.close()
            case "hang":
                time.sleep(float(value or 3))
            case "drip":  # a byte now and then: each read is quick, the whole never ends
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.1)
                return None
            case "drip headers":
                for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 200:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.1)
                return None
            case "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return None
            case "empty":
                return self.send_bytes(b"")
            case "html":
                return self.send_bytes(b"<html>Please log in</html>", kind="text/html")
            case "not json":
                return self.send_bytes(b'{"id": "x", "choi')
            case "no choices":
                return self.send_json({**good, "choices": []})
            case "null choices":
                return self.send_json({**good, "choices": None})
            case "redirect":
                return self.send_json({}, 307, {"Location": "http://127.0.0.1:9/v1/chat/completions"})
        return self.send_json(good)

    def reply(self, name: str, prompt: str) -> tuple[str | None, str]:
        verdict = json.dumps(evaluation_of(prompt))
        if name == "fenced":
            return f"```json\n{verdict}\n```", "stop"
        if name == "prefixed":
            return f"Here is my evaluation:\n{verdict}", "stop"
        if name == "key echo":
            return verdict[:-1] + f', "key": "{self.headers["Authorization"]}"' + "}", "stop"
        return BAD_REPLIES.get(name, (verdict, "stop"))


FaultServer.handler = Handler


def completion(body: dict, content: str | None, finish_reason: str = "stop") -> dict:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    if body.get("logprobs"):
        tokens = re.findall(r'\d|"?[a-z_]+"?|\W', content or "")
        choice["logprobs"] = {"content": [token_logprobs(token) for token in tokens]}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"] + "-2024-08-06",
        "system_fingerprint": "fp_1", "choices": [choice], "usage": USAGE,
    }  # fmt: skip


def token_logprobs(token: str) -> dict:
    """`4` comes with p(4) = 0.5, p(2) = 0.25; a yes or no with p = 0.8 and 0.1 for the other; the rest is elsewhere."""
    from math import log

    other = {"4": "2", '"yes"': '"no"', '"no"': '"yes"'}.get(token)
    first, second = (0.5, 0.25) if token == "4" else (0.8, 0.1)
    alternatives = [{"token": token, "logprob": log(first)}]
    if other:
        alternatives.append({"token": other, "logprob": log(second)})
    return {"token": token, "logprob": log(first), "top_logprobs": alternatives}
