"""Trust checks: a table of all of them (`table.py`), pure functions that judge counts and moments, and the queries that
fetch those."""

from __future__ import annotations

from abtest.analysis.health.assignment import check_srm
from abtest.analysis.health.collect import Findings, health_checks
from abtest.analysis.health.logs import check_unit_loss
from abtest.analysis.health.table import CHECKS, Check

__all__ = ["CHECKS", "Check", "Findings", "check_srm", "check_unit_loss", "health_checks"]
