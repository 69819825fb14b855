"""Grade stored answers again with another judge or a panel, without generating anything.

    python -m regrade --artifact runs/base.json --output-path runs/base_by_gpt4o.json \\
        --judge-llm openai env:OPENAI_API_KEY gpt-4o

Takes an evaluation file or a training set. Each answer keeps its former verdicts under `earlier`; the pairs of a
training set are chosen anew. The former judge's own-dialogue gain is kept under `earlier` too; this judge's replaces it
if it is asked for or costs nothing. (To grade human-rated answers with another judge, run human_vs_gpt with it.)
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.errors import BadInput
from utils.records import odd_field

if TYPE_CHECKING:
    from utils.judges.judge import Judge


def main(
    *, artifact: Path, output_path: Path, min_chosen_score: float, min_margin: float, overwrite: bool = False,
    own_dialogue_gain: bool = False, judge: "Judge",
) -> dict[str, Any]:  # fmt: skip
    """Write the artifact with new verdicts to `output_path`. Returns how they differ from the old ones."""
    from utils.artifacts import journal_beside, read_json, refuse_existing, write_json
    from utils.dpo.pairs import choose_pair, format_report, pair_fields, set_report
    from utils.judges.grading import counts, grade
    from utils.own_dialogue import GAIN, add_gain
    from utils.records import TutorAnswer, Verdict

    refuse_existing(output_path, overwrite)
    rows = read_json(artifact)
    answers = stored_answers(rows, artifact)
    judge.check()
    items = [
        TutorAnswer(row["prompt"], answer["output"], row.get("known_answer"), k)
        for row, given in zip(rows, answers, strict=True)
        for k, answer in enumerate(given)
    ]
    flat = [answer for given in answers for answer in given]
    verdicts = grade(judge, items, journal_beside(output_path, "verdicts"), description=f"grades {artifact.stem}")
    before = [answer.get("score") for answer in flat]
    for answer, verdict in zip(flat, verdicts, strict=True):
        former = {name: answer[name] for name in Verdict.model_fields if name in answer}
        former |= {name: answer.pop(name) for name in GAIN if name in answer}
        answer["earlier"] = [*answer.get("earlier", []), former]
        answer |= verdict.model_dump()
    gain = {}
    if "all_evaluations" in rows[0]:
        given = iter(verdicts)
        judged = [[next(given) for _ in row] for row in answers]
        texts = [[answer["output"] for answer in row] for row in answers]
        pairs = [
            choose_pair(
                row["prompt"], outputs, row_verdicts, min_chosen_score=min_chosen_score, min_margin=min_margin,
                known_answer=row.get("known_answer"),
            )
            for row, outputs, row_verdicts in zip(rows, texts, judged, strict=True)
        ]  # fmt: skip
        for row, pair, candidates in zip(rows, pairs, answers, strict=True):
            row |= pair_fields(pair, candidates)
        print(format_report(set_report(texts, judged, pairs)))
    elif own_dialogue_gain or judge.free:
        gain = add_gain(rows, judge, output_path, what=artifact.stem)
    write_json(output_path, rows)
    both = [(old, new.score) for old, new in zip(before, verdicts, strict=True) if None not in (old, new.score)]
    found = (
        counts(verdicts)
        | gain
        | {
            "compared": len(both),
            "mean_before": fmean(old for old, _ in both) if both else None,
            "mean_now": fmean(new for _, new in both) if both else None,
            "changed": sum(abs(old - new) > 1e-9 for old, new in both),
        }
    )
    print(f"{judge.name}: {found['graded']} answers graded, {found['invalid']} invalid, cost {found['cost']}")
    if both:
        print(
            f"mean score {found['mean_before']:.3f} before, {found['mean_now']:.3f} now; {found['changed']} of "
            f"{len(both)} answers have another score"
        )
    return found


def stored_answers(rows: Any, artifact: str) -> list[list[dict[str, Any]]]:
    """Return the answers of each row, as dicts with an `output`.

    Raises BadInput, which names the file, the row and what it lacks.
    """
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{artifact}: expected a list of rows with answers")
    answers = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
            raise BadInput(f"{artifact}, row {number}: no `prompt` in it; is this an evaluation file or training set?")
        given = row.get("all_evaluations", [row])
        given = given if isinstance(given, list) else [None]
        if "human" in row or not all(isinstance(one, dict) and isinstance(one.get("output"), str) for one in given):
            raise BadInput(f"{artifact}, row {number}: no stored answer (`output`); human ratings are human_vs_gpt's")
        for one in ({"known_answer": row.get("known_answer"), "prompt": row["prompt"]}, *given):
            if odd := odd_field(one, to_send=True):
                raise BadInput(f"{artifact}, row {number}: {odd}")
        answers.append(given)
    if len({"all_evaluations" in row for row in rows}) > 1:
        raise BadInput(f"{artifact}: some rows are of a training set, others of an evaluation")
    return answers


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--artifact", type=Path, required=True, metavar="FILE", help="an evaluation file or a training set"
    )
    parser.add_argument("--output-path", type=Path, required=True, metavar="FILE", help="the JSON file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists already")
    flags.add_pair_flags(parser)
    flags.add_gain_flag(parser)
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
