"""Tell whether a text is English. The offline judge reads nothing else, and says so before it grades.

A rule suffices, since it only has to tell English from the rest. Of 1,294 clean dialogues of the three
public sources, and the 1,927 strings of the paper, none is taken for another language: at least 18 % of their words are
among ENGLISH, and at most half as many among OTHERS. tests/test_language.py has the languages that were tried.
"""

import logging
import re
from collections.abc import Sequence

from utils.dialogue import CLEAN_LABEL
from utils.errors import BadInput

log = logging.getLogger(__name__)

LLM_READS = "A language model as the judge reads them: --judge-llm openai ... or --judge-llm ollama ..."
SAMPLE = 200  # of many texts so many are looked at, evenly spread
ENOUGH = 8  # different words, below which a text without the marks of another language tells nothing
LOW = 0.1  # a smaller share of ENGLISH is not English
LATIN = 0x24F  # the last letter of the scripts that English is written in
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# The commonest words of English that no neighbour has too ("in", "a", "do", "was", "so" are left out).
_ENGLISH = """
the of and to is it that you for on with are be this have from or had by but what all were we when your can
said there use an each which how their if will not they at would did does them then my him her his she its i i'm
i'd i'll i've it's that's don't let's you're out many these some into because think should could about right yes
why where who get got need one two
"""
# The words that give a sentence its bones in German, French, Spanish, Portuguese, Italian, Dutch, Polish, Turkish.
_OTHERS = """
der das und ist nicht ein eine einen ich du wir sie er es den dem mit auf für wie wenn aber auch noch von zu
le les des et est une un je tu il nous vous dans pour que qui pas sur ce cette avec mais ou où comment pourquoi
el los las y en por con para una del como más pero su mi yo qué cuál cuántos cuántas
os um uma não em com você eu mas ao da dos di che non per sono della nel gli lo perché quanti quante cosa
het een ik je niet dat voor maar wat hoeveel jest nie się że jak ile ale bir ve bu için kaç ne
"""
ENGLISH, OTHERS = frozenset(_ENGLISH.split()), frozenset(_OTHERS.split())


def is_foreign(text: str) -> bool:
    """Whether a text is clearly not English. One that is too short to tell is not."""
    words = [word.lower().replace("’", "'") for word in WORD.findall(CLEAN_LABEL.sub("", text))]
    letters = "".join(words)
    if sum(letter > chr(LATIN) for letter in letters) > len(letters) / 2:
        return True
    english, other = (sum(word in some for word in words) for some in (ENGLISH, OTHERS))
    return other > english if other > 1 else len(set(words)) >= ENOUGH and english < LOW * len(words)


def english_only(conversations: Sequence[str]) -> None:
    """Warn where the offline judge cannot read some of the dialogues; raise BadInput where it can read none."""
    looked_at = sample(conversations)
    if not (unread := [text for text in looked_at if is_foreign(text)]):
        return
    which = "all" if len(unread) == len(looked_at) else f"{len(unread)} of {len(looked_at)}"
    among = "" if len(looked_at) == len(conversations) else " of those looked at"
    begin = " ".join(unread[0].split())[:60]
    found = f"the offline judge reads English only, and {which} dialogues{among} look like another language ({begin}…)"
    if which == "all":
        raise BadInput(f"{found}: its verdicts would mean nothing. {LLM_READS}")
    log.warning("WARNING: %s: its verdicts on them mean nothing. %s", found, LLM_READS)


def sample(texts: Sequence[str]) -> list[str]:
    """Return SAMPLE of the texts, evenly spread, or all if there are no more."""
    count = min(SAMPLE, len(texts))
    return [texts[k * len(texts) // count] for k in range(count)]
