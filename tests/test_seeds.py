"""Seeds as people have them: every format and shape is read, and what is wrong is named with file and row."""

import csv
import gzip
import json
import tracemalloc
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from utils.dialogue import cut_at_new_turn, split_turns
from utils.errors import BadInput
from utils.roles import parse_roles
from utils.seeds.files import CHUNK
from utils.seeds.read import find_datasets, find_seeds, read_seeds

MESSAGES = [
    {"role": "user", "content": "Why does ice float?"},
    {"role": "assistant", "content": "What do you know of its volume?"},
    {"role": "user", "content": "It grows."},
]
TEXT = "Student: Why does ice float?\nTeacher: What do you know of its volume?\nStudent: It grows."
ORIGINAL = "Student: 'Is it 5Teacher: (focus)Why 5?', 'Student: I added', \"Teacher: (probing)And?\", 'Student: So'"


def row(**changes) -> dict:
    turns = [{"role": "student", "content": "Why?"}]
    return {"id": "a", "source": "mathdial", "group": "g", "context": None, "turns": turns, "answer": "7"} | changes


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_file(folder: Path, name: str, rows: list[dict]) -> Path:
    """The rows in the format that the name says, as other programs write it."""
    import pandas

    path, table = folder / name, pandas.DataFrame(rows)
    if ".jsonl" in name:
        table.to_json(path, orient="records", lines=True)
    elif ".json" in name:
        table.to_json(path, orient="records")
    elif ".csv" in name:
        table.to_csv(path, index=False)
    else:
        table.to_parquet(folder / "plain.parquet")
        data = (folder / "plain.parquet").read_bytes()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", [".jsonl", ".json", ".csv", ".parquet"])
def test_one_dialogue_reads_alike_in_every_format(tmp_path, kind, packed):
    rows = [{"id": 7, "messages": MESSAGES, "answer": 42}, {"id": 8, "messages": MESSAGES[:1], "answer": 43}]
    first, second = read_seeds(as_file(tmp_path, f"physics_test{kind}{packed}", rows))
    assert (first.id, first.text, first.answer) == ("7", TEXT, "42")
    assert (second.id, second.text, second.answer) == ("8", "Student: Why does ice float?", "43")


SHAREGPT = [
    {"from": "system", "value": "A physics lesson."},
    {"from": "human", "value": MESSAGES[0]["content"]},
    {"from": "gpt", "value": MESSAGES[1]["content"]},
    {"from": "human", "value": "It grows. "},
]


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ({"messages": MESSAGES}, TEXT),
        ({"prompt": MESSAGES, "chosen": [], "rejected": []}, TEXT),
        ({"conversations": SHAREGPT}, f"A physics lesson.\n\n{TEXT}"),
        (MESSAGES, TEXT),
        ({"text": TEXT}, TEXT),
        ({"text": TEXT.replace("Student", "User").replace("Teacher", "Tutor")}, TEXT),
        ({"text": f"{TEXT}\nTutor:"}, TEXT),  # the label alone asks for the answer
        ({"prompt": "Why does ice float?"}, "Student: Why does ice float?"),
        ({"text": TEXT.replace(":", "\u00a0:")}, TEXT),  # as French is typeset
        ({"text": TEXT.replace(": ", "\uff1a")}, TEXT),  # as Chinese and Japanese are typed
        ({"messages": json.dumps(MESSAGES)}, TEXT),  # columns of a Parquet file often are
        ({"prompt": str(MESSAGES)}, TEXT),
        (
            {"text": "Step 1: add them.\nStep 2: halve it.\nIs it 3?"},
            "Student: Step 1: add them.\nStep 2: halve it.\nIs it 3?",
        ),
        ({"text": f"A lake freezes.\n{TEXT.replace('Student', '**Pupil')}"}, f"A lake freezes.\n\n{TEXT}"),
        ("Why does ice float?", "Student: Why does ice float?"),
        (ORIGINAL, ORIGINAL),
        (
            "['Chapter 2: ice.\\nassistant: Hm?', 'user: It grows. '",
            "['Chapter 2: ice.\\nassistant: Hm?', 'user: It grows. '",
        ),
        ("<problem>\nCount.\n</problem>\nUser: It fails. ", "<problem>\nCount.\n</problem>\nUser: It fails. "),
        ({"text": ORIGINAL, "id": "x"}, ORIGINAL),
    ],
)
def test_the_shapes_that_people_have(tmp_path, shape, text):
    (seed,) = read_seeds(write(tmp_path / "x.jsonl", shape))
    assert seed.text == text


def test_clean_rows_and_the_originals_strings_are_read(tmp_path):
    turns = [
        {"role": "student", "content": "a\u2028b"},
        {"role": "teacher", "content": "?"},
        {"role": "student", "content": "c"},
    ]
    seeds = read_seeds(write(tmp_path / "x.jsonl", row(context="Chapter."), row(id="b", turns=turns)))
    assert seeds[0].text == "Chapter.\n\nStudent: Why?"
    assert seeds[1].text == "Student: a\u2028b\nTeacher: ?\nStudent: c"  # not a line break of the file
    (tmp_path / "y.json").write_text(json.dumps([ORIGINAL, "Student: a"], indent=1))
    assert [seed.text for seed in read_seeds(tmp_path / "y.json")] == [ORIGINAL, "Student: a"]
    assert len(read_seeds(tmp_path / "y.json", limit=1)) == 1
    (tmp_path / "lines.json").write_text(json.dumps("Student: a") + "\n" + json.dumps({"text": "b"}))
    assert [seed.text for seed in read_seeds(tmp_path / "lines.json")] == ["Student: a", "Student: b"]


@pytest.mark.parametrize(
    ("student", "teacher"),
    [
        ("Schülerin", "Lehrer"), ("Élève", "Enseignante"), ("Alumno", "Profesora"), ("Aluna", "Professor"),
        ("Studente", "Insegnante"), ("schüler:in", "LEHRKRAFT"), ("Student", "Dozent"), ("Scu\u0308ler", None),
        ("Aluno(a)", "Tutor(a)"), ("Alumno/a", "Profesor(a)"),
    ],
)  # fmt: skip
def test_other_languages_are_read_by_role_and_by_label(tmp_path, student, teacher):
    if teacher is None:  # an umlaut in two characters, as macOS writes names
        student, teacher = "Schu\u0308ler", "Lehrer"
    messages = [{**one, "role": student if one["role"] == "user" else teacher} for one in MESSAGES]
    text = TEXT.replace("Student", student).replace("Teacher", teacher)
    for one in read_seeds(write(tmp_path / "x.jsonl", {"messages": messages}, {"text": text})):
        assert one.text == TEXT
        assert [turn.speaker for turn in split_turns(one.text)] == ["student", "teacher", "student"]
    assert cut_at_new_turn(f"Was meinst du?\n{student}: Vier.") == ("Was meinst du?", True)


def test_roles_can_be_given(tmp_path):
    messages = [{**one, "role": "Kind" if one["role"] == "user" else 2} for one in MESSAGES]
    lesson = {"role": "Lage", "content": "A physics lesson."}
    path = write(tmp_path / "x.jsonl", {"messages": [lesson, *messages]}, {"text": TEXT.replace("Student", "KIND")})
    given = parse_roles("Kind=student, 2=teacher,Lage=context")
    assert [seed.text for seed in read_seeds(path, roles=given)] == [f"A physics lesson.\n\n{TEXT}", TEXT]
    with pytest.raises(BadInput, match=r"x\.jsonl, row 1: turn 1 is by 'Lage'.*--roles Lage=student"):
        read_seeds(path)
    for wrong in ("Kind", "Kind=child", "=student", ""):
        with pytest.raises(BadInput, match="WORD=student"):
            parse_roles(wrong)


def turns(*pairs: tuple) -> dict:
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


def test_what_is_mended_is_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    path = write(
        tmp_path / "x.jsonl",
        turns(("user", "Hi"), ("user", "Why?"), ("assistant", "What do you think?")),
        turns(("user", "Hi")),
    )
    first, second = read_seeds(path)
    assert first.text == "Student: Hi\nStudent: Why?".replace("\nStudent: ", "\n")
    assert (first.reference, second.reference) == ("What do you think?", None)
    (labelled,) = read_seeds(write(tmp_path / "y.jsonl", {"text": "Student: Hi\nTeacher: What do you think?"}))
    assert (labelled.text, labelled.reference) == (
        "Student: Hi",
        "What do you think?",
    )  # our own labels stayed as they were
    assert f"{path}: 1 of 2 dialogues had two turns of one speaker in a row, which were joined" in caplog.text
    assert f"{path}: 1 of 2 dialogues ended on the tutor: that turn became the reference" in caplog.text


def test_rows_on_one_problem_are_one_group(tmp_path):
    later = turns(("user", "Why does ice float?"), ("assistant", "Hm?"), ("user", "It is light."))
    hello = [turns(("user", "Hello"), ("assistant", "Hm?"), ("user", text)) for text in ("Why?", "How?")]
    rows = [{"messages": MESSAGES}, later, *hello, {"text": "a", "problem": "2 + 2?"}, {"text": "b", "problem": "2+2"}]
    groups = [seed.group for seed in read_seeds(write(tmp_path / "x.jsonl", *rows))]
    assert len(set(groups)) == 5 and groups[4] == groups[5]  # four words tell too little to make a group
    longer = [turns(("user", "Why does ice float on water?"), ("assistant", "Hm?"), ("user", text)) for text in "ab"]
    assert len({seed.group for seed in read_seeds(write(tmp_path / "y.jsonl", *longer))}) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(row()) + '\n{"id": "b", "tu', "line 2: not JSON"),
        (json.dumps(row()) + "\n" + json.dumps(row()), "'a' occurs 2 times"),
        (json.dumps(row(turns=[{"role": "teacher", "content": "?"}])), "row 1.*must end with a student"),
        ('{"id": "a"}', "row 1: not a seed dialogue: it has id; expected one of turns, messages"),
        ("{}", "row 1: not a seed dialogue: it has nothing"),
        ("", "no seed dialogue"),
        ('""', "row 1: an empty dialogue"),
        ("7", "row 1: .*`messages` is a number"),
        ("null", "row 1: not a seed dialogue: it is null"),
        ('{"text": null, "id": 1}', "row 1: not a seed dialogue: its `text` is null"),
        ('{"text": "Hi", "id": ' + "9" * 5000 + "}", "line 1: a number with thousands of digits"),
        ('{"text": 7}', "row 1: .*`text` is a number"),
        (json.dumps(turns(("user", None))), "row 1: the content of turn 1 is missing"),
        (json.dumps(turns(("user", [{"type": "text", "text": "Hi"}]))), "content of turn 1 is a list; it must be"),
        (json.dumps(turns(("user", "Hi"), ("assistant", " "))), "content of turn 2 is an empty string"),
        (json.dumps(turns((3, "Hi"))), "row 1: turn 1 is by 3, which is not a known role.*--roles 3=student"),
        (json.dumps(turns((None, "Hi"))), "row 1: turn 1 is by None"),
        (json.dumps({"messages": ["Hi"]}), "row 1: turn 1 is text, expected an object"),
        ('{"messages": [{"speaker": "student", "text": "Hi"}]}', "turn 1 has speaker, text; expected `role` and `con"),
        ('{"text": "Anna: Hi\\nMr Smith: Why?\\nAnna: Oh"}', "`Anna:` and `Mr Smith:`.*--roles 'Anna=student,Mr S"),
        ('{"text": "[10:02] Student: Hi\\n[10:03] Tutor: Why?\\n[10:04] Student: Oh"}', "speaker first in the line"),
        ('{"text": "- Student: Hi\\n- Tutor: Why?\\n- Student: Oh"}', "the speaker first in the line"),
        (json.dumps(turns(("user", "Hi"), ("system", "Be brief"))), "turn 2 is by 'system', within the dialogue"),
        (json.dumps(turns(("user", "Hi"), ("tool", "{}"))), "turn 2 is by 'tool'"),
        (json.dumps({**turns(("user", "Hi"), ("gpt", "Hm?")), "reference": "Oh?"}), "ends with the tutor and also has"),
        ('{"text": "Hi", "answer": NaN}', "line 1: NaN is not JSON"),
        ('{"text": "Hi", "text": "Ho"}', "line 1: the key 'text' is given twice"),
        ('{"text": "Hi \\ud83d"}', r"line 1: \\ud83d is half of a character"),
        ('{"text": "Hi", "meta": ' + "[" * 5000 + "]" * 5000 + "}", "line 1: nested too deeply"),
        ('{"text": "Hi", "meta": [1]}', "row 1: `meta` is a list"),
        ('{"text": "Hi", "answer": ["4"]}', "row 1: `answer` is a list"),
        ('{"text": "Hi", "id": true}', "row 1: `id` is true or false"),
        ('{"text": "Student: Hi\\nTutor:\\nStudent: Ho"}', "row 1: turn 2 is empty"),
    ],
)  # fmt: skip
def test_bad_seeds_name_the_file_the_row_and_the_fault(tmp_path, content, message):
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=message) as error:
        read_seeds(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'["x", " "]', "row 2: an empty dialogue"),
        ("a.json", b'["x",', "line 1: not JSON.*cut off"),
        ("a.json", b'["x"', "line 1: not JSON.*cut off"),
        ("a.json", b'[\n"x"\n"y"]', "line 2: not JSON .expected , or ]"),
        ("a.json", b"[]", "it has no seed dialogue"),
        ("a.json", b'{\n"data": []\n}', "line 1: not JSON"),
        ("a.json", b'["a", {"text": "b", "answer": NaN}]', "line 1: NaN is not JSON"),
        ("a.csv", b"text,answer\nHi,4,5\n", "row 1: more cells than"),
        ("a.csv", b'text,answer\n"Hi,4\n', "after line 1: not CSV"),
        ("a.csv", b"question,answer\nHi,4\n", "row 1: not a seed dialogue: it has question, answer"),
        ("a.csv", b"text,answer\nHi,3\n\xe9,4\n", r"a\.csv, row 2: not UTF-8 .byte 0xe9.; .*in Excel"),
        ("a.csv", "text;answer\nHi;4\n".encode("utf-16"), "a.csv, header: not UTF-8"),
        ("a.csv", b"text,text\nHi,4\n", "the column 'text' is there twice"),
        ("a.json", b'["Hi",]', "line 1: not JSON .no row follows the last comma"),
        ("a.json", b'["Hi"]\n["Ho"]', "line 1: not JSON .something follows the list"),
        ("a.json", b'{\n "data": ["Hi"]\n}', "a .json file is a list of rows, or has a row in each line"),
        ("a.jsonl", b"{\"messages\": \"[{'role': 'user'\"}", "row 1, messages: not JSON .*json.dumps"),
        (
            "a.csv",
            b'messages\n"[{""role"": ""user"", ""conte"\n',
            "row 1, messages: not JSON",
        ),  # else the student says it
        ("a.csv", b"prompt\n\"[{'role': 'user', 'content'\"\n", "row 1, prompt: not JSON"),
        ("a.csv", b"turns\n" + b"[" * 5000 + b"\n", "row 1, turns: nested too deeply"),
        ("a.jsonl", b'{"id": "\xe9"}', "line 1: not UTF-8.*save the file as UTF-8"),
        ("a.jsonl.gz", gzip.compress(b'"Hi"\n' * 9, mtime=0)[:-9], "not a whole gzip file"),
        ("a.jsonl.gz", b"Hi", "not a whole gzip file"),
        ("a.parquet", b"PAR1Hi", "not a whole parquet file"),
        ("a.xlsx", b"Hi", "expected .jsonl, .json, .csv, .parquet or .gz of these, not .xlsx"),
    ],
)
def test_bad_files_of_every_format_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message) as error:
        read_seeds(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_brackets_may_open_what_a_student_says(tmp_path):
    (tmp_path / "a.csv").write_text("prompt\n[1; 2; 3] has the mean 2?\n")
    assert read_seeds(tmp_path / "a.csv")[0].text == "Student: [1; 2; 3] has the mean 2?"


def test_what_is_not_looked_at_is_said(tmp_path, caplog):
    """A column `Answer` beside `text` was never met, and nobody knew; so was a second dialogue in a row."""
    caplog.set_level("INFO")
    path = tmp_path / "a.csv"
    path.write_text(",text, answer,Solution\n0,Why does ice float?,4,4\n1,Why?,,\n")
    first, second = read_seeds(path)
    assert (first.answer, second.answer) == ("4", None)  # though a blank stands before the column's name
    assert f"{path}: 1 of 2 dialogues have fields that are not looked at: Solution" in caplog.text
    read_seeds(write(tmp_path / "b.jsonl", {"messages": MESSAGES, "text": "Hi", "group": "g"}))
    assert "1 of 1 dialogues have fields that are not looked at: text" in caplog.text


def test_an_unknown_speaker_between_two_turns_of_one_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    odd, plain = TEXT.replace("Teacher", "Mr Smith"), "Student: Hi\nStudent: Why?\nIs it:\nso?"
    seeds = read_seeds(write(tmp_path / "a.jsonl", {"text": odd}, {"text": plain}, {"text": odd, "id": "x"}))
    assert seeds[1].text == "Student: Hi\nWhy?\nIs it:\nso?"
    assert "2 of 3 dialogues had a line like `Mr Smith: …` between two turns of one speaker" in caplog.text


def test_rows_of_empty_cells_and_quoted_names_of_columns(tmp_path):
    (tmp_path / "a.csv").write_text('"text";"answer, in words";"a, b";answer\nHi;four;;4\n;;;\n;;;\n')
    assert [(seed.text, seed.answer) for seed in read_seeds(tmp_path / "a.csv")] == [("Student: Hi", "4")]


def test_a_folder_is_no_file_of_seeds(tmp_path):
    with pytest.raises(BadInput, match="is a folder; with --split"):
        read_seeds(tmp_path)


def test_a_blank_reference_is_none(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Hi", "reference": " ", "problem": "\\n"}')
    (seed,) = read_seeds(tmp_path / "a.jsonl")
    assert seed.reference is None and seed.problem is None


def test_a_byte_order_mark_is_no_fault(tmp_path):
    for name, text in (("a.jsonl", '"Hi"'), ("a.json", '["Hi"]'), ("a.csv", "text\nHi\n")):
        (tmp_path / name).write_text("\ufeff" + text, encoding="utf-8")
        assert read_seeds(tmp_path / name)[0].text == "Student: Hi"


def test_csv_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerows([["text", "answer"], ["Ein Satz;\nnoch einer", "4"], ["[1, 2] is a list?", ""]])
    first, second = read_seeds(path)
    assert (first.text, first.answer) == ("Student: Ein Satz;\nnoch einer", "4")
    assert (second.text, second.answer) == ("Student: [1, 2] is a list?", None)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_limit_reads_no_more_than_it_needs(tmp_path, name):
    """What is broken behind the rows that are asked for is never met."""
    text = "word " * 1000
    head, line, tail = {
        "a.jsonl": ("", json.dumps(text) + "\n", "{"), "a.json": ("[", json.dumps(text) + ",", "{"),
        "a.csv": ("text\n", f"{text}\n", '"'),
    }[name]  # fmt: skip
    content = head + line * 40 + tail
    assert len(content) > 2 * CHUNK  # rows lie across the chunks of a list
    (tmp_path / name).write_text(content)
    assert len(read_seeds(tmp_path / name, limit=40)) == 40
    with pytest.raises(BadInput):
        read_seeds(tmp_path / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_limit_holds_no_more_than_it_needs(tmp_path, name):
    head, end, tail = {"a.jsonl": ("", "\n", ""), "a.json": ("[", ",\n", '"z"]'), "a.csv": ("text\n", "\n", "")}[name]
    (tmp_path / name).write_text(head + (json.dumps("word " * 1000) + end) * 2000 + tail)  # 10 MB
    tracemalloc.start()
    try:
        assert len(read_seeds(tmp_path / name, limit=2)) == 2
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_limit_reads_no_more_batches_of_parquet_than_it_needs(tmp_path):
    """The second group of rows is spoilt."""
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": [f"{n:05} " * 20 for n in range(2000)]}).to_parquet(path, row_group_size=1000)
    content = path.read_bytes()
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    path.write_bytes(content[:start] + b"\xff" * 200 + content[start + 200 :])
    assert len(read_seeds(path, limit=1000)) == 1000
    with pytest.raises(BadInput, match="not a whole parquet file"):
        read_seeds(path)


def test_a_long_list_is_read_whole_whatever_the_chunks(tmp_path):
    rows = [{"text": "ä" * size, "answer": size} for size in (1, CHUNK - 30, 3, 3 * CHUNK, 5)]
    (tmp_path / "a.json").write_text(json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")
    assert [len(seed.text) - len("Student: ") for seed in read_seeds(tmp_path / "a.json")] == [
        len(row["text"]) for row in rows
    ]


def test_a_hugging_face_dataset_is_read_by_its_split(tmp_path, monkeypatch):
    """The library takes a folder of that name for the dataset: a stand-in for the hub."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "lab/physics").mkdir(parents=True)
    for split, count in (("train", 3), ("test", 2)):
        write(tmp_path / f"lab/physics/{split}.jsonl", *({"messages": MESSAGES} for _ in range(count)))
    monkeypatch.chdir(tmp_path)
    seeds = read_seeds("lab/physics", split="test")
    assert [(seed.id, seed.text) for seed in seeds] == [("physics-test-0001", TEXT), ("physics-test-0002", TEXT)]
    assert len(read_seeds("lab/physics", 1, split="train")) == 1
    with pytest.raises(BadInput, match=r"lab/physics, split dev: could not be read: .*dev"):
        read_seeds("lab/physics", split="dev")
    with pytest.raises(FileNotFoundError, match=r"lab/chemistry: there is no such file; .*--split"):
        read_seeds("lab/chemistry")
    with pytest.raises(BadInput, match=r"train\.jsonl is a file"):
        read_seeds("lab/physics/train.jsonl", split="train")


def test_any_dataset_of_a_folder_is_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="no seeds found"):
        find_datasets(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_datasets(tmp_path / "none")
    for name in ("zoo_train.csv.gz", "debugging_test.json", "physics_of_ice_train.parquet", "mathdial_train.jsonl"):
        (tmp_path / name).touch()
    for name in ("mathdial_human_eval.json", "notes_train.txt", "_train.jsonl", "train.jsonl", "audit.json"):
        (tmp_path / name).touch()
    for name in ("._zoo_train.csv", ".physics_test.jsonl"):  # as macOS leaves them, and as they are being written
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match="is a file; name the folder"):
        find_datasets(tmp_path / "zoo_train.csv.gz")
    assert find_datasets(tmp_path) == ["mathdial", "debugging", "physics_of_ice", "zoo"]
    assert find_seeds(tmp_path, "zoo", "train").name == "zoo_train.csv.gz"
    assert find_seeds(tmp_path, "zoo", "test", optional=True) is None
    with pytest.raises(FileNotFoundError, match=r"has no zoo_test\.jsonl \(or"):
        find_seeds(tmp_path, "zoo", "test")
    (tmp_path / "mathdial_train.json").touch()
    with pytest.raises(BadInput, match=r"mathdial_train.json and mathdial_train.jsonl both exist"):
        find_seeds(tmp_path, "mathdial", "train")


def test_the_suffix_may_be_in_capitals(tmp_path):
    """A file from Windows was not seen, and the run went on without its dataset."""
    (tmp_path / "physics_train.CSV").write_text("text\nHi\n")
    (tmp_path / "physics_test.JSONL.GZ").write_bytes(gzip.compress(b'"Ho"'))
    assert find_datasets(tmp_path) == ["physics"]
    found = [read_seeds(find_seeds(tmp_path, "physics", split))[0] for split in ("train", "test")]
    assert [(seed.id, seed.text) for seed in found] == [
        ("physics_train-0001", "Student: Hi"), ("physics_test-0001", "Student: Ho")
    ]  # fmt: skip
