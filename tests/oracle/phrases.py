"""Random conditions, measures and tests of rows, always within the rules of the language."""

from __future__ import annotations

from .choices import Choices
from .vocabulary import Vocabulary

COMPARISONS = (">=", ">", "=", ">=", "<", "<=", "!=", ">=")
NUMBERS = ("0.3", "1", "0", "2.5", "10", "0.15", "12.49")
BETWEEN_MEASURES = ("<", ">", "!=")
"""A comparison with a number of earlier blocks that holds for 0 and 0 is refused: it marks those who never came."""


def condition_yaml(
    c: Choices, key: str, words: Vocabulary, block: int | None = None, *, finest: bool = False
) -> list[str]:
    """A condition on one line, or as a list."""
    if not c.maybe(18):
        return [f"{key}: {condition_text(c, words, block, finest=finest)}"]
    how = c.of(("all", "any", "none", "of"))
    parts = [condition_text(c, words, block, 1, finest=finest) for _ in range(c.between(1, 3))]
    least = [f"  at_least: {c.between(1, len(parts))}"] if how == "of" else []
    return [f"{key}:", *least, f"  {how}:", *(f"    - {part}" for part in parts)]


def condition_text(
    c: Choices, words: Vocabulary, block: int | None = None, depth: int = 0, *, finest: bool = False
) -> str:
    """A condition judged on blocks of `block` days (None: no spread is possible; `finest`: only of days)."""
    return _condition(c, words, block, depth, finest)[0]


def _condition(c: Choices, words: Vocabulary, block: int | None, depth: int, finest: bool = False) -> tuple[str, bool]:
    """The text, and whether it stands beside `and`, `or` and `not` without parentheses."""
    sizes = [s for s in (7, 1) if block is not None and s < block and block % s == 0 and (s == 1 or not finest)]
    spread = 0 if not sizes else 70 if block in (14, 21, 28) else 30
    back = 30 if words.looks_back else 0
    how = c.weighted(compare=55, joined=20, turned=7, least=6, spread=spread, back=back) if depth < 3 else "compare"
    if how == "compare":
        return compare_text(c, words), True
    if how == "back":
        return _back(c, words, depth), True
    if how == "spread":
        assert block is not None
        return _spread(c, words.looking_back(None), block, c.of(sizes), depth), False
    if how == "turned":
        return f"not {_enclosed(_condition(c, words, block, depth + 1, finest))}", True
    parts = [_condition(c, words, block, depth + 1, finest) for _ in range(c.between(2, 3))]
    if how == "least":
        return f"at least {c.between(1, len(parts))} of ({', '.join(text for text, _ in parts)})", True
    return c.of((" and ", " or ")).join(map(_enclosed, parts)), False


def _enclosed(part: tuple[str, bool]) -> str:
    text, alone = part
    return text if alone else f"({text})"


def _spread(c: Choices, words: Vocabulary, block: int, size: int, depth: int) -> str:
    if size == 7 and c.maybe(90):
        inner: tuple[str, bool] = _spread(c, words, 7, 1, depth + 1), False
    else:
        inner = _condition(c, words, size, depth + 1)
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


# Looking back --------------------------------------------------------------------------------------------------------


def ago_text(c: Choices, words: Vocabulary) -> str:
    first = c.of((1, 1, 2, 3))
    period = words.looks_back if c.maybe(70) else "period"
    if c.maybe(50):
        return f"{first}-{first + c.between(0, 3)} {period}s ago"
    return f"{first} {period}{'s' * (first > 1)} ago"


def _back(c: Choices, words: Vocabulary, depth: int) -> str:
    event, ago = c.of(words.names), ago_text(c, words)
    how = c.weighted(event=30, none=15, number=25, trend=15, all=15)
    if how == "event":
        return f"{event} {ago}"
    if how == "none":
        return f"no {event} {ago}"
    if how == "trend":
        factor = c.of(("", "0.5 * ", "2 * "))
        return f"{event} {c.of(BETWEEN_MEASURES)} {factor}{event} {ago}"
    if how == "all":
        simple = Vocabulary(words.words, days_since=False, sessions=words.sessions)
        parts = [_present(c, simple) for _ in range(c.between(1, 2))]
        return f"({' and '.join(parts)}) {ago}"
    return f"{_number(c, words)} {ago} {c.of(COMPARISONS)} {c.of(('1', '2', '0.3', '3'))}"


def _present(c: Choices, words: Vocabulary) -> str:
    event = c.of(words.names)
    return c.of((event, f"no {event}", f"{_number(c, words)} >= {c.of(('1', '2', '0.3'))}"))


def _number(c: Choices, words: Vocabulary) -> str:
    """A number of a block that can be looked back at."""
    event = c.of(words.names)
    sessioned = words.sessioned
    return c.of((
        event, f"sum({event}.amount)", f"days({event})", f"distinct({event}.item)", f"max({event}.amount)",
        f"mean({event}.amount)", f"min({event}.amount)", f"sessions({c.of(sessioned)})" if sessioned else event,
    ))  # fmt: skip


# Comparisons ---------------------------------------------------------------------------------------------------------


def compare_text(c: Choices, words: Vocabulary) -> str:
    event = c.of(words.names)
    answers = {"answer": 6} if words.answers else {}
    attributes = {"attribute": 6} if words.attributes else {}
    since = {"since": 5} if words.days_since else {}
    how = c.weighted(
        event=18, count=22, none=8, between=6, sum=9, empty=14, days=5, measure=7, measures=7, distinct=7,
        sessions=6 if words.sessioned else 0, **since, **answers, **attributes,
    )  # fmt: skip
    if how == "event":
        return event
    if how == "none":
        return f"no {event}"
    if how == "between":
        low = c.below(3)
        return f"({event} between {low} and {low + c.below(4)})"
    operator, number = c.of(COMPARISONS), c.of(("1", "2", "0", "3", "5"))
    match how:
        case "sum":
            return f"sum({event}.amount) {operator} {c.of(NUMBERS)}"
        case "empty":
            plus = f" + {c.of(words.names)}" if c.maybe(15) else ""
            function = c.of(("mean", "min", "max", "first", "last"))
            return f"{function}({event}.amount){plus} {operator} {c.of(NUMBERS)}"
        case "days":
            return f"days({event}) {operator} {number}"
        case "distinct":
            return f"{distinct_text(c, event)} {operator} {number}"
        case "sessions":
            return f"sessions({c.of(words.sessioned)}) {operator} {number}"
        case "since":
            return f"days_since({event}) {operator} {c.of(('1', '0', '3', '7'))}"
        case "answer":
            return f"answer({c.of(words.answers)}) {operator} {c.of(('3', '9', '4', '2.5', '0'))}"
        case "attribute":
            return f"(people.{attribute_text(c)} {c.of(('and', 'or'))} {event})"
        case "measure":
            return f"{measure_back_text(c, words)} {operator} {number}"
        case "measures":
            return f"{measure_text(c, words)} {operator} {measure_text(c, words.looking_back(None))}"
    return f"{event} {operator} {number}"


def distinct_text(c: Choices, event: str) -> str:
    return f"distinct({event}.{c.of(('item', 'kind', 'amount', 'device'))})"


def attribute_text(c: Choices) -> str:
    return c.of((
        "plan = free", "plan != free", "plan in (free, team)", "age >= 18", "age < 40", "plan is missing",
        "plan is not missing", "age is missing", "staff is true", "staff is not true", "joined after 2026-01-15",
        "joined before 2026-02-01", "plan starts with t",
    ))  # fmt: skip


def measure_text(c: Choices, words: Vocabulary) -> str:
    """A sum of numbers that are 0 over nothing, each with a factor; now and then a constant."""
    terms = [_term(c, words) for _ in range(c.of((1, 1, 2, 3)))]
    text = terms[0]
    for term in terms[1:]:
        text += f" {c.of('+-')} {term}"
    return text + c.of(("", "", "", "", " + 1", " - 0.5"))


def _term(c: Choices, words: Vocabulary) -> str:
    event = c.of(words.names)
    sessions = f"sessions({c.of(words.sessioned)})" if words.sessioned else f"count({event})"
    atom = c.of((
        event, f"sum({event}.amount)", f"days({event})", f"count({event})", sessions, distinct_text(c, event), event,
    ))  # fmt: skip
    return c.of(("", "", "2 * ", "0.5 * ", "0.1 * ")) + atom


def measure_back_text(c: Choices, words: Vocabulary) -> str:
    """A measure of which a part may lie in earlier blocks."""
    text = measure_text(c, words)
    if not words.looks_back or not c.maybe(40):
        return text
    event = c.of(words.names)
    earlier = c.of((event, f"sum({event}.amount)", f"days({event})"))
    return f"{earlier} {ago_text(c, words)}{c.of(('', f' + {text}', f' - {text}'))}"


def growing_text(c: Choices, words: Vocabulary, depth: int = 0) -> str:
    """A condition that stays true once it is."""
    how = c.weighted(event=35, count=35, sum=20, joined=20, least=8) if depth < 2 else c.of(("event", "count", "sum"))
    event = c.of(words.names)
    number = c.of(("1", "2", "3", "5"))
    if how == "event":
        return event
    if how == "count":
        counted = (event, f"days({event})", f"distinct({event}.item)", f"{event} + 2 * {c.of(words.names)}")
        sessions = (f"sessions({c.of(words.sessioned)})",) if words.sessioned else ()
        return f"{c.of((*counted, *sessions))} {c.of(('>=', '>'))} {number}"
    if how == "sum":
        return f"{c.of(('sum', 'max'))}({event}.amount) {c.of(('>=', '>'))} {c.of(('0.3', '1', '2.5', '10'))}"
    parts = [growing_text(c, words, depth + 1) for _ in range(c.between(2, 3))]
    if how == "least":
        return f"at least {c.between(1, len(parts))} of ({', '.join(parts)})"
    return c.of((" and ", " or ")).join(f"({p})" if " or " in p or " and " in p else p for p in parts)


def where_text(c: Choices, depth: int = 0) -> str:
    """Tests on the properties of every source."""
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
        "item = i1", "item != i2", "kind matches '^a.c$'", "kind not matches '[0-9]'",
    ))  # fmt: skip
