"""What the evaluations of a training root allow to say: each tutor against the base on its own kind of dialogue.

This comparison is named beforehand; the others of Table 1 are not tested. All that are shown are corrected together.
"""

from pathlib import Path

from utils.artifacts import read_json
from utils.results.training_root import FINETUNED, TITLES, Grades, Names
from utils.stats.comparisons import compare, join, sentence


def claims(root: Path, grades: Grades, names: Names) -> list[str]:
    """A sentence for each fine-tuned tutor whose own test set has its answers and the base's.

    `grades` are those of the tree at `root` (`training_root.read_evaluations`).
    """
    shown = [
        (model, dataset)
        for model, dataset in FINETUNED.items()
        if grades.get((dataset, model)) and grades.get((dataset, "base"))
    ]

    def rows(dataset: str, model: str) -> list[dict]:
        stored = read_json(root / "evaluation" / dataset / f"{model}.json")
        return [
            {"id": row.get("id"), "prompt": row.get("prompt", ""), "score": grade and grade.score}
            | ({"group": row["group"]} if row.get("group") else {})
            for row, grade in zip(stored, grades[dataset, model], strict=True)
        ]

    family = [join(rows(dataset, model), rows(dataset, "base")) for model, dataset in shown]
    return [
        sentence(one, f"the tutor trained on {TITLES[dataset]}", names.of("base"), TITLES[dataset])
        for (_, dataset), one in zip(shown, compare(family), strict=True)
    ]
