"""An LLM as judge, behind any chat service."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from utils.clients import prices as price_list
from utils.clients.chat import Chat, JudgeError, Reply, ask, question_key
from utils.errors import problems_of
from utils.journal import Journal, key_of
from utils.judges.expected import expected_values
from utils.judges.json_reply import read_object
from utils.judges.judge import GradingOptions
from utils.prompts import judge_messages
from utils.records import Evaluation, TutorAnswer, Verdict, summary_score
from utils.rubric.any_language import OWN_VERDICT

TEMPERATURE, SEED = 0.2, 0  # the paper's judge settings
MAX_TOKENS = 300  # in the journal's keys, whatever --judge-max-tokens says; a reply has ~40 tokens
MAX_ATTEMPTS = 3  # a bad reply is asked again at most twice
SCHEMA = Evaluation.model_json_schema()
QUESTION_MARKS = "?？؟"


class ChatJudge:
    """Asks an LLM for a reply by JSON schema and validates it. After a bad reply it asks again and names the error."""

    grading = GradingOptions()
    free = False

    def __init__(self, chat: Chat, template: str, *, scores: str = "hard", price: price_list.Price | None = None):
        self.chat, self.template, self.name = chat, template, chat.name
        self.expected, self.price = scores == "expected", price
        asked = {"temperature": TEMPERATURE, "seed": SEED, "prompt": key_of(template), "scores": scores}
        self.settings = chat.settings | asked

    def check(self) -> None:
        self.chat.check()

    def see(self, conversations: Sequence[str]) -> None:
        """Accept everything: a language model can read any conversation."""

    def prepare(self, items: Sequence[TutorAnswer]) -> None:
        self.chat.prepare([self.messages(item) for item in items], self.grading.max_tokens)

    def messages(self, item: TutorAnswer) -> list[dict]:
        return judge_messages(self.template, item.conversation, item.answer)

    def options(self, item: TutorAnswer, attempt: int = 0) -> dict[str, Any]:
        """Return the chat's options. Every attempt has its own seed, or the same bad reply might come again."""
        seed = SEED + item.repeat * MAX_ATTEMPTS + attempt
        options = {"temperature": TEMPERATURE, "seed": seed, "max_tokens": MAX_TOKENS, "schema": SCHEMA}
        return options | ({"logprobs": True} if self.expected else {})

    def condense(self, reply: Reply) -> Reply:
        """Return the reply with expected values in place of its log-probabilities, if they are wanted.

        Raises JudgeError if the service gave no log-probabilities.
        """
        if not self.expected:
            return reply
        if not reply.logprobs and reply.text:
            raise JudgeError(f"{self.name} gives no log-probabilities: use --judge-scores hard")
        try:
            return replace(reply, details={**reply.details, "expected": expected_values(reply)})
        except ValueError as error:  # an invalid reply may have no label: that is for `read` to say
            return replace(reply, details={**reply.details, "no_expected": str(error)})

    def grade(self, item: TutorAnswer, journal: Journal | None = None) -> Verdict:
        """Grade one answer (see `Judge.grade`). After three bad replies the verdict is invalid."""
        kept: list[str] = []  # keys of the questions whose replies an earlier run got
        verdict = self._grade(item, journal, kept)
        attempts = verdict.details["attempts"]
        if journal is None or verdict.evaluation is not None or len(kept) < attempts:
            return verdict
        if self.grading.ask_invalid_again:
            journal.forget(kept)
            return self._grade(item, journal, [])
        journal.invalid.update(kept)
        return verdict

    def _grade(self, item: TutorAnswer, journal: Journal | None, kept: list[str]) -> Verdict:
        first, usage, cost = self.messages(item), dict.fromkeys(price_list.USAGE, 0), 0.0
        messages = first
        for attempt in range(MAX_ATTEMPTS):
            options = self.options(item, attempt)
            key = "" if journal is None else question_key(self.chat, messages, item.sample, options, journal)
            if journal is not None and key in journal.kept:
                kept.append(key)
            reply = ask(
                self.chat, messages, journal, sample=item.sample, condense=self.condense, cap=self.grading.max_tokens,
                key=key, **options,
            )  # fmt: skip
            usage = {name: usage[name] + reply.details.get("usage", {}).get(name, 0) for name in usage}
            cost += price_list.cost(reply.details, self.price) if self.price else 0.0
            details = {**reply.details, "usage": usage, "attempts": attempt + 1}
            if self.price:
                details["cost"] = cost
            try:
                evaluation, score = self.read(reply)
            except ValueError as error:
                problem = str(error)
                if "error" in reply.details:  # the service refuses this prompt: it would refuse it again
                    break
                again = f"That reply is not valid: {problem}. Send the JSON object alone, as described."
                bad_reply = [{"role": "assistant", "content": reply.text}] if reply.text.strip() else []
                messages = [*first, *bad_reply, {"role": "user", "content": again}]
            else:
                marked = any(mark in item.answer for mark in QUESTION_MARKS)
                if evaluation.questions == "yes" and not marked:
                    details["questions_without_mark"] = True  # the `?` rule disagrees: counted, not overruled
                guards = ["carries a verdict"] if OWN_VERDICT.search(item.answer) else []
                return Verdict(
                    evaluation=evaluation, score=score, raw_evaluation=reply.text, judge=self.name, details=details,
                    guards=guards,
                )  # fmt: skip
        return Verdict(
            evaluation=None, score=None, raw_evaluation=reply.text, evaluation_error=problem, judge=self.name,
            details=details,
        )  # fmt: skip

    def read(self, reply: Reply) -> tuple[Evaluation, float]:
        """Return (the evaluation, the score). Raises ValueError, which says why the reply is invalid."""
        evaluation = parse_evaluation(reply)
        if not self.expected:
            return evaluation, evaluation.score
        if "expected" not in reply.details:
            raise ValueError(reply.details.get("no_expected", "no log-probabilities"))
        return evaluation, summary_score(**reply.details["expected"])


def parse_evaluation(reply: Reply) -> Evaluation:
    """Return the evaluation that a judge's reply is. Raises ValueError, whose text is sent to the judge.

    Where a service does not enforce the schema, models add a key for their reasons: it is left aside.
    """
    found = read_object(reply)
    try:
        return Evaluation.model_validate(found)
    except ValidationError as error:
        faults = error.errors()
        extra = [found.pop(fault["loc"][0]) for fault in faults if fault["type"] == "extra_forbidden"]
        if len(extra) < len(faults) or any(isinstance(value, dict | list) for value in extra):
            raise ValueError(problems_of(error)) from error
        return Evaluation.model_validate(found)
