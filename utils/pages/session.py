"""Keep the state of one person's conversation with one tutor, or with two side by side."""

import random
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from utils.errors import BadInput
from utils.judges.judge import Judge
from utils.pages.conversation import STUDENT, TEACHER, Conversation
from utils.records import Sample, TutorAnswer, Verdict
from utils.tutors.stream import WRITING, StreamingTutor

STOPPED = "stopped"
ENDS = {  # remarks for the reader on how an answer ended
    "length": "cut off at the longest answer (--max-new-tokens)",
    "speaker": "cut where it began another speaker's turn",
    STOPPED: "stopped by you",
    WRITING: "writing …",
}


@dataclass(frozen=True)
class Given:
    """One tutor's answer to the present conversation."""

    tutor: str
    sample: Sample
    dropped_turns: int = 0
    verdict: Verdict | None = None

    @property
    def remarks(self) -> list[str]:
        """Return what a reader should know about how the answer was made."""
        found = [
            ENDS.get(
                self.sample.finish_reason, "" if self.sample.finish_reason == "stop" else self.sample.finish_reason
            )
        ]
        if self.dropped_turns:
            found.append(
                f"the {self.dropped_turns} oldest turns did not fit into the model's context and were left out"
            )
        return [remark for remark in found if remark]


@dataclass(frozen=True)
class Session:
    """`answers`, one or two, answer the last turn of `conversation`, which is the student's while there are answers.

    `picked` is the index of the preferred answer, or -1 for "no difference". `blind` hides names until then.
    """

    conversation: Conversation = field(default_factory=Conversation)
    answers: tuple[Given, ...] = ()
    picked: int | None = None
    sample: int = 0  # the number of the sample; "again" requests the next one for the same dialogue
    blind: bool = False
    asked: int = 1  # how many tutors answer

    @property
    def waits_for_pick(self) -> bool:
        return len(self.answers) == 2 and self.picked is None and all(one.sample.text for one in self.answers)

    @property
    def names_hidden(self) -> bool:
        return self.blind and self.asked == 2 and self.picked is None

    @property
    def speaker(self) -> str:
        """Return the tutor whose answer the conversation continues with; "" if there is none, or names are hidden."""
        return self.answers[max(self.picked or 0, 0)].tutor if self.answers and not self.names_hidden else ""

    def continued(self) -> Conversation:
        """Return the conversation with an answer as the tutor's turn: the preferred one, else the first."""
        if not self.answers:
            return self.conversation
        taken = self.answers[max(self.picked or 0, 0)].sample.text
        return self.conversation.with_turn(TEACHER, taken) if taken else self.conversation

    def told(self, message: str, context: str) -> "Session":
        """Add `message` as the student's turn. It may be empty if the last turn is the student's (an opened seed).

        Raises BadInput if there is nothing to answer, or if no preference between two answers is given yet.
        """
        if self.waits_for_pick:
            raise BadInput("first say which answer is better: the conversation goes on with it")
        conversation = self.continued()
        conversation = replace(conversation, group=conversation.group or f"chat-{uuid.uuid4().hex[:8]}")
        if not conversation.opening:
            conversation = replace(conversation, context=context.strip())
        if message.strip():
            conversation = conversation.with_turn(STUDENT, message)
        elif not conversation.waits_for_tutor:
            raise BadInput("write what the student says first")
        return Session(conversation, blind=self.blind)

    def again(self) -> "Session":
        if not self.answers:
            raise BadInput("there is no answer yet to have another of")
        return replace(self, answers=(), picked=None, sample=self.sample + 1)

    def undone(self) -> "Session":
        """Remove the last student turn and the answers to it."""
        return replace(self, conversation=self.conversation.without_last(), answers=(), picked=None, sample=0)

    def stopped(self) -> "Session":
        return replace(self, answers=tuple(map(_stopped, self.answers)))

    def answering(self, tutors: Sequence[StreamingTutor]) -> Iterator["Session"]:
        """Yield the session as the answers grow, one tutor after the other; in a new random order if `blind`."""
        tutors = list(tutors)
        if self.blind:
            random.SystemRandom().shuffle(tutors)
        now, text = replace(self, asked=len(tutors)), self.conversation.text
        for tutor in tutors:
            before = now.answers
            yield replace(now, answers=(*before, Given(tutor.name, Sample("", WRITING, None))))
            for sample in tutor.stream(text, self.sample):
                yield (now := replace(now, answers=(*before, Given(tutor.name, sample))))
            given = Given(tutor.name, sample, tutor.prompt(text).dropped_turns)
            yield (now := replace(now, answers=(*before, given)))

    def judged(self, judge: Judge) -> "Session":
        """Add a verdict to every finished answer."""
        return replace(self, answers=tuple(self._judged(judge, one) for one in self.answers))

    def _judged(self, judge: Judge, given: Given) -> Given:
        if given.verdict or given.sample.finish_reason == WRITING:
            return given
        item = TutorAnswer(self.conversation.text, given.sample.text, self.conversation.known_answer)
        judge.prepare([item])
        return replace(given, verdict=judge.grade(item))


def _stopped(given: Given) -> Given:
    writing = given.sample.finish_reason == WRITING
    return replace(given, sample=replace(given.sample, finish_reason=STOPPED)) if writing else given


def in_words(verdict: Verdict) -> str:
    """Return the judge's name, the score and the four criteria, each with its scale, in one line."""
    found = verdict.evaluation
    if found is None:
        return f"{verdict.judge}: no valid verdict: {verdict.evaluation_error}"
    return (
        f"{verdict.judge}: score {verdict.score:.2f} of 1; asks a question: {found.questions}; "
        f"on topic: {found.on_topic:g} of 5; helpful: {found.helpful:g} of 5; "
        f"reveals the answer: {found.reveal_answer}"
    )


def models_of(words: Sequence[str]) -> list[str]:
    """Return the models that `--model` names. A training root stands for all of its fine-tuned weights."""
    found = []
    for word in words:
        weights = sorted(Path(word).glob("dpo/*/weights"))
        found += map(str, weights) if weights else [word]
    return list(dict.fromkeys(found))


def by_name(tutors: Sequence[StreamingTutor]) -> Mapping[str, StreamingTutor]:
    """Return the tutors by unique names; `x/weights`, as a training root has them, is called `x (tuned)`."""
    named: dict[str, StreamingTutor] = {}
    for tutor in tutors:
        plain = re.sub(r"^(.+)/weights$", r"\1 (tuned)", tutor.name)
        name, number = plain, 2
        while name in named:
            name, number = f"{plain} ({number})", number + 1
        tutor.name = name
        named[name] = tutor
    return named
