"""The result in a terminal: one line per metric with its interval as text and as a small plot.

Never wider than asked for. Colour is the caller's decision; without it the text is plain. Names come from YAML and
data, so control characters, which could rewrite what stands on the screen, are stripped before anything is placed.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from abtest.analysis.result import Comparison, MetricResult, Result
from abtest.reports.health import check_texts, counts
from abtest.reports.labels import TONES
from abtest.reports.svg import SMALLEST, Scale, step_size
from abtest.reports.tables import by_clarity
from abtest.reports.text import clean, columns, fit
from abtest.reports.verdict import comparison_of, guardrail_labels, sentence
from abtest.reports.wording import Shown, Wording

WIDEST = 120
NAME_LEAST = 14
PLOT_MOST, PLOT_LEAST = 25, 15
_COLOURS = {"good": "32", "bad": "31", "warn": "33", "flat": "90", "bold": "1"}
# What a terminal without Unicode can show in its place, one column for one, so that no line grows; everything else
# that is not ASCII becomes a question mark.
_ASCII: dict[int, int | str] = {**str.maketrans("−–—─●│┼…’‘“”‹›", "----o|+~''\"\"<>"), ord("→"): "->", ord("±"): "+-"}


@dataclass(frozen=True)
class _Line:
    name: str
    change: str
    interval: str
    shown: Shown | None
    label: str
    tone: str


def render_terminal(
    result: Result,
    *,
    width: int = 100,
    colour: bool,
    ascii_only: bool = False,
    language: str = "en",
    report_path: str | None = None,
) -> str:
    """The result as text of at most `width` (and 120) columns."""
    w = Wording(result, language, isolating=False)
    width = max(40, min(width, WIDEST))
    decision = result.decision
    tone = TONES[decision.verdict][0]
    word = w.words(f"verdict.{decision.verdict}.ascii")
    out = [
        painted(word, tone, colour, bold=True)
        + "  "
        + fit(w.name(result.experiment.title or result.experiment.id), max(10, width - len(word) - 2)).rstrip()
    ]
    out += _wrap(sentence(w), width)
    if w.many:
        for of in decision.by_variant:
            line = f"  {w.variant(of.variant)}: {w.words(f'verdict.{of.verdict}.word')}"
            out.append(painted(fit(line, width).rstrip(), TONES[of.verdict][0], colour))
    out.append("")
    if decision.valid:
        out += _metrics(w, width, colour)
    elif decision.reason != "health_failed":
        out += [*_wrap(w.words("terminal.hidden"), width), ""]
    out += _foot(w, width, colour, report_path)
    return encoded("\n".join(line.rstrip() for line in out) + "\n", ascii_only)


def render_line(result: Result, *, colour: bool, ascii_only: bool = False, language: str = "en") -> str:
    """The verdict and why, in one line of at most 120 columns without a break at its end."""
    w = Wording(result, language, isolating=False)
    decision = result.decision
    word = w.words(f"verdict.{decision.verdict}.ascii")
    why = w.words(w.words.known("iterations.why", decision.reason))
    clause = w.words("iterations.verdict", verdict=w.name(result.experiment.title or result.experiment.id, 60), why=why)
    line = painted(word, TONES[decision.verdict][0], colour, bold=True) + "  "
    return encoded(line + fit(clause, WIDEST - columns(word) - 2).rstrip(), ascii_only)


def encoded(text: str, ascii_only: bool) -> str:
    text = text.replace("\u00a0", " ")
    return "".join(map(_plain, text.translate(_ASCII))) if ascii_only else text


def _plain(char: str) -> str:
    """The letter below an accent, else a question mark; one column either way."""
    if char.isascii():
        return char
    letter = unicodedata.normalize("NFD", char)[0]
    return letter if letter.isascii() else "?"


def painted(text: str, tone: str, colour: bool, *, bold: bool = False) -> str:
    code = _COLOURS.get(tone)
    if not colour or code is None or not text:
        return text
    return f"\x1b[{'1;' if bold else ''}{code}m{text}\x1b[0m"


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        room = width - (len(indent) if lines else 0)
        if line and columns(line) + 1 + columns(word) > room:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else fit(word, min(columns(word), room))
    return [lines_ if i == 0 else indent + lines_ for i, lines_ in enumerate([*lines, line])]


# The table


def _metrics(w: Wording, width: int, colour: bool) -> list[str]:
    variants = w.treatments
    label = w.interval_label()
    blocks: list[tuple[str, list[_Line]]] = []
    for role, key in (
        ("goal", "goal"),
        ("secondary", "secondary"),
        ("guardrail", "guardrails"),
        ("explore", "explore"),
    ):
        metrics = [metric for metric in w.result.metrics if metric.role == role]
        if not metrics:
            continue
        title = w.words.plural("terminal.goal", len(metrics)) if role == "goal" else w.words(f"terminal.{key}")
        if role == "secondary":
            metrics = by_clarity(w, metrics)
        lines = [_line(w, metric, variant) for metric in metrics for variant in variants]
        if role == "guardrail" and w.interval_label(role) != label:
            title = w.words("terminal.guardrails_labelled", label=w.interval_label(role))
        blocks.append((title, lines))
    every = [line for _, lines in blocks for line in lines]
    if not every:
        return []
    change_width = max(columns(w.words("terminal.change")), *(columns(line.change) for line in every))
    # The reason of a missing test runs on into the plot, so only real intervals set the width.
    drawn = [columns(line.interval) for line in every if line.shown is not None]
    interval_width = max(columns(label), *(drawn or [24]))
    label_width = max(columns(line.label) for line in every)
    plotted = [line.shown for line in every if line.shown is not None and line.shown.relative]
    name_width = min(34, max(columns(line.name) for line in every))
    room = width - change_width - interval_width - label_width - 8
    if room < min(NAME_LEAST, name_width):
        return _stacked(blocks, width, colour)
    # The plot takes what the names leave; if that is too little, names are clipped a little before it is dropped.
    plot = 0
    if plotted and room - 2 - min(name_width, 20) >= PLOT_LEAST:
        plot = min(PLOT_MOST, max(PLOT_LEAST, room - 2 - name_width))
        plot -= 1 - plot % 2
        room -= plot + 2
    name_width = min(room, name_width)
    scale, edge = _scale(plotted)
    head = " " * (name_width + 4) + fit(w.words("terminal.change"), change_width, right=True)
    head += "  " + fit(label, interval_width)
    if plot:
        head += "  " + _axis(w, plot, edge)
    out = [head.rstrip()]
    for title, lines in blocks:
        out.append(painted(fit(title, width).rstrip(), "bold", colour))
        for line in lines:
            text = "  " + fit(line.name, name_width) + "  " + fit(line.change, change_width, right=True)
            if line.shown is None:
                text += "  " + fit(line.interval, interval_width + (plot + 2 if plot else 0))
            else:
                text += "  " + fit(line.interval, interval_width)
            if plot and line.shown is not None:
                relative = line.shown.relative
                text += "  " + (_plot(line.shown, scale, plot) if relative else " " * plot)
            out.append(text + "  " + painted(fit(line.label, label_width).rstrip(), line.tone, colour))
    return [*out, ""]


def _stacked(blocks: list[tuple[str, list[_Line]]], width: int, colour: bool) -> list[str]:
    """A narrow terminal: name, numbers and label below one another, because an interval is never cut."""
    out = []
    for title, lines in blocks:
        out.append(painted(fit(title, width).rstrip(), "bold", colour))
        for line in lines:
            out.append("  " + fit(line.name, width - 2).rstrip())
            out += ["    " + text for text in _wrap(f"{line.change}  {line.interval}", width - 4)]
            out += ["    " + painted(text, line.tone, colour) for text in _wrap(line.label, width - 4) if text]
    return [*out, ""]


def _line(w: Wording, metric: MetricResult, variant: str) -> _Line:
    comparison = comparison_of(metric, variant)
    name = w.metric(metric)
    if w.many:
        name = w.words("interval.named", metric=w.metric(metric, 40), variant=w.variant(variant, 24))
    label, tone, shown = _label(w, metric, comparison, variant)
    if shown is None:
        return _Line(name, w.words("table.no_value"), w.no_test(comparison), None, label, tone)
    change = w.change(metric, shown)
    return _Line(name, change.estimate, change.bare_interval, shown, label, tone)


def _label(
    w: Wording, metric: MetricResult, comparison: Comparison | None, variant: str
) -> tuple[str, str, Shown | None]:
    if metric.role == "guardrail":
        code = next(label for guard, label in guardrail_labels(w.result, variant) if guard is metric)
        text = w.label("guardrail", code)
        if comparison is not None and comparison.margin is not None:
            margin = w.words("margin.text", margin=w.margin(metric, comparison.margin))
            text = w.words("terminal.label_margin", label=text, margin=margin)
        return text, TONES[code][0], w.guardrail_shown(comparison) if comparison is not None else None
    shown = None if comparison is None else w.shown(comparison)
    state = "no_test" if comparison is None or comparison.status == "no_test" else w.state(comparison)
    if metric.role == "explore" and state != "no_test":
        return "", "flat", shown
    return w.label("state", state), TONES[state][0], shown


def _scale(plotted: list[Shown]) -> tuple[Scale, float]:
    """A scale around zero, in whole steps, so that zero stands in the middle of the plot."""
    bounds = sorted(abs(b) for shown in plotted for b in shown.bounds if b is not None)
    # One wild interval must not press all the others into the zero line.
    reach = min(bounds[-1], 5 * bounds[len(bounds) // 2] or bounds[-1]) if bounds else 1.0
    reach = reach if reach > SMALLEST else 1.0
    step = step_size(reach, 10)
    edge = step * max(1, -(-reach // step))
    return Scale(-edge, edge), edge


def _axis(w: Wording, plot: int, edge: float) -> str:
    def percent(value: float) -> str:
        return w.words("units.percent", n=w.numbers.trimmed(100 * value, 2, sign=True))

    left, right = percent(-edge), percent(edge)
    middle = plot // 2
    text = left + " " * (middle - columns(left)) + w.count(0)
    return text + " " * (plot - columns(text) - columns(right)) + right


def _plot(shown: Shown, scale: Scale, plot: int) -> str:
    low, estimate, high = shown.bounds
    cells = [" "] * plot

    def cell(value: float) -> int:
        return min(plot - 1, max(0, round(scale.share(value) * (plot - 1))))

    first = 0 if low is None else cell(low)
    last = plot - 1 if high is None else cell(high)
    zero = cell(0.0)
    # Rounding to cells must not make an interval touch zero that does not.
    if low is not None and low > 0:
        first = max(first, zero + 1)
    if high is not None and high < 0:
        last = min(last, zero - 1)
    for i in range(first, last + 1):
        cells[i] = "─"
    cells[zero] = "┼" if first <= zero <= last else "│"
    if scale.holds(estimate):
        cells[min(max(cell(estimate), first), max(first, last))] = "●"
    if low is None or low < scale.low:
        cells[0] = "‹"
    if high is None or high > scale.high:
        cells[-1] = "›"
    return "".join(cells)


# The lines below the table


def _foot(w: Wording, width: int, colour: bool, report_path: str | None) -> list[str]:
    words, experiment = w.words, w.result.experiment
    c = counts(w.result)
    notes = words.plural("markdown.notes", c.notes)
    value = words("terminal.health_value", passed=w.count(c.passed), notes=notes, failed=w.count(c.failed))
    facts = [(words("terminal.health"), value), (w.unit_name, w.count(w.total_units))]
    run, planned = experiment.days_of_plan, experiment.days_planned
    if run is not None and planned is not None:
        days = words("terminal.days_value", run=w.count(run), planned=w.count(planned))
        facts.append((words("terminal.days"), days))
    out = _wrap("   ".join(f"{name}  {value}" for name, value in facts), width)
    for level, mark in (("fail", "x"), ("note", "!")):
        for found, check in check_texts(w):
            if found == level:
                text = f"  {mark} {words('health.call', check=check.name)} {check.text}"
                out += [painted(line, TONES[level][0], colour) for line in _wrap_indented(text, width)]
    if report_path is not None:
        out.append(f"{words('terminal.report')}  {clean(report_path)}")
    return out


def _wrap_indented(text: str, width: int) -> list[str]:
    lead = text[: len(text) - len(text.lstrip())]
    first, *rest = _wrap(text.lstrip(), width - len(lead), indent="  ")
    return [lead + first, *(lead + line for line in rest)]
