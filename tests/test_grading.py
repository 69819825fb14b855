"""Grading many answers against a real server process boundary: crashes, speed, limits, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_server import BAD_REPLIES, FaultServer

from utils import cli
from utils.clients import retry
from utils.clients.ask_all import ask_all
from utils.clients.chat import JudgeError, JudgeUnavailable, question_key
from utils.errors import BadInput
from utils.journal import Journal, key_of
from utils.judges import flags as judges
from utils.judges import grading
from utils.judges.judge import GradingOptions
from utils.records import Evaluation, TutorAnswer

KEY = "sk-secret-0123456789"
STAGE = Path(__file__).with_name("small_stage.py")
TEMPLATE = "Grade by the rubric.\n---\n<d-{tag}>{conversation}</d-{tag}>\n<a-{tag}>{answer}</a-{tag}>"


def items_of(number):
    return [TutorAnswer(f"Student: {n}?", f"What is {n}?") for n in range(number)]


def stage(server, folder, *flags, answers=24, key="env:JUDGE_KEY", **popen):
    env = {**os.environ, "OPENAI_BASE_URL": server.url, "JUDGE_KEY": KEY}
    command = [sys.executable, STAGE, "--answers", str(answers), "--output", folder / "out.json", *flags]
    command += ["--judge-llm", "openai", key, "judge-1"]
    return subprocess.Popen([str(word) for word in command], env=env, stderr=subprocess.PIPE, text=True, **popen)


def finish(process):
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def judge_of(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.02)

    def make(server, **keywords):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        return judges.make_judge(["openai", KEY, "judge-1"], TEMPLATE, **keywords)

    return make


def test_sigkill_loses_and_repeats_nothing(tmp_path):
    """A crash lost all replies that were paid for; the artifact differed from that of a run without a crash."""
    answers, concurrency = 24, 4
    flags = ("--judge-concurrency", concurrency)
    bad = lambda _, body: "maybe" if "11 + 11" in str(body["messages"]) else None  # noqa: E731 (asked three times)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    with FaultServer(bad, latency=0.1) as server:
        assert finish(stage(server, tmp_path / "whole", *flags, answers=answers))[0] == 0
        once = server.hits.copy()
        server.hits.clear()
        for enough in (6, 15):
            process = stage(server, tmp_path / "killed", *flags, answers=answers)
            wait_until(lambda enough=enough: server.hits.total() >= enough)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "killed" / "out.json").exists()
        code, errors = finish(stage(server, tmp_path / "killed", *flags, answers=answers))
    assert code == 0, errors
    assert server.hits.keys() == once.keys()
    assert server.hits.total() <= once.total() + 2 * concurrency
    assert (tmp_path / "killed" / "out.json").read_bytes() == (tmp_path / "whole" / "out.json").read_bytes()


def test_other_settings_do_not_reuse_replies(tmp_path, judge_of):
    with FaultServer() as server:
        judge = judge_of(server)
        for _ in range(2):
            grading.grade(judge, items_of(3), tmp_path / "j", description="x")
        assert len(server.bodies) == 3
        judge.template = TEMPLATE.replace("rubric", "new rubric")
        grading.grade(judge, items_of(3), tmp_path / "j", description="x")
        assert len(server.bodies) == 6
        again = [TutorAnswer(item.conversation, item.answer, sample=1) for item in items_of(3)]
        grading.grade(judge, again, tmp_path / "j", description="x")
        assert len(server.bodies) == 9


def test_the_same_question_twice_is_paid_once(tmp_path, judge_of):
    with FaultServer(latency=0.1) as server:
        verdicts = grading.grade(judge_of(server), items_of(1) * 6, tmp_path / "j", description="x")
        assert len(server.bodies) == 1 and len(verdicts) == 6


def test_a_second_run_on_the_same_folder_is_refused(tmp_path):
    with FaultServer(latency=0.3) as server:
        first = stage(server, tmp_path, answers=999)
        wait_until(lambda: server.hits)
        code, errors = finish(stage(server, tmp_path))
        first.kill()
        finish(first)
    assert code == cli.BAD_INPUT and "another run" in errors


def test_wall_time_is_near_the_floor(tmp_path, judge_of):
    """One call at a time took N x latency."""
    with FaultServer(latency=0.4) as server:
        judge = judge_of(server)
        judge.check()
        started = time.monotonic()
        grading.grade(judge, items_of(64), tmp_path / "j", description="x", concurrency=16)
        # 1.15 on an idle machine (benchmarks/judging.py); this one may be busy, and the server shares our process
        assert time.monotonic() - started < 1.5 * 64 * 0.4 / 16
        assert server.peak == 16


def test_order_is_kept_whatever_comes_first(tmp_path, judge_of):
    with FaultServer(lambda number, _: "hang=0.3" if number == 0 else None) as server:
        verdicts = grading.grade(judge_of(server), items_of(9), tmp_path / "j", description="x")
        alone = [judge_of(server).grade(item) for item in items_of(9)]
    assert [v.evaluation for v in verdicts] == [v.evaluation for v in alone]


def test_concurrency_falls_on_429(tmp_path, judge_of):
    """Eight threads that all retry at once keep a rate limit exceeded."""
    with FaultServer(latency=0.05, limit=2) as server:
        judge = judge_of(server)
        verdicts = grading.grade(judge, items_of(40), tmp_path / "j", description="x", concurrency=16)
        assert judge.chat.queue.limit <= 6
        refused = len(server.bodies) - 40
    assert all(verdict.evaluation for verdict in verdicts)
    assert refused < 60, "each 429 cost another"


@pytest.mark.parametrize("fault", ["quota", "bad key", "no model"])
def test_exit_3_at_once_with_progress_kept(tmp_path, fault):
    with FaultServer(lambda number, _: fault if number >= 10 else None, latency=0.02) as server:
        code, errors = finish(stage(server, tmp_path, answers=200))
    assert code == cli.STOPPED
    assert errors.strip().splitlines()[-1].startswith("error: ") and "Traceback" not in errors
    assert len(server.bodies) <= 10 + 2 * 8
    assert len((tmp_path / "out.json.journal").read_text().splitlines()) == 10


def test_exit_4_prints_the_command_that_resumes(tmp_path):
    with FaultServer(lambda number, _: "503" if 5 <= number < 10_000 else None) as server:
        code, errors = finish(stage(server, tmp_path, "--budget", "0.4", answers=20))
        assert code == cli.RESUMABLE
        command = errors.strip().splitlines()[-1].partition("go on later with: ")[2]
        assert "small_stage.py --answers 20" in command
        server.faults, before = [], len(server.bodies)
        env = {**os.environ, "OPENAI_BASE_URL": server.url, "JUDGE_KEY": KEY}
        assert command.startswith(sys.executable)  # `python` may be another one
        assert subprocess.run(command, shell=True, env=env, capture_output=True).returncode == 0
        assert len(server.bodies) - before == 20 - 5
    assert len(json.loads((tmp_path / "out.json").read_text())) == 20


def test_ctrl_c_ends_cleanly_and_keeps_calls_in_flight(tmp_path):
    """Calls in flight are paid for: they get the time to end."""
    with FaultServer(latency=0.5) as server:
        # A runner that a shell put into the background ignores Ctrl-C, and its children inherit that.
        hears = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
        process = stage(server, tmp_path, "--judge-concurrency", 4, answers=40, **hears)
        wait_until(lambda: server.hits.total() >= 8)
        process.send_signal(signal.SIGINT)
        code, errors = finish(process)
        asked = server.hits.total()
    assert code == cli.INTERRUPTED and "Traceback" not in errors
    assert len((tmp_path / "out.json.journal").read_text().splitlines()) == asked < 40


def test_a_literal_key_is_wiped_warned_about_and_nowhere_written(tmp_path):
    with FaultServer(latency=0.3) as server:
        process = stage(server, tmp_path, answers=12, key=KEY)
        wait_until(lambda: server.hits)
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes() if sys.platform.startswith("linux") else b""
        code, errors = finish(process)
        assert code == 0 and KEY.encode() not in seen
        assert errors.count("a key on the command line") == 1
        server.faults = lambda *_: "bad key"
        code, more = finish(stage(server, tmp_path, answers=13, key=KEY))
        assert code == cli.STOPPED
    written = errors + more + "".join(path.read_text() for path in tmp_path.iterdir())
    assert KEY not in written and len(written) > 1000


def test_invalid_replies_are_asked_again_twice_then_kept_and_counted(tmp_path, judge_of):
    """A garbled reply became a score, or was parsed three times and never asked again."""
    never = lambda _, body: "maybe" if "What is 3?" in str(body["messages"]) else None  # noqa: E731
    with FaultServer(never) as server:
        verdicts = grading.grade(judge_of(server), items_of(12), tmp_path / "j", description="x")
        asked = [body for body in server.bodies if "What is 3?" in str(body["messages"])]
    bad = verdicts[3]
    assert bad.evaluation is None and bad.score is None and "maybe" in bad.raw_evaluation
    assert "questions" in bad.evaluation_error
    assert [body["seed"] for body in asked] == [0, 1, 2]
    assert "not valid" in asked[1]["messages"][-1]["content"]
    count = grading.counts(verdicts)
    assert (count["graded"], count["invalid"]) == (12, 1)
    assert count["tokens"] == (11 + 3) * 1040


@pytest.mark.parametrize("fault", BAD_REPLIES)
def test_every_bad_reply_is_invalid_and_then_mended(tmp_path, judge_of, fault):
    with FaultServer([fault]) as server:
        [verdict] = grading.grade(judge_of(server), items_of(1), tmp_path / "j", description="x")
        assert len(server.bodies) == 2 and verdict.details["attempts"] == 2
    with FaultServer([fault] * 3) as server:
        judge = judge_of(server)
        judge.grading = GradingOptions(max_invalid=1)
        [verdict] = grading.grade(judge, items_of(1), tmp_path / "k", description="x")
        assert verdict.evaluation is None and verdict.score is None and verdict.evaluation_error
        assert verdict.raw_evaluation == (BAD_REPLIES[fault][0] or "")


def test_a_refusal_is_invalid_and_its_words_are_kept(judge_of):
    with FaultServer(["refusal"] * 3) as server:
        verdict = judge_of(server).grade(items_of(1)[0])
    assert verdict.evaluation is None and verdict.raw_evaluation == "I cannot grade this."


def test_a_prompt_too_long_for_the_judge_is_invalid_not_the_end(tmp_path, judge_of):
    long = lambda _, body: "too long" if "What is 3?" in str(body["messages"]) else None  # noqa: E731
    with FaultServer(long) as server:
        verdicts = grading.grade(judge_of(server), items_of(12), tmp_path / "j", description="x")
    assert [n for n, verdict in enumerate(verdicts) if verdict.evaluation is None] == [3]
    assert "context_length" in verdicts[3].evaluation_error


def test_too_many_invalid_verdicts_fail_the_stage_early(tmp_path, judge_of):
    with FaultServer(lambda *_: "prose") as server:
        with pytest.raises(JudgeError, match="--max-invalid allows 10%"):
            grading.grade(judge_of(server), items_of(100), tmp_path / "j", description="x", concurrency=2)
        assert len(server.bodies) < 3 * 20


def test_a_panel_keeps_every_verdict(tmp_path, judge_of, monkeypatch):
    with FaultServer(lambda _, body: "prose" if body["model"] == "broken" else None) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        specs = [["openai", KEY, "judge-1"], ["openai", KEY, "broken"], ["openai", KEY, "judge-2"]]
        judge = judges.make_judge(specs, TEMPLATE)
        with pytest.raises(JudgeError, match="verdicts of broken"):
            grading.grade(judge, items_of(2), tmp_path / "j", description="x")
        judge.grading = GradingOptions(max_invalid=1)
        [verdict, _] = grading.grade(judge, items_of(2), tmp_path / "j", description="x")
    members = verdict.details["panel"]
    assert [member["judge"] for member in members] == ["judge-1", "broken", "judge-2"]
    assert members[1]["evaluation"] is None
    assert verdict.score == pytest.approx((members[0]["score"] + members[2]["score"]) / 2)
    assert grading.counts([verdict])["invalid_members"] == 1


def test_expected_scores_weigh_by_probability(tmp_path, judge_of):
    with FaultServer() as server:
        verdict = judge_of(server, scores="expected").grade(items_of(1)[0])
        assert server.bodies[0]["logprobs"] and server.bodies[0]["top_logprobs"] == 20
    values, hard = verdict.details["expected"], verdict.evaluation
    assert values["questions"] == pytest.approx(0.8 / 0.9)  # "yes" 0.8, "no" 0.1, the rest is no label
    assert values["reveal_answer"] == pytest.approx(0.1 / 0.9)
    points = {4: (0.5 * 4 + 0.25 * 2) / 0.75}
    assert values["on_topic"] == pytest.approx(points.get(hard.on_topic, hard.on_topic))
    assert verdict.score == pytest.approx(
        0.25 * (values["questions"] + 1 - values["reveal_answer"] + values["on_topic"] / 5 + values["helpful"] / 5)
    )
    assert verdict.score != pytest.approx(hard.score)


def test_expected_scores_without_log_probabilities_stop_the_run(judge_of):
    """Hard scores would be passed off as expected ones."""
    server = FaultServer(rejects={"logprobs": None, "top_logprobs": None})
    with server, pytest.raises(JudgeError, match="--judge-scores hard"):
        judge_of(server, scores="expected").grade(items_of(1)[0])


def test_ask_all_has_the_same_protections(tmp_path, judge_of):
    options = {"temperature": 0.0, "seed": 0, "max_tokens": 250, "description": "x"}
    prompts = [[{"role": "user", "content": f"Question {n}"}] for n in range(9)]
    with FaultServer(["500", "reset"]) as server:
        chat = judge_of(server).chat
        first = ask_all(chat, prompts, tmp_path / "j", **options)
        assert ask_all(chat, prompts, tmp_path / "j", **options) == first
        assert len(server.bodies) == 9 + 2
        assert len({reply.text for reply in first}) > 1
        server.faults, chat.queue.budget = (lambda *_: "500"), 0.3
        with pytest.raises(JudgeUnavailable):
            ask_all(chat, [[{"role": "user", "content": "new"}]], tmp_path / "j", **options)


CUT = "length"  # a good object with the finish_reason of a cap that is too low


def test_invalid_replies_of_an_earlier_run_are_asked_for_again_on_demand_and_no_others(tmp_path, judge_of, caplog):
    """Replies that a server's setting had cut were read from the journal for ever after it was mended."""
    ill = lambda _, body: CUT if "What is 3?" in str(body["messages"]) else None  # noqa: E731
    journal = tmp_path / "j"
    with FaultServer(ill) as server:
        judge = judge_of(server)
        verdicts = grading.grade(judge, items_of(12), journal, description="x")
        assert verdicts[3].evaluation is None and len(server.bodies) == 11 + 3 and "earlier" not in caplog.text
        server.faults = []
        assert grading.grade(judge, items_of(12), journal, description="x")[3].evaluation is None
        assert len(server.bodies) == 14 and "earlier run" in caplog.text
        judge.grading = GradingOptions(ask_invalid_again=True)
        mended = grading.grade(judge, items_of(12) + items_of(4), journal, description="x")
        assert all(one.evaluation for one in mended) and len(server.bodies) == 15
        judge.grading, again = GradingOptions(), grading.grade(judge, items_of(12), journal, description="x")
        assert [one.model_dump() for one in again] == [one.model_dump() for one in mended[:12]]
        assert len(server.bodies) == 15


def test_asking_again_can_be_cut_off_and_resumed(tmp_path, judge_of):
    """What the second run got is kept, whether or not it is invalid again."""
    with FaultServer(lambda *_: CUT) as server:
        judge = judge_of(server)
        judge.grading = GradingOptions(max_invalid=1)
        grading.grade(judge, items_of(4), tmp_path / "j", description="x")
        server.faults = lambda *_: None if len(server.bodies) <= 14 else "bad key"
        judge.grading = GradingOptions(max_invalid=1, ask_invalid_again=True)
        with pytest.raises(JudgeError):
            grading.grade(judge, items_of(4), tmp_path / "j", description="x", concurrency=1)
        before, server.faults = len(server.bodies), []
        verdicts = grading.grade(judge, items_of(4), tmp_path / "j", description="x")
        assert all(one.evaluation for one in verdicts) and len(server.bodies) - before == 4 - 2


def test_too_many_invalid_ones_of_an_earlier_run_say_how_to_go_on(tmp_path, judge_of):
    with FaultServer(lambda *_: CUT) as server:
        judge = judge_of(server)
        for _ in range(2):
            with pytest.raises(JudgeError, match="--max-invalid allows") as caught:
                grading.grade(judge, items_of(1), tmp_path / "j", description="x")
        assert len(server.bodies) == 3 and "--ask-invalid-again" in str(caught.value)


def test_replies_that_the_limit_cut_name_the_flag(tmp_path, judge_of, caplog):
    """`the reply was cut off or refused`, and no word of what helps, whether the run ended or not."""
    with FaultServer(lambda *_: "length") as server:
        judge = judge_of(server)
        with pytest.raises(JudgeError, match="raise --judge-max-tokens and add --ask-invalid-again"):
            grading.grade(judge, items_of(1), tmp_path / "j", description="x")
        judge.grading = GradingOptions(max_invalid=1)
        grading.grade(judge, items_of(2), tmp_path / "k", description="x")
    assert "invalid because their reply was cut off: 2" in caplog.text
    with FaultServer(lambda *_: "prose") as server, pytest.raises(JudgeError) as caught:
        grading.grade(judge_of(server), items_of(1), tmp_path / "l", description="x")
    assert "--judge-max-tokens" not in str(caught.value)


def test_the_same_server_with_a_slash_is_the_same_server(tmp_path, judge_of, monkeypatch):
    """All was paid for again; and what is in a journal under the other address is found."""
    with FaultServer() as server:
        for number, slash in enumerate(["", "/", "//"]):
            judge = judge_of(server)
            monkeypatch.setenv("OPENAI_BASE_URL", server.url + slash)
            judge = judges.make_judge(["openai", KEY, "judge-1"], TEMPLATE)
            assert judge.settings["server"] == server.url
            grading.grade(judge, items_of(3), tmp_path / "j", description="x")
            assert len(server.bodies) == 3, number
        judge.chat.settings["server"] = server.url + "/"  # as a run before this rule kept them
        grading.grade(judge, items_of(3), tmp_path / "old", description="x")
        judge.chat.settings["server"] = server.url
        grading.grade(judge, items_of(3), tmp_path / "old", description="x")
        assert len(server.bodies) == 6


def test_a_question_has_the_key_that_it_always_had(tmp_path, judge_of):
    """A journal of the version before would have been paid for again."""
    with FaultServer() as server:
        judge = judge_of(server)
    item = items_of(1)[0]
    settings = {"judge": "openai", "model": "judge-1", "server": server.url}
    options = {"temperature": 0.2, "seed": 0, "max_tokens": 300, "schema": Evaluation.model_json_schema()}
    with Journal(tmp_path / "j") as journal:
        key = question_key(judge.chat, judge.messages(item), 0, judge.options(item), journal)
    assert key == key_of(settings, judge.messages(item), 0, options)


@pytest.mark.parametrize("value", ['"text"', "null", '{"raw": "x"}', '{"text": null}', "[1]"])
def test_a_journal_of_another_version_is_named(tmp_path, judge_of, value):
    """A TypeError in the middle of a run."""
    with FaultServer() as server:
        grading.grade(judge_of(server), items_of(1), tmp_path / "j", description="x")
        key = json.loads((tmp_path / "j").read_text())["key"]
        (tmp_path / "j").write_text(f'{{"key": "{key}", "value": {value}}}\n')
        with pytest.raises(BadInput, match=f"{tmp_path / 'j'}"):
            grading.grade(judge_of(server), items_of(1), tmp_path / "j", description="x")


@pytest.mark.parametrize(
    "details", [None, 7, {"usage": None}, {"usage": "9 tokens"}, {"usage": {"prompt_tokens": "9"}}]
)
def test_more_and_fewer_fields_than_ours_are_no_matter(tmp_path, judge_of, details):
    """A traceback."""
    with FaultServer() as server:
        [first] = grading.grade(judge_of(server), items_of(1), tmp_path / "j", description="x")
        entry = json.loads((tmp_path / "j").read_text())
        entry["value"] = {"text": entry["value"]["text"], "cost": 3} | ({"details": details} if details else {})
        (tmp_path / "j").write_text(json.dumps(entry) + "\n")
        [later] = grading.grade(judge_of(server), items_of(1), tmp_path / "j", description="x")
    assert later.evaluation == first.evaluation and len(server.bodies) == 1


def test_no_docstring_of_ours_is_sent(tmp_path, judge_of):
    """pydantic puts the docstring of a record into its schema: the judge would read notes that are meant for us."""
    with FaultServer() as server:
        judge = judge_of(server)
        grading.grade(judge, items_of(1), tmp_path / "j", description="")
        (body,) = server.bodies
    sent = json.dumps(body)
    assert body["response_format"]["json_schema"]["schema"]["properties"].keys() == Evaluation.model_fields.keys()
    assert "description" not in sent and Evaluation.__doc__.split(".")[0] not in sent
