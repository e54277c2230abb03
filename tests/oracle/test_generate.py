"""The random projects are valid, varied, and say in their files what they say as values; laws of the oracle on them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from abtest.language.model import Metric
from abtest.language.project import load_project

from .generate import LISTED, PULSE, SHIFTS, Case, coverage, definitions, projects, seeded, smaller
from .oracle import Property, Row, UnitValue, evaluate, local_date, units

LAWS = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS = range(120)


def values(case: Case, metric: Metric, rows: tuple[Row, ...] | None = None) -> dict[str, UnitValue]:
    events = case.project().events
    return evaluate(metric, events, case.sources, case.rows if rows is None else rows, case.exposures, case.setting)


def test_every_kind_of_definition_is_drawn_often_enough() -> None:
    cases = [seeded(seed) for seed in SEEDS]
    assert definitions(cases) >= 500
    rare = {trait: share for trait, share in coverage(cases).items() if share < 0.02}
    assert not rare
    assert len(LISTED) == len(set(LISTED))


def test_every_zone_policy_and_fate_is_drawn() -> None:
    cases = [seeded(seed) for seed in SEEDS]
    assert {c.setting.timezone for c in cases} == set(SHIFTS)
    assert {c.setting.mixed for c in cases} == {"drop", "first"}
    fates = {a.reason for c in cases for a in units(c.exposures, c.setting).values()}
    assert fates == {None, "before_start", "outside", "late", "mixed"}
    reasons = {v.reason for c in cases for m in c.project().metrics.values() for v in values(c, m).values()}
    assert reasons == {None, "immature", "missing"}


def test_rows_cluster_at_the_exposure_at_midnights_and_on_each_other() -> None:
    microseconds = set()
    midnights = ties = silent = 0
    for case in map(seeded, SEEDS):
        assigned = {u: a.at for u, a in units(case.exposures, case.setting).items() if a.reason is None}
        active = {r.unit for r in case.rows}
        silent += sum(unit not in active for unit in assigned)
        timed = [(r, r.at) for r in case.rows if isinstance(r.at, datetime) and r.unit != PULSE]
        ties += len(timed) - len({(r.unit, at) for r, at in timed})
        for row, at in timed:
            x = assigned.get(row.unit)
            if x is not None and abs(at - x) <= timedelta(microseconds=1):
                microseconds.add((at - x) // timedelta(microseconds=1))
            before = at - timedelta(microseconds=1)
            midnights += local_date(before, case.setting.timezone) != local_date(at, case.setting.timezone)
    assert microseconds == {-1, 0, 1}
    assert min(midnights, ties, silent) > 50


@LAWS
@given(projects())
def test_every_project_loads(case: Case) -> None:
    project = case.project()
    assert [use.name for use in project.experiments["x"].metrics] == list(project.metrics)


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
            found = [_row(line, log.name, log.constant) for line in _lines(case, log.name)]
            assert found == [r for r in case.rows if r.source == log.name]
        shown = [(line["uid"], line["variant"], _time(line["at"])) for line in _lines(case, "flags")]
        assert shown == [(e.unit, e.variant, e.at) for e in case.exposures]


def _lines(case: Case, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(case.files()[f"logs/{name}.csv"])))


def _row(line: dict[str, str], source: str, constant: str | None) -> Row:
    amount, kind = line["amt"], line["kind"]
    props: dict[str, Property] = {"amount": Decimal(amount) if amount else None, "kind": kind or None}
    return Row(line["uid"], constant or line["name"], _time(line["at"]), props, source)


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


@LAWS
@given(projects())
def test_order_and_other_units_change_nothing(case: Case) -> None:
    for metric in case.project().metrics.values():
        found = values(case, metric)
        assert values(case, metric, case.rows[::-1]) == found
        unit = next(iter(found), None)
        if unit is not None:
            # Others may go, but what dates the log by being its last row stays.
            alone = tuple(r if r.unit in (unit, PULSE) else replace(r, unit="somebody else") for r in case.rows)
            assert values(case, metric, alone)[unit] == found[unit]


@LAWS
@given(projects())
def test_what_came_before_the_exposure_changes_nothing(case: Case) -> None:
    assigned = units(case.exposures, case.setting)

    def before(row: Row) -> bool:
        own = assigned.get(row.unit)
        if own is None or own.at is None or own.day is None:
            return False
        return row.at < own.at if isinstance(row.at, datetime) else row.at < own.day

    later = tuple(r for r in case.rows if not before(r))
    for metric in case.project().metrics.values():
        assert values(case, metric, later) == values(case, metric)


@LAWS
@given(projects())
def test_values_lie_where_their_kind_says(case: Case) -> None:
    for metric in case.project().metrics.values():
        for found in values(case, metric).values():
            assert (found.value is None) == (found.reason is not None)
            assert (found.denominator is not None) == (metric.kind == "ratio" and found.reason is None)
            if found.value is None:
                continue
            if metric.cap is not None:
                assert found.value <= Decimal(repr(metric.cap))
            if metric.kind in ("did", "retention") and not (metric.fold and metric.fold.name in ("count", "streak")):
                assert 0 <= found.value <= 1
                assert found.value.denominator == 1 or (metric.fold is not None and metric.fold.name == "share")
