"""Grading many answers: in parallel, with progress, each verdict in the journal as soon as it arrives."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from utils.journal import Journal, key_of
from utils.judges import Judge
from utils.records import TutorAnswer, Verdict


def grade(
    judge: Judge, items: Sequence[TutorAnswer], journal_path: Path | str, *, concurrency: int, description: str
) -> list[Verdict]:
    """One verdict per item, in the items' order. Verdicts that the journal has are not asked for again."""
    journal = Journal(journal_path)
    keys = [key_of(judge.settings, item.conversation, item.answer, item.known_answer, item.sample) for item in items]
    invalid = 0

    def one(item: TutorAnswer, key: str) -> Verdict:
        if key not in journal:
            journal.add(key, judge.grade(item).model_dump())
        return Verdict.model_validate(journal[key])

    verdicts = []
    with ThreadPoolExecutor(concurrency) as pool, tqdm(total=len(items), desc=description, unit="verdict") as bar:
        for verdict in pool.map(one, items, keys):
            invalid += verdict.evaluation is None
            verdicts.append(verdict)
            bar.set_postfix(invalid=invalid, refresh=False)
            bar.update()
    journal.close()
    return verdicts
