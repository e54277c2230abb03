"""Odds ratios of ordered answers: of the proportional-odds model, and Agresti's generalised one.

At every cut the scale turns into yes or no ("at least good"). The proportional-odds model says that the treatment
multiplies the odds of yes by the same factor at each of them, and that factor is estimated, from the counts of the
answers alone. The generalised odds ratio needs no model: of a pair, how are the odds that the treatment's is higher?
What can go wrong: if the factors differ from cut to cut (the treatment makes answers more extreme in both directions),
the model's one number describes no cut, and its test may raise false alarms; `proportionality` looks for that. Near
separation Wald's interval is too wide and its p too large (Hauck & Donner 1977), so that a strong effect can look like
none; `ordinal.mann_whitney`, in substance the score test of the model, does not suffer from that.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.stats.distributions import chi_square_upper, critical_value, two_sided
from abtest.stats.inference import Status
from abtest.stats.ordinal import Categories, align, pairs_of, standings

Floats = npt.NDArray[np.float64]

# A Newton step moves no cut and no odds by more than this on the log scale; far out the likelihood is nearly straight,
# and an unbounded step would land where it is flat. The largest odds ratio of 2**53 units is about 70 such steps away.
LONGEST_STEP = 1.0
MOST_STEPS = 300
MOST_HALVINGS = 50
# The check merges neighbouring levels until a group is expected to hold this many units of the smaller arm ...
FEWEST_EXPECTED = 5
# ... and there are no more groups than this, the levels of a scale from 0 to 10. Chi-square distributions of sparse
# tables add up their small errors over the cells.
MOST_GROUPS = 11


@dataclass(frozen=True, slots=True)
class OddsRatio:
    """A ratio of odds, treatment to control, above 1 when the treatment's answers are higher.

    `ratio` lies in [0, inf); None where it is infinite or unknown. `low` and `high` bound the ratio, None where there
    is no bound; `log_ratio` is its natural log, `se` the standard error of that log. `statistic` is log_ratio / se,
    `p_value` two-sided for a ratio of 1, None for a critical value of the caller's own. `status` is "ok", or "no_test"
    with a `reason`: `no_units`, `zero_variance` (all units gave one answer), `separation` (no unit of one arm is below
    any unit of the other, ties allowed: the ratio is 0, or infinite), `no_convergence`. `log_likelihood` is that of a
    fitted model, None where nothing was fitted.
    """

    status: Status
    reason: str | None
    method: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    log_ratio: float | None = None
    se: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    critical: float | None = None
    log_likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Proportionality:
    """Is one odds ratio enough? `p_value` is small if the odds ratio changes along the scale.

    `statistic` is chi-square with `df` degrees of freedom. `cuts` are the lowest levels of the groups above the first:
    the answers "at least cut". `log_odds_ratios` has one entry per cut, treatment to control, of the 2 x 2 table below
    and above it; None where a cell is empty. `status` is "no_test" with a `reason`: those of `OddsRatio`, or
    `too_few_levels` (fewer than three groups, so that there is nothing to compare).
    """

    status: Status
    reason: str | None
    statistic: float | None = None
    df: int | None = None
    p_value: float | None = None
    cuts: tuple[float, ...] = ()
    log_odds_ratios: tuple[float | None, ...] = ()


def proportional_odds(
    treatment: Categories, control: Categories, *, alpha: float = 0.05, critical: float | None = None
) -> OddsRatio:
    """Odds ratio of answering higher, by maximum likelihood (McCullagh 1980, JRSS B 42, 109-142).

    logit P(Y <= level j) = a_j - b * (1 for treatment, 0 for control); the ratio is exp(b), above 1 when the treatment
    answers higher. `se` comes from the observed information; test and interval are Wald's on the log scale, so p is
    below alpha exactly when the interval excludes 1. Levels that nobody chose do not count, and with two levels this is
    the odds ratio of a 2 x 2 table. `critical` replaces the normal quantile; p is then None. Statuses: `no_units`,
    `zero_variance`, `separation` (no finite maximum exists just if no treatment unit is below any control unit, or the
    other way round), `no_convergence`.

    >>> likert = (1.0, 2.0, 3.0, 4.0, 5.0)
    >>> result = proportional_odds(Categories(likert, (5, 15, 35, 28, 17)), Categories(likert, (10, 20, 40, 20, 10)))
    >>> round(result.log_ratio, 6), round(result.se, 6), round(result.ratio, 6), round(result.log_likelihood, 4)
    (0.610843, 0.258267, 1.841984, -293.1596)
    """
    method = "proportional_odds"
    reason = _overlap_problem(treatment, control)
    if reason is not None:
        lower = pairs_of(treatment, control).losses > 0.0
        return OddsRatio("no_test", reason, method, ratio=0.0 if lower else None)
    fit = _fit(*_used(treatment, control)[1:])
    if fit is None:
        return OddsRatio("no_test", "no_convergence", method)
    return _wald(
        method,
        fit.shift,
        1.0 / math.sqrt(fit.information),
        alpha=alpha,
        critical=critical,
        log_likelihood=fit.log_likelihood,
    )


def proportionality(treatment: Categories, control: Categories) -> Proportionality:
    """Test of proportional odds against one odds ratio per cut, by Pearson's chi-square of the fitted model.

    With two arms, one odds ratio per cut fits any answers perfectly. So the alternative needs no fitting, and

        sum over arms and levels of (observed - fitted)^2 / fitted,   df = levels - 2

    tests the assumption. The likelihood ratio (McCullagh 1980) and the Wald test of Brant (1990) ask the same and agree
    with it in large samples; in simulations with some tens of units per arm Pearson's stayed at its 5 % where the
    likelihood ratio had 6 %, and it needs no cut with all four cells filled, as Brant's does.

    Neighbouring levels are merged first, from below: until a group is expected to hold five units of the smaller arm,
    and to eleven groups at most. Odds that are proportional stay so on a coarser scale. Read it like any check: in
    small experiments it sees little, in huge ones it finds differences that do not matter; see `log_odds_ratios` then.

    >>> scale = (1.0, 2.0, 3.0, 4.0, 5.0)
    >>> result = proportionality(Categories(scale, (30, 10, 20, 10, 30)), Categories(scale, (10, 20, 40, 20, 10)))
    >>> result.df, f"{result.p_value:.1e}", [round(log_odds, 2) for log_odds in result.log_odds_ratios]
    (3, '2.7e-07', [-1.35, -0.44, 0.44, 1.35])
    """
    reason = _overlap_problem(treatment, control)
    if reason is not None:
        return Proportionality("no_test", reason)
    levels, t, c = _grouped(*_used(treatment, control))
    cuts, log_odds = tuple(levels[1:].tolist()), _cut_log_odds(t, c)
    if len(levels) < 3:
        return Proportionality("no_test", "too_few_levels", cuts=cuts, log_odds_ratios=log_odds)
    merged = tuple(levels.tolist())
    arms = [Categories(merged, tuple(arm.astype(np.int64).tolist())) for arm in (t, c)]
    # Merging may have hidden the only pairs that went the other way.
    reason = _overlap_problem(*arms)
    if reason is not None:
        return Proportionality("no_test", reason, cuts=cuts, log_odds_ratios=log_odds)
    fit = _fit(t, c)
    if fit is None:
        return Proportionality("no_test", "no_convergence", cuts=cuts, log_odds_ratios=log_odds)
    expected_t = t.sum() * np.exp(_log_probabilities(fit.cuts - fit.shift, fit.gaps))
    expected_c = c.sum() * np.exp(_log_probabilities(fit.cuts, fit.gaps))
    statistic = math.fsum((t - expected_t) ** 2 / expected_t) + math.fsum((c - expected_c) ** 2 / expected_c)
    df = len(levels) - 2
    return Proportionality("ok", None, statistic, df, chi_square_upper(statistic, df), cuts, log_odds)


def generalized_odds_ratio(
    treatment: Categories, control: Categories, *, alpha: float = 0.05, critical: float | None = None
) -> OddsRatio:
    """P(treatment > control) / P(treatment < control): odds of winning among the pairs that are not tied.

    Source: Agresti 1980, Biometrics 36, 59-67. The interval is exp(log ratio -+ quantile * se), with the delta method
    on the two multinomials: with W and L the two probabilities,

        h_t = P(c below) / W - P(c above) / L of a treatment unit, h_c = P(t above) / W - P(t below) / L of a control
        unit,   se^2 = mean(h_t^2) / n_t + mean(h_c^2) / n_c

    and the normal quantile. Unlike win odds it leaves ties out, so it depends on how fine the scale is; like the
    Brunner-Munzel test it allows for unequal spread, and its p-value is close to that one. Statuses: `no_units`,
    `zero_variance`, `separation` (W or L is 0).

    >>> likert = (1.0, 2.0, 3.0, 4.0, 5.0)
    >>> treatment, control = Categories(likert, (5, 15, 35, 28, 17)), Categories(likert, (10, 20, 40, 20, 10))
    >>> result = generalized_odds_ratio(treatment, control)
    >>> round(result.ratio, 6), round(result.low, 4), round(result.high, 4)
    (1.657244, 1.0891, 2.5217)
    """
    method = "generalized_odds_ratio"
    pairs = pairs_of(treatment, control)
    reason = _overlap_problem(treatment, control)
    if reason is not None:
        return OddsRatio("no_test", reason, method, ratio=0.0 if pairs.losses > 0.0 else None)
    t, c = standings(treatment, control)
    h_t = t.below * (treatment.n / pairs.wins) - t.above * (treatment.n / pairs.losses)
    h_c = c.above * (control.n / pairs.wins) - c.below * (control.n / pairs.losses)
    spread_t = math.fsum(t.counts * h_t**2) / treatment.n / treatment.n
    spread_c = math.fsum(c.counts * h_c**2) / control.n / control.n
    return _wald(
        method,
        math.log(pairs.wins) - math.log(pairs.losses),
        math.sqrt(spread_t + spread_c),
        alpha=alpha,
        critical=critical,
    )


def _overlap_problem(treatment: Categories, control: Categories) -> str | None:
    """Why a log odds ratio would not be finite, None if it is."""
    if treatment.n == 0 or control.n == 0:
        return "no_units"
    pairs = pairs_of(treatment, control)
    if pairs.wins == pairs.losses == 0.0:
        return "zero_variance"
    return "separation" if pairs.wins == 0.0 or pairs.losses == 0.0 else None


def _wald(
    method: str,
    log_ratio: float,
    se: float,
    *,
    alpha: float,
    critical: float | None,
    log_likelihood: float | None = None,
) -> OddsRatio:
    """Test and interval on the log scale, turned into ratios."""
    quantile = critical_value(alpha) if critical is None else critical
    statistic = log_ratio / se
    return OddsRatio(
        status="ok",
        reason=None,
        method=method,
        ratio=_exp(log_ratio),
        low=_exp(log_ratio - quantile * se),
        high=_exp(log_ratio + quantile * se),
        log_ratio=log_ratio,
        se=se,
        statistic=statistic,
        p_value=two_sided(statistic) if critical is None else None,
        critical=quantile,
        log_likelihood=log_likelihood,
    )


def _exp(value: float) -> float | None:
    """e^value, or None (no bound) beyond the largest float."""
    try:
        return math.exp(value)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class _Fit:
    """`cuts` a_1 < ... < a_(k-1), `gaps` between them (kept apart: neighbours may agree in most digits), shift b."""

    cuts: Floats
    gaps: Floats
    shift: float
    information: float
    log_likelihood: float


def _fit(t: Floats, c: Floats) -> _Fit | None:
    """Maximum likelihood by Newton from the counts per level, shape (k,), k >= 2, each level used by some arm.

    Written with F the logistic function, F(y) - F(x) = F(y) (1 - F(x)) (1 - exp(x - y)), the log-likelihood falls apart
    into one logistic term per arm and cut and one term per gap. It is concave, its curvature tridiagonal in the cuts.
    None if 300 steps do not reach the maximum.
    """
    if t.sum() > c.sum():
        # The shift belongs on the smaller arm: on the larger one its slope would be a small difference of huge sums.
        fit = _fit(c, t)
        return fit and replace(fit, cuts=fit.cuts - fit.shift, shift=-fit.shift)
    both = t + c
    below, inner = np.cumsum(both), both[1:-1]
    cuts = np.log(below[:-1]) - np.log(below[-1] - below[:-1])
    gaps = np.log1p(inner / below[:-2]) + np.log1p(inner / (below[-1] - below[1:-1]))
    shift = 0.0
    height = _log_likelihood(t, c, cuts, gaps, shift)
    arrived = False
    for _ in range(MOST_STEPS):
        pull_t, weight_t = _logistic(t, cuts - shift)
        pull_c, weight_c = _logistic(c, cuts)
        shrunk = -np.expm1(-gaps)
        push = inner * np.exp(-gaps) / shrunk
        stiff = push / shrunk
        slope = pull_t + pull_c + np.append(0.0, push) - np.append(push, 0.0)
        reply, follow = _solve(weight_t + weight_c, stiff, slope, weight_t)
        # The information about the shift, w - w' T^-1 w in the usual notation, as a sum of squares: nothing cancels.
        information = math.fsum(
            np.concatenate((weight_t * (1.0 - follow) ** 2, weight_c * follow**2, stiff * np.diff(follow) ** 2))
        )
        if arrived:
            return _Fit(cuts, gaps, shift, information, height)
        score = math.fsum(weight_t * reply) - math.fsum(pull_t)
        move = score / information
        step = reply + move * follow
        decrement = float(slope @ reply) + score * move
        narrowing = np.diff(step)
        farthest = max(abs(move), float(np.abs(step).max()), float(np.abs(step - move).max()))
        closing = float(np.max(-narrowing / gaps, initial=0.0))
        length = min(LONGEST_STEP / max(LONGEST_STEP, farthest), 0.5 / max(0.5, closing))
        # Near the maximum the gain drowns in the rounding of the log-likelihood, hence the slack.
        slack = 1e-12 * abs(height)
        for _ in range(MOST_HALVINGS):
            tried = cuts + length * step, gaps + length * narrowing, shift + length * move
            reached = _log_likelihood(t, c, *tried)
            if reached >= height + 1e-4 * length * decrement - slack:
                break
            length *= 0.5
        else:
            return None
        (cuts, gaps, shift), height = tried, reached
        # The squared distance to the maximum, in standard errors, before this step. What is left is of its square.
        arrived = decrement < 1e-12
    return None


def _logistic(counts: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Slope and curvature of one arm's logistic terms in the cuts: the levels beside a cut pull it away from each."""
    lower, upper = special.expit(at), special.expit(-at)
    return counts[:-1] * upper - counts[1:] * lower, (counts[:-1] + counts[1:]) * lower * upper


def _log_probabilities(at: Floats, gaps: Floats) -> Floats:
    """ln P(level), shape (k,), of an arm whose cuts lie at `at`, shape (k - 1,)."""
    inner = np.log(-np.expm1(-gaps))
    lower = np.append(special.log_expit(at), 0.0)
    upper = np.append(0.0, special.log_expit(-at))
    return np.asarray(lower + upper + np.concatenate(([0.0], inner, [0.0])))


def _log_likelihood(t: Floats, c: Floats, cuts: Floats, gaps: Floats, shift: float) -> float:
    return math.fsum(t * _log_probabilities(cuts - shift, gaps) + c * _log_probabilities(cuts, gaps))


def _solve(own: Floats, springs: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Solve the curvature's equations for two right-hand sides: own_i x_i + sum of spring (x_i - x_neighbour) = rhs_i.

    Gaussian elimination from below. Written with `own` and the springs apart, it only ever adds positive numbers: with
    a billion units and a gap of 1e-9 the springs are 1e10 times as large as `own`, and a diagonal made of both would
    have lost it. The recurrence is sequential, and plain floats are faster in it than numpy's.
    """
    spring, x, y, pivots = springs.tolist(), first.tolist(), second.tolist(), []
    carried = 0.0
    for i, alone in enumerate(own.tolist()):
        free = alone + carried
        pivot = free + (spring[i] if i < len(spring) else 0.0)
        pivots.append(pivot)
        if i < len(spring):
            passed = spring[i] / pivot
            carried = passed * free
            x[i + 1] += passed * x[i]
            y[i + 1] += passed * y[i]
    x[-1] /= pivots[-1]
    y[-1] /= pivots[-1]
    for i in range(len(spring) - 1, -1, -1):
        x[i] = (x[i] + spring[i] * x[i + 1]) / pivots[i]
        y[i] = (y[i] + spring[i] * y[i + 1]) / pivots[i]
    return np.array(x), np.array(y)


def _used(treatment: Categories, control: Categories) -> tuple[Floats, Floats, Floats]:
    """Levels that anybody chose, and the counts of treatment and control there."""
    arms = align(treatment, control)
    t, c = (np.asarray(arm.counts, dtype=np.float64) for arm in arms)
    used = t + c > 0.0
    return np.asarray(arms[0].levels, dtype=np.float64)[used], t[used], c[used]


def _grouped(levels: Floats, t: Floats, c: Floats) -> tuple[Floats, Floats, Floats]:
    """Neighbouring levels merged for the check; a group is named by its lowest level."""
    both = t + c
    needed = FEWEST_EXPECTED * both.sum() / min(t.sum(), c.sum())
    if len(levels) > MOST_GROUPS:
        needed = max(needed, both.sum() / MOST_GROUPS)
    starts, held = [0], 0.0
    for place, units in enumerate(both.tolist()):
        if held >= needed:
            starts.append(place)
            held = 0.0
        held += units
    if held < needed and len(starts) > 1:
        starts.pop()
    return levels[starts], np.add.reduceat(t, starts), np.add.reduceat(c, starts)


def _cut_log_odds(t: Floats, c: Floats) -> tuple[float | None, ...]:
    low_t, low_c = np.cumsum(t)[:-1], np.cumsum(c)[:-1]
    cells = zip(t.sum() - low_t, low_t, c.sum() - low_c, low_c, strict=True)
    return tuple(
        math.log(high_t / under_t) - math.log(high_c / under_c) if min(high_t, under_t, high_c, under_c) > 0.0 else None
        for high_t, under_t, high_c, under_c in cells
    )
