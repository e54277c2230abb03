"""Definitions of an engaged user that companies and papers really use, each as one metric of the language.

The names say whose they are. Two things differ from how they are told: a starting point has a limit (`within`), so that
who is left out depends on the exposure alone, and `ever` needs as many blocks for everybody, so not calendar months.
"""

from pathlib import Path

import pytest

from .projects import read

PROJECT = """\
project: {name: anything, timezone: Europe/Madrid}
sources:
  log:
    kind: events
    files: log.csv
    columns: {event: e, time: t}
    units: {user: u, device: d, team: g}
    properties: {revenue: {from: r, type: money EUR}, engaged: {from: s, type: duration s}, hours: {from: h, type: number}, file_id: f,
      uris: {from: n, type: number}, issue_no: {from: i, type: number}, member: m, feature: x, device_id: d}
  form: {kind: answers, files: form.csv, units: {user: u}, columns: {time: t, feel: q1, score: q2, rating: q3}}
surveys:
  pmf: {source: form, answer: feel, scale: [very, somewhat, not], score: share of very}
  nps: {source: form, answer: score, scale: 0-10, score: nps}
  csat: {source: form, answer: rating, scale: 1-5, score: top 2}
groups:
  level:
    per: week
    ladder: {super_engaged: photo_post >= 5 and like >= 20, regular: photo_post >= 2 and like >= 5, explorer: app_open}
    otherwise: dormant
  fan: {over: first 90 days, cross: {F: sum(purchase.revenue) >= 20, A: answer(nps) >= 9, N: share >= 3 or attend}}
"""
EVENTS = """
friend_added message follow unfollow repin connect file_upload file_open answer_received delivery email_open
app_open video_watch purchase ping dau_ping content_edit page_view photo_post like article_read lesson stream
feature_used post comment share subscribe comedy_watch attend key_event
"""
SPECIAL = """\
  signup: {event: signup, before_exposure: ok}
  like_received: {event: like, unit: {user: owner_id}}
  first_video: {event: video_watch, nth: 1}
"""

DEFINITIONS = {
    "Facebook: 7 friends in 10 days": "did: friend_added >= 7; over: first 10 days; starting_at: signup; within: 7 days",
    "Slack: a team exchanged 2,000 messages": "unit: team; did: message >= 2000; over: lifetime",
    "Twitter: 30 follows, net of unfollows": "did: follow - unfollow >= 30; over: lifetime",
    "Pinterest: 7 repins": "did: repin >= 7; over: first 28 days",
    "LinkedIn: 7 connections": "did: distinct(connect.member) >= 7; over: first 7 days",
    "Dropbox: upload on one device, open on another": (
        "funnel: file_upload, file_open; same: file_id; different: device_id; over: first 28 days"
    ),
    "Instagram: someone likes one of your photos": "did: like_received; over: first 14 days",
    "Stack Overflow: your question is answered": "did: answer_received; over: first 14 days",
    "Instacart: first delivery": "did: delivery; over: first 14 days",
    "The Hustle: 5 of the first 7 emails": "did: distinct(email_open.issue_no) >= 5; over: first 14 days",
    "Zynga: CURR": (
        "ratio: app_open and app_open 1 week ago and app_open 2 weeks ago / app_open 1 week ago and app_open 2 weeks ago; "
        "per: week; over: first 28 days"
    ),
    "Duolingo: current": "did: app_open and app_open 1-7 days ago; per: day; over: first 28 days",
    "Duolingo: reactivated": (
        "did: app_open and no app_open 1-7 days ago and app_open 8-30 days ago; per: day; over: first 28 days"
    ),
    "Duolingo: resurrected": "did: app_open and no app_open 1-30 days ago; per: day; over: first 28 days",
    "Duolingo: daily CURR": (
        "ratio: app_open and app_open 1 day ago and app_open 2-8 days ago / app_open 1 day ago and app_open 2-8 days ago; "
        "per: day; over: first 28 days"
    ),
    "Mixpanel: 5 of the last 7 days": "did: days(app_open) >= 5; over: last 7 days",
    "Mixpanel: more than 10 videos in 7 days": "did: video_watch > 10; over: last 7 days",
    "Mixpanel: first video ever in the last 30 days": "did: first_video; over: last 30 days",
    "PostHog: 3 key events in a month": "did: key_event >= 3; per: month; clock: calendar; over: first 62 days",
    "Statsig: L28": "amount: days(app_open); over: first 28 days; show: histogram",
    "Statsig: daily participation": "did: app_open; per: day; value: share; over: first 28 days",
    "GrowthBook: 3 orders or 100 EUR": "did: purchase >= 3 or sum(purchase.revenue) >= 100; over: first 28 days",
    "Eppo: more than 100 EUR within 7 days": "did: sum(purchase.revenue) > 100; over: first 7 days",
    "Firefox: QCDOU": "did: sum(ping.hours) > 0 and sum(ping.uris) > 0; per: day; over: first 28 days; value: count",
    "Firefox: retention in week 4": "did: dau_ping; over: days 21-27",
    "Wikimedia: active editor": "did: content_edit >= 5; per: month; clock: calendar; over: first 62 days",
    "Wikimedia: very active editor": "did: content_edit >= 100; per: month; clock: calendar; over: first 62 days",
    "GA4: engaged session": "did: sum(page_view.engaged) >= 10 s or key_event or page_view >= 2; per: session; over: first 14 days",
    "2 photos and 5 likes per week": "did: photo_post >= 2 and like >= 5; per: week; over: first 28 days",
    "4 articles on 2 days of each week": "did: article_read >= 4 on 2 days; per: week; over: first 28 days",
    "4 articles on 2 days in every week": "did: article_read >= 4 on 2 days; per: week; over: first 28 days; value: always",
    "3 days a week in 3 of 4 weeks": "did: days(app_open) >= 3; per: week; over: first 28 days; value: count >= 3",
    "a streak of 7 days": "did: lesson; per: day; over: first 28 days; value: streak >= 7",
    "monthly listener": "did: stream; per: month; clock: calendar; over: first 62 days",
    "HubSpot: 5 features in 60 days": "did: distinct(feature_used.feature) >= 5; over: first 60 days",
    "three of four": "did: at least 3 of (post, comment, like, share); per: week; over: first 28 days",
    "a weighted score": "amount: like + 2 * comment + 5 * share; per: week; over: first 28 days",
    "at risk: usage halved": (
        "did: app_open 1 week ago and app_open <= 0.5 * app_open 1 week ago; per: week; over: first 28 days"
    ),
    "RFM core customer": (
        "did: days_since(purchase) <= 30 and purchase >= 3 and sum(purchase.revenue) >= 100; over: first 90 days"
    ),
    "rolling WAU": "did: app_open; per: rolling 7 days; over: first 28 days",
    "a healthy team": "unit: team; did: distinct(message.user) >= 3 on 2 days; per: week; over: first 28 days",
    "a comedy, then a subscription": "funnel: comedy_watch, subscribe; within: 30 days; over: first 60 days",
    "super-engaged": "group: level; at_least: super_engaged; over: first 28 days",
    "FAN": "group: fan; is: FAN",
    "Sean Ellis: very disappointed": "survey: pmf; over: first 28 days",
    "Net Promoter Score": "survey: nps; over: first 28 days",
    "CSAT": "survey: csat; over: first 28 days",
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_that_is_used_somewhere_can_be_said(name: str, tmp_path: Path) -> None:
    keys = "".join(f"    {key.strip()}\n" for key in DEFINITIONS[name].split(";"))
    events = "events:\n" + "".join(f"  {e}: {e}\n" for e in EVENTS.split()) + SPECIAL
    files = {"abtest.yml": PROJECT, "events.yml": events, "metrics/m.yml": f"metrics:\n  x:\n{keys}"}
    project, problems = read(tmp_path, files)
    assert [str(p) for p in problems.errors] == []
    assert [p.code for p in problems.warnings] in ([], ["W306"])
    assert (project.warnings == ()) == ("lifetime" not in DEFINITIONS[name])
