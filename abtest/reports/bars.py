"""Stacked bars: how the units of each variant are shared out, one bar a variant, one ramp of colour for what is ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from abtest.reports.svg import percent
from abtest.reports.wording import Wording

SHADES = 6
"""Of the ramp, l0 (lowest) to l5."""
ROOM, ROOM_ON_PHONES = 0.07, 0.17
"""The share of a bar from which its number fits inside."""


@dataclass(frozen=True)
class Piece:
    """Where a piece of a bar lies, in percent; `text` is empty where it does not fit, `narrow` where it does on a wide page only."""

    x: str
    width: str
    middle: str
    shade: str
    text: str
    tip: str
    narrow: bool


@dataclass(frozen=True)
class Bar:
    name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Bars:
    """`legend`: shade and name of each piece, in the order of the bar."""

    caption: str
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...]


def shade(place: int, count: int) -> str:
    """The shade of one of `count` ordered pieces: the ramp from end to end.

    >>> [shade(i, 3) for i in range(3)], [shade(i, 11) for i in (0, 5, 10)]
    (['l0', 'l3', 'l5'], ['l0', 'l3', 'l5'])
    """
    return f"l{0 if count < 2 else int(place * (SHADES - 1) / (count - 1) + 0.5)}"


def stacked(
    w: Wording,
    caption: str,
    names: Sequence[str],
    shares: Mapping[str, Sequence[float]],
    classes: Sequence[str] | None = None,
) -> Bars:
    """Bars of `shares` per variant, in the order of `names` (lowest first); shares of a variant add up to 1.

    `classes`: the class of each piece; pieces of one class have one shade, and the legend names classes.
    """
    kinds = list(dict.fromkeys(names if classes is None else classes))
    shades = [shade(kinds.index(kind), len(kinds)) for kind in (names if classes is None else classes)]
    bars = []
    for variant, own in shares.items():
        at, pieces = 0.0, []
        for i, (name, share) in enumerate(zip(names, own, strict=True)):
            if share <= 0.0:
                continue
            text = w.share(share)
            tip = w.words("bars.tip", name=name, share=text, variant=w.variant(variant))
            place = (percent(at), percent(share), percent(at + share / 2))
            pieces.append(Piece(*place, shades[i], text if share >= ROOM else "", tip, share < ROOM_ON_PHONES))
            at += share
        bars.append(Bar(w.variant(variant), tuple(pieces)))
    return Bars(caption, tuple(bars), tuple((shade(i, len(kinds)), kind) for i, kind in enumerate(kinds)))
