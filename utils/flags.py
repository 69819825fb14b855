"""The flags that several scripts share, by group, and the types of their values."""

import argparse
import os
import re
from pathlib import Path
from typing import Any

from utils.errors import BadInput
from utils.prompts import INFERENCE_PROMPT, JUDGE_PROMPT

DEFAULT_MODEL = "smollm2"
MODEL_HELP = "a model on the Hugging Face Hub, a folder, or `smollm2` (SmolLM2-135M-Instruct, installed with pip)"


def add_judge_flags(parser: argparse.ArgumentParser) -> None:
    """Add the judge's flags. Their dests are the keywords of `judges.flags.from_flags`, which makes the judge."""
    group = parser.add_argument_group("judge")
    group.add_argument(
        "--judge-llm", nargs="+", action="append", metavar="WORD",
        help="who grades: `offline [weights.json]` (the default: the rubric as rules, without key or server; the file "
        "is made by fit_rubric.py), "
        "`openai <key | env:NAME | file:PATH> <model>` (or any compatible server: set OPENAI_BASE_URL), or "
        "`ollama [address] <model>`. Repeat the flag to make a panel, in which every judge grades",
    )  # fmt: skip
    group.add_argument(
        "--judge-prompt", "--eval-prompt", default=str(JUDGE_PROMPT),
        help="the judge prompt, a template with {conversation}, {answer} and {tag}",
    )  # fmt: skip
    group.add_argument("--judge-concurrency", type=positive_int, default=8, help="judge calls at the same time")
    group.add_argument(
        "--judge-scores", choices=("hard", "expected"), default="hard",
        help="`expected`: probability-weighted scores, from the log-probabilities of the judge's labels",
    )  # fmt: skip
    group.add_argument(
        "--judge-panel", choices=("mean", "median"), default="mean", help="how a panel's scores are averaged"
    )
    group.add_argument(
        "--judge-batch", action="store_true", help="use OpenAI's Batch API: half the price, up to 24 hours"
    )
    group.add_argument(
        "--judge-max-tokens", type=positive_int, default=300,
        help="the longest reply in tokens; a reasoning model gets more room for its thoughts",
    )  # fmt: skip
    group.add_argument(
        "--ask-invalid-again", action="store_true",
        help="ask the judge again about the answers for which an earlier run of this command got no valid verdict",
    )  # fmt: skip
    group.add_argument(
        "--max-invalid", type=share, default=0.1, help="stop if more than this share of the verdicts is invalid"
    )
    group.add_argument("--no-pull", action="store_true", help="do not download a model that the Ollama server lacks")
    group.add_argument("--prices", metavar="FILE", help="a JSON file with your own prices: see utils/clients/prices.py")


def add_seeds_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of seeds and output. `--input` and `--output` are the original code's names."""
    parser.add_argument(
        "--seeds", "--input", type=Path, nargs="+", required=True, metavar="FILE",
        help="seed dialogues (our rows, messages, ShareGPT or text; .jsonl, .json, .csv, .parquet or .gz of these); "
        "several files are read as one; with --split, a Hugging Face dataset (see docs/datasets.md)",
    )  # fmt: skip
    parser.add_argument("--split", help="the split of a Hugging Face dataset")
    add_roles_flag(parser)
    parser.add_argument(
        "--output-path", "--output", type=Path, required=True, metavar="FILE", help="the JSON file to write"
    )
    parser.add_argument(
        "--limit", type=positive_int, help="use only the first LIMIT seeds of each file, for a cheap trial"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists already")


def add_roles_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names further speakers."""
    parser.add_argument(
        "--roles", type=roles, metavar="WORD=ROLE,...",
        help="more names of speakers, besides the common ones in six languages, e.g. Kind=student,Coach=teacher",
    )  # fmt: skip


def add_tutor_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag of a chat service as tutor."""
    parser.add_argument(
        "--tutor", nargs="+", metavar="WORD",
        help="let a chat service answer, instead of a model loaded here: `openai <key | env:NAME | file:PATH> <model>` "
        "or `ollama [address] <model>`, in the form of --judge-llm",
    )  # fmt: skip


def add_generation_flags(parser: argparse.ArgumentParser, max_new_tokens: int, temperature: float) -> None:
    """Add the flags of sampling, with these defaults, and of the model (`add_model_flags`)."""
    group = parser.add_argument_group("generation")
    group.add_argument("--temperature", type=not_negative, default=temperature, help="0 is greedy decoding")
    group.add_argument(
        "--max-new-tokens", type=positive_int, default=max_new_tokens, help="the longest answer, in tokens"
    )
    add_model_flags(group)


def add_model_flags(parser) -> None:
    """Add the flags of a model that is loaded here or served. Their dests are keywords of `tutors.flags.from_flags`."""
    parser.add_argument(
        "--top-k", type=not_negative_int, default=50, help="sample among the K most probable tokens; 0: among all"
    )
    parser.add_argument(
        "--inference-prompt", default=str(INFERENCE_PROMPT), metavar="FILE",
        help="the tutor's prompt, a template with {input} for the dialogue",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, help="the same seed samples the same answers")
    parser.add_argument("--device", type=device, default="auto", help="cuda, mps or cpu; auto: the best one here")
    parser.add_argument(
        "--dtype", default="auto", choices=("auto", "bfloat16", "float16", "float32"), help="of the weights"
    )
    parser.add_argument(
        "--engine", choices=("local", "server"), default="local",
        help="`server`: sample from an OpenAI-compatible server (vLLM, SGLang, llama.cpp) that serves the model under "
        "the same name; within a pipeline, fine-tuned weights are still sampled here",
    )  # fmt: skip
    parser.add_argument(
        "--server", metavar="ADDRESS", default=os.environ.get("TUTOR_BASE_URL") or "http://localhost:8000/v1",
        help="of --engine server (default: TUTOR_BASE_URL if it is set); it gets the key in TUTOR_API_KEY, if any",
    )  # fmt: skip


def add_gain_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the own-dialogue gain."""
    parser.add_argument(
        "--own-dialogue-gain", action="store_true",
        help="also grade each answer in five other dialogues: an answer that suits every dialogue gains nothing in its "
        "own. It takes five more calls per answer; the offline judge, which costs nothing, always does it",
    )  # fmt: skip


def add_trained_on_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names the tutor of Figures 5 and 6."""
    parser.add_argument(
        "--trained-on", metavar="DATASET",
        help="the dataset whose tutor Figures 5 and 6 show (default: tutorchat, or else the first one)",
    )  # fmt: skip


def add_pair_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that decide which pairs are eligible."""
    group = parser.add_argument_group("pair rules")
    group.add_argument(
        "--min-chosen-score", type=share, default=0.8, help="the chosen answer must score above this"
    )  # fmt: skip
    group.add_argument(
        "--min-margin", type=not_negative, default=0.0, help="chosen must score higher than rejected by at least this"
    )


def add_trainer_flags(group, *, learning_rate: float, epochs: float, gradient_accumulation: int) -> None:
    """Add the flags that every training has: optimisation, batches, LoRA, and the precision of the weights."""
    group.add_argument(
        "--full-finetune", action="store_true", help="train all weights, as the paper did, instead of LoRA adapters"
    )
    group.add_argument(
        "--learning-rate", type=not_negative, default=learning_rate, help="the peak, before a cosine schedule"
    )  # fmt: skip
    group.add_argument("--epochs", type=positive, default=epochs, help="passes over the training rows")
    group.add_argument("--batch-size", type=positive_int, default=1, help="rows per forward pass, per process")
    group.add_argument(
        "--gradient-accumulation", type=positive_int, default=gradient_accumulation,
        help="batches per update of the weights",
    )  # fmt: skip
    group.add_argument("--warmup-ratio", type=share, default=0.05, help="share of the updates used for warm-up")
    group.add_argument("--max-grad-norm", type=not_negative, default=0.3, help="clip gradients to this norm")
    group.add_argument(
        "--max-length", type=positive_int,
        help="most tokens of prompt and answer; the oldest turns are dropped first (default: the model's context)",
    )  # fmt: skip
    group.add_argument("--lora-rank", type=positive_int, default=16, help="of the adapters; 8 takes less memory")
    group.add_argument("--lora-alpha", type=positive_int, default=32, help="the adapters' scale is alpha / rank")
    group.add_argument(
        "--lora-targets", default="all-linear", metavar="NAMES",
        help="`all-linear`, or the modules that get adapters, e.g. q_proj,v_proj",
    )  # fmt: skip
    group.add_argument(
        "--load-in-4bit", action="store_true",
        help="hold the frozen weights in 4 bits (QLoRA): a quarter of their memory; needs a GPU and bitsandbytes",
    )  # fmt: skip
    group.add_argument("--report-to", default="none", help="where to log: none, tensorboard, wandb, ...")


def roles(words: str) -> dict[str, Any]:
    """Parse the value of `--roles`; a type for argparse."""
    from utils.roles import parse_roles

    try:
        return parse_roles(words)
    except BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def device(word: str) -> str:
    """Check the value of `--device`; a type for argparse, as are the next ones."""
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


def port(word: str) -> int:
    if not 1 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"{word} is not a port, which is 1 to 65535")
    return int(word)


def not_negative_int(word: str) -> int:
    if int(word) < 0:
        raise argparse.ArgumentTypeError(f"{word} is not 0 or more")
    return int(word)


def seed(word: str) -> int:
    if not 0 <= int(word) < 2**32:  # what numpy and torch take
        raise argparse.ArgumentTypeError(f"{word} is not from 0 to {2**32 - 1}")
    return int(word)


def share(word: str) -> float:
    number = float(word)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{word} is not between 0 and 1")
    return number
