"""Names in YAML that the data do not know, and names in the data that the YAML does not know, are said."""

from __future__ import annotations

from pathlib import Path

import pytest

import abtest
from abtest.analysis.run import analyse
from tests.bad_input.small import Small


def levels(small: Small) -> dict[tuple[str, str | None], str]:
    small.write()
    return {(h.key, h.subject): h.level for h in abtest.run("test", small.folder).health}


def test_an_event_that_never_happens_stops_the_run(tmp_path: Path) -> None:
    """Otherwise a guardrail on a misspelt crash would hold for ever."""
    Small(tmp_path / "p").yaml("like: like_clicked", "like: like_clickd").fails(
        3,
        'abtest.yml:23:9 E206 event like: "like_clickd" never appears in source app (seen: like_clicked 233, order 92)\n'
        "    like: like_clickd\n"
        "          ^^^^^^^^^^^\n"
        '  Did you mean "like_clicked"?\n',
    )


def test_one_name_of_several_is_enough(tmp_path: Path) -> None:
    assert (
        levels(Small(tmp_path / "p").yaml("like: like_clicked", "like: [like_clicked, heart]"))[("srm", None)] == "pass"
    )


def test_a_where_that_never_holds_is_a_note(tmp_path: Path) -> None:
    small = Small(tmp_path / "p").yaml("purchase: order", "purchase: {event: order, where: revenue > 9999}")
    assert levels(small)[("event_seen", "purchase")] == "note"


def test_an_arm_that_the_experiment_forgot_is_a_note(tmp_path: Path) -> None:
    small = Small(tmp_path / "p")
    small.flags += [["f1", "v2", f"x{i}", "2026-03-03T10:00:00Z"] for i in range(20)]
    assert levels(small)[("unknown_variant", None)] == "note"


def test_a_last_date_that_counts_as_unfinished_is_said_where_it_matters(tmp_path: Path) -> None:
    """The log ends on 16 March; an experiment that ends that day waits for one whole date more."""
    small = Small(tmp_path / "p").yaml("end: 2026-03-15", "end: 2026-03-16")
    small.write()
    project = abtest.load(small.folder)
    said: list[str] = []
    result = analyse(project, project.experiments["test"], notice=said.append)
    assert result.decision.verdict == "keep_running"
    assert said == [
        "W502 the last date of app, 2026-03-16, counts as unfinished, so 2026-03-16 is not reached. "
        "If the export is complete, add  complete_through: 2026-03-16  to the source."
    ]


@pytest.mark.parametrize("language", ["de", "fr"])
def test_a_language_that_is_not_there_is_a_usage_mistake(tmp_path: Path, language: str) -> None:
    small = Small(tmp_path / "p")
    done = small.run("--language", language)
    assert done.code == 2
    assert small.left() == []


def test_a_log_that_begins_after_all_exposures_fails(tmp_path: Path) -> None:
    """Zeros for everybody would be a hole in the data read as silence."""
    small = Small(tmp_path / "p").yaml("start: 2026-03-02, end: 2026-03-15", "start: 2026-02-02, end: 2026-03-15")
    for row in small.flags:
        row[3] = row[3].replace("2026-03-", "2026-02-")
    assert levels(small)[("coverage", "app")] == "fail"


def test_exposures_that_cannot_be_placed_are_a_note(tmp_path: Path) -> None:
    small = Small(tmp_path / "p")
    for row in small.flags[::10]:
        row[3] = "soon"
    assert levels(small)[("row_loss", "flags")] == "note"
