"""Talk to a tutor, or to two side by side, in a browser or in a terminal, before you trust a number about it.

    python -m chat --model smollm2
    python -m chat --model smollm2 runs/demo/dpo/mathdial/weights
    python -m chat --tutor-llm openai env:OPENAI_API_KEY gpt-4o --terminal

The conversation is built exactly as in training and evaluation: the same prompt, labels, shortening and cutting. With
two tutors you can pick the better answer, blind if you like: picks are kept as preference pairs, and the page shows the
score so far with its interval. The judge's verdict stands under each answer if you switch it on.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils import cli, flags
from utils.errors import BadInput
from utils.pages.serve import add_page_flags

if TYPE_CHECKING:
    from utils.judges.judge import Judge


def main(
    *, judge: "Judge", model: Sequence[str] | None, tutor_llm: Sequence[Sequence[str]] | None, seeds: Path | None,
    picks: Path, terminal: bool, temperature: float, top_k: int, max_new_tokens: int, inference_prompt: str, seed: int,
    device: str, dtype: str, engine: str, server: str, no_pull: bool = False, server_name: str = "127.0.0.1",
    server_port: int | None = None, share: bool = False, password: str | None = None, inbrowser: bool = False,
) -> None:  # fmt: skip
    """Open the page, or talk in the terminal, until Ctrl-C."""
    from utils.clients.make_chat import FORMS, make_chat
    from utils.pages.conversation import from_seed
    from utils.pages.session import Session, by_name, models_of
    from utils.prompts import load_template
    from utils.seeds.read import read_seeds
    from utils.tutors.local import LocalTutor
    from utils.tutors.served import ServedTutor
    from utils.tutors.stream import ChatStream, LocalStream
    from utils.tutors.tutor import Sampling

    print("getting the tutors ready …", flush=True)
    template = load_template(inference_prompt, "input")
    sampling = Sampling(temperature, top_k, max_new_tokens, seed)
    judge.check()
    chats = [make_chat(words, pull=not no_pull) for words in tutor_llm or []]
    if None in chats:
        raise BadInput(f"--tutor-llm takes {FORMS}")
    names = models_of(model or ([] if chats else [flags.DEFAULT_MODEL]))
    local = [LocalTutor(name, sampling, template, device, dtype) for name in names]
    if engine == "server":
        chats, local = [ServedTutor(tutor, server).chat for tutor in local] + chats, []
    for one in (*chats, *local):
        one.check()
    tutors = by_name([*map(LocalStream, local), *(ChatStream(chat, sampling, template) for chat in chats)])
    dialogues = read_seeds(seeds) if seeds else []
    try:
        judge.see([dialogue.text for dialogue in dialogues])
    except BadInput as error:  # one can talk all the same
        logging.warning("WARNING: %s", error)
    from utils.pages.picks import Picks

    kept = Picks(picks) if len(tutors) > 1 else None
    try:
        if terminal:
            from utils.pages.terminal import chat_in_terminal

            chat_in_terminal(tutors, judge, Session(from_seed(dialogues[0])) if dialogues else Session(), kept)
        else:
            from utils.pages.chat_page import build
            from utils.pages.serve import serve

            serve(
                build(tutors, judge, kept, dialogues), server_name=server_name, server_port=server_port, share=share,
                password=password, inbrowser=inbrowser,
            )  # fmt: skip
    finally:
        if kept:
            print(f"{len(kept.rows)} picks in {picks}" if kept.rows else "no picks")
            kept.close()


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--model", nargs="+", metavar="MODEL",
        help=f"{flags.MODEL_HELP}; a training root stands for all of its fine-tuned weights. With two or more, any two "
        f"can be put side by side (default: {flags.DEFAULT_MODEL}, unless there is a --tutor-llm)",
    )  # fmt: skip
    parser.add_argument(
        "--tutor-llm", nargs="+", action="append", metavar="WORD",
        help="a chat service as a tutor, named as in --judge-llm: `openai <key | env:NAME | file:PATH> <model>` or "
        "`ollama [address] <model>`",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=Path, metavar="FILE", help="seed dialogues to open (a terminal opens the first)"
    )
    parser.add_argument("--picks", type=Path, default="runs/picks.json", metavar="FILE", help="where picks are kept")
    parser.add_argument("--terminal", action="store_true", help="talk here instead of in a browser")
    flags.add_generation_flags(parser, max_new_tokens=250, temperature=0.7)
    flags.add_judge_flags(parser)
    add_page_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
