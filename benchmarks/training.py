"""Measure how fast DPO trains, compared with trl's defaults, trl with LoRA, and full fine-tuning with two models.

    python -m benchmarks.training --datasets-dir data/paper     # every way once: a quarter of an hour on 2 cores
    python -m benchmarks.training --repeats 3 --ways ours "second model"

Every way trains on the same pairs for two epochs; the work of its reference model is included. Each runs in a process
of its own, one after the other and then again, so that a busy machine affects them equally. The cost is CPU-seconds on
a CPU (one thread for each way) or seconds on a GPU; the highest memory is given too. With a GPU the model is
Phi-3-mini's architecture with random weights.
"""

import argparse
import json
import os
import statistics
import tempfile

from benchmarks.measure import clock, in_turn, peak_gigabytes, table
from utils.flags import positive_int
from utils.seeds.read import DATASETS_DIR

PHI3_MINI = {
    "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 32, "max_position_embeddings": 4096, "original_max_position_embeddings": 4096,
    "sliding_window": 2047, "tie_word_embeddings": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
ANSWER = "You are close, and the way you set it up makes sense. Look at the second line again: what does it stand for? "
EPOCHS = 2

PRECOMPUTED, STORED = {"precompute_ref_log_probs": True}, {"gradient_checkpointing": False}
MIXED, PLAIN = {"bf16": True}, {"bf16": False}
# name: (full fine-tuning, our trainer, DPOConfig fields in addition to the common ones)
WAYS = {
    "ours: LoRA, shared prompts": (False, True, PRECOMPUTED | STORED | MIXED),
    "trl + LoRA + precomputed reference": (False, False, PRECOMPUTED | STORED | MIXED),
    "trl + LoRA": (False, False, STORED | MIXED),
    "trl's defaults": (True, False, MIXED),
    "full, second model": (True, False, STORED | PLAIN),
    "ours: full, shared prompts": (True, True, PRECOMPUTED | STORED | MIXED),
}


def main(
    *, datasets_dir: str, pairs: int, repeats: int, ways: list[str], seed: int = 0, child: str | None = None
) -> None:
    """Print a table: median, spread, ratio to the first way, memory."""
    if child:
        print(json.dumps(measure(child, datasets_dir, pairs, seed)))
        return
    chosen = [name for name in WAYS if any(word in name for word in ways)]
    results = in_turn("benchmarks.training", chosen, repeats, ["--datasets-dir", datasets_dir, "--pairs", pairs])
    first = next(iter(results.values()))[0]
    print(f"{pairs} pairs x {EPOCHS} epochs, {first['tokens']}; {first['machine']}\n")
    print(table(results, f"{first['unit']} per pair and epoch"))


def measure(way: str, datasets_dir: str, pairs: int, seed: int) -> dict:
    """Train in one way. The cost runs from making the trainer, which includes the reference's work, to the end."""
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    from utils.dpo.trainer import SharedPromptDPOTrainer
    from utils.models import BUNDLED, resolve

    full, ours, fields = WAYS[way]
    cuda = torch.cuda.is_available()
    folder = resolve(BUNDLED)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = preference_rows(tokenizer, datasets_dir, pairs)
    dtype = torch.float32 if full and not cuda else torch.bfloat16

    def load():
        if not cuda:
            return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        torch.manual_seed(0)
        with torch.device("cuda"):
            return AutoModelForCausalLM.from_config(
                AutoConfig.for_model("phi3", vocab_size=len(tokenizer), **PHI3_MINI), dtype=dtype
            )

    adapters = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    with tempfile.TemporaryDirectory() as output:
        config = DPOConfig(
            **{"output_dir": output, "max_length": None, "num_train_epochs": EPOCHS, "save_strategy": "no",
               "per_device_train_batch_size": 1, "gradient_accumulation_steps": 4, "learning_rate": 5e-5, "seed": seed,
               "report_to": "none", "use_cpu": not cuda, "dataloader_pin_memory": cuda, "disable_tqdm": True} | fields
        )  # fmt: skip
        model, second = load(), load() if full and not ours else None
        start = clock(cuda)
        trainer = (SharedPromptDPOTrainer if ours else DPOTrainer)(
            model, second, config, train_dataset=datasets.Dataset.from_list(rows), processing_class=tokenizer,
            peft_config=None if full else adapters,
        )  # fmt: skip
        ready = clock(cuda)
        trainer.train()
        end = clock(cuda)
    if ours and not trainer.shared:
        raise SystemExit("the prompts were not shared: nothing was measured")
    lengths = [[len(row[f"{part}_ids"]) for part in ("prompt", "chosen", "rejected")] for row in trainer.train_dataset]
    means = [statistics.mean(column) for column in zip(*lengths, strict=True)]
    return {
        "cost": (end - start) / pairs / EPOCHS,
        "before_training": (ready - start) / pairs / EPOCHS,
        "gigabytes": peak_gigabytes(cuda),
        "unit": "seconds" if cuda else "CPU-seconds",
        "tokens": "prompts of {:.0f} tokens, chosen {:.0f}, rejected {:.0f} on average".format(*means),
        "machine": torch.cuda.get_device_name() if cuda else f"a machine with {os.cpu_count()} CPU cores",
    }


def preference_rows(tokenizer, datasets_dir: str, count: int) -> list[dict]:
    """Make pairs with real prompts, from the middle half of the seeds by length, and answers of 85 to 150 tokens."""
    from utils.prompts import INFERENCE_PROMPT, load_template, tutor_messages
    from utils.seeds.read import DATASETS, find_seeds, read_seeds

    template = load_template(INFERENCE_PROMPT, "input")
    texts = [seed.text for name in DATASETS for seed in read_seeds(find_seeds(datasets_dir, name, "train"))]
    middle = sorted(texts, key=len)[len(texts) // 4 : 3 * len(texts) // 4]
    words = tokenizer(ANSWER * 10)["input_ids"]

    def answer(tokens: int) -> list[dict]:
        return [{"role": "assistant", "content": tokenizer.decode(words[:tokens])}]

    return [
        {
            "prompt": tutor_messages(template, middle[(2 * i + 1) * len(middle) // (2 * count)]),
            "chosen": answer(85 + 20 * (i % 4)),
            "rejected": answer(150 - 15 * (i % 3)),
        }
        for i in range(count)
    ]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets-dir", default=str(DATASETS_DIR), help="whose prompts (default: the sample's)")
    parser.add_argument("--pairs", type=positive_int, default=4, help="preference pairs (default: 4)")
    parser.add_argument("--repeats", type=positive_int, default=1, help="times that every way is run (default: 1)")
    parser.add_argument("--ways", nargs="+", default=[""], metavar="WORD", help="only the ways with such a word")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main(**vars(parse_args()))
