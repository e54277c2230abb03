"""What repeated looks cost: the chance that a fixed test, read again and again, ever calls a difference that is none."""

import math

import numpy as np
from scipy import special

from abtest.stats.distributions import check_alpha, critical_value

_NODES = 160
MOST_LOOKS = 200


def naive_error(looks: int, alpha: float = 0.05) -> float:
    """P(some |z_k| > z_{alpha/2}, k = 1..looks) at equally spaced looks under the null (Armitage, McPherson & Rowe 1969).

    The sum S_k of k independent standard normals goes on while |S_k| < c sqrt(k); its density is carried from look to
    look by Gauss-Legendre quadrature. Correct to about 1e-6 up to 200 looks. Raises ValueError outside 1..200.

    >>> [round(naive_error(k), 4) for k in (1, 2, 5, 10)]
    [0.05, 0.0831, 0.1417, 0.1934]
    """
    check_alpha(alpha)
    if not 1 <= looks <= MOST_LOOKS:
        raise ValueError(f"looks lie in 1..{MOST_LOOKS}, got {looks}")
    c = critical_value(alpha)
    nodes, weights = special.roots_legendre(_NODES)
    at = nodes * c
    mass = weights * c * np.exp(-0.5 * at * at) / math.sqrt(2.0 * math.pi)
    for k in range(2, looks + 1):
        edge = c * math.sqrt(k)
        after = nodes * edge
        step = np.exp(-0.5 * (after[:, None] - at[None, :]) ** 2) / math.sqrt(2.0 * math.pi)
        mass, at = weights * edge * (step @ mass), after
    return 1.0 - float(math.fsum(mass))
