"""Judges: the offline rubric, an LLM behind OpenAI's API (or a compatible server) or Ollama, or a panel of several."""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from utils.clients import prices as price_list
from utils.clients.chat import Chat, JudgeError, JudgeUnavailable, Reply, ask
from utils.journal import Journal, key_of
from utils.judges.expected import expected_score, expected_values
from utils.judges.panel import PanelJudge
from utils.prompts import JUDGE_PROMPT, judge_messages, load_template
from utils.records import Evaluation, TutorAnswer, Verdict

__all__ = [
    "ChatJudge",
    "Judge",
    "JudgeError",
    "JudgeUnavailable",
    "OfflineJudge",
    "from_flags",
    "make_chat",
    "make_judge",
]

TEMPERATURE, SEED, MAX_TOKENS = 0.2, 0, 300  # the paper's judge settings; a reply has ~40 tokens
MAX_ATTEMPTS = 3  # a bad reply is asked again at most twice
SCHEMA = Evaluation.model_json_schema()
QUESTION_MARKS = "?？؟"
# A small judge copies a verdict that it finds in the answer; no tutor has a reason to write one to a student.
OWN_VERDICT = re.compile(r"(reveal_answer|on_topic|helpful)[\"']?\s*[:=]\s*[\"']?(yes|no|[1-5])\b", re.IGNORECASE)


@dataclass(frozen=True)
class How:
    """How a judge is to be used: what the flags say beside who it is."""

    concurrency: int = 8
    max_invalid: float = 0.1
    batch: bool = False


class Judge(Protocol):
    """Grades one tutor answer. `settings` is all that can change a verdict; journal and manifest are keyed by it."""

    name: str
    settings: dict[str, Any]
    how: How

    def check(self) -> None:
        """Make sure that the judge can be asked; JudgeError if not."""

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        """See all that is to be graded, before the first is."""

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        """The verdict; replies that the journal has are not asked for again, new ones are kept in it."""


class OfflineJudge:
    """The rubric as features and rules (`utils/rubric/rubric.py`): no key, no server, no model, and nothing to keep."""

    how = How()

    def __init__(self, weights: str | None = None):
        from utils.rubric import rubric

        self.rubric = rubric.load(weights) if weights else rubric.load()
        self.name = self.rubric.name
        self.settings = {"judge": "offline", "version": self.rubric.version}

    def check(self) -> None:
        pass

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        pass

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        return self.rubric.grade(item.conversation, item.answer, item.known_answer)


class ChatJudge:
    """An LLM as judge: the judge prompt, a JSON-schema reply, validated; a bad reply is asked again with the error."""

    how = How()

    def __init__(self, chat: Chat, template: str, *, scores: str = "hard", price: price_list.Price | None = None):
        self.chat, self.template, self.name = chat, template, chat.name
        self.expected, self.price = scores == "expected", price
        asked = {"temperature": TEMPERATURE, "seed": SEED, "prompt": key_of(template), "scores": scores}
        self.settings = chat.settings | asked

    def check(self) -> None:
        self.chat.check()

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        self.chat.prepare([self.messages(item) for item in items], MAX_TOKENS)

    def messages(self, item: TutorAnswer) -> list[dict]:
        return judge_messages(self.template, item.conversation, item.answer)

    def options(self, item: TutorAnswer, attempt: int = 0) -> dict[str, Any]:
        """How the chat is asked. Another attempt has another seed, or the same bad reply might come again."""
        seed = SEED + item.repeat * MAX_ATTEMPTS + attempt
        options = {"temperature": TEMPERATURE, "seed": seed, "max_tokens": MAX_TOKENS, "schema": SCHEMA}
        return options | ({"logprobs": True} if self.expected else {})

    def distil(self, reply: Reply) -> Reply:
        """The reply with its expected values in place of its log-probabilities, if they are wanted."""
        if not self.expected:
            return reply
        if not reply.logprobs and reply.text:
            raise JudgeError(f"{self.name} gives no log-probabilities: use --judge-scores hard")
        try:
            return replace(reply, details={**reply.details, "expected": expected_values(reply)})
        except ValueError as error:  # an invalid reply may have no label: that is for `read` to say
            return replace(reply, details={**reply.details, "no_expected": str(error)})

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        first, usage, cost = self.messages(item), dict.fromkeys(price_list.USAGE, 0), 0.0
        messages = first
        for attempt in range(MAX_ATTEMPTS):
            options = self.options(item, attempt)
            reply = ask(self.chat, messages, journal, sample=item.sample, distil=self.distil, **options)
            usage = {name: usage[name] + reply.details.get("usage", {}).get(name, 0) for name in usage}
            cost += price_list.cost(reply.details, self.price) if self.price else 0.0
            details = {**reply.details, "usage": usage, "attempts": attempt + 1}
            if self.price:
                details["cost"] = cost
            try:
                evaluation, score = self.read(reply)
            except ValueError as error:
                problem = str(error)
                again = f"That reply is not valid: {problem}. Send the JSON object alone, as described."
                said = [{"role": "assistant", "content": reply.text}] if reply.text.strip() else []
                messages = [*first, *said, {"role": "user", "content": again}]
            else:
                marked = any(mark in item.answer for mark in QUESTION_MARKS)
                if evaluation.questions == "yes" and not marked:
                    details["questions_without_mark"] = True  # the rule disagrees: counted, not overruled
                guards = ["it carries a verdict of its own"] if OWN_VERDICT.search(item.answer) else []
                return Verdict(
                    evaluation=evaluation, score=score, raw_evaluation=reply.text, judge=self.name, details=details,
                    guards=guards,
                )  # fmt: skip
        return Verdict(
            evaluation=None, score=None, raw_evaluation=reply.text, evaluation_error=problem, judge=self.name,
            details=details,
        )  # fmt: skip

    def read(self, reply: Reply) -> tuple[Evaluation, float]:
        """The evaluation and the score; ValueError says why the reply is invalid."""
        evaluation = parse_evaluation(reply)
        if not self.expected:
            return evaluation, evaluation.score
        if "expected" not in reply.details:
            raise ValueError(reply.details.get("no_expected", "no log-probabilities"))
        return evaluation, expected_score(reply.details["expected"])


def parse_evaluation(reply: Reply) -> Evaluation:
    """The evaluation in a judge's reply; fences and a prefix are tolerated. ValueError says what is wrong."""
    if reply.finish_reason not in (None, "stop"):
        raise ValueError(f"the reply was cut off or refused (finish_reason={reply.finish_reason})")
    blocks = set(re.findall(r"\{[^{}]*\}", reply.text))
    if not blocks:
        raise ValueError("the reply holds no JSON object" if reply.text.strip() else "the reply is empty")
    if len(blocks) > 1:
        raise ValueError(f"the reply holds {len(blocks)} different JSON objects, not one")
    try:
        return Evaluation.model_validate(json.loads(blocks.pop(), object_pairs_hook=_no_key_twice))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from error
    except ValidationError as error:
        raise ValueError("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from error


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def make_chat(spec: Sequence[str], *, pull: bool = True) -> Chat | None:
    """The chat model of one `--judge-llm`: None for `offline`. ValueError explains the forms."""
    match list(spec):
        case ["offline"] | ["offline", _]:
            return None
        case ["openai", key, model]:
            from utils.clients.openai_chat import OpenAIChat

            return OpenAIChat(key, model)
        case ["ollama", *address, model] if len(address) < 2:
            from utils.clients.ollama_chat import OllamaChat

            return OllamaChat("".join(address), model, pull=pull)
    raise ValueError(
        "--judge-llm takes `offline [weights.json]`, `openai <key | env:NAME | file:PATH> <model>` or "
        "`ollama [address] <model>`"
    )


def make_judge(
    spec: Sequence[str] | Sequence[Sequence[str]],
    template: str,
    *,
    panel: str = "mean",
    scores: str = "hard",
    pull: bool = True,
    prices: Path | str | None = None,
) -> Judge:
    """The judge of `--judge-llm`: one spec, or a list of specs (a panel); `template` is the judge prompt's text."""
    if spec and not isinstance(spec[0], str):
        members = [make_judge(one, template, scores=scores, pull=pull, prices=prices) for one in spec]
        return members[0] if len(members) == 1 else PanelJudge(members, panel)
    chat = make_chat(spec, pull=pull)
    if chat is None:
        return OfflineJudge(*spec[1:])
    return ChatJudge(chat, template, scores=scores, price=price_list.price_of(chat.settings, prices))


def from_flags(
    *,
    judge_llm: Sequence | None = None,
    judge_prompt: str | Path = JUDGE_PROMPT,
    judge_concurrency: int = 8,
    judge_scores: str = "hard",
    judge_panel: str = "mean",
    judge_batch: bool = False,
    max_invalid: float = 0.1,
    no_pull: bool = False,
    prices: str | None = None,
) -> Judge:
    """The judge of the flags that `cli.add_judge_flags` adds; asks no server anything (`judge.check()` does)."""
    template = load_template(judge_prompt, "conversation", "answer")
    if "{tag}" not in template:
        logging.warning("%s has no {tag}: nothing keeps an answer from posing as the end of its block", judge_prompt)
    judge = make_judge(
        judge_llm or ["offline"], template, panel=judge_panel, scores=judge_scores, pull=not no_pull, prices=prices
    )
    for one in (judge, *getattr(judge, "members", ())):
        one.how = How(judge_concurrency, max_invalid, judge_batch)
    return judge
