"""Fine-tune a model on preference pairs: DPO with trl, with LoRA adapters that are merged into the saved weights.

    python -m train --train-dataset runs/mathdial/train_dataset.json --output-dir runs/mathdial

Writes `weights/` (ready for AutoModelForCausalLM and AutoTokenizer) and `checkpoints/` into the output folder. If the
run is stopped, the same command resumes from the last complete checkpoint. On several GPUs, start it with
`accelerate launch -m train ...`; the batch of an update then grows with the number of GPUs.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.errors import BadInput
from utils.prompts import INFERENCE_PROMPT

if TYPE_CHECKING:
    from utils.dpo.recipe import Training

log = logging.getLogger(__name__)


def main(
    *, train_dataset: Path, training: "Training", output_dir: Path | None = None, model_dir: Path | None = None,
    checkpoints_dir: Path | None = None, overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Train on the eligible pairs of `train_dataset`, a file of ours or rows in trl's format (file or dataset name).

    Writes `weights/` and `checkpoints/` into `output_dir`, or into `model_dir` and `checkpoints_dir`.
    Returns the summary that is also in `training_log.json`.
    Raises BadInput if no pair is eligible, if `checkpoints/` belongs to other settings, or if the loss is not finite
    (the last complete checkpoint is kept).
    """
    if not output_dir and not (model_dir and checkpoints_dir):
        raise BadInput("--output-dir is missing: name the folder for weights/ and checkpoints/")
    weights, checkpoints = model_dir or output_dir / "weights", checkpoints_dir or output_dir / "checkpoints"
    if weights.exists() and not overwrite:
        raise FileExistsError(f"{weights} is there already; give another --output-dir, or --overwrite to replace it")

    from utils import models
    from utils.artifacts import sha256, write_json
    from utils.dpo.preferences import fit_preferences, read_preferences, sampled_by
    from utils.dpo.trl_rows import fit_messages, is_trl, read_trl
    from utils.manifest import only_run

    if trl_rows := is_trl(str(train_dataset)):
        pairs, left_out = read_trl(str(train_dataset))
        training = training.starting_from(None)
    else:
        pairs, left_out = read_preferences(train_dataset, training.min_chosen_score)
        training = training.starting_from(sampled_by(train_dataset))
    training.check()

    from utils.dpo.checkpoints import (
        drop_optimizer_states,
        export_weights,
        keep_adapter,
        open_checkpoints,
        refuse_foreign_adapter,
    )

    if training.keep_adapter:
        refuse_foreign_adapter(weights.with_name("adapter"))
    from utils.dpo.config import dpo_config
    from utils.dpo.rehearsal import rehearse
    from utils.dpo.trainer import SharedPromptDPOTrainer
    from utils.dpo.training import train
    from utils.results.charts import save_figure, style, training_chart

    rehearse(training)
    config = dpo_config(training, checkpoints)
    if config.process_index == 0:
        held = contextlib.ExitStack()  # until the program ends: a second run here would write the same checkpoints
        held.enter_context(only_run(checkpoints))
    base = models.resolve(training.model)
    max_length = training.longest_sequence()
    tokenizer = models.load_tokenizer(base)
    if trl_rows:
        fitted = fit_messages(pairs, tokenizer, max_length)
    else:
        fitted = fit_preferences(pairs, tokenizer, training.template, max_length)
    left_out += fitted.left_out
    main_process = config.process_index == 0
    if main_process:
        log.info("%d pairs to train on; the longest has %d tokens", len(fitted.rows), fitted.longest)
        for reason, count in left_out.most_common():
            log.info("  %d rows left out: %s", count, reason)
        log.info(
            "  %d of %d prompts shortened to %d tokens with their longer answer: the oldest turns left out",
            fitted.shortened, len(fitted.rows), max_length,
        )  # fmt: skip
    made_with = training.settings | {"max_length": max_length, "processes": config.world_size}
    made_with["train_dataset"] = sha256(train_dataset) if train_dataset.is_file() else str(train_dataset)
    with config.main_process_first():
        last = open_checkpoints(checkpoints, made_with, overwrite and main_process)
    trained = train(
        fitted.rows, training, config, SharedPromptDPOTrainer, longest=fitted.longest, resume_from=last
    )  # fmt: skip
    summary = {
        "pairs": len(fitted.rows),
        "left_out": dict(left_out),
        "shortened_prompts": fitted.shortened,
        "longest_sequence": fitted.longest,
        **trained.summary,
    }
    if main_process:
        export_weights(trained.checkpoint, base, weights)
        if training.keep_adapter:
            keep_adapter(trained.checkpoint, weights.with_name("adapter"))
        drop_optimizer_states(checkpoints)
        write_json(checkpoints / "training_log.json", {"summary": summary, "log": trained.log})
        with style():
            chart = training_chart({checkpoints.resolve().parent.name: trained.log})
            save_figure(chart, checkpoints / "training")
        print(
            f"{summary['pairs']} pairs, {summary['updates']} updates in {summary['seconds']:.0f} s; "
            f"loss {summary['loss']:.3f}, chosen preferred in {summary['rewards_accuracy']:.0%} of the pairs, "
            f"rewards margin {summary['rewards_margin']:z.2f} (last tenth)\n"
            f"weights: {weights}\nhow it went: {checkpoints / 'training.png'}"
        )
    return summary


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a DPO training. Their dests are fields of `recipe.Training`."""
    group = parser.add_argument_group("training (the paper's values)")
    flags.add_trainer_flags(group, learning_rate=5e-5, epochs=2, gradient_accumulation=4)
    group.add_argument(
        "--beta", type=flags.not_negative, default=0.1, help="how strongly to stay near the reference model"
    )
    group.add_argument("--keep-adapter", action="store_true", help="also write the adapters alone, into adapter/")
    group.add_argument(
        "--set", action="append", dest="trl_fields", metavar="NAME=VALUE",
        help="any other field of trl's DPOConfig, e.g. --set loss_type=ipo; may be repeated",
    )  # fmt: skip


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--train-dataset", "--input", type=Path, required=True, metavar="FILE",
        help="preference pairs by gen_train_dataset, or in trl's conversational format: a file or a Hugging Face "
        "dataset",
    )  # fmt: skip
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="the folder for weights/ and checkpoints/")
    parser.add_argument("--model-dir", type=Path, metavar="DIR", help="the original code's flag: a folder for weights")
    parser.add_argument(
        "--checkpoints-dir", type=Path, metavar="DIR", help="the original code's flag: a folder for checkpoints"
    )
    parser.add_argument(
        "--instruct-model", dest="model", help=f"{flags.MODEL_HELP}; default: the model that sampled the pairs"
    )  # fmt: skip
    parser.add_argument(
        "--inference-prompt", default=str(INFERENCE_PROMPT), metavar="FILE",
        help="the tutor's prompt, a template with {input} for the dialogue",
    )  # fmt: skip
    parser.add_argument(
        "--min-chosen-score", type=flags.share, default=0.8,
        help="the chosen answer must score above this, in rows without `eligible` (by the original code)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=flags.seed, default=0, help="of the adapters' initial values and the order of the pairs"
    )
    parser.add_argument("--device", type=flags.device, default="auto", help="cpu, or auto: the best one here")
    parser.add_argument(
        "--dtype", default="auto", choices=("auto", "bfloat16", "float16", "float32"), help="of the computation"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace weights/, and checkpoints made with other settings"
    )
    add_training_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
