"""Are the people behind a metric alike? Before exposure, among those who answered, in every group, beside other tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from abtest.analysis import thresholds as t
from abtest.analysis.adjusting import Covaried
from abtest.analysis.arms import Arm
from abtest.analysis.result import HealthCheck, HealthLevel, MetricResult, Number, SegmentResult
from abtest.stats.means import welch
from abtest.stats.moments import Moments, PairMoments
from abtest.stats.multiplicity import benjamini_hochberg
from abtest.stats.ratios import effective_units, equal_ratios
from abtest.stats.tables import homogeneity, merge_rare

Facts = dict[str, Number | str | None]
UNKNOWN = " unknown"
"""How the labels of covariates end that say where another is missing: that is a matter of the log, not of people."""


def pre_period_checks(arms: Mapping[str, Mapping[str, Arm]], baseline: str) -> list[HealthCheck]:
    """What metrics are adjusted by, compared between variants: before exposure there is no effect yet.

    `arms` per metric. One family over metrics, covariates and treatments. Where units lack a value of the metric
    afterwards, those who have one may differ because of the treatment: then a note at most. So it is where a few units
    make the total of the smaller variant: Welch's spread of a small, skewed variant is too small just when its mean is,
    so a failure needs the spread of both together to agree.
    """
    tests: list[tuple[str, str, _Difference]] = []
    for name, own in arms.items():
        control = own[baseline].covaried
        for variant, arm in own.items():
            if variant != baseline and arm.covaried is not None and control is not None:
                tests += [(name, label, found) for label, found in _differences(arm.covaried, control)]
    adjusted = benjamini_hochberg([d.p_value for _, _, d in tests])
    pooled = benjamini_hochberg([d.pooled for _, _, d in tests])
    worst: dict[str, tuple[float, str]] = {}
    failed: set[str] = set()
    for (name, label, difference), p, together in zip(tests, adjusted, pooled, strict=True):
        assert p is not None
        assert together is not None
        worst[name] = min(worst.get(name, (2.0, "")), (p, label))
        if max(p, together) < t.PRE_FAIL_P and difference.units >= t.PRE_UNITS:
            failed.add(name)
    found = []
    for name, (p, label) in worst.items():
        selected = any(a.missing for a in arms[name].values())
        level: HealthLevel = "fail" if name in failed and not selected else "note" if p < t.PRE_NOTE_P else "pass"
        found.append(HealthCheck("pre_period", "metric", name, level, None, {"p_value": p, "covariate": label}))
    return found


@dataclass(frozen=True)
class _Difference:
    """One covariate in two variants: p with a spread each and with one of both, and by how many units, as if of equal
    weight, the smaller variant should be made."""

    p_value: float
    pooled: float
    units: float


def _differences(treatment: Covaried, control: Covaried) -> list[tuple[str, _Difference]]:
    if treatment.strata or control.strata:
        counts = [{name: m.n for name, m in arm.strata} for arm in (treatment, control)]
        names = sorted({*counts[0], *counts[1]})
        p = homogeneity(merge_rare([[c.get(n, 0) for n in names] for c in counts])[0]).p_value
        return [] if p is None else [("", _Difference(p, p, math.inf))]
    found = []
    for i, label in enumerate(treatment.labels):
        if label.endswith(UNKNOWN) or treatment.matrix is None or control.matrix is None:
            continue
        one, other = (Moments(m.n, m.mean[i + 1], max(0.0, m.cross[i + 1][i + 1])) for m in (treatment.matrix, control.matrix))  # fmt: skip
        p = welch(one, other).p_value
        together = equal_ratios(*(PairMoments(m.n, m, Moments(m.n, 1.0, 0.0), 0.0) for m in (one, other)))
        if p is not None and together is not None:
            units = effective_units(one, other) * min(one.n, other.n) / (one.n + other.n)
            found.append((label, _Difference(p, together, units)))
    return found


def response_checks(parts: Mapping[str, Mapping[str, Arm]]) -> list[HealthCheck]:
    """Who answered, or is known at all, per variant: `parts` are the arms of that yes or no, by the metric it belongs
    to. Answering comes after exposure, so it is a note at most; the answers are then those of different people."""
    names, p_values, rates = [], [], []
    for name, arms in parts.items():
        counts = [a.counts for a in arms.values() if a.counts is not None and a.counts.n]
        test = homogeneity([(c.successes, c.n - c.successes) for c in counts]) if len(counts) > 1 else None
        if test is not None and test.p_value is not None:
            names.append(name)
            p_values.append(test.p_value)
            rates.append([c.rate for c in counts])
    found = []
    for name, p, rate in zip(names, benjamini_hochberg(p_values), rates, strict=True):
        assert p is not None
        level: HealthLevel = "note" if p < t.RESPONSE_P else "pass"
        facts: Facts = {"p_value": p, "share_least": min(rate), "share_most": max(rate)}
        found.append(HealthCheck("response", "metric", name, level, None, facts))
    return found


def dominance_checks(segments: Sequence[SegmentResult], metrics: Mapping[str, MetricResult]) -> list[HealthCheck]:
    """A clear change of which one small group carries nearly all: a bug or a feature of that group, not of everybody.

    Groups share an equal effect unevenly by chance, so their effects must differ clearly as well.
    """
    clear = [s for s in segments if any(c.state in ("better", "worse") for c in metrics[s.metric].comparisons)]
    adjusted = benjamini_hochberg([s.interaction_p for s in clear])
    worst: dict[str, Facts] = {}
    for segment, p in zip(clear, adjusted, strict=True):
        if p is None:
            continue
        facts = worst.setdefault(segment.metric, {"share": None})
        for comparison in metrics[segment.metric].comparisons:
            if comparison.state in ("better", "worse") and p < t.DOMINANCE_P:
                found = _dominant(segment, comparison.variant)
                if found is not None:
                    facts |= {"segment": segment.dimension, "group": found[0], "share": min(1.0, found[1])}
    return [
        HealthCheck("dominance", "metric", name, "note" if facts["share"] else "pass", None, facts)
        for name, facts in worst.items()
    ]


def _dominant(segment: SegmentResult, variant: str) -> tuple[str, float] | None:
    """The group that carries the change, with its share of it."""
    carried: list[tuple[float, int, str]] = []
    for group in segment.groups:
        comparison = next(c for c in group.comparisons if c.variant == variant)
        units = sum(a.used for a in group.arms)
        if comparison.absolute is not None:
            carried.append((comparison.absolute.estimate * units, units, group.label or ""))
    total, everybody = sum(c for c, _, _ in carried), sum(n for _, n, _ in carried)
    if not total or len(carried) < 2:
        return None
    share, units, label = max((c / total, u, g) for c, u, g in carried)
    return (label, share) if share > t.DOMINANCE_SHARE and units < t.DOMINANCE_UNITS * everybody else None


def concurrent_checks(crossings: Sequence[tuple[str, SegmentResult]]) -> list[HealthCheck]:
    """Whether the change in a goal depends on the variant of another experiment: `crossings` are (other experiment,
    goal split by its variants)."""
    adjusted = benjamini_hochberg([s.interaction_p for _, s in crossings])
    worst: dict[str, tuple[float, str]] = {}
    for (other, split), p in zip(crossings, adjusted, strict=True):
        if p is not None:
            worst[split.metric] = min(worst.get(split.metric, (2.0, "")), (p, other))
    found = []
    for name, (p, other) in worst.items():
        level: HealthLevel = "note" if p < t.CONCURRENT_P else "pass"
        found.append(HealthCheck("concurrent", "metric", name, level, None, {"p_value": p, "other": other}))
    return found


def mechanism_checks(metrics: Sequence[MetricResult], mechanism: Sequence[str], alpha: float) -> list[HealthCheck]:
    """Per goal that moved clearly: did any metric of `mechanism` move in the same variant? Either direction will do,
    and uncorrected: many weak signs of a mechanism should silence the note rather than one raise it."""
    tested = [c for m in metrics if m.key in mechanism for c in m.comparisons if c.p_value is not None]
    moved = {c.variant for c in tested if c.p_value is not None and c.p_value < alpha}
    found = []
    for goal in (m for m in metrics if m.role == "goal"):
        clear = {c.variant for c in goal.comparisons if c.state in ("better", "worse")} & {c.variant for c in tested}
        if clear:
            level: HealthLevel = "pass" if clear <= moved else "note"
            found.append(HealthCheck("mechanism", "metric", goal.key, level, None, {}))
    return found
