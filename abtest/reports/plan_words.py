"""The phrases of a plan, shared by its page and its terminal form. A pure function of the plan."""

from __future__ import annotations

from abtest.analysis.plan_result import Caution, MetricPlan, PlanResult
from abtest.reports.language import load
from abtest.reports.numbers import by_size, decimals_for
from abtest.reports.text import clean
from abtest.reports.wording import Wording

MOST_WEEKS = 12


class PlanWording(Wording):
    """Names, numbers and dates as reports write them, for a plan instead of a result."""

    def __init__(self, plan: PlanResult, language: str = "en", *, isolating: bool = True) -> None:
        # No result: what reads one is replaced below, the rest needs words only.
        self.plan = plan
        self.words = load(language)
        self.numbers = self.words.numbers
        self._isolating = isolating

    def say(self, key: str, /, **slots: str | None) -> str:
        return self.words(f"planning.{key}", **slots)

    def coded(self, key: str, code: str, /, **slots: str | None) -> str:
        return self.words(self.words.known(f"planning.{key}", code), code=code, **slots)

    def units(self, n: float) -> str:
        """`214,306 users`, in the experiment's own unit."""
        unit = self.name(self.plan.unit, 30)
        form = "one" if n == 1 else "other"
        return self.words(f"{self.words.known('randomised', unit)}.{form}", n=self.count(n), unit=unit)

    @property
    def unit_name(self) -> str:
        unit = self.name(self.plan.unit, 30)
        return self.words(f"{self.words.known('randomised', unit)}.name", unit=unit)

    def weeks(self, n: int) -> str:
        return self.words.plural("planning.answer.weeks", n)

    def title(self, key: str | None) -> str:
        return self.name(next((m.title or m.key for m in self.plan.metrics if m.key == key), key or ""))

    def plain(self, m: MetricPlan, value: float, *, sign: bool = False) -> str:
        """A value of a metric in its own unit."""
        unit = m.unit_of_value
        scaled = 100 * value if unit == "share" else value
        decimals = decimals_for((scaled,), 2) if unit == "share" else by_size(abs(value))
        return self.quantity(unit, value, decimals, sign=sign)

    def difference(self, m: MetricPlan, value: float) -> str:
        """A difference of two values: of shares in points."""
        if m.unit_of_value in ("share", "points"):
            scaled = 100 * value if m.unit_of_value == "share" else value
            return self.words("units.points", n=self.numbers.fixed(scaled, decimals_for((scaled,), 2)))
        return self.plain(m, value)

    def relative(self, m: MetricPlan, value: float | None) -> str | None:
        """A difference as a share of the value in the history."""
        if value is None or not m.base or m.unit_of_value == "points":
            return None
        return self.share(abs(value / m.base))

    # The answer

    def answer(self) -> str:
        plan = self.plan
        if plan.at_weeks is not None:
            return self.say("answer.at", weeks=self.weeks(plan.at_weeks), units=self.units(plan.at_units or 0.0))
        if plan.weeks is None:
            return self.say("answer.beyond", weeks=self.weeks(plan.shown))
        return self.weeks(plan.weeks)

    def because(self) -> list[str]:
        """Size, what decides it, and why there may be no duration."""
        plan, found = self.plan, []
        if plan.units is not None:
            arms = [
                self.say("arm", n=self.count(per_arm(plan.units, share)), variant=self.name(title, 40))
                for _, title, share in plan.shares
            ]
            found.append(self.say("answer.size", units=self.units(total(plan)), arms=self._listed(arms)))
            found.append(self.say("answer.why", metric=self.title(plan.driver)))
        if plan.at_weeks is not None:
            found.append(self.say("answer.at_why" if plan.at_units else "answer.at_none"))
        elif plan.units is not None and plan.weeks is None:
            seen = self.units(plan.entered[-1] * plan.traffic)
            key = "answer.beyond_why" if plan.like is None else "answer.beyond_like"
            found.append(self.say(key, seen=seen, weeks=self.weeks(plan.shown)))
        elif plan.slowest not in (None, plan.driver):
            found.append(self.say("answer.slow", metric=self.title(plan.slowest)))
        return found

    def _listed(self, arms: list[str]) -> str:
        """As `join`, but the commas are those of numbers."""
        head, last = self.words("list.separator").join(arms[:-1]), arms[-1]
        return self.words("list.two", first=head, last=last) if head else last

    def entry(self) -> str:
        source = self.name(self.plan.source, 40)
        if self.plan.like is not None:
            return self.say("as_in", experiment=self.name(self.plan.like, 40))
        if self.plan.by is None:
            return self.say("any_row", source=source)
        return self.say("by_event", event=self.name(self.plan.by, 40), source=source)

    def span(self) -> str:
        """The days on which units entered, and how much log came before."""
        plan = self.plan
        found = self.say("span", dates=self.dates(plan.start, plan.end), days=self.count(plan.days))
        return self.say("after_log", span=found, days=self.count(plan.lead)) if plan.lead else found

    def facts(self) -> list[tuple[str, str]]:
        plan = self.plan
        split = self.words("units.split").join(self.numbers.trimmed(100 * share, 1) for _, _, share in plan.shares)
        found = [
            ("power", self.share(plan.power)),
            ("rule", self.say(f"rule_{plan.rule}")),
            ("alpha", self.share(plan.alpha)),
            ("guardrail_alpha", self.share(plan.guardrail_alpha)),
            ("split", split),
            *([("traffic", self.share(plan.traffic))] if plan.traffic < 1.0 else []),
            ("history", self.span()),
            ("seen", self.units(plan.past_units)),
            ("source", self.entry()),
            *([("clusters", self.count(plan.clusters))] if plan.clusters is not None else []),
        ]
        return [(self.say(f"facts.{key}"), text) for key, text in found]

    # One metric

    def role(self, m: MetricPlan) -> str:
        if not m.window:
            return self.say(f"metrics.{m.role}_plain")
        return self.say(f"metrics.{m.role}", window=self.window(m.window))

    def cannot(self, m: MetricPlan) -> str:
        return self.say("metrics.cannot", why=self.coded("reasons", m.reason or ""))

    def base(self, m: MetricPlan) -> str:
        assert m.base is not None
        return self.say("metrics.base", value=self.plain(m, m.base), n=self.count(m.units))

    def noise(self, m: MetricPlan) -> str:
        assert m.deviation is not None
        text = self.coded("metrics.source", m.source or "")
        text = f"{text}, {self.say('metrics.deviation', value=self.plain(m, m.deviation))}"
        if m.kept is not None:
            text += self.say("metrics.kept", share=self.share(round(m.kept, 3)))
        elif m.unadjusted is not None:
            text += self.say("metrics.raw", why=self.coded("unadjusted", m.unadjusted))
        if m.design_effect is not None:
            text += self.say("metrics.design", n=self.numbers.fixed(m.design_effect, 2))
        if m.counted is not None and m.counted < 0.9995:
            text += self.say("metrics.counted", share=self.share(m.counted))
        return text

    def asked(self, m: MetricPlan) -> str:
        if m.asked is None:
            return self.say("metrics.nothing")
        absolute = self.difference(m, m.asked)
        if m.role == "goal":
            return self.say("metrics.detect", relative=self.share(m.detect or 0.0), absolute=absolute)
        if m.margin_kind == "relative":
            return self.say("metrics.margin", margin=self.share(m.margin or 0.0), absolute=absolute)
        return self.say("metrics.margin_plain", absolute=absolute)

    def test(self, m: MetricPlan) -> str:
        key = "metrics.test_two" if m.sides == 2 else "metrics.test_one"
        text = self.say(key, alpha=self.share(round(m.alpha or 0.0, 5)), power=self.share(round(m.power or 0.0, 4)))
        if m.inflation > 1.0:
            text += self.say("metrics.inflation", n=self.numbers.fixed(m.inflation, 2))
        return text

    def needed(self, m: MetricPlan) -> str:
        if m.needed is None:
            return self.words("table.no_value")
        n = self.count(total(self.plan, m.needed))
        return self.say("metrics.driver", n=n) if m.key == self.plan.driver and len(self.plan.metrics) > 1 else n

    def lasts(self, m: MetricPlan) -> str:
        if m.needed is None:
            return self.words("table.no_value")
        return self.count(m.weeks) if m.weeks is not None else self.say("metrics.beyond", n=self.count(self.plan.shown))

    def found_at(self, m: MetricPlan, week: int) -> str:
        """The smallest change that a metric finds after so many weeks."""
        value = m.detectable[week - 1] if len(m.detectable) >= week else None
        if value is None:
            return self.say("curve.not_yet")
        if m.margin_kind == "absolute":
            return self.difference(m, value)
        return self.relative(m, value) or self.difference(m, value)

    def cautions(self) -> list[str]:
        """What the plan rests on; one sentence where several metrics share it."""
        found: dict[tuple[str, float | None], list[str]] = {}
        for caution in self.plan.cautions:
            found.setdefault((caution.code, caution.number), []).extend(
                [] if caution.metric is None else [self._named(caution)]
            )
        return [*(self._caution(code, n, names) for (code, n), names in found.items()), self.say("cautions.always")]

    def _named(self, caution: Caution) -> str:
        assert caution.metric is not None
        return self.name(caution.metric, 40) if caution.code == "earlier" else self.title(caution.metric)

    def _caution(self, code: str, number: float | None, names: list[str]) -> str:
        return self.coded(
            "cautions",
            code,
            metric=self.join(names),
            share=None if number is None else self.share(round(number, 3)),
            n=None if number is None else self.count(number),
        )

    def method(self) -> list[str]:
        plan = self.plan
        alpha, guarded = self.share(plan.alpha), self.share(plan.guardrail_alpha)
        unit = clean(self.unit_name).lower()
        return [
            self.say("method.size", alpha=alpha, guardrail_alpha=guarded),
            self.say("method.joint", missed=self.share(round(1.0 - plan.power, 6)), power=self.share(plan.power)),
            self.say("method.history", entry=self.entry()),
            self.say("method.weeks", units=unit),
        ]


def per_arm(units: float, share: float) -> int:
    """Units of one arm, rounded up."""
    import math

    return math.ceil(units * share * (1.0 - 1e-12))


def total(plan: PlanResult, units: float | None = None) -> int:
    """Units of all arms, each rounded up."""
    return sum(per_arm(units or plan.units or 0.0, share) for _, _, share in plan.shares)


def weeks_shown(plan: PlanResult) -> tuple[int, ...]:
    """The weeks that a table lists: those around the answer, at most `MOST_WEEKS`, and the last that the past shows."""
    last = max((len(m.detectable) for m in plan.metrics), default=0)
    known = [w for w in range(1, last + 1) if any(len(m.detectable) >= w and m.detectable[w - 1] for m in plan.metrics)]
    if len(known) <= MOST_WEEKS:
        return tuple(known)
    wanted = {w for w in (plan.weeks, plan.at_weeks, known[0], known[-1]) if w in known}
    step = -(-len(known) // (MOST_WEEKS - 3))
    wanted |= set(known[::step])
    return tuple(sorted(w for w in wanted if w is not None))
