"""Metrics and groups as YAML text: random, but always within the rules of the language."""

from __future__ import annotations

from dataclasses import dataclass

from .choices import Choices
from .phrases import (
    COMPARISONS,
    attribute_text,
    condition_text,
    condition_yaml,
    distinct_text,
    growing_text,
    measure_back_text,
)
from .timing import Timing, before, recurring, single
from .vocabulary import Vocabulary

FOLDS = (
    "share", "ever", "always", "last", "count", "streak", "share of", "count of", "streak of", "ever", "always",
    "count", "streak", "streak of", "count of",
)  # fmt: skip
STEADY = ("share", "last", "share of")
EMPTY = ("mean", "min", "max", "first", "last", "days_since")
KINDS = {
    "did": 31, "amount": 21, "ratio": 10, "retention": 5, "churn": 4, "quantile": 7, "funnel": 7, "time_to": 5,
    "group": 9, "survey": 6,
}  # fmt: skip


@dataclass(frozen=True)
class GroupWords:
    """A group that metrics may use. `timing`: it says itself when it looks. `simple`: it fits any blocks."""

    name: str
    cells: tuple[str, ...]
    ladder: bool
    timing: Timing | None = None


def metric_yaml(
    c: Choices, name: str, words: Vocabulary, groups: tuple[GroupWords, ...], earlier: tuple[str, ...]
) -> str:
    """One valid definition. Every metric could be the goal, so every one says what is better.

    `earlier`: metrics before exposure, for `adjust`.
    """
    allowed = {k: n for k, n in KINDS.items() if (k != "group" or groups) and (k != "survey" or words.answers)}
    kind = c.weighted(**allowed)
    match kind:
        case "did":
            lines, restricted = _did(c, words)
        case "amount":
            lines, restricted = _amount(c, words)
        case "ratio":
            lines, restricted = _ratio(c, words)
        case "retention":
            lines, restricted = _retention(c, words)
        case "churn":
            lines, restricted = _churn(c, words)
        case "quantile":
            lines, restricted = _quantile(c, words)
        case "funnel":
            lines, restricted = _funnel(c, words)
        case "time_to":
            lines, restricted = _time_to(c, words)
        case "group":
            lines, restricted = _group(c, words, c.of((*groups, groups[-1])))
        case _:
            lines, restricted = _survey(c, words)
    among = _among(c, restricted)
    adjusted = _adjust(c, () if kind == "quantile" else earlier, words, kind != "quantile")
    more = [*among, *adjusted, f"better: {c.of(('higher', 'lower'))}"]
    return "\n".join([f"  {name}:", *(f"    {line}" for line in (*lines, *more))]) + "\n"


def earlier_yaml(c: Choices, name: str, words: Vocabulary) -> str:
    """A metric over days before exposure."""
    timing = before(c, words)
    if c.maybe(50):
        lines = [*condition_yaml(c, "did", words, timing.block), *_value(c, timing)]
    else:
        amount, missing = _measure(c, words)
        lines = [f"amount: {amount}", *missing, *_amount_value(c, timing)]
    return "\n".join([f"  {name}:", *(f"    {line}" for line in (*lines, *timing.lines))]) + "\n"


def _among(c: Choices, words: Vocabulary) -> list[str]:
    """Few units pass a test, so it is drawn rarely."""
    if not c.maybe(12):
        return []
    if words.attributes and c.maybe(55):
        test = c.of((
            attribute_text(c), f"people.{attribute_text(c)}", f"not ({attribute_text(c)})",
            f"({attribute_text(c)}) or ({attribute_text(c)})",
        ))  # fmt: skip
        return [f'among: "{test}"']
    days = c.of((28, 7, 1, 14, 40))
    condition = condition_text(c, words.looking_back(None), days, 1)
    return [f"among: ({condition}) before {days} day{'s' * (days > 1)}"]


def _adjust(c: Choices, earlier: tuple[str, ...], words: Vocabulary, attributes: bool) -> list[str]:
    if not c.maybe(12):
        return []
    options = [*earlier, *(["people.age"] if words.attributes and attributes else [])]
    return [f"adjust: [{', '.join(options)}]" if options else "adjust: none"]


# Folds and values ----------------------------------------------------------------------------------------------------


def _value(c: Choices, timing: Timing, *, share_alone: bool = False) -> list[str]:
    """`value` of a recurring condition."""
    if not timing.recurring:
        return []
    if timing.sessions or share_alone:
        return ["value: share"] if c.maybe(50) else []
    how = c.of(FOLDS if timing.blocks is not None else STEADY)
    value = how
    if how.endswith(" of"):
        limit = f"{c.of((50, 75, 33.3, 100, 25, 20))}%" if how == "share of" else str(c.between(0, timing.blocks or 1))
        value = f"{how.removesuffix(' of')} {c.of(COMPARISONS)} {limit}"
    return [] if value == "share" and c.maybe(50) else [f"value: {value}"]


def _amount_value(c: Choices, timing: Timing) -> list[str]:
    """`value` of a recurring amount."""
    if not timing.recurring:
        return []
    folds = ("mean",) if timing.sessions else ("mean", "last") if timing.blocks is None else AMOUNT_FOLDS
    how = c.of(folds)
    return [] if how == "mean" and c.maybe(50) else [f"value: {how}"]


AMOUNT_FOLDS = ("mean", "sum", "min", "max", "last", "sum", "min", "max")


def _measure(c: Choices, words: Vocabulary) -> tuple[str, list[str]]:
    """A measure, and what it counts where it has no value."""
    if not c.maybe(45):
        return measure_back_text(c, words), []
    event = c.of(words.names)
    functions = [f for f in EMPTY if f != "days_since" or words.days_since]
    how = c.of((*functions, *(["answer"] if words.answers else [])))
    if how == "answer":
        text = f"answer({c.of(words.answers)})"
    else:
        text = f"{how}({event}{'' if how == 'days_since' else '.amount'})"
    text = c.of((text, text, f"{text} + {event}", f"2 * {text}", f"{distinct_text(c, event)} - {text}"))
    return text, [f"missing: {c.of(('drop', 'zero', '2.5', 'drop', '30', '-1'))}"]


# Kinds ---------------------------------------------------------------------------------------------------------------


def _did(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    if c.maybe(72):
        timing = recurring(c, words, steady=c.maybe(55)).kept(c)
        condition = condition_yaml(c, "did", timing.words, timing.block, finest=timing.finest)
        return [*condition, *timing.lines, *_value(c, timing)], timing.words
    timing = _finer(c, words) if c.maybe(15) else single(c, words).kept(c)
    return [*condition_yaml(c, "did", timing.words, timing.block), *timing.lines], timing.words


def _finer(c: Choices, words: Vocabulary) -> Timing:
    """Per device: no starting point, no blocks."""
    timing = single(c, words.of_devices(), anchor=False, odd=False).kept(c)
    return Timing((*timing.lines, "unit: device"), timing.words, timing.block)


def _amount(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    finer = c.maybe(8)
    if c.maybe(68) and not finer:
        timing = recurring(c, words, steady=c.maybe(60)).kept(c)
    else:
        timing = _finer(c, words) if finer else single(c, words).kept(c)
    measure, missing = _measure(c, timing.words)
    cap = []
    if not timing.sessions and not finer and c.maybe(60):
        cap = [
            f"cap: {c.of((3, '90%', '80% of nonzero', 2.5, '50%', '99% of nonzero', 10, '66.6%', '60% of nonzero'))}"
        ]
    return [f"amount: {measure}", *missing, *timing.lines, *_amount_value(c, timing), *cap], timing.words


def _ratio(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    timing = (recurring(c, words) if c.maybe(60) else single(c, words)).kept(c)

    both = c.of(("conditions", "measures", "mixed"))

    def side() -> str:
        if both == "conditions" or (both == "mixed" and c.maybe(50)):
            return condition_text(c, timing.words, timing.block, finest=timing.finest)
        return measure_back_text(c, timing.words)

    return ["ratio:", f"  of: {side()}", f"  to: {side()}", *timing.lines], timing.words


def _retention(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    how = c.weighted(day=40, days=30, from_day=30)
    first = c.between(0, 14)
    length: int | None = 1
    if how == "day":
        line = f"day: {first}"
    elif how == "days":
        length = c.of((2, 7, 14, 21))
        line = f"days: {first}-{first + length - 1}"
    else:
        line, length = f"from_day: {first}", None
    elapsed = c.maybe(25)
    lines = (line, *(["clock: elapsed"] if elapsed else []))
    timing = Timing(lines, words.timed() if elapsed else words, length, fixed=length is not None).kept(c)
    return [*condition_yaml(c, "retention", timing.words, timing.block), *timing.lines], timing.words


def _churn(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    days = c.of((14, 7, 3, 28, 21))
    silent = c.between(1, days - 1)
    first = c.between(0, 5)
    window = f"over: days {first}-{first + days - 1}" if c.maybe(50) else f"over: first {days} days"
    elapsed = c.maybe(25)
    allowed = words.timed() if elapsed else words
    lines = [f"churn: {c.of(allowed.names)}", f"silent: {silent} day{'s' * (silent > 1)}", window]
    lines += ["clock: elapsed"] if elapsed else []
    return [*lines, *(["immature: keep"] if c.maybe(20) else [])], allowed


def _quantile(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    timing = single(c, words, anchor=False).kept(c)
    at = c.of(("50%", "95%", "90%", "25%", "99.5%"))
    if c.maybe(60):
        event = c.of(timing.words.names)
        return [f"quantile: {{of: {event}.amount, at: {at}, across: events}}", *timing.lines], timing.words
    measure, missing = _measure(c, timing.words)
    return ["quantile:", f"  of: {measure}", f"  at: {at}", "  across: units", *missing, *timing.lines], timing.words


def _funnel(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    """Steps that all have times, or all have dates alone."""
    timing = (_long(c, words) if c.maybe(60) else single(c, words, anchor=False, odd=False)).kept(c)
    dates = c.maybe(35) and any(w.dates for w in timing.words.words)
    steps = timing.words.only(lambda w: w.dates == dates).names
    chosen = [c.of(steps) for _ in range(c.of((2, 3, 2, 4)))]
    if not dates and c.maybe(60):  # the order in which units go
        first = c.below(3)
        chosen = ["entry", "like", "post", "buy"][first : first + c.of((2, 3, 4))]
    names = [f"s{i}" for i in range(len(chosen))] if len(set(chosen)) < len(chosen) or c.maybe(50) else chosen
    lines = []
    if c.maybe(55):
        lines.append(f"  within: {c.of(('1 day', '30 minutes', '1 hour', '3 days', '90 minutes', '2 weeks'))}")
        lines += [f"  from: {c.of(('exposure', 'first step'))}"] if c.maybe(45) else []
    lines += [f"  same: {c.of(('item', 'kind', 'device'))}"] if c.maybe(35) else []
    lines += [f"  different: {c.of(('device', 'kind', 'amount'))}"] if c.maybe(50) else []
    written = [step if step == name else f"{{{name}: {step}}}" for name, step in zip(names, chosen, strict=True)]
    return ["funnel:", f"  steps: [{', '.join(written)}]", *lines, *timing.lines], timing.words


def _long(c: Choices, words: Vocabulary) -> Timing:
    """A window in which several things can happen."""
    days = c.of((14, 28, 21, None))
    lines = (f"over: first {days} days",) if days else ()
    return Timing(lines, words, days, fixed=days is not None)


def _time_to(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    timing = _long(c, words) if c.maybe(35) else single(c, words, odd=False)
    while not timing.fixed:
        timing = single(c, words, fixed=True, odd=False)
    return [f"time_to: {growing_text(c, timing.words)}", *timing.lines], timing.words


def _survey(c: Choices, words: Vocabulary) -> tuple[list[str], Vocabulary]:
    name = c.of(words.answers)
    dated = name in words.dated_surveys
    timing = single(c, words, anchor=False)
    while "over: lifetime" in timing.lines or (dated and name not in timing.words.answers):
        timing = single(c, words, anchor=False)
    return [f"survey: {name}", *timing.kept(c).lines], timing.words


# Groups --------------------------------------------------------------------------------------------------------------


def groups_yaml(c: Choices, words: Vocabulary) -> tuple[str, tuple[GroupWords, ...]]:
    """A ladder, and now and then a ladder with a timing of its own and a cross."""
    found = [_ladder(c, "level", words, None)]
    if c.maybe(50):
        found.append(_ladder(c, "habit", words, recurring(c, words, steady=c.maybe(60))))
    if c.maybe(75):
        found.append(_cross(c, words))
    return "".join(text for text, _ in found), tuple(group for _, group in found)


def _ladder(c: Choices, name: str, words: Vocabulary, timing: Timing | None) -> tuple[str, GroupWords]:
    rungs = ("super", "regular", "explorer")[c.below(2) :]
    simple = words.in_sessions() if timing is None else timing.words
    block = None if timing is None else timing.block
    finest = timing is not None and timing.finest
    lines = [f"  {name}:", *(["    climb: every"] if c.maybe(35) else []), "    ladder:"]
    for rung in rungs:
        lines += [f"      {line}" for line in condition_yaml(c, rung, simple, block, finest=finest)]
    lines += ["    otherwise: dormant", *(f"    {line}" for line in (timing.lines if timing else ()))]
    return "\n".join(lines) + "\n", GroupWords(name, (*rungs, "dormant"), True, timing)


def _cross(c: Choices, words: Vocabulary) -> tuple[str, GroupWords]:
    """Letters over one window; a letter that asks for answers may be unknown."""
    timing = single(c, words, odd=False)
    letters = ("F", "A", "N")[: c.between(1, 3)]
    lines = ["  fan:", "    cross:"]
    for i, letter in enumerate(letters):
        answers = timing.words.answers
        if answers and (i == 1 or c.maybe(30)):
            asked = f"answer({c.of(answers)}) {c.of(('>=', '<', '>'))} {c.of(('9', '4', '3'))}"
            simple = condition_text(c, timing.words, None, 2)
            text = c.of((asked, asked, f"({asked}) {c.of(('and', 'or'))} ({simple})", f"not {asked}"))
        else:
            text = condition_text(c, timing.words, timing.block, 1)
        lines.append(f"      {letter}: {text}")
    cells = tuple(
        "".join(x if bits >> i & 1 else "_" for i, x in enumerate(letters)) for bits in range(2 ** len(letters))
    )
    named = c.maybe(30)
    lines += [f"    names: {{{''.join(letters)}: everything}}"] if named else []
    lines += [f"    {line}" for line in timing.lines]
    return "\n".join(lines) + "\n", GroupWords("fan", (*cells, *(["everything"] if named else [])), False, timing)


def _group(c: Choices, words: Vocabulary, group: GroupWords) -> tuple[list[str], Vocabulary]:
    timing = group.timing
    own = timing is None
    if timing is None:
        timing = recurring(c, words, steady=c.maybe(55)) if c.maybe(75) else single(c, words)
    keep = timing.can_keep and timing.recurring and c.maybe(15)
    lines = [f"group: {group.name}", *(timing.lines if own else ()), *(["immature: keep"] if keep else [])]
    how = c.of(("is", "at_least", "rank", "share")) if group.ladder else "is"
    if how in ("is", "at_least"):
        cells = group.cells if how == "is" else group.cells[:-1]
        return [*lines, f"{how}: {c.of(cells)}", *_value(c, timing)], timing.words
    if how == "rank":
        return [*lines, f"as: {'degrees' if c.maybe(50) else 'rank'}", *_amount_value(c, timing)], timing.words
    return [*lines, "as: share", *_value(c, timing, share_alone=True)], timing.words
