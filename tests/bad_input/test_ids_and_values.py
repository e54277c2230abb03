"""Ids that two exports write differently, numbers that are none, and tables of units."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input.small import APP, LIKES, Small, at, csv_text, ledger, totals

DECIMAL = "The ids {} became decimal numbers. Export them as text."
SAME = "Both must hold the same ids of the same unit."


def _ids(small: Small, app: str, flags: str, people: str) -> Small:
    """Rewrite the ids of each table; `{}` is the number of the user."""
    for rows, column, form in ((small.app, 3, app), (small.flags, 2, flags), (small.people, 0, people)):
        for row in rows:
            row[column] = form.format(int(row[column][1:]))
    return small


@pytest.mark.parametrize(
    ("app", "flags", "here", "there", "advice"),
    [
        ("{}.0", "{}", "0.0", "0", DECIMAL.format("in this source")),
        ("{}", "{}.0", "0", "0.0", DECIMAL.format("in the exposures")),
        ("5{}", "005{}", "50", "0050", "Leading zeros may be lost. Export the ids as text."),
        ("X{:02d}", "x{:02d}", "X00", "x00", "Upper and lower case are different ids."),
        ("a{:02d}", "b{:02d}", "a00", "b00", SAME),
        (
            "1.{:02d}E+11",
            "1{:02d}000000000",
            "1.00E+11",
            "100000000000",
            "The ids in this source were shortened by a spreadsheet. Export them as text, without one in between.",
        ),
    ],
    ids=["decimals", "decimal exposures", "zeros", "case", "others", "spreadsheet"],
)
def test_ids_that_never_match(small: Small, app: str, flags: str, here: str, there: str, advice: str) -> None:
    looks = f'They look like "{here}" there and like "{there}" in the exposures.\n{advice}'
    _ids(small, app, flags, flags).fails(3, at("app", "E512 source app: none of its units is in the exposures", looks))


def test_attributes_of_other_ids(small: Small) -> None:
    looks = f'They look like "0.0" there and like "0" in the exposures.\n{DECIMAL.format("in this source")}'
    _ids(small, "{}", "{}", "{}.0").fails(
        3, at("people", "E512 source people: none of its units is in the exposures", looks)
    )


def test_ids_of_which_a_part_lost_its_zeros(small: Small) -> None:
    """10 to 39 match; the events of 00 to 09 would be lost without a word."""
    _ids(small, "{}", "{:02d}", "{:02d}").fails(
        3,
        at(
            "app",
            'E512 source app: some of its ids differ from those of the exposures only by zeros, such as "0" and "00"',
            "Leading zeros may be lost. Export the ids as text.",
        ),
    )


def test_other_users_with_similar_numbers_are_no_sign(small: Small) -> None:
    _ids(small, "{:02d}", "{:02d}", "{:02d}")
    small.app += [["like_clicked", "2026-03-05T00:00:00Z", f"x{i}", str(1000 + i), ""] for i in range(50)]
    assert ledger(small.same(), "app") == {**APP, "read": 375, "unassigned": 50}


@pytest.mark.parametrize("flags", ["text", "double"])
def test_ids_that_are_doubles_in_parquet(small: Small, flags: str) -> None:
    _ids(small, "{}", "{}", "{}")
    for name, rows, column in (("app", small.app, 3), ("flags", small.flags, 2)):
        if name == "app" or flags == "double":
            columns: dict[str, Any] = {h: [r[i] for r in rows] for i, h in enumerate(small.heads[name])}
            columns[small.heads[name][column]] = [float(r[column]) for r in rows]
            pq.write_table(pa.table(columns), small.data / f"{name}.parquet")
            small.yaml(f"{name}.csv", f"{name}.parquet")
    if flags == "double":
        small.yaml("segments: [country]\n", "").same()
        return
    looks = f'They look like "0.0" there and like "0" in the exposures.\n{DECIMAL.format("in this source")}'
    small.fails(3, at("app", "E512 source app: none of its units is in the exposures", looks))


def test_some_numbers_that_cannot_be_read_are_noted(small: Small) -> None:
    orders = [row for row in small.app if row[0] == "order" and row[1] < "2026-03-05"]
    for row, value in zip(orders, ["12,50", "1e400"], strict=False):
        row[4] = value
    small.app.append(["like_clicked", "2026-03-05T00:00:00Z", "x", "u01", "no price"])
    small.app.append(["other", "2026-03-05T00:00:00Z", "y", "u01", "no event of ours"])
    small.put("app.csv", csv_text(small.heads["app"], small.app))
    found = ledger(small.works(), "app")
    assert found["(bad_number)"] == 3
    assert found["used"] + found["after_window"] == 326


def test_many_numbers_that_cannot_be_read_are_another_format(small: Small) -> None:
    """A few are damage and counted as missing; a third of them is a currency sign that nobody declared."""
    orders = [row for row in small.app if row[0] == "order"]
    for row in orders[::3]:
        row[4] = "12.5 EUR"
    done = small.run()
    assert done.code == 3
    assert (
        f'E513 source app: {len(orders[::3])} of {len(orders)} values in "total" of app.csv are not numbers, such as "12.5 EUR"'
        in done.err
    )
    assert small.left() == []


def test_numbers_of_an_event_that_tests_them_are_noted_too(small: Small) -> None:
    small.yaml("purchase: order", "purchase: {event: order, where: revenue > 0}")
    orders = [row for row in small.app if row[0] == "order"]
    orders[0][4] = "12,50"
    small.put("app.csv", csv_text(small.heads["app"], small.app))
    found = ledger(small.works(), "app")
    assert (found["no_event"], found["(bad_number)"]) == (1, 1)


def test_numbers_that_can_never_be_read(small: Small) -> None:
    for row in small.app:
        row[4] = row[4].replace(".", ",")
    example = min(r[4] for r in small.app if r[4])
    small.put("app.csv", small.text("app", ";")).fails(
        3,
        at(
            "app",
            f'E513 source app: the values in "total" of app.csv are not numbers, such as "{example}"',
            "Decimals are written with a point, 12.50, and thousands without a separator.",
        ),
    )


def _with_scores(small: Small, scores: list[tuple[str, str]], variants: bool = False) -> Small:
    small.yaml("metrics:\n  likes", "metrics:\n  score: {column: out.score, better: higher, owner: us}\n  likes")
    out = "  out:\n    kind: outcomes\n    files: out.csv\n    units: {user: uid}\n    properties: {score: {from: score, type: number}}\n"
    out += "    columns: {variant: g}\n" if variants else ""
    small.yaml("events:\n", f"{out}events:\n").yaml("goal: [likes]", "goal: [score]")
    if variants:
        small.yaml("exposure: {source: flags, flag: f1}", "exposure: {source: out}").yaml(
            "  guardrail: [revenue]\n", ""
        )
        small.yaml("dates: {start: 2026-03-02, end: 2026-03-15}\n", "")
        return small.put(
            "out.csv", "uid,g,score\n" + "".join(f"{u},{('off', 'v1')[i % 2]},{s}\n" for i, (u, s) in enumerate(scores))
        )
    return small.put("out.csv", "uid;score\n" + "".join(f"{u};{s}\n" for u, s in scores))


SCORES = [(f"u{i:02d}", str(i)) for i in range(40)]
OUT = "abtest.yml:22:3 {}\n    out:\n    ^^^\n  {}\n"


def test_an_outcome_that_is_no_number(small: Small) -> None:
    _with_scores(small, [*SCORES[:-3], ("u37", "n/a"), ("u38", "?"), ("u39", "1,5")]).fails(
        3,
        OUT.format(
            'E513 source out: 3 of 40 values in "score" of out.csv are not numbers, such as "1,5"',
            "Decimals are written with a point, 12.50, and thousands without a separator.",
        ),
    )


@pytest.mark.parametrize(("more", "have"), [(1, "1 unit has"), (2, "2 units have")])
def test_outcomes_that_contradict_each_other(small: Small, more: int, have: str) -> None:
    _with_scores(small, [*SCORES, *[(f"u{i:02d}", "99") for i in range(more)]]).fails(
        3,
        OUT.format(
            f"E511 source out: {have} several rows that contradict each other in out.csv",
            "Such a source has one row per unit.",
        ),
    )


def test_outcomes_twice_but_equal_and_outcomes_missing(small: Small) -> None:
    result = _with_scores(small, [*SCORES[:30], SCORES[0], ("u99", "1"), ("", "1")]).works()
    assert ledger(result, "out") == {"read": 33, "no_id": 1, "unassigned": 1, "used": 31}
    assert totals(result, "score") == {"control": (15, 210.0), "new": (15, 225.0)}
    assert [a["missing"] for a in next(m for m in result["metrics"] if m["key"] == "score")["arms"]] == [5, 5]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (1, "1 unit has more than one row in out.csv (1 row too many)"),
        (2, "2 units have more than one row in out.csv (2 rows too many)"),
    ],
)
def test_one_row_per_unit_where_rows_are_exposures(small: Small, more: int, text: str) -> None:
    _with_scores(small, [*SCORES, *SCORES[:more]], variants=True).fails(
        3,
        OUT.format(
            f"E511 source out: {text}",
            "A source of outcomes has one row per unit; a log with many rows is  kind: events.",
        ),
    )


def test_attributes_that_contradict_each_other(small: Small) -> None:
    small.people += [["u01", "FR"], ["u02", "FR"], ["u03", "MX"]]
    small.fails(
        3,
        at(
            "people",
            "E511 source people: 2 units have several rows that contradict each other in people.csv",
            "Such a source has one row per unit.",
        ),
    )


def test_attributes_twice_but_equal_and_attributes_missing(small: Small) -> None:
    small.people = [*small.people[:25], small.people[0], ["u77", "ES"], ["", "ES"]]
    result = small.same()
    assert ledger(result, "people") == {"read": 28, "no_id": 1, "unassigned": 1, "used": 26}
    assert totals(result, "likes") == LIKES


def test_duplicate_rows_without_dedupe_count_twice(small: Small) -> None:
    small.app += [list(row) for row in small.app]
    assert ledger(small.same(), "app") == {**APP, "read": 650, "duplicate": 325}
    small.yaml("    dedupe: id, keep first\n", "")
    assert totals(small.works(), "likes") == {v: (n, 2 * s) for v, (n, s) in LIKES.items()}
