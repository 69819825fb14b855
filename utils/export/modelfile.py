"""Write Ollama's Modelfile for a tutor, which puts the whole chat into the single user turn that the tutor expects.

A person at `ollama run` types "3/4 + 1/2 = 4/6?", not our instructions. So TEMPLATE puts the chat into the inference
prompt, as `Student: ` and `Teacher: ` turns. A system message counts as the lesson and comes before the dialogue.
The Jinja chat template is not translated. It is rendered around a marker, and the text before and after the marker goes
into the Go template. That works for every architecture.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from utils.dialogue import split_turns
from utils.errors import BadInput
from utils.prompts import tutor_messages

MARK = "\ue000dialogue\ue000"
# $between says what comes before the next turn: 0 nothing, 1 a line break, 2 a blank line (after the lesson).
TURNS = (
    "{{ $between := 0 }}{{ if .System }}{{ .System }}{{ $between = 2 }}{{ end }}"
    '{{ range .Messages }}{{ if ne .Role "system" }}'
    "{{ if eq $between 2 }}\n\n{{ else if eq $between 1 }}\n{{ end }}{{ $between = 1 }}"
    '{{ if eq .Role "user" }}Student: {{ else }}Teacher: {{ end }}{{ .Content }}'
    "{{ end }}{{ end }}"
)
STOPS = ("\nStudent:", "\nTeacher:", "\nUser:", "\nTutor:")  # stop where the tutor would begin another turn
CONTEXT = 4096  # tokens at most: more may not fit into a laptop's memory


def go_template(tokenizer, inference_prompt: str, adds_bos: bool) -> str:
    """Make the TEMPLATE for this tokenizer and inference prompt. `adds_bos` says whether llama.cpp itself adds BOS.

    Raises BadInput if the chat template changes its message, or if the text cannot be quoted in a Modelfile.
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
    """Return Ollama's parameters for a tutor with its evaluation settings. `context` is the model's length in tokens.

    `repeat_penalty` and `top_p` are set too, because Ollama's defaults would change the distribution.
    """
    return {
        "temperature": temperature, "top_k": top_k, "top_p": 1.0, "repeat_penalty": 1.0,
        "num_ctx": min(CONTEXT, context), "num_predict": max_new_tokens, "stop": list(STOPS),
    }  # fmt: skip


def modelfile(gguf: str, template: str, params: Mapping[str, Any], license_text: str | None) -> str:
    """Make the Modelfile that runs the file `gguf` beside it. Line breaks are literal: a Modelfile has no escapes."""
    lines = [f"FROM ./{gguf}", f'TEMPLATE """{template}"""']
    for name, value in params.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(f'PARAMETER {name} "{one}"' if isinstance(one, str) else f"PARAMETER {name} {one}")
    if license_text:
        lines.append(f'LICENSE """{license_text}"""')
    return "\n".join(lines) + "\n"


def render(template: str, messages: Sequence[Mapping[str, str]]) -> str:
    """Render a chat as Ollama does, with Go's text/template.

    Consecutive messages of one role are joined by a blank line. `.System` is all system messages, joined likewise.
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
    """Turn a dialogue into the messages of a chat with the tutor.

    Returns None if no chat renders to exactly this text: if a speaker has two turns in a row, or if a turn begins or
    ends with white space.
    """
    roles = {None: "system", "student": "user", "teacher": "assistant"}
    chat = [{"role": roles[turn.speaker], "content": turn.content} for turn in split_turns(dialogue)]
    if any(one["role"] == other["role"] for one, other in pairwise(chat)):
        return None
    return chat if render(TURNS, chat) == dialogue else None
