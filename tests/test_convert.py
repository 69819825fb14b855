"""Raw dialogues to clean rows: on hand-written files of the three formats, and on the real ones where they are."""

import json
from pathlib import Path

import pytest

from tests.raw_files import debugging_text, mathdial_row, tutorchat_row, write_raw
from utils.seeds.audit import audit
from utils.seeds.read import read_seeds
from utils.sources import debugging as convert_debugging
from utils.sources import mathdial as convert_mathdial
from utils.sources import tutorchat as convert_tutorchat
from utils.sources.convert import convert_files, find_raw
from utils.sources.raw_dialogue import LeftOut, RawTurn, merge, order_of_cuts, usable_cuts
from utils.sources.splits import split

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
BUG = "3_43_count_up_conversational_thread_1"


def first_cut(converter, *raw, seed: int = 0) -> int:
    dialogue = converter.read(*raw)
    return order_of_cuts(dialogue, converter.cuts(dialogue), seed)[0]


def contents(dialogue) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in dialogue.turns]


def test_mathdial_turns_are_clean():
    turns = contents(convert_mathdial.read(mathdial_row(0)))
    assert turns[0] == (
        "student",
        "I have a problem: Ines has 1000 coins and sells 3 pots of jam at 7 coins each. How many coins are there now?"
        "\n\nHere is my solution:\n7 x 3 = 21\nMy answer: 21",
    )
    assert turns[1:4] == [  # the act label is gone, and a student under a given name is a student
        ("teacher", "Hi Ines, what did you do first?"),
        ("student", "I took 7 for each of the pots of jam."),
        ("teacher", "And what about the 1000?"),
    ]
    assert turns[4][1] == "I left the thousand out.\n\nShould I add it?"  # line breaks of a turn stay


def test_mathdial_is_cut_before_the_answer_is_said():
    """7 * 3 + 1000 = 1021 is first said in turn 6: the tutor's turns 1, 3 and 5 can be asked for, 7 cannot."""
    dialogue = convert_mathdial.read(mathdial_row(0))
    assert dialogue.answer == "1021" and convert_mathdial.cuts(dialogue) == [1, 3, 5]
    row = convert_mathdial.row_at(dialogue, 5)
    assert row["reference"] == "What would change if you did?" and row["meta"]["reference_act"] == "probing"
    assert row["turns"][-1]["role"] == "student" and len(row["turns"]) == 5


def test_a_number_of_the_problem_is_no_answer_until_it_is_the_conclusion():
    """With 1000 as answer, "And what about the 1000?" ends on it, so turn 3 is where it counts as said."""
    dialogue = convert_mathdial.read(mathdial_row(0, ground_truth="1000+0=1000\n 1,000"))
    assert dialogue.meta["answer_in_first_turn"] and convert_mathdial.cuts(dialogue) == [1, 3]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ground_truth": "so it is many"}, "no final number"),
        ({"conversation": "Teacher: Hi|EOM|no label here at all"}, "without a speaker"),
        ({"conversation": "  "}, "no question, wrong solution or conversation"),
        ({"conversation": "Student: It is 1021.|EOM|Teacher: Right."}, "before the tutor speaks"),
        ({"conversation": "Student: It is 3."}, "no tutor turn"),
    ],
)
def test_mathdial_dialogues_that_give_no_seed_have_a_reason(fields, reason):
    with pytest.raises(LeftOut, match=reason):
        first_cut(convert_mathdial, {**mathdial_row(0), **fields})


def test_debugging_keeps_code_and_alternatives_and_hides_the_fix():
    dialogue = convert_debugging.read(BUG, debugging_text(3))
    row = convert_debugging.row_at(dialogue, 1)
    first = row["turns"][0]["content"]
    assert "My code:\n```\n1. def count_3(xs):\n2.     total = sum(xs)\n3.     return total\n```" in first
    assert "wooden spoons.\n\n## Example Cases:" in first  # no blanks at line ends
    assert "return total + 3" not in first and "never added" not in first
    assert row["reference_alternatives"] == ["What do you get for a list of one?", "What should come out?"]
    assert row["answer"].startswith("Replace `return total`") and row["explanation"].startswith("The constant 3")
    assert row["meta"]["fix_fragments"] == ["return total + 3"]
    assert dialogue.turns[4].content.endswith(
        "\n```\n1. def count_3(xs):\n2.     total = sum(xs)\n3.     return total + 3\n```"
    )
    assert dialogue.turns[4].alternatives == ["I do not know."]  # an <alt> behind a code block


def test_debugging_is_cut_before_the_fix_and_before_the_farewell():
    """Turn 4 is the student's with the fix; 5 is `Good work! Anything else?`, 6 `No, thank you!`."""
    assert convert_debugging.cuts(convert_debugging.read(BUG, debugging_text(3))) == [1, 3]
    told = "User: Help\nAssistant: Try `return total+3` there.\nUser: Where?\nAssistant: In line 3.\nUser: Oh.\n"
    with pytest.raises(LeftOut, match="no tutor turn"):  # said in prose, spaced otherwise
        first_cut(convert_debugging, BUG, debugging_text(3, told))


def test_fix_fragments_are_the_code_that_the_bug_lacks():
    fixes = "Replace `a < b` with `a <= b`, or put this there:\n```py\nif a in b:\n    a = a < b\n```"
    assert convert_debugging.fix_fragments(fixes, "1. a < b") == ["a <= b", "a = a < b", "if a in b:"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("notes", debugging_text(3), "file name"),
        (BUG, debugging_text(3).replace("bug_code>", "old_code>"), "no <bug_code>"),
        (BUG, debugging_text(3, "Assistant: Hello\nUser: Hi\n"), "does not open"),
        (BUG, debugging_text(3, ""), None),
    ],
)
def test_debugging_files_that_give_no_seed_have_a_reason(name, text, reason):
    if reason is None:
        assert first_cut(convert_debugging, name, text)
        return
    with pytest.raises(LeftOut, match=reason):
        first_cut(convert_debugging, name, text)


def test_tutorchat_chapter_is_context_and_roles_come_from_label_or_place():
    closed, opened = (convert_tutorchat.read(tutorchat_row(2, mode)) for mode in ("closedbook", "openbook"))
    assert closed.context is None and closed.turns[0].role == "teacher"
    assert opened.context.startswith("Chapter 2: bicycle bells.") and opened.turns[0].role == "student"
    labelled = tutorchat_row(2)
    roles = ("assistant", "user")
    labelled["conversation"] = [f"\n{roles[i % 2]}: {text}" for i, text in enumerate(labelled["conversation"])]
    assert contents(convert_tutorchat.read(labelled)) == contents(closed)


def test_tutorchat_has_the_real_next_turn_but_no_farewell_as_reference():
    """Turns of the open-book row: student 0, tutor 1, …, tutor 5 = `You're welcome! Good luck.`"""
    dialogue = convert_tutorchat.read(tutorchat_row(2, "openbook"))
    assert convert_tutorchat.cuts(dialogue) == [1, 3]
    assert convert_tutorchat.row_at(dialogue, 3)["reference"] == "Why so long, do you suppose?"


def test_repeated_turns_are_merged_and_empty_ones_dropped():
    said = [("teacher", "Hi"), ("teacher", "Hi"), ("teacher", "Well?"), ("student", ""), ("student", "7")]
    assert [(t.role, t.content) for t in merge([RawTurn(*turn) for turn in said])] == [
        ("teacher", "Hi\nWell?"), ("student", "7"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last", "cuts"),
    [
        ("You're welcome!", [1]),
        ("Glad I could help. Is there anything else?", [1]),
        ("Good work! But what if the list is empty?", [1, 3]),
    ],
)
def test_courtesies_are_no_reference(last, cuts):
    turns = ["My code fails.", "Where?", "Line 2, thank you!" if cuts == [1] else "Line 2.", last]
    assert usable_cuts([RawTurn(("student", "teacher")[i % 2], text) for i, text in enumerate(turns)]) == cuts


def test_cuts_are_seeded_and_spread():
    dialogue = convert_mathdial.read(mathdial_row(0))
    orders = [order_of_cuts(dialogue, [1, 3, 5, 7], seed) for seed in range(20)]
    assert orders == [order_of_cuts(dialogue, [1, 3, 5, 7], seed) for seed in range(20)]
    assert {order[0] for order in orders} == {3, 5, 7}  # the opening question only where there is nothing later
    assert all(sorted(order) == [1, 3, 5, 7] and order[-1] == 1 for order in orders)
    assert order_of_cuts(dialogue, [1], 0) == [1]


def test_every_raw_dialogue_is_a_row_or_counted(tmp_path):
    raw = find_raw(write_raw(tmp_path))
    counted = {}
    for source, paths in raw.items():
        result = convert_files(source, paths, seed=0)
        counted[source] = (len(result.rows), {why: len(where) for why, where in result.left_out.items()})
    assert counted == {
        "mathdial": (12, {}),
        "tutorchat": (12, {"mode singleturn, no dialogue turn by turn": 1}),
        "debugging": (12, {}),
    }


def test_csv_and_jsonl_give_the_same_rows(tmp_path):
    import csv

    write_raw(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "mathdial/test.jsonl").read_text().split("\n")]
    (tmp_path / "csv").mkdir()
    with (tmp_path / "csv/test.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    from_csv = convert_files("mathdial", [tmp_path / "csv/test.csv"], 0).rows
    assert from_csv == convert_files("mathdial", [tmp_path / "mathdial/test.jsonl"], 0).rows


def test_repeats_are_left_out(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(json.dumps(mathdial_row(i)) for i in (1, 1, 2)))
    assert {why: len(where) for why, where in convert_files("mathdial", [path], 0).left_out.items()} == {
        "the same dialogue again": 1
    }


def test_an_instructor_is_a_tutor():
    """His turns were taken for a part of the student's: files 56_15 lost one."""
    talk = "User: It fails.\nInstructor: Where?\nUser: Here.\nAssistant: In which line?\nUser: In line 3.\n"
    turns = contents(convert_debugging.read(BUG, debugging_text(3, talk)))
    assert turns[1:4] == [("teacher", "Where?"), ("student", "Here."), ("teacher", "In which line?")]


@pytest.mark.parametrize("between", ["\n</bug_fixes>\n", "</bug_fixes><bug_fixes>", "\n</bug_fixes>\n<bug_fixes>\n"])
def test_a_block_that_is_closed_twice_is_read_to_its_end(between):
    """16_56 lost its second fix, which then could stand in a prompt."""
    text = debugging_text(3).replace("on line 3.\n</bug_f", f"on line 3.{between}Or add `3 + 0` to `total`.\n</bug_f")
    dialogue = convert_debugging.read(BUG, text)
    assert dialogue.answer == "Replace `return total` with `return total + 3` on line 3.\nOr add `3 + 0` to `total`."
    assert dialogue.meta["fix_fragments"] == ["3 + 0", "return total + 3"]
    assert dialogue.meta["unit_tests"] == "assert count_3([2]) == 5" and dialogue.explanation.startswith("The constant")


def test_the_alternatives_of_joined_turns_are_whole_turns():
    turns = [RawTurn("teacher", "Good.", alternatives=["Fine."]), RawTurn("teacher", "Where?", alternatives=["When?"])]
    (turn,) = merge(turns)
    assert turn.content == "Good.\nWhere?" and turn.alternatives == ["Fine.\nWhere?", "Good.\nWhen?"]
    (turn,) = merge(
        [RawTurn("teacher", "Why?", alternatives=["How?"]), RawTurn("teacher", "Why?", alternatives=["Who?"])]
    )
    assert turn.content == "Why?" and turn.alternatives == ["How?", "Who?"]


def test_blanks_at_ends_of_lines_are_no_content():
    turns = [RawTurn("teacher", "Well? \t\n  Say. "), RawTurn("student", "7 "), RawTurn("student", " \n")]
    assert [turn.content for turn in merge(turns)] == ["Well?\n  Say.", "7"]


@pytest.mark.parametrize(
    ("last", "usable"),
    [
        ("Great!", False), ("ok", False), ("Yes, that's right.", False),
        ("Right. Why?", True), ("Great, and the 7 pots?", True), ("Add 7.", True),
    ],
)  # fmt: skip
def test_a_word_of_praise_is_no_reference(last, usable):
    turns = [RawTurn("student", "Is it 7?"), RawTurn("teacher", last), RawTurn("student", "So?")]
    assert usable_cuts(turns) == ([1] if usable else [])


def test_the_answer_is_seen_though_another_number_follows():
    """1000 is in the problem too, so a mention says nothing, but "The answer is 1000." does (mathdial 6000069-3)."""
    talk = (
        "Teacher: (generic)What did you do?|EOM|Student: I took 7 for each.|EOM|Teacher: (telling)The answer is 1000. "
        "Do you see why not 21?|EOM|Student: No.|EOM|Teacher: (focus)What is left?|EOM|Student: All of it."
    )
    dialogue = convert_mathdial.read(mathdial_row(0, talk, ground_truth="1000+0=1000\n 1000"))
    assert dialogue.meta["answer_in_first_turn"] and convert_mathdial.cuts(dialogue) == [1, 3]
    spelled = talk.replace("1000", "one thousand and twenty-one")
    assert convert_mathdial.cuts(convert_mathdial.read(mathdial_row(0, spelled))) == [1, 3]


def test_of_two_dialogues_that_begin_alike_another_cut_is_taken(tmp_path):
    """Threads of one bug share their first turns: 13 to 18 of 148 were dropped for a prompt that was there already."""
    for thread, end in ((1, "I do."), (2, "I do not.")):
        talk = (
            "User: It fails.\nAssistant: Where?\nUser: In line 3.\nAssistant: What does it do?\n"
            f"User: {end}\nAssistant: Then what comes out?\nUser: Hm.\n"
        )
        (tmp_path / f"3_43_count_up_conversational_thread_{thread}.txt").write_text(debugging_text(3, talk))
    paths = sorted(tmp_path.iterdir())
    for seed in range(8):
        rows = convert_files("debugging", paths, seed).rows
        prompts = {json.dumps(row["turns"]) for row in rows}
        assert len(rows) == len(prompts) == 2


def test_which_duplicate_survives_does_not_depend_on_the_files(tmp_path):
    rows = [
        mathdial_row(1),
        mathdial_row(1, mathdial_row(1)["conversation"].replace("did?", "did?  ")),
        mathdial_row(2),
    ]
    rows.append({**mathdial_row(1), "teacher_described_confusion": "another one"})
    for orders in ([[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]], [[0, 3], [3, 0]]):  # 0 and 3 have one id
        made = []
        for order in orders:
            paths = [tmp_path / f"{i}.jsonl" for i in range(len(order))]
            for path, k in zip(paths, order, strict=True):
                path.write_text(json.dumps(rows[k]))
            result = convert_files("mathdial", paths, seed=0)
            made.append(result.rows)
            left_out = {why: len(where) for why, where in result.left_out.items()}
            assert left_out == {"the same dialogue again": len(order) // 2}
        assert all(one == made[0] for one in made)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(mathdial_row(1)) + "\n" + json.dumps(mathdial_row(2))[:300], r"train.jsonl, line 2: not JSON"),
        (b'{"question": "\xff\xfe"}', "line 1: not UTF-8"),
        ("  \n", "is empty"),
        (json.dumps({"question": "?"}), "line 1: not a mathdial dialogue.*student_incorrect_solution"),
        (json.dumps(mathdial_row(1, "Student: It is 3.")), "no seed dialogue .*no tutor turn.*line 1"),
        (json.dumps(["a", "list"]), "line 1: not a mathdial dialogue"),
    ],
)
def test_bad_raw_files_are_named(tmp_path, content, message):
    path = tmp_path / "train.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        convert_files("mathdial", [path], 0)


def test_broken_parquet_is_named(tmp_path):
    path = write_raw(tmp_path) / "tutorchat/validation-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a whole parquet file"):
        convert_files("tutorchat", [path], 0)


def test_wrong_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no raw files.*mathdial/\*\.jsonl"):
        find_raw(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real raw files are not here")
@pytest.mark.parametrize("source", ["mathdial", "debugging"])
def test_the_real_raw_files_give_the_known_rows(source):
    """Every known row whose raw dialogue is here comes out the same, at its own cut."""
    known = [
        json.loads(line) for part in ("train", "test")
        for line in (SHARED / f"clean/{source}_{part}.jsonl").read_text(encoding="utf-8").splitlines()
    ]  # fmt: skip
    if source == "mathdial":
        lines = (SHARED / "raw/mathdial/test.jsonl").read_text(encoding="utf-8").splitlines()
        dialogues, row_at = [convert_mathdial.read(json.loads(line)) for line in lines], convert_mathdial.row_at
    else:
        dialogues, row_at = [], convert_debugging.row_at
        for path in sorted((SHARED / "raw/debugging").glob("*/*.txt")):
            if "<bug_code>" in path.read_text(encoding="utf-8-sig"):
                dialogues.append(convert_debugging.read(path.stem, path.read_text(encoding="utf-8-sig")))
    made = [row_at(dialogue, n) for dialogue in dialogues for n in range(1, len(dialogue.turns), 2)]
    expected = [row for row in known if any(_key(row, source) == _key(own, source) for own in made)]
    assert len(expected) == {"mathdial": 26, "debugging": 12}[source]
    made = [{**own, "id": None} for own in made] if source == "mathdial" else made  # ids hash the dialogue otherwise
    for row in expected:
        assert ({**row, "id": None} if source == "mathdial" else row) in made


def _key(row: dict, source: str) -> object:
    """What tells which raw dialogue and cut a row is of."""
    return row["id"] if source == "debugging" else (row["id"].split("-")[1:3], row["turns"], row["reference"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real raw files are not here")
def test_what_the_real_raw_files_give_is_clean(tmp_path):
    for source, paths in find_raw(SHARED / "raw").items():
        parted = split(convert_files(source, paths, seed=0).rows, 500, 100, seed=0)
        for part, rows in (("train", parted.train), ("test", parted.test)):
            path = tmp_path / f"{source}_{part}.jsonl"
            path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
            assert read_seeds(path)
    result = audit(tmp_path)
    assert result["leaks"] == result["defects"] == []
