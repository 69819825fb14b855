"""Who takes part, by the words of the command line: tutors, the student, the reader."""

from collections.abc import Sequence
from pathlib import Path

from utils.classroom.adapters import ChatTutor, LocalTutor
from utils.classroom.chat_reader import ChatReader
from utils.classroom.dialogues import Student
from utils.classroom.readers import CodeReader, Reader
from utils.classroom.rule_student import RuleStudent
from utils.classroom.students import ModelStudent, ScriptStudent
from utils.errors import BadInput
from utils.judges.flags import make_chat
from utils.prompts import PROMPTS_DIR
from utils.tutors.local import Sampling

SERVICES = ("openai", "ollama")
STUDENT_PROMPT, EXAM_PROMPT = PROMPTS_DIR / "student.txt", PROMPTS_DIR / "exam.txt"
REPLY_TOKENS, EXAM_TOKENS = 120, 500  # of a student's turn, and of an exam paper


def make_speaker(
    words: Sequence[str], prompt: Path | str, sampling: Sampling, *, flag: str, concurrency: int, pull: bool,
    device: str, dtype: str, engine: str = "local", server: str = "",
):  # fmt: skip
    """A Tutor: `openai …` and `ollama …` are chat services, one word is a model."""
    if words[0] in SERVICES:
        return ChatTutor(_chat(words, flag, pull), sampling, prompt, concurrency)
    if len(words) != 1:
        raise BadInput(
            f"{flag} takes a model, `openai <key | env:NAME | file:PATH> <model>` or `ollama [address] <model>`"
        )
    return LocalTutor(words[0], sampling, prompt, device=device, dtype=dtype, engine=engine, server=server)


def weights_of(training_root: str | Path) -> list[str]:
    """The fine-tuned models of a training root. Raises BadInput where there is none."""
    found = sorted(str(path.parent) for path in Path(training_root).glob("dpo/*/weights/config.json"))
    if not found:
        raise BadInput(f"{training_root}: no dpo/*/weights in it; give the --output-dir of a pipeline run")
    return found


def make_student(words: Sequence[str], temperature: float, top_k: int, seed: int, **speaker) -> tuple[Student, object]:
    """(the student, who sits its exams): the second is None for a student that is no model."""
    match list(words):
        case ["rules"]:
            return RuleStudent(), None
        case ["script", path]:
            return ScriptStudent(path), None
        case ["model", name]:
            words = [name]
        case [service, *_] if service in SERVICES:
            pass
        case _:
            raise BadInput(
                "--student takes `rules`, `script FILE`, `openai <key | env:NAME | file:PATH> <model>`, "
                "`ollama [address] <model>` or `model NAME`"
            )
    actors = []
    for prompt, tokens in ((STUDENT_PROMPT, REPLY_TOKENS), (EXAM_PROMPT, EXAM_TOKENS)):
        sampling = Sampling(1, temperature, top_k, tokens, seed)
        actors.append(make_speaker(words, prompt, sampling, flag="--student", **speaker))
    return ModelStudent(actors[0]), actors[1]


def make_reader(words: Sequence[str], pull: bool) -> Reader:
    if list(words) == ["code"]:
        return CodeReader()
    return ChatReader(_chat(words, "--reader", pull))


def name_apart(tutors: Sequence) -> None:
    """Give tutors of one name a number: rows and figures call them by it."""
    names = [tutor.name for tutor in tutors]
    for i, tutor in enumerate(tutors):
        if names.count(tutor.name) > 1 or names.index(names[i]) < i:
            tutor.name = f"{names[i]} ({names[: i + 1].count(names[i])})"


def _chat(words: Sequence[str], flag: str, pull: bool):
    try:
        chat = make_chat(words, pull=pull)
    except ValueError as error:
        raise BadInput(str(error).replace("--judge-llm", flag)) from None
    if chat is None:
        raise BadInput(f"{flag}: `offline` is a judge and cannot talk")
    return chat
