"""A stage as small as can be, run by tests as a process of its own: grades `--answers` answers, writes the verdicts.

python tests/small_stage.py --answers 12 --output out.json --judge-llm openai env:KEY judge-1
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from utils import cli, flags
from utils.clients import retry
from utils.judges import grading
from utils.records import TutorAnswer


def parse_args(argv=None):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--answers", type=int, required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--budget", type=float, default=20, help="seconds for one question")
    flags.add_judge_flags(parser)
    return parser.parse_args(argv)


def main(answers, output, budget, judge):
    retry.FIRST_PAUSE = 0.05
    if hasattr(judge, "chat"):
        judge.chat.queue.budget = budget
    items = [TutorAnswer(f"Student: what is {n} + {n}?", f"What do you think {n} + {n} is?") for n in range(answers)]
    verdicts = grading.grade(judge, items, f"{output}.journal", description="grading")
    Path(output).write_text(json.dumps([verdict.model_dump() for verdict in verdicts]))


if __name__ == "__main__":
    cli.run(main, parse_args)
