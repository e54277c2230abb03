"""How often each test raises a false alarm, by simulation with a fixed seed.

The band is exact: with `RUNS` independent experiments and a true error rate of r, the number of alarms is binomial, and
each band holds at least .9999 of it. At 2000 runs and r = .05 that is 64 to 140 alarms, a rate of .032 to .070: enough
to catch a wrong variance or quantile, not a subtle one.
"""

import numpy as np
import scipy.stats

from abtest.stats.margins import Margin, non_inferiority
from abtest.stats.means import welch
from abtest.stats.moments import Counts, moments_of, pair_of
from abtest.stats.proportions import score
from abtest.stats.ratios import delta

RUNS = 2000


def assert_calibrated(p_values: list[float | None], rate: float) -> None:
    alarms = sum(p is not None and p < rate for p in p_values)
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], len(p_values), rate)
    assert low <= alarms <= high, f"{alarms} alarms of {len(p_values)}, expected {low:.0f} to {high:.0f}"


def test_the_stated_band() -> None:
    assert tuple(scipy.stats.binom.ppf([0.00005, 0.99995], RUNS, 0.05)) == (64, 140)


def test_welch_with_unequal_arms_and_spreads() -> None:
    random = np.random.default_rng(11)
    t, c = random.normal(5.0, 3.0, (RUNS, 12)), random.normal(5.0, 1.0, (RUNS, 40))
    p = [welch(moments_of(a), moments_of(b)).p_value for a, b in zip(t, c, strict=True)]
    assert_calibrated(p, 0.05)


def test_score() -> None:
    random = np.random.default_rng(12)
    t, c = random.binomial(900, 0.2, RUNS), random.binomial(600, 0.2, RUNS)
    p = [score(Counts(int(a), 900), Counts(int(b), 600)).p_value for a, b in zip(t, c, strict=True)]
    assert_calibrated(p, 0.05)


def test_delta_with_users_of_very_different_activity() -> None:
    random = np.random.default_rng(13)
    p = []
    for _ in range(RUNS):
        views = random.geometric(0.2, (2, 200))
        taste = random.beta(2, 6, (2, 200))
        clicks = random.binomial(views, taste)
        p.append(delta(pair_of(clicks[0], views[0]), pair_of(clicks[1], views[1])).p_value)
    assert_calibrated(p, 0.05)


def test_margins_exactly_at_the_margin() -> None:
    # The treatment is worse by just the margin; calling it "held" is the error, one-sided at 2.5 %.
    random = np.random.default_rng(14)
    t, c = random.normal(9.0, 3.0, (RUNS, 60)), random.normal(10.0, 3.0, (RUNS, 60))
    margin = Margin("relative", 0.10)
    p = []
    for a, b in zip(t, c, strict=True):
        treatment, control = moments_of(a), moments_of(b)
        p.append(non_inferiority(welch(treatment, control), margin, "higher", treatment, control).p_value)
    assert_calibrated(p, 0.025)
