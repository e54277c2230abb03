"""Definitions in words, to the letter. A reader must be able to compute the metric by hand.

`explained.txt` holds first sentences of simple definitions in English and Dutch; the project in `explained/` needs every
other phrase, its texts are en.txt and nl.txt there. `python -m tests.language.test_explain` writes all three anew.
"""

import re
import string
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from abtest.language.explain import Explainer
from abtest.language.explain_parts import Clauses, load
from abtest.language.expressions import parse_condition
from abtest.language.model import Project
from abtest.language.project import load_project

from .definitions import EVENTS, metric
from .test_laws import _conditions

LANGUAGES = ("en", "nl")
TEXT = Path(__file__).parent / "explained.txt"
WHOLE = Path(__file__).parent / "explained"
MEANINGS = [
    tuple(part.strip() for part in block.split(">>>"))
    for block in re.split(r"^===$", TEXT.read_text("utf-8"), flags=re.MULTILINE)[1:]
]

CONDITIONS = {
    "like": "they did like at least once",
    "like >= 2.5": "they did like at least 2.5 times",
    "no like": "they did no like",
    "like = 1": "they did like exactly once",
    "like <= 1": "they did like at most once",
    "like > 1": "they did like more than once",
    "like < 3": "they did like fewer than 3 times",
    "like != 4": "they did like any number of times but 4",
    "like > 0": "they did like at least once",
    "like < 1": "they did no like",
    "not like >= 5": "it is not true that they did like at least 5 times",
    "photo_post and like >= 5 and no crash": "they did photo_post at least once and like at least 5 times and no crash",
    "photo_post or like >= 5": "they did photo_post at least once or like at least 5 times",
    "app_open and (photo_post or like >= 5)": "they did app_open at least once and (they did photo_post at least once or like at least 5 times)",
    "app_open and mean(p.size) > 3": "they did app_open at least once and the mean size of the p events was more than 3",
    "at least 2 of (like, share >= 3, days(app_open) >= 4)": (
        "(at least 2 of these 3 are true: they did like at least once; they did share at least 3 times; "
        "the number of days with app_open was at least 4)"
    ),
    "like on 1 days": "there was at least one day on which they did like at least once",
    "like on 2 days": "there were at least 2 days on which they did like at least once",
    "like >= 2 in 3 weeks": "there were at least 3 weeks in which they did like at least 2 times",
    "like on every day": "on every single day they did like at least once",
    "like on = 2 days": "there were exactly 2 days on which they did like at least once",
    "like on < 3 days": "there were fewer than 3 days on which they did like at least once",
    "like on != 3 days": "there was any number of days but 3 on which they did like at least once",
    "(like on 3 days) in 2 weeks": "there were at least 2 weeks in which there were at least 3 days on which they did like at least once",
    "(photo_post and like) on 2 days": "there were at least 2 days on which they did photo_post at least once and like at least once",
    "not (like on 2 days)": "it is not true that (there were at least 2 days on which they did like at least once)",
    "sum(p.revenue) >= 20 EUR": "the sum of revenue over all p events was at least 20 EUR",
    "sum(p.seconds) >= 30 min": "the sum of seconds over all p events was at least 30 minutes",
    "mean(p.hd) >= 14.3%": "the mean hd of the p events was at least 14.3%",
    "min(p.size) < max(p.size)": "the smallest size of the p events was less than the largest size of the p events",
    "like <= 0.5 * app_open": "the number of like events was at most 0.5 times the number of app_open events",
    "like + 2 * share >= 10": "the number of like events plus 2 times the number of share events was at least 10",
    "like - share >= 3": "the number of like events minus the number of share events was at least 3",
    "like between 2 and 5": "they did like at least 2 times and like at most 5 times",
    "-like + 2 < 1": "minus the number of like events plus 2 was less than 1",
    "like on < 1 days": "there was no day on which they did like at least once",
    "like on = 1 days": "there was exactly 1 day on which they did like at least once",
    "like 1 week ago": "they did like at least once in the week before",
    "no like 1-7 days ago": "they did no like in the 7 days before",
    "sum(p.size) 2 weeks ago >= 3": "the sum of size over all p events 2 weeks earlier was at least 3",
    "(a and b >= 2) 3-4 periods ago": "they did a at least once 3 to 4 blocks earlier and b at least 2 times 3 to 4 blocks earlier",
    "distinct(p.article) >= 5": "the number of different values of article over all p events was at least 5",
    "first(p.size) > 1": "the size of the first p event that has one was more than 1",
    "sessions(like) >= 2": "the number of sessions with like was at least 2",
    "days_since(like) <= 7": "the number of days since the last like was at most 7",
    "answer(nps) >= 9": "their answer to nps was at least 9",
    "people.plan in (free, 'on trial') and like": "people.plan is one of free, 'on trial' and they did like at least once",
    "people.age > 0.5 and like": "people.age is more than 0.5 and they did like at least once",
    "not (people.plan is missing)": "it is not true that people.plan is missing",
}


DUTCH = {
    "like": "like minstens één keer voorkwam",
    "no like": "geen like voorkwam",
    "photo_post and like >= 2.5 and no crash": "photo_post minstens één keer en like minstens 2,5 keer en geen crash voorkwam",
    "app_open and (photo_post or like >= 5)": "app_open minstens één keer voorkwam en (photo_post minstens één keer of like minstens 5 keer voorkwam)",
    "not like >= 5": "het niet zo is dat like minstens 5 keer voorkwam",
    "at least 1 of (like, share)": "(minstens 1 van deze 2 dingen waar is: dat like minstens één keer voorkwam; dat share minstens één keer voorkwam)",
    "like on every day": "op elke dag like minstens één keer voorkwam",
    "like >= 2 in 3 weeks": "er minstens 3 weken waren waarin like minstens 2 keer voorkwam",
    "like 1-7 days ago": "in de 7 dagen ervoor like minstens één keer voorkwam",
    "sum(p.seconds) >= 90 s": "de som van seconds over alle p-events minstens 90 seconden was",
    "like <= 0.5 * app_open 1 week ago": "het aantal like-events hoogstens gelijk was aan 0,5 keer het aantal app_open-events in de week ervoor",
    "people.plan != free": "people.plan ingevuld is en niet gelijk is aan free",
}


def parts() -> Iterator[tuple[str, str, str]]:
    for text, *told in MEANINGS:
        yield from ((text, language, words) for language, words in zip(LANGUAGES, told, strict=True))


@pytest.mark.parametrize(("text", "language", "words"), list(parts()))
def test_meaning(text: str, language: str, words: str) -> None:
    assert Explainer(language).meaning(metric(text)) == words


@pytest.mark.parametrize(("text", "words"), DUTCH.items())
def test_condition_in_dutch(text: str, words: str) -> None:
    assert Explainer("nl").condition(parse_condition(text)) == words


@lru_cache(maxsize=1)
def whole() -> Project:
    return load_project(WHOLE)


def told(language: str) -> str:
    """Everything that is said of every metric of the project."""
    found = []
    for explainer, project in ((Explainer(language, whole()), whole()), (Explainer(language), whole())):
        for one in project.metrics.values():
            if explainer.project is None and one.group is None:
                continue
            name = one.name if explainer.project is not None else f"{one.name}, without its group"
            lines = [name, explainer.meaning(one), *explainer.rules(one, project.timezone)]
            found.append("\n".join([*lines, *(f"- {line}" for line in explainer.events(one, project.events))]))
    return "\n\n".join(found) + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_to_the_letter(language: str) -> None:
    assert told(language) == (WHOLE / f"{language}.txt").read_text("utf-8")


@pytest.mark.parametrize(("text", "words"), CONDITIONS.items())
def test_condition(text: str, words: str) -> None:
    assert Explainer().condition(parse_condition(text)) == words


END = "The data end with the last date that is complete in all the logs used here."


def rules(text: str, unit: str = "user") -> list[str]:
    return list(Explainer().rules(metric(text), "Europe/Madrid", unit))


def test_rules_of_blocks_in_a_fixed_window() -> None:
    assert rules("did: like\nper: week\nover: first 28 days\nbetter: higher") == [
        "Days are dates in Europe/Madrid; day 0 is the date of first exposure and holds only what follows it.",
        "Silence is zero: users without any of these events count too, with counts, sums and numbers of days of 0.",
        "Users for whom day 27 is not over at the end of the data are left out.",
        END,
        "Higher is better.",
    ]


def test_rules_of_an_open_window() -> None:
    assert rules("did: mean(purchase.revenue) >= 20\nper: week\nbetter: lower", "team")[1:] == [
        "Silence is zero: teams without any of these events count too, with counts, sums and numbers of days of 0.",
        "A comparison with a value that does not exist, such as the mean, the first or the last of no events, is false.",
        "Teams exposed later had less time.",
        "Weeks that are not over at the end of the data do not count; teams without a complete one are left out.",
        END,
        "Lower is better.",
    ]


def test_rules_of_kept_immature_units() -> None:
    assert rules("amount: like\nper: week\nover: first 28 days\nimmature: keep")[2:] == [
        "Users for whom day 27 is not over at the end of the data count as far as the data go.",
        "Weeks that are not over at the end of the data do not count; users without a complete one are left out.",
        END,
        "Neither direction is called better.",
    ]


def test_rules_of_money_time_and_caps() -> None:
    found = rules("amount: sum(purchase.revenue)\nover: first 7 days\ncap: 500\nbetter: higher")
    assert found[0] == "The value is in EUR."
    assert found[-2:] == ["Values above 500 EUR count as 500 EUR.", "Higher is better."]
    assert rules("amount: sum(purchase.seconds)\nover: first 7 days")[0] == "The value is in seconds."


def test_rules_of_ratios_and_columns() -> None:
    ratio = (
        "This is one total divided by another, not a mean of quotients: users with more of what is below weigh more."
    )
    assert rules("ratio: {of: sum(purchase.revenue), to: purchase}\nover: first 7 days")[:2] == [
        "The value is in EUR.",
        ratio,
    ]
    assert rules("column: shop.kept\nbetter: higher") == ["Users without a value are left out.", "Higher is better."]
    assert rules("ratio: {of: shop.paid, to: shop.kept}")[1:3] == [ratio, "Users without a value are left out."]


def test_events_are_spelled_out() -> None:
    text = "amount: like + purchase + crash\nover: first 7 days"
    assert Explainer().events(metric(text), EVENTS) == (
        "like: rows of app named like",
        "purchase: rows of app named order or order_v2, where revenue is more than 0 and country is one of ES, 'New York'",
        "crash: every row of app",
    )


@pytest.mark.parametrize("language", LANGUAGES)
@given(condition=_conditions())
def test_every_condition_has_words_without_open_slots(language: str, condition: Any) -> None:
    words = Explainer(language).condition(condition)
    assert "{" not in words
    assert words.count("(") == words.count(")")
    assert not re.search(r"\s\s|\bNone\b", words)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", ("No version.",)),
        ("version: 2", ("Version 2.",)),
        ("owner: feed-team", ("No version, feed-team.",)),
        ("version: 2\nowner: feed-team\nstatus: certified", ("Version 2, feed-team.", "Certified.")),
        ("status: draft", ("No version.", "A draft: the definition may still change.")),
        ("status: deprecated", ("No version.", "Deprecated.")),
    ],
)
def test_who_stands_behind_it(lines: str, said: tuple[str, ...]) -> None:
    assert Explainer().stamp(metric(f"did: like\nover: first 7 days\n{lines}")) == said


def test_a_successor_is_named() -> None:
    from dataclasses import replace

    old = replace(metric("did: like\nover: first 7 days"), status="deprecated", use="likes")
    assert Explainer("nl").stamp(old) == ("Geen versie.", "Verouderd: gebruik in plaats daarvan likes.")


def test_units_that_nobody_translated_keep_their_name() -> None:
    assert Clauses("en").unit("gizmo")["units"] == "gizmos"
    assert Clauses("nl").unit("team") == {
        "unit": "team",
        "units": "teams",
        "Units": "Teams",
        "each": "elk team",
        "for_whom": "waarvoor",
    }


def phrases(node: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Every phrase of a words file by its keys."""
    if not isinstance(node, dict):
        return {path: str(node)}
    return {key: text for name, inner in node.items() for key, text in phrases(inner, (*path, str(name))).items()}


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_slots() -> None:
    english, dutch = phrases(load("en")), phrases(load("nl"))
    assert list(english) == list(dutch)
    assert {key for key in english if slots(english[key]) != slots(dutch[key])} == set()
    assert all(isinstance(key, str) for language in LANGUAGES for key in _keys(load(language)))


def _keys(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, inner in node.items():
            yield key
            yield from _keys(inner)


def test_every_phrase_is_said_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence lies unused in the file, and the texts above say nearly all of them."""
    said: set[tuple[str, ...]] = set()
    say = Clauses.say

    def heard(self: Clauses, *keys: str, **given: Any) -> str:
        said.add(keys)
        return say(self, *keys, **given)

    monkeypatch.setattr(Clauses, "say", heard)
    told("en")
    for text, *_ in MEANINGS:
        one = metric(text)
        explainer = Explainer()
        explainer.meaning(one)
        explainer.rules(one, "UTC")
        explainer.events(one, EVENTS)
    for text in CONDITIONS:
        Explainer().condition(parse_condition(text))
    families = {"starting_at_ratio", "units", "lengths", "spread", "compare", "compare_measures", "counts", "number"}
    stamps = {"version_owner", "version", "owner", "no_version", "deprecated_use", "status", "cluster", "cannot"}
    families |= {"degrees_spelled"}  # as `rank_spelled`
    unsaid = {k for k in phrases(load("en")) if k not in said and k[0] not in families | stamps}
    assert unsaid == {("decimal",)}


if __name__ == "__main__":
    blocks = []
    for text, *_ in MEANINGS:
        blocks.append("\n>>>\n".join([f"===\n{text}", *(Explainer(x).meaning(metric(text)) for x in LANGUAGES)]))
    TEXT.write_text("\n\n".join(blocks) + "\n", "utf-8")
    for written in LANGUAGES:
        (WHOLE / f"{written}.txt").write_text(told(written), "utf-8")
