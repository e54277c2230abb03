"""Which predictors go along with an outcome, and how much of its variance each may claim (relative importance).

Several predictors explain R^2 of an outcome together. Where they are correlated, the part of one depends on who was
counted before it; Lindeman, Merenda & Gold (LMG) average over all orders, which is the Shapley value of R^2. The shares
add up to R^2 and are never negative.

This is a description of how answers and behaviour go together, not of causes: a driver with a large share need not move
the outcome when it is changed, and a predictor left out hands its share to whatever it is correlated with. An interval
never reaches 0, not even for a predictor that has nothing to do with the outcome, because no sample shows exactly 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from abtest.stats.distributions import check_alpha, critical_value
from abtest.stats.inference import Estimate
from abtest.stats.moments import Values

Matrix = npt.NDArray[np.float64]

# 2**12 subsets take milliseconds; every further predictor doubles that, and nobody can read so long a ranking.
MOST_PREDICTORS = 12

# What is left of a standardised predictor, given others, below which it counts as one of their combinations. Squares of
# correlations carry about 15 digits, so that what is left of 1e-10 is still known to a few of them.
COLLINEAR = 1e-10

# Groups to leave out; the error of an error from fewer is too large to print.
FEWEST_GROUPS = 20

# A variance found as mean square minus squared mean is rounding below this fraction of the mean square.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Driver:
    """One predictor. All numbers are fractions of the variance of the outcome, in [0, 1].

    `share` is its LMG share of R^2, with a percentile interval if there was a bootstrap (`se` is the bootstrap standard
    error). `alone` is the R^2 of this predictor by itself, `unique` what R^2 loses when only it is left out; the share
    usually lies in between, but need not (suppression). `note`: "constant" (does not vary, all three are 0) or
    "collinear" (the others determine it, so `unique` is 0; its share is what it has in common with them).
    """

    share: Estimate
    alone: float
    unique: float
    note: Literal["constant", "collinear"] | None = None


@dataclass(frozen=True, slots=True)
class Importance:
    """R^2 of the outcome and its decomposition, drivers in the order of the predictors.

    `status` is "ok", or "undefined" with a `reason`: `zero_variance` (the outcome does not vary), `not_enough_units`
    (fewer than predictors + 2, where R^2 is 1 or close to it whatever the data). Then `r2` is None and `drivers` empty.
    `interval_reason` says why there are no intervals although there are shares: `not_asked` (no bootstrap), or
    `constant_resamples` (in some resample the outcome did not vary, so nearly all units share one outcome).
    """

    status: Literal["ok", "undefined"]
    reason: str | None
    r2: Estimate | None = None
    drivers: tuple[Driver, ...] = ()
    interval_reason: str | None = "not_asked"


def relative_importance(covariance: Matrix, *, n: int | None = None) -> Importance:
    """The LMG shares of R^2 (Lindeman, Merenda & Gold 1980, p. 119; Groemping 2006), from covariances alone.

    share_j = sum over S without j of |S|! (p - 1 - |S|)! / p! * (R^2(S + j) - R^2(S)), exactly, by all 2^p subsets.
    `covariance` has shape (p + 1, p + 1), the outcome first, then p predictors; a correlation matrix gives the same. A
    constant predictor has a row of exact zeros; duplicates share equally. `n`, where known, guards against too few
    units. Statuses and reasons: see `Importance`. Raises ValueError for no or more than 12 predictors and for a matrix
    that is no covariance matrix.

    >>> found = relative_importance(np.array([[4.0, 1.2, 0.8], [1.2, 1.0, 0.5], [0.8, 0.5, 1.0]]))
    >>> round(found.r2.estimate, 6), [round(driver.share.estimate, 6) for driver in found.drivers]
    (0.373333, [0.286667, 0.086667])
    """
    spread, correlation = standardise(covariance)
    p = len(spread) - 1
    _check_predictors(p)
    if n is not None and n < p + 2:
        return Importance("undefined", "not_enough_units")
    return _importance(correlation)


def bootstrap_importance(
    outcome: Values,
    predictors: Matrix,
    counts: Sequence[int] | npt.NDArray[np.int64] | None = None,
    *,
    seed: int,
    alpha: float = 0.05,
    replicates: int = 1000,
) -> Importance:
    """LMG shares with percentile intervals at level 1 - alpha, from a bootstrap over units.

    `outcome` has shape (rows,), `predictors` (rows, p); `counts` (rows,) says how many units have just this row (1 by
    default), so that compressed distinct rows do as well as one row per unit. A resample gives every unit a Poisson(1)
    weight, hence a row a Poisson(count) weight (Hanley & MacGibbon 2006), and the interval runs between the quantiles
    alpha/2 and 1 - alpha/2 of the resampled shares (Efron & Tibshirani 1993, ch. 13). The same data in any order or
    compression and the same `seed` give the same bytes with the same version of numpy.

    Intervals are somewhat too high with few units, because R^2 is: have ten units per predictor and better fifty.
    Statuses: see `Importance`. Raises ValueError for shapes that do not fit, values that are not finite (rows with
    missing answers have to be left out), negative counts and fewer than 2 / alpha replicates.

    >>> satisfied, trust = [1, 2, 2, 3, 4, 5], np.array([[1.0], [1], [2], [3], [3], [3]])
    >>> found = bootstrap_importance(satisfied, trust, counts=[10, 20, 10, 15, 30, 15], seed=7)
    >>> share = found.drivers[0].share
    >>> round(share.estimate, 4), 0.6 < share.low < share.estimate < share.high < 0.85
    (0.7306, True)
    """
    check_alpha(alpha)
    if replicates < 2.0 / alpha:
        raise ValueError(f"an interval at alpha={alpha} needs {math.ceil(2.0 / alpha)} replicates, got {replicates}")
    rows, units = _distinct_rows(outcome, predictors, counts)
    p = rows.shape[1] - 1
    _check_predictors(p)
    if units.sum() < p + 2:
        return Importance("undefined", "not_enough_units")
    data = _centred(rows, units)
    first, second = np.triu_indices(p + 1)
    terms = np.hstack([data, data[:, first] * data[:, second]])
    point = _importance(_weighted_correlations(units[np.newaxis].astype(np.float64), terms)[0])
    if point.status != "ok":
        return point
    random = np.random.default_rng(seed)
    at_once = max(1, min(100, 4_000_000 // len(rows)))
    resampled = []
    for start in range(0, replicates, at_once):
        size = (min(at_once, replicates - start), len(rows))
        correlations = _weighted_correlations(random.poisson(units, size).astype(np.float64), terms)
        if (correlations[:, 0, 0] == 0.0).any():
            return replace(point, interval_reason="constant_resamples")
        explained = _explained(correlations)
        resampled.append(np.hstack([explained[:, -1:], _shares(explained)]))
    return _with_intervals(point, np.vstack(resampled), alpha)


def jackknife_importance(covariance: Matrix, left_out: Sequence[Matrix], *, n: int, alpha: float = 0.05) -> Importance:
    """LMG shares with intervals from groups of units left out one at a time: no unit is needed, only covariances.

    `covariance` as in `relative_importance`, over all `n` units; `left_out` the same without one group each, for some
    100 random groups of about equal size (by a hash of the id). With G groups the error of a root r of a share is
    se^2 = (G - 1) / G * sum((r_g - mean r)^2) (Tukey 1958; Shao & Wu 1989 for groups), and the interval runs from
    (r - t se)^2 to (r + t se)^2 with G - 1 degrees of freedom: on the scale of correlations, where the error hardly
    depends on the size. `se` is carried back to the share. An end below 0 is 0, one above 1 is 1. In simulations with
    200 to 5,000 units 95 % intervals missed the truth in 3 to 10 of 100 cases, most often with few units and small shares.

    `interval_reason`: `few_groups` (fewer than 20), `constant_resamples` (without some group the outcome does not vary).

    >>> whole = np.array([[4.0, 1.2, 0.8], [1.2, 1.0, 0.5], [0.8, 0.5, 1.0]])
    >>> groups = [whole + 0.01 * np.diag([math.cos(g), math.sin(g), 0.0]) for g in range(100)]
    >>> share = jackknife_importance(whole, groups, n=1000).drivers[0].share
    >>> round(share.estimate, 6), share.low < share.estimate < share.high
    (0.286667, True)
    """
    check_alpha(alpha)
    point = relative_importance(covariance, n=n)
    if point.status != "ok":
        return point
    if len(left_out) < FEWEST_GROUPS:
        return replace(point, interval_reason="few_groups")
    correlations = np.stack([standardise(one)[1] for one in left_out])
    if (correlations[:, 0, 0] == 0.0).any():
        return replace(point, interval_reason="constant_resamples")
    size = max(1, 2**20 // (2 ** (correlations.shape[1] - 1) * correlations.shape[1]))
    rows = []
    for start in range(0, len(left_out), size):
        explained = _explained(correlations[start : start + size])
        rows.append(np.column_stack([explained[:, -1], _shares(explained)]))
    roots = np.sqrt(np.clip(np.vstack(rows), 0.0, 1.0))
    groups = len(roots)
    spread = np.sqrt(((roots - roots.mean(axis=0)) ** 2).sum(axis=0) * (groups - 1) / groups)
    reach = critical_value(alpha, groups - 1)

    def widened(estimate: Estimate, place: int) -> Estimate:
        root, se = math.sqrt(max(0.0, estimate.estimate)), float(spread[place])
        low, high = max(0.0, root - reach * se) ** 2, min(1.0, root + reach * se) ** 2
        return Estimate(estimate.estimate, min(low, estimate.estimate), max(high, estimate.estimate), 2.0 * root * se)

    assert point.r2 is not None
    drivers = tuple(
        d if d.note == "constant" else replace(d, share=widened(d.share, place))
        for place, d in enumerate(point.drivers, start=1)
    )
    return replace(point, r2=widened(point.r2, 0), drivers=drivers, interval_reason=None)


def standardise(covariance: Matrix) -> tuple[Matrix, Matrix]:
    """Standard deviations, shape (k,), and correlations, shape (k, k), of a covariance matrix of shape (k, k).

    What does not vary has the correlation 0 with everything and with itself. Raises ValueError for a matrix that is not
    square, finite, symmetric and positive semi-definite (up to rounding): no data have it, and the usual cause is
    covariances that were computed over different rows each (pairwise deletion of missing answers).

    >>> spread, correlation = standardise(np.array([[4.0, 1.0], [1.0, 1.0]]))
    >>> spread.tolist(), correlation.tolist()
    ([2.0, 1.0], [[1.0, 0.5], [0.5, 1.0]])
    """
    given = np.asarray(covariance, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or len(given) == 0:
        raise ValueError(f"a covariance matrix is square, got the shape {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError("covariances must be finite")
    variances = np.diagonal(given)
    if (variances < 0.0).any():
        raise ValueError(f"variances must not be negative, got {variances.min()}")
    varies = variances > 0.0
    if given[~varies].any() or given[:, ~varies].any():
        raise ValueError("what has no variance has no covariance with anything")
    spread = np.sqrt(variances)
    divisor = np.where(varies, spread, 1.0)
    # Divided one after the other: the product of two tiny spreads would underflow.
    ratios = given / divisor[:, np.newaxis] / divisor
    if np.abs(ratios - ratios.T).max() > 1e-9:
        raise ValueError("a covariance matrix is symmetric")
    correlation = (ratios + ratios.T) / 2.0
    if np.linalg.eigvalsh(correlation).min() < -1e-8:
        raise ValueError("not positive semi-definite: no complete rows have these covariances")
    correlation = np.clip(correlation, -1.0, 1.0)
    np.fill_diagonal(correlation, varies.astype(np.float64))
    return spread, correlation


def _check_predictors(p: int) -> None:
    if not 1 <= p <= MOST_PREDICTORS:
        raise ValueError(f"need 1 to {MOST_PREDICTORS} predictors, got {p}")


def _importance(correlation: Matrix) -> Importance:
    p = len(correlation) - 1
    if correlation[0, 0] == 0.0:
        return Importance("undefined", "zero_variance")
    explained = _explained(correlation[np.newaxis])
    shares, full, every = _shares(explained)[0], float(explained[0, -1]), 2**p - 1
    drivers = []
    for j in range(p):
        alone, without = float(explained[0, 2**j]), float(explained[0, every - 2**j])
        drivers.append(Driver(Estimate(float(shares[j])), alone, full - without, _note(correlation, j + 1)))
    return Importance("ok", None, Estimate(full), tuple(drivers))


def _explained(correlations: Matrix) -> Matrix:
    """R^2 of every subset of predictors, shape (batch, 2^p); bit j of the place says whether predictor j is in.

    `correlations` has shape (batch, p + 1, p + 1), the outcome first. Predictor by predictor, what is known of each
    subset (the covariances of everything still to come, given the subset) doubles: without the predictor it stays, with
    it the predictor is swept out (Goodnight 1979).
    """
    p = correlations.shape[-1] - 1
    left = correlations[:, np.newaxis]
    for _ in range(p):
        # The predictor to decide on is always the one in place 1; the outcome stays in place 0.
        keep = np.delete(left, 1, axis=-1)
        rest, column, pivot = np.delete(keep, 1, axis=-2), keep[:, :, 1], left[:, :, 1, 1]
        # A predictor that the subset determines already explains nothing more.
        inverse = np.divide(1.0, pivot, out=np.zeros_like(pivot), where=pivot > COLLINEAR)
        swept = rest - column[..., :, np.newaxis] * column[..., np.newaxis, :] * inverse[..., np.newaxis, np.newaxis]
        left = np.concatenate([rest, swept], axis=1)
    explained = np.clip(1.0 - left[:, :, 0, 0], 0.0, 1.0)
    # More predictors explain at least as much. Close to collinearity rounding can say otherwise, and a share would
    # become negative.
    for j in range(p):
        pairs = explained.reshape(len(explained), -1, 2, 2**j)
        pairs[:, :, 1] = np.maximum(pairs[:, :, 1], pairs[:, :, 0])
    return explained


def _shares(explained: Matrix) -> Matrix:
    """Shapley values, shape (batch, p), from R^2 per subset, shape (batch, 2^p)."""
    p = explained.shape[1].bit_length() - 1
    weight = np.array([1.0 / (p * math.comb(p - 1, size)) for size in range(p)])
    others = weight[[subset.bit_count() for subset in range(2 ** (p - 1))]]
    shares = []
    for j in range(p):
        pairs = explained.reshape(len(explained), -1, 2, 2**j)
        gains = (pairs[:, :, 1] - pairs[:, :, 0]).reshape(len(explained), -1)
        # Not `@`: a linear algebra library may add in another order with another number of threads.
        shares.append(np.einsum("bs,s->b", gains, others))
    return np.stack(shares, axis=1)


def _note(correlation: Matrix, place: int) -> Literal["constant", "collinear"] | None:
    if correlation[place, place] == 0.0:
        return "constant"
    left = correlation.copy()
    for other in range(1, len(left)):
        if other != place and left[other, other] > COLLINEAR:
            left = left - np.outer(left[:, other], left[other]) / left[other, other]
    return "collinear" if left[place, place] <= COLLINEAR else None


def _distinct_rows(
    outcome: Values, predictors: Matrix, counts: Sequence[int] | npt.NDArray[np.int64] | None
) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """Sorted distinct rows (outcome first) with how many units have them: one form for the same data in any order."""
    y, x = np.asarray(outcome, dtype=np.float64), np.asarray(predictors, dtype=np.float64)
    units = np.ones(len(y), dtype=np.int64) if counts is None else np.asarray(counts)
    if y.ndim != 1 or x.ndim != 2 or len(x) != len(y) or units.shape != y.shape:
        raise ValueError(f"need shapes (rows,), (rows, p) and (rows,), got {y.shape}, {x.shape} and {units.shape}")
    if not np.issubdtype(units.dtype, np.integer) or (units < 0).any():
        raise ValueError("counts are whole numbers of units, not negative")
    rows = np.column_stack([y, x])[units > 0]
    units = units[units > 0].astype(np.int64)
    if not np.isfinite(rows).all():
        raise ValueError("values must be finite; leave rows with missing answers out")
    if len(rows) == 0:
        return rows, units
    order = np.lexsort(rows.T[::-1])
    rows, units = rows[order], units[order]
    starts = np.flatnonzero(np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)]))
    return rows[starts], np.add.reduceat(units, starts)


def _centred(rows: Matrix, units: npt.NDArray[np.int64]) -> Matrix:
    """Columns with a largest value near 1 and without their means: correlations see neither, products stay finite."""
    data = rows / np.exp2(np.frexp(np.abs(rows).max(axis=0))[1] - 1)
    centred: Matrix = data - np.einsum("u,uk->k", units.astype(np.float64), data) / units.sum()
    return centred


def _weighted_correlations(weights: Matrix, terms: Matrix) -> Matrix:
    """Correlations (batch, k, k) under each row of `weights` (batch, rows); `terms` are columns, then their products.

    What does not vary under the weights, or has no weight at all, has zeros in its row and on the diagonal.
    """
    total = np.maximum(weights.sum(axis=1), 1.0)
    sums = np.einsum("bu,ut->bt", weights, terms) / total[:, np.newaxis]  # not `@`: see `_shares`
    k = (math.isqrt(8 * terms.shape[1] + 9) - 3) // 2
    first, second = np.triu_indices(k)
    mean, square = sums[:, :k], np.empty((len(sums), k, k))
    square[:, first, second] = square[:, second, first] = sums[:, k:]
    covariance = square - mean[:, :, np.newaxis] * mean[:, np.newaxis, :]
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    varies = variance > ROUNDING * np.diagonal(square, axis1=1, axis2=2)
    inverse = np.where(varies, 1.0 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    correlation: Matrix = np.clip(covariance * inverse[:, :, np.newaxis] * inverse[:, np.newaxis, :], -1.0, 1.0)
    correlation[:, np.arange(k), np.arange(k)] = varies
    return correlation


def _with_intervals(point: Importance, resampled: Matrix, alpha: float) -> Importance:
    low, high = np.quantile(resampled, [alpha / 2.0, 1.0 - alpha / 2.0], axis=0)
    se = resampled.std(axis=0, ddof=1)

    def widened(estimate: Estimate, place: int) -> Estimate:
        return Estimate(estimate.estimate, float(low[place]), float(high[place]), float(se[place]))

    assert point.r2 is not None
    drivers = tuple(replace(d, share=widened(d.share, place)) for place, d in enumerate(point.drivers, start=1))
    return replace(point, r2=widened(point.r2, 0), drivers=drivers, interval_reason=None)
