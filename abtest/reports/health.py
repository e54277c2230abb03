"""Trust checks in words: what each looked at, how it ended, and whether the data can be used."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.result import HealthCheck, HealthLevel, Result
from abtest.reports.labels import Chip
from abtest.reports.wording import Wording


@dataclass(frozen=True)
class CheckText:
    name: str
    rule: str
    text: str
    chip: Chip


@dataclass(frozen=True)
class HealthText:
    lead: str
    calls: tuple[CheckText, ...]
    passed: tuple[CheckText, ...]
    not_run: tuple[CheckText, ...]
    all: tuple[CheckText, ...]


@dataclass(frozen=True)
class Counts:
    passed: int
    notes: int
    failed: int
    not_run: int

    @property
    def total(self) -> int:
        return self.passed + self.notes + self.failed


# Checks that look at effects: their outcome would give away what an invalid result must not show.
EFFECT_CHECKS = frozenset({"twyman", "novelty"})


def visible(result: Result) -> tuple[HealthCheck, ...]:
    """The checks that may be shown: all of them, unless the result is invalid."""
    if result.decision.valid:
        return result.health
    return tuple(check for check in result.health if check.key not in EFFECT_CHECKS)


def counts(result: Result) -> Counts:
    checks = visible(result)

    def of(level: HealthLevel) -> int:
        return sum(check.level == level for check in checks)

    return Counts(of("pass"), of("note"), of("fail"), of("not_run"))


def health_text(w: Wording) -> HealthText:
    """Every check in words, worst first."""
    checks = visible(w.result)
    ranked = sorted(checks, key=lambda c: ("fail", "note", "pass", "not_run").index(c.level))
    texts = [(check.level, _check(w, check)) for check in ranked]

    def of(*levels: str) -> tuple[CheckText, ...]:
        return tuple(text for level, text in texts if level in levels)

    return HealthText(_lead(w), of("fail", "note"), of("pass"), of("not_run"), tuple(text for _, text in texts))


def failures(w: Wording) -> list[str]:
    """Short names of what failed, for the verdict sentence; checks of the whole experiment come first."""
    failed = [check for check in visible(w.result) if check.level == "fail"]
    failed.sort(key=lambda check: check.scope != "experiment")
    found = [w.words(f"{_entry(w, check)}.short", key=w.name(check.key)) for check in failed]
    return list(dict.fromkeys(found))


def check_name(w: Wording, check: HealthCheck) -> str:
    name = w.words(f"{_entry(w, check)}.name", key=w.name(check.key))
    if check.subject is None:
        return name
    titles = {metric.key: w.metric(metric, 48) for metric in w.result.metrics}
    subject = titles.get(check.subject, w.name(check.subject, 48))
    return w.words("health.about", check=name, subject=subject)


def check_text(w: Wording, check: HealthCheck) -> str:
    if check.level == "not_run":
        reason = check.reason or "no_data"
        return w.words(w.words.known("health.reason", reason), reason=w.name(reason))
    entry = _entry(w, check)
    key = f"{entry}.{check.level}"
    return w.words(key if w.words.has(key) else f"checks.other.{check.level}", **_slots(w, check))


def _check(w: Wording, check: HealthCheck) -> CheckText:
    rule = w.words(f"{_entry(w, check)}.rule")
    return CheckText(check_name(w, check), rule, check_text(w, check), w.chip("level", check.level))


def _entry(w: Wording, check: HealthCheck) -> str:
    return w.words.known("checks", check.key)


def _slots(w: Wording, check: HealthCheck) -> dict[str, str | None]:
    """Values as text, by the kind that their name tells; an absent or null value selects a sentence without it."""
    slots: dict[str, str | None] = {"key": w.name(check.key)}
    days = (check.values or {}).get("days")
    if isinstance(days, int) and days % 7:
        slots["rest"] = w.count(days % 7)
    for name, value in (check.values or {}).items():
        # Nothing counted is said in words ("None."), not as a zero with a unit.
        nothing = value == 0 and (name in ("count", "dropped") or name.startswith("share"))
        if value is None or name == "key" or nothing:
            continue
        if isinstance(value, str):
            slots[name] = w.date(value) if name.endswith("_on") else w.name(value)
        elif name == "p_value" or name.endswith("_p"):
            slots[name] = w.p(value)
        elif "share" in name or "deviation" in name:
            slots[name] = w.share(abs(value))  # a difference has a sign, its size is what matters
        elif name in ("count", "units"):
            slots[name] = w.units(int(value)) if check.key not in ("late_or_future", "time_gaps") else w.count(value)
        elif float(value).is_integer():
            slots[name] = w.count(value)
        else:
            slots[name] = w.numbers.trimmed(value)
    return slots


def _lead(w: Wording) -> str:
    c = counts(w.result)
    total, passed = w.count(c.total), w.count(c.passed)
    if c.total == 0:
        return w.words("health.lead.none")
    if not w.result.decision.valid:
        return w.words.plural("health.lead.fail", c.failed, total=total)
    if c.failed:
        return w.words.plural("health.lead.metric_fail", c.failed)
    if c.notes:
        return w.words.plural("health.lead.note", c.notes, total=total, passed=passed)
    return w.words("health.lead.good", total=total, passed=passed)
