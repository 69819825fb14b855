"""The script itself, run as people run it, against a local server that stands in for the hub and for GitHub."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fetch_datasets
from tests.fake_hub import FakeHub, git_sha
from tests.raw_files import write_raw
from utils.manifest import only_run
from utils.seeds.read import DATASETS, read_seeds
from utils.sources.download import SOURCES

ROOT = Path(__file__).resolve().parents[1]


def run(*flags: object, **env: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "GITHUB_"))}
    return subprocess.run(
        [sys.executable, "-m", "fetch_datasets", *map(str, flags)],
        cwd=ROOT, env={**kept, **env}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def last_line(result: subprocess.CompletedProcess) -> str:
    return result.stderr.strip().split("\n")[-1]


@pytest.fixture
def hub(tmp_path):
    """The hub with all three sources, from the hand-written raw files; its repositories have other files too."""
    raw = write_raw(tmp_path / "raw")
    hub = FakeHub()
    hub.files = {source.repo: {"README.md": b"not wanted"} for source in SOURCES.values()}
    for split in ("train", "test"):
        hub.files[SOURCES["mathdial"].repo][f"{split}.jsonl"] = (raw / f"mathdial/{split}.jsonl").read_bytes()
    chats = (raw / "tutorchat/validation-00000-of-00001.parquet").read_bytes()
    hub.files[SOURCES["tutorchat"].repo]["data/validation-00000-of-00001-abc.parquet"] = chats
    hub.large = {"data/validation-00000-of-00001-abc.parquet"}
    for path in (raw / "debugging").glob("*/*.txt"):
        where = f"socratic_debugging_benchmark/v2_sigcse/{path.parent.name}/{path.name}"
        hub.files[SOURCES["debugging"].repo][where] = path.read_bytes()
    with hub.serve():
        yield hub


def fetch(hub: FakeHub, tmp_path: Path, *flags: object, **env: str) -> subprocess.CompletedProcess:
    return run("--output-dir", tmp_path / "out", *flags, HF_HOME=str(tmp_path / "home"), **hub.env, **env)


def test_fetch_writes_seeds_sources_licences_and_audit(hub, tmp_path):
    result = fetch(hub, tmp_path)
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    for name in DATASETS:
        train, test = (read_seeds(out / f"{name}_{split}.jsonl") for split in ("train", "test"))
        assert (len(train), len(test)) == (9, 3)  # 12 dialogues, a quarter of them for the test
        assert not {seed.group for seed in train} & {seed.group for seed in test}
    sources = json.loads((out / "sources.json").read_text())
    assert {file["revision"] for file in sources["files"]} == {
        SOURCES["mathdial"].revision, SOURCES["tutorchat"].revision, SOURCES["debugging"].revision
    }  # fmt: skip
    assert len(sources["files"]) == 2 + 1 + 12 and all(len(file["sha256"]) == 64 for file in sources["files"])
    assert sources["datasets"]["tutorchat"]["left_out"]["mode singleturn, no dialogue turn by turn"]["count"] == 1
    licences = (out / "LICENSES.md").read_text()  # holds the texts that it asks to pass on
    assert "by-sa/4.0/legalcode" in licences and "Permission is hereby granted, free of charge" in licences
    assert json.loads((out / "audit.json").read_text())["leaks"] == [] and "leaks: none" in result.stdout
    assert "README.md" not in hub.times_asked()


def test_second_fetch_asks_for_no_file_again_and_gives_the_same(hub, tmp_path):
    assert fetch(hub, tmp_path).returncode == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")}
    hub.asked.clear()
    assert fetch(hub, tmp_path).returncode == 0
    assert not hub.times_asked()
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")} == first
    assert fetch(hub, tmp_path, "--seed", 1).returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")} != first


def test_what_the_hub_cache_holds_is_not_fetched(hub, tmp_path):
    source, env = SOURCES["mathdial"], {**os.environ, **hub.env, "HF_HOME": str(tmp_path / "home")}
    code = "import sys; from huggingface_hub import hf_hub_download as get; get(*sys.argv[1:3], repo_type='dataset', "
    code += "revision=sys.argv[3])"
    subprocess.run([sys.executable, "-c", code, source.repo, "train.jsonl", source.revision], env=env, check=True)
    hub.asked.clear()
    assert fetch(hub, tmp_path).returncode == 0
    assert not hub.gets("train.jsonl") and hub.gets("test.jsonl") == [None]


def test_the_token_goes_to_the_hub_alone(hub, tmp_path):
    assert fetch(hub, tmp_path, HF_TOKEN="hf_secret", GITHUB_TOKEN="gh_secret").returncode == 0
    seen = {(path.split("/")[0], token) for path, token in hub.tokens}
    assert seen - {("api", None)} == {  # the library asks its hub for something of its own, too
        ("api", "Bearer hf_secret"), ("datasets", "Bearer hf_secret"), ("repos", "Bearer gh_secret"), ("raw", None)
    }  # fmt: skip
    assert "secret" not in (tmp_path / "out/sources.json").read_text()


def test_a_download_that_breaks_off_goes_on_where_it_was(hub, tmp_path):
    raw = write_raw(tmp_path / "padded", padding=25_000_000)
    hub.files[SOURCES["mathdial"].repo]["train.jsonl"] = (raw / "mathdial/train.jsonl").read_bytes()
    hub.faults["train.jsonl"] = ["break"]
    script = next(
        path
        for path in hub.files[SOURCES["debugging"].repo]
        if path.endswith("0_40_count_up_conversational_thread_1.txt")
    )
    hub.faults[script] = ["break"]
    result = fetch(hub, tmp_path)
    assert result.returncode == 0, result.stderr
    assert hub.gets("train.jsonl") == [None, "bytes=10485760-"]  # the client writes 10 MiB at a time
    assert len(hub.gets(script)) == 2


def test_a_run_that_gave_up_is_taken_up_by_the_next(hub, tmp_path):
    raw = write_raw(tmp_path / "padded", padding=25_000_000)
    hub.files[SOURCES["mathdial"].repo]["train.jsonl"] = (raw / "mathdial/train.jsonl").read_bytes()
    hub.faults["train.jsonl"] = ["break"] * 7
    result = fetch(hub, tmp_path)
    assert result.returncode == 2 and "could not be fetched" in last_line(result)
    hub.faults.clear()
    hub.asked.clear()
    assert fetch(hub, tmp_path).returncode == 0
    assert hub.gets("train.jsonl") == ["bytes=10485760-"]


def test_a_slow_server_is_waited_for_and_a_stalled_one_asked_again(hub, tmp_path):
    hub.faults["train.jsonl"], hub.faults["test.jsonl"] = ["drip"], ["stall"]
    began = time.monotonic()
    result = fetch(hub, tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert result.returncode == 0, result.stderr
    assert len(hub.gets("train.jsonl")) == 1 and len(hub.gets("test.jsonl")) == 2
    assert time.monotonic() - began < hub.stall_s


def test_a_login_page_is_said_to_be_one_and_leaves_nothing_behind(hub, tmp_path):
    """It left a part longer than the file, and every later run failed with status 416."""
    hub.faults["train.jsonl"] = ["page"]
    result = fetch(hub, tmp_path)
    assert result.returncode == 2 and "train.jsonl: a web page came instead of the file" in last_line(result)
    assert not list((tmp_path / "out").rglob("*.part"))
    data = hub.files[SOURCES["mathdial"].repo]["train.jsonl"]
    part = tmp_path / f"out/raw/mathdial/train.jsonl.{git_sha(data)[:8]}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(b"x" * (len(data) + 1))
    assert fetch(hub, tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("fault", "flags", "message"),
    [
        ("page", [], "/api/datasets/eth-nlped/mathdial: a web page came instead of a list of files"),
        ("page", ["--paper"], "/commits/b0d4ba3c: a web page came instead of a list of files"),
        ("limit", ["--paper"], "set GITHUB_TOKEN"),
    ],
)
def test_a_listing_that_is_none_is_named(hub, tmp_path, fault, flags, message):
    hub.faults["listing"] = [fault]
    result = fetch(hub, tmp_path, *flags)
    assert result.returncode == 2 and message in last_line(result) and hub.url in last_line(result)


def test_a_server_that_is_busy_is_asked_again(hub, tmp_path):
    """Each kind of request: both listings, and a file of each host."""
    script = sorted(hub.files[SOURCES["debugging"].repo])[1]
    hub.faults = {"listing": ["503", "429"], "train.jsonl": ["500", "429"], script: ["504"]}
    result = fetch(hub, tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(hub.gets("train.jsonl")) == 3 and len(hub.gets(script)) == 2 and not hub.faults["listing"]
    hub.files[SOURCES["paper"].repo] = {"LICENSE": b"MIT", "templates/inference.txt": b"{input}"}
    hub.files[SOURCES["paper"].repo]["datasets/mathdial_test.json"] = b'["Student: 1"]'
    hub.faults["listing"] = ["502", "429"]
    flags = ("--output-dir", tmp_path / "paper", "--paper")
    slashed = {name: f"{address}/" for name, address in hub.env.items()}  # a slash at the end of each base address
    assert run(*flags, HF_HOME=str(tmp_path / "home"), **slashed).returncode == 0


def test_without_a_network_what_is_there_is_enough(hub, tmp_path):
    assert fetch(hub, tmp_path).returncode == 0
    seeds = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")}
    asked = len(hub.tokens)
    assert fetch(hub, tmp_path, HF_HUB_OFFLINE="1").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")} == seeds
    assert len(hub.tokens) == asked  # not even for the listings
    (tmp_path / "out/raw/mathdial/test.jsonl").write_text("{}")
    result = fetch(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert result.returncode == 2 and "eth-nlped/mathdial" in last_line(result) and "Traceback" not in result.stderr


@pytest.mark.parametrize("where", ["train.jsonl", "data/validation-00000-of-00001-abc.parquet", "debugging"])
def test_wrong_checksum_is_an_error_and_the_file_is_fetched_anew(hub, tmp_path, where):
    path = where if where != "debugging" else sorted(hub.files[SOURCES["debugging"].repo])[1]
    hub.faults[path] = ["tamper"]
    result = fetch(hub, tmp_path)
    assert result.returncode == 2 and "wrong checksum" in last_line(result) and path in last_line(result)
    assert not list((tmp_path / "out").glob("*.jsonl"))
    assert fetch(hub, tmp_path).returncode == 0 and len(hub.gets(path)) == 2


def test_what_is_not_there_is_named(hub, tmp_path):
    del hub.files[SOURCES["mathdial"].repo]["test.jsonl"]
    result = fetch(hub, tmp_path)
    assert result.returncode == 2 and "nothing there for test.jsonl" in last_line(result)
    del hub.files[SOURCES["mathdial"].repo]
    result = fetch(hub, tmp_path)
    assert result.returncode == 2 and "eth-nlped/mathdial" in last_line(result) and "404" in last_line(result)


def test_no_connection_is_one_line(hub, tmp_path):
    result = fetch(hub, tmp_path, "--paper", HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="")
    assert result.returncode == 2 and "could not be fetched" in last_line(result)
    assert "Traceback" not in result.stderr


def test_tutorchat_train_files_come_by_flag(hub, tmp_path):
    files = hub.files[SOURCES["tutorchat"].repo]
    chats = files["data/validation-00000-of-00001-abc.parquet"]
    files |= {f"data/train-0000{i}-of-00005-{i}.parquet": chats for i in range(5)}
    assert fetch(hub, tmp_path, "--tutorchat-train").returncode == 0
    left_out = json.loads((tmp_path / "out/sources.json").read_text())["datasets"]["tutorchat"]["left_out"]
    assert left_out["the same dialogue again"]["count"] == 5 * 12


def test_paper_seeds_are_fetched_unchanged(hub, tmp_path):
    files = hub.files[SOURCES["paper"].repo] = {
        "LICENSE": b"MIT",
        "src/train.py": b"no",
        "templates/inference.txt": b"{input}",
    }
    for name in DATASETS:
        files[f"datasets/{name}_train.json"] = json.dumps([f"Student: {name} 1", f"Student: {name} 2"]).encode()
        files[f"datasets/{name}_test.json"] = json.dumps([f"Student: {name} 1"]).encode()
    result = fetch(hub, tmp_path, "--paper")
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    assert (out / "mathdial_test.json").read_bytes() == files["datasets/mathdial_test.json"]
    assert (out / "prompts/inference.txt").read_text() == "{input}" and (out / "LICENSE").read_text() == "MIT"
    assert "src/train.py" not in hub.times_asked()
    assert "mathdial: 1 of 1 test rows stand in train word for word" in result.stdout
    assert fetch(hub, tmp_path, "--paper", "--strict").returncode == 1


def test_from_needs_no_network(tmp_path, capsys):
    raw = write_raw(tmp_path / "raw")
    flags = ["--output-dir", str(tmp_path / "out"), "--from", str(raw), "--train-size", "4", "--test-size", "2"]
    fetch_datasets.main(**vars(fetch_datasets.parse_args(flags)))
    for name in DATASETS:
        assert len(read_seeds(tmp_path / f"out/{name}_train.jsonl")) == 4
        assert len(read_seeds(tmp_path / f"out/{name}_test.jsonl")) == 2
    assert "6 more than asked for" in capsys.readouterr().out


def test_seeds_that_are_not_made_again_stay(tmp_path, capsys):
    """They were deleted, with exit code 0, when the raw files of a source were not found."""
    raw, out = write_raw(tmp_path / "raw"), tmp_path / "out"
    flags = ["--output-dir", str(out), "--from", str(raw)]
    fetch_datasets.main(**vars(fetch_datasets.parse_args(flags)))
    before = {path.name: path.read_bytes() for path in out.glob("*.jsonl")}
    for path in (raw / "tutorchat").iterdir():
        path.unlink()
    fetch_datasets.main(**vars(fetch_datasets.parse_args([*flags, "--seed", "1"])))
    after = {path.name: path.read_bytes() for path in out.glob("*.jsonl")}
    assert {name for name in before if before[name] == after[name]} == {"tutorchat_train.jsonl", "tutorchat_test.jsonl"}
    assert "tutorchat_test.jsonl, tutorchat_train.jsonl of an earlier run stay" in capsys.readouterr().out
    sources = json.loads((out / "sources.json").read_text())
    assert sources["datasets"].keys() == set(DATASETS) and sources["seeds"] == sorted(before)
    assert {file["dataset"] for file in sources["files"]} == set(DATASETS)


def test_what_fetch_wrote_can_be_converted_again(hub, tmp_path, capsys):
    """TutorChat's file lies one folder deeper there."""
    assert fetch(hub, tmp_path).returncode == 0
    out = tmp_path / "out"
    fetched = json.loads((out / "sources.json").read_text())
    seeds = {path.name: path.read_bytes() for path in out.glob("*.jsonl")}
    fetch_datasets.main(**vars(fetch_datasets.parse_args(["--output-dir", str(out), "--from", str(out / "raw")])))
    assert "no raw files" not in capsys.readouterr().out  # what an earlier run has left would look the same
    assert {path.name: path.read_bytes() for path in out.glob("*.jsonl")} == seeds and len(seeds) == 6
    again = json.loads((out / "sources.json").read_text())
    checksums = [{file["local"]: file["sha256"] for file in record["files"]} for record in (fetched, again)]
    assert checksums[0] == checksums[1] and len(checksums[0]) == 2 + 1 + 12


def test_a_stop_between_two_files_leaves_no_problem_in_both_splits(tmp_path, monkeypatch):
    """The new training file beside the old test file had 42 groups in common."""
    raw, out = write_raw(tmp_path / "raw"), tmp_path / "out"
    flags = ["--output-dir", str(out), "--from", str(raw)]
    fetch_datasets.main(**vars(fetch_datasets.parse_args(flags)))
    replace = Path.replace
    for stop in range(1, 8):
        left = [stop]

        def replace_some(path, target, left=left):
            left[0] -= Path(target).suffix == ".jsonl" and Path(path).suffix == ".new"
            if left[0] == 0:
                raise KeyboardInterrupt
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", replace_some)
        with contextlib.suppress(KeyboardInterrupt):
            fetch_datasets.main(**vars(fetch_datasets.parse_args([*flags, "--seed", str(stop)])))
        monkeypatch.undo()
        for name in DATASETS:
            paths = [out / f"{name}_{split}.jsonl" for split in ("train", "test")]
            if all(path.is_file() for path in paths):
                train, test = ({seed.group for seed in read_seeds(path)} for path in paths)
                assert not train & test, (stop, name)
    fetch_datasets.main(**vars(fetch_datasets.parse_args(flags)))
    assert len(list(out.glob("*.jsonl"))) == 6 and not list(out.glob(".*.new"))


def test_only_one_fetch_at_a_time_writes_to_a_folder(tmp_path):
    with only_run(tmp_path / "out"):
        result = run("--output-dir", tmp_path / "out", "--from", write_raw(tmp_path / "raw"))
    assert result.returncode == 2 and "in use by another run" in last_line(result)


def test_long_dialogues_are_left_out_and_counted(tmp_path):
    raw = write_raw(tmp_path / "raw")
    flags = ["--output-dir", str(tmp_path / "out"), "--from", str(raw), "--max-tokens", "60"]
    fetch_datasets.main(**vars(fetch_datasets.parse_args(flags)))
    found = json.loads((tmp_path / "out/sources.json").read_text())["datasets"]
    for name, counts in found.items():
        out = counts["left_out"].get("a prompt of more than 60 tokens", {"count": 0})["count"]
        assert counts["train"] + counts["test"] + out == 12, name
    assert found["debugging"]["train"] == 0 and not (tmp_path / "out/debugging_train.jsonl").exists()


def test_strict_audit_exits_1_on_a_leak_and_0_on_none(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"mathdial_{split}.json").write_text('["Student: Is it 5?"]')
    result = run("--audit", tmp_path, "--strict")
    assert result.returncode == 1 and "word for word" in result.stdout
    assert run("--audit", tmp_path).returncode == 0 and not (tmp_path / "audit.json").exists()
    (tmp_path / "mathdial_test.json").write_text('["Student: Is it 6, or what else may it be?"]')
    assert run("--audit", tmp_path, "--strict", "--output-dir", tmp_path / "report").returncode == 0
    assert json.loads((tmp_path / "report/audit.json").read_text())["leaks"] == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--output-dir is missing"),
        (["--output-dir", "{tmp}/out", "--from", "{tmp}"], "no raw files in it"),
        (["--audit", "{tmp}"], "no seeds found"),
        (["--output-dir", "{tmp}/mine", "--from", "{tmp}"], "seeds of another origin"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, flags, message):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/mathdial_test.jsonl").write_text("{}")
    result = run(*(flag.format(tmp=tmp_path) for flag in flags))
    assert result.returncode == 2 and message in last_line(result)
    assert (tmp_path / "mine/mathdial_test.jsonl").read_text() == "{}"


def test_tokens_can_be_those_of_a_model(tmp_path):
    from transformers import ByT5Tokenizer, T5Config

    ByT5Tokenizer().save_pretrained(tmp_path / "bytes")  # a token per byte
    T5Config().save_pretrained(tmp_path / "bytes")
    text = "Student: Is it 5 €?"
    (tmp_path / "mathdial_test.json").write_text(json.dumps([text]))
    flags = ["--audit", str(tmp_path), "--tokenizer", str(tmp_path / "bytes"), "--output-dir", str(tmp_path / "report")]
    fetch_datasets.main(**vars(fetch_datasets.parse_args(flags)))
    split = json.loads((tmp_path / "report/audit.json").read_text())["datasets"]["mathdial"]["splits"]["test"]
    assert split["tokens"]["max"] == len(text.encode())
