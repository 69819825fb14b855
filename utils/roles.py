"""Speaker roles: what student and tutor are called in chat data, and in six languages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from utils.errors import BadInput

Role = Literal["student", "teacher", "context"]
# As labels before a turn ("Lehrerin: Was hast du versucht?") and as roles of a message.
STUDENT_WORDS = (
    "student", "user", "human", "pupil", "learner",
    "schüler", "schülerin", "schüler/in", "schüler*in", "schüler:in", "studentin", "lernende", "lernender",
    "élève", "étudiant", "étudiante", "apprenant", "apprenante",
    "alumno", "alumna", "alumno/a", "alumno(a)", "estudiante", "aluno", "aluna", "aluno(a)", "estudante",
    "alunno", "alunna", "studente", "studentessa", "allievo", "allieva",
)  # fmt: skip
TEACHER_WORDS = (
    "teacher", "tutor", "assistant", "instructor", "professor", "mentor",
    "lehrer", "lehrerin", "lehrer/in", "lehrer*in", "lehrer:in", "lehrkraft", "dozent", "dozentin", "tutorin",
    "assistent", "professeur", "professeure", "enseignant", "enseignante", "tuteur", "tutrice", "assistante",
    "profesor", "profesora", "profesor/a", "profesor(a)", "maestro", "maestra", "docente", "tutora", "tutor(a)",
    "asistente", "professora", "professor(a)", "insegnante", "professore", "professoressa", "assistente",
)  # fmt: skip
# Only as roles of a message: as the first word of a line they may mean anything.
OTHER_ROLES: dict[str, Role] = {
    **dict.fromkeys(("gpt", "chatgpt", "bot", "model"), "teacher"),
    **dict.fromkeys(("system", "developer"), "context"),
}


@dataclass(frozen=True)
class Roles:
    """`by_word` maps a name (see `role_key`) to a role; `label` finds a name before a turn, as group 1."""

    by_word: dict[str, Role]
    label: re.Pattern[str]


def known_roles(given: Mapping[str, Role] | None = None) -> Roles:
    """Return all known roles, extended by those that are `given` as `parse_roles` returns them."""
    labels = dict.fromkeys(STUDENT_WORDS, "student") | dict.fromkeys(TEACHER_WORDS, "teacher")
    labels |= {word: role for word, role in (given or {}).items() if role != "context"}
    pattern = re.compile(f"^{label_pattern(tuple(labels))}", re.MULTILINE | re.IGNORECASE)
    return Roles(OTHER_ROLES | labels | dict(given or {}), pattern)


def label_pattern(words: tuple[str, ...] = STUDENT_WORDS + TEACHER_WORDS) -> str:
    """Make a regular expression for a label at the start of a line, up to its colon; group 1 is the name."""
    forms = {normalize(form, word) for word in words for form in ("NFC", "NFD")}
    longest_first = sorted(forms, key=lambda word: (-len(word), word))
    return rf"[ \t*#>]*({'|'.join(map(re.escape, longest_first))})[ \t\xa0\u202f*]*[:\uff1a]"  # French, Chinese


def parse_roles(text: str) -> dict[str, Role]:
    """Parse `--roles Kind=student,Coach=teacher,Lage=context`. Returns the role of each name, in lower case."""
    found: dict[str, Role] = {}
    for entry in text.split(","):
        word, _, role = (part.strip() for part in entry.partition("="))
        if not word or role not in ("student", "teacher", "context"):
            raise BadInput(f"{entry!r} is not of the form WORD=student, WORD=teacher or WORD=context")
        found[role_key(word)] = role
    return found


def role_key(word: object) -> str:
    """Normalise the name of a role: upper and lower case, and the encoding of umlauts, do not matter."""
    return normalize("NFC", str(word)).strip().lower()
