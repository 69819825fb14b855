"""Teach a model the tutor's role before DPO: supervised fine-tuning on the seeds' reference turns, with trl.

    python -m warm_start --seeds datasets/mathdial_train.jsonl datasets/tutorchat_train.jsonl --output-dir runs/warm

A reference is what the teacher really said next. DPO only compares the model's own answers, so a model that never asks
a good question has nothing to learn from. Writes `weights/`, with merged LoRA adapters, and `checkpoints/`, as `train`
does; continue with `gen_train_dataset` and `train`, both with `--instruct-model runs/warm/weights`. If the run is
stopped, the same command resumes from the last complete checkpoint.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.prompts import INFERENCE_PROMPT

if TYPE_CHECKING:
    from utils.dpo.recipe import Training

# Where a warm start differs from DPO. A small model needs some hundred updates: one pass over about 180 references,
# one per update.
RECIPE = {"learning_rate": 2e-4, "epochs": 1, "gradient_accumulation": 1}

log = logging.getLogger(__name__)


def main(
    *, seeds: list[Path], output_dir: Path, training: "Training", limit: int | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Fine-tune on the references of all seed files. Fields of `training` that only DPO uses are ignored.

    Returns the summary that is also in `training_log.json`.
    Raises BadInput if no seed has a reference, if `checkpoints/` belongs to other settings, or if the loss is not
    finite.
    """
    weights, checkpoints = output_dir / "weights", output_dir / "checkpoints"
    if weights.exists() and not overwrite:
        raise FileExistsError(f"{weights} is there already; give another --output-dir, or --overwrite to replace it")

    from utils import models
    from utils.artifacts import sha256, write_json
    from utils.dpo.references import fit_references
    from utils.seeds.read import read_seeds

    training.check()
    dialogues = [seed for path in seeds for seed in read_seeds(path, limit)]

    base, max_length = models.resolve(training.model), training.longest_sequence()
    fitted = fit_references(dialogues, models.load_tokenizer(base), training.template, max_length)

    from utils.dpo.checkpoints import drop_optimizer_states, export_weights, open_checkpoints
    from utils.dpo.sft import ReferenceSFTTrainer, sft_config
    from utils.dpo.training import train

    config = sft_config(training, checkpoints)
    main_process = config.process_index == 0
    if main_process:
        log.info("%d references to train on; the longest has %d tokens", len(fitted.rows), fitted.longest)
        for reason, count in fitted.left_out.most_common():
            log.info("  %d rows left out: %s", count, reason)
        log.info("  %d of %d prompts shortened to %d tokens with their reference: the oldest turns left out",
                 fitted.shortened, len(fitted.rows), max_length)  # fmt: skip
    made_with = training.settings | {"max_length": max_length, "processes": config.world_size, "limit": limit}
    made_with["seeds"] = [sha256(path) for path in seeds]
    with config.main_process_first():
        last = open_checkpoints(checkpoints, made_with, overwrite and main_process)
    trained = train(
        fitted.rows, training, config, ReferenceSFTTrainer, longest=fitted.longest, resume_from=last
    )  # fmt: skip
    summary = {
        "references": len(fitted.rows),
        "left_out": dict(fitted.left_out),
        "shortened_prompts": fitted.shortened,
        "longest_sequence": fitted.longest,
        **trained.summary,
    }
    if main_process:
        export_weights(trained.checkpoint, base, weights)
        drop_optimizer_states(checkpoints)
        write_json(checkpoints / "training_log.json", {"summary": summary, "log": trained.log})
        print(
            f"{summary['references']} references ({sum(fitted.left_out.values())} rows left out), "
            f"{summary['updates']} updates in {summary['seconds']:.0f} s; loss {summary['loss']:.2f} per token, "
            f"{summary['token_accuracy']:.0%} of the tokens foreseen (last tenth)\nweights: {weights}"
        )
    return summary


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--seeds", type=Path, nargs="+", required=True, metavar="FILE", help="seed dialogues, of one kind or of several"
    )
    parser.add_argument(
        "--output-dir", type=Path, required=True, metavar="DIR", help="the folder for weights/ and checkpoints/"
    )
    parser.add_argument("--instruct-model", dest="model", default=flags.DEFAULT_MODEL, help=flags.MODEL_HELP)
    parser.add_argument(
        "--inference-prompt", default=str(INFERENCE_PROMPT), metavar="FILE",
        help="the tutor's prompt, a template with {input} for the dialogue",
    )  # fmt: skip
    parser.add_argument("--limit", type=flags.positive_int, help="use only the first LIMIT seeds of each file")
    parser.add_argument(
        "--seed", type=flags.seed, default=0, help="of the adapters' initial values and the order of the seeds"
    )
    parser.add_argument("--device", type=flags.device, default="auto", help="cpu, or auto: the best one here")
    parser.add_argument(
        "--dtype", default="auto", choices=("auto", "bfloat16", "float16", "float32"), help="of the computation"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace weights/, and checkpoints made with other settings"
    )
    flags.add_trainer_flags(parser.add_argument_group("training"), **RECIPE)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
