"""One run of the pipeline: a stage makes each artifact, unless it was made before from the same inputs."""

import inspect
import logging
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from utils.manifest import Manifest

log = logging.getLogger(__name__)


@dataclass
class Run:
    """Makes the artifacts of one training root, and records their inputs in its manifest."""

    root: Path
    manifest: Manifest

    def make(self, stage: ModuleType, artifact: str, /, **inputs: Any) -> Path:
        """Let `stage.main` make the artifact of these inputs: actors, paths and values. Returns its path."""
        path = self.root / artifact
        folder = "output_path" not in inspect.signature(stage.main).parameters  # such a stage fills a folder
        where = {"output_dir": path.parent} if folder else {"output_path": path}
        log.info("\n== %s", artifact)
        if not self.manifest.make(
            artifact, stage.__name__, inputs, lambda: stage.main(**inputs, **where, overwrite=True)
        ):
            log.info("made before from the same inputs: skipped")
        return path
