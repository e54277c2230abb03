"""The words of the catalogue in a project's own names: the map, what it misses, and what an entry brings along."""

from __future__ import annotations

from pathlib import Path

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.catalogue_names import Names, in_own_names
from abtest.language.explain import Explainer
from abtest.language.model import Project
from abtest.language.yaml import Map, parse_yaml
from abtest.problems import Problems

from .projects import FILES, read, said

LOG = """\
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: action, time: at}
    units: {user: uid}
    properties: {total: {from: total, type: money EUR}, kind: kind}
  members: {kind: attributes, files: m.csv, units: {user: id}, known: before_exposure, properties: {paying: {from: paying, type: flag}}}
  form_2026: {kind: answers, files: f.csv, units: {user: uid}, columns: {time: at, q1: q1}}
events:
  upload: photo_uploaded
  heart: heart_tapped
  thumb: thumb_up
  order: {event: order, where: total > 0}
  visit: session
"""
MAP = """\
project:
  catalogue:
    events: {photo_post: upload, like: [heart, thumb], app_open: visit, purchase: order, purchase.revenue: total}
    sources: {form: form_2026, form.recommend: q1}
"""


def project(folder: Path, metrics: str, mapped: str = MAP, log: str = LOG) -> tuple[Project, Problems]:
    return read(folder, {"abtest.yml": mapped + log, "metrics/m.yml": metrics})


def good(folder: Path, metrics: str, mapped: str = MAP, log: str = LOG) -> Project:
    found, problems = project(folder, metrics, mapped, log)
    assert said(problems) == ""
    assert problems_in_examples(found) == []
    assert [o for o in run_examples(found, found.metrics.values()) if not o.passed] == []
    return found


def errors(folder: Path, metrics: str, mapped: str = MAP, log: str = LOG) -> list[str]:
    _, problems = project(folder, metrics, mapped, log)
    return [f"{p.place} {p.code} {p.message}" for p in problems.errors]


def test_an_entry_speaks_of_the_project_s_own_events(tmp_path: Path) -> None:
    found = good(
        tmp_path, "metrics:\n  weeks: {uses: abtest/engaged_weeks}\n  spent: {uses: abtest/revenue_per_user}\n"
    )
    weeks = found.metrics["weeks"]
    assert "upload at least 2 times and heart_or_thumb at least 5 times" in Explainer().meaning(weeks)
    assert found.events["heart_or_thumb"].names == ("heart_tapped", "thumb_up")
    assert {e.event for x in weeks.examples for e in x.events} == {"upload", "heart_or_thumb"}
    assert found.metrics["spent"].text == (("amount", "sum(order.total)"),)


def test_a_metric_may_have_a_map_of_its_own(tmp_path: Path) -> None:
    text = (
        "metrics:\n  weeks: {uses: abtest/engaged_weeks, events: {like: heart}}\n  all: {uses: abtest/engaged_weeks}\n"
    )
    found = good(tmp_path, text)
    assert "heart at least 5 times" in Explainer().meaning(found.metrics["weeks"])
    assert "heart_or_thumb at least 5 times" in Explainer().meaning(found.metrics["all"])


def test_a_word_without_a_map_stands_for_its_own_name(tmp_path: Path) -> None:
    log = LOG + "  photo_post: p\n  like: l\n"
    found = good(tmp_path, "metrics:\n  weeks: {uses: abtest/engaged_weeks}\n", "project: {name: x}\n", log)
    assert "photo_post at least 2 times and like at least 5 times" in Explainer().meaning(found.metrics["weeks"])


def test_what_a_definition_writes_itself_is_in_own_names(tmp_path: Path) -> None:
    """`like` of the project is another event than `like` of the catalogue; what the team writes is the team's."""
    log = LOG + "  like: other_like\n"
    found = good(tmp_path, "metrics:\n  mine: {uses: abtest/engaged_weeks, did: like >= 9}\n", MAP, log)
    assert found.metrics["mine"].text == (("did", "like >= 9"),)


def test_everything_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    text = "metrics:\n  a: {uses: abtest/engagement_score}\n  b: {uses: abtest/reading_habit}\n  c: {uses: abtest/three_kinds_a_week}\n"
    assert errors(tmp_path, text) == [
        "metrics/m.yml:2:13 E209 the catalogue needs 3 events that this project neither declares nor maps: "
        "comment (for abtest/engagement_score and 1 more), share (for abtest/engagement_score and 1 more), "
        "article_read (for abtest/reading_habit)"
    ]


@pytest.mark.parametrize(
    ("mapped", "told"),
    [
        ("{like: hart}", 'E201 like is mapped to "hart", which is not declared as an event'),
        ("{lke: heart}", 'E208 no entry of the catalogue speaks of an event "lke"'),
        ("{like: [heart, order]}", "E208 like is mapped to heart and order, which are not counted alike"),
        ("{like: {a: b}}", "E121 like is mapped to one name"),
        ("{purchase: order, purchase.revenue: totl}", 'E210 purchase.revenue is mapped to "totl", which source app'),
        ("{purchase: order, purchase.revenue: [total, kind]}", "E121 purchase.revenue is mapped to one name"),
    ],
)
def test_a_map_with_a_mistake(mapped: str, told: str, tmp_path: Path) -> None:
    found = errors(tmp_path, "metrics: {}\n", f"project:\n  catalogue:\n    events: {mapped}\n")
    assert len(found) == 1
    assert told in found[0]


def test_a_map_of_an_event_that_the_entry_does_not_have(tmp_path: Path) -> None:
    text = "metrics:\n  weeks: {uses: abtest/engaged_weeks, events: {comment: heart}}\n"
    (told,) = errors(tmp_path, text)
    assert told == 'metrics/m.yml:2:48 E208 abtest/engaged_weeks does not speak of an event "comment"'


def test_a_metric_brings_its_group_along(tmp_path: Path) -> None:
    found = good(tmp_path, "metrics:\n  top: {uses: abtest/super_engaged_weeks}\n")
    assert list(found.groups) == ["engagement_level"]
    assert found.groups["engagement_level"].advice


def test_a_group_of_the_project_wins(tmp_path: Path) -> None:
    text = (
        "metrics:\n  top: {uses: abtest/super_engaged_weeks}\ngroups:\n  engagement_level:\n"
        "    uses: abtest/engagement_level\n    ladder: {super_engaged: upload >= 9, regular: upload}\n"
    )
    found = good(tmp_path, text)
    group = found.groups["engagement_level"]
    assert [w.text.value for w in group.written] == ["upload >= 9", "upload"]
    assert group.advice == ()
    assert found.metrics["top"].examples == ()  # they spoke of the group of the catalogue


def test_an_entry_of_another_section_is_told_from_none(tmp_path: Path) -> None:
    _, problems = project(tmp_path, "metrics:\n  x: {uses: abtest/engagement_level}\n")
    (problem,) = problems.errors
    assert problem.code == "E207"
    assert problem.hint == "It is one of the groups of the catalogue. Use it under  groups:"


def test_names_are_changed_where_they_are_names_and_nowhere_else() -> None:
    """`sum(purchase.revenue)`, but neither functions nor units nor the property of another event."""
    tree = parse_yaml("did: sum(purchase.revenue) >= 20 and no like 1 week ago and answer(nps) >= 9\n", "x", Problems())
    assert isinstance(tree, Map)
    names = Names({"purchase": "order", "purchase.revenue": "like", "like": "sum"}, {})
    changed = in_own_names(tree, names).get("did")
    assert getattr(changed, "value", "") == "sum(order.like) >= 20 and no sum 1 week ago and answer(nps) >= 9"


def test_a_survey_of_the_project_s_own_form(tmp_path: Path) -> None:
    """The question is mapped with its form; the examples go by the name of the survey."""
    found = good(tmp_path, "metrics:\n  nps: {uses: abtest/nps}\n")
    assert (found.surveys["nps"].source, found.surveys["nps"].columns) == ("form_2026", ("q1",))
    assert [q for q, _ in found.surveys["nps"].questions] == ["q1"]
    assert len(found.metrics["nps"].examples) == 5


def test_attributes_are_mapped_too(tmp_path: Path) -> None:
    mapped = MAP.replace(
        "sources: {", "sources: {customers: members, customers.subscription: paying, customers.member: paying, "
    )
    log = LOG + "  event_visit: e\n  service_contact: s\n"
    found = good(tmp_path, "metrics:\n  tied: {uses: abtest/tied_and_in_touch}\n", mapped, log)
    assert "members.paying is true" in found.metrics["tied"].text[0][1]
    assert {key for e in found.metrics["tied"].examples for key, _ in e.given} >= {"members.paying"}


def test_a_proposed_guardrail_counts_under_any_name(tmp_path: Path) -> None:
    text = "metrics:\n  engaged_weeks: {uses: abtest/engaged_weeks}\n  revenue: {uses: abtest/revenue_per_user}\n"
    _, problems = read(tmp_path, {**FILES, "metrics/all.yml": text})
    assert said(problems) == ""
