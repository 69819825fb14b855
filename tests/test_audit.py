"""The audit: each test builds a fault that it must report, and the sound twin that it must not."""

import json
from pathlib import Path

import pytest

from utils.seeds.audit import audit, one_line, table
from utils.seeds.near_duplicates import near_pairs
from utils.seeds.read import DATASETS_DIR, read_seeds

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DATASETS = Path(__file__).resolve().parents[1] / "datasets"
LAKE = "A lake is 40 metres deep and loses 3 metres every summer until the rain comes back in autumn"


def row(name: str, *turns: str, **fields) -> dict:
    roles = ("student", "teacher")
    spoken = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
    return {"id": name, "source": "mathdial", "group": name, "problem": None, "turns": spoken, **fields}


def write(folder: Path, train: list, test: list, suffix: str = ".jsonl") -> dict:
    for split, rows in (("train", train), ("test", test)):
        text = "\n".join(json.dumps(r) for r in rows) if suffix == ".jsonl" else json.dumps(rows)
        (folder / f"mathdial_{split}{suffix}").write_text(text, encoding="utf-8")
    result = audit(folder)
    assert json.loads(json.dumps(result)) == result  # goes into a manifest
    return result


def test_sound_seeds_are_clean(tmp_path):
    result = write(tmp_path, [row("a", LAKE)], [row("b", "How do I add 1/2 and 1/3?", "Where do you start?", "At 6.")])
    assert result["leaks"] == result["defects"] == [] and one_line(result) is None
    assert result["datasets"]["mathdial"]["splits"]["train"]["rows"] == 1


@pytest.mark.parametrize(
    ("test_row", "key"),
    [
        (row("b", LAKE), "exact"),
        (row("b", LAKE + ", again"), "near"),
        (row("b", "Another opening line", group="a"), "same_problem"),
        (row("b", "Another opening line", problem="a  LAKE dries up."), "same_problem"),
    ],
)
def test_overlap_between_splits_is_a_leak(tmp_path, test_row, key):
    result = write(tmp_path, [row("a", LAKE, problem="A lake dries up")], [test_row, row("c", "Nothing of the kind")])
    assert result["datasets"]["mathdial"]["overlaps"]["train/test"][key] == 1
    assert "1 of 2 test rows" in one_line(result)


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        (row("a", "2 bags of 6, is it 8?", "So 2 times 6 is 12.0, is it?", "Yes", answer="12"), True),
        (row("a", "2 bags of 6, is it 8?", "So 2 times 6 is not 112?", "Yes", answer="12"), False),
        (row("a", "5 bags are 1,200 g?", "And the $1200?", "Yes", answer="1200"), None),  # the problem has the number
        (row("a", "Why?", "Because the index starts at zero.", "Oh", answer="The index starts at zero"), True),
        (row("a", "Why?", "What is the index?", "0", answer="Start at zero", explanation="Why? What IS the"), False),
        (row("a", "`f` fails", "Try x.copy()?", "Ok", answer="Copy it.", meta={"fix_fragments": ["x.copy()"]}), True),
        (row("a", "`f` fails", "Hm?", "x.copy()?", answer="Copy it.", meta={"fix_fragments": ["x.copy()"]}), False),
        (row("a", "`f` fails", "Is 1 <= 2?", "Ok", answer="Compare so.", meta={"fix_fragments": ["<="]}), False),
        (row("a", "Why?"), None),
    ],
)
def test_answer_in_the_prompt(tmp_path, seed, told):
    split = write(tmp_path, [seed], [row("b", LAKE)])["datasets"]["mathdial"]["splits"]["train"]
    assert (split["answer_in_prompt"], split["answer_unknown"]) == (told is True, told is None)


def test_explanation_in_the_prompt_is_told_too(tmp_path):
    seed = row(
        "a", "Fix it", "The loop ends one step early.", "Oh", answer="n", explanation="the loop ends one step early"
    )
    assert "1 of 1 train prompts contain the answer" in one_line(write(tmp_path, [seed], [row("b", LAKE)]))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Student: \"Is it 5Teacher: (focus)Why 5?\", 'Student: So'", "list syntax"),
        ("Student: Is it 5?\nTeacher: (probing)Why?\nStudent: So", "act label"),
        ("Student: <alt>Is it 5?", "markup"),
        ("Student: Is it 5?\nTeacher: \nStudent: So", "empty turn"),
        ("Student: It\u00e2\u20ac\u2122s 5", "broken encoding"),
        ("Student: Is it 5?\nTeacher: Why?", "do not end on the student"),
        ("Student: my generator (focus) at 5 V: `print('a', 'Student')`", None),
    ],
)
def test_debris_of_the_original_format(tmp_path, text, fault):
    defects = write(tmp_path, [text], ["Student: Something else"], ".json")["defects"]
    assert any(fault in line for line in defects) if fault else defects == []


def test_repeats_are_counted_as_repeats_beyond_the_first(tmp_path):
    result = write(tmp_path, ["Student: a", "Student: a", "Student: a", "Student: b"], ["Student: c"], ".json")
    assert result["defects"] == ["mathdial: 2 of 4 train rows repeat another row"] and result["leaks"] == []


def test_lengths_are_those_of_the_tokenizer_given(tmp_path):
    write(tmp_path, [row("a", "ab"), row("b", "abcd")], [row("c", LAKE)])
    tokens = audit(tmp_path, len)["datasets"]["mathdial"]["splits"]["train"]["tokens"]
    assert tokens["min"] == len("Student: ab") and tokens["max"] == len("Student: abcd")
    assert tokens["median"] == (len("Student: ab") + len("Student: abcd")) / 2


def test_folder_without_seeds_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no seeds"):
        audit(tmp_path)


def test_near_pairs_agree_with_the_definition():
    """Jaccard of 5-gram sets: 9 words share 4 of 6 grams when the last word differs, 4 / 6 < 0.8 <= 16 / 18."""
    nine, twenty = list("abcdefghi"), [f"w{i}" for i in range(21)]
    texts = [" ".join(words) for words in (nine, twenty)]
    others = [" ".join([*nine[:-1], "x"]), " ".join([*twenty[:-1], "x"]), texts[0].upper() + "!"]
    assert sorted(near_pairs(texts, others)) == [(0, 2), (1, 1)]


def test_table_has_a_line_per_file(tmp_path):
    text = table(write(tmp_path, [row("a", LAKE)], [row("b", LAKE)]))
    assert "mathdial train" in text and "1 of 1 test rows stand in train word for word" in text


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original's seeds are not here")
def test_the_known_faults_of_the_original_seeds_are_found():
    result = audit(SHARED / "paper")
    found = {name: dataset["overlaps"]["train/test"] for name, dataset in result["datasets"].items()}
    debugging = result["datasets"]["debugging"]["splits"]
    assert debugging["train"]["repeated"] == 131
    assert found["debugging"]["exact"] == 33 and found["debugging"]["same_problem"] == debugging["test"]["rows"]
    assert debugging["test"]["answer_in_prompt"] == debugging["test"]["rows"]
    assert 0.25 < found["mathdial"]["same_problem"] / found["mathdial"]["rows"] < 0.4
    assert found["tutorchat"]["exact"] == 1


@pytest.mark.parametrize("folder", [SHARED / "clean", DATASETS])
def test_clean_seeds_are_found_clean(folder):
    if not any(folder.glob("*.jsonl")):
        pytest.skip(f"no seeds in {folder.name}")
    result = audit(folder)
    assert result["leaks"] == result["defects"] == []


def test_the_dialogues_in_more_are_new_to_the_demo():
    """A tutor of the demo is tried on them: no problem of theirs may stand in what it was trained on."""
    assert audit(DATASETS_DIR / "more")["leaks"] == []
    for path in (DATASETS_DIR / "more").glob("*_test.jsonl"):
        train = path.name.replace("_test", "_train")
        in_test, in_train = (
            {seed.group for folder in (path.parent, DATASETS_DIR) for seed in read_seeds(folder / name)}
            for name in (path.name, train)
        )
        assert not in_test & in_train
        assert len({seed.group for seed in read_seeds(path)}) >= 15


def test_every_shipped_dialogue_has_a_reference():
    """Answers are compared with what a teacher says next: a row without it would drop out of that comparison."""
    missing = [seed.id for path in DATASETS_DIR.rglob("*.jsonl") for seed in read_seeds(path) if not seed.reference]
    assert missing == []
