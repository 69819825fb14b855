"""The two prompt templates: put a dialogue into them, and shorten it to fit.

`prompts/inference.txt` has the placeholder `{input}`. `prompts/judge.txt` has `{conversation}` and `{answer}`,
optionally `{tag}` (a random-looking mark that closes a block and that the data cannot contain) and optionally a line
`---`: the text above it is the system message. The paper's own prompt files work unchanged.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from utils.dialogue import split_turns
from utils.errors import BadInput, flag_of

PROMPTS_DIR = Path(__file__).resolve().parent.parent / "prompts"
INFERENCE_PROMPT = PROMPTS_DIR / "inference.txt"
JUDGE_PROMPT = PROMPTS_DIR / "judge.txt"


def load_template(path: Path | str, *placeholders: str) -> str:
    """Read a template. Raises BadInput, which names flag and file, and the placeholder (`"input"`, …) that it lacks."""
    named = f"{flag_of(path)}{path}"
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # a byte order mark is no part of the prompt
    except OSError as error:
        raise BadInput(f"{named}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{named}: not a text in UTF-8") from None
    for name in placeholders:
        if "{" + name + "}" not in text:
            raise BadInput(f"{named}: the prompt template has no {{{name}}} placeholder")
    return text


def digest(template: str) -> str:
    """Return the SHA-256 of a template's text, by which settings identify it."""
    return hashlib.sha256(template.encode()).hexdigest()


def fill(template: str, **values: str) -> str:
    """Fill in the values in one pass: other braces, in the template or in a value, stay as they are."""
    return re.sub(r"\{(" + "|".join(values) + r")\}", lambda mark: values[mark[1]], template)


def judge_messages(template: str, conversation: str, answer: str) -> list[dict[str, str]]:
    """Return the chat messages that ask a judge for a verdict."""
    tag = data = f"{conversation}\0{answer}"
    while tag in data:  # a tag that occurs in the data could close its block early
        tag = hashlib.sha256(f"{tag}\0{data}".encode(errors="replace")).hexdigest()[:8]
    parts = re.split(r"^---[ \t]*\n", template, maxsplit=1, flags=re.MULTILINE)
    filled = [fill(part, conversation=conversation, answer=answer, tag=tag).strip() for part in parts]
    roles = ("system", "user") if len(parts) == 2 else ("user",)
    return [{"role": role, "content": content} for role, content in zip(roles, filled, strict=True)]


def tutor_messages(template: str, dialogue: str) -> list[dict[str, str]]:
    """Return the chat messages that ask a tutor for its next turn; training uses the same."""
    return [{"role": "user", "content": fill(template, input=dialogue)}]


def shorten(dialogue: str, fits: Callable[[str], bool]) -> tuple[str, int]:
    """Drop the oldest turns, one by one, until `fits(dialogue)`. Returns (dialogue, number of turns dropped).

    The last student turn, and whatever follows it, always stays whole. Raises BadInput if even that does not fit.
    """
    turns = split_turns(dialogue)
    last = max((i for i, turn in enumerate(turns) if turn.speaker == "student"), default=len(turns) - 1)
    for dropped in range(last + 1):
        rest = "".join(turn.text for turn in turns[dropped:])
        if fits(rest):
            return rest, dropped
    raise BadInput("the last student turn alone is longer than the model's context allows")
