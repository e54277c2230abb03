"""Many questions, one error rate: adjusted p-values, and the level of the intervals of what was selected.

Three promises, from strict to lenient. Bonferroni, Holm and Hochberg limit the chance of any false claim: Holm is
never weaker than Bonferroni and asks nothing of the tests; Hochberg is never weaker than Holm but needs independent or
positively dependent tests. Benjamini-Hochberg and Benjamini-Yekutieli limit the expected share of false claims among
the claims made, the second under any dependence. What can go wrong: choosing the method, or the family of tests, after
the p-values were seen; and showing ordinary intervals next to selected results, which are too narrow (`fcr_alpha`).
"""

from collections.abc import Callable, Sequence

from abtest.stats.distributions import check_alpha


def bonferroni(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values m * p (Bonferroni; Dunn 1961), valid under any dependence; in the order they came in.

    Comparing an adjusted value with alpha keeps the chance of any false rejection at alpha. It is the one of these
    methods with simple simultaneous intervals: each at level 1 - alpha / m. None (no test) stays None and does not
    count. Raises ValueError for a p-value outside [0, 1].

    >>> bonferroni([0.01, None, 0.04, 0.5])
    (0.03, None, 0.12, 1.0)
    """
    return _step_down(p_values, lambda tests, rank: tests)


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values (Holm 1979), valid under any dependence of the tests; in the order they came in.

    Comparing an adjusted value with alpha keeps the chance of any false rejection at alpha. None (no test) stays None
    and does not count: a metric that could not be tested must not make the others harder. Raises ValueError for a
    p-value outside [0, 1].

    >>> holm([0.01, None, 0.04, 0.03])
    (0.03, None, 0.06, 0.06)
    """
    return _step_down(p_values, lambda tests, rank: tests - rank + 1)


def hochberg(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values (Hochberg 1988, step-up), in the order they came in.

    Comparing an adjusted value with alpha keeps the chance of any false rejection at alpha, for independent or
    positively dependent tests only (Sarkar 1998); in doubt take `holm`. Never above Holm's. None (no test) stays None
    and does not count. Raises ValueError for a p-value outside [0, 1].

    >>> hochberg([0.01, None, 0.04, 0.03])
    (0.03, None, 0.04, 0.04)
    """
    return _step_up(p_values, lambda tests, rank, p: (tests - rank + 1) * p)


def benjamini_hochberg(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values (Benjamini & Hochberg 1995, step-up), in the order they came in.

    Calling those below q keeps the expected share of false calls among all calls at q, for independent or positively
    dependent tests. None (no test) stays None and does not count. Raises ValueError for a p-value outside [0, 1].

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    (0.03, None, 0.04, 0.04)
    """
    return _step_up(p_values, lambda tests, rank, p: tests * p / rank)


def benjamini_yekutieli(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values (Benjamini & Yekutieli 2001, theorem 1.3), in the order they came in.

    As `benjamini_hochberg` with each value times 1 + 1/2 + ... + 1/m: the share of false calls stays at q under any
    dependence of the tests. None (no test) stays None and does not count. Raises ValueError for a p-value outside
    [0, 1].

    >>> benjamini_yekutieli([0.04, None, 0.045])
    (0.0675, None, 0.0675)
    """
    harmonic = sum(1.0 / i for i in range(1, sum(p is not None for p in p_values) + 1))
    return _step_up(p_values, lambda tests, rank, p: harmonic * (tests * p / rank))


def fcr_alpha(alpha: float, selected: int, tests: int) -> float:
    """The `alpha` for the intervals of what was selected: selected * alpha / tests (Benjamini & Yekutieli 2005).

    Intervals that are shown only for the `selected` of `tests` results that Benjamini-Hochberg called at `alpha` then
    miss their parameter in an expected share of at most alpha (false coverage rate), for independent or positively
    dependent estimates. Such an interval never contains the null value. Raises ValueError unless 0 < alpha < 1 and
    1 <= selected <= tests.

    >>> round(fcr_alpha(0.05, selected=3, tests=10), 6)
    0.015
    """
    check_alpha(alpha)
    if not 1 <= selected <= tests:
        raise ValueError(f"need 1 <= selected <= tests, got {selected} of {tests}")
    return alpha * selected / tests


def fcr_level(alpha: float, selected: int, tests: int) -> float:
    """The confidence level 1 - selected * alpha / tests that belongs to `fcr_alpha`, for captions.

    >>> round(fcr_level(0.05, selected=3, tests=10), 6)
    0.985
    """
    return 1.0 - fcr_alpha(alpha, selected, tests)


def _tested(p_values: Sequence[float | None]) -> list[tuple[float, int]]:
    """The p-values that exist, smallest first, with their places."""
    tested = [(p, place) for place, p in enumerate(p_values) if p is not None]
    if not all(0.0 <= p <= 1.0 for p, _ in tested):
        raise ValueError(f"p-values lie in [0, 1], got {tuple(p_values)}")
    return sorted(tested)


def _step_down(p_values: Sequence[float | None], factor: Callable[[int, int], int]) -> tuple[float | None, ...]:
    tested = _tested(p_values)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p, place) in enumerate(tested, start=1):
        # The running maximum keeps the order: a larger p never ends up with a smaller adjusted one.
        running = max(running, min(1.0, factor(len(tested), rank) * p))
        adjusted[place] = running
    return tuple(adjusted)


def _step_up(p_values: Sequence[float | None], value: Callable[[int, int, float], float]) -> tuple[float | None, ...]:
    tested = _tested(p_values)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 1.0
    for rank in range(len(tested), 0, -1):
        p, place = tested[rank - 1]
        # At the last rank the factor is one; rounding must not move the value below p.
        running = min(running, max(p, value(len(tested), rank, p)))
        adjusted[place] = running
    return tuple(adjusted)
