"""Preference pairs as trl has them: written to a folder that `load_dataset` reads, and taken from anywhere.

A row: {"prompt": [{"role": "user", "content": "…"}], "chosen": [{"role": "assistant", "content": "…"}],
"rejected": [{"role": "assistant", "content": "…"}]}. Also read: strings in the place of message lists, and rows
without a prompt of its own, whose two conversations begin alike (trl's "implicit prompt").
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.artifacts import read_json, write_text
from utils.dpo.preferences import (
    TEMPLATE_DIFFERS,
    FittedRows,
    TemplateDiffers,
    as_messages,
    length_of,
    read_preferences,
)
from utils.errors import BadInput
from utils.seeds.files import rows_of_dataset, rows_of_file

Messages = list[dict[str, str]]
ROLES = ("system", "user", "assistant")
SAME = "chosen and rejected are the same, or one is empty"
TOO_LONG = "the last user message and an answer alone are longer than the model's context"
# Under what the dialogues of a row stand, by the beginning of its id.
LICENCES = {
    "sample-": "the sample that ships with Socratic LLM, MIT",
    "mathdial": "MathDial (Macina et al., 2023), CC BY-SA 4.0: credit it and keep the licence",
    "debugging": "the Socratic debugging benchmark (Al-Hossami et al., 2023, 2024), MIT by its authors' card",
    "tutorchat": "TutorChat (Chevalier et al., 2024), no licence stated: NOT TO BE PASSED ON",
}


@dataclass(frozen=True)
class MessagePair:
    """One pair; `prompt` ends on the user, `chosen` and `rejected` are what follows."""

    row: int  # 1 is the first
    prompt: Messages
    chosen: Messages
    rejected: Messages


def export_trl(
    train_dataset: Path | str, folder: Path | str, *, template: str, min_chosen_score: float, made_by: str
) -> int:
    """Write the eligible pairs of a train_dataset.json to `folder`, as `train.jsonl` with a card; returns how many.

    The prompts are put into the inference prompt's `template`, as for our own training. `made_by` is the card's line on
    model and judge. NoEligiblePair if there is none, FileExistsError if the folder holds other things.
    """
    folder = Path(folder)
    if folder.exists() and {path.name for path in folder.iterdir()} - {"README.md", "train.jsonl"}:
        raise FileExistsError(f"{folder} holds other files; give --export-trl a folder of its own")
    pairs, left_out = read_preferences(train_dataset, min_chosen_score)
    lines = [json.dumps(as_messages(template, pair), ensure_ascii=False) + "\n" for pair in pairs]
    rows = read_json(train_dataset)
    sources = Counter(_terms(str(rows[pair.row - 1].get("id", ""))) for pair in pairs)
    write_text(folder / "train.jsonl", "".join(lines))
    write_text(folder / "README.md", _card(len(pairs), left_out, sources, min_chosen_score, made_by))
    return len(pairs)


def is_trl(source: Path | str) -> bool:
    """Are these trl's rows, rather than a train_dataset.json? A hub name or a folder is."""
    path = Path(source)
    if not path.is_file():
        if path.suffix and not path.is_dir():
            raise FileNotFoundError(f"{source}: there is no such file")
        return True
    first = next(iter(rows_of_file(path)), None)
    ours = {"chosen_eval", "preferred_by"}  # graded, or picked by a person on the chat page
    return isinstance(first, dict) and "chosen" in first and not ours & first.keys()


def read_trl(source: Path | str, split: str = "train") -> tuple[list[MessagePair], Counter[str]]:
    """(the pairs of a file, a folder or a Hugging Face dataset's split, how many rows were left out for which reason).

    BadInput names the row and what is wrong with it.
    """
    path = Path(source)
    pairs, left_out = [], Counter[str]()
    for number, row in enumerate(rows_of_file(path) if path.is_file() else rows_of_dataset(str(source), split), 1):
        try:
            pair = _pair(number, row)
        except BadInput as error:
            raise BadInput(f"{source}, row {number}: {error}") from None
        texts = [[message["content"].strip() for message in side] for side in (pair.chosen, pair.rejected)]
        if texts[0] == texts[1] or not all(map(all, texts)):
            left_out[SAME] += 1
        else:
            pairs.append(pair)
    if not pairs:
        reasons = "; ".join(f"{count} rows: {why}" for why, count in left_out.items()) or "it has no rows"
        raise BadInput(f"{source}: no pair to train on ({reasons})")
    return pairs, left_out


def fit_messages(pairs: Sequence[MessagePair], tokenizer, max_length: int) -> FittedRows:
    """Make every pair fit: prompt and the longer answer in `max_length` tokens, the oldest messages going first.

    System messages and the last user message stay; a pair that does not fit even so is left out and counted.
    """
    rows, shortened, left_out, longest = [], 0, Counter[str](), 0
    for pair in pairs:
        system = [message for message in pair.prompt if message["role"] == "system"]
        talk = [message for message in pair.prompt if message["role"] != "system"]
        starts = [i for i, message in enumerate(talk) if message["role"] == "user"]  # templates want the user to open
        for start in starts if talk[0]["role"] == "user" else [0, *starts]:
            row = {"prompt": system + talk[start:], "chosen": pair.chosen, "rejected": pair.rejected}
            try:
                length = length_of(tokenizer, row["prompt"], [row["chosen"], row["rejected"]])
            except TemplateDiffers:
                raise BadInput(f"{TEMPLATE_DIFFERS} (row {pair.row})") from None
            if length <= max_length:
                rows.append(row)
                shortened += start > 0
                longest = max(longest, length)
                break
        else:
            left_out[TOO_LONG] += 1
    if not rows:
        raise BadInput(f"no pair fits into {max_length} tokens: {TOO_LONG}; raise --max-length")
    return FittedRows(rows, shortened, left_out, longest)


def _pair(number: int, row: Any) -> MessagePair:
    if not isinstance(row, dict) or row.get("chosen") is None or row.get("rejected") is None:
        found = ", ".join(map(str, row)) if isinstance(row, dict) else type(row).__name__
        raise BadInput(f"not a preference pair: expected prompt, chosen and rejected, found {found or 'nothing'}")
    chosen, rejected = (_messages(side, row[side], "assistant") for side in ("chosen", "rejected"))
    if row.get("prompt") is not None:
        prompt = _messages("prompt", row["prompt"], "user")
        chosen, rejected = (
            side[len(prompt) :] if side[: len(prompt)] == prompt else side for side in (chosen, rejected)
        )
    else:
        alike = next((i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), 0)
        prompt, chosen, rejected = chosen[:alike], chosen[alike:], rejected[alike:]
    if not prompt or prompt[-1]["role"] != "user":
        raise BadInput("the prompt must end on the user")
    if any(not side or side[0]["role"] != "assistant" for side in (chosen, rejected)):
        raise BadInput("chosen and rejected must begin with the assistant")
    return MessagePair(number, prompt, chosen, rejected)


def _messages(name: str, given: Any, role: str) -> Messages:
    if isinstance(given, str):
        return [{"role": role, "content": given}]
    if not isinstance(given, list) or not given:
        raise BadInput(f"`{name}` is neither text nor a list of messages")
    for i, message in enumerate(given, 1):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise BadInput(f"`{name}`, message {i}: expected an object with a role of {', '.join(ROLES)}")
        if not isinstance(message.get("content"), str):
            raise BadInput(f"`{name}`, message {i}: the content must be text, in one string")
    return [{"role": message["role"], "content": message["content"]} for message in given]


def _terms(row_id: str) -> str:
    return next((terms for start, terms in LICENCES.items() if row_id.startswith(start)), "other seeds: yours to say")


def _card(count: int, left_out: Counter[str], sources: Counter[str], min_chosen_score: float, made_by: str) -> str:
    lines = [
        "---",
        "tags: [preference, dpo, trl]",
        f"license: {'mit' if set(sources) == {LICENCES['sample-']} else 'other'}",
        "---",
        "# Preference pairs for a Socratic tutor",
        "",
        f"{count} pairs of two answers to one dialogue, conversational: `prompt`, `chosen`, `rejected` are lists of "
        "messages, as trl's DPOTrainer takes them. Made with Socratic LLM.",
        "",
        f"{made_by}",
        f"Chosen scores above {min_chosen_score:g} on a rubric of 0.1 to 1, and above rejected.",
        "",
        "Left out: "
        + ("; ".join(f"{number} rows, {why}" for why, number in left_out.most_common()) or "nothing")
        + ".",
        "",
        "## Licence",
        "",
        "The dialogues in the prompts keep the terms of where they are from:",
        "",
        *(f"- {number} pairs: {terms}" for terms, number in sources.most_common()),
        "",
        "The answers were written by a language model, whose own terms may bind their use.",
    ]
    return "\n".join(lines) + "\n"
