"""`abtest lab`: all definitions around a metric on the past, in one scan."""

from __future__ import annotations

from typing import Any

import click

from abtest.cli.past import look, past_options


@click.command("lab")
@past_options("the page")
def command(**asked: Any) -> None:
    """Compute METRIC with other thresholds on the past: how common each definition is, what change it would find, how
    steady it is, and who of its members comes back. Suggests definitions, with the YAML line to paste.

    \b
    Examples:
      abtest lab engaged_weeks                        every combination of its thresholds
      abtest lab engaged_weeks --before composer_v3   only days before that experiment
      abtest lab engaged_weeks --json > lab.json
    """
    look("lab", **asked)
