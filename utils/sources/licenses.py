"""Write the text beside fetched data: its origin, its licence, and what was changed."""

LICENSES = """\
# Terms of the data in this folder

| dataset | from | terms | may it be passed on? |
|---|---|---|---|
| MathDial | Macina et al., 2023, <https://github.com/eth-nlped/mathdial>; its problems are from GSM8K (MIT) | \
CC BY-SA 4.0 (the hub's card says CC BY 4.0; the stricter one is kept to) | yes, with the credit and the note of \
changes below, and the same licence |
| Socratic debugging benchmark | Al-Hossami et al., 2023 and 2024, \
<https://github.com/taisazero/socratic-debugging-benchmark> | MIT, by the authors' card on the hub (the repository \
has no licence file) | yes, with the credit and the licence's text below |
| TutorChat | Chevalier et al., 2024, <https://huggingface.co/datasets/princeton-nlp/TutorChat>; its chapters are \
from libretexts.org | none stated; the chapters keep their own, often non-commercial, terms | no: for your own use |
| the original's seeds, ratings and prompts (`--paper`) | Bonino et al., 2024, \
<https://github.com/GiovanniGatti/socratic-llm> | MIT, its text below; the dialogues in them keep the terms above | \
not the TutorChat part |

Changes, except with `--paper`: each dialogue is cut where the tutor speaks next; labels and markup are removed;
problem and wrong solution, or task and code, are put together as the student's first turn; the rows are split anew.
`sources.json` has the revision and checksum of every file that was fetched.

## What to pass on with MathDial's rows

> Contains rows made from MathDial by Jakub Macina, Nico Daheim, Sankalan Pal Chowdhury, Tanmay Sinha, Manu Kapur, Iryna
> Gurevych and Mrinmaya Sachan ("MathDial: A Dialogue Tutoring Dataset with Rich Pedagogical Properties Grounded in Math
> Reasoning Problems", Findings of EMNLP 2023), licensed under the Creative Commons Attribution-ShareAlike 4.0
> International licence, <https://creativecommons.org/licenses/by-sa/4.0/legalcode>. The rows were changed as said
> above, and are under the same licence. No warranty is given.

## What to pass on with the debugging benchmark's rows, GSM8K's problems, and the original's files

The benchmark: Copyright (c) 2023, 2024 Erfan Al-Hossami and its other authors (its card names the licence, no holder).
GSM8K: Copyright (c) 2021 OpenAI. The original's selection, ratings and prompts: Copyright (c) 2024 Giovanni Gatti.
All three under the MIT licence:

> Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
> documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
> rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
> persons to whom the Software is furnished to do so, subject to the following conditions:
>
> The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
> Software.
>
> THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
> WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
> COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
> OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
