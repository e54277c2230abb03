"""How much work a call does, counted and not timed: the same on a busy machine and in any order of tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class TooMuchWork(AssertionError):
    """More calls than the test allows; raised where the limit is passed, so that a runaway ends."""


def calls_of(work: Callable[[], Any], at_most: int) -> tuple[Any, int]:
    """What the work returns, and how many functions (of Python and of C) it called.

    >>> calls_of(lambda: [abs(x) for x in range(5)], at_most=50)[0]
    [0, 1, 2, 3, 4]
    >>> calls_of(lambda: [abs(x) for x in range(500)], at_most=50)
    Traceback (most recent call last):
    tests.effort.TooMuchWork: more than 50 calls
    """
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count > at_most:
                raise TooMuchWork(f"more than {at_most:,} calls")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        found = work()
    finally:
        sys.setprofile(before)
    return found, count
