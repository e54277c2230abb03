"""Problems of the user: a code, a place, a sentence and a hint. Collected, sorted, rendered; never printed elsewhere.

Programming errors raise ordinary exceptions. Whatever a person can mend in YAML or data is a `Problem`, and all of
them are reported at once through `UserError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]

_MAX_NAME = 60
_MAX_EXCERPT = 110


@dataclass(frozen=True, slots=True)
class Place:
    """A span in a file; line and column count from 1. `excerpt` is the whole source line."""

    file: str
    line: int
    column: int
    length: int = 1
    excerpt: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend.

    >>> print(Problem("E201", 'no event "lik"', Place("m.yml", 4, 8, 3, "  did: lik >= 5"), 'Did you mean "like"?'))
    m.yml:4:8 E201 no event "lik"
        did: lik >= 5
             ^^^
      Did you mean "like"?
    """

    code: str
    message: str
    place: Place | None = None
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.place} " if self.place else ""
        lines = [f"{where}{self.code} {self.message}"]
        if self.place and self.place.excerpt.strip():
            lines += _caret(self.place)
        if self.hint:
            lines += ["  " + line for line in self.hint.splitlines()]
        return "\n".join(lines)


class UserError(Exception):
    """Everything that was wrong, at once. `exit_code`: 1 definitions, 2 usage, 3 data."""

    def __init__(self, problems: Iterable[Problem], exit_code: int = 1) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        self.exit_code = exit_code
        super().__init__("\n".join(str(p) for p in self.problems))


def data_error(code: str, message: str, hint: str = "", place: Place | None = None) -> UserError:
    """The common case of one problem that makes the data unusable."""
    return UserError([Problem(code, message, place, hint)], exit_code=3)


@dataclass(slots=True)
class Problems:
    """Where problems gather while a file is read. Reading goes on after each, so that all are found."""

    found: list[Problem] = field(default_factory=list)

    def error(self, code: str, message: str, place: Place | None = None, hint: str = "") -> None:
        self._add(Problem(code, message, place, hint))

    def warn(self, code: str, message: str, place: Place | None = None, hint: str = "") -> None:
        self._add(Problem(code, message, place, hint, "warning"))

    def _add(self, problem: Problem) -> None:
        if problem not in self.found:
            self.found.append(problem)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(sorted((p for p in self.found if p.severity == "error"), key=_order))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(sorted((p for p in self.found if p.severity == "warning"), key=_order))

    def raise_errors(self, exit_code: int = 1) -> None:
        if self.errors:
            raise UserError(self.errors, exit_code)


def quoted(text: object) -> str:
    """A name from YAML or data, safe for one line of a terminal: control characters escaped, long names cut.

    >>> quoted("li\\nke")
    '"li\\\\nke"'
    """
    raw = str(text)
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in raw[: _MAX_NAME + 1])
    if len(raw) > _MAX_NAME:
        clean = clean[: _MAX_NAME - 1] + f"… ({len(raw):,} characters)"
    return f'"{clean}"'


def _order(problem: Problem) -> tuple[str, int, int, str, str]:
    place = problem.place
    return (
        (place.file, place.line, place.column, problem.code, problem.message)
        if place
        else ("", 0, 0, problem.code, problem.message)
    )


def _caret(place: Place) -> list[str]:
    """The source line and a caret under the span, cut to a window around it when the line is long."""
    text = "".join(c if c.isprintable() else " " for c in place.excerpt.replace("\t", " "))
    start = place.column - 1
    left = max(0, start - _MAX_EXCERPT // 2) if len(text) > _MAX_EXCERPT else 0
    window = text[left : left + _MAX_EXCERPT]
    indent = len(window) - len(window.lstrip()) if left == 0 else 0
    window, start = window[indent:], start - left - indent
    width = max(1, min(place.length, len(window) - start))
    return ["    " + window.rstrip(), "    " + " " * max(0, start) + "^" * width]
