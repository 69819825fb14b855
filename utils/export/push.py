"""Publish an exported tutor: to an Ollama server, and to the Hugging Face Hub."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from utils.clients.keys import checked_address
from utils.errors import BadInput
from utils.export.card import is_sample, license_line
from utils.export.source import Source

NOT_PUSHED = ["work/*", "manifest.json", ".*", "**/.*"]
TIMEOUT = 600.0  # seconds without a response while an Ollama server stores a file

log = logging.getLogger(__name__)


def check_license(source: Source) -> None:
    """Raise BadInput if the licence of the base model is not known."""
    if source.license is None:
        raise BadInput(
            "to pass weights on, say under which licence: --license, as the base model's card names it (mit, …)"
        )


def check_hub(repo: str, source: Source) -> None:
    """Check before work begins that the Hub lets us write, without creating anything. Raises BadInput if not."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, HTTPError
    from huggingface_hub.utils import validate_repo_id

    check_license(source)
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise BadInput(f"--push-to-hub {repo}: {error}") from None
    if repo.count("/") != 1:
        raise BadInput(f"--push-to-hub {repo}: write it as USER/NAME")
    try:
        HfApi().whoami()
    except (HTTPError, OSError) as error:
        raise BadInput(
            f"the Hub does not let you in ({_line(error)}): set HF_TOKEN to a token that may write, or `hf auth login`"
        ) from None
    if source.dataset == "tutorchat" and not is_sample(source):
        log.warning(
            "TutorChat states no licence, and its chapters keep their own, often non-commercial, terms: if this tutor "
            "was trained on the public TutorChat, ask before you pass it on (the card says so too)"
        )


def push(repo: str, folder: Path, private: bool) -> str:
    """Upload the folder without our working files. Files that the Hub already has are skipped. Returns the address."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = HfApi()
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repo, folder_path=folder, ignore_patterns=NOT_PUSHED, commit_message="Weights, GGUF files, card"
        )
    except (HTTPError, OSError) as error:
        raise BadInput(
            f"{repo}: the Hub refuses the upload ({_line(error)}); the same command tries it again"
        ) from None
    return str(address)


def check_ollama(name: str, address: str, source: Source) -> None:
    """Check before work begins that an Ollama server answers. Raises BadInput if not."""
    check_license(source)
    if ":" in name or not name.strip("/"):
        raise BadInput(f"--ollama-create {name}: a name without a tag; each file becomes a tag of it")
    client = _client(address)
    try:
        client.list()
    except _ollama_errors() as error:
        raise BadInput(f"no Ollama server answers ({_line(error)}): start one with `ollama serve`") from None


def create_in_ollama(name: str, address: str, source: Source, files, published: Sequence[Path]) -> list[str]:
    """Create the model `name:kind` for each file, and `name` for the last. A file is stored once. Returns the names."""
    client, made = _client(address), []
    names = [(f"{name}:{kind}", path) for kind, path in zip(files.kinds, published, strict=True)]
    digests: dict[Path, str] = {}
    for full, path in tqdm([*names, (name, published[-1])], desc="creating in Ollama", unit="model"):
        try:
            digests[path] = digests.get(path) or client.create_blob(path)
            client.create(
                model=full, files={path.name: digests[path]}, template=files.template(), parameters=files.parameters(),
                license=license_line(source),
            )  # fmt: skip
        except _ollama_errors() as error:  # the files are complete and stay
            raise BadInput(f"Ollama does not take {full}: {_line(error)}") from None
        made.append(full)
    return made


def _client(address: str):
    import ollama

    return ollama.Client(host=checked_address(address, "the Ollama address") or None, timeout=TIMEOUT)


def _ollama_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that Ollama's client raises: its own, and those of its HTTP library and parsers."""
    import httpx
    import ollama

    return ollama.ResponseError, ollama.RequestError, httpx.HTTPError, OSError, ValueError


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
