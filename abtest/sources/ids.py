"""Ids that two exports write differently: the most common reason why no event belongs to anybody."""

from __future__ import annotations

import re

from abtest.language.model import Source
from abtest.problems import UserError, data_error, quoted
from abtest.sources.engine import Engine, name
from abtest.sources.read import Raw

_UNITS = "units"
_NUMBER = "^[0-9]+([.]0+)?$"
_SAMPLE = 200_000
_SHARE = 0.02
"""Above this share of ids that fit an exposed one but for zeros, they are taken to be the same ids."""


def no_match(engine: Engine, source: Source, raw: Raw, uid: str) -> UserError:
    """No unit of the source was exposed."""
    here = engine.one(f"SELECT min({uid}) FROM {name(raw.table)}")[0]
    there = engine.one(f"SELECT min(uid) FROM {_UNITS}")[0]
    pair = _but_for_zeros(engine, raw, uid)
    here, there = (pair[0], pair[1]) if pair is not None else (here, there)
    looks = f"They look like {quoted(here)} there and like {quoted(there)} in the exposures."
    return data_error(
        "E512",
        f"source {source.name}: none of its units is in the exposures",
        f"{looks}\n{_advice(str(here), str(there))}",
        source.place,
    )


def ids_fit(engine: Engine, source: Source, raw: Raw, uid: str) -> None:
    """Raises UserError (exit 3) when a part of the ids lost zeros or became decimals, so that their events are lost."""
    pair = _but_for_zeros(engine, raw, uid)
    if pair is not None and pair[2] > _SHARE:
        raise data_error(
            "E512",
            f"source {source.name}: some of its ids differ from those of the exposures only by zeros, such as {quoted(pair[0])} and {quoted(pair[1])}",
            _advice(pair[0], pair[1]),
            source.place,
        )


def _but_for_zeros(engine: Engine, raw: Raw, uid: str) -> tuple[str, str, float] | None:
    """An id here, the exposed id that it seems to mean, and the share of ids that this is true of."""
    if not engine.rows(f"SELECT 1 FROM {_UNITS} WHERE regexp_matches(uid, '{_NUMBER}') LIMIT 1"):
        return None
    plain = "ltrim(regexp_replace({}, '[.]0+$', ''), '0')"
    here = (
        f"(SELECT DISTINCT uid FROM (SELECT {uid} AS uid FROM {name(raw.table)} LIMIT {_SAMPLE}) WHERE uid IS NOT NULL)"
    )
    found, all_, first, second = engine.one(
        f"SELECT count(DISTINCT h.uid) FILTER (k.uid IS NOT NULL), count(DISTINCT h.uid), arg_min(h.uid, (h.uid, k.uid)) FILTER (k.uid IS NOT NULL), arg_min(k.uid, (h.uid, k.uid)) FILTER (k.uid IS NOT NULL) "
        f"FROM {here} h LEFT JOIN (SELECT uid, {plain.format('uid')} AS plain FROM {_UNITS} WHERE regexp_matches(uid, '{_NUMBER}')) k "
        f"ON k.plain = CASE WHEN regexp_matches(h.uid, '{_NUMBER}') AND h.uid NOT IN (SELECT uid FROM {_UNITS}) THEN {plain.format('h.uid')} END"
    )
    return (str(first), str(second), found / all_) if found else None


def _advice(here: str, there: str) -> str:
    for value, where in ((here, "in this source"), (there, "in the exposures")):
        if re.fullmatch(r"\d+\.0+", value):
            return f"The ids {where} became decimal numbers. Export them as text."
        if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", value):
            return f"The ids {where} were shortened by a spreadsheet. Export them as text, without one in between."
    if here.isdigit() and there.isdigit() and len(here) != len(there):
        return "Leading zeros may be lost. Export the ids as text."
    if here.lower() == there.lower():
        return "Upper and lower case are different ids."
    return "Both must hold the same ids of the same unit."
