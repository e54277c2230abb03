"""Different spellings of one thing are one thing; different things are different."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language.canonical import metric_hash, normal, normal_where
from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Compare,
    Condition,
    Not,
    RowAll,
    RowAny,
    RowNot,
    RowTest,
    TestOperator,
    Value,
    Where,
)
from abtest.language.expressions import parse_condition
from abtest.language.measures import parse_measure
from abtest.language.where import parse_where
from abtest.language.where_text import where_text

from .definitions import EVENTS, hash_of, metric


@pytest.mark.parametrize(
    "spellings",
    [
        ("like", "like >= 1", "count(like)>=1", "(like)", " like\n", "((like >= 1))"),
        ("like = 5", "like == 5", "count(like) = 5.0"),
        ("like != 5", "like <> 5"),
        ("no like", "like = 0", "count(like) == 0"),
        ("like >= 5 on 2 days", "like >= 5 on >= 2 days", "like>=5 on at least 2 days", "(like >= 5) in 2 days"),
        ("like in 2 weeks", "like on >= 2 week"),
        ("like in every week", "like on every weeks"),
        ("like between 2 and 5", "like >= 2 and like <= 5"),
        ("sum(purchase.seconds) >= 30 min", "sum(purchase.seconds) >= 1800 s", "sum(purchase.seconds)>=0.5 hours"),
        ("a and b and c", "a\n  and b   and c", "(a) and (b) and (c)"),
        ("at least 2 of (a, b, c)", "at least 2 of ( a , (b) , c >= 1 )"),
        ("not a", "not (a)", "not (a >= 1)"),
    ],
)
def test_spellings_of_one_condition(spellings: tuple[str, ...]) -> None:
    assert len({parse_condition(s) for s in spellings}) == 1


def test_spellings_of_one_measure() -> None:
    assert parse_measure("like + 2*share - crash") == parse_measure("count(like)+2.0 * count(share)-crash")
    assert parse_measure("-like + share") != parse_measure("like - share")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("like", "share"),
        ("like >= 1", "like >= 2"),
        ("like >= 2", "like > 2"),
        ("a and b", "a or b"),
        ("like on 2 days", "like on 3 days"),
        ("like on 2 days", "like on 2 weeks"),
        ("like on 2 days", "like on = 2 days"),
        ("like on every day", "like"),
        ("(a and b) on 2 days", "(a on 2 days) and (b on 2 days)"),
        ("not a", "a"),
        ("sum(p.x) >= 1", "mean(p.x) >= 1"),
        ("sum(p.x) >= 1", "sum(p.y) >= 1"),
        ("like + share >= 2", "like - share >= 2"),
    ],
)
def test_different_conditions_differ(one: str, other: str) -> None:
    assert normal(parse_condition(one)) != normal(parse_condition(other))


ROOT = Path(__file__).parents[2]
BASE = "did: like >= 5 and photo_post >= 2\nper: week\nover: first 28 days\n"


@pytest.mark.parametrize(
    "same",
    [
        "over: first 28 days\nper: week\ndid: like >= 5 and photo_post >= 2\n",
        "did: photo_post >= 2 and like >= 5\nper: week\nover: first 28 days\n",
        "did: {all: [like >= 5, photo_post >= 2]}\nper: week\nover: first 28 days\n",
        "did:\n  all:\n    - photo_post >= 2\n    - like >= 5\nper: 7 days\nover: first 4 weeks\nvalue: share\n",
        "did: {at_least: 2, of: [like >= 5, photo_post >= 2]}\nper: 1 week\nover: days 0-27\n",
        "did: (like >= 5 and photo_post >= 2) and like >= 5\nper: week\nover: first 28 days\n",
        "did: 5 <= like and 2 <= photo_post\nper: week\nover: first 28 days\n",
        "did: not (not (like >= 5 and photo_post >= 2))\nper: week\nover: first 28 days\n",
        "did: |\n  like >= 5\n  and photo_post >= 2\nper: week\nover: first 28 days\n",
        BASE + "title: Engaged\ndescription: Words.\nowner: me\ntags: [a]\nversion: 7\nbetter: lower\nmargin: 2%\n",
        BASE + "examples: [{when: {day 0: like x5}, expect: 0}]\n",
    ],
)
def test_what_the_hash_does_not_see(same: str) -> None:
    assert hash_of(same, "other_name") == hash_of(BASE)


@pytest.mark.parametrize(
    "changed",
    [
        BASE.replace("5", "4"),
        BASE.replace(">= 2", "> 2"),
        BASE.replace("photo_post", "share"),
        BASE.replace(" and ", " or "),
        BASE.replace("28", "35"),
        BASE.replace("first 28 days", "days 7-34"),
        BASE.replace("week", "14 days"),
        BASE + "value: always",
        BASE + "value: ever",
        BASE + "value: count",
        BASE + "value: count >= 3",
        BASE + "value: count >= 2",
        BASE + "value: share >= 75%",
        BASE + "immature: keep",
        "did: like >= 5 and photo_post >= 2\nover: first 28 days",
        "did: (like >= 5 and photo_post >= 2) on 2 days\nper: week\nover: first 28 days",
        "did: (like >= 5 and photo_post >= 2) on 3 days\nper: week\nover: first 28 days",
    ],
)
def test_what_the_hash_sees(changed: str) -> None:
    assert hash_of(changed) != hash_of(BASE)


def test_every_change_has_a_hash_of_its_own() -> None:
    texts = [
        *(
            f"amount: {m}\nover: first 14 days"
            for m in ("like", "2 * like", "like + share", "like - share", "days(like)")
        ),
        *(f"amount: {f}(purchase.{p})\nover: first 14 days" for f in ("sum",) for p in ("revenue", "size")),
        *(f"amount: like\nover: first 14 days\ncap: {c}" for c in (5, 6)),
        *(f"amount: like\nper: week\nover: first 14 days\nvalue: {f}" for f in ("mean", "sum", "min", "max", "last")),
        *(
            f"ratio: {{of: {a}, to: {b}}}\nover: first 14 days"
            for a, b in (("like", "share"), ("share", "like"), ("like >= 1", "share"))
        ),
        *(f"column: shop.{c}" for c in ("paid", "kept")),
        "ratio: {of: shop.paid, to: shop.kept}",
        *(f"retention: like\n{d}" for d in ("day: 7", "days: 7-13", "from_day: 7")),
    ]
    assert len({hash_of(t) for t in texts}) == len(texts)


def test_sugar_has_the_hash_of_what_it_stands_for() -> None:
    assert hash_of("retention: app_open\ndays: 7-13") == hash_of("did: app_open\nover: days 7-13")
    assert hash_of("amount: like + 2 * share\nover: day 3") == hash_of("amount: 2 * share + like\nover: days 3-3")
    assert hash_of("did: sum(purchase.revenue) >= 20\nover: day 3") == hash_of(
        "did: sum(purchase.revenue) >= 20 EUR\nover: day 3"
    )
    assert hash_of("did: no like or share\nover: day 3") == hash_of("did: share or like = 0\nover: day 3")


def test_the_hash_sees_into_events() -> None:
    text = "did: purchase\nover: first 7 days"
    base = hash_of(text)
    event = EVENTS["purchase"]

    def changed(**what: object) -> str:
        return hash_of(text, events={**EVENTS, "purchase": replace(event, **what)})  # type: ignore[arg-type]

    def where(text: str) -> str:
        return changed(where=parse_where(text))

    assert changed(names=("order_v2", "order", "order")) == base
    assert changed(names=("order",)) != base
    assert changed(names=("order", "order_v3")) != base
    assert changed(names=()) != base
    assert changed(where=None) != base
    assert where("country in ('New York', ES) and revenue > 0.0") == base
    assert where("country in (ES, PT) and revenue > 0") != base
    assert where("country in (ES, 'New York') and revenue > 1") != base
    assert where("country in (ES, 'New York') and revenue >= 0") != base
    assert where("country not in (ES, 'New York') and revenue > 0") != base
    assert where("country in (ES, 'New York') or revenue > 0") != base
    assert where("country = ES") != where("country = MX")
    assert where("country = '1'") != where("country = 1")
    assert where("day before 2026-01-01") != where("day before 2026-01-02")
    assert where("country contains a") != where("country not contains a")
    assert where("seconds >= 1 min") == where("seconds >= 60 s")


GOLDEN = {
    BASE: "89f19aa7f314f887",
    "amount: sum(purchase.revenue)\nover: first 14 days\ncap: 500\n": "2c587310b4c3257a",
    "ratio: {of: article_read >= 4 on 2 days, to: app_open}\nper: week\nover: days 7-34\n": "7d38dbc451c26872",
}


@pytest.mark.parametrize(("text", "expected"), GOLDEN.items())
def test_hashes_stay_what_they_were(text: str, expected: str) -> None:
    """A change here makes every stored result look like one of another definition: only on purpose."""
    assert hash_of(text) == expected


def test_hashes_are_the_same_in_every_process() -> None:
    program = (
        "from tests.language.definitions import hash_of; from tests.language.test_laws import GOLDEN\n"
        "print(*[hash_of(t) for t in GOLDEN], sep=',')"
    )
    for seed in ("0", "1", "77"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
        )
        assert run.stdout.strip() == ",".join(GOLDEN.values())


def _conditions() -> st.SearchStrategy[Condition]:
    leaf = st.sampled_from(
        [parse_condition(t) for t in ("like", "share >= 3", "no crash", "days(like) >= 2", "like on 2 days")]
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda p: All(tuple(p))),
            st.lists(inner, min_size=1, max_size=3).map(lambda p: AnyOf(tuple(p))),
            st.lists(inner, min_size=2, max_size=3).map(lambda p: AtLeast(2, tuple(p))),
            inner.map(Not),
        ),
        max_leaves=6,
    )


def holds(condition: Condition, facts: dict[str, bool]) -> bool:
    match condition:
        case All(parts):
            return all(holds(p, facts) for p in parts)
        case AnyOf(parts):
            return any(holds(p, facts) for p in parts)
        case AtLeast(count, parts):
            return sum(holds(p, facts) for p in parts) >= count
        case Not(part):
            return not holds(part, facts)
        case _:
            return facts[repr(normal(condition))]


@given(_conditions(), st.lists(st.booleans(), min_size=5, max_size=5))
def test_the_normal_form_means_the_same_and_is_final(condition: Condition, truths: list[bool]) -> None:
    leaves = [parse_condition(t) for t in ("like", "share >= 3", "no crash", "days(like) >= 2", "like on 2 days")]
    facts = {repr(normal(leaf)): truth for leaf, truth in zip(leaves, truths, strict=True)}
    assert holds(normal(condition), facts) == holds(condition, facts)
    assert normal(normal(condition)) == normal(condition)


_TEXTS = st.text(max_size=6) | st.sampled_from(
    ["ES", "and", "it's", "a-b", "2", "2026-01-31", "New York", "", "$x", "a.b"]
)
_VALUES = st.one_of(
    _TEXTS.map(lambda t: Value("text", t)),
    st.integers(-50, 50).map(lambda n: Value("number", str(n), float(n))),
    st.integers(1, 9).map(lambda n: Value("number", str(n), float(n), "duration")),
    st.sampled_from(["2026-01-31", "2025-12-01"]).map(lambda d: Value("date", d)),
)
_PROPS = st.sampled_from(["country", "page_type", "properties.total", "$x", "odd name", "'a.b'.c"])


@st.composite
def _tests(draw: st.DrawFn) -> Where:
    prop = draw(_PROPS)
    match draw(st.integers(0, 5)):
        case 0:
            return RowTest(prop, draw(st.sampled_from(["<", "<=", ">", ">=", "=", "!="])), (draw(_VALUES),))
        case 1:
            return RowTest(
                prop, draw(st.sampled_from(["in", "not in"])), tuple(draw(st.lists(_VALUES, min_size=1, max_size=4)))
            )
        case 2:
            return RowTest(prop, "between", (draw(_VALUES), draw(_VALUES)))
        case 3:
            operator: TestOperator = draw(st.sampled_from(("contains", "starts with", "ends with")))
            return RowTest(prop, operator, (draw(_VALUES),), draw(st.booleans()))
        case 4:
            return RowTest(prop, draw(st.sampled_from(["before", "after"])), (Value("date", "2026-02-03"),))
        case _:
            return RowTest(prop, draw(st.sampled_from(["missing", "true", "false"])), (), draw(st.booleans()))


_WHERES = st.recursive(
    _tests(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda p: RowAll(tuple(p))),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: RowAny(tuple(p))),
        inner.map(RowNot),
    ),
    max_leaves=5,
)


@given(_WHERES)
def test_the_text_of_a_where_reads_as_the_same_tests(where: Where) -> None:
    again = parse_where(where_text(where))
    assert normal_where(again) == normal_where(where)
    assert where_text(again) == where_text(where)


def test_a_place_or_a_span_never_counts() -> None:
    one, other = metric(BASE), metric("\n\n   # a comment\n" + BASE)
    assert one == other
    assert hash(one) == hash(other)
    assert metric_hash(one, EVENTS) == metric_hash(other, EVENTS)
    assert isinstance(one.condition, All)
    assert isinstance(one.condition.parts[0], Compare)
