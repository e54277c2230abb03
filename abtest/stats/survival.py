"""Time to an event ("days to the first post", "days until gone") where some units were not watched to the end.

A unit that was still without the event when its watching stopped is censored: it counts among those at risk up to that
day and no longer. Leaving such units out, or calling them "never", bends every share and mean. What is compared is the
restricted mean, the average time without the event within the first tau days, which is in days and needs no assumption
about hazards; the log-rank test stands beside it. All of it comes from daily counts per arm, no row of data.

What can go wrong: censoring must have nothing to do with the outcome (the end of the data is fine, "left because
annoyed" is not); tau must be fixed before looking; the log-rank test misses curves that cross.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abtest.stats.contrast import Arm, contrast, point_lift
from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.inference import Estimate, Inference, Status, no_test
from abtest.stats.moments import Values

# Units that must still be at risk in each arm at the end of the default window.
ENOUGH_AT_RISK = 10

# A variance is a squared time; outside of this range it would leave the range of floats.
SHORTEST, LONGEST = 1e-100, 1e100


@dataclass(frozen=True, slots=True)
class Lifetable:
    """One arm: at `times[j]`, `events[j]` units have the event and, right after them, `censored[j]` stop being watched.

    Times are in any unit (days), ascending, 0 or between 1e-100 and 1e100; counts are ints >= 0, days without units may
    be listed. Units watched to the end without the event are censored at the end. Raises ValueError otherwise.

    >>> Lifetable(times=(1.0, 2.0), events=(3, 1), censored=(0, 6)).at_risk
    (10, 7)
    """

    times: tuple[float, ...]
    events: tuple[int, ...]
    censored: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.times) == len(self.events) == len(self.censored):
            raise ValueError("a life table needs as many counts of events and of censored units as times")
        for time in self.times:
            if time != 0.0:
                _check_time(time)
        if any(later <= earlier for earlier, later in zip(self.times, self.times[1:], strict=False)):
            raise ValueError("the times of a life table must be different and ascending")
        for count in (*self.events, *self.censored):
            if not isinstance(count, int) or count < 0:
                raise ValueError(f"a life table counts units in ints >= 0, got {count!r}")

    @property
    def n(self) -> int:
        """All units of the arm."""
        return sum(self.events) + sum(self.censored)

    @property
    def at_risk(self) -> tuple[int, ...]:
        """Units without event and still watched just before each of `times`."""
        remaining, found = self.n, []
        for events, censored in zip(self.events, self.censored, strict=True):
            found.append(remaining)
            remaining -= events + censored
        return tuple(found)

    @property
    def follow_up(self) -> float:
        """The time up to which the curve is known: the last one of a unit; infinite if that unit had the event.

        Units that all had the event stay at a survival of 0 ever after. 0 without units.
        """
        for time, events, censored in zip(self.times[::-1], self.events[::-1], self.censored[::-1], strict=True):
            if censored:
                return time
            if events:
                return math.inf
        return 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """The Kaplan-Meier curve from `time` to the next step: `survival` is the share without the event after `time`.

    `low` and `high` bound it at one point in time, not the whole curve; both are None once survival is 0, where
    Greenwood's formula has no value.
    """

    time: float
    at_risk: int
    events: int
    survival: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LogRank:
    """Treatment against control over the whole curve.

    `status` is "ok", or "no_test" with a `reason`: `no_units` (an arm is empty), `no_events`, `zero_variance` (no event
    while both arms had units that could have had it or not). `observed` and `expected` events are those of the
    treatment; `statistic` is the chi-square with one degree of freedom, `p_value` two-sided. `hazard_ratio` (above 1:
    the event comes sooner in the treatment) is None where its interval leaves the range of numbers
    (`hazard_ratio_undefined`) or where there is no test.
    """

    status: Status
    reason: str | None
    observed: int | None = None
    expected: float | None = None
    variance: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    hazard_ratio: Estimate | None = None
    hazard_ratio_reason: str | None = None


def lifetable_of(times: Values, happened: Sequence[bool] | npt.NDArray[np.bool_]) -> Lifetable:
    """The life table of an arm from its rows, one per unit: `times` of the event, or of censoring where not `happened`.

    Both have shape (n,). Raises ValueError if they differ in length and for times that a life table cannot hold.

    >>> lifetable_of([6, 6, 9, 6], [True, True, False, False])
    Lifetable(times=(6.0, 9.0), events=(2, 0), censored=(1, 1))
    """
    ends, event = np.asarray(times, dtype=np.float64), np.asarray(happened, dtype=np.bool_)
    if ends.shape != event.shape or ends.ndim != 1:
        raise ValueError(f"need one time and one mark per unit, got shapes {ends.shape} and {event.shape}")
    distinct, place = np.unique(ends, return_inverse=True)
    events = np.bincount(place[event], minlength=len(distinct))
    censored = np.bincount(place[~event], minlength=len(distinct))
    return Lifetable(tuple(distinct.tolist()), tuple(events.tolist()), tuple(censored.tolist()))


def merge_lifetables(a: Lifetable, b: Lifetable) -> Lifetable:
    """The life table of two disjoint groups of units together.

    >>> merge_lifetables(Lifetable((1.0, 2.0), (3, 1), (0, 6)), Lifetable((2.0, 5.0), (1, 0), (0, 2)))
    Lifetable(times=(1.0, 2.0, 5.0), events=(3, 2, 0), censored=(0, 6, 2))
    """
    sums = dict.fromkeys(sorted({*a.times, *b.times}), (0, 0))
    for table in (a, b):
        for time, events, censored in zip(table.times, table.events, table.censored, strict=True):
            sums[time] = (sums[time][0] + events, sums[time][1] + censored)
    return Lifetable(tuple(sums), tuple(d for d, _ in sums.values()), tuple(c for _, c in sums.values()))


def kaplan_meier(arm: Lifetable, *, alpha: float = 0.05) -> tuple[Step, ...]:
    """The share still without the event, one step per time with events (Kaplan & Meier 1958, eq. 2b).

    S(t) = prod (1 - d_j / Y_j) over times t_j <= t, d_j events among Y_j at risk. The interval is symmetric for
    log(-log S), with Greenwood's variance (1926) sum d_j / (Y_j (Y_j - d_j)) of log S (Kalbfleisch & Prentice 1980,
    section 1.3), so that it stays within [0, 1]. Survival is 1 before the first step; no events, no steps.

    >>> [round(step.survival, 3) for step in kaplan_meier(Lifetable((6.0, 7.0, 9.0), (3, 1, 0), (1, 0, 16)))]
    [0.857, 0.807]
    """
    z = critical_value(alpha)
    found = []
    survival, log_survival, greenwood = 1.0, 0.0, 0.0
    for time, at_risk, events in _event_times(arm):
        survival *= (at_risk - events) / at_risk
        low = high = None
        if at_risk > events:
            # Summed beside the product: with one event in 10^17 units S is 1.0, its logarithm must not become 0.
            log_survival += math.log1p(-events / at_risk)
            greenwood += events / (at_risk * (at_risk - events))
            width = z * math.sqrt(greenwood) / -log_survival
            low = min(survival, math.exp(log_survival * math.exp(width)))
            high = max(survival, math.exp(log_survival * math.exp(-width)))
        found.append(Step(time, at_risk, events, survival, low, high))
    return tuple(found)


def log_rank(treatment: Lifetable, control: Lifetable, *, alpha: float = 0.05) -> LogRank:
    """The log-rank test (Mantel 1966; Peto & Peto 1972) with Peto's hazard ratio and its 1 - alpha interval.

    Over all times with events: E = sum d Y_t / Y, V = sum d Y_t Y_c (Y - d) / (Y^2 (Y - 1)) (hypergeometric, so ties
    are fine), chi-square = (O - E)^2 / V. Hazard ratio exp((O - E) / V) with exp((O - E) / V +- z / sqrt(V)) (Yusuf et
    al. 1985): it holds 1 exactly when p >= alpha. It is a one-step approximation: for ratios far from 1 or arms of
    very different size it exaggerates. `se` of the ratio is by the delta method.

    >>> result = log_rank(Lifetable((1.0, 3.0), (1, 2), (0, 7)), Lifetable((1.0, 2.0), (4, 2), (0, 4)))
    >>> result.observed, round(result.expected, 4), round(result.statistic, 4), round(result.hazard_ratio.estimate, 4)
    (3, 5.7, 5.0888, 0.1519)
    """
    z = critical_value(alpha)
    if treatment.n == 0 or control.n == 0:
        return LogRank("no_test", "no_units", hazard_ratio_reason="no_units")
    observed, expected, excess, variance = _mantel(treatment, control)
    if variance == 0.0:
        reason = "no_events" if not any((*treatment.events, *control.events)) else "zero_variance"
        return LogRank("no_test", reason, observed, expected, hazard_ratio_reason=reason)
    root = math.sqrt(variance)
    centre, half = excess / variance, z / root
    hazard_ratio = None
    if abs(centre) + half < 700.0:  # exp(709) is the end of floats
        ratio = math.exp(centre)
        hazard_ratio = Estimate(ratio, math.exp(centre - half), math.exp(centre + half), ratio / root)
    return LogRank(
        status="ok",
        reason=None,
        observed=observed,
        expected=expected,
        variance=variance,
        statistic=(excess / root) ** 2,
        p_value=two_sided(excess / root),
        hazard_ratio=hazard_ratio,
        hazard_ratio_reason=None if hazard_ratio is not None else "hazard_ratio_undefined",
    )


def default_tau(treatment: Lifetable, control: Lifetable) -> float | None:
    """The smaller one, over the arms, of the largest time above 0 with at least ten units at risk; None without one.

    It is read off the data. In a plan fix tau beforehand, from the windows: a tau chosen by its result proves nothing.

    >>> default_tau(Lifetable((5.0, 9.0), (3, 0), (0, 20)), Lifetable((5.0, 8.0, 9.0), (6, 4, 1), (0, 0, 8)))
    8.0
    """
    largest = []
    for arm in (treatment, control):
        times = [t for t, y in zip(arm.times, arm.at_risk, strict=True) if t > 0.0 and y >= ENOUGH_AT_RISK]
        if not times:
            return None
        largest.append(times[-1])
    return min(largest)


def rmst_arm(arm: Lifetable, tau: float) -> Arm:
    """The restricted mean, the area under the Kaplan-Meier curve up to `tau`, with its variance and n - 1 df.

    In the unit of time, between 0 and tau: the mean of min(time, tau) if everybody were watched. Variance
    sum A_j^2 d_j / (Y_j (Y_j - d_j)), A_j the area from t_j to tau (Irwin 1949; Klein & Moeschberger 2003, eq. 4.5.2);
    a time at which all at risk have the event adds nothing. Raises ValueError below two units and where the curve is
    not known up to tau.

    The variance is that of the large sample: without censoring it is (n - 1) / n times the squared standard error of
    the mean of min(time, tau). The n - 1 degrees of freedom, as for that mean, give back most of what this loses in
    arms of a few dozen units.

    >>> arm = rmst_arm(Lifetable((1.0, 2.0), (2, 1), (0, 1)), tau=3.0)
    Traceback (most recent call last):
    ValueError: the curve is known up to 2.0, not up to 3.0
    >>> rmst_arm(Lifetable((1.0, 2.0), (2, 1), (0, 1)), tau=2.0)
    Arm(value=1.5, variance=0.0625, df=3)
    """
    _check_time(tau)
    if arm.n < 2:
        raise ValueError(f"a variance needs two units, got {arm.n}")
    if arm.follow_up < tau:
        raise ValueError(f"the curve is known up to {arm.follow_up}, not up to {tau}")
    value, variance = _area(arm, tau)
    return Arm(value, variance, arm.n - 1)


def rmst(
    treatment: Lifetable,
    control: Lifetable,
    tau: float | None = None,
    *,
    alpha: float = 0.05,
    critical: float | None = None,
) -> Inference:
    """Compare restricted mean times up to `tau` (Royston & Parmar 2013): difference in the unit of time, Fieller's lift.

    Above zero the event comes later in the treatment. Without a `tau` the one of `default_tau`. `critical` replaces
    the t quantile; the p-value is then None. Statuses: `no_units`, `not_enough_units` (no default tau: an arm without a
    time above 0 with ten units at risk), `tau_beyond_follow_up` (an arm was not watched for so long), `one_unit`,
    `zero_variance` (no events before tau, or all at one time). Raises ValueError for a tau that is no time above 0.

    >>> long, short = Lifetable((5.0, 9.0), (3, 0), (0, 20)), Lifetable((5.0, 8.0, 9.0), (6, 4, 1), (0, 0, 8))
    >>> result = rmst(long, short, 8.0)
    >>> round(result.absolute.estimate, 4), round(result.absolute.se, 4), round(result.p_value, 4)
    (0.5561, 0.3831, 0.1563)
    """
    if tau is not None:
        _check_time(tau)
    if treatment.n == 0 or control.n == 0:
        return no_test("no_units", "rmst")
    tau = default_tau(treatment, control) if tau is None else tau
    if tau is None:
        return no_test("not_enough_units", "rmst")
    if min(treatment.follow_up, control.follow_up) < tau:
        return no_test("tau_beyond_follow_up", "rmst")
    if treatment.n == 1 or control.n == 1:
        mean_t, mean_c = _area(treatment, tau)[0], _area(control, tau)[0]
        return no_test("one_unit", "rmst", mean_t - mean_c, point_lift(mean_t, mean_c))
    return contrast(rmst_arm(treatment, tau), rmst_arm(control, tau), method="rmst", alpha=alpha, critical=critical)


def _event_times(arm: Lifetable) -> Iterator[tuple[float, int, int]]:
    for time, at_risk, events in zip(arm.times, arm.at_risk, arm.events, strict=True):
        if events:
            yield time, at_risk, events


def _area(arm: Lifetable, tau: float) -> tuple[float, float]:
    """Area under the curve from 0 to tau, and its variance."""
    steps = [step for step in _event_times(arm) if step[0] < tau]
    survival = [1.0]
    for _, at_risk, events in steps:
        survival.append(survival[-1] * ((at_risk - events) / at_risk))
    edges = [0.0, *(time for time, _, _ in steps), tau]
    # From the right, because the variance wants the area that is left after each step.
    area, terms = 0.0, []
    for j in range(len(steps), 0, -1):
        area += survival[j] * (edges[j + 1] - edges[j])
        _, at_risk, events = steps[j - 1]
        if at_risk > events:
            terms.append(area * area * (events / (at_risk * (at_risk - events))))
    return area + edges[1], math.fsum(terms)


def _mantel(treatment: Lifetable, control: Lifetable) -> tuple[int, float, float, float]:
    """Observed and expected events of the treatment, their difference, and its variance.

    Every term is a ratio of exact integers, rounded once: where both arms do the same the difference is exactly 0.
    """
    tables = [(dict(zip(arm.times, arm.events, strict=True)), arm.times, arm.at_risk) for arm in (treatment, control)]
    expected, excess, variance = [], [], []
    for time in sorted({*treatment.times, *control.times}):
        (d_t, y_t), (d_c, y_c) = (
            (events.get(time, 0), (*at_risk, 0)[bisect_left(times, time)]) for events, times, at_risk in tables
        )
        d, y = d_t + d_c, y_t + y_c
        if d == 0:
            continue
        expected.append(d * y_t / y)
        excess.append((d_t * y - d * y_t) / y)
        if y > 1:
            variance.append(d * y_t * y_c * (y - d) / (y * y * (y - 1)))
    return sum(treatment.events), math.fsum(expected), math.fsum(excess), math.fsum(variance)


def _check_time(time: float) -> None:
    if not SHORTEST <= time <= LONGEST:
        raise ValueError(f"a time lies between {SHORTEST} and {LONGEST} in its unit, got {time!r}")
