"""Which groups of a split may be shown, so that no small cell can be worked out from those that are.

A group with few units is hidden. But what is hidden can be had by subtraction: from the total, if it is the only one, or
from a group of another segment that it lies in (country less its regions). So the next smallest group is hidden too,
until every difference that the shown numbers allow is nothing, or at least `min_cell` units in every variant
(complementary suppression: Hundepool et al. 2012, Statistical Disclosure Control, section 4.3).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, permutations

Units = tuple[int, ...]
"""Units per variant."""
Groups = Mapping[str, Units]
Crossed = Mapping[tuple[str, str], Mapping[tuple[str, str], Units]]
"""Per pair of segments, units per pair of their groups."""


def hidden_groups(segments: Mapping[str, Groups], crossed: Crossed, min_cell: int) -> dict[str, frozenset[str]]:
    """Per segment, the groups that may not be shown.

    >>> sorted(hidden_groups({"country": {"es": (90, 80), "nl": (50, 60), "pt": (3, 40)}}, {}, 10)["country"])
    ['nl', 'pt']
    """
    hidden = {s: {g for g, n in groups.items() if min(n, default=0) < min_cell} for s, groups in segments.items()}
    while (found := next(_told(segments, crossed, hidden, min_cell), None)) is not None:
        segment, group = found
        hidden[segment].add(group)
    return {s: frozenset(own) for s, own in sorted(hidden.items())}


def cuts_far_apart(
    cuts: Sequence[float], arms: Sequence[Sequence[tuple[float, int]]], min_cell: int
) -> tuple[float, ...]:
    """Those of the ascending `cuts` between which, below the first and from the last on lie `min_cell` units or more of
    every arm. An arm is pairs (value, units); a unit lies below a cut if its value does.

    >>> cuts_far_apart([1, 2, 3], [[(0, 40), (1, 12), (2, 3), (3, 9)], [(0, 50), (1, 30), (3, 20)]], 10)
    (1, 2)
    """
    below = [_below(arm, cuts) for arm in arms]
    totals = [sum(n for _, n in arm) for arm in arms]
    kept: list[float] = []
    last = [0 for _ in arms]
    for i, cut in enumerate(cuts):
        at = [counts[i] for counts in below]
        steps = [n - before for n, before in zip(at, last, strict=True)]
        rests = [total - n for total, n in zip(totals, at, strict=True)]
        if min((*steps, *rests), default=0) >= min_cell:
            kept.append(cut)
            last = at
    return tuple(kept)


def _below(arm: Sequence[tuple[float, int]], cuts: Sequence[float]) -> list[int]:
    cells = sorted(arm)
    sums = [0, *accumulate(n for _, n in cells)]
    values = [value for value, _ in cells]
    return [sums[bisect_left(values, cut)] for cut in cuts]


def _told(
    segments: Mapping[str, Groups], crossed: Crossed, hidden: Mapping[str, set[str]], min_cell: int
) -> Iterator[tuple[str, str]]:
    """A group that has to be hidden because a difference tells of too few units."""
    for segment, groups in segments.items():
        shown = [g for g in groups if g not in hidden[segment]]
        rest = _sum([groups[g] for g in groups if g in hidden[segment]])
        if shown and _few(rest, min_cell):
            yield segment, _smallest(shown, groups)
    for outer, inner in permutations(segments, 2):
        pairs = crossed.get((outer, inner), {})
        for group in segments[outer]:
            if group in hidden[outer]:
                continue
            inside = [
                g for g in segments[inner] if g not in hidden[inner] and _within(g, group, segments[inner], pairs)
            ]
            if inside and _few(_minus(segments[outer][group], _sum([segments[inner][g] for g in inside])), min_cell):
                yield inner, _smallest(inside, segments[inner])


def _within(inner: str, outer: str, groups: Groups, pairs: Mapping[tuple[str, str], Units]) -> bool:
    """Whether all units of a group are in the other one."""
    return pairs.get((outer, inner)) == groups[inner]


def _few(units: Units, min_cell: int) -> bool:
    """Some units, but too few of a variant."""
    return any(units) and min(units) < min_cell


def _smallest(names: list[str], groups: Groups) -> str:
    return min(names, key=lambda g: (sum(groups[g]), g))


def _sum(units: list[Units]) -> Units:
    return tuple(sum(n) for n in zip(*units, strict=True)) if units else ()


def _minus(whole: Units, part: Units) -> Units:
    return tuple(a - b for a, b in zip(whole, part, strict=True))
