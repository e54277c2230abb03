"""The canonical form of a file: what changes, what must not, and that formatting twice is formatting once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language import condition_text
from abtest.language.condition_text import clauses, joined, spaced, words
from abtest.language.format import KEYS, MAX_CLAUSES, format_yaml
from abtest.language.tokens import SyntaxProblem
from abtest.language.write_text import WIDTH, quoted_text
from abtest.language.yaml import Map, parse_yaml
from abtest.problems import Problems

from .test_fuzz import SCRAPS, edited


def formatted(text: str, name: str = "m.yml") -> str:
    problems = Problems()
    result = format_yaml(text, name, problems)
    assert result is not None, [str(p) for p in problems.found]
    assert result.refused == ""
    return result.text


def metric(*lines: str) -> str:
    return "metrics:\n  m:\n" + "".join(f"    {line}\n" if line else "\n" for line in lines)


# Rules ---------------------------------------------------------------------------------------------------------------

RULES = {
    "indentation and spaces": (
        "metrics:\n     m:\n        did:   like   \n        examples:\n        -   {when:  nothing,   expect: 0}\n",
        metric("did: like", "examples:", "  - {when: nothing, expect: 0}"),
    ),
    "operators": (metric("did: like>=5  and photo<2"), metric("did: like >= 5 and photo < 2")),
    "one spelling of = and !=": (metric("did: like==5 or photo<>2"), metric("did: like = 5 or photo != 2")),
    "two clauses stay a text": (metric("did: (a or b) and c"), metric("did: (a or b) and c")),
    "three clauses are a list": (
        metric("did: a and (b or c) and d >= 2"),
        metric("did:", "  all:", "    - a", "    - b or c", "    - d >= 2"),
    ),
    "or": (metric("did: a or b or (c and d and e)"), metric(
        "did:", "  any:", "    - a", "    - b", "    - all:", "        - c", "        - d", "        - e"
    )),
    "the and of between joins nothing": (
        metric("did: a between 2 and 5 and b between 1 and 3"),
        metric("did: a between 2 and 5 and b between 1 and 3"),
    ),
    "lists of two are a text": (metric("did: {all: [a >= 2, b or c]}"), metric("did: a >= 2 and (b or c)")),
    "a spread in a list gets its parentheses": (
        metric("did:", "  any:", "    - a on 2 days", "    - no b"),
        metric("did: (a on 2 days) or no b"),
    ),
    "lists are blocks": (
        metric("retention: {none: [a, b]}", "day: 7"),
        metric("retention:", "  none:", "    - a", "    - b", "day: 7"),
    ),
    "k of n": (
        "metrics: {m: {did: {at_least: 2, of: [a, b, c]}, per: week}}\n",
        metric("did:", "  at_least: 2", "  of:", "    - a", "    - b", "    - c", "per: week"),
    ),
    "a comma is never written inside braces": (
        "metrics:\n  m: {per: week, did: 'at least 2 of (a,b)'}\n",
        metric("did: at least 2 of (a, b)", "per: week"),
    ),
    "nor in the where of an event": (
        "events:\n  e: {event: x, where: 'country in (ES,MX)'}\n",
        "events:\n  e:\n    event: x\n    where: country in (ES, MX)\n",
    ),
    "where in every place": (
        "experiment: x\nexposure: {source: s, where: 'a=1'}\npopulation: {only: 'c in (ES, MX)', exclude: a is  true}\n",
        "experiment: x\nexposure: {source: s, where: a = 1}\npopulation:\n  only: c in (ES, MX)\n  exclude: a is true\n",
    ),
    "rows that a source ignores": (
        "sources:\n  s:\n    ignore: {bots: 'ua contains  bot'}\n    where: not(a=1)\n",
        "sources:\n  s:\n    ignore: {bots: ua contains bot}\n    where: not (a = 1)\n",
    ),
    "rungs and letters": (
        "groups:\n  g:\n    ladder: {top: a>=5 and b and c}\n    otherwise: none\n",
        "groups:\n  g:\n    ladder:\n      top:\n        all:\n          - a >= 5\n          - b\n          - c\n    otherwise: none\n",
    ),
    "quotes only where needed": (
        metric("title: 'Engaged weeks'", 'description: "it\'s: so"', "owner: \"a 'b'\"", "did: 'like >= 2'"),
        metric("title: Engaged weeks", 'description: "it\'s: so"', "did: like >= 2", "owner: a 'b'"),
    ),
    "quotes that keep other readers right": (
        "experiment: x\nvariants:\n  c: {key: 'off', title: \"1.0\"}\n",
        "experiment: x\nvariants:\n  c: {key: 'off', title: '1.0'}\n",
    ),
    "flow that fits stays, longer becomes a block": (
        f"events:\n  a: [{'x' * 40},    {'y' * 40}]\n  b: [{'x' * 50}, {'y' * 50}]\n",
        f"events:\n  a: [{'x' * 40}, {'y' * 40}]\n  b:\n    - {'x' * 50}\n    - {'y' * 50}\n",
    ),
    "flow over several lines": (
        "events:\n  a: [\n    x,\n    y\n  ]\n  b: {event: z,\n      source: app}\n",
        "events:\n  a: [x, y]\n  b: {event: z, source: app}\n",
    ),
    "blocks stay blocks": ("events:\n  a:\n    - x\n", "events:\n  a:\n    - x\n"),
    "keys of a metric": (
        metric("examples: []", "better: higher", "over: first 28 days", "per: week", "did: like", "title: T"),
        metric("title: T", "did: like", "per: week", "over: first 28 days", "better: higher", "examples: []"),
    ),
    "keys in braces": ("metrics: {m: {per: day, did: a}}\n", "metrics: {m: {did: a, per: day}}\n"),
    "unknown keys keep their place": (metric("better: higher", "odd: 1", "did: a"), metric("better: higher", "odd: 1", "did: a")),
    "other keys keep their order": (
        "experiment: x\nunit: user\ntitle: T\nvariants: {b: {key: b}, a: {key: a}}\n",
        "experiment: x\nunit: user\ntitle: T\nvariants: {b: {key: b}, a: {key: a}}\n",
    ),
    "blank lines": ("\n\nmetrics:\n\n  a: {did: x}\n\n\n\n  b: {did: y}\n\n\n", "metrics:\n  a: {did: x}\n\n  b: {did: y}\n"),
    "one line end at the end": ("project: {name: x}", "project: {name: x}\n"),
    "windows line ends": ("project:\r\n  name: x\r\n", "project:\n  name: x\n"),
    "the mark of a document": ("---\nproject: {name: x}\n...\n", "project: {name: x}\n"),
    "an empty file": ("", ""),
    "nothing but comments": ("\n# a\n\n\n#b   ", "# a\n\n#b\n"),
    "empty values": ("project:\n  name:\nmetrics: {}\n", "project:\n  name:\nmetrics: {}\n"),
    "literal text keeps its lines": (
        metric("description: |", "     one", "", "       two", "did: a"),
        metric("description: |", "  one", "", "    two", "did: a"),
    ),
    "folded text keeps its lines": (
        metric("description: >-", "     one", "     two", "did: a"), metric("description: >-", "  one", "  two", "did: a")
    ),
    "plain text over lines keeps its lines": (
        metric("description: one", "     two", "", "     three", "did: a"),
        metric("description: one", "  two", "", "  three", "did: a"),
    ),
    "quoted text over lines": (metric("description: 'one", "   two'", "did: a"), metric("description: one two", "did: a")),
    "a condition over lines": (metric("did: >-", "  like>=5", "  and photo"), metric("did: like >= 5 and photo")),
    "text without a line end": ("project:\n  name: |\n    x", "project:\n  name: |-\n    x\n"),
    "text that keeps its last line ends": (
        "a:\n  b: |+\n      x\n\n\n  c: 1\n",
        "a:\n  b: |+\n    x\n\n\n  c: 1\n",
    ),
    "blank lines below a text": ("a:\n  b: |\n      x\n\n\n  c: 1\n", "a:\n  b: |\n    x\n\n  c: 1\n"),
    "lists of lists": (f"a: [[x, y], [{'z' * 90}, w]]\n", f"a:\n  - [x, y]\n  - [{'z' * 90}, w]\n"),
    "spaces in quotes are no place to fold": (
        f"events:\n  e:\n    where: a='x  y' and b = {'z' * 90}\n",
        f"events:\n  e:\n    where: a = 'x  y' and b = {'z' * 90}\n",
    ),
    "a text that yaml has cut stays in one line": (
        metric("did: a", "examples: [{when: {day 0: [buy(a: 1, b: 2), " + "like, " * 20 + "like]}, expect: 1}]"),
        metric(
            "did: a",
            "examples:",
            "  - when:",
            "      day 0: [buy(a: 1, b: 2), " + "like, " * 20 + "like]",
            "    expect: 1",
        ),
    ),
    "a text that yaml has cut": (
        metric("did: a", "examples:", "- {when: {day 0: [purchase(revenue: 20, tax: 2)]}, expect: 1}"),
        metric("did: a", "examples:", "  - {when: {day 0: [purchase(revenue: 20, tax: 2)]}, expect: 1}"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rules(rule: str) -> None:
    before, after = RULES[rule]
    assert formatted(before) == after
    assert formatted(after) == after


def test_a_long_condition_is_folded_and_reads_the_same() -> None:
    values = ", ".join(f"country_{i}" for i in range(30))
    text = formatted(f"events:\n  e: {{event: x, where: 'country in ({values})'}}\n")
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "where: >-\n" in text
    tree = parse_yaml(text, "e.yml", Problems())
    event = tree.get("events") if tree is not None else None
    assert isinstance(event, Map)
    inner = event.get("e")
    assert isinstance(inner, Map)
    assert getattr(inner.get("where"), "value", "") == f"country in ({values})"


def test_every_key_of_a_metric_has_its_place() -> None:
    """A key that is missing from the order would leave every metric with it as written."""
    from abtest.language import read_kinds, read_metrics

    assert {*read_kinds.KINDS, *read_metrics._KEYS} <= set(KEYS)
    assert len(set(KEYS)) == len(KEYS)


# Comments ------------------------------------------------------------------------------------------------------------

COMMENTS = {
    "above, beside, below": (
        "# top\n\n# metrics\nmetrics:   # all\n    # first\n    a:  # one\n        did: x    # did\n        # per: week\n"
        "    # second\n    b: {did: y}  # two\n# end\n",
        "# top\n\n# metrics\nmetrics:   # all\n  # first\n  a:    # one\n    did: x        # did\n    # per: week\n  # second\n  b: {did: y}    # two\n# end\n",
    ),
    "columns are kept": (metric("did: a           # one", "per: week        # two"),) * 2,
    "a column moves together": (
        metric("did: a>=1 # one", "per: week # two"),
        metric("did: a >= 1  # one", "per: week    # two"),
    ),
    "lines that go on": (
        metric("did: a>=1  # one", "           # more", "per: week"),
        metric("did: a >= 1  # one", "             # more", "per: week"),
    ),
    "a key takes its comment along": (
        metric("better: higher  # good", "did: a          # what"), metric("did: a          # what", "better: higher  # good")
    ),
    "above the first key": (
        metric("# about m", "better: higher", "did: a"), metric("# about m", "did: a", "better: higher")
    ),
    "a comment between the keys keeps their order": (
        metric("better: higher", "# the rest", "did: a"), metric("better: higher", "# the rest", "did: a")
    ),
    "braces with a comment inside become a block": (
        "events:\n  a: {event: x,  # one\n      # two\n      source: app  # three\n      }  # four\n",
        "events:\n  a:  # four\n    event: x     # one\n    # two\n    source: app    # three\n",
    ),
    "lists with a comment inside stay lists": (
        metric("did:", "  any:  # either", "  - a", "    # or", "  - b"),
        metric("did:", "  any:  # either", "    - a", "    # or", "    - b"),
    ),
    "a condition that becomes a list": (
        metric("did: a and b and c   # why"), metric("did:  # why", "  all:", "    - a", "    - b", "    - c")
    ),
    "behind a bracket that closes": ("events:\n  a: [x,\n      y]   # both\n", "events:\n  a: [x, y]  # both\n"),
    "below a dash": (
        metric("did: a", "examples:", "-", "  # first", "  when: nothing", "  expect: 0"),
        metric("did: a", "examples:", "  # first", "  - when: nothing", "    expect: 0"),
    ),
    "beside a block of text": (
        metric("description: |   # note", "  x # not one", "did: a"), metric("description: |   # note", "  x # not one", "did: a")
    ),
    "behind a plain text over lines": (
        metric("description: one", "  two  # note", "did: a"), metric("description: one", "  two  # note", "did: a")
    ),
    "the last in brackets": ("a: [x,\n  # end\n  ]\nb: 1\n", "a:\n  - x\n  # end\nb: 1\n"),
    "in lists of lists": (
        "a:\n  - [[x, # one\n    y], # two\n    z]\n",
        "a:\n  # two\n  - - - x  # one\n      - y\n    - z\n",
    ),
    "what has left a block stays outside": (
        "a:\n  b:\n    c:\n      d: 1\n      # d\n    # c\n      # d again\n  e: 1\n# end\n  # more\n",
        "a:\n  b:\n    c:\n      d: 1\n      # d\n    # c\n    # d again\n  e: 1\n# end\n# more\n",
    ),
    "below a dash, with a gap": (
        "a:\n  - x\n  -\n    # c\n\n    # d\n    k: 1\n", "a:\n  - x\n  # c\n\n  # d\n  - k: 1\n"
    ),
    "in brackets without a value": ("events:\n  a: [\n    # none\n  ]\n", "events:\n  # none\n  a: []\n"),
    "in a text it is no comment": (metric("title: 'a # b'", "did: a"), metric("title: 'a # b'", "did: a")),
    "beside the mark of a document": ("--- # one\na: 1\n", "# one\na: 1\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMENTS)
def test_comments_stay_with_what_they_are_about(case: str) -> None:
    before, after = COMMENTS[case]
    assert formatted(before) == after
    assert formatted(after) == after


# Conditions ----------------------------------------------------------------------------------------------------------

SPACES = {
    "count( like )>=5": "count(like) >= 5",
    "like>= -5 and like-unlike>2": "like >= -5 and like-unlike > 2",
    "like -unlike>=2": "like - unlike >= 2",
    "0.5*like+2 *share<=9": "0.5 * like + 2 * share <= 9",
    "sum(purchase . revenue)>=20EUR": "sum(purchase.revenue) >= 20 EUR",
    "seconds>=30s": "seconds >= 30 s",
    "share>=75 %": "share >= 75%",
    "a 1-7 days ago": "a 1-7 days ago",
    "not(a)and(b or c)": "not (a) and (b or c)",
    "at least 2 of(a,b >= 3 ,c)": "at least 2 of (a, b >= 3, c)",
    "people.plan=free-tier": "people.plan = free-tier",
    "'odd name'.x contains'y  z'": "'odd name'.x contains 'y  z'",
    "a/b": "a / b",
    "answer( nps )>=9": "answer(nps) >= 9",
    "future(x; y)": "future(x; y)",
    "new words  pass through": "new words pass through",
}


@pytest.mark.parametrize("text", SPACES)
def test_spaces_of_a_condition(text: str) -> None:
    assert spaced(text) == SPACES[text]
    assert spaced(SPACES[text]) == SPACES[text]


@given(edited(tuple(SPACES)) | SCRAPS | st.text(max_size=60))
def test_spacing_changes_nothing_but_spaces(text: str) -> None:
    once = spaced(text)
    assert words(once) == words(text)
    assert spaced(once) == once


@pytest.mark.parametrize(
    "text",
    ["a", "a and b or c", "a and b on 2 days", "a and b and c in every week", "a between 2 and 5", "a and (b", "a !"],
)
def test_some_texts_are_no_list(text: str) -> None:
    assert clauses(text) is None


@given(st.integers(0, 10_000))
def test_clauses_and_their_text_mean_the_same(seed: int) -> None:
    from abtest.language.expressions import parse_condition

    c = random.Random(seed)
    leaves = ("a", "no b", "c >= 2", "d between 1 and 3", "(e or f)", "(g on 2 days)", "not h", "at least 1 of (i, j)")
    text = f" {c.choice(('and', 'or'))} ".join(c.choices(leaves, k=c.randint(2, 5)))
    try:
        meant = parse_condition(text)
    except SyntaxProblem:
        return
    found = clauses(text)
    assert found is not None
    assert parse_condition(joined(*found)) == meant


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("like >= 5", "like >= 5"), ("- a", "'- a'"), ("a #b", "'a #b'"), ("", "''"), ("a: b", "'a: b'"), ("x:", "'x:'"),
        ("it's", "it's"), ("'it", '"\'it"'), ("\u00a0", '"\\xa0"'), ("a\nb", '"a\\nb"'), ("\U0001f600\t", '"\U0001f600\\t"'),
        ('"\u2028\\', '"\\"\\u2028\\\\"'), ("\U000e0001", '"\\U000e0001"'),
    ],
)  # fmt: skip
def test_quotes(text: str, plain: str) -> None:
    assert quoted_text(text) == plain
    tree = parse_yaml(f"k: {plain}\n", "q.yml", Problems())
    assert tree is not None
    assert getattr(tree.get("k"), "value", None) == text


def test_limits_are_as_documented() -> None:
    assert (WIDTH, MAX_CLAUSES) == (100, 2)
    assert condition_text.role_of(("metrics", "m", "did", "all")) == "condition"
    assert condition_text.role_of(("metrics", "m", "did", "at_least")) is None
    assert condition_text.role_of(("groups", "g", "ladder", "none")) == "condition"
