""" "Did you mean": the nearest known names to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from abtest.problems import Place, quoted


def distance(a: str, b: str, limit: int = 3) -> int:
    """Damerau-Levenshtein distance (optimal string alignment), or `limit` when it is at least that.

    >>> distance("photo_pst", "photo_post"), distance("lkie", "like"), distance("abc", "xyz")
    (1, 1, 3)
    """
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        current = [i]
        for j, cb in enumerate(b, 1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) >= limit:
            return limit
        before, previous = previous, current
    return min(previous[-1], limit)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The closest known name: at most two edits away, or sharing a stem of four letters; None when none is close.

    >>> nearest("prefered", ["better", "per", "preferred"]), nearest("zzz", ["like"])
    ('preferred', None)
    """
    if len(name) > 100:
        return None
    lower = name.lower()
    scored = [(distance(lower, k.lower()), k) for k in known]
    close = [pair for pair in scored if pair[0] <= min(2, max(1, len(name) // 3))]
    if close:
        return min(close)[1]
    stems = [
        k
        for _, k in scored
        if min(len(k), len(lower)) >= 4 and (k.lower().startswith(lower[:5]) or lower.startswith(k.lower()))
    ]
    return min(stems) if stems else None


SYNONYMS = {
    "abstract": "description", "agg": "value", "aggregate": "value", "aggregation": "value", "allocation": "share",
    "cells": "cross", "default": "otherwise", "else": "otherwise", "letters": "cross", "levels": "ladder", "rungs": "ladder",
    "arms": "variants", "author": "owner", "clip": "cap", "condition": "did", "control": "baseline", "days_after": "over",
    "definition": "did", "desc": "description", "direction": "better", "each": "per", "end_date": "dates",
    "event": "did", "every": "per", "fold": "value", "formula": "amount", "frequency": "per", "goals": "metrics",
    "granularity": "per", "groups": "variants", "label": "title", "path": "files", "file": "files", "period": "per",
    "prefer": "better", "prefered": "better", "preferred": "better", "primary": "goal", "randomization_unit": "unit",
    "randomisation_unit": "unit", "split": "share", "start_date": "dates", "sum": "amount", "table": "source",
    "team": "owner", "threshold": "margin", "tolerance": "margin", "traffic": "share", "type": "kind",
    "variations": "variants", "weight": "share", "window": "over", "winsorize": "cap", "within": "over",
}  # fmt: skip
"""Words of other tools for our keys."""


def did_you_mean(name: str, known: Iterable[str], label: str = "Known", *, keys: bool = False) -> str:
    """A hint: the nearest name if one is close, where it is defined, and the first known names.

    `known` may map names to definitions that have a `place`. `keys` are listed in their own order.

    >>> did_you_mean("lkie", ["post", "like"])
    'Did you mean "like"?  Known: like, post'
    """
    names = list(dict.fromkeys(known)) if keys else sorted(set(known))
    near = near_key(name, names) if keys else nearest(name, names)
    parts = []
    if near is not None:
        parts.append(f"Did you mean {quoted(near)}{_defined(known, near)}?")
    if names:
        shown = ", ".join(names[:6])
        more = f", … ({len(names) - 6} more)" if len(names) > 6 else ""
        parts.append(f"{label}: {shown}{more}")
    return "  ".join(parts)


def near_key(name: str, known: Iterable[str]) -> str | None:
    """The key that was meant: one that is close, or what other tools call by this name."""
    names = list(known)
    other = SYNONYMS.get(name.lower())
    return nearest(name, names) or (other if other in names else None)


def _defined(known: Iterable[str], near: str) -> str:
    """` (events.yml:3)` when the definition of a name is at hand."""
    place = getattr(known[near], "place", None) if isinstance(known, Mapping) else None
    return f" ({place.file}:{place.line})" if isinstance(place, Place) and place.file else ""
