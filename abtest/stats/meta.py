"""Several experiments on one question: a common effect, how much it varies, and what the next one may show.

Effects of the same metric, by the same definition, from repeated experiments or from versions of one idea. A fixed
effect says "one truth, many measurements"; a random effect lets the truth differ from one experiment to the next, and
asks for its mean. With few experiments that spread is badly known, which Hartung & Knapp's interval takes into account.

Arms that share a control are no independent experiments: `shared_control` has their covariance, `common_effect` and
`trend` use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from abtest.stats.distributions import chi_square_upper, critical_value, two_sided
from abtest.stats.heterogeneity import cochran_q, shrink
from abtest.stats.inference import Estimate, Status
from abtest.stats.roots import root

Floats = NDArray[np.float64]
Spread = Literal["dersimonian_laird", "reml"]
IntervalKind = Literal["hartung_knapp", "normal"]
_GRID = 200


@dataclass(frozen=True, slots=True)
class Pooled:
    """Result of `fixed_effect` and `random_effects` over k experiments, in the unit of their effects.

    `effect` with interval and `p_value` for "the (mean) effect is zero"; `tau` the standard deviation between true
    effects, None for the fixed effect. `q`, `df`, `q_p_value`, `i_squared`: Cochran's test of one common effect.
    `prediction`: where the true effect of a new experiment lies, None below three experiments. One experiment: status
    `no_test`, reason `one_experiment`, with its own effect.
    """

    status: Status
    reason: str | None
    k: int
    effect: Estimate | None = None
    p_value: float | None = None
    tau: float | None = None
    q: float | None = None
    df: int | None = None
    q_p_value: float | None = None
    i_squared: float | None = None
    prediction: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """Result of `trend`: the `slope` per step with its interval, z and p, and the two parts of Q = `q_trend` + `q_rest`.

    `q_trend` = z^2 has one degree of freedom; `q_rest`, with `df_rest` = k - 2 and `p_rest`, is what a straight line
    leaves (0 and None for two points). `q` in all, k - 1 degrees of freedom, with its p.
    """

    slope: Estimate
    z: float
    p_value: float
    q: float
    p_any: float
    q_trend: float
    q_rest: float
    df_rest: int
    p_rest: float | None


def fixed_effect(effects: Sequence[float], ses: Sequence[float], *, alpha: float = 0.05) -> Pooled:
    """One common effect: the mean by 1 / se^2, with Cochran's Q and I^2 (see `heterogeneity.cochran_q`).

    Shapes (k,). Raises ValueError for standard errors that are not positive or anything not finite.

    >>> found = fixed_effect([0.04, 0.01, 0.09], [0.015, 0.012, 0.03])
    >>> round(found.effect.estimate, 7), round(found.effect.se, 7)
    (0.0277778, 0.0089443)
    """
    found = cochran_q(effects, ses)
    if found.pooled is None or found.pooled_se is None:
        return Pooled("no_test", "no_experiments", 0)
    effect = _interval(found.pooled, found.pooled_se, critical_value(alpha))
    if found.status == "no_test":
        return Pooled("no_test", _named(found.reason), len(effects), effect)
    p = two_sided(found.pooled / found.pooled_se)
    return Pooled("ok", None, len(effects), effect, p, None, found.q, found.df, found.p_value, found.i_squared)


def random_effects(
    effects: Sequence[float],
    ses: Sequence[float],
    *,
    spread: Spread = "dersimonian_laird",
    interval: IntervalKind = "hartung_knapp",
    alpha: float = 0.05,
) -> Pooled:
    """The mean of effects that differ: theta_i ~ N(mu, tau^2), weights 1 / (se^2 + tau^2).

    tau^2 by moments (DerSimonian & Laird 1986) or restricted likelihood (`reml_tau`). Interval: t with k - 1 degrees of
    freedom and se^2 times max(1, sum w (e - mu)^2 / (k - 1)) (Hartung & Knapp 2001; the guard against a factor below 1
    by Rover, Knapp & Friede 2015), or the normal one, too narrow below some twenty experiments. Prediction: mu -+ t_{k-2}
    sqrt(tau^2 + se^2), se without the factor (Higgins, Thompson & Spiegelhalter 2009). Raises ValueError as
    `fixed_effect`.

    >>> found = random_effects([0.04, 0.01, 0.09], [0.015, 0.012, 0.03])
    >>> round(found.effect.estimate, 4), round(found.tau, 4), round(found.effect.low, 3)
    (0.0388, 0.0272, -0.053)
    """
    fixed, k = fixed_effect(effects, ses, alpha=alpha), len(effects)
    if fixed.status == "no_test":
        return fixed
    tau = _moment_tau(effects, ses) if spread == "dersimonian_laird" else reml_tau(effects, ses)
    e, v = np.asarray(effects, dtype=np.float64), np.square(np.asarray(ses, dtype=np.float64)) + tau * tau
    mu, se = _mean(e, v)
    factor, df = 1.0, math.inf
    if interval == "hartung_knapp":
        df = k - 1.0
        factor = math.sqrt(max(1.0, float(np.sum((e - mu) ** 2 / v)) / df))
    own = _interval(mu, se * factor, critical_value(alpha, df))
    half = critical_value(alpha, k - 2.0) * math.hypot(tau, se) if k >= 3 else None
    return Pooled(
        "ok",
        None,
        k,
        own,
        two_sided(mu / (se * factor), df),
        tau,
        fixed.q,
        fixed.df,
        fixed.q_p_value,
        fixed.i_squared,
        None if half is None else (mu - half, mu + half),
    )


def reml_tau(effects: Sequence[float], ses: Sequence[float]) -> float:
    """tau by restricted maximum likelihood (Viechtbauer 2005, eq. 10), at least 0.

    The likelihood may have several hills: the highest on a grid is climbed by its slope. Shapes (k,), k >= 2.

    >>> round(reml_tau([0.04, 0.01, 0.09], [0.015, 0.012, 0.03]), 4)
    0.0304
    """
    if len(effects) < 2:
        raise ValueError(f"a spread needs two experiments, got {len(effects)}")
    e, v = np.asarray(effects, dtype=np.float64), np.square(np.asarray(ses, dtype=np.float64))

    def loss(tau: float) -> float:
        total = v + tau * tau
        mu, se = _mean(e, total)
        return float(np.sum(np.log(total)) - 2.0 * math.log(se) + np.sum((e - mu) ** 2 / total))

    # Beyond the range of the effects, or far below the errors, nothing is to be found.
    top = float(np.ptp(e)) or float(np.sqrt(v.max()))
    grid = [0.0, *np.geomspace(1e-4 * min(top, float(np.sqrt(v.min()))), 2.0 * top, _GRID)]
    best = min(range(len(grid)), key=lambda i: loss(grid[i]))
    if best == 0:
        return 0.0
    low, high = float(grid[best - 1]), float(grid[min(best + 1, len(grid) - 1)])

    def slope(tau: float) -> float:
        """Of the loss, per tau^2: exact to the last digits where the loss itself is flat."""
        weights = 1.0 / (v + tau * tau)
        mu, _ = _mean(e, v + tau * tau)
        square = float(np.sum(weights**2))
        return float(np.sum(weights)) - square / float(np.sum(weights)) - float(np.sum((weights * (e - mu)) ** 2))

    if not slope(low) < 0.0 < slope(high):
        return float(grid[best])  # no single summit between the neighbours: as near as the grid comes
    # Over the share of the bracket, so that the tolerance is relative to it.
    return low + root(lambda share: slope(low + share * (high - low)), 0.0, 1.0) * (high - low)


def cumulative(
    effects: Sequence[float], ses: Sequence[float], *, spread: Spread = "dersimonian_laird", alpha: float = 0.05
) -> tuple[Pooled, ...]:
    """`random_effects` of the first 1, 2, ..., k experiments, in order of time (Lau et al. 1992).

    A reading aid: its intervals are those of one look each, and err more often over all of them.

    >>> [found.k for found in cumulative([0.04, 0.01, 0.09], [0.015, 0.012, 0.03])]
    [1, 2, 3]
    """
    ends = range(1, len(effects) + 1)
    return tuple(random_effects(effects[:end], ses[:end], spread=spread, alpha=alpha) for end in ends)


def leave_one_out(
    effects: Sequence[float], ses: Sequence[float], *, spread: Spread = "dersimonian_laird", alpha: float = 0.05
) -> tuple[Pooled, ...]:
    """`random_effects` without the first, the second, ..., the last experiment: does one of them carry the result?

    >>> found = leave_one_out([0.04, 0.01, 0.09], [0.015, 0.012, 0.03])
    >>> [round(one.effect.estimate, 3) for one in found]
    [0.045, 0.058, 0.024]
    """
    return tuple(
        random_effects([*effects[:i], *effects[i + 1 :]], [*ses[:i], *ses[i + 1 :]], spread=spread, alpha=alpha)
        for i in range(len(effects))
    )


def shared_control(ses: Sequence[float], control_se: float) -> Floats:
    """Covariance, shape (k, k), of k differences to one control: se_i^2 on the diagonal, control_se^2 beside it.

    (Gleser & Olkin 2009.) `ses` are those of the differences, `control_se` that of the control's mean. For lifts:
    control_se / |control mean|, times (1 + L_i)(1 + L_j), which is near 1. Raises ValueError where a difference would be
    less noisy than its control.

    >>> shared_control([2.0, 3.0], 1.0).tolist()
    [[4.0, 1.0], [1.0, 9.0]]
    """
    if not 0.0 <= control_se < min(ses):
        raise ValueError(f"each difference is noisier than its control, got {tuple(ses)} and {control_se!r}")
    found = np.full((len(ses), len(ses)), control_se**2)
    np.fill_diagonal(found, np.square(ses))
    return found


def common_effect(effects: Sequence[float], covariance: Floats, *, alpha: float = 0.05) -> Pooled:
    """The fixed effect of estimates that are correlated: (1'W1)^-1 1'We with W the inverse covariance (Aitken 1936).

    `covariance` has shape (k, k). Q = (e - mu)' W (e - mu) tests that all effects are the same, whatever the control
    is. Raises ValueError for no covariance matrix.

    >>> found = common_effect([0.02, 0.05, 0.06], shared_control([0.02] * 3, 0.014))
    >>> round(found.effect.estimate, 6), round(found.q, 3)
    (0.043333, 4.248)
    """
    e, weights = _weights(effects, covariance)
    k = len(effects)
    total = float(weights.sum())
    mu, se = float(weights.sum(axis=0) @ e) / total, 1.0 / math.sqrt(total)
    effect = _interval(mu, se, critical_value(alpha))
    if k == 1:
        return Pooled("no_test", "one_experiment", 1, effect)
    q = float((e - mu) @ weights @ (e - mu))
    i_squared = max(0.0, (q - (k - 1)) / q) if q > 0.0 else 0.0
    return Pooled("ok", None, k, effect, two_sided(mu / se), None, q, k - 1, chi_square_upper(q, k - 1), i_squared)


def trend(
    effects: Sequence[float], covariance: Floats, at: Sequence[float] | None = None, *, alpha: float = 0.05
) -> Trend:
    """Do effects rise from version to version, or fall from day to day? A straight line by generalised least squares.

    `covariance` has shape (k, k): `shared_control`, or diag(se^2) for independent ones; `at` the places on the line,
    1..k if None. Raises ValueError for fewer than two effects, places that are all one, no covariance matrix.

    >>> ses = np.full(7, 0.02)
    >>> found = trend([0.12, 0.10, 0.07, 0.06, 0.05, 0.04, 0.05], np.diag(ses**2))
    >>> round(found.slope.estimate, 6), round(found.z, 6), round(found.q, 6)
    (-0.0125, -3.307189, 13.0)
    """
    e, weights = _weights(effects, covariance)
    k = len(effects)
    x = np.arange(1.0, k + 1.0) if at is None else np.asarray(at, dtype=np.float64)
    if k < 2 or x.shape != (k,) or not np.isfinite(x).all() or np.ptp(x) == 0.0:
        raise ValueError(f"a trend needs two effects or more at places that differ, got {k} at {x.tolist()}")
    total = float(weights.sum())
    row = weights.sum(axis=0) / total
    # Both centred at their weighted means: the slope is then one quotient.
    x, e = x - float(row @ x), e - float(row @ e)
    information = float(x @ weights @ x)
    slope, se = float(x @ weights @ e) / information, 1.0 / math.sqrt(information)
    rest = e - slope * x
    q_rest = max(0.0, float(rest @ weights @ rest))
    z = slope / se
    q = z * z + q_rest
    return Trend(
        _interval(slope, se, critical_value(alpha)),
        z,
        two_sided(z),
        q,
        chi_square_upper(q, k - 1),
        z * z,
        q_rest if k > 2 else 0.0,
        k - 2,
        chi_square_upper(q_rest, k - 2) if k > 2 else None,
    )


def _moment_tau(effects: Sequence[float], ses: Sequence[float]) -> float:
    found = shrink(effects, ses).tau
    return 0.0 if found is None else found


def _mean(e: Floats, v: Floats) -> tuple[float, float]:
    smallest = float(v.min())
    w = smallest / v
    total = float(w.sum())
    return float(w @ e) / total, math.sqrt(smallest / total)


def _interval(estimate: float, se: float, critical: float) -> Estimate:
    return Estimate(estimate, estimate - critical * se, estimate + critical * se, se)


def _named(reason: str | None) -> str | None:
    return "one_experiment" if reason == "one_group" else reason


def _weights(effects: Sequence[float], covariance: Floats) -> tuple[Floats, Floats]:
    e, v = np.asarray(effects, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if not len(e) or v.shape != (len(e), len(e)) or not (np.isfinite(e).all() and np.isfinite(v).all()):
        raise ValueError(f"need finite effects and a covariance for each pair, got {len(e)} and shape {v.shape}")
    scale = np.sqrt(np.diag(v).clip(min=0.0))
    if not (scale > 0.0).all() or not np.allclose(v, v.T, rtol=1e-9, atol=0.0):
        raise ValueError("no covariance matrix: it is not symmetric with positive variances")
    correlation = v / np.outer(scale, scale)
    if float(np.linalg.eigvalsh(correlation).min()) < 1e-10:
        raise ValueError(
            "no covariance matrix: some effects are the sum of others, or correlations contradict each other"
        )
    return e, np.linalg.inv(correlation) / np.outer(scale, scale)
