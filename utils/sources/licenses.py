"""What is written beside fetched data: where it is from, under which terms, and what was changed."""

LICENSES = """\
# Terms of the data in this folder

| dataset | from | terms | may it be passed on? |
|---|---|---|---|
| MathDial | Macina et al., 2023, <https://github.com/eth-nlped/mathdial>; its problems are from GSM8K (MIT) | \
CC BY-SA 4.0 (the hub's card says CC BY 4.0; the stricter one is kept to) | yes, with credit, a note of the changes \
and the same licence |
| Socratic debugging benchmark | Al-Hossami et al., 2023 and 2024, \
<https://github.com/taisazero/socratic-debugging-benchmark> | MIT, by the authors' card on the hub (the repository \
has no licence file) | yes, with credit and the licence's text |
| TutorChat | Chevalier et al., 2024, <https://huggingface.co/datasets/princeton-nlp/TutorChat>; its chapters are \
from libretexts.org | none stated; the chapters keep their own, often non-commercial, terms | no: for your own use |
| the original's seeds, ratings and prompts (`--paper`) | Bonino et al., 2024, \
<https://github.com/GiovanniGatti/socratic-llm> | MIT, see `LICENSE`; the dialogues in them keep the terms above | \
not the TutorChat part |

Changes, except with `--paper`: each dialogue is cut where the tutor speaks next; labels and markup are removed;
problem and wrong solution, or task and code, are put together as the student's first turn; the rows are split anew.
`sources.json` has the revision and checksum of every file that was fetched.
"""
