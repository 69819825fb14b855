"""Make the chat model that the command line names."""

from collections.abc import Sequence

from utils.clients.chat import Chat

FORMS = "`openai <key | env:NAME | file:PATH> <model>` or `ollama [address] <model>`"


def make_chat(words: Sequence[str], *, pull: bool = True) -> Chat | None:
    """Make the chat model of `openai ...` or `ollama ...`, or return None for other words. No server is asked."""
    match list(words):
        case ["openai", key, model]:
            from utils.clients.openai_chat import OpenAIChat

            return OpenAIChat(key, model)
        case ["ollama", *address, model] if len(address) < 2:
            from utils.clients.ollama_chat import OllamaChat

            return OllamaChat("".join(address), model, pull=pull)
    return None
