"""The content of a training root: tutors and baselines, their graded answers, their names, their means.

`reading.read_root` reads one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.records import CRITERIA, Evaluation
from utils.results import paper
from utils.stats.means import POINTS, Mean, mean_of, share_of

TRAINED = "from_finetuned_with_"
BASELINE = "baseline_"
ALSO = "also_"  # a tutor that was evaluated beside base and trained ones
WARM_START = "baseline_warm_start"
BASELINES = {  # their titles, in the order in which they are shown
    WARM_START: "base after the warm start",
    "baseline_constant_question": "one question to everyone",
    "baseline_shuffled": "base's answers to other dialogues",
    "baseline_base_greedy": "base, greedy",
    "baseline_best_of_n": "base, best of several",
    "baseline_reference": "human teacher",
}
ORIGINAL_JUDGE, UNNAMED_JUDGE = "GPT-4o", "a judge without a name"  # of rows without `judge`


@dataclass(frozen=True)
class Grade:
    """One valid verdict. `criteria` holds the rubric's four by name, each in [0, 1]."""

    score: float
    criteria: dict[str, float]
    group: str  # rows of one group (one underlying problem) are not independent


@dataclass(frozen=True)
class Evaluated:
    """One evaluation file. `grades[i]` is the verdict on `rows[i]`, None if it is not valid."""

    path: str  # within the training root
    dataset: str
    model: str  # the file's name without the two parts below
    training: int  # number of this tutor's training, from 0
    by: str | None  # the second judge, as in the file's name
    rows: list[dict[str, Any]]
    grades: list[Grade | None]
    judges: tuple[str, ...]  # as in the rows
    tutors: tuple[str, ...]


@dataclass(frozen=True)
class HumanJudgePair:
    """One answer graded by people and by the judge; an invalid grade is None. `number` counts the rows from 1."""

    number: int
    output: str
    human: Grade | None
    judge: Grade | None
    evaluations: tuple[Evaluation | None, Evaluation | None] = (None, None)  # people's and the judge's


@dataclass(frozen=True)
class TrainingRoot:
    """All that was read from a training root. `left_out` has a line for each file that exists but is not shown."""

    path: Path
    manifest: dict[str, Any] | None
    evaluations: list[Evaluated]
    human_pairs: list[HumanJudgePair]
    human_pair_judges: tuple[str, ...]  # the judges of `human_pairs`
    preference_judges: tuple[str, ...]  # the judges that chose what the tutors were trained on
    trainings: dict[str, list[dict[str, float]]]  # the log of each training, an entry per update, by folder in dpo/
    training_sets: list[str]  # the folders in dpo/ with a train_dataset.json of this run
    left_out: list[str]
    classroom: bool = False  # whether this run made classroom/

    def of(self, dataset: str, model: str, by: str | None = None) -> list[Evaluated]:
        """Return a tutor's evaluations on a test set, one per training."""
        found = [e for e in self.evaluations if (e.dataset, e.model, e.by) == (dataset, model, by)]
        return sorted(found, key=lambda e: e.training)

    @property
    def datasets(self) -> list[str]:
        """The test sets, the paper's three first and in its order."""
        return in_order({e.dataset for e in self.evaluations})

    @property
    def models(self) -> list[str]:
        """The tutors that answered any test set: trained ones, base, the judge's model, baselines."""
        there = {e.model for e in self.evaluations}
        trained = in_order({model.removeprefix(TRAINED) for model in there if model.startswith(TRAINED)})
        others = sorted(model for model in there if model.startswith(BASELINE) and model not in BASELINES)
        also = sorted(model for model in there if model.startswith(ALSO))
        order = [*(TRAINED + dataset for dataset in trained), "base", *also, "gpt4o", *BASELINES, *others]
        return [model for model in order if model in there]

    @property
    def trained(self) -> list[str]:
        """The tutors that were trained."""
        return [model for model in self.models if model.startswith(TRAINED)]

    @property
    def baselines(self) -> list[str]:
        return [model for model in self.models if model.startswith(BASELINE)]

    @property
    def beside(self) -> list[str]:
        """What the figures show beside the bars: other tutors (--also-evaluate), and the baselines."""
        return [model for model in self.models if model.startswith(ALSO)] + self.baselines

    @property
    def second_judges(self) -> list[str]:
        """The second judges, as in the files' names."""
        return sorted({e.by for e in self.evaluations if e.by})

    def refuse_empty(self) -> None:
        """Raise FileNotFoundError if there is nothing of this run to show."""
        if not self.evaluations and not self.human_pairs and not self.trainings:
            why = f"{self.path}: nothing to draw: it has no evaluation/*/*.json of this run; `pipeline` makes them"
            raise FileNotFoundError("\n".join([why, *self.left_out]))

    def judges(self, by: str | None = None) -> list[str]:
        """Return the names of the first (or a second) judge in the rows."""
        return sorted({name for e in self.evaluations if e.by == by for name in e.judges})

    def judge(self, by: str | None = None) -> str:
        """Describe the judge: its name, or that there were several, and whether it also chose the pairs."""
        names = self.judges(by)
        if len(names) > 1:
            marked = [f"{name} (also chose the pairs)" if name in self.preference_judges else name for name in names]
            return f"several judges: {', '.join(marked)}"
        also = ", which also chose the pairs" if set(names) & set(self.preference_judges) else ""
        return "".join(names) + also

    @property
    def base(self) -> str | None:
        """The base model's name, from its rows; None if it is unknown."""
        return self._tutor("base", "base")

    def _tutor(self, model: str, role: str) -> str | None:
        names = sorted({name for e in self.evaluations if e.model == model for name in e.tutors})
        return ", ".join(names) or (self.manifest or {}).get("names", {}).get(role)

    def name(self, model: str) -> str:
        """Return a tutor's full name, with the base model's."""
        if model.startswith(TRAINED):
            return f"{self.base + ', ' if self.base else ''}fine-tuned on {title_of(model.removeprefix(TRAINED))}"
        if model == "base":
            return f"{self.base} (base)" if self.base else "base"
        if model == "gpt4o":
            return self._tutor("gpt4o", "self") or ("judge's model" if self.manifest else ORIGINAL_JUDGE)
        return self.title(model)

    def title(self, model: str) -> str:
        """Return a tutor's short name, for tables."""
        if model.startswith(TRAINED):
            return f"trained on {title_of(model.removeprefix(TRAINED))}"
        best_of = {row.get("best_of") for e in self.evaluations if e.model == model for row in e.rows}
        if model in ("gpt4o", "baseline_best_of_n") and len(best_of) == 1 and (best_of.pop() or 1) > 1:
            return f"base, best of {next(e for e in self.evaluations if e.model == model).rows[0]['best_of']}"
        if model == "gpt4o":
            return "judge's model"
        if model.startswith(ALSO):
            return self._tutor(model, "") or model.removeprefix(ALSO)
        return BASELINES.get(model) or model.removeprefix(BASELINE).replace("_", " ")


def title_of(dataset: str) -> str:
    """Return a dataset's name for people, with the number of a further training: MathDial, training 2."""
    name, _, seed = dataset.partition(".seed")
    titles = [paper.TITLES.get(part, part.replace("_", " ").title()) for part in name.split("+")]
    return " + ".join(titles) + (f", training {int(seed) + 1}" if seed else "")


def is_own(tutor: str, dataset: str) -> bool:
    """Return whether a tutor was trained on this kind of dialogue, alone or among others (`a+b`)."""
    return tutor.startswith(TRAINED) and dataset in tutor.removeprefix(TRAINED).split("+")


def in_order(datasets: Iterable[str]) -> list[str]:
    """Sort datasets: the paper's first, in its order, then the others."""
    first = list(paper.TITLES)
    return sorted(datasets, key=lambda name: (first.index(name) if name in first else len(first), name))


def lacking(root: TrainingRoot, datasets: Sequence[str], models: Sequence[str]) -> str:
    """List the evaluations that a figure lacks; a test set without any is named once."""
    paths = []
    for dataset in datasets:
        absent = [model for model in models if not root.of(dataset, model)]
        whole = len(absent) == len(models)
        paths += [f"evaluation/{dataset}/ (all)"] if whole else [f"evaluation/{dataset}/{m}.json" for m in absent]
    return ", ".join(paths)


def score_mean(evaluations: Sequence[Evaluated]) -> Mean:
    """Return the mean summary score over the valid verdicts of a tutor's evaluations (one per training)."""
    grades = [grade for evaluation in evaluations for grade in evaluation.grades]
    valid = [grade for grade in grades if grade]
    return mean_of([grade.score for grade in valid], [grade.group for grade in valid], len(grades) - len(valid))


def criteria_means(grades: Sequence[Grade | None]) -> list[Mean]:
    """Return the means of the four criteria over the valid verdicts, in the order of `CRITERIA`.

    For criteria with yes or no they are shares.
    """
    valid = [grade for grade in grades if grade]
    groups, invalid = [grade.group for grade in valid], len(grades) - len(valid)
    columns = {name: [grade.criteria[name] for grade in valid] for name in CRITERIA}
    return [
        mean_of(column, groups, invalid, POINTS)
        if name in ("on_topic", "helpful")
        else share_of(column, groups, invalid)
        for name, column in columns.items()
    ]
