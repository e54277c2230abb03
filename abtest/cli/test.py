"""`abtest test`: the examples of every metric."""

from __future__ import annotations

import click

from abtest.cli.show import write


@click.command("test")
@click.argument("metrics", nargs=-1)
@click.option(
    "--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above)."
)
def command(metrics: tuple[str, ...], folder: str | None) -> None:
    """Run the `examples:` of METRICS (default: all). Exit code 1 when one gives another value.

    \b
    Examples:
      abtest test
      abtest test engaged_weeks
    """
    from abtest.analysis.examples import problems_in_examples, run_examples
    from abtest.cli.locate import open_project
    from abtest.cli.pick import pick_metric
    from abtest.problems import UserError

    project = open_project(folder)
    chosen = [pick_metric(project, m) for m in metrics] or list(project.metrics.values())
    problems = problems_in_examples(project)
    if problems:
        raise UserError(problems)
    outcomes = run_examples(project, chosen)
    failed = [o for o in outcomes if not o.passed]
    for outcome in failed:
        got = "missing (the unit would not count)" if outcome.got is None else _like(outcome.got, outcome.example.text)
        write(
            f"{outcome.example.place}: {outcome.metric}, example {outcome.number}: expected {outcome.example.text}, got {got}"
        )
    without = [m.name for m in chosen if not m.examples and m.kind != "column" and not (m.parts and m.column)]
    write(
        f"{len(outcomes) - len(failed)} of {len(outcomes)} examples pass"
        + (f"; without examples: {', '.join(without)}" if without else "")
    )
    if failed:
        raise click.exceptions.Exit(1)


def _like(value: float, text: str) -> str:
    """The value written as the expectation was."""
    return f"{100 * value:.6g}%" if "%" in text else f"{value:.6g}"
