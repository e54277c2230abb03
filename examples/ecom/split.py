"""Who is exposed when, and to which arm of an experiment in which nothing was changed (A/A).

Run `python split.py` beside `ecom.csv.gz`: it writes `users.csv`, always the same bytes. A user is exposed by the first
event from 1 May 2024 to the end of the month. The arm is a hash of the user's id and nothing else: the first byte of
SHA-256 of `ecom_aa/USER_ID` (UTF-8), even: arm a, odd: arm b. The salt is the name of the experiment; no other was tried.
"""

from __future__ import annotations

import csv
import gzip
from hashlib import sha256
from pathlib import Path

SALT, START, AFTER_LAST = "ecom_aa", "2024-05-01", "2024-06-01"
HERE = Path(__file__).parent


def arm(user: str) -> str:
    """a or b, each for half of all ids.

    >>> [arm(f"user_{n:04}") for n in range(4)]
    ['b', 'b', 'b', 'a']
    """
    return "ab"[sha256(f"{SALT}/{user}".encode()).digest()[0] % 2]


def main() -> None:
    with gzip.open(HERE / "ecom.csv.gz", "rt", encoding="utf-8", newline="") as log:
        rows = sorted(csv.DictReader(log), key=lambda row: row["timestamp"])
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        if START <= row["timestamp"] < AFTER_LAST:
            first.setdefault(row["user_id"], row)
    with (HERE / "users.csv").open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["user_id", "arm", "exposed_at", "channel", "cohort"])
        for user, row in sorted(first.items()):
            table.writerow([user, arm(user), row["timestamp"], row["acquisition_channel"], row["user_cohort"]])


if __name__ == "__main__":
    main()
