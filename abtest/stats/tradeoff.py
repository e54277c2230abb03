"""Two metrics at once: engagement and revenue, and whether those who engage are those who buy.

Two separate intervals do not say what is likely together; the joint effect with its covariance does (an ellipse). Where
one metric goes up and the other down, the break-even rate says what one would have to be worth in terms of the other,
and a utility with agreed weights settles it. The two p-values must never be added or multiplied: the metrics come from
the same units. Engagement x purchase tables show association among users as they are; only the comparison of the arms
is an experiment.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from abtest.stats.contrast import Arm, contrast, normal_inference
from abtest.stats.distributions import check_alpha, chi_square_upper, critical_value
from abtest.stats.heterogeneity import root_set
from abtest.stats.inference import Estimate, Inference, Status, no_test
from abtest.stats.margins import Better
from abtest.stats.moments import PairMoments

Quadrant = Literal["win_win", "trade_off_up", "trade_off_down", "lose_lose", "unclear"]


@dataclass(frozen=True, slots=True)
class JointEffect:
    """Two effects of one treatment, each in its metric's unit, with their squared standard errors and covariance.

    Raises ValueError for variances below zero, a covariance larger than they allow, or anything not finite.
    """

    engagement: float
    revenue: float
    var_engagement: float
    var_revenue: float
    cov: float

    def __post_init__(self) -> None:
        numbers = (self.engagement, self.revenue, self.var_engagement, self.var_revenue, self.cov)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"effects and variances must be finite, got {numbers}")
        if self.var_engagement < 0.0 or self.var_revenue < 0.0:
            raise ValueError(f"variances must not be negative, got {self.var_engagement}, {self.var_revenue}")
        if abs(self.cov) > math.sqrt(self.var_engagement) * math.sqrt(self.var_revenue) * (1.0 + 1e-9):
            raise ValueError(f"covariance {self.cov} with variances {self.var_engagement}, {self.var_revenue}")

    @property
    def correlation(self) -> float | None:
        """Correlation of the two estimates, in [-1, 1]; None if one of them has no error."""
        if self.var_engagement == 0.0 or self.var_revenue == 0.0:
            return None
        return max(-1.0, min(1.0, self.cov / math.sqrt(self.var_engagement) / math.sqrt(self.var_revenue)))


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Joint confidence region: centre, half axes `major` >= `minor`, `angle` of the major one, and its outline.

    `angle` in radians from the engagement axis, in (-pi/2, pi/2]; axes and angle mix two units and are for drawing
    only. `points` walk round the outline once, (engagement, revenue), the first not repeated. `statistic` and `p_value`
    are of the chi-square test of "no effect on either" with 2 degrees of freedom; the origin lies outside the ellipse
    exactly when p_value < alpha.
    """

    status: Status
    reason: str | None
    major: float | None = None
    minor: float | None = None
    angle: float | None = None
    points: tuple[tuple[float, float], ...] = ()
    statistic: float | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """The break-even rate -engagement / revenue with Fieller's set; see `exchange_rate`.

    `kind` "bounded": [low, high]. "outside": everything but the open interval (low, high), an end of None is infinite.
    "everything": the data exclude no rate, low and high are None. `estimate` is None where revenue did not move at all.
    """

    status: Status
    reason: str | None
    kind: Literal["bounded", "outside", "everything"] | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class EngagedBuyers:
    """Units of one arm by engaged and buyer. Raises ValueError for negative counts.

    >>> EngagedBuyers(both=30, engaged_only=70, buyer_only=20, neither=80).n
    200
    """

    both: int
    engaged_only: int
    buyer_only: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.engaged_only, self.buyer_only, self.neither) < 0:
            raise ValueError(f"counts must not be negative, got {self}")

    @property
    def n(self) -> int:
        """Number of units."""
        return self.both + self.engaged_only + self.buyer_only + self.neither


@dataclass(frozen=True, slots=True)
class Association:
    """Result of `association`: phi in [-1, 1] and the odds ratio > 0 with intervals, Pearson's chi-square and its p.

    `corrected`: a cell is empty, and half a unit was added to all four for the odds ratio. The `se` of the odds ratio
    is that of its logarithm.
    """

    status: Status
    reason: str | None
    phi: Estimate | None = None
    odds_ratio: Estimate | None = None
    corrected: bool = False
    statistic: float | None = None
    p_value: float | None = None


def joint_effect(treatment: PairMoments, control: PairMoments) -> JointEffect | None:
    """Differences of two means with the covariance from the cross products; `x` engagement, `y` revenue per unit.

    cov = sum over arms of cross / (n - 1) / n. None where an arm has fewer than two units.

    >>> from abtest.stats.moments import pair_of
    >>> joint = joint_effect(pair_of([3, 4, 5, 6], [1, 3, 2, 4]), pair_of([2, 3, 4, 5], [3, 2, 4, 5]))
    >>> joint.engagement, joint.revenue, round(joint.cov, 6)
    (1.0, -1.0, 0.666667)
    """
    if min(treatment.n, control.n) < 2:
        return None
    return JointEffect(
        treatment.x.mean - control.x.mean,
        treatment.y.mean - control.y.mean,
        treatment.x.variance_of_mean + control.x.variance_of_mean,
        treatment.y.variance_of_mean + control.y.variance_of_mean,
        sum(arm.cross / (arm.n - 1) / arm.n for arm in (treatment, control)),
    )


def ellipse(joint: JointEffect, *, alpha: float = 0.05, points: int = 72) -> Ellipse:
    """The 1 - alpha confidence ellipse: all (e, r) with d' S^-1 d <= -2 ln(alpha), the chi-square quantile with 2 df.

    For large samples (some hundred units per arm); with few it is too small. Status `zero_variance` where an effect has
    no error, `collinear` where the two determine each other (the ellipse is a line).

    >>> region = ellipse(JointEffect(1.0, -1.0, 0.04, 0.01, 0.0))
    >>> round(region.major, 6), round(region.minor, 6), region.angle, round(region.statistic, 6)
    (0.489549, 0.244775, 0.0, 125.0)
    """
    check_alpha(alpha)
    rho = joint.correlation
    if rho is None:
        return Ellipse("no_test", "zero_variance")
    if abs(rho) >= 1.0 - 1e-12:
        return Ellipse("no_test", "collinear")
    reach = math.sqrt(-2.0 * math.log(alpha))
    se_e, se_r = math.sqrt(joint.var_engagement), math.sqrt(joint.var_revenue)
    left_over = math.sqrt((1.0 - rho) * (1.0 + rho))
    outline = []
    for step in range(points):
        turn = 2.0 * math.pi * step / points
        along, across = math.cos(turn), math.sin(turn)
        revenue = joint.revenue + reach * se_r * (rho * along + left_over * across)
        outline.append((joint.engagement + reach * se_e * along, revenue))
    # Eigenvalues of the covariance matrix in units of the larger error; the smaller from the determinant, because the
    # difference of two nearly equal numbers has no digits.
    size = max(se_e, se_r)
    a, b = (se_e / size) ** 2, (se_r / size) ** 2
    c = rho * (se_e / size) * (se_r / size)
    first = (a + b) / 2.0 + math.hypot((a - b) / 2.0, c)
    minor = left_over * min(se_e, se_r) / math.sqrt(first)
    z_e, z_r = joint.engagement / se_e, joint.revenue / se_r
    rest = (z_r - rho * z_e) / left_over
    # hypot, not squares: an effect of 1e200 standard errors has a p-value of 0 and no printable statistic.
    distance = math.hypot(z_e, rest)
    statistic = distance * distance if distance < 1e150 else None
    return Ellipse(
        status="ok",
        reason=None,
        major=reach * size * math.sqrt(first),
        minor=reach * minor,
        angle=math.atan2(2.0 * c, a - b) / 2.0,
        points=tuple(outline),
        statistic=statistic,
        p_value=chi_square_upper(statistic, 2) if statistic is not None else 0.0,
    )


def utility(joint: JointEffect, weight_engagement: float, weight_revenue: float, *, alpha: float = 0.05) -> Inference:
    """The effect on w_e engagement + w_r revenue, variance w' S w, normal test (method `utility`).

    The weights carry the units: with revenue in euros and w_r = 1, w_e is what one unit of engagement is worth in euros.
    There is no lift (`relative_reason`: `no_baseline`). Statuses: `zero_variance`, `too_large` (beyond the largest
    float).

    >>> result = utility(JointEffect(1.0, -1.0, 0.04, 0.01, 0.0), 2.0, 1.0)
    >>> result.absolute.estimate, round(result.absolute.se, 6), round(result.p_value, 6)
    (1.0, 0.412311, 0.015293)
    """
    if not (math.isfinite(weight_engagement) and math.isfinite(weight_revenue)):
        raise ValueError(f"weights must be finite, got {weight_engagement} and {weight_revenue}")
    estimate = weight_engagement * joint.engagement + weight_revenue * joint.revenue
    s_e, s_r = weight_engagement * math.sqrt(joint.var_engagement), weight_revenue * math.sqrt(joint.var_revenue)
    rho = joint.correlation or 0.0
    # (s_e + rho s_r)^2 + (1 - rho^2) s_r^2 = w' S w without a negative rounding error.
    se = math.hypot(s_e + rho * s_r, math.sqrt((1.0 - rho) * (1.0 + rho)) * s_r)
    if not (math.isfinite(estimate) and math.isfinite(se)):
        return no_test("too_large", "utility", relative_reason="no_baseline")
    if se <= 1e-15 * (abs(s_e) + abs(s_r)):
        return no_test("zero_variance", "utility", estimate, relative_reason="no_baseline")
    return normal_inference(estimate, se, method="utility", alpha=alpha, beyond="too_large")


def exchange_rate(joint: JointEffect, *, alpha: float = 0.05) -> ExchangeRate:
    """The rate w* at which engagement + w revenue breaks even: -engagement / revenue, with Fieller's set (Fieller 1954).

    Engagement units per revenue unit. With engagement up and revenue down, the change pays as long as a unit of revenue
    is worth less than w* of engagement; where revenue went up and engagement down, as long as it is worth more. A
    negative rate means that both moved in one direction and there is nothing to trade. The set holds all w whose
    utility cannot be told from 0; it is unbounded where revenue cannot be told from no change (see `ExchangeRate`).
    Status `zero_variance` where an effect has no error, `too_large` where the rate is beyond the largest float.

    >>> rate = exchange_rate(JointEffect(1.0, -0.5, 0.04, 0.01, 0.0))
    >>> rate.kind, rate.estimate, round(rate.low, 4), round(rate.high, 4)
    ('bounded', 2.0, 1.1044, 3.6218)
    """
    estimate = -joint.engagement / joint.revenue if joint.revenue != 0.0 else None
    if joint.correlation is None:
        finite = estimate is not None and math.isfinite(estimate)
        return ExchangeRate("no_test", "zero_variance", None, estimate if finite else None)
    if estimate is not None and not math.isfinite(estimate):
        return ExchangeRate("no_test", "too_large")
    variances = joint.var_engagement, joint.var_revenue, joint.cov
    found = root_set(joint.engagement, joint.revenue, *variances, critical_value(alpha))
    low = found.low if math.isfinite(found.low) else None
    high = found.high if math.isfinite(found.high) else None
    if found.kind == "bounded" and (low is None or high is None):
        return ExchangeRate("no_test", "too_large", None, estimate)
    return ExchangeRate("ok", None, found.kind, estimate, low, high)


def quadrant(
    engagement: Estimate | None,
    revenue: Estimate | None,
    *,
    engagement_better: Better = "higher",
    revenue_better: Better = "higher",
) -> Quadrant:
    """Where the two intervals put the change; "up" and "down" are the direction of engagement, "up" is better.

    `win_win`: both better; `trade_off_up`: engagement better, revenue worse; `trade_off_down`: the other way round;
    `lose_lose`: both worse; `unclear`: an interval contains 0 or is missing. Unclear is not "no effect".

    >>> quadrant(Estimate(1.0, 0.5, 1.5), Estimate(-2.0, -3.0, -1.0))
    'trade_off_up'
    """
    first, second = _direction(engagement, engagement_better), _direction(revenue, revenue_better)
    if first == 0 or second == 0:
        return "unclear"
    if first > 0:
        return "win_win" if second > 0 else "trade_off_up"
    return "trade_off_down" if second > 0 else "lose_lose"


def association(table: EngagedBuyers, *, alpha: float = 0.05) -> Association:
    """Do those who engage buy more often than the others? Phi and odds ratio of a 2 x 2 table.

    phi = (ad - bc) / sqrt(product of the four margins), its interval from the large-sample variance (Bishop, Fienberg &
    Holland 1975, section 11.3) on Fisher's z scale, which keeps it within [-1, 1]; none where |phi| = 1. The odds ratio
    ad / bc with exp(log +- c sqrt(1/a + 1/b + 1/c + 1/d)) (Woolf 1955), half a unit added to each cell only if one is
    empty (Haldane 1956). p: Pearson's chi-square, n phi^2. Statuses: `no_units`, `empty_margin` (nobody or everybody
    engaged, or bought).

    >>> found = association(EngagedBuyers(both=30, engaged_only=70, buyer_only=20, neither=80))
    >>> round(found.phi.estimate, 6), round(found.odds_ratio.estimate, 6), round(found.p_value, 6)
    (0.11547, 1.714286, 0.10247)
    """
    quantile = critical_value(alpha)
    reason = _margin(table)
    if reason is not None:
        return Association("no_test", reason)
    phi = _phi(table)
    statistic = table.n * phi * phi
    log_odds = _log_odds_ratio(table)
    se = math.sqrt(log_odds.variance)
    low, high = log_odds.value - quantile * se, log_odds.value + quantile * se
    return Association(
        status="ok",
        reason=None,
        phi=_phi_interval(table, phi, quantile),
        odds_ratio=Estimate(math.exp(log_odds.value), math.exp(low), math.exp(high), se),
        corrected=_empty_cell(table),
        statistic=statistic,
        p_value=chi_square_upper(statistic, 1),
    )


def compare_associations(treatment: EngagedBuyers, control: EngagedBuyers, *, alpha: float = 0.05) -> Inference:
    """Is the association the same in both arms? z on the difference of the log odds ratios (Woolf 1955).

    `absolute` is that difference; its exponential is the ratio of the two odds ratios. Method `log_odds_ratio`, no lift
    (`relative_reason`: `no_baseline`). An arm with an empty cell gets half a unit in each of its four, another arm none.
    Statuses: those of `association`, of the first arm that has one.

    >>> t, c = EngagedBuyers(40, 60, 20, 80), EngagedBuyers(30, 70, 20, 80)
    >>> result = compare_associations(t, c)
    >>> round(result.absolute.estimate, 6), round(result.p_value, 6)
    (0.441833, 0.339847)
    """
    for table in (treatment, control):
        reason = _margin(table)
        if reason is not None:
            return no_test(reason, "log_odds_ratio", relative_reason="no_baseline")
    logs = _log_odds_ratio(treatment), _log_odds_ratio(control)
    found = contrast(*logs, method="log_odds_ratio", alpha=alpha)
    return replace(found, relative=None, relative_reason="no_baseline")


def _direction(estimate: Estimate | None, better: Better) -> int:
    if estimate is None or estimate.low is None or estimate.high is None:
        return 0
    sign = (estimate.low > 0.0) - (estimate.high < 0.0)
    return sign if better == "higher" else -sign


def _margin(table: EngagedBuyers) -> str | None:
    if table.n == 0:
        return "no_units"
    return None if all(_margins(table)) else "empty_margin"


def _margins(table: EngagedBuyers) -> tuple[int, int, int, int]:
    return (
        table.both + table.engaged_only,
        table.buyer_only + table.neither,
        table.both + table.buyer_only,
        table.engaged_only + table.neither,
    )


def _empty_cell(table: EngagedBuyers) -> bool:
    return 0 in (table.both, table.engaged_only, table.buyer_only, table.neither)


def _log_odds_ratio(table: EngagedBuyers) -> Arm:
    extra = 0.5 if _empty_cell(table) else 0.0
    a, b, c, d = (n + extra for n in (table.both, table.engaged_only, table.buyer_only, table.neither))
    return Arm(math.log(a) - math.log(b) - math.log(c) + math.log(d), 1 / a + 1 / b + 1 / c + 1 / d)


def _phi(table: EngagedBuyers) -> float:
    if table.engaged_only == table.buyer_only == 0:
        return 1.0
    if table.both == table.neither == 0:
        return -1.0
    # Whole numbers do not round; one margin after the other, as their product may pass the largest float.
    phi = float(table.both * table.neither - table.engaged_only * table.buyer_only)
    for margin in _margins(table):
        phi /= math.sqrt(margin)
    return max(-1.0, min(1.0, phi))


def _phi_interval(table: EngagedBuyers, phi: float, quantile: float) -> Estimate:
    r1, r2, c1, c2 = (margin / table.n for margin in _margins(table))
    rows, columns = (r1 - r2) / math.sqrt(r1 * r2), (c1 - c2) / math.sqrt(c1 * c2)
    variance = (
        1.0
        - phi * phi
        + phi * (1.0 + phi * phi / 2.0) * rows * columns
        - 0.75 * phi * phi * (rows * rows + columns * columns)
    ) / table.n
    if abs(phi) == 1.0 or variance <= 0.0:
        return Estimate(phi)
    se = math.sqrt(variance)
    half = quantile * se / ((1.0 - phi) * (1.0 + phi))
    centre = math.atanh(phi)
    return Estimate(phi, math.tanh(centre - half), math.tanh(centre + half), se)


def fisher_interval(r: float, n: int, *, alpha: float = 0.05) -> Estimate:
    """A correlation of `n` units with the interval tanh(atanh r -+ z / sqrt(n - 3)) (Fisher 1921).

    Open below four units; at -1 or 1 it is that point. `r` beyond them by rounding is taken as them.

    >>> found = fisher_interval(0.5, 103)
    >>> round(found.low or 0, 4), round(found.high or 0, 4)
    (0.3393, 0.6323)
    """
    r = max(-1.0, min(1.0, r))
    if n < 4:
        return Estimate(r)
    if abs(r) == 1.0:
        return Estimate(r, r, r)
    half = critical_value(alpha) / math.sqrt(n - 3)
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))
