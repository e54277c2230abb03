"""Whether the items of a survey's scale measure one thing: Cronbach's alpha with Feldt's interval.

Covariances are pooled within variants: a treatment that moves all items together would otherwise look like agreement.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from abtest.analysis.result import Beside, Interval
from abtest.language.model import Source, Survey
from abtest.sources.engine import Engine
from abtest.sources.read import Raw
from abtest.sources.surveys import item_sums
from abtest.stats.surveys import cronbach_alpha

FEWEST = 30
"""Complete answers; below it the coefficient is mostly noise."""


def reliability_of(engine: Engine, survey: Survey, source: Source, raw: Raw, unit: str) -> Beside:
    """Alpha over all complete answers of units in the experiment."""
    arms = item_sums(engine, survey, source, raw, unit)
    total, k = sum(n for n, _, _ in arms), len(survey.columns)
    within = total - sum(1 for n, _, _ in arms if n)
    if total < FEWEST:
        return Beside("cronbach_alpha", None, "no_test", "not_enough_units", values={"items": k})
    covariance = np.zeros((k, k))
    for i in range(k):
        for j in range(i, k):
            centred = sum((Fraction(n * both[i, j] - s[i] * s[j], n) for n, s, both in arms if n), Fraction(0))
            covariance[i, j] = covariance[j, i] = float(centred / within)
    found = cronbach_alpha(covariance, within + 1)
    values: dict[str, int | float | str | None] = {
        "items": k,
        "answers": total,
        "band": found.band,
        "suspects": ", ".join(survey.columns[i] for i in found.suspects),
    }
    if found.status != "ok" or found.alpha is None:
        return Beside("cronbach_alpha", None, "no_test", found.reason, values=values)
    return Beside("cronbach_alpha", None, "ok", None, Interval(found.alpha, found.low, found.high), values=values)
