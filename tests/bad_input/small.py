"""A small healthy project to damage: 40 users, two variants, two weeks of events, attributes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.command import Done, abtest

PROJECT = """\
project: {name: small, timezone: UTC, data: data}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: at, id: event_id}
    units: {user: uid}
    properties:
      revenue: {from: total, type: money EUR}
    dedupe: id, keep first
  flags:
    kind: exposures
    files: flags.csv
    columns: {flag: flag, variant: variation, time: at}
    units: {user: uid}
  people:
    kind: attributes
    files: people.csv
    units: {user: uid}
    properties: {country: country}
    known: before_exposure
events:
  like: like_clicked
  purchase: order
metrics:
  likes: {amount: like, over: first 7 days, better: higher, owner: us}
  revenue: {amount: sum(purchase.revenue), over: first 7 days, better: higher, margin: 40%, owner: us}
"""
EXPERIMENT = """\
experiment: test
owner: us
hypothesis: It works.
unit: user
exposure: {source: flags, flag: f1}
variants:
  control: {key: off, share: 50%}
  new: {key: v1, share: 50%}
baseline: control
dates: {start: 2026-03-02, end: 2026-03-15}
segments: [country]
metrics:
  goal: [likes]
  guardrail: [revenue]
"""
# What the healthy project gives: units, and the sum of the metric over them.
LIKES = {"control": (20, 79.0), "new": (20, 93.0)}
REVENUE = {"control": (20, 866.14), "new": (20, 621.82)}
APP = {"read": 325, "after_window": 93, "used": 232}
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
USERS = 40

Row = list[str]


class Small:
    """The project on disk. `app`, `flags` and `people` are its rows, to be changed before `write`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project, self.experiment = PROJECT, EXPERIMENT
        self.app, self.flags, self.people = _rows()
        self.heads = {
            "app": ["name", "at", "event_id", "uid", "total"],
            "flags": ["flag", "variation", "uid", "at"],
            "people": ["uid", "country"],
        }
        (folder / "data").mkdir(parents=True)
        (folder / "experiments").mkdir()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def yaml(self, old: str, new: str) -> Small:
        """Change the YAML; `old` must be there."""
        assert old in self.project + self.experiment, old
        self.project, self.experiment = self.project.replace(old, new), self.experiment.replace(old, new)
        return self

    def lines(self, table: str, separator: str = ",") -> list[str]:
        rows: list[Row] = {"app": self.app, "flags": self.flags, "people": self.people}[table]
        return [separator.join(r) for r in (self.heads[table], *rows)]

    def text(self, table: str, separator: str = ",") -> str:
        return "\n".join(self.lines(table, separator)) + "\n"

    def put(self, name: str, content: str | bytes) -> Small:
        """Write a file of the data folder; `run` leaves it alone."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def write(self) -> Small:
        (self.folder / "abtest.yml").write_text(self.project, "utf-8")
        (self.folder / "experiments" / "test.yml").write_text(self.experiment, "utf-8")
        for table in self.heads:
            if not (self.data / f"{table}.csv").exists():
                self.put(f"{table}.csv", self.text(table))
        return self

    def run(self, *words: str) -> Done:
        """`abtest run` on the project, in less than five seconds."""
        self.write()
        before = time.monotonic()
        done = abtest("run", "--project", str(self.folder), *words)
        assert time.monotonic() - before < 5, "too slow"
        assert "Traceback" not in done.err
        return done

    def fails(self, code: int, message: str, *words: str) -> None:
        """The run ends with exactly this message and exit code, and leaves nothing behind."""
        done = self.run(*words)
        assert done.err == message
        assert done.code == code
        assert done.out == ""
        assert self.left() == []

    def works(self, warnings: str = "") -> dict[str, Any]:
        """The run ends well and warns of nothing else; its result. Rows and units of every ledger add up."""
        done = self.run("--format", "json")
        assert done.code == 0, done.err
        assert done.err == warnings
        assert self.left() == ["result.json"]
        result: dict[str, Any] = json.loads((self.folder / "out" / "test" / "result.json").read_text("utf-8"))
        for ledger in result["ledgers"]:
            assert ledger["read"] == sum(s["count"] for s in ledger["steps"]), ledger
        return result

    def same(self, warnings: str = "") -> dict[str, Any]:
        """The run gives the values of the healthy project."""
        result = self.works(warnings)
        assert totals(result, "likes") == LIKES
        assert totals(result, "revenue") == REVENUE
        return result

    def left(self) -> list[str]:
        """Files in the output folder, hidden ones too."""
        out = self.folder / "out"
        return sorted(p.name for p in out.rglob("*") if p.is_file()) if out.exists() else []


def ledger(result: dict[str, Any], source: str) -> dict[str, int]:
    """Steps of one ledger, with `read` and, in brackets, the notes."""
    found = next(x for x in result["ledgers"] if x["source"] == source)
    steps = {s["step"]: s["count"] for s in found["steps"]}
    return {"read": found["read"], **steps, **{f"({k})": n for k, n in found["notes"]}}


def totals(result: dict[str, Any], metric: str) -> dict[str, tuple[int, float]]:
    """Per variant: units and the sum of the metric over them."""
    found = next(m for m in result["metrics"] if m["key"] == metric)
    return {a["variant"]: (a["used"], round(a["total"], 6)) for a in found["arms"]}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def csv_text(head: Row, rows: list[Row], **how: Any) -> str:
    """Rows as a CSV that quotes what it must."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", **how)
    writer.writerows([head, *rows])
    return out.getvalue()


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def at(source: str, message: str, hint: str = "") -> str:
    """What is printed for a problem of a whole source."""
    line = {"app": 3, "flags": 11, "people": 16}[source]
    hints = "".join(f"  {h}\n" for h in hint.splitlines())
    return f"abtest.yml:{line}:3 {message}\n    {source}:\n    {'^' * len(source)}\n{hints}"


def _rows() -> tuple[list[Row], list[Row], list[Row]]:
    draw = random.Random(7)
    app: list[Row] = []
    flags: list[Row] = []
    people: list[Row] = []
    for i in range(USERS):
        uid = f"u{i:02d}"
        seen = START + timedelta(minutes=draw.randrange(3 * 1440))
        flags.append(["f1", "v1" if i % 2 else "off", uid, _z(seen)])
        people.append([uid, ("ES", "MX")[i % 4 // 2]])
        for _ in range(6 + draw.randrange(6)):
            at = seen + timedelta(minutes=draw.randrange(10 * 1440))
            order = draw.random() < 0.3
            total = f"{draw.randrange(100, 5000) / 100:.2f}" if order else ""
            app.append(["order" if order else "like_clicked", _z(at), f"e{len(app)}", uid, total])
    app.append(["like_clicked", "2026-03-16T23:00:00Z", f"e{len(app)}", "u00", ""])
    return app, flags, people


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
