"""Measure a judge's agreement with the human labels of MRBench, on data that the judge was not made with.

    python -m fetch_datasets --mrbench --output-dir data/mrbench
    python -m mrbench --files data/mrbench/MRBench_V2.json data/mrbench/mrbench_v3_devset.json --judge-llm offline

MRBench (Maurya et al., NAACL 2025) has answers of eight tutors to dialogues in mathematics, labelled by people. Each
figure has a 95 % interval (bootstrap over problems) and the baseline of counting question marks beside it:

- AUC and kappa of `reveal_answer` against the label that the final answer is revealed;
- AUC of the score against the labels for guidance and for saying what to do next;
- Spearman correlation of the score with the sum of the eight labels, and of the ranking of the tutors;
- how often the best answer to a dialogue scores above the worst.

The output has every answer with its labels and verdict. The figures (`….figures.json`) and the journal of replies lie
beside it.
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


def main(
    *,
    files: Sequence[Path],
    output_path: Path,
    half: str = "both",
    hide_solutions: bool = False,
    overwrite: bool = False,
    judge: "Judge",
) -> dict[str, Any]:
    """Grade all labelled answers; write, print and return the figures (`utils.stats.labels.analyse`)."""
    from utils.artifacts import journal_beside, refuse_existing, write_json
    from utils.judges.grading import grade
    from utils.records import TutorAnswer
    from utils.sources.mrbench import half_of, read_mrbench
    from utils.stats.labels import analyse, table

    refuse_existing(output_path, overwrite)
    rows = [row for row in read_mrbench(files) if half in ("both", half_of(row.group))]
    judge.check()
    items = [TutorAnswer(row.conversation, row.answer, None if hide_solutions else row.known_answer) for row in rows]
    verdicts = grade(judge, items, journal_beside(output_path, "journal"), description="grades MRBench")
    valid = [(row, verdict) for row, verdict in zip(rows, verdicts, strict=True) if verdict.evaluation is not None]
    parts = {"all": valid} | {
        part: [(row, verdict) for row, verdict in valid if row.part == part] for part in ("MathDial", "Bridge")
    }
    found = {
        "judge": judge.name,
        "half": half,
        "known_answers": not hide_solutions,
        "answers": len(rows),
        "invalid": len(rows) - len(valid),
        "parts": {part: analyse(*zip(*both, strict=True)) for part, both in parts.items() if both},
    }
    write_json(
        output_path,
        [
            {
                "dialogue": row.dialogue, "group": row.group, "part": row.part, "tutor": row.tutor,
                "prompt": row.conversation, "output": row.answer, "known_answer": row.known_answer,
                "labels": row.labels, **verdict.model_dump(),
            }
            for row, verdict in zip(rows, verdicts, strict=True)
        ],
    )  # fmt: skip
    figures_path = output_path.with_suffix(".figures.json")
    write_json(figures_path, found)
    print(table(found))
    print(f"\nrows: {output_path}\nall figures: {figures_path}")
    return found


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--files", type=Path, required=True, nargs="+", metavar="FILE", help="MRBench_V2.json, and others like it"
    )
    parser.add_argument("--output-path", type=Path, default="mrbench_rows.json", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument(
        "--half", choices=("both", "first", "second"), default="both",
        help="by a hash of the problem; the offline judge was developed on the first: quote it on the second",
    )  # fmt: skip
    parser.add_argument(
        "--hide-solutions", action="store_true",
        help="do not tell the judge the final number, which MathDial's part has (LLM judges are never told)",
    )  # fmt: skip
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
