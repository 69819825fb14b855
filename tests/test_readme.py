"""The commands of README and docs are real: every script and flag exists, and every test and file that they name."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from accelerate.commands import launch
from in_process import run

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
TEXT = README + DOCS
BLOCKS = [text for kind, text in re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) if not kind]
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
START = r"(?:python|socratic-llm|accelerate launch (?P<launch>.*)) -m "
COMMANDS = [line for line in LINES if re.search(START + r"\w", line) and "venv" not in line]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command, capsys):
    start = re.search(START, command)
    if start["launch"]:
        launch.launch_command_parser().parse_args([*shlex.split(start["launch"]), "script"])
    words = shlex.split(command[start.end() :])
    module = importlib.import_module(words[0])
    if "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            module.parse_args(words[1:])
        assert words[0] in capsys.readouterr().out
    else:
        module.parse_args(words[1:])


SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
INPUTS = ("seeds", "humans", "train_dataset", "artifact", "training_root", "answers", "files", "word_order", "weights")
OUTPUTS = ("output_dir", "output_path", "output", "model_dir")


def commands_of(script: str) -> list[tuple[str, list[str]]]:
    """(script, words) of each command in a script's docstring, which `--help` shows."""
    text = re.sub(r"\\\n\s*", "", importlib.import_module(script).__doc__)
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines()]
    return [(line.split()[2], shlex.split(line)[3:]) for line in lines if line.startswith("python -m ")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_commands_that_a_script_opens_with_are_understood(script):
    commands = commands_of(script)
    assert any(name == script for name, _ in commands)
    for name, words in commands:
        importlib.import_module(name).parse_args(words)


def test_each_file_in_those_commands_is_there_or_made_by_another_of_them():
    """human_vs_gpt and fit_rubric opened with commands on files that nothing makes."""
    demo = re.search(r"-m pipeline (.*?)\n\n", (ROOT / "Makefile").read_text().replace("\\\n", " "), re.DOTALL)[1]
    commands = [("pipeline", shlex.split(demo))] + [one for script in SCRIPTS for one in commands_of(script)]
    parsed = [vars(importlib.import_module(name).parse_args(words)) for name, words in commands]
    paths = {
        kind: {Path(path) for flags in parsed for name in names for path in listed(flags.get(name))}
        for kind, names in (("read", INPUTS), ("made", OUTPUTS))
    }
    assert len(paths["read"]) > 8
    for path in paths["read"]:
        assert any((ROOT).glob(str(path))) or paths["made"] & {path, *path.parents} - {Path()}, path


def listed(value) -> list:
    """A flag's values, whether it takes one or several."""
    return [] if value is None else value if isinstance(value, list) else [value]


def test_there_are_commands_and_make_has_the_two_that_are_promised():
    assert len(COMMANDS) > 12
    makefile = (ROOT / "Makefile").read_text()
    assert {"make demo", "make test"} <= {line.split("#")[0].strip() for line in LINES}
    assert re.search(r"^demo:", makefile, re.MULTILINE) and re.search(r"^test:", makefile, re.MULTILINE)
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")


def test_the_demo_is_a_pipeline_run_with_flags_that_exist():
    import pipeline

    recipe = re.search(r"^demo:.*?\n(.*?)\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE | re.DOTALL)[1]
    words = shlex.split(recipe.replace("\\\n", " "))
    assert words[1:3] == ["-m", "pipeline"]
    assert pipeline.parse_args(words[3:]).output_dir == Path("runs/demo")


def test_every_file_and_test_that_is_named_exists():
    named = set(re.findall(r"`((?:utils|prompts|benchmarks|tests|datasets)/[\w./]+)`", TEXT))
    named |= set(re.findall(r"^\| `(\w+\.py)` \|", README, re.MULTILINE)) | set(
        re.findall(r"\]\((docs/[\w.]+)\)", README)
    )
    assert {name for name in named if not (ROOT / name).exists()} == set()
    module = ""
    for name, test in re.findall(r"`(test_\w+|…)::(test_\w+)`", TEXT):
        module = module if name == "…" else name
        assert f"def {test}(" in (ROOT / "tests" / f"{module}.py").read_text(), f"{module}::{test}"


def test_the_readme_speaks_of_every_script():
    for script in ROOT.glob("*.py"):
        assert f"`{script.name}`" in README


def test_the_stages_run_one_after_the_other_as_the_readme_has_them(tmp_path, monkeypatch):
    """The README's own example generated with one model and trained another."""
    monkeypatch.chdir(tmp_path)
    block = next(block for block in BLOCKS if "runs/trial/dpo" in block)
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    for line in block.splitlines():
        done = run(*shlex.split(line)[2:])
        assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"
    assert (tmp_path / "runs" / "trial" / "figures" / "figure_5.png").is_file()


def test_the_command_that_reproduces_the_paper_names_its_own_prompts():
    """Without them it runs with this project's prompts, and reproduces something else."""
    (command,) = [line for line in COMMANDS if "-m pipeline" in line and "--datasets-dir data/paper" in line]
    args = vars(importlib.import_module("pipeline").parse_args(shlex.split(command.split("-m pipeline")[1])))
    assert all(Path(args[name]).parent == Path("data/paper/prompts") for name in ("inference_prompt", "judge_prompt"))
