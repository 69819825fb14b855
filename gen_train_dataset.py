"""Make preference pairs: a model answers each seed dialogue several times, and a judge finds the best and the worst.

    python -m gen_train_dataset --seeds datasets/mathdial_train.jsonl --output-path runs/mathdial/train_dataset.json

Every candidate is kept with its verdict, next to the pair (if any) that it belongs to. Replies are kept in journals
beside the output: after a crash, the same command resumes the run.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags

if TYPE_CHECKING:
    from utils.judges.judge import Judge
    from utils.tutors.tutor import Tutor


def main(
    *, seeds: Sequence[Path], output_path: Path, tutor: "Tutor", judge: "Judge", num_candidates: int,
    min_chosen_score: float, min_margin: float, with_reference: bool = False, split: str | None = None,
    roles: dict[str, Any] | None = None, export_trl: Path | None = None, limit: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write the candidates and the pair of every seed to `output_path`.

    With `with_reference`, what the teacher really said next is one more candidate, and may be chosen.
    Returns the report on the set (`utils.dpo.pairs.set_report`).
    """
    from utils.artifacts import place_of, refuse_existing, write_json
    from utils.dpo.pairs import choose_pair, format_report, pair_fields, set_report
    from utils.evaluation import REFERENCE, answer_and_grade
    from utils.seeds.read import read_all

    refuse_existing(output_path, overwrite)
    if export_trl:
        place_of(export_trl / "README.md")
    what = "+".join(path.stem for path in seeds)
    dialogues = read_all(seeds, limit, split=split, roles=roles)
    answers, verdicts = answer_and_grade(
        dialogues, tutor, judge, output_path, num_samples=num_candidates, what=what, with_reference=with_reference
    )
    texts = [[sample.text for sample in row] for row in answers.samples]
    pairs = [
        choose_pair(
            dialogue.text, row, given, min_chosen_score=min_chosen_score, min_margin=min_margin,
            known_answer=dialogue.answer,
        )
        for dialogue, row, given in zip(dialogues, texts, verdicts, strict=True)
    ]  # fmt: skip
    # `train` starts from this model by default
    made_by = {"model": getattr(getattr(tutor, "local", tutor), "model", None), "settings": tutor.settings}
    rows = []
    for i, (dialogue, pair) in enumerate(zip(dialogues, pairs, strict=True)):
        candidates = [
            {
                "output": sample.text,
                "source": "reference" if sample.finish_reason == REFERENCE else "tutor",
                "finish_reason": sample.finish_reason,
                "tokens": sample.tokens,
                **verdict.model_dump(),
            }
            for sample, verdict in zip(answers.samples[i], verdicts[i], strict=True)
        ]
        rows.append(
            {
                "id": dialogue.id,
                "group": dialogue.group,
                "prompt": dialogue.text,
                "known_answer": dialogue.answer,
                **pair_fields(pair, candidates),
                "sampled_by": made_by,
                "dropped_turns": answers.dropped_turns[i],
            }
        )
    write_json(output_path, rows)
    report = set_report(texts, verdicts, pairs)
    if with_reference:
        report["references"] = sum(row[-1].finish_reason == REFERENCE for row in answers.samples)
        report["references_chosen"] = sum(
            row["eligible"] and row["chosen_eval"]["source"] == "reference" for row in rows
        )
    print(format_report(report))
    print(f"pairs: {output_path}")
    if export_trl:
        from utils.dpo import trl_rows

        made_by = f"Answers by {tutor.name}, graded by {judge.name}."
        template = getattr(tutor, "local", tutor).template
        count = trl_rows.export_trl(
            output_path, export_trl, template=template, min_chosen_score=min_chosen_score, made_by=made_by
        )
        print(f"as trl takes them, {count} rows: {export_trl}")
    return report | answers.made


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    flags.add_seeds_flags(parser)
    flags.add_generation_flags(parser, max_new_tokens=400, temperature=1.2)
    parser.add_argument("--instruct-model", dest="model", default=flags.DEFAULT_MODEL, help=flags.MODEL_HELP)
    parser.add_argument(
        "--num-candidates", type=flags.positive_int, default=5, help="answers sampled per seed dialogue"
    )
    parser.add_argument(
        "--with-reference", action="store_true",
        help="add each seed's reference turn (what the teacher really said next) as a candidate that may be chosen",
    )  # fmt: skip
    flags.add_pair_flags(parser)
    parser.add_argument(
        "--export-trl", type=Path, metavar="DIR",
        help="also write the pairs in trl's conversational format, with a card, for `load_dataset`",
    )  # fmt: skip
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
