"""Keeping the looks at an experiment: `looks/ID.yml` gets an entry when the data reach further than before."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.language.model import Experiment, Project

if TYPE_CHECKING:
    from abtest.analysis.result import Result


def keep_looks(project: Project, experiment: Experiment, result: Result) -> str:
    """Write the looks that the result counts, if this one is new; what to tell of it."""
    from abtest.language.looks import looks_path, looks_text
    from abtest.language.looks_model import Look

    if result.looks is None or not result.looks.planned:
        return ""
    now = tuple(Look(k.through, k.progress, k.units, k.final) for k in result.looks.taken)
    kept = project.looks.get(experiment.id, ())
    if len(now) <= len(kept) or now[: len(kept)] != kept:
        return ""
    target = looks_path(project.root, experiment.id)
    shown = f"{target.parent.name}/{target.name}"
    try:
        target.parent.mkdir(exist_ok=True)
        _replace(target, looks_text(experiment.id, now))
    except OSError as e:
        return f"W376 cannot write {shown}: {e.strerror or e}; this look is not kept (--no-lock says so on purpose)"
    if experiment.plan.method != "group_sequential":
        return ""
    return f"This look is kept in {shown}: commit this file, since the boundaries of later looks depend on it."


def _replace(target: Path, text: str) -> None:
    """All of the file at once, so that a run that is cut leaves the old one."""
    handle, path = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    draft = Path(path)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        os.chmod(draft, 0o644)
        os.replace(draft, target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
