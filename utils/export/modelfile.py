"""Ollama's Modelfile for a tutor: the whole chat becomes the one user turn that the tutor was trained on.

Whoever types into `ollama run` types "3/4 + 1/2 = 4/6?", not our instructions. So TEMPLATE puts the chat into the
inference prompt, as `Student: ` and `Teacher: ` turns; a system message is the lesson, which stands above the dialogue.
No Jinja is translated: the tokenizer's own chat template is rendered around a mark, and what stands before and after
the mark goes into the Go template as text. That works for every architecture.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from utils.dialogue import split_turns
from utils.errors import BadInput
from utils.prompts import tutor_messages

MARK = "\ue000dialogue\ue000"
# $between: what goes before the next turn. 0 nothing, 1 a line break, 2 a blank line (after the lesson).
TURNS = (
    "{{ $between := 0 }}{{ if .System }}{{ .System }}{{ $between = 2 }}{{ end }}"
    '{{ range .Messages }}{{ if ne .Role "system" }}'
    "{{ if eq $between 2 }}\n\n{{ else if eq $between 1 }}\n{{ end }}{{ $between = 1 }}"
    '{{ if eq .Role "user" }}Student: {{ else }}Teacher: {{ end }}{{ .Content }}'
    "{{ end }}{{ end }}"
)
STOPS = ("\nStudent:", "\nTeacher:", "\nUser:", "\nTutor:")  # where the tutor would begin another's turn
CONTEXT = 4096  # tokens, where the model has as many: more takes memory that a laptop may lack


def go_template(tokenizer, inference_prompt: str, adds_bos: bool) -> str:
    """The TEMPLATE for a tutor with this tokenizer and inference prompt; llama.cpp `adds_bos` by itself or not.

    Raises BadInput for a chat template that does not pass its message on as it is, and for text that a Modelfile
    cannot quote.
    """
    asked = tutor_messages(inference_prompt, MARK)
    text = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    if text.count(MARK) != 1:
        raise BadInput("the tokenizer's chat template does not hold its message once, as it is: no TEMPLATE can say it")
    if '"""' in text:
        raise BadInput('the inference prompt or the chat template holds """, which a Modelfile cannot quote')
    if adds_bos:
        text = text.removeprefix(tokenizer.bos_token)
    before, after = (part.replace("{{", '{{ "{{" }}') for part in text.split(MARK))
    return before + TURNS + after


def parameters(context: int, max_new_tokens: int, temperature: float, top_k: int) -> dict[str, Any]:
    """Ollama's parameters for a tutor as it was evaluated; `context` is what the model was made for, in tokens.

    `repeat_penalty` and `top_p` are said too: Ollama's own values are others.
    """
    return {
        "temperature": temperature, "top_k": top_k, "top_p": 1.0, "repeat_penalty": 1.0,
        "num_ctx": min(CONTEXT, context), "num_predict": max_new_tokens, "stop": list(STOPS),
    }  # fmt: skip


def modelfile(gguf: str, template: str, params: Mapping[str, Any], license_text: str | None) -> str:
    """The Modelfile that runs the file `gguf` beside it. Its values know no escapes: a line break stands as it is."""
    lines = [f"FROM ./{gguf}", f'TEMPLATE """{template}"""']
    for name, value in params.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(f'PARAMETER {name} "{one}"' if isinstance(one, str) else f"PARAMETER {name} {one}")
    if license_text:
        lines.append(f'LICENSE """{license_text}"""')
    return "\n".join(lines) + "\n"


def render(template: str, messages: Sequence[Mapping[str, str]]) -> str:
    """What Ollama makes of a chat: Go's text/template, fed as Ollama feeds it.

    Consecutive messages of one role are one, joined by a blank line; `.System` is all system messages so joined.
    """
    import gotpl

    merged: list[dict[str, str]] = []
    for message in messages:
        if merged and merged[-1]["Role"] == message["role"]:
            merged[-1]["Content"] += "\n\n" + message["content"]
        else:
            merged.append({"Role": message["role"], "Content": message["content"]})
    system = "\n\n".join(message["Content"] for message in merged if message["Role"] == "system")
    return gotpl.render(template, {"System": system, "Messages": merged, "Response": ""})


def as_chat(dialogue: str) -> list[dict[str, str]] | None:
    """A dialogue as the messages of a chat with the tutor; None if no chat becomes this very text.

    That is so where two turns of one speaker follow each other, or blanks stand around a turn.
    """
    roles = {None: "system", "student": "user", "teacher": "assistant"}
    chat = [{"role": roles[turn.speaker], "content": turn.content} for turn in split_turns(dialogue)]
    if any(one["role"] == other["role"] for one, other in pairwise(chat)):
        return None
    return chat if render(TURNS, chat) == dialogue else None
