"""Printing: problems, progress and colour. Colour only on a terminal and without NO_COLOR."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from abtest.problems import Problem


def colour(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def unicode_ok(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")


def write(text: str, stream: TextIO | None = None) -> None:
    """Print text; characters that the terminal cannot show become `?` instead of an error."""
    out = stream or sys.stdout
    encoding = getattr(out, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, errors="replace").decode(encoding), file=out)


def show_problems(problems: Iterable[Problem], *, stream: TextIO | None = None) -> None:
    """All problems, then how many."""
    out = stream or sys.stderr
    listed = list(problems)
    paint = colour(out)
    for problem in listed:
        text = str(problem)
        if paint:
            head, _, rest = text.partition(problem.code)
            text = (
                click.style(head, bold=True)
                + click.style(problem.code, fg="red" if problem.severity == "error" else "yellow", bold=True)
                + rest
            )
        write(text, out)
    errors = sum(p.severity == "error" for p in listed)
    if len(listed) > 1:
        warnings = len(listed) - errors
        parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((errors, "problem"), (warnings, "warning")) if n]
        write("\n" + ", ".join(parts), out)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done; silent when the output is not a terminal."""
    if not (sys.stderr.isatty() and os.environ.get("TERM") != "dumb"):
        yield lambda _: None
        return
    from rich.console import Console

    console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
    with console.status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")


def shown(path: Path) -> str:
    """A path from here, where it is below."""
    here, absolute = Path.cwd(), path.resolve()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(path)
