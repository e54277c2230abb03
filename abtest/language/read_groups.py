"""`groups` from YAML to values: ladders of rungs, and crosses of letters."""

from __future__ import annotations

import re

from abtest.language import values
from abtest.language.conditions import All, AnyOf, Compare, Condition, walk
from abtest.language.fields import Fields
from abtest.language.model import Cross, Group, Ladder, Written
from abtest.language.partition import cells_of, levels
from abtest.language.read_conditions import condition_node
from abtest.language.read_metrics import read_timing
from abtest.language.suggest import did_you_mean
from abtest.language.words import Wording, Words
from abtest.language.yaml import Map, Node, Text
from abtest.problems import Problem, Problems, quoted

MAX_RUNGS = 20
MAX_LETTERS = 4
MAX_PARTS = 256
"""Of all conditions of a group together: metrics of a ladder hold a rung several times over."""


def read_group(name: str, node: Node, problems: Problems) -> Group | None:
    """The group, or None after reporting why not."""
    what = f"group {name}"
    if not isinstance(node, Map):
        hint = (
            f"Example:  {name}: {{per: week, ladder: {{regular: like >= 5, explorer: app_open}}, otherwise: dormant}}"
        )
        problems.error("E121", f"{what} is a map", node.place, hint)
        return None
    fields = Fields(node, what, problems)
    timing = read_timing(fields, problems)
    words = Words(fields, problems)
    title, description, cannot = words.text("title"), words.text("description"), words.text("cannot")
    advice, origin = words.listed("advice"), fields.text("origin")
    ladder, cross = fields.map("ladder"), fields.map("cross")
    written: list[Written] = []
    form: Ladder | Cross | None = None
    if (ladder is None) == (cross is None):
        code = "E124" if ladder is not None else "E108"
        message = f"{what} is either a `ladder` (rungs, the first that holds) or a `cross` (letters, each yes or no)"
        hint = "Example:  ladder: {regular: like >= 5, explorer: app_open}"
        problems.error(code, message, node.place, hint)
        fields.missed |= {key: Problem(code, message, node.place, hint) for key in ("ladder", "cross")}
        for key in ("otherwise", "climb", "names"):
            fields.asked[key] = None
    elif ladder is not None:
        form = _ladder(ladder, fields, problems, written)
    elif cross is not None:
        form = _cross(cross, fields, problems, written)
    fields.done()
    if form is None:
        return None
    _check_advice(advice, form, fields, problems)
    label = title or name.replace("_", " ").capitalize()
    return Group(
        name, form, timing, tuple(written), label, description, node.place, cannot, origin, advice, words.translated
    )


UNKNOWN = "unknown"
"""Of units with a letter that nobody knows: what to do for them is advice of its own."""


def _check_advice(
    advice: tuple[tuple[str, Wording], ...], form: Ladder | Cross, fields: Fields, problems: Problems
) -> None:
    """Advice is for the cells or levels that there are."""
    if isinstance(form, Ladder):
        known, what = levels(form), "level"
    else:
        known, what = (*cells_of(tuple(letter for letter, _ in form.letters)), UNKNOWN), "cell"
    for name, _ in advice:
        if name not in known:
            node = fields.map("advice")
            place = next((k.place for k, _ in node or () if k.value == name), fields.place("advice"))
            hint = did_you_mean(name, known, f"{what.capitalize()}s")
            problems.error("E122", f"{fields.what}: advice for no {what} {quoted(name)}", place, hint)


def _ladder(node: Map, fields: Fields, problems: Problems, written: list[Written]) -> Ladder | None:
    otherwise = fields.text("otherwise")
    if not fields.has("otherwise"):
        fields.missing("otherwise", "Name the level of all others:  otherwise: dormant")
    climb = fields.choice("climb", ("every",)) is not None
    rungs = _conditions(node, fields, problems, written, "rung", MAX_RUNGS)
    if rungs is None or otherwise is None:
        return None
    if not values.is_id(otherwise) or otherwise in dict(rungs):
        why = "is a rung too" if otherwise in dict(rungs) else "is not a name"
        hint = "Name the level of all others:  otherwise: dormant"
        problems.error("E130", f"{fields.what}: otherwise {quoted(otherwise)} {why}", fields.place("otherwise"), hint)
        return None
    for i, (rung, condition) in enumerate(rungs):
        above = next((upper for upper, other in rungs[:i] if implies(condition, other)), None)
        if above is not None and not climb:
            entry = node.get(rung)
            problems.warn(
                "W350",
                f'rung "{rung}" can never be reached: whoever meets it stands on "{above}" above',
                entry.place if entry is not None else node.place,
                "A ladder goes from the top down: the strictest rung first.",
            )
    return Ladder(rungs, otherwise, climb)


def _cross(node: Map, fields: Fields, problems: Problems, written: list[Written]) -> Cross | None:
    names = fields.map("names")
    letters = _conditions(node, fields, problems, written, "letter", MAX_LETTERS)
    if letters is None:
        return None
    cells = cells_of(tuple(letter for letter, _ in letters))
    titles: list[tuple[str, str]] = []
    for key, value in names or ():
        if key.value not in cells:
            hint = f"Cells:  {'  '.join(cells)}"
            problems.error("E122", f"{fields.what}: no cell {quoted(key.value)}", key.place, hint)
        elif isinstance(value, Text):
            titles.append((key.value, value.value))
        else:
            problems.error("E121", f"the name of cell {key.value} is one text", value.place)
    return Cross(letters, tuple(titles))


def _conditions(
    node: Map, fields: Fields, problems: Problems, written: list[Written], what: str, most: int
) -> tuple[tuple[str, Condition], ...] | None:
    found = []
    good = bool(node.entries)
    if not node.entries:
        problems.error("E121", f"{fields.what} has no {what}", node.place)
    if len(node.entries) > most and not any(fields.split_key(k, v, node.flow) for k, v in node):
        hint = f"{2 ** len(node.entries)} cells are too many to be read." if most < len(node.entries) < 10 else ""
        message = f"{fields.what} has {len(node.entries):,} {what}s; at most {most} are read"
        problems.error("E116", message, node.place, hint)
        return None
    for key, value in node:
        name = key.value
        if fields.split_key(key, value, node.flow):
            good = False
            continue
        if (what == "letter" and not re.fullmatch(r"[A-Z]", name)) or (what == "rung" and not values.is_id(name)):
            hint = "One capital letter each:  F, A, N" if what == "letter" else "Lower case letters, digits and _"
            problems.error("E130", f"{quoted(name)} is not a name for a {what}", key.place, hint)
            good = False
            continue
        condition = condition_node(value, f"{what} {name} of {fields.what}", problems, written)
        if condition is None:
            good = False
        else:
            found.append((name, condition))
    parts = sum(1 for _, condition in found for _ in walk(condition))
    if good and parts > MAX_PARTS:
        message = f"{fields.what} has {parts:,} parts in all; at most {MAX_PARTS} are read"
        problems.error("E115", message, node.place, "Fewer rungs, or simpler ones, are easier to read too.")
        return None
    return tuple(found) if good else None


def implies(condition: Condition, other: Condition) -> bool:
    """Whether whoever meets `condition` certainly meets `other`; False where that cannot be seen easily.

    >>> from abtest.language.expressions import parse_condition as p
    >>> implies(p("photo >= 5 and like"), p("photo >= 2")), implies(p("photo >= 2"), p("photo >= 5"))
    (True, False)
    """
    if condition == other:
        return True
    if isinstance(other, All):
        return all(implies(condition, part) for part in other.parts)
    if isinstance(condition, AnyOf):
        return all(implies(part, other) for part in condition.parts)
    if isinstance(other, AnyOf):
        return any(implies(condition, part) for part in other.parts)
    if isinstance(condition, All):
        return any(implies(part, other) for part in condition.parts)
    if not isinstance(condition, Compare) or not isinstance(other, Compare) or condition.left != other.left:
        return False
    if condition.right.atoms or other.right.atoms:
        return False
    have, need = condition.right.constant, other.right.constant
    up, down = {">", ">=", "="}, {"<", "<=", "="}
    if other.operator in (">", ">="):
        return condition.operator in up and (
            have > need or (have == need and (other.operator == ">=" or condition.operator == ">"))
        )
    if other.operator in ("<", "<="):
        return condition.operator in down and (
            have < need or (have == need and (other.operator == "<=" or condition.operator == "<"))
        )
    return False
