"""trl's own rows: what we give out loads and trains as ours does, and what others have is taken or refused by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import in_process
import pytest
from fake_hub import FakeHub
from transformers import AutoTokenizer

from utils import models
from utils.dpo.preferences import NoEligiblePair, fit_preferences, read_preferences, tokenize
from utils.dpo.trl_rows import MessagePair, export_trl, fit_messages, is_trl, read_trl
from utils.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "Guide the student.\n\n{input}\n\nTeacher:"
GOOD = {"questions": "yes", "on_topic": 5.0, "helpful": 5.0, "reveal_answer": "no"}
POOR = {"questions": "no", "on_topic": 3.0, "helpful": 2.0, "reveal_answer": "yes"}
PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 3 + 4?"}]


def said(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def train_row(row_id: str, chosen: dict = GOOD) -> dict:
    """As gen_train_dataset writes it."""
    reason = None if chosen is GOOD else "chosen does not score above 0.8"
    row = {"id": row_id, "group": "g", "prompt": f"Student: Is 3 + 4 = 8, {row_id}?", "eligible": reason is None}
    row |= {"not_eligible_because": reason}
    for side, text, grade in (("chosen", "What is 3 + 1, \u00fc?", chosen), ("rejected", "It is 7.", POOR)):
        row |= {side: text, f"{side}_eval": {"output": text, "evaluation": grade}}
    return row


def write(path: Path, *rows: dict, lines: bool = False) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(list(rows)), encoding="utf-8")
    return path


def test_what_is_exported_loads_and_trains_as_our_own_rows_do(tmp_path):
    from datasets import load_dataset
    from trl.data_utils import is_conversational

    ours = write(tmp_path / "train_dataset.json", train_row("sample-1"), train_row("tutorchat-2"), train_row("x", POOR))
    count = export_trl(ours, tmp_path / "out", template=TEMPLATE, min_chosen_score=0.8, made_by="By hand.")
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert count == len(loaded) == 2 and loaded.column_names == ["prompt", "chosen", "rejected"]
    assert is_conversational(loaded[0])

    pairs, left_out = read_trl(tmp_path / "out/train.jsonl")
    assert not left_out and is_trl(tmp_path / "out/train.jsonl") and not is_trl(ours)
    tokenizer = AutoTokenizer.from_pretrained(models.resolve("smollm2"))
    again = fit_messages(pairs, tokenizer, 300)
    first = fit_preferences(read_preferences(ours, 0.8)[0], tokenizer, TEMPLATE, 300)
    assert (again.rows, again.longest) == (first.rows, first.longest)
    assert [pair.prompt for pair in read_trl(tmp_path / "out")[0]] == [pair.prompt for pair in pairs]  # the folder


def test_the_card_says_terms_and_counts(tmp_path):
    ours = write(
        tmp_path / "a.json", train_row("sample-1"), train_row("tutorchat-2"), train_row("x", POOR), train_row("y")
    )
    export_trl(ours, tmp_path / "out", template=TEMPLATE, min_chosen_score=0.8, made_by="Answers by m, graded by j.")
    card = (tmp_path / "out/README.md").read_text()
    assert "license: other" in card and "3 pairs of two answers" in card and "Answers by m, graded by j." in card
    assert "1 pairs: TutorChat" in card and "NOT TO BE PASSED ON" in card and "1 pairs: other seeds" in card
    assert "Left out: 1 rows, chosen does not score above 0.8." in card
    ours = write(tmp_path / "b.json", train_row("sample-1"))
    export_trl(ours, tmp_path / "out", template=TEMPLATE, min_chosen_score=0.8, made_by="")  # a second time
    assert "license: mit" in (tmp_path / "out/README.md").read_text()


def test_nothing_is_exported_over_other_files_or_without_a_pair(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").touch()
    ours = write(tmp_path / "a.json", train_row("sample-1"))
    with pytest.raises(FileExistsError, match="a folder of its own"):
        export_trl(ours, tmp_path / "out", template=TEMPLATE, min_chosen_score=0.8, made_by="")
    with pytest.raises(NoEligiblePair):
        poor = write(tmp_path / "b.json", train_row("sample-1", POOR))
        export_trl(poor, tmp_path / "new", template=TEMPLATE, min_chosen_score=0.8, made_by="")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": PROMPT, "chosen": said("Why?"), "rejected": said("7")},
        {"prompt": PROMPT, "chosen": "Why?", "rejected": "7"},
        {"prompt": PROMPT, "chosen": PROMPT + said("Why?"), "rejected": PROMPT + said("7")},  # repeat the prompt
        {"chosen": PROMPT + said("Why?"), "rejected": PROMPT + said("7"), "score": 3},  # have it alone
    ],
)
@pytest.mark.parametrize("lines", [True, False])
def test_the_forms_that_people_have(tmp_path, row, lines):
    ((pair,), left_out) = read_trl(write(tmp_path / "a.json", row, lines=lines))
    assert pair == MessagePair(1, PROMPT, said("Why?"), said("7")) and not left_out


def test_a_prompt_in_one_string_is_the_users_and_equal_answers_are_left_out(tmp_path):
    rows = [{"prompt": "2 + 2?", "chosen": "Why?", "rejected": other} for other in ("4", "Why? ", "")]
    pairs, left_out = read_trl(write(tmp_path / "a.jsonl", *rows, lines=True))
    assert [pair.prompt for pair in pairs] == [[{"role": "user", "content": "2 + 2?"}]] and left_out.total() == 2
    with pytest.raises(BadInput, match=r"no pair to train on .2 rows: chosen and rejected are the same"):
        read_trl(write(tmp_path / "b.jsonl", *rows[1:], lines=True))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": PROMPT}, "not a preference pair: .* found messages"),
        (["a"], "not a preference pair: .* found list"),
        ({"prompt": [], "chosen": "a", "rejected": "b"}, "`prompt` is neither a string nor a list of messages"),
        ({"prompt": PROMPT[:1], "chosen": "a", "rejected": "b"}, "the prompt must end with a user message"),
        (
            {"chosen": said("a"), "rejected": said("b")},
            "no `prompt`, and chosen and rejected do not begin with the same",
        ),
        ({"chosen": "Human: 2?\n\nAssistant: a", "rejected": "Human: 2?\n\nAssistant: b"}, "has no `prompt`"),
        ({"prompt": " ", "chosen": "a", "rejected": "b"}, "must end with a user message that is not empty"),
        ({"prompt": "a", "chosen": None, "rejected": "b"}, "its `chosen` is null"),
        ({"prompt": PROMPT, "chosen": PROMPT[1:], "rejected": "b"}, "must begin with an assistant message"),
        ({"prompt": [{"role": "tutor", "content": "a"}], "chosen": "a", "rejected": "b"}, "message 1: .*system, user"),
        (
            {"prompt": [{"role": "user", "content": None}], "chosen": "a", "rejected": "b"},
            "message 1: the content must",
        ),
    ],
)
def test_bad_pairs_are_named(tmp_path, row, message):
    path = write(tmp_path / "a.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"}, row, lines=True)
    with pytest.raises(BadInput, match=message) as error:
        read_trl(path)
    assert f"{path}, row 2" in str(error.value)


@pytest.mark.parametrize("content", ["", "\n\n", "[]"])
def test_a_file_without_rows_says_so(tmp_path, content):
    """It was "not a whole JSON file (Expecting value: line 2 column 1)"."""
    path = tmp_path / ("a.json" if content == "[]" else "a.jsonl")
    path.write_text(content)
    assert is_trl(path)
    with pytest.raises(BadInput, match=r"no pair to train on .it has no rows"):
        read_trl(path)


def test_rows_for_another_kind_of_training_are_named_as_that(tmp_path):
    """Of completions with a label in lines: "not a whole JSON file (Extra data: line 2)"."""
    path = write(tmp_path / "a.jsonl", *[{"prompt": PROMPT, "completion": said("a"), "label": True}] * 2, lines=True)
    assert is_trl(path)
    with pytest.raises(BadInput, match=r"row 1: not a preference pair: .*found prompt, completion, label"):
        read_trl(path)


def test_long_prompts_lose_their_oldest_messages():
    tokenizer = AutoTokenizer.from_pretrained(models.resolve("smollm2"))
    talk = [{"role": role, "content": f"{i} " + "why " * 30} for i in range(6) for role in ("user", "assistant")]
    pair = MessagePair(1, [PROMPT[0], *talk, PROMPT[1]], said("Why?"), said("It is seven."))
    hopeless = MessagePair(2, [{"role": "user", "content": "why " * 600}], said("a"), said("b"))
    fitted = fit_messages([pair, hopeless], tokenizer, 200)
    (row,) = fitted.rows
    assert fitted.shortened == 1 and fitted.left_out.total() == 1
    assert row["prompt"][0] == PROMPT[0] and row["prompt"][-1] == PROMPT[1] and row["prompt"][1]["role"] == "user"
    assert (
        max(len(tokenize(tokenizer, row["prompt"] + row[side], False)) for side in ("chosen", "rejected"))
        == fitted.longest
    )
    assert 130 < fitted.longest <= 200, "more was dropped than had to be"
    with pytest.raises(BadInput, match="no pair fits into 200 tokens"):
        fit_messages([hopeless], tokenizer, 200)
    tokenizer.chat_template = "{% if add_generation_prompt %}Q{% else %}A{% endif %}{{ messages[0]['content'] }}"
    with pytest.raises(BadInput, match=r"renders the prompt differently .* \(row 1\)"):
        fit_messages([pair], tokenizer, 200)


def test_the_scripts_write_trls_rows_and_train_on_them(tmp_path, tiny):
    """--export-trl makes a folder that --train-dataset takes, as it takes the file in it."""
    talk = (
        "Student: I think 2 x 6 is {}.\nTeacher: Why?\nStudent: I added {}.\nTeacher: What do two rows of 6 look like?"
    )
    seeds = write(tmp_path / "a.jsonl", *({"text": talk.format(n, n)} for n in range(4)), lines=True)
    model = ["--instruct-model", tiny, "--dtype", "float32", "--device", "cpu"]
    made = in_process.run(
        "gen_train_dataset", "--seeds", seeds, "--output-path", tmp_path / "pairs.json", "--export-trl",
        tmp_path / "out", "--min-chosen-score", "0.3", "--num-candidates", "2", "--with-reference",
        "--max-new-tokens", "8", *model,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    pairs = len((tmp_path / "out/train.jsonl").read_text().splitlines())
    assert f"as trl takes them, {pairs} rows" in made.stdout and pairs > 0
    assert "Answers by tiny, graded by offline rubric" in (tmp_path / "out/README.md").read_text()
    for source in ("out", "out/train.jsonl"):
        folder = tmp_path / ("run_" + source.replace("/", "_"))
        done = in_process.run(
            "train", "--train-dataset", tmp_path / source, "--output-dir", folder, "--epochs", "1", *model
        )
        assert done.returncode == 0 and f"{pairs} pairs to train on" in done.stderr, done.stderr
        assert (folder / "weights/model.safetensors").is_file()


def test_a_name_on_the_hub_is_trained_on_without_its_other_rows(tmp_path, tiny):
    """By its configuration, streamed: nothing of it is stored. A process of its own: the address is read once."""
    hub, row = FakeHub(), {"prompt": PROMPT, "chosen": said("Why?"), "rejected": said("7")}
    lines = [json.dumps(row | {"chosen": said(f"Why {n}?")}) + "\n" for n in range(3)]
    hub.files["lab/pairs"] = {
        "README.md": b"---\nconfigs:\n- {config_name: easy, data_files: a.jsonl}\n"
        b"- {config_name: hard, data_files: b.jsonl}\n---\n",
        "a.jsonl": lines[0].encode(), "b.jsonl": "".join(lines).encode(),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    with hub.serve():
        done = subprocess.run(
            [sys.executable, "-m", "train", "--train-dataset", "lab/pairs:hard", "--output-dir", tmp_path / "run",
             "--instruct-model", tiny, "--dtype", "float32", "--device", "cpu", "--epochs", "1"],
            cwd=ROOT, env={**kept, **hub.env, "HF_HOME": str(tmp_path / "home")}, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0 and "3 pairs to train on" in done.stderr, done.stderr[-2000:]
    assert "a.jsonl" not in hub.times_asked() and not list((tmp_path / "home").rglob("*.arrow"))
