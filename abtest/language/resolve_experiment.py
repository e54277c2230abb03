"""Names in experiments to what they name: metrics, exposures, units, segments; and the rules between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.language.canonical import events_of
from abtest.language.catalogue import PREFIX
from abtest.language.clusters import refuse_beside_clusters, resolve_cluster
from abtest.language.metric_model import FINER_UNITS
from abtest.language.metric_rules import check_before
from abtest.language.metric_units import margin_fits
from abtest.language.model import (
    Column,
    Event,
    Experiment,
    Group,
    Metric,
    MetricUse,
    Segment,
    Source,
    Window,
    Written,
)
from abtest.language.resolve_beside import (
    check_drivers,
    check_mechanism,
    check_targets,
    check_trigger_window,
    check_value,
    resolve_moderator,
    resolve_trigger,
)
from abtest.language.resolve_metrics import NOTHING, Broken, resolve_metric
from abtest.language.resolve_parts import home_of
from abtest.language.statistical_tests import WITHOUT_MARGIN
from abtest.language.suggest import did_you_mean
from abtest.language.yaml import Text
from abtest.problems import Problems, quoted


def resolve_experiment(
    experiment: Experiment,
    sources: Mapping[str, Source],
    events: Mapping[str, Event],
    metrics: Mapping[str, Metric],
    broken: Broken,
    broken_sources: Broken,
    problems: Problems,
    groups: Mapping[str, Group] = NOTHING,
    broken_events: Broken = frozenset(),
    broken_groups: Broken = frozenset(),
) -> Experiment:
    """The experiment with margins in units of the values and segments bound to their sources."""
    if experiment.exposure_source not in broken_sources:
        _check_exposure(experiment, sources, problems)
    exposure = sources.get(experiment.exposure_source)
    unit_known = exposure is None or exposure.unit_path(experiment.unit) is not None
    uses = []
    for use in experiment.metrics:
        metric = metrics.get(use.name)
        if metric is None:
            if use.name not in broken:
                problems.error(
                    "E204",
                    f"no metric {quoted(use.name)}",
                    use.place,
                    did_you_mean(use.name, metrics, "Metrics") or "Define it under  metrics:",
                )
            continue
        uses.append(_resolve_use(use, metric, problems))
        _check_use(use, metric, experiment, problems)
        if unit_known and metric.unit in (None, experiment.unit, *FINER_UNITS):
            _check_unit(metric, use, experiment, sources, events, problems)
            _check_covariates(metric, use, experiment, sources, events, metrics, problems)
    found = [
        _resolve_behaviour(g, events, sources, broken_events, broken_sources, problems)
        if g.condition is not None
        else _resolve_segment(g, experiment, sources, groups, problems)
        for g in experiment.segments
        if g.group not in broken_groups and (not broken_sources or not g.prop or g.source in sources)
    ]
    segments = tuple(s for s in found if s is not None)
    trigger = experiment.trigger
    if trigger is not None:
        check_trigger_window(experiment, metrics, problems)
        read = resolve_trigger(trigger, events, sources, broken_events, broken_sources, problems)
        if read is not None and read.condition is not None:
            trigger = replace(trigger, condition=read.condition)
            place = MetricUse("the trigger", "part", place=trigger.place)
            if unit_known:
                _check_unit(read, place, experiment, sources, events, problems)
    if experiment.value is not None:
        check_value(experiment, metrics, problems)
    _check_pairs(uses, experiment, metrics, problems)
    if experiment.drivers is not None:
        check_drivers(experiment, metrics, problems)
    check_mechanism(experiment, problems)
    check_targets(experiment, metrics, problems)
    for rule in experiment.decide:
        for quantifier, name, _ in rule.tests:
            if quantifier == "metric" and name not in {u.name for u in experiment.metrics}:
                problems.error(
                    "E417",
                    f"decide {rule.outcome} speaks of {quoted(name)}, which is not in this experiment",
                    experiment.at(f"decide.{rule.outcome}"),
                    did_you_mean(name, [u.name for u in experiment.metrics]),
                )
    if experiment.start is None and any(s.time is not None for s in sources.values()):
        problems.warn(
            "W402",
            f"experiment {experiment.id} has no dates, although its data have time",
            experiment.place,
            "Add  dates: {start: 2026-03-02, end: 2026-03-29}",
        )
    asked = [m for m in experiment.moderators if not broken_sources or m.source in sources]
    resolved = (resolve_moderator(m, experiment, sources, problems) for m in asked)
    moderators = tuple(m for m in resolved if m is not None)
    cluster = None if broken_sources else resolve_cluster(experiment, sources, problems)
    if experiment.cluster is not None:
        refuse_beside_clusters(experiment, metrics, problems)
    return replace(
        experiment, metrics=tuple(uses), segments=segments, cluster=cluster, trigger=trigger, moderators=moderators
    )


def _check_pairs(
    uses: list[MetricUse], experiment: Experiment, metrics: Mapping[str, Metric], problems: Problems
) -> None:
    """A goal may ask for a guardrail beside it, by the name of a metric or of an entry of the catalogue."""
    watched = {u.name for u in uses if u.role in ("goal", "guardrail")} | {experiment.value or ""}
    watched |= {(metrics[n].uses or "").removeprefix(PREFIX) for n in watched if n in metrics}
    for use in uses:
        wanted = metrics[use.name].guardrail
        if use.role == "goal" and wanted is not None and wanted not in watched:
            hint = f"Add  guardrail: [{wanted}]" + ("" if wanted in metrics else f"  with  uses: {PREFIX}{wanted}")
            problems.warn(
                "W430", f"goal {use.name} should have {quoted(wanted)} beside it as a guardrail", use.place, hint
            )


def _resolve_use(use: MetricUse, metric: Metric, problems: Problems) -> MetricUse:
    if use.role in ("goal", "guardrail") and metric.better is None:
        problems.error(
            "E403",
            f"{use.role} {use.name} does not say which direction is better",
            use.place,
            f"Add  better: higher  to metric {use.name} ({metric.place.file}:{metric.place.line})",
        )
    margin = use.margin or metric.margin
    if use.role == "guardrail" and margin is None:
        problems.error(
            "E404",
            f'guardrail {use.name} has no margin, so "held" cannot be decided',
            use.place,
            f"Write  {{{use.name}: {{margin: 2%}}}}  with the loss that you would still accept",
        )
    if use.role == "guardrail" and metric.test in WITHOUT_MARGIN:
        problems.error(
            "E318",
            f"guardrail {use.name}: the test {metric.test} does not say whether a margin is held",
            use.place,
            f"Remove  test  from metric {use.name}.",
        )
    if margin is not None:
        # A margin of the metric itself has been judged with the metric.
        judge = problems if use.margin else Problems()
        margin = margin_fits(margin, metric, use.margin_place or use.place, judge)
    return replace(use, margin=margin)


def _check_use(use: MetricUse, metric: Metric, experiment: Experiment, problems: Problems) -> None:
    """A metric of an experiment looks at what follows exposure, at units no coarser than those randomised."""
    if metric.window.before:
        problems.error(
            "E311",
            f"{use.name} looks at  over: {metric.window},  before anybody saw a variant",
            use.place,
            "Such a metric serves  adjust  and  segments.",
        )
    own = experiment.unit
    if metric.unit is None or metric.unit == own or not own:
        return
    if metric.unit not in FINER_UNITS:
        problems.error(
            "E313",
            f"{use.name} is measured per {metric.unit} but {own}s are randomised: one {metric.unit} can see both variants",
            use.place,
            f"Randomise by {metric.unit} or pick a {own} metric",
        )
    elif metric.per is not None or metric.kind not in ("did", "amount"):
        what = "with `per`" if metric.per is not None else f"as a {metric.kind}"
        hint = "A yes or no, or an amount, over one window is averaged over them."
        problems.error("E313", f"{use.name} per {metric.unit} cannot be measured {what}", use.place, hint)


def _check_exposure(experiment: Experiment, sources: Mapping[str, Source], problems: Problems) -> None:
    name = experiment.exposure_source
    source = sources.get(name)
    if source is None:
        if name:
            problems.error(
                "E203",
                f"no source {quoted(name)} for the exposure",
                experiment.at("exposure.source"),
                did_you_mean(name, sources, "Sources"),
            )
        return
    if source.variant is None:
        problems.error(
            "E203",
            f"source {name} maps no variant, so it cannot say who saw what",
            experiment.at("exposure.source"),
            f"Add to source {name}:  columns: {{variant: COLUMN}}",
        )
    if experiment.flag is not None and source.flag is None:
        problems.error(
            "E203",
            f"source {name} maps no flag, so {quoted(experiment.flag)} cannot be found in it",
            experiment.at("exposure.flag"),
            f"Add to source {name}:  columns: {{flag: COLUMN}}",
        )
    if source.flag is not None and experiment.flag is None:
        problems.error(
            "E203",
            f"source {name} holds several flags; which one is this experiment?",
            experiment.at("exposure"),
            "Add  exposure: {source: …, flag: NAME}",
        )
    if experiment.unit and source.unit_path(experiment.unit) is None:
        problems.error(
            "E312",
            f"source {name} has no unit {quoted(experiment.unit)}",
            experiment.at("unit"),
            did_you_mean(experiment.unit, dict(source.units), "Units there"),
        )


def _check_unit(
    metric: Metric,
    use: MetricUse,
    experiment: Experiment,
    sources: Mapping[str, Source],
    events: Mapping[str, Event],
    problems: Problems,
) -> None:
    names = {events[e].source for e in events_of(metric) if e in events}
    names |= {p.source for p in (metric.column, *(metric.parts or ())) if isinstance(p, Column)}
    for name in sorted(names & set(sources)):
        source = sources[name]
        if experiment.unit and source.unit_path(experiment.unit) is None:
            problems.error(
                "E312",
                f"{use.name} cannot be measured per {experiment.unit}: source {name} has no unit {quoted(experiment.unit)}",
                use.place,
                did_you_mean(experiment.unit, dict(source.units), f"Units of {name}"),
            )
        if (
            source.kind == "events"
            and sources.get(experiment.exposure_source) is not None
            and sources[experiment.exposure_source].time is None
        ):
            problems.error(
                "E310",
                f"{use.name} counts what follows the exposure, and source {experiment.exposure_source} has no time",
                use.place,
                "Map the time of the exposure.",
            )


def _check_covariates(
    metric: Metric,
    use: MetricUse,
    experiment: Experiment,
    sources: Mapping[str, Source],
    events: Mapping[str, Event],
    metrics: Mapping[str, Metric],
    problems: Problems,
) -> None:
    """What a metric is adjusted by is known of the units that are randomised."""
    if metric.adjust is None:
        return
    for name in metric.adjust.metrics:
        if name in metrics:
            _check_unit(metrics[name], replace(use, name=name), experiment, sources, events, problems)
    for name, prop in metric.adjust.attributes:
        source = sources.get(name)
        if source is not None and experiment.unit and source.unit_path(experiment.unit) is None:
            problems.error(
                "E312",
                f"{use.name} cannot be adjusted by {name}.{prop}: source {name} has no unit {quoted(experiment.unit)}",
                use.place,
                did_you_mean(experiment.unit, dict(source.units), f"Units of {name}"),
            )


def _resolve_segment(
    segment: Segment,
    experiment: Experiment,
    sources: Mapping[str, Source],
    groups: Mapping[str, Group],
    problems: Problems,
) -> Segment | None:
    """`country` or `people.country`, from attributes (or per-unit tables) that know the experiment's unit; or a group
    over days before exposure."""
    if segment.group is not None:
        if segment.group not in groups:
            hint = did_you_mean(segment.group, groups, "Groups")
            problems.error("E204", f"no group {quoted(segment.group)} to split by", segment.place, hint)
            return None
        return segment
    source = home_of(segment.prop, sources, f"segment {segment.name}", segment.place, problems, segment.source)
    if source is None:
        return None
    if experiment.unit and source.unit_path(experiment.unit) is None:
        problems.error(
            "E312", f"segment {segment.prop}: source {source.name} has no unit {quoted(experiment.unit)}", segment.place
        )
        return None
    if not source.known_before_exposure:
        problems.warn(
            "W314",
            f"segment {segment.prop}: is it known before the exposure?",
            segment.place,
            f"If so, say  known: before_exposure  in source {source.name}; if not, groups are not comparable.",
        )
    return replace(segment, source=source.name)


def _resolve_behaviour(
    segment: Segment,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    broken_events: Broken,
    broken_sources: Broken,
    problems: Problems,
) -> Segment | None:
    """`(like >= 5) before 28 days`, its names and units resolved."""
    assert segment.condition is not None
    piece = Written(segment.condition, Text(segment.name, segment.place, True))
    window = Window(-segment.days, -1)
    alone = Metric(
        f"segment {segment.name}", "did", segment.condition, window=window, written=(piece,), place=segment.place
    )
    check_before(segment.condition, segment.days, alone, piece, problems)
    metric = resolve_metric(alone, events, sources, problems, broken_events, broken_sources)
    return None if metric is None else replace(segment, condition=metric.condition)
