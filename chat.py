"""Talk to a tutor, or to two side by side, in a browser or in a terminal, before you trust a number about it.

    python -m chat --model smollm2
    python -m chat --model smollm2 runs/demo/dpo/mathdial/weights
    python -m chat --tutor-llm openai env:OPENAI_API_KEY gpt-4o --terminal

The conversation is built exactly as in training and evaluation: same prompt, labels, fitting to the context and
cutting. With two tutors you can pick the better answer, blind if you like: picks are kept as preference pairs, and the
page shows the score so far with its interval. The judge's verdict stands under each answer if you switch it on.
"""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from utils import cli
from utils.pages.serve import add_page_flags


def main(
    *, model: Sequence[str] | None, tutor_llm: Sequence[Sequence[str]] | None, seeds: str | None, picks: str,
    terminal: bool, temperature: float, top_k: int, max_new_tokens: int, inference_prompt: str, seed: int, device: str,
    dtype: str, engine: str, server: str, server_name: str = "127.0.0.1", server_port: int | None = None,
    share: bool = False, password: str | None = None, inbrowser: bool = False, **judge_flags: Any,
) -> None:  # fmt: skip
    """Open the page, or talk in the terminal, until Ctrl-C."""
    from utils.judges.flags import from_flags, make_chat
    from utils.pages.conversation import from_seed
    from utils.pages.session import Session, by_name, models_of
    from utils.prompts import load_template
    from utils.seeds.read import read_seeds
    from utils.tutors.local import Sampling
    from utils.tutors.stream import ChatStream, LocalStream

    template = load_template(inference_prompt, "input")
    sampling = Sampling(1, temperature, top_k, max_new_tokens, seed)
    judge = from_flags(**judge_flags)
    judge.check()
    chats = [make_chat(words, pull=not judge_flags.get("no_pull")) for words in tutor_llm or []]
    if None in chats:
        raise ValueError("--tutor-llm offline: the offline judge cannot talk; name a service, or use --model")
    local = models_of(model or ([] if chats else [cli.DEFAULT_MODEL]))
    if engine == "server":
        from utils.clients.openai_chat import OpenAIChat

        key = "env:TUTOR_API_KEY" if os.environ.get("TUTOR_API_KEY") else "none"
        chats, local = [OpenAIChat(key, name, address=server) for name in local] + chats, []
    for chat in chats:
        chat.check()
    streams = [LocalStream(where, sampling, template, device=device, dtype=dtype) for where in local]
    tutors = by_name([*streams, *(ChatStream(chat, sampling, template) for chat in chats)])
    for stream in streams:
        stream.check()
    dialogues = read_seeds(seeds) if seeds else []
    if terminal:
        from utils.pages.terminal import talk

        return talk(tutors, judge, Session(from_seed(dialogues[0])) if dialogues else Session())
    from utils.pages.chat_page import build
    from utils.pages.picks import Picks
    from utils.pages.serve import serve

    kept = Picks(picks)
    try:
        serve(
            build(tutors, judge, kept, dialogues), server_name=server_name, server_port=server_port, share=share,
            password=password, inbrowser=inbrowser,
        )  # fmt: skip
    finally:
        print(f"{len(kept.rows)} picks in {picks}" if kept.rows else "no picks")
        kept.close()
    return None


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--model", nargs="+", metavar="MODEL",
        help=f"{cli.MODEL_HELP}; a training root stands for all of its fine-tuned weights. With two or more, any two "
        f"can be put side by side (default: {cli.DEFAULT_MODEL}, unless there is a --tutor-llm)",
    )  # fmt: skip
    parser.add_argument(
        "--tutor-llm", nargs="+", action="append", metavar="WORD",
        help="a chat service as a tutor, named as in --judge-llm: `openai <key | env:NAME | file:PATH> <model>` or "
        "`ollama [address] <model>`",
    )  # fmt: skip
    parser.add_argument("--seeds", metavar="FILE", help="seed dialogues to open (in a terminal: the first is opened)")
    parser.add_argument("--picks", default="runs/picks.json", metavar="FILE", help="where picks of two tutors are kept")
    parser.add_argument("--terminal", action="store_true", help="talk here instead of in a browser")
    cli.add_generation_flags(parser, max_new_tokens=250, temperature=0.7)
    cli.add_judge_flags(parser)
    add_page_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
