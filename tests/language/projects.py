"""A small project to make mistakes in, written to a folder file by file."""

from pathlib import Path

from abtest.language.model import Project
from abtest.language.project import read_project
from abtest.problems import Problems

PROJECT = """\
project: {name: photo_app, timezone: Europe/Madrid, data: exports}
sources:
  app:
    kind: events
    files: app/*.csv
    columns: {event: action, time: at}
    units: {user: user_id}
    properties:
      revenue: {from: total, type: money EUR}
      seconds: {from: dur_ms, type: duration ms}
      country: country
      page_type: type
  flags:
    kind: exposures
    files: flags/*.csv
    columns: {variant: variant, time: at, flag: flag}
    units: {user: user_id}
  people: {kind: attributes, files: people.csv, units: {user: id}, properties: {plan: plan}, known: before_exposure}
  shop: {kind: outcomes, files: shop.csv, units: {user: id}, properties: {paid: {from: paid, type: money EUR}}}
"""
EVENTS = """\
events:
  app_open: session_start
  photo_post: photo_uploaded
  like: [like_clicked, heart_tapped]
  article_read: {event: page_view, where: page_type = article and seconds >= 30 s}
  purchase: {event: order_completed, where: revenue > 0}
  crash: app_crash
"""
METRICS = """\
metrics:
  engaged_weeks:
    did: photo_post >= 2 and like >= 5
    per: week
    over: first 28 days
    better: higher
  revenue: {amount: sum(purchase.revenue), over: first 14 days, better: higher, margin: 3%}
"""
EXPERIMENT = """\
experiment: ranker_v3
owner: feed-team
hypothesis: Ranking by predicted dwell raises engaged weeks.
unit: user
exposure: {source: flags, flag: feed-ranker}
variants:
  control: {key: off, share: 50%}
  dwell: {key: v3, share: 50%}
baseline: control
dates: {start: 2026-03-02, enroll_until: 2026-03-15, end: 2026-04-12}
metrics:
  goal: [engaged_weeks]
  guardrail: [revenue]
"""
FILES = {
    "abtest.yml": PROJECT,
    "events.yml": EVENTS,
    "metrics/all.yml": METRICS,
    "experiments/ranker_v3.yml": EXPERIMENT,
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def read(root: Path, files: dict[str, str]) -> tuple[Project, Problems]:
    return read_project(write(root, files))


def said(problems: Problems) -> str:
    """Everything that is said, errors first, as the terminal shows it."""
    return "\n".join(str(p) for p in (*problems.errors, *problems.warnings))
