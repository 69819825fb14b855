"""DPO by trl in which a pair's prompt is forwarded once (`shared_prompts`), where the model's attention allows it.

The loss, the metrics and the reference log-probabilities are computed by trl's own code from its own rows. The loss of
a pair of chosen and rejected answer, c and r, to the prompt x is (Rafailov et al., 2023, equation 7)

    -log sigmoid(beta [log p(c|x) - log q(c|x)] - beta [log p(r|x) - log q(r|x)])

with p the model that is trained, q the one that it starts from, and log p(c|x) the sum over the answer's tokens.
"""

import contextlib
import logging
import math
import time
from statistics import fmean
from typing import ClassVar

import torch
from accelerate.utils import send_to_device
from peft.helpers import disable_input_dtype_casting
from transformers import PreTrainedModel
from trl import DPOTrainer

from utils.dpo.shared_prompts import ATTENTION, shared_prompts
from utils.errors import BadInput

# Mean difference of a token's log-probability between the two ways that is rounding. A wrong mask or position gives
# 0.5 and more on a trained model.
ROUNDING = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
MIXED = {"fp16": torch.float16, "bf16": torch.bfloat16}

log = logging.getLogger(__name__)


def stop_unless_finite(loss: float, update: int) -> None:
    if not math.isfinite(loss):
        raise BadInput(
            f"the loss became {loss} in update {update}: training has stopped, the last whole checkpoint is kept; "
            "a lower --learning-rate or --max-grad-norm, or --dtype float32, may help"
        )


class SharedPromptDPOTrainer(DPOTrainer):
    """trl's trainer with shared prompts, where the model's attention allows it; a loss that is no number stops it."""

    # What a summary says of the last updates: the name there, and trl's.
    SUMMARY: ClassVar = {
        "loss": "loss", "rewards_margin": "rewards/margins", "rewards_accuracy": "rewards/accuracies",
    }  # fmt: skip

    shared: bool | None = None  # None: not looked at yet

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._lengths: list[list[int]] = []  # of the pairs since the last log: prompt, chosen, rejected, in tokens

    def train(self, *args, **kwargs):
        self._since = time.monotonic()
        # peft would copy every input to the adapters' float32, and autocast back to 16 bit at once
        with disable_input_dtype_casting(self.model):
            return super().train(*args, **kwargs)

    def compute_ref_log_probs(self, model, inputs):
        with self._shared_prompts():
            return super().compute_ref_log_probs(model, inputs)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The loss of trl, from shared prompts; BadInput where it is no longer a number."""
        answers, rows = inputs["completion_mask"].sum(1), inputs["attention_mask"].sum(1)
        chosen, rejected = answers.chunk(2)
        self._lengths += torch.stack([(rows - answers)[: len(chosen)], chosen, rejected], 1).tolist()
        # `return_outputs` asks for the logits of trl's own rows, which is another forward pass
        with contextlib.nullcontext() if return_outputs else self._shared_prompts():
            result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        stop_unless_finite((result[0] if return_outputs else result).item(), self.state.global_step + 1)
        return result

    def example(self, row: dict) -> dict[str, list[int]]:
        """A training row as the model gets it: token ids by part."""
        return {part: row[f"{part}_ids"] for part in ("prompt", "chosen", "rejected")}

    def log(self, logs, start_time=None):
        """Beside what trl logs: mean lengths in tokens (of this process's pairs), and pairs per second (of all)."""
        if "loss" in logs and self._lengths:
            seconds, self._since = time.monotonic() - self._since, time.monotonic()
            for name, lengths in zip(("prompt", "chosen", "rejected"), zip(*self._lengths, strict=True), strict=True):
                logs[f"lengths/{name}"] = fmean(lengths)
            logs["pairs_per_second"] = len(self._lengths) * self.args.world_size / seconds
            self._lengths = []
        super().log(logs, start_time)

    def _shared_prompts(self):
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        if self.shared is None:
            self.shared = self._try_shared_prompts(base)
        return shared_prompts(base) if self.shared else contextlib.nullcontext()

    def _try_shared_prompts(self, base: PreTrainedModel) -> bool:
        """Forward the end of a pair both ways; one line if they do not agree, and trl's own way it is.

        The end is short, to cost little, but longer than the model's attention window if any prompt is.
        """
        if self.aux_loss_enabled:
            log.info("prompts are forwarded twice: a mixture of experts balances its load over trl's own rows")
            return False
        window = getattr(base.config.get_text_config(), "sliding_window", None) or 0
        pair = max(self.train_dataset, key=lambda row: len(row["prompt_ids"]))
        sizes = {"prompt_ids": slice(-max(64, window + 32), None), "chosen_ids": slice(32), "rejected_ids": slice(24)}
        end = self.data_collator([{name: pair[name][size] for name, size in sizes.items()}])
        batch = send_to_device(end, self.accelerator.device)
        before = base.config._attn_implementation
        try:
            expected = self._log_probs(batch)
            base.set_attn_implementation(ATTENTION)
            with shared_prompts(base):
                found = self._log_probs(batch)
            difference = ((found - expected).abs().sum() / batch["completion_mask"].sum()).item()
            reason = f"log-probabilities differ by {difference:.2g} per token"
            agree = difference < ROUNDING[MIXED.get(self.accelerator.mixed_precision, base.dtype)]
        except (NotImplementedError, TypeError, ValueError, RuntimeError) as error:
            agree, reason = False, f"{type(error).__name__}: {error}".splitlines()[0]
        if not agree:
            base.set_attn_implementation(before)
            log.info("prompts are forwarded twice, as trl does: %s does not share them (%s)",
                     base.config.model_type, reason)  # fmt: skip
        return agree

    def _log_probs(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        with torch.no_grad(), self.accelerator.autocast():
            return self.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels,
                fused_lm_head=True, use_cache=False,
            ).log_probs.float()  # fmt: skip
