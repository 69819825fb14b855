"""DPO with trl, with each pair's prompt forwarded once (`shared_prompts`) if the model's attention allows it.

trl's own code computes the loss, the metrics and the reference log-probabilities, from rows in its own format. For a
prompt x with the chosen answer c and the rejected answer r the loss is (Rafailov et al., 2023, equation 7)

    -log sigmoid(beta [log p(c|x) - log q(c|x)] - beta [log p(r|x) - log q(r|x)])

where p is the policy (the model in training), q is the reference model (the same model before training), and log p(c|x)
is the sum of the log-probabilities of the answer's tokens.
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

# The mean difference between a token's log-probabilities, with and without shared prompts, that rounding explains.
# A wrong mask or position gives 0.5 and more on a trained model.
ROUNDING = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
MIXED = {"fp16": torch.float16, "bf16": torch.bfloat16}

log = logging.getLogger(__name__)


def stop_unless_finite(loss: float, update: int) -> None:
    """Raise BadInput, which names the flags that may help, if the loss is infinite or NaN."""
    if not math.isfinite(loss):
        raise BadInput(
            f"the loss became {loss} in update {update}: training has stopped, the last complete checkpoint is kept; "
            "a lower --learning-rate or --max-grad-norm, or --dtype float32, may help"
        )


class SharedPromptDPOTrainer(DPOTrainer):
    """trl's DPO trainer with shared prompts, if the model's attention allows it. It stops at a loss that is not finite.

    trl's batches hold two rows per pair, [2 x pairs, length]: first all rows with the chosen answer, then those with
    the rejected one.
    """

    # What the summary says about the last updates: its own names, and trl's.
    SUMMARY: ClassVar = {
        "loss": "loss", "rewards_margin": "rewards/margins", "rewards_accuracy": "rewards/accuracies",
    }  # fmt: skip

    shared: bool | None = None  # None: not tried yet

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._lengths: list[list[int]] = []  # tokens of [prompt, chosen, rejected] of each pair since the last log

    def train(self, *args, **kwargs):
        self._since = time.monotonic()
        # peft would cast every input to the adapters' float32, and autocast would cast it back to 16 bits at once
        with disable_input_dtype_casting(self.model):
            return super().train(*args, **kwargs)

    def compute_ref_log_probs(self, model, inputs):
        with self._shared_prompts():
            return super().compute_ref_log_probs(model, inputs)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Compute trl's loss, with shared prompts. Raises BadInput if it is not finite."""
        answers, rows = inputs["completion_mask"].sum(1), inputs["attention_mask"].sum(1)  # [2 x pairs], in tokens
        chosen, rejected = answers.chunk(2)
        self._lengths += torch.stack([(rows - answers)[: len(chosen)], chosen, rejected], 1).tolist()
        # `return_outputs` asks for the logits of trl's own rows, which shared prompts do not give
        with contextlib.nullcontext() if return_outputs else self._shared_prompts():
            result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        stop_unless_finite((result[0] if return_outputs else result).item(), self.state.global_step + 1)
        return result

    def example(self, row: dict) -> dict[str, list[int]]:
        """Return a training row as the model receives it: token ids by part."""
        return {part: row[f"{part}_ids"] for part in ("prompt", "chosen", "rejected")}

    def log(self, logs, start_time=None):
        """Log, beside trl's metrics, mean lengths in tokens (this process's pairs) and pairs per second (all pairs)."""
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
        """Forward the end of one pair with and without shared prompts. Returns whether the results agree.

        If they do not, one logged line says why. The end is short, so that this is cheap, but longer than the model's
        attention window if any prompt is.
        """
        if self.aux_loss_enabled:
            log.info("prompts are forwarded twice: a mixture of experts balances its load over the rows of the batch")
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
            log.info("prompts are forwarded twice, as in trl: %s cannot share them (%s)",
                     base.config.model_type, reason)  # fmt: skip
        return agree

    def _log_probs(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the log-probabilities of the answers' tokens in a batch of trl's rows, [2 x pairs, length - 1]."""
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        with torch.no_grad(), self.accelerator.autocast():
            return self.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels,
                fused_lm_head=True, use_cache=False,
            ).log_probs.float()  # fmt: skip
