"""Keeping the plan of an experiment at its first run: the lock file is written once, and never again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from abtest.language.lock_model import Lock
from abtest.language.model import Experiment, Project


@dataclass
class Stamp:
    """`lock`: the plan that this run stamps, None where it stamps none; `said`: what to tell about it."""

    lock: Lock | None = None
    target: Path | None = None
    draft: Path | None = None
    said: str = ""
    kept: bool = False

    def keep(self, first_look: str | None) -> None:
        """Write the lock, now that it is known how far the data reach. What another run has written meanwhile stays."""
        from abtest.language.lock import lock_text

        if self.lock is None or self.target is None or self.draft is None:
            return
        shown = f"{self.target.parent.name}/{self.target.name}"
        text = lock_text(replace(self.lock, first_look=first_look)).encode()
        try:
            self.draft.write_bytes(text)
            os.chmod(self.draft, 0o644)
            _placed(self.draft, self.target, text)
        except FileExistsError:
            return
        except OSError as e:
            self.said = _not_kept(shown, e)
            return
        self.kept = True
        self.said = f"The plan is stamped in {shown}: commit this file, so that later changes of the plan are told."


@contextmanager
def stamping(project: Project, experiment: Experiment, wanted: bool) -> Iterator[Stamp]:
    """A stamp for a run of `experiment`, if there is none yet and the project can be written.

    The place is taken before the work, since the result says whether its plan is stamped. A run that fails leaves nothing.
    """
    from abtest.analysis.stamped import new_stamp
    from abtest.language.lock import lock_path

    target = lock_path(project.root, experiment.id)
    if not wanted or experiment.id in project.locks or target.exists():
        yield Stamp()
        return
    folder, made = target.parent, not target.parent.exists()
    draft: Path | None = None
    try:
        folder.mkdir(exist_ok=True)
        handle, path = tempfile.mkstemp(prefix=f".{target.name}.", dir=folder)
        os.close(handle)
        draft = Path(path)
        stamp = Stamp(new_stamp(project, experiment), target, draft)
    except OSError as e:
        stamp = Stamp(said=_not_kept(f"{folder.name}/{target.name}", e))
    try:
        yield stamp
    finally:
        with suppress(OSError):
            if draft is not None:
                draft.unlink(missing_ok=True)
            if made:
                folder.rmdir()  # only if it is empty


def _placed(draft: Path, target: Path, text: bytes) -> None:
    """All of the file at once under its name, or FileExistsError."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with target.open("xb") as out:
            out.write(text)


def _not_kept(shown: str, error: OSError) -> str:
    return (
        f"W375 cannot write {shown}: {error.strerror or error}; the plan is not stamped (--no-lock says so on purpose)"
    )
