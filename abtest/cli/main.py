"""The command `abtest`. Commands live in one small module each and are imported only when they are called."""

from __future__ import annotations

import importlib
import sys

import click

from abtest.version import __version__

COMMANDS = {
    "run": "abtest.cli.run",
    "plan": "abtest.cli.plan",
    "check": "abtest.cli.check",
    "explain": "abtest.cli.explain",
    "test": "abtest.cli.test",
    "preview": "abtest.cli.preview",
    "lab": "abtest.cli.lab",
    "metrics": "abtest.cli.metrics",
    "fmt": "abtest.cli.fmt",
    "schema": "abtest.cli.schema",
    "calibrate": "abtest.cli.calibrate",
    "demo": "abtest.cli.demo",
    "init": "abtest.cli.init",
}
SHORT = {
    "run": "Compute experiments and write their reports.",
    "plan": "Say how many units and weeks an experiment needs, from history.",
    "check": "Find every mistake in the YAML at once.",
    "explain": "Say in plain words what a metric counts.",
    "test": "Run the examples of every metric.",
    "preview": "Look at a metric on the past before testing with it.",
    "lab": "Compute a metric with other thresholds, and suggest some.",
    "metrics": "List what metrics there are, and where they are used.",
    "fmt": "Rewrite the YAML in one canonical form.",
    "schema": "Print a JSON Schema, so that an editor completes the YAML.",
    "calibrate": "Check error rates on an experiment's own units, by random splits.",
    "demo": "Write a small photo-app project with logs, and run its three tests.",
    "init": "Start a project in a folder.",
}


class Lazy(click.Group):
    """A group that knows its commands by name only, so that `--help` imports nothing heavy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from abtest.language.suggest import did_you_mean

            ctx.fail(f"no command {args[0]!r}. {did_you_mean(args[0], COMMANDS, 'Commands')}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SHORT.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="abtest %(version)s")
def cli() -> None:
    """Engagement metrics in YAML, exported logs in, honest statistics and one decision page out.

    \b
    First time here?
      abtest demo            a complete project with logs, and its reports
      abtest init my_tests   a first project of your own
    """


def main() -> None:
    """Entry point: turns user problems into sentences and exit codes, and Ctrl-C into 130."""
    from abtest.problems import UserError

    try:
        # Without its standalone mode, click returns the code of an Exit instead of raising it.
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UserError as e:
        from abtest.cli.show import show_problems

        show_problems(e.problems)
        sys.exit(e.exit_code)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; the run in progress wrote nothing", err=True)
        sys.exit(130)
    except click.ClickException as e:
        e.show()
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)
