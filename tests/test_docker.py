"""The image, without a container engine: the files that the Dockerfile takes are enough for what it runs."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
CONVERT = next(i for i, step in enumerate(STEPS) if step.startswith("RUN python"))
COPIES = [step.split()[1:] for step in STEPS[:CONVERT] if step.startswith("COPY")]  # those before the last, the code


def run_in(folder: Path, args: list[str]) -> str:
    """What Python prints, with `folder` the only place of our code and the home that caches lie under."""
    env = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    env |= {"PYTHONPATH": str(folder), "HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *args], cwd=folder.parent, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def test_model_layer_has_the_files_it_needs(app):
    """The model is converted before `COPY . .`; an import added to utils/models.py breaks only the image.

    The conversion itself is what all tests of the small model begin with.
    """
    for *sources, target in COPIES:
        (app / target).mkdir(exist_ok=True)
        for source in sources:
            shutil.copy(ROOT / source, app / target)
    _, flag, code = shlex.split(STEPS[CONVERT].split("&&")[0].removeprefix("RUN "))
    assert flag == "-c" and code.endswith("; bundled_model()")
    run_in(app, ["-c", code.partition(";")[0]])
    imported = {
        node.module
        for path in (app / "utils").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))  # in functions, too
        if isinstance(node, ast.ImportFrom) and node.module.startswith("utils.")
    }
    assert imported and all((app / f"{name.replace('.', '/')}.py").is_file() for name in imported), imported


def test_context_holds_the_whole_program(app):
    """.dockerignore lets only named files in; one that a script needs and it does not name breaks only the image."""
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if rule.startswith("!"):
            found = list(ROOT.glob(rule[1:]))
            assert found, f"{rule} names nothing"
            for path in found:
                (shutil.copytree if path.is_dir() else shutil.copy)(path, app / path.name)
    for *sources, _ in COPIES:
        assert all((app / source).is_file() for source in sources)
    scripts = sorted(path.stem for path in app.glob("*.py"))
    assert "pipeline" in scripts
    for script in scripts:
        assert f"usage: {script}.py" in run_in(app, ["-m", script, "--help"])
    given = "prompts.INFERENCE_PROMPT, prompts.JUDGE_PROMPT, seeds.DATASETS_DIR"
    imports = "from utils import prompts; from utils.seeds import read as seeds"
    code = f"{imports}; print(all(path.exists() for path in ({given})))"
    assert run_in(app, ["-c", code]) == "True\n"
