"""Fetch the raw files of a public source at a pinned revision, each verified by that revision's checksum.

huggingface_hub does the transfers, from the Hub and from GitHub: it resumes a partial file, shows progress, and honours
proxies, HF_ENDPOINT, HF_TOKEN, HF_HUB_DOWNLOAD_TIMEOUT and the cache in HF_HOME. (Its `hf_hub_download` is not used,
because it starts a file again in each run.) GITHUB_API_URL and GITHUB_RAW_URL point to a mirror of GitHub. Requests to
a server that is busy or fails (429, 5xx) are retried. If all files in the record of an earlier run are still there, no
request is made.
"""

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from utils.artifacts import sha256
from utils.errors import BadInput

PAUSES = (1, 2, 4, 8)  # seconds before each retry of a file
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The origin of files: `host` is "hub" (a dataset repository on the Hub) or "github"."""

    host: str
    repo: str
    revision: str
    patterns: tuple[str, ...]


# Every file of TutorChat is at this revision; later revisions only rename the validation file.
TUTORCHAT = ("hub", "princeton-nlp/TutorChat", "68d3140529bd3852d69595d92a5536b18f220954")
SOURCES = {
    "mathdial": Source(
        "hub", "eth-nlped/mathdial", "2c2d5d8db2018eff3c6a9747f1b9412a242f350a", ("train.jsonl", "test.jsonl")
    ),
    "tutorchat": Source(*TUTORCHAT, ("data/validation-00000-of-00001*.parquet",)),
    "tutorchat_train": Source(*TUTORCHAT, ("data/train-0000?-of-00005-*.parquet",)),
    "debugging": Source(
        "github", "taisazero/socratic-debugging-benchmark", "3f77f8923b6b6e49d82fc65bebff2608da97b15e",
        tuple(f"socratic_debugging_benchmark/v2_sigcse/{part}/*.txt" for part in ("train", "testset")),
    ),
    "paper": Source(
        "github", "GiovanniGatti/socratic-llm", "b0d4ba3c", ("datasets/*.json", "templates/*.txt", "LICENSE")
    ),
}  # fmt: skip


@dataclass(frozen=True)
class RemoteFile:
    """A file as its repository lists it: `checksum` is the sha256 of a large file, else git's sha1 of the blob."""

    path: str
    size: int
    checksum: str


@dataclass(frozen=True)
class Fetched:
    """A file that has been fetched and verified."""

    local: Path
    repo: str
    revision: str
    path: str
    size: int
    sha256: str


def fetch(source: Source, folder: Path, record: Iterable[Mapping[str, Any]] = ()) -> list[Fetched]:
    """Fetch all files of a source into `folder`. Complete files there, or in the Hub's cache, are not requested.

    `record` lists the files of an earlier run, as dicts of Fetched. If all are still there, no request is made.
    Raises OSError (404, no connection) or BadInput (nothing at that revision, a wrong checksum, a web page instead of
    a file). Both say what to do.
    """
    from huggingface_hub.errors import HTTPError
    from tqdm import tqdm

    if known := _all_there(source, folder, record):
        return known
    host = f"{source.repo} at {source.revision[:8]}"
    try:
        revision, listed = (_list_hub if source.host == "hub" else _list_github)(source)
        wanted = [file for file in listed if any(fnmatch(file.path, pattern) for pattern in source.patterns)]
        missing = [pattern for pattern in source.patterns if not any(fnmatch(file.path, pattern) for file in wanted)]
        if missing:
            raise BadInput(f"{host}: nothing there for {', '.join(missing)}")
        wanted.sort(key=lambda file: file.path)
        with tqdm(wanted, desc=source.repo, unit="file") as bar:
            return [_get(source, revision, file, folder) for file in bar]
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(f"{host} could not be fetched: {reason}; the same command goes on where this one was") from error


def local_path(folder: Path, path: str) -> Path:
    """Return a file's path in `folder`: `data/validation.parquet`, `train/0_0_….txt`, `datasets/mathdial_test.json`."""
    return folder.joinpath(*path.split("/")[-2:])


def _all_there(source: Source, folder: Path, record: Iterable[Mapping[str, Any]]) -> list[Fetched]:
    """Return the record's files of this source and revision; [] if any of them is missing or has changed.

    A branch can change, so a record counts only for a revision that is a commit.
    """
    if not re.fullmatch(r"[0-9a-f]{7,40}", source.revision):
        return []
    found = []
    for file in record:
        of_source = file.get("repo") == source.repo and str(file.get("revision")).startswith(source.revision)
        if of_source and any(fnmatch(file["path"], pattern) for pattern in source.patterns):
            local = local_path(folder, file["path"])
            if not local.is_file() or sha256(local) != file["sha256"]:
                return []
            found.append(Fetched(local, source.repo, file["revision"], file["path"], file["size"], file["sha256"]))
    complete = all(any(fnmatch(file.path, pattern) for file in found) for pattern in source.patterns)
    return found if complete else []


def _list_hub(source: Source) -> tuple[str, list[RemoteFile]]:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.hf_api import RepoFile

    tree = HfApi().list_repo_tree(source.repo, recursive=True, revision=source.revision, repo_type="dataset")
    try:
        return source.revision, [
            RemoteFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
            for entry in tree
            if isinstance(entry, RepoFile)
        ]
    except json.JSONDecodeError as error:
        raise _web_page(f"{constants.ENDPOINT}/api/datasets/{source.repo}", "a list of files") from error


def _list_github(source: Source) -> tuple[str, list[RemoteFile]]:
    api = f"{_address('GITHUB_API_URL', 'https://api.github.com')}/repos/{source.repo}"
    revision = _github(f"{api}/commits/{source.revision}")["sha"]
    tree = _github(f"{api}/git/trees/{revision}?recursive=1")
    if tree.get("truncated"):
        raise BadInput(f"{source.repo}: GitHub lists only a part of the files of {revision[:8]}")
    return revision, [
        RemoteFile(entry["path"], entry["size"], entry["sha"]) for entry in tree["tree"] if entry["type"] == "blob"
    ]


def _get(source: Source, revision: str, file: RemoteFile, folder: Path) -> Fetched:
    """Return a file from `folder` or the Hub's cache if it is complete there; else download it, resuming a part."""
    from huggingface_hub import hf_hub_url, try_to_load_from_cache
    from huggingface_hub.utils import build_hf_headers

    local = local_path(folder, file.path)
    places, headers = [local], {"Accept-Encoding": "identity"}  # parts of a compressed body cannot be joined
    if source.host == "hub":
        place = {"repo_id": source.repo, "filename": file.path, "repo_type": "dataset", "revision": revision}
        url, headers = hf_hub_url(**place), build_hf_headers() | headers
        places += [Path(found) for found in [try_to_load_from_cache(**place)] if isinstance(found, str)]
    else:
        url = f"{_address('GITHUB_RAW_URL', 'https://raw.githubusercontent.com')}/{source.repo}/{revision}/{file.path}"
    for place in places:
        if place.is_file() and _checksum(place, file) == file.checksum:
            break
    else:
        place = local
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.{file.checksum[:8]}.part")
        _download(url, part, file.size, headers)
        if (found := _checksum(part, file)) != file.checksum:
            part.unlink()
            raise BadInput(
                f"{url}: wrong checksum ({found[:12]}…, not {file.checksum[:12]}…), so the file was removed; "
                "run the same command again, or look at the proxy or mirror in between"
            )
        part.replace(place)
    return Fetched(place, source.repo, revision, file.path, file.size, sha256(place))


def _download(url: str, part: Path, size: int, headers: dict[str, Any]) -> None:
    """Download the rest of the `size` bytes into `part`. A part that cannot be the file's beginning is deleted."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get

    if part.is_file() and part.stat().st_size > size:
        part.unlink()
    for pause in (*PAUSES, None):
        try:
            with part.open("ab") as output:
                http_get(url, output, resume_size=output.tell(), headers=headers, expected_size=size)
            return
        except HfHubHTTPError as error:
            if pause is None or error.response.status_code < 500:
                raise
            log.info("%s: %s; asking again in %d s", url, error.response.status_code, pause)
            time.sleep(pause)
        except OSError:
            page = _is_web_page(part)
            if page or part.stat().st_size > size:
                part.unlink()
            if page:
                raise BadInput(
                    f"{url}: a web page came instead of the file; is a login or a proxy in between?"
                ) from None
            raise


def _is_web_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1000).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _github(url: str) -> dict[str, Any]:
    """Query GitHub's API. Raises OSError if it refuses, and BadInput if the response is not the API's."""
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import hf_raise_for_status, http_backoff

    token = os.environ.get("GITHUB_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = http_backoff("GET", url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT, retry_on_exceptions=())
    if response.status_code in (403, 429) and "rate limit" in response.text.lower():
        raise OSError(
            f"{url}: GitHub allows a few requests an hour without a token, and these are used up; "
            "set GITHUB_TOKEN (any personal access token, no rights needed), or wait an hour"
        )
    hf_raise_for_status(response)
    try:
        return response.json()
    except json.JSONDecodeError as error:
        raise _web_page(url, "a list of files") from error


def _web_page(url: str, wanted: str) -> BadInput:
    return BadInput(f"{url}: a web page came instead of {wanted}; is a login or a proxy in between?")


def _address(variable: str, default: str) -> str:
    return (os.environ.get(variable) or default).rstrip("/")


def _checksum(path: Path, file: RemoteFile) -> str:
    """Compute a file's checksum as its repository does: sha256 (64 digits), or git's sha1 of the blob."""
    if len(file.checksum) == 64:
        return sha256(path)
    return hashlib.sha1(b"blob %d\0" % path.stat().st_size + path.read_bytes()).hexdigest()
