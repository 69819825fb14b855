"""What a training takes, as it was measured with the bundled model."""

import pytest

from utils import models
from utils.dpo import memory
from utils.dpo.recipe import Training


@pytest.mark.parametrize(("full", "measured"), [(False, 1.28e9), (True, 3.2e9)])
def test_memory_to_train_is_what_was_measured(full, measured):
    """Activations and the libraries were left out: 0.3 GB was said where 1.3 GB were taken."""
    model, training = models.skeleton("smollm2"), Training("smollm2", full_finetune=full)
    assert memory.to_train(model.num_parameters(), model.config, training, 163) == pytest.approx(measured, rel=0.25)


def test_checkpoints_are_counted_at_their_most():
    """Two are kept and a third one is written; of a finished training's, two times 32-bit weights stay."""
    assert memory.on_disk(1000, Training("x", full_finetune=True), 1) == (2 * 1000, 3 * 12 * 1000)
    assert memory.on_disk(1000, Training("x", full_finetune=True), 3) == (6 * 1000, (3 * 12 + 2 * 8) * 1000)
    assert memory.on_disk(1000, Training("x"), 3) == (6 * 1000, 0)
