"""Quantiles and tail areas of the normal and Student's t, and nothing else.

Every tail area is computed as a survival function. `1 - cdf(z)` is exactly 0 from z = 8.3 on, and a report would then
print a p-value of zero; the tail of the mirrored point stays positive until z = 38.

Only `scipy.special` is used: importing `scipy.stats` costs most of a second, which a command-line tool pays at every
start.
"""

import math

from scipy import special


def check_alpha(alpha: float) -> None:
    """Refuse an error rate that is no probability strictly between 0 and 1.

    >>> check_alpha(0.05)
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie strictly between 0 and 1, got {alpha!r}")


def normal_upper(z: float) -> float:
    """P(Z > z) for a standard normal Z.

    >>> round(normal_upper(1.959964), 6)
    0.025
    >>> normal_upper(30.0) > 0.0
    True
    """
    return float(special.ndtr(-z))


def t_upper(t: float, df: float) -> float:
    """P(T > t) for Student's t with `df` > 0 degrees of freedom; `df` may be infinite (then the normal).

    >>> round(2 * t_upper(1.860813, 17.776474), 6)
    0.079394
    """
    if df <= 0.0:
        raise ValueError(f"degrees of freedom must be positive, got {df!r}")
    if math.isinf(df):
        return normal_upper(t)
    return float(special.stdtr(df, -t))


def two_sided(statistic: float, df: float = math.inf) -> float:
    """P(|T| > |statistic|); the normal unless `df` is finite. Always in [0, 1].

    >>> round(two_sided(1.959964), 6)
    0.05
    >>> two_sided(0.0)
    1.0
    """
    return min(1.0, 2.0 * t_upper(abs(statistic), df))


def critical_value(alpha: float, df: float = math.inf) -> float:
    """The c > 0 with P(|T| > c) = alpha; the normal unless `df` is finite.

    An interval `estimate +- c * se` has coverage 1 - alpha. Raises ValueError for an alpha outside (0, 1).

    >>> round(critical_value(0.05), 6)
    1.959964
    >>> round(critical_value(0.05, df=9), 6)
    2.262157
    """
    check_alpha(alpha)
    if df <= 0.0:
        raise ValueError(f"degrees of freedom must be positive, got {df!r}")
    # Asked for the lower tail and mirrored, so that a tiny alpha is never turned into 1 - alpha/2, which rounds to 1.
    lower = special.ndtri(alpha / 2.0) if math.isinf(df) else special.stdtrit(df, alpha / 2.0)
    # The lower tail is negative; its absolute value keeps that true where the quantile overflows to +inf (alpha of 1e-300).
    return abs(float(lower))


def chi_square_upper(statistic: float, df: float) -> float:
    """P(X > statistic) for a chi-square X with `df` > 0 degrees of freedom.

    >>> round(chi_square_upper(9.5, 2), 7)
    0.0086517
    """
    return float(special.chdtrc(df, statistic))
