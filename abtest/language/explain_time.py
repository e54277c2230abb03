"""Time in words: windows, blocks, and the sentences on clocks, maturity and looking back."""

from __future__ import annotations

from typing import Any

from abtest.language.canonical import metric_atoms
from abtest.language.explain_parts import Clauses, capital
from abtest.language.model import Metric

Slots = dict[str, Any]
_SECONDS = {"day": 86_400, "hour": 3600, "minute": 60}
_STEADY = ("share", "last", "mean")


class Times:
    """The time of a metric in the words of one language."""

    def __init__(self, clauses: Clauses) -> None:
        self.clauses = clauses
        self.say = clauses.say

    def start(self, metric: Metric) -> str:
        if metric.starting_at is not None:
            return self.say("start", "event", event=metric.starting_at)
        return self.say("start", "exposure")

    def window(self, metric: Metric) -> str:
        window, start = metric.window, self.start(metric)
        first, last, days = window.first, window.last, window.days
        if first is None:
            return self.say("window", "lifetime", start=start)
        if window.end or window.before:
            return self.clauses.counted(
                "window", "end" if window.end else "before", n=days or 0, start=start, first=first
            )
        tick = "elapsed" if window.tick == "day" and metric.clock == "elapsed" else window.tick
        if last is None:
            key = "from" if first else "open"
        elif first == last:
            key = "one" if first else "0"
        else:
            key = "some" if first else "first"
        return self.say("window", tick, key, first=first, last=last, n=days, start=start)

    def period(self, metric: Metric) -> str:
        """What a block is called."""
        if metric.per_unit == "month":
            return "month"
        if metric.rolling:
            return "block"
        known = {("day", 1): "day", ("day", 7): "week", ("hour", 1): "hour", ("minute", 60): "hour"}
        return known.get((metric.window.tick, metric.per or 0), "block")

    def period_slots(self, metric: Metric) -> Slots:
        period = self.period(metric)
        return {key: self.say("periods", period, key) for key in ("many", "at", "which", "the_last")}

    def count(self, metric: Metric) -> int | None:
        """How many blocks there are; None where it depends on the unit."""
        days, per = metric.window.days, metric.per or 1
        if days is None or metric.per_unit != "tick" or (metric.clock == "calendar" and per != 1):
            return None
        return days - per + 1 if metric.rolling else days // per

    def blocks(self, metric: Metric) -> str:
        """The blocks of `per` and where they lie, such as `the 4 weeks from day 0 to day 27 after first exposure`."""
        window, per, period = metric.window, metric.per or 1, self.period(metric)
        first, last = window.first or 0, window.last
        n = self.count(metric)
        first = first + per - 1 if metric.rolling else first
        if window.end or window.before:
            span = self.say("span", "end" if window.end else "before", start=self.start(metric))
        else:
            key = "open" if last is None else "single" if first == last else "fixed"
            span = self.say("span", window.tick, key, first=first, last=last, start=self.start(metric))
        if metric.clock == "calendar" and period in ("week", "month"):
            return self.say("blocks", f"calendar_{period}", span=span)
        kind = "open" if n is None else "single" if n == 1 else "fixed"
        many = self.say("periods", window.tick, "many")
        name = "rolling" if metric.rolling else period
        return self.say("blocks", name, kind, n=n, span=span, many=many, size=self._size(metric, per))

    def _size(self, metric: Metric, per: int) -> str:
        if metric.window.tick == "day":
            return self.clauses.counted("lengths", "day", n=per)
        return self.clauses.duration(per * _SECONDS[metric.window.tick])

    def rules(self, metric: Metric, slots: Slots) -> list[str]:
        """Where time starts, what a day, a session or a whole month is, and how far is looked back."""
        window = metric.window
        found = self._starting_at(metric, slots)
        if window.first is None or window.end or window.before:
            clock = "dates"
        else:
            clock = "elapsed" if window.tick == "day" and metric.clock == "elapsed" else window.tick
        found.append(self.say("clock", clock, **slots))
        if metric.starting_at is not None:
            found.append(self.say("starts_here", event=metric.starting_at))
        functions = {a.function for a in metric_atoms(metric)}
        if metric.per_unit == "session" or metric.unit == "session" or "sessions" in functions:
            found.append(
                self.say("sessions", **slots | self.clauses.unit(metric.unit or "unit") | {"each": slots["each"]})
            )
        if metric.per_unit == "session":
            found.append(self.say("sessions_in" if window.fixed else "sessions_open", **slots))
        if metric.clock == "calendar" and metric.per is not None:
            found.append(self.say("calendar", self.period(metric), **slots))
        if any(a.ago is not None for a in metric_atoms(metric)):
            steady = metric.fold is None or metric.fold.name in _STEADY
            period = self.period_slots(metric)
            words = {"many": period["many"], "Many": capital(period["many"])}
            found.append(self.say("looks_back" if steady else "looks_back_drop", **slots, **words))
        return found

    def ends(self, metric: Metric, slots: Slots) -> list[str]:
        """Who and what is left out because the data end (or start) too early."""
        window = metric.window
        found = [self._maturity(metric, slots)]
        blocks = metric.per is not None and metric.per_unit != "session" and metric.clock != "calendar"
        if blocks and (not window.fixed or metric.immature == "keep"):
            found.append(self.say("incomplete", **slots, Many=capital(self.period_slots(metric)["many"])))
        if not window.before:
            found.append(self.say("data_end"))
        return found

    def _starting_at(self, metric: Metric, slots: Slots) -> list[str]:
        if metric.starting_at is None:
            return []
        last = (metric.within or 1) - 1
        key = "starting_at_ratio" if metric.pooled else "starting_at"
        value = metric.window.days if metric.kind == "time_to" else 0
        form = {0: "zero", 1: "one"}.get(last, "other")
        return [self.say(key, form, **slots, event=metric.starting_at, n=last, value=value)]

    def _maturity(self, metric: Metric, slots: Slots) -> str:
        """Who has no value yet."""
        window, tick = metric.window, metric.window.tick
        if window.first is None:
            return self.say("immature", "lifetime", **slots)
        if window.end or window.before:
            return self.say("immature", "end" if window.end else "before", **slots)
        if window.last is None:
            return self.say("immature", "open", **slots)
        if metric.immature == "keep":
            return self.say("keep", tick, **slots, last=window.last)
        if metric.starting_at is not None and (tick != "day" or metric.clock == "elapsed"):
            days = self.clauses.counted("lengths", "whole_day", n=metric.within or 0)
            size = self.clauses.duration((window.last + 1) * _SECONDS[tick])
            return self.say("immature", "wait", **slots, days=days, size=size)
        if metric.starting_at is not None:
            return self.say("immature", "after_exposure", **slots, last=window.last + (metric.within or 1) - 1)
        return self.say("immature", tick, **slots, last=window.last + (metric.per_unit == "session"))
