"""Rendering by name, and writing all outputs of one experiment at once or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from abtest.analysis.result import Result
from abtest.problems import Problem, UserError, quoted


def render(result: Result, form: str, language: str) -> str:
    """`html`, `md` or `json` text of a result."""
    if form == "json":
        return result.to_json()
    if form == "md":
        from abtest.reports.markdown import render_markdown

        return render_markdown(result, language=language)
    from abtest.reports.html import render_html

    return render_html(result, language=language)


def write_outputs(folder: Path, outputs: Mapping[str, str]) -> Path:
    """Write every file beside its target first, then rename: a reader sees the old files or the new ones, never half.

    Raises UserError (exit 2) when the folder cannot be written; what was begun is removed.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in outputs.items():
            handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            staged.append((Path(path), folder / name))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
                out.write(text)
            os.chmod(path, 0o644)
        for source, target in staged:
            os.replace(source, target)
    except OSError as e:
        raise UserError(
            [
                Problem(
                    "E003",
                    f"cannot write into {quoted(folder)}: {e.strerror or e}",
                    None,
                    "Choose another folder:  --out DIR",
                )
            ],
            exit_code=2,
        ) from e
    finally:
        for source, _ in staged:
            source.unlink(missing_ok=True)
    return folder
