"""A section of evidence: tables below a lead."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.reports.appendix import Plain
from abtest.reports.tables import Table


@dataclass(frozen=True)
class Evidence:
    """A section of tables below a lead."""

    title: str
    leads: tuple[str, ...]
    tables: tuple[Table, ...]
    plain: tuple[Plain, ...] = ()
    meanings: tuple[tuple[str, str], ...] = ()
    read: tuple[str, ...] = ()
