"""The chat model that a few words on the command line name."""

from collections.abc import Sequence

from utils.clients.chat import Chat

FORMS = "`openai <key | env:NAME | file:PATH> <model>` or `ollama [address] <model>`"


def make_chat(words: Sequence[str], *, pull: bool = True) -> Chat | None:
    """The chat model of `openai ...` or `ollama ...`; None for other words. Asks no server anything."""
    match list(words):
        case ["openai", key, model]:
            from utils.clients.openai_chat import OpenAIChat

            return OpenAIChat(key, model)
        case ["ollama", *address, model] if len(address) < 2:
            from utils.clients.ollama_chat import OllamaChat

            return OllamaChat("".join(address), model, pull=pull)
    return None
