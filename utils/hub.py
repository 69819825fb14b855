"""Say in one line why a model's files cannot be had from the Hugging Face Hub, or cannot be read."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from utils.artifacts import read_json
from utils.errors import BadInput, disk_error, flag_of, interrupt_behind, is_out_of_memory

# By the error that huggingface_hub raises: what it means and what helps.
REASONS = {
    "GatedRepoError": "its licence must be accepted at https://huggingface.co/{model} first; then set HF_TOKEN",
    "RepositoryNotFoundError": "the Hugging Face Hub has no such model, or it is private (then set HF_TOKEN); check "
    "the name, or give the path of a folder that is here",
    "LocalEntryNotFoundError": "no such folder is here, and the Hugging Face Hub cannot be reached; download the model "
    "where there is a connection (`hf download {model}`), or give the path of a folder that is here",
    "EntryNotFoundError": "the Hugging Face Hub has it, but without a file that transformers needs, such as "
    "config.json",
    "HFValidationError": "neither a folder that is here nor a name on the Hugging Face Hub",
}  # fmt: skip
REASONS |= dict.fromkeys(("OfflineModeIsEnabled", "ConnectError", "HTTPError"), REASONS["LocalEntryNotFoundError"])


@functools.cache
def find_on_hub(model: str) -> None:
    """Check that the Hub, or its cache on this machine, has a model. Raises BadInput if not, with the flag's name."""
    import huggingface_hub

    huggingface_hub.logging.set_verbosity_error()  # it logs each of its attempts
    with reading(model):
        huggingface_hub.hf_hub_download(model, "config.json")


@contextlib.contextmanager
def reading(model: Path | str) -> Iterator[None]:
    """Turn the libraries' various errors about a model's files into BadInput, which names the model."""
    try:
        yield
    except (BadInput, MemoryError):  # these are clear already
        raise
    except Exception as error:
        if is_out_of_memory(error) or disk_error(error) or interrupt_behind(error):
            raise
        if reason := _reason(error):
            raise BadInput(f"{flag_of(model)}{model}: {reason.format(model=model)}") from None
        if isinstance(error, OSError):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise BadInput(
            f"{model}: its files are damaged, cut off or not those of a model that we can load ({said})"
        ) from error


def check_weights(folder: Path) -> None:
    """Read the headers of a folder's weights, in milliseconds. Raises BadInput if a file is missing or was cut off."""
    from safetensors import safe_open

    index = folder / "model.safetensors.index.json"
    listed = set(read_json(index)["weight_map"].values()) if index.is_file() else set()
    files = [*folder.glob("*.safetensors"), *(folder / name for name in listed)]
    if not files and not any(folder.glob("*.bin")):
        raise BadInput(f"{flag_of(folder)}{folder}: it holds no weights (model.safetensors)")
    for file in files:
        with reading(file), safe_open(file, framework="np"):
            pass


def _reason(error: BaseException | None) -> str | None:
    """Return what the Hub's error behind `error` means; None if there is none."""
    while error is not None:
        kinds = {k.__name__ for k in type(error).__mro__ if k.__module__.startswith(("huggingface_hub", "httpx"))}
        if named := [reason for name, reason in REASONS.items() if name in kinds]:
            return named[0]
        error = error.__cause__ or error.__context__
    return None
