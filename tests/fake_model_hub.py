"""A local server that stands in for the Hugging Face Hub when a folder is uploaded; it keeps what it is sent.

Files named `*.gguf` and `*.safetensors` go the way of large files (LFS), the rest into the commit, as on the real one.
"""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeModelHub:
    """`files[path]` is what the one repository holds, `created` the body that asked for it."""

    def __init__(self, knows_the_token: bool = True):
        self.files: dict[str, bytes] = {}
        self.created: dict | None = None
        self.pages: list[str] = []
        self.large: dict[str, bytes] = {}  # by sha256
        self.knows_the_token = knows_the_token
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def env(self) -> dict[str, str]:
        quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": "hf_standin", **quiet}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    hub: FakeModelHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body: dict, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def body(self) -> bytes:
        if (length := self.headers.get("Content-Length")) is not None:
            return self.rfile.read(int(length))
        parts = []
        while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)

    def do_GET(self):
        self.hub.pages.append(self.path)
        if "whoami" in self.path and not self.hub.knows_the_token:
            return self.answer({"error": "Invalid user token."}, 401)
        if "whoami" in self.path:
            return self.answer({"name": "me", "type": "user", "auth": {"accessToken": {"role": "write"}}})
        return self.answer({"id": "me/tutor", "sha": "0" * 40, "siblings": []})

    def do_PUT(self):
        data, digest = self.body(), self.path.rpartition("/")[2]
        assert hashlib.sha256(data).hexdigest() == digest
        self.hub.large[digest] = data
        self.answer({})

    def do_POST(self):
        data, page = self.body(), self.path.split("?")[0]
        self.hub.pages.append(page)
        if page == "/api/repos/create":
            self.hub.created = json.loads(data)
            return self.answer({"url": f"{self.hub.url}/me/tutor", "name": "me/tutor"})
        if "/preupload/" in page:
            files = [file["path"] for file in json.loads(data)["files"]]
            modes = {path: "lfs" if path.endswith((".gguf", ".safetensors")) else "regular" for path in files}
            rows = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
            return self.answer({"files": rows})
        if page.endswith("/objects/batch"):
            wanted = json.loads(data)["objects"]
            upload = {one["oid"]: {"upload": {"href": f"{self.hub.url}/large/{one['oid']}"}} for one in wanted}
            rows = [{**one, "authenticated": True, "actions": upload[one["oid"]]} for one in wanted]
            return self.answer({"transfer": "basic", "objects": rows})
        if "/commit/" in page:
            for line in map(json.loads, data.decode().splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.hub.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    self.hub.files[value["path"]] = self.hub.large[value["oid"]]
            return self.answer({"commitUrl": f"{self.hub.url}/me/tutor/commit/1", "commitOid": "1" * 40})
        return self.answer({})
