"""Make GGUF files of Hugging Face weights with llama.cpp's own converter and quantiser.

Both run in child processes. The converter's package brings its own version of `gguf`, which would overwrite the one
that transformers needs. So it is installed separately (requirements-converter.txt), on the path of the child only.
"""

import contextlib
import functools
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

from utils.artifacts import read_json, whole, write_json
from utils.errors import BadInput
from utils.export.llama_cpp import last_words, redirect

CONVERTER = Path(sys.prefix) / "llama.cpp"
CONVERTED = ("f16", "q8_0")  # written by the converter itself; its q8_0 equals the quantiser's bit for bit
QUANTISED = {"q6_k": 18, "q5_k_m": 17, "q4_k_m": 15}  # llama.cpp's numbers; smaller types need an importance matrix
KINDS = (*CONVERTED, *QUANTISED)


def check_packages(kinds: list[str]) -> None:
    """Check that the packages for these kinds of files are installed. Raises BadInput, which says how to do that."""
    how = "`make .venv/installed-export` installs it, or see requirements-export.txt"
    if not (CONVERTER / "convert_hf_to_gguf.py").is_file():
        raise BadInput(f"llama.cpp's converter is not in {CONVERTER}: {how}")
    for package in ("sentencepiece", "xllamacpp", "gotpl"):
        if find_spec(package) is None:
            raise BadInput(f"the package {package} is not installed: {how}")
    wanted = [kind for kind in kinds if kind in QUANTISED]
    if wanted and find_spec("cyllama") is None:
        raise BadInput(
            f"{', '.join(wanted)}: llama.cpp's quantiser (the package cyllama) is not installed; {how}. There is no "
            "build of it for Linux on ARM: leave these kinds out there and let Ollama quantise the f16 file, "
            "`ollama create NAME -q q4_K_M -f Modelfile` with FROM that file"
        )


def convert(weights: Path, target: Path, kind: str, name: str, log: Path) -> None:
    """Convert `weights` to a GGUF file of a kind in `CONVERTED`. `target` appears once the file is whole.

    `name` becomes `general.name`, and it matters: llama.cpp strips white space after special tokens, as Phi-3 needs it,
    only if the name contains "Phi-3". Raises BadInput with the last line of the converter's log.
    """
    path = os.pathsep.join(filter(None, [str(CONVERTER), os.environ.get("PYTHONPATH")]))
    size = sum(file.stat().st_size for file in weights.glob("*.safetensors")) * (1 if kind == "f16" else 17 / 32)
    log.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as part, _with_marks(weights, target.parent) as folder, log.open("w") as out:
        command = [
            sys.executable, "-m", "convert_hf_to_gguf", str(folder), "--outtype", kind, "--model-name", name,
            "--outfile", str(part),
        ]  # fmt: skip
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=out, stderr=out)
        try:
            with tqdm(total=int(size), desc=f"{kind}: converting", unit="B", unit_scale=True) as bar:
                _watch(process.poll, bar, lambda: part.stat().st_size if part.exists() else 0)
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            raise BadInput(f"{weights}: llama.cpp's converter refuses it: {last_words(log)} (all of it is in {log})")


def quantise(f16: Path, target: Path, kind: str, log: Path) -> None:
    """Quantise an f16 file to a kind in `QUANTISED`. `target` appears once the file is whole."""
    with whole(target) as part:
        process = multiprocessing.get_context("spawn").Process(
            target=_quantise, args=(f16, part, QUANTISED[kind], log), daemon=True
        )
        process.start()
        try:
            with tqdm(desc=f"{kind}: quantising", unit="tensor") as bar:
                _watch(lambda: process.exitcode, bar, lambda: _tensors(log, bar))
        finally:
            process.kill()
            process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"llama.cpp's quantiser failed on {f16.name}: {last_words(log)} (see {log})")


def bits_per_weight(gguf: Path, f16: Path) -> float:
    """Compute the real bits per weight, which exceed the nominal ones where narrow rows fall back to wider types.

    `f16` is the same model's f16 file. Its number of weights and its metadata are the same, and are read only once.
    """
    weights, metadata = _layout(f16)
    return 8 * (gguf.stat().st_size - metadata) / weights


@functools.cache
def _layout(f16: Path) -> tuple[int, int]:
    """Return (number of weights, bytes of everything else in the file)."""
    from gguf import GGUFReader

    tensors = GGUFReader(f16).tensors
    stored = sum(int(tensor.n_bytes) for tensor in tensors)
    return sum(int(tensor.n_elements) for tensor in tensors), f16.stat().st_size - stored


def _quantise(f16: Path, part: Path, number: int, log: Path) -> None:
    redirect(log)
    from cyllama.llama import llama_cpp

    params = llama_cpp.LlamaModelQuantizeParams()
    params.ftype, params.nthread = number, max(1, (os.cpu_count() or 1) // 2)
    llama_cpp.model_quantize(str(f16), str(part), params)


@contextlib.contextmanager
def _with_marks(weights: Path, work: Path) -> Iterator[Path]:
    """Yield a folder of the weights whose tokenizer_config.json lists the added tokens.

    transformers 5 keeps them only in tokenizer.json, but for SentencePiece models the converter reads that list.
    Without it, Gemma's `<start_of_turn>` would become plain text.
    """
    config, tokens = (weights / name for name in ("tokenizer_config.json", "tokenizer.json"))
    settings = read_json(config) if config.is_file() else {}
    if not (weights / "tokenizer.model").is_file() or not tokens.is_file() or "added_tokens_decoder" in settings:
        yield weights
        return
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for path in weights.iterdir():
            (Path(folder) / path.name).symlink_to(path.resolve())
        (Path(folder) / config.name).unlink(missing_ok=True)
        added = {token["id"]: token for token in read_json(tokens)["added_tokens"]}
        write_json(Path(folder) / config.name, settings | {"added_tokens_decoder": added})
        yield Path(folder)


def _watch(ended: Callable[[], int | None], bar: tqdm, done: Callable[[], int]) -> None:
    """Update the progress bar until the child process has ended."""
    while ended() is None:
        time.sleep(0.2)
        step = min(done(), bar.total or sys.maxsize) - bar.n
        if step > (bar.total or 0) // 200:  # smaller steps (the header) would make the bar estimate hours
            bar.update(step)
    bar.update((bar.total or bar.n) - bar.n)


def _tensors(log: Path, bar: tqdm) -> int:
    """Read from the quantiser's log, `[  12/ 272] blk.0.…`, how many tensors are done, and set the bar's total."""
    steps = re.findall(r"\[\s*(\d+)/\s*(\d+)\]", log.read_text(errors="replace")) if log.exists() else []
    if steps:
        bar.total = int(steps[-1][1])
    return int(steps[-1][0]) if steps else 0
