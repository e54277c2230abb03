"""`where` and `ignore` of per-unit tables: rows that they drop are in the ledger and in no split."""

from __future__ import annotations

from pathlib import Path

from tests.bad_input.small import Small, ledger


def test_ignored_rows_of_attributes_split_nothing(tmp_path: Path) -> None:
    small = Small(tmp_path / "p").yaml(
        "    known: before_exposure", "    known: before_exposure\n    ignore: {mx: country = MX}"
    )
    result = small.works()
    dropped = sum(r[1] == "MX" for r in small.people)
    assert ledger(result, "people") == {"read": 40, "ignored": dropped, "used": 40 - dropped}
    assert {g["label"] for s in result["segments"] for g in s["groups"]} == {"ES", "(unknown)"}
