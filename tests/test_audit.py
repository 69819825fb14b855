"""The audit: each test builds a fault that it must report, and the sound twin that it must not."""

import json
import random
import time
from pathlib import Path

import pytest

from utils.errors import BadInput
from utils.seeds.answers import TOKEN
from utils.seeds.audit import audit, estimate_tokens, one_line, table
from utils.seeds.near_duplicates import near_to
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


SUM = "Each of the 7 lanterns takes 30 coins, which makes 210.\nWith the 1000 coins she had before it is 1210."
PROBLEM = "Ines had 1000 coins and sold 7 lanterns at 30 coins each. How many coins are there now?"


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        # the worked solution, though its number also stands in the first turn, where a number alone says nothing
        (row("a", "Is it 1210 or 210?", f"Look: {SUM}", "Oh", answer="1210", explanation=f"{SUM}\n 1210"), True),
        (row("a", f"Is it 1210? My friend wrote: {SUM}", answer="1210", explanation=SUM), True),
        (row("a", "Is it 1210 or 210?", "What is 7 x 30?", "210", answer="1210", explanation=SUM), None),
        (row("a", "Is it 5?", context=f"Teacher's notes. {SUM}", answer="9", explanation=SUM), True),
        # called the answer, with another number behind it, which hid it
        (row("a", "150 or 3?", "The answer is 150. Why not 3?", "Oh", answer="150"), True),
        (row("a", "150 or 3?", "The answer is not 150, is it 3?", "Oh", answer="150"), None),
        (row("a", "150 or 3?", "The answer would be 150, if what?", "Oh", answer="150"), None),
        (row("a", f"{PROBLEM} The answer is 1210.", answer="1210"), True),
        (row("a", f"{PROBLEM} I got 210.", answer="1210"), False),
        # in the context
        (row("a", PROBLEM, context="The key of lesson 4 has 1210 here.", answer="1210"), True),
        (row("a", "How many?", context="Lesson 4 has 4 pages.", answer="4"), False),
        (row("a", "How many?", context="Lesson 4. Answer: 4", answer="4"), True),
        # in words
        (row("a", PROBLEM, "Is it not one thousand two hundred and ten?", "Oh", answer="1210"), True),
        (row("a", PROBLEM, "Twelve hundred?", "Oh", answer="1210"), False),
        (row("a", "2 + 4?", "Do it in two steps: first the six.", "Oh", answer="6"), False),
        (row("a", "2 + 4?", "The answer is six.", "Oh", answer="6"), True),
        # a term of the question, and letters of words, are no answers that were told
        (row("a", "Which gas do plants take?", "What do they breathe?", "Air?", answer="as"), False),
        (row("a", "Is it gas or ice?", "What do you see?", "Ice", answer="ice"), None),
    ],
)
def test_the_answer_is_found_wherever_it_stands(tmp_path, seed, told):
    split = write(tmp_path, [seed], [row("b", LAKE)])["datasets"]["mathdial"]["splits"]["train"]
    assert (split["answer_in_prompt"], split["answer_unknown"]) == (told is True, told is None)


CODE = "```\n1. def add(xs):\n2.     total = 0\n3.     for x in xs:\n4.         total = x\n5.     return total\n```"
PASSAGE = "Ice is lighter than water since its molecules stand in a lattice with much room between them."


@pytest.mark.parametrize(
    ("seed", "test_row", "kind"),
    [
        (row("a", PROBLEM), row("b", PROBLEM.replace("1000", "900").replace("7", "12")), "numbers_changed"),
        (row("a", PROBLEM), row("b", PROBLEM.replace("7", "seven").replace("30", "nine")), "numbers_changed"),
        (
            row("a", "I am lost", problem=PROBLEM),
            row("b", "What is to be done here?", problem=PROBLEM.replace("7", "12")), "numbers_changed",
        ),
        (row("a", f"Sum all of them up.\n{CODE}"), row("b", f"Help! Total of a list?\n{CODE}"), "same_problem"),
        (
            row("a", f"Sum all of them up.\n{CODE}"),
            row("b", f"Help! Total of a list?\n{CODE.replace('1. ', '').replace('    ', '  ')}"), "same_problem",
        ),
        (row("a", "What floats?", context=PASSAGE), row("b", "Why is it light?", context=PASSAGE), "same_problem"),
    ],
)  # fmt: skip
def test_what_only_looks_new_is_a_leak(tmp_path, seed, test_row, kind):
    result = write(tmp_path, [seed], [test_row, row("c", "Nothing of the kind")])
    found = result["datasets"]["mathdial"]["overlaps"]["train/test"]
    assert found == {"rows": 2, "exact": 0, "near": 0, "numbers_changed": 0, "same_problem": 0} | {kind: 1}
    assert "1 of 2 test rows" in one_line(result)


def test_a_chapter_of_the_originals_strings_is_a_problem(tmp_path):
    """They have no field for it: it stands before the first label of an open-book row."""
    train, test = (rf"['{PASSAGE}\n\nassistant: {asked}?', 'user: I do not know." for asked in ("Why", "What floats"))
    found = write(tmp_path, [train], [test, "Student: Nothing of the kind"], ".json")
    assert found["datasets"]["mathdial"]["overlaps"]["train/test"]["same_problem"] == 1


def test_short_texts_are_not_alike_without_their_numbers(tmp_path):
    """ "Is it 5?" is no second "Is it 7?": every short answer of a student would be a leak."""
    result = write(
        tmp_path,
        [row("a", "Is it 5, or is it 6?", problem="5 + 6")],
        [row("b", "Is it 7, or is it 8?", problem="7 + 8")],
    )
    assert result["leaks"] == []


def test_an_audit_that_takes_long_shows_how_far_it_is(tmp_path, capsys):
    write(tmp_path, [row(name, f"{LAKE} {name}") for name in "abc"], [row("d", "Why?")])
    capsys.readouterr()
    audit(tmp_path, count_tokens=lambda text: time.sleep(0.9) or 1)
    assert "auditing mathdial train" in capsys.readouterr().err


def test_a_system_message_is_no_chapter_and_short_code_no_problem(tmp_path):
    asked = [{"role": "system", "content": PASSAGE}, {"role": "user", "content": "Why does it float?"}]
    other = [{"role": "system", "content": PASSAGE}, {"role": "user", "content": "Where do birds go?\n```\nx = 1\n```"}]
    third = [{"role": "user", "content": "Sum it\n```\nx = 1\n```"}]
    assert write(tmp_path, [{"messages": asked}, {"messages": third}], [{"messages": other}])["leaks"] == []


def test_a_row_of_another_datasets_train_is_a_leak(tmp_path):
    write(tmp_path, [row("a", PROBLEM)], [row("b", "Nothing of the kind")])
    rows = [row("c", PROBLEM, group="c"), row("d", "Something else"), row("e", LAKE)]
    (tmp_path / "physics_test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "physics_validation.jsonl").write_text(json.dumps(rows[2]))
    result = audit(tmp_path)
    assert result["datasets"]["physics"]["overlaps"]["mathdial train/test"]["exact"] == 1
    assert result["datasets"]["physics"]["overlaps"]["validation/test"]["exact"] == 1
    assert [line for line in result["leaks"] if "mathdial train" in line] == [
        "physics: 1 of 3 test rows stand in mathdial train word for word",
        "physics: 1 of 3 test rows are on a problem of mathdial train",
    ]
    assert list(result["datasets"]["mathdial"]["overlaps"]) == ["train/test"]  # nothing of physics is in it


def test_the_audit_reads_what_limit_reads(tmp_path):
    for split in ("train", "test"):
        rows = [json.dumps(row(f"{split} {i}", f"{LAKE} {split} {i} " * 3)) for i in range(2)]
        (tmp_path / f"physics_{split}.jsonl").write_text("\n".join([*rows, "{ broken"]))
    assert audit(tmp_path, limit=2)["datasets"]["physics"]["splits"]["train"]["rows"] == 2
    with pytest.raises(BadInput, match="line 3: not JSON"):
        audit(tmp_path)


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
        ("Student: 'Is it 5?', 'Teacher: Why?'", "do not end on the student"),
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
    assert near_to(texts, others[:1]) == set() and near_to(texts, others[1:]) == {0, 1}
    assert near_to(others, texts[:1]) == {2} and near_to(others, texts[1:]) == {1} and near_to(others, []) == set()


def test_near_duplicates_are_those_that_every_pair_compared_would_give():
    """The index compares few pairs: which it leaves out must not be near. Texts of 30 words, up to three replaced."""
    rng = random.Random(1)
    vocabulary = [f"w{i}" for i in range(30)]
    stems = [rng.choices(vocabulary, k=rng.randint(1, 40)) for _ in range(40)]

    def variant() -> str:
        words = list(rng.choice(stems))
        for _ in range(rng.randint(0, 3)):
            words[rng.randrange(len(words))] = rng.choice(vocabulary)
        return " ".join(words)

    def grams(text: str) -> set:
        words = text.split()
        return set(zip(*(words[i:] for i in range(5)), strict=False)) or {tuple(words)}

    texts, others = ([variant() for _ in range(150)] for _ in range(2))
    near = {
        i for i, text in enumerate(texts)
        if any(len(grams(text) & grams(o)) >= 0.8 * len(grams(text) | grams(o)) for o in others)
    }  # fmt: skip
    assert near_to(texts, others) == near and 0 < len(near) < 150


def test_table_has_a_line_per_file(tmp_path):
    text = table(write(tmp_path, [row("a", LAKE)], [row("b", LAKE)]))
    assert "mathdial train" in text and "1 of 1 test rows stand in train word for word" in text
    (tmp_path / "physics_of_lakes_and_rivers_test.jsonl").write_text(json.dumps(row("c", "Why?")))
    head, *lines = table(audit(tmp_path)).split("\n")[:4]
    assert {len(line) for line in lines} == {len(head)}  # however long a name is


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original's seeds are not here")
def test_the_known_faults_of_the_original_seeds_are_found():
    result = audit(SHARED / "paper")
    found = {name: dataset["overlaps"]["train/test"] for name, dataset in result["datasets"].items()}
    debugging = result["datasets"]["debugging"]["splits"]
    assert debugging["train"]["repeated"] == 131
    assert found["debugging"]["exact"] == 33 and found["debugging"]["same_problem"] == debugging["test"]["rows"]
    assert debugging["test"]["answer_in_prompt"] == debugging["test"]["rows"]
    assert 0.25 < found["mathdial"]["same_problem"] / found["mathdial"]["rows"] < 0.4
    assert found["tutorchat"]["exact"] == 1 and found["tutorchat"]["same_problem"] == 1  # chapters, not list syntax


@pytest.mark.parametrize("folder", [SHARED / "clean", DATASETS])
def test_clean_seeds_are_found_clean(folder):
    if not any(folder.glob("*.jsonl")):
        pytest.skip(f"no seeds in {folder.name}")
    result = audit(folder)
    assert result["leaks"] == result["defects"] == []


def test_each_test_set_is_large_enough_and_of_new_problems():
    for path in DATASETS_DIR.glob("*_test.jsonl"):
        known = {seed.group for seed in read_seeds(path.with_name(path.name.replace("_test", "_train")))}
        seeds = read_seeds(path)
        assert not known & {seed.group for seed in seeds}
        assert len(seeds) >= 40 and len({seed.group for seed in seeds}) >= 25


def test_every_shipped_dialogue_has_a_reference():
    """Answers are compared with what a teacher says next: a row without it would drop out of that comparison."""
    missing = [seed.id for path in DATASETS_DIR.rglob("*.jsonl") for seed in read_seeds(path) if not seed.reference]
    assert missing == []


def test_tokens_are_words_and_marks():
    """Counted without a list of them: as many as the plain expression finds."""
    texts = ["", " ", "It's 3/4, isn't it?\n\tYes…", "x_1 += 2  # ✓ 我把两个数\u3000加起来", "a\x1cb\u00a0c -- d"]
    for text in [*texts, *(seed.text for seed in read_seeds(DATASETS_DIR / "debugging_test.jsonl"))]:
        assert estimate_tokens(text) == len(TOKEN.findall(text))
