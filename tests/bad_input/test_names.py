"""Names in the YAML that the data do not have, and variants without units."""

from __future__ import annotations

import pytest

from tests.bad_input.small import Small, at


def test_a_variant_key_that_never_appears(small: Small) -> None:
    small.yaml("key: v1", "key: v2").fails(
        3,
        """\
experiments/test.yml:8:3 E410 variant key "v2" never appears in flag f1 (seen: off 20, v1 20)
    new: {key: v2, share: 50%}
    ^^^
  Did you mean "v1"?
""",
    )


def test_a_flag_that_never_appears(small: Small) -> None:
    for row in small.flags[::3]:
        row[0] = "f3"
    small.yaml("flag: f1", "flag: f2").fails(
        3,
        """\
experiments/test.yml:5:33 E409 flag "f2" never appears in source flags (seen: f1 26, f3 14)
    exposure: {source: flags, flag: f2}
                                    ^^
  Did you mean "f1"?
""",
    )


def test_a_variant_without_units(small: Small) -> None:
    small.flags = [f for f in small.flags if f[1] == "off"]
    small.fails(
        3,
        """\
experiments/test.yml:8:3 E410 variant key "v1" never appears in flag f1 (seen: off 20)
    new: {key: v1, share: 50%}
    ^^^
""",
    )


def test_a_variant_whose_units_all_came_too_early(small: Small) -> None:
    for row in small.flags:
        if row[1] == "v1":
            row[3] = "2026-02-01T00:00:00Z"
    small.fails(
        3,
        """\
experiments/test.yml:8:3 E410 variant new has no units left (20 before start)
    new: {key: v1, share: 50%}
    ^^^
  Check the dates and the exposure log.
""",
    )


def test_all_units_in_one_variant_and_one_unit_in_all(small: Small) -> None:
    small.flags = small.flags[:1]
    small.fails(
        3,
        """\
experiments/test.yml:8:3 E410 variant key "v1" never appears in flag f1 (seen: off 1)
    new: {key: v1, share: 50%}
    ^^^
""",
    )


def test_one_unit_in_each_variant_has_no_test_and_no_verdict(small: Small) -> None:
    small.flags = small.flags[:2]
    result = small.works()
    assert {m["key"]: m["comparisons"][0]["state"] for m in result["metrics"]} == {
        "likes": "no_test",
        "revenue": "no_test",
    }
    assert result["decision"]["verdict"] == "dont_decide"


def test_values_that_are_all_zero_have_no_test(small: Small) -> None:
    """Likes only before exposure, orders for nothing."""
    for row in small.app:
        row[1], row[4] = (row[1], "0.00") if row[0] == "order" else ("2026-02-20T00:00:00Z", "")
    result = small.works()
    assert {m["key"]: m["comparisons"][0]["state"] for m in result["metrics"]} == {
        "likes": "no_test",
        "revenue": "no_test",
    }
    assert [a["total"] for m in result["metrics"] for a in m["arms"]] == [0, 0, 0, 0]


def test_events_that_never_appear(small: Small) -> None:
    small.app = [["like_klicked" if row[0] == "like_clicked" else row[0], *row[1:]] for row in small.app]
    small.fails(
        3,
        """\
abtest.yml:23:9 E206 event like: "like_clicked" never appears in source app (seen: like_klicked 233, order 92)
    like: like_clicked
          ^^^^^^^^^^^^
  Did you mean "like_klicked"?
""",
    )


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("user_id", "Columns: at, event_id, name, total, user_id"),
        ("UID", 'Did you mean "UID"?  Columns: UID, at, event_id, name, total'),
        ("uids", 'Did you mean "uids"?  Columns: at, event_id, name, total, uids'),
    ],
)
def test_a_missing_column(small: Small, column: str, hint: str) -> None:
    small.heads["app"][3] = column
    small.fails(3, at("app", 'E503 source app: app.csv has no column "uid"', hint))


def test_a_file_without_column_names(small: Small) -> None:
    small.put("app.csv", small.text("app").partition("\n")[2])
    small.fails(
        3,
        at(
            "app",
            'E503 source app: app.csv has no column "uid"',
            "Columns: 2026-03-08T16:00:00Z, e0, like_clicked, u00\nThe first line looks like data; it must name the columns.",
        ),
    )


def test_a_column_twice_matters_only_when_it_is_used(small: Small) -> None:
    small.heads["app"] += ["note", "note", "", "", "Name"]
    small.app = [[*row, "a", "b", "", "", "c"] for row in small.app]
    small.same()
    small.heads["app"][5] = "uid"
    small.put("app.csv", small.text("app"))
    done = small.run()
    assert (done.code, done.err) == (3, 'app.csv:1:1 E503 app.csv has two columns called "uid"\n  Rename one.\n')
