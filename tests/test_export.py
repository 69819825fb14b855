"""The export script from end to end on a tiny tutor: files, card, Ollama, Hub; what is wrong is said beforehand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models
from fake_model_hub import FakeModelHub
from fake_ollama import FakeOllama

import export
from utils import cli
from utils.artifacts import sha256
from utils.errors import BadInput, disk_error
from utils.export.card import origin
from utils.export.findings import evaluation, evaluation_rows
from utils.export.source import base_of, from_root
from utils.prompts import INFERENCE_PROMPT
from utils.seeds.read import DATASETS, DATASETS_DIR, find_seeds, read_seeds

pytestmark = tiny_models.needs_export_packages
ROOT = Path(__file__).resolve().parent.parent
NAME = "tiny-llama-socratic-mathdial"


def training_root(folder: Path) -> Path:
    """What the pipeline leaves of a tutor trained on mathdial, as far as an export reads it."""
    evaluated = {"temperature": 0.0, "max_new_tokens": 8, "top_k": 50, "inference_prompt": sha256(INFERENCE_PROMPT)}
    trained = {"inference_prompt": sha256(INFERENCE_PROMPT)}
    made = {
        "dpo/mathdial/train_dataset.json": {"num_candidates": 5, "instruct_model": {"model": "lab/tiny-llama"}},
        "dpo/mathdial/weights": trained,
        **{
            f"evaluation/{name}/{file}.json": evaluated
            for name in DATASETS for file in ("base", "from_finetuned_with_mathdial", "gpt4o")
        },
    }  # fmt: skip
    tiny_models.make("llama", folder / "dpo/mathdial/weights")
    (folder / "dpo/mathdial/train_dataset.json").write_text(json.dumps([{"id": "sample-1"}]))
    for name in DATASETS:
        seeds = read_seeds(find_seeds(DATASETS_DIR, name, "test"), 3)
        (folder / "evaluation" / name).mkdir(parents=True)
        for score, file in ((0.4, "base"), (0.9, "from_finetuned_with_mathdial"), (0.8, "gpt4o")):
            rows = [
                {"id": seed.id, "group": seed.group, "prompt": seed.text, "known_answer": seed.answer, "score": score}
                for seed in seeds
            ]
            (folder / "evaluation" / name / f"{file}.json").write_text(json.dumps(rows))
    names = {"judge": "a judge", "base": "tiny-llama", "self": "a judge"}
    artifacts = {name: {"state": "done", "inputs": inputs, "summary": {"pairs": 7}} for name, inputs in made.items()}
    manifest = {"names": names, "artifacts": artifacts, "seeds_audit": {"leaks": []}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return training_root(tmp_path_factory.mktemp("root"))


def main(**flags):
    words = ["--output-dir", "unused", "--weights", "unused"]
    values = vars(export.parse_args(words)) | {"weights": None, "training_root": None, "trained_on": "mathdial"}
    return export.main(**cli.with_actors(export.main, values | flags))


@pytest.fixture(scope="module")
def exported(root, tmp_path_factory):
    """(output folder, what was printed, the hub, the Ollama server) of the real command."""
    out = tmp_path_factory.mktemp("out")
    with FakeModelHub() as hub, FakeOllama() as ollama:
        command = [
            sys.executable, "-m", "export", "--training-root", root, "--tutor", "mathdial", "--output-dir", out,
            "--quantize", "f16", "q4_k_m", "--license", "mit", "--ollama-create", "socratic", "--ollama", ollama.host,
            "--push-to-hub", "me/tutor", "--private",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **hub.env}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        yield out, done.stdout, hub, ollama


def test_the_files_and_the_table(exported):
    from gguf import GGUFReader

    out, printed, *_ = exported
    f16, small = (out / f"{NAME}-{kind}.gguf" for kind in ("F16", "Q4_K_M"))
    tensors = GGUFReader(small).tensors
    bits = 8 * sum(tensor.n_bytes for tensor in tensors) / sum(tensor.n_elements for tensor in tensors)
    assert 5 < bits < 9  # rows of 64 weights cannot be Q4_K: the label says 4, the table what it is
    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")] for line in printed.splitlines()
             if line.startswith("| ")}  # fmt: skip
    assert cells["f16"][2:4] == [f"{f16.stat().st_size / 2**20:.0f}", "16.0"]
    assert cells["q4_k_m"][3] == f"{bits:.1f}"
    assert cells["f16"][4] == cells["q4_k_m"][4] == "20"  # 9 dialogues of the evaluation and 11 hard strings
    assert float(cells["f16"][5]) < 1e-3 < float(cells["q4_k_m"][5])
    assert "cannot be told apart" in printed and "would show with 3 problems" in printed
    assert not list(out.glob(".*.part")) and not list(out.glob("work/.*.part"))


def test_the_same_command_again_makes_nothing_anew(exported, root, capsys):
    before = {path: path.stat().st_mtime_ns for path in exported[0].glob("work/*")}
    main(
        training_root=root, output_dir=exported[0], quantize=["f16", "q4_k_m"],
        license="mit", push_to_hub=None,
    )  # fmt: skip
    assert capsys.readouterr().out.splitlines()[:4] == exported[1].splitlines()[:4]
    assert {path: path.stat().st_mtime_ns for path in exported[0].glob("work/*")} == before


def test_a_tutor_of_ones_own_dialogues_is_exported_too(root, tmp_path):
    """`--tutor` knew three names, and so did the card."""
    shutil.copytree(root, tmp_path / "root")
    for path in [*tmp_path.glob("root/evaluation/*/*mathdial.json"), *tmp_path.glob("root/*/mathdial")]:
        new = "physics" if path.parent.name == "evaluation" else "physics+optics"
        path.rename(path.with_name(path.name.replace("mathdial", new)))
    manifest = tmp_path / "root" / "manifest.json"
    text = manifest.read_text().replace("evaluation/mathdial", "evaluation/physics")
    manifest.write_text(text.replace("mathdial", "physics+optics"))
    (tmp_path / "root/dpo/physics+optics/train_dataset.json").write_text('[{"id": "mine-1"}]')
    given = {"seeds": None, "limit": None, "inference_prompt": INFERENCE_PROMPT, "max_new_tokens": None}
    source = from_root(tmp_path / "root", "physics+optics", **given, base=None, license=None)
    assert source.name == "tiny-llama-socratic-physics-optics" and len(source.judged) == 3
    assert "calls Physics + Optics; **their licence is not known here" in origin(source)
    assert "| Physics | 0.90" in evaluation(source, evaluation_rows(source))


def test_another_prompt_length_is_not_taken_for_the_same_export(exported, root):
    with pytest.raises(ValueError, match="was made with other inputs: max_new_tokens: 8 -> 9"):
        main(
            training_root=root, output_dir=exported[0], quantize=["f16"], max_new_tokens=9
        )  # fmt: skip


def test_ollama_gets_each_file_once_and_a_model_for_each_with_the_proven_template(exported):
    out, _, _, ollama = exported
    first = ollama.created
    assert [body["model"] for body in first] == ["socratic:f16", "socratic:q4_k_m", "socratic"]
    assert set(ollama.blobs.values()) == {path.stat().st_size for path in out.glob("*.gguf")}
    assert all(body["template"] == (out / "template").read_text() for body in first)
    assert first[0]["parameters"] == json.loads((out / "params").read_text())
    assert first[0]["parameters"]["num_predict"] == 8  # as evaluated
    assert "mit" in str(first[0]["license"])


def test_the_hub_gets_all_but_our_work(exported):
    out, _, hub, *_ = exported
    assert hub.created["visibility"] == "private" and hub.created["name"] == "tutor"
    wanted = {path.name for path in out.iterdir() if path.is_file() and path.name not in ("manifest.json", ".lock")}
    assert hub.files.keys() == wanted
    assert {"README.md", "Modelfile", "template", "params", f"{NAME}-Q4_K_M.gguf", "model.safetensors"} <= wanted
    assert hub.files[f"{NAME}-F16.gguf"] == (out / f"{NAME}-F16.gguf").read_bytes()


def test_the_pushed_folder_loads_by_the_original_snippet(exported, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for path, data in exported[2].files.items():
        (tmp_path / path).write_bytes(data)
    folder = str(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype="auto", device_map="auto", trust_remote_code=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], return_tensors="pt")["input_ids"]
    assert model.generate(ids, max_new_tokens=2).shape[1] > ids.shape[1]


def test_the_card_says_who_what_and_how_sure(exported):
    from huggingface_hub import ModelCard

    card = ModelCard(exported[2].files["README.md"].decode())
    assert card.data.base_model == "lab/tiny-llama" and card.data.license == "mit"
    results = {result.dataset_type: result for result in card.data.eval_results}
    assert results.keys() == set(DATASETS)
    assert results["mathdial"].metric_value == 0.9
    assert results["mathdial"].metric_args["difference_from_base"] == 0.5  # 0.9 - 0.4
    low, high = results["mathdial"].metric_args["ci95"]
    assert low < 0.9 < high
    said = (
        "7 preference pairs", "| f16", "| q4_k_m", "ollama run hf.co/me/tutor:Q4_K_M", "written for the project",
        "no test dialogue is known from training", "not tried with students",
    )  # fmt: skip
    assert [words for words in said if words not in card.content] == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"training_root": Path("nowhere")}, "no manifest.json"),
        (
            {"training_root": "ROOT", "trained_on": "debugging"},
            "no tutor was trained on debugging; there are: math",
        ),
        (
            {"training_root": "ROOT", "inference_prompt": "OTHER"},
            "not the inference prompt that this tutor was trained",
        ),
        ({"weights": "EMPTY"}, "no config.json"),
        ({"weights": "WEIGHTS", "output_dir": "WEIGHTS"}, "outside of the weights"),
        ({"training_root": "ROOT", "push_to_hub": "me/tutor"}, "--license"),
        ({"training_root": "ROOT", "license": "mit", "push_to_hub": "no such name!"}, "--push-to-hub"),
        ({"training_root": "ROOT", "license": "mit", "ollama_create": "a:b"}, "without a tag"),
        (
            {"training_root": "ROOT", "license": "mit", "ollama_create": "a", "ollama": "127.0.0.1:9"},
            "no Ollama server",
        ),
    ],
)
def test_what_is_wrong_is_said_before_work_begins(flags, message, root, tmp_path):
    (tmp_path / "other.txt").write_text("Otherwise: {input}")
    (tmp_path / "empty").mkdir()
    places = {"ROOT": root, "OTHER": tmp_path / "other.txt", "EMPTY": tmp_path / "empty"}
    places["WEIGHTS"] = root / "dpo/mathdial/weights"
    flags = {name: places.get(value, value) for name, value in flags.items()}
    with pytest.raises(BadInput, match=message):
        main(**{"output_dir": tmp_path / "out"} | flags)
    assert not (tmp_path / "out").exists()


def test_a_hub_that_does_not_know_the_token_is_said_before_work_begins(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_standin")
    with FakeModelHub(knows_the_token=False) as hub, pytest.raises(BadInput, match="the Hub does not let you in"):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        main(
            training_root=root, output_dir=tmp_path / "out", license="mit",
            push_to_hub="me/tutor",
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_too_small_is_said_before_work_begins(root, tmp_path, monkeypatch):
    from collections import namedtuple

    monkeypatch.setattr("shutil.disk_usage", lambda _: namedtuple("usage", "total used free")(0, 0, 1000))
    with pytest.raises(OSError, match=r"the files need \d+ MB of disk, 0 MB are free") as error:
        main(training_root=root, output_dir=tmp_path / "out")
    assert disk_error(error.value)  # which ends with the command that resumes the run


def test_a_spoilt_tokenizer_leaves_no_file_under_a_final_name(root, tmp_path):
    """A tokenizer that writes × as x: the converter does not see it, the prompts of the evaluation do."""
    shutil.copytree(root, tmp_path / "root")
    path = tmp_path / "root/dpo/mathdial/weights/tokenizer.json"
    tokens = json.loads(path.read_text())
    tokens["normalizer"] = {"type": "Replace", "pattern": {"String": "×"}, "content": "x"}
    path.write_text(json.dumps(tokens))
    out = tmp_path / "out"
    with pytest.raises(BadInput, match=r"not exported: .* Token \d+ is \d+ '.+' in transformers and \d+ '.+' in"):
        main(training_root=tmp_path / "root", output_dir=out, quantize=["f16"])
    assert not list(out.glob("*.gguf")) and not (out / "README.md").exists()


def test_without_the_quantiser_the_way_out_is_said(monkeypatch):
    from utils.export import gguf

    monkeypatch.setattr(gguf, "find_spec", lambda package: None if package == "cyllama" else object())
    gguf.check_packages(["f16", "q8_0"])
    with pytest.raises(BadInput, match="ollama create NAME -q q4_K_M"):
        gguf.check_packages(["f16", "q4_k_m"])


def test_the_base_is_the_model_at_the_beginning_not_the_weights_of_a_warm_start():
    """The files were called after the folder `weights`, and the card named neither the base model nor its licence."""
    smollm2 = {"model": "SmolLM2-135M-Instruct", "sha256": "a"}
    warm = {"model": "weights", "sha256": "b"}
    done = {
        "warm_start/weights": {"sha256": "b", "inputs": {"training": {"model": smollm2}}},
        "dpo/mathdial/round_1/weights": {"sha256": "c", "inputs": {"training": {"model": warm}}},
    }
    assert base_of(done, {"model": "weights", "sha256": "c"}) == base_of(done, smollm2) == "SmolLM2-135M-Instruct"
    assert base_of({}, {"engine": "server", "model": "org/served"}) == "org/served" and base_of({}, {}) is None
