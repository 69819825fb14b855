"""Preference pairs in trl's own format: write a folder that `load_dataset` reads, and read pairs made elsewhere.

A row: {"prompt": [{"role": "user", "content": "…"}], "chosen": [{"role": "assistant", "content": "…"}],
"rejected": [{"role": "assistant", "content": "…"}]}. Two more forms are read: strings instead of message lists, and
rows without `prompt`, whose two conversations begin with the same messages (trl's "implicit prompt").
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
# The licence of a row's dialogue, by the beginning of the row's id.
LICENCES = {
    "sample-": "the sample that ships with Socratic LLM, MIT",
    "mathdial": "MathDial (Macina et al., 2023), CC BY-SA 4.0: credit it and keep the licence",
    "debugging": "the Socratic debugging benchmark (Al-Hossami et al., 2023, 2024), MIT by its authors' card",
    "tutorchat": "TutorChat (Chevalier et al., 2024), no licence stated: NOT TO BE PASSED ON",
}


@dataclass(frozen=True)
class MessagePair:
    """One pair. `prompt` ends with a user message; `chosen` and `rejected` are the two continuations."""

    row: int  # 1 is the first
    prompt: Messages
    chosen: Messages
    rejected: Messages


def export_trl(
    train_dataset: Path | str, folder: Path | str, *, template: str, min_chosen_score: float, made_by: str
) -> int:
    """Write the eligible pairs of a train_dataset.json to `folder`, as `train.jsonl` with a dataset card.

    The dialogues are put into the inference prompt's `template`, as in our own training. `made_by` is the card's line
    on model and judge.
    Returns the number of pairs.
    Raises NoEligiblePair if there is none, and FileExistsError if the folder holds other files.
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
    """Return whether a source has rows in trl's format, rather than a train_dataset.json's.

    A folder or a name on the Hugging Face Hub always does.
    Raises FileNotFoundError for a file that does not exist.
    """
    path = Path(source)
    if not path.is_file():
        if path.suffix and not path.is_dir():
            raise FileNotFoundError(f"{source}: there is no such file")
        return True
    first = next(iter(rows_of_file(path)), None)
    ours = {"chosen_eval", "preferred_by"}  # graded by a judge, or chosen by a person on the chat page
    return first is None or (isinstance(first, dict) and not ours & first.keys())


def read_trl(source: Path | str, split: str = "train") -> tuple[list[MessagePair], Counter[str]]:
    """Read the pairs of a file, a folder or a split of a Hugging Face dataset.

    Returns (the pairs, the number of rows left out by reason).
    Raises BadInput, which names the row and what is wrong with it.
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
    """Shorten every pair until its prompt and the longer answer have at most `max_length` tokens.

    The oldest messages are dropped first; system messages and the last user message stay. A pair that does not fit even
    so is left out and counted.
    Raises BadInput if no pair fits, or if the chat template is unusable for training.
    """
    rows, shortened, left_out, longest = [], 0, Counter[str](), 0
    for pair in pairs:
        system = [message for message in pair.prompt if message["role"] == "system"]
        turns = [message for message in pair.prompt if message["role"] != "system"]
        starts = [i for i, message in enumerate(turns) if message["role"] == "user"]  # chat templates begin with a user
        for start in starts if turns[0]["role"] == "user" else [0, *starts]:
            row = {"prompt": system + turns[start:], "chosen": pair.chosen, "rejected": pair.rejected}
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
    if isinstance(row, dict) and (null := [side for side in ("chosen", "rejected") if row.get(side, "") is None]):
        raise BadInput(f"not a preference pair: its `{null[0]}` is null")
    if not isinstance(row, dict) or "chosen" not in row or "rejected" not in row:
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
        if not prompt:
            raise BadInput("it has no `prompt`, and chosen and rejected do not begin with the same messages")
    if prompt[-1]["role"] != "user" or not prompt[-1]["content"].strip():
        raise BadInput("the prompt must end with a user message that is not empty")
    if any(not side or side[0]["role"] != "assistant" for side in (chosen, rejected)):
        raise BadInput("chosen and rejected must begin with an assistant message")
    return MessagePair(number, prompt, chosen, rejected)


def _messages(name: str, given: Any, role: str) -> Messages:
    if isinstance(given, str):
        return [{"role": role, "content": given}]
    if not isinstance(given, list) or not given:
        raise BadInput(f"`{name}` is neither a string nor a list of messages")
    for i, message in enumerate(given, 1):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise BadInput(f"`{name}`, message {i}: expected an object with a role of {', '.join(ROLES)}")
        if not isinstance(message.get("content"), str):
            raise BadInput(f"`{name}`, message {i}: the content must be a string")
    return [{"role": message["role"], "content": message["content"]} for message in given]


def _terms(row_id: str) -> str:
    other = "other seeds: state their licence here"
    return next((terms for start, terms in LICENCES.items() if row_id.startswith(start)), other)


def _card(count: int, left_out: Counter[str], sources: Counter[str], min_chosen_score: float, made_by: str) -> str:
    lines = [
        "---",
        "tags: [preference, dpo, trl]",
        f"license: {'mit' if set(sources) == {LICENCES['sample-']} else 'other'}",
        "---",
        "# Preference pairs for a Socratic tutor",
        "",
        f"{count} pairs of two answers to the same dialogue. `prompt`, `chosen` and `rejected` are lists of messages, "
        "the conversational format of trl's DPOTrainer. Made with Socratic LLM.",
        "",
        f"{made_by}",
        f"The chosen answer scores above {min_chosen_score:g} on a rubric from 0.1 to 1, and above the rejected one.",
        "",
        "Left out: "
        + ("; ".join(f"{number} rows, {why}" for why, number in left_out.most_common()) or "nothing")
        + ".",
        "",
        "## Licence",
        "",
        "The dialogues in the prompts keep the terms of their sources:",
        "",
        *(f"- {number} pairs: {terms}" for terms, number in sources.most_common()),
        "",
        "The answers were written by a language model, whose own terms may restrict their use.",
    ]
    return "\n".join(lines) + "\n"
