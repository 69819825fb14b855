"""Write checkpoints that can be trusted after a crash, and weights that appear by one rename."""

import contextlib
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from utils.artifacts import read_json, write_json
from utils.dpo.recipe import upgraded
from utils.errors import BadInput
from utils.models import make_readable

MADE_WITH = "made_with.json"  # the settings and the data that a folder of checkpoints belongs to
MARKER = "whole.json"  # written last: without it, the run died while the checkpoint was being written

# The folder of the pairs in trl's format. trl also keeps their reference log-probabilities there, for every process and
# for every later run of the same training.
PAIRS = "pairs"

log = logging.getLogger(__name__)


class MarkWhole(TrainerCallback):
    """Marks each checkpoint as complete once all of it is on disk."""

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            make_readable(folder)
            mark_whole(folder)


def mark_whole(checkpoint: Path, without: Collection[Path] = ()) -> None:
    """Mark a checkpoint as complete, with the sizes of its files, except those `without` which it is complete too."""
    files = [path for path in checkpoint.iterdir() if path.is_file() and path.name != MARKER and path not in without]
    # of several processes, each writes its own `rng_state`, perhaps later
    write_json(checkpoint / MARKER, {"sizes": {p.name: p.stat().st_size for p in files if "rng_state" not in p.name}})


def is_whole(checkpoint: Path) -> bool:
    """Return whether a checkpoint was written to its end, and none of its files was cut off since."""
    try:
        sizes = read_json(checkpoint / MARKER).get("sizes", {})  # earlier versions did not write them
        return all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (BadInput, OSError):
        return False


def last_whole(folder: Path) -> Path | None:
    """Return the newest complete checkpoint, or None."""
    found = {int(m[1]): path for path in folder.glob("checkpoint-*") if (m := re.search(r"-(\d+)$", path.name))}
    return next((found[step] for step in sorted(found, reverse=True) if is_whole(found[step])), None)


def open_checkpoints(folder: Path, made_with: dict[str, Any], overwrite: bool) -> Path | None:
    """Prepare a folder of checkpoints for a training with these settings. Incomplete checkpoints are deleted.

    Checkpoints made with other settings are deleted too, if `overwrite` allows it.
    Returns the checkpoint to resume from, or None.
    Raises BadInput, which says what differs, if the folder has checkpoints made with other settings.
    """
    made_with = json.loads(json.dumps(made_with))  # as it will be read back
    if (folder / MADE_WITH).is_file():
        if not isinstance(before := read_json(folder / MADE_WITH), dict):
            raise BadInput(f"{folder / MADE_WITH} is not of ours; give another --output-dir")
        before = upgraded(before)
        differing = [name for name in sorted(before | made_with) if before.get(name) != made_with.get(name)]
        differing = [name for name in differing if name != "keep_adapter"]  # it changes no checkpoint
        if differing and not overwrite and last_whole(folder):
            changes = "; ".join(f"{name}: {before.get(name)!r} -> {made_with.get(name)!r}" for name in differing)
            raise BadInput(
                f"{folder} belongs to a training with other settings ({changes}). Give the same settings to resume it, "
                "another --output-dir for a new training, or --overwrite to start again here"
            )
        if differing:
            shutil.rmtree(folder / PAIRS, ignore_errors=True)
        for checkpoint in folder.glob("checkpoint-*"):
            if not is_whole(checkpoint):
                log.warning("%s is left out: it was not written to its end, or cut off since", checkpoint)
            elif not differing:
                continue
            shutil.rmtree(checkpoint)
    elif any(folder.glob("checkpoint-*")):
        raise BadInput(f"{folder} has checkpoints, but no {MADE_WITH} with their settings; give another --output-dir")
    write_json(folder / MADE_WITH, made_with)
    return last_whole(folder)


def export_weights(checkpoint: Path, base: str, weights: Path) -> None:
    """Write a checkpoint as a folder of 16-bit `weights` with the tokenizer; an adapter is merged into `base` first.

    The folder appears by one rename, and replaces the one that was there. Raises BadInput if a weight is not finite.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter = (checkpoint / "adapter_config.json").is_file()
    stored = AutoModelForCausalLM.from_pretrained(base if adapter else checkpoint, dtype="auto")
    dtype = torch.float16 if stored.dtype == torch.float16 else torch.bfloat16
    if adapter:
        from peft import PeftModel

        # merged in float32, in which the adapter was trained, so that the result is rounded only once
        stored = PeftModel.from_pretrained(stored.float(), checkpoint).merge_and_unload()
    stored = stored.to(dtype)
    if not all(tensor.isfinite().all() for tensor in stored.parameters()):
        raise BadInput(
            f"{checkpoint}: the last update made weights that are NaN or infinite: they are not written; start again "
            "(--overwrite) with a lower --learning-rate or --max-grad-norm, or with --dtype float32"
        )
    folder = checkpoint.parent  # it holds only what this program wrote
    for leftover in folder.glob("export-*"):  # of a run that was killed at this point
        shutil.rmtree(leftover)
    temporary = Path(tempfile.mkdtemp(dir=folder, prefix="export-"))
    try:
        stored.save_pretrained(temporary)
        AutoTokenizer.from_pretrained(base).save_pretrained(temporary)
        copy_sentencepiece(base, temporary)
        make_readable(temporary)
        old = folder / f"{temporary.name}-replaced"
        if weights.exists():
            weights.rename(old)
        weights.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(temporary, weights)  # a rename, unless the two are on different disks
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def drop_optimizer_states(folder: Path) -> None:
    """Delete what only an unfinished training needs: 8 of the 12 bytes per trained parameter."""
    last = last_whole(folder)
    for checkpoint in folder.glob("checkpoint-*"):
        states = [path for name in ("optimizer*", "scheduler*", "rng_state*") for path in checkpoint.glob(name)]
        if checkpoint == last:
            mark_whole(checkpoint, without=states)
        else:
            (checkpoint / MARKER).unlink(missing_ok=True)  # no training can resume from it any more
        for path in states:
            path.unlink()


def refuse_foreign_adapter(folder: Path) -> None:
    """Raise FileExistsError if `folder` holds what `keep_adapter` did not write: it would be deleted."""
    if foreign := [path.name for path in folder.glob("*") if not path.name.startswith("adapter_")]:
        raise FileExistsError(
            f"{folder} holds {foreign[0]}, which is no adapter of ours: move it, or leave --keep-adapter"
        )


def keep_adapter(checkpoint: Path, folder: Path) -> None:
    """Copy the adapter of a checkpoint into `folder`, in the form that peft loads."""
    refuse_foreign_adapter(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = Path(temporary) / "whole"
        whole.mkdir()
        for path in checkpoint.glob("adapter_*"):
            shutil.copyfile(path, whole / path.name)
        make_readable(whole)
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)


def copy_sentencepiece(base: str, folder: Path) -> None:
    """Copy `tokenizer.model` if the base has one: transformers does not save it, but converters to GGUF need it."""
    from transformers.utils import cached_file

    with contextlib.suppress(OSError):  # raised by transformers if there is none
        shutil.copyfile(cached_file(base, "tokenizer.model"), folder / "tokenizer.model")
