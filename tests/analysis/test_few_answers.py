"""A net promoter score of fewer than 30 answers in a variant is not compared, and the report says why."""

from __future__ import annotations

from pathlib import Path

import pytest

import abtest
from abtest.reports.html import render_html

PROJECT = """\
project: {name: asked, timezone: UTC}
sources:
  app: {kind: events, files: app.csv, columns: {event: name, time: day}, units: {user: uid}, complete_through: 2026-03-31}
  form: {kind: answers, files: form.csv, units: {user: uid}, columns: {time: day, score: q1}}
  flags: {kind: exposures, files: flags.csv, columns: {variant: variant, time: day}, units: {user: uid}}
events: {open: open}
surveys: {recommend: {source: form, answer: score, scale: 0-10, score: nps}}
metrics:
  opens: {amount: open, over: first 7 days, better: higher}
  nps: {survey: recommend, over: first 7 days, better: higher}
"""
EXPERIMENT = """\
experiment: x
unit: user
exposure: {source: flags}
variants: {control: {key: a, share: 50%}, new: {key: b, share: 50%}}
baseline: control
dates: {start: 2026-03-02, end: 2026-03-15}
metrics: {goal: [opens], guardrail: [{nps: {margin: 5 points}}]}
"""


def asked(folder: Path, answers: int) -> Path:
    """120 users in each variant; all of `a` answer, and so many of `b`."""
    (folder / "abtest.yml").write_text(PROJECT, "utf-8")
    (folder / "x.yml").write_text(EXPERIMENT, "utf-8")
    units = [(f"{v}{i}", v, i) for v in "ab" for i in range(120)]
    flags = [f"{u},{v},2026-03-{2 + i % 7:02}" for u, v, i in units]
    app = [f"{u},open,2026-03-{3 + i % 7:02}" for u, _, i in units if i % 3]
    form = [f"{u},2026-03-{3 + i % 7:02},{i % 11}" for u, v, i in units if v == "a" or i < answers]
    for name, head, rows in (
        ("flags", "uid,variant,day", flags),
        ("app", "uid,name,day", app),
        ("form", "uid,day,q1", form),
    ):
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return folder


@pytest.mark.parametrize(("answers", "status", "reason"), [(29, "no_test", "few_answers"), (30, "ok", None)])
def test_thirty_answers_make_a_score(answers: int, status: str, reason: str | None, tmp_path: Path) -> None:
    result = abtest.run("x", asked(tmp_path, answers))
    nps = result.metric("nps")
    found = nps.comparisons[0]
    assert [a.used for a in nps.arms] == [120, answers]
    assert (found.status, found.reason) == (status, reason)
    assert (found.p_value is None) == (found.absolute is None) == (status == "no_test")
    assert found.margin is not None
    assert (found.margin.label == "no_test") == (status == "no_test")
    said = "fewer than 30 answers in a variant, too few for a net promoter score"
    assert (said in render_html(result)) == (status == "no_test")
    # The share that answered is no score, and compared all the same.
    assert result.metric("nps.answered").comparisons[0].status == "ok"
