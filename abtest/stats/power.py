"""How much power each metric needs, so that the whole decision has the power that was planned.

"Ship" asks for a better goal and for every guardrail to hold. Guardrails need no correction of alpha, since all must
hold, but each is one more way to miss a good change: with three guardrails at 80 % each, barely half of all good changes
would get through. The missed chance is therefore shared out (Schultzberg, Ankargren & Franberg 2024).
"""

from abtest.stats.distributions import critical_value


def power_per_metric(power: float, guardrails: int) -> float:
    """The power that the goals together, and each guardrail, need for the decision to have `power`.

    1 - (1 - power) / (guardrails + 1): the union bound over "no goal is found better" and one "not shown to hold" per
    guardrail (Schultzberg, Ankargren & Franberg 2024, section 4; one share for the goals, not none). Raises ValueError
    for a power outside (0, 1) or fewer than no guardrails.

    >>> power_per_metric(0.8, 3)
    0.95
    """
    if not 0.0 < power < 1.0 or guardrails < 0:
        raise ValueError(f"need a power strictly between 0 and 1, got {power!r} and {guardrails} guardrails")
    return 1.0 - (1.0 - power) / (guardrails + 1)


def minimum_detectable(se: float, power: float, *, critical: float) -> float:
    """The true difference that a two-sided test finds with `power`: (critical + z_power) * se, in units of `se`.

    `critical` is the value that the interval was made with, so that it holds for t, bands and corrections alike. Zero
    power beyond chance (power of one half or less) adds nothing. Raises ValueError for a power outside (0, 1).

    >>> round(minimum_detectable(0.1, 0.8, critical=1.959964), 6)
    0.280159
    """
    if not 0.0 < power < 1.0:
        raise ValueError(f"a power lies strictly between 0 and 1, got {power!r}")
    return (critical + (critical_value(2.0 * (1.0 - power)) if power > 0.5 else 0.0)) * se
