"""A project that uses every kind of metric at once, on random logs of 600 people."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

PROJECT = """
project: {name: kinds, timezone: Europe/Madrid}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: at}
    units: {user: uid, device: device}
    properties:
      revenue: {from: revenue, type: money EUR}
      seconds: {from: seconds, type: number}
      article: article
      product: product
    complete_through: 2026-04-20
  people: {kind: attributes, known: before_exposure, files: people.csv, units: {user: uid}, properties: {plan: plan}}
  form: {kind: answers, files: form.csv, units: {user: uid}, columns: {time: at, score: q1, a: q2, b: q3, c: q4}}
  flags: {kind: exposures, files: flags.csv, columns: {variant: variant, time: at}, units: {user: uid}}
events:
  app_open: {event: open, source: app}
  photo: {event: photo, source: app}
  like: {event: like, source: app}
  purchase: {event: order, source: app}
  view: {event: view, source: app}
  cart: {event: cart, source: app}
  article_read: {event: read, source: app, count_once: article per day}
  any_article: {event: read, source: app, count_once: article}
  first_view: {event: view, source: app, nth: 1}
  signup: {event: signup, source: app}
groups:
  level:
    per: week
    ladder:
      super: photo >= 3 and like >= 3
      regular: photo and like
      explorer: app_open
    otherwise: dormant
  fan:
    over: first 14 days
    cross: {F: sum(purchase.revenue) >= 20, A: answer(nps) >= 9, N: like >= 3}
    names: {FAN: ambassador}
surveys:
  nps: {source: form, answer: score, scale: 0-10, score: nps}
  trust: {source: form, items: [a, b, c], scale: 1-5, reversed: [c], score: mean}
metrics:
  weeks: {did: app_open and like, per: week, over: first 14 days, better: higher}
  last_week: {did: days(app_open) >= 2, over: last 7 days}
  ever: {did: like - photo >= 3, over: lifetime}
  months: {did: photo >= 1, per: month, clock: calendar, over: first 62 days, immature: keep}
  hours: {did: like >= 1, over: first 36 hours}
  per_hour: {did: like, per: hour, clock: elapsed, over: first 1 day, value: count}
  rolling: {did: app_open, per: rolling 7 days, over: first 14 days}
  sessions: {did: no purchase, per: session, over: first 14 days}
  devices: {did: like, unit: device, over: first 14 days}
  again: {did: app_open and app_open 1 week ago, per: week, over: first 14 days}
  curr: {ratio: {of: app_open and app_open 1 week ago, to: app_open 1 week ago >= 1}, per: week, over: first 14 days}
  signed: {did: like >= 2, over: first 7 days, starting_at: signup, within: 7 days}
  variety: {amount: distinct(view.product), over: first 14 days}
  first_order: {amount: first(purchase.revenue), missing: drop, over: first 14 days}
  since: {did: days_since(purchase) <= 5, over: first 14 days}
  visits: {amount: sessions(view), over: first 14 days, show: histogram}
  checkout:
    funnel: {steps: [{saw: view}, {added: cart}, {bought: purchase}], within: 7 days}
    over: first 14 days
  waiting: {time_to: photo >= 2, over: first 14 days}
  churned: {churn: app_open, silent: 7 days, over: first 14 days}
  rank: {group: level, as: rank, over: first 14 days}
  regulars: {group: level, at_least: regular, over: first 14 days}
  cells: {group: fan, as: share}
  fans: {group: fan, is: ambassador}
  nps: {survey: nps, over: first 14 days}
  trust: {survey: trust, over: first 14 days}
  read: {amount: article_read, over: first 14 days, cap: 95% of nonzero}
  read_once: {amount: any_article, over: first 14 days}
  new: {did: first_view, over: first 14 days}
  free: {did: like, over: first 14 days, among: plan = free}
  posters: {did: like, over: first 14 days, among: (photo >= 1) before 28 days}
  paying: {did: people.plan = pro and like, over: first 14 days}
  load_p90: {quantile: {of: view.seconds, at: 90%, across: events}, over: first 14 days, better: lower}
  spend_p90: {quantile: {of: sum(purchase.revenue), at: 90%, across: units}, over: first 14 days}
"""
NAMES = tuple(
    line.split(":")[0].strip() for line in PROJECT.partition("metrics:\n")[2].splitlines() if line[2:3] != " "
)
EXPERIMENT = f"""
experiment: kinds
owner: us
hypothesis: new is better
unit: user
exposure: {{source: flags}}
variants: {{control: {{key: a, share: 50%}}, new: {{key: b, share: 50%}}}}
baseline: control
dates: {{start: 2026-03-02, end: 2026-03-12}}
segments: [plan, level before 28 days, (like >= 1) before 14 days]
metrics:
  goal: [weeks, load_p90]
  explore: [{", ".join(n for n in NAMES if n not in ("weeks", "load_p90"))}]
"""
ACTIONS = ("open", "photo", "like", "order", "view", "cart", "read", "signup")
START = datetime(2026, 3, 2)


def write_project(folder: Path, seed: int = 5, people: int = 600, shuffled: bool = False) -> Path:
    """The project and its logs; `shuffled` puts the same rows in another order."""
    draw = random.Random(seed)
    app: list[Sequence[object]] = []
    flags: list[Sequence[object]] = []
    plans: list[Sequence[object]] = []
    form: list[Sequence[object]] = []
    for person in range(people):
        exposed = START + timedelta(days=draw.random() * 10)
        flags.append((person, draw.choice("ab"), exposed.isoformat()))
        plans.append((person, draw.choice(("free", "pro"))))
        often = min(0.9, 0.3 * draw.expovariate(1))
        for day in range(-30, 40):
            if draw.random() < often:
                app += _visit(draw, person, exposed.replace(hour=0, minute=0) + timedelta(days=day))
        if draw.random() < 0.4:
            at = exposed + timedelta(days=draw.random() * 12)
            form.append((person, at.isoformat(), draw.randint(3, 10), *(draw.randint(1, 5) for _ in range(3))))
    tables = {
        "app.csv": ("uid,device,name,at,revenue,seconds,article,product", app),
        "flags.csv": ("uid,variant,at", flags),
        "people.csv": ("uid,plan", plans),
        "form.csv": ("uid,at,q1,q2,q3,q4", form),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (header, rows) in tables.items():
        if shuffled:
            random.Random(1).shuffle(rows)
        _write(folder / name, header, rows)
    (folder / "abtest.yml").write_text(PROJECT, "utf-8")
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "experiments" / "kinds.yml").write_text(EXPERIMENT, "utf-8")
    return folder


def _visit(draw: random.Random, person: int, day: datetime) -> list[Sequence[object]]:
    at = day + timedelta(hours=draw.random() * 20)
    rows: list[Sequence[object]] = []
    for _ in range(draw.randint(1, 5)):
        at += timedelta(minutes=draw.random() * 12)
        name = draw.choices(ACTIONS, (3, 1, 3, 0.5, 2, 0.8, 2, 0.3))[0]
        price = round(draw.lognormvariate(3, 1), 2) if name == "order" else ""
        row = (f"d{draw.randint(1, 2)}", name, at.isoformat(), price, round(draw.lognormvariate(1, 0.5), 1))
        rows.append((person, *row, f"a{draw.randint(1, 9)}", f"p{draw.randint(1, 4)}"))
    return rows


def _write(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
