"""The normal posterior against published numbers, exact Beta posteriors, simulation and its own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from abtest.stats.bayes import (
    FLAT,
    WEAK,
    Posterior,
    Prior,
    best_of,
    chance_to_win,
    credible_interval,
    expected_loss,
    on_absolute,
    posterior,
    prior_from_history,
)
from abtest.stats.heterogeneity import shrink

estimates, sds = st.floats(-50, 50), st.floats(0.01, 20)
posteriors = st.builds(Posterior, estimates, sds)
LIFT, SE = 0.08, 0.0952659


def test_flat_prior() -> None:
    found = posterior(LIFT, SE)
    assert found == Posterior(LIFT, SE)
    assert chance_to_win(found) == pytest.approx(0.799477, abs=1e-6)
    assert credible_interval(found) == pytest.approx((-0.106718, 0.266718), abs=1e-6)
    assert expected_loss(found).ship == pytest.approx(0.0106709, abs=1e-7)
    assert expected_loss(found).keep == pytest.approx(0.0906709, abs=1e-7)


@pytest.mark.parametrize(
    "sd, mean, spread, win, risk",
    [(0.3, 0.0726718, 0.0907978, 0.788252, 0.0109075), (0.05, 0.0172777, 0.0442727, 0.651827, 0.0103516)],
)
def test_informative_priors(sd: float, mean: float, spread: float, win: float, risk: float) -> None:
    # GrowthBook's Gaussian engine.
    found = posterior(LIFT, SE, Prior(0.0, sd))
    assert (found.mean, found.sd) == pytest.approx((mean, spread), abs=1e-7)
    assert chance_to_win(found) == pytest.approx(win, abs=1e-6)
    assert expected_loss(found).ship == pytest.approx(risk, abs=1e-7)


def exact_beta(a1: int, b1: int, a2: int, b2: int) -> float:
    """P(second > first) for Beta(a1, b1), Beta(a2, b2) with whole numbers (Miller 2015)."""
    i = np.arange(a2)
    terms = special.betaln(a1 + i, b1 + b2) - np.log(b2 + i) - special.betaln(1 + i, b2) - special.betaln(a1, b1)
    return float(np.exp(terms).sum())


@pytest.mark.parametrize("x_c, x_t, n", [(200, 230, 1000), (200, 180, 1000), (2000, 2050, 10_000), (500, 510, 1000)])
def test_close_to_the_exact_beta_posterior(x_c: int, x_t: int, n: int) -> None:
    exact = exact_beta(x_c + 1, n - x_c + 1, x_t + 1, n - x_t + 1)
    if (x_c, x_t) == (200, 230):
        assert exact == pytest.approx(0.9486183, abs=1e-7)
    p, q = x_c / n, x_t / n
    found = posterior(q - p, math.sqrt(p * (1 - p) / n + q * (1 - q) / n))
    # The skewness that the normal leaves out is below a thousandth here.
    assert chance_to_win(found) == pytest.approx(exact, abs=1e-3)


@given(posteriors)
def test_loss_is_the_integral_it_says(found: Posterior) -> None:
    loss = expected_loss(found)
    grid = found.mean + found.sd * np.linspace(-12, 12, 40_001)
    density = scipy.stats.norm.pdf(grid, found.mean, found.sd)
    assert loss.ship == pytest.approx(
        scipy.integrate.trapezoid(np.maximum(-grid, 0) * density, grid), abs=1e-5 * found.sd
    )
    assert loss.keep == pytest.approx(
        scipy.integrate.trapezoid(np.maximum(grid, 0) * density, grid), abs=1e-5 * found.sd
    )
    # What is lost by one less what is lost by the other is what is won.
    assert loss.keep - loss.ship == pytest.approx(found.mean, abs=1e-9 * (abs(found.mean) + found.sd))


@given(posteriors)
def test_lower_is_better_is_the_mirror(found: Posterior) -> None:
    mirror = Posterior(-found.mean, found.sd)
    assert chance_to_win(found, "lower") == chance_to_win(mirror)
    assert expected_loss(found, "lower") == expected_loss(mirror)
    assert chance_to_win(found) + chance_to_win(found, "lower") == pytest.approx(1.0)
    assert (chance_to_win(found) > 0.975) == (credible_interval(found)[0] > 0)


@given(estimates, sds, estimates, sds)
def test_the_posterior_lies_between_data_and_prior(estimate: float, se: float, mean: float, sd: float) -> None:
    found = posterior(estimate, se, Prior(mean, sd))
    low, high = sorted((estimate, mean))
    assert low - 1e-9 <= found.mean <= high + 1e-9
    assert found.sd <= min(se, sd) * (1 + 1e-12)
    assert 1 / found.sd**2 == pytest.approx(1 / se**2 + 1 / sd**2, rel=1e-9)


@given(estimates, sds, estimates, sds)
def test_two_halves_of_the_data_are_the_whole(first: float, se1: float, second: float, se2: float) -> None:
    one = posterior(first, se1, WEAK)
    both = posterior(second, se2, Prior(one.mean, one.sd))
    precision = 1 / se1**2 + 1 / se2**2
    pooled = (first / se1**2 + second / se2**2) / precision
    whole = posterior(pooled, precision**-0.5, WEAK)
    assert both.mean == pytest.approx(whole.mean, rel=1e-7, abs=1e-9)
    assert both.sd == pytest.approx(whole.sd, rel=1e-9)


def test_far_out_is_still_a_number() -> None:
    found = expected_loss(Posterior(30.0, 1.0))
    assert 0.0 < found.ship < 1e-190
    assert found.keep == pytest.approx(30.0)
    assert expected_loss(Posterior(1e3, 1.0)).ship == 0.0


def test_three_arms_by_integration_and_by_simulation() -> None:
    arms = [Posterior(0.0, 1.0), Posterior(0.5, 0.4), Posterior(0.3, 2.0)]
    found = best_of(arms)
    draws = np.random.default_rng(7).normal([a.mean for a in arms], [a.sd for a in arms], (400_000, 3))
    shares = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    losses = (draws.max(axis=1, keepdims=True) - draws).mean(axis=0)
    for chance, share in zip(found.chances, shares, strict=True):
        assert share == pytest.approx(chance, abs=5 * math.sqrt(chance * (1 - chance) / len(draws)))
    assert losses == pytest.approx(found.losses, abs=0.02)
    for i, arm in enumerate(arms):

        def density(x: float, i: int = i, arm: Posterior = arm) -> float:
            others = [a for j, a in enumerate(arms) if j != i]
            rest = math.prod(scipy.stats.norm.cdf(x, a.mean, a.sd) for a in others)
            return float(scipy.stats.norm.pdf(x, arm.mean, arm.sd) * rest)

        exact = scipy.integrate.quad(density, -25, 25, points=[0, 0.3, 0.5], limit=400, epsabs=1e-12)[0]
        assert found.chances[i] == pytest.approx(exact, abs=1e-9)


@given(posteriors, posteriors)
def test_two_arms_in_closed_form(first: Posterior, second: Posterior) -> None:
    found = best_of([first, second])
    difference = Posterior(second.mean - first.mean, math.hypot(first.sd, second.sd))
    assert found.chances[1] == pytest.approx(chance_to_win(difference), abs=1e-9)
    loss = expected_loss(difference)
    assert found.losses == pytest.approx((loss.keep, loss.ship), rel=1e-7, abs=1e-7 * difference.sd)


@given(st.lists(posteriors, min_size=1, max_size=8), st.floats(-10, 10), st.floats(0.1, 10))
def test_chances_do_not_know_order_place_or_scale(arms: list[Posterior], shift: float, scale: float) -> None:
    found = best_of(arms)
    assert sum(found.chances) == pytest.approx(1.0)
    assert best_of(arms[::-1]).chances == pytest.approx(found.chances[::-1], abs=1e-9)
    moved = best_of([Posterior(scale * a.mean + shift, scale * a.sd) for a in arms])
    assert moved.chances == pytest.approx(found.chances, abs=1e-8)
    mirrored = best_of([Posterior(-a.mean, a.sd) for a in arms], "lower")
    assert mirrored.chances == pytest.approx(found.chances, abs=1e-12)


def test_a_history_as_prior() -> None:
    random = np.random.default_rng(4)
    effects = (random.normal(0.01, 0.05, 200) + random.normal(0, 0.02, 200)).tolist()
    found, reference = prior_from_history(effects, [0.02] * 200), shrink(effects, [0.02] * 200)
    assert found is not None
    assert reference.tau is not None
    assert found.mean == reference.centre
    assert found.sd == pytest.approx(0.05, abs=0.01)
    assert found.sd > reference.tau
    assert prior_from_history(effects[:9], [0.02] * 9) is None
    assert prior_from_history([0.01] * 20, [0.02] * 20) is None


def test_priors_on_the_other_scale() -> None:
    absolute = posterior(0.8, 0.952659, on_absolute(WEAK, 10.0))
    relative = posterior(LIFT, SE, WEAK)
    assert absolute.mean == pytest.approx(10 * relative.mean)
    assert chance_to_win(absolute) == pytest.approx(chance_to_win(relative))
    assert on_absolute(FLAT, 5.0) == FLAT
    with pytest.raises(ValueError, match="control mean"):
        on_absolute(WEAK, 0.0)


def test_what_is_no_posterior() -> None:
    with pytest.raises(ValueError, match="above zero"):
        posterior(1.0, 1.0, Prior(0.0, 0.0))
    with pytest.raises(ValueError, match="standard error"):
        posterior(1.0, 0.0)
    with pytest.raises(ValueError, match="level"):
        credible_interval(Posterior(0.0, 1.0), 1.0)
    for arms in ([], [Posterior(0.0, 0.0)]):
        with pytest.raises(ValueError, match="arms"):
            best_of(arms)
