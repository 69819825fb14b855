"""A fault server that has OpenAI's Batch API too: files, batches, results in another order, an error file.

A batch is ready after it has been looked at `looks` times. `fails` names custom ids by number that end in the error
file; `ending` is the status that batches end with ("expired": only the first half was answered).
"""

import json
import re

from fault_server import FaultServer, Handler, completion


class BatchHandler(Handler):
    owner: "FakeBatches"

    def plays_a_fault(self) -> bool:
        """Answer with the next of `owner.instead` for this path, if there is one."""
        for place, answers in self.owner.instead.items():
            if re.fullmatch(place, f"{self.command} {self.path}") and answers:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = answers.pop(0)
                self.send_bytes(body, status)
                return True
        return False

    def do_GET(self):
        owner = self.owner
        owner.paths.append(self.path)
        if self.plays_a_fault():
            return None
        if self.path.startswith("/v1/batches?") or self.path == "/v1/batches":
            return self.send_json({"object": "list", "data": list(owner.batches.values()), "has_more": False})
        if found := re.fullmatch(r"/v1/batches/(\w+)", self.path):
            return self.send_json(owner.look(found[1]))
        if found := re.fullmatch(r"/v1/files/(\w+)/content", self.path):
            return self.send_bytes(owner.files[found[1]], kind="application/octet-stream")
        return super().do_GET()

    def do_POST(self):
        owner = self.owner
        if self.plays_a_fault():
            return None
        if self.path == "/v1/files":
            data = self.rfile.read(int(self.headers["Content-Length"]))
            boundary = re.search(r"boundary=(\S+)", self.headers["Content-Type"])[1].encode()
            part = next(part for part in data.split(b"--" + boundary) if b'name="file"' in part)
            name = f"file{len(owner.files)}"
            owner.files[name] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            return self.send_json({"id": name, "object": "file", "bytes": 1, "created_at": 1, "purpose": "batch"})
        if self.path == "/v1/batches":
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = f"batch{len(owner.batches)}"
            lines = [json.loads(line) for line in owner.files[body["input_file_id"]].splitlines()]
            owner.batches[name] = {
                "id": name, "object": "batch", "endpoint": body["endpoint"], "status": "in_progress", "created_at": 1,
                "input_file_id": body["input_file_id"], "completion_window": "24h", "metadata": body["metadata"],
                "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            }  # fmt: skip
            if owner.loses:
                owner.loses = False
                return self.send_bytes(b"", 502)
            return self.send_json(owner.batches[name])
        return super().do_POST()


class FakeBatches(FaultServer):
    handler = BatchHandler

    dumps = staticmethod(json.dumps)

    def __init__(self, *, looks=2, fails=(), ending="completed", odd=b"", **keywords):
        super().__init__(**keywords)
        self.odd = odd  # a line more in the output file
        self.loses = False  # the reply to the next request that makes a batch
        self.instead: dict[str, list[tuple[int, bytes]]] = {}  # "POST path" -> the next answers, status and body
        self.looks, self.fails, self.ending = looks, set(fails), ending
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.looked = 0

    def look(self, name: str) -> dict:
        batch = self.batches[name]
        self.looked += 1
        if batch["status"] != "in_progress" or self.looked < self.looks:
            return batch
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        if self.ending == "expired":
            lines = lines[: len(lines) // 2]
        if self.ending == "failed":
            lines = []
        good, bad = [], []
        for number, line in enumerate(lines):
            answer = {"id": f"r{number}", "custom_id": line["custom_id"], "error": None}
            prompt = line["body"]["messages"][-1]["content"]
            body = completion(line["body"], *self.reply_of(prompt))
            if number in self.fails:
                bad.append({**answer, "response": {"status_code": 500, "body": {"error": {"message": "oops"}}}})
            else:
                good.append({**answer, "response": {"status_code": 200, "body": body}})
        for kind, answers in (("output_file_id", good[::-1]), ("error_file_id", bad)):
            if answers:
                batch[kind] = f"{name}{kind[:3]}"
                lines = [self.dumps(answer).encode() for answer in answers]
                self.files[batch[kind]] = b"\n".join([*lines[:2], *filter(None, [self.odd]), *lines[2:]])
        batch["status"] = self.ending
        batch["request_counts"]["completed"] = len(good)
        if self.ending == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "x", "message": "the file is not valid"}]}
        return batch

    def reply_of(self, prompt):
        return Handler.reply(None, "", prompt)
