"""Estimate what a run would take, before anything is spent: judge calls, tokens, money, disk and memory."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils import models, speed
from utils.artifacts import read_manifest
from utils.clients.prices import CHARACTERS_PER_TOKEN, Estimate, estimate
from utils.dpo import memory
from utils.dpo.recipe import Training
from utils.errors import no_room
from utils.judges.judge import Judge
from utils.records import SeedDialogue
from utils.stats.human_ratings import read_humans
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling


def plan(
    root: Path, judge: Judge, seeds: Mapping[tuple[str, str], Sequence[SeedDialogue]], humans: Path,
    tutor: LocalTutor | ServedTutor, base: LocalTutor | ServedTutor, training: Training, num_candidates: int,
    num_graded: Mapping[str, int], num_trainings: int, second: Judge | None = None,
    num_again: Mapping[str, int] | None = None, limit: int | None = None,
) -> str:  # fmt: skip
    """Return the lines that `pipeline --dry-run` prints. No server is asked.

    `seeds` are by (dataset, split). `tutor` samples the candidates; `base` is the same tutor with the settings of the
    evaluation. `num_graded` is the number of answers to one dialogue that are graded, for each test set. `num_again` is
    how many of them `second` grades again (default: all).
    """
    estimates: list[list[Estimate]] = []
    lines = ["what would be graded:"]
    for (name, split), dialogues in seeds.items():
        answers, tokens = (
            (num_candidates, _sampling(tutor).max_new_tokens) if split == "train"
            else (num_graded[name], _sampling(base).max_new_tokens)
        )  # fmt: skip
        lines.append(f"  {name} {split}: {len(dialogues)} dialogues x {answers} answers of up to {tokens} tokens")
        texts = [dialogue.text for dialogue in dialogues]
        estimates.append(estimate(judge, texts, answers=answers, answer_tokens=tokens))
    if humans.is_file():
        rows = read_humans(humans)[: limit and max(limit, 2)]  # as human_vs_gpt takes them
        lines.append(f"  {humans.name}: {len(rows)} answers that people rated")
        estimates.append(estimate(judge, [row["prompt"] for row in rows], answer_tokens=0))
    tests = {name: dialogues for (name, split), dialogues in seeds.items() if split == "test"}
    lines.append("judge:")
    lines += [f"  {_sum(parts)}" for parts in zip(*estimates, strict=True)] or [f"  {judge.name}: asks no server"]
    if estimates and any(estimates):
        lines.append(f"  and {sum(map(len, tests.values())):,} calls in which it plays the tutor itself")
    if second and not second.free:
        again = [
            estimate(second, [one.text for one in dialogues], answers=(num_again or num_graded)[name],
                     answer_tokens=_sampling(base).max_new_tokens)
            for name, dialogues in tests.items()
        ]  # fmt: skip
        lines += [f"  {_sum(parts)}, the second judge" for parts in zip(*again, strict=True)]
    model = models.skeleton(training.model)
    size = model.num_parameters()
    template = len(getattr(tutor, "local", tutor).template)
    prompts = {
        key: [(len(one.text) + template) / CHARACTERS_PER_TOKEN for one in dialogues]
        for key, dialogues in seeds.items()
    }
    texts = [tokens for (_, split), some in prompts.items() if split == "train" for tokens in some]
    longest = int(max(texts, default=0)) + _sampling(tutor).max_new_tokens
    to_train = memory.to_train(size, model.config, training, min(longest, training.longest_sequence()))
    weights, kept = memory.on_disk(size, training, num_trainings)
    lines += [
        f"{models.display_name(training.model)}: {size / 1e6:,.0f} million parameters",
        f"  disk: {_gigabytes(weights)} of weights, up to {_gigabytes(kept)} of checkpoints"
        f" ({_gigabytes(_free(root))} are free)",
        f"  memory: {_gigabytes(memory.WEIGHTS * size + memory.LIBRARIES)} and the answers' caches to generate,"
        f" about {_gigabytes(to_train)} to train",
    ]
    lines.append(f"  time: {_time(size, prompts, tutor, base, training, num_candidates, num_graded, num_trainings)}")
    done = _done(root)
    lines.append(f"done already in {root}, skipped if the inputs are the same: {', '.join(done) or 'nothing'}")
    return "\n".join(lines)


def _time(
    size: int, prompts: Mapping[tuple[str, str], Sequence[float]], tutor: LocalTutor | ServedTutor,
    base: LocalTutor | ServedTutor, training: Training, num_candidates: int, num_graded: Mapping[str, int],
    num_trainings: int,
) -> str:  # fmt: skip
    """Estimate the time on this machine if every answer has the maximum length and every seed gives a pair.

    `prompts` has the number of tokens of each prompt, by (dataset, split).
    """
    rate = speed.matrix_rate(training.device, training.dtype)
    sampled = trained = 0.0
    for (name, split), tokens in prompts.items():
        answer = _sampling(tutor if split == "train" else base).max_new_tokens
        if split == "train":
            sampled += speed.to_sample(size, rate, sum(tokens), num_candidates * len(tokens) * answer)
            pairs = sum(tokens) + 2 * answer * len(tokens)  # a pair's shared prompt is forwarded only once
            trained += speed.to_train(size, rate, training.epochs * pairs, full=training.full_finetune)
            trained += speed.to_sample(size, rate, pairs, 0)  # the reference model's log-probabilities
        else:
            answers = num_graded[name] * len(tokens) * answer
            sampled += speed.to_sample(size, rate, num_graded[name] * sum(tokens), answers)
    trained *= max(1, num_trainings) / max(1, sum(split == "train" for _, split in prompts))
    where = "the server samples" if isinstance(tutor, ServedTutor) else f"about {_duration(sampled)} at most to sample"
    return (
        f"{where}, {_duration(trained)} to train, by the {rate / 1e12:.2g} TFLOP/s of matrix products just measured "
        "here; a judge that is a service takes its own"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def check_disk(root: Path, training: Training, num_trainings: int) -> None:
    """Raise OSError if the disk cannot hold weights and checkpoints of all trainings that are not done yet."""
    left = num_trainings - sum(name.endswith("weights") for name in _done(root))
    if left > 0:
        needed = sum(memory.on_disk(models.skeleton(training.model).num_parameters(), training, left))
        if needed > _free(root):
            how = " (--full-finetune: LoRA takes less)" if training.full_finetune else ""
            raise no_room(root, f"{left} trainings{how} need", needed, _free(root))


def _free(path: Path) -> int:
    return shutil.disk_usage(_existing(path)).free


def _sampling(tutor: LocalTutor | ServedTutor) -> Sampling:
    return getattr(tutor, "local", tutor).sampling


def _sum(parts: Sequence[Estimate]) -> Estimate:
    costs = [part.cost for part in parts]
    return Estimate(
        parts[0].judge, sum(part.calls for part in parts), sum(part.prompt_tokens for part in parts),
        sum(part.completion_tokens for part in parts), None if None in costs else sum(costs),
        max(part.longest_prompt for part in parts), parts[0].context,
    )  # fmt: skip


def _existing(path: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(folder for folder in (path.resolve(), *path.resolve().parents) if folder.is_dir())


def _done(root: Path) -> list[str]:
    artifacts = (read_manifest(root) or {"artifacts": {}})["artifacts"]
    return [name for name, entry in artifacts.items() if entry["state"] == "done" and (root / name).exists()]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
