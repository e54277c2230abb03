"""Every entry can be used by a project that has what its definition needs and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.catalogue import entries, vocabulary
from abtest.language.catalogue_names import Needs, needs_of_entry
from abtest.language.project import load_project


def all_needs(name: str) -> Needs:
    """What a metric needs, with its groups and surveys and theirs."""
    events: dict[str, None] = {}
    sources: dict[str, None] = {}
    nodes = [entries()[name]]
    while nodes:
        needs = needs_of_entry(nodes.pop())
        events |= dict.fromkeys(needs.events)
        sources |= dict.fromkeys(needs.sources)
        nodes += [entries("groups")[g] for g in needs.groups] + [entries("surveys")[s] for s in needs.surveys]
    return Needs(tuple(events), tuple(sources))


def smallest(name: str, own: str = "") -> str:
    """A project with one metric and not one event, property, column or question more than it needs; `own` is put before
    every name of an event or a property."""
    needs, words = all_needs(name), vocabulary()
    events = [e for e in needs.events if "." not in e] or ["app_open"]
    properties = {e.partition(".")[2]: words.events[e].type for e in needs.events if "." in e}
    lines = ["sources:", "  log:", "    kind: events", "    files: log.csv", "    columns: {event: e, time: t}"]
    lines.append("    units: {user: uid}")
    if properties:
        lines += ["    properties:", *(f"      {own}{p}: {{from: {p}, type: {t}}}" for p, t in properties.items())]
    for source in (s for s in needs.sources if "." not in s):
        columns = [s.partition(".")[2] for s in needs.sources if s.startswith(f"{source}.")]
        kind = words.sources[source].type
        lines += [f"  {source}:", f"    kind: {kind}", f"    files: {source}.csv", "    units: {user: uid}"]
        if kind == "answers":
            lines.append(f"    columns: {{time: t, {', '.join(f'{c}: {c}' for c in columns)}}}")
        else:
            lines += ["    known: before_exposure", "    properties:"]
            lines += [f"      {c}: {{type: {words.sources[f'{source}.{c}'].type}}}" for c in columns]
    lines += ["events:", *(f"  {own}{e}: {{event: {e}, before_exposure: ok}}" for e in events)]
    if own:
        lines += ["project:", "  catalogue:", "    events:", *(f"      {e}: {own}{e}" for e in events)]
        lines += [f"      {e}: {own}{e.partition('.')[2]}" for e in needs.events if "." in e]
    return "\n".join([*lines, "metrics:", f"  {name}: {{uses: abtest/{name}}}"]) + "\n"


@pytest.mark.parametrize("own", ["", "our_"])
def test_every_entry_is_at_home_where_nothing_but_its_needs_is(own: str, tmp_path: Path) -> None:
    kept = 0
    for name in entries():
        (tmp_path / "abtest.yml").write_text(smallest(name, own), "utf-8")
        project = load_project(tmp_path)
        assert [str(p) for p in problems_in_examples(project)] == [], name
        examples = project.metrics[name].examples
        assert len({e.expect for e in examples}) >= 2, name  # still one that counts and one that does not
        kept += len(examples)
    whole = sum(len(getattr(e.get("examples"), "items", ())) for e in entries().values())
    assert 0.9 * whole < kept < whole


@pytest.mark.parametrize("name", ["buyers", "answered_nps", "engaged_buyers", "stars", "financially_tied"])
def test_the_examples_that_stay_hold(name: str, tmp_path: Path) -> None:
    (tmp_path / "abtest.yml").write_text(smallest(name, "our_"), "utf-8")
    project = load_project(tmp_path)
    assert [o for o in run_examples(project, project.metrics.values()) if not o.passed] == []


def test_an_example_stays_with_an_event_that_is_there_though_it_is_not_needed(tmp_path: Path) -> None:
    text = smallest("buyers").replace("events:\n", "events:\n  thumb: thumb\n  article_read: read\n")
    (tmp_path / "abtest.yml").write_text(text + "project: {catalogue: {events: {like: thumb}}}\n", "utf-8")
    examples = load_project(tmp_path).metrics["buyers"].examples
    assert len(examples) == len(entries()["buyers"].get("examples").items)  # type: ignore[union-attr]
    assert {e.event for x in examples for e in x.events} == {"purchase", "thumb", "article_read"}


def test_a_property_that_is_not_there_is_taken_out_and_what_happens_stays(tmp_path: Path) -> None:
    (tmp_path / "abtest.yml").write_text(smallest("buyers"), "utf-8")
    happenings = [e for x in load_project(tmp_path).metrics["buyers"].examples for e in x.events]
    assert [e.event for e in happenings] == ["purchase", "purchase"]
    assert all(not e.properties for e in happenings)


def test_own_examples_are_not_touched(tmp_path: Path) -> None:
    text = smallest("buyers") + "    examples: [{when: {day 0: like}, expect: no}]\n"
    text = text.replace("  buyers: {uses: abtest/buyers}", "  buyers:\n    uses: abtest/buyers")
    (tmp_path / "abtest.yml").write_text(text, "utf-8")
    (found,) = problems_in_examples(load_project(tmp_path))
    assert found.code == "E201"
