"""One experiment from its project to its files: computed, its plan stamped at the first run, its looks kept, and
written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.cli.looks import keep_looks
from abtest.cli.stamp import stamping
from abtest.language.model import Experiment, Project

if TYPE_CHECKING:
    from abtest.analysis.result import Result
    from abtest.sources.engine import Engine

FILES = {"html": "report.html", "json": "result.json", "md": "summary.md"}


@dataclass(frozen=True)
class Produced:
    """`folder` holds the files. `said` is what to tell of the plan's stamp, and `kept` whether one was written."""

    result: Result
    folder: Path
    said: str
    kept: bool


def produce(
    project: Project,
    experiment: Experiment,
    engine: Engine,
    target: Path,
    *,
    language: str,
    earlier: Mapping[str, Result],
    forms: Sequence[str] = tuple(FILES),
    threads: int | None = None,
    memory: str | None = None,
    stamped: bool = True,
    step: Callable[[str], None],
    notice: Callable[[str], None] = lambda _: None,
) -> Produced:
    """Files of `forms` in a folder of `target` named like the experiment. Raises UserError as `analyse` does."""
    from abtest.analysis.run import Options, analyse
    from abtest.reports.write import render, write_outputs

    options = Options(threads, memory, f"abtest run {experiment.id}")
    with stamping(project, experiment, stamped) as stamp:
        result = analyse(
            project,
            experiment,
            options=options,
            progress=step,
            notice=notice,
            earlier=earlier,
            stamp=stamp.lock,
            engine=engine,
        )
        step("report")
        outputs = {FILES[form]: render(result, form, language) for form in forms}
        folder = write_outputs(target / experiment.id, outputs)
        # Only a run that could be written stamps the plan: one that failed has shown nothing to anybody.
        stamp.keep(result.experiment.data_through)
        looks = keep_looks(project, experiment, result) if stamped else ""
    return Produced(result, folder, "\n".join(line for line in (stamp.said, looks) if line), stamp.kept)
