"""Definitions as YAML text: random, but always within the rules of the language."""

from __future__ import annotations

from collections.abc import Sequence

from .choices import Choices

COMPARISONS = (">=", ">", "=", ">=", "<", "<=", "!=", ">=")


def metric_yaml(c: Choices, name: str, events: Sequence[str]) -> str:
    """One valid definition. Every metric could be the goal, so every one says what is better."""
    kind = c.weighted(did=46, amount=24, ratio=16, retention=14)
    lines = {"did": _did, "amount": _amount, "ratio": _ratio, "retention": _retention}[kind](c, events)
    return "\n".join([f"  {name}:", *(f"    {line}" for line in lines), "    better: higher"]) + "\n"


def _did(c: Choices, events: Sequence[str]) -> list[str]:
    if not c.maybe(78):
        window, days = _window(c, None)
        keep = days is not None and c.maybe(30)
        return [*_condition_yaml(c, "did", events, None if keep else days), *window, *_immature(keep)]
    per = _per(c)
    how = c.of(("share", "ever", "always", "last", "count", "streak", "share of", "count of", "streak of"))
    constant = how not in ("share", "share of", "last")
    window, days = _window(c, per, constant=constant)
    blocks = (days or 4 * per) // per
    value = how
    if how.endswith(" of"):
        limit = f"{c.of((50, 75, 33.3, 100, 25, 20))}%" if how == "share of" else str(c.between(0, blocks))
        value = f"{how.removesuffix(' of')} {c.of(COMPARISONS)} {limit}"
    written_value = [] if value == "share" and c.maybe(50) else [f"value: {value}"]
    keep = days is not None and c.maybe(25)
    return [*_condition_yaml(c, "did", events, per), *_per_yaml(per), *window, *written_value, *_immature(keep)]


def _amount(c: Choices, events: Sequence[str]) -> list[str]:
    cap = [f"cap: {c.of((3, 1, 2.5, 10))}"] if c.maybe(30) else []
    amount = f"amount: {measure_text(c, events)}"
    keep = c.maybe(25)
    if not c.maybe(75):
        window, days = _window(c, None)
        return [amount, *window, *cap, *_immature(keep and days is not None)]
    per = _per(c)
    how = c.of(("mean", "sum", "min", "max", "last"))
    window, days = _window(c, per, constant=how in ("sum", "min", "max"))
    written_value = [] if how == "mean" and c.maybe(50) else [f"value: {how}"]
    return [amount, *_per_yaml(per), *window, *written_value, *cap, *_immature(keep and days is not None)]


def _ratio(c: Choices, events: Sequence[str]) -> list[str]:
    per = _per(c) if c.maybe(60) else None
    window, days = _window(c, per)
    keep = days is not None and c.maybe(25)
    # Without `per`, a unit that is kept too early has no number of sub-blocks, so the language has no spread there.
    block = per or (None if keep else days)

    def side() -> str:
        if c.maybe(50):
            return condition_text(c, events, block)
        return measure_text(c, events)

    return ["ratio:", f"  of: {side()}", f"  to: {side()}", *_per_yaml(per), *window, *_immature(keep)]


def _retention(c: Choices, events: Sequence[str]) -> list[str]:
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
    keep = length is not None and c.maybe(25)
    return [*_condition_yaml(c, "retention", events, None if keep else length), line, *_immature(keep)]


def _immature(keep: bool) -> list[str]:
    return ["immature: keep"] if keep else []


def _per(c: Choices) -> int:
    return c.of((7, 1, 2, 14, 7, 1, 3, 21, 5, 14))


def _per_yaml(per: int | None) -> list[str]:
    return [] if per is None else [f"per: {({1: 'day', 7: 'week'}).get(per, f'{per} days')}"]


def _window(c: Choices, per: int | None, *, constant: bool = False) -> tuple[list[str], int | None]:
    """`over`, and its number of days (None when open). With `per`, a whole multiple of it."""
    open_ones = {} if constant else {"whole": 20, "from_day": 15}
    one_day = {"day": 12} if per in (None, 1) else {}
    how = c.weighted(first=35, days=30, **one_day, **open_ones)
    if how == "whole":
        return ([] if c.maybe(50) else ["over: whole"]), None
    if how == "from_day":
        return [f"over: from day {c.between(0, 9)}"], None
    if how == "day":
        return [f"over: day {c.between(0, 12)}"], 1
    if per is None:
        days = c.of((7, 14, 1, 2, 3, 10, 21, 28))
    else:
        days = per * c.between(1, 14 if per == 1 else 5 if per <= 3 else 4 if per <= 7 else 2)
    if how == "first":
        written_days = f"{days // 7} weeks" if days % 7 == 0 and c.maybe(30) else f"{days} day{'s' * (days > 1)}"
        return [f"over: first {written_days}"], days
    first = c.between(0, 9)
    return [f"over: days {first}-{first + days - 1}"], days


# Conditions ----------------------------------------------------------------------------------------------------------


def _condition_yaml(c: Choices, key: str, events: Sequence[str], block: int | None) -> list[str]:
    """A condition on one line, or as a list."""
    if not c.maybe(20):
        return [f"{key}: {condition_text(c, events, block)}"]
    how = c.of(("all", "any", "none", "of"))
    parts = [condition_text(c, events, block, 1) for _ in range(c.between(1, 3))]
    least = [f"  at_least: {c.between(1, len(parts))}"] if how == "of" else []
    return [f"{key}:", *least, f"  {how}:", *(f"    - {part}" for part in parts)]


def condition_text(c: Choices, events: Sequence[str], block: int | None, depth: int = 0) -> str:
    """A condition judged on blocks of `block` days (None: no spread is possible)."""
    return _condition(c, events, block, depth)[0]


def _condition(c: Choices, events: Sequence[str], block: int | None, depth: int) -> tuple[str, bool]:
    """The text, and whether it stands beside `and`, `or` and `not` without parentheses."""
    sizes = [s for s in (7, 1) if block is not None and s < block and block % s == 0]
    spread = 0 if not sizes else 50 if block in (14, 21, 28) else 30
    how = c.weighted(compare=55, joined=20, turned=8, least=8, spread=spread) if depth < 3 else "compare"
    if how == "compare":
        return compare_text(c, events), True
    if how == "spread":
        assert block is not None
        return _spread(c, events, block, c.of(sizes), depth), False
    if how == "turned":
        return f"not {_enclosed(_condition(c, events, block, depth + 1))}", True
    parts = [_condition(c, events, block, depth + 1) for _ in range(c.between(2, 3))]
    if how == "least":
        return f"at least {c.between(1, len(parts))} of ({', '.join(text for text, _ in parts)})", True
    return c.of((" and ", " or ")).join(map(_enclosed, parts)), False


def _enclosed(part: tuple[str, bool]) -> str:
    text, alone = part
    return text if alone else f"({text})"


def _spread(c: Choices, events: Sequence[str], block: int, size: int, depth: int) -> str:
    if size == 7 and c.maybe(60):
        inner: tuple[str, bool] = _spread(c, events, 7, 1, depth + 1), False
    else:
        inner = _condition(c, events, size, depth + 1)
    word, period = c.of(("on", "in")), "day" if size == 1 else "week"
    blocks = block // size
    how = c.of(("", "every", *COMPARISONS))
    if how == "every":
        return f"{_enclosed_for_spread(inner)} {word} every {period}"
    count = c.between(0, blocks - 1) if how == ">" else c.between(0, min(blocks, 4))
    return f"{_enclosed_for_spread(inner)} {word} {how + ' ' if how else ''}{count} {period}{'s' * (count != 1)}"


def _enclosed_for_spread(part: tuple[str, bool]) -> str:
    """`like >= 2 on 2 days` needs no parentheses; `not like on 2 days` is refused."""
    text, alone = part
    return text if alone and not text.startswith("not ") and " and " not in text else f"({text})"


def compare_text(c: Choices, events: Sequence[str]) -> str:
    event = c.of(events)
    how = c.weighted(event=20, count=25, none=8, between=7, sum=10, mean=12, days=6, measure=8, measures=8)
    if how == "event":
        return event
    if how == "none":
        return f"no {event}"
    if how == "between":
        low = c.below(3)
        return f"({event} between {low} and {low + c.below(4)})"
    operator, number = c.of(COMPARISONS), c.of(("1", "2", "0", "3", "5"))
    decimal = c.of(("0.3", "1", "0", "2.5", "10", "0.15", "12.49"))
    if how == "sum":
        return f"sum({event}.amount) {operator} {decimal}"
    if how == "mean":
        plus = f" + {c.of(events)}" if c.maybe(15) else ""
        return f"{c.of(('mean', 'min', 'max'))}({event}.amount){plus} {operator} {decimal}"
    if how == "days":
        return f"days({event}) {operator} {number}"
    if how == "measure":
        return f"{measure_text(c, events)} {operator} {number}"
    if how == "measures":
        return f"{measure_text(c, events)} {operator} {measure_text(c, events)}"
    return f"{event} {operator} {number}"


def measure_text(c: Choices, events: Sequence[str]) -> str:
    """A sum of counts, sums and days, each with a factor; now and then a constant."""
    terms = [_term(c, events) for _ in range(c.of((1, 1, 2, 3)))]
    text = terms[0]
    for term in terms[1:]:
        text += f" {c.of('+-')} {term}"
    return text + c.of(("", "", "", "", " + 1", " - 0.5"))


def _term(c: Choices, events: Sequence[str]) -> str:
    event = c.of(events)
    atom = c.of((event, f"sum({event}.amount)", f"days({event})", f"count({event})"))
    return c.of(("", "", "2 * ", "0.5 * ", "0.1 * ")) + atom


def where_text(c: Choices, depth: int = 0) -> str:
    """Tests on the two properties of every source."""
    how = c.weighted(test=70, joined=18, turned=12) if depth < 2 else "test"
    if how == "turned":
        return f"not ({where_text(c, depth + 1)})"
    if how == "joined":
        word = c.of((" and ", " or "))
        return word.join(f"({where_text(c, depth + 1)})" for _ in range(2))
    return c.of((
        "amount > 1", "amount <= 0.3", "amount = 0.1", "amount != 1", "amount >= -1", "amount < 0",
        "amount between 0.1 and 2.5", "amount in (1, 0.30)", "amount not in (0, 2.5)",
        "amount is missing", "amount is not missing",
        "kind = a", "kind != b", "kind in (a, 'b-c')", "kind not in (a, '007')", "kind = '007'", "kind = '7'",
        "kind = b-c", "kind = Été", "kind contains 'a_c'", "kind not contains a", "kind starts with a",
        "kind ends with c", "kind not starts with a", "kind contains '%'", "kind is missing", "kind is not missing",
    ))  # fmt: skip
