"""No difference between numbers that are shown tells of fewer than `min_cell` units."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise, permutations
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import abtest
from abtest.analysis.arms import Arm
from abtest.analysis.looks import curves_of
from abtest.analysis.privacy import cuts_far_apart, hidden_groups
from abtest.language.model import Metric, Window
from abtest.stats.moments import Moments
from tests.analysis.faults import write

MIN_CELL = 10
UNITS = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(0, 2), st.integers(1, 30)
    ),
    min_size=1,
    max_size=40,
)
"""Variant, and per unit three properties; the third is a refinement of the first."""


def tables(rows: list[tuple[int, str, str, int, int]]) -> tuple[dict, dict]:  # type: ignore[type-arg]
    names = ("first", "second", "fine")
    segments: dict[str, dict[str, list[int]]] = {n: defaultdict(lambda: [0, 0]) for n in names}
    crossed: dict[tuple[str, str], dict[tuple[str, str], list[int]]] = {
        p: defaultdict(lambda: [0, 0]) for p in permutations(names, 2)
    }
    for variant, first, second, part, units in rows:
        own = dict(zip(names, (first, second, f"{first}{part}"), strict=True))
        for n in names:
            segments[n][own[n]][variant] += units
        for one, other in crossed:
            crossed[one, other][own[one], own[other]][variant] += units
    return (
        {n: {g: tuple(u) for g, u in groups.items()} for n, groups in segments.items()},
        {p: {g: tuple(u) for g, u in pairs.items()} for p, pairs in crossed.items()},
    )


@given(UNITS)
@settings(max_examples=300, deadline=None)
def test_no_difference_of_shown_groups_is_small(rows: list[tuple[int, str, str, int, int]]) -> None:
    segments, crossed = tables(rows)
    hidden = hidden_groups(segments, crossed, MIN_CELL)
    for name, groups in segments.items():
        shown = [g for g in groups if g not in hidden[name]]
        assert all(min(groups[g]) >= MIN_CELL for g in shown)
        rest = [sum(u[i] for g, u in groups.items() if g in hidden[name]) for i in (0, 1)]
        assert not shown or not any(rest) or min(rest) >= MIN_CELL
    for outer, inner in permutations(segments, 2):
        for group, units in segments[outer].items():
            if group in hidden[outer]:
                continue
            inside = [
                g
                for g, u in segments[inner].items()
                if g not in hidden[inner] and crossed[outer, inner].get((group, g)) == u
            ]
            rest = [units[i] - sum(segments[inner][g][i] for g in inside) for i in (0, 1)]
            assert not inside or not any(rest) or min(rest) >= MIN_CELL


@given(UNITS)
@settings(max_examples=100, deadline=None)
def test_nothing_is_hidden_where_nothing_is_small(rows: list[tuple[int, str, str, int, int]]) -> None:
    segments, crossed = tables([(v, a, b, c, n + 1000) for v, a, b, c, n in rows])
    full = all(min(u) > 0 for groups in segments.values() for u in groups.values())
    hidden = hidden_groups(segments, crossed, MIN_CELL)
    if full:
        assert not any(hidden.values())
    assert hidden_groups(segments, crossed, 0) == {n: frozenset() for n in segments}


def test_a_region_cannot_be_had_as_its_country_less_the_other_region() -> None:
    segments = {
        "country": {"nl": (60, 60), "es": (90, 90)},
        "region": {"nl_n": (55, 54), "nl_s": (5, 6), "es": (90, 90)},
    }
    crossed = {
        ("country", "region"): {("nl", "nl_n"): (55, 54), ("nl", "nl_s"): (5, 6), ("es", "es"): (90, 90)},
        ("region", "country"): {("nl_n", "nl"): (55, 54), ("nl_s", "nl"): (5, 6), ("es", "es"): (90, 90)},
    }
    assert hidden_groups(segments, crossed, 10)["region"] == {"nl_n", "nl_s"}


def test_through_files_the_only_small_group_is_not_told_by_the_total(tmp_path: Path) -> None:
    """Eight users of Portugal: with Spain and the Netherlands shown, they would be the total less these."""
    folder = write(tmp_path, users=300)
    people = folder / "people.csv"
    lines = people.read_text("utf-8").splitlines()
    moved = [lines[0]]
    moved += [f"{line.split(',')[0]},{'pt' if i < 8 else 'nl' if i % 3 else 'es'}" for i, line in enumerate(lines[1:])]
    people.write_text("\n".join(moved) + "\n", "utf-8")
    result = abtest.run("x", folder)
    for split in result.segments:
        total = {a.variant: a.used for a in result.metric(split.metric).arms}
        shown = {v: sum(a.used for g in split.groups for a in g.arms if a.variant == v) for v in total}
        assert all(total[v] == shown[v] or total[v] - shown[v] >= 10 for v in total)
        assert split.merged_groups == 2


ARM = st.dictionaries(st.integers(0, 12).map(float), st.integers(1, 30), max_size=13).map(lambda d: sorted(d.items()))


@given(st.lists(ARM, min_size=1, max_size=3), st.sets(st.integers(0, 12).map(float)))
@settings(max_examples=300, deadline=None)
def test_no_cut_parts_off_a_few_units(arms: list[list[tuple[float, int]]], cuts: set[float]) -> None:
    kept = cuts_far_apart(sorted(cuts), arms, MIN_CELL)
    assert set(kept) <= cuts
    edges = [float("-inf"), *kept, float("inf")]
    for arm in arms if kept else ():
        for low, high in pairwise(edges):
            assert sum(n for v, n in arm if low <= v < high) >= MIN_CELL
    if all(sum(n for v, n in arm if v == k) >= MIN_CELL for arm in arms for k in range(13)):
        assert kept == tuple(k for k in sorted(cuts) if k > 0)


def test_dose_and_survival_curves_tell_of_no_few_units_with_three_variants() -> None:
    """Doses of 3, and four days of 3 before the end: both cut where ten are together, in all variants alike."""
    few = Arm(62, 62, 0, 0, moments=Moments(62, 1.0, 1.0), values=((0.0, 20), (1.0, 30), (2.0, 3), (3.0, 3), (4.0, 6)))
    many = Arm(300, 300, 0, 0, moments=Moments(300, 1.0, 1.0), values=tuple((float(k), 60) for k in range(5)))
    arms = {"control": many, "few": few, "many": many}
    doses = curves_of(Metric("m", "amount", show="dose", window=Window(0, 13)), arms, "control", 0.05, MIN_CELL)
    assert [[p.at for p in c.points] for c in doses] == [[1.0, 2.0], [1.0, 2.0]]
    waits = curves_of(Metric("m", "time_to", window=Window(0, 3)), arms, "control", 0.05, MIN_CELL)
    assert [[p.at for p in c.points] for c in waits] == [[0.0, 1.0], [0.0, 1.0]]


def test_a_survival_curve_does_not_end_with_a_few_who_are_left() -> None:
    arm = Arm(43, 43, 0, 0, moments=Moments(43, 1.0, 1.0), values=((1.0, 20), (2.0, 20), (14.0, 3)))
    metric = Metric("m", "time_to", window=Window(0, 13))
    (curve,) = curves_of(metric, {"control": arm, "new": arm}, "control", 0.05, MIN_CELL)
    assert [p.at for p in curve.points] == [1.0]  # from day 2 on it would be the three who never did
