"""Keys are read from where they are kept, and appear nowhere else."""

import subprocess
import sys
from pathlib import Path

import in_process
import pytest

import eval_model
import pipeline
from utils import flags
from utils.clients import keys
from utils.clients.chat import JudgeError
from utils.clients.ollama_chat import OllamaChat
from utils.clients.openai_chat import OPENAI, OpenAIChat
from utils.errors import BadInput

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch):
    monkeypatch.setattr(keys, "SECRETS", set())


def test_forms(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("sk-from-a-file\n")
    monkeypatch.setenv("SOME_KEY", "sk-from-env ")
    assert keys.read_key(f"file:{tmp_path / 'key'}") == "sk-from-a-file"
    assert keys.read_key("env:SOME_KEY") == "sk-from-env"
    assert keys.read_key("sk-literal-key") == "sk-literal-key"
    assert keys.redact("with sk-from-a-file and sk-literal-key") == "with <key> and <key>"


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(ValueError, match="NO_KEY"):
        keys.read_key("env:NO_KEY")
    with pytest.raises(FileNotFoundError):
        keys.read_key(f"file:{tmp_path / 'none'}")
    with pytest.raises(ValueError, match="empty"):
        keys.read_key("")


@pytest.mark.parametrize("data", ["sk-from-a-file".encode("utf-16"), bytes(range(128, 256))])
def test_a_key_file_that_is_no_text_is_named(tmp_path, data):
    """What PowerShell's `>` writes was a traceback."""
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(BadInput, match="key is not a text in UTF-8"):
        keys.read_key(f"file:{tmp_path / 'key'}")


@pytest.mark.parametrize("bad", ["sk-two\nlines-of-it", "sk-käse-12345", "sk with spaces"])
def test_a_broken_key_is_refused_without_showing_it(bad):
    """httpx puts a header that it cannot send, key and all, into its error."""
    with pytest.raises(ValueError) as caught:
        keys.read_key(bad)
    assert bad not in str(caught.value)


def test_placeholders_for_servers_without_keys_are_no_secrets():
    """Redacting the key `x` would take every x out of every reply."""
    assert keys.read_key("x") == "x" and keys.redact("text with x") == "text with x"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="argument lists can be wiped on Linux only")
def test_a_literal_key_is_wiped_from_the_argument_list_and_the_command():
    code = (
        "import sys; from pathlib import Path; from utils.clients import keys; keys.read_key(sys.argv[2]);"
        "print(Path('/proc/self/cmdline').read_bytes()); print(keys.command_line())"
    )
    command = [sys.executable, "-c", code, "openai", "sk-0123456789", "gpt-4o", "sk-0123456789"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "sk-0123456789" not in done.stdout + done.stderr
    assert "gpt-4o" in done.stdout.splitlines()[0] and "'<key>' gpt-4o '<key>'" in done.stdout
    assert done.stderr.count("better `env:NAME`") == 1


@pytest.mark.parametrize(
    "address", ["ftp://h", "http://u:p@h", "u:p@h:80", "http://h/?key=1", "http://h:port", "file:///x"]
)
def test_addresses_that_are_refused(address):
    with pytest.raises(ValueError, match="flag"):
        keys.checked_address(address, "flag")


@pytest.mark.parametrize("address", ["", "host", ":11434", "host:80", "http://host", "https://host:1/v1", "[::1]:80"])
def test_addresses_that_are_taken(address):
    assert keys.checked_address(address, "flag") == address


def test_an_error_names_the_flag_that_the_key_is_of(monkeypatch):
    """A bad TUTOR_API_KEY was blamed on --judge-llm."""
    monkeypatch.setenv("TUTOR_API_KEY", "two words")
    with pytest.raises(ValueError, match=r"^--server: the environment variable TUTOR_API_KEY holds spaces"):
        OpenAIChat("env:TUTOR_API_KEY", "m", address="http://127.0.0.1:9/v1").check()


def test_a_key_that_is_not_there_is_missed_when_something_is_asked(monkeypatch, tmp_path):
    """`--dry-run` asks nothing, and ended with exit code 2 where the key was not set."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    judge = ["--judge-llm", "openai", "env:OPENAI_API_KEY", "gpt-4o", "--limit", "1"]
    dry = in_process.run("pipeline", "--output-dir", tmp_path / "x", "--dry-run", *judge)
    assert dry.returncode == 0 and "gpt-4o" in dry.stdout, dry.stderr
    done = in_process.run("pipeline", "--output-dir", tmp_path / "x", *judge)
    assert done.returncode == 2 and "OPENAI_API_KEY is empty or not set" in done.stderr
    with pytest.raises(BadInput, match="not set"):
        OpenAIChat("env:OPENAI_API_KEY", "m").complete([], temperature=0, seed=0, max_tokens=1)


def test_a_device_that_is_none_is_a_usage_error(capsys):
    """`--device gpu` was a traceback of torch's."""
    with pytest.raises(SystemExit, match="2"):
        eval_model.parse_args(["--seeds", "s", "--output-path", "o", "--device", "gpu"])
    assert "gpu is not auto, cpu, mps, cuda or cuda:N" in capsys.readouterr().err
    assert flags.device("cuda:1") == "cuda:1"


@pytest.mark.parametrize("seed", ["-1", str(2**32), "9" * 30, "1.5"])
def test_a_seed_that_no_library_takes_is_a_usage_error(capsys, seed):
    """Sampling went through, and the training after it was a traceback of numpy's."""
    with pytest.raises(SystemExit, match="2"):
        eval_model.parse_args(["--seeds", "s", "--output-path", "o", "--seed", seed])
    with pytest.raises(SystemExit, match="2"):
        pipeline.parse_args(["--training-seeds", "0", seed])
    assert "seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address", ["'http://h/v1'", '"http://h/v1"', "http://h/v1\nhttp://g", "http://a b/v1", "http://", "http:///",
                "http://h/v1?", "http://h/#", "http://h:99999/v1", "h\u200bost", "<http://h>", "http://${HOST}/v1",
                "$H", "http:///v1", "http:/h/v1", "//h/v1"],
)  # fmt: skip
def test_addresses_with_what_a_shell_or_a_file_left_in_them(address):
    """Tracebacks of the HTTP library, or `nobody answers` after half a minute."""
    with pytest.raises(ValueError, match="flag"):
        keys.checked_address(address, "flag")


def test_outer_blanks_are_no_matter(monkeypatch):
    """`export OPENAI_BASE_URL=$(cat file)`, with a file that was written elsewhere."""
    monkeypatch.setenv("OPENAI_BASE_URL", " http://127.0.0.1:9/v1/\r\n")
    assert OpenAIChat("none", "m").settings["server"] == "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "  ")
    assert OpenAIChat("none", "m").settings["server"] == OPENAI


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "foo://h", "http://[h", "http://u:secret-word@h:port"])
@pytest.mark.parametrize("make", [lambda: OpenAIChat("none", "m"), lambda: OllamaChat("", "m")])
def test_a_proxy_that_cannot_be_used_is_said(monkeypatch, proxy, make):
    """A traceback: `Using SOCKS proxy, but the 'socksio' package is not installed`."""
    for name in ("ALL_PROXY", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    try:
        make()
    except BadInput as error:
        assert "proxy" in str(error) and "secret-word" not in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("proxy", ["http://u:secret-word@127.0.0.1:99999", "127.0.0.1:99999"])
@pytest.mark.parametrize("make", [lambda: OpenAIChat("none", "m"), lambda: OllamaChat("", "m")])
def test_a_proxys_port_that_there_is_not_is_said(monkeypatch, proxy, make):
    """A traceback of the first call's."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(BadInput, match=r"HTTP_PROXY.*Port out of range") as caught:
        make()
    assert "secret-word" not in str(caught.value)


def test_a_certificate_file_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/cert.pem")
    with pytest.raises(BadInput, match="SSL_CERT_FILE"):
        OllamaChat("", "m")


def test_the_command_that_resumes_can_be_pasted(monkeypatch):
    """A blank in a name would make two words of it, a dollar sign another name."""
    words = [sys.executable, "-m", "eval_model", "--seeds", "my seeds.jsonl", "--output-path", "it's $HOME/a;b.json"]
    monkeypatch.setattr(sys, "orig_argv", words)
    pasted = subprocess.run(["sh", "-c", f"printf '%s\\n' {keys.command_line()}"], capture_output=True, text=True)
    assert pasted.stdout.splitlines() == words


def test_a_dead_proxy_is_named_and_its_password_is_not(monkeypatch):
    """`nobody answers` blamed a server that was well."""
    monkeypatch.setattr("utils.clients.openai_chat.CHECK_BUDGET", 0.1)
    monkeypatch.setenv("http_proxy", "http://user:secret-word@127.0.0.1:9")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.1/v1")
    with pytest.raises(JudgeError, match=r"HTTP_PROXY sends the call to a proxy, which NO_PROXY=10.0.0.1") as said:
        OpenAIChat("none", "judge-1").check()
    assert "secret-word" not in str(said.value)


@pytest.mark.parametrize("name, value", [("OPENAI_ORG_ID", "org\nx"), ("OPENAI_PROJECT_ID", "ü")])
def test_an_account_that_fits_into_no_header_is_named(monkeypatch, name, value):
    """`the body is not JSON`, for a minute, and nothing was sent."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        OpenAIChat("none", "judge-1")
