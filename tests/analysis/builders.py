"""Small results to decide on: metrics with a given state or label, checks with a given level."""

from __future__ import annotations

from abtest.analysis.result import (
    Comparison,
    GuardrailLabel,
    HealthCheck,
    HealthLevel,
    Interval,
    MarginResult,
    MetricResult,
    Role,
    State,
)


def comparison(
    state: State, label: GuardrailLabel | None = None, variant: str = "new", lift: float = 0.04
) -> Comparison:
    tested = state != "no_test"
    effect = Interval(lift, lift - 0.01, lift + 0.01, 0.005) if tested else None
    margin = None if label is None else MarginResult("relative", 0.02, None, None, label)
    return Comparison(
        variant,
        "ok" if tested else "no_test",
        None if tested else "zero_variance",
        "welch",
        effect,
        effect,
        None,
        8.0,
        900.0,
        1e-9,
        None,
        state,
        margin,
    )


def metric(key: str, role: Role, *comparisons: Comparison, detect: float | None = None) -> MetricResult:
    return MetricResult(
        key,
        key.capitalize(),
        None,
        role,
        "did",
        "share",
        "higher",
        "mean",
        None,
        "",
        "0" * 16,
        None,
        None,
        (),
        comparisons,
        detect,
    )


def goal(state: State, key: str = "g1", **more: float) -> MetricResult:
    return metric(key, "goal", comparison(state, **more))  # type: ignore[arg-type]


def guardrail(label: GuardrailLabel, key: str = "r1") -> MetricResult:
    state: State = "no_test" if label == "no_test" else "unclear"
    return metric(key, "guardrail", comparison(state, label))


def check(level: HealthLevel, subject: str | None = None) -> HealthCheck:
    return HealthCheck("srm", "experiment" if subject is None else "metric", subject, level)
