"""SQL for tests on the rows of a source (`where`, `ignore`): typed by the declared property, or as text."""

from __future__ import annotations

from abtest.language.conditions import RowAll, RowAny, RowNot, RowTest, Value, Where, row_tests
from abtest.language.model import Property, Source
from abtest.problems import UserError, data_error, quoted
from abtest.sources.engine import text
from abtest.sources.read import Raw

YES, NO = "yes", "no"  # how groups of a flag are called


def where_sql(where: Where, source: Source, raw: Raw) -> str:
    """A boolean that is never NULL. A missing value passes no test, turned around or not, but `is missing`."""
    match where:
        case RowTest():
            return _test(where, source, raw)
        case RowNot(part):
            return f"(NOT {where_sql(part, source, raw)})"
        case RowAll(parts):
            return "(" + " AND ".join(where_sql(p, source, raw) for p in parts) + ")"
        case RowAny(parts):
            return "(" + " OR ".join(where_sql(p, source, raw) for p in parts) + ")"


def kept_sql(source: Source, raw: Raw) -> str:
    """A boolean: the row passes the source's `where` and none of its `ignore`."""
    wanted = [where_sql(source.where, source, raw)] if source.where is not None else []
    wanted += [f"NOT {where_sql(w, source, raw)}" for _, w in source.ignore]
    return f"({' AND '.join(wanted)})" if wanted else "true"


def passes_when_missing(where: Where) -> bool:
    """Whether a row of which nothing is known passes."""
    match where:
        case RowTest():
            return where.operator == "missing" and not where.negated
        case RowNot(part):
            return not passes_when_missing(part)
        case RowAll(parts):
            return all(passes_when_missing(p) for p in parts)
        case RowAny(parts):
            return any(passes_when_missing(p) for p in parts)


def where_props(where: Where | None) -> set[str]:
    return {t.prop for t in row_tests(where)} if where is not None else set()


def path_of(prop: str, source: Source) -> str:
    """A declared name means its column; in `sources`, anything else is a path of its own."""
    declared = source.property(prop)
    return declared.path if declared is not None else prop


def property_sql(prop: Property, raw: Raw) -> str:
    """The value of a declared property: a number in its unit, or text."""
    if prop.type in ("number", "money", "duration", "flag"):
        number = raw.number(prop.path)
        return number if prop.factor == 1.0 else f"({number} * {prop.factor!r})"
    return raw.text(prop.path)


def label_sql(prop: Property, raw: Raw) -> str:
    """The value of a property as the name of a group of units: yes and no for a flag, 37 and not 37.0 for a number."""
    value = property_sql(prop, raw)
    if prop.type not in ("number", "money", "duration", "flag"):
        return value
    written = f"regexp_replace(CAST({value} AS VARCHAR), '[.]0$', '')"
    if prop.type != "flag":
        return written
    return f"(CASE {value} WHEN 1 THEN {text(YES)} WHEN 0 THEN {text(NO)} ELSE {written} END)"


def not_numbers(source: Source, raw: Raw, path: str, bad: int, values: int, example: str) -> UserError:
    """Values of a numeric column that cannot be read."""
    which = "the values" if bad == values else f"{bad:,} of {values:,} values"
    hint = "A metric needs numbers, or true and false."
    if "," in example:
        hint = "Decimals are written with a point, 12.50, and thousands without a separator."
    return data_error(
        "E513",
        f"source {source.name}: {which} in {quoted(path)} of {raw.files.what} are not numbers, such as {quoted(example)}",
        hint,
        source.place,
    )


def _test(test: RowTest, source: Source, raw: Raw) -> str:
    path = path_of(test.prop, source)
    declared = source.property(test.prop)
    factor = declared.factor if declared is not None else 1.0
    as_text = raw.text(path)
    number = raw.number(path) if factor == 1.0 else f"({raw.number(path)} * {factor!r})"
    values = test.values
    match test.operator:
        case "missing":
            return f"({as_text} IS {'NOT ' if test.negated else ''}NULL)"
        case "true" | "false":
            truth = f"lower({as_text}) IN ('true', 't', '1', '1.0', 'yes')"
            lie = f"lower({as_text}) IN ('false', 'f', '0', '0.0', 'no')"
            wanted = (test.operator == "true") != test.negated
            found = truth if wanted else lie
        case "in" | "not in":
            one_by_one = " OR ".join(_equal(v, as_text, number) for v in values)
            found = (
                f"({one_by_one})"
                if test.operator == "in"
                else f"({as_text} IS NOT NULL AND NOT coalesce(({one_by_one}), false))"
            )
        case "between":
            low, high = values
            found = f"({_compare(low, '>=', as_text, number)} AND {_compare(high, '<=', as_text, number)})"
        case "contains" | "starts with" | "ends with":
            function = {"contains": "contains", "starts with": "starts_with", "ends with": "ends_with"}[test.operator]
            found = f"{function}({as_text}, {text(values[0].text)})"
            if test.negated:
                found = f"(NOT {found})"
        case "matches":
            found = f"regexp_matches({as_text}, {text(values[0].text)})"
            if test.negated:
                found = f"(NOT {found})"
        case "before" | "after":
            sign = "<" if test.operator == "before" else ">"
            found = f"({_date(as_text)} {sign} DATE {text(values[0].text)})"
        case _:
            found = _compare(values[0], test.operator, as_text, number)
    return f"coalesce({found}, false)"


def _equal(value: Value, as_text: str, number: str) -> str:
    if value.kind == "number":
        return f"coalesce({number} = {value.number!r}, {as_text} = {text(value.text)})"
    return f"({as_text} = {text(value.text)})"


def _compare(value: Value, operator: str, as_text: str, number: str) -> str:
    if operator == "=":
        return _equal(value, as_text, number)
    if operator == "!=":
        return f"({as_text} IS NOT NULL AND NOT {_equal(value, as_text, number)})"
    if value.kind == "number":
        return f"({number} {operator} {value.number!r})"
    if value.kind == "date":
        return f"({_date(as_text)} {operator} DATE {text(value.text)})"
    return f"({as_text} {operator} {text(value.text)})"


def _date(as_text: str) -> str:
    """The date that a text begins with; to the engine, "inf" and "epoch" are dates too."""
    return f"CASE WHEN ascii({as_text}) BETWEEN 48 AND 57 THEN TRY_CAST(left({as_text}, 10) AS DATE) END"
