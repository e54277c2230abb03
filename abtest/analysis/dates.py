"""Whole days since 1970 to ISO dates, as results write them."""

from __future__ import annotations

from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)


def iso(day: int | None) -> str | None:
    """
    >>> iso(20516), iso(None)
    ('2026-03-04', None)
    """
    return None if day is None else (_EPOCH + timedelta(days=day)).isoformat()
