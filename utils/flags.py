"""The flags that several scripts share, by group, and the types of their values."""

import argparse
import os
import re
from pathlib import Path
from typing import Any

from utils.errors import BadInput
from utils.prompts import INFERENCE_PROMPT, JUDGE_PROMPT

DEFAULT_MODEL = "smollm2"
MODEL_HELP = "a hub name, a folder, or `smollm2`: SmolLM2-135M-Instruct, which is installed with the requirements"


def add_judge_flags(parser: argparse.ArgumentParser) -> None:
    """Add the judge's flags. Their dests are the keywords of `judges.flags.from_flags`, which makes it."""
    group = parser.add_argument_group("judge")
    group.add_argument(
        "--judge-llm", nargs="+", action="append", metavar="WORD",
        help="`offline [weights.json]` (rubric by rules: no key, no server; used when the flag is not given; the file "
        "comes from fit_rubric.py); "
        "`openai <key | env:NAME | file:PATH> <model>` (OPENAI_BASE_URL points it at any compatible server); "
        "`ollama [address] <model>`. Given more than once: a panel, all grade",
    )  # fmt: skip
    group.add_argument(
        "--judge-prompt", "--eval-prompt", default=str(JUDGE_PROMPT), help="template with {conversation} and {answer}"
    )
    group.add_argument("--judge-concurrency", type=positive_int, default=8, help="judge calls in flight")
    group.add_argument(
        "--judge-scores", choices=("hard", "expected"), default="hard",
        help="`expected`: score by the probabilities of the judge's labels, where the server gives them",
    )  # fmt: skip
    group.add_argument(
        "--judge-panel", choices=("mean", "median"), default="mean", help="how a panel's scores are joined"
    )
    group.add_argument("--judge-batch", action="store_true", help="OpenAI's Batch API: half the price, up to 24 hours")
    group.add_argument(
        "--judge-max-tokens", type=positive_int, default=300,
        help="longest reply in tokens; a model that thinks before it answers is given room for that besides",
    )  # fmt: skip
    group.add_argument(
        "--ask-invalid-again", action="store_true",
        help="ask again, but only about answers for which an earlier run of this command got no valid verdict",
    )  # fmt: skip
    group.add_argument("--max-invalid", type=share, default=0.1, help="fail above this share of invalid verdicts")
    group.add_argument("--no-pull", action="store_true", help="do not download a model that the Ollama server lacks")
    group.add_argument("--prices", metavar="FILE", help="JSON with your own prices: see utils/clients/prices.py")


def add_seeds_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of seeds and output. `--input` and `--output` are the original code's names."""
    parser.add_argument(
        "--seeds", "--input", type=Path, nargs="+", required=True, metavar="FILE",
        help="seed dialogues: our rows, messages, ShareGPT or text, as .jsonl, .json, .csv, .parquet or .gz of these; "
        "several files are read as one; with --split, the name of a Hugging Face dataset (docs/datasets.md)",
    )  # fmt: skip
    parser.add_argument("--split", help="the split of a Hugging Face dataset")
    add_roles_flag(parser)
    parser.add_argument(
        "--output-path", "--output", type=Path, required=True, metavar="FILE", help="the JSON file to write"
    )
    parser.add_argument("--limit", type=positive_int, help="use the first LIMIT seeds only, for a cheap trial")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that is there already")


def add_roles_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--roles", type=roles, metavar="WORD=ROLE,...",
        help="further names of speakers (those common in six languages are known), e.g. Kind=student,Coach=teacher",
    )  # fmt: skip


def add_tutor_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tutor", nargs="+", metavar="WORD",
        help="a chat service answers instead of a model here: `openai <key | env:NAME | file:PATH> <model>` or "
        "`ollama [address] <model>`, as --judge-llm takes it",
    )  # fmt: skip


def add_generation_flags(parser: argparse.ArgumentParser, max_new_tokens: int, temperature: float) -> None:
    group = parser.add_argument_group("generation")
    group.add_argument("--temperature", type=not_negative, default=temperature, help="0 takes the likeliest token")
    group.add_argument("--max-new-tokens", type=positive_int, default=max_new_tokens, help="longest answer, in tokens")
    add_model_flags(group)


def add_model_flags(parser) -> None:
    """Add the flags of a model that is loaded here or served, as `tutors.flags.from_flags` takes them."""
    parser.add_argument(
        "--top-k", type=not_negative_int, default=50, help="draw among the K likeliest tokens; 0: among all"
    )
    parser.add_argument("--inference-prompt", default=str(INFERENCE_PROMPT), metavar="FILE", help="template: {input}")
    parser.add_argument("--seed", type=int, default=0, help="the same seed samples the same answers")
    parser.add_argument("--device", type=device, default="auto", help="cuda, mps, cpu; auto takes the best there is")
    parser.add_argument("--dtype", default="auto", choices=("auto", "bfloat16", "float16", "float32"), help="weights")
    parser.add_argument(
        "--engine", choices=("local", "server"), default="local",
        help="`server`: the model's answers come from an OpenAI-compatible server (vLLM, SGLang, llama.cpp) that "
        "serves it under the same name; fine-tuned weights within a pipeline are still sampled here",
    )  # fmt: skip
    parser.add_argument(
        "--server", metavar="ADDRESS", default=os.environ.get("TUTOR_BASE_URL") or "http://localhost:8000/v1",
        help="where --engine server finds it (or TUTOR_BASE_URL); a key, if it wants one, is read from TUTOR_API_KEY",
    )  # fmt: skip


def add_gain_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--own-dialogue-gain", action="store_true",
        help="grade each answer on five other dialogues too: one question to everyone gains nothing on its own. Five "
        "more calls an answer; the offline judge, which costs nothing, always does",
    )  # fmt: skip


def add_pair_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("pair rules")
    group.add_argument("--min-chosen-score", type=share, default=0.8, help="chosen must score above this")
    group.add_argument("--min-margin", type=not_negative, default=0.0, help="chosen - rejected must be this much")


def add_trainer_flags(group, *, learning_rate: float, epochs: float, gradient_accumulation: int) -> None:
    """Add the flags that every training has: optimisation, batches, LoRA, and how the weights are stored."""
    group.add_argument(
        "--full-finetune", action="store_true", help="train every weight, as the paper did, instead of LoRA adapters"
    )
    group.add_argument(
        "--learning-rate", type=not_negative, default=learning_rate, help="at its peak; cosine afterwards"
    )  # fmt: skip
    group.add_argument("--epochs", type=positive, default=epochs, help="times through the rows")
    group.add_argument("--batch-size", type=positive_int, default=1, help="rows forwarded together, per process")
    group.add_argument(
        "--gradient-accumulation", type=positive_int, default=gradient_accumulation,
        help="batches per update of the weights",
    )  # fmt: skip
    group.add_argument("--warmup-ratio", type=share, default=0.05, help="share of the updates that warm up")
    group.add_argument("--max-grad-norm", type=not_negative, default=0.3, help="gradients are clipped to this norm")
    group.add_argument(
        "--max-length", type=positive_int,
        help="longest prompt with answer, in tokens; oldest turns go first (default: the model's context)",
    )  # fmt: skip
    group.add_argument("--lora-rank", type=positive_int, default=16, help="of the adapters: 8 takes less memory")
    group.add_argument("--lora-alpha", type=positive_int, default=32, help="the adapters' scale is alpha / rank")
    group.add_argument(
        "--lora-targets", default="all-linear", metavar="NAMES", help="or names of modules, e.g. q_proj,v_proj"
    )
    group.add_argument(
        "--load-in-4bit", action="store_true",
        help="hold the frozen weights in 4 bits (QLoRA): a quarter of the memory; needs a GPU and bitsandbytes",
    )  # fmt: skip
    group.add_argument("--report-to", default="none", help="none, tensorboard, wandb, ... as transformers has it")


def roles(words: str) -> dict[str, Any]:
    """Parse the value of `--roles`; a type for argparse."""
    from utils.roles import parse_roles

    try:
        return parse_roles(words)
    except BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def device(word: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", word):
        raise argparse.ArgumentTypeError(f"{word} is not auto, cpu, mps, cuda or cuda:N")
    return word


def not_negative(word: str) -> float:
    number = float(word)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is not 0 or more")
    return number


def positive(word: str) -> float:
    if not_negative(word) == 0:
        raise argparse.ArgumentTypeError(f"{word} is not more than 0")
    return float(word)


def positive_int(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not 1 or more")
    return number


def not_negative_int(word: str) -> int:
    if int(word) < 0:
        raise argparse.ArgumentTypeError(f"{word} is not 0 or more")
    return int(word)


def share(word: str) -> float:
    number = float(word)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{word} is not between 0 and 1")
    return number
