"""Trust checks in words: what each looked at, how it ended, and whether the data can be used."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.result import HealthCheck, HealthLevel, Result
from abtest.reports.labels import Chip
from abtest.reports.wording import Wording


@dataclass(frozen=True)
class CheckText:
    """`advice`: what usually causes it and what to do, where there is something to do."""

    name: str
    rule: str
    text: str
    chip: Chip
    advice: str = ""


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
EFFECT_CHECKS = frozenset({"twyman", "novelty", "largest_unit", "power", "dominance", "concurrent", "mechanism"})
# Checks whose count is one of units; elsewhere rows, values or days are counted.
COUNTS_UNITS = frozenset({"mixed_exposure", "exposure_before_start", "missing_units", "min_counts"})
# Counts that are singular or plural words of their own.
DAYS = {"lag": "late"}
# Values that are changes of the metric that the check is about.
EFFECTS = ("early", "late")
CHANGE_LIMIT = 260
TIME_NOTES = ("without_zone", "stray_future", "gap", "fold")


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
    """Every check in words, worst first; metrics of which a check says the same share one line."""
    texts = check_texts(w)

    def of(*levels: str) -> tuple[CheckText, ...]:
        return tuple(text for level, text in texts if level in levels)

    every = tuple(text for _, text in texts)
    return HealthText(_lead(w), of("fail", "note"), of("pass"), _by_reason(w, of("not_run")), every)


def _by_reason(w: Wording, checks: tuple[CheckText, ...]) -> tuple[CheckText, ...]:
    """What was not run for the same reason, on one line."""
    names: dict[str, list[CheckText]] = {}
    for check in checks:
        names.setdefault(check.text, []).append(check)
    between = w.words("list.separator")
    return tuple(
        CheckText(between.join(dict.fromkeys(c.name for c in same)), "", text, same[0].chip)
        for text, same in names.items()
    )


def check_texts(w: Wording) -> list[tuple[HealthLevel, CheckText]]:
    """The visible checks in words, worst first. What is equal but for its subject is said once."""
    ranked = sorted(visible(w.result), key=lambda c: ("fail", "note", "pass", "not_run").index(c.level))
    groups: dict[tuple[str, ...], list[HealthCheck]] = {}
    for i, check in enumerate(ranked):
        alone = (str(i),) if check.level != "pass" and (check.scope != "metric" or check.subject is None) else ()
        groups.setdefault((check.key, check.level, check_text(w, check), *alone), []).append(check)
    return [
        (
            checks[0].level,
            CheckText(
                _name(w, checks), _rule(w, checks[0]), text, w.chip("level", checks[0].level), _advice(w, checks[0])
            ),
        )
        for (_, _, text, *_), checks in groups.items()
    ]


def failures(w: Wording) -> list[str]:
    """Short names of what failed, for the verdict sentence; checks of the whole experiment come first."""
    failed = [check for check in visible(w.result) if check.level == "fail"]
    failed.sort(key=lambda check: check.scope != "experiment")
    found = [w.words(f"{_entry(w, check)}.short", key=w.name(check.key)) for check in failed]
    return list(dict.fromkeys(found))


def _name(w: Wording, checks: list[HealthCheck]) -> str:
    """The name of a check with what it is about: one subject, or several of which it says the same."""
    name = w.words(f"{_entry(w, checks[0])}.name", key=w.name(checks[0].key))
    titles = {metric.key: w.metric(metric, 48) for metric in w.result.metrics}
    subjects = [titles.get(c.subject, w.name(c.subject, 48)) for c in checks if c.subject is not None]
    return w.words("health.about", check=name, subject=w.join(subjects)) if subjects else name


def check_text(w: Wording, check: HealthCheck) -> str:
    if check.level == "not_run":
        reason = check.reason or "no_data"
        return w.words(w.words.known("health.reason", reason), reason=w.name(reason))
    key = f"{_entry(w, check)}.{check.level}"
    slots, values = _slots(w, check), check.values or {}
    if values.get("units") == 0 or values.get("share_immature") == 1:
        # Nothing is there yet, which is more than a small number.
        key = f"{key}_empty" if w.words.has(f"{key}_empty") else key
    if isinstance(values.get("shape"), str) and w.words.has(f"{key}_{values['shape']}"):
        key = f"{key}_{values['shape']}"  # words of their own for one way in which it differs
    counted = values.get("count", values.get("dropped"))
    if isinstance(counted, int) and counted and w.words.has(f"{key}_counted"):
        return w.words.plural(f"{key}_counted", counted, **{**slots, "n": w.count(counted)})
    return w.words(key if w.words.has(key) else f"checks.other.{check.level}", **slots)


def _rule(w: Wording, check: HealthCheck) -> str:
    return w.words(f"{_entry(w, check)}.rule")


def _advice(w: Wording, check: HealthCheck) -> str:
    """The usual cause and its remedy, of what did not pass."""
    if check.level not in ("fail", "note"):
        return ""
    entry = _entry(w, check)
    return w.words("list.space").join(w.words(f"{entry}.{part}") for part in ("cause", "remedy"))


def _entry(w: Wording, check: HealthCheck) -> str:
    return w.words.known("checks", check.key)


def _slots(w: Wording, check: HealthCheck) -> dict[str, str | None]:
    """Values as text, by the kind that their name tells; an absent or null value selects a sentence without it."""
    slots: dict[str, str | None] = {"key": w.name(check.key)}
    values = check.values or {}
    days = values.get("days")
    if isinstance(days, int):
        slots["run"] = w.words.plural("rule.runtime.days", days)
        slots["weeks"] = w.words.plural("rule.runtime.weeks", days // 7) if days >= 7 else None
        slots["rest"] = w.words.plural("rule.runtime.days", days % 7) if days % 7 else None
    for name, slot in DAYS.items():
        if isinstance(values.get(name), int):
            slots[slot] = w.words.plural("rule.runtime.days", int(values[name] or 0))
    own = next((metric for metric in w.result.metrics if metric.key == check.subject), None)
    titles = {metric.key: w.metric(metric, 48) for metric in w.result.metrics}
    parts = [(code, values[code]) for code in TIME_NOTES if isinstance(values.get(code), int) and values[code]]
    if parts:
        said = [w.words.plural(f"ledger.counted.{code}", int(n), n=w.count(int(n))) for code, n in parts if n]
        slots["repaired"] = w.words("list.clauses").join(said)
    changes = [w.name(str(v), CHANGE_LIMIT) for k, v in sorted(values.items()) if k.startswith("change_") and v]
    if changes:
        changes = [text.replace(" -> ", w.words("list.became")) for text in changes]
        more = values.get("more")
        if isinstance(more, int) and more:
            changes.append(w.words.plural(f"{_entry(w, check)}.more", more, n=w.count(more)))
        slots["changes"] = w.words("list.clauses").join(changes)
    if check.key == "config_drift":
        entry, day = _entry(w, check), values.get("first_look_on")
        slots["since"] = w.words(f"{entry}.since", day=w.date(day)) if isinstance(day, str) else ""
        slots["deciding_said"] = w.words(f"{entry}.deciding") if values.get("deciding") else None
    for name, value in values.items():
        # Nothing counted is said in words ("None."), not as a zero with a unit.
        nothing = value == 0 and (name in ("count", "dropped") or name.startswith("share"))
        if value is None or name == "key" or nothing:
            continue
        if isinstance(value, str):
            dated = name == "first" or name.endswith("_on")
            named = w.variant(value) if name == "variant" else titles.get(value) if name == "covariate" else None
            slots[name] = w.date(value) if dated else named or w.name(value)
        elif name in EFFECTS and own is not None:
            slots[name] = w.effect(own, value)
        elif name == "p_value" or name.endswith("_p"):
            slots[name] = w.p(value)
        elif "share" in name or "deviation" in name:
            slots[name] = w.share(abs(value))  # a difference has a sign, its size is what matters
        elif name == "units" or (name == "count" and check.key in COUNTS_UNITS):
            slots[name] = w.units(int(value))
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
    why = _nothing(w)
    if why is not None:
        return w.words.plural("health.lead.nothing", c.notes, total=total, passed=passed, why=why)
    if c.notes:
        return w.words.plural("health.lead.note", c.notes, total=total, passed=passed)
    return w.words("health.lead.good", total=total, passed=passed)


def _nothing(w: Wording) -> str | None:
    """Why there is nothing to read yet: no goal could be tested, because nobody counts for it."""
    comparisons = [comparison for goal in w.result.goals for comparison in goal.comparisons]
    empty = all(any(arm.used == 0 for arm in goal.arms) for goal in w.result.goals)
    if not comparisons or not empty or any(comparison.status == "ok" for comparison in comparisons):
        return None
    return w.no_test(comparisons[0])
