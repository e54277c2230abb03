"""One engine for several experiments of a project: what one has read, the next need not read again (`Engine.kept`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from abtest.language.model import Project
from abtest.sources.engine import Engine, open_engine
from abtest.sources.files import data_folder


@contextmanager
def engine_of(project: Project, threads: int | None = None, memory: str | None = None) -> Iterator[Engine]:
    """An engine for the logs of a project, closed at the end."""
    engine = open_engine(data_folder(project), threads=threads, memory=memory)
    try:
        yield engine
    finally:
        engine.close()
