"""Separate a model's thoughts from its answer, if they are in the text of its reply."""

import re

# Marks around thoughts in the text, as Qwen, DeepSeek, Seed, MiniMax, Magistral, Kimi, Command, Apertus, Gemma and
# gpt-oss write them.
OPENING = re.compile(
    r"<(?:\w+:)?think(?:ing)?(?: [^<>]*)?>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|inner_prefix\|>|"
    r"<\|channel>thought|<\|begin_of_thought\|>|"
    r"(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)[^<]*<\|message\|>",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"</(?:\w+:)?think(?:ing)?>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|inner_suffix\|>|<channel\|>|"
    r"<\|end_of_thought\|>|"
    r"(?:<\|start\|>assistant)?<\|channel\|>final[^<]*(?:<\|constrain\|>\w+)?<\|message\|>",
    re.IGNORECASE,
)
# Other marks may also occur in a text about code, so they count only at the beginning of a reply. So do Granite's
# phrases, and what remains of gpt-oss's marks when a server removes special tokens.
AT_FIRST = re.compile(
    r"\s*(?:<(thoughts?|reasoning|analysis|reflection|scratchpad|details)(?: [^<>]*)?>(?:.*</\1>|.*)|"
    r"Here is my thought process:(?:.*Here is my response:|.*)|analysis.*assistantfinal)",
    re.IGNORECASE | re.DOTALL,
)
MARKS = re.compile(r"<\|(?:return|end|im_end|eot_id|endoftext|(?:START|END)_RESPONSE|(?:begin|end)_of_box)\|>")


def without_thoughts(text: str) -> tuple[str, str]:
    """Split a reply into (the answer, the thoughts). If the thoughts have no end mark, the answer is empty."""
    if not {"<", "[", "◁"} & set(text) and text.lstrip()[:7] not in ("Here is", "analysi"):  # most replies
        return text, ""
    first = AT_FIRST.match(text)
    closed = list(CLOSING.finditer(text))
    at = max(first.end() if first else 0, closed[-1].end() if closed else 0)
    thoughts, rest = text[:at], text[at:]
    if opened := OPENING.search(rest):
        thoughts, rest = thoughts + rest[opened.start() :], rest[: opened.start()]
    rest = MARKS.sub("", rest)
    return (rest.strip() if thoughts else rest), thoughts
