"""Turn reference turns (what the teacher really said next) into rows for supervised fine-tuning."""

from collections import Counter
from collections.abc import Sequence

from utils.dpo.preferences import TOO_LONG, FittedRows, as_answer, fit_dialogue
from utils.errors import BadInput
from utils.prompts import tutor_messages
from utils.records import SeedDialogue

NO_REFERENCE = "no reference turn"


def fit_references(seeds: Sequence[SeedDialogue], tokenizer, template: str, max_length: int) -> FittedRows:
    """Make a row of every seed that has a reference: the tutor's prompt, and the reference as its answer.

    The oldest turns are dropped until prompt and reference have at most `max_length` tokens. Seeds without a reference,
    and those whose last student turn does not fit, are left out and counted.
    Raises BadInput if no seed is left.
    """
    rows, shortened, left_out, longest = [], 0, Counter(), 0
    for seed in seeds:
        reference = (seed.reference or "").strip()
        fitted = reference and fit_dialogue(tokenizer, template, seed.text, [reference], max_length)
        if not fitted:
            left_out[TOO_LONG if reference else NO_REFERENCE] += 1
            continue
        dialogue, dropped, length = fitted
        rows.append({"prompt": tutor_messages(template, dialogue), "completion": [as_answer(reference)]})
        shortened += dropped > 0
        longest = max(longest, length)
    if not rows:
        reasons = "; ".join(f"{count}: {reason}" for reason, count in left_out.most_common())
        raise BadInput(f"none of the {len(seeds)} seeds has a reference turn to learn from ({reasons})")
    return FittedRows(rows, shortened, left_out, longest)
