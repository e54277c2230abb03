"""`abtest metrics`: what metrics a project has, what each means, and which experiments use it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from abtest.cli.show import colour, write
from abtest.language.model import Experiment, Metric, Project

SCHEMA = "abtest.metrics/1"
NOT_USED = "not used"
_OWNER_MOST, _USED_MOST, _USED_LEAST, _MEANING_LEAST = 24, 36, 16, 24
_SPACE = "  "


@dataclass(frozen=True)
class _Row:
    metric: Metric
    unit: str
    meaning: str
    used: tuple[tuple[str, str], ...]

    @property
    def short(self) -> str:
        """The meaning without the words that nearly all of them begin with."""
        return self.meaning.removeprefix(f"For each {self.unit}: ")

    @property
    def use(self) -> str:
        return ", ".join(f"{experiment} ({role})" for experiment, role in self.used) or NOT_USED


@click.command("metrics")
@click.argument("folder", required=False)
@click.option("--unused", is_flag=True, help="Only those that no experiment uses.")
@click.option("--json", "as_json", is_flag=True, help="Everything about them as JSON, meanings in full.")
def command(folder: str | None, unused: bool, as_json: bool) -> None:
    """List the metrics of FOLDER (default: this project): kind, owner, status, use and meaning.

    \b
    Examples:
      abtest metrics
      abtest metrics --unused
      abtest metrics path/to/project --json
    """
    from abtest.cli.locate import open_project

    project = open_project(folder)
    rows = [row for row in _rows(project) if not (unused and row.used)]
    if as_json:
        write(json.dumps(_as_json(project, rows), indent=2, ensure_ascii=False))
    elif rows and sys.stdout.isatty():
        _show_table(rows, _width())
        write(_summary(project, rows, unused))
    else:
        write("\n".join((*_plain(rows, _width()), _summary(project, rows, unused))))


def _rows(project: Project) -> list[_Row]:
    from abtest.language.explain import Explainer

    explainer = Explainer("en", project)
    rows = []
    for metric in project.metrics.values():
        using = [(e, role) for e in project.experiments.values() for role in _roles(project, e, metric.name)]
        unit = using[0][0].unit if using else "unit"
        rows.append(_Row(metric, unit, explainer.meaning(metric, unit), tuple((e.id, role) for e, role in using)))
    return rows


def _roles(project: Project, experiment: Experiment, name: str) -> list[str]:
    """What a metric is for in an experiment. What others are adjusted by has no role of its own, yet is not idle."""
    roles: list[str] = [use.role for use in experiment.metrics if use.name == name]
    if not roles and any(name in _adjusting(project, use.name) for use in experiment.metrics):
        return ["adjust"]
    return roles


def _adjusting(project: Project, name: str) -> tuple[str, ...]:
    metric = project.metrics.get(name)
    return metric.adjust.metrics if metric is not None and metric.adjust is not None else ()


def _summary(project: Project, rows: Sequence[_Row], unused: bool) -> str:
    total = len(project.metrics)
    if unused and not rows:
        return "no metrics" if not total else "every metric is used"
    count = f"{total} metric{'' if total == 1 else 's'}"
    free = sum(not row.used for row in rows)
    return f"\n{count}, {free} not used" if rows else count


def _as_json(project: Project, rows: Sequence[_Row]) -> dict[str, object]:
    from abtest.language.canonical import metric_hash

    return {
        "schema": SCHEMA,
        "project": project.name,
        "metrics": [
            {
                "name": row.metric.name,
                "title": row.metric.title,
                "kind": row.metric.kind,
                "owner": row.metric.owner,
                "status": _status(row.metric) or None,
                "version": row.metric.version,
                "better": row.metric.better,
                "tags": list(row.metric.tags),
                "description": row.metric.description,
                "meaning": row.meaning,
                "hash": metric_hash(row.metric, project.events),
                "file": row.metric.place.file,
                "line": row.metric.place.line,
                "used": [{"experiment": experiment, "role": role} for experiment, role in row.used],
            }
            for row in rows
        ],
    }


def _status(metric: Metric) -> str:
    return metric.status or ""


def _table(rows: Sequence[_Row], width: int) -> tuple[list[list[str]], list[int]]:
    """Lines of cells, headings first, and the width of each column. Columns in which nothing stands are left out.

    What metrics mean has the room that the rest leaves; in a narrow terminal, where they are used gives way first.
    """
    from abtest.reports.text import clean, clip, columns

    every: dict[str, list[str]] = {
        "metric": [row.metric.name for row in rows],
        "kind": [row.metric.kind for row in rows],
        "owner": [clip(clean(row.metric.owner or ""), _OWNER_MOST) for row in rows],
        "status": [_status(row.metric) for row in rows],
        # Without a used one there is nothing to tell apart.
        "used by": [clip(clean(row.use), _USED_MOST) for row in rows] if any(row.used for row in rows) else [],
    }
    kept = {heading: cells for heading, cells in every.items() if any(cells)}
    widths = {heading: max(columns(cell) for cell in (heading, *cells)) for heading, cells in kept.items()}
    missing = sum(widths.values()) + len(_SPACE) * len(widths) + _MEANING_LEAST - width
    if missing > 0 and "used by" in widths:
        widths["used by"] = max(min(_USED_LEAST, widths["used by"]), widths["used by"] - missing)
    room = max(_MEANING_LEAST, width - sum(widths.values()) - len(_SPACE) * len(widths))
    kept["meaning"] = [clip(clean(row.short), room) for row in rows]
    widths["meaning"] = room
    lines = [list(kept), *(list(line) for line in zip(*kept.values(), strict=True))]
    return lines, list(widths.values())


def _plain(rows: Sequence[_Row], width: int) -> list[str]:
    from abtest.reports.text import fit

    if not rows:
        return []
    lines, widths = _table(rows, width)
    return [_SPACE.join(fit(cell, w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def _show_table(rows: Sequence[_Row], width: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from abtest.reports.text import fit

    (headings, *lines), widths = _table(rows, width)
    table = Table(box=None, pad_edge=False, padding=(0, len(_SPACE), 0, 0), header_style="bold")
    for heading, wide in zip(headings, widths, strict=True):
        table.add_column(heading, width=wide, no_wrap=True)
    for row, line in zip(rows, lines, strict=True):
        # Text, not markup: a name in brackets is a name.
        first, *rest = (Text(fit(cell, wide)) for cell, wide in zip(line, widths, strict=True))
        first.stylize("bold")
        if not row.used and "used by" in headings:
            rest[-2].stylize("dim")
        table.add_row(first, *rest)
    Console(width=width, no_color=not colour(sys.stdout), highlight=False).print(table)


def _width() -> int:
    import shutil

    return max(60, shutil.get_terminal_size((100, 24)).columns)
