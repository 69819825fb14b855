"""A model that the Hugging Face Hub does not give: one line with flag, name and what helps, from every script."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import in_process
import pytest

from utils.errors import BadInput
from utils.hub import find_on_hub

ROOT = Path(__file__).resolve().parent.parent
SEEDS = str(ROOT / "datasets" / "mathdial_test.jsonl")
ANSWERS = {  # as the Hub answers: the status and its own code
    "me/private": (401, "RepoNotFound", "has no such model, or it is private .then set HF_TOKEN."),
    "me/gated": (403, "GatedRepo", "its licence must be accepted at https://huggingface.co/me/gated first"),
    "me/gguf-only": (404, "EntryNotFound", "has it, but without a file that transformers needs, such as config.json"),
}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        status, code, _ = ANSWERS["/".join(self.path.split("/")[1:3])]
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("model", [*ANSWERS, "not a name/x"])
def test_why_the_hub_gives_no_model_is_one_line(model, hub, monkeypatch):
    """It was up to eight lines of the library's own."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", hub + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("sys.argv", ["train", f"--instruct-model={model}"])
    said = ANSWERS[model][2] if model in ANSWERS else "neither a folder that is here nor a name on the Hugging Face Hub"
    with pytest.raises(BadInput, match=f"^--instruct-model {model}: .*{said}") as error:
        find_on_hub(model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "command",
    [
        f"gen_train_dataset --seeds {SEEDS} --output-path OUT/x.json --instruct-model",
        "train --train-dataset PAIRS --output-dir OUT --instruct-model",
        f"warm_start --seeds {SEEDS} --output-dir OUT --instruct-model",
        f"eval_model --seeds {SEEDS} --output-path OUT/x.json --model-path",
        f"self_eval --seeds {SEEDS} --output-path OUT/x.json --instruct-model",
        "pipeline --output-dir OUT --instruct-model",
        "pipeline --output-dir OUT --dry-run --also-evaluate",
        "classroom --output-dir OUT --num-problems 1 --tutor",
        "chat --terminal --model",
    ],
    ids=lambda command: command.split()[0],
)
def test_every_script_that_loads_a_model_names_its_flag(command, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pairs = tmp_path / "pairs.json"
    pairs.write_text('[{"prompt": "Why?", "chosen": "a", "rejected": "b", "eligible": true}]')
    script, *words = command.replace("OUT", str(tmp_path / "out")).replace("PAIRS", str(pairs)).split()
    done = in_process.run(script, *words, "me/nowhere")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert last.startswith(f"error: {words[-1]} me/nowhere: no such folder is here")
    assert "hf download me/nowhere" in last
