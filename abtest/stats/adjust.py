"""Variance reduction: effects adjusted by what was known of the units before they saw a variant.

Users who were active before will be active after. That part of the noise can be taken out of a comparison without
touching the effect, because randomisation makes the arms alike in everything that happened before: CUPED with one slope
for both arms (Deng, Xu, Kohavi & Walker 2013), or a slope of its own for each arm (Lin 2013), which is not worse
whatever the slopes are and is preferred where the arms differ in size. Few units: Lin with the HC2 variance, from rows.

What can go wrong: a covariate that is not from before exposure takes part of the effect away, silently. Many covariates
on few units fit noise; there is a limit. Every function returns two `Arm`s with their covariance, since both share the
pooled mean of the covariates; `contrast` and `non_inferiority` take them from there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abtest.stats.contrast import Arm
from abtest.stats.matrix import Array, MomentMatrix, matrix_of

COLLINEAR = 1e-8
"""A covariate whose variance given the ones before it is below this share of its own adds nothing but rounding."""
UNITS_PER_COVARIATE = 10
"""In the smaller arm; below it a slope is mostly noise."""
MOST_COVARIATES = 20


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Two adjusted arms. `cov` is the covariance of their values.

    `kept` are the positions (from 0) of the covariates that were used; the others are constant, collinear with earlier
    ones, or too many. `theta` are the slopes of the kept ones, of the control arm where the arms have their own.
    `variance_ratio` is the variance of the adjusted difference over that of the raw one: 0.5 is worth twice the units.
    """

    treatment: Arm
    control: Arm
    cov: float
    kept: tuple[int, ...]
    theta: tuple[float, ...]
    variance_ratio: float


def usable_covariates(arms: Sequence[MomentMatrix], units_per_covariate: int = UNITS_PER_COVARIATE) -> tuple[int, ...]:
    """Which covariates (entries 1.. of the matrices, numbered from 0) can be used together, earlier ones first.

    One is left out if in some arm it is constant or a combination of those kept before it (`COLLINEAR`), and when the
    smallest arm has fewer than `units_per_covariate` units for it. At most `MOST_COVARIATES`.

    >>> arm = matrix_of([[y, x, 2 * x, 7] for y, x in enumerate([3, 1, 4, 1, 5, 9, 2, 6, 5, 3] * 3)])
    >>> usable_covariates([arm, arm])
    (0,)
    """
    most = min(MOST_COVARIATES, min(arm.n for arm in arms) // units_per_covariate)
    kept: list[int] = []
    for candidate in range(len(arms[0].mean) - 1):
        if len(kept) < most and all(_adds(arm, kept, candidate) for arm in arms):
            kept.append(candidate)
    return tuple(kept)


def _adds(arm: MomentMatrix, kept: Sequence[int], candidate: int) -> bool:
    cross = np.array(arm.cross)
    spread = np.sqrt(np.maximum(np.diag(cross), 0.0))
    j = candidate + 1
    # Spread over the size of the values: a constant of 0.1 has a variance of rounding, not of zero.
    if not spread[j] > 1e-12 * abs(arm.mean[j]) * math.sqrt(arm.n):
        return False
    if not kept:
        return True
    before = [k + 1 for k in kept]
    scaled = cross[np.ix_([*before, j], [*before, j])] / np.outer(spread[[*before, j]], spread[[*before, j]])
    solved = np.linalg.solve(scaled[:-1, :-1], scaled[:-1, -1])
    return bool(1.0 - scaled[:-1, -1] @ solved > COLLINEAR)


def cuped(treatment: MomentMatrix, control: MomentMatrix, *, plain: bool = False) -> Adjusted | None:
    """One slope for both arms, from the variation within arms (Deng, Xu, Kohavi & Walker 2013; equal to ANCOVA).

    Entry 0 of the matrices is the metric, the rest covariates. With theta = W_xx^-1 W_xy over both arms' deviations,
    mean_a - theta'(xbar_a - xbar), xbar pooled over both arms, has the variance of y - theta'x. Unless `plain`, the
    slope's own uncertainty is counted as in ANCOVA: degrees of freedom less covariates, and the leverage of the
    difference in xbar. None if no covariate is usable or an arm has fewer than two units.

    >>> x_c, y_c = range(1, 11), [2, 3, 3, 6, 5, 8, 7, 10, 9, 12]
    >>> x_t, y_t = range(2, 12), [4, 4, 6, 7, 8, 8, 11, 11, 12, 15]
    >>> found = cuped(matrix_of(list(zip(y_t, x_t))), matrix_of(list(zip(y_c, x_c))), plain=True)
    >>> round(found.treatment.value - found.control.value, 7), round(found.theta[0], 7)
    (0.9939394, 1.1060606)
    """
    kept = _kept(treatment, control)
    if not kept:
        return None
    t, c = _scaled(treatment, control, kept)
    within = t.cross + c.cross
    theta: Array = np.linalg.solve(within[1:, 1:], within[1:, 0])
    p, n = len(kept), t.n + c.n
    share_t, share_c = t.n / n, c.n / n
    gap = t.mean[1:] - c.mean[1:]
    v_t, v_c = t.cross / (t.n - 1) / t.n, c.cross / (c.n - 1) / c.n
    spread = theta @ (v_t[1:, 1:] + v_c[1:, 1:]) @ theta
    one, other = theta @ v_t[1:, 0], theta @ v_c[1:, 0]
    var_t = v_t[0, 0] - 2.0 * share_c * one + share_c**2 * spread
    var_c = v_c[0, 0] - 2.0 * share_t * other + share_t**2 * spread
    cov = share_t * one + share_c * other - share_t * share_c * spread
    df_t, df_c = t.n - 1.0, c.n - 1.0
    residual_t, residual_c = _residual(v_t, theta), _residual(v_c, theta)
    factor = 1.0
    if not plain:
        lost = p / (df_t + df_c)
        factor = 1.0 / (1.0 - lost)
        difference = (residual_t + residual_c) * factor
        pooled = (residual_t * df_t * t.n + residual_c * df_c * c.n) / (df_t + df_c - p)
        if difference > 0.0:
            factor *= 1.0 + pooled * float(gap @ np.linalg.solve(within[1:, 1:], gap)) / difference
        df_t, df_c = df_t * (1.0 - lost), df_c * (1.0 - lost)
    return _adjusted(
        (t, c),
        (float(t.mean[0] - share_c * (theta @ gap)), float(c.mean[0] + share_t * (theta @ gap))),
        (float(var_t * factor), float(var_c * factor), float(cov * factor)),
        (residual_t + residual_c) * factor,
        (df_t, df_c),
        kept,
        theta,
    )


def lin(
    treatment: MomentMatrix | Array, control: MomentMatrix | Array, *, superpopulation: bool = True
) -> Adjusted | None:
    """A slope for each arm, covariates centred at their pooled mean (Lin 2013).

    An arm is a `MomentMatrix`, or its rows, shape (n, 1 + p): the metric, then covariates. The value of an arm is
    mean_a - theta_a'(xbar_a - xbar). Its variance is RSS_a / ((n_a - 1 - p) n_a) from moments; from rows it is HC2
    (MacKinnon & White 1985), residuals enlarged by their leverage, for arms of up to some fifty units, where the former
    is too sure. `superpopulation` adds (theta_t - theta_c)' S_xx (theta_t - theta_c) / N, for units that are a sample
    themselves (Negi & Wooldridge 2021). None if no covariate is usable or an arm has fewer than two units.

    >>> x_c, y_c = range(1, 11), [2, 3, 3, 6, 5, 8, 7, 10, 9, 12]
    >>> x_t, y_t = range(2, 12), [4, 4, 6, 7, 8, 8, 11, 11, 12, 15]
    >>> t, c = (np.column_stack(arm).astype(float) for arm in ((y_t, x_t), (y_c, x_c)))
    >>> moments, rows = lin(matrix_of(t), matrix_of(c), superpopulation=False), lin(t, c, superpopulation=False)
    >>> [round(math.sqrt(a.treatment.variance + a.control.variance), 7) for a in (moments, rows)]
    [0.3952368, 0.4030308]
    """
    if min(_size(treatment), _size(control)) < 2:
        return None
    matrices = [a if isinstance(a, MomentMatrix) else matrix_of(a) for a in (treatment, control)]
    kept = _kept(matrices[0], matrices[1])
    if not kept:
        return None
    t, c = _scaled(matrices[0], matrices[1], kept)
    centre = (t.n * t.mean[1:] + c.n * c.mean[1:]) / (t.n + c.n)
    parts = [
        _fit(arm) if isinstance(data, MomentMatrix) else _fit_rows(arm, data, kept, centre)
        for data, arm in ((treatment, t), (control, c))
    ]
    p = len(kept)
    return _lin((t, c), parts, (t.n - 1.0 - p, c.n - 1.0 - p), kept, superpopulation)


def _size(arm: MomentMatrix | Array) -> int:
    return arm.n if isinstance(arm, MomentMatrix) else len(arm)


def _fit(arm: "_Scaled") -> tuple[Array, float]:
    """Slopes and the variance of the adjusted mean, from moments."""
    theta: Array = np.linalg.solve(arm.cross[1:, 1:], arm.cross[1:, 0])
    squares = max(0.0, float(arm.cross[0, 0] - theta @ arm.cross[1:, 0]))
    return theta, squares / (arm.n - 1 - len(theta)) / arm.n


def _fit_rows(arm: "_Scaled", rows: Array, kept: Sequence[int], centre: Array) -> tuple[Array, float]:
    """The same by HC2. Rows are sorted first, so that their order changes no digit."""
    ordered = rows[np.lexsort(rows.T[::-1])]
    y = ordered[:, 0] / arm.size[0] - arm.mean[0]
    x = ordered[:, [k + 1 for k in kept]] / arm.size[1:] - arm.mean[1:]
    solved = np.linalg.solve(arm.cross[1:, 1:], x.T).T
    theta: Array = solved.T @ y
    weight = 1.0 / arm.n + solved @ (centre - arm.mean[1:])
    spare = 1.0 - (1.0 / arm.n + np.sum(solved * x, axis=1))
    # A unit with leverage 1 is fitted exactly: it has no residual and tells nothing about the noise.
    noise = np.where(spare > 1e-10, (y - x @ theta) ** 2 / np.maximum(spare, 1e-10), 0.0)
    return theta, math.fsum(weight**2 * noise)


@dataclass(frozen=True, slots=True)
class _Scaled:
    """An arm with its kept entries divided by powers of two near their spread, so that no product overflows."""

    n: int
    mean: Array
    cross: Array
    size: Array


def _kept(treatment: MomentMatrix, control: MomentMatrix) -> tuple[int, ...]:
    if len(treatment.mean) != len(control.mean):
        raise ValueError(f"need the same covariates in both arms, got {len(treatment.mean)} and {len(control.mean)}")
    smaller = min(treatment.n, control.n)
    # A degree of freedom must be left in each arm; how many covariates are wise is for the caller to say.
    return usable_covariates((treatment, control), 1)[: max(0, smaller - 2)]


def _scaled(treatment: MomentMatrix, control: MomentMatrix, kept: Sequence[int]) -> tuple[_Scaled, _Scaled]:
    entries = [0, *(k + 1 for k in kept)]
    total = np.diag(np.array(treatment.cross))[entries] + np.diag(np.array(control.cross))[entries]
    n = treatment.n + control.n
    size = np.array([math.ldexp(1.0, math.frexp(math.sqrt(v / n))[1]) if v > 0.0 else 1.0 for v in total])
    found = []
    for arm in (treatment, control):
        cross = np.array(arm.cross)[np.ix_(entries, entries)] / size[:, None] / size[None, :]
        found.append(_Scaled(arm.n, np.array(arm.mean)[entries] / size, cross, size))
    return found[0], found[1]


def _residual(covariance: Array, theta: Array) -> float:
    turn = np.concatenate(([1.0], -theta))
    return max(0.0, float(turn @ covariance @ turn))


def _lin(
    arms: tuple[_Scaled, _Scaled],
    parts: Sequence[tuple[Array, float]],
    dfs: tuple[float, float],
    kept: tuple[int, ...],
    superpopulation: bool,
) -> Adjusted:
    t, c = arms
    n = t.n + c.n
    centre = (t.n * t.mean[1:] + c.n * c.mean[1:]) / n
    (theta_t, var_t), (theta_c, var_c) = parts
    gap = t.mean[1:] - c.mean[1:]
    total = (t.cross[1:, 1:] + c.cross[1:, 1:] + np.outer(gap, gap) * (t.n * c.n / n)) / (n - 1) / n
    values = (
        float(t.mean[0] - theta_t @ (t.mean[1:] - centre)),
        float(c.mean[0] - theta_c @ (c.mean[1:] - centre)),
    )
    sure = var_t + var_c
    shared = (float(theta_t @ total @ theta_t), float(theta_c @ total @ theta_c), float(theta_t @ total @ theta_c))
    if not superpopulation:
        shared = (0.0, 0.0, 0.0)
    difference = sure + shared[0] + shared[1] - 2.0 * shared[2]
    return _adjusted(arms, values, (var_t + shared[0], var_c + shared[1], shared[2]), difference, dfs, kept, theta_c)


def _adjusted(
    arms: tuple[_Scaled, _Scaled],
    values: tuple[float, float],
    variances: tuple[float, float, float],
    difference: float,
    dfs: tuple[float, float],
    kept: tuple[int, ...],
    theta: Array,
) -> Adjusted:
    t, c = arms
    size = float(t.size[0])
    raw = float(t.cross[0, 0]) / (t.n - 1) / t.n + float(c.cross[0, 0]) / (c.n - 1) / c.n
    var_t, var_c, cov = (float(v) * size * size for v in variances)
    return Adjusted(
        Arm(float(values[0]) * size, max(0.0, var_t), dfs[0]),
        Arm(float(values[1]) * size, max(0.0, var_c), dfs[1]),
        cov,
        kept,
        tuple(float(b) * size / float(s) for b, s in zip(theta, t.size[1:], strict=True)),
        float(difference) / raw if raw > 0.0 else 1.0,
    )
