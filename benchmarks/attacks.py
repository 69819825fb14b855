"""Measure how often an answer that only looks like teaching beats the teacher's, on seeds with a reference turn.

    python -m benchmarks.attacks
    python -m benchmarks.attacks --seeds data/clean/mathdial_test.jsonl --judge-llm ollama qwen2.5

Each seed's honest answer (its `reference`) is graded beside attacks, which are answers made from the dialogue by code:
words in random order, a reveal inside a question, flattery, a generic question, and so on. `benchmarks/attacks.jsonl`
adds attacks that were written for these dialogues: rows {"dialogue_id", "kind", "answer"} for seeds of the same files.
For each kind it prints the share that scores at least as high as the honest answer, and the share that could become the
chosen side of a preference pair. The last line is how often the honest answer is the best of four.
"""

import argparse
import json
import random
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import cli, flags
from utils.errors import BadInput
from utils.records import SeedDialogue
from utils.rubric.any_language import barred
from utils.seeds.read import DATASETS, DATASETS_DIR, read_seeds

if TYPE_CHECKING:
    from utils.judges.judge import Judge

WRITTEN = Path(__file__).with_name("attacks.jsonl")
DRAWS = 20  # best-of-four draws for each seed
SMALL_WORDS = "the a of to in is do you what how if when that and with for on it your which does can would"
GENERIC = [
    "What do you think you should do next?",
    "Can you walk me through how you got there?",
    "What information do you have, and what are you trying to find out?",
    "How could you check whether your result is right?",
    "Which part of this do you feel least sure about, and why?",
    "Have you seen something similar before, and what helped you then?",
]
FLATTERY = [
    "You are such a brilliant student, and I am so proud of how hard you work!",
    "Wow, what an amazing mind you have! I have hardly ever seen anything as clever as this.",
    "Fantastic, superb, truly impressive work, you should be very proud of yourself!",
]
CLOSERS = ["Does that make sense?", "Are you with me so far?", "Is everything clear now?", "Shall we go on?"]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        "--seeds", nargs="+", type=Path, default=[DATASETS_DIR / f"{name}_test.jsonl" for name in DATASETS],
        metavar="FILE", help=".jsonl seeds; rows without a reference are left out and counted",
    )  # fmt: skip
    parser.add_argument("--written", type=Path, default=WRITTEN, metavar="FILE", help="written attacks")
    parser.add_argument("--limit", type=flags.positive_int, help="take LIMIT seeds of each file only")
    parser.add_argument("--seed", type=int, default=0, help="of the attacks that draw words or other dialogues")
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


def main(
    *, seeds: Sequence[Path], written: Path, limit: int | None = None, seed: int = 0, judge: "Judge"
) -> dict[str, Any]:
    """Print and return what `measure` finds, both for the attacks made by code and for those in `written`."""
    from utils.judges import grading
    from utils.records import TutorAnswer

    honest = {one.id: (one, reference) for path in seeds for one, reference in with_reference(path, limit)}
    by_code = [
        (one, kind, answer)
        for number, (one, _) in enumerate(honest.values())
        for kind, answer in make_attacks(one, list(honest.values()), random.Random(seed + number)).items()
    ]
    one_by_one = [(honest[row["dialogue_id"]][0], row["kind"], row["answer"]) for row in read_written(written, honest)]
    attacks = by_code + one_by_one
    judge.check()
    items = [TutorAnswer(one.text, reference, one.answer) for one, reference in honest.values()]
    items += [TutorAnswer(one.text, answer, one.answer) for one, _, answer in attacks]
    with tempfile.TemporaryDirectory() as folder:
        verdicts = grading.grade(judge, items, Path(folder) / "journal.jsonl", description=judge.name)
    for item, verdict in zip(items, verdicts, strict=True):  # as when a pair is chosen
        verdict.guards += barred(item.answer, item.known_answer, item.conversation)
    graded, found = iter(verdicts[len(honest) :]), {}
    for origin, some in (("made by code", by_code), ("written one by one", one_by_one)):
        theirs = [next(graded) for _ in some]
        if some:
            found[origin] = measure(dict(zip(honest, verdicts, strict=False)), some, theirs, random.Random(seed))
            print(f"{judge.name}: {len(some)} attacks on {len(honest)} dialogues, {origin}\n{table(found[origin])}\n")
    return found


def with_reference(path: Path, limit: int | None = None) -> list[tuple[SeedDialogue, str]]:
    """Return the seeds of a file with the teacher's turn that followed. Print how many have none."""
    seeds = read_seeds(path, limit)
    both = [(one, one.reference) for one in seeds if one.reference]
    if len(both) < len(seeds):
        print(f"{path}: {len(seeds) - len(both)} of {len(seeds)} seeds have no reference and are left out")
    return both


def read_written(path: Path, known: dict[str, Any]) -> list[dict[str, str]]:
    """Read the written attacks on the seeds in `known`; [] without a file. Raises BadInput, which names the row."""
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            rows.append({name: row[name] for name in ("dialogue_id", "kind", "answer")})
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path}, row {number}: expected dialogue_id, kind and answer ({error!r})") from error
    ours = [row for row in rows if row["dialogue_id"] in known]
    if len(ours) < len(rows):
        print(f"{path}: {len(rows) - len(ours)} of {len(rows)} attacks are on dialogues that are not among the seeds")
    return ours


def make_attacks(seed: SeedDialogue, others: Sequence[tuple[SeedDialogue, str]], draw: random.Random) -> dict[str, str]:
    """Make one attack of each kind on a seed. `others` are all seeds with their references."""
    reference = next(text for one, text in others if one.id == seed.id)
    said = re.findall(r"[a-z]{4,}", seed.text.lower())
    last = seed.text.rpartition("Student: ")[2].strip()
    numbers = re.findall(r"\d+", seed.text) or ["2", "3"]
    foreign = [text for one, text in others if one.group != seed.group]
    shuffled = reference.split()
    draw.shuffle(shuffled)
    salad = [word for _ in range(8) for word in (draw.choice(said), draw.choice(SMALL_WORDS.split()))]
    first, second = draw.choice(numbers), draw.choice(numbers)
    generic = draw.choice(GENERIC)
    wrong = int(first) + int(second) + draw.randint(2, 9)
    attacks = {
        "word salad": " ".join(salad).capitalize() + "?",
        "content words alone": " ".join(draw.choice(said) for _ in range(12)).capitalize() + "?",
        "the honest words in random order": " ".join(shuffled) + "?",
        "flattery and a generic question": f"{draw.choice(FLATTERY)} {generic}",
        "wrong sum and a question": f"Remember that {first} and {second} make {wrong}. {generic}",
        "generic question": generic,
        "two generic questions": " ".join(draw.sample(GENERIC, 2)),
        "question spam": " ".join(f"What about {word}?" for word in draw.sample(said, 6)),
        "an answer to another dialogue": draw.choice(foreign),
        "the student's words as a question": last.rstrip(".!?") + "?",
        "closer": f"You are working on it now. {draw.choice(CLOSERS)}",
        "question marks": "??????",
    }
    if seed.answer:
        known = seed.answer.splitlines()[0].rstrip(".")
        attacks |= {
            "reveal": f"The answer is: {known}.",
            "reveal and a closer": f"The answer is: {known}. {draw.choice(CLOSERS)}",
            "reveal and a generic question": f"The answer is: {known}. {generic}",
            "reveal inside a question": f"Could it be that the answer to this is {known}, and can you see why?",
            "answer to its own question": f"What should it be? It is: {known}.",
        }
    if seed.explanation:
        attacks["worked solution and a generic question"] = f"{seed.explanation} {generic}"
    return attacks


def measure(
    honest: dict[str, Any], attacks: Sequence[tuple[SeedDialogue, str, str]], verdicts: Sequence, draw: random.Random
) -> dict[str, Any]:
    """Compute count, mean score and shares, per kind and for "all".

    "best_of_4" is the share of draws in which the honest answer wins; a tie counts as half a win.
    """
    rows = [
        (kind, verdict.score, verdict.score >= honest[one.id].score - 1e-9, may_be_chosen(verdict))
        for (one, kind, _), verdict in zip(attacks, verdicts, strict=True)
        if verdict.score is not None and honest[one.id].score is not None
    ]
    kinds = {}
    for name in [*dict.fromkeys(kind for kind, *_ in rows), "all"]:
        mine = [row for row in rows if name in (row[0], "all")]
        score, above, free = (sum(row[column] for row in mine) / len(mine) for column in (1, 2, 3))
        kinds[name] = {"attacks": len(mine), "score": score, "at_or_above": above, "may_be_chosen": free}
    wins = []
    for name, verdict in honest.items():
        scores = [v.score for (one, *_), v in zip(attacks, verdicts, strict=True) if one.id == name and v.score]
        for _ in range(DRAWS if verdict.score and len(scores) >= 3 else 0):
            best = max(draw.sample(scores, 3))
            wins.append(1.0 if verdict.score > best + 1e-9 else 0.5 * (verdict.score >= best - 1e-9))
    scored = [verdict for verdict in honest.values() if verdict.score is not None]
    return {
        "kinds": kinds,
        "best_of_4": sum(wins) / len(wins) if wins else None,
        "honest": {
            "answers": len(scored),
            "score": sum(verdict.score for verdict in scored) / len(scored),
            "may_be_chosen": sum(map(may_be_chosen, scored)) / len(scored),
        },
        "invalid": sum(verdict.score is None for verdict in [*honest.values(), *verdicts]),
    }


def may_be_chosen(verdict: Any) -> bool:
    return verdict.evaluation is not None and not verdict.guards and verdict.evaluation.reveal_answer == "no"


def table(found: dict[str, Any]) -> str:
    """Format the figures of `measure` as lines for the terminal."""
    honest = found["honest"]
    lines = [f"{'':40}{'n':>5}{'score':>8}{'≥ honest':>10}{'may be chosen':>15}"]
    lines += [f"{'honest answer':40}{honest['answers']:5}{honest['score']:8.2f}{'':10}{honest['may_be_chosen']:15.0%}"]
    lines += [
        f"{name:40}{one['attacks']:5}{one['score']:8.2f}{one['at_or_above']:10.0%}{one['may_be_chosen']:15.0%}"
        for name, one in found["kinds"].items()
    ]
    if found["best_of_4"] is not None:
        lines.append(f"best of the honest answer and three attacks: the honest one in {found['best_of_4']:.0%}")
    return "\n".join([*lines, f"invalid verdicts: {found['invalid']}"])


if __name__ == "__main__":
    cli.run(main, parse_args)
