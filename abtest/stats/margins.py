"""Tests against a margin: is a guardrail held, are two arms equivalent?

A margin says how much worse is still acceptable. The answer is given in margin units: the effect divided by the margin
and turned so that right is better, 0 is no change and -1 is the margin. All guardrails then share one picture.

Three tests stand behind every state, each exact in its own right: of the margin, of the margin from the other side,
and of no change. The interval is the one that is displayed, divided by the margin, and because it inverts those same
tests, `low > -1` holds exactly when the one-sided p-value is below alpha / 2.

Where the lift has no bounded interval (the control mean cannot be told from zero) a relative margin can still be
tested: m_t - (1 - d) m_c > 0 needs no division. The confidence set is then everything, or everything but a gap. A bound
is given only if it tells the same story as the three tests, and is None otherwise, so that the rule above has no
exception.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from abtest.stats.contrast import Arm
from abtest.stats.distributions import t_upper
from abtest.stats.inference import Inference, Status
from abtest.stats.lift import fieller_set
from abtest.stats.means import mean_arm
from abtest.stats.moments import Counts, Moments, PairMoments
from abtest.stats.ratios import ratio_arm
from abtest.stats.score_family import difference_z, koopman, ratio_z

Better = Literal["higher", "lower"]
GuardrailState = Literal["held", "held_but_worse", "not_shown", "worse_not_shown", "broken", "no_test"]
ArmData = Moments | PairMoments | Counts | Arm


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse is acceptable: a fraction of the control (`relative`) or units of the metric (`absolute`).

    Raises ValueError unless the size is positive and finite.
    """

    kind: Literal["relative", "absolute"]
    size: float

    def __post_init__(self) -> None:
        if not (self.size > 0.0 and math.isfinite(self.size)):
            raise ValueError(f"a margin is a positive number, got {self.size!r}")


@dataclass(frozen=True, slots=True)
class MarginTest:
    """An effect in margin units (right is better, -1 is the margin) and the test of non-inferiority.

    `low` and `high` None: unbounded or unknown on that side. `p_value` is one-sided for "worse than the margin or just
    at it"; small means held. It is None if the inference was made with a critical value of the caller's own.
    """

    status: Status
    reason: str | None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests: `p_value` is the larger one; `lower`, `upper` test the two ends of (-margin, margin)."""

    status: Status
    reason: str | None
    p_value: float | None
    lower: MarginTest
    upper: MarginTest


def non_inferiority(
    inference: Inference,
    margin: Margin,
    better: Better,
    treatment: ArmData,
    control: ArmData,
    *,
    cov: float = 0.0,
) -> MarginTest:
    """Is the treatment worse than the control by less than the margin?

    `inference` is what `welch`, `delta`, `score` or `contrast` made of these two arms, `cov` the covariance of
    their values that `contrast` was given. Tests, for a margin d:

    - absolute: m_t - m_c + d > 0 if higher is better, d - (m_t - m_c) > 0 if lower is;
    - relative: m_t - (1 - d) m_c > 0 if higher is better, (1 + d) m_c - m_t > 0 if lower is. Values are never negated:
      for a relative margin that would be another hypothesis;
    - proportions: the score test at the margin (Mee 1984; Koopman 1984).

    A relative margin needs a control above zero (else `no_test`, `control_not_positive`). Raises ValueError for a
    relative margin of 1 or more when higher is better, and for an absolute one of 1 or more on a proportion: such a
    margin allows everything.

    >>> from abtest.stats.contrast import contrast
    >>> t, c = Arm(0.098, 0.098 * 0.902 / 10_000), Arm(0.10, 0.10 * 0.90 / 10_000)
    >>> test = non_inferiority(contrast(t, c, method="welch"), Margin("absolute", 0.01), "higher", t, c)
    >>> round(test.p_value, 6), guardrail_state(test)
    (0.029107, 'not_shown')
    """
    if margin.kind == "relative" and better == "higher" and margin.size >= 1.0:
        raise ValueError(f"a relative margin of {margin.size} would allow any loss")
    if isinstance(treatment, Counts) and isinstance(control, Counts) and inference.method == "score":
        if margin.kind == "absolute" and margin.size >= 1.0:
            raise ValueError(f"an absolute margin of {margin.size} would allow any change of a proportion")
        return _score_test(inference, margin, better, treatment, control)
    if inference.status == "no_test":
        return _untested(inference, margin, better)
    return _linear_test(inference, margin, better, _arm(treatment), _arm(control), cov)


def equivalence(
    inference: Inference, margin: Margin, treatment: ArmData, control: ArmData, *, cov: float = 0.0
) -> Equivalence:
    """Do the arms differ by less than the margin in both directions? Two one-sided tests (Schuirmann 1987).

    p_value < a exactly when the 1 - 2a interval lies within (-margin, margin). This, not a large p-value of the
    difference, is what may be called "no relevant change".

    >>> from abtest.stats.means import welch
    >>> from abtest.stats.moments import moments_of
    >>> t, c = moments_of([5.1, 4.9, 5.0, 5.2]), moments_of([5.0, 5.1, 4.9, 5.0])
    >>> equivalence(welch(t, c), Margin("absolute", 0.5), t, c).p_value < 0.001
    True
    """
    lower = non_inferiority(inference, margin, "higher", treatment, control, cov=cov)
    upper = non_inferiority(inference, margin, "lower", treatment, control, cov=cov)
    known = None
    if lower.p_value is not None and upper.p_value is not None:
        known = max(lower.p_value, upper.p_value)
    return Equivalence(lower.status, lower.reason, known, lower, upper)


def guardrail_state(test: MarginTest) -> GuardrailState:
    """What the interval in margin units says about a guardrail.

    `broken`: all of it beyond the margin. `worse_not_shown`: below zero and reaching the margin. `not_shown`: reaching
    the margin. `held_but_worse`: inside the margin but below zero. `held`: the rest.

    >>> guardrail_state(MarginTest("ok", None, -0.4, -0.8, -0.1))
    'held_but_worse'
    """
    if test.status == "no_test":
        return "no_test"
    # An unknown bound shows nothing: it counts as reaching past the margin on the left and past zero on the right.
    low = -math.inf if test.low is None else test.low
    high = math.inf if test.high is None else test.high
    if high < -1.0:
        return "broken"
    if low <= -1.0:
        return "worse_not_shown" if high < 0.0 else "not_shown"
    return "held_but_worse" if high < 0.0 else "held"


def _arm(data: ArmData) -> Arm:
    if isinstance(data, Arm):
        return data
    if isinstance(data, PairMoments):
        return ratio_arm(data)
    return mean_arm(data.moments if isinstance(data, Counts) else data)


def _orient(low: float | None, high: float | None, margin: Margin, better: Better) -> tuple[float | None, float | None]:
    """Bounds of the effect in margin units, right is better."""
    scaled_low = None if low is None else low / margin.size
    scaled_high = None if high is None else high / margin.size
    if better == "higher":
        return scaled_low, scaled_high
    return None if scaled_high is None else -scaled_high, None if scaled_low is None else -scaled_low


def _untested(inference: Inference, margin: Margin, better: Better) -> MarginTest:
    effect = inference.absolute if margin.kind == "absolute" else inference.relative
    if effect is None:
        return MarginTest("no_test", inference.reason)
    estimate, _ = _orient(effect.estimate, effect.estimate, margin, better)
    return MarginTest("no_test", inference.reason, estimate)


def _linear_test(
    inference: Inference, margin: Margin, better: Better, treatment: Arm, control: Arm, cov: float
) -> MarginTest:
    critical, absolute = inference.critical, inference.absolute
    assert critical is not None  # status "ok" has both
    assert absolute is not None
    edge = -margin.size if better == "higher" else margin.size
    if margin.kind == "absolute":
        estimate, _ = _orient(absolute.estimate, None, margin, "higher")
        low, high = _orient(absolute.low, absolute.high, margin, better)
        distance, variance = absolute.estimate - edge, treatment.variance + control.variance - 2.0 * cov
    else:
        if control.value <= 0.0:
            return MarginTest("no_test", "control_not_positive")
        bounds = _relative_bounds(treatment, control, critical, edge, cov)
        low, high = _orient(*bounds, margin, better)
        # m_t - (1 + edge) m_c, from the difference so that it keeps its digits when the means are close.
        distance = absolute.estimate - edge * control.value
        variance = treatment.variance + (1.0 + edge) ** 2 * control.variance - 2.0 * (1.0 + edge) * cov
        estimate = absolute.estimate / control.value / margin.size
    if variance <= 0.0:
        return _untested(replace(inference, reason="zero_variance"), margin, better)  # perfectly correlated arms
    sign = 1.0 if better == "higher" else -1.0
    p_value = None
    if inference.p_value is not None:
        df = math.inf if inference.df is None else inference.df
        p_value = t_upper(sign * distance / math.sqrt(variance), df)
    return MarginTest("ok", None, None if estimate is None else sign * estimate, low, high, p_value)


def _relative_bounds(
    treatment: Arm, control: Arm, critical: float, edge: float, cov: float
) -> tuple[float | None, float | None]:
    """Bounds of the lift that agree with the tests at `edge` and at 0, also if Fieller's set is unbounded.

    If the set is everything but a gap, the estimate lies in one of its two rays, and the gap holds the lifts that are
    rejected towards the estimate. The end of the ray is a bound if the edge is in the gap (then the test at the edge
    says so too), or if neither the edge nor 0 lies in the other ray, where nothing is rejected.
    """
    found = fieller_set(treatment.value, treatment.variance, control.value, control.variance, critical, cov)
    if found.kind == "bounded":
        return found.low, found.high
    if found.kind == "everything":
        return None, None
    in_gap = found.low < edge < found.high
    if (treatment.value - control.value) / control.value >= found.high:
        return (found.high if in_gap or min(edge, 0.0) > found.low else None), None
    return None, (found.low if in_gap or max(edge, 0.0) < found.high else None)


def _score_test(inference: Inference, margin: Margin, better: Better, treatment: Counts, control: Counts) -> MarginTest:
    if inference.status == "no_test":
        return MarginTest("no_test", inference.reason)
    absolute, critical = inference.absolute, inference.critical
    assert critical is not None  # status "ok" has both
    assert absolute is not None
    edge = -margin.size if better == "higher" else margin.size
    sign = 1.0 if better == "higher" else -1.0
    if margin.kind == "absolute":
        low, high = _orient(absolute.low, absolute.high, margin, better)
        z = difference_z(treatment, control, edge)
        return MarginTest("ok", None, sign * absolute.estimate / margin.size, low, high, t_upper(sign * z, math.inf))
    if treatment.successes == control.successes == 0:
        return MarginTest("no_test", "control_not_positive")
    relative = inference.relative
    if relative is not None:
        low, high = _orient(relative.low, relative.high, margin, better)
        estimate = sign * relative.estimate / margin.size
    else:
        # A control without a success: no lift to show, but the ratio is bounded from below.
        ratio_low, _ = koopman(treatment, control, alpha=2.0 * t_upper(critical, math.inf))
        low, high = _orient(ratio_low - 1.0, None, margin, better)
        estimate = None
    z = ratio_z(treatment, control, 1.0 + edge)
    return MarginTest("ok", None, estimate, low, high, t_upper(sign * z, math.inf))
