"""Supervised fine-tuning with trl on reference turns. The loss is the reference's negative log-likelihood per token:

    -1/|y| sum_t log p(y_t | x, y_<t)

where x is the tutor's prompt, and y the reference with its end-of-turn token. The prompt's tokens have no loss and do
not go through the language model head.
"""

from pathlib import Path
from typing import ClassVar

from peft.helpers import disable_input_dtype_casting
from trl import SFTConfig, SFTTrainer

from utils.dpo.config import trl_settings
from utils.dpo.recipe import Training
from utils.dpo.shared_prompts import only_completions
from utils.dpo.trainer import stop_unless_finite


def sft_config(training: Training, output_dir: Path) -> SFTConfig:
    """Make trl's configuration of a supervised fine-tuning; fields that only DPO uses (`beta`, ...) are ignored."""
    defaults, settings = trl_settings(training, output_dir)
    return SFTConfig(**defaults | settings, completion_only_loss=True)


class ReferenceSFTTrainer(SFTTrainer):
    """trl's trainer for rows {"prompt", "completion"}. It stops at a loss that is not finite.

    Without Triton (on a CPU) trl's head computes logits at every position, but only a twelfth of them belong to a
    reference; with the small model that would be more than half of the time. `compute_loss` leaves the others out.
    """

    SUMMARY: ClassVar = {"loss": "loss", "token_accuracy": "mean_token_accuracy"}

    def train(self, *args, **kwargs):
        # peft would cast every input to the adapters' float32, and autocast would cast it back to 16 bits at once
        with disable_input_dtype_casting(self.model):
            return super().train(*args, **kwargs)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Compute trl's cross-entropy of the references; `inputs["labels"]` is [rows, length], -100 in the prompts.

        Raises BadInput if the loss is not finite.
        """
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        before = int((inputs["labels"] != -100).int().argmax(1).min()) - 1  # the positions that no row needs
        with only_completions(base.base_model, before):
            inputs = inputs | {"labels": inputs["labels"][:, before:]}
            result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        stop_unless_finite((result[0] if return_outputs else result).item(), self.state.global_step + 1)
        return result

    def example(self, row: dict) -> dict[str, list[int]]:
        """Return a training row as the model receives it: token ids by part."""
        start = next(i for i, label in enumerate(row["labels"]) if label != -100)
        return {"prompt": row["input_ids"][:start], "reference": row["input_ids"][start:]}
