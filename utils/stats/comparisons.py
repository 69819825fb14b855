"""Is one tutor better than another? Paired differences on the same dialogues, in words no stronger than the data.

Paired and clustered: Miller (2024), "Adding Error Bars to Evals". Several comparisons at once: Holm (1979), among the
comparisons of one family. The primary ones, named before anything was seen, are a family of their own, and the
secondary ones another: how many of these a table also shows must not decide what the primary ones mean (Bender & Lange
2001, "Adjusting for multiple testing: when and how?"; FDA 2022, "Multiple Endpoints in Clinical Trials"). Each family
has its own 5 %, so a secondary finding is a lead to be tested on new data, not a result. What a test set of this size
can show at all: Card et al. (2020), "With Little Power Comes Great Responsibility".
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
FLIPS = 9999  # of the permutation test: all of them up to 13 problems, a random sample beyond
BETTER, WORSE, NOT_APART = "better", "worse", "cannot be told apart"
PRIMARY, SECONDARY = "primary", "secondary"  # the two families of a table
Rows = Sequence[Mapping[str, Any]]
PairedRows = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]


def join(rows: Rows, others: Rows) -> PairedRows:
    """The rows of two tutors that answer the same dialogue: the same `id`, or in the original's rows the same prompt.

    A prompt that occurs several times is joined first to first, second to second. Rows without a partner are left out.
    """
    partners = dict(zip(keys(others), others, strict=True))
    return [(row, partners[key]) for key, row in zip(keys(rows), rows, strict=True) if key in partners]


def keys(rows: Rows) -> list[tuple[str, int]]:
    """What tells the dialogues of one file apart: `id` or prompt, and how often it has occurred before."""
    seen, found = Counter(), []
    for row in rows:
        key = str(row.get("id") or row["prompt"])
        found.append((key, seen[key]))
        seen[key] += 1
    return found


def compare(shown: Sequence[PairedRows], families: Sequence[Hashable] | None = None) -> list[dict[str, Any]]:
    """The comparisons that are shown together, each on joined rows (`join`): the first row's `score` less the second's.

    `families` names each one's family, within which it is corrected; when not given, all are one family.
    Rows without two scores are left out and counted. Each comparison is a dict, with None where nothing can be told:
    "difference", "low", "high": the mean and its 95 % interval clustered by problem; "error": its standard error;
    "p": by flipping signs; "rows", "groups", "left_out", "values" (the differences themselves).
    For a family at once: "comparisons", how many it has that could be tested; "p_corrected" by Holm; "level",
    "corrected_low" and "corrected_high", the interval at the step of Holm's procedure at which this comparison was
    decided (Guilbaud 2008: those not decided share what is left of the 5 %); "smallest", the difference that this many
    problems show at that level with 80 % power; and the "finding": "better" or "worse" where corrected p and interval
    both say so.
    """
    families = families or [None] * len(shown)
    found = [_paired(pairs) | {"family": family} for pairs, family in zip(shown, families, strict=True)]
    for family in dict.fromkeys(families):
        _correct([one for one in found if one["family"] == family and one["p"] is not None])
    return found


def _correct(tested: Sequence[dict[str, Any]]) -> None:
    """Adds to the comparisons of one family what holds of all of them at once."""
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
    """p of the hypothesis that `differences` (n,) are as often for one side as for the other; None for one group.

    A permutation test that flips the sign of all differences of a group together: exact where there are 13 groups or
    fewer, on a random sample of flips (seeded) beyond.
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
    """The smallest true difference that a t test on this many groups finds in 80 of 100 trials.

    `error` is the standard error that was seen. None where none would show: with one group, or so few that flipping
    all their signs is no rarer than `alpha` (2 of 2^groups flips are as extreme as can be).
    """
    if not error or 2 / 2**groups > alpha:
        return None
    return _shift(groups, alpha) * error


@cache
def _shift(groups: int, alpha: float) -> float:
    """How many standard errors off 0 the truth must be for a t test on so many groups to find it with `POWER`.

    The noncentral t distribution says so. (statsmodels' solver ends on a negative root or an array for some sizes.)
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    edge = t.isf(alpha / 2, groups - 1)
    return float(brentq(lambda shift: nct.sf(edge, groups - 1, shift) - POWER, 0, edge + 10))


def sentence(one: Mapping[str, Any], tutor: str, against: str, where: str) -> str:
    """A corrected comparison in words: "On MathDial, A is better than B: +0.30 [+0.12, +0.47] …".

    One of a named family says which: a secondary comparison must not read like the one that was named beforehand.
    """
    if one["difference"] is None:
        return f"On {where}, {tutor} and {against} have no dialogue on which both have a valid verdict."
    if one["corrected_low"] is None:
        return (
            f"On {where}, {tutor} scores {one['difference']:+z.2f} against {against}, but all dialogues are on one "
            "problem, which tells of no other."
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
    """Which comparisons a comparison was corrected with."""
    return f"1 of {one['comparisons']} {one['family']} comparisons" if one["comparisons"] > 1 else f"{one['family']}"


def would_not_show(one: Mapping[str, Any]) -> str:
    """What a comparison on so many problems cannot see."""
    if one["smallest"] is None:
        return f"no difference, however large, would show with {one['groups']} problems"
    return f"a difference under {one['smallest']:.2f} would not show with {one['groups']} problems"


def p_text(p: float | None) -> str:
    """A p in words; a dash where there is none."""
    return "p –" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
