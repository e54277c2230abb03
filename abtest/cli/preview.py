"""`abtest preview`: one metric on the past."""

from __future__ import annotations

from typing import Any

import click

from abtest.cli.past import look, past_options


@click.command("preview")
@past_options("the page")
def command(**asked: Any) -> None:
    """Compute METRIC on the past, before an experiment is built on it: its value and spread, week by week, how steady it
    is, when it is known, what change can be found with it, and what it goes along with.

    \b
    Examples:
      abtest preview engaged_weeks
      abtest preview engaged_weeks --before composer_v3
      abtest preview revenue_per_user --from 2026-02-02 --json
    """
    look("preview", **asked)
