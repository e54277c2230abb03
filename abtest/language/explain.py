"""A definition in plain words, complete enough to compute the metric by hand.

Words live in reports/explain.<language>.yml, clauses are made in `explain_parts.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from abtest.language.canonical import events_of, metric_atoms, metric_attributes
from abtest.language.conditions import EMPTY_IS_NOTHING, Atom, Compare, Condition, Measure, walk
from abtest.language.explain_parts import ANSWERS, Clauses, capital
from abtest.language.explain_time import Slots, Times
from abtest.language.metric_model import FINER_UNITS
from abtest.language.metric_units import with_units
from abtest.language.model import (
    Column,
    Cross,
    Event,
    Experiment,
    Group,
    GroupUse,
    Ladder,
    Metric,
    Project,
    RatioPart,
    Survey,
)
from abtest.language.partition import levels, with_survey_events
from abtest.language.where_text import where_text

__all__ = ["Explainer", "where_text"]


class Explainer:
    """Definitions in one language ("en" or "nl"). With the project at hand, a level or cell of a group is named and the
    group told once; without, its condition is spelled out."""

    def __init__(self, language: str = "en", project: Project | None = None) -> None:
        self.clauses = Clauses(language)
        self.project = project
        self.times = Times(self.clauses)
        self.say = self.clauses.say
        self.condition = self.clauses.condition
        self.measure = self.clauses.measure

    # The first sentence

    def meaning(self, metric: Metric, unit: str = "user") -> str:
        """The first sentence: what number a unit gets."""
        slots = self._slots(metric, unit)
        if metric.column is not None:
            key = "column_flag" if metric.unit_of_value == "share" else "column"
            return self.say(key, **slots, column=metric.column.name, source=metric.column.source)
        if metric.parts is not None:
            return self._ratio(metric, metric.parts, slots)
        if metric.quantile is not None and metric.measure is not None:
            return self._quantile(metric, metric.measure, metric.quantile.at, slots)
        if metric.funnel is not None:
            return self.say("funnel", **slots, steps=self._steps(metric))
        amount = metric.measure is not None or metric.rank is not None
        slots |= {"text": self._text(metric)}
        if metric.kind == "survey":
            return self.say("survey", **slots)
        if metric.kind == "time_to":
            return self.say("time_to", metric.window.tick, **slots, n=metric.window.days)
        if metric.per_unit == "session":
            return self.say("sessions_mean" if amount else "sessions_share", **slots)
        if metric.per is None or metric.fold is None:
            return self.say("amount" if amount else "churn" if metric.kind == "churn" else "did", **slots)
        return self._folded(metric, slots, amount)

    def _folded(self, metric: Metric, slots: Slots, amount: bool) -> str:
        fold = metric.fold
        assert fold is not None
        slots |= self.times.period_slots(metric) | {"blocks": self.times.blocks(metric)}
        if self.times.count(metric) == 1 and fold.operator is None and fold.name != "streak":
            slots |= {"window": self.say("single", **slots)}
            return self.say("amount" if amount else "did", **slots)
        if amount:
            return self.say(f"amount_{fold.name}", **slots)
        if fold.operator is None:
            return self.say(fold.name, **slots)
        number = fold.number or 0
        size = self.clauses.percent(number) if fold.name == "share" else self.clauses.number(number)
        if fold.name == "streak":
            size = self.clauses.counted("lengths", self.times.period(metric), n=number)
        return self.say(f"threshold_{fold.name}", **slots, number=self.say("number", fold.operator, n=size))

    def _slots(self, metric: Metric, unit: str) -> Slots:
        """What nearly every sentence needs: the unit, the window and where it starts."""
        own = metric.unit if metric.unit is not None and metric.unit not in FINER_UNITS else unit
        slots: Slots = dict(self.clauses.unit(own))
        if metric.unit is not None and metric.unit != own:
            finer = self.clauses.unit(metric.unit)
            slots |= {"finer": finer["unit"], "finer_many": finer["units"]}
            slots["each"] = self.say("each_of", finer=finer["each"], each=slots["each"])
        use = metric.group
        if use is not None and use.how == "share":
            key = "each_cell" if _is_cell(use) else "each_level"
            slots["each"] = self.say(key, each=slots["each"], group=use.group)
        return slots | {"start": self.times.start(metric), "window": self.times.window(metric)}

    def _text(self, metric: Metric) -> str:
        """What is computed over the window, or in each block."""
        if metric.group is not None:
            return self._group(metric, metric.group)
        if metric.measure is not None:
            return self.measure(metric.measure)
        return self.condition(metric.condition) if metric.condition is not None else ""

    def _ratio(self, metric: Metric, parts: tuple[RatioPart, RatioPart], slots: Slots) -> str:
        of, to = parts
        if isinstance(of, Column) and isinstance(to, Column):
            return self.say("ratio_columns", **slots, of=of.name, to=to.name, source=of.source)
        above, below = (self._part(metric, part, slots) for part in parts)
        if metric.per_unit == "session":
            return self.say("ratio_sessions", **slots, of=above, to=below)
        if metric.per is not None:
            return self.say("ratio_per", **slots, blocks=self.times.blocks(metric), of=above, to=below)
        return self.say("ratio", **slots, of=above, to=below)

    def _part(self, metric: Metric, part: RatioPart, slots: Slots) -> str:
        if isinstance(part, Column):
            return part.name
        if isinstance(part, Measure):
            return self.measure(part)
        text = self.condition(part)
        if metric.per is None:
            return self.say("ratio_part_units", **slots, text=text)
        if metric.per_unit == "session":
            return self.say("ratio_part_sessions", text=text)
        return self.say("ratio_part_blocks", **self.times.period_slots(metric), text=text)

    def _quantile(self, metric: Metric, measure: Measure, at: float, slots: Slots) -> str:
        p = self.clauses.percent(at)
        if metric.quantile is not None and metric.quantile.across == "units":
            return self.say("quantile_units", **slots, p=p, text=self.measure(measure))
        atom = measure.atoms[0]
        return self.say("quantile_events", **slots, p=p, event=atom.event, prop=atom.prop)

    def _steps(self, metric: Metric) -> str:
        assert metric.funnel is not None
        steps = [
            self.say("step" if s.name == s.event else "step_named", k=k, name=s.name, event=s.event)
            for k, s in enumerate(metric.funnel.steps, 1)
        ]
        return self.say("comma").join(steps)

    # Groups

    def _group(self, metric: Metric, use: GroupUse) -> str:
        group = self._known(use)
        form = group.form if group is not None else None
        if use.ranked:
            if isinstance(form, Ladder):
                step = 1 if use.how == "rank" else 100 / len(form.rungs)
                numbers = (self.clauses.number(round(step * n, 2)) for n in range(len(form.rungs) + 1))
                named = [self.say("rank_level", level=x, n=n) for x, n in zip(levels(form), numbers, strict=True)]
                return self.say("rank", group=use.group, levels=self.say("comma").join(named))
            parts = metric.rank.parts if metric.rank is not None else ()
            return self.say(
                "rank_spelled" if use.how == "rank" else "degrees_spelled",
                group=use.group,
                of=len(parts),
                text=self.clauses.listed(parts),
            )
        kind = "cell" if _is_cell(use) else "level"
        how = "is" if kind == "cell" and use.how != "share" else use.how
        if form is None:
            text = self.condition(metric.condition) if metric.condition is not None else ""
            return self.say(f"{kind}_spelled", how, group=use.group, cell=use.cell, text=text)
        letters = ""
        if isinstance(form, Cross) and use.cell is not None:
            signs = zip(use.cell, form.letters, strict=True)
            named = [self.say("letter_false" if c == "_" else "letter_true", letter=x) for c, (x, _) in signs]
            letters = self.say("comma").join(named)
        return self.say(kind, how, group=use.group, cell=use.cell, letters=letters)

    def _group_rules(self, metric: Metric, use: GroupUse, slots: Slots) -> list[str]:
        """The group itself, told once."""
        group = self._known(use)
        left = slots["units"] if metric.per is None else self.times.period_slots(metric)["many"]
        found = []
        if group is None:
            if metric.known is not None:
                found.append(self.say("known_spelled", left=left, text=self.condition(metric.known)))
            return found
        if isinstance(group.form, Ladder):
            rungs = group.form.rungs[::-1] if group.form.climb else group.form.rungs
            told = [self.say("rung", rung=name, text=self._inside(c)) for name, c in rungs]
            key = "ladder_climb" if group.form.climb else "ladder"
            listed = self.say("list").join(told)
            return [self.say(key, group=use.group, rungs=listed, otherwise=group.form.otherwise)]
        told = [self.say("letter", letter=name, text=self._inside(c)) for name, c in group.form.letters]
        found.append(self.say("letters", group=use.group, letters=self.say("list").join(told)))
        title = dict(group.form.names).get(use.cell or "") if use.how != "share" else None
        if title is not None:
            found.append(self.say("cell_title", cell=use.cell, group=use.group, title=title))
        if metric.known is not None:
            found.append(self.say("cells_unknown", left=left))
        return found

    def _known(self, use: GroupUse) -> Group | None:
        return None if self.project is None else self.project.groups.get(use.group)

    def _inside(self, condition: Condition) -> str:
        """The condition of a rung or letter, its answers and units resolved as in a metric."""
        project = self.project
        assert project is not None
        bare = Metric("", "group", condition=with_survey_events(condition, project.surveys))
        found = with_units(bare, project.events, project.sources).condition
        return self.condition(found if found is not None else condition)

    # The sentences that follow

    def rules(self, metric: Metric, zone: str, unit: str = "user") -> tuple[str, ...]:
        """The sentences that follow: unit of the value, group, clock, silence, who is left out, cap, direction."""
        slots = self._slots(metric, unit) | {"zone": zone}
        found = []
        money, seconds = metric.unit_of_value.startswith("money "), metric.unit_of_value == "duration s"
        if money or seconds:
            shown = self.say("seconds") if seconds else metric.unit_of_value.removeprefix("money ")
            found.append(self.say("in_unit", unit=shown))
        if metric.kind == "ratio":
            found.append(self.say("ratio_rule", **slots))
        if "finer" in slots:
            found.append(self.say("finer", **slots))
        if metric.group is not None:
            found += self._group_rules(metric, metric.group, slots)
        if metric.kind == "column" or (metric.parts and isinstance(metric.parts[0], Column)):
            found.append(self.say("missing_column", **slots))
        else:
            found += self.times.rules(metric, slots)
            found += self._rules_of_values(metric, slots)
            found += self.times.ends(metric, slots)
        if metric.among is not None:
            found.append(self._among(metric, slots))
        if metric.cap is not None:
            found.append(self._cap(metric))
        if metric.adjust is not None:
            names = (*metric.adjust.metrics, *(".".join(a) for a in metric.adjust.attributes))
            found.append(self.say("adjust" if names else "adjust_none", names=self.say("comma").join(names)))
        if metric.show == "histogram":
            found.append(self.say("histogram", **slots))
        found.append(self.say(f"better_{metric.better or 'none'}"))
        return tuple(found)

    def _rules_of_values(self, metric: Metric, slots: Slots) -> list[str]:
        """Silence, values that do not exist, and the rules of funnels and quantiles."""
        found = []
        across_events = metric.quantile is not None and metric.quantile.across == "events"
        if metric.funnel is not None:
            found += self._funnel_rules(metric, slots)
        elif across_events and metric.measure is not None:
            found.append(self.say("quantile_rule", **slots, prop=metric.measure.atoms[0].prop))
        elif metric.kind == "time_to":
            found.append(self.say("silent_time", **slots, n=metric.window.days))
        elif metric.kind == "survey":
            found.append(self.say("survey_missing", **slots))
        elif metric.missing is not None:
            block = "" if metric.per is None else "_block"
            how = "drop" if metric.missing.value is None else "value"
            many = capital(self.times.period_slots(metric)["many"]) if block else ""
            n = self.clauses.number(metric.missing.value or 0)
            found.append(self.say(f"missing{block}_{how}", **slots, Many=many, n=n))
        elif metric.per_unit != "session" and "finer" not in slots:
            found.append(self.say("silent", **slots))
        if any(a.function in EMPTY_IS_NOTHING for a in _compared(metric)):
            found.append(self.say("nothing"))
        if any(a.function == "days_since" for a in metric_atoms(metric)):
            found.append(self.say("days_since", "window" if metric.per is None else "block"))
        for source in dict.fromkeys(a.source for a in metric_attributes(metric)):
            found.append(self.say("no_attribute", **slots, source=source))
        return found

    def _funnel_rules(self, metric: Metric, slots: Slots) -> list[str]:
        funnel = metric.funnel
        assert funnel is not None
        found = [self.say("funnel_order")]
        if funnel.within is not None:
            key = "funnel_from" if funnel.from_exposure else "funnel_within"
            found.append(self.say(key, within=self.clauses.duration(funnel.within)))
        if funnel.same is not None:
            found.append(self.say("funnel_same", prop=funnel.same))
        if funnel.different is not None:
            found.append(self.say("funnel_different", prop=funnel.different))
        return [*found, self.say("silent_funnel", **slots)]

    def _among(self, metric: Metric, slots: Slots) -> str:
        among = metric.among
        assert among is not None
        if among.where is not None:
            return self.say("among", **slots, source=among.source, text=self.clauses.rows(among.where))
        before = self.clauses.counted(
            "window", "before", n=among.days, start=self.say("start", "exposure"), first=-among.days
        )
        text = self.condition(among.condition) if among.condition is not None else ""
        return self.say("among_before", **slots | {"window": before}, text=text)

    def _cap(self, metric: Metric) -> str:
        cap = metric.cap
        assert cap is not None
        if cap.of != "value":
            return self.say("cap_all" if cap.of == "all" else "cap_nonzero", p=self.clauses.percent(cap.size))
        size = self.clauses.number(cap.size)
        if metric.unit_of_value.startswith("money "):
            size = self.say("constant", "money", n=size, unit=metric.unit_of_value.removeprefix("money "))
        elif metric.unit_of_value == "duration s":
            size = self.clauses.duration(cap.size)
        return self.say("cap", cap=size)

    def clusters(self, experiments: Iterable[Experiment]) -> tuple[str, ...]:
        """Experiments in which whole clusters are what is compared."""
        found = [(e.id, e.cluster) for e in experiments if e.cluster is not None]
        return tuple(self.say("cluster", experiment=name, cluster=f"{c.source}.{c.prop}") for name, c in found)

    def stamp(self, metric: Metric) -> tuple[str, ...]:
        """Version, owner and status."""
        version = "version" if metric.version is not None else ""
        key = "_".join(k for k in (version, "owner" if metric.owner else "") if k) or "no_version"
        found = [self.say(key, version=metric.version, owner=metric.owner)]
        if metric.status == "deprecated" and metric.use is not None:
            found.append(self.say("deprecated_use", use=metric.use))
        elif metric.status is not None:
            found.append(self.say("status", metric.status))
        return tuple(found)

    # Events

    def events(self, metric: Metric, events: Mapping[str, Event]) -> tuple[str, ...]:
        """One line per event and survey: which rows it means."""
        found = []
        for name in events_of(metric):
            event = events[name]
            line = self._survey(event.survey) if event.survey is not None else self._event(event)
            if event.before_exposure and metric.starting_at == name:
                line = self.say("event_start", line=line)
            found.append(line)
        return tuple(found)

    def _event(self, event: Event) -> str:
        key = f"event_{'names' if event.names else 'all'}{'_where' if event.where is not None else ''}"
        names = self.say("name_or").join(event.names)
        where = self.clauses.rows(event.where) if event.where is not None else ""
        line = self.say(key, event=event.name, source=event.source, names=names, where=where)
        for unit, column in event.units:
            line = self.say("event_unit", line=line, unit=self.clauses.unit(unit)["unit"], column=column)
        if event.nth is not None:
            line = self.say("event_first" if event.nth == 1 else "event_nth", line=line, n=event.nth)
        if event.once is not None:
            line = self.say("event_once", event.once.period or "window", line=line, prop=event.once.prop)
        return line

    def _survey(self, survey: Survey) -> str:
        comma = self.say("comma")
        if survey.labels:
            scale = self.say("scale_labels", labels=comma.join(survey.labels))
        else:
            scale = self.say("scale_numbers", low=survey.low, high=survey.high)
        key = "labels" if survey.score == "mean" and survey.labels else survey.score
        best: tuple[object, ...] = (survey.label,) if survey.score == "share" else ()
        if survey.score == "top":
            high = survey.high or 0
            best = survey.labels[: survey.top] or tuple(range(high - survey.top + 1, high + 1))
        scoring = self.say("scoring", key, low=survey.low, labels=self.say("name_or").join(str(b) for b in best))
        slots = {"survey": survey.name, "source": survey.source, "scale": scale, "scoring": scoring}
        if not survey.items:
            return self.say("survey_one", **slots, column=survey.columns[0])
        kind = "survey_items_reversed" if survey.reversed else "survey_items"
        return self.say(
            kind, **slots, columns=comma.join(survey.columns), reversed=comma.join(survey.reversed),
            low=survey.low, high=survey.high, need=survey.need, of=len(survey.columns),
        )  # fmt: skip


def _is_cell(use: GroupUse) -> bool:
    """Cells of a cross are capitals and `_`, rungs start with a small letter."""
    return use.cell is not None and use.cell == use.cell.upper()


def _compared(metric: Metric) -> list[Atom]:
    """The atoms of all comparisons of a metric."""
    found: list[Atom] = []
    among = metric.among.condition if metric.among is not None else None
    rank: tuple[Condition, ...] = metric.rank.parts if metric.rank is not None else ()
    for part in (metric.condition, *(metric.parts or ()), *rank, among):
        if part is not None and not isinstance(part, (Measure, Column)):
            found += [a for c in walk(part) if isinstance(c, Compare) for m in (c.left, c.right) for a in m.atoms]
    return [a for a in found if not (a.function == "count" and a.event.endswith(ANSWERS))]
