"""Different spellings of one thing are one thing; different things are different."""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

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
from abtest.language.measures import FUNCTIONS, parse_measure
from abtest.language.model import Clock, FoldName, Ladder, Project
from abtest.language.partition import levels, on_level
from abtest.language.read_kinds import KINDS
from abtest.language.read_metrics import _KEYS, _OF_KINDS
from abtest.language.where import parse_where
from abtest.language.where_text import where_text

from .definitions import EVENTS, hash_of, metric
from .projects import read
from .whole_language import WHOLE


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
        (
            "a 1 week ago",
            "a 1 weeks ago",
            "a 1-1 week ago",
            "a 1 period ago",
            "count(a) 1 week ago >= 1",
            "(a) 1 week ago",
        ),
        ("a 2-8 days ago", "a 2 - 8 days ago", "a  2-8  day  ago", "(a) 2-8 days ago"),
        ("(a >= 2 and b) 1 week ago", "a 1 week ago >= 2 and b 1 week ago"),
        ("no a 1 week ago", "a 1 week ago = 0"),
        ("distinct(p.x) >= 3", "distinct( p . x ) >= 3.0"),
        ("people.plan = free", "people . plan = 'free'", "(people.plan == free)"),
        ("days(a) >= 2 on every week", "days(a) >= 2 in every week"),
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
        ("a", "a 1 week ago"),
        ("a 1 week ago", "a 2 weeks ago"),
        ("a 1 week ago", "a 1-2 weeks ago"),
        ("(a and b) 1 week ago", "a 1 week ago and b"),
        ("sum(p.x) >= 3", "distinct(p.x) >= 3"),
        ("first(p.x) >= 3", "last(p.x) >= 3"),
        ("days(a) >= 3", "sessions(a) >= 3"),
        ("days(a) >= 3", "days_since(a) >= 3"),
        ("answer(nps) >= 9", "answer(csat) >= 9"),
        ("people.plan = free", "people.plan != free"),
        ("people.plan = free", "shop.plan = free"),
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


# The whole language -------------------------------------------------------------------------------------------------


def project(metrics: str, more: dict[str, str] | None = None) -> Project:
    """The project of `whole_language.py` with these metrics (and files) beside its own."""
    with tempfile.TemporaryDirectory() as folder:
        found, problems = read(Path(folder), {**WHOLE, **(more or {}), "metrics/more.yml": f"metrics:\n{metrics}"})
    assert [str(p) for p in problems.errors] == []
    return found


def hashes(*definitions: str, more: dict[str, str] | None = None) -> list[str]:
    """The hash of each definition, all of them in one project."""
    indented = ("".join(f"    {line}\n" for line in d.splitlines()) for d in definitions)
    found = project("".join(f"  case_{i}:\n{text}" for i, text in enumerate(indented)), more)
    return [metric_hash(found.metrics[f"case_{i}"], found.events) for i in range(len(definitions))]


SAME: dict[str, tuple[str, ...]] = {
    "looking back one block": tuple(
        f"did: app_open and {back}\nper: week\nover: first 28 days"
        for back in ("app_open 1 week ago", "app_open 1 period ago", "app_open 1-1 weeks ago", "(app_open) 1 week ago")
    ),
    "the order of clauses, with ago": (
        "did: like and no app_open 1-7 days ago\nper: day\nover: first 28 days",
        "did: app_open 1-7 days ago = 0 and like >= 1\nper: day\nover: first 28 days",
        "did:\n  all:\n    - no app_open 1-7 days ago\n    - like\nper: day\nover: first 4 weeks",
    ),
    "at least of a list": (
        "did: at least 2 of (like, crash, purchase)\nover: first 28 days",
        "did: {at_least: 2, of: [crash, purchase, like >= 1]}\nover: first 28 days",
    ),
    "none of a list": (
        "did: {none: [like, crash]}\nover: first 28 days",
        "did: not (crash or like)\nover: first 28 days",
    ),
    "hours": ("did: like\nover: first 6 hours", "did: like\nover: first 6 h\nclock: elapsed"),
    "hours of days": (
        "did: like\nper: hour\nclock: elapsed\nover: first 2 days",
        "did: like\nper: hour\nover: first 48 hours\nclock: elapsed",
    ),
    "rolling": (
        "did: like\nper: rolling 7 days\nover: first 28 days",
        "did: like\nper: rolling 1 week\nover: first 4 weeks\nvalue: share\nclock: date",
    ),
    "retention": ("retention: like\ndays: 7-13", "did: like\nover: days 7-13"),
    "churn": ("churn: app_open\nsilent: 14 days\nover: first 28 days", "did: no app_open\nover: days 14-27"),
    "a rung written out": (
        "group: ladder\nat_least: regular\nover: first 28 days",
        "did: (photo_post >= 5 and like >= 20) or (photo_post >= 2 and like >= 5)\nper: week\nover: first 28 days",
    ),
    "exactly a rung written out": (
        "group: ladder\nis: regular\nover: first 28 days",
        "did: ((photo_post >= 5 and like >= 20) or (photo_post >= 2 and like >= 5)) and not (photo_post >= 5 and like >= 20)\n"
        "per: week\nover: first 28 days",
    ),
    "the bottom of a ladder": (
        "group: ladder\nis: dormant\nover: first 28 days",
        "did: not (app_open or (photo_post >= 2 and like >= 5) or (photo_post >= 5 and like >= 20))\nper: week\nover: first 28 days",
    ),
    "a climbed rung": (
        "group: level\nat_least: regular\nover: first 28 days",
        "did: app_open and photo_post >= 2 and like >= 5\nper: week\nover: first 28 days",
    ),
    "a cell without answers": (
        "group: plain\nis: F_",
        "group: plain\nis: buyer",
        "did: purchase and not (like >= 9)\nover: first 28 days",
    ),
    "the timing of a group": (
        "group: recent\nis: active",
        "did: like\nover: first 28 days\nstarting_at: app_open\nwithin: 7 days",
    ),
    "the timing of a group in hours": (
        "group: ladder\nat_least: explorer\nover: first 336 hours",
        "did: app_open or (photo_post >= 2 and like >= 5) or (photo_post >= 5 and like >= 20)\nper: week\nover: first 336 hours",
    ),
    "hours of the window of a group": (
        "group: plain\nis: FA\nper: hour\nclock: elapsed",
        "did: purchase and like >= 9\nper: hour\nover: first 28 days\nclock: elapsed",
    ),
    "a funnel": (
        "funnel: photo_post, like\nwithin: 1 day\nover: first 14 days",
        "funnel: {steps: [photo_post, like], within: 24 hours}\nover: first 14 days",
        "funnel: {steps: [{posted: photo_post}, {liked: like}], within: 24 h, from: first step}\nover: first 2 weeks",
    ),
    "a ratio": (
        "ratio: like / app_open\nover: first 14 days",
        "ratio: {of: count(like), to: app_open}\nover: first 14 days",
    ),
    "a cap": ("amount: like\nover: first 14 days\ncap: 99%", "amount: like\nover: first 14 days\ncap: 99.0 %"),
    "among": (
        "did: like\nover: first 14 days\namong: plan = free and people.age > 3",
        "did: like\nover: first 14 days\namong: age > 3.0 and people.plan = 'free'",
    ),
    "among what was done before": (
        "did: like\nover: first 14 days\namong: (photo_post >= 1 and like) before 28 days",
        "did: like\nover: first 14 days\namong: (like and photo_post) before 4 weeks",
    ),
    "what is only said": (
        "did: like\nover: first 14 days",
        "did: like\nover: first 14 days\nstatus: draft\nowner: me\ndimension: reach\nphase: growth\nuse: one_day",
    ),
    "an entry of the catalogue": ("uses: abtest/retention_d7", "retention: app_open\nday: 7"),
    "an entry of the catalogue, changed": ("uses: abtest/retention_d7\nday: 14", "did: app_open\nover: day 14"),
}
LADDERS = {
    "ladders.yml": """\
groups:
  ladder:
    per: week
    ladder: {super: photo_post >= 5 and like >= 20, regular: photo_post >= 2 and like >= 5, explorer: app_open}
    otherwise: dormant
  plain: {over: first 28 days, cross: {F: purchase, A: like >= 9}, names: {F_: buyer}}
"""
}


@pytest.mark.parametrize("name", SAME)
def test_two_spellings_have_one_hash(name: str) -> None:
    assert len(set(hashes(*SAME[name], more=LADDERS))) == 1


TWO_WEEKS = "over: first 14 days"
FOUR_WEEKS = "per: week\nover: first 28 days"


def test_whatever_changes_the_number_changes_the_hash() -> None:
    """Every definition differs from the one before it in a single thing; all have hashes of their own."""
    definitions = [
        *(f"did: like and app_open {ago}\n{FOUR_WEEKS}" for ago in ("", "1 week ago", "2 weeks ago", "1-2 weeks ago")),
        f"did: (like and app_open) 1 week ago\n{FOUR_WEEKS}",
        f"did: like and no app_open 1 week ago\n{FOUR_WEEKS}",
        *(f"did: like\n{clock}{FOUR_WEEKS}" for clock in ("", "clock: elapsed\n", "clock: calendar\n")),
        *(f"did: like\nper: {per}\nover: first 28 days" for per in ("day", "14 days", "session")),
        *(f"did: like\nper: rolling {n} days\nover: first 28 days" for n in (7, 14)),
        "did: like\nper: month\nclock: calendar\nover: first 62 days",
        "did: like\nper: week\nclock: calendar\nover: first 62 days",
        "did: like\nper: hour\nclock: elapsed\nover: first 2 days",
        "did: like\nper: day\nclock: elapsed\nover: first 2 days",
        *(
            f"did: like\nover: {w}"
            for w in ("first 14 days", "last 14 days", "before 14 days", "day 13", "first 14 hours")
        ),
        *(f"did: like\nover: {w}" for w in ("first 14 min", "whole", "lifetime", "from day 14", "days 1-14")),
        f"did: like\nstarting_at: app_open\nwithin: 7 days\n{TWO_WEEKS}",
        f"did: like\nstarting_at: app_open\nwithin: 14 days\n{TWO_WEEKS}",
        f"did: like\nstarting_at: photo_post\nwithin: 7 days\n{TWO_WEEKS}",
        *(
            f"did: like\n{TWO_WEEKS}\namong: {a}"
            for a in ("plan = free", "plan = pro", "people.age > 3", "shop.paid > 3")
        ),
        *(
            f"did: like\n{TWO_WEEKS}\namong: ({c}) before {d} days"
            for c, d in (("like", 28), ("like", 14), ("crash", 28))
        ),
        *(f"did: like\n{TWO_WEEKS}\nunit: {u}" for u in ("device", "session")),
        *(
            f"did: like and people.{t}\n{TWO_WEEKS}"
            for t in ("plan = free", "plan != free", "age > 3", "age is missing")
        ),
        *(
            f"did: {f}(article_read.size) >= 2\n{TWO_WEEKS}"
            for f in ("mean", "min", "max", "first", "last", "sum", "distinct")
        ),
        *(f"did: {f}(like) >= 2\n{TWO_WEEKS}" for f in ("days", "sessions", "days_since", "count")),
        *(f"did: {e}\n{TWO_WEEKS}" for e in ("first_photo", "photo_post", "like_received")),
        *(f"amount: like\n{TWO_WEEKS}\ncap: {c}" for c in ("99", "99%", "99% of nonzero", "95%")),
        *(f"amount: mean(purchase.size)\n{TWO_WEEKS}\nmissing: {m}" for m in ("zero", "drop", "1")),
        *(f"amount: {f}(purchase.size)\n{TWO_WEEKS}\nmissing: drop" for f in ("min", "max", "first", "last")),
        *(f"quantile: {{of: sum(purchase.size), at: {p}, across: units}}\n{TWO_WEEKS}" for p in ("50%", "95%")),
        f"quantile: {{of: purchase.size, at: 95%, across: events}}\n{TWO_WEEKS}",
        *(
            f"funnel: {{steps: [{s}], {w}}}\n{TWO_WEEKS}"
            for s, w in (
                ("like, purchase", "within: 1 day"),
                ("like, purchase", "within: 2 days"),
                ("purchase, like", "within: 1 day"),
                ("like, purchase, crash", "within: 1 day"),
                ("like, purchase", "within: 1 day, from: exposure"),
                ("like, purchase", "within: 1 day, same: article"),
                ("like, purchase", "within: 1 day, different: article"),
                ("like, purchase", "same: device"),
            )
        ),
        f"time_to: like\n{TWO_WEEKS}",
        "time_to: like\nover: first 7 days",
        f"time_to: like >= 2\n{TWO_WEEKS}",
        *(f"survey: {s}\n{TWO_WEEKS}" for s in ("nps", "csat", "pmf", "trust")),
        *(f"did: answer({s}) >= 9\n{TWO_WEEKS}" for s in ("nps", "csat")),
        *(
            f"group: {g}\n{FOUR_WEEKS}"
            for g in ("level\nas: rank", "level\nis: regular", "level\nat_least: super_engaged")
        ),
        *(f"group: ladder\n{u}\n{FOUR_WEEKS}" for u in ("as: rank", "is: regular", "at_least: super", "is: dormant")),
        *(f"group: fan\nis: {c}" for c in ("FAN", "F_N", "FA_", "___")),
        *(f"group: plain\nis: {c}" for c in ("FA", "F_", "_A", "__")),
    ]
    found = hashes(*definitions, more=LADDERS)
    twice = [d for d, h in zip(definitions, found, strict=True) if found.count(h) > 1]
    assert twice == []


EVENT_CHANGES = {
    "nth": ("{event: a, nth: 1, source: app}", "{event: a, nth: 2, source: app}", "{event: a, source: app}"),
    "count_once": tuple(
        f"{{event: a, count_once: {o}, source: app}}"
        for o in ("article", "page_type", *(f"article per {p}" for p in ("hour", "day", "week", "month", "session")))
    ),
    "unit": (
        "{event: a, source: app}",
        "{event: a, unit: {user: owner}, source: app}",
        "{event: a, unit: {user: to}, source: app}",
    ),
    "before_exposure": ("{event: a, source: app}", "{event: a, before_exposure: ok, source: app}"),
    "matches": tuple(
        f"{{event: a, source: app, where: page_type {m} 'b+'}}" for m in ("matches", "not matches", "contains")
    ),
}


@pytest.mark.parametrize("name", EVENT_CHANGES)
def test_the_hash_sees_every_key_of_an_event(name: str) -> None:
    found = {
        hashes(f"did: x\n{TWO_WEEKS}", more={"x.yml": f"events:\n  x: {event}\n"})[0] for event in EVENT_CHANGES[name]
    }
    assert len(found) == len(EVENT_CHANGES[name])


SURVEY_CHANGES = (
    "{source: form, answer: score, scale: 0-10, score: nps}",
    "{source: form, answer: score, scale: 1-10, score: nps}",
    "{source: form, answer: q1, scale: 0-10, score: nps}",
    "{source: form, answer: score, scale: 0-10, score: mean}",
    "{source: form, answer: score, scale: 0-10, score: top 2}",
    "{source: form, answer: score, scale: 0-10, score: top 3}",
    "{source: form, answer: score, scale: 0-10, score: nps, take: first}",
    "{source: form, items: [q1, q2, q3], scale: 1-7, score: mean}",
    "{source: form, items: [q1, q2, q3], scale: 1-7, score: mean, need: 3}",
    "{source: form, items: [q1, q2, q3], scale: 1-7, score: mean, reversed: [q2]}",
)


def test_the_hash_sees_every_key_of_a_survey() -> None:
    found = [
        hashes(f"survey: x\n{TWO_WEEKS}", more={"x.yml": f"surveys:\n  x: {survey}\n"})[0] for survey in SURVEY_CHANGES
    ]
    assert len(set(found)) == len(SURVEY_CHANGES)


def test_the_whole_language_is_read_without_an_error(tmp_path: Path) -> None:
    found, problems = read(tmp_path, WHOLE)
    assert [str(p) for p in problems.errors] == []
    # `from_day` is an open window.
    assert [p.code for p in problems.warnings] == ["W306", "W309"]
    assert {m.kind for m in found.metrics.values()} == set(KINDS)
    digests = [metric_hash(m, found.events) for m in found.metrics.values()]
    assert len(set(digests)) == len(digests)


def test_the_whole_language_is_whole() -> None:
    """Every key and every word that can be written stands in `whole_language.py`."""
    text = "".join(WHOLE.values())
    written = set(re.findall(r"[a-z_]+", text))
    assert {*_KEYS, *_OF_KINDS} - written == set()
    assert {*FUNCTIONS} - written == set()
    assert {*get_args(FoldName), *get_args(Clock), *KINDS} - written == set()


def test_parts_of_a_group_hold_for_everybody_once() -> None:
    """The levels of a ladder exclude each other, and one of them holds for everybody."""
    found = project("  unused: {did: like, over: first 7 days}\n", LADDERS)
    for group in (found.groups["ladder"], found.groups["level"]):
        assert isinstance(group.form, Ladder)
        conditions = [on_level(group.form, i) for i in range(len(levels(group.form)))]
        leaves = [normal(c) for _, c in group.form.rungs]
        for truths in itertools.product((True, False), repeat=len(leaves)):
            facts = {repr(leaf): truth for leaf, truth in zip(leaves, truths, strict=True)}
            assert sum(_meant(c, facts) for c in conditions) == 1


def _meant(condition: Condition, facts: dict[str, bool]) -> bool:
    """The truth of a condition made of rungs, whose own truths are given."""
    own = facts.get(repr(normal(condition)))
    if own is not None:
        return own
    match condition:
        case Not(part):
            return not _meant(part, facts)
        case All(parts):
            return all(_meant(p, facts) for p in parts)
        case AnyOf(parts):
            return any(_meant(p, facts) for p in parts)
    raise AssertionError(condition)
