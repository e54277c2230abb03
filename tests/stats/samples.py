"""Small published data sets and the random data of the laws."""

from hypothesis import strategies as st

from abtest.stats.moments import Counts, Moments, PairMoments

# R's `sleep` data (Cushny & Peebles 1905), extra hours of sleep by drug.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

# A small ratio metric, per user; the reference standard errors were computed with statsmodels (see test_ratios).
RATIO_CONTROL = ([3, 0, 5, 2, 1, 4, 6, 2, 0, 7], [5, 2, 8, 3, 4, 6, 9, 5, 1, 10])
RATIO_TREATMENT = ([4, 1, 5, 3, 2, 5, 7, 3, 1, 8], [5, 2, 7, 3, 4, 6, 9, 5, 2, 10])

# Values on a grid of 1/8: exact in binary, so that laws about shifting and scaling are about the method, not rounding.
eighths = st.integers(-800, 800).map(lambda k: k / 8)
columns = st.lists(eighths, min_size=2, max_size=30)


@st.composite
def moments(draw: st.DrawFn, *, positive_mean: bool = False) -> Moments:
    n = draw(st.integers(2, 5000))
    mean = draw(st.floats(0.01 if positive_mean else -100.0, 100.0))
    spread = draw(st.floats(0.01, 100.0))
    return Moments(n=n, mean=mean, m2=spread**2 * (n - 1))


@st.composite
def counts(draw: st.DrawFn, *, largest: int = 60) -> Counts:
    n = draw(st.integers(1, largest))
    return Counts(draw(st.integers(0, n)), n)


@st.composite
def pairs(draw: st.DrawFn) -> PairMoments:
    n = draw(st.integers(2, 5000))
    sx, sy = draw(st.floats(0.1, 5.0)), draw(st.floats(0.1, 2.0))
    rho = draw(st.floats(-0.95, 0.95))
    return PairMoments(
        n=n,
        x=Moments(n=n, mean=draw(st.floats(0.1, 10.0)), m2=sx**2 * (n - 1)),
        y=Moments(n=n, mean=draw(st.floats(0.5, 10.0)), m2=sy**2 * (n - 1)),
        cross=rho * sx * sy * (n - 1),
    )
