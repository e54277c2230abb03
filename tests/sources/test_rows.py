"""`where` in SQL against the same tests in plain Python, on random rows: a missing value never passes."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.language.conditions import RowAll, RowAny, RowNot, RowTest, Value, Where
from abtest.language.model import Property, Source
from abtest.language.where import parse_where
from abtest.sources.files import Files
from abtest.sources.read import Raw
from abtest.sources.rows import label_sql, where_sql

SOURCE = Source(
    "s",
    "events",
    ("s.csv",),
    (("user", "u"),),
    properties=(
        Property("a", "A a", "text"),
        Property("n", "n", "number"),
        Property("ms", "ms", "duration", "s", 0.001),
    ),
)
COLUMNS = {"A a": "c0", "n": "c1", "ms": "c2", "x'y\"": "c3"}
RAW = Raw(
    "raw", COLUMNS, dict.fromkeys(COLUMNS, "VARCHAR"), 1, 0, None, Files("s", "csv", (Path("s.csv"),), ("s.csv",))
)
engine = duckdb.connect()
engine.execute("CREATE TABLE raw (c0 VARCHAR, c1 VARCHAR, c2 VARCHAR, c3 VARCHAR)")

VALUES = (
    "", " ", "ES", "es", "MX", "0", "1", "1.0", "01", "2", "10", "-3", "2.5", "1e3", "true", "TRUE", "false", "yes", "no", "12,5", "NaN", "inf",
    "2026-01-31", "2026-02-01T10:00:00Z", "it's", "50%", "a_b", "é",
)  # fmt: skip
texts = st.sampled_from([v for v in VALUES if v.strip()])
rows = st.tuples(*[st.none() | st.sampled_from(VALUES)] * 4)
NUMBERS = (0.0, 1.0, 2.0, 2.5, -3.0, 10.0, 0.002, 0.01)
numbers = st.sampled_from(NUMBERS).map(lambda n: Value("number", f"{n:g}", n))
words = texts.map(lambda t: Value("text", t))
dates = st.sampled_from(["2026-01-31", "2026-02-01"]).map(lambda t: Value("date", t))
props = st.sampled_from(["a", "n", "ms", "x'y\""])
signs = st.sampled_from(["<", "<=", ">", ">="])


def _tests() -> st.SearchStrategy[Where]:
    return st.one_of(
        st.builds(lambda p, o, v: RowTest(p, o, (v,)), props, signs, numbers | dates),
        st.builds(lambda p, o, v: RowTest(p, o, (v,)), props, st.sampled_from(["=", "!="]), numbers | words),
        st.builds(
            lambda p, o, v: RowTest(p, o, tuple(v)),
            props,
            st.sampled_from(["in", "not in"]),
            st.lists(words | numbers, min_size=1, max_size=3),
        ),
        st.builds(lambda p, a, b: RowTest(p, "between", (a, b)), props, numbers, numbers),
        st.builds(
            lambda p, o, v, n: RowTest(p, o, (v,), n),
            props,
            st.sampled_from(["contains", "starts with", "ends with"]),
            words,
            st.booleans(),
        ),
        st.builds(lambda p, o, v: RowTest(p, o, (v,)), props, st.sampled_from(["before", "after"]), dates),
        st.builds(
            lambda p, o, n: RowTest(p, o, (), n), props, st.sampled_from(["missing", "true", "false"]), st.booleans()
        ),
    )


def _joined(parts: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
    many = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(RowNot, parts) | st.builds(RowAll, many) | st.builds(RowAny, many)


wheres = st.recursive(_tests(), _joined, max_leaves=6)


def holds(where: Where, row: dict[str, str | None]) -> bool:
    """The meaning, slowly and obviously."""
    match where:
        case RowNot(part):
            return not holds(part, row)
        case RowAll(parts):
            return all(holds(p, row) for p in parts)
        case RowAny(parts):
            return any(holds(p, row) for p in parts)
        case RowTest():
            return _test_holds(where, row)


def _test_holds(test: RowTest, row: dict[str, str | None]) -> bool:
    declared = SOURCE.property(test.prop)
    raw = row[declared.path if declared else test.prop]
    value = raw.strip() or None if raw is not None else None
    if test.operator == "missing":
        return (value is None) != test.negated
    if value is None:
        return False
    number = _number(value)
    scaled = None if number is None else number * (declared.factor if declared else 1.0)
    if test.operator in ("true", "false"):
        wanted = (test.operator == "true") != test.negated
        return value.lower() in (("true", "t", "1", "1.0", "yes") if wanted else ("false", "f", "0", "0.0", "no"))

    def equal(v: Value) -> bool:
        return scaled == v.number if v.kind == "number" and scaled is not None else value == v.text

    first = test.values[0]
    match test.operator:
        case "=":
            return equal(first)
        case "!=":
            return not equal(first)
        case "in":
            return any(equal(v) for v in test.values)
        case "not in":
            return not any(equal(v) for v in test.values)
        case "between":
            return scaled is not None and test.values[0].number <= scaled <= test.values[1].number
        case "contains":
            return (first.text in value) != test.negated
        case "starts with":
            return value.startswith(first.text) != test.negated
        case "ends with":
            return value.endswith(first.text) != test.negated
        case "before" | "after":
            day = _date(value)
            bound = date.fromisoformat(first.text)
            return day is not None and (day < bound if test.operator == "before" else day > bound)
    left: float | date | None = _date(value) if first.kind == "date" else scaled
    right: float | date = date.fromisoformat(first.text) if first.kind == "date" else first.number
    if left is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[test.operator]  # type: ignore[operator]


def _number(value: str) -> float | None:
    if value.lower() in ("true", "false"):
        return float(value.lower() == "true")
    return float(value) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[0-9]+)?", value) else None


def _date(value: str) -> date | None:
    return date.fromisoformat(value[:10]) if re.match(r"\d{4}-\d{2}-\d{2}", value) else None


@settings(max_examples=250, deadline=None)
@given(wheres, st.lists(rows, min_size=1, max_size=8))
def test_sql_and_python_agree(where: Where, table: list[tuple[str | None, ...]]) -> None:
    engine.execute("DELETE FROM raw")
    engine.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", table)
    sql = where_sql(where, SOURCE, RAW)
    found = engine.execute(f"SELECT c0, c1, c2, c3, {sql} FROM raw").fetchall()
    for *values, answer in found:
        assert answer is holds(where, dict(zip(COLUMNS, values, strict=True))), (values, sql)


@settings(max_examples=200, deadline=None)
@given(_tests())
def test_a_missing_value_passes_nothing_but_is_missing(where: Where) -> None:
    assert isinstance(where, RowTest)
    engine.execute("DELETE FROM raw")
    engine.execute("INSERT INTO raw VALUES (NULL, NULL, NULL, NULL), ('', ' ', '', '')")
    answers = {bool(r[0]) for r in engine.execute(f"SELECT {where_sql(where, SOURCE, RAW)} FROM raw").fetchall()}
    assert answers == {where.operator == "missing" and not where.negated}


def test_text_from_yaml_cannot_leave_its_quotes() -> None:
    where = parse_where('a = "\'; DROP TABLE raw; --" or a contains "\') OR true --"')
    engine.execute("DELETE FROM raw")
    engine.execute("INSERT INTO raw VALUES ('x', '', '', ''), ('''; DROP TABLE raw; --', '', '', '')")
    found = engine.execute(f"SELECT c0 FROM raw WHERE {where_sql(where, SOURCE, RAW)}").fetchall()
    assert found == [("'; DROP TABLE raw; --",)]


def test_groups_of_flags_and_numbers_are_named_as_people_write_them() -> None:
    """A flag once made the groups "0.0" and "1.0"."""

    def labels(prop: Property, values: list[str | None]) -> list[str | None]:
        listed = ", ".join(f"({i}, {'NULL' if v is None else repr(v)})" for i, v in enumerate(values))
        found = engine.execute(f"SELECT {label_sql(prop, RAW)} FROM (VALUES {listed}) AS v(i, c1) ORDER BY i")
        return [row[0] for row in found.fetchall()]

    assert labels(Property("n", "n", "flag"), ["1", "0", "true", "False", "?", None]) == [
        "yes", "no", "yes", "no", None, None,
    ]  # fmt: skip
    assert labels(Property("n", "n", "number"), ["37", "37.0", "-2.50", "0", "", None]) == [
        "37", "37", "-2.5", "0", None, None,
    ]  # fmt: skip
    assert labels(Property("n", "n", "text"), ["1.0", "ES", None]) == ["1.0", "ES", None]
