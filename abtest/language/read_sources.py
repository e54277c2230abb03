"""`project`, `sources` and `events` from YAML to values."""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePosixPath
from typing import Any, get_args

from abtest.language import values
from abtest.language.conditions import Where
from abtest.language.fields import Fields, read_text
from abtest.language.model import Event, Once, Property, PropertyType, Source, SourceKind, TimeColumn, TimeFormat
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.language.where import parse_where
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Problems, quoted

ROW_NUMBER = "row number"
_LATER = ("preset", "identity", "sql", "project_created", "uses")
_PREFIX = {
    "duration ms": ("duration", "s", 0.001),
    "duration min": ("duration", "s", 60.0),
    "duration h": ("duration", "s", 3600.0),
}


def read_source(name: str, node: Node, problems: Problems) -> Source | None:
    what = f"source {name}"
    if not isinstance(node, Map):
        problems.error("E121", f"{what} is a map", node.place)
        return None
    fields = Fields(node, what, problems)
    kind: Any = fields.choice("kind", get_args(SourceKind), required=True)
    files = tuple(f.value for f in fields.texts("files") if _safe_path(f, problems))
    if not fields.has("files"):
        fields.missing("files", "Example:  files: events-*.csv.gz")
    columns, answers = _columns(fields, problems, kind in ("answers", None))
    units = _units(fields, what, problems)
    properties = (*_properties(fields, problems), *answers)
    where = _where(fields, "where", problems)
    ignore = _ignore(fields, problems)
    dedupe = fields.read("dedupe", _dedupe) or ()
    known = fields.choice("known", ("before_exposure", "at_exposure"))
    source = Source(
        name=name,
        kind=kind or "events",
        files=files,
        units=units,
        event=columns.get("event"),
        event_constant=fields.text("event"),
        id=columns.get("id"),
        variant=columns.get("variant"),
        flag=columns.get("flag"),
        session=columns.get("session"),
        time=columns.get("time"),
        properties=properties,
        where=where,
        ignore=ignore,
        dedupe=dedupe,
        settle=fields.read("settle", values.day_count) or 0,
        complete_through=fields.read("complete_through", values.calendar_date),
        timezone=fields.read("timezone", values.timezone_name),
        known_before_exposure=known == "before_exposure",
        place=node.place,
    )
    fields.done(_LATER)
    if kind is None:
        return None
    _fits_kind(source, fields, problems)
    return source


def _fits_kind(source: Source, fields: Fields, problems: Problems) -> None:
    what = f"source {source.name}"
    if source.kind == "events":
        if source.event is None and source.event_constant is None:
            problems.error(
                "E109",
                f"{what} does not say which event a row is",
                source.place,
                "Either  columns: {event: COLUMN}  or, for a file of one event,  event: watched",
            )
        if source.event is not None and source.event_constant is not None:
            problems.error("E109", f"{what} names its event twice: as a column and as a constant", source.place)
        if source.time is None:
            problems.error(
                "E109",
                f"{what} has no time",
                fields.place("columns"),
                "Example:  columns: {event: name, time: created_at}",
            )
    elif source.kind == "answers":
        if source.time is None:
            problems.error(
                "E109", f"{what} has no time", fields.place("columns"), "Example:  columns: {time: answered_at, score: q1}"
            )  # fmt: skip
        if fields.has("event"):
            problems.error("E109", f"event of {what} has no effect: every row is an answer", fields.place("event"))
    else:
        for key in ("dedupe", "settle", "complete_through", "event"):
            if fields.has(key):
                problems.error(
                    "E109", f"{key} of {what} has no effect: it belongs to sources of kind events", fields.place(key)
                )
    if source.kind == "exposures" and source.variant is None:
        problems.error(
            "E109",
            f"{what} does not say in which column the variant is",
            source.place,
            "Example:  columns: {variant: variation, time: seen_at}",
        )
    if source.kind == "exposures" and source.time is None:
        problems.error(
            "E109", f"{what} has no time", source.place, "Example:  columns: {variant: variation, time: seen_at}"
        )
    if "id" in source.dedupe and source.id is None:
        problems.error(
            "E109", f"{what} dedupes on an id that is not mapped", fields.place("dedupe"), "Add  columns: {id: COLUMN}"
        )
    for name in source.dedupe:
        if (
            name not in ("id", "time", "event", "variant", "flag")
            and source.property(name) is None
            and source.unit_path(name) is None
        ):
            problems.error(
                "E109",
                f"dedupe of {what} names {quoted(name)}, which is neither mapped nor a property",
                fields.place("dedupe"),
            )


def _safe_path(text: Text, problems: Problems) -> bool:
    """Files are named relative to the project's data folder and cannot leave it."""
    path = text.value.replace("\\", "/")
    pure = PurePosixPath(path)
    if "://" in path or re.match(r"[A-Za-z]:", path):
        problems.error(
            "E140", f"files are local; {quoted(text.value)} is an address", text.place, "Download the export first."
        )
    elif pure.is_absolute() or ".." in pure.parts or path.startswith("~"):
        problems.error(
            "E140",
            f"the path {quoted(text.value)} leaves the data folder",
            text.place,
            "Write it relative to `project: data:`, without `..`.",
        )
    elif not path or "\x00" in path:
        problems.error("E140", "an empty path", text.place)
    elif "**" in pure.parts and len(pure.parts) > 8:
        problems.error("E140", "too many `**` in one path", text.place)
    else:
        return True
    return False


def _columns(fields: Fields, problems: Problems, answers: bool) -> tuple[dict[str, Any], tuple[Property, ...]]:
    """The canonical columns; in a source of answers every other entry names a question."""
    node = fields.map("columns")
    if node is None:
        return {}, ()
    inner = Fields(node, f"columns of {fields.what}", problems)
    found: dict[str, Any] = {key: inner.text(key) for key in ("event", "id", "variant", "flag", "session")}
    found["time"] = _time(inner, problems)
    questions = []
    for key, value in node if answers else ():
        if key.value not in found:
            inner.asked[key.value] = None
            if values.is_id(key.value) and isinstance(value, Text):
                questions.append(Property(key.value, value.value, "text", place=key.place))
            else:
                problems.error("E130", f"{quoted(key.value)} is not a name for a question", key.place)
    inner.done()
    return found, tuple(questions)


def _time(inner: Fields, problems: Problems) -> TimeColumn | None:
    node = inner.node_of("time")
    if node is None:
        return None
    if isinstance(node, Text):
        return TimeColumn(node.value)
    if not isinstance(node, Map):
        problems.error("E121", "time is a column, or {from: COLUMN, as: FORMAT}", node.place)
        return None
    fields = Fields(node, "time", problems)
    path = fields.text("from", required=True)
    how: Any = fields.choice("as", get_args(TimeFormat)) or "auto"
    day_1: date | None = fields.read("day_1", values.calendar_date)
    if how == "day number" and day_1 is None and fields.node_of("as") is not None:
        problems.error("E109", "day numbers need the date of day 1", fields.place("as"), "Add  day_1: 2026-01-01")
    fields.done()
    return TimeColumn(path or "", how, day_1)


def _units(fields: Fields, what: str, problems: Problems, key_name: str = "units") -> tuple[tuple[str, str], ...]:
    node = fields.map(key_name, required=True)
    if node is None:
        return ()
    found = []
    for key, value in node:
        if not values.is_id(key.value):
            problems.error(
                "E130", f"{quoted(key.value)} is not a name", key.place, "Names are lower case:  user, device, team"
            )
        elif not isinstance(value, Text):
            problems.error("E121", f"unit {key.value} of {what} is a column", value.place)
        else:
            found.append((key.value, value.value))
    if not node.entries:
        problems.error("E109", f"{what} maps no unit", node.place, "Example:  units: {user: user_id}")
    return tuple(found)


def _properties(fields: Fields, problems: Problems) -> tuple[Property, ...]:
    node = fields.map("properties")
    found = []
    for key, value in node or ():
        if not values.is_id(key.value):
            problems.error(
                "E130", f"{quoted(key.value)} is not a name", key.place, "Names are lower case letters, digits and _"
            )
            continue
        if isinstance(value, Text):
            found.append(Property(key.value, value.value, "text", place=key.place))
            continue
        if not isinstance(value, Map):
            problems.error("E121", f"property {key.value} is a column, or {{from: COLUMN, type: TYPE}}", value.place)
            continue
        inner = Fields(value, f"property {key.value}", problems)
        path = inner.text("from") or key.value
        # A type that cannot be read is reported once; `number` lets what uses the property pass.
        unread: tuple[PropertyType, None, float] = ("number" if inner.has("type") else "text", None, 1.0)
        type_, unit, factor = inner.read("type", property_type) or unread
        inner.done()
        found.append(Property(key.value, path, type_, unit, factor, key.place))
    return tuple(found)


def property_type(text: str) -> tuple[PropertyType, str | None, float]:
    """`number`, `text`, `flag`, `date`, `money EUR`, `duration s`."""
    clean = " ".join(text.split())
    if clean in ("number", "text", "flag", "date"):
        simple: Any = clean
        return simple, None, 1.0
    if re.fullmatch(r"money [A-Z]{3}", clean):
        return "money", clean[-3:], 1.0
    if clean in ("duration", "duration s"):
        return "duration", "s", 1.0
    if clean in _PREFIX:
        kind: Any
        kind, unit, factor = _PREFIX[clean]
        return kind, unit, factor
    known = ["number", "text", "flag", "date", "money EUR", "duration s", "duration ms", "duration min"]
    raise SyntaxProblem("E136", f"no type {quoted(clean)}", (0, max(1, len(text))), did_you_mean(clean, known, "Types"))


def _where(fields: Fields, key: str, problems: Problems) -> Where | None:
    return fields.read(key, parse_where)


def _ignore(fields: Fields, problems: Problems) -> tuple[tuple[str, Where], ...]:
    node = fields.map("ignore")
    found = []
    for key, value in node or ():
        if isinstance(value, Text):
            where = read_text(value, parse_where, problems)
            if where is not None:
                found.append((key.value, where))
        else:
            problems.error("E121", f"ignore {key.value} is one test", value.place)
    return tuple(found)


def _dedupe(text: str) -> tuple[str, ...]:
    """`id, keep first` or `user and flag, keep first`."""
    keys, _, keep = text.partition(",")
    if keep.strip() not in ("", "keep first"):
        raise SyntaxProblem(
            "E136",
            f"dedupe keeps the first row; found {quoted(keep.strip())}",
            (0, len(text)),
            "Example:  dedupe: id, keep first",
        )
    names = tuple(k.strip() for k in keys.split(" and "))
    if not all(names):
        raise SyntaxProblem(
            "E136",
            "dedupe names what makes two rows the same",
            (0, max(1, len(text))),
            "Example:  dedupe: id, keep first",
        )
    return names


def read_event(name: str, node: Node, problems: Problems) -> Event | None:
    """`ID: NAME` or `ID: {event: NAME | [NAME], source, where, …}`; `source` may be left out when there is one."""
    what = f"event {name}"
    if isinstance(node, Text):
        return Event(name, "", (node.value,), place=node.place)
    if isinstance(node, Seq):
        names = tuple(i.value for i in node.items if isinstance(i, Text))
        if len(names) != len(node.items):
            problems.error("E121", f"{what} is a list of names", node.place)
        return Event(name, "", names, place=node.place)
    fields = Fields(node, what, problems)
    names = tuple(t.value for t in fields.texts("event"))
    where = fields.read("where", parse_where)
    text = fields.node.get("where")
    nth = fields.read("nth", _nth)
    before = fields.choice("before_exposure", ("ok",)) is not None
    units = _units(fields, what, problems, "unit") if fields.has("unit") else ()
    event = Event(
        name,
        fields.text("source") or "",
        names,
        where,
        units,
        nth,
        fields.read("count_once", _once),
        before,
        place=node.place,
        where_text=text if isinstance(text, Text) else None,
    )
    fields.done()
    return event


def _nth(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        message = f"nth counts rows from 1, found {quoted(text)}"
        raise SyntaxProblem("E116", message, (0, max(1, len(text))), "Example:  nth: 1  for the first ever")
    return int(text)


def _once(text: str) -> Once:
    """`article`, or `article per day`."""
    match = re.fullmatch(r"([a-z][a-z0-9_]*)(?:\s+per\s+(hour|day|week|month|session))?", " ".join(text.split()))
    if match is None:
        raise SyntaxProblem(
            "E136",
            f"count_once takes a property, found {quoted(text)}",
            (0, max(1, len(text))),
            "Examples:  count_once: article   count_once: article per day",
        )
    period: Any = match[2]
    return Once(match[1], period)
