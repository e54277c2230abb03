"""`--language` of a command: asked for there, else set for the project, else English."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from abtest.shipped import languages


def language_option(of: str) -> Callable[[Any], Any]:
    """The option, checked before any work is done. `of`: what it is the language of."""
    listed = ", ".join(languages())
    return click.option(
        "--language",
        metavar="CODE",
        callback=_known,
        help=f"Language of {of}: {listed} (default: `language` of the project, else en).",
    )


def _known(context: click.Context, option: click.Parameter, code: str | None) -> str | None:
    return None if code is None else known_language(code, "--language")


def known_language(code: str, what: str) -> str:
    """The code itself. Raises UserError that names the languages there are."""
    from abtest.language.suggest import did_you_mean
    from abtest.problems import Problem, UserError, quoted

    if code not in languages():
        hint = did_you_mean(code, languages(), "Possible")
        raise UserError([Problem("E002", f"{what} {quoted(code)}", None, hint)], exit_code=2)
    return code
