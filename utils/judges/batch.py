"""OpenAI's Batch API: half the price for replies within 24 hours. It fills the journal before the usual grading.

A judge's first question about every item is written to JSONL files, and each batch's id into the journal before we wait
for it. The replies go into the journal under the same keys as those of single calls. What a batch fails to answer is
missing in the journal, and is therefore asked with single calls.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from utils.clients.body import body_of
from utils.clients.chat import JudgeError, Reply, entry_of, question_key
from utils.clients.keys import redact
from utils.clients.reply import Complaint, complaint_of, number, replies_of
from utils.clients.retry import Transient, Unread
from utils.clients.service import TRIAL
from utils.errors import BadInput, printable
from utils.journal import Journal, key_of
from utils.records import TutorAnswer

LARGEST_BATCH, LARGEST_FILE = 50_000, 50_000_000  # requests and bytes; the service allows 50,000 and 200 MB
POLL = 30.0  # seconds between two looks at a batch
ENDED = ("completed", "failed", "expired", "cancelled")


def prefill(judge: Any, items: Sequence[TutorAnswer], journal: Journal, new: bool) -> None:
    """Put a judge's replies to `items` into the journal: of batches that an earlier run started, and of `new` ones.

    Without `new`, an earlier run's batch is not waited for. Raises BadInput if it has not ended, since single calls
    would be paid for besides, and if the judge has no Batch API.
    """
    earlier = [sent for name, sent in journal.entries.items() if name.startswith("batch:")]
    if not (new or earlier):
        return
    if hasattr(judge, "members"):
        for member in judge.members:
            prefill(member, items, journal, new)
        return
    if judge.settings["judge"] != "openai":
        if new:
            raise BadInput(f"--judge-batch: {judge.name} has no Batch API; only `--judge-llm openai …` has")
        return
    missing: dict[str, TutorAnswer] = {}
    for item in items:
        key = question_key(judge.chat, judge.messages(item), item.sample, judge.options(item), journal)
        if key not in journal:
            missing.setdefault(key, item)
    batches = []
    for sent in earlier:
        if missing.keys() & set(sent["keys"]):
            batches.append(sent["id"])
            for key in sent["keys"]:
                missing.pop(key, None)
    if new and missing:
        # A single call first: it shows which parameters the model rejects, instead of 50,000 failures.
        first = next(iter(missing))
        if missing[first] is items[0]:
            judge.grade(missing.pop(first), journal)
        else:  # the first has its verdict; if another were asked, a batch of a killed run would not be found
            judge.chat.complete(TRIAL, **_options(judge, items[0]))
        wanted = {
            key: judge.chat.request(judge.messages(item), **_options(judge, item)) for key, item in missing.items()
        }
        while wanted:
            batches.append(_send(judge.chat, _take(wanted), journal))
    for n, batch in enumerate(batches, 1):
        _collect(judge, batch, journal, f"batch {n} of {len(batches)}", new)


def _options(judge: Any, item: TutorAnswer) -> dict[str, Any]:
    return judge.options(item) | {"max_tokens": judge.grading.max_tokens}


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

    batches, files = chat.client.batches.with_raw_response, chat.client.files.with_raw_response

    async def started() -> dict[str, Any]:
        for one in (await _object(chat, "data", batches.list, limit=100))["data"]:
            if isinstance(one, dict) and isinstance(one.get("id"), str) and mark in json.dumps(one.get("metadata")):
                return one
        upload = ("questions.jsonl", b"".join(lines.values()))
        file = await _object(chat, "id", files.create, file=upload, purpose="batch")
        return await _object(
            chat, "id", batches.create, input_file_id=file["id"], endpoint="/v1/chat/completions",
            completion_window="24h", metadata={"questions": mark},
        )  # fmt: skip

    name = _run(chat, started)["id"]
    journal.add(f"batch:{name}", {"id": name, "keys": list(lines)})
    return name


def _collect(judge: Any, batch_id: str, journal: Journal, name: str, wait: bool) -> None:
    """Put the replies of a batch into the journal, each by its `custom_id`. `wait` for its end, or raise BadInput."""
    chat, look = judge.chat, judge.chat.client.batches.with_raw_response.retrieve
    which = f" (batch {batch_id}; without its line in {journal.path}, its questions are asked anew)"
    with tqdm(desc=printable(f"{name} ({batch_id})"), unit="reply") as bar:
        while (batch := _run(chat, lambda: _object(chat, "id", look, batch_id), which)).get("status") not in ENDED:
            if not wait:
                raise BadInput(
                    f"batch {batch_id} of an earlier run has not ended, and single calls would be paid for besides: "
                    f"go on with --judge-batch, or cancel it at {chat.server} ({journal.path})"
                )
            _show(batch, bar)
            time.sleep(POLL)
        _show(batch, bar)
    errors = batch.get("errors")
    troubles = [str(complaint_of(errors.get("data") if isinstance(errors, dict) else errors))] if errors else []
    asked = set(journal[f"batch:{batch_id}"]["keys"])
    for file_id in filter(None, (batch.get("output_file_id"), batch.get("error_file_id"))):
        for line in _run(chat, lambda file_id=file_id: _lines(chat, str(file_id)), which):
            try:
                key, reply = _answer(chat, line, asked)
            except (Transient, Complaint) as trouble:  # it costs this line only
                troubles.append(str(trouble))
                continue
            if key not in journal:
                journal.add(key, entry_of(judge.condense(reply)))
    if batch["status"] != "completed" or troubles:
        logging.warning(
            "%s: %s, %d failed%s; what it did not answer is asked with single calls",
            name, batch["status"], len(troubles), f" (the first: {redact(troubles[0])[:200]})" if troubles else "",
        )  # fmt: skip


def _show(batch: dict[str, Any], bar: tqdm) -> None:
    counts = batch.get("request_counts")
    if isinstance(counts, dict):
        bar.total = number(counts.get("total")) or None
        bar.update(number(counts.get("completed")) - bar.n)
    bar.set_postfix_str(printable(str(batch.get("status"))))


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


async def _object(chat: Any, field: str, call: Any, *words: Any, **arguments: Any) -> dict[str, Any]:
    """Return the object that the service answers a call with. Raises Transient if it is none with this field."""
    found = body_of((await chat.guarded(call, *words, **arguments)).content)
    if not isinstance(found, dict) or not isinstance(found.get(field), {"id": str, "data": list}[field]):
        raise Unread(f"no object of the Batch API: {redact(json.dumps(found))[:200]}")
    return found


async def _lines(chat: Any, file_id: str) -> list[bytes]:
    """Return the lines of a batch's file. Raises Transient if the service answers with a web page."""
    data = (await chat.guarded(chat.client.files.content, file_id)).content
    if data.lstrip().startswith(b"<"):
        body_of(data)
    return [line for line in data.split(b"\n") if line]


def _run(chat: Any, call: Callable[[], Awaitable[Any]], which: str = "") -> Any:
    """Return what a call gives, repeated where its failure may pass. Raises JudgeError, which names the Batch API."""
    try:
        return chat.queue.run(lambda: chat.explained(call(), {}))
    except JudgeError as error:
        raise JudgeError(f"the Batch API: {error}{which}", error.status) from None
