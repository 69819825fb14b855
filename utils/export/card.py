"""Write the texts beside the GGUF files: the model card, and the files that Ollama needs.

The card has the Hub's format (huggingface_hub's ModelCard, with EvalResults in its front matter). card.md has its text.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import models
from utils.artifacts import read_json, write_text
from utils.export.findings import evaluation, evaluation_rows, parity_table, verdicts
from utils.export.modelfile import modelfile
from utils.export.source import Source
from utils.results.training_root import title_of

HUB_NAMES = {models.BUNDLED_NAME: "HuggingFaceTB/SmolLM2-135M-Instruct"}
# Address and licence of each public dataset; datasets/README.md has the details.
TERMS = {
    "mathdial": (
        "eth-nlped/mathdial",
        "if they are the public dataset: CC BY-SA 4.0: passed on only with credit and under the same licence",
    ),
    "tutorchat": (
        "princeton-nlp/TutorChat",
        "if they are the public dataset: **no licence is stated: for your own use, ask before you pass it on**",
    ),
    "debugging": (None, "if they are the public dataset: the Socratic debugging benchmark, MIT by its card"),
}
UNKNOWN = (None, "**their licence is not known here: look it up before you pass the tutor on**")
SAMPLE = "sample-"  # prefix of the ids of the bundled dialogues
TEMPLATE = Path(__file__).with_suffix(".md")


def write_beside(folder: Path, source: Source, files, published: Sequence[Path]) -> None:
    """Write the Modelfile of the last file, and for `ollama run hf.co/…` the files `template` and `params`.

    There is no file `system`, because TEMPLATE holds the instructions. So a user can set a system message.
    """
    params, template = files.parameters(), files.template()
    write_text(folder / "Modelfile", modelfile(published[-1].name, template, params, license_line(source)))
    write_text(folder / "template", template)
    write_text(folder / "params", json.dumps(params, indent=2) + "\n")


def license_line(source: Source) -> str | None:
    """Return the text of LICENSE in Ollama's Modelfile; None if the licence is not known."""
    if source.license is None:
        return None
    base = hub_name(source)
    return f"{source.license}, the licence of the base model{f' https://huggingface.co/{base}' if base else ''}"


def hub_name(source: Source) -> str | None:
    """Return the base model's name on the Hub; None if it has none."""
    name = HUB_NAMES.get(source.base, source.base)
    return name if name and name.count("/") == 1 else None


def write(folder: Path, source: Source, table: Sequence[dict[str, Any]], judge: str, repo: str | None) -> None:
    """Write README.md, the model card. `judge` is the name of the judge that scored the files."""
    from huggingface_hub import ModelCard, ModelCardData

    results = evaluation_rows(source) if source.root else []
    public = source.dataset and not is_sample(source) and TERMS.get(source.dataset, UNKNOWN)[0]
    data = ModelCardData(
        model_name=source.name, base_model=hub_name(source), license=source.license or "other", language="en",
        library_name="transformers", pipeline_tag="text-generation", datasets=[public] if public else None,
        tags=["socratic", "tutoring", "education", "dpo", "trl", "gguf", "ollama"],
        eval_results=[eval_result(row, source) for row in results if row["mean"].value is not None] or None,
        **({"base_model_relation": "finetune"} if hub_name(source) else {}),
    )  # fmt: skip
    last = table[-1]["kind"].upper()
    card = ModelCard.from_template(
        data, template_path=str(TEMPLATE), name=source.name, repo=repo or ".", made=made(source),
        prompt=source.template.strip(),
        ollama=f"ollama run hf.co/{repo}:{last}" if repo else f"ollama create {source.name.lower()} -f Modelfile && "
        f"ollama run {source.name.lower()}",
        smallest=f"{source.name}-{last}.gguf", parity=parity_table(table),
        verdicts="\n".join(f"- {line}" for line in verdicts(table)) + f"\n- Judge: {judge}.",
        evaluation=evaluation(source, results), data=origin(source),
    )  # fmt: skip
    write_text(folder / "README.md", card.content)


def made(source: Source) -> str:
    """Describe in a sentence or two how the model was made, and from which base."""
    if not source.manifest:
        return f"Base model: {source.base or 'not said'}. How it was trained is not known to this card."
    artifacts, names = source.manifest["artifacts"], source.manifest["names"]
    pairs = (artifacts[f"dpo/{source.dataset}/weights"].get("summary") or {}).get("pairs", "an unknown number of")
    times = artifacts[f"dpo/{source.dataset}/train_dataset.json"]["inputs"].get("num_candidates", "several")
    return (
        f"{names['base']} was fine-tuned by DPO (Rafailov et al. 2023) on {pairs} preference pairs, by the method of "
        f'Bonino et al., "EULER" (2024): it answered each training dialogue {times} times, '
        f"the judge ({names['judge']}) graded the answers, the best became chosen and the worst rejected."
    )


def origin(source: Source) -> str:
    """Describe the training dialogues, their licence, and the result of the audit for leaks."""
    base = f"- Base model: {hub_name(source) or source.base or 'not said'}, licence {source.license or 'not said'}."
    if not source.manifest:
        return f"{base}\n- Training data: not known to this card."
    title = title_of(source.dataset)
    if is_sample(source):
        data = f"dialogues in the style of {title}, written for the project that made this model (MIT)"
    else:
        terms = TERMS.get(source.dataset, UNKNOWN)[1]
        data = f"the seeds that this run calls {title}; {terms}"
    leaks = (source.manifest.get("seeds_audit") or {}).get("leaks")
    audit = "was not made" if leaks is None else "; ".join(leaks) or "no test dialogue is known from training"
    return f"{base}\n- Training data: {data}.\n- Audit of the data for leaks: {audit}."


def is_sample(source: Source) -> bool:
    """Return whether all dialogues behind the pairs are bundled with this project, by their ids."""
    rows = read_json(source.root / "dpo" / source.dataset / "train_dataset.json")
    return all(str(row.get("id", "")).startswith(SAMPLE) for row in rows)


def eval_result(row: dict[str, Any], source: Source):
    """Return a test set's mean for the card's front matter, with its interval and the difference from the base."""
    from huggingface_hub import EvalResult

    mean, one = row["mean"], row["paired"]
    numbers = {
        "ci95": [mean.low, mean.high], "difference_from_base": one["difference"],
        "difference_ci95": [one["low"], one["high"]],
    }  # fmt: skip
    return EvalResult(
        task_type="text-generation", task_name="Socratic tutoring", dataset_type=row["test_set"],
        dataset_name=f"{title_of(row['test_set'])} (test)", metric_type="socratic_summary_score",
        metric_name="summary score, 0.1 to 1", metric_value=round(mean.value, 3),
        metric_args={name: _rounded(value) for name, value in numbers.items()}
        | {"answers": mean.rows, "invalid": mean.invalid, "judge": source.manifest["names"]["judge"]},
    )  # fmt: skip


def _rounded(value):
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return None if value is None else round(float(value), 3)
