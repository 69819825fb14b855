"""Read MRBench (Maurya et al., NAACL 2025, arXiv 2412.09416): answers of eight tutors, labelled by people.

A dialogue: {"conversation_id": "930-…", "conversation_history": "Tutor: Hi, …\\n Student: …", "Data": "MathDial",
"Ground_Truth_Solution": "… \\n 2000", "anno_llm_responses": {"GPT4": {"response": "…", "annotation":
{"Mistake_Identification": "Yes", "Revealing_of_the_Answer": "No", …}}, …}}. In the development set of BEA 2025 the
tutors are under "tutor_responses" and have four labels, and there is no solution.
Its licence is CC BY-SA 4.0. It is fetched, never bundled.
"""

import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from utils.artifacts import read_json, write_json, write_text
from utils.errors import BadInput
from utils.sources.download import Source, fetch

SOURCE = Source(
    # A branch, not a commit, because no published release names a commit. `sources.json` records which one was fetched.
    "github", "kaushal0494/UnifyingAITutorEvaluation", "main", ("*MRBench_V2.json", "*mrbench_v3_devset.json")
)  # fmt: skip
LICENSE = """\
# MRBench

Maurya, Srivatsa, Petukhova, Kochmar: "Unifying AI Tutor Evaluation: An Evaluation Taxonomy for Pedagogical Ability
Assessment of LLM-Powered AI Tutors", NAACL 2025 (arXiv 2412.09416), and the shared task of BEA 2025.
From <https://github.com/kaushal0494/UnifyingAITutorEvaluation>, CC BY-SA 4.0; the files are unchanged. Their dialogues
come from MathDial (CC BY-SA 4.0) and Bridge (Wang et al., 2024). You may pass them on with this credit and under the
same licence. `sources.json` has the commit and the checksum of each file.
"""

REVEALS = "revealing_of_the_answer"
# One point for each property of a good answer (not revealing is one). "To some extent" and a neutral tone are half.
DESIDERATA = (
    "mistake_identification", "mistake_location", REVEALS, "providing_guidance", "actionability", "coherence",
    "tutor_tone", "humanlikeness",
)  # fmt: skip
VALUES = {
    "yes": 1.0, "to some extent": 0.5, "no": 0.0,
    "yes (and the answer is correct)": 1.0, "yes (but the answer is incorrect)": 1.0,
    "encouraging": 1.0, "neutral": 0.5, "offensive": 0.0,
}  # fmt: skip
QUESTION_IS = re.compile(r"The question is:(.*)", re.DOTALL)
SPEAKER = re.compile(r"^\s*(Tutor|Teacher|Student)\s*:\s*", re.MULTILINE)
LABEL = re.compile(r"^\s*(?:Tutor|Teacher)(?: response)?\s*:\s*", re.IGNORECASE)
FINAL = re.compile(r"[-\d.,/]*\d")


@dataclass(frozen=True)
class LabelledAnswer:
    """One tutor's answer. `labels` are in [0, 1]; answers of the development set have only four."""

    dialogue: str
    group: str  # the problem; answers to one problem are not independent
    part: str  # "MathDial" or "Bridge"
    conversation: str  # "Student: …" and "Teacher: …" lines
    known_answer: str | None  # the final number of the solution, if the file has one
    tutor: str
    answer: str
    labels: dict[str, float] = field(hash=False)

    @property
    def desiderata(self) -> float | None:
        """Return the sum of the eight labels, from 0 to 8; None if a label is missing."""
        if not set(DESIDERATA) <= self.labels.keys():
            return None
        return sum(1 - self.labels[name] if name == REVEALS else self.labels[name] for name in DESIDERATA)


def fetch_mrbench(output_dir: Path) -> list[Path]:
    """Fetch both files to `output_dir`, with licence and origin. Raises what `download.fetch` raises."""
    record = Path(output_dir) / "sources.json"
    if record.is_file() and "seeds" in read_json(record):
        raise BadInput(f"{output_dir} holds fetched seeds; choose an --output-dir of its own for MRBench")
    files = fetch(SOURCE, Path(output_dir) / "raw")
    paths = []
    for file in files:
        paths.append(Path(output_dir) / file.local.name)
        write_text(paths[-1], file.local.read_text(encoding="utf-8"))
    origins = [{**asdict(file), "local": str(file.local)} for file in files]
    write_json(record, {"files": origins})
    write_text(Path(output_dir) / "LICENSES.md", LICENSE)
    return paths


def read_mrbench(paths: list[Path] | list[str]) -> list[LabelledAnswer]:
    """Read all labelled answers of the files, without duplicates. Raises BadInput, which names file and dialogue.

    The same answer to the same dialogue may occur in both files, or twice in one (three ids repeat): the copy with
    the most labels is kept.
    """
    found: dict[tuple[str, str, str], LabelledAnswer] = {}
    for path in paths:
        rows = read_json(path)
        if not isinstance(rows, list):
            raise BadInput(f"{path}: expected a JSON list of MRBench dialogues")
        for number, row in enumerate(rows, 1):
            try:
                answers = _answers(row)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise BadInput(f"{path}, dialogue {number}: not one of MRBench's ({error!r})") from error
            for one in answers:
                key = (one.dialogue, one.tutor, one.answer)
                if key not in found or len(one.labels) > len(found[key].labels):
                    found[key] = one
    if not found:
        raise BadInput(f"{', '.join(map(str, paths))}: no dialogue in it")
    return list(found.values())


def half_of(group: str) -> str:
    """Return "first" or "second", by problem. Only the first half was seen during the offline judge's development."""
    return "first" if hashlib.sha256(group.encode()).digest()[0] % 2 == 0 else "second"


def _answers(row: dict) -> list[LabelledAnswer]:
    history = _plain(row["conversation_history"])
    solution = row.get("Ground_Truth_Solution") or ""
    final = FINAL.findall(solution.strip().rpartition("\n")[2])
    # MathDial's ids are "<problem>-<random>", and its first turn asks "The question is: …". Bridge's ids are numbers.
    asked = QUESTION_IS.search(history.partition("\nStudent:")[0])
    problem = re.sub(r"\W+", " ", asked[1]).strip().lower() if asked else ""
    group = problem or f"dialogue {row['conversation_id']}"
    return [
        LabelledAnswer(
            dialogue=str(row["conversation_id"]), group=group,
            part=row.get("Data") or ("MathDial" if asked else "Bridge"),
            conversation=SPEAKER.sub(lambda mark: f"{mark[1].replace('Tutor', 'Teacher')}: ", history),
            known_answer=final[-1] if final else None, tutor=tutor, answer=_answer(one["response"]),
            labels={name.lower(): _value(label) for name, label in one["annotation"].items()},
        )
        for tutor, one in (row.get("anno_llm_responses") or row["tutor_responses"]).items()
    ]  # fmt: skip


def _plain(text: str) -> str:
    """Replace no-break spaces and remove the space before each line."""
    return "\n".join(line.strip() for line in text.replace("\xa0", " ").split("\n")).strip()


def _answer(text: str) -> str:
    """Remove a leading "Tutor:", and quotes around the whole answer or before it."""
    text = LABEL.sub("", _plain(text))
    return text.strip().strip('"“”').strip() if text.count('"') < 3 else text.strip()


def _value(label: str) -> float:
    name = " ".join(label.replace("\xa0", " ").lower().split())
    if name not in VALUES:
        raise ValueError(f"an unknown label {label!r}")
    return VALUES[name]
