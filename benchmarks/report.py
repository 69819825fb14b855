"""Measure the report of a training root of the paper's size: seconds, memory and megabytes.

    python -m benchmarks.report

The root is made up. It has 3 test sets x 5 tutors x 100 answers, 1,755 training prompts x 5 candidates, and 100 answers
that people rated. Each answer has some 200 random words out of 4,000 made-up ones. Such answers are less alike than
those of models, so they are harder to compress.
"""

import json
import random
import resource
import tempfile
import time
from pathlib import Path

from utils import cli, flags
from utils.artifacts import write_json

PROMPTS = {"mathdial": 498, "tutorchat": 594, "debugging": 663}
TUTORS = (*(f"from_finetuned_with_{name}" for name in PROMPTS), "base", "gpt4o")


def parse_args(argv=None):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--tests", type=flags.positive_int, default=100, help="dialogues per test set")
    parser.add_argument("--candidates", type=flags.positive_int, default=5, help="per training prompt")
    parser.add_argument("--words", type=flags.positive_int, default=200, help="per answer, on average")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the root there and keep it, to look at")
    return parser.parse_args(argv)


def main(tests: int, candidates: int, words: int, keep: Path | None = None) -> dict[str, float]:
    """Make the root, write its report, and print the time, memory and size."""
    import report

    with tempfile.TemporaryDirectory() as folder:
        root = keep or Path(folder)
        make_root(root, tests, candidates, words)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        wall, processor = time.perf_counter(), time.process_time()
        path = report.main(root)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        found = {
            "seconds": wall, "CPU-seconds": processor, "megabytes": path.stat().st_size / 1e6,
            "peak gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }  # fmt: skip
    print(json.dumps({name: round(value, 2) for name, value in found.items()}), f"(peak before: {before:.2f})")
    return found


def make_root(root: Path, tests: int, candidates: int, words: int) -> None:
    """Write a training root of the size of the paper's run, with invented answers."""
    draw = random.Random(0)
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvw" for vowel in "aeiou"]
    vocabulary = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(4000)]

    def text(length: int) -> str:
        chosen = draw.choices(vocabulary, k=max(3, round(draw.gauss(length, length / 4))))
        return " ".join(chosen).capitalize() + draw.choice(".?")

    def graded() -> dict:
        evaluation = {
            "questions": draw.choice(("yes", "no")), "on_topic": float(draw.randint(1, 5)),
            "helpful": float(draw.randint(1, 5)), "reveal_answer": draw.choice(("yes", "no", "no")),
        }  # fmt: skip
        details = {
            "usage": {"prompt_tokens": 1200, "completion_tokens": 40},
            "cost": 0.0034,
            "system_fingerprint": "fp",
        }
        return {
            "output": text(words), "finish_reason": "stop", "tokens": words, "evaluation": evaluation,
            "raw_evaluation": json.dumps(evaluation), "evaluation_error": None, "judge": "gpt-4o", "reasons": [],
            "guards": [], "details": details,
        }  # fmt: skip

    def row(name: str, number: int) -> dict:
        return {"id": f"{name}-{number}", "group": f"{name}-{number // 2}", "known_answer": text(5)}

    made = []
    for name, prompts in PROMPTS.items():
        dialogues = [row(f"{name}-test", k) | {"prompt": f"Student: {text(180)}"} for k in range(tests)]
        for tutor in TUTORS:
            made.append(f"evaluation/{name}/{tutor}.json")
            write_json(root / made[-1], [dialogue | graded() | {"tutor": "Phi-3-mini"} for dialogue in dialogues])
        pairs = []
        for k in range(prompts):
            given = [graded() for _ in range(candidates)]
            sides = {"chosen_eval": given[0], "rejected_eval": given[-1], "chosen": given[0]["output"]}
            sides |= {"rejected": given[-1]["output"], "eligible": True, "not_eligible_because": None}
            pairs.append(row(name, k) | {"prompt": f"Student: {text(180)}", "all_evaluations": given} | sides)
        made += [f"dpo/{name}/train_dataset.json", f"dpo/{name}/weights"]
        write_json(root / made[-2], pairs)
        steps = [{"step": k, "loss": 0.69 / k, "rewards/margins": 0.01 * k} for k in range(1, prompts // 2)]
        write_json(root / f"dpo/{name}/checkpoints/training_log.json", {"log": steps})
    rated = [graded() for _ in range(tests)]
    people = [graded()["evaluation"] for _ in range(tests)]
    made.append("evaluation/human_vs_gpt.json")
    write_json(root / made[-1], [
        one | {"prompt": f"Student: {text(180)}", "human": human, "gpt4o": one["evaluation"]}
        for one, human in zip(rated, people, strict=True)
    ])  # fmt: skip
    artifacts = {name: {"stage": "made up", "state": "done", "inputs": {}, "seconds": 1.0} for name in made}
    write_json(root / "manifest.json", {"names": {"base": "Phi-3-mini", "judge": "gpt-4o"}, "artifacts": artifacts})


if __name__ == "__main__":
    cli.run(main, parse_args)
