"""Choose the seed files of a run: those it trains on and those it evaluates on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import BadInput
from utils.records import SeedDialogue
from utils.seeds.read import find_datasets, find_seeds, read_seeds, refuse_repeated_ids

SPLITS = ("train", "test")
Key = tuple[str, str]  # (dataset, split)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """The seeds of a run. `train_on` has a name for each tutor: a dataset, or several joined (`physics+mathdial`)."""

    paths: Mapping[Key, Path]
    dialogues: Mapping[Key, Sequence[SeedDialogue]]
    train_on: Sequence[str]
    tested: Sequence[str]

    @property
    def by_dataset(self) -> dict[str, dict[str, Sequence[SeedDialogue]]]:
        """The dialogues as the audit takes them, {dataset: {split: dialogues}}."""
        found: dict[str, dict[str, Sequence[SeedDialogue]]] = {}
        for (name, split), dialogues in self.dialogues.items():
            found.setdefault(name, {})[split] = dialogues
        return found

    def trained(self, names: str | None = None) -> list[Path]:
        """Return the training files of one name in `train_on`, or of all datasets."""
        chosen = names.split("+") if names else [name for name, split in self.paths if split == "train"]
        return [self.paths[name, "train"] for name in chosen]


def choose(
    folder: Path, datasets: Sequence[str] | None = None, train_on: Sequence[str] | None = None, *,
    limits: Mapping[str, int | None], roles: Any = None,
) -> Chosen:  # fmt: skip
    """Find and read the seeds of `datasets` (None: all that `folder` has), at most `limits[split]` of each file.

    A warning names the datasets without a test set.
    Raises BadInput for a dataset or a training set that is not there.
    """
    datasets = datasets or find_datasets(folder)
    if joined := [name for name in datasets if "+" in name]:
        raise BadInput(f"{folder}: name {joined[0]}_train otherwise; a + stands between datasets that are trained on")
    found = {(name, split): find_seeds(folder, name, split, optional=True) for name in datasets for split in SPLITS}
    paths = {key: path for key, path in found.items() if path}
    dialogues = {key: read_seeds(path, limits[key[1]], roles=roles) for key, path in paths.items()}
    train_on = train_on or [name for name in datasets if (name, "train") in paths]
    tested = [name for name in datasets if (name, "test") in paths]
    sources = dict.fromkeys(one for names in train_on for one in names.split("+"))
    for name in dict.fromkeys([*datasets, *sources]):
        if not any((name, split) in paths for split in SPLITS):
            raise BadInput(f"{folder} has no {name}_train and no {name}_test; choose others with --datasets")
    for name in sources:
        if (name, "train") not in paths:
            raise BadInput(f"{folder} has no {name}_train to train on; choose others with --train-on")
    for names in train_on:
        keys = [(name, "train") for name in names.split("+")]
        refuse_repeated_ids([one for key in keys for one in dialogues[key]], [paths[key] for key in keys])
    if without := [name for name in datasets if name not in tested]:
        shown = "" if tested else "; nothing is evaluated, so the table and Figures 5 and 6 are not made"
        log.warning("no test set of %s: no tutor is evaluated on it%s", ", ".join(without), shown)
    return Chosen(paths, dialogues, train_on, tested)
