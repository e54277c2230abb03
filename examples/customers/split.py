"""The purchases as a table with a heading, and a mailing that was never sent (A/A).

Run `python split.py` beside `CDNOW_sample.txt`: it writes `purchases.csv` and `customers.csv`, always the same bytes. The
file has fixed columns and no heading: id in the whole base, id in this sample, date, number of CDs, dollars. All 2,357
customers bought first in January to March 1997; the imagined letter goes to each of them on 1 January 1998. The arm is a
hash of the customer's id and nothing else: the first byte of SHA-256 of `letter_aa/ID` (UTF-8, ID of the sample in four
digits), even: no_letter, odd: letter. The salt is the name of the experiment; no other was tried.
"""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path

SALT, MAILED = "letter_aa", "1998-01-01"
HERE = Path(__file__).parent


def arm(customer: str) -> str:
    """no_letter or letter, each for half of all ids.

    >>> [arm(f"{n:04}") for n in range(1, 5)]
    ['letter', 'no_letter', 'no_letter', 'no_letter']
    """
    return ("no_letter", "letter")[sha256(f"{SALT}/{customer}".encode()).digest()[0] % 2]


def table(name: str, heading: list[str], rows: list[list[str]]) -> None:
    with (HERE / name).open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(heading)
        writer.writerows(rows)


def main() -> None:
    purchases: list[list[str]] = []
    joined: dict[str, str] = {}
    for line in (HERE / "CDNOW_sample.txt").read_text("ascii").splitlines():
        _, customer, day, discs, dollars = line.split()
        date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        purchases.append([customer, date, discs, dollars])
        joined[customer] = min(date, joined.get(customer, date))
    table("purchases.csv", ["customer", "date", "discs", "dollars"], purchases)
    people = [[customer, arm(customer), MAILED, joined[customer][:7]] for customer in sorted(joined)]
    table("customers.csv", ["customer", "arm", "mailed", "joined"], people)


if __name__ == "__main__":
    main()
