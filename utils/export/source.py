"""Find the tutor to export: its weights, and what is known about its training, prompt and evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from utils import models
from utils.artifacts import read_json, read_manifest, sha256
from utils.errors import BadInput
from utils.prompts import load_template
from utils.records import SeedDialogue
from utils.results.training_root import TRAINED, is_own
from utils.seeds.read import DATASETS, DATASETS_DIR, find_seeds, read_seeds

LICENSES = {models.BUNDLED_NAME: "apache-2.0"}  # of the base models whose licence is known
MAX_NEW_TOKENS, TOP_K = 250, 50  # the paper's token limit and top-k, for a tutor without an evaluation


@dataclass(frozen=True)
class Source:
    """A tutor to export. Token ids are compared on `dialogues`. The tutor answers `judged`, and is graded on it."""

    weights: Path
    name: str  # of the files, and `general.name` in them
    base: str | None  # the base model's name on the Hub, or in the manifest
    license: str | None
    template: str  # the inference prompt, with {input}
    max_new_tokens: int
    temperature: float
    top_k: int
    dialogues: list[SeedDialogue]
    judged: list[SeedDialogue]
    dataset: str | None = None  # the dataset that it was trained on, and its training root
    root: Path | None = None
    manifest: dict[str, Any] | None = None


def from_root(
    root: Path, dataset: str, *, seeds: Sequence[str] | None, limit: int | None, inference_prompt: Path,
    max_new_tokens: int | None, base: str | None, license: str | None,
) -> Source:  # fmt: skip
    """Find the tutor that a training root trained on `dataset`, with the test dialogues and settings of its evaluation.

    Raises BadInput if the manifest does not list it as done, or if it was trained with another `inference_prompt`.
    """
    if not (manifest := read_manifest(root)):
        raise BadInput(f"{root}: not a training root, it has no manifest.json; for weights alone give --weights")
    done = {name: entry for name, entry in manifest["artifacts"].items() if entry["state"] == "done"}
    if not {f"dpo/{dataset}/weights", f"dpo/{dataset}/train_dataset.json"} <= done.keys():
        tutors = [name.split("/")[1] for name in done if fnmatch(name, "dpo/*/weights")]
        raise BadInput(f"{root}: no tutor was trained on {dataset}; there are: {', '.join(tutors) or 'none'}")
    weights = root / "dpo" / dataset / "weights"
    dialogues, judged, own = [], [], []
    for artifact in done:
        if fnmatch(artifact, f"evaluation/*/{TRAINED}{dataset}.json"):
            rows = [_dialogue(row) for row in read_json(root / artifact)]
            dialogues += rows
            if is_own(TRAINED + dataset.partition(".seed")[0], artifact.split("/")[1]):
                judged += rows
                own.append(artifact)
    if not judged:
        raise BadInput(f"{root}: the tutor has no evaluation on {dataset}; run the pipeline to its end first")
    sampled, trained, evaluated = (
        done[name]["inputs"] for name in (f"dpo/{dataset}/train_dataset.json", f"dpo/{dataset}/weights", own[0])
    )
    asked = evaluated.get("tutor", evaluated)  # earlier versions wrote a tutor's settings among the inputs
    template = load_template(inference_prompt, "input")
    if trained.get("training", trained).get("inference_prompt") not in (None, sha256(inference_prompt)):
        raise BadInput(
            f"{inference_prompt} is not the inference prompt that this tutor was trained with; give that one by "
            "--inference-prompt"
        )
    if seeds:
        judged = _read(seeds)
        dialogues += judged
    base = base or base_of(done, sampled.get("tutor", sampled.get("instruct_model", {})))
    return Source(
        weights, f"{Path(base or models.display_name(str(root))).name}-socratic-{dataset.replace('+', '-')}", base,
        license or LICENSES.get(base), template,
        max_new_tokens or asked.get("max_new_tokens", MAX_NEW_TOKENS), asked.get("temperature", 0.0),
        asked.get("top_k", TOP_K), dialogues, judged[:limit], dataset, root, manifest,
    )  # fmt: skip


def base_of(done: Mapping[str, dict[str, Any]], settings: Mapping[str, Any]) -> str | None:
    """Return the model that the run began with. The pairs may be sampled from weights that the run made itself."""
    made = {entry["sha256"]: entry["inputs"]["training"]["model"] for entry in done.values()
            if "sha256" in entry and "training" in entry["inputs"]}  # fmt: skip
    while (earlier := made.get(settings.get("sha256"))) is not None:
        settings = earlier
    return settings.get("model")


def from_weights(
    weights: Path, *, seeds: Sequence[str] | None, limit: int | None, inference_prompt: Path,
    max_new_tokens: int | None, base: str | None, license: str | None,
) -> Source:  # fmt: skip
    """Describe a folder of weights alone. Its dialogues are those of the files `seeds`, or of the bundled test sets."""
    dialogues = _read(seeds or [str(find_seeds(DATASETS_DIR, name, "test")) for name in DATASETS])
    folder = weights.resolve()
    own = folder.parent.name if folder.name == "weights" else folder.name
    return Source(
        weights, f"{Path(base).name}-socratic-{own}" if base else own, base, license,
        load_template(inference_prompt, "input"), max_new_tokens or MAX_NEW_TOKENS, 0.0, TOP_K, dialogues,
        dialogues[:limit],
    )  # fmt: skip


def check_weights(weights: Path) -> None:
    """Raise BadInput, which says what is missing, if the folder lacks a file that every converter needs."""
    if not (weights / "config.json").is_file():
        raise BadInput(f"{weights}: not a model folder, it has no config.json")
    if not any(weights.glob("*.safetensors")):
        raise BadInput(f"{weights}: no *.safetensors in it")
    if not any((weights / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise BadInput(f"{weights}: no tokenizer in it; copy the tokenizer files of the base model there")


def _dialogue(row: dict[str, Any]) -> SeedDialogue:
    return SeedDialogue(id=row["id"], group=row["group"], text=row["prompt"], answer=row.get("known_answer"))


def _read(paths: Sequence[str]) -> list[SeedDialogue]:
    return [seed for path in paths for seed in read_seeds(path)]
