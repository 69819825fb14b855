"""Run the whole experiment: make preference data, fine-tune, evaluate, check the judge against people, draw figures.

    python -m pipeline --output-dir runs/first
    python -m pipeline --output-dir out --judge-llm openai env:OPENAI_API_KEY gpt-4o \\
        --instruct-model microsoft/Phi-3-mini-4k-instruct

Without flags it needs no key, no GPU and no download: it uses a small model, the bundled seeds and the offline judge.
With a larger model and an LLM as judge it is the paper's experiment. If it is stopped at any point, the same command
resumes it. A stage whose artifact was made from the same inputs is skipped, and only the run's own files are deleted.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
import itertools
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import classroom
import eval_model
import figures
import gen_train_dataset
import human_vs_gpt
import regrade
import report
import self_eval
import train
import warm_start
from utils import cli, flags
from utils.errors import BadInput
from utils.seeds.read import DATASETS_DIR

if TYPE_CHECKING:
    from utils.clients.chat import JudgeError, JudgeUnavailable
    from utils.dpo.recipe import Training
    from utils.judges.judge import Judge
    from utils.run import Run
    from utils.seeds.chosen import Chosen
    from utils.tutors.local import LocalTutor
    from utils.tutors.served import ServedTutor

EVAL_MAX_NEW_TOKENS = 250  # the paper's limit; that for candidates is 400
HUMAN_RATINGS = "mathdial_human_eval.json"

log = logging.getLogger(__name__)


def main(
    *, output_dir: Path, datasets_dir: Path, datasets: list[str] | None, tutor: "LocalTutor | ServedTutor",
    judge: "Judge", training: "Training", num_candidates: int, min_chosen_score: float, min_margin: float,
    eval_max_new_tokens: int, trained_on: str | None, eval_temperature: float = 0.0, eval_limit: int | None = None,
    train_on: list[str] | None = None, training_seeds: list[int] | None = None, warm_start: bool = False,
    with_reference: bool = False, rounds: int = 1, also_evaluate: list[list[str]] | None = None,
    report_judge: "Judge | None" = None, own_dialogue_gain: bool = False, best_of: int | None = None,
    roles: dict[str, Any] | None = None, classroom_problems: int = 0, classroom_turns: int = 6,
    prices: str | None = None, limit: int | None = None, overwrite: bool = False, dry_run: bool = False,
    use_cache: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Run all stages in the training root `output_dir`. Returns what `figures.main` returns.

    `tutor` is the base model with the sampling settings for candidates. Base and fine-tuned tutors are evaluated with
    the same settings: `eval_temperature`, `eval_max_new_tokens`, and the first `eval_limit` seeds of each test set.
    """
    from utils.classroom.actors import Classroom
    from utils.classroom.cost import estimate
    from utils.classroom.problems import generate
    from utils.dpo.config import dpo_config
    from utils.dpo.rehearsal import rehearse
    from utils.manifest import Manifest, check_root, only_run
    from utils.own_dialogue import others_each
    from utils.plan import check_disk, plan
    from utils.results.training_root import WARM_START
    from utils.run import Run
    from utils.seeds.audit import examine, one_line
    from utils.seeds.chosen import choose
    from utils.stats.human_ratings import read_humans
    from utils.tutors.baselines import baselines
    from utils.tutors.local import LocalTutor
    from utils.tutors.variants import also, finetuned, resampled

    root, humans = output_dir, datasets_dir / HUMAN_RATINGS
    limits = {"train": limit, "test": min(filter(None, (limit, eval_limit)), default=None)}
    seeds = choose(datasets_dir, datasets, train_on, limits=limits, roles=roles)
    if trained_on and trained_on not in seeds.train_on:
        raise BadInput(f"--trained-on {trained_on}: no tutor is trained on it, only on {', '.join(seeds.train_on)}")
    audited = examine(seeds.by_dataset, datasets_dir)
    if warning := one_line(audited):
        log.warning(warning)
    if use_cache:
        log.info("--use-cache is always on: what was made from the same inputs is not made again")
    conversations = [dialogue.text for dialogues in seeds.dialogues.values() for dialogue in dialogues]
    base = resampled(tutor, temperature=eval_temperature, max_new_tokens=eval_max_new_tokens)
    others, second = also(also_evaluate or [], base), report_judge
    for one in filter(None, (judge, second)):
        one.see(conversations)
    times = len(training_seeds or [0])
    trainings = len(seeds.train_on) * times
    fits = trainings * rounds + warm_start
    for actor in (tutor, base, training, *(one for one in others.values() if isinstance(one, LocalTutor))):
        actor.check()  # asks no server
    rehearse(training)  # checks --set
    dpo_config(training, root)  # checks --report-to
    if humans.is_file():
        read_humans(humans)  # now rather than after all trainings
    check_root(root)
    check_disk(root, training, fits)
    if dry_run:
        shown = {  # an answer of each tutor, and with --own-dialogue-gain each on other dialogues too
            name: (
                trainings + 2 + warm_start + len(others) + len(baselines(base, seeds.dialogues[name, "test"]))
                + bool(best_of)
            ) * (1 + own_dialogue_gain * others_each([one.group for one in seeds.dialogues[name, "test"]]))
            for name in seeds.tested
        }  # fmt: skip
        graded = {name: count + (best_of or 1) - 1 for name, count in shown.items()}
        candidates = (num_candidates + with_reference) * rounds * times
        said = plan(
            root, judge, seeds.dialogues, humans, tutor, base, training, candidates, graded, fits, second, shown, limit
        )  # fmt: skip
        print(said)
        if classroom_problems:
            talking = [base] * (1 + trainings) + list(others.values())
            lesson = Classroom(talking, generate(classroom_problems), classroom_turns)
            print("classroom:\n  " + estimate(lesson, judge, prices).replace("\n", "\n  "))
        return {}
    for actor in filter(None, (judge, second, *others.values())):
        actor.check()

    with only_run(root):
        manifest = Manifest(root, overwrite)
        names = {"judge": judge.name, "base": tutor.name, "self": self_eval.tutor_name(judge, tutor)}
        if not manifest.data["names"]:  # an existing root keeps its names until all is made again
            manifest.update(names=names, seeds_audit=audited)
        run = Run(root, manifest)
        tutors, start = {"base": base}, tutor
        if warm_start:
            start, training = warmed(run, seeds.trained(), tutor, training, limit)
            tutors[WARM_START] = finetuned(base, Path(start.model))
        else:
            manifest.outdate("warm_start/weights", "no warm start")
            manifest.outdate(f"evaluation/*/{WARM_START}.json", "no warm start")
        pair_inputs = {"num_candidates": num_candidates, "min_chosen_score": min_chosen_score, "min_margin": min_margin}
        pair_inputs |= {"judge": judge, "limit": limit} | ({"with_reference": True} if with_reference else {})
        pair_inputs |= {"roles": roles} if roles else {}
        trained, missing = train_all(run, seeds, start, base, training, training_seeds, rounds, **pair_inputs)
        tutors |= trained
        more = ({"own_dialogue_gain": True} if own_dialogue_gain else {}) | ({"roles": roles} if roles else {})
        more |= {"judge": judge, "limit": limits["test"]}
        evaluate_all(run, seeds, tutors | others, base, best_of, **more)
        manifest.update(names=names, seeds_audit=audited)
        run.note()
        if second:
            gain = {"own_dialogue_gain": True} if own_dialogue_gain else {}
            regraded(run, second, min_chosen_score, min_margin, **gain)
            run.note()
        check_judge(run, humans, judge, limit)
        log.info("\n== figures")
        drawn = figures.main(training_root=root, trained_on=trained_on)
        talking = [one for name, one in (tutors | others).items() if name != WARM_START]
        failed = hold_classroom(run, talking, classroom_problems, classroom_turns, judge)
        page = report.main(training_root=root, trained_on=trained_on)
    if missing:
        print(f"\nNo tutor was trained on {', '.join(missing)}: no pair was eligible (the scores are shown above).")
    print()
    if trained:
        print(f"The weights of each tutor are in {root}/dpo/*/weights.")
    if seeds.tested:
        print(f"The graded answers are in {root}/evaluation.")
    if failed:
        print(f"The classroom did not end; {page} has all the rest.")
        raise failed
    print(f"Next: open {page} and read a few answers, then run it with your own seeds, model and judge (README).")
    return drawn


def check_judge(run: "Run", humans: Path, judge: "Judge", limit: int | None) -> None:
    """Compare the judge with people's ratings, if the file `humans` exists."""
    if humans.is_file():
        run.make(human_vs_gpt, "evaluation/human_vs_gpt.json", humans=[humans], judge=judge, repeats=1, limit=limit)
    else:
        log.info(
            "\n== the judge is not checked against people: %s has no %s "
            "(`python -m fetch_datasets --paper` brings the paper's)", humans.parent, humans.name,
        )  # fmt: skip


def hold_classroom(
    run: "Run", tutors: list[Any], problems: int, turns: int, judge: "Judge"
) -> "JudgeError | JudgeUnavailable | None":
    """Let all tutors talk to students. If the judge fails, return its error, so that the rest can still be reported."""
    from utils.classroom.actors import Classroom
    from utils.classroom.problems import generate
    from utils.clients.chat import JudgeError, JudgeUnavailable

    if not problems:
        run.manifest.outdate("classroom/classroom.json", "no classroom")
        return None
    try:
        lesson = Classroom(tutors, generate(problems), turns)
        run.make(classroom, "classroom/classroom.json", classroom=lesson, judge=judge)
    except (JudgeError, JudgeUnavailable) as error:  # a judge that can grade answers may fail at whole dialogues
        return error
    return None


def regraded(run: "Run", judge: "Judge", min_chosen_score: float, min_margin: float, **more: Any) -> None:
    """Let a second judge grade every evaluation of this run again. Its files are written beside the first judge's."""
    from utils.results.reading import read_root, second_file

    for one in read_root(run.root).evaluations:
        if not one.by:
            run.make(
                regrade, second_file(one.path, judge.name), artifact=run.root / one.path, judge=judge,
                min_chosen_score=min_chosen_score, min_margin=min_margin, **more,
            )  # fmt: skip


def warmed(
    run: "Run", seeds: list[Path], tutor: "LocalTutor | ServedTutor", training: "Training", limit: int | None
) -> tuple["LocalTutor", "Training"]:
    """Fine-tune on the reference turns of all datasets. Returns tutor and training that start from those weights."""
    from utils.tutors.variants import finetuned

    supervised = training.supervised(**warm_start.RECIPE)
    weights = run.make(warm_start, "warm_start/weights", seeds=seeds, training=supervised, limit=limit)
    return finetuned(tutor, weights), replace(training, model=str(weights))


def train_all(
    run: "Run", seeds: "Chosen", start: "LocalTutor | ServedTutor", base: "LocalTutor | ServedTutor",
    training: "Training", training_seeds: list[int] | None, rounds: int, **pair_inputs: Any,
) -> tuple[dict[str, "LocalTutor"], list[str]]:  # fmt: skip
    """Train a tutor on each of `seeds.train_on`, with each training seed.

    Training begins from `start`. `pair_inputs` are further inputs of `gen_train_dataset`.
    Returns (the tutors by the names of their evaluation files, the training sets that had no eligible pair). The run
    goes on without the latter.
    """
    from utils.dpo.preferences import NoEligiblePair
    from utils.results.training_root import TRAINED
    from utils.tutors.variants import finetuned, resampled

    tutors, trained = {}, set()
    first, *_ = training_seeds = training_seeds or [training.seed]
    for name, seed in itertools.product(seeds.train_on, training_seeds):
        folder = name if seed == first else f"{name}.seed{seed}"
        begin, recipe = resampled(start, seed=seed), replace(training, seed=seed)
        try:
            weights = teach(run, folder, begin, recipe, rounds, seeds=seeds.trained(name), **pair_inputs)
            tutors[TRAINED + folder] = finetuned(base, weights)
            trained.add(name)
        except NoEligiblePair as error:  # frequent in a short trial; the other stages can still run
            log.warning("%s\nno tutor is trained on %s; the run goes on without it", error, folder)
            run.manifest.outdate(f"dpo/{folder}/weights", "no eligible pair")
            run.manifest.outdate(f"evaluation/*/{TRAINED}{folder}.*", "no eligible pair")
    return tutors, [name for name in seeds.train_on if name not in trained]


def evaluate_all(
    run: "Run", seeds: "Chosen", tutors: dict[str, Any], base: "LocalTutor | ServedTutor", best_of: int | None,
    **test: Any,
) -> None:  # fmt: skip
    """Let tutors and baselines answer every test set. `test` are further inputs of the stages."""
    from utils.tutors.baselines import baselines
    from utils.tutors.variants import resampled

    playing = resampled(base, temperature=self_eval.TEMPERATURE)
    for name in seeds.tested:
        test["seeds"] = [seeds.paths[name, "test"]]
        for file, one in (tutors | baselines(base, seeds.dialogues[name, "test"])).items():
            run.make(eval_model, f"evaluation/{name}/{file}.json", tutor=one, **test)
        run.make(self_eval, f"evaluation/{name}/gpt4o.json", tutor=playing, **test)
        if best_of:
            file = f"evaluation/{name}/baseline_best_of_n.json"
            run.make(eval_model, file, tutor=playing, best_of=best_of, **test)
    if not best_of:
        run.manifest.outdate("evaluation/*/baseline_best_of_n.*", "no --best-of")


def teach(
    run: "Run", name: str, tutor: "LocalTutor | ServedTutor", training: "Training", rounds: int, **pairs: Any
) -> Path:
    """Train a tutor on one dataset, each round from the tutor of the round before.

    The last round's artifacts are in `dpo/{name}`, those of earlier rounds in `dpo/{name}/round_{number}`. `pairs` are
    further inputs of `gen_train_dataset`. Returns the path of the last tutor's weights. Raises NoEligiblePair if a
    round has no pair to train on.
    """
    from utils.tutors.variants import finetuned

    for number in range(1, rounds + 1):
        folder = f"dpo/{name}" if number == rounds else f"dpo/{name}/round_{number}"
        dataset = run.make(gen_train_dataset, f"{folder}/train_dataset.json", tutor=tutor, **pairs)
        weights = run.make(train, f"{folder}/weights", train_dataset=dataset, training=training)
        tutor, training = finetuned(tutor, weights), replace(training, model=str(weights))
    return weights


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--output-dir", type=Path, default="runs/pipeline", help="the training root: everything is written here"
    )
    parser.add_argument(
        "--datasets-dir", type=Path, default=DATASETS_DIR, help="folder with {dataset}_{train,test}.jsonl"
    )
    parser.add_argument(
        "--datasets",
        type=names,
        metavar="NAMES",
        help="the datasets to use, separated by commas (default: all in the folder)",
    )
    parser.add_argument(
        "--train-on", type=names, metavar="NAMES",
        help="the datasets of each tutor, e.g. `physics,mathdial+physics` for two tutors (default: one per dataset)",
    )  # fmt: skip
    parser.add_argument(
        "--training-seeds", type=flags.seed, nargs="+", metavar="SEED",
        help="sample and train once with each of these seeds, and show the spread over the trainings",
    )  # fmt: skip
    flags.add_roles_flag(parser)
    parser.add_argument("--instruct-model", dest="model", default=flags.DEFAULT_MODEL, help=flags.MODEL_HELP)
    parser.add_argument("--limit", type=flags.positive_int, help="use only LIMIT seeds of each file, for a cheap trial")
    parser.add_argument("--overwrite", action="store_true", help="remake artifacts that were made from other inputs")
    parser.add_argument("--dry-run", action="store_true", help="only estimate calls, cost, disk space and memory")
    flags.add_generation_flags(parser, max_new_tokens=400, temperature=1.2)
    parser.add_argument(
        "--eval-max-new-tokens", type=flags.positive_int, default=EVAL_MAX_NEW_TOKENS,
        help="the longest answer on test sets, in tokens",
    )  # fmt: skip
    parser.add_argument(
        "--eval-temperature", type=flags.not_negative, default=0.0,
        help="of base and tutors on test sets; with greedy decoding (0) a small model repeats itself",
    )  # fmt: skip
    parser.add_argument("--eval-limit", type=flags.positive_int, help="use only the first N test seeds of each file")
    parser.add_argument(
        "--num-candidates", type=flags.positive_int, default=5, help="answers sampled per seed dialogue"
    )
    parser.add_argument(
        "--warm-start", action="store_true",
        help="first fine-tune the base on the reference turns of all training seeds, and start DPO from that",
    )  # fmt: skip
    parser.add_argument(
        "--with-reference", action="store_true",
        help="add each seed's reference turn (what the teacher really said next) as a candidate that may be chosen",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=flags.positive_int, default=1,
        help="generate, grade and train this many times, each time from the last tutor",
    )  # fmt: skip
    flags.add_pair_flags(parser)
    train.add_training_flags(parser)
    flags.add_trained_on_flag(parser)
    parser.add_argument(
        "--also-evaluate", nargs="+", action="append", metavar="WORD",
        help="also evaluate another tutor: a model, `openai ...` or `ollama ...`; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--best-of", type=flags.positive_int, metavar="N",
        help="one more baseline: the best of N answers by the base, chosen by the judge (N more calls per test "
        "dialogue); with the offline judge, gpt4o.json always is the base's best of five",
    )  # fmt: skip
    flags.add_gain_flag(parser)
    flags.add_judge_flags(parser)
    parser.add_argument(
        "--report-judge", nargs="+", action="append", metavar="WORD",
        help="a second judge, in the form of --judge-llm, that grades all evaluations again; both are shown. Given "
        "more than once: a panel. The judge's flags hold for it too; --judge-batch where all of it is `openai ...`",
    )  # fmt: skip
    parser.add_argument(
        "--classroom-problems", type=flags.not_negative_int, default=24, metavar="N",
        help="let base and tutors talk to a rule-based student about N problems, beside controls; 0: skip this",
    )  # fmt: skip
    parser.add_argument("--classroom-turns", type=flags.positive_int, default=6, help="most turns of a tutor there")
    parser.add_argument("--use-cache", action="store_true", help="the original code's flag; replies are always cached")
    return parser.parse_args(argv)


def names(words: str) -> list[str]:
    return words.split(",")


if __name__ == "__main__":
    cli.run(main, parse_args)
