"""`abtest schema`: the YAML files as a JSON Schema, for completion and hover in an editor."""

from __future__ import annotations

from pathlib import Path

import click

from abtest.cli.show import write


@click.command("schema")
@click.option("--out", metavar="FILE", help="Write it to this file instead of printing it.")
@click.option(
    "--part",
    type=click.Choice(["project", "experiment"]),
    help="Only for project files, or only for experiment files (default: both, told apart by `experiment:`).",
)
def command(out: str | None, part: str | None) -> None:
    """Print a JSON Schema of the YAML files: with it an editor completes keys, explains them and marks mistakes.

    \b
    Examples:
      abtest schema --out abtest.schema.json
      abtest schema --part experiment > experiment.schema.json
    Then begin each YAML file with this line:
      # yaml-language-server: $schema=abtest.schema.json
    """
    from abtest.language.schema import PARTS, schema_text
    from abtest.problems import Problem, UserError, quoted

    text = schema_text(next((p for p in PARTS if p == part), None))
    if out is None:
        write(text.removesuffix("\n"))
        return
    try:
        Path(out).write_text(text, encoding="utf-8", newline="\n")
    except OSError as e:
        raise UserError([Problem("E003", f"cannot write {quoted(out)}: {e.strerror or e}")], exit_code=2) from e
    write(f"wrote {out}")
    write(f"Begin YAML files beside it with:  # yaml-language-server: $schema={Path(out).name}")
