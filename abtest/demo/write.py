"""The demo project into a folder: its texts, and the exports of all seasons."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from abtest.demo.exports import EVALUATIONS, PEOPLE, app_log, evaluation_lines, people_lines
from abtest.demo.people import Records, cells_of, happenings, people_of, records_of, seen
from abtest.demo.relations import CUSTOMERS, FORMS, Relations, relations_of
from abtest.demo.seasons import MIN_USERS, SEASONS, TRUTH, Season
from abtest.problems import Problem, UserError, quoted
from abtest.shipped import shipped


class Demo(NamedTuple):
    """What was written: the folder, its files relative to it, enrolled people of the last season, rows in the app log,
    and by experiment what is known of its people."""

    folder: Path
    files: tuple[str, ...]
    users: int
    rows: int
    records: Mapping[str, Records]


class _Part(NamedTuple):
    """What one season adds to the exports."""

    people: list[str]
    evaluations: list[str]
    weeks: dict[str, bytes]
    rows: int
    records: Records
    relations: Relations | None


def write_demo(folder: Path, *, users: int = 20_000, seed: int = 20260302) -> Demo:
    """Write the demo project with `users` enrolled people in its last test, and in proportion in those before. The same
    seed gives the same bytes.

    A folder that already holds this demo is written again, unless one of its texts was edited; any other folder with
    something in it is refused (UserError, exit code 2).
    """
    if users < MIN_USERS:
        raise ValueError(f"a demo needs at least {MIN_USERS} users, not {users}")
    texts = _texts()
    _may_write(folder, texts)
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda season: _part(season, season.users(users), seed), reversed(SEASONS))  # the largest first
        parts = dict(reversed([(s.experiment, part) for s, part in zip(reversed(SEASONS), done, strict=True)]))
    files = {
        **texts,
        "exports/users.csv": _csv(PEOPLE, sorted(line for p in parts.values() for line in p.people)),
        "exports/flag_evaluations.csv": _csv(EVALUATIONS, [line for p in parts.values() for line in p.evaluations]),
    }
    for part in parts.values():
        files |= part.weeks
        if part.relations is not None:
            files["exports/relations.csv.gz"] = part.relations.log
            files["exports/forms.csv"] = _csv(FORMS, part.relations.forms)
            files["exports/customers.csv"] = _csv(CUSTOMERS, part.relations.customers)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    records = {experiment: part.records for experiment, part in parts.items()}
    return Demo(folder, tuple(files), users, sum(part.rows for part in parts.values()), records)


def _part(season: Season, users: int, seed: int) -> _Part:
    draws = season.draws(seed)
    people = people_of(draws[0], users, season.ids)
    cells = cells_of(draws[1], people)
    worlds = happenings(draws[2], people, cells, TRUTH[season.experiment])
    evaluations = evaluation_lines(season, draws[3], people, cells)
    logged = seen(people, worlds)
    weeks, rows = app_log(season, draws[4], people, logged)
    relations = relations_of(season, draws[5], people, cells, logged) if season.relations else None
    return _Part(people_lines(season, people), evaluations, weeks, rows, records_of(people, worlds), relations)


def _csv(header: str, lines: list[str]) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def _texts() -> dict[str, bytes]:
    root = shipped("templates") / "demo"
    return {
        p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.suffix in (".yml", ".md")
    }


def _may_write(folder: Path, texts: Mapping[str, bytes]) -> None:
    """Never over somebody's work."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError([Problem("E003", f"{quoted(folder.name)} is a file", None, "Name a folder.")], exit_code=2)
    if not any(folder.iterdir()):
        return
    if not (folder / "abtest.yml").is_file():
        message = f"the folder {quoted(folder.name)} is not empty"
        raise UserError([Problem("E003", message, None, "Name a new folder:  abtest demo photo-app")], exit_code=2)
    edited = [n for n, text in texts.items() if (folder / n).is_file() and (folder / n).read_bytes() != text]
    if edited:
        message = f"{quoted(edited[0])} in {quoted(folder.name)} is not what the demo writes; it was edited, or another version wrote it"
        raise UserError([Problem("E003", message, None, "Name a new folder:  abtest demo photo-app-2")], exit_code=2)
