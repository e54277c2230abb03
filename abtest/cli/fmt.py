"""`abtest fmt`: the YAML of a project in its canonical form."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from abtest.cli.show import colour, show_problems, shown, write
from abtest.problems import Problem, Problems, UserError, quoted

MAX_PROBLEMS = 100


class _Few(Problems):
    """The first problems of a file; nobody reads hundreds, and keeping them all would take long."""

    def _add(self, problem: Problem) -> None:
        if len(self.found) < MAX_PROBLEMS and problem not in self.found:
            self.found.append(problem)


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    old: str
    new: str
    refused: str

    @property
    def changes(self) -> bool:
        return self.old != self.new


@click.command("fmt")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--check", is_flag=True, help="Write nothing; list what would change, and exit with 1 if anything would.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change as a unified diff.")
def command(paths: tuple[str, ...], check: bool, diff: bool) -> None:
    """Rewrite the YAML of PATHs (files or folders; default: this project) in one canonical form.

    Comments stay where they are and no meaning changes. When a file cannot be read, nothing is written at all.

    \b
    Examples:
      abtest fmt
      abtest fmt --check                 for CI
      abtest fmt metrics/feed.yml --diff
    """
    from abtest.language.format import format_yaml
    from abtest.language.yaml import read_yaml

    problems = Problems()
    files: list[_File] = []
    for path in _files(paths):
        name = shown(path)
        found = _Few()
        if read_yaml(path, name, found) is not None and not found.errors:
            old = path.read_bytes().decode("utf-8")
            formatted = format_yaml(old.removeprefix("\ufeff"), name, found)
            if formatted is not None:
                new = old if formatted.refused else formatted.text
                files.append(_File(path, name, old, new, formatted.refused))
        problems.found += found.errors
    if problems.errors:
        show_problems(problems.errors)
        write("nothing was written", sys.stderr)
        raise click.exceptions.Exit(1)
    changed = [file for file in files if file.changes]
    refused = [file for file in files if file.refused]
    for file in changed:
        if diff:
            write(_diff(file))
        elif check:
            write(f"would change  {file.name}{_line_ends(file)}")
        else:
            _replace(file)
            write(f"formatted  {file.name}{_line_ends(file)}")
    for file in refused:
        write(f"left as it is  {file.name}: {file.refused}", sys.stderr)
    if not diff:
        write(_summary(len(files), len(changed), check))
    if refused or (check and changed):
        raise click.exceptions.Exit(1)


def _summary(total: int, changed: int, check: bool) -> str:
    def files(n: int) -> str:
        return f"{n} file{'' if n == 1 else 's'}"

    if not changed:
        return f"{files(total)}, nothing to change"
    return f"{files(changed)} of {total} {'would change' if check else 'formatted'}"


def _files(paths: tuple[str, ...]) -> tuple[Path, ...]:
    """The files that are meant: given ones as they are, of a folder those that belong to its project."""
    from abtest.language.project import find_root, yaml_files

    found: dict[Path, None] = {}
    for path in map(Path, paths or (".",)):
        if path.is_dir():
            folder = path.resolve() if paths else find_root(path)
            own = [f for f in yaml_files(find_root(path)) if f.resolve().is_relative_to(folder)]
            if not own:
                hint = "Name a project's folder or file, such as  abtest fmt metrics/feed.yml"
                raise UserError(
                    [Problem("E100", f"no YAML files of a project in {quoted(path)}", None, hint)], exit_code=2
                )
            found.update(dict.fromkeys(own))
        elif path.is_file():
            found[path] = None
        else:
            raise UserError([Problem("E100", f"no file or folder {quoted(path)}")], exit_code=2)
    return tuple({path.resolve(): path for path in found}.values())


def _line_ends(file: _File) -> str:
    return "  (its line ends become LF)" if "\r" in file.old and not file.refused else ""


def _diff(file: _File) -> str:
    import difflib

    old, new = file.old.split("\n"), file.new.split("\n")
    name = file.name.lstrip("/")
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(_painted(_visible(line)) for line in lines)


def _visible(line: str) -> str:
    """Control characters, such as the line ends of Windows, are shown instead of sent to the terminal."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in line)


def _painted(line: str) -> str:
    tone = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=tone) if tone and colour(sys.stdout) else line


def _replace(file: _File) -> None:
    """Write beside the file first, then rename: a reader sees the old text or the new one, never half."""
    import os
    import shutil
    import tempfile

    target = file.path.resolve()  # of a symbolic link, the file behind it
    staged = None
    try:
        handle, staged = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(file.new)
        shutil.copymode(target, staged)
        os.replace(staged, target)
        staged = None
    except OSError as e:
        raise UserError([Problem("E003", f"cannot write {quoted(file.name)}: {e.strerror or e}")], exit_code=2) from e
    finally:
        if staged is not None:
            Path(staged).unlink(missing_ok=True)
