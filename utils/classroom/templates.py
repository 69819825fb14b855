"""Define the template of a generated problem: a story, its steps, and two mistakes that students make.

The sixteen stories are in stories_numbers.py and stories_parts.py. A step names a quantity and gives its formula from
those before. It has an open question that leads to it, and the words by which a reader recognises a reference to it.
A mistake replaces a step's formula by another one. It is a procedure, carried out faithfully, as in
Brown & Burton (1978), "Diagnostic models for procedural bugs".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAMES = ["Mina", "Tom", "Ada", "Leo", "Nia", "Sam", "Eva", "Raj", "Ines", "Olek", "Wei", "Zoe"]


@dataclass(frozen=True)
class Step:
    key: str
    what: str  # the quantity, as the student calls it
    formula: str
    ask: str  # an open question that leads to this step and gives nothing away
    cues: str  # words and phrases, separated by commas, that point at this step


@dataclass(frozen=True)
class Mistake:
    step: str
    formula: str
    belief: str  # the reason for the mistake, in the student's words
    cues: str = ""  # words for what the mistake overlooks


@dataclass(frozen=True)
class Template:
    name: str
    topic: str  # arithmetic, fractions, percent, rates or units
    text: str
    draw: Mapping[str, Sequence[int]]  # the given numbers, and the possible values of each
    steps: tuple[Step, ...]
    mistakes: tuple[Mistake, ...]
