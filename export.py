"""Turn a tutor's weights into files for llama.cpp and Ollama, and compare each with the trained weights.

    python -m export --training-root runs/demo --tutor tutorchat --output-dir out --quantize f16 q8_0 q4_k_m

Writes GGUF files, a Modelfile for Ollama, the weights themselves and a model card. Nothing is exported unless the f16
file reads every prompt as the tutor did in training and predicts the same next tokens; for the smaller files the
difference is measured. If the run is stopped, the same command resumes it.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.export.gguf import KINDS
from utils.prompts import INFERENCE_PROMPT

if TYPE_CHECKING:
    from utils.judges.judge import Judge


def main(
    *, training_root: Path | None, trained_on: str, weights: Path | None, output_dir: Path, quantize: list[str],
    seeds: list[str] | None, limit: int | None, inference_prompt: Path, max_new_tokens: int | None, base: str | None,
    license: str | None, device: str, ollama_create: str | None, ollama: str, push_to_hub: str | None, private: bool,
    judge: "Judge", overwrite: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Fill `output_dir`; returns a row per file of what was measured (`utils.export.measured.Files.table`)."""
    from utils.export import card, gguf, push, source
    from utils.export.measured import Files, check_place
    from utils.manifest import only_run

    out, kinds = output_dir, list(dict.fromkeys(quantize))
    given = {
        "seeds": seeds, "limit": limit, "inference_prompt": inference_prompt, "max_new_tokens": max_new_tokens,
        "base": base, "license": license,
    }  # fmt: skip
    what = (
        source.from_root(training_root, trained_on, **given) if training_root else source.from_weights(weights, **given)
    )
    source.check_weights(what.weights)
    gguf.check_packages(kinds)
    check_place(what, out, kinds)
    judge.see([dialogue.text for dialogue in what.judged])
    judge.check()
    if push_to_hub:
        push.check_hub(push_to_hub, what)
    if ollama_create:
        push.check_ollama(ollama_create, ollama, what)

    with only_run(out):
        files = Files(what, judge, out, kinds, device, overwrite)
        files.make()
        table = files.table()
        published = files.publish()
        card.write_beside(out, what, files, published)
        card.write(out, what, table, judge.name, push_to_hub)
    print(card.parity_table(table))
    print("\n".join(card.verdicts(table)))
    print(f"\nfiles: {', '.join(path.name for path in published)} in {out}; {out / 'README.md'} is the model card")
    if ollama_create:
        names = push.create_in_ollama(ollama_create, ollama, what, files, published)
        print(f"in Ollama: {', '.join(names)}; try `ollama run {names[-1]}`")
    if push_to_hub:
        print(f"on the Hub: {push.push(push_to_hub, out, private)}")
    return table


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument(
        "--training-root", type=Path, metavar="DIR", help="made by the pipeline; its evaluations go into the card"
    )
    origin.add_argument("--weights", type=Path, metavar="DIR", help="a folder of weights alone")
    parser.add_argument(
        "--tutor", dest="trained_on", metavar="NAME", default="tutorchat",
        help="the tutor of the training root, by the data that it was trained on (its folder in dpo/)",
    )  # fmt: skip
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="everything is written here")
    parser.add_argument(
        "--quantize", nargs="+", choices=KINDS, default=["f16", "q8_0", "q4_k_m"], metavar="KIND",
        help=f"the files to make: {', '.join(KINDS)}. The Modelfile runs the last one",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", nargs="+", metavar="FILE",
        help="dialogues that each file answers, to be graded (default: the tutor's own test set; with --weights, the "
        "bundled test sets)",
    )  # fmt: skip
    parser.add_argument("--limit", type=flags.positive_int, help="use only the first LIMIT of these dialogues")
    parser.add_argument(
        "--inference-prompt", type=Path, default=INFERENCE_PROMPT, metavar="FILE",
        help="the tutor's prompt, a template with {input} for the dialogue",
    )  # fmt: skip
    parser.add_argument(
        "--max-new-tokens", type=flags.positive_int,
        help="the longest answer, in tokens (default: as in the evaluation, or 250)",
    )  # fmt: skip
    parser.add_argument("--base", metavar="NAME", help="the base model's name on the Hub (default: the manifest's)")
    parser.add_argument("--license", metavar="ID", help="the base model's licence as on its card: mit, …")
    parser.add_argument("--device", type=flags.device, default="auto", help="where to compute the float32 reference")
    parser.add_argument("--overwrite", action="store_true", help="remake files that were made from other inputs")
    group = parser.add_argument_group("publishing")
    group.add_argument("--ollama-create", metavar="NAME", help="create NAME:f16, NAME:q8_0, … and NAME in Ollama")
    group.add_argument("--ollama", metavar="ADDRESS", default="", help="of the Ollama server (default: OLLAMA_HOST)")
    group.add_argument(
        "--push-to-hub", metavar="USER/NAME", help="upload the folder; needs HF_TOKEN or `hf auth login`"
    )
    group.add_argument("--private", action="store_true", help="make the repository on the Hub private")
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
