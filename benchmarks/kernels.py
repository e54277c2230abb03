"""`python -m benchmarks --kernels`: statistics from moments, counts and order statistics against the same from rows.

Each line is the median of the ratios of several pairs, both sides in one process and in turns. The other side is what a
reader would write: scipy.stats.bootstrap, scipy and statsmodels on all rows, a plain loop. That both give the same
number is checked first. Making the summary from rows is counted on our side where a row stands for a unit; in the
product an engine makes it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from abtest.stats.adjust import cuped
from abtest.stats.matrix import matrix_of
from abtest.stats.moments import Moments, pair_of
from abtest.stats.order_statistics import bootstrap_contrast, bootstrap_ranks
from abtest.stats.ordinal import Categories, brunner_munzel
from abtest.stats.ratios import delta
from abtest.stats.survival import lifetable_of, log_rank

PAIRS = 5


@dataclass(frozen=True)
class Duel:
    """`ours` and `theirs` do the same work; `same` says how near their results must be (relative)."""

    name: str
    against: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    same: float
    goal: float | None = None


def duels() -> Iterator[Duel]:
    """The pairs, made one by one, so that only one data set stands in memory."""
    import scipy.stats
    import statsmodels.api as sm

    random = np.random.default_rng(1)
    t, c = random.lognormal(0.05, 1.0, 20_000), random.lognormal(0.0, 1.0, 20_000)

    def width_of_ours() -> float:
        arms = [np.sort(x) for x in (t, c)]
        picked = [x[np.array(bootstrap_ranks(len(x), 0.9)) - 1].tolist() for x in arms]
        found = bootstrap_contrast(*picked, (float(np.quantile(t, 0.9)), float(np.quantile(c, 0.9)))).absolute
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    def width_of_theirs() -> float:
        def difference(a: Any, b: Any, axis: int) -> Any:
            return np.quantile(a, 0.9, axis=axis) - np.quantile(b, 0.9, axis=axis)

        found = scipy.stats.bootstrap(
            (t, c), difference, n_resamples=999, method="percentile", vectorized=True, batch=50, rng=random
        ).confidence_interval
        return float(found.high - found.low)

    yield Duel(
        "difference of two 90th percentiles, 20,000 units an arm",
        "scipy.stats.bootstrap, 999 resamples",
        width_of_ours,
        width_of_theirs,
        0.15,
        100.0,
    )
    answers = [random.integers(0, 11, 200_000), random.binomial(10, 0.52, 200_000)]

    def ranks_of_ours() -> float:
        arms = [np.bincount(a, minlength=11) for a in answers]
        found = brunner_munzel(*(Categories(tuple(map(float, range(11))), tuple(map(int, a))) for a in arms))
        assert found.statistic is not None
        return found.statistic

    yield Duel(
        "Brunner-Munzel, 200,000 answers an arm",
        "scipy.stats.brunnermunzel on rows",
        ranks_of_ours,
        lambda: -float(scipy.stats.brunnermunzel(answers[0], answers[1]).statistic),
        1e-9,
    )
    x = random.normal(0, 1, 400_000)
    arm = np.arange(400_000) % 2
    y = 0.02 * arm + 0.7 * x + random.normal(0, 1, 400_000)

    def adjusted_of_ours() -> float:
        rows = np.column_stack((y, x))
        found = cuped(matrix_of(rows[arm == 1]), matrix_of(rows[arm == 0]))
        assert found is not None
        return found.treatment.value - found.control.value

    yield Duel(
        "CUPED with one covariate, 200,000 units an arm, rows to effect",
        "statsmodels OLS",
        adjusted_of_ours,
        lambda: float(sm.OLS(y, np.column_stack((np.ones(len(y)), arm, x))).fit().params[1]),
        1e-6,
    )
    made = [matrix_of(np.column_stack((y, x))[arm == a]) for a in (1, 0)]

    def adjusted_from_moments() -> float:
        found = cuped(made[0], made[1])
        assert found is not None
        return found.treatment.value - found.control.value

    yield Duel(
        "the same from moments, as in the product",
        "statsmodels OLS",
        adjusted_from_moments,
        lambda: float(sm.OLS(y, np.column_stack((np.ones(len(y)), arm, x))).fit().params[1]),
        1e-6,
    )
    views = random.geometric(0.2, (2, 50_000))
    clicks = random.binomial(views, 0.3)
    pairs = [pair_of(clicks[i], views[i]) for i in (0, 1)]

    def by_loop() -> float:
        found = []
        for one, many in zip(clicks, views, strict=True):
            total, seen = sum(one.tolist()), sum(many.tolist())
            ratio, mean = total / seen, seen / len(many)
            squares = sum((a - ratio * b) ** 2 for a, b in zip(one.tolist(), many.tolist(), strict=True))
            found.append(squares / (len(one) - 1) / len(one) / mean**2)
        return float(sum(found) ** 0.5)

    def by_moments() -> float:
        found = delta(pairs[0], pairs[1]).absolute
        assert found is not None
        assert found.se is not None
        return found.se

    yield Duel("standard error of two ratios, 50,000 users an arm", "a plain loop", by_moments, by_loop, 1e-6)
    times = [random.geometric(p, 20_000) for p in (0.05, 0.052)]  # scipy overflows at 100,000
    tables = [lifetable_of(np.minimum(a, 28).astype(float), a < 28) for a in times]

    def by_counts() -> float:
        found = log_rank(tables[0], tables[1]).p_value
        assert found is not None
        return found

    def by_rows() -> float:
        arms = [scipy.stats.CensoredData(uncensored=a[a < 28], right=np.full((a >= 28).sum(), 28)) for a in times]
        return float(scipy.stats.logrank(*arms).pvalue)

    yield Duel(
        "log-rank of 20,000 units an arm from daily counts", "scipy.stats.logrank on rows", by_counts, by_rows, 1e-9
    )


def simulated_experiments(units: int = 1_000_000, metrics: int = 20, rounds: int = 40) -> float:
    """A/A experiments per second: `metrics` metrics of `units` units, split anew each time, every one tested.

    The split is by a random half of a thousand groups of units whose moments are known, so a round costs no look at
    the units.
    """
    from abtest.stats.means import welch

    random = np.random.default_rng(2)
    groups = 1000
    values = random.gamma(0.5, 2.0, (groups, units // groups, metrics))
    counts, sums, squares = units // groups, values.sum(1), (values**2).sum(1)
    start = time.perf_counter()
    for _ in range(rounds):
        half = random.permutation(groups) < groups // 2
        arms = []
        for side in (half, ~half):
            n = int(side.sum()) * counts
            total, square = sums[side].sum(0), squares[side].sum(0)
            arms.append(
                [Moments(n, float(a / n), float(max(0.0, b - a * a / n))) for a, b in zip(total, square, strict=True)]
            )
        for one, other in zip(*arms, strict=True):
            assert welch(one, other).p_value is not None
    return rounds / (time.perf_counter() - start)


def random_splits(units: int = 1_000_000, metrics: int = 20, splits: int = 512, looped: int = 1) -> tuple[float, float]:
    """Experiments per second of `abtest calibrate`'s kernel, every unit split anew, and how many times that is the rate
    of a loop that calls `scipy.stats.ttest_ind` for every split and metric."""
    import scipy.stats

    from abtest.stats.rerandomise import UnitColumn, p_values
    from abtest.stats.splits import split_labels

    random = np.random.default_rng(3)
    values = [np.minimum(random.gamma(0.3, 3000.0, units).round(), 65535.0) for _ in range(metrics)]
    for column in values:
        column[:2] = 0.0, 65535.0  # on the grid of 16 bits, so that both give the same p-values
    start = time.perf_counter()
    found = p_values([UnitColumn("mean", v) for v in values], 0.5, splits=splits, seed=1)
    ours = splits / (time.perf_counter() - start)
    labels = split_labels(units, 0.5, splits=splits, seed=1, shared=True)[:looped]
    start = time.perf_counter()
    loop = [[float(scipy.stats.ttest_ind(v[who], v[~who], equal_var=False).pvalue) for v in values] for who in labels]
    theirs = looped / (time.perf_counter() - start)
    for i, row in enumerate(loop):
        assert np.allclose(row, [p[i] for p in found], rtol=1e-6)
    return ours, ours / theirs


def measure() -> None:
    """Print the table."""
    for duel in duels():
        ours, theirs = duel.ours(), duel.theirs()
        assert abs(ours - theirs) <= duel.same * max(abs(ours), abs(theirs)), (duel.name, ours, theirs)
        ratios = sorted(_pair(duel) for _ in range(PAIRS))
        goal = "" if duel.goal is None else f"   goal {duel.goal:g}"
        print(
            f"{duel.name:64} {statistics.median(ratios):10,.1f} x  ({ratios[0]:,.1f} to {ratios[-1]:,.1f})  {duel.against}{goal}",
            flush=True,
        )
    print(
        f"{'A/A experiments of 20 metrics on 1,000,000 units, per second':64} {simulated_experiments():10,.0f}   goal 500"
    )
    rate, ratio = random_splits()
    print(
        f"{'the same with every unit split anew, per second':64} {rate:10,.0f}   goal 500   {ratio:,.0f} x a loop over scipy"
    )


def _pair(duel: Duel) -> float:
    return _seconds(duel.theirs) / _seconds(duel.ours)


def _seconds(work: Callable[[], float]) -> float:
    """Per call; short work is repeated until it can be timed."""
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.02 or not calls:
        work()
        calls += 1
    return (time.perf_counter() - start) / calls
