"""What a run would take, before anything is spent: judge calls, tokens, money, disk and memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils import models
from utils.artifacts import read_json
from utils.clients.prices import Estimate, estimate
from utils.judges.judge import Judge
from utils.records import SeedDialogue
from utils.stats.human_ratings import read_humans

# Bytes per parameter. 16-bit weights; training holds them once more, frozen (LoRA), or as 32-bit weights, gradients
# and Adam's two moments (full). Activations come on top.
WEIGHTS, LORA_TRAINING, FULL_TRAINING = 2, 2.5, 18


def plan(
    root: Path, judge: Judge, seeds: Mapping[tuple[str, str], Sequence[SeedDialogue]], humans: Path, model: str,
    flags: Mapping[str, Any],
) -> str:  # fmt: skip
    """The lines that `pipeline --dry-run` prints. `seeds` are by (dataset, split); a running server is not asked."""
    datasets = sorted({name for name, _ in seeds})
    tutors = len(datasets) + 2  # every fine-tuned one, the base model, the judge's
    estimates: list[list[Estimate]] = []
    lines = ["what would be graded:"]
    for (name, split), dialogues in seeds.items():
        answers, tokens = (
            (flags["num_candidates"], flags["max_new_tokens"]) if split == "train"
            else (tutors, flags["eval_max_new_tokens"])
        )  # fmt: skip
        lines.append(f"  {name} {split}: {len(dialogues)} dialogues x {answers} answers of up to {tokens} tokens")
        texts = [dialogue.text for dialogue in dialogues]
        estimates.append(estimate(judge, texts, answers=answers, answer_tokens=tokens))
    if humans.is_file():
        rows = read_humans(humans)
        lines.append(f"  {humans.name}: {len(rows)} answers that people rated")
        estimates.append(estimate(judge, [row["prompt"] for row in rows], answer_tokens=0))
    lines.append("judge (the calls in which it plays the tutor itself come on top):")
    lines += [f"  {_sum(parts)}" for parts in zip(*estimates, strict=True)] or [f"  {judge.name}: asks no server"]
    size = parameters(model)
    training = FULL_TRAINING if flags["full_finetune"] else LORA_TRAINING
    lines += [
        f"{models.display_name(model)}: {size / 1e6:,.0f} million parameters",
        f"  disk: {_gigabytes(WEIGHTS * size * len(datasets))} of weights, and checkpoints",
        f"  memory: {_gigabytes(WEIGHTS * size)} to generate, {_gigabytes(training * size)} to train, and activations",
    ]
    done = _done(root)
    lines.append(f"done already in {root}, skipped if the inputs are the same: {', '.join(done) or 'nothing'}")
    return "\n".join(lines)


def parameters(model: str) -> int:
    """How many parameters a model has, by its config alone."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(models.resolve(model))).num_parameters()


def _sum(parts: Sequence[Estimate]) -> Estimate:
    costs = [part.cost for part in parts]
    return Estimate(
        parts[0].judge, sum(part.calls for part in parts), sum(part.prompt_tokens for part in parts),
        sum(part.completion_tokens for part in parts), None if None in costs else sum(costs),
        max(part.longest_prompt for part in parts), parts[0].context,
    )  # fmt: skip


def _done(root: Path) -> list[str]:
    path = root / "manifest.json"
    artifacts = read_json(path)["artifacts"] if path.is_file() else {}
    return [name for name, entry in artifacts.items() if entry["state"] == "done" and (root / name).exists()]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
