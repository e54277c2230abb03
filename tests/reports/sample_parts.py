# ruff: noqa: E501  (rows of numbers read best as rows)
"""The parts of the sample results: metrics, segments, checks and ledgers of a photo app."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from abtest.analysis.result import (
    ArmValue,
    Comparison,
    HealthCheck,
    Interval,
    Ledger,
    LedgerStep,
    MarginResult,
    MetricResult,
    SegmentGroup,
    SegmentResult,
)

BAND = 1.6  # how much wider than the interval the always-valid band is
N = (107214, 107092, 106950)
TREATMENTS = ("composer", "quick")
HASHES = ("51be9a07c2d84f6e", "8c1f02e4aa719b35", "3d5503be71f09ac2")


def interval(estimate: float, half: float) -> Interval:
    return Interval(estimate, estimate - half, estimate + half, half / 1.96)


def comparison(
    variant: str,
    control: float,
    relative: tuple[float, float],
    state: str,
    *,
    p: float = 0.2,
    adjusted: float | None = None,
    method: str = "welch",
    margin: MarginResult | None = None,
) -> Comparison:
    estimate, half = relative
    return Comparison(
        variant=variant,
        status="ok",
        reason=None,
        method=method,
        absolute=interval(estimate * control, half * control),
        relative=interval(estimate, half),
        relative_reason=None,
        statistic=2.0,
        df=214304.0,
        p_value=p,
        p_adjusted=adjusted,
        state=state,  # type: ignore[arg-type]
        margin=margin,
        always_valid=interval(estimate, half * BAND),
        always_valid_absolute=interval(estimate * control, half * control * BAND),
    )


def untested(variant: str, reason: str) -> Comparison:
    return Comparison(variant, "no_test", reason, "none", None, None, None, None, None, None, None, "no_test")


def metric(
    key: str,
    title: str,
    role: str,
    control: float,
    changes: list[Comparison],
    *,
    unit: str = "count",
    better: str = "higher",
    estimator: str = "mean",
    description: str | None = None,
    detect: float | None = None,
    immature: int = 0,
    missing: int = 0,
) -> MetricResult:
    arms = [ArmValue("control", N[0], N[0] - immature - missing, immature, missing, control, control * 1.3)]
    for n, change in zip(N[1:], changes, strict=False):
        moved = change.absolute.estimate if change.absolute else 0.0
        used = n - immature - missing
        arms.append(ArmValue(change.variant, n, used, immature, missing, control + moved, control * 1.3))
    meaning = f"{description or title}, over the first 28 days after exposure."
    return MetricResult(
        key=key,
        title=title,
        description=description,
        role=role,  # type: ignore[arg-type]
        kind="amount",
        unit_of_value=unit,
        better=better,  # type: ignore[arg-type]
        estimator=estimator,  # type: ignore[arg-type]
        window="first 28 days",
        meaning=meaning,
        definition_hash=HASHES[0],
        version=2,
        owner="Team Creation",
        arms=tuple(arms),
        comparisons=tuple(changes),
        detect=detect,
        mature_on="2026-06-08" if immature else None,
    )


def guardrail(
    key: str,
    title: str,
    control: float,
    size: float,
    changes: list[tuple[float, float, str]],
    *,
    kind: str = "relative",
    better: str = "higher",
    unit: str = "count",
    description: str = "",
    estimator: str = "mean",
    early: bool = False,
) -> MetricResult:
    """A guardrail whose effect in margin units follows from its change; each change is estimate, half, label.

    Read early, the effect and the label are those of the band.
    """
    comparisons = []
    method = {"mean": "welch", "proportion": "score", "ratio": "delta"}[estimator]
    for variant, (estimate, half, label) in zip(TREATMENTS, changes, strict=False):
        sign = 1 if better == "higher" else -1
        unit_size = size if kind == "relative" else size / control
        effect = interval(sign * estimate / unit_size, half * (BAND if early else 1) / unit_size)
        if early and label == "held" and effect.low is not None and effect.low < -1:
            label = "not_shown"
        margin = MarginResult(kind, size, effect, 0.001, label)  # type: ignore[arg-type]
        state = "worse" if "worse" in label or label == "broken" else "unclear"
        comparisons.append(comparison(variant, control, (estimate, half), state, method=method, margin=margin))
    return metric(
        key,
        title,
        "guardrail",
        control,
        comparisons,
        unit=unit,
        better=better,
        estimator=estimator,
        description=description,
    )


def goals(count: int, arms: int, kind: str) -> list[MetricResult]:
    """Goals whose first decides: better, worse, unclear or early."""
    first = {"better": (0.0413, 0.0175), "worse": (-0.031, 0.016), "unclear": (0.012, 0.018), "early": (0.021, 0.019)}
    state = {"early": "better"}.get(kind, kind)
    p = {"better": 2.47e-06, "worse": 0.00018, "unclear": 0.19, "early": 0.031}[kind]
    adjusted = min(1.0, 3 * p) if count > 1 else None
    shifts = [first[kind], (first["unclear"][0] * 0.7, 0.019)]
    states = [state, "unclear"]
    found = [
        metric(
            "engaged_users",
            "Engaged users",
            "goal",
            0.1284,
            [
                comparison(v, 0.1284, shifts[i], states[i], p=p if i == 0 else 0.4, adjusted=adjusted, method="score")
                for i, v in enumerate(TREATMENTS[:arms])
            ],
            unit="share",
            estimator="proportion",
            description="Users with at least 2 photos posted and 5 likes given in a week",
            detect=0.025,
            immature=1240,
        )
    ]
    if count > 1:
        lower = [comparison(v, 48.2, (-0.061, 0.018), "better", p=1e-9, adjusted=2e-9) for v in TREATMENTS[:arms]]
        found.append(
            metric(
                "time_to_post",
                "Time to first post",
                "goal",
                48.2,
                lower,
                unit="duration s",
                better="lower",
                description="Seconds from opening the composer to the post",
                detect=0.025,
            )
        )
        score = [
            replace(
                comparison(v, 31.4, (0.016, 0.083), "unclear", p=0.71, adjusted=0.71),
                relative=None,
                relative_reason="control_not_positive",
                always_valid=None,
            )
            for v in TREATMENTS[:arms]
        ]
        found.append(
            metric("nps", "NPS", "goal", 31.4, score, unit="points", description="In-app survey", missing=100800)
        )
    return found


def secondary(arms: int) -> list[MetricResult]:
    rows: list[tuple[Any, ...]] = [
        ("likes", "Likes given", 9.70, 0.011, 0.016, "unclear", 0.18, "count", "higher", "mean", "Likes per user and week"),
        ("photos", "Photos posted", 1.86, 0.052, 0.015, "better", 1e-8, "count", "higher", "mean", "Photos per user and week"),
        ("completion", "Composer completion", 0.614, 0.029, 0.008, "better", 1e-9, "share", "higher", "ratio", "Composer opens that end in a post"),
        ("retention_7", "Retention, day 7", 0.417, 0.012, 0.009, "better", 0.009, "share", "higher", "proportion", "Users active on day 7"),
        ("complaints", "Complaints", 0.031, 0.064, 0.041, "worse", 0.002, "count", "lower", "mean", "Complaints per user"),
        ("shares", "Shares", 0.31, -0.018, 0.035, "unclear", 0.32, "count", "higher", "mean", "Shares outside the app"),
    ]  # fmt: skip
    found = []
    for key, title, control, estimate, half, state, p, unit, better, estimator, text in rows:
        method = {"mean": "welch", "proportion": "score", "ratio": "delta"}[estimator]
        changes = [
            comparison(v, control, (estimate * (1 - 0.4 * i), half), state, p=p, adjusted=min(1, 2 * p), method=method)
            for i, v in enumerate(TREATMENTS[:arms])
        ]
        found.append(
            metric(
                key,
                title,
                "secondary",
                control,
                changes,
                unit=unit,
                better=better,
                estimator=estimator,
                description=text,
            )
        )
    none = [untested(v, "zero_variance") for v in TREATMENTS[:arms]]
    found.append(metric("exports", "Exports", "secondary", 0.0, none, description="Albums exported"))
    return found


def guardrails(arms: int, latency: str = "held_but_worse", early: bool = False) -> list[MetricResult]:
    slow = {"held_but_worse": (0.017, 0.008), "broken": (0.083, 0.02), "not_shown": (0.03, 0.036)}[latency]
    second = (0.004, 0.009, "held")
    rows = [
        guardrail("revenue", "Revenue per user", 1.92, 0.04, [(-0.004, 0.029, "held"), (0.01, 0.03, "held")], unit="money USD", description="Net revenue over 28 days", early=early),
        guardrail("latency", "Upload latency, p95", 2140.0, 0.05, [(*slow, latency), second], better="lower", unit="duration ms", description="95th percentile of upload time", early=early),
        guardrail("crash_free", "Crash-free sessions", 0.9962, 0.001, [(-0.0001, 0.0005, "held"), (0.0002, 0.0005, "held")], kind="absolute", unit="share", estimator="ratio", description="Sessions without a crash", early=early),
        guardrail("abuse", "Abuse reports", 0.0039, 0.08, [(-0.021, 0.062, "held"), second], better="lower", description="Reports per user and week", early=early),
        guardrail("nps_guard", "NPS", 31.4, 4.0, [(0.016, 0.083, "held"), (0.02, 0.08, "held")], kind="absolute", unit="points", description="Promoters minus detractors", early=early),
    ]  # fmt: skip
    return [replace(row, comparisons=row.comparisons[:arms], arms=row.arms[: arms + 1]) for row in rows]


def explore(arms: int) -> list[MetricResult]:
    changes = [comparison(v, 7.9, (0.004, 0.007), "unclear", p=0.27) for v in TREATMENTS[:arms]]
    return [metric("sessions", "Sessions", "explore", 7.9, changes, description="Sessions per user and week")]


def segments(arms: int) -> list[SegmentResult]:
    def group(label: str | None, size: int, estimate: float, half: float) -> SegmentGroup:
        values = [ArmValue("control", size, size, 0, 0, 0.1284)]
        values += [ArmValue(v, size, size, 0, 0, 0.1284 * (1 + estimate)) for v in TREATMENTS[:arms]]
        changes = [comparison(v, 0.1284, (estimate, half), "unclear", method="score") for v in TREATMENTS[:arms]]
        return SegmentGroup(label, tuple(values), tuple(changes))

    platform = (
        group("Android", 54820, 0.036, 0.024),
        group("iOS", 43960, 0.045, 0.027),
        group("Web", 8430, 0.051, 0.06),
    )
    market = (
        group("Americas", 36480, 0.052, 0.03),
        group("EMEA", 41440, 0.031, 0.028),
        group(None, 29280, 0.006, 0.049),
    )
    return [
        SegmentResult("Platform", "engaged_users", platform, 0, 0.62),
        SegmentResult("Market", "engaged_users", market, 3, 0.21, registered=False),
    ]


def health(failed: bool = False) -> tuple[HealthCheck, ...]:
    srm = {
        "p_value": 0.79,
        "observed": "107,214 / 107,092",
        "expected": "50 : 50",
        "max_deviation": 0.0003,
        "statistic": 0.07,
    }
    bad = {
        "p_value": 1.2e-9,
        "observed": "110,902 / 103,404",
        "expected": "50 : 50",
        "max_deviation": 0.0175,
        "statistic": 36.9,
    }
    return (
        HealthCheck("srm", "experiment", None, "fail" if failed else "pass", None, bad if failed else srm),
        HealthCheck("mixed_exposure", "experiment", None, "pass", None, {"share": 0.00033, "count": 71}),
        HealthCheck("missing_units", "metric", "nps_guard", "note", None, {"p_value": 0.4, "share": 0.94}),
        HealthCheck("maturity", "metric", "engaged_users", "note", None, {"share_immature": 0.0116, "mature_on": "2026-06-08"}),
        HealthCheck("runtime", "experiment", None, "pass", None, {"days": 28, "whole_weeks": 4}),
        HealthCheck("row_loss", "experiment", None, "pass", None, {"dropped": 1204, "share": 0.00001}),
        HealthCheck("exposure_before_start", "experiment", None, "pass", None, {"count": 0}),
        HealthCheck("min_counts", "experiment", None, "pass", None, {"units": 107092}),
        HealthCheck("late_or_future", "experiment", None, "pass", None, {"count": 12}),
        HealthCheck("time_gaps", "experiment", None, "pass", None, {"count": 0}),
        HealthCheck("denominator_shift", "metric", "completion", "pass", None, {"p_value": 0.44}),
        HealthCheck("leverage", "metric", "revenue", "pass", None, {"top_share": 0.0012}),
        HealthCheck("twyman", "metric", "engaged_users", "pass", None, {"lift": 0.0413}),
        HealthCheck("skewness", "metric", "revenue", "pass", None, {"needed": 41200, "units": 107092}),
        HealthCheck("novelty", "experiment", None, "not_run", "not_applicable"),
    )  # fmt: skip


def ledgers() -> tuple[Ledger, ...]:
    rows = (
        LedgerStep("unparsable", 4),
        LedgerStep("no_id", 1200),
        LedgerStep("ignored", 812004),
        LedgerStep("unassigned", 40120331),
        LedgerStep("before_exposure", 1022331, (("control", 511200), ("composer", 511131))),
        LedgerStep("used", 6157034, (("control", 3061022), ("composer", 3096012))),
    )
    units = (
        LedgerStep("mixed", 71),
        LedgerStep("immature", 2480, (("control", 1240), ("composer", 1240))),
        LedgerStep("used", 211826, (("control", 105974), ("composer", 105852))),
    )
    return (
        Ledger("app_events", "rows", 48112904, rows, (("fold", 12),)),
        Ledger("exposures", "units", 214377, units),
    )
