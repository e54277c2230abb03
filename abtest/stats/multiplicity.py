"""Many questions, one error rate: p-values adjusted by Holm (any false claim) and Benjamini-Hochberg (their share)."""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values (Holm 1979), valid under any dependence of the tests; in the order they came in.

    Comparing an adjusted value with alpha keeps the chance of any false rejection at alpha. None (no test) stays None
    and does not count: a metric that could not be tested must not make the others harder. Raises ValueError for a
    p-value outside [0, 1].

    >>> holm([0.01, None, 0.04, 0.03])
    (0.03, None, 0.06, 0.06)
    """
    tested = [(p, place) for place, p in enumerate(p_values) if p is not None]
    if not all(0.0 <= p <= 1.0 for p, _ in tested):
        raise ValueError(f"p-values lie in [0, 1], got {tuple(p_values)}")
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p, place) in enumerate(sorted(tested)):
        # The running maximum keeps the order: a larger p never ends up with a smaller adjusted one.
        running = max(running, min(1.0, (len(tested) - rank) * p))
        adjusted[place] = running
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values (Benjamini & Hochberg 1995, step-up), in the order they came in.

    Calling those below q keeps the expected share of false calls among all calls at q, for independent or positively
    dependent tests. None (no test) stays None and does not count. Raises ValueError for a p-value outside [0, 1].

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    (0.03, None, 0.04, 0.04)
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    if not all(0.0 <= p <= 1.0 for p, _ in tested):
        raise ValueError(f"p-values lie in [0, 1], got {tuple(p_values)}")
    adjusted: list[float | None] = [None] * len(p_values)
    running = 1.0
    for rank in range(len(tested), 0, -1):
        p, place = tested[rank - 1]
        # At the last rank the factor is one; rounding must not move the value below p.
        running = min(running, max(p, len(tested) * p / rank))
        adjusted[place] = running
    return tuple(adjusted)
