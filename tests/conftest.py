"""The real small model, loaded once for all tests that need it, in float32: equality is then exact arithmetic."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin slow each other down on a busy machine

import pytest

from utils import models


@pytest.fixture(scope="session")
def model_and_tokenizer():
    return models.load(models.BUNDLED, device="cpu", dtype="float32")
