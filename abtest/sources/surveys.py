"""Answers to surveys in SQL: the code that was given, what it scores, and codes that the scale does not have."""

from __future__ import annotations

from abtest.language.model import Source, Survey
from abtest.problems import data_error, quoted
from abtest.sources.engine import Engine, name, text
from abtest.sources.read import Raw
from abtest.sources.rows import kept_sql, path_of
from abtest.sources.units import USED, unit_sql

MAX_OUTSIDE_SHARE = 0.05


def survey_paths(survey: Survey, source: Source) -> tuple[str, ...]:
    return tuple(path_of(column, source) for column in survey.columns)


def _code(survey: Survey, column: str, source: Source, raw: Raw) -> str:
    """The number of one answer, reversed items turned; NULL when it is missing or outside the scale."""
    path = path_of(column, source)
    if survey.labels:
        cases = " ".join(f"WHEN {text(label)} THEN {i + 1}.0" for i, label in enumerate(survey.labels))
        return f"(CASE {raw.text(path)} {cases} END)"
    number = raw.number(path)
    value = f"({survey.low} + {survey.high} - {number})" if column in survey.reversed else number
    return (
        f"(CASE WHEN {number} BETWEEN {survey.low} AND {survey.high} AND {number} = floor({number}) THEN {value} END)"
    )


def answer_sql(survey: Survey, source: Source, raw: Raw) -> str:
    """The answer of a row: its code, or the mean of the items when enough of them were answered."""
    codes = [_code(survey, column, source, raw) for column in survey.columns]
    if len(codes) == 1:
        return codes[0]
    given = " + ".join(f"(CASE WHEN {c} IS NULL THEN 0 ELSE 1 END)" for c in codes)
    total = " + ".join(f"coalesce({c}, 0)" for c in codes)
    return f"(CASE WHEN ({given}) >= {survey.need} THEN CAST(({total}) AS DOUBLE) / ({given}) END)"


def item_sums(
    engine: Engine, survey: Survey, source: Source, raw: Raw, unit: str
) -> list[tuple[int, list[int], dict[tuple[int, int], int]]]:
    """Per variant, over answers of units in the experiment that answered every item: how many, sums of codes, and sums
    of their products (i <= j). Reversed items are turned."""
    codes = [f"CAST({_code(survey, column, source, raw)} AS HUGEINT)" for column in survey.columns]
    named = ", ".join(f"{code} AS c{i}" for i, code in enumerate(codes))
    pairs = [(i, j) for i in range(len(codes)) for j in range(i, len(codes))]
    asked = [f"sum(c{i})" for i in range(len(codes))] + [f"sum(c{i} * c{j})" for i, j in pairs]
    rows = engine.rows(
        f"SELECT u.variant, count(*), {', '.join(asked)} FROM (SELECT {unit_sql(source, unit, raw)} AS uid, {named} "
        f"FROM {name(raw.table)} WHERE {kept_sql(source, raw)}) a JOIN units u ON u.uid = a.uid "
        f"WHERE u.status = {USED} AND {' AND '.join(f'c{i} IS NOT NULL' for i in range(len(codes)))} "
        "GROUP BY u.variant ORDER BY u.variant"
    )
    k = len(codes)
    return [
        (int(n), [int(x) for x in rest[:k]], {p: int(x) for p, x in zip(pairs, rest[k:], strict=True)})
        for _, n, *rest in rows
    ]


def score_sql(survey: Survey, answer: str) -> str:
    """What an answer counts; NULL without one."""
    if survey.score == "nps":
        return f"(CASE WHEN {answer} >= 9 THEN 100.0 WHEN {answer} <= 6 THEN -100.0 WHEN {answer} IS NOT NULL THEN 0.0 END)"
    if survey.score == "mean":
        return f"CAST({answer} AS DOUBLE)"
    if survey.score == "share":
        good = f"{answer} = {survey.labels.index(survey.label or '') + 1}"
    else:
        good = f"{answer} <= {survey.top}" if survey.labels else f"{answer} > {(survey.high or 0) - survey.top}"
    return f"(CASE WHEN {answer} IS NOT NULL THEN CASE WHEN {good} THEN 1.0 ELSE 0.0 END END)"


def outside_sql(survey: Survey, source: Source, raw: Raw) -> str:
    """Whether a row holds an answer that the scale does not have."""
    tests = [
        f"({raw.text(path_of(c, source))} IS NOT NULL AND {_code(survey, c, source, raw)} IS NULL)"
        for c in survey.columns
    ]
    return f"({' OR '.join(tests)})"


def check_scale(engine: Engine, survey: Survey, source: Source, raw: Raw) -> int:
    """How many rows have an answer outside the scale. Raises UserError when they are too many to be slips."""
    outside = outside_sql(survey, source, raw)
    given = " OR ".join(f"{raw.text(path_of(c, source))} IS NOT NULL" for c in survey.columns)
    shown = ", ".join(raw.text(path_of(c, source)) for c in survey.columns)
    count, rows, example = engine.one(
        f"SELECT count(*) FILTER ({outside}), count(*) FILTER ({given}), "
        f"min(concat_ws(', ', {shown})) FILTER ({outside}) FROM {name(raw.table)}"
    )
    if count > MAX_OUTSIDE_SHARE * max(1, rows):
        scale = ", ".join(survey.labels) if survey.labels else f"{survey.low}-{survey.high}"
        raise data_error(
            "E514",
            f"survey {survey.name}: {count:,} of {rows:,} answers in {raw.files.what} are outside its scale {scale}, "
            f"such as {quoted(str(example))}",
            "Correct  scale:  or the export.",
            survey.place,
        )
    return int(count)
