"""Intervals by bootstrap over groups (Efron 1979), for statistics that have no formula of their own, such as Pearson.

A mean's interval is `means.mean_of`: on a dozen rows a percentile bootstrap covers 87 % where it promises 95 %.
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
    """Row numbers of `times` bootstrap samples that draw whole groups; samples of one length are stacked.

    A group is a conversation: its answers are not independent. Returns arrays (samples, length).
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
    """Value and 95 % percentile interval of all that `measure` gives for row numbers (n,) and (samples, n).

    `undefined` counts the samples in which a statistic had no value (left out of its interval); None is no value,
    and no interval where all answers are of one conversation.
    """
    values = measure(np.arange(len(groups)))
    blocks = resamples(groups, times, seed)
    drawn = [measure(rows) for rows in tqdm(blocks, desc="bootstrap", unit="block", delay=2, leave=False)]
    found = {}
    for key, value in values.items():
        sample = np.concatenate([block[key] for block in drawn])
        sample = sample[np.isfinite(sample)]
        spread = len(sample) and np.isfinite(value) and len(set(groups)) > 1  # one conversation tells of no other
        low, high = np.percentile(sample, [2.5, 97.5]) if spread else (np.nan, np.nan)
        found[key] = {"value": number(value), "low": number(low), "high": number(high)}
        if np.isfinite(value) and len(sample) < times:
            found[key]["undefined"] = times - len(sample)
    return found


def number(value: float) -> float | None:
    """A value for JSON, which knows no nan."""
    return float(value) if np.isfinite(value) else None
