"""The settings of a training: the model, the paper's hyperparameters, LoRA's, and the precision of the weights."""

import importlib.util
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from utils import models
from utils.errors import BadInput
from utils.prompts import INFERENCE_PROMPT, digest, load_template, tutor_messages

# What earlier versions trained with, which had no such settings.
FORMER_DEFAULTS = {
    "lora_rank": 16, "lora_alpha": 32, "lora_targets": "all-linear", "load_in_4bit": False, "keep_adapter": False,
}  # fmt: skip
CHANGE_NO_WEIGHT = ("device", "report_to")


@dataclass(frozen=True)
class Training:
    """A DPO training. Its fields are flags of `train.py`, with the paper's values as defaults.

    `settings` holds all that can change its result; checkpoints and the manifest are keyed by it.
    """

    model: str | None  # a hub name, a folder or `smollm2`; None: the model that sampled the pairs
    inference_prompt: Path | str = INFERENCE_PROMPT
    min_chosen_score: float = 0.8
    full_finetune: bool = False
    learning_rate: float = 5e-5
    beta: float = 0.1
    epochs: float = 2
    batch_size: int = 1  # pairs forwarded together, per process
    gradient_accumulation: int = 4
    warmup_ratio: float = 0.05
    max_grad_norm: float = 0.3
    max_length: int | None = None  # tokens of prompt and answer; None is the model's context
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_targets: str = "all-linear"  # or names of modules, separated by commas
    load_in_4bit: bool = False
    keep_adapter: bool = False
    trl_fields: list[str] | None = None  # `--set`: more fields of trl's DPOConfig, as name=value
    seed: int = 0
    dtype: str = "auto"
    device: str = "auto"
    report_to: str = "none"

    def starting_from(self, sampled_by: dict[str, Any] | None) -> "Training":
        """Return this training with the model that sampled the pairs, `sampled_by`, as its own if none was given.

        Raises BadInput if the pairs were sampled by another model or prompt than this training has, or if neither names
        a model.
        """
        if self.model is None and not (sampled_by or {}).get("model"):
            raise BadInput("the pairs do not say which model sampled them: name the one to train with --instruct-model")
        training = replace(self, model=self.model or sampled_by["model"])
        if sampled_by:
            ours = models.identity(training.model) | {"inference_prompt": digest(self.template)}
            theirs = sampled_by["settings"]
            if not {"sha256", "revision"} & theirs.keys():  # a server gives no more than a name
                ours = {"model": training.model, "inference_prompt": ours["inference_prompt"]}
            elif "sha256" in ours and "sha256" in theirs:  # a folder may have been moved: its content counts
                del ours["model"]
            if differing := [
                f"{name}: {theirs.get(name)} -> {ours[name]}" for name in ours if theirs.get(name) != ours[name]
            ]:
                raise BadInput(
                    "the pairs were sampled from another model or with another prompt than this training's "
                    f"({'; '.join(differing)}): give the --instruct-model and --inference-prompt that sampled them"
                )
        return training

    @property
    def settings(self) -> dict[str, Any]:
        given = {name: value for name, value in asdict(self).items() if name not in CHANGE_NO_WEIGHT}
        return given | {
            "model": models.identity(self.model), "set": changing_weights(given.pop("trl_fields")),
            "inference_prompt": digest(self.template),
        }  # fmt: skip

    @property
    def template(self) -> str:
        """Return the inference prompt's text. Raises BadInput if it lacks {input}."""
        return load_template(self.inference_prompt, "input")

    def longest_sequence(self) -> int:
        """Return the most tokens that prompt and answer may have. Raises BadInput if the model's context has fewer."""
        context = models.context_length(self.model)
        if self.max_length and self.max_length > context:
            raise BadInput(f"--max-length {self.max_length} is more than the model's context of {context} tokens")
        return self.max_length or context

    def supervised(self, **recipe: Any) -> "Training":
        """Return the supervised fine-tuning that goes before this DPO training, with the fields in `recipe` changed.

        Fields that only DPO uses are set to their defaults, so that changing them does not repeat the fine-tuning.
        """
        only_dpo = {
            name: getattr(Training, name) for name in ("min_chosen_score", "beta", "trl_fields", "keep_adapter")
        }
        return replace(self, **only_dpo, **recipe)

    def check(self) -> None:
        """Check that this training can begin, before anything is sampled or paid for. Raises BadInput if it cannot."""
        models.device_of(self.device)
        bare, longest = models.check(self.model, tutor_messages(self.template, "")), self.longest_sequence()
        if longest <= bare:
            raise BadInput(f"--max-length {longest} leaves no room: the prompt has {bare} tokens without a dialogue")
        if self.load_in_4bit:
            self._check_4bit()
        if self.lora_targets != "all-linear":
            there = {name.rpartition(".")[2] for name, _ in models.skeleton(self.model).named_modules()}
            if missing := set_of(self.lora_targets) - there:
                raise BadInput(
                    f"--lora-targets {','.join(sorted(missing))}: {models.display_name(self.model)} has no such "
                    "modules; `all-linear` stands for all linear layers"
                )

    def _check_4bit(self) -> None:
        import torch

        if self.full_finetune:
            raise BadInput("--load-in-4bit trains adapters on frozen weights; leave out --full-finetune")
        if not torch.cuda.is_available() or self.device == "cpu":
            raise BadInput("--load-in-4bit needs an NVIDIA GPU; without one, leave the flag out to train in 16 bits")
        if not importlib.util.find_spec("bitsandbytes"):
            raise BadInput("--load-in-4bit needs a package that is not installed: pip install bitsandbytes")


def upgraded(settings: dict[str, Any]) -> dict[str, Any]:
    """Convert settings that an earlier version wrote to the present form of `Training.settings`."""
    settings = FORMER_DEFAULTS | settings
    if "{input}" in (prompt := settings.get("inference_prompt", "")):
        settings["inference_prompt"] = digest(prompt)
    return settings | {"set": changing_weights(settings.get("set"))}


def changing_weights(words: list[str] | None) -> list[str]:
    """Return the words of `--set` that can change the weights.

    Gradient checkpointing only trades time for memory, so a training may be resumed with or without it.
    """
    return sorted(word for word in words or [] if not word.startswith("gradient_checkpointing"))


def set_of(names: str) -> frozenset[str]:
    return frozenset(names.split(","))


from_flags = Training
