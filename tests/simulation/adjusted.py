"""Adjusted means: CUPED, Lin and post-stratification, also where some units have no history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from abtest.stats.adjust import Adjusted, cuped, lin
from abtest.stats.contrast import contrast
from abtest.stats.inference import Inference, no_test
from abtest.stats.matrix import MomentMatrix
from abtest.stats.moments import Moments
from abtest.stats.strata import post_stratified
from tests.simulation.case import Case, covers_difference, covers_lift, false_alarm
from tests.simulation.data import Floats, Spread, moments, mostly_zero, skewed


@dataclass(frozen=True)
class History:
    """Units with `before`, and afterwards `factor` (10 + slope (before - its mean) + noise): a true mean of 10 `factor`.

    `unknown` is the share of units without history, whose value is put at the mean of the others of both arms, with a
    second covariate that says so; units without history also do less, by 2.
    """

    before: Spread
    slope: float
    noise: float
    factor: float = 1.0
    unknown: float = 0.0

    def draw(self, random: Generator, shape: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
        """After, before, and whether there is no history, of shape (runs, units) each."""
        before = self.before.draw(random, shape)
        missing = (random.random(shape) < self.unknown).astype(np.float64)
        after = 10.0 + self.slope * (before - self.before.mean) + self.noise * random.standard_normal(shape)
        return self.factor * (after - 2.0 * (missing - self.unknown)), before, missing


def rows(
    treatment: History, control: History, n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[Floats, Floats]]]:
    """Rows of both arms, shape (units, 1 + covariates)."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[Floats, Floats]]:
        arms = [list(a.draw(random, (runs, n))) for a, n in ((treatment, n_t), (control, n_c))]
        known = [1.0 - missing for _, _, missing in arms]
        seen = sum(k.sum(axis=1) for k in known)
        mean = sum((k * a[1]).sum(axis=1) for k, a in zip(known, arms, strict=True)) / seen
        for arm, k in zip(arms, known, strict=True):
            arm[1] = np.where(k == 1.0, arm[1], mean[:, None])
        columns = 3 if treatment.unknown > 0.0 else 2
        stacked = [np.stack(arm[:columns], axis=2) for arm in arms]
        return zip(*stacked, strict=True)

    return draw


def matrix(data: Floats) -> MomentMatrix:
    mean = data.mean(axis=0)
    off = data - mean
    return MomentMatrix(len(data), tuple(mean.tolist()), tuple(tuple(row) for row in (off.T @ off).tolist()))


def compared(found: Adjusted | None, method: str) -> Inference:
    if found is None:
        return no_test("no_covariate", method)
    return contrast(found.treatment, found.control, method=method, cov=found.cov)


def by_cuped(t: Floats, c: Floats) -> Inference:
    return compared(cuped(matrix(t), matrix(c)), "cuped")


def by_lin(t: Floats, c: Floats) -> Inference:
    return compared(lin(matrix(t), matrix(c)), "lin")


def by_lin_rows(t: Floats, c: Floats) -> Inference:
    return compared(lin(t, c), "lin")


def strata(random: Generator, runs: int) -> Iterator[tuple[list[tuple[Moments, Moments]]]]:
    """Three countries with means 5, 10 and 20, of 25 to 75 units per arm; arms get their units by chance."""
    cells: list[list[Moments]] = []
    for mean, n in ((5.0, 150), (10.0, 100), (20.0, 50)):
        share = 0.5 + random.uniform(-0.05, 0.05)
        n_t = round(n * share)
        cells += [list(moments(mean + 3.0 * random.standard_normal((runs, size)))) for size in (n_t, n - n_t)]
    for found in zip(*cells, strict=True):
        yield ([(found[i], found[i + 1]) for i in (0, 2, 4)],)


CALM, LONG_TAIL = skewed(2.0, mean=5.0), skewed(10.0, mean=5.0)
USUAL = History(CALM, 1.0, 3.0)
NEW_PEOPLE = History(CALM, 1.0, 3.0, unknown=0.4)
TAIL = History(LONG_TAIL, 1.0, 3.0)
RARE = History(mostly_zero(0.95, skewed(4.0, mean=20.0)), 0.5, 3.0)
# The treatment takes away what people did before: a slope of its own.
TURNED = History(CALM, -0.5, 3.0)
LINS_CASE = "one slope for two arms that have two, and unequal arms: Lin's case"


def same(
    method: str,
    infer: Callable[..., Inference],
    name: str,
    units: History,
    n_t: int,
    n_c: int,
    comment: str = "",
    control: History | None = None,
) -> Case:
    return Case(method, name, rows(units, control or units, n_t, n_c), infer, (false_alarm(),), comment, fast=250)


def better(
    method: str, infer: Callable[..., Inference], name: str, units: History, n_t: int, n_c: int, comment: str = ""
) -> Case:
    more = History(units.before, units.slope, units.noise, 1.1, units.unknown)
    truth = covers_difference(1.0), covers_lift(0.1)
    return Case(method, f"{name}, lift 10 %", rows(more, units, n_t, n_c), infer, truth, comment, fast=250)


SMALL, EVEN, UNEVEN = (20, 20), (200, 200), (100, 900)
CASES = (
    same("cuped", by_cuped, "n = 20 per arm", USUAL, *SMALL),
    same("cuped", by_cuped, "n = 200 per arm", USUAL, *EVEN),
    better("cuped", by_cuped, "n = 200 per arm", USUAL, *EVEN),
    same("cuped", by_cuped, "split 90/10 of 1000", USUAL, *UNEVEN),
    same("cuped", by_cuped, "split 90/10 of 1000, slopes -0.5 and 1", TURNED, *UNEVEN, LINS_CASE, control=USUAL),
    same("cuped", by_cuped, "40 % without history, n = 200 per arm", NEW_PEOPLE, *EVEN),
    better("cuped", by_cuped, "40 % without history, n = 200 per arm", NEW_PEOPLE, *EVEN),
    same("cuped", by_cuped, "skewness 10, n = 200 per arm", TAIL, *EVEN),
    same(
        "cuped",
        by_cuped,
        "95 % zeros before, n = 20 per arm",
        RARE,
        *SMALL,
        "no usable covariate where nobody was active before",
    ),
    same("lin", by_lin, "n = 20 per arm, from moments", USUAL, *SMALL),
    same("lin", by_lin_rows, "n = 20 per arm, from rows (HC2)", USUAL, *SMALL),
    same("lin", by_lin_rows, "n = 20 and 180, from rows (HC2)", USUAL, 20, 180),
    same("lin", by_lin, "n = 200 per arm", USUAL, *EVEN),
    better("lin", by_lin, "n = 200 per arm", USUAL, *EVEN),
    same("lin", by_lin, "split 90/10 of 1000, slopes -0.5 and 1", TURNED, *UNEVEN, control=USUAL),
    better("lin", by_lin, "split 90/10 of 1000", USUAL, *UNEVEN),
    same("lin", by_lin, "40 % without history, n = 200 per arm", NEW_PEOPLE, *EVEN),
    same("lin", by_lin, "40 % without history, split 90/10 of 1000", NEW_PEOPLE, *UNEVEN),
    same("lin", by_lin, "skewness 10, n = 200 per arm", TAIL, *EVEN),
    same("lin", by_lin_rows, "skewness 10, n = 20 per arm, from rows (HC2)", TAIL, *SMALL),
    Case(
        "post-stratified",
        "three countries, 300 units",
        strata,
        lambda cells: compared(post_stratified(cells), "strata"),
        (false_alarm(),),
    ),
)
