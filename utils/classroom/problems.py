"""Generate problems for the classroom, with a mistake that is carried out, or read them from a file.

A generated problem has steps, and a mistake in one of them. All numbers in its text and in both solutions, right and
wrong, are different. So a number identifies the step that it comes from, and whether a tutor gave the answer away is
decided exactly. The numbers are new for every seed, so no model was trained on them.
"""

import json
import logging
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from utils.classroom import stories_numbers, stories_parts
from utils.classroom.numbers import written
from utils.classroom.templates import NAMES, Mistake, Step, Template
from utils.errors import BadInput

TEMPLATES = (*stories_numbers.TEMPLATES, *stories_parts.TEMPLATES)
SMALLEST = 12  # results must be larger, because small numbers occur for other reasons ("the two of them")
DRAWS = 20_000  # attempts to find numbers before a template counts as unsatisfiable
RIGHT_EVERY = 4  # in every fourth dialogue the student is right and should be told so
SIGNS = {"*": "×", "/": "÷", "-": "−"}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SolutionLine:
    """One line of a solution: its step, the calculation as written, and its value."""

    step: Step
    shown: str
    value: Fraction


@dataclass(frozen=True)
class Problem:
    """The problem of a dialogue. Problems of one `group` (a template, a file's row) are not independent.

    `right` and `wrong` are the solution's lines without and with the mistake; empty for a problem from a file.
    """

    id: str
    group: str
    text: str
    answer: str
    student_is_right: bool = False
    right: tuple[SolutionLine, ...] = ()
    wrong: tuple[SolutionLine, ...] = ()
    mistake: Mistake | None = None
    opening: str | None = None  # the student's first turn in a seed dialogue

    @property
    def is_generated(self) -> bool:
        return self.mistake is not None

    @cached_property
    def value(self) -> Fraction | None:
        """Return the answer as a number; None if it is not a number."""
        number = re.fullmatch(r"[^\d\w-]*(-?[\d,]+(?:\.\d+)?(?:/\d+)?)(?:\s?[%\w]+)?", self.answer.strip())
        return Fraction(number[1].replace(",", "")) if number else None

    @property
    def at(self) -> int:
        """Return the index of the line with the mistake."""
        return next(i for i, line in enumerate(self.right) if line.step.key == self.mistake.step)

    @property
    def own_result(self) -> Fraction | None:
        """Return the student's own result; None if it is not known."""
        if self.is_generated:
            return self.lines[-1].value
        return self.value if self.student_is_right else None

    @property
    def lines(self) -> tuple[SolutionLine, ...]:
        """Return the student's own solution."""
        return self.right if self.student_is_right else self.wrong


def generate(number: int, seed: int = 0) -> list[Problem]:
    """Generate `number` problems, taking templates and mistakes in turn. Every fourth student is right."""
    order = random.Random(seed)
    problems: list[Problem] = []
    rounds = 0
    while len(problems) < number:
        for place, template in enumerate(order.sample(TEMPLATES, len(TEMPLATES))):
            mistake = (rounds + TEMPLATES.index(template)) % len(template.mistakes)
            is_right = (place + rounds) % RIGHT_EVERY == RIGHT_EVERY - 1
            problems.append(replace(make(template, mistake, f"{seed}-{rounds}"), student_is_right=is_right))
        rounds += 1
    return problems[:number]


def make(template: Template, mistake: int, seed: str) -> Problem:
    """Make a problem, drawing until all numbers differ. The same template, mistake and seed make the same problem.

    Raises RuntimeError for a template whose ranges have no such numbers.
    """
    draw = random.Random(f"{template.name} {mistake} {seed}")
    wrong = template.mistakes[mistake]
    for _ in range(DRAWS):
        given = {name: Fraction(draw.choice(values)) for name, values in template.draw.items()}
        if acceptable(template, given, wrong):
            break
    else:
        raise RuntimeError(f"template {template.name}, mistake {mistake + 1}: no draw has distinct whole numbers")
    names = dict(zip(("name", "other"), draw.sample(NAMES, 2), strict=True))
    right, mistaken = (lines_of(template, given, names, change) for change in (None, wrong))
    return Problem(
        id=f"{template.name}-{mistake + 1}-{seed}", group=template.name,
        text=template.text.format(**names, **{name: written(value) for name, value in given.items()}),
        answer=written(right[-1].value), right=right, wrong=mistaken, mistake=wrong,
    )  # fmt: skip


def transfer_of(problem: Problem) -> Problem:
    """Make a transfer problem: the same story and mistake with new numbers."""
    template = next(one for one in TEMPLATES if one.name == problem.group)
    return make(template, template.mistakes.index(problem.mistake), f"{problem.id} transfer")


def solve(template: Template, given: Mapping[str, Fraction], mistake: Mistake | None) -> dict[str, Fraction]:
    """Return the given numbers and the value of every step. A mistake's formula replaces that of its step."""
    known = dict(given)
    for step in template.steps:
        known[step.key] = eval(compiled(formula_of(step, mistake)), {"__builtins__": {}}, known)
    return known


@cache
def compiled(formula: str):
    return compile(formula, formula, "eval")


def formula_of(step: Step, mistake: Mistake | None) -> str:
    return mistake.formula if mistake and step.key == mistake.step else step.formula


def acceptable(template: Template, given: Mapping[str, Fraction], mistake: Mistake) -> bool:
    """Return whether all results, right and wrong, are whole and above `SMALLEST`, and all numbers are different."""
    right = solve(template, given, None)
    results = [right[step.key] for step in template.steps]
    if not all(value.denominator == 1 and value > SMALLEST for value in results):
        return False
    wrong = solve(template, given, mistake)
    changed = [wrong[step.key] for step in template.steps if wrong[step.key] != right[step.key]]
    if not all(value.denominator == 1 and value > SMALLEST for value in changed):
        return False
    if not changed or wrong[template.steps[-1].key] == results[-1]:
        return False
    results += changed
    formulas = [step.formula for step in template.steps] + [mistake.formula]
    constants = {Fraction(number) for formula in formulas for number in re.findall(r"\d+", formula)}
    numbers = [*given.values(), *results]
    return len(set(numbers)) == len(numbers) and not constants & set(results)


def lines_of(
    template: Template, given: Mapping[str, Fraction], names: Mapping[str, str], mistake: Mistake | None
) -> tuple[SolutionLine, ...]:
    """Return the lines of the written solution."""
    known = solve(template, given, mistake)
    lines = []
    for step in template.steps:
        shown = re.sub(r"[a-z]\w*", lambda name: written(known[name[0]]), formula_of(step, mistake))
        shown = "".join(SIGNS.get(sign, sign) for sign in shown)
        what, ask, cues = (text.format(**names) for text in (step.what, step.ask, step.cues.lower()))
        lines.append(SolutionLine(replace(step, what=what, ask=ask, cues=cues.lower()), shown, known[step.key]))
    return tuple(lines)


def read_problems(path: Path | str, limit: int | None = None) -> list[Problem]:
    """Read problems from a JSONL file of seed rows, or of any rows {"problem": "…", "answer": "42"}.

    The student of a seed row opens as in the seed, but every fourth student has the right answer instead. Rows without
    a problem or an answer are left out and counted. Raises BadInput for a line that is not JSON, and if no row is left.
    """
    rows = [
        _row(path, number, line)
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1)
        if line.strip()
    ]
    usable = [(number, row) for number, row in enumerate(rows, 1) if row.get("problem") and row.get("answer")]
    if not usable:
        raise BadInput(f"{path}: no row has both `problem` and `answer`; the classroom needs the two")
    if len(usable) < len(rows):
        log.info("%s: %d of %d rows have no problem or no answer: left out", path, len(rows) - len(usable), len(rows))
    problems = []
    for number, row in usable[:limit]:
        student_turns = [turn["content"] for turn in row.get("turns") or [] if turn.get("role") == "student"]
        is_right = len(problems) % RIGHT_EVERY == RIGHT_EVERY - 1
        problems.append(
            Problem(
                id=str(row.get("id") or f"{Path(path).stem}-{number:04d}"), text=row["problem"],
                group=str(row.get("group") or row["problem"]), answer=str(row["answer"]), student_is_right=is_right,
                opening=student_turns[0] if student_turns and not is_right else None,
            )
        )  # fmt: skip
    return problems


def _row(path: Path | str, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {number}: not JSON ({error.msg}); is the file cut off?") from error
    if not isinstance(row, dict):
        raise BadInput(f'{path}, line {number}: expected an object {{"problem": "…", "answer": "…"}}')
    return row
