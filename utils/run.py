"""One run of the pipeline: a stage makes each artifact, unless it was made before from the same inputs."""

import inspect
import logging
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from utils.judges.grading import to_ask_again
from utils.manifest import Manifest

log = logging.getLogger(__name__)


@dataclass
class Run:
    """Makes the artifacts of one training root, and records their inputs in its manifest.

    With `--ask-invalid-again` one that has invalid verdicts is made again: whatever was answered is in its journals.
    """

    root: Path
    manifest: Manifest
    artifacts: list[str] = field(default_factory=list)  # that this run makes, or finds made

    def note(self) -> None:
        """Write which artifacts are of this run: what an earlier one made besides is not shown as if it were of it."""
        self.manifest.update(last_run=self.artifacts)

    def make(self, stage: ModuleType, artifact: str, /, **inputs: Any) -> Path:
        """Let `stage.main` make the artifact of these inputs: actors, paths and values. Returns its path."""
        path = self.root / artifact
        self.artifacts.append(artifact)
        file = "output_path" in inspect.signature(stage.main).parameters  # others fill the folder that it is in
        where = {"output_path": path} if file else {"output_dir": path.parent}
        log.info("\n== %s", artifact)
        if not self.manifest.make(
            artifact, stage.__name__, inputs, lambda: stage.main(**inputs, **where, overwrite=True),
            again=to_ask_again(inputs.get("judge"), path),
        ):  # fmt: skip
            log.info("made before from the same inputs: skipped")
        return path
