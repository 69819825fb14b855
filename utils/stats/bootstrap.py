"""Cluster bootstrap (Efron 1979): confidence intervals for statistics without a formula for them, such as Pearson.

Means have `means.mean_of` instead: on a dozen rows a 95 % percentile bootstrap of a mean covers only 87 %.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from utils.stats.groups import numbered

RESAMPLES = 2000
CELLS = 4_000_000  # the largest temporary array of a bootstrap step, in elements


def resamples(groups: Sequence[Hashable], times: int, seed: int) -> list[np.ndarray]:
    """Draw `times` bootstrap samples of whole groups: a group is a conversation, whose answers are not independent.

    Returns row numbers as arrays (samples, length); samples of the same length are stacked.
    """
    group_of = numbered(groups)
    members = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
    by_length = defaultdict(list)
    for draw in np.random.default_rng(seed).integers(len(members), size=(times, len(members))):
        sample = np.concatenate([members[group] for group in draw])
        by_length[len(sample)].append(sample)
    stacks = [np.array(samples) for samples in by_length.values()]
    return [
        block
        for stack in stacks
        for block in np.array_split(stack, min(len(stack), 1 + stack.shape[0] * stack.shape[1] ** 2 // CELLS))
    ]


def bootstrap(
    measure: Callable[[np.ndarray], dict[Any, np.ndarray]], groups: Sequence[Hashable], *, times: int, seed: int
) -> dict[Any, dict[str, float | int | None]]:
    """Bootstrap every statistic that `measure` returns for row numbers (n,) and (samples, n).

    Returns each statistic's value with its 95 % percentile interval. Undefined values are None, and so are `low` and
    `high` if all answers are of one conversation. `undefined` counts the samples in which the statistic is undefined;
    they are left out of the interval.
    """
    values = measure(np.arange(len(groups)))
    blocks = resamples(groups, times, seed)
    drawn = [measure(rows) for rows in tqdm(blocks, desc="bootstrap", unit="block", delay=2, leave=False)]
    found = {}
    for key, value in values.items():
        sample = np.concatenate([block[key] for block in drawn])
        sample = sample[np.isfinite(sample)]
        spread = len(sample) and np.isfinite(value) and len(set(groups)) > 1  # one conversation has no spread
        low, high = np.percentile(sample, [2.5, 97.5]) if spread else (np.nan, np.nan)
        found[key] = {"value": number(value), "low": number(low), "high": number(high)}
        if np.isfinite(value) and len(sample) < times:
            found[key]["undefined"] = times - len(sample)
    return found


def number(value: float) -> float | None:
    """Return a value for JSON, which has no nan: None stands for it."""
    return float(value) if np.isfinite(value) else None
