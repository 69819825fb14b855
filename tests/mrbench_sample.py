"""A sample in MRBench's shape, written by us, with the traps of the real files."""

import json
from pathlib import Path

SAME = "Tutor: Hi, could you please solve this? The question is: A florist ties 4 bunches of 9 roses. How many? \n "
LABELS = ("Mistake_Identification", "Mistake_Location", "Providing_Guidance", "Actionability")


def annotation(good: str, reveals: str, tone: str = "Neutral") -> dict[str, str]:
    """All eight labels; six of them are `good`."""
    names = (*LABELS, "Coherence", "humanlikeness")  # the real key has a small h
    return dict.fromkeys(names, good) | {"Revealing_of_the_Answer": reveals, "Tutor_Tone": tone}


def tutor(text: str, good: str, reveals: str = "No", tone: str = "Neutral") -> dict:
    return {"response": text, "annotation": annotation(good, reveals, tone)}


FLORIST = {
    "conversation_id": "77-abc",
    "conversation_history": SAME
    + "Student: 4 + 9 = 13 \n 13 \n Tutor: what is in one bunch? \n Student: 9 roses, so 13.",
    "Data": "MathDial",
    "Split": "test",
    "Topic": "Not Available",
    "Ground_Truth_Solution": "Each bunch has 9 roses.\n4 x 9 = 36 roses.\n 36",
    "anno_llm_responses": {
        "Expert": tutor("You have 4 bunches. How many roses are in two of them?", "Yes", tone="Encouraging"),
        "GPT4": tutor('"There are 4 x 9 = 36 roses, not 13."', "To some extent", "Yes (and the answer is correct)"),
        "Phi3": tutor("Tutor: Great work!", "No", tone="Encouraging"),
        "Gemini": tutor("So the answer is 40 roses.", "No", "Yes (but the answer is incorrect)", "Offensive"),
    },
}
BAKER = {
    "conversation_id": "78-def",
    "conversation_history": "Tutor: The question is: A baker bakes 3 trays of 12 rolls. How many rolls? \n Student: 15",
    "Data": "MathDial",
    "Ground_Truth_Solution": "3 x 12 = 36 rolls.\n 36",
    "anno_llm_responses": {
        "Expert": tutor("What do the 12 rolls lie on, and how many of these are there?", "Yes"),
        "GPT4": tutor("Each tray has 12 rolls; what would 2 trays have?", "Yes"),
        "Phi3": tutor("It is 36 rolls in total.", "No", "Yes (and the answer is correct)"),
    },
}
SHAPES = {
    "conversation_id": "411",
    "conversation_history": "Tutor: What is the value of 3 times 8?\xa0\n\xa0Student: 32",
    "Data": "Bridge",
    "Ground_Truth_Solution": "Not Available",
    "anno_llm_responses": {
        "Expert": tutor("What is 2 times 8, and one 8 more?", "Yes"),
        "Novice": tutor("Not quite, 3 times 8 is 24.", "No", "Yes\xa0(and the answer is correct)"),
    },
}


def write_sample(folder: Path) -> list[Path]:
    """Both files: V2 with an id that occurs twice, the development set with four labels and a dialogue of V2 again."""
    few = {
        name: {"response": one["response"], "annotation": {label: one["annotation"][label] for label in LABELS}}
        for name, one in FLORIST["anno_llm_responses"].items()
    }
    old = {"conversation_id": "77-abc", "conversation_history": FLORIST["conversation_history"], "tutor_responses": few}
    new = {**old, "conversation_id": "79-ghi", "tutor_responses": {"Expert": few["Expert"]}}
    files = {"MRBench_V2.json": [FLORIST, BAKER, SHAPES, SHAPES], "mrbench_v3_devset.json": [old, new]}
    for name, rows in files.items():
        (folder / name).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return [folder / name for name in files]
