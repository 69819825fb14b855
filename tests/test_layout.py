"""The shape of the repository: who imports whom, what is pinned, and that every script answers `--help` at once."""

import argparse
import ast
import importlib
import inspect
import re
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from utils import cli

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
UTILS = sorted((ROOT / "utils").rglob("*.py"))
# Modules that take long to load, and the only files that may import them at their top.
HEAVY = {
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "openai",
    "ollama",
    "matplotlib",
    "scipy",
    "statsmodels",
    "pandas",
    "gradio",
}
IMPORTED_LAZILY = {
    "tutors.generation", "tutors.step_attention", "dpo.config", "dpo.training", "dpo.checkpoints", "dpo.trainer",
    "dpo.rehearsal", "dpo.sft", "dpo.shared_prompts", "stats.agreement", "stats.labels", "stats.raters",
}  # fmt: skip
# Which rooms a room may import from; the ground is the files that lie in utils/ itself. Arrows run downward only.
ARROWS = {
    "clients": set(),
    "stats": set(),
    "seeds": set(),
    "rubric": set(),
    "tutors": {"clients"},
    "judges": {"clients", "rubric"},
    "dpo": {"rubric", "seeds"},
    "sources": {"seeds"},
    "results": {"judges", "seeds", "stats"},
    "export": {"clients", "judges", "results", "seeds", "stats", "tutors"},
    "pages": {"clients", "judges", "seeds", "stats", "tutors"},
    "classroom": {"clients", "judges", "results", "rubric", "stats", "tutors"},
}
# They stand above the rooms: flags, what a run would take, what was made from what, answers with their grades.
SHARED_BY_STAGES = {
    "utils.cli",
    "utils.flags",
    "utils.run",
    "utils.plan",
    "utils.manifest",
    "utils.evaluation",
    "utils.own_dialogue",
}


def imports(path: Path, top_level: bool = False) -> set[str]:
    """Dotted names that a file imports: at its top only, or anywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("script", SCRIPTS)
def test_stages_never_import_each_other(script):
    others = set(SCRIPTS) - {script}
    if script != "pipeline":
        assert not imports(ROOT / f"{script}.py") & others


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def room_of(name: str) -> str:
    """The room of a module: a folder of `utils/`, a file that lies in `utils/` itself, or a script."""
    return ".".join(name.split(".")[:2])


def test_all_stages_stand_on_one_floor():
    """A room is one floor above the highest that it imports from; only `pipeline` stands on the stages."""
    modules = {name_of(path): imports(path) for path in [*ROOT.glob("*.py"), *UTILS]}
    below = {room_of(name): set() for name in modules}
    for name, imported in modules.items():
        below[room_of(name)] |= {room_of(other) for other in imported & modules.keys()} - {room_of(name)}

    @cache
    def floor(room: str) -> int:  # a circle would be a RecursionError
        return 1 + max(map(floor, below[room]), default=0)

    floors = {script: floor(script) for script in SCRIPTS}
    assert len({floors[script] for script in SCRIPTS if script != "pipeline"}) == 1, floors


def test_the_table_of_arrows_names_every_room():
    assert {path.parent.name for path in UTILS if path.parent.name != "utils"} == ARROWS.keys()


@pytest.mark.parametrize("path", UTILS, ids=name_of)
def test_arrows_between_rooms_run_downward(path):
    """55 flat files stood on 11 floors: a seed dialogue passed through 35 of them on its way to a figure."""
    own = path.parent.name if path.parent.name != "utils" else None
    targets = {name.split(".")[1] for name in imports(path) if name.count(".") > 1 and name.startswith("utils.")}
    if own:
        assert targets & ARROWS.keys() - {own} <= ARROWS[own]
    elif name_of(path) not in SHARED_BY_STAGES:
        assert not targets & ARROWS.keys(), "the ground knows no room"


@pytest.mark.parametrize("path", UTILS, ids=name_of)
def test_utils_never_import_a_script(path):
    assert not imports(path) & set(SCRIPTS)


@pytest.mark.parametrize("path", [*ROOT.glob("*.py"), *UTILS], ids=name_of)
def test_every_public_function_of_more_than_five_lines_has_a_docstring(path):
    """`parse_args` is described by the script's docstring and by the help of its flags."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    functions = [
        node for body in (tree.body, *(one.body for one in classes)) for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]  # fmt: skip
    long = [one for one in functions if one.end_lineno - one.lineno > 5 and one.name != "parse_args"]
    assert [one.name for one in long if not ast.get_docstring(one)] == []


@pytest.mark.parametrize("path", [*ROOT.glob("*.py"), *UTILS], ids=name_of)
def test_heavy_packages_are_imported_where_they_are_used(path):
    if name_of(path).removeprefix("utils.") not in IMPORTED_LAZILY:
        assert not {name.split(".")[0] for name in imports(path, top_level=True)} & HEAVY
        assert not {f"utils.{name}" for name in IMPORTED_LAZILY} & imports(path, top_level=True)


def test_datasets_holds_no_python():
    """A Python file there would shadow the Hugging Face library of that name."""
    assert not list((ROOT / "datasets").rglob("*.py"))
    assert not list((ROOT / "prompts").rglob("*.py"))


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_every_benchmark_loads(name):
    """Two of them named what had moved: no test runs them whole."""
    importlib.import_module(f"benchmarks.{name}")


def test_every_package_that_we_import_is_pinned():
    names = {"sklearn": "scikit-learn", "huggingface_hub": "huggingface_hub"}
    files = [*UTILS, *(path for folder in (".", "tests", "benchmarks") for path in (ROOT / folder).glob("*.py"))]
    ours = {path.stem for path in files} | {"utils", "tests", "benchmarks"}
    imported = {name.split(".")[0] for path in files for name in imports(path)} - ours - sys.stdlib_module_names
    text = "\n".join((ROOT / f"requirements{kind}.txt").read_text() for kind in ("", "-dev", "-export", "-pages"))
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE))
    assert {names.get(name, name) for name in imported} <= pinned.keys()
    assert all(re.match(r"^([\w.-]+==\S+|-r \S+|#.*|)$", line) for line in text.split("\n"))


def test_no_difference_is_printed_as_minus_nothing():
    """A signed number has `z` in its format: "-0.00" reads as a loss."""
    files = [*UTILS, *ROOT.glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    found = [f"{path.name}: {mark[0]}" for path in files for mark in re.finditer(r":\+\.\d[fe]", path.read_text())]
    assert found == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_comes_at_once_and_in_both_ways(script):
    times = []
    for command in (["-m", script], [f"{script}.py"]):
        start = time.monotonic()
        done = subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True)
        times.append(time.monotonic() - start)
        assert done.returncode == 0, done.stderr
        assert f"python -m {script}" in done.stdout  # a command to copy
    assert min(times) < 5, times  # under a second when the machine is idle; a torch import would take longer than this


@pytest.mark.parametrize("script", SCRIPTS)
def test_flags_are_the_keywords_of_main(script, monkeypatch):
    """A misspelt `args.x` cannot exist: every flag is a keyword of `main` or of an actor that it takes, and back."""
    module = importlib.import_module(script)
    keywords = set(inspect.signature(module.main).parameters)
    actors = {name for name in keywords if cli.maker_of(name)}
    for actor in actors:
        keywords |= cli.keywords_of(cli.maker_of(actor))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda parser, argv: parser)
    flags = {action.dest for action in module.parse_args([])._actions} - {"help"}
    only_dpo = {"beta", "trl_fields", "min_chosen_score", "keep_adapter"} if script == "warm_start" else set()
    assert flags <= keywords
    assert keywords - actors - only_dpo <= flags


def test_what_runs_write_is_not_committed():
    assert {"runs/", "out/"} <= set((ROOT / ".gitignore").read_text().split())
