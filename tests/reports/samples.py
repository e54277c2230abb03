"""Results built by hand, with the numbers of a photo app: what the analysis would hand to the renderers."""

from __future__ import annotations

from dataclasses import replace

from abtest.analysis.result import (
    SCHEMA,
    ArmValue,
    Decision,
    ExperimentInfo,
    Ledger,
    LedgerStep,
    MetricResult,
    PlanInfo,
    Provenance,
    Result,
    RuleLine,
    SourceInfo,
    VariantDecision,
    VariantInfo,
)

from .sample_beside import beside
from .sample_days import over_days
from .sample_movement import moved
from .sample_parts import HASHES, N, explore, goals, guardrails, health, ledgers, secondary, segments, untested


def decision(
    verdict: str,
    reason: str,
    arms: int,
    counts: dict[str, int],
    guards: dict[str, int],
    early: bool,
    keys: tuple[str, ...],
) -> Decision:
    rules = (
        RuleLine("goals", counts["better"] > 0 and not counts["worse"], keys, counts),
        RuleLine("guardrails", guards["held"] + guards["held_but_worse"] == guards["total"], (), guards),
        RuleLine(
            "health",
            verdict != "dont_decide",
            (),
            {"passed": 10, "notes": 2, "failed": int(verdict == "dont_decide"), "not_run": 1},
        ),
        RuleLine(
            "runtime",
            not early,
            (),
            {"days_run": 15 if early else 28, "days_planned": 28, "units": 214306, "end": "2026-05-31"},
        ),
    )
    mine = [VariantDecision("composer", verdict, reason, rules)]  # type: ignore[arg-type]
    if arms > 1:
        other = {"ship": ("dont_ship", "no_clear_gain")}.get(verdict, (verdict, reason))
        mine.append(VariantDecision("quick", other[0], other[1], rules))  # type: ignore[arg-type]
    return Decision(verdict, reason, "composer", verdict != "dont_decide", rules, tuple(mine))  # type: ignore[arg-type]


def build(verdict: str, shape: str) -> Result:
    """One sample: a verdict in one of five shapes."""
    arms = 2 if shape == "three_variants" else 1
    early, failed = verdict == "keep_running", verdict == "dont_decide"
    many = 3 if shape == "three_goals" else 1
    guarded = shape != "no_guardrail"
    kinds = {"ship": "better", "dont_ship": "worse" if shape == "one_goal" else "unclear", "keep_running": "early"}
    latency = "held_but_worse"
    reasons = {"ship": "goal_better", "keep_running": "too_early", "dont_decide": "health_failed"}
    reason = reasons.get(verdict, "goal_worse" if shape == "one_goal" else "no_clear_gain")
    if verdict == "dont_ship" and shape == "three_goals":
        latency, reason = "broken", "guardrail_broken"
    if verdict == "dont_ship" and shape == "three_variants":
        latency, reason = "not_shown", "guardrail_not_shown"
    found = goals(many, arms, kinds.get(verdict, "better"))
    states = [goal.comparisons[0].state for goal in found]
    counts = {code: states.count(code) for code in ("better", "worse", "unclear", "no_test")}  # type: ignore[arg-type]
    guards = guardrails(arms, latency, early) if guarded else []
    labels = [g.comparisons[0].margin.label for g in guards if g.comparisons[0].margin]
    kept = {code: labels.count(code) for code in ("held", "held_but_worse", "not_shown", "broken", "no_test")}  # type: ignore[arg-type]
    kept["total"] = len(guards)
    variants = (
        VariantInfo("control", "Control", "A", 0.5 if arms == 1 else 1 / 3, N[0]),
        VariantInfo("composer", "Composer v3" if arms > 1 else "Treatment", "B", 0.5 if arms == 1 else 1 / 3, N[1]),
        VariantInfo("quick", "Quick share", "C", 1 / 3, N[2]),
    )[: arms + 1]
    return Result(
        schema=SCHEMA,
        experiment=ExperimentInfo(
            id="photo-composer-v3",
            title="Photo composer v3",
            owner="Team Creation",
            hypothesis="Uploading in the background makes posting feel instant, so more people post regularly.",
            unit="user",
            baseline="control",
            variants=variants,
            has_time=True,
            timezone="Europe/Amsterdam",
            start="2026-05-04",
            enroll_until="2026-05-17",
            end="2026-05-31",
            data_through="2026-05-18" if early else "2026-05-31",
            days_run=15 if early else 28,
            days_planned=28,
            reached_end=not early,
            iteration_of="photo-composer-v2",
        ),
        plan=PlanInfo("fixed", 0.05, 0.025, 0.8, 0.025, "holm", 0.0005, "bh"),
        decision=decision(verdict, reason, arms, counts, kept, early, tuple(goal.key for goal in found)),
        metrics=(*found, *secondary(arms), *guards, *explore(arms)),
        segments=() if shape == "no_segments" else tuple(segments(arms)),
        health=health(failed),
        ledgers=ledgers(),
        provenance=Provenance(
            abtest_version="0.1.0",
            config_hash=HASHES[1],
            plan_hash=HASHES[2],
            command="abtest run experiments/photo-composer-v3.yaml --data exports/2026-06-02",
            sources=(
                SourceInfo(
                    "app_events", "events", ("events-*.parquet",), 48112904, HASHES[0], "2026-04-06", "2026-06-01"
                ),
                SourceInfo("survey", "answers", ("nps.csv",), 12789, HASHES[2]),
            ),
            engine="duckdb",
            defaults_version=1,
            libraries=(("numpy", "2.1.0"), ("scipy", "1.14.1")),
        ),
    )


VERDICTS = ("ship", "dont_ship", "keep_running", "dont_decide")
SHAPES = ("one_goal", "three_goals", "no_guardrail", "three_variants", "no_segments")
NASTY = (
    "<script>alert(1)</script> \"q\" 's' | a|b\n# head `code` [x](http://evil.example) @team & **bold** 🎉👩‍👩‍👧 "
    "\x1b[31mred\x07 \u202eevil\u202c 日本語"
)


def nasty() -> Result:
    """Names that try to break every output."""
    base = build("ship", "one_goal")

    def rename(m: MetricResult) -> MetricResult:
        if m.key == "likes":
            return replace(m, title="x" * 10000)
        if m.key == "photos":
            return replace(m, title="משתמשים פעילים (שבוע)")
        return replace(m, title=NASTY, description=NASTY, meaning=NASTY)

    metrics = tuple(rename(m) for m in base.metrics)
    variants = tuple(replace(v, title=NASTY) for v in base.experiment.variants)
    experiment = replace(
        base.experiment, title=NASTY + "y" * 10000, hypothesis=NASTY, owner=NASTY, unit="</script>", variants=variants
    )
    found = tuple(
        replace(s, dimension=NASTY, groups=tuple(replace(g, label=NASTY) for g in s.groups)) for s in base.segments
    )
    sources = (SourceInfo(NASTY, "events", (NASTY,), 1, NASTY),)
    return replace(
        base,
        experiment=experiment,
        metrics=metrics,
        segments=found,
        provenance=replace(base.provenance, sources=sources, command=NASTY, abtest_version=NASTY),
        warnings=(NASTY,),
    )


def zero() -> Result:
    """No rows at all: every metric exists and says why it has no test."""
    base = build("ship", "one_goal")
    metrics = []
    for m in (replace(m, mature_on=None) for m in base.metrics):
        arms = tuple(ArmValue(arm.variant, 0, 0, 0, 0, None) for arm in m.arms)
        metrics.append(replace(m, arms=arms, comparisons=tuple(untested(c.variant, "no_units") for c in m.comparisons)))
    counts = {"better": 0, "worse": 0, "unclear": 0, "no_test": 1}
    guards = {"held": 0, "held_but_worse": 0, "not_shown": 0, "broken": 0, "no_test": 5, "total": 5}
    chosen = decision("keep_running", "no_test", 1, counts, guards, True, ("engaged_users",))
    variants = tuple(replace(v, units=0) for v in base.experiment.variants)
    checks = tuple(replace(c, level="not_run", reason="no_data", values=None) for c in base.health)
    return replace(
        base,
        experiment=replace(base.experiment, variants=variants, days_run=0, data_through=None),
        decision=chosen,
        metrics=tuple(metrics),
        segments=(),
        health=checks,
        ledgers=(Ledger("app_events", "rows", 0, (LedgerStep("used", 0),)),),
    )


def no_time() -> Result:
    """Outcomes without dates: one row per unit, no days, no maturity."""
    base = build("ship", "one_goal")
    experiment = replace(
        base.experiment,
        has_time=False,
        start=None,
        end=None,
        enroll_until=None,
        data_through=None,
        days_run=None,
        days_planned=None,
        hypothesis=None,
        owner=None,
        iteration_of=None,
    )
    checks = tuple(
        replace(c, level="not_run", reason="no_time", values=None)
        if c.key in ("runtime", "maturity", "time_gaps", "late_or_future", "exposure_before_start")
        else c
        for c in base.health
    )
    metrics = tuple(replace(m, window=None, mature_on=None) for m in base.metrics)
    return replace(base, experiment=experiment, health=checks, metrics=metrics)


def samples() -> dict[str, Result]:
    found = {f"{verdict}-{shape}": build(verdict, shape) for verdict in VERDICTS for shape in SHAPES}
    found |= {f"beside-{key}": beside(found[key]) for key in ("ship-one_goal", "keep_running-three_variants")}
    found |= {f"moved-{key}": moved(found[key]) for key in ("ship-three_variants", "keep_running-one_goal")}
    found |= {f"days-{key}": over_days(found[key]) for key in ("ship-three_goals", "keep_running-three_variants")}
    return {**found, "nasty": over_days(moved(beside(nasty()))), "zero": zero(), "no_time": no_time()}
