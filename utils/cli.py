"""The command line that every script shares: flags that several have, and how errors end."""

import argparse
import logging
import sys
from collections.abc import Callable
from typing import Any

from utils.prompts import INFERENCE_PROMPT, JUDGE_PROMPT

BAD_INPUT, STOPPED, RESUMABLE, INTERRUPTED = 2, 3, 4, 130
DEFAULT_MODEL = "smollm2"


def make_parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose help opens with the script's own docstring and shows every default."""

    class Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
        pass

    return argparse.ArgumentParser(description=doc, formatter_class=Formatter)


def add_judge_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("judge")
    group.add_argument(
        "--judge-llm", nargs="+", default=["offline"], metavar="WORD",
        help="`offline` (rubric by rules: no key, no server); `openai <key | env:NAME | file:PATH> <model>` "
        "(OPENAI_BASE_URL points it at any compatible server); `ollama <address> <model>`",
    )  # fmt: skip
    group.add_argument("--judge-prompt", default=str(JUDGE_PROMPT), help="template with {conversation} and {answer}")
    group.add_argument("--judge-concurrency", type=positive_int, default=8, help="judge calls in flight")


def add_generation_flags(parser: argparse.ArgumentParser, max_new_tokens: int) -> None:
    group = parser.add_argument_group("generation")
    group.add_argument("--inference-prompt", default=str(INFERENCE_PROMPT), help="template with {input}")
    group.add_argument("--max-new-tokens", type=positive_int, default=max_new_tokens, help="longest answer, in tokens")
    group.add_argument("--seed", type=int, default=0, help="the same seed samples the same answers")


def positive_int(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not 1 or more")
    return number


def run(main: Callable[..., Any], parse_args: Callable[[], argparse.Namespace]) -> None:
    """Run a script: what the user can mend becomes one line on stderr and an exit code, not a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from utils.judges import JudgeError

    try:
        main(**vars(parse_args()))
    except JudgeError as error:
        sys.exit(_say(error, STOPPED))
    except (ValueError, OSError) as error:
        sys.exit(_say(error, BAD_INPUT))
    except KeyboardInterrupt:
        sys.exit(_say("stopped by Ctrl-C; the same command goes on where this one was", INTERRUPTED))


def _say(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code
