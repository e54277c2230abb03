"""How the effect on a goal came about: the line with its always-valid band over days, and the weeks of entry below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from abtest.analysis.result import Interval, MetricResult, Trajectory
from abtest.reports.appendix import Plain
from abtest.reports.svg import Scale, forest_scale, mark, percent, ticks
from abtest.reports.tables import Axis, Group, Row, Table, labels
from abtest.reports.wording import Change, Shown, Wording

HEIGHT = 230
"""Of the plot, in px; its paths are drawn in a box of 1000 by this and stretched to the figure."""
WIDTH = 1000
AIR, ROOM = 0.06, 0.14
THIRD = 1 / 3
"""The first part of the points, where the band is so wide that it would flatten all that comes after."""
MOST_FIGURES = 4
MOST_DOTS = 60
MOST_ROWS = 31
LINE = 30.0
"""Px that two labels beside the plot need between them, the lower one being of two lines."""
WEEK = 7
SWATCHES = 4


@dataclass(frozen=True)
class Spot:
    """One day: `x` and `left` in percent, `y` in px (empty outside the plot, or where there are too many days)."""

    x: str
    y: str
    left: str
    tip: str
    last: bool


@dataclass(frozen=True)
class Since:
    """The day since which the band has been clear of zero: a line from zero to the edge on the other side of the band."""

    x: str
    text: str
    right: bool
    zero: str
    edge: str
    y: str


@dataclass(frozen=True)
class Figure:
    """A chart ready to draw. Positions across are percent, or of `WIDTH` in paths; those from the top are px."""

    title: str
    says: str
    label: str
    swatch: str
    up: tuple[tuple[str, str, bool], ...]
    across: tuple[tuple[str, str], ...]
    wait: str
    planned: str
    band: str
    edges: tuple[str, str]
    line: str
    since: Since | None
    spots: tuple[Spot, ...]
    step: str
    beside: tuple[tuple[str, str, bool], ...]
    read: tuple[str, ...]
    numbers: Plain
    weeks: Table | None


def figures(w: Wording) -> tuple[Figure, ...]:
    """One per goal and treatment with at least two days; none when a health check failed."""
    if not w.result.decision.valid:
        return ()
    made = (_figure(w, goal, t) for goal in w.result.goals for t in goal.trajectory)
    return tuple(f for f in made if f is not None)[:MOST_FIGURES]


def trajectory_leads(w: Wording) -> list[str]:
    """When the band left zero, and of which goals nothing can be told over days."""
    if not w.result.decision.valid:
        return []
    told = [(g, t) for g in w.result.goals for t in g.trajectory if t.status == "ok"]
    several = w.many or len(w.result.goals) > 1
    sentences = []
    for goal, one in told[:MOST_FIGURES]:
        sentence = w.words(f"trajectory.lead.{_course(one)}", level=w.level, **_days(one))
        sentences.append(w.words("trajectory.of", name=_name(w, goal, one), text=sentence) if several else sentence)
    leads = [w.words("list.space").join(sentences)] if sentences else []
    reasons: dict[str, list[str]] = {}
    for goal in w.result.goals:
        for one in goal.trajectory:
            # A goal without a test says so in its own row.
            if one.status != "ok" and one.reason is not None and one.reason != "no_test":
                reasons.setdefault(one.reason, []).append(w.metric(goal, 60))
    for reason, names in reasons.items():
        why = w.words(w.words.known("trajectory.none", reason))
        leads.append(w.words("trajectory.refused", list=w.join(list(dict.fromkeys(names))), why=why))
    return leads


def _course(one: Trajectory) -> str:
    if one.clear_since is None:
        return "never" if one.crossed is None else "back"
    return "left" if one.clear_since == one.crossed else "again"


def _days(one: Trajectory) -> dict[str, str]:
    return {"day": str(one.crossed), "since": str(one.clear_since), "last": str(one.points[-1].day)}


def _name(w: Wording, goal: MetricResult, one: Trajectory) -> str:
    if not w.many:
        return w.metric(goal, 60)
    return w.words("interval.named", metric=w.metric(goal, 60), variant=w.variant(one.variant))


def _figure(w: Wording, goal: MetricResult, one: Trajectory) -> Figure | None:
    relative = one.status == "ok" and _whole(one.points[-1].relative)
    found = [(p.day, p.units, p.relative if relative else p.absolute) for p in one.points]
    # Early on a lift may have no bounded interval yet: such a day has no place on this scale.
    days = [(day, units, i) for day, units, i in found if i is not None and _whole(i)]
    if one.status != "ok" or len(days) < 2:
        return None
    first, last = 1, days[-1][0]
    across = Scale(first, last)
    detect = w.detect(goal) if relative else None
    scale = _scale([i for _, _, i in days], detect)
    changes = {day: _change(w, goal, i, relative) for day, _, i in days}
    places = [(across.share(day), i) for day, _, i in days]
    low = [(x, _y(scale, i.low)) for x, i in places]
    high = [(x, _y(scale, i.high)) for x, i in places]
    end = changes[last]
    beside = [(_y(scale, days[-1][2].estimate), end.estimate, True)]
    planned = "" if detect is None or not scale.holds(detect) else _px(_y(scale, detect))
    if planned:
        beside.append((_apart(float(planned), beside[0][0]), w.words("trajectory.planned"), False))
    several = w.many or len(w.result.goals) > 1
    title = w.words(f"trajectory.title.{_course(one)}", side=_side(w, one), **_days(one))
    name = _name(w, goal, one)
    title = w.words("trajectory.titled", name=name, text=title) if several else title
    label = w.words("interval.band", level=w.level)
    slots = {"metric": name, "label": label, "change": end.estimate, "interval": end.interval, "last": str(last)}
    number = w.treatments.index(one.variant) % SWATCHES + 1 if w.many and one.variant in w.treatments else 1
    return Figure(
        title=title,
        says=w.words("trajectory.says", control=w.control, label=label),
        label=w.words("trajectory.label", says=title, **slots),
        swatch=f"t{number}",
        up=tuple((_px(_y(scale, t.value)), text, t.zero) for t, text in labels(w, ticks(scale, 5), _unit(goal, relative))),
        across=tuple((across.at(day), str(day)) for day in _marks(last)),
        wait=percent(across.share(min(one.waiting + 0.5, last))) if one.waiting > 0 else "",
        planned=planned,
        band=f"M{_path(high)}L{_path(low[::-1])}Z",
        edges=(_path(high, ","), _path(low, ",")),
        line=_path([(x, _y(scale, i.estimate)) for x, i in places], ","),
        since=_since(w, one, across, scale),
        spots=tuple(_spots(w, goal, one, days, changes, scale, across)),
        step=percent(1 / (last - first)),
        beside=tuple((_px(y), text, strong) for y, text, strong in beside),
        read=_reading(w, one, planned != ""),
        numbers=_numbers(w, name, label, one, days, changes),
        weeks=_weeks(w, goal, one, name),
    )  # fmt: skip


def _scale(found: Sequence[Interval], detect: float | None) -> Scale:
    """All bands after the first third, zero and the planned effect, with some air."""
    kept = found[int(len(found) * THIRD) :]
    bounds = [b for i in kept for b in (i.low, i.high) if b is not None]
    values = [*bounds, 0.0, *([] if detect is None else [detect])]
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = -1.0, 1.0
    air = AIR * (high - low)
    # On the side of zero where no band is, the day on which it left zero is written.
    room = ROOM * (high - low)
    return Scale(min(low - air, -room), max(high + air, room))


def _whole(interval: Interval | None) -> bool:
    return interval is not None and interval.low is not None and interval.high is not None


def _unit(goal: MetricResult, relative: bool) -> str:
    return "relative" if relative else goal.unit_of_value


def _change(w: Wording, goal: MetricResult, interval: Interval, relative: bool) -> Change:
    return w.change(goal, Shown(interval, relative, band=True))


def _y(scale: Scale, value: float | None) -> float:
    """From the top, in px; far outside it is cut off, where nobody sees the difference."""
    share = 0.0 if value is None else scale.share(value)
    return HEIGHT * min(6.0, max(-5.0, 1.0 - share))


def _px(y: float) -> str:
    text = f"{y:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _path(places: Sequence[tuple[float, float]], between: str = " ") -> str:
    joint = "L" if between == " " else " "
    return joint.join(f"{_px(WIDTH * x)}{between}{_px(y)}" for x, y in places)


def _apart(y: float, other: float) -> float:
    """Where a label stands so that it does not cover another one, inside the plot."""
    if abs(y - other) >= LINE:
        return y
    below, above = other + LINE, other - LINE
    wanted = below if y >= other else above
    return wanted if LINE / 2 <= wanted <= HEIGHT - LINE / 2 else (above if wanted == below else below)


def _marks(last: int) -> list[int]:
    """Day 1 and whole weeks, few enough for a phone."""
    step = WEEK
    while last / step > 6:
        step *= 2
    found = [1, *range(step, last + 1, step)]
    return [*found, last] if last - found[-1] >= 0.6 * step else found


def _side(w: Wording, one: Trajectory) -> str:
    return w.words("trajectory.above" if one.points[-1].absolute.estimate > 0 else "trajectory.below")


def _since(w: Wording, one: Trajectory, across: Scale, scale: Scale) -> Since | None:
    if one.clear_since is None or not across.holds(one.clear_since):
        return None
    share, below = across.share(one.clear_since), one.points[-1].absolute.estimate > 0
    text = w.words("trajectory.day", day=str(one.clear_since))
    zero = _px(_y(scale, 0.0))
    return Since(percent(share), text, share < 0.8, zero, _px(HEIGHT) if below else "0", "224" if below else "16")


def _spots(
    w: Wording,
    goal: MetricResult,
    one: Trajectory,
    days: Sequence[tuple[int, int, Interval]],
    changes: dict[int, Change],
    scale: Scale,
    across: Scale,
) -> list[Spot]:
    label = w.words("interval.band", level=w.level)
    found = []
    half = 0.5 / (across.high - across.low)
    for day, units, interval in days:
        change, share = changes[day], across.share(day)
        tip = w.words("trajectory.tip", day=str(day), change=change.estimate, label=label, interval=change.interval, units=w.units(units))  # fmt: skip
        seen = scale.holds(interval.estimate) and (len(days) <= MOST_DOTS or day == days[-1][0])
        y = _px(_y(scale, interval.estimate)) if seen else ""
        found.append(Spot(percent(share), y, percent(share - half), tip, day == days[-1][0]))
    return found


def _reading(w: Wording, one: Trajectory, planned: bool) -> tuple[str, ...]:
    said = [w.words("trajectory.read", level=w.level)]
    if not w.early and not w.every_look:
        fixed = w.result.plan.method == "fixed"
        said.append(w.words("trajectory.read_fixed" if fixed else "trajectory.read_method"))
    if one.waiting:
        said.append(w.words.plural("trajectory.read_waiting", one.waiting))
    if planned:
        said.append(w.words("trajectory.read_planned"))
    if one.merged:
        said.append(w.words("trajectory.read_merged", n=w.count(w.result.min_cell)))
    if w.many or len(w.result.goals) > 1:
        said.append(w.words("trajectory.read_each"))
    return (w.words("list.space").join(said),)


def _numbers(
    w: Wording,
    name: str,
    label: str,
    one: Trajectory,
    days: Sequence[tuple[int, int, Interval]],
    changes: dict[int, Change],
) -> Plain:
    """The days on which something changed; of many, whole weeks and the days that are spoken of."""
    always = {days[0][0], days[-1][0], one.crossed, one.clear_since}
    shown, before = [], 0
    for day, units, _ in days:
        if units != before or day in always:
            shown.append((day, units))
        before = units
    if len(shown) > MOST_ROWS:
        step = WEEK * (1 + len(shown) // (WEEK * MOST_ROWS))
        shown = [(day, units) for day, units in shown if day in always or day % step == 0]
    rows = tuple(
        (w.words("trajectory.row", day=str(d)), w.count(n), changes[d].estimate, changes[d].interval) for d, n in shown
    )
    columns = (w.words("trajectory.column_day"), w.unit_name, w.words("table.change_plot"), label)
    return Plain(w.words("trajectory.caption", metric=name), columns, rows, frozenset({1, 2, 3}))


def _weeks(w: Wording, goal: MetricResult, one: Trajectory, name: str) -> Table | None:
    """One row per week of entry, if there are several."""
    relative = all(_whole(week.relative) for week in one.weeks)
    found = [(week, week.relative if relative else week.absolute) for week in one.weeks]
    whole = [(week, i) for week, i in found if i is not None and _whole(i)]
    if len(whole) < 2:
        return None
    scale = forest_scale([(i.low, i.estimate, i.high) for _, i in whole])
    # By week of entry effects are those of one look, whatever the plan's method.
    rows, label = [], w.words("interval.one_look" if w.early else "interval.label", level=w.level)
    for week, i in whole:
        shown = Shown(i, relative, band=False)
        change = w.change(goal, shown)
        one_week = week.first == week.last
        slots = {"first": str(week.first), "last": str(week.last)}
        head = w.words("trajectory.week" if one_week else "trajectory.weeks", **slots)
        tip = w.words("table.tip", name=head, change=change.estimate, label=label, interval=change.interval)
        rows.append(
            Row(head, values=w.count(week.units), change=change.estimate, interval=change.interval, tip=tip, tone="acc", mark=mark(scale, shown.bounds))
        )  # fmt: skip
    columns = {
        "first": w.words("trajectory.column_week"),
        "values": w.unit_name,
        "change": w.words("table.change", label=label),
        "plot": w.words("table.change_plot"),
        "verdict": "",
    }
    axis = Axis(labels(w, ticks(scale), _unit(goal, relative)))
    caption = w.words("trajectory.weeks_caption", metric=name)
    return Table("weeks", caption, columns, axis, (Group("", "", "", tuple(rows)),))
