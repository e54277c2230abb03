"""Clusters that the data do not have: no column, no values, one per variant, or as many as units."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bad_input.small import Small, ledger

NEW = "v1"


@pytest.fixture
def grouped(small: Small) -> Small:
    """Forty users in twelve villages, each wholly in one variant."""
    small.yaml("unit: user\nexposure", "unit: user\ncluster: people.village\nexposure")
    small.yaml("properties: {country: country}", "properties: {country: country, village: village}")
    small.heads["people"] = ["uid", "country", "village"]
    return villages(small, lambda variant, n: f"{variant} {n % 6}")


def villages(small: Small, name: Any) -> Small:
    """Give every user a village by variant and number within it."""
    variants = {row[2]: row[1] for row in small.flags if row[0] == "f1"}
    seen: dict[str, int] = {}
    for row in small.people:
        variant = variants.get(row[0], "none")
        seen[variant] = seen.get(variant, 0) + 1
        row[2:] = [name(variant, seen[variant])]
    return small


def comparison(result: dict[str, Any], metric: str = "likes") -> dict[str, Any]:
    found: dict[str, Any] = next(m for m in result["metrics"] if m["key"] == metric)["comparisons"][0]
    return found


def check(result: dict[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in result["health"] if c["key"] == key)
    return found


def test_villages_of_one_variant_each_are_compared(grouped: Small) -> None:
    shown = comparison(grouped.works())
    assert (shown["method"], shown["clustering"]["control"], shown["clustering"]["treatment"]) == ("cluster_cr2", 6, 6)


def test_the_column_is_not_in_the_file(grouped: Small) -> None:
    grouped.heads["people"][2] = "town"
    grouped.fails(
        3,
        'abtest.yml:16:3 E503 source people: people.csv has no column "village"\n'
        "    people:\n    ^^^^^^\n  Columns: country, town, uid\n",
    )


def test_no_unit_has_a_cluster(grouped: Small) -> None:
    villages(grouped, lambda variant, n: "")
    grouped.fails(
        3,
        'experiments/test.yml:5:10 E518 none of the 40 users has a value of "people.village"\n'
        "    cluster: people.village\n             ^^^^^^^^^^^^^^\n"
        "  Check the column; what was randomised as a whole must be known of the units.\n",
    )


def test_some_units_have_no_cluster(grouped: Small) -> None:
    villages(grouped, lambda variant, n: "" if n % 5 == 0 else f"{variant} {n % 6}")
    result = grouped.works()
    units = ledger(result, "user")
    assert units["no_cluster"] == 8
    assert units["used"] == 32
    assert ledger(result, "app")["no_cluster"] > 0


def test_one_variant_has_no_cluster_at_all(grouped: Small) -> None:
    villages(grouped, lambda variant, n: "" if variant == NEW else f"{variant} {n % 6}")
    result = grouped.works()
    assert comparison(result)["status"] == "no_test"
    assert comparison(result)["reason"] == "no_units"
    assert ledger(result, "user")["no_cluster"] == 20


def test_one_cluster_in_each_variant(grouped: Small) -> None:
    villages(grouped, lambda variant, n: variant)
    result = grouped.works()
    shown = comparison(result)
    assert (shown["status"], shown["reason"]) == ("no_test", "few_clusters")
    assert (shown["clustering"]["icc"], shown["clustering"]["reason"]) == (None, "few_clusters")
    assert check(result, "srm")["reason"] == "not_enough_clusters"


def test_one_cluster_for_everybody(grouped: Small) -> None:
    villages(grouped, lambda variant, n: "all")
    result = grouped.works()
    assert check(result, "cluster_split")["level"] == "fail"
    assert result["decision"]["verdict"] == "dont_decide"


def test_every_unit_its_own_cluster(grouped: Small) -> None:
    villages(grouped, lambda variant, n: f"{variant} {n}")
    result = grouped.works()
    assert check(result, "cluster_alone")["level"] == "note"
    shown = comparison(result)
    assert shown["status"] == "ok"
    assert (shown["clustering"]["icc"], shown["clustering"]["reason"]) == (None, "one_unit")


def test_units_were_randomised_inside_the_villages(grouped: Small) -> None:
    villages(grouped, lambda variant, n: f"village {n % 6}")
    result = grouped.works()
    assert check(result, "cluster_split")["level"] == "fail"
    assert check(result, "cluster_split")["values"]["share"] == 1.0
    assert check(result, "cluster_split")["values"]["stray_share"] == 0.5


def test_a_unit_in_two_clusters(grouped: Small) -> None:
    grouped.people.append([grouped.people[0][0], grouped.people[0][1], "elsewhere"])
    done = grouped.run()
    assert done.code == 3
    assert "E511 source people: 1 unit has several rows that contradict each other" in done.err
