"""Post-stratification: effects within groups that were fixed before exposure, weighted by the groups' sizes.

What differs between groups (countries, plans) no longer counts as noise. It never pays to have groups so small that
their own means are mostly noise: `merged_strata` puts those together. Groups formed by what happened after exposure
would take part of the effect away.
"""

import math
from collections.abc import Sequence

from abtest.stats.adjust import Adjusted
from abtest.stats.contrast import Arm
from abtest.stats.moments import Moments, merge


def post_stratified(strata: Sequence[tuple[Moments, Moments]], *, superpopulation: bool = True) -> Adjusted | None:
    """Weighted over strata known before exposure (Miratrix, Sekhon & Yu 2013, eq. 4), as (treatment, control) each.

    Weights are the strata's shares of all units. Every stratum needs two units in both arms (merge small ones first,
    see `merged_strata`): None otherwise, or with fewer than two strata. `superpopulation` adds what the strata's shares,
    a sample themselves, move: sum w (D_k - D)^2 / N.

    >>> from abtest.stats.moments import moments_of
    >>> low = moments_of([4, 4, 6, 7]), moments_of([2, 3, 3, 6, 5])
    >>> high = moments_of([8, 8, 11, 11, 12, 15]), moments_of([8, 7, 10, 9, 12])
    >>> found = post_stratified([low, high])
    >>> round(found.treatment.value - found.control.value, 7)
    1.5508333
    """
    if len(strata) < 2 or any(arm.n < 2 for pair in strata for arm in pair):
        return None
    n = sum(t.n + c.n for t, c in strata)
    arms = []
    for side in (0, 1):
        own = [(pair[side], (pair[0].n + pair[1].n) / n) for pair in strata]
        value = math.fsum(w * m.mean for m, w in own)
        terms = [(w * w * m.variance_of_mean, m.n - 1) for m, w in own]
        variance = math.fsum(v for v, _ in terms)
        df = variance**2 / math.fsum(v * v / d for v, d in terms) if variance > 0.0 else float(own[0][0].n - 1)
        arms.append((value, variance, df))
    (mt, vt, df_t), (mc, vc, df_c) = arms
    shares = [(t.n + c.n) / n for t, c in strata]
    # Both arms share the strata's shares, which are a sample: that moves both values together.
    both = [(w, t.mean - mt, c.mean - mc) for w, (t, c) in zip(shares, strata, strict=True)]
    over_t, over_c = (math.fsum(b[0] * b[i] ** 2 for b in both) / n for i in (1, 2))
    cov = math.fsum(w * a * b for w, a, b in both) / n
    if not superpopulation:
        over_t = over_c = cov = 0.0
    raw = math.fsum(_pooled_variance([pair[i] for pair in strata]) for i in (0, 1))
    ratio = (vt + vc + over_t + over_c - 2.0 * cov) / raw if raw > 0.0 else 1.0
    return Adjusted(Arm(mt, vt + over_t, df_t), Arm(mc, vc + over_c, df_c), cov, (0,), (), ratio)


def merged_strata(strata: Sequence[tuple[Moments, Moments]], *, units: int = 10) -> tuple[tuple[Moments, Moments], ...]:
    """Strata with fewer than `units` units in an arm put together, smallest first, until the rest have enough.

    >>> from abtest.stats.moments import moments_of
    >>> small, large = moments_of([1.0, 2.0]), moments_of([float(x) for x in range(40)])
    >>> [t.n for t, _ in merged_strata([(large, large), (small, small), (large, large)])]
    [42, 40]
    """
    left = sorted(strata, key=lambda pair: -min(arm.n for arm in pair))
    while len(left) > 1 and min(arm.n for arm in left[-1]) < units:
        last, before = left.pop(), left.pop()
        left.append((merge(before[0], last[0]), merge(before[1], last[1])))
        left.sort(key=lambda pair: -min(arm.n for arm in pair))
    return tuple(left)


def _pooled_variance(parts: Sequence[Moments]) -> float:
    whole = parts[0]
    for part in parts[1:]:
        whole = merge(whole, part)
    return whole.variance_of_mean
