"""The phrases that every section shares: names, values, changes with their intervals, labels and dates.

All words come from the words file; this module only chooses among them. Two rules of honesty live here once:
an estimate is never returned without its interval, and nothing is returned at all when a health check failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from abtest.analysis.result import ArmValue, Comparison, MarginResult, MetricResult, Result
from abtest.reports import coined
from abtest.reports.labels import TONES, Chip
from abtest.reports.language import Words, load
from abtest.reports.numbers import by_size, decimals_for
from abtest.reports.shown import Change as Change
from abtest.reports.shown import Shown as Shown
from abtest.reports.text import clean, clip, isolate

NAME_LIMIT = 80
LIST_LIMIT = 6


class Wording:
    """Phrases for one result in one language. `isolating` marks right-to-left names for outputs that know how."""

    def __init__(self, result: Result, language: str = "en", *, isolating: bool = True) -> None:
        self.result = result
        self.words: Words = load(language)
        self.numbers = self.words.numbers
        self._isolating = isolating
        self.level = self.share(1 - result.plan.alpha)

    # Names

    def name(self, text: str, limit: int = NAME_LIMIT) -> str:
        cleaned = clip(clean(text), limit)
        return isolate(cleaned) if self._isolating else cleaned

    def metric(self, metric: MetricResult, limit: int = NAME_LIMIT) -> str:
        return self.name(coined.title(self.words, metric), limit)

    def meaning(self, metric: MetricResult) -> str:
        return clean(coined.meaning(self.words, metric))

    def description(self, metric: MetricResult) -> str:
        return clean(coined.told(self.words, metric, "description", metric.description))

    def defined(self, metric: MetricResult) -> str:
        """The definition in plain words, and what it does not tell."""
        cannot = coined.told(self.words, metric, "cannot", metric.cannot)
        said = [self.meaning(metric)]
        said += [self.words("data.cannot", text=clean(cannot))] if cannot else []
        return self.words("list.space").join(said)

    def window(self, text: str) -> str:
        return self.name(coined.window(self.words, text), 60)

    def group(self, label: str) -> str:
        """One value of a segment, or that it is not known."""
        return self.words("segments.unknown") if label == coined.UNKNOWN_GROUP else self.name(label, 60)

    def variant(self, key: str, limit: int = 40) -> str:
        for variant in self.result.experiment.variants:
            if variant.id == key:
                return self.name(variant.title or variant.id, limit)
        return self.name(key, limit)

    @property
    def control(self) -> str:
        return self.variant(self.result.experiment.baseline)

    @property
    def treatments(self) -> tuple[str, ...]:
        """Ids of the variants other than the baseline, in their declared order."""
        experiment = self.result.experiment
        return tuple(v.id for v in experiment.variants if v.id != experiment.baseline)

    @property
    def many(self) -> bool:
        return len(self.treatments) > 1

    @property
    def subject(self) -> str:
        """Who acts in the verdict sentence: the experiment, or with several treatments the one spoken of."""
        experiment = self.result.experiment
        if self.many:
            return self.variant(self.result.decision.variant)
        return self.name(experiment.title or experiment.id)

    def join(self, items: Sequence[str]) -> str:
        """A list in a sentence, cut after a few names."""
        # A comma inside a name would read as the end of the name.
        comma = self.words("list.separator").strip()
        items = [self.words("list.quoted", item=item) if comma in item else item for item in items]
        if len(items) > LIST_LIMIT:
            rest = len(items) - LIST_LIMIT + 1
            items = [*items[: LIST_LIMIT - 1], self.words.plural("list.more", rest)]
        if len(items) < 2:
            return "".join(items)
        if len(items) == 2:
            return self.words("list.two", first=items[0], last=items[1])
        head = self.words("list.separator").join(items[:-1])
        return self.words("list.many", head=head, last=items[-1])

    # Numbers

    def count(self, n: float) -> str:
        return self.numbers.integer(n)

    def spelled(self, n: int) -> str:
        numerals = self.words.get("format.numerals") or []
        return str(numerals[n]) if 0 <= n < len(numerals) else self.count(n)

    def units(self, n: int) -> str:
        """`214,306 users`, in the experiment's own unit."""
        unit = self.name(self.result.experiment.unit, 30)
        return (
            self.words.plural(self.words.known("randomised", unit), n, unit=unit)
            if n < 2
            else self.words(f"{self.words.known('randomised', unit)}.other", n=self.count(n), unit=unit)
        )

    @property
    def unit_name(self) -> str:
        unit = self.name(self.result.experiment.unit, 30)
        return self.words(f"{self.words.known('randomised', unit)}.name", unit=unit)

    @property
    def one_unit(self) -> str:
        """What was randomised, in the singular."""
        cluster = self.result.experiment.cluster
        return self.single(self.result.experiment.unit, 24) if cluster is None else self.name(cluster, 24)

    def single(self, unit: str, limit: int = NAME_LIMIT) -> str:
        """A unit in the singular, by its own name where the words file does not know it."""
        named = self.name(unit, limit)
        return self.words(f"{self.words.known('randomised', named)}.single", unit=named)

    @property
    def total_units(self) -> int:
        return sum(variant.units for variant in self.result.experiment.variants)

    def share(self, fraction: float) -> str:
        """A plain percentage as people write it: 95%, 0.03%."""
        decimals = decimals_for((100 * fraction,), 1 if abs(fraction) >= 0.01 else 2)
        return self.words("units.percent", n=self.numbers.trimmed(100 * fraction, decimals))

    def p(self, value: float) -> str:
        form, digits = self.numbers.p(value)
        return self.words(f"p.{form}", p=digits)

    def p_alone(self, value: float | None) -> str:
        """For a column that is headed p."""
        if value is None:
            return self.words("table.no_value")
        form, digits = self.numbers.p(value)
        return self.words(f"p.alone.{form}", p=digits)

    def p_of(self, comparison: Comparison) -> str | None:
        """The p-value that the label is judged by, called adjusted where it is."""
        if comparison.p_adjusted is not None and comparison.p_adjusted != comparison.p_value:
            return self.words("p.adjusted", p=self.p(comparison.p_adjusted))
        return None if comparison.p_value is None else self.p(comparison.p_value)

    def quantity(self, unit: str, value: float, decimals: int, *, sign: bool = False) -> str:
        """A value in the unit of a metric (`share` as a percentage, money with its sign before the symbol)."""
        if unit == "share":
            return self.words("units.percent", n=self.numbers.fixed(100 * value, decimals, sign=sign))
        digits = self.numbers.fixed(abs(value), decimals)
        plain = self.numbers.fixed(value, decimals, sign=sign)
        mark = plain[: len(plain) - len(digits)]
        kind, _, code = clean(unit).partition(" ")
        if kind == "money":
            pattern = self.words.known("units.money", code)
            return mark + self.words(pattern, n=digits, unit=code)
        if kind in ("count", "number", "ratio", "points"):
            return plain
        return mark + self.words("units.other", n=digits, unit=clip(code or kind, 12))

    def value(self, metric: MetricResult, value: float | None) -> str:
        if value is None:
            return self.words("table.no_value")
        return self.quantity(metric.unit_of_value, value, self._decimals(metric, (value,)))

    def marks(self, metric: MetricResult, values: Sequence[float]) -> tuple[str, ...]:
        """Values that one column lists: whole numbers without decimals, if all of them are whole."""
        if metric.unit_of_value == "share" or not all(value.is_integer() for value in values):
            return tuple(self.value(metric, value) for value in values)
        return tuple(self.quantity(metric.unit_of_value, value, 0) for value in values)

    def values(self, metric: MetricResult, arms: Sequence[ArmValue], variant: str) -> tuple[str, str]:
        """Control and treatment side by side, with decimals enough to tell them apart."""
        by_id = {arm.variant: arm.value for arm in arms}
        pair = (by_id.get(self.result.experiment.baseline), by_id.get(variant))
        known = [value for value in pair if value is not None]
        decimals = self._decimals(metric, known)
        if len(known) == 2 and known[0] != known[1]:
            for _ in range(2):
                first, second = (self.quantity(metric.unit_of_value, value, decimals) for value in known)
                if first != second:
                    break
                decimals += 1
        none = self.words("table.no_value")
        control, treatment = (
            none if value is None else self.quantity(metric.unit_of_value, value, decimals) for value in pair
        )
        return control, treatment

    def _decimals(self, metric: MetricResult, values: Sequence[float]) -> int:
        if metric.unit_of_value == "share":
            return decimals_for([100 * value for value in values], 2)
        if metric.unit_of_value == "points":
            return decimals_for(values, 1)
        if metric.unit_of_value.startswith("money") and values and 0.1 <= max(map(abs, values)) < 1000:
            return 2
        return by_size(max((abs(value) for value in values), default=0.0))

    # Changes

    def effect(self, metric: MetricResult, value: float) -> str:
        """A difference in the metric's own unit, with its sign."""
        decimals = self._decimals(metric, (value,))
        if metric.unit_of_value in ("share", "points"):
            scaled = 100 * value if metric.unit_of_value == "share" else value
            return self.words("units.points", n=self.numbers.fixed(scaled, decimals, sign=True))
        return self.quantity(metric.unit_of_value, value, decimals, sign=True)

    @property
    def early(self) -> bool:
        return self.result.early

    @property
    def every_look(self) -> bool:
        return self.result.every_look

    def level_of(self, role: str) -> str:
        """Guardrails have an error rate of their own, one-sided."""
        return self.share(1 - 2 * self.result.plan.guardrail_alpha) if role == "guardrail" else self.level

    def interval_label(self, role: str = "goal") -> str:
        """What the intervals of this role are called."""
        method = self.result.plan.method
        own = {"bayesian": "interval.credible", "group_sequential": "interval.repeated"}.get(method, "interval.label")
        return self.words("interval.band" if self.early else own, level=self.level_of(role))

    def shown(self, comparison: Comparison, *, absolute: bool = False, band: bool = True) -> Shown | None:
        """What may be shown of a comparison; None when invalid, untested or without any bound."""
        if not self.result.decision.valid or comparison.status == "no_test":
            return None
        ordinary = (comparison.relative, comparison.absolute)
        safe = (comparison.always_valid, comparison.always_valid_absolute)
        for pair, is_band in ((safe, True), (ordinary, False)):
            if is_band and not (band and self.early):
                continue
            for interval, relative in zip(pair, (True, False), strict=True):
                if (absolute and relative) or interval is None or (interval.low is None and interval.high is None):
                    continue
                return Shown(interval, relative, is_band, comparison.scale)
        return None

    def guardrail_shown(self, comparison: Comparison) -> Shown | None:
        """A guardrail is shown in the terms of its margin: the interval, or early the band, that its label is read from."""
        absolute = comparison.margin is not None and comparison.margin.kind == "absolute"
        return self.shown(comparison, absolute=absolute)

    def change(self, metric: MetricResult, shown: Shown) -> Change:
        low, estimate, high = shown.bounds
        label = self.interval_label(metric.role)
        if self.early and not shown.band:
            label = self.words("interval.one_look", level=self.level_of(metric.role))
        bounds = [bound for bound in (low, estimate, high) if bound is not None]
        chance = shown.scale == "chance"
        scaled = shown.relative or chance or metric.unit_of_value == "share"
        factor = 100 if scaled else 1
        decimals = decimals_for([factor * b for b in bounds], self._change_decimals(metric, shown, bounds))
        points = not shown.relative and (chance or metric.unit_of_value in ("share", "points"))

        def write(value: float) -> str:
            if points:
                return self.numbers.fixed(factor * value, decimals, sign=True)
            return self.quantity("share" if shown.relative else metric.unit_of_value, value, decimals, sign=True)

        def named(value: float | None) -> str | None:
            if value is None:
                return None
            return self.words("units.points", n=write(value)) if points else write(value)

        if low is not None and high is not None:
            bare = self.words("interval.both", low=write(low), high=write(high))
            interval = self.words("units.points_interval", low=write(low), high=write(high)) if points else bare
        else:
            open_end = "interval.low_only" if low is not None else "interval.high_only"
            bare = interval = self.words(open_end, low=named(low), high=named(high))
        return Change(
            estimate=named(estimate) or "",
            interval=interval,
            bare_interval=bare,
            low=named(low),
            high=named(high),
            label=label,
            size=self._size(metric, shown, decimals, points),
        )

    def _change_decimals(self, metric: MetricResult, shown: Shown, bounds: Sequence[float]) -> int:
        if shown.relative:
            return 1
        if metric.unit_of_value == "share":
            return 2
        if metric.unit_of_value == "points" or shown.scale == "chance":
            return 1
        return by_size(max(abs(bound) for bound in bounds))

    def _size(self, metric: MetricResult, shown: Shown, decimals: int, points: bool) -> str:
        size = abs(shown.interval.estimate)
        if shown.relative:
            rounded = decimals_for((100 * size,), 1) if size < 0.03 else 0
            return self.quantity("share", size, rounded)
        if points:
            scaled = 100 * size if metric.unit_of_value == "share" or shown.scale == "chance" else size
            return self.words("units.points", n=self.numbers.fixed(scaled, decimals))
        return self.quantity(metric.unit_of_value, size, decimals)

    def with_interval(self, change: Change) -> str:
        return self.words("interval.labelled", label=change.label, interval=change.interval)

    def full(self, change: Change) -> str:
        return self.words("interval.change_with", change=change.estimate, label=change.label, interval=change.interval)

    def detect(self, metric: MetricResult) -> float | None:
        """The planned effect as a signed fraction: downwards where lower is better."""
        detect = metric.detect if metric.detect is not None else self.result.plan.detect
        if detect is None or metric.role != "goal":
            return None
        return -abs(detect) if metric.better == "lower" else abs(detect)

    def detect_text(self, detect: float) -> str:
        decimals = decimals_for((100 * detect,), 2)
        return self.words("units.percent", n=self.numbers.trimmed(100 * detect, decimals, sign=True))

    def margin(self, metric: MetricResult, margin: MarginResult) -> str:
        """The margin with the sign of the bad direction, in the unit it was written in."""
        size = abs(margin.size) if metric.better == "lower" else -abs(margin.size)
        if margin.kind == "relative" or metric.unit_of_value in ("share", "points"):
            factor = 100 if margin.kind == "relative" or metric.unit_of_value == "share" else 1
            number = self.numbers.trimmed(factor * size, sign=True)
            return self.words("units.percent" if margin.kind == "relative" else "units.points", n=number)
        decimals = len(f"{abs(size):.4f}".rstrip("0").partition(".")[2])
        return self.quantity(metric.unit_of_value, size, decimals, sign=True)

    # Labels

    def state(self, comparison: Comparison) -> str:
        """The state to label: read early, it holds only where the shown band agrees that zero is left.

        Without a band a clear state is `open`: to call it now would be a second look that the plan does not have.
        """
        state = comparison.state
        shown = self.shown(comparison)
        if self.early and shown is not None and state in ("better", "worse"):
            if not shown.band:
                return "open"
            low, _, high = shown.bounds
            if not ((low is not None and low > 0) or (high is not None and high < 0)):
                return "unclear"
        return state

    def label(self, key: str, code: str) -> str:
        """The word for a state or a guardrail's label; before the planned end it says that it holds so far."""
        so_far = f"{key}_so_far.{code}"
        return self.words(so_far if self.early and self.words.has(so_far) else f"{key}.{code}")

    def chip(self, key: str, code: str, *, final: bool = False) -> Chip:
        """`final`: of another experiment, which was over whatever this one is."""
        tone, icon = TONES.get(code, ("flat", "none"))
        word = self.words(f"{key}.{code}") if final else self.label(key, code)
        return Chip(word, tone, icon)

    def chip_of_verdict(self, verdict: str) -> Chip:
        tone, icon = TONES[verdict]
        return Chip(self.words(f"verdict.{verdict}.word"), tone, icon)

    def no_test(self, comparison: Comparison | None) -> str:
        reason = comparison.reason if comparison is not None else None
        if comparison is not None and comparison.status == "ok":
            return self.words("interval.none")
        if reason is None:
            return self.words("no_test.unknown")
        return self.words(self.words.known("no_test", reason), reason=self.name(reason))

    def no_relative(self, comparison: Comparison) -> str | None:
        reason = comparison.relative_reason
        if reason is None:
            return None
        return self.words(self.words.known("no_relative", reason), reason=self.name(reason))

    # Dates

    def date(self, iso: str) -> str:
        """`4 May 2026` from the front of an ISO date or time; anything else as it is."""
        parts = self._date_parts(iso)
        return self.name(iso) if parts is None else self.words("format.date", **parts)

    def dates(self, start: str, end: str) -> str:
        first, last = self._date_parts(start), self._date_parts(end)
        if first is None or last is None:
            return self.words("data.span_value", first=self.date(start), last=self.date(end))
        slots = {f"{k}1": v for k, v in first.items()} | {f"{k}2": v for k, v in last.items()}
        if first == last:
            return self.words("format.date", **first)
        if (first["year"], first["month"]) == (last["year"], last["month"]):
            return self.words("format.dates_same_month", **slots)
        return self.words("format.dates_same_year" if first["year"] == last["year"] else "format.dates", **slots)

    def _date_parts(self, iso: str) -> dict[str, str] | None:
        pieces = iso[:10].split("-")
        if len(pieces) != 3 or not all(piece.isdecimal() for piece in pieces) or not 1 <= int(pieces[1]) <= 12:
            return None
        months = self.words.get("format.months")
        return {"day": str(int(pieces[2])), "month": str(months[int(pieces[1]) - 1]), "year": str(int(pieces[0]))}
