"""Method and data: how each number was made, and where every row and unit went."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.result import Comparison, Ledger, MetricResult
from abtest.reports.text import clean, clip
from abtest.reports.wording import Wording

SHORT_HASH = 12
TEXT_LIMIT = 700


@dataclass(frozen=True)
class Plain:
    """A table of text: the first cell of a row is its header; `right` marks columns of numbers."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    code: frozenset[int] = frozenset()


def method_facts(w: Wording) -> list[tuple[str, list[str]]]:
    """What was done, as terms with one or more sentences."""
    words, plan, experiment = w.words, w.result.plan, w.result.experiment
    units = w.units(w.total_units)
    if experiment.start and experiment.enroll_until:
        start, until = w.date(experiment.start), w.date(experiment.enroll_until)
        population = words("method.population_dates", units=units, start=start, until=until)
    else:
        population = words("method.population_value", units=units)
    alpha = w.share(plan.alpha)
    early = "_early" if w.early else ""
    goals = len(w.result.goals)
    many = []
    if goals:
        many.append(words.plural(f"method.goal_{plan.correct_goal}", goals))
    if w.result.with_role("secondary"):
        many.append(words(f"method.secondary_{plan.correct_secondary}"))
    tested = sum(s.interaction_p is not None for s in w.result.segments)
    if tested > 1:
        many.append(words(f"method.segments_{plan.correct_segments}", n=w.count(tested)))
    if w.result.guardrails:
        many.append(words("method.guardrails_none", alpha=w.share(plan.guardrail_alpha)))
    power = w.share(plan.power)
    if plan.detect is not None:
        detect = w.numbers.trimmed(100 * plan.detect, 2, sign=True)
        planned = words("method.power_value", detect=words("units.percent", n=detect), power=power, alpha=alpha)
    else:
        planned = words("method.power_plain", power=power, alpha=alpha)
    found = [
        (words("method.population"), [population]),
        (words("method.estimate"), [words("method.estimate_value")]),
        (words("method.interval"), [words(f"method.interval_{plan.method}{early}", level=w.level)]),
        (words("method.looks"), [words(f"method.looks_{plan.method}")]),
        (words("method.many"), many),
        (words("moderators.term"), [words("moderators.method")] if _moderated(w) else []),
        (words("movement.term"), _movement(w)),
        (words("method.power"), [planned]),
        (words("method.rule"), _rule(w)),
    ]
    if not experiment.has_time:
        found = [entry for entry in found if entry[0] != words("method.looks")]
    return [(term, texts) for term, texts in found if texts]


def _rule(w: Wording) -> list[str]:
    custom = w.result.decision.custom_rule
    if not custom:
        return [w.words("method.rule_default")]
    return [w.words("method.rule_custom"), *(clip(clean(line), 200) for line in custom)]


def _moderated(w: Wording) -> bool:
    shown = any(m.status == "ok" for m in w.result.moderators)
    return shown and not w.early and not w.every_look


def _movement(w: Wording) -> list[str]:
    """How movement was compared, for the section on method."""
    shown = [m.movement for m in w.result.metrics if m.movement is not None and m.movement.status == "ok"]
    if not shown or w.early or w.every_look:
        return []
    facts = [w.words("movement.method")]
    if any(m.form == "cross" for m in shown):
        facts.append(w.words("movement.method_cross"))
    return facts


def tests_table(w: Wording) -> Plain:
    """Which test each metric got and why; p-values only where effects may be shown."""
    valid = w.result.decision.valid
    names = ["table.metric", "method.kind", "method.test", "method.why"]
    names += ["method.p", "method.p_adjusted"] if valid else []
    rows = [_test_row(w, metric, one, valid) for metric in w.result.metrics for one in metric.comparisons]
    columns = tuple(w.words(name) for name in names)
    caption = w.words("method.tests_caption_early" if w.early and valid else "method.tests_caption")
    return Plain(caption, columns, tuple(rows), frozenset({4, 5}))


def _test_row(w: Wording, metric: MetricResult, comparison: Comparison, valid: bool) -> tuple[str, ...]:
    words = w.words
    name = w.metric(metric, 60)
    if w.many:
        name = words("segments.row_of", segment=name, variant=w.variant(comparison.variant))
    kind = words(words.known("estimator", metric.estimator), code=w.name(metric.estimator))
    if comparison.status == "no_test":
        return (
            name,
            kind,
            words("test.none.name"),
            w.no_test(comparison),
            *((words("table.no_value"),) * 2 if valid else ()),
        )
    method = words.known("test", comparison.method)
    code = w.name(comparison.method, 30)
    why = words(f"{method}.why")
    relative = w.no_relative(comparison) if valid else None
    if relative:
        why = f"{why} {words('card.no_interval', why=relative)}"
    p = comparison.p_value
    if metric.role == "guardrail" and comparison.margin is not None:
        p, why = comparison.margin.p_value, words("method.margin_test", why=why)
    digits = (w.p_alone(p), w.p_alone(comparison.p_adjusted))
    return (name, kind, words(f"{method}.name", code=code), why, *(digits if valid else ()))


def glossary(w: Wording) -> list[tuple[str, str]]:
    return [(entry["term"], entry["text"]) for entry in w.words.get("glossary")]


# Data


def short(fingerprint: str) -> str:
    """The front of a fingerprint, enough to compare by eye."""
    text = clean(fingerprint)
    prefix, colon, digits = text.rpartition(":")
    return prefix + colon + clip(digits, SHORT_HASH)


def variants_table(w: Wording) -> Plain:
    none = w.words("table.no_value")
    rows = tuple(
        (
            w.variant(v.id),
            w.name(v.key, 40),
            none if v.share is None else w.share(v.share),
            w.count(v.units),
        )
        for v in w.result.experiment.variants
    )
    columns = tuple(w.words(f"data.{key}") for key in ("variant", "key", "share", "units"))
    return Plain(w.words("data.variants"), columns, rows, frozenset({2, 3}))


def ledger_tables(w: Wording) -> list[Plain]:
    return [_ledger(w, ledger) for ledger in w.result.ledgers]


def _ledger(w: Wording, ledger: Ledger) -> Plain:
    words = w.words
    variants = [v.id for v in w.result.experiment.variants]
    split = any(step.by_variant for step in ledger.steps)
    rows = []
    for step in ledger.steps:
        by = dict(step.by_variant)
        name = words(words.known(f"ledger.{ledger.kind}", step.step), code=_plain(w, step.step))
        cells = [w.count(by[v]) if v in by else words("table.no_value") for v in variants] if split else []
        rows.append((name, w.count(step.count), *cells))
    for code, n in ledger.notes:
        note = words(words.known("ledger.note", code), code=_plain(w, code))
        cells = [words("table.no_value")] * len(variants) if split else []
        rows.append((words("ledger.noted", note=note), w.count(n), *cells))
    rows_of = ledger.kind == "rows"
    caption = "data.ledger_caption" if rows_of else "data.units_caption"
    source = w.name(ledger.source) if rows_of else w.single(ledger.source)
    heads = [words("data.step"), words("data.all"), *([w.variant(v, 24) for v in variants] if split else [])]
    numbers = frozenset(range(1, len(heads)))
    return Plain(words(caption, source=source, read=w.count(ledger.read)), tuple(heads), tuple(rows), numbers)


def _plain(w: Wording, code: str) -> str:
    """A code without words of its own, at least readable."""
    return w.name(code.replace("_", " "))


def sources_table(w: Wording) -> Plain | None:
    words = w.words
    sources = w.result.provenance.sources
    if not sources:
        return None
    rows = []
    for source in sources:
        span = words("table.no_value")
        if source.first and source.last:
            span = w.dates(source.first, source.last)
        files = w.join([w.name(name, 60) for name in source.files])
        rows.append(
            (
                w.name(source.name, 40),
                words(words.known("data.kinds", source.kind), kind=w.name(source.kind, 20)),
                files,
                w.count(source.rows),
                span,
                short(source.fingerprint),
            )
        )
    columns = tuple(words(f"data.{key}") for key in ("source", "kind", "files", "rows", "span", "fingerprint"))
    return Plain(words("data.sources"), columns, tuple(rows), frozenset({3}), frozenset({5}))


def definitions_table(w: Wording) -> Plain:
    words = w.words
    rows = []
    for metric in w.result.metrics:
        text = clip(w.defined(metric), TEXT_LIMIT)
        owner = w.name(metric.owner, 40) if metric.owner else words("table.no_value")
        code = short(metric.definition_hash)
        rows.append((w.metric(metric, 60), words(f"role.{metric.role}"), text, owner, code))
    columns = tuple(words(f"data.{key}") for key in ("definition", "role", "kind", "owner", "hash"))
    columns = (words("table.metric"), columns[1], words("data.definition"), columns[3], columns[4])
    return Plain(words("data.definitions"), columns, tuple(rows), code=frozenset({4}))


def software(w: Wording) -> list[tuple[str, str]]:
    """Versions and fingerprints, for whoever wants to get the same numbers again."""
    words, provenance, experiment = w.words, w.result.provenance, w.result.experiment
    libraries = [f"{w.name(name, 30)} {w.name(version, 30)}" for name, version in provenance.libraries]
    versions = words("list.separator").join([f"abtest {w.name(provenance.abtest_version, 30)}", *libraries])
    found = [
        (words("data.experiment"), w.name(experiment.id)),
        (words("data.software"), versions),
        (words("data.engine"), w.name(provenance.engine, 60)),
        (words("data.defaults"), words("data.defaults_value", n=str(provenance.defaults_version))),
        (words("data.config"), short(provenance.config_hash)),
        (words("data.plan"), short(provenance.plan_hash)),
    ]
    if experiment.has_time:
        found.append((words("data.timezone"), w.name(experiment.timezone, 40)))
    return found


def remarks(w: Wording) -> list[tuple[str, list[str]]]:
    """Changes since the start and warnings, in the words they were written in."""
    found = [
        (w.words("data.changes"), w.result.experiment.changes),
        (w.words("data.warnings"), w.result.warnings),
    ]
    return [(term, [clip(clean(text), TEXT_LIMIT) for text in texts]) for term, texts in found if texts]


def command(w: Wording) -> str:
    return clip(clean(w.result.provenance.command), TEXT_LIMIT)


def footer(w: Wording) -> str:
    provenance, through = w.result.provenance, w.result.experiment.data_through
    data = "".join(short(source.fingerprint) for source in provenance.sources[:1]) or w.words("table.no_value")
    slots = {"id": w.name(w.result.experiment.id), "version": w.name(provenance.abtest_version), "fingerprint": data}
    if through:
        return w.words("footer_through", date=w.date(through), **slots)
    return w.words("footer", **slots)
