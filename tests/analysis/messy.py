"""A small project whose logs have every kind of row that a ledger can name."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

PROJECT = """
project: {name: messy, timezone: Europe/Madrid}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: at, id: event_id}
    units: {user: uid}
    properties:
      revenue: {from: total, type: money EUR}
      staff: staff
    ignore: {staff: staff is true}
    dedupe: id, keep first
  flags: {kind: exposures, files: flags.csv, columns: {flag: flag, variant: variation, time: at}, units: {user: uid}}
  people: {kind: attributes, files: people.csv, units: {user: id}, known: before_exposure, properties: {country: country, tester: tester}}
events:
  photo: photo_uploaded
  like: [like_clicked, heart]
  purchase: {event: order, where: revenue > 0}
metrics:
  engaged: {did: photo >= 1 and like >= 2, per: week, over: first 14 days, better: higher, owner: us}
  revenue: {amount: sum(purchase.revenue), over: first 7 days, better: higher, margin: 40%, owner: us}
  order_value: {ratio: {of: sum(purchase.revenue), to: purchase}, over: first 7 days}
  streaks: {did: photo, per: day, over: first 14 days, value: streak}
"""
EXPERIMENT = """
experiment: messy
owner: us
hypothesis: Mess does not matter.
unit: user
exposure: {source: flags, flag: f1}
variants:
  control: {key: off, share: 50%}
  new: {key: v1, share: 50%}
baseline: control
dates: {start: 2026-03-16, enroll_until: 2026-03-29, end: 2026-04-12}
population: {exclude: tester is true}
segments: [country]
metrics:
  goal: [engaged]
  guardrail: [revenue]
  secondary: [order_value, streaks]
plan: {detect: 5%}
"""
DEFECTS = (
    "no_id",
    "bad_time",
    "duplicate",
    "ignored",
    "unassigned",
    "before_exposure",
    "after_window",
    "no_event",
    "mixed",
    "before_start",
    "excluded",
    "unparsable",
)


def write_messy(folder: Path, users: int = 400, seed: int = 5, shuffle: int | None = None) -> Path:
    """Write the project; `shuffle` reorders the lines of every file without changing them."""
    draw = random.Random(seed)
    start = datetime(2026, 3, 16, 8)
    flags, app, people = [], [], []
    number = 0
    for i in range(users):
        uid = f"u{i:04d}"
        variant = "v1" if draw.random() < 0.5 else "off"
        seen = start + timedelta(minutes=draw.randrange(13 * 24 * 60))
        kind = i % 40
        if kind == 1:
            flags.append(("f1", "v1", uid, start - timedelta(days=3)))  # exposed before the start
        if i % 160 == 2:
            flags.append(("f1", "off" if variant == "v1" else "v1", uid, seen + timedelta(hours=3)))  # saw both
        if kind == 3:
            seen = datetime(2026, 4, 8, 12)  # after enrolment
        if kind != 4:  # 4: never exposed
            flags += [("f1", variant, uid, seen + timedelta(hours=h)) for h in (0, 30)]
        flags.append(("f2", "off", uid, seen))
        people.append((uid, draw.choice(("ES", "MX", "NL")), "true" if kind == 5 else "false"))
        for _ in range(draw.randrange(25)):
            at = seen + timedelta(minutes=draw.randrange(-3 * 24 * 60, 24 * 24 * 60))
            if at > datetime(2026, 4, 10, 9):
                continue
            name = draw.choice(("photo_uploaded", "like_clicked", "heart", "order", "scroll"))
            total = f"{draw.randrange(1, 9000) / 100:.2f}" if name == "order" else ""
            number += 1
            row = [
                name,
                at.isoformat() + "+01:00",
                f"e{number}",
                uid,
                total,
                "true" if draw.random() < 0.01 else "false",
            ]
            app.append(row)
            if draw.random() < 0.02:
                app.append(list(row))
            if draw.random() < 0.01:
                app[-1][3] = ""
            if draw.random() < 0.01:
                app[-1][1] = "yesterday"
    lines = [",".join(r) for r in app]
    lines.insert(len(lines) // 2, "order,2026-03-20T10:00:00+01:00,x1,u0001,1,false,one,too,many")
    files = {
        "flags.csv": ("flag,variation,uid,at", [f"{f},{v},{u},{t.isoformat()}Z" for f, v, u, t in flags]),
        "app.csv": ("name,at,event_id,uid,total,staff", lines),
        "people.csv": ("id,country,tester", [",".join(p) for p in people]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "abtest.yml").write_text(PROJECT, "utf-8")
    (folder / "experiments" / "messy.yml").write_text(EXPERIMENT, "utf-8")
    for name, (head, rows) in files.items():
        if shuffle is not None:
            random.Random(shuffle).shuffle(rows)
        (folder / name).write_text("\n".join((head, *rows)) + "\n", "utf-8")
    return folder
