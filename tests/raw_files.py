"""Small raw files in the three sources' own formats, written for the tests."""

import json
from pathlib import Path

NAMES = ["Ines", "Omar", "Petra", "Liv", "Jonas", "Aiko", "Samir", "Greta", "Tomas", "Wanda", "Kofi", "Rosa"]
THINGS = [
    "pots of jam", "paper lanterns", "bicycle bells", "wooden spoons", "tulip bulbs", "glass marbles", "wool hats",
    "maps of the harbour", "tins of paint", "chess sets", "garden gnomes", "bars of soap",
]  # fmt: skip


def mathdial_row(i: int, conversation: str | None = None, **fields) -> dict:
    """Problem `i`: its answer is `7 * (i + 3) + 1000`, which no other number of the problem is."""
    name, thing, answer = NAMES[i % 12], THINGS[i % 12], 7 * (i + 3) + 1000
    default = (
        f"Teacher: (generic)Hi {name}, what did you do first?|EOM|{name}: I took 7 for each of the {thing}.|EOM|"
        f"Teacher: (focus)And what about the 1000?|EOM|Student: I left the thousand out.\n\nShould I add it?|EOM|"
        f"Teacher: (probing)What would change if you did? |EOM|Student: Then it is {answer}.|EOM|"
        f"Teacher: (telling)Yes, {answer} it is.|EOM|Student: Thank you!"
    )
    return {
        "qid": 5000 + i, "scenario": 1 + i % 5,
        "question": f"{name} has 1000 coins  and sells {i + 3} {thing}\nat 7 coins each. How many coins are there now?",
        "ground_truth": f"7*{i + 3}={7 * (i + 3)}\n1000+{7 * (i + 3)}={answer}\n {answer}",
        "student_incorrect_solution": f"7 x {i + 3} = {7 * (i + 3)} \n {7 * (i + 3)}",
        "student_profile": "a pupil", "teacher_described_confusion": "forgets the start ", "self-correctness": "Yes",
        "self-typical-confusion": 4.0, "self-typical-interactions": 4.0, "conversation": conversation or default,
        **fields,
    }  # fmt: skip


def debugging_text(i: int, dialogue: str | None = None) -> str:
    """Bug `i`: `total` is returned one step too early, the fix is `return total + {i}`."""
    talk = dialogue or (
        f"User: My function forgets the last {THINGS[i % 12]}. Can you help?\n"
        "Assistant: Which input shows it?\n\t<alt>What do you get for a list of one?\n    <alt>What should come out?\n"
        "User: For `[2]` I get 2.\n\t<alt>Any input does.\n"
        "Assistant: What does line 3 hand back, then?\n"
        f"User: The plain total. So I change it:\n<code>\n1. def count_{i}(xs):\n2.     total = sum(xs)\n"
        f"3.     return total + {i}\n\n</code>\n\t<alt>I do not know.\n"
        "Assistant: Good work! Anything else?\nUser: No, thank you!\n"
    )
    return (
        f"<problem>\nWrite `count_{i}(xs)` that adds {i} to the sum of the {THINGS[i % 12]}. \n\n"
        f"## Example Cases:\n```\ncount_{i}([2]) => {2 + i}\n```\n</problem>\n"
        f"<bug_code>\n1. def count_{i}(xs):\n2.     total = sum(xs)\n3.     return total\n</bug_code>\n"
        f"<bug_desc>\nThe constant {i} is never added to the total.\n</bug_desc>\n"
        f"<bug_fixes>\nReplace `return total` with `return total + {i}` on line 3.\n</bug_fixes>\n"
        f"<unit_tests>\nassert count_{i}([2]) == {2 + i}\n</unit_tests>\n<stu_desc>\n\n</stu_desc>\n"
        f"<dialogue>\n{talk}</dialogue>"
    )


def tutorchat_row(i: int, mode: str = "closedbook", folder: str | None = None) -> dict:
    name, thing = NAMES[i % 12], THINGS[i % 12]
    talk = [
        f"Today we look at how {thing} are made, lesson {i}. Ready?",
        f"Yes! My aunt {name} makes {thing} at home.",
        "What does she need for that?",
        f"A table and patience, I think. Number {i} took her a week.",
        "Why so long, do you suppose?",
        "Because she waits for each layer to dry?",
        "You're welcome! Good luck.",
    ]
    chapter = [f"Chapter {i}: {thing}. They are made slowly, one by one, by hand."]
    return {
        "mode": mode, "textbook_folder": folder or f"textbooks/crafts/{i}",
        "conversation": chapter + talk[1:] if mode == "openbook" else talk, "processed_conversation": "",
    }  # fmt: skip


def write_raw(folder: Path, count: int = 12, padding: int = 0) -> Path:
    """`count` dialogues per source; `padding` bytes more in MathDial's first row, for a file that takes a while."""
    import pyarrow
    import pyarrow.parquet

    rows = [mathdial_row(i, **({"note": "x" * padding} if padding and not i else {})) for i in range(count)]
    for name in ("mathdial", "tutorchat", "debugging/train", "debugging/testset"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for split, part in (("train", rows[: count // 2]), ("test", rows[count // 2 :])):
        lines = "\n".join(json.dumps(row) for row in part)
        (folder / "mathdial" / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    for i in range(count):
        name = f"{i}_{i + 40}_count_up_conversational_thread_1.txt"
        text = debugging_text(i)
        path = folder / "debugging" / ("train" if i % 3 else "testset") / name
        path.write_text("\ufeff" + text if i == 0 else text, encoding="utf-8")
    chats = [tutorchat_row(i, ("closedbook", "openbook")[i % 2]) for i in range(count)]
    chats.append(tutorchat_row(99, "singleturn"))
    table = pyarrow.Table.from_pylist(chats)
    pyarrow.parquet.write_table(table, folder / "tutorchat" / "validation-00000-of-00001.parquet")
    return folder
