"""Segments by what units did before exposure: hidden metrics to one column of labels per segment."""

from __future__ import annotations

from collections.abc import Mapping

from abtest.language.model import Cross, Group, Ladder, Segment
from abtest.language.partition import levels
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name, text
from abtest.sources.rows import NO, YES


def label_segments(engine: Engine, values: Values, segments: tuple[Segment, ...], groups: Mapping[str, Group]) -> None:
    """Add a column `s_<segment>` of text per segment to the table of unit values; NULL where it is not known."""
    added = [f"{_label(values, s, groups)} AS {name('s_' + s.name)}" for s in segments]
    if added:
        engine.sql(
            f"CREATE OR REPLACE TEMP TABLE {name(values.table)} AS SELECT *, {', '.join(added)} FROM {name(values.table)}"
        )


def _label(values: Values, segment: Segment, groups: Mapping[str, Group]) -> str:
    own = f"segment {segment.name}"
    if segment.group is None:
        column = name(values.value[own])
        return f"CASE WHEN {column} = 1 THEN {text(YES)} WHEN {column} = 0 THEN {text(NO)} END"
    form = groups[segment.group].form
    if isinstance(form, Ladder):
        column = name(values.value[own])
        cases = " ".join(f"WHEN {column} = {level} THEN {text(rung)}" for level, rung in enumerate(levels(form)))
        return f"CASE {cases} END"
    return _cell(values, own, form)


def _cell(values: Values, own: str, form: Cross) -> str:
    letters = []
    for letter, _ in form.letters:
        sure = {truth: name(values.value[f"{own} {letter} {truth}"]) for truth in (True, False)}
        letters.append(f"CASE WHEN {sure[True]} = 1 THEN {text(letter)} WHEN {sure[False]} = 1 THEN '_' END")
    cell = " || ".join(f"({letter})" for letter in letters)
    titles = " ".join(f"WHEN {text(code)} THEN {text(title)}" for code, title in form.names)
    return f"CASE {cell} {titles} ELSE {cell} END" if titles else f"({cell})"
