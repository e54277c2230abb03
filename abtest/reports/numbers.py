"""How numbers are written: one formatter for every output, without locale.

The rules: a real minus sign, a sign on every change, thousands separators, one decimal for percentages and more
only where a bound would otherwise read as zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MINUS = "−"
MOST_DECIMALS = 6


@dataclass(frozen=True)
class Numbers:
    """Number formats of one language, by its marks."""

    decimal: str = "."
    thousands: str = ","

    def fixed(self, value: float, decimals: int, *, sign: bool = False) -> str:
        """`value` with fixed decimals.

        >>> Numbers().fixed(-1234.56, 1), Numbers().fixed(0.04, 2, sign=True), Numbers(",", ".").fixed(1234.5, 1)
        ('−1,234.6', '+0.04', '1.234,5')
        """
        digits = f"{abs(value):,.{decimals}f}"
        digits = "".join({",": self.thousands, ".": self.decimal}.get(char, char) for char in digits)
        if not any(char in "123456789" for char in digits):
            return digits  # what rounds to zero has no sign
        return (MINUS if value < 0 else "+" if sign else "") + digits

    def integer(self, value: float) -> str:
        return self.fixed(value, 0)

    def trimmed(self, value: float, decimals: int = 4, *, sign: bool = False) -> str:
        """As `fixed`, without trailing zeros: for numbers people wrote themselves, such as margins.

        >>> Numbers().trimmed(4.0), Numbers().trimmed(2.50)
        ('4', '2.5')
        """
        text = self.fixed(value, decimals, sign=sign)
        return text.rstrip("0").rstrip(self.decimal) if self.decimal in text else text

    def p(self, value: float) -> tuple[str, str]:
        """The form (equal, below, above) and the digits of a p-value: two digits that count.

        >>> [Numbers().p(x) for x in (0.4, 0.012, 0.0042, 0.00001, 0.999)]
        [('equal', '0.40'), ('equal', '0.012'), ('equal', '0.0042'), ('below', '0.0001'), ('above', '0.99')]
        """
        if value < 0.0001:
            return "below", self.fixed(0.0001, 4)
        if value > 0.99:
            return "above", self.fixed(0.99, 2)
        return "equal", self.fixed(value, max(2, 1 - math.floor(math.log10(value))))


def decimals_for(values: Iterable[float], least: int) -> int:
    """Decimals such that no value other than zero reads as zero.

    >>> decimals_for((2.4, 5.9), 1), decimals_for((0.02, 1.1), 1)
    (1, 2)
    """
    decimals = least
    nonzero = [abs(value) for value in values if value != 0]
    while decimals < MOST_DECIMALS and any(round(value, decimals) == 0 for value in nonzero):
        decimals += 1
    return decimals


def by_size(value: float) -> int:
    """Decimals for a plain value of this size: about three digits that count.

    >>> [by_size(x) for x in (2140.0, 214.0, 48.2, 1.86, 0.031)]
    [0, 0, 1, 2, 3]
    """
    size = abs(value)
    if size >= 100:
        return 0
    if size >= 10:
        return 1
    if size >= 0.1 or size == 0:
        return 2
    return min(MOST_DECIMALS, 1 - math.floor(math.log10(size)))
