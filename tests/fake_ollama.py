"""A double of an Ollama server that follows the real one's contract, its silent cut of long prompts included.

A word is a token here, or `letters` letters are. `num_ctx` defaults to `default_context`; a longer prompt is cut, with
HTTP 200, to its first 4 tokens and its tail, and `prompt_eval_count` says what was read. Errors are {"error": "…"}; a
failing pull says so in a line under HTTP 200. `pages` and `bodies` keep what was asked, `measured` the questions of one
token, by which a client finds out where the server cuts.

`knows_truncate`: "plain" (0.12.6 and later) and "nested" (0.34 and later) refuse a longer prompt where `truncate` is
false, each in its words; without it (before) `half` leaves half a context of it, as the older runner did.
`thinks` is the number of tokens that the model thinks for unless it is told not to; `obeys` if it can be told.
"""

import contextlib
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEEP = 4  # tokens of the beginning that survive a cut


class FakeOllama:
    def __init__(
        self,
        models=("llama3:latest",),
        *,
        pullable=(),
        default_context=4096,
        model_context=131_072,
        ignores_num_ctx=False,
        faults=(),
        letters=0,
        knows_truncate="",
        half=False,
        thinks=0,
        obeys=True,
        shows=None,
    ):
        self.letters, self.knows_truncate, self.half = letters, knows_truncate, half
        self.thinks, self.obeys, self.shows = thinks, obeys, shows or {}
        self.models, self.pullable, self.faults = list(models), set(pullable), list(faults)
        self.default_context, self.model_context, self.ignores_num_ctx = default_context, model_context, ignores_num_ctx
        self.breaks_off, self.written = False, 0  # the next answer that grows; how many of their lines were written
        self.instead: dict[str, tuple[int, bytes]] = {}  # page -> what is answered to it, status and body
        self.pages: list[str] = []
        self.bodies: list[dict] = []
        self.measured: list[dict] = []
        self.read: list[list[str]] = []  # the tokens that the model got to see
        self.blobs: dict[str, int] = {}  # the files that it stores, digest to size
        self.created: list[dict] = []  # the bodies of /api/create
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"owner": self}))
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    owner: FakeOllama
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client's deadline was shorter
            self.wfile.write(data)

    def do_GET(self):
        self.owner.pages.append(self.path)
        if self.path in self.owner.instead:
            return self.answer(*self.owner.instead[self.path][::-1])
        if self.path == "/api/tags":
            return self.answer({"models": [{"name": name, "model": name} for name in self.owner.models]})
        return self.answer(b"404 page not found", 404)

    def do_POST(self):
        owner = self.owner
        content = self.rfile.read(int(self.headers["Content-Length"]))
        owner.pages.append(self.path)
        if self.path in owner.instead:
            return self.answer(*owner.instead[self.path][::-1])
        if self.path.startswith("/api/blobs/"):
            return self.store(content)
        body = json.loads(content)
        if self.path == "/api/create":
            return self.create(body)
        name = body["model"] if ":" in body["model"] else body["model"] + ":latest"
        if self.path == "/api/pull":
            return self.pull(name)
        if name not in owner.models:
            return self.answer({"error": f"model '{body['model']}' not found"}, 404)
        if self.path == "/api/show":
            info = {"general.architecture": "llama", "llama.context_length": owner.model_context}
            return self.answer({"model_info": info, **owner.shows})
        (owner.measured if body["options"].get("num_predict") == 1 else owner.bodies).append(body)
        return self.chat(body)

    def store(self, content):
        digest = self.path.removeprefix("/api/blobs/")
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return self.answer({"error": "digest mismatch"}, 400)
        self.owner.blobs[digest] = len(content)
        return self.answer(b"", 201)

    def create(self, body):
        if lacking := [name for name, digest in body["files"].items() if digest not in self.owner.blobs]:
            return self.answer({"error": f"no blob for {lacking[0]}"}, 400)
        self.owner.created.append(body)
        self.owner.models.append(body["model"])
        return self.answer({"status": "success"})

    def pull(self, name):
        lines = [{"status": "pulling manifest"}]
        if name in self.owner.pullable:
            lines += [{"status": "pulling abc", "digest": "abc", "total": 100, "completed": n} for n in (0, 50, 100)]
            lines.append({"status": "success"})
            self.owner.models.append(name)
        else:
            lines.append({"error": "pull model manifest: file does not exist"})
        self.answer("".join(json.dumps(line) + "\n" for line in lines).encode())

    def chat(self, body):
        owner, options = self.owner, body.get("options") or {}
        match owner.faults.pop(0) if owner.faults else None:
            case "busy":
                return self.answer({"error": "server busy, please try again. maximum pending requests exceeded"}, 503)
            case "crash":
                return self.answer({"error": "llama runner process has terminated"}, 500)
            case "bad":
                return self.answer({"error": "invalid options"}, 400)
            case "not json":
                return self.answer(b"<html>proxy</html>")
            case "empty":
                return self.answer(b"")
            case "error under 200":
                return self.answer({"error": "something went wrong"})
            case "no schema":
                said = "json: cannot unmarshal object into Go struct field ChatRequest.format of type string"
                return self.answer({"error": said}, 400)
            case "load":
                nothing = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}
                return self.answer({"model": body["model"], **nothing})
            case "hang":
                time.sleep(3)
        text = " ".join(message["content"] for message in body["messages"])
        tokens = (
            [text[i : i + owner.letters] for i in range(0, len(text), owner.letters)] if owner.letters else text.split()
        )
        context = owner.default_context if owner.ignores_num_ctx else options.get("num_ctx", owner.default_context)
        context = min(context, owner.model_context)
        if len(tokens) > context:
            if body.get("truncate") is False and owner.knows_truncate:
                return self.answer({"error": too_long(len(tokens), context, owner.knows_truncate)}, 400)
            kept = context // 2 + 2 if owner.half else context
            tokens = tokens[:KEEP] + tokens[-(kept - KEEP) :]
        if body not in owner.measured:
            owner.read.append(tokens)
        content = '{"questions": "yes", "on_topic": 4, "helpful": 3, "reveal_answer": "no"}'
        answer = {
            "model": body["model"], "created_at": "2025-01-01T00:00:00Z", "done": True, "done_reason": "stop",
            "message": {"role": "assistant", "content": content}, "prompt_eval_count": len(tokens), "eval_count": 30,
        }  # fmt: skip
        if owner.thinks and not (owner.obeys and body.get("think") is False):
            thoughts = {"thinking": "Hm. " * 9} if "think" in body else {}
            text = content if thoughts else f"<think>Hm. {{}}</think>{content}"
            if options["num_predict"] < owner.thinks + 30:
                answer |= {"done_reason": "length", "eval_count": options["num_predict"]}
                text = "" if thoughts else "<think>Hm. Hm."
            answer["message"] = {"role": "assistant", "content": text, **thoughts}
        if "num_predict" not in options:  # a JSON grammar lets a model write white space for ever
            answer |= {"message": {"role": "assistant", "content": content + " " * 10_000}, "done_reason": "length"}
        return self.grow(answer) if body["stream"] else self.answer(answer)

    def grow(self, answer):
        """The answer a word at a time, a line of JSON each; the last line has the counts."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        words = answer["message"]["content"].split(" ")
        parts = [{"message": {"content": word + " "}, "done": False} for word in words[:-1]]
        parts.append(answer | {"message": {"content": words[-1]}})
        parts, self.owner.breaks_off = parts[:-1] if self.owner.breaks_off else parts, False
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody waits any more
            for part in parts:
                self.wfile.write(json.dumps(part).encode() + b"\n")
                self.owner.written += 1
                time.sleep(0.02)


def too_long(tokens, context, words):
    """What Ollama says of a prompt that is too long: its own words, later those of llama.cpp's server in a string."""
    if words == "plain":
        return "the input length exceeds the context length"
    message = f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
    return json.dumps({"error": {"code": 400, "message": message, "type": "exceed_context_size_error"}})
