"""Judges: the offline rubric, and an LLM behind OpenAI's API (or a compatible server) or behind Ollama."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from utils.prompts import judge_messages
from utils.records import Evaluation, TutorAnswer, Verdict

TEMPERATURE, SEED, MAX_TOKENS = 0.2, 0, 300  # the paper's judge settings; a reply has ~40 tokens
MAX_ATTEMPTS = 3  # a bad reply is asked again at most twice


class JudgeError(RuntimeError):
    """The judge cannot be used at all: wrong key, unknown model, no server. One clear line."""


@dataclass(frozen=True)
class Reply:
    """What a chat model answered. `details` holds the usage, the fingerprint and the like."""

    text: str
    finish_reason: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Chat(Protocol):
    """A chat model behind a service."""

    name: str
    settings: dict[str, Any]  # all that can change a reply, as JSON; no key

    def check(self) -> None: ...
    def complete(
        self, messages: list[dict], *, temperature: float, seed: int, max_tokens: int, schema: dict | None = None
    ) -> Reply: ...


class Judge(Protocol):
    """Grades one tutor answer. `settings` is all that can change a verdict; journal and manifest are keyed by it."""

    name: str
    settings: dict[str, Any]

    def check(self) -> None: ...
    def grade(self, item: TutorAnswer) -> Verdict: ...


class OfflineJudge:
    """The rubric as features and rules (`utils/rubric.py`): no key, no server, no model."""

    name = "offline rubric"

    def __init__(self):
        from utils import rubric

        self.rubric = rubric
        self.settings = {"judge": "offline", "version": rubric.VERSION}

    def check(self) -> None:
        pass

    def grade(self, item: TutorAnswer) -> Verdict:
        return self.rubric.grade(item.conversation, item.answer, item.known_answer)


class ChatJudge:
    """An LLM as judge: the judge prompt, a JSON-schema reply, validated; a bad reply is asked again with the error."""

    def __init__(self, chat: Chat, template: str):
        self.chat, self.template, self.name = chat, template, chat.name
        self.settings = {**chat.settings, "temperature": TEMPERATURE, "seed": SEED, "prompt": template}

    def check(self) -> None:
        self.chat.check()

    def grade(self, item: TutorAnswer) -> Verdict:
        messages = judge_messages(self.template, item.conversation, item.answer)
        for attempt in range(MAX_ATTEMPTS):
            reply = self.chat.complete(
                messages, temperature=TEMPERATURE, seed=SEED + attempt, max_tokens=MAX_TOKENS,
                schema=Evaluation.model_json_schema(),
            )  # fmt: skip
            details = {**reply.details, "attempts": attempt + 1}
            try:
                evaluation = parse_evaluation(reply)
            except ValueError as error:
                problem = str(error)
                messages = [
                    *messages[: 2 if messages[0]["role"] == "system" else 1],
                    {"role": "assistant", "content": reply.text},
                    {"role": "user", "content": f"That reply is not valid: {problem}. Send the JSON object alone."},
                ]
            else:
                return Verdict(
                    evaluation=evaluation, score=evaluation.score, raw_evaluation=reply.text, judge=self.name,
                    details=details,
                )  # fmt: skip
        return Verdict(
            evaluation=None, score=None, raw_evaluation=reply.text, evaluation_error=problem, judge=self.name,
            details=details,
        )  # fmt: skip


def parse_evaluation(reply: Reply) -> Evaluation:
    """The evaluation in a judge's reply; fences and a prefix are tolerated. ValueError says what is wrong."""
    if reply.finish_reason == "length":
        raise ValueError("the reply was cut off (finish_reason=length)")
    blocks = re.findall(r"\{[^{}]*\}", reply.text or "")
    if not blocks:
        raise ValueError("the reply holds no JSON object" if reply.text else "the reply is empty")
    try:
        return Evaluation.model_validate(json.loads(blocks[-1]))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from error
    except ValidationError as error:
        raise ValueError("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from error


class OpenAIChat:
    """A model behind OpenAI's API, or behind any compatible server (`OPENAI_BASE_URL`)."""

    def __init__(self, key: str, model: str):
        import openai

        self.name = model
        self.client = openai.OpenAI(api_key=key, max_retries=3, timeout=120)
        self.settings = {"judge": "openai", "model": model, "server": str(self.client.base_url)}

    def check(self) -> None:
        import openai

        try:
            names = [model.id for model in self.client.models.list()]
        except openai.OpenAIError as error:
            raise JudgeError(f"the judge at {self.client.base_url} does not answer: {error}") from error
        if names and self.name not in names:
            raise JudgeError(f"{self.client.base_url} has no model {self.name!r}; it has {', '.join(names[:10])}")

    def complete(self, messages, *, temperature, seed, max_tokens, schema=None) -> Reply:
        import openai

        response_format = {
            "type": "json_schema",
            "json_schema": {"name": "evaluation", "strict": True, "schema": schema},
        }
        try:
            answer = self.client.chat.completions.create(
                model=self.name, messages=messages, temperature=temperature, seed=seed, max_tokens=max_tokens,
                **({"response_format": response_format} if schema else {}),
            )  # fmt: skip
        except openai.OpenAIError as error:
            raise JudgeError(f"{self.name}: {error}") from error
        choice = answer.choices[0]
        usage = answer.usage.model_dump() if answer.usage else {}
        return Reply(choice.message.content or "", choice.finish_reason, {"model": answer.model, "usage": usage})


class OllamaChat:
    """A model behind an Ollama server, by its native API (the OpenAI-compatible one cannot set the context)."""

    def __init__(self, address: str, model: str):
        import ollama

        self.name = model
        self.client = ollama.Client(host=address, timeout=300)
        self.settings = {"judge": "ollama", "model": model, "server": address}

    def check(self) -> None:
        try:
            names = [model.model for model in self.client.list().models]
        except Exception as error:  # the client raises httpx, json and pydantic errors of its own accord
            raise JudgeError(f"no Ollama server answers at {self.settings['server']}: {error}") from error
        if self.name not in names and f"{self.name}:latest" not in names:
            raise JudgeError(f"the Ollama server has no model {self.name!r}: run `ollama pull {self.name}`")

    def complete(self, messages, *, temperature, seed, max_tokens, schema=None) -> Reply:
        # A context too small cuts the prompt without a word, so it is sent sized: 3 characters a token is low.
        context = max_tokens + 256 + sum(len(message["content"]) for message in messages) // 3
        options = {"temperature": temperature, "seed": seed, "num_predict": max_tokens, "num_ctx": context}
        try:
            answer = self.client.chat(model=self.name, messages=messages, format=schema, options=options)
        except Exception as error:
            raise JudgeError(f"{self.name}: {error}") from error
        usage = {"prompt_tokens": answer.prompt_eval_count, "completion_tokens": answer.eval_count}
        return Reply(answer.message.content or "", answer.done_reason, {"model": answer.model, "usage": usage})


def make_chat(spec: list[str]) -> Chat | None:
    """The chat model of `--judge-llm`: None for `offline`. ValueError explains the forms."""
    match spec:
        case ["offline"]:
            return None
        case ["openai", key, model]:
            return OpenAIChat(read_key(key), model)
        case ["ollama", address, model]:
            return OllamaChat(address, model)
    raise ValueError(
        "--judge-llm takes `offline`, `openai <key | env:NAME | file:PATH> <model>` or `ollama <address> <model>`"
    )


def make_judge(spec: list[str], template: str) -> Judge:
    """The judge of `--judge-llm`; `template` is the text of the judge prompt."""
    chat = make_chat(spec)
    return ChatJudge(chat, template) if chat else OfflineJudge()


def read_key(word: str) -> str:
    """A key given as `env:NAME`, `file:PATH` or itself."""
    kind, _, rest = word.partition(":")
    if kind == "env":
        if not os.environ.get(rest):
            raise ValueError(f"--judge-llm: the environment variable {rest} is not set")
        return os.environ[rest]
    if kind == "file":
        return Path(rest).read_text(encoding="utf-8").strip()
    return word
