"""`abtest init`: the smallest project that can be filled in."""

from __future__ import annotations

from pathlib import Path

import click

from abtest.cli.show import write


@click.command("init")
@click.argument("folder", default=".")
def command(folder: str) -> None:
    """Write the files of a first project into FOLDER (default: here). Existing files are never touched.

    \b
    Examples:
      abtest init
      abtest init my_tests
    """
    from abtest.problems import Problem, UserError, quoted
    from abtest.shipped import shipped

    source = shipped("templates") / "init"
    target = Path(folder)
    files = sorted(p for p in source.rglob("*") if p.is_file())
    taken = [p.relative_to(source).as_posix() for p in files if (target / p.relative_to(source)).exists()]
    if taken:
        raise UserError(
            [
                Problem(
                    "E003",
                    f"{quoted(folder)} already holds {', '.join(taken)}",
                    None,
                    "Choose another folder:  abtest init DIR",
                )
            ],
            exit_code=2,
        )
    try:
        for path in files:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    except OSError as e:
        raise UserError([Problem("E003", f"cannot write into {quoted(folder)}: {e.strerror or e}")], exit_code=2) from e
    for path in files:
        write(f"  {target / path.relative_to(source)}")
    write("Next: put your exports into data/, adapt abtest.yml, then  abtest check  and  abtest run")
