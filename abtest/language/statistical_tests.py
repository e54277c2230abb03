"""Which statistical tests a metric may ask for with `test`, by what its value is."""

from __future__ import annotations

from abtest.language.fields import Fields
from abtest.language.model import Metric
from abtest.problems import Problems

OF_MEANS = ("welch",)
OF_ANSWERS = ("score", "exact", "fisher", "barnard", "boschloo", "newcombe", "miettinen_nurminen")
OF_RANKS = ("brunner_munzel", "mann_whitney", "proportional_odds")
OF_TIMES = ("rmst", "log_rank")
OF_QUANTILES = ("woodruff", "bootstrap")
OF_RATIOS = ("delta",)
TESTS = (*OF_MEANS, *OF_ANSWERS, *OF_RANKS, *OF_TIMES, *OF_QUANTILES, *OF_RATIOS)
WITHOUT_MARGIN = (
    "exact", "fisher", "barnard", "boschloo", "newcombe", "miettinen_nurminen", *OF_RANKS, "log_rank", "bootstrap",
)  # fmt: skip
"""Tests that do not answer whether a margin is held."""


def fitting_tests(metric: Metric) -> tuple[str, ...]:
    """The tests that fit the value of a metric. What a column holds is only known from the data."""
    if metric.quantile is not None:
        return OF_QUANTILES if metric.quantile.across == "units" else ("woodruff",)
    if metric.pooled:
        return OF_RATIOS
    if metric.kind == "time_to":
        return (*OF_TIMES, *OF_RANKS)
    if metric.kind == "column":
        return (*OF_MEANS, *OF_ANSWERS, *OF_RANKS)
    if metric.yes_or_no:
        return (*OF_MEANS, *OF_ANSWERS)
    return (*OF_MEANS, *OF_RANKS)


def check_test(metric: Metric, fields: Fields, problems: Problems) -> None:
    """Report a test that does not fit."""
    if metric.test is None:
        return
    fitting = fitting_tests(metric)
    if metric.test not in fitting:
        hint = f"Tests that fit:  {', '.join(fitting)}"
        message = f"{fields.what}: the test {metric.test} does not fit what it measures"
        problems.error("E318", message, fields.place("test"), hint)
    elif metric.adjust is not None and (metric.adjust.metrics or metric.adjust.attributes):
        message = f"{fields.what} says `test` and `adjust`; an adjusted effect has a test of its own"
        problems.error("E318", message, fields.place("test"), "Remove one of them.")
