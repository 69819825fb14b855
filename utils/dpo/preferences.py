"""Read preference pairs for DPO from a train_dataset.json, and shorten each to fit the model's context."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from utils.artifacts import read_json
from utils.dpo.pairs import EPSILON, not_apart
from utils.errors import BadInput
from utils.prompts import shorten, tutor_messages
from utils.records import Evaluation

TEMPLATE_DIFFERS = (
    "the tokenizer's chat template renders the prompt differently when an answer follows, so the model would be "
    "trained on a prompt that it never sees in generation; give the model another chat template"
)
TOO_LONG = "the last student turn and an answer alone are longer than the context or --max-length"


class NoEligiblePair(BadInput):
    """There is nothing to train on. The message says why, and shows the candidates' scores."""


@dataclass(frozen=True)
class Preference:
    """One eligible pair: the dialogue that goes into the prompt, and the two answers to it."""

    row: int  # 1 is the file's first
    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class FittedRows:
    """Rows in trl's conversational format, which fit the model's context, and what was done to make them fit.

    `shortened` is the number of rows that lost their oldest turns; `left_out` counts by reason those that did not fit
    even so. `longest` is the length in tokens of the longest sequence (prompt and completion).
    """

    rows: list[dict[str, list[dict[str, str]]]]
    shortened: int
    left_out: Counter[str]
    longest: int


def read_preferences(path: Path | str, min_chosen_score: float) -> tuple[list[Preference], Counter[str]]:
    """Read the eligible pairs of a train_dataset.json.

    A row: {"prompt": "Student: …", "chosen": "…", "rejected": "…", "chosen_eval": {"output": "…", "evaluation":
    {"questions": "yes", "on_topic": 5, "helpful": 4, "reveal_answer": "no"}, …}, "rejected_eval": {…},
    "all_evaluations": [{…}, …]}. A row of `gen_train_dataset` says whether it is `eligible`, and one that a person
    decided (`preferred_by` "person", written by `rate --pairwise` and `chat`) is. A row that says neither, as in a file
    of the original code, must have two valid evaluations, with chosen above `min_chosen_score` and above rejected.
    Returns (the pairs, the number of rows left out by reason).
    Raises BadInput, which names the file, the row and what is wrong, and NoEligiblePair if no row is eligible.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{path}: expected a JSON list of rows with prompt, chosen and rejected")
    pairs, left_out, scores = [], Counter(), []
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
            raise BadInput(f"{where}: not an object with a `prompt`; make the file with gen_train_dataset")
        if not isinstance(candidates := row.get("all_evaluations") or [], list):
            raise BadInput(f"{where}: `all_evaluations` is not a list")
        scores += [_score(where, given) for given in candidates]
        reason = _not_eligible(where, row, min_chosen_score)
        if reason is None:
            pairs.append(Preference(number, row["prompt"], row["chosen"], row["rejected"]))
        else:
            left_out[reason] += 1
    if not pairs:
        raise NoEligiblePair(_nothing_to_train_on(path, left_out, [score for score in scores if score is not None]))
    return pairs, left_out


def sampled_by(path: Path | str) -> dict[str, Any] | None:
    """Return {"model", "settings"} of the tutor that sampled the rows' candidates; None if the rows do not say.

    Raises BadInput if several tutors sampled them, or if a row does not say it in this form.
    """
    makers = [row.get("sampled_by") for row in read_json(path)]
    for number, maker in enumerate(makers, 1):
        fields = maker if isinstance(maker, dict) else {}
        if maker and not (isinstance(fields.get("model"), str | None) and isinstance(fields.get("settings"), dict)):
            raise BadInput(f"{path}, row {number}: `sampled_by` is not an object with `model` and `settings`")
    if any(maker != makers[0] for maker in makers):
        raise BadInput(f"{path}: its rows were sampled by several tutors; train on those of one")
    return makers[0]


def fit_preferences(pairs: Sequence[Preference], tokenizer, template: str, max_length: int) -> FittedRows:
    """Shorten every pair until its prompt and the longer completion have at most `max_length` tokens.

    The oldest turns are dropped first. A pair whose last student turn does not fit is left out and counted.
    Raises BadInput if no pair fits, or if the chat template is unusable for training (`fit_dialogue`).
    """
    rows, shortened, left_out, longest = [], 0, Counter(), 0
    for pair in pairs:
        fitted = fit_dialogue(tokenizer, template, pair.prompt, (pair.chosen, pair.rejected), max_length)
        if fitted is None:
            left_out[TOO_LONG] += 1
            continue
        dialogue, dropped, length = fitted
        rows.append(as_messages(template, replace(pair, prompt=dialogue)))
        shortened += dropped > 0
        longest = max(longest, length)
    if not rows:
        raise BadInput(f"no pair fits into {max_length} tokens: {TOO_LONG}; raise --max-length")
    return FittedRows(rows, shortened, left_out, longest)


def fit_dialogue(
    tokenizer, template: str, dialogue: str, answers: Sequence[str], max_length: int
) -> tuple[str, int, int] | None:
    """Drop a dialogue's oldest turns until its prompt and the longest answer have at most `max_length` tokens.

    Returns (the dialogue, the number of dropped turns, the tokens of the longest sequence), or None if the last student
    turn does not fit.
    Raises BadInput if the tokenizer's chat template renders the prompt differently when an answer follows.
    """
    length = 0

    def fits(rest: str) -> bool:
        nonlocal length
        length = length_of(tokenizer, tutor_messages(template, rest), [[as_answer(answer)] for answer in answers])
        return length <= max_length

    try:
        rest, dropped = shorten(dialogue, fits)
    except TemplateDiffers:
        raise BadInput(TEMPLATE_DIFFERS) from None
    except BadInput:  # of `shorten`
        return None
    return rest, dropped, length


def length_of(tokenizer, prompt: list[dict[str, str]], answers: Sequence[list[dict[str, str]]]) -> int:
    """Return the number of tokens of a prompt with the longest of its answers.

    Raises TemplateDiffers if the tokens of a prompt with an answer do not begin with those of the prompt alone.
    """
    ids = tokenize(tokenizer, prompt, True)
    sequences = [tokenize(tokenizer, prompt + answer, False) for answer in answers]
    if any(sequence[: len(ids)] != ids for sequence in sequences):
        raise TemplateDiffers
    return max(map(len, sequences))


def as_answer(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def tokenize(tokenizer, messages: list[dict[str, str]], to_be_answered: bool) -> list[int]:
    """Return a conversation's token ids in the model's chat template.

    They end where the assistant's answer is to begin if `to_be_answered`, else after the last message.
    """
    return tokenizer.apply_chat_template(messages, add_generation_prompt=to_be_answered, return_dict=False)


class TemplateDiffers(Exception):
    """A prompt's tokens change when an answer follows."""


def as_messages(template: str, pair: Preference) -> dict[str, list[dict[str, str]]]:
    """Return the pair as a row in trl's conversational format."""
    return {
        "prompt": tutor_messages(template, pair.prompt),
        "chosen": [as_answer(pair.chosen)],
        "rejected": [as_answer(pair.rejected)],
    }


def _not_eligible(where: str, row: dict[str, Any], min_chosen_score: float) -> str | None:
    """Return why a row is not trained on, or None if it is."""
    if row.get("eligible") is False:
        return row.get("not_eligible_because") or "marked as not eligible"
    scores = [_score(f"{where}, {side}_eval", row.get(f"{side}_eval")) for side in ("chosen", "rejected")]
    decided = row.get("eligible") or row.get("preferred_by") == "person"
    if None in scores and not decided:
        return "chosen or rejected has no valid evaluation"
    if not all(isinstance(row.get(side), str) and row[side].strip() for side in ("chosen", "rejected")):
        return "chosen or rejected is empty"
    return None if decided else not_apart(*scores, min_chosen_score)


def _score(where: str, given: dict[str, Any] | None) -> float | None:
    """Return an entry's `score`, or else the summary score of its evaluation; None without a valid evaluation."""
    if not isinstance(given, dict | None):
        raise BadInput(f"{where}: not a graded answer: {str(given)[:60]!r}")
    if not given or not given.get("evaluation"):
        return None
    if isinstance(given.get("score"), int | float):
        return given["score"]
    try:
        return Evaluation.model_validate(given["evaluation"]).score
    except ValidationError as error:
        problem = error.errors()[0]
        raise BadInput(f"{where}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None


def _nothing_to_train_on(path: Path | str, left_out: Counter[str], scores: list[float]) -> str:
    lines = [f"{path}: no pair is eligible for training", *(f"  {n} rows: {why}" for why, n in left_out.most_common())]
    if scores:
        bins = Counter(min(int(score * 10 + EPSILON), 9) for score in scores)
        lines.append(f"scores of the {len(scores)} candidates with a valid evaluation:")
        for i in range(10):
            bar = "#" * round(40 * bins[i] / max(bins.values()))
            lines.append(f"  {i / 10:.1f}-{(i + 1) / 10:.1f} {bins[i]:5d} {bar}".rstrip())
        lines.append(
            "make the pairs with a lower --min-chosen-score, which the better candidates reach, sample more candidates "
            "(--num-candidates), or start from a stronger model (--instruct-model)"
        )
    return "\n".join(lines)
