"""Make the participants that the command line names: tutors, the student, the reader, the problems."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.classroom.chat_reader import ChatReader
from utils.classroom.controls import Control, controls_for
from utils.classroom.dialogues import Student
from utils.classroom.problems import Problem, generate, read_problems
from utils.classroom.readers import CodeReader, Reader
from utils.classroom.rule_student import RuleStudent
from utils.classroom.students import ModelStudent, ScriptStudent
from utils.clients.chat import Chat
from utils.clients.make_chat import FORMS, make_chat
from utils.errors import BadInput
from utils.judges.judge import GradingOptions
from utils.prompts import PROMPTS_DIR, load_template
from utils.tutors.chat_tutor import ChatTutor
from utils.tutors.local import LocalTutor
from utils.tutors.served import ServedTutor
from utils.tutors.tutor import Sampling, Tutor

STUDENT_PROMPT, EXAM_PROMPT = PROMPTS_DIR / "student.txt", PROMPTS_DIR / "exam.txt"
REPLY_TOKENS, EXAM_TOKENS = 120, 500  # tokens at most of a student's turn, and of an exam paper


@dataclass(frozen=True)
class Classroom:
    """The participants and the number of turns. `examinee` sits the exams; it is None unless a model is the student."""

    tutors: Sequence[Tutor] = ()
    problems: Sequence[Problem] = field(default_factory=lambda: generate(24))
    turns: int = 6
    student: Student = field(default_factory=RuleStudent)
    examinee: Tutor | None = None
    reader: Reader = field(default_factory=CodeReader)
    exam_samples: int = 4

    def __post_init__(self):
        if isinstance(self.student, RuleStudent) and not all(problem.is_generated for problem in self.problems):
            raise BadInput(
                "the student `rules` needs generated problems, whose mistakes it carries out; for a file of problems "
                "take --student openai …, ollama …, model … or script FILE"
            )

    @property
    def controls(self) -> list[Control]:
        return controls_for(self.problems, self.examinee is not None)

    @property
    def names(self) -> list[str]:
        """Return the tutors' names for rows and figures; tutors with the same name are numbered."""
        names = [tutor.name for tutor in self.tutors]
        return [
            f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)
        ]

    @property
    def settings(self) -> dict[str, Any]:
        """Return all settings that can change a result, except the judge's."""
        return {
            "tutors": [tutor.settings for tutor in self.tutors], "student": self.student.settings,
            "reader": self.reader.settings, "turns": self.turns, "exam_samples": self.exam_samples,
            "problems": [problem.id for problem in self.problems],
        }  # fmt: skip

    def check(self) -> None:
        """Check that all participants can answer, before anything is paid for."""
        for actor in (*self.tutors, self.student, self.reader):
            actor.check()


def from_flags(
    *, tutor: Sequence[Sequence[str]] | None, training_root: str | None, student: Sequence[str], reader: Sequence[str],
    problems: str | None, num_problems: int, turns: int, exam_samples: int, student_temperature: float,
    temperature: float, top_k: int, max_new_tokens: int, inference_prompt: str | Path, seed: int, device: str,
    dtype: str, engine: str, server: str, no_pull: bool, judge_concurrency: int,
    judge_max_tokens: int, max_invalid: float, ask_invalid_again: bool,
) -> Classroom:  # fmt: skip
    """Make the classroom from flags, without loading a model or asking a server. Raises BadInput for a wrong flag."""
    about = read_problems(problems, num_problems) if problems else generate(num_problems, seed)
    where = {"device": device, "dtype": dtype, "pull": not no_pull, "concurrency": judge_concurrency}
    sampling = Sampling(temperature, top_k, max_new_tokens, seed)
    words = [*(tutor or []), *([path] for path in (weights_of(training_root) if training_root else []))]
    tutors = [make_speaker(one, inference_prompt, sampling, flag="--tutor", **where) for one in words]
    if engine == "server":
        tutors = [ServedTutor(one, server) if isinstance(one, LocalTutor) else one for one in tutors]
    who, examinee = make_student(student, student_temperature, top_k, seed, **where)
    listener = make_reader(reader, not no_pull)
    if isinstance(listener, ChatReader):
        listener.grading = GradingOptions(
            judge_concurrency, max_invalid, max_tokens=judge_max_tokens, ask_invalid_again=ask_invalid_again
        )
    return Classroom(tutors, about, turns, who, examinee, listener, exam_samples)


def make_speaker(
    words: Sequence[str], prompt: Path | str, sampling: Sampling, *, flag: str, concurrency: int, pull: bool,
    device: str, dtype: str,
) -> Tutor:  # fmt: skip
    """Make a Tutor with this prompt: a chat service, or, given one word, a model that is loaded here."""
    template = load_template(prompt, "input")
    if chat := make_chat(words, pull=pull):
        return ChatTutor(chat, sampling, template, concurrency)
    if len(words) != 1:
        raise BadInput(f"{flag} takes a model, {FORMS}")
    return LocalTutor(words[0], sampling, template, device, dtype)


def weights_of(training_root: str | Path) -> list[str]:
    """Find the fine-tuned models of a training root. Raises BadInput if there is none."""
    found = sorted(str(path.parent) for path in Path(training_root).glob("dpo/*/weights/config.json"))
    if not found:
        raise BadInput(f"{training_root}: no dpo/*/weights in it; give the --output-dir of a pipeline run")
    return found


def make_student(
    words: Sequence[str], temperature: float, top_k: int, seed: int, **where: Any
) -> tuple[Student, Tutor | None]:
    """Make (the student, the Tutor that sits its exams); the second is None if the student is not a model."""
    match list(words):
        case ["rules"]:
            return RuleStudent(), None
        case ["script", path]:
            return ScriptStudent(path), None
        case ["model", name]:
            words = [name]
        case [_]:
            raise BadInput(f"--student takes `rules`, `script FILE`, `model NAME`, {FORMS}")
    speaker, examinee = (
        make_speaker(words, prompt, Sampling(temperature, top_k, tokens, seed), flag="--student", **where)
        for prompt, tokens in ((STUDENT_PROMPT, REPLY_TOKENS), (EXAM_PROMPT, EXAM_TOKENS))
    )
    return ModelStudent(speaker), examinee


def make_reader(words: Sequence[str], pull: bool) -> Reader:
    """Make the reader that `--reader` names."""
    if list(words) == ["code"]:
        return CodeReader()
    chat: Chat | None = make_chat(words, pull=pull)
    if chat is None:
        raise BadInput(f"--reader takes `code`, {FORMS}")
    return ChatReader(chat)
