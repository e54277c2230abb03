"""The plan as text, what differs between two of them, and the file that keeps one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language.lock import lock_path, lock_text, read_locks, seal
from abtest.language.lock_model import Lock, PlannedMetric, PlanText
from abtest.language.model import Adjust, Cluster, Experiment, Margin, Metric, Plan, Project, Window
from abtest.language.plan_text import Change, added, altered, changes_since, plan_digest, plan_text
from abtest.language.where import parse_where
from abtest.problems import Problems

from .projects import EXPERIMENT, FILES, METRICS, read

NAME = "ranker_v3"
OTHER_METRIC = "  likes: {amount: like, over: first 7 days, better: higher}\n"


@cache
def project() -> Project:
    found, problems = read(Path(mkdtemp(prefix="abtest-lock-")), {**FILES, "metrics/all.yml": METRICS + OTHER_METRIC})
    assert problems.errors == ()
    return found


def plan_of(**changed: Any) -> PlanText:
    return plan_text(project(), replace(project().experiments[NAME], **changed))


def said(files: dict[str, str], tmp_path: Path) -> PlanText:
    found, problems = read(tmp_path, {**FILES, **files})
    assert problems.errors == (), problems.errors
    return plan_text(found, found.experiments[NAME])


def texts(found: tuple[Change, ...]) -> list[str]:
    return [c.text for c in found]


# What counts


def _use(of: str, /, **changed: Any) -> Callable[[Experiment], Experiment]:
    def change(e: Experiment) -> Experiment:
        return replace(e, metrics=tuple(replace(u, **changed) if u.role == of else u for u in e.metrics))

    return change


def _set(**changed: Any) -> Callable[[Experiment], Experiment]:
    return lambda e: replace(e, **changed)


def _shares(e: Experiment) -> Experiment:
    return replace(e, variants=tuple(replace(v, share=s) for v, s in zip(e.variants, (0.2, 0.8), strict=True)))


COUNTS: dict[str, Callable[[Experiment], Experiment]] = {
    "unit": _set(unit="device"),
    "exposure": _set(flag="another"),
    "variants": _shares,
    "baseline": _set(baseline="dwell"),
    "cluster": _set(cluster=Cluster("people", "plan")),
    "start": _set(start=date(2026, 3, 1)),
    "enroll_until": _set(enroll_until=None),
    "end": _set(end=date(2026, 4, 19)),
    "only": _set(only=parse_where("plan = free")),
    "exclude": _set(exclude=parse_where("plan in (free, pro)")),
    "mixed_exposure": _set(mixed="first"),
    "mechanism": _set(mechanism=("likes",)),
    "value": _set(value="revenue"),
    "role of engaged_weeks": _use("goal", role="secondary"),
    "detect of engaged_weeks": _use("goal", detect=0.1),
    "margin of revenue": _use("guardrail", margin=Margin("relative", 0.05, "5%")),
}


@pytest.mark.parametrize("key", COUNTS)
def test_each_change_of_the_experiment_is_one_line(key: str) -> None:
    changed = plan_text(project(), COUNTS[key](project().experiments[NAME]))
    (change,) = changes_since(plan_of(), changed)
    assert change.text.startswith(f"{key}: ")
    (back,) = changes_since(changed, plan_of())
    assert back.text.partition(": ")[2].split(" -> ") == change.text.partition(": ")[2].split(" -> ")[::-1]


OTHER_PLAN: dict[str, Any] = {
    "method": "sequential", "detect": 0.03, "correct_goal": "hochberg", "correct_secondary": "bh", "lift": "delta",
    "correct_segments": "none",
}  # fmt: skip


@given(st.sampled_from(fields(Plan)), st.floats(0.001, 0.499))
def test_every_key_of_the_plan_counts_and_is_one_line(key: Any, number: float) -> None:
    """Whatever keys the plan will have: a new one has to be in the table above, unless it is a fraction."""
    usual = Plan()
    plan = replace(usual, **{key.name: OTHER_PLAN.get(key.name, number)})
    found = changes_since(plan_of(plan=usual), plan_of(plan=plan))
    assert len(found) == (plan != usual), texts(found)
    assert (plan_digest(plan_of(plan=usual).pairs) == plan_digest(plan_of(plan=plan).pairs)) == (plan == usual)


def _of_metric(**changed: Any) -> PlanText:
    metrics = dict(project().metrics)
    metrics["engaged_weeks"] = replace(metrics["engaged_weeks"], **changed)
    return plan_text(replace(project(), metrics=metrics), project().experiments[NAME])


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"better": "lower"}, "better of engaged_weeks: higher -> lower"),
        ({"test": "welch"}, "test of engaged_weeks: (none) -> welch"),
        ({"adjust": Adjust()}, "adjust of engaged_weeks: (none) -> none"),
        ({"adjust": Adjust(attributes=(("people", "plan"),))}, "adjust of engaged_weeks: (none) -> people.plan"),
        ({"window": Window(0, 13)}, "definition of engaged_weeks: over: first 28 days -> first 14 days"),
        ({"version": 2, "phase": "retention"}, ""),
    ],
)
def test_what_counts_of_a_metric(changed: dict[str, Any], line: str) -> None:
    assert texts(changes_since(plan_of(), _of_metric(**changed))) == [line][: bool(line)]


def test_a_new_definition_is_told_by_its_clause(tmp_path: Path) -> None:
    now = said({"metrics/all.yml": METRICS.replace("like >= 5", "like >= 4")}, tmp_path / "a")
    assert texts(changes_since(said({}, tmp_path / "b"), now)) == [
        "definition of engaged_weeks: like >= 5 -> like >= 4"
    ]
    events = FILES["events.yml"].replace("heart_tapped", "heart_held")
    (change,) = changes_since(said({}, tmp_path / "b"), said({"events.yml": events}, tmp_path / "c"))
    assert change.text == (
        "definition of engaged_weeks: event like: like_clicked or heart_tapped of app -> like_clicked or heart_held of app"
    )


def test_a_new_definition_of_what_adjusts_is_told(tmp_path: Path) -> None:
    adjusted = METRICS.replace("better: higher\n", "better: higher\n    adjust: likes_before\n", 1)
    before = "  likes_before: {amount: like, over: before 14 days}\n"
    old = said({"metrics/all.yml": adjusted + before}, tmp_path / "a")
    new = said({"metrics/all.yml": adjusted + before.replace("14", "28")}, tmp_path / "b")
    assert texts(changes_since(old, new)) == ["definition of likes_before: over: before 14 days -> before 28 days"]
    assert texts(changes_since(said({}, tmp_path / "c"), new)) == ["adjust of engaged_weeks: (none) -> likes_before"]


def test_a_trigger_counts_by_its_meaning(tmp_path: Path) -> None:
    def triggered(name: str, condition: str, events: str = FILES["events.yml"]) -> PlanText:
        text = EXPERIMENT.replace("metrics:\n", f"trigger: {condition} in first 28 days\nmetrics:\n")
        return said({"experiments/ranker_v3.yml": text, "events.yml": events}, tmp_path / name)

    one = triggered("a", "(like >= 1 and crash)")
    assert changes_since(one, triggered("b", "(crash   and like>=1)")) == ()
    (change,) = changes_since(one, triggered("c", "(like >= 2 and crash)"))
    assert change.text == "trigger: (like >= 1 and crash) in first 28 days -> (like >= 2 and crash) in first 28 days"
    assert (
        len(
            changes_since(
                one, triggered("d", "(like >= 1 and crash)", FILES["events.yml"].replace("app_crash", "died"))
            )
        )
        == 1
    )


# What does not count


@given(st.data())
def test_titles_and_order_do_not_count(data: st.DataObject) -> None:
    e = project().experiments[NAME]
    text = st.none() | st.text(max_size=20)
    metrics = {
        name: replace(
            m, title=data.draw(st.text(max_size=9)), description=data.draw(text), owner=data.draw(text), tags=("x",)
        )
        for name, m in project().metrics.items()
    }
    changed = replace(
        e,
        title=data.draw(st.text(max_size=9)), owner=data.draw(text), hypothesis=data.draw(text), changes=("x",),
        as_of=data.draw(st.none() | st.dates()),
        variants=tuple(replace(v, title="T") for v in data.draw(st.permutations(e.variants))),
        metrics=tuple(data.draw(st.permutations(e.metrics))),
    )  # fmt: skip
    found = plan_text(replace(project(), metrics=metrics), changed)
    assert found == plan_of()
    assert plan_digest(found.pairs) == plan_digest(plan_of().pairs)


def test_formatting_does_not_count(tmp_path: Path) -> None:
    experiment = """\
# The same in another order and style.
metrics:
  guardrail:
    - revenue
  goal:
    - engaged_weeks
hypothesis: Something else.
baseline: "control"
plan: {power: 80%, alpha: 0.05%}
dates:
  end: 2026-04-12
  start: 2026-03-02
  enroll_until: 2026-03-15
variants: {dwell: {share: 50.0%, key: v3, title: By dwell}, control: {key: off, share: 50%}}
exposure: {flag: feed-ranker, source: flags}
unit: user
experiment: ranker_v3
""".replace("0.05%", "5.0%")
    metrics = METRICS.replace("photo_post >= 2 and like >= 5", "like>=5   and photo_post >=2").replace("3%", "3.0%")
    now = said({"experiments/ranker_v3.yml": experiment, "metrics/all.yml": metrics}, tmp_path / "a")
    assert changes_since(said({}, tmp_path / "b"), now) == ()


def test_a_stamp_from_before_a_key_existed_counts_as_the_usual_value() -> None:
    older = replace(plan_of(), plan=tuple(p for p in plan_of().plan if p[0] not in ("lift", "srm_alpha")))
    assert changes_since(older, plan_of()) == ()
    assert texts(changes_since(older, plan_of(plan=Plan(lift="log")))) == ["lift: fieller -> log"]
    newer = replace(plan_of(), plan=(*plan_of().plan, ("looks", "3")))
    assert texts(changes_since(newer, plan_of())) == ["looks: 3 -> (none)"]


# What comes first


def test_goals_guardrails_margins_and_error_rates_come_first(tmp_path: Path) -> None:
    e = project().experiments[NAME]
    likes = replace(e.metrics[0], name="likes", role="secondary")
    changed = replace(
        e,
        enroll_until=None, end=date(2026, 5, 1), plan=Plan(alpha=0.1, power=0.9),
        metrics=(e.metrics[0], replace(e.metrics[1], margin=Margin("relative", 0.05)), likes),
    )  # fmt: skip
    found = changes_since(plan_of(), plan_text(project(), changed))
    assert texts(found) == [
        "alpha: 5% -> 10%",
        "margin of revenue: 3% -> 5%",
        "end: 2026-04-12 -> 2026-05-01",
        "enroll_until: 2026-03-15 -> (none)",
        "power: 80% -> 90%",
        "secondary likes: added",
    ]
    assert [c.rank for c in found] == [0, 0, 1, 2, 2, 2]
    assert (added(found), altered(found)) == ({"likes"}, {"revenue"})
    (gone,) = changes_since(plan_of(), plan_of(metrics=e.metrics[:1]))
    assert (gone.text, gone.rank) == ("guardrail revenue: removed", 0)
    assert (added((gone,)), altered((gone,))) == (frozenset(), {"revenue"})


def test_a_long_text_is_cut() -> None:
    one, two = (PlanText((("only", f"country = {c * 5000}"),), ()) for c in "ab")
    (change,) = changes_since(one, two)
    assert len(change.text) < 300


@pytest.mark.parametrize(
    ("margin", "unit", "said"),
    [
        (Margin("absolute", 0.005), "share", "0.5 points"),
        (Margin("absolute", 3), "money EUR", "3 EUR"),
        (Margin("absolute", 90), "duration s", "90 s"),
        (Margin("absolute", 2), "number", "2"),
        (Margin("relative", 0.001), "share", "0.1%"),
    ],
)
def test_margins_have_the_unit_of_their_metric(margin: Margin, unit: str, said: str) -> None:
    e = project().experiments[NAME]
    metrics = {**project().metrics, "revenue": replace(project().metrics["revenue"], unit_of_value=unit)}
    uses = tuple(replace(u, margin=margin) if u.name == "revenue" else u for u in e.metrics)
    found = plan_text(replace(project(), metrics=metrics), replace(e, metrics=uses))
    assert dict(found.pairs)["margin of revenue"] == said


# The file


def lock(first_look: str | None = "2026-04-12") -> Lock:
    return Lock(NAME, first_look, plan_of())


def read_text(
    text: str | bytes, folder: Path, experiments: tuple[str, ...] = (NAME,)
) -> tuple[dict[str, Lock], Problems]:
    path = lock_path(folder, NAME)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    problems = Problems()
    return read_locks(folder, experiments, problems), problems


@pytest.mark.parametrize("first_look", ["2026-04-12", None])
def test_a_lock_is_read_as_it_was_written(first_look: str | None, tmp_path: Path) -> None:
    found, problems = read_text(lock_text(lock(first_look)), tmp_path)
    assert problems.found == []
    assert found == {NAME: lock(first_look)}
    assert lock_text(found[NAME]) == lock_text(lock(first_look))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=30)), max_size=4, unique_by=lambda p: p[0]))
def test_any_text_survives_the_file(pairs: list[tuple[str, str]]) -> None:
    """Quotes, hashes, line ends, what looks like YAML: texts come from definitions, which may say anything."""
    own = tuple((k, v) for k, v in pairs if not any(0xD800 <= ord(c) <= 0xDFFF for c in k + v))
    words = tuple(p for p in own if p[0] not in ("role", "definition", "better", "margin", "detect", "test", "adjust"))
    kept = Lock(NAME, None, PlanText(own, (PlannedMetric("m", (("role", "goal"),), words),)))
    found, problems = read_text(lock_text(kept), Path(mkdtemp(prefix="abtest-lock-")))
    assert problems.found == []
    assert found == {NAME: kept}


@given(
    st.integers(0, 2000),
    st.sampled_from(["", "x", "1", ":", "\n", " ", "&a", "!!", "{", "\x00", "- "]),
    st.integers(0, 3),
)
def test_an_edited_file_is_never_believed(at: int, insert: str, gone: int) -> None:
    """It is refused with a place, or it says the same as before (a comment, a space at the end of a line)."""
    text = lock_text(lock())
    at = min(at, len(text))
    found, problems = read_text(text[:at] + insert + text[at + gone :], Path(mkdtemp(prefix="abtest-lock-")))
    if problems.errors:
        assert found == {}
        assert all(p.place is not None and p.place.file == f"locks/{NAME}.yml" for p in problems.errors)
    else:
        assert found == {NAME: lock()}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_problem_with_a_place(raw: bytes) -> None:
    found, problems = read_text(raw, Path(mkdtemp(prefix="abtest-lock-")))
    assert found == {}
    assert problems.errors
    assert all(p.place is not None for p in problems.errors)


def test_the_hash_covers_everything_that_the_file_says() -> None:
    one = lock()
    (metric, *rest) = one.stamped.metrics
    reworded = replace(metric, words=(*metric.words[:-1], (metric.words[-1][0], "something else")))
    others = [
        replace(one, experiment="other"),
        replace(one, first_look=None),
        replace(one, stamped=replace(one.stamped, plan=one.stamped.plan[1:])),
        replace(one, stamped=replace(one.stamped, metrics=tuple(rest))),
        replace(one, stamped=replace(one.stamped, metrics=(reworded, *rest))),
    ]
    assert len({seal(x) for x in (one, *others)}) == 6


def test_it_is_no_file_of_definitions(tmp_path: Path) -> None:
    """Not even beside `abtest.yml`, where any file with a top key of ours is read, does a lock define anything."""
    found, problems = read(tmp_path, {**FILES, f"locks/{NAME}.yml": lock_text(lock())})
    assert problems.found == []
    assert [f for f in found.files if "locks" in f] == []
    assert set(found.locks) == {NAME}
    assert set(found.metrics) == {"engaged_weeks", "revenue"}


def test_a_lock_without_its_experiment_is_a_warning(tmp_path: Path) -> None:
    found, problems = read_text(lock_text(lock()), tmp_path, ("ranker_v4",))
    assert found == {}
    assert [p.code for p in problems.found] == ["W374"]


def test_without_a_folder_there_are_no_locks(tmp_path: Path) -> None:
    assert read_locks(tmp_path, (NAME,), Problems()) == {}
    (tmp_path / "locks").write_text("a file")
    assert read_locks(tmp_path, (NAME,), Problems()) == {}


def test_a_folder_with_the_name_of_a_lock_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "locks" / f"{NAME}.yml").mkdir(parents=True)
    problems = Problems()
    assert read_locks(tmp_path, (NAME,), problems) == {}
    assert [p.code for p in problems.errors] == ["E100"]


def test_a_metric_that_only_adjusts_is_no_metric_of_the_plan() -> None:
    before = PlannedMetric("past", (("role", "covariate"), ("definition", "0" * 16)))
    assert changes_since(PlanText((), ()), PlanText((), (before,))) == ()
    assert Metric("past", "did").name == before.name
