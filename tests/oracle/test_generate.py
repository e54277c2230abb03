"""The random projects are valid, varied, and say in their files what they say as values; laws of the oracle on them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from abtest.language.canonical import events_of, metric_atoms
from abtest.language.model import Metric
from abtest.language.project import load_project

from .coverage import DETAILS, LISTED, coverage
from .generate import QUESTIONS, SHIFTS, Case, definitions, projects, seeded, smaller
from .oracle import Property, Row, Source, UnitValue, complete_through, evaluate, local_date, units
from .rows import PULSE

LAWS = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS = range(120)
MANY_SEEDS = range(300)
MICROSECOND = timedelta(microseconds=1)


def values(
    case: Case, metric: Metric, rows: tuple[Row, ...] | None = None, sources: dict[str, Source] | None = None
) -> dict[str, UnitValue]:
    return evaluate(
        metric, case.project().events, sources or case.sources, case.rows if rows is None else rows, case.exposures,
        case.setting, case.attributes,
    )  # fmt: skip


def test_every_word_is_drawn_often_enough() -> None:
    cases = [seeded(seed) for seed in MANY_SEEDS]
    assert definitions(cases) >= 2000
    found = coverage((case.project(), case.sources) for case in cases)
    assert not {trait: found[trait] for trait in LISTED if found[trait] < 0.02}
    assert not {trait: found[trait] for trait in DETAILS if found[trait] < 0.004}
    assert len({*LISTED, *DETAILS}) == len(LISTED) + len(DETAILS)


def test_every_zone_policy_and_fate_is_drawn() -> None:
    cases = [seeded(seed) for seed in SEEDS]
    assert {c.setting.timezone for c in cases} == set(SHIFTS)
    assert {c.setting.mixed for c in cases} == {"drop", "first"}
    fates = {a.reason for c in cases for a in units(c.exposures, c.setting).values()}
    assert fates == {None, "before_start", "outside", "late", "mixed"}


def test_every_kind_has_values_and_none() -> None:
    seen: dict[str, set[object]] = defaultdict(set)
    numbers: dict[str, set[Fraction]] = defaultdict(set)
    for case in map(seeded, SEEDS):
        for metric in case.project().metrics.values():
            for found in values(case, metric).values():
                seen[metric.kind].add(found.reason)
                numbers[metric.kind] |= set() if found.value is None else {found.value}
    rarely_missing = ("time_to", "churn", "funnel")
    assert all({None, "immature"} <= seen[kind] for kind in seen)
    assert all("missing" in seen[kind] for kind in seen if kind not in rarely_missing)
    assert all(len(numbers[kind]) > 1 for kind in numbers)
    assert all(len(numbers[kind]) > 5 for kind in ("did", "amount", "ratio", "quantile", "time_to", "group"))


def test_rows_cluster_where_the_language_draws_its_lines() -> None:
    microseconds, gaps, multiples = set(), set(), set()
    midnights = ties = silent = months = mondays = old = 0
    for case in map(seeded, SEEDS):
        zone = case.setting.timezone
        assigned = {u: a.at for u, a in units(case.exposures, case.setting).items() if a.reason is None}
        logs = {log.name for log in case.logs}
        active = {r.unit for r in case.rows if r.source in logs}
        silent += sum(unit not in active for unit in assigned)
        timed = [(r, r.at) for r in case.rows if isinstance(r.at, datetime) and r.unit != PULSE]
        ties += len(timed) - len({(r.unit, at) for r, at in timed})
        by_unit: dict[tuple[str, str], list[datetime]] = defaultdict(list)
        for row, at in timed:
            by_unit[row.unit, row.source].append(at)
            x = assigned.get(row.unit)
            if x is not None:
                since = at - x
                microseconds |= {since // MICROSECOND} if abs(since) <= MICROSECOND else set()
                multiples |= {since % timedelta(days=1) // MICROSECOND} if since > timedelta(hours=23) else set()
                old += since < timedelta(days=-35)
            day, before = local_date(at, zone), local_date(at - MICROSECOND, zone)
            midnights += before != day
            months += before.month != day.month
            mondays += before != day and day.weekday() == 0
        for times in by_unit.values():
            ordered = sorted(times)
            gaps |= {b - a for a, b in pairwise(ordered)}
    half_an_hour = timedelta(minutes=30)
    assert microseconds == {-1, 0, 1}
    assert {0, 86_400_000_000 - 1} <= multiples
    assert {half_an_hour, half_an_hour + MICROSECOND} <= gaps
    assert min(midnights, ties, silent, months, mondays, old) > 50


@LAWS
@given(projects())
def test_every_project_loads(case: Case) -> None:
    project = case.project()
    assert [*case.metrics] == [name for name in project.metrics if not name.startswith("pre")]


def test_files_say_what_the_values_say(tmp_path: Path) -> None:
    for seed in range(30):
        case = seeded(seed)
        project = load_project(case.write(tmp_path / str(seed)))
        assert project.timezone == case.setting.timezone
        told, meant = project.experiments["x"], case.setting
        assert (told.start, told.end, told.enroll_until) == (meant.start, meant.end, meant.enroll_until)
        assert told.mixed == meant.mixed
        for log in case.logs:
            declared = project.sources[log.name]
            assert (declared.settle, declared.complete_through) == (log.facts.settle, log.facts.complete_through)
            assert (declared.session is not None) == log.facts.sessions
            found = [_row(line, log.name, log.constant) for line in _lines(case, log.name)]
            assert found == [r for r in case.rows if r.source == log.name]
        for name, questions in QUESTIONS.items():
            lines = [(x["uid"], _time(x["at"]), {q: x[q] or None for q in questions}) for x in _lines(case, name)]
            assert lines == [(r.unit, r.at, dict(r.props)) for r in case.rows if r.source == name]
        shown = [(line["uid"], line["variant"], _time(line["at"])) for line in _lines(case, "flags")]
        assert shown == [(e.unit, e.variant, e.at) for e in case.exposures]
        assert {line["uid"]: line["plan"] or None for line in _lines(case, "people")} == {
            unit: props["plan"] for unit, props in case.people.items()
        }


def _lines(case: Case, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(case.files()[f"logs/{name}.csv"])))


def _row(line: dict[str, str], source: str, constant: str | None) -> Row:
    props: dict[str, Property] = {
        "amount": Decimal(line["amt"]) if line["amt"] else None, "kind": line["kind"] or None, "item": line["item"] or None,
    }  # fmt: skip
    ids = {"device": line["dev"] or None, "own": line["own"] or None}
    name = constant or line["name"]
    return Row(line["uid"], name, _time(line["at"]), props, source, line.get("sid") or None, ids)


def _time(text: str) -> datetime | date:
    if len(text) == 10:
        return date.fromisoformat(text)
    if text.isdigit():
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(text))
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_case_that_goes_wrong_gets_small() -> None:
    def wrong(case: Case) -> bool:
        return sum(row.unit == PULSE for row in case.rows) >= 2 and any(e.unit == "007" for e in case.exposures)

    case = smaller(next(c for c in map(seeded, SEEDS) if wrong(c)), wrong)
    assert [row.unit for row in case.rows] == [PULSE, PULSE]
    assert [e.unit for e in case.exposures] == ["007"]


# Laws ----------------------------------------------------------------------------------------------------------------


@LAWS
@given(projects())
def test_order_and_other_units_change_nothing(case: Case) -> None:
    for metric in case.project().metrics.values():
        found = values(case, metric)
        assert values(case, metric, case.rows[::-1]) == found
        unit = next(iter(found), None)
        if unit is not None and (metric.cap is None or metric.cap.of == "value"):
            # Others may go, but what dates the log by being its last row stays.
            alone = tuple(r if r.unit in (unit, PULSE) else replace(r, unit="somebody else") for r in case.rows)
            assert values(case, metric, alone)[unit] == found[unit]


@LAWS
@given(projects())
def test_what_came_before_the_exposure_changes_nothing(case: Case) -> None:
    """For metrics that do not ask for it."""
    assigned = units(case.exposures, case.setting)

    def before(row: Row) -> bool:
        own = assigned.get(row.unit)
        if own is None or own.at is None or own.day is None:
            return False
        return row.at < own.at if isinstance(row.at, datetime) else row.at < own.day

    later = tuple(r for r in case.rows if not before(r))
    for metric in case.project().metrics.values():
        if not _asks_for_history(metric, case):
            assert values(case, metric, later) == values(case, metric)


def _asks_for_history(metric: Metric, case: Case) -> bool:
    events = [case.project().events[name] for name in events_of(metric)]
    atoms = metric_atoms(metric)
    return (
        metric.window.before or metric.window.first is None or metric.per_unit == "session"
        or (metric.among is not None and metric.among.condition is not None)
        or any(a.ago is not None or a.function == "sessions" for a in atoms)
        or any(e.nth or e.units or e.before_exposure or (e.once and e.once.period == "session") for e in events)
    )  # fmt: skip


@LAWS
@given(projects())
def test_what_came_after_the_last_complete_date_changes_nothing(case: Case) -> None:
    events, setting = case.project().events, case.setting
    for metric in case.project().metrics.values():
        through = complete_through(metric, events, case.sources, case.rows, setting)
        sources = {n: replace(s, complete_through=through) for n, s in case.sources.items()}
        complete = tuple(r for r in case.rows if local_date(r.at, setting.timezone) <= through)
        assert values(case, metric, complete, sources) == values(case, metric)


@LAWS
@given(projects())
def test_values_lie_where_their_kind_says(case: Case) -> None:
    for metric in case.project().metrics.values():
        for found in values(case, metric).values():
            assert (found.value is None) == (found.reason is not None)
            assert (found.denominator is not None) == (metric.pooled and found.reason is None)
            if found.value is None:
                continue
            if metric.cap is not None and metric.cap.of == "value":
                assert found.value <= Decimal(repr(metric.cap.size))
            if metric.kind == "time_to":
                assert 0 <= found.value <= (metric.window.days or 0)
            if metric.condition is None or metric.kind == "time_to":
                continue
            if found.denominator is not None:
                assert 0 <= found.value <= found.denominator
            elif metric.fold is None or metric.fold.operator or metric.fold.name not in ("count", "streak"):
                assert 0 <= found.value <= 1
                assert not metric.yes_or_no or found.value.denominator == 1


@LAWS
@given(projects())
def test_a_quantile_lies_between_the_values(case: Case) -> None:
    for metric in case.project().metrics.values():
        if metric.quantile is None:
            continue
        own = case.values(metric)
        found = case.quantiles(metric)
        for variant, (quantile, often) in found.items():
            known = [u.value for u in own.values() if u.variant == variant and u.value is not None]
            assert (quantile is None) == (often == 0)
            if metric.quantile.across == "events":
                assert often == sum(known)
            else:
                assert often == len(known)
                assert quantile is None or min(known) <= quantile <= max(known)
