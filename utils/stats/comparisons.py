"""Test whether one tutor is better than another, by paired differences on the same dialogues.

Pairing and clustering follow Miller (2024), "Adding Error Bars to Evals". Several comparisons are corrected by Holm
(1979), within one family. The primary comparisons, named before any result was seen, are one family, and the secondary
ones another: the number of secondary comparisons in a table must not change what the primary ones mean (Bender & Lange
2001, "Adjusting for multiple testing: when and how?"; FDA 2022, "Multiple Endpoints in Clinical Trials"). Each family
has its own 5 %, so a secondary finding is a lead to be tested on new data, not a result. What a test set of this size
can show at all follows Card et al. (2020), "With Little Power Comes Great Responsibility".
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from utils.stats.groups import group_of, numbered
from utils.stats.means import DIFFERENCES, FEW_GROUPS, LEVEL, mean_of

ALPHA, POWER = 1 - LEVEL, 0.8
FLIPS = 9999  # of the permutation test: all of them up to 13 problems, a random sample of them beyond
BETTER, WORSE, NOT_APART = "better", "worse", "cannot be told apart"
PRIMARY, SECONDARY = "primary", "secondary"  # the two families of a table
Rows = Sequence[Mapping[str, Any]]
PairedRows = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]


def join(rows: Rows, others: Rows) -> PairedRows:
    """Join the rows of two tutors on the same dialogue: by `id`, or by prompt in the original code's rows.

    A prompt that occurs several times is joined first to first, second to second. Rows without a partner are left out.
    """
    partners = dict(zip(keys(others), others, strict=True))
    return [(row, partners[key]) for key, row in zip(keys(rows), rows, strict=True) if key in partners]


def keys(rows: Rows) -> list[tuple[str, int]]:
    """Return what identifies the dialogue of each row: its `id` or prompt, and how often that occurred before."""
    seen, found = Counter(), []
    for row in rows:
        key = str(row.get("id") or row["prompt"])
        found.append((key, seen[key]))
        seen[key] += 1
    return found


def compare(shown: Sequence[PairedRows], families: Sequence[Hashable] | None = None) -> list[dict[str, Any]]:
    """Compare pairs of tutors: the first row's `score` minus the second's, on joined rows (`join`).

    `families` names the family of each comparison, within which it is corrected; by default all are one family. Rows
    without two scores are left out and counted. Each comparison is a dict, with None for what is undefined:
    - "difference", "low", "high": the mean difference and its 95 % interval, clustered by problem; "error": its
      standard error; "p": of the sign-flip permutation test;
    - "rows", "groups", "left_out", "values" (the differences themselves);
    - "comparisons": how many of its family could be tested; "p_corrected": by Holm;
    - "level", "corrected_low", "corrected_high": the interval at the step of Holm's procedure at which this comparison
      was decided (Guilbaud 2008: undecided comparisons share the rest of the 5 %);
    - "smallest": the difference that this many problems detect at that level with 80 % power;
    - "finding": "better" or "worse" if the corrected p and the interval both say so, else "cannot be told apart".
    """
    families = families or [None] * len(shown)
    found = [_paired(pairs) | {"family": family} for pairs, family in zip(shown, families, strict=True)]
    for family in dict.fromkeys(families):
        _correct([one for one in found if one["family"] == family and one["p"] is not None])
    return found


def _correct(tested: Sequence[dict[str, Any]]) -> None:
    """Add to the comparisons of one family the values that are corrected for all of them."""
    if not tested:
        return
    from statsmodels.stats.multitest import multipletests

    ps = [one["p"] for one in tested]
    decided, corrected, *_ = multipletests(ps, ALPHA, method="holm")
    places = np.argsort(np.argsort(ps, kind="stable"))
    for one, is_decided, p, place in zip(tested, decided, corrected, places, strict=True):
        alpha = ALPHA / (len(tested) - (place if is_decided else decided.sum()))
        mean = mean_of(one["values"], one["of_groups"], scale=DIFFERENCES, level=1 - alpha)
        one |= {"p_corrected": float(p), "level": float(1 - alpha), "comparisons": len(tested)}
        one |= {"corrected_low": mean.low, "corrected_high": mean.high}
        one["smallest"] = smallest(mean.error, mean.groups, alpha)
        if is_decided and (mean.low > 0 or mean.high < 0):
            one["finding"] = BETTER if mean.low > 0 else WORSE


def _paired(pairs: PairedRows) -> dict[str, Any]:
    both = [(one, other) for one, other in pairs if one["score"] is not None and other["score"] is not None]
    values, groups = [one["score"] - other["score"] for one, other in both], [group_of(one) for one, _ in both]
    mean = mean_of(values, groups, scale=DIFFERENCES)
    return {
        "difference": mean.value, "low": mean.low, "high": mean.high, "error": mean.error,
        "p": sign_flips(values, groups), "p_corrected": None, "level": None, "comparisons": 0, "corrected_low": None,
        "corrected_high": None, "smallest": None, "finding": NOT_APART, "rows": mean.rows, "groups": mean.groups,
        "left_out": len(pairs) - len(both), "values": values, "of_groups": groups,
    }  # fmt: skip


def sign_flips(differences: ArrayLike, groups: Sequence[Hashable], seed: int = 0) -> float | None:
    """Test whether `differences` (n,) are symmetric around 0, with a permutation test that flips the signs of groups.

    All differences of a group are flipped together. The test is exact for up to 13 groups; beyond, it uses a random
    sample of the flips (seeded).
    Returns p, or None with fewer than two groups.
    """
    if not len(groups) or len(set(groups)) < 2:
        return None
    from scipy.stats import permutation_test

    sums = np.bincount(numbered(groups), np.asarray(differences, float))
    test = permutation_test(
        (sums, np.zeros(len(sums))), lambda a, b, axis: np.sum(a - b, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=FLIPS, rng=seed,
    )  # fmt: skip
    return float(test.pvalue)


def smallest(error: float | None, groups: int, alpha: float = ALPHA) -> float | None:
    """Return the smallest true difference that a t test on this many groups detects with 80 % power.

    `error` is the observed standard error. Returns None if no difference could be detected: with one group, or with so
    few that even the most extreme result (2 of 2^groups flips) is not rarer than `alpha`.
    """
    if not error or 2 / 2**groups > alpha:
        return None
    return _shift(groups, alpha) * error


@cache
def _shift(groups: int, alpha: float) -> float:
    """Return the true difference, in standard errors, that a t test on this many groups detects with `POWER`.

    It follows from the noncentral t distribution. (statsmodels' solver returns a negative root or an array for some
    sizes.)
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    edge = t.isf(alpha / 2, groups - 1)
    return float(brentq(lambda shift: nct.sf(edge, groups - 1, shift) - POWER, 0, edge + 10))


def sentence(one: Mapping[str, Any], tutor: str, against: str, where: str) -> str:
    """Put a corrected comparison into words: "On MathDial, A is better than B: +0.30 [+0.12, +0.47] …".

    It names the family, if there is one: a secondary comparison must not read like a primary one.
    """
    if one["difference"] is None:
        return f"On {where}, {tutor} and {against} have no dialogue on which both have a valid verdict."
    if one["corrected_low"] is None:
        return (
            f"On {where}, {tutor} scores {one['difference']:+z.2f} against {against}, but all dialogues are on one "
            "problem, which says nothing about others."
        )
    interval = f"{one['difference']:+z.2f} [{one['corrected_low']:+z.2f}, {one['corrected_high']:+z.2f}]"
    sizes = f"{one['rows']} dialogues on {one['groups']} problems"
    sizes += f", {family_text(one)}" if one.get("family") else ""
    if one["finding"] == NOT_APART:
        words = f"On {where}, {tutor} and {against} cannot be told apart: {interval} on {sizes} ({would_not_show(one)})"
    else:
        p = p_text(one["p_corrected"])
        words = f"On {where}, {tutor} is {one['finding']} than {against}: {interval} on {sizes}, {p}"
    over = one.get("over_trainings") or ()
    if len(over) > 1:
        words += f"; over {len(over)} trainings the difference went from {min(over):+z.2f} to {max(over):+z.2f}"
        if one["finding"] != NOT_APART and min(over) < 0 < max(over):
            words += ", so not every training helps" if one["finding"] == BETTER else ", so not every training harms"
    if one["groups"] < FEW_GROUPS:
        words += f". With fewer than {FEW_GROUPS} problems the interval itself is uncertain"
    return words + "."


def family_text(one: Mapping[str, Any]) -> str:
    """Say with how many comparisons of its family a comparison was corrected."""
    return f"1 of {one['comparisons']} {one['family']} comparisons" if one["comparisons"] > 1 else f"{one['family']}"


def would_not_show(one: Mapping[str, Any]) -> str:
    """Say which differences a comparison on this many problems cannot detect."""
    if one["smallest"] is None:
        return f"no difference, however large, would show with {one['groups']} problems"
    return f"a difference under {one['smallest']:.2f} would not show with {one['groups']} problems"


def p_text(p: float | None) -> str:
    """Format a p; a dash stands for an undefined one."""
    return "p –" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
