"""The second judge, of `pipeline --report-judge`: another model with the same options as the first judge."""

from collections.abc import Sequence
from pathlib import Path

from utils.judges import flags
from utils.judges.judge import Judge


def from_flags(
    *, report_judge: Sequence[Sequence[str]] | None, judge_prompt: str | Path, judge_concurrency: int,
    judge_max_tokens: int, judge_scores: str, judge_panel: str, judge_batch: bool, ask_invalid_again: bool,
    max_invalid: float, no_pull: bool, prices: str | None,
) -> Judge | None:  # fmt: skip
    """Make the judge of `--report-judge`, or return None. It uses batches, too, if it can."""
    if not report_judge:
        return None
    return flags.from_flags(
        judge_llm=report_judge, judge_prompt=judge_prompt, judge_concurrency=judge_concurrency,
        judge_max_tokens=judge_max_tokens, judge_scores=judge_scores, judge_panel=judge_panel,
        judge_batch=judge_batch and all(words[0] == "openai" for words in report_judge),
        ask_invalid_again=ask_invalid_again, max_invalid=max_invalid, no_pull=no_pull, prices=prices,
    )  # fmt: skip
