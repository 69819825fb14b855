"""OpenAI's Batch API, against a server that has it (tests/fake_batches.py)."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_batches import FakeBatches
from fault_server import FaultServer

from utils.clients import retry
from utils.clients.chat import JudgeError
from utils.clients.prices import Price
from utils.errors import BadInput
from utils.judges import batch, grading
from utils.judges import flags as judges
from utils.judges.judge import GradingOptions
from utils.records import TutorAnswer

TEMPLATE = "Grade by the rubric.\n---\n{conversation}\n{answer}"
ITEMS = [TutorAnswer(f"Student: {n}?", f"What is {n}?") for n in range(9)]


@pytest.fixture
def judge_of(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(batch, "POLL", 0.05)

    def make(server, in_batches=True):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        judge = judges.make_judge(["openai", "none", "judge-1"], TEMPLATE)
        judge.grading, judge.price = GradingOptions(batch=in_batches), Price(1.0, 0.5, 2.0)
        return judge

    return make


def evaluations(verdicts):
    return [verdict.evaluation for verdict in verdicts]


def test_results_are_matched_by_custom_id_at_half_the_price(tmp_path, judge_of):
    """Results come in any order: matched by place, they would be other answers' grades."""
    with FakeBatches() as server:
        ordinary = grading.grade(judge_of(server, False), ITEMS, tmp_path / "ordinary", description="x")
        server.bodies.clear()
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == 1  # the first, by which rejected parameters are learnt
        assert len(server.batches) == 1
    assert evaluations(verdicts) == evaluations(ordinary)
    assert verdicts[1].details["cost"] == pytest.approx(ordinary[1].details["cost"] / 2)
    assert verdicts[0].details["cost"] == pytest.approx(ordinary[0].details["cost"])


@pytest.mark.parametrize(
    "options, asked", [({"fails": [0, 3]}, 2), ({"ending": "expired"}, 4), ({"ending": "failed"}, 8)]
)
def test_what_the_batch_does_not_answer_goes_the_ordinary_way(tmp_path, judge_of, options, asked):
    with FakeBatches(**options) as server:
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == 1 + asked
        assert evaluations(verdicts) == evaluations(judge_of(server).grade(item) for item in ITEMS)
        grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert len(server.batches) == 1  # and no second batch for them


def test_rejected_parameters_are_learnt_before_the_file_is_written(tmp_path, judge_of):
    with FakeBatches(rejects={"temperature": None, "max_tokens": "max_completion_tokens"}) as server:
        grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        bodies = [json.loads(line)["body"] for line in server.files["file0"].splitlines()]
    assert len(bodies) == 8
    assert all("temperature" not in body and body["max_completion_tokens"] == 300 for body in bodies)


def test_rejected_parameters_are_learnt_though_the_first_item_has_its_verdict(tmp_path, judge_of):
    """After a trial with --limit, every line of the batch was rejected, and all were asked at the full price."""
    with FakeBatches(rejects={"max_tokens": "max_completion_tokens"}) as server:
        grading.grade(judge_of(server, False), ITEMS[:1], tmp_path / "j", description="x")
        grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        bodies = [json.loads(line)["body"] for line in server.files["file0"].splitlines()]
    assert len(bodies) == 8 and all("max_tokens" not in body for body in bodies)


def test_many_requests_are_split_into_batches(tmp_path, judge_of, monkeypatch):
    monkeypatch.setattr(batch, "LARGEST_BATCH", 3)
    with FakeBatches() as server:
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert [b["request_counts"]["total"] for b in server.batches.values()] == [3, 3, 2]
        assert evaluations(verdicts) == evaluations(judge_of(server).grade(item) for item in ITEMS)


def test_a_judge_without_batches_is_refused(tmp_path):
    judge = judges.make_judge(["ollama", ":1", "m"], TEMPLATE)
    judge.grading = GradingOptions(batch=True)
    with pytest.raises(ValueError, match="has no Batch API"):
        grading.grade(judge, ITEMS, tmp_path / "j", description="x")


CHILD = """
import os, sys
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from test_batch import ITEMS, TEMPLATE
from utils import journal
from utils.judges import batch, grading
from utils.judges import flags as judges
from utils.judges.judge import GradingOptions
batch.POLL = 0.05
if {forget}:  # killed after the batch was started, before its id was stored
    real = journal.Journal.add
    def add(self, key, value):
        if key.startswith("batch:"):
            os.kill(os.getpid(), 9)
        real(self, key, value)
    journal.Journal.add = add
judge = judges.make_judge(["openai", "none", "judge-1"], TEMPLATE)
judge.grading = GradingOptions(batch=True)
grading.grade(judge, ITEMS, {path!r}, description="x")
"""


@pytest.mark.parametrize("forget", [False, True])
def test_a_killed_run_finds_its_batch_again(tmp_path, judge_of, forget):
    """The batch was paid for, and a second one was started."""
    tests = Path(__file__).parent
    with FakeBatches(looks=10**9) as server:
        judge = judge_of(server)  # also sets the address
        code = CHILD.format(root=str(tests.parent), tests=str(tests), path=str(tmp_path / "j"), forget=forget)
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
        end = time.monotonic() + 30
        while server.looked < 3 and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()
        assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
        process.stderr.close()
        assert forget or '"batch:batch0"' in (tmp_path / "j").read_text()  # stored before it is waited for
        server.looks = 0
        verdicts = grading.grade(judge, ITEMS, tmp_path / "j", description="x")
        assert len(server.batches) == 1 and len(server.bodies) == 1 + forget  # a greeting, before it is found
        assert all(verdict.evaluation for verdict in verdicts)


def test_the_ordinary_way_has_no_batches(tmp_path, judge_of):
    with FaultServer() as server:
        grading.grade(judge_of(server, False), ITEMS, tmp_path / "j", description="x")
        assert not any("batches" in path or "files" in path for path in server.paths)


@pytest.mark.parametrize(
    "odd",
    [b"not json", b"[]", b"null", b'{"custom_id": 7}', b'{"custom_id": "other", "response": {"status_code": 200}}',
     b'{"custom_id": null, "response": null, "error": null}', b'{"response": {"status_code": 200, "body": "x"}}',
     b'{"error": "x"}', b"\xff\xfe", b'{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [7]}}}'],
)  # fmt: skip
def test_an_odd_line_costs_that_line_only(tmp_path, judge_of, odd):
    """A traceback, and a batch that was paid for could never be read."""
    with FakeBatches(odd=odd) as server:
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert evaluations(verdicts) == evaluations(judge_of(server, False).grade(item) for item in ITEMS)
        assert len(server.bodies) == 1 + 9 and len(server.batches) == 1  # nine are those of the line above
        assert len((tmp_path / "j").read_text().splitlines()) == 9 + 1


def test_a_batch_is_made_once_though_the_reply_about_it_is_lost(tmp_path, judge_of):
    """A second one of the same questions was made, and paid for."""
    with FakeBatches() as server:
        server.loses = True
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert all(one.evaluation for one in verdicts)
        assert len(server.batches) == 1 and len(server.bodies) == 1


def test_a_line_separator_in_a_reply_ends_no_line(tmp_path, judge_of, monkeypatch):
    """U+2028 is a line's end for str.splitlines, and none in JSON."""
    with FakeBatches() as server:
        plain = server.reply_of
        server.reply_of = lambda prompt: (f"My\u2028verdict:\n{plain(prompt)[0]}", "stop")
        server.dumps = lambda answer: json.dumps(answer, ensure_ascii=False)
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == 1 and all(one.evaluation for one in verdicts)


@pytest.mark.parametrize("counts", [None, {}, {"total": None, "completed": None}, {"total": "9", "completed": "3"}])
def test_odd_counts_of_a_batch_cost_nothing(tmp_path, judge_of, counts):
    """A traceback, while the batch was waited for."""
    with FakeBatches() as server:
        look = server.look
        server.look = lambda name: {**look(name), "request_counts": counts}
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert all(one.evaluation for one in verdicts) and len(server.bodies) == 1


def test_a_status_that_comes_as_text_is_a_status(tmp_path, judge_of):
    """Every line was taken for a failure, and all was paid twice."""
    with FakeBatches() as server:
        server.dumps = lambda answer: json.dumps(answer).replace('"status_code": 200', '"status_code": "200"')
        grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == 1


UPLOAD, CREATE, LIST = "POST /v1/files", "POST /v1/batches", r"GET /v1/batches(\?.*)?"
LOOK, OUTPUT = r"GET /v1/batches/\w+", r"GET /v1/files/\w+/content"
SCOPES = b'{"error": {"message": "Missing scopes: api.files.write"}}'


@pytest.mark.parametrize(
    "place, status, body",
    [(UPLOAD, 413, b'{"error": {"message": "the request is too large"}}'), (UPLOAD, 403, SCOPES), (UPLOAD, 418, b"x"),
     (UPLOAD, 422, b'{"detail": [{"loc": ["body", "file"], "msg": "field required"}]}'), (LIST, 403, SCOPES),
     (CREATE, 400, b'{"error": "no batches for this model"}'), (LOOK, 403, SCOPES), (OUTPUT, 403, SCOPES)],
)  # fmt: skip
def test_what_the_batch_api_refuses_ends_the_run_with_its_words(tmp_path, judge_of, place, status, body):
    """A traceback of our own `Doubtful`."""
    with FakeBatches() as server:
        server.instead[place] = [(status, body)]
        with pytest.raises(JudgeError, match=f"the Batch API: .*{status}"):
            grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert all(one.evaluation for one in verdicts) and len(server.batches) == 1
        assert len(server.bodies) == (1 if place in (LOOK, OUTPUT) else 2)  # a greeting, before the batch is made


def test_a_web_page_in_place_of_the_replies_is_asked_for_again(tmp_path, judge_of):
    """Each of its lines counted as a failure, and all that the batch had answered was paid for again."""
    with FakeBatches() as server:
        server.instead[OUTPUT] = [(200, b"<html>\n<title>Login</title></html>")]
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert all(one.evaluation for one in verdicts) and len(server.bodies) == 1


@pytest.mark.parametrize("place", [UPLOAD, CREATE, LIST, LOOK])
@pytest.mark.parametrize("body", [b"<html><title>Login</title></html>", b"[]", b"null", b'{"id": 7, "data": 7}', b""])
def test_an_odd_answer_of_the_batch_api_is_asked_for_again(tmp_path, judge_of, place, body):
    """A traceback, and a batch that was paid for was not waited for."""
    with FakeBatches() as server:
        server.instead[place] = [(200, body)]
        verdicts = grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        assert all(one.evaluation for one in verdicts) and len(server.batches) == 1 and len(server.bodies) == 1


def test_a_batch_under_way_is_not_paid_for_twice_by_single_calls(tmp_path, judge_of):
    """Started again without --judge-batch, a run asked all that a batch was about to answer, without a word."""
    with FakeBatches() as server:
        server.instead[LOOK] = [(401, b"the key has expired")]
        with pytest.raises(JudgeError, match=r"expired.* \(batch batch0; without its line in "):
            grading.grade(judge_of(server), ITEMS, tmp_path / "j", description="x")
        server.looks = 10**9
        for _ in range(2):
            with pytest.raises(BadInput, match=r"batch batch0 .* go on with --judge-batch, or cancel it"):
                grading.grade(judge_of(server, False), ITEMS, tmp_path / "j", description="x")
        assert len(server.bodies) == 1
        others = [TutorAnswer("Student: 9?", "Other?")]
        assert grading.grade(judge_of(server, False), others, tmp_path / "j", description="x")[0].evaluation
        server.looks = 0
        verdicts = grading.grade(judge_of(server, False), ITEMS, tmp_path / "j", description="x")
        assert all(one.details.get("batch") for one in verdicts[1:]) and len(server.bodies) == 2
        assert len(server.batches) == 1
