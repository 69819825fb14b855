"""The whole experiment: make preference data, fine-tune, evaluate, check the judge against people, draw the figures.

    python -m pipeline --output-dir runs/first
    python -m pipeline --output-dir out --judge-llm openai env:OPENAI_API_KEY gpt-4o \\
        --instruct-model microsoft/Phi-3-mini-4k-instruct

Without flags it needs no key, no GPU and no download: a small model, the seeds that ship, the offline judge. With
a real model and a real judge it is the paper's run. Stopped anywhere, the same command goes on where it was; a stage
whose artifact was made from the same inputs is skipped, and nothing is deleted that it did not make itself.
"""

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import eval_model
import figures
import gen_train_dataset
import human_vs_gpt
import self_eval
import train
import warm_start
from utils import cli
from utils.seeds.read import DATASETS, DATASETS_DIR

if TYPE_CHECKING:
    from utils.dpo.recipe import Training
    from utils.judges.judge import Judge
    from utils.tutors.local import LocalTutor
    from utils.tutors.served import ServedTutor

EVAL_MAX_NEW_TOKENS = 250  # the paper's limits: 250 tokens in evaluation, 400 for candidates
HUMAN_RATINGS = "mathdial_human_eval.json"

log = logging.getLogger(__name__)


def main(
    *, output_dir: Path, datasets_dir: Path, datasets: list[str], tutor: "LocalTutor | ServedTutor", judge: "Judge",
    training: "Training", num_candidates: int, min_chosen_score: float, min_margin: float, eval_max_new_tokens: int,
    trained_on: str, warm_start: bool = False, with_reference: bool = False, rounds: int = 1,
    eval_temperature: float = 0.0, eval_limit: int | None = None, limit: int | None = None, overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Fill the training root `output_dir`; returns what `figures.main` returns.

    `tutor` is the base model as it samples candidates. It is evaluated, as every fine-tuned tutor is, at
    `eval_temperature` and with `eval_max_new_tokens`, on the first `eval_limit` test seeds.
    """
    from utils.dpo.preferences import NoEligiblePair
    from utils.manifest import Manifest, only_run
    from utils.plan import plan
    from utils.seeds.audit import audit, one_line
    from utils.seeds.read import find_seeds, read_seeds

    root, humans = output_dir, datasets_dir / HUMAN_RATINGS
    seeds = {(name, split): find_seeds(datasets_dir, name, split) for name in datasets for split in ("train", "test")}
    limits = {"train": limit, "test": min(filter(None, (limit, eval_limit)), default=None)}
    dialogues = {(name, split): read_seeds(path, limits[split]) for (name, split), path in seeds.items()}
    audited = audit(datasets_dir)
    if warning := one_line(audited):
        log.warning(warning)
    base = resampled(tutor, temperature=eval_temperature, max_new_tokens=eval_max_new_tokens)
    if dry_run:
        candidates = (num_candidates + with_reference) * rounds
        print(plan(root, judge, dialogues, humans, tutor, base, training, candidates, warm_start))
        return {}
    for actor in (tutor, base, judge, training):
        actor.check()

    with only_run(root):
        manifest = Manifest(root, overwrite)
        names = {"judge": judge.name, "base": tutor.name, "self": self_eval.tutor_name(judge, tutor)}
        if not manifest.data["names"]:  # a root that has them keeps them until all is made again under the new ones
            manifest.set(names=names, seeds_audit=audited)
        run = Run(root, manifest)
        tutors, start = {"base": base}, tutor
        if warm_start:
            train_seeds = [seeds[name, "train"] for name in datasets]
            start, training = warmed(run, train_seeds, tutor, training, limit)
            tutors["baseline_warm_start"] = finetuned(base, Path(start.model))
        else:
            before = ["warm_start/weights", *(f"evaluation/{name}/baseline_warm_start.json" for name in DATASETS)]
            manifest.outdate(before, "no warm start")
        how = {"num_candidates": num_candidates, "min_chosen_score": min_chosen_score, "min_margin": min_margin}
        how |= {"limit": limit} | ({"with_reference": True} if with_reference else {})
        trained = []
        for name in datasets:
            try:
                weights = teach(run, name, start, training, rounds, seeds=seeds[name, "train"], judge=judge, **how)
                tutors[f"from_finetuned_with_{name}"] = finetuned(base, weights)
                trained.append(name)
            except NoEligiblePair as error:  # a short trial meets this often: all the rest can still be seen
                log.warning("%s\nno tutor is trained on %s; the run goes on without it", error, name)
                stale = [f"evaluation/{other}/from_finetuned_with_{name}.json" for other in DATASETS]
                manifest.outdate([f"dpo/{name}/weights", *stale], "no eligible pair")
        for name in datasets:
            test = {"seeds": seeds[name, "test"], "judge": judge, "limit": limits["test"]}
            for file, one in tutors.items():
                run.make(eval_model, f"evaluation/{name}/{file}.json", tutor=one, **test)
            playing = resampled(base, temperature=self_eval.TEMPERATURE)
            run.make(self_eval, f"evaluation/{name}/gpt4o.json", tutor=playing, **test)
        manifest.set(names=names, seeds_audit=audited)
        if humans.is_file():
            run.make(
                human_vs_gpt, "evaluation/human_vs_gpt.json", humans=[humans], judge=judge, repeats=1, limit=limit
            )  # fmt: skip
        else:
            log.info(
                "\n== the judge is not checked against people: %s has no %s "
                "(`python -m fetch_datasets --paper` brings the paper's)", datasets_dir, HUMAN_RATINGS,
            )  # fmt: skip
        log.info("\n== figures")
        drawn = figures.main(training_root=root, trained_on=trained_on)
    if missing := [name for name in datasets if name not in trained]:
        print(f"\nNo tutor was trained on {', '.join(missing)}: no pair was eligible (the scores are shown above).")
    weights = f"The weights of each tutor are in {root}/dpo/*/weights, the" if trained else "The"
    print(f"\n{weights} graded answers are in {root}/evaluation.")
    print("Next: read a few answers beside their verdicts, then run it with your own seeds, model and judge (README).")
    return drawn


def warmed(
    run: "Run", seeds: list[Path], tutor: "LocalTutor | ServedTutor", training: "Training", limit: int | None
) -> tuple["LocalTutor", "Training"]:
    """Fine-tune on the reference turns of all datasets; returns the tutor and the training that go on from there."""
    supervised = training.supervised(**warm_start.RECIPE)
    weights = run.make(warm_start, "warm_start/weights", seeds=seeds, training=supervised, limit=limit)
    return finetuned(tutor, weights), replace(training, model=str(weights))


def teach(
    run: "Run", name: str, tutor: "LocalTutor | ServedTutor", training: "Training", rounds: int, **pairs: Any
) -> Path:
    """Train a tutor on one dataset, each round from the tutor of the round before; returns the last one's weights.

    The last round's artifacts are in `dpo/{name}`, those of the others in `dpo/{name}/round_{number}`. `pairs` are
    further inputs of `gen_train_dataset`. Raises NoEligiblePair where a round has nothing to train on.
    """
    for number in range(1, rounds + 1):
        folder = f"dpo/{name}" if number == rounds else f"dpo/{name}/round_{number}"
        dataset = run.make(gen_train_dataset, f"{folder}/train_dataset.json", tutor=tutor, **pairs)
        weights = run.make(train, f"{folder}/weights", train_dataset=dataset, training=training)
        tutor, training = finetuned(tutor, weights), replace(training, model=str(weights))
    return weights


def resampled(tutor: "LocalTutor | ServedTutor", **sampling: Any) -> "LocalTutor | ServedTutor":
    """The same tutor with another temperature, or another limit on tokens."""
    if hasattr(tutor, "local"):
        return replace(tutor, local=resampled(tutor.local, **sampling))
    return replace(tutor, sampling=replace(tutor.sampling, **sampling))


def finetuned(base: "LocalTutor | ServedTutor", weights: Path) -> "LocalTutor":
    """The base with other weights: a server that was started before the run cannot have what the run trains."""
    return replace(getattr(base, "local", base), model=str(weights))


@dataclass
class Run:
    """Makes artifacts of one training root, each by one stage, unless it was made before from the same inputs."""

    root: Path
    manifest: Any

    def make(self, stage: ModuleType, artifact: str, **inputs: Any) -> Path:
        """Let `stage.main` make the artifact of these inputs: actors, paths and values. Returns its path."""
        path = self.root / artifact
        where = {"output_dir": path.parent} if stage in (train, warm_start) else {"output_path": path}
        log.info("\n== %s", artifact)
        if not self.manifest.make(
            artifact, stage.__name__, inputs, lambda: stage.main(**inputs, **where, overwrite=True)
        ):
            log.info("made before from the same inputs: skipped")
        return path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--output-dir", type=Path, default="runs/pipeline", help="the training root: everything is written here"
    )
    parser.add_argument(
        "--datasets-dir", type=Path, default=DATASETS_DIR, help="folder with {dataset}_{train,test}.jsonl"
    )
    parser.add_argument(
        "--datasets", type=dataset_names, default=",".join(DATASETS), help="which datasets, separated by commas"
    )
    parser.add_argument("--instruct-model", dest="model", default=cli.DEFAULT_MODEL, help=cli.MODEL_HELP)
    parser.add_argument("--limit", type=cli.positive_int, help="use LIMIT seeds of each file only, for a cheap trial")
    parser.add_argument("--overwrite", action="store_true", help="make again what was made from other inputs")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would take: calls, cost, disk, memory")
    cli.add_generation_flags(parser, max_new_tokens=400, temperature=1.2)
    parser.add_argument(
        "--eval-max-new-tokens", type=cli.positive_int, default=EVAL_MAX_NEW_TOKENS, help="on test sets"
    )
    parser.add_argument(
        "--eval-temperature", type=cli.not_negative, default=0.0,
        help="of base and tutors on test sets; a small model that takes the likeliest token (0) repeats itself",
    )  # fmt: skip
    parser.add_argument("--eval-limit", type=cli.positive_int, help="use the first N test seeds of each file only")
    parser.add_argument("--num-candidates", type=cli.positive_int, default=5, help="answers sampled per seed dialogue")
    parser.add_argument(
        "--warm-start", action="store_true",
        help="first fine-tune the base on the reference turns of all datasets' train seeds; DPO goes on from there",
    )  # fmt: skip
    parser.add_argument(
        "--with-reference", action="store_true",
        help="a seed's reference turn (what the teacher really said next) is one more candidate, and may be chosen",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=cli.positive_int, default=1,
        help="generate, grade and train that often, each time from the last tutor",
    )  # fmt: skip
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
