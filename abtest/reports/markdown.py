"""The short summary for a pull request, a mail or a chat: one sentence, one table, under 3 kB.

Names come from YAML and are escaped, so that a title cannot break the table, mention people or link anywhere.
"""

from __future__ import annotations

import re

from abtest.analysis.result import MetricResult, Result
from abtest.reports.appendix import short
from abtest.reports.health import counts
from abtest.reports.limits import followed
from abtest.reports.tables import stamp_notes
from abtest.reports.verdict import comparison_of, guardrail_labels, headline, low_end, sentence
from abtest.reports.wording import Shown, Wording

MOST_BYTES = 3000
NAME_LIMIT = 48

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#^])")
_LINE_START = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s|$)")
_WORD_JOINER = "\u2060"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no mention, no automatic link.

    >>> escape("a|b <b> *c*")
    'a\\\\|b \\\\<b\\\\> \\\\*c\\\\*'
    """
    text = _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;"))
    text = _LINE_START.sub(lambda m: m[1] + m[2][:-1] + "\\" + m[2][-1], text)
    # A mention or a bare address has no escape of its own; an invisible joiner stops it from being recognised.
    text = text.replace("@", "@" + _WORD_JOINER).replace("://", f":{_WORD_JOINER}//")
    return re.sub(r"(?i)\bwww\.", lambda m: m[0][:-1] + _WORD_JOINER + ".", text)


def render_markdown(result: Result, *, language: str = "en") -> str:
    """The summary as GitHub-flavoured Markdown, shorter than 3 kB whatever the number of metrics."""
    w = _MarkdownWording(result, language)
    rows = _rows(w) if result.decision.valid else []
    keep = len(rows)
    while True:
        text = _document(w, rows[:keep], len(rows) - keep)
        if keep == 0 or len(text.encode("utf-8")) < MOST_BYTES:
            return text
        keep -= 1


class _MarkdownWording(Wording):
    """Wording whose every name is escaped, so that no sentence can forget it."""

    def name(self, text: str, limit: int = NAME_LIMIT) -> str:
        return escape(super().name(text, min(limit, NAME_LIMIT)))


def _document(w: _MarkdownWording, rows: list[str], cut: int) -> str:
    words, result = w.words, w.result
    decision, experiment = result.decision, result.experiment
    heading = words(
        "markdown.heading",
        mark=words(f"verdict.{decision.verdict}.mark"),
        verdict=words(f"verdict.{decision.verdict}.word"),
        name=w.name(experiment.title or experiment.id),
    )
    parts = [f"## {heading}", sentence(w)]
    if w.many:
        parts += [
            "\n".join(
                f"- **{w.variant(of.variant)}**: {words(f'verdict.{of.verdict}.word')}" for of in decision.by_variant
            )
        ]
    if rows:
        parts.append("\n".join([*_table_head(w), *rows]))
    parts.append(" ".join([*_rest(w, cut), _health(w), _size(w)]))
    notes = [*_low_end(w), _not_covered(w)] if decision.valid else [words("markdown.hidden")]
    parts.append(" ".join(notes))
    provenance = result.provenance
    data = "".join(short(source.fingerprint) for source in provenance.sources[:1]) or words("table.no_value")
    line = words(
        "markdown.provenance",
        version=w.name(provenance.abtest_version),
        data=escape(data),
        config=escape(short(provenance.config_hash)),
    )
    parts.append(f"<sub>{line}</sub>")
    return "\n\n".join(parts) + "\n"


def _table_head(w: _MarkdownWording) -> list[str]:
    words = w.words
    names = ["", words("markdown.metric"), words("markdown.change"), _head_label(w), words("markdown.verdict")]
    return ["| " + " | ".join(names).strip() + " |", "|---|---|--:|:-:|---|"]


def _head_label(w: _MarkdownWording) -> str:
    head = headline(w)
    return head.change.label if head and head.change else w.interval_label()


def _rows(w: _MarkdownWording) -> list[str]:
    """Goals and clear secondary metrics, then all guardrails, for the treatment that the verdict speaks of."""
    variant = w.result.decision.variant
    rows = [_metric_row(w, metric, variant) for metric in w.result.goals]
    rows += [
        _metric_row(w, metric, variant) for metric in w.result.with_role("secondary") if _clear(w, metric, variant)
    ]
    for metric, label in guardrail_labels(w.result, variant):
        comparison = comparison_of(metric, variant)
        text = w.label("guardrail", label)
        if comparison is not None and comparison.margin is not None:
            margin = w.words("margin.text", margin=w.margin(metric, comparison.margin))
            text = w.words("markdown.held", label=text, margin=margin)
        shown = w.guardrail_shown(comparison) if comparison is not None else None
        role = w.words("role.guardrail")
        if shown is not None and (own := w.change(metric, shown).label) != _head_label(w):
            # The column is headed by the interval of the goal.
            role = w.words("role.guardrail_labelled", label=own)
        rows.append(_row(w, metric, shown, role, text, w.no_test(comparison)))
    return rows


def _clear(w: Wording, metric: MetricResult, variant: str) -> bool:
    comparison = comparison_of(metric, variant)
    return comparison is not None and comparison.status == "ok" and w.state(comparison) in ("better", "worse")


def _metric_row(w: _MarkdownWording, metric: MetricResult, variant: str) -> str:
    comparison = comparison_of(metric, variant)
    shown = None if comparison is None else w.shown(comparison)
    state = "no_test" if comparison is None or comparison.status == "no_test" else w.state(comparison)
    role = w.words("role.goal") if metric.role == "goal" else ""
    return _row(w, metric, shown, role, w.label("state", state), w.no_test(comparison), bold=metric.role == "goal")


def _row(
    w: _MarkdownWording,
    metric: MetricResult,
    shown: Shown | None,
    role: str,
    label: str,
    absent: str,
    *,
    bold: bool = False,
) -> str:
    name = w.metric(metric)
    if notes := stamp_notes(w, metric):
        name = w.words("markdown.stamped", name=name, note=w.words("table.note_join").join(notes))
    if shown is None:
        change, interval = w.words("table.no_value"), absent
    else:
        found = w.change(metric, shown)
        change, interval = found.estimate, found.interval
    if bold:
        name, change, label = (f"**{text}**" for text in (name, change, label))
    return f"| {role} | {name} | {change} | {interval} | {label} |".replace("|  |", "| |", 1)


def _rest(w: _MarkdownWording, cut: int) -> list[str]:
    if not w.result.decision.valid:
        return []
    variant = w.result.decision.variant
    others = [metric for metric in w.result.with_role("secondary") if not _clear(w, metric, variant)]
    tested = [c for c in (comparison_of(metric, variant) for metric in others) if c is not None and c.status == "ok"]
    untested = len(others) - len(tested)
    found = [w.words.plural("markdown.rest", len(tested))] if tested else []
    found += [w.words.plural("markdown.untested", untested)] if untested else []
    return [*found, w.words.plural("markdown.cut", cut)] if cut else found


def _health(w: _MarkdownWording) -> str:
    c = counts(w.result)
    return w.words(
        "markdown.health",
        passed=w.count(c.passed),
        total=w.count(c.total),
        notes=w.words.plural("markdown.notes", c.notes),
        failed=w.count(c.failed),
    )


def _size(w: _MarkdownWording) -> str:
    experiment = w.result.experiment
    units = w.units(w.total_units)
    if experiment.days_run is None:
        return w.words("markdown.size_plain", units=units)
    run = w.count(experiment.days_of_plan or 0)
    if experiment.days_planned is None:
        return w.words("markdown.size_days", units=units, run=run)
    return w.words("markdown.size", units=units, run=run, planned=w.count(experiment.days_planned))


def _low_end(w: _MarkdownWording) -> list[str]:
    head = headline(w)
    end = low_end(w, head) if head else None
    return [w.words("markdown.low_end", low=end)] if end else []


def _not_covered(w: _MarkdownWording) -> str:
    days = w.result.experiment.days_run
    if not days:
        return w.words("markdown.not_covered_days" if w.result.experiment.has_time else "markdown.not_covered_time")
    windows = followed(w)
    if windows:
        return w.words("markdown.not_covered_window", window=windows)
    return w.words.plural("markdown.not_covered", days)
