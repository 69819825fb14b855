"""The whole experiment: make preference data, fine-tune, evaluate, check the judge against people, draw the figures.

    python -m pipeline --output-dir runs/first
    python -m pipeline --output-dir out --judge-llm openai env:OPENAI_API_KEY gpt-4o \\
        --instruct-model microsoft/Phi-3-mini-4k-instruct

Without flags it needs no key, no GPU and no download: a small model, the seeds that ship, the offline judge. With
a real model and a real judge it is the paper's run. Stopped anywhere, the same command goes on where it was; a stage
whose artifact was made from the same inputs is skipped, and nothing is deleted that it did not make itself.
"""

import argparse
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import eval_model
import figures
import gen_train_dataset
import human_vs_gpt
import self_eval
import train
from utils import cli
from utils.seeds.read import DATASETS, DATASETS_DIR

EVAL_MAX_NEW_TOKENS = 250  # the paper's limits: 250 tokens in evaluation, 400 for candidates
HUMAN_RATINGS = "mathdial_human_eval.json"

MODELS = {"instruct_model", "model_path"}
FILES = {"seeds", "train_dataset", "humans", "inference_prompt", "judge_prompt"}
# How fast a result is made, or who is told, is no reason to make it again; a judge is known by its settings.
NOT_INPUTS = {
    "device",
    "server",
    "report_to",
    "judge_llm",
    "judge_prompt",
    "judge_concurrency",
    "judge_batch",
    "judge_panel",  # the panel's settings say how it joins; of one judge there is nothing to join
    "max_invalid",
    "no_pull",
    "prices",
}

log = logging.getLogger(__name__)


def main(
    *, output_dir: str, datasets_dir: str, datasets: list[str], instruct_model: str, eval_max_new_tokens: int,
    limit: int | None = None, overwrite: bool = False, dry_run: bool = False, **flags: Any,
) -> dict[str, Any]:  # fmt: skip
    """Fill the training root `output_dir`; returns what `figures.main` returns. Other flags go to the stages."""
    from utils import models
    from utils.artifacts import Manifest, only_run
    from utils.dpo.preferences import NoEligiblePair
    from utils.judges.flags import from_flags
    from utils.plan import plan
    from utils.seeds.audit import audit, one_line
    from utils.seeds.read import find_seeds, read_seeds

    root, humans = Path(output_dir), Path(datasets_dir) / HUMAN_RATINGS
    judge = from_flags(**takes(from_flags, flags))
    seeds = {(name, split): find_seeds(datasets_dir, name, split) for name in datasets for split in ("train", "test")}
    dialogues = {key: read_seeds(path, limit) for key, path in seeds.items()}
    audited = audit(datasets_dir)
    if warning := one_line(audited):
        log.warning(warning)
    if dry_run:
        print(
            plan(root, judge, dialogues, humans, instruct_model, flags | {"eval_max_new_tokens": eval_max_new_tokens})
        )
        return {}
    judge.check()

    with only_run(root):
        manifest = Manifest(root, overwrite)
        tutor = self_eval.tutor_name(self_eval.tutor_of(judge), instruct_model)
        names = {"judge": judge.name, "base": models.display_name(instruct_model), "self": tutor}
        if not manifest.data["names"]:  # a root that has them keeps them until all is made again under the new ones
            manifest.set(names=names, seeds_audit=audited)
        run = Run(root, manifest, flags | {"limit": limit}, judge.settings)
        trained = []
        for name in datasets:
            made = run.make(
                gen_train_dataset, f"dpo/{name}/train_dataset.json", "output_path",
                seeds=seeds[name, "train"], instruct_model=instruct_model,
            )  # fmt: skip
            try:
                run.make(train, f"dpo/{name}/weights", "output_dir", train_dataset=made, instruct_model=instruct_model)
                trained.append(name)
            except NoEligiblePair as error:  # a short trial meets this often: all the rest can still be seen
                log.warning("%s\nno tutor is trained on %s; the run goes on without it", error, name)
                stale = [f"evaluation/{other}/from_finetuned_with_{name}.json" for other in DATASETS]
                manifest.outdate([f"dpo/{name}/weights", *stale], "no eligible pair")
        for name in datasets:
            test = {"seeds": seeds[name, "test"], "max_new_tokens": eval_max_new_tokens}
            tutors = {f"from_finetuned_with_{other}": root / "dpo" / other / "weights" for other in trained}
            for file, model in {"base": instruct_model, **tutors}.items():
                artifact = f"evaluation/{name}/{file}.json"
                # a server that was started before the run cannot have what the run trains
                engine = {} if model == instruct_model else {"engine": "local"}
                run.make(eval_model, artifact, "output_path", model_path=model, temperature=0.0, **engine, **test)
            run.make(
                self_eval, f"evaluation/{name}/gpt4o.json", "output_path",
                instruct_model=instruct_model, temperature=self_eval.TEMPERATURE, **test,
            )  # fmt: skip
        manifest.set(names=names, seeds_audit=audited)
        if humans.is_file():
            run.make(human_vs_gpt, "evaluation/human_vs_gpt.json", "output_path", humans=[str(humans)], repeats=1)
        else:
            log.info(
                "\n== the judge is not checked against people: %s has no %s "
                "(`python -m fetch_datasets --paper` brings the paper's)", datasets_dir, HUMAN_RATINGS,
            )  # fmt: skip
        log.info("\n== figures")
        drawn = figures.main(**takes(figures.main, flags), training_root=str(root))
    if missing := [name for name in datasets if name not in trained]:
        print(f"\nNo tutor was trained on {', '.join(missing)}: no pair was eligible (the scores are shown above).")
    weights = f"The weights of each tutor are in {root}/dpo/*/weights, the" if trained else "The"
    print(f"\n{weights} graded answers are in {root}/evaluation.")
    print("Next: read a few answers beside their verdicts, then run it with your own seeds, model and judge (README).")
    return drawn


@dataclass
class Run:
    """Makes artifacts of one training root, each by one stage, unless it was made before from the same inputs."""

    root: Path
    manifest: Any
    flags: dict[str, Any]
    judge: dict[str, Any]

    def make(self, stage: ModuleType, artifact: str, where: str, **given: Any) -> str:
        """Run `stage.main` on those flags that it takes, and on `given`; returns the artifact's path.

        `where` is the keyword that says where to write: the artifact's path, or (`output_dir`) the folder it is in.
        Its inputs are the flags, with files and models by their content, and the judge's settings.
        """
        path = self.root / artifact
        took = takes(stage.main, self.flags) | {name: _plain(value) for name, value in given.items()}
        inputs = {name: _content(name, value) for name, value in took.items() if name not in NOT_INPUTS}
        if "judge_flags" in inspect.signature(stage.main).parameters:
            inputs["judge"] = self.judge
        destination = {where: str(path.parent if where == "output_dir" else path)}
        log.info("\n== %s", artifact)
        if not self.manifest.make(
            artifact, stage.__name__, inputs, lambda: stage.main(**took, **destination, overwrite=True)
        ):
            log.info("made before from the same inputs: skipped")
        return str(path)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _content(name: str, value: Any) -> Any:
    """An input as the manifest compares it: what a file or a model holds, not where it lies."""
    from utils.artifacts import sha256
    from utils.models import identity

    if name in MODELS:
        return identity(value)
    if name in FILES:
        return [sha256(path) for path in value] if isinstance(value, list) else sha256(value)
    return value


def takes(function: Callable, flags: dict[str, Any]) -> dict[str, Any]:
    """Those of the flags that `function` has a keyword for, or that make its judge."""
    keywords = set(inspect.signature(function).parameters)
    if "judge_flags" in keywords:
        from utils.judges.flags import from_flags

        keywords |= set(inspect.signature(from_flags).parameters)
    return {name: value for name, value in flags.items() if name in keywords}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--output-dir", default="runs/pipeline", help="the training root: everything is written here")
    parser.add_argument("--datasets-dir", default=str(DATASETS_DIR), help="folder with {dataset}_{train,test}.jsonl")
    parser.add_argument(
        "--datasets", type=dataset_names, default=",".join(DATASETS), help="which datasets, separated by commas"
    )
    parser.add_argument("--instruct-model", default=cli.DEFAULT_MODEL, help=cli.MODEL_HELP)
    parser.add_argument("--limit", type=cli.positive_int, help="use LIMIT seeds of each file only, for a cheap trial")
    parser.add_argument("--overwrite", action="store_true", help="make again what was made from other inputs")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would take: calls, cost, disk, memory")
    cli.add_generation_flags(parser, max_new_tokens=400, temperature=1.2)
    parser.add_argument(
        "--eval-max-new-tokens", type=cli.positive_int, default=EVAL_MAX_NEW_TOKENS, help="on test sets"
    )
    parser.add_argument("--num-candidates", type=cli.positive_int, default=5, help="answers sampled per seed dialogue")
    cli.add_pair_flags(parser)
    train.add_training_flags(parser)
    parser.add_argument("--trained-on", choices=DATASETS, default="tutorchat", help="whose tutor Figures 5 and 6 show")
    cli.add_judge_flags(parser)
    return parser.parse_args(argv)


def dataset_names(words: str) -> list[str]:
    names = words.split(",")
    if unknown := set(names) - set(DATASETS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not among {', '.join(DATASETS)}")
    return names


if __name__ == "__main__":
    cli.run(main, parse_args)
