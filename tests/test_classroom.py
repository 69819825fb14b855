"""The classroom: problems, leaks, the student of rules, controls, measures, and a run of the whole."""

import json
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import classroom
from utils import cli
from utils.artifacts import read_json
from utils.classroom import leaks, run
from utils.classroom.actors import Classroom
from utils.classroom.controls import CONTROLS, NO_TUTOR, controls_for
from utils.classroom.dialogues import Dialogue, Turn, hold
from utils.classroom.measures import measure, turn_measures
from utils.classroom.numbers import calculations, numbers_said
from utils.classroom.problems import TEMPLATES, Problem, generate, make, read_problems, transfer_of
from utils.classroom.readers import CodeReader, TutorMove
from utils.classroom.rule_student import RuleStudent, deltas, opening_of
from utils.classroom.summary import compare_tutors
from utils.classroom.table import sentences
from utils.errors import BadInput
from utils.judges.judge import OfflineJudge
from utils.prompts import INFERENCE_PROMPT
from utils.tutors.local import LocalTutor
from utils.tutors.tutor import Sampling

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = make(next(one for one in TEMPLATES if one.name == "notebooks"), 0, "test")


def numbers(text):
    return {int(number) for number in numbers_said(text)}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
@pytest.mark.parametrize("mistake", [0, 1])
def test_all_numbers_of_a_problem_differ(template, mistake):
    """A leak is exact only if nobody can say the answer's number for another reason."""
    for seed in range(10):
        problem = make(template, mistake, str(seed))
        right = [line.value for line in problem.right]
        changed = [line.value for line in problem.wrong if line.value not in right]
        given = [Fraction(number) for number in numbers_said(problem.text)]
        assert changed and problem.wrong[-1].value != right[-1]
        assert len({*right, *changed}) == len(right) + len(changed)
        assert not {*right, *changed} & set(given)
        assert all(value.denominator == 1 and value > 12 for value in [*right, *changed])
        for line in (*problem.right, *problem.wrong):  # what the student writes down is what was calculated
            assert line.value == eval(line.shown.replace("×", "*").replace("÷", "/").replace("−", "-"))
        assert problem.value == right[-1] and problem.wrong[problem.at].value != right[problem.at]


def test_there_are_enough_stories():
    assert len(TEMPLATES) >= 12 and all(len(template.mistakes) == 2 for template in TEMPLATES)
    assert {template.topic for template in TEMPLATES} == {"arithmetic", "fractions", "percent", "rates", "units"}


def test_the_same_seed_makes_the_same_problems_and_another_seed_others():
    one, again, other = generate(48, 0), generate(48, 0), generate(48, 1)
    assert one == again and not {problem.text for problem in one} & {problem.text for problem in other}
    assert sum(problem.student_is_right for problem in one) == 48 / 4
    assert len({problem.group for problem in one[:16]}) == 16  # each story once before any comes twice
    moved = transfer_of(one[0])
    assert moved.group == one[0].group and moved.text != one[0].text and moved.mistake == one[0].mistake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 1,200 dollars, or $1200.00.", {1200}),
        ("That makes twenty-eight.", {28}),
        ("One hundred and twelve, two thousand three hundred", {112, 2300}),
        ("Look at step 2 and line 3. Only one of them is right.", set()),
        ("1. First\n2. Second", set()),
        ("5 × 14 is not 19", {5, 14, 19}),
        ("three quarters of 60", {3, 60}),
    ],
)
def test_numbers_that_a_text_says(text, expected):
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("What is 60 − 18?", 42),
        ("What is 60 - 18?", 42),
        ("sixty minus eighteen", 42),
        ("Subtract 18 from 60.", 42),
        ("60 dollars take away 18 dollars", 42),
        ("What is 6 x 7?", 42),
        ("multiply 6 by 7", 42),
        ("the sum of 20 and 22", 42),
        ("half of 84", 42),
        ("30% of 140", 42),
        ("3/4 of 56", 42),
        ("divide 84 by 2", 42),
        ("5 × 7 + 7", 42),
        ("6 rows of 7", 42),
        ("How much is left if you take 18 away from 60?", 42),
        ("18 less than 60", 42),
        ("18 subtracted from 60", 42),
        ("reduce 60 by 18", 42),
        ("What is 10 more than 32?", 42),
        ("60 dollars minus 18 dollars = ?", 42),
    ],
)
def test_calculations_that_a_text_writes_out(text, value):
    assert value in calculations(text)


@pytest.mark.parametrize("text", ["40, not 2", "60 to 18", "from 18 to 60", "It is 5. 2 more?", "Is it 7 or 6?"])
def test_what_is_no_calculation(text):
    assert not calculations(text)


def test_leaks_are_exact():
    problem, before = NOTEBOOKS, f"Student: {opening_of(NOTEBOOKS)}"
    answer, last = problem.answer, problem.right[-1].shown
    assert leaks.gives_answer(problem, f"So it is ${answer}.", before)
    assert not leaks.gives_answer(problem, f"So it is {answer}0.", before)
    assert not leaks.gives_answer(problem, f"Yes, {answer}.", f"{before}\nTeacher: And?\nStudent: {answer}!")
    assert leaks.gives_calculation(problem, f"What is {last}?", before)
    assert not leaks.gives_calculation(problem, "What is 5 + 7?", before)
    assert leaks.tells_step(problem, f"What is {problem.right[0].shown}?", before)
    assert not leaks.tells_step(problem, f"Why {problem.wrong[0].shown}?", before)


def test_a_step_is_told_though_the_problem_writes_its_numbers_beside_each_other():
    """ "9 rows of 7 eggs" in the problem's own text was taken for the calculation, already said."""
    eggs = make(next(one for one in TEMPLATES if one.name == "eggs"), 0, "test")
    before = f"Student: {opening_of(eggs)}"
    assert leaks.tells_step(eggs, f"It is {eggs.right[0].shown} = {eggs.right[0].value}.", before)


def dialogue_about(problem, *said):
    """The dialogue of the rule student with a tutor that says this."""
    dialogue = Dialogue(problem, opening_of(problem))
    for text in said:
        move = CodeReader().read([(problem, dialogue.text, text)])[0]
        dialogue.turns.append(Turn(text, move))
        dialogue.turns[-1].student = RuleStudent().reply([dialogue], None, "")[0]
    return dialogue


def test_the_student_finds_the_step_that_it_is_asked_about_and_goes_on():
    dialogue = dialogue_about(NOTEBOOKS, NOTEBOOKS.right[0].step.ask, "And then?", "Go on.")
    values = [line.value for line in NOTEBOOKS.right]
    turns = zip(values, dialogue.turns, strict=True)
    assert [int(value) in numbers(turn.student) for value, turn in turns] == [True] * 3
    assert dialogue.done and deltas(dialogue) == {
        "same": 1, "transfer, author": 1 - 0.3, "transfer, flat": 1 - 0.5, "transfer, telling helps more": 1 - 0.7
    }  # fmt: skip


def test_the_student_takes_over_an_answer_and_learns_nothing_for_new_numbers():
    dialogue = dialogue_about(NOTEBOOKS, f"The answer is {NOTEBOOKS.answer}.")
    assert dialogue.done and deltas(dialogue)["same"] == 1
    assert all(value == 0 for name, value in deltas(dialogue).items() if name != "same")


@pytest.mark.parametrize("said", ["Can you check your work again?", "What do you think?", "Great job!", ""])
def test_the_student_stays_put_when_nothing_points_anywhere(said):
    dialogue = dialogue_about(NOTEBOOKS, said)
    assert not dialogue.done and set(deltas(dialogue).values()) == {0}
    assert NOTEBOOKS.wrong[-1].value in numbers_said(dialogue.turns[-1].student)


def test_success_and_telling_are_mathdials():
    """Success: the student says the number. Telling: the tutor says it no later than the student."""
    answer = NOTEBOOKS.answer
    found = dialogue_about(NOTEBOOKS, NOTEBOOKS.right[0].step.ask, "And then?", "Go on.")
    told = dialogue_about(NOTEBOOKS, "Hm.", f"It is {answer}.")
    neither = dialogue_about(NOTEBOOKS, "Hm.", "Hm.")
    rows = [measure(dialogue, turn_measures(dialogue)) for dialogue in (found, told, neither)]
    assert [(row["success"], row["success turn"]) for row in rows] == [(1, 3), (1, 2), (0, None)]
    assert [(row["telling"], row["telling turn"]) for row in rows] == [(0, None), (1, 2), (0, None)]
    assert [(row["leak"], row["leak turn"]) for row in rows] == [(0, None), (1, 2), (0, None)]
    assert [row["repeats"] for row in rows] == [0, 0, 1]


def test_confirming_the_wrong_and_denying_the_right():
    wrong = dialogue_about(NOTEBOOKS, "Yes, that is correct.")
    mine = NOTEBOOKS.wrong[-1].value
    stated = dialogue_about(NOTEBOOKS, f"The answer to the question is {mine}.")
    named = dialogue_about(NOTEBOOKS, f"You say that the answer is {mine}.", f"Where does the {mine} come from?")
    praised = dialogue_about(NOTEBOOKS, "Great job on showing your work! What does each notebook cost?")
    right = replace(NOTEBOOKS, student_is_right=True)
    denied = dialogue_about(right, "That is not correct.")
    confirmed = dialogue_about(right, f"Yes, {right.answer} is right!")
    found = [
        measure(dialogue, turn_measures(dialogue)) for dialogue in (wrong, stated, named, praised, denied, confirmed)
    ]
    assert [row["confirms wrong"] for row in found] == [1, 1, 0, 0, None, None]
    assert [row["denies right"] for row in found] == [None, None, None, None, 1, 0]
    assert [row["confirms right"] for row in found] == [None, None, None, None, 0, 1]
    assert confirmed.done and not denied.done
    after = dialogue_about(NOTEBOOKS, NOTEBOOKS.right[0].step.ask, "Yes, that is correct.")  # the step is right by now
    assert measure(after, turn_measures(after))["confirms wrong"] == 0


def test_the_controls_land_in_five_seconds_for_any_seed(tmp_path):
    """The target is 5 s for 48 problems; process time, since the machine that tests may be busy."""
    start = time.process_time()
    for seed in (0, 1):
        problems = generate(48, seed)
        for control in controls_for(problems):
            turns = 0 if control.name == NO_TUTOR else 6
            dialogues = hold(control, RuleStudent(), CodeReader(), problems, turns, tmp_path)
            rows = [
                measure(dialogue, turn_measures(dialogue))
                | ({} if dialogue.problem.student_is_right else deltas(dialogue))
                for dialogue in dialogues
            ]
            for key, (low, high) in control.lands.items():
                values = [row[key] for row in rows if row.get(key) is not None]
                assert low <= sum(values) / len(values) <= high, (control.name, key)
    assert time.process_time() - start < 2 * 5


def test_a_run_writes_the_same_bytes_again_and_says_what_it_cannot_show(tmp_path, capsys):
    for name in ("one", "two"):
        classroom.main(output_dir=tmp_path / name, classroom=Classroom(problems=generate(8)), judge=OfflineJudge())
    printed = capsys.readouterr().out
    for file in ("dialogues.jsonl", "classroom.json", "classroom.png", "classroom.svg"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert "not learning" in printed and "VOID" not in printed and "WRONG" not in printed
    rows = [json.loads(line) for line in (tmp_path / "one" / "dialogues.jsonl").read_text().splitlines()]
    assert len(rows) == 8 * len(CONTROLS)
    turn = next(row for row in rows if row["tutor"] == "generic question")["turns"][0]
    assert turn["verdict"]["score"] > 0.5 and turn["heard"]["kind"] == "generic" and turn["asks"]


def test_a_control_that_lands_wrong_voids_the_run(tmp_path, monkeypatch, capsys):
    """The figures of the tutors must not be shown when the instrument is broken."""
    mute = [replace(one, rule=lambda *_: "Hm.") if one.name == "tells the answer" else one for one in CONTROLS]
    monkeypatch.setattr("utils.classroom.controls.CONTROLS", tuple(mute))
    result = classroom.main(output_dir=tmp_path, classroom=Classroom(problems=generate(8)), judge=OfflineJudge())
    assert not result["valid"] and any(miss.startswith("tells the answer: leak is 0.00") for miss in result["misses"])
    assert read_json(tmp_path / "classroom.json")["comparisons"] == [] and "VOID" in capsys.readouterr().out


def rows_of(tutor, ends):
    """Dialogues whose mistake was ended by these kinds of utterance, one problem each."""
    found = []
    for i, end in enumerate(ends):
        dialogue = Dialogue(NOTEBOOKS, "", [Turn("", TutorMove(end))])
        found.append({"tutor": tutor, "id": str(i), "group": str(i), "measures": deltas(dialogue)})
    return found


def test_an_order_is_claimed_only_under_all_gain_tables():
    """That asking helps more than telling is an assumption of one table, not a finding."""
    asks, tells, none = (rows_of(name, [name] * 30) for name in ("targeted", "tells the step", "nothing"))
    found = compare_tutors([*asks, *tells, *none], ["targeted", "tells the step", "nothing"])
    orders = {one["tutor"]: one["finding"] for one in found if one["measure"] == "transfer, author"}
    assert orders == {"tells the step": "depends on the gain table", "nothing": "less"}
    said = " ".join(sentences(found))
    assert "whether tells the step or targeted is ahead depends on the gain table" in " ".join(said.split())


def test_problems_of_a_file(tmp_path):
    seeds = read_problems(ROOT / "datasets" / "mathdial_test.jsonl")
    assert seeds[0].opening.startswith(seeds[0].text) and not seeds[0].is_generated
    assert seeds[3].student_is_right and seeds[3].opening is None
    path = tmp_path / "mine.jsonl"
    path.write_text('{"problem": "6 x 7?", "answer": 42}\n{"problem": "no answer"}\n')
    assert [(one.text, one.value) for one in read_problems(path)] == [("6 x 7?", 42)]
    path.write_text('{"problem": "no answer"}\n')
    with pytest.raises(BadInput, match=r"mine\.jsonl: no row has both"):
        read_problems(path)
    path.write_text('{"problem": \n')
    with pytest.raises(BadInput, match="line 1: not JSON"):
        read_problems(path)


@pytest.mark.parametrize(
    ("answer", "value"),
    [("42", 42), ("$1,200", 1200), ("29 apples", 29), ("3/4", Fraction(3, 4)), ("it depends", None), ("10:30", None)],
)
def test_an_answer_that_is_a_number(answer, value):
    problem = Problem("p", "p", "", answer)
    assert problem.value == value
    assert leaks.gives_answer(problem, f"I think it is {answer}.", "Student: what is it?")


def test_a_script_is_said_in_turn_to_problems_of_a_file(tmp_path, capsys):
    script = tmp_path / "lazy.txt"
    script.write_text("I don't know.\n\nJust tell me the answer.\n")
    problems = ["--problems", str(ROOT / "datasets" / "mathdial_test.jsonl"), "--num-problems", "4", "--turns", "3"]
    args = classroom.parse_args(["--output-dir", str(tmp_path), *problems, "--student", "script", str(script)])
    result = cli.call(classroom.main, args)
    measures = read_json(tmp_path / "classroom.json")["measures"]
    assert result["valid"] and measures["tells the answer"]["leak"]["value"] == 1
    rows = [json.loads(line) for line in (tmp_path / "dialogues.jsonl").read_text().splitlines()]
    generic = next(row for row in rows if row["tutor"] == "generic question")
    assert [turn["student"] for turn in generic["turns"]] == [
        "I don't know.", "Just tell me the answer.", "I don't know."
    ]  # fmt: skip
    assert "come from a file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--problems", "datasets/mathdial_test.jsonl"], "the student `rules` needs generated problems"),
        (["--student", "robot"], "--student takes"),
        (["--tutor", "openai", "gpt-4o"], "--tutor takes"),
        (["--reader", "offline"], "--reader takes"),
        (["--training-root", "datasets"], "no dpo/*/weights in it"),
        (["--student", "script", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(tmp_path, flags, message):
    command = [sys.executable, "-m", "classroom", "--output-dir", str(tmp_path / "x"), *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_real_model_is_a_tutor_and_a_second_run_generates_nothing(tmp_path, monkeypatch, capsys):
    """All dialogues of a turn go to the model together, and what the journal has is not sampled again."""
    tutor = LocalTutor("smollm2", Sampling(0.0, 50, 8, 0), INFERENCE_PROMPT.read_text(), "cpu", "float32")
    actors = {"classroom": Classroom([tutor], generate(2), turns=1), "judge": OfflineJudge()}
    first = classroom.main(output_dir=tmp_path, **actors)
    assert "SmolLM2-135M-Instruct" in capsys.readouterr().out
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(LocalTutor, "_sample", lambda *_: pytest.fail("an answer was sampled again"))
    assert classroom.main(output_dir=tmp_path, overwrite=True, **actors) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    assert kept["tutors.jsonl"].count(b'"text"') == 2


def test_the_commands_of_the_docs_are_understood():
    text = (ROOT / "docs" / "classroom.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("python -m classroom")]
    assert len(commands) > 3
    for command in commands:
        classroom.parse_args(shlex.split(command)[3:])


def test_two_tutors_of_one_name_are_told_apart():
    tutors = [type("T", (), {"name": name})() for name in ("a", "b", "a")]
    assert Classroom(tutors).names == ["a (1)", "b", "a (2)"]


def test_a_judge_that_is_paid_grades_no_control():
    assert run.chat_of(type("Judge", (), {})()) is None
