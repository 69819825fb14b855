"""Make the judge that the command line names."""

import logging
from collections.abc import Sequence
from pathlib import Path

from utils.clients import prices as price_list
from utils.clients.make_chat import FORMS, make_chat
from utils.errors import BadInput
from utils.judges.chat_judge import ChatJudge
from utils.judges.judge import GradingOptions, Judge, OfflineJudge
from utils.judges.panel import PanelJudge
from utils.prompts import JUDGE_PROMPT, load_template


def make_judge(
    spec: Sequence[str] | Sequence[Sequence[str]],
    template: str,
    *,
    panel: str = "mean",
    scores: str = "hard",
    pull: bool = True,
    prices: Path | str | None = None,
) -> Judge:
    """Make the judge of `--judge-llm`: one spec, or a list of specs for a panel.

    `template` is the text of the judge prompt. Raises BadInput for a spec that names no judge.
    """
    if spec and not isinstance(spec[0], str):
        members = [make_judge(one, template, scores=scores, pull=pull, prices=prices) for one in spec]
        return members[0] if len(members) == 1 else PanelJudge(members, panel)
    if spec and spec[0] == "offline" and len(spec) < 3:
        return OfflineJudge(*spec[1:])
    chat = make_chat(spec, pull=pull)
    if chat is None:
        raise BadInput(f"--judge-llm takes `offline [weights.json]`, {FORMS}")
    return ChatJudge(chat, template, scores=scores, price=price_list.price_of(chat.settings, prices))


def from_flags(
    *,
    judge_llm: Sequence | None = None,
    judge_prompt: str | Path = JUDGE_PROMPT,
    judge_concurrency: int = 8,
    judge_scores: str = "hard",
    judge_panel: str = "mean",
    judge_batch: bool = False,
    judge_max_tokens: int = 300,
    ask_invalid_again: bool = False,
    max_invalid: float = 0.1,
    no_pull: bool = False,
    prices: str | None = None,
) -> Judge:
    """Make the judge of the flags that `flags.add_judge_flags` adds. No server is asked before `judge.check()`."""
    template = load_template(judge_prompt, "conversation", "answer")
    if "{tag}" not in template:
        logging.warning("%s has no {tag}: an answer could pretend that its block has ended", judge_prompt)
    judge = make_judge(
        judge_llm or ["offline"], template, panel=judge_panel, scores=judge_scores, pull=not no_pull, prices=prices
    )
    for one in (judge, *getattr(judge, "members", ())):
        one.grading = GradingOptions(judge_concurrency, max_invalid, judge_batch, judge_max_tokens, ask_invalid_again)
    return judge
