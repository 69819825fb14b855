"""Measure how fast candidates are sampled, compared with one call per answer, a batch, and llama.cpp's server.

    python -m benchmarks.generation --seeds data/paper/mathdial_train.json      # every way once: some minutes
    python -m benchmarks.generation --repeats 3 --natural                       # the sample that ships; real lengths

Every way has the same prompts, from the middle half of the seeds by length, and `--samples` answers to each. Answers
have exactly `--tokens` tokens, or with `--natural` at most that many. Each repeat draws other answers.
The cost is CPU-seconds on a CPU (one thread for each way, the server's included), or seconds on a GPU, without loading.
The highest memory is given too. llama.cpp runs the 4-bit file from which the small model's weights were converted.
With a GPU, use --model phi3-random (Phi-3-mini's architecture), more --prompts and more --tokens.
"""

import argparse
import json
import os
import resource
import statistics
from importlib.util import find_spec

from benchmarks.measure import clock, in_turn, peak_gigabytes, table
from utils.flags import positive_int
from utils.seeds.read import DATASETS_DIR

OURS, BY_ONE, BATCH, LLAMA = "ours", "generate, one by one", "num_return_sequences", "llama.cpp's server, n"
TEMPERATURE, TOP_K = 1.0, 50


def main(
    *, seeds: str, model: str, prompts: int, samples: int, tokens: int, natural: bool, repeats: int, ways: list[str],
    seed: int = 0, child: str | None = None,
) -> None:  # fmt: skip
    """Print a table; as a `child`, measure one way and print the result as JSON."""
    if child:
        options = {
            "messages": prompt_messages(seeds, prompts), "samples": samples, "tokens": tokens, "natural": natural,
            "seed": seed,
        }  # fmt: skip
        print(json.dumps(measure_llama(**options) if child == LLAMA else measure(child, model, **options)))
        return
    possible = [OURS, BY_ONE, BATCH]
    if model == "smollm2" and find_spec("xllamacpp"):
        possible.append(LLAMA)
    else:
        print(f"{LLAMA}: left out, it wants xllamacpp (requirements-dev.txt) and the small model")
    words = ["--seeds", seeds, "--model", model, "--prompts", prompts, "--samples", samples, "--tokens", tokens]
    chosen = [way for way in possible if any(word in way for word in ways)]
    results = in_turn("benchmarks.generation", chosen, repeats, [*words, *(["--natural"] if natural else [])])
    first = next(iter(results.values()))[0]
    print(
        f"{prompts} prompts of {first['prompt_tokens']:.0f} tokens on average x {samples} answers of "
        f"{'up to ' if natural else ''}{tokens} tokens; {model} on {first['machine']}\n"
    )
    print(table(results, f"{first['unit']} per answer"))
    for way, runs in results.items():
        print(f"{way}: {statistics.mean(run['tokens'] for run in runs):.1f} tokens per answer, {runs[0]['dtype']}")


def measure(
    way: str, model: str, messages: list[list[dict]], samples: int, tokens: int, natural: bool, seed: int
) -> dict:
    """Sample with torch. The cost runs from the first prompt's token ids to the last answer's text."""
    import torch

    from utils.tutors import generation

    cuda = torch.cuda.is_available()
    dtype = {OURS: "auto", BATCH: "bfloat16", BY_ONE: "bfloat16" if cuda else "float32"}[way]
    loaded, tokenizer = load(model, dtype)
    generation.cut_at_new_turn = lambda text: (text, False)  # the other ways do not stop at a new turn
    if not natural:  # no token ends an answer
        loaded.generation_config.eos_token_id = tokenizer.eos_token = None
    ids = [tokenizer.apply_chat_template(m, add_generation_prompt=True, return_dict=False) for m in messages]

    def plain(prompt: list[int], count: int, most: int) -> list[str]:
        prompt = torch.tensor([prompt], device=loaded.device)
        with torch.inference_mode():
            rows = loaded.generate(
                prompt, do_sample=True, temperature=TEMPERATURE, top_k=TOP_K, max_new_tokens=most,
                num_return_sequences=count,
            )  # fmt: skip
        return tokenizer.batch_decode(rows[:, prompt.shape[1] :], skip_special_tokens=natural)

    def ours(prompts: list[list[int]], count: int, most: int) -> list[str]:
        options = {
            "num_samples": count,
            "temperature": TEMPERATURE,
            "top_k": TOP_K,
            "max_new_tokens": most,
            "seed": seed,
        }
        return [answer for _, row in generation.sample_answers(loaded, tokenizer, prompts, **options) for answer in row]

    ours([ids[0][-20:]], 1, 2) if way == OURS else plain(ids[0][-20:], 1, 2)  # the first call makes caches
    torch.manual_seed(seed)
    start = clock(cuda)
    if way == OURS:
        counts = [answer.tokens for answer in ours(ids, samples, tokens)]
    elif way == BATCH:
        texts = [text for prompt in ids for text in plain(prompt, samples, tokens)]
    else:
        texts = [text for prompt in ids for _ in range(samples) for text in plain(prompt, 1, tokens)]
    cost = clock(cuda) - start
    if way != OURS:
        counts = [len(tokenizer(text, add_special_tokens=False).input_ids) for text in texts] if natural else [tokens]
    return {
        "cost": cost / (len(ids) * samples),
        "gigabytes": peak_gigabytes(cuda),
        "tokens": statistics.mean(counts),
        "prompt_tokens": statistics.mean(map(len, ids)),
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "unit": "seconds" if cuda else "CPU-seconds",
        "machine": torch.cuda.get_device_name() if cuda else f"a machine with {os.cpu_count()} CPU cores",
    }


def measure_llama(messages: list[list[dict]], samples: int, tokens: int, natural: bool, seed: int) -> dict:
    """Ask llama.cpp's server for all samples of a prompt at once, one sample per slot."""
    import httpx
    import psutil

    from tests.llama_server import llama_server, model_file

    with llama_server(context=4096, slots=samples) as address:
        server = psutil.Process().children()[0]

        def ask(asked: list[dict], count: int, most: int) -> dict:
            body = {
                "messages": asked, "n": count, "max_tokens": most, "temperature": TEMPERATURE, "top_k": TOP_K,
                "top_p": 1, "min_p": 0, "ignore_eos": not natural, "seed": seed,
            }  # fmt: skip
            return httpx.post(f"{address}/v1/chat/completions", json=body, timeout=None).raise_for_status().json()

        def seconds() -> float:
            used = server.cpu_times()
            return used.user + used.system + clock(False)

        ask([{"role": "user", "content": "Hello"}], 1, 2)
        start = seconds()
        replies = [ask(asked, samples, tokens) for asked in messages]
        cost = seconds() - start
        texts = [choice["message"]["content"] for reply in replies for choice in reply["choices"]]
        lengths = [
            len(httpx.post(f"{address}/tokenize", json={"content": text}).json()["tokens"]) for text in texts
        ] if natural else [tokens]  # fmt: skip
    assert len(texts) == len(messages) * samples
    return {
        "cost": cost / len(texts),
        "gigabytes": peak_gigabytes(False, resource.RUSAGE_CHILDREN),
        "tokens": statistics.mean(lengths),
        "prompt_tokens": statistics.mean(reply["usage"]["prompt_tokens"] for reply in replies),
        "dtype": model_file().stem.rpartition(".")[2],
        "unit": "CPU-seconds",
        "machine": f"a machine with {os.cpu_count()} CPU cores",
    }


def prompt_messages(seeds: str, count: int) -> list[list[dict]]:
    """Return the chat messages of `count` seeds, evenly spread over the middle half by length."""
    from utils.prompts import INFERENCE_PROMPT, load_template, tutor_messages
    from utils.seeds.read import read_seeds

    template = load_template(INFERENCE_PROMPT, "input")
    texts = sorted((seed.text for seed in read_seeds(seeds)), key=len)
    middle = texts[len(texts) // 4 : 3 * len(texts) // 4]
    return [tutor_messages(template, middle[i * len(middle) // count]) for i in range(count)]


def load(model: str, dtype: str):
    """Load (model, tokenizer) on the best device. `phi3-random` has random weights and the small model's tokenizer."""
    from utils import models

    if model != "phi3-random":
        return models.load(model, "auto", dtype)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from benchmarks.training import PHI3_MINI

    device = models.pick_device()
    dtype = models.pick_dtype(device) if dtype == "auto" else getattr(torch, dtype)
    tokenizer = AutoTokenizer.from_pretrained(models.resolve(models.BUNDLED))
    config = AutoConfig.for_model("phi3", vocab_size=len(tokenizer), **PHI3_MINI)
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval(), tokenizer


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = str(DATASETS_DIR / "mathdial_train.jsonl")
    parser.add_argument("--seeds", default=default, metavar="FILE", help="seed dialogues (default: the sample)")
    parser.add_argument("--model", default="smollm2", help="hub name, folder, smollm2 (default) or phi3-random")
    parser.add_argument("--prompts", type=positive_int, default=4, help="how many prompts (default: 4)")
    parser.add_argument("--samples", type=positive_int, default=5, help="answers to each (default: 5)")
    parser.add_argument("--tokens", type=positive_int, default=96, help="length of an answer (default: 96)")
    parser.add_argument("--natural", action="store_true", help="answers end by themselves")
    parser.add_argument("--repeats", type=positive_int, default=1, help="times that every way is run (default: 1)")
    parser.add_argument("--ways", nargs="+", default=[""], metavar="WORD", help="only the ways with such a word")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main(**vars(parse_args()))
