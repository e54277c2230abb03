"""Reading a rendered page the way a person or a screen reader does: visible text, without markup and data blocks."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from abtest.analysis.result import ArmValue, Comparison, Interval, Result

VOID = {"meta", "link", "br", "img", "path", "rect", "line", "circle", "use", "input"}


class Page(HTMLParser):
    """Text and attributes of a page; `seen` leaves out plots, `svg` holds the text inside them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.parts: list[str] = []
        self.drawn: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self._block = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
        if tag in ("script", "style", "template"):
            self._block = dict(attrs).get("id") or tag
            self.raw[self._block] = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("script", "style", "template") for tag in self.stack):
            self.raw[self._block] += data
        elif "svg" in self.stack:
            self.drawn.append(data)
        else:
            self.parts.append(data)

    @property
    def seen(self) -> str:
        return " ".join(" ".join(self.parts).split())

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attrs in self.tags for key, value in attrs.items() if key == name]


def scrambled(result: Result) -> Result:
    """The same result with every effect and every value of a metric changed, and all counts kept."""

    def moved(interval: Interval | None) -> Interval | None:
        if interval is None or interval.low is None or interval.high is None:
            return interval
        return Interval(interval.estimate * 3 + 1, interval.low * 3 + 1, interval.high * 3 + 1, interval.se)

    def arm(value: ArmValue) -> ArmValue:
        changed = None if value.value is None else value.value * 2 + 1
        return replace(value, value=changed, standard_deviation=7.77, total=99.0)

    def one(c: Comparison) -> Comparison:
        margin = None if c.margin is None else replace(c.margin, effect=moved(c.margin.effect), p_value=0.5)
        return replace(
            c,
            absolute=moved(c.absolute),
            relative=moved(c.relative),
            always_valid=moved(c.always_valid),
            always_valid_absolute=moved(c.always_valid_absolute),
            p_value=0.87,
            p_adjusted=0.91,
            state="worse",
            margin=margin,
        )

    metrics = tuple(
        replace(m, arms=tuple(map(arm, m.arms)), comparisons=tuple(map(one, m.comparisons))) for m in result.metrics
    )
    segments = tuple(
        replace(
            s,
            interaction_p=0.0001,
            groups=tuple(
                replace(g, arms=tuple(map(arm, g.arms)), comparisons=tuple(map(one, g.comparisons))) for g in s.groups
            ),
        )
        for s in result.segments
    )
    looks = tuple(replace(h, level="note", values={"lift": 9.9}) if h.key == "twyman" else h for h in result.health)
    return replace(result, metrics=metrics, segments=segments, health=looks)
