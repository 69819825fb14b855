"""Find the datasets in a folder and read their seed dialogues, in the formats that people use."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from utils.errors import BadInput
from utils.records import SeedDialogue
from utils.roles import Role, known_roles
from utils.seeds.files import SUFFIXES, is_seed_file, rows_of_dataset, rows_of_file, stem
from utils.seeds.rows import seed_of

DATASETS_DIR = Path(__file__).resolve().parents[2] / "datasets"
DATASETS = ("mathdial", "tutorchat", "debugging")  # the paper's, in its order
SPLITS = ("train", "validation", "test")  # none may contain rows of a later one

log = logging.getLogger(__name__)


def find_datasets(folder: Path | str) -> list[str]:
    """Return the names for which `folder` has `{name}_train` or `{name}_test`, the paper's three first, in its order.

    Raises FileNotFoundError if there is none.
    """
    if not Path(folder).is_dir():
        fault = "is a file; name the folder that it is in" if Path(folder).exists() else "there is no such folder"
        raise FileNotFoundError(f"{folder}: {fault}")
    stems = {stem(path) for path in Path(folder).iterdir() if is_seed_file(path)}
    names = {name for one in stems for name, _, split in [one.rpartition("_")] if name and split in ("train", "test")}
    if not names:
        raise FileNotFoundError(f"{folder}: no seeds found; looked for NAME_train.jsonl, NAME_test.csv and the like")
    return [name for name in DATASETS if name in names] + sorted(names - set(DATASETS))


def find_seeds(folder: Path | str, dataset: str, split: str, *, optional: bool = False) -> Path | None:
    """Return the file `{dataset}_{split}` in `folder`, with any suffix that we read; None if `optional` and missing.

    Raises FileNotFoundError, which says what was looked for, and BadInput if there are two.
    """
    files = sorted(path for path in Path(folder).glob("*") if is_seed_file(path) and path.is_file())
    found = [path for path in files if stem(path) == f"{dataset}_{split}"]
    if len(found) > 1:
        raise BadInput(f"{found[0]} and {found[1].name} both exist; keep the one to be used")
    if not found and not optional:
        raise FileNotFoundError(f"no seeds: {folder} has no {dataset}_{split}.jsonl (or {', '.join(SUFFIXES[1:])})")
    return found[0] if found else None


def read_all(
    sources: Sequence[Path | str],
    limit: int | None = None,
    *,
    split: str | None = None,
    roles: Mapping[str, Role] | None = None,
) -> list[SeedDialogue]:
    """Read the first `limit` seeds of each source: see `read_seeds`. Raises BadInput if two sources share an id."""
    seeds = [seed for source in sources for seed in read_seeds(source, limit, split=split, roles=roles)]
    refuse_repeated_ids(seeds, sources)
    return seeds


def refuse_repeated_ids(seeds: Sequence[SeedDialogue], sources: Sequence[Path | str]) -> None:
    """BadInput if two of the seeds, which were read from the sources, have one id."""
    name, times = Counter(seed.id for seed in seeds).most_common(1)[0]
    if times > 1:
        where = f"is in {times} of them" if len(sources) > 1 else f"occurs {times} times"
        raise BadInput(f"{', '.join(map(str, sources))}: the id {name!r} {where}; ids must be unique")


def read_seeds(
    source: Path | str,
    limit: int | None = None,
    *,
    split: str | None = None,
    roles: Mapping[str, Role] | None = None,
) -> list[SeedDialogue]:
    """Read the seeds of a file, or of a Hugging Face dataset if a `split` is given; at most `limit` rows are read.

    rows.py describes the formats of a row. `roles` are further names of speakers, as `roles.parse_roles` returns them.
    What was corrected is logged.
    Raises BadInput, which names the file, the row and what is wrong with it.
    """
    path = Path(source)
    if split and path.is_file():
        raise BadInput(f"{source} is a file; a split is only for a Hugging Face dataset")
    if split is None and not path.is_file():
        hint = "" if path.suffix or path.is_absolute() else "; a Hugging Face dataset needs a split, e.g. --split train"
        if path.is_dir():
            raise BadInput(f"{source} is a folder; with --split it is read as a Hugging Face dataset")
        raise FileNotFoundError(f"{source}: there is no such file{hint}")
    where, name = (f"{source}, split {split}", f"{path.name}-{split}") if split else (str(path), stem(path))
    rows = rows_of_dataset(str(source), split) if split else rows_of_file(path)
    seeds, known, mended = [], known_roles(roles), Counter[str]()
    bar = tqdm(islice(rows, limit), desc=f"reading {path.name}", unit=" rows", delay=2)
    for number, row in enumerate(bar, 1):
        try:
            seeds.append(seed_of(name, number, row, known, mended))
        except BadInput as error:
            raise BadInput(f"{where}, row {number}: {error}") from None
    if not seeds:
        raise BadInput(f"{where}: it has no seed dialogue")
    for what, count in mended.items():
        if count:
            log.info("%s: %d of %d dialogues %s", where, count, len(seeds), what)
    refuse_repeated_ids(seeds, [where])
    return seeds
