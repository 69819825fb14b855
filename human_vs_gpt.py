"""Check a judge against people: it grades answers that people have rated, and their agreement is measured.

    python -m fetch_datasets --paper --output-dir data/paper
    python -m human_vs_gpt --humans data/paper/mathdial_human_eval.json --judge-llm offline

A file of human ratings is a JSON list of {"prompt": the dialogue, "output": the tutor's answer, "evaluation":
{"questions": "yes", "on_topic": 4, "helpful": 2, "reveal_answer": "no"}}. Rows that are not independent (of one
dialogue, on one problem) may share a "group"; without it, prompts with the same beginning are one group.
Writes the answers with both ratings, their agreement (`….agreement.json`), and a journal of the replies.
"""

import utils  # noqa: F401 (first of all: from here on Ctrl-C is one line)

# isort: split
import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.errors import BadInput

if TYPE_CHECKING:
    from utils.judges.judge import Judge


def main(
    *,
    humans: Sequence[Path],
    output_path: Path,
    output_dir: Path | None = None,
    repeats: int = 1,
    limit: int | None = None,
    overwrite: bool = False,
    judge: "Judge",
) -> dict[str, Any]:
    """Grade the answers that people have rated. Writes, prints and returns their agreement (`analyse_rows`)."""
    from utils.artifacts import journal_beside, refuse_existing, write_json
    from utils.clients.chat import JudgeError
    from utils.judges.grading import grade
    from utils.records import TutorAnswer
    from utils.stats.agreement import analyse_rows
    from utils.stats.agreement_table import table

    output_path = output_dir / "human_vs_gpt.json" if output_dir else output_path
    refuse_existing(output_path, overwrite)
    rated, people = read_people(humans)
    if limit:
        rated, people = rated[: max(limit, 2)], people[: max(limit, 2)]
    judge.check()
    items = [
        TutorAnswer(row["prompt"], row["output"], row.get("known_answer"), repeat=repeat)
        for repeat in range(repeats)
        for row in rated
    ]
    verdicts = grade(judge, items, journal_beside(output_path, "journal"), description="grades people's answers")
    if sum(verdict.score is not None for verdict in verdicts) < 2:
        raise JudgeError(f"agreement needs two valid verdicts or more; the last: {verdicts[-1].evaluation_error}")
    rows = []
    for number, row in enumerate(rated):
        runs = [verdict.model_dump() for verdict in verdicts[number :: len(rated)]]
        new = {name: row[name] for name in ("id", "group", "known_answer") if name in row}
        new |= {"prompt": row["prompt"], "output": row["output"], "human": row["evaluation"]}
        new |= {"gpt4o": runs[0]["evaluation"], "human_score": row["score"]}
        new |= {name: value for name, value in runs[0].items() if name != "evaluation"}
        new |= {"runs": runs} if repeats > 1 else {}
        rows.append(new | ({"people": people[number]} if people else {}))
    write_json(output_path, rows)
    agreement = analyse_rows(rows)
    agreement_path = output_path.with_suffix(".agreement.json")
    write_json(agreement_path, agreement)
    print(table(agreement))
    print(f"\nrows: {output_path}\nall figures: {agreement_path}")
    return agreement


def read_people(paths: Sequence[str | Path]) -> tuple[list[dict], list[dict[str, dict | None]]]:
    """Read the ratings of one or several people.

    Each person may have a file on the same answers. Or they share one file, as `rate` writes it, whose rows name their
    `rater`; then the first person is the one with the most ratings, and others may lack a rating (None).
    Returns (the rows of the first person, and for each row the other people's ratings, by their names or files).
    Raises BadInput if a file does not rate the same answers as the first one.
    """
    from utils.stats.human_ratings import read_humans

    rated, *others = (read_humans(path) for path in paths)
    raters = Counter(row["rater"] for row in rated if row.get("rater"))
    if len(raters) > 1:
        if others:
            raise BadInput(f"{paths[0]} has several raters already: give it alone")
        return split_raters(rated, raters)
    for path, rows in zip(paths[1:], others, strict=True):
        if len(rows) != len(rated):
            raise BadInput(f"{path} has {len(rows)} rows, {paths[0]} has {len(rated)}; both must rate the same answers")
        for number, (row, other) in enumerate(zip(rated, rows, strict=True), 1):
            if (row["prompt"], row["output"]) != (other["prompt"], other["output"]):
                raise BadInput(f"{path}, row {number}: another prompt or output than in {paths[0]}")
    people = [
        {str(path): rows[number]["evaluation"] for path, rows in zip(paths[1:], others, strict=True)}
        for number in range(len(rated) if others else 0)
    ]
    return rated, people


def split_raters(rows: Sequence[dict], raters: Counter[str]) -> tuple[list[dict], list[dict[str, dict | None]]]:
    """Split the rows of several raters in one file, as `read_people` returns them.

    Answers that the first person has not rated are left out.
    """
    (first, times), *others = raters.most_common()
    ratings = {(row["rater"], row["prompt"], row["output"]): row["evaluation"] for row in rows if row.get("rater")}
    rated = [row for row in rows if row.get("rater") == first]
    print(f"people: {first}, {times} answers; compared with it: {', '.join(f'{name}, {n}' for name, n in others)}")
    if alone := {key[1:] for key in ratings} - {(row["prompt"], row["output"]) for row in rated}:
        print(f"left out: {len(alone)} answers that {first} has not rated")
    people = [{name: ratings.get((name, row["prompt"], row["output"])) for name, _ in others} for row in rated]
    return rated, people


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--humans", type=Path, required=True, nargs="+", metavar="FILE",
        help="answers rated by a person; further files are other people's ratings of the same answers, which show how "
        "well people agree with each other",
    )  # fmt: skip
    parser.add_argument("--output-path", type=Path, default="human_vs_gpt.json", help="the file to write")
    parser.add_argument("--output-dir", type=Path, help="the original code's flag: the folder for human_vs_gpt.json")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists already")
    parser.add_argument(
        "--limit",
        type=flags.positive_int,
        help="use only the first LIMIT answers, for a cheap trial (at least two, which agreement needs)",
    )
    parser.add_argument(
        "--repeats", type=flags.positive_int, default=1,
        help="grade every answer REPEATS times with different seeds, to see whether the judge agrees with itself",
    )  # fmt: skip
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
