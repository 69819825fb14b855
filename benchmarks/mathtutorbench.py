"""Write a tutor's turns in MathTutorBench's own format, so that its scripts score them unchanged.

    git clone https://github.com/eth-lre/mathtutorbench data/mathtutorbench
    python -m benchmarks.mathtutorbench --data data/mathtutorbench/datasets/mathdial_bridge.json \\
        --model runs/demo/dpo/mathdial/weights --trained-on datasets/mathdial_train.jsonl
    (cd data/mathtutorbench/reward_model && python compute_scaffolding_score.py \\
        --data_path ../../../results/generations-mathdial_weights-scaffolding_generation.json)

MathTutorBench (Macina et al. 2025) gives its reward model two turns, the tutor's and the human teacher's, and counts
how often it prefers the tutor's. Its rows are {"problem", "reference_solution", "dialog_history": [{"user", "text"},
…]}. The last entry of the history is the human teacher's turn, which the tutor does not see.
The output is results/generations-<model>-<task>.json. The benchmark splits that name at "-", so a "-" in either part
becomes "_". Rows whose problem the tutor was trained on are marked, and …-<task>_unseen.json has only the others.
41 % of the benchmark's MathDial problems are in the paper's training seeds, so report both figures.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.errors import BadInput
from utils.records import SeedDialogue
from utils.rubric.text import plain

if TYPE_CHECKING:
    from utils.tutors.tutor import Tutor

TASKS = ("scaffolding_generation", "pedagogy_following", "scaffolding_generation_hard", "pedagogy_following_hard")
TEACHERS = ("Teacher", "Tutor")


def main(
    *, data: Path, tutor: "Tutor", trained_on: Sequence[Path], task: str, output_dir: Path, limit: int | None
) -> Path:
    """Let the tutor answer every row. Returns the path of the file with all rows."""
    from utils.artifacts import write_json

    rows = read_rows(data)[:limit]
    seen = {plain(problem) for path in trained_on for problem in problems_of(path)}
    tutor.check()
    model = re.sub(r"[^\w.]+", "_", tutor.name)
    path = output_dir / f"generations-{model}-{task}.json"
    answers = tutor.answer(
        [as_seed(i, row) for i, row in enumerate(rows, 1)], 1, journal_path=path.with_suffix(".journal.jsonl"),
        description=f"{tutor.name} on {data.stem}",
    )  # fmt: skip
    written = [
        {
            "problem": row["problem"], "reference_solution": row["reference_solution"],
            "dialog_history": row["dialog_history"][:-1], "dialog_formatted": formatted(row["dialog_history"][:-1]),
            "ground_truth_response": row["dialog_history"][-1], "generated_teacher_utterance": samples[0].text,
            "trained_on": plain(row["problem"]) in seen,
        }
        for row, samples in zip(rows, answers.samples, strict=True)
    ]  # fmt: skip
    unseen = [row for row in written if not row["trained_on"]]
    write_json(path, written)
    empty = sum(not row["generated_teacher_utterance"] for row in written)
    print(f"{path}: {len(written)} rows, {empty} without an answer")
    if trained_on:
        fresh = path.with_name(f"generations-{model}-{task}_unseen.json")
        write_json(fresh, unseen)
        print(f"{fresh}: {len(unseen)} rows; the problem of the other {len(written) - len(unseen)} was trained on")
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the benchmark's rows. Raises BadInput, which names the file and the invalid row."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: not JSON ({error})") from error
    if not isinstance(rows, list):
        raise BadInput(f"{path}: expected a list of rows")
    for number, row in enumerate(rows, 1):
        history = row.get("dialog_history") if isinstance(row, dict) else None
        if not isinstance(history, list) or len(history) < 2 or not {"problem", "reference_solution"} <= row.keys():
            raise BadInput(
                f"{path}, row {number}: expected problem, reference_solution and a dialog_history of two or more"
            )
        if history[-1].get("user") not in TEACHERS or not all("text" in turn for turn in history):
            raise BadInput(f"{path}, row {number}: the dialog_history must end with the teacher's turn")
    return rows


def as_seed(number: int, row: dict[str, Any]) -> SeedDialogue:
    """Convert a row to a seed: the problem comes before the turns, and the human's last turn is left out."""
    text = f"The problem: {row['problem']}\n\n{formatted(row['dialog_history'][:-1])}"
    return SeedDialogue(id=f"row {number}", source="mathtutorbench", group=row["problem"], text=text)


def formatted(history: Sequence[dict[str, str]]) -> str:
    return "\n".join(f"{'Teacher' if turn['user'] in TEACHERS else 'Student'}: {turn['text']}" for turn in history)


def problems_of(path: Path) -> list[str]:
    """Return the problems of a seed file; for rows that name none (the original's strings), the whole dialogues."""
    from utils.seeds.read import read_seeds

    return [seed.problem or seed.text for seed in read_seeds(path)]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="mathdial_bridge.json or …_hard.json")
    parser.add_argument("--model", default=flags.DEFAULT_MODEL, help=flags.MODEL_HELP)
    flags.add_tutor_flag(parser)
    parser.add_argument(
        "--trained-on",
        nargs="*",
        type=Path,
        default=[],
        metavar="FILE",
        help="seed files that the tutor was trained on",
    )
    parser.add_argument("--task", choices=TASKS, default=TASKS[0], help="the name of the benchmark's task")
    parser.add_argument("--output-dir", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--limit", type=flags.positive_int, help="the first LIMIT rows only, for a cheap trial")
    flags.add_generation_flags(parser, max_new_tokens=250, temperature=0.0)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
