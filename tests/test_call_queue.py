"""The queue of calls to a server (utils/clients/retry.py): whose time counts, who comes first; no reply is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from fake_services import Refusal, Service, chat, error, one_at_a_time, verdict
from fault_server import FaultServer

from utils.clients import ask_all, pauses, retry
from utils.clients.ask_all import run_all
from utils.clients.chat import JudgeUnavailable
from utils.clients.openai_chat import OpenAIChat

ASK = {"temperature": 0.2, "seed": 0, "max_tokens": 300}
TESTS = Path(__file__).parent


def prompt(n):
    return [{"role": "user", "content": f"question {n}"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.4)


def ask_many(server, questions, *, concurrency=8, deadline=1.0, budget=2.0):
    chat = OpenAIChat("none", "judge-1", address=server.url, deadline=deadline, budget=budget)
    work = [lambda n=n: chat.complete(prompt(n), **ASK) for n in range(questions)]
    return run_all(work, concurrency, "x", "reply", lambda _: {})


def test_a_server_that_answers_one_at_a_time_is_waited_for():
    """Eight calls at once, each as long as a fifth of the deadline: those at the end of the server's queue timed out,
    were asked again, and what the server computed for them was thrown away."""
    with Service(one_at_a_time(0.3)) as server:
        assert len(ask_many(server, 16, deadline=1.5)) == 16
        assert len(server.bodies) == 16 and max(server.hits.values()) == 1


def test_a_service_that_works_on_four_of_sixty_four_is_waited_for():
    """The last of them waits sixteen times as long as a reply takes."""
    with Service(one_at_a_time(0.3, slots=4)) as server:
        assert len(ask_many(server, 64, concurrency=64, deadline=2.0, budget=4.0)) == 64
        assert len(server.bodies) == 64


def test_a_call_that_hangs_is_given_up_though_others_are_answered():
    """A clock that every answer sets back would never end."""
    with FaultServer(lambda n, _: "hang=20" if n == 0 else None, latency=0.05) as server:
        started = time.monotonic()
        assert len(ask_many(server, 60, concurrency=4, deadline=0.6)) == 60
        assert time.monotonic() - started < 5
        assert sorted(server.hits.values()) == [1] * 59 + [2]


def test_a_server_slower_than_the_deadline_is_given_longer():
    """A reply that takes longer than the deadline was never waited for, and computed again and again."""
    with FaultServer(latency=0.8) as server:
        assert len(ask_many(server, 4, concurrency=2, deadline=0.5, budget=5)) == 4
        assert len(server.bodies) <= 4 + 2


@pytest.mark.parametrize("slots, questions, concurrency", [(1, 6, 6), (4, 32, 32)])
@pytest.mark.parametrize("seconds, deadline, budget", [(0.7, 0.6, 2.0), (1.4, 0.6, 2.0), (1.2, 1.0, 1.0)])
def test_what_a_slow_server_goes_on_computing_is_waited_for(slots, questions, concurrency, seconds, deadline, budget):
    """A model on a CPU that does not notice a closed connection: calls that had missed their deadline were given up and
    sent again, behind what the server still computed for them, until the budget was spent (exit code 4)."""
    with Service(one_at_a_time(seconds, slots)) as server:
        assert len(ask_many(server, questions, concurrency=concurrency, deadline=deadline, budget=budget)) == questions
        assert len(server.bodies) <= 2 * questions


def test_a_server_that_never_answers_is_given_up_and_asked_one_call_at_a_time(monkeypatch):
    monkeypatch.setattr(ask_all, "GRACE", 0.5)
    with FaultServer(lambda *_: "hang=20") as server:
        with pytest.raises(JudgeUnavailable, match="no complete reply within 1 s"):
            ask_many(server, 40, deadline=0.3, budget=1.0)
        assert (
            len(server.bodies) <= 8 + 8 + 16
        )  # two of each question, and two to see whether another prompt is answered


def test_connections_that_are_lost_are_replaced_one_after_the_other():
    """A laptop in another network: no reply to any open call will come."""
    with FaultServer(lambda n, _: "hang=20" if n < 8 else None, latency=0.05) as server:
        assert len(ask_many(server, 24, deadline=0.5)) == 24
        assert len(server.bodies) == 8 + 24


def test_one_call_that_hangs_ends_no_run_where_deadline_and_budget_are_the_same():
    """Ollama's are: ten minutes of waiting for one call had used up the budget, though all others were answered."""
    with FaultServer(lambda n, _: "hang=20" if n == 0 else None, latency=0.05) as server:
        assert len(ask_many(server, 60, concurrency=4, deadline=0.6, budget=0.6)) == 60


def test_a_gateway_that_gives_up_is_asked_for_less_at_once():
    """A server that answers one at a time behind a proxy: the proxy gave up (504) on what waited, the server went on
    computing it, and all that was sent at once again waited behind it."""
    busy = threading.Semaphore()

    def replies(body):
        arrived = time.monotonic()
        with busy:
            time.sleep(0.2)
        return chat(verdict(body)) if time.monotonic() - arrived < 0.7 else error(504, "gateway time-out")

    with Service(replies) as server:
        assert len(ask_many(server, 16, deadline=5, budget=6)) == 16
        assert len(server.bodies) < 3 * 16


class Rate:
    """A service that takes `many` requests in each `period` seconds, and says 429 to the others."""

    def __init__(self, many, period, header=True):
        self.many, self.period, self.header, self.times, self.lock = many, period, header, [], threading.Lock()

    def __call__(self, body):
        with self.lock:
            now = time.monotonic()
            self.times = [t for t in self.times if now - t < self.period]
            if len(self.times) < self.many:
                self.times.append(now)
                return chat(verdict(body))
            wait = self.period - (now - self.times[0])
        refused = error(429, "slow down", code="rate_limit_exceeded")
        return Refusal(429, refused.body, {"Retry-After": f"{wait:.2f}"} if self.header else {})


@pytest.mark.parametrize("header", [True, False])
def test_a_rate_limit_below_the_budget_ends_no_run(header):
    """3 requests a minute, 8 in flight, 40 questions: `asked again for 600 s without success` after 35 of them, of a
    server that had answered all the time. Here the same, 60 times as fast."""
    with Service(Rate(3, 0.5, header)) as server:
        assert len(ask_many(server, 24, budget=1.0)) == 24
        assert len(server.bodies) < 24 * (3 if header else 8)


def test_waiting_for_a_turn_counts_against_nothing():
    """One at once is what the server takes: the last one is asked after three times the budget."""
    with FaultServer(latency=0.15, limit=1) as server:
        assert len(ask_many(server, 20, deadline=1.0, budget=1.0)) == 20


def test_first_come_first_served():
    """A question that was refused once was overtaken by all that came later."""
    queue, order = retry.CallQueue("x", deadline=5), []
    queue.limit = 1

    async def attempt(n):
        if n == 0 and not order:
            order.append("refused")
            raise retry.Transient("429", busy=True, pause=0.1)
        order.append(n)

    threads = []
    for n in range(6):
        threads.append(threading.Thread(target=lambda n=n: queue.run(lambda: attempt(n))))
        threads[-1].start()
        time.sleep(0.03 if n else 0.06)
    for thread in threads:
        thread.join()
    assert order == ["refused", 0, 1, 2, 3, 4, 5]


def test_retry_after_by_the_servers_clock():
    """A machine whose clock is a day behind waited for a day."""
    there = time.time() + 86_400
    date = {"date": formatdate(there, usegmt=True), "retry-after": formatdate(there + 7, usegmt=True)}
    assert pauses.retry_after(date) == 7
    for word in (formatdate(there, usegmt=True), formatdate(there - 2 * 86_400), "inf", "nan", "-5", "1e400", "1.2.3"):
        assert pauses.retry_after({"retry-after": word}) is None
    assert pauses.retry_after({"retry-after-ms": "nan"}) is None
    assert 6 <= pauses.retry_after({**date, "retry-after": f"{there + 7:.0f}"}) <= 8  # seconds since 1970: 57 years


def test_to_be_left_alone_for_long_is_said_as_that():
    with FaultServer(["429=7300"]) as server, pytest.raises(JudgeUnavailable, match=r"left alone for 2\.0 h"):
        ask_many(server, 1)


def test_where_the_body_says_how_long_it_is_obeyed():
    """Gemini and OpenAI say it in words."""
    for said in (
        "Please try again in 300ms.", '{"retryDelay": "0.3s"}', "retry in 0.3 seconds", "try again in 0m0.3s",
    ):  # fmt: skip
        left = [error(429, said)]
        with Service(lambda body, left=left: left.pop() if left else chat(verdict(body))) as server:
            ask_many(server, 1)
            assert server.times[1] - server.times[0] >= 0.3


def test_hours_in_the_body_are_hours():
    """A daily limit was asked about for ten minutes."""
    busy = error(429, "Limit 100000 tokens per day. Please try again in 2h3m4.5s.")
    with Service(lambda body: busy) as server, pytest.raises(JudgeUnavailable, match=r"left alone for 2\.1 h"):
        ask_many(server, 1)


@pytest.mark.parametrize(
    "refused",
    [
        error(429, "Rate limit of 50 per 86400s exceeded. Please wait 9000 seconds before retrying."),
        Refusal(429, {}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{time.time() + 9000:.0f}"}),
        Refusal(429, {}, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2h30m0s"}),
        error(
            429, "Rate limit exceeded: free-models-per-day", code=429, metadata={"headers": {
                "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{1000 * time.time() + 9_000_000:.0f}"}},
        ),
    ],
)  # fmt: skip
def test_a_limit_that_is_used_up_for_hours_is_said_as_that(refused):
    """GitHub Models, OpenAI, OpenRouter: asked about for ten minutes."""
    with Service(lambda body: refused) as server, pytest.raises(JudgeUnavailable, match=r"left alone for 2\.[45] h"):
        ask_many(server, 1)


CHILD = """
import sys
sys.path[:0] = [{root!r}]
from utils import cli
from utils.clients.ask_all import ask_all
from utils.clients.openai_chat import OpenAIChat

def main(address, journal, questions, concurrency, deadline):
    chat = OpenAIChat("none", "judge-1", address=address, deadline=deadline, budget=2 * deadline)
    prompts = [[{{"role": "user", "content": f"question {{n}}"}}] for n in range(questions)]
    ask_all(chat, prompts, journal, description="x", concurrency=concurrency, temperature=0, seed=0, max_tokens=9)

def parse_args():
    parser = cli.make_parser("x")
    parser.add_argument("--address"), parser.add_argument("--journal")
    parser.add_argument("--questions", type=int), parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--deadline", type=float, default=60)
    return parser.parse_args()

cli.run(main, parse_args)
"""


def child(server, journal, questions, *flags, **popen):
    code = CHILD.format(root=str(TESTS.parent))
    words = [sys.executable, "-c", code, "--address", server.url, "--journal", journal, "--questions", questions]
    hears = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return subprocess.Popen(
        [str(word) for word in (*words, *flags)], stderr=subprocess.PIPE, text=True, **hears, **popen
    )  # fmt: skip


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("after", [1, 30])
def test_what_ends_a_run_keeps_what_was_asked_and_asks_nothing_more(tmp_path, name, after):
    """At the start of a large run: 700 questions more were asked, with the journal closed. SIGTERM, SIGHUP: lost."""
    with FaultServer(latency=0.3) as server:
        process = child(server, tmp_path / "j", 20_000)
        wait_until(lambda: server.hits.total() >= after)
        process.send_signal(getattr(signal, name))
        _, errors = process.communicate(timeout=30)
        asked = server.hits.total()
    assert process.returncode == 130 and "Traceback" not in errors, errors
    assert len((tmp_path / "j").read_text().splitlines()) == asked <= after + 2 * 8
    assert ("Ctrl-C" if name == "SIGINT" else name) in errors and f"go on with: {sys.executable}" in errors


def test_an_ignored_signal_stays_ignored(tmp_path):
    """nohup."""
    with FaultServer(latency=0.2) as server:
        code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{CHILD.format(root=str(TESTS.parent))}"
        words = ["--address", server.url, "--journal", str(tmp_path / "j"), "--questions", "16"]
        process = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: server.hits)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=20) == 0
        process.stderr.close()


def test_a_stopped_process_reads_what_came_meanwhile(tmp_path):
    """Ctrl-Z for longer than deadline and budget: the replies that had come were thrown away and asked for again."""
    with FaultServer(latency=0.5) as server:
        process = child(server, tmp_path / "j", 4, "--concurrency", "4", "--deadline", "1")
        wait_until(lambda: server.hits.total() == 4)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert server.hits.total() == 4


def test_a_thread_that_cannot_start_leaves_fewer_at_once(monkeypatch, caplog):
    """RuntimeError, and the calls that had begun went on with the journal closed."""
    start, started = threading.Thread.start, []

    def limited(thread):
        if thread.name.startswith("job"):
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert run_all([lambda n=n: n for n in range(9)], 5, "x", "job", lambda _: {}) == list(range(9))
    assert "2 calls at once instead of 5" in caplog.text


def test_a_run_that_ends_pauses_no_longer():
    """Calls that were waiting to be asked again held up the end, and were asked again."""
    with FaultServer(lambda n, _: "quota" if n == 3 else "503") as server:
        started = time.monotonic()
        with pytest.raises(Exception, match="no credit"):
            ask_many(server, 100, concurrency=8, budget=60)
        assert time.monotonic() - started < ask_all.GRACE / 2
        asked = len(server.bodies)
        time.sleep(0.5)
        assert len(server.bodies) == asked


def test_a_full_disk_ends_with_4_the_path_and_the_command(tmp_path):
    """Exit code 2, as for bad input."""
    journal = tmp_path / "j"

    def small_files():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    with FaultServer() as server:
        code = CHILD.format(root=str(TESTS.parent))
        words = ["--address", server.url, "--journal", str(journal), "--questions", "40"]
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, preexec_fn=small_files,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert done.returncode == 4 and str(journal) in done.stderr and "go on later with: " in done.stderr
        assert "Traceback" not in done.stderr
        kept = len(journal.read_text().splitlines())
        assert 0 < kept < 40
        before = len(server.bodies)
        again = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert again.returncode == 0 and len(server.bodies) - before == 40 - kept


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    with FaultServer(latency=60) as server:
        process = child(server, tmp_path / "j", 40)
        wait_until(lambda: server.hits.total() >= 8)
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=5)
    assert process.returncode == 130 and "Traceback" not in errors and "calls in flight" in errors


def test_a_worker_that_is_ended_says_nothing(tmp_path):
    """Each process that was forked, a data loader's or a server's, would write a traceback of a KeyboardInterrupt."""
    code = (
        f"import multiprocessing, sys, time; sys.path[:0] = [{str(TESTS.parent)!r}]; from utils import cli\n"
        "def main():\n    p = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "    p.start(); time.sleep(0.3); p.terminate(); p.join(); print(p.exitcode)\n"
        "cli.run(main, lambda: cli.make_parser('x').parse_args([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.strip() == "143"
