"""Measure how often guards bar a real teacher's turn from being chosen, and the time of an offline verdict.

    python -m benchmarks.barred --seeds data/clean/mathdial_*.jsonl data/clean/tutorchat_*.jsonl

For a seed with a `reference`, that turn and its alternatives are graded; for others, the dialogue's last teacher turn.
Each turn is graded twice, the second time with a space appended. That is the time of a further candidate, when the
dialogue has already been read.
"""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils import cli
from utils.dialogue import split_turns
from utils.records import SeedDialogue
from utils.rubric.rubric import grade
from utils.seeds.read import read_seeds


def main(*, seeds: Sequence[Path]) -> dict[str, float]:
    """Print, for each source, the share with a guard, which guards, and milliseconds. Returns the shares."""
    guards, counts, seconds = defaultdict(Counter), Counter(), defaultdict(Counter)
    for one in (one for path in seeds for one in read_seeds(path)):
        source = one.source or "seeds"
        for dialogue, turn, known in turns_of(one):
            for time_of, answer in (("first", turn), ("next", f"{turn} ")):
                started = time.process_time()
                found = grade(dialogue, answer, known).guards
                seconds[source][time_of] += time.process_time() - started
            counts[source] += 1
            guards[source].update([*found, *(["any"] if found else [])])
    for source, count in counts.items():
        why = ", ".join(f"{name} {times}" for name, times in guards[source].most_common() if name != "any")
        share = guards[source]["any"] / count
        first, following = (1000 * seconds[source][time_of] / count for time_of in ("first", "next"))
        print(f"{source}: {share:.1%} of {count} turns have a guard ({why or 'none'})")
        print(f"  {first:.2f} ms for the first answer to a dialogue, {following:.2f} ms for each further one")
    return {source: guards[source]["any"] / count for source, count in counts.items()}


def turns_of(seed: SeedDialogue) -> Iterator[tuple[str, str, str | None]]:
    """Yield (dialogue, the teacher's next turn, the known answer)."""
    if seed.reference:
        for turn in [seed.reference, *seed.reference_alternatives]:
            yield seed.text, turn, seed.answer
        return
    turns = split_turns(seed.text)
    last = max((place for place, turn in enumerate(turns) if turn.speaker == "teacher"), default=0)
    if last:
        yield "".join(turn.text for turn in turns[:last]).rstrip(), turns[last].content, seed.answer


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--seeds", nargs="+", type=Path, required=True, metavar="FILE", help="files of seed dialogues")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
