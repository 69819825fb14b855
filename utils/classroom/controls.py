"""Define controls: tutors whose measures are known beforehand. If one gets other values, the run is void.

They have the interface of every tutor, but know the problem and its solution.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from utils.classroom.numbers import numbers_said, written
from utils.classroom.problems import Problem
from utils.records import Sample, SeedDialogue
from utils.tutors.tutor import Answers

RIGHT = "Yes, that is right. Well done."  # to a student who is right, by controls that check the answer


def targeted(problem: Problem, dialogue: str) -> str:
    """Ask the open question that leads to the mistaken step, and afterwards say "go on"."""
    if problem.student_is_right:
        return RIGHT
    if problem.right[problem.at].value in numbers_said(dialogue):
        return "Good. What comes next?"
    return problem.right[problem.at].step.ask


def tells_answer(problem: Problem, dialogue: str) -> str:
    return RIGHT if problem.student_is_right else f"The answer is {problem.answer}."


def tells_step(problem: Problem, dialogue: str) -> str:
    """Tell the result of the mistaken step."""
    if problem.student_is_right:
        return RIGHT
    line = problem.right[problem.at]
    if line.value in numbers_said(dialogue):
        return "Good. Now go on from there."
    return f"For {line.step.what} you have to calculate {line.shown} = {written(line.value)}."


def last_calculation(problem: Problem, dialogue: str) -> str:
    return RIGHT if problem.student_is_right else f"What is {problem.right[-1].shown}?"


def off_step(problem: Problem, dialogue: str) -> str:
    """Ask a good question about a step that the student has right or has not reached."""
    others = [line for i, line in enumerate(problem.right) if i != problem.at]
    return others[dialogue.count("Teacher:") % len(others)].step.ask


def repeats_student(problem: Problem, dialogue: str) -> str:
    """Repeat the student's last turn verbatim."""
    return dialogue.rpartition("Student: ")[2]


GENERIC = "That is not quite right. Can you check your work again?"
SPAM = "Interesting! What do you think about this problem? How could you find out?"
FILLER = "I see. Please go on."


@dataclass(frozen=True)
class Control:
    """A tutor that follows a rule. `lands` gives the lowest and highest possible value of each measure.

    With `needs_steps`, it works only for generated problems.
    """

    name: str
    rule: Callable[[Problem, str], str]
    lands: Mapping[str, tuple[float, float]]
    needs_steps: bool = False
    problems: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        return {"control": self.name}

    def check(self) -> None:
        pass

    def answer(
        self, seeds: Sequence[SeedDialogue], num_samples: int, *, journal_path: Any, description: str
    ) -> Answers:
        texts = [self.rule(self.problems[seed.meta["problem"]], seed.text) for seed in seeds]
        return Answers([[Sample(text, "stop", None)] * num_samples for text in texts], [0] * len(seeds))


NO_TUTOR = "no tutor"  # the dialogue has no turns
# The controls for a student that is a model. They measure its selectivity, the effect of talk alone, and the ceiling.
FOR_MODELS = (
    NO_TUTOR, "targeted question", "question on another step", "generic question", "filler", "tells the answer"
)  # fmt: skip
NOTHING = {"leak": (0, 0), "calculation": (0, 0), "same": (0, 0), "confirms wrong": (0, 0)}
CONTROLS = (
    Control(NO_TUTOR, lambda problem, dialogue: "", {"same": (0, 0)}),
    Control("targeted question", targeted, {"leak": (0, 0), "calculation": (0, 0), "step told": (0, 0),
            "same": (0.95, 1), "confirms right": (1, 1), "denies right": (0, 0), "confirms wrong": (0, 0)}, True),
    Control("tells the step", tells_step, {"step told": (1, 1), "same": (1, 1)}, True),
    Control("tells the answer", tells_answer, {"leak": (1, 1), "same": (1, 1), "confirms right": (1, 1)}),
    Control("asks the last calculation", last_calculation,
            {"leak": (0, 0), "calculation": (1, 1), "same": (1, 1)}, True),
    Control("question on another step", off_step, {"leak": (0, 0), "same": (0, 0.1), "confirms wrong": (0, 0)}, True),
    Control("generic question", lambda problem, dialogue: GENERIC, {**NOTHING, "denies right": (1, 1)}),
    Control("asks anything", lambda problem, dialogue: SPAM, {**NOTHING, "denies right": (0, 0)}),
    Control("filler", lambda problem, dialogue: FILLER, {**NOTHING, "denies right": (0, 0)}),
    Control("repeats the student", repeats_student, NOTHING),
)  # fmt: skip


def controls_for(problems: Sequence[Problem], is_model: bool = False) -> list[Control]:
    """Return the controls that fit these problems; fewer if the student is a model, whose turns cost money."""
    known = {problem.id: problem for problem in problems}
    generated = all(problem.is_generated for problem in problems)
    return [
        replace(control, problems=known)
        for control in CONTROLS
        if (generated or not control.needs_steps) and (control.name in FOR_MODELS or not is_model)
    ]
