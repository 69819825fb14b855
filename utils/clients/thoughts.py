"""What a model thinks before it answers, where it comes in the text of its reply."""

import re

# How models mark their thoughts in the text: Qwen, DeepSeek, Seed, Magistral, Kimi, Command, gpt-oss
OPENING = re.compile(
    r"<(?:seed:)?think(?:ing)?>|\[THINK\]|◁think▷|<\|START_THINKING\|>|"
    r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"</(?:seed:)?think(?:ing)?>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|"
    r"(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)
# Others use words that may as well stand in a text about code: they count at its beginning alone.
AT_FIRST = re.compile(r"\s*<(thoughts?|reasoning|analysis)>(?:.*</\1>|.*)", re.IGNORECASE | re.DOTALL)
MARKS = re.compile(r"<\|(?:return|end|START_RESPONSE|END_RESPONSE)\|>")


def without_thoughts(text: str) -> tuple[str, str]:
    """(the answer, the thoughts before it). Thoughts without an end have no answer after them."""
    if not {"<", "[", "◁"} & set(text):  # most replies
        return text, ""
    first = AT_FIRST.match(text)
    closed = list(CLOSING.finditer(text))
    at = max(first.end() if first else 0, closed[-1].end() if closed else 0)
    thoughts, rest = text[:at], text[at:]
    if opened := OPENING.search(rest):
        thoughts, rest = thoughts + rest[opened.start() :], rest[: opened.start()]
    rest = MARKS.sub("", rest)
    return (rest.strip() if thoughts else rest), thoughts
