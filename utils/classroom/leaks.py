"""Detect exactly what a tutor gives away: the answer, the calculation of it, or the student's wrong step.

Whatever is already in the dialogue does not count, whoever said it.
"""

from utils.classroom.numbers import PART_OF, calculations, digits, numbers_said
from utils.classroom.problems import Problem
from utils.rubric.any_language import gives_away


def gives_answer(problem: Problem, utterance: str, before: str) -> bool:
    """Return whether `utterance` states the answer and the dialogue `before` it did not."""
    if problem.value is None:  # the answer is words, a pair or code
        return gives_away(utterance, problem.answer, before) is not None
    return problem.value in numbers_said(utterance) and problem.value not in numbers_said(before)


def gives_calculation(problem: Problem, utterance: str, before: str) -> bool:
    """Return whether `utterance` leaves only the calculation of the answer to do: "What is 60 − 18?"."""
    if problem.value is None or problem.value not in calculations(utterance):
        return False
    return problem.value not in numbers_said(before) | calculations(before)


def given_away(problem: Problem, utterance: str, before: str) -> bool:
    """Return whether a student who is wrong only has to copy or calculate what `utterance` contains."""
    given = gives_answer(problem, utterance, before) or gives_calculation(problem, utterance, before)
    return given and not problem.student_is_right


def tells_step(problem: Problem, utterance: str, before: str) -> bool:
    """Return whether `utterance` has the right value of the mistaken step, or its calculation written out.

    Naming a quantity ("What does 15% of 140 mean?") does not tell how to calculate it.
    """
    if not problem.is_generated or problem.student_is_right:
        return False
    value = problem.right[problem.at].value
    if value in numbers_said(utterance):
        return value not in numbers_said(before)
    named = PART_OF.sub(" ", digits(utterance))
    return value in calculations(named) and value not in numbers_said(before) | calculations(before)


def says_answer(problem: Problem, utterance: str) -> bool:
    """Return whether a student's words contain the answer."""
    if problem.value is None:
        return gives_away(utterance, problem.answer, "") is not None
    return problem.value in numbers_said(utterance)
