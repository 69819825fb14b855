"""The values published in the paper: Bonino et al., "EULER" (2024), Table 1 and Figures 3-6."""

TITLES = {"mathdial": "MathDial", "tutorchat": "TutorChat", "debugging": "Debugging"}  # its datasets, in its order
MODELS = (*(f"from_finetuned_with_{dataset}" for dataset in TITLES), "base", "gpt4o")

SCORES = {  # Table 1 and Figure 5: mean summary score by test set, in the order of MODELS
    "mathdial": dict(zip(MODELS, (0.98, 0.99, 0.98, 0.82, 1.00), strict=True)),
    "tutorchat": dict(zip(MODELS, (0.98, 1.00, 0.96, 0.74, 1.00), strict=True)),
    "debugging": dict(zip(MODELS, (0.97, 0.99, 0.94, 0.48, 0.97), strict=True)),
}
CRITERIA_MEANS = {  # Figure 6: on MathDial, in the order of CRITERIA
    "from_finetuned_with_tutorchat": (1.00, 0.99, 0.97, 0.00),
    "base": (0.72, 1.00, 0.85, 0.28),
    "gpt4o": (0.99, 1.00, 1.00, 0.00),
}
PEOPLE, JUDGE = (0.56, 0.81, 0.58, 0.21), (0.47, 0.91, 0.58, 0.36)  # Figure 4, in the order of CRITERIA
PEARSON = 0.78  # Figure 3, people against GPT-4o on 100 answers


def score(dataset: str, model: str) -> float | None:
    """Return the published mean of a model on a test set; None if the paper has none."""
    return SCORES.get(dataset, {}).get(model)
