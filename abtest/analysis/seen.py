"""Names that the YAML expects against names that the data hold: events that never happen, variants nobody declared."""

from __future__ import annotations

from collections.abc import Mapping

from abtest.language.model import Event, Source
from abtest.language.suggest import nearest
from abtest.problems import Problem, UserError, quoted
from abtest.sources.engine import Engine, name
from abtest.sources.events import Log
from abtest.sources.read import Raw


def events_seen(engine: Engine, source: Source, raw: Raw, log: Log, events: Mapping[str, Event]) -> dict[str, int]:
    """Rows of the whole log per event, whoever's they are.

    Raises UserError (exit 3) for an event none of whose names is in the log: a metric on a misspelt name would be zero
    for everybody, and a guardrail on it would hold for ever.
    """
    columns = ", ".join(f"count(*) FILTER ({name('is_' + e)})" for e in events)
    found = dict(zip(events, engine.one(f"SELECT {columns} FROM {name(log.table)}"), strict=True)) if events else {}
    missing = [events[e] for e, n in found.items() if n == 0 and events[e].names]
    if not missing or source.event is None:
        return found
    column = raw.text(source.event)
    counts = engine.rows(
        f"SELECT {column}, count(*) FROM {name(raw.table)} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000"
    )
    names = {str(n): int(k) for n, k in counts}
    problems = [_never(event, source, names) for event in missing if not set(event.names) & set(names)]
    if problems and len(names) < 1000:
        raise UserError(problems, exit_code=3)
    return found


def _never(event: Event, source: Source, names: Mapping[str, int]) -> Problem:
    written = " or ".join(quoted(n) for n in event.names)
    seen = ", ".join(f"{quoted(n)[1:-1]} {k:,}" for n, k in list(names.items())[:6])
    more = f", … ({len(names) - 6} more)" if len(names) > 6 else ""
    near = next((found for n in event.names if (found := nearest(n, names) or _inside(n, names))), None)
    hint = f"Did you mean {quoted(near)}?" if near else "If it is so rare, leave its metrics out until it happens."
    return Problem(
        "E206",
        f"event {event.name}: {written} never appears in source {source.name} (seen: {seen}{more})",
        event.place,
        hint,
    )


def _inside(wanted: str, names: Mapping[str, int]) -> str | None:
    """`crash` for `app_crash`, `order_completed` for `order`: one name inside the other."""
    inside = [n for n in names if len(n) >= 4 and len(wanted) >= 4 and (n in wanted or wanted in n)]
    return min(inside, key=lambda n: abs(len(n) - len(wanted))) if inside else None


def undeclared_variants(engine: Engine) -> tuple[int, tuple[str, ...]]:
    """Rows exposed to variants that the experiment does not declare, and the most frequent of their keys."""
    rows = engine.rows(
        "SELECT coalesce(key, '(empty)'), count(*) FROM exposure_rows WHERE step IS NULL AND variant IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return sum(int(n) for _, n in rows), tuple(quoted(k)[1:-1] for k, _ in rows[:5])
