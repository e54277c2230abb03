"""`abtest calibrate` as a table in a terminal and as a page: rates with their bounds, p-values, coverage."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from abtest.analysis.calibrate import Calibrated, Calibration
from abtest.reports.labels import Chip
from abtest.reports.language import Words, load
from abtest.reports.standalone import asset, environment, policy
from abtest.reports.terminal import encoded, painted
from abtest.reports.text import clean, clip, fit, isolate

NAME_LIMIT = 60
_HEIGHT = 40.0
_CHIPS = {"fine": ("good", "good"), "off": ("warn", "warn"), "no_test": ("flat", "none")}


@dataclass(frozen=True)
class Row:
    """A metric in words; `bars` are (top, height) of each tenth of the p-values in a box 40 high."""

    name: str
    note: str
    chip: Chip
    reason: str = ""
    rate: str = ""
    bounds: str = ""
    rare: str = ""
    covered: str = ""
    bars: tuple[tuple[str, str], ...] = ()
    band_y: str = "0"
    band_height: str = "0"
    bars_text: str = ""


@dataclass(frozen=True)
class CalibratePage:
    title: str
    kicker: str
    heading: str
    lead: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    foot: str


def page_of(found: Calibration, words: Words) -> CalibratePage:
    """All sentences of the page."""
    say = words
    heading = isolate(clip(clean(found.title or found.experiment), NAME_LIMIT))
    keys = ("metric", "status", "rate", "p_value", "covered", "p_values")
    error, splits = _percent(words, found.error, 2), _integer(words, found.splits)
    notes = [
        say("calibrate.read", level=_percent(words, found.level)),
        say("calibrate.bins"),
        say("calibrate.error", error=error, splits=splits),
    ]
    if any(m.status != "no_test" and m.splits < found.splits for m in found.metrics):
        notes.append(say("calibrate.fewer"))
    if found.clustered:
        notes.append(say("calibrate.clusters"))
    return CalibratePage(
        say("calibrate.title", name=heading),
        say("calibrate.kicker"),
        heading,
        lead(found, words),
        say("calibrate.caption", alpha=_percent(words, found.alpha)),
        tuple(say(f"calibrate.columns.{k}") for k in keys),
        tuple(_row(m, words) for m in found.metrics),
        tuple(notes),
        say("calibrate.foot", seed=str(found.seed), share=_percent(words, found.share)),
    )


def lead(found: Calibration, words: Words) -> str:
    """What came out, in one sentence."""
    facts = {
        "units": _integer(words, found.units),
        "splits": _integer(words, found.splits),
        "what": words(f"calibrate.{'clustered' if found.clustered else 'units'}"),
        "tested": _integer(words, len(found.tried)),
        "alpha": _percent(words, found.alpha),
    }
    if not found.off:
        return words("calibrate.fine", **facts)
    return words.plural("calibrate.wrong", len(found.off), **facts)


def render_page(found: Calibration, *, language: str = "en") -> str:
    """One HTML file, complete in itself. The same calibration gives the same bytes."""
    words = load(language)
    style, own = asset("style.css"), asset("style.css", "calibrate")
    return (
        environment()
        .get_template("calibrate/page.html.j2")
        .render(
            page=page_of(found, words),
            lang=language,
            style=Markup(style),
            own=Markup(own),
            policy=policy(f"{style}\n{own}", None),
        )
    )


def render_table(
    found: Calibration, *, width: int, colour: bool, ascii_only: bool = False, language: str = "en", page: str | None = None
) -> str:  # fmt: skip
    """The table as text of at most `width` columns."""
    words = load(language)
    made = page_of(found, words)
    name = max(16, width - 66)
    out = [fit(made.heading, width).rstrip(), *_wrapped(made.lead, width), ""]
    heads = (made.columns[0], made.columns[2], made.columns[4], made.columns[1])
    out.append(f"  {fit(heads[0], name)}  {fit(heads[1], 32)}  {fit(heads[2], 9)}  {heads[3]}")
    for row in made.rows:
        start = f"  {fit(row.name, name)}  "
        if row.reason:
            out.append(start + fit(row.reason, width - name - 4).rstrip())
            continue
        told = f"{row.rate} {row.bounds}"
        out.append(f"{start}{fit(told, 32)}  {fit(row.covered, 9)}  {painted(row.chip.word, row.chip.tone, colour)}")
    out += ["", *_wrapped(made.notes[2], width)]
    if page is not None:
        out.append(words("calibrate.page", path=page))
    return encoded("\n".join(line.rstrip() for line in out) + "\n", ascii_only)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


def _row(m: Calibrated, words: Words) -> Row:
    tone, icon = _CHIPS[m.status]
    word = words(f"calibrate.shape.{m.shape}") if m.shape else words(f"calibrate.states.{m.status}")
    name, chip = isolate(clip(clean(m.title or m.metric), NAME_LIMIT)), Chip(word, tone, icon)
    note = words(f"role.{m.role}") if m.method is None else words("calibrate.note", role=words(f"role.{m.role}"), method=_method(m.method, words))  # fmt: skip
    if m.status == "no_test" or m.rate is None or m.low is None or m.high is None or m.p_value is None:
        return Row(name, note, chip, words("calibrate.untested", reason=_reason(m.reason or "unknown", words)))
    bounds = words("calibrate.bounds", low=_percent(words, m.low, 1), high=_percent(words, m.high, 1))
    band = m.band or (0, 0)
    top = max((*m.bins, band[1], 1))
    bars = tuple((_place(1.0 - n / top), _place(n / top)) for n in m.bins)
    outside = sum(not band[0] <= n <= band[1] for n in m.bins)
    form, p = words.numbers.p(m.p_value)
    return Row(
        name,
        note,
        chip,
        "",
        _percent(words, m.rate, 1),
        bounds,
        words(f"p.alone.{form}", p=p),
        words("table.no_value") if m.covered is None else _percent(words, m.covered, 1),
        bars,
        _place(1.0 - band[1] / top),
        _place((band[1] - band[0]) / top),
        words.plural("calibrate.outside", outside, low=str(band[0]), high=str(band[1])),
    )


def _method(method: str, words: Words) -> str:
    key = f"test.{method}.name"
    return words(key) if words.has(key) else clean(method)


def _reason(reason: str, words: Words) -> str:
    own = f"calibrate.reasons.{reason}"
    return words(own) if words.has(own) else words(words.known("no_test", reason), reason=reason)


def _place(part: float) -> str:
    return f"{_HEIGHT * part:.1f}"


def _percent(words: Words, value: float, decimals: int | None = None) -> str:
    number = words.numbers.trimmed(100 * value, 2) if decimals is None else words.numbers.fixed(100 * value, decimals)
    return words("units.percent", n=number)


def _integer(words: Words, n: int) -> str:
    return words.numbers.integer(n)
