"""A local server that stands in for the dataset hub and for GitHub, with the faults that downloads meet."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

BREAK_AT = 15_000_000  # bytes: beyond the 10 MB that the client writes at a time


class FakeHub:
    """`files[repo][path]` is what a repository holds; `faults[path]` are the next answers' faults, in order.

    Faults: "break" (the connection ends after BREAK_AT bytes, or half of a shorter file), "stall" (nothing more
    comes at that place, for `stall_s`), "tamper" (other bytes, same length), "drip" (slow, but steady), "page" (a login
    page, longer than most files), "429", "500" to "504" (that status), "limit" (what GitHub answers without a token).
    `faults["listing"]` are those of the next listings: "page" and the statuses.
    `asked` lists (method, path, Range header) of every file request, `tokens` (path, Authorization) of every one.
    """

    def __init__(self):
        self.files: dict[str, dict[str, bytes]] = {}
        self.faults: dict[str, list[str]] = {}
        self.large: set[str] = set()  # paths that the hub lists with a sha256
        self.asked: list[tuple[str, str, str | None]] = []
        self.tokens: list[tuple[str, str | None]] = []
        self.stall_s = 30.0
        self.url = ""

    @property
    def env(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.url, "GITHUB_API_URL": self.url, "GITHUB_RAW_URL": f"{self.url}/raw"}

    def gets(self, path: str) -> list[str | None]:
        """The Range headers of the GET requests for a file, in order."""
        return [asked for method, where, asked in self.asked if method == "GET" and where == path]

    def times_asked(self) -> Counter:
        return Counter(path for method, path, _ in self.asked if method == "GET")

    @contextmanager
    def serve(self) -> Iterator["FakeHub"]:
        handler = type("Handler", (_Handler,), {"hub": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def git_sha(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        """What `datasets` asks of single paths; a folder is none of them."""
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        match self.path.split("?")[0].strip("/").split("/"):
            case ["api", "datasets", owner, name, "paths-info", *_]:
                there = self._listing(f"{owner}/{name}", hub=True) or []
                self._json([one for one in there if one["path"] in asked.get("paths", [])])
            case _:
                self._nothing()

    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        self.hub.tokens.append(("/".join(parts), self.headers.get("Authorization")))
        faults = self.hub.faults.get("listing", [])
        if (parts[:2] == ["api", "datasets"] or parts[0] == "repos") and faults and self._refuse(faults.pop(0)):
            return
        match parts:
            case ["api", "datasets", owner, name, "tree", *_]:
                self._json(self._listing(f"{owner}/{name}", hub=True))
            case ["api", "datasets", owner, name, "revision", _] if f"{owner}/{name}" in self.hub.files:
                siblings = [{"rfilename": path} for path in self.hub.files[f"{owner}/{name}"]]
                self._json({"id": f"{owner}/{name}", "sha": "c" * 40, "siblings": siblings})
            case ["repos", owner, name, "commits", revision] if f"{owner}/{name}" in self.hub.files:
                self._json({"sha": revision.ljust(40, "0")})
            case ["repos", owner, name, "git", "trees", _]:
                self._json({"tree": self._listing(f"{owner}/{name}", hub=False), "truncated": False})
            case ["datasets", owner, name, "resolve", revision, *path]:
                self._file(f"{owner}/{name}", "/".join(path), revision)
            case ["raw", owner, name, revision, *path]:
                self._file(f"{owner}/{name}", "/".join(path), revision)
            case _:
                self._nothing()

    def _listing(self, repo: str, hub: bool) -> list[dict] | None:
        if repo not in self.hub.files:
            return None
        entries = []
        for path, data in self.hub.files[repo].items():
            entry = {"type": "file" if hub else "blob", "path": path, "size": len(data)}
            entry["oid" if hub else "sha"] = git_sha(data)
            if path in self.hub.large:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return entries

    def _file(self, repo: str, path: str, revision: str) -> None:
        asked = self.headers.get("Range")
        self.hub.asked.append((self.command, path, asked))
        data = self.hub.files.get(repo, {}).get(path)
        if data is None:
            self._nothing()
            return
        faults = self.hub.faults.get(path, [])
        fault = faults.pop(0) if faults and self.command == "GET" else None
        if fault and self._refuse(fault):
            return
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        if start >= len(data):
            self._answer(416, b"")
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest() if path in self.hub.large else git_sha(data)}"')
        self.send_header("X-Repo-Commit", revision)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "GET":
            self._send(bytes(byte ^ 1 for byte in data) if fault == "tamper" else data, start, fault)

    def _refuse(self, fault: str) -> bool:
        """Answer with a page or a status, if that is the fault."""
        match fault:
            case "page":
                self._answer(200, b"<!DOCTYPE html>\n<html><title>Please log in</title>" + b"x" * 40_000 + b"</html>")
            case "429" | "500" | "502" | "503" | "504":
                self._answer(int(fault), b"{}", {"Retry-After": "0"})
            case "limit":
                self._answer(403, b'{"message": "API rate limit exceeded for 127.0.0.1"}')
            case _:
                return False
        return True

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, data: bytes, start: int, fault: str | None) -> None:
        stop = BREAK_AT if len(data) > BREAK_AT else len(data) // 2
        try:
            if fault in ("break", "stall"):
                self.wfile.write(data[start : max(start, stop)])
                self.wfile.flush()
                time.sleep(self.hub.stall_s if fault == "stall" else 0)
                self.close_connection = True
            elif fault == "drip":
                for at in range(start, len(data), max(1, len(data) // 8)):
                    self.wfile.write(data[at : at + max(1, len(data) // 8)])
                    self.wfile.flush()
                    time.sleep(0.2)
            else:
                self.wfile.write(data[start:])
        except OSError:  # the client has gone
            self.close_connection = True

    def _json(self, value: object) -> None:
        if value is None:
            self._nothing()
            return
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _nothing(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Error-Message", "Entry not found")
        self.send_header("Content-Length", "0")
        self.end_headers()
