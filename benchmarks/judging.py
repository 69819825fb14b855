"""Measure parallel judge calls to a server that only waits: wall time / (calls x latency / concurrency).

python -m benchmarks.judging --calls 60 --concurrency 16 --latency 0.5
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import tempfile
import time
from pathlib import Path

from utils import cli, flags


def parse_args(argv=None):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--calls", type=flags.positive_int, default=60, help="answers to be graded")
    parser.add_argument("--concurrency", type=flags.positive_int, default=16, help="calls in flight")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds that the server takes for a reply")
    parser.add_argument("--repeats", type=flags.positive_int, default=3, help="runs; each starts with an empty journal")
    return parser.parse_args(argv)


def main(calls: int, concurrency: int, latency: float, repeats: int) -> list[float]:
    """Return the ratios, one per run. The time includes opening the connections and syncing the journal."""
    from utils.judges import flags as judges
    from utils.judges import grading
    from utils.records import TutorAnswer

    port = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(latency, port), daemon=True)
    server.start()
    os.environ["OPENAI_BASE_URL"] = f"http://127.0.0.1:{port.get()}/v1"
    items = [TutorAnswer(f"Student: is {n} a prime?\n" * 40, f"What divides {n}?") for n in range(calls)]
    floor, ratios = calls * latency / concurrency, []
    print(f"floor: {calls} calls x {latency} s / {concurrency} in flight = {floor:.3f} s")
    for _ in range(repeats):
        judge = judges.from_flags(judge_llm=["openai", "none", "stub"], judge_concurrency=concurrency)
        judge.check()  # as at the start of every stage
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            grading.grade(judge, items, Path(folder) / "journal.jsonl", description="judging")
            wall = time.perf_counter() - started
        ratios.append(wall / floor)
        print(f"wall time {wall:.3f} s = {ratios[-1]:.3f} x the floor")
    server.terminate()
    return ratios


def serve(latency: float, port: multiprocessing.Queue) -> None:
    """Answer every request with the same verdict after `latency` seconds, in one thread that takes little CPU time."""
    content = '{"questions": "yes", "on_topic": 5, "helpful": 4, "reveal_answer": "no"}'
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    usage = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
    fields = {"id": "x", "object": "chat.completion", "created": 1, "model": "stub"}
    body = json.dumps({**fields, "choices": [choice], "usage": usage}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int((re.search(rb"content-length: (\d+)", request) or [0, 0])[1]))
                await asyncio.sleep(latency)
                writer.write(head + body)

    async def forever() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


if __name__ == "__main__":
    cli.run(main, parse_args)
