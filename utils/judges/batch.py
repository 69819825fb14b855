"""OpenAI's Batch API: half the price for replies within 24 hours. It fills the journal before the usual grading.

A judge's first question about every item is written to JSONL files, and each batch's id into the journal before we wait
for it. The replies go into the journal under the same keys as those of single calls. What a batch fails to answer is
missing in the journal, and is therefore asked with single calls.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from utils.clients.body import body_of
from utils.clients.chat import Reply, entry_of, question_key
from utils.clients.keys import redact
from utils.clients.reply import Complaint, complaint_of, number, replies_of
from utils.clients.retry import Transient
from utils.errors import BadInput
from utils.journal import Journal, key_of
from utils.records import TutorAnswer

LARGEST_BATCH, LARGEST_FILE = 50_000, 50_000_000  # requests and bytes; the service allows 50,000 and 200 MB
POLL = 30.0  # seconds between two looks at a batch
ENDED = ("completed", "failed", "expired", "cancelled")


def prefill(judge: Any, items: Sequence[TutorAnswer], journal: Journal) -> None:
    """Put the judge's replies to `items` into the journal, by batch. Raises BadInput if it has no Batch API."""
    if hasattr(judge, "members"):
        for member in judge.members:
            prefill(member, items, journal)
        return
    if judge.settings["judge"] != "openai":
        raise BadInput(f"--judge-batch: {judge.name} has no Batch API; only `--judge-llm openai …` has")
    if items:  # a single call first: it shows which parameters the model rejects, instead of 50,000 failures
        judge.grade(items[0], journal)
    wanted = {}
    for item in items:
        messages, options = judge.messages(item), judge.options(item)
        key = question_key(judge.chat, messages, item.sample, options, journal)
        if key not in journal:
            wanted[key] = judge.chat.request(messages, **options | {"max_tokens": judge.grading.max_tokens})
    batches = []
    for name, sent in list(journal.entries.items()):
        if name.startswith("batch:") and wanted.keys() & set(sent["keys"]):
            batches.append(sent["id"])
            for key in sent["keys"]:
                wanted.pop(key, None)
    while wanted:
        batches.append(_send(judge.chat, _take(wanted), journal))
    for n, batch in enumerate(batches, 1):
        _collect(judge, batch, journal, f"batch {n} of {len(batches)}")


def _take(wanted: dict[str, dict]) -> dict[str, bytes]:
    """Take from `wanted` as much as fits into one batch: {custom_id: line of its file}."""
    lines: dict[str, bytes] = {}
    size = 0
    while wanted and len(lines) < LARGEST_BATCH and size < LARGEST_FILE:
        key = next(iter(wanted))
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": wanted.pop(key)}
        lines[key] = json.dumps(line).encode() + b"\n"
        size += len(lines[key])
    return lines


def _send(chat: Any, lines: dict[str, bytes], journal: Journal) -> str:
    """Start a batch, or find the one that was started before. Returns its id.

    A killed run may have started it, or an attempt whose reply was lost.
    """
    mark = key_of(sorted(lines))

    async def started() -> Any:
        recent = (await chat.guarded(chat.client.batches.list, limit=100)).data
        batch = next((one for one in recent if (one.metadata or {}).get("questions") == mark), None)
        if batch is None:
            upload = ("questions.jsonl", b"".join(lines.values()))
            file = await chat.guarded(chat.client.files.create, file=upload, purpose="batch")
            batch = await chat.guarded(
                chat.client.batches.create, input_file_id=file.id, endpoint="/v1/chat/completions",
                completion_window="24h", metadata={"questions": mark},
            )  # fmt: skip
        return batch

    batch = _call(chat, started)
    journal.add(f"batch:{batch.id}", {"id": batch.id, "keys": list(lines)})
    return batch.id


def _collect(judge: Any, batch_id: str, journal: Journal, name: str) -> None:
    """Wait for the end of a batch, and put its replies into the journal, each by its `custom_id`."""
    chat = judge.chat
    with tqdm(desc=f"{name} ({batch_id})", unit="reply") as bar:
        while True:
            batch = _call(chat, chat.client.batches.retrieve, batch_id)
            if batch.request_counts:
                bar.total = number(batch.request_counts.total) or None
                bar.update(number(batch.request_counts.completed) - bar.n)
            bar.set_postfix_str(batch.status)
            if batch.status in ENDED:
                break
            time.sleep(POLL)
    troubles = [error.message or "" for error in (batch.errors.data if batch.errors else None) or []]
    asked = set(journal[f"batch:{batch_id}"]["keys"])
    for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
        for line in filter(None, _call(chat, chat.client.files.content, file_id).content.split(b"\n")):
            try:
                key, reply = _answer(chat, line, asked)
            except (Transient, Complaint) as trouble:  # it costs this line only
                troubles.append(str(trouble))
                continue
            if key not in journal:
                journal.add(key, entry_of(judge.condense(reply)))
    if batch.status != "completed" or troubles:
        logging.warning(
            "%s: %s, %d failed%s; what it did not answer is asked with single calls",
            name, batch.status, len(troubles), f" (the first: {redact(troubles[0])[:200]})" if troubles else "",
        )  # fmt: skip


def _answer(chat: Any, line: bytes, asked: set[str]) -> tuple[str, Reply]:
    """Return (key, reply) of a line of a batch's file. Raises Transient or Complaint if it has no reply."""
    answer = body_of(line)
    answer = answer if isinstance(answer, dict) else {}
    key, response = answer.get("custom_id"), answer.get("response")
    response = response if isinstance(response, dict) else {}
    status = number(response.get("status_code", 200))
    if answer.get("error") or status != 200:
        raise complaint_of(answer if answer.get("error") else response.get("body"), status)
    if not isinstance(key, str) or key not in asked:
        raise Transient(f"a line that answers no question of ours ({str(key)[:40]})")
    reply = chat.recorded(replies_of(response.get("body"))[0])
    return key, replace(reply, details={**reply.details, "batch": True})


def _call(chat: Any, call: Any, *words: Any, **arguments: Any) -> Any:
    return chat.queue.run(lambda: chat.explained(chat.guarded(call, *words, **arguments), {}))
