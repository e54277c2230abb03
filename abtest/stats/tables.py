"""Tables of counts: do the arms fill the cells of a classification alike, and who moved from where to where?

The homogeneity test is the one global question before any single cell is looked at. Units must be independent and each
in just one cell. A small p-value says that the tables differ somewhere, not where and not by how much; Cramer's V is
the size, and with a million units a V of 0.005 is significant. A migration table counts the same units before (rows)
and after (columns): Bowker's test asks whether as many move one way as back, and the Cochran-Mantel-Haenszel test
compares the arms among units with the same start. Cells must be built on units, not on events.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abtest.stats.contrast import normal_inference
from abtest.stats.distributions import chi_square_upper
from abtest.stats.inference import Inference, Status, no_test

Table = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class TableTest:
    """A chi-square test of counts.

    `status` "no_test" with a `reason`: `no_units`, `one_row`, `one_column` (nothing to compare once empty rows and
    columns are left out), `no_moves` (a migration table with nothing off its diagonal), `no_overlap` (no stratum with
    units of two arms and in two cells). With status "ok" the reason `small_expected` warns that the approximation is
    rough. `cramers_v` in [0, 1] only for `homogeneity`; `smallest_expected` where expected counts exist.
    """

    status: Status
    reason: str | None
    statistic: float | None = None
    df: int | None = None
    p_value: float | None = None
    cramers_v: float | None = None
    smallest_expected: float | None = None


def homogeneity(table: Table) -> TableTest:
    """Pearson's chi-square of a k x c table, arms in rows, cells in columns; df = (k - 1)(c - 1) (Pearson 1900).

    Empty rows and columns are left out and not counted in df. `small_expected` by Cochran's rule (1954): an expected
    count below 1, or more than a fifth of them below 5; `merge_rare` is the remedy. Cramer's V = sqrt(chi2 / n /
    min(k - 1, c - 1)) (Cramer 1946). Raises ValueError for negative counts and rows of different length.

    >>> fan = homogeneity([[150, 85, 70, 80, 140, 105, 180, 190], [120, 80, 60, 90, 150, 100, 200, 200]])
    >>> round(fan.statistic, 6), fan.df, round(fan.p_value, 6), round(fan.cramers_v, 4)
    (6.618135, 7, 0.469691, 0.0575)
    """
    counts = _filled(_checked(table))
    if not counts:
        return TableTest("no_test", "no_units")
    rows, columns = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    n = sum(rows)
    expected = [row * column / n for row in rows for column in columns]
    if len(rows) < 2 or len(columns) < 2:
        return TableTest("no_test", "one_row" if len(rows) < 2 else "one_column")
    # (observed - expected)^2 / expected in whole numbers up to the one division, so that a table of equal shares gives
    # just 0 and no count is too large.
    statistic = math.fsum(
        (counts[i][j] * n - row * column) ** 2 / (n * row * column)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    )
    df = (len(rows) - 1) * (len(columns) - 1)
    return TableTest(
        status="ok",
        reason="small_expected" if _rough(expected) else None,
        statistic=statistic,
        df=df,
        p_value=chi_square_upper(statistic, df),
        cramers_v=min(1.0, math.sqrt(statistic / n / min(len(rows) - 1, len(columns) - 1))),
        smallest_expected=min(expected),
    )


def merge_rare(table: Table, *, at_least: float = 5.0) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """The table with its rare columns added up into one, and the numbers (from 0) of the columns that went into it.

    A column is rare if an expected count in it is below `at_least`. If the rest column is still rare, the smallest of
    the others joins it, and so on. The choice looks at the totals of rows and columns only, never at differences
    between the arms, so the test of the merged table keeps its level. Merged columns come last; nothing to merge: the
    table as it was, and (). Only for cells without an order (for a scale, merge neighbours by hand).

    >>> merge_rare([[50, 4, 40, 3], [48, 5, 45, 4]])
    (((50, 40, 7), (48, 45, 9)), (1, 3))
    """
    counts = _checked(table)
    columns = [sum(column) for column in zip(*counts, strict=True)]
    rows = [total for row in counts if (total := sum(row)) > 0]
    if not rows:
        return tuple(tuple(row) for row in counts), ()
    share = min(rows) / sum(rows)
    order = sorted(range(len(columns)), key=lambda j: (columns[j], j))
    rare = [j for j in order if columns[j] * share < at_least]
    merged = sum(columns[j] for j in rare)
    for j in order[len(rare) :]:
        if not rare or merged * share >= at_least:
            break
        rare.append(j)
        merged += columns[j]
    if len(rare) < 2:
        return tuple(tuple(row) for row in counts), ()
    kept = [j for j in range(len(columns)) if j not in set(rare)]
    return tuple((*(row[j] for j in kept), sum(row[j] for j in rare)) for row in counts), tuple(sorted(rare))


def symmetry(table: Table) -> TableTest:
    """Bowker's test of a square migration table: sum over pairs of cells (n_ij - n_ji)^2 / (n_ij + n_ji) (Bowker 1948).

    df counts the pairs that somebody moved between; other programs count empty pairs too, which makes p too large. For
    a 2 x 2 table it is McNemar's test without continuity correction. `small_expected`: a pair with fewer than 10 moves,
    5 each way if they are balanced. Raises ValueError for a table that is not square.

    >>> moved = symmetry([[60, 12, 5], [20, 70, 10], [6, 25, 80]])
    >>> round(moved.statistic, 6), moved.df, round(moved.p_value, 6)
    (8.519481, 3, 0.036411)
    """
    counts = _checked(table)
    if counts and len(counts) != len(counts[0]):
        raise ValueError(f"a migration table is square, got {len(counts)} x {len(counts[0])}")
    pairs = [(counts[i][j], counts[j][i]) for i in range(len(counts)) for j in range(i)]
    moves = [(there, back) for there, back in pairs if there + back > 0]
    if not moves:
        return TableTest("no_test", "no_moves" if any(sum(row) for row in counts) else "no_units")
    statistic = math.fsum((there - back) ** 2 / (there + back) for there, back in moves)
    smallest = min(there + back for there, back in moves) / 2.0
    return TableTest(
        status="ok",
        reason="small_expected" if smallest < 5.0 else None,
        statistic=statistic,
        df=len(moves),
        p_value=chi_square_upper(statistic, len(moves)),
        smallest_expected=smallest,
    )


def stratified(strata: Sequence[Table], *, scores: Sequence[float] | None = None) -> TableTest:
    """Do the arms end in different cells, given where they started? Generalised Cochran-Mantel-Haenszel test.

    One k x c table per stratum (cell before), arms in rows, cells after in columns. Within a stratum all margins are
    given, and the differences from expectation and their covariances add up over strata (Landis, Heyman & Koch 1978,
    sections 3-4; Mantel & Haenszel 1959 without continuity correction for k = c = 2). Without `scores` any difference
    counts, df = (k - 1)(c - 1); with one score per column only that of the mean scores, df = k - 1, which is the more
    powerful for ordered cells. df is the rank of the covariance matrix, less where arms or cells are empty. Differences
    that go one way in one stratum and the other way in another cancel: look at the strata. `small_expected`: an
    expected count summed over strata is below 5. Raises ValueError for tables of different shapes.

    >>> result = stratified([[[30, 15, 5], [20, 18, 12]], [[10, 20, 30], [6, 18, 34]]], scores=[0, 1, 2])
    >>> round(result.statistic, 6), result.df, round(result.p_value, 6)
    (5.663713, 1, 0.017319)
    """
    tables = [np.array(_checked(table), dtype=np.float64) for table in strata]
    if not tables or sum(float(table.sum()) for table in tables) == 0.0:
        return TableTest("no_test", "no_units")
    shape = tables[0].shape
    if any(table.shape != shape for table in tables):
        raise ValueError("all strata need the same arms and cells")
    arms, cells = shape
    if scores is not None and (len(scores) != cells or not all(math.isfinite(score) for score in scores)):
        raise ValueError(f"need one finite score per cell, got {tuple(scores)} for {cells} cells")
    weights = np.eye(cells) if scores is None else _standardised(scores)[:, None]
    width = weights.shape[1]
    difference, covariance = np.zeros(arms * width), np.zeros((arms * width, arms * width))
    expected = np.zeros(shape)
    for table in tables:
        n = float(table.sum())
        if n < 2.0:
            continue
        # In shares of the stratum, so that products of large counts stay in range.
        rows, columns = table.sum(axis=1) / n, table.sum(axis=0) / n
        # A column of deviations from the stratum's mean (of the share of a cell, of the score) per statistic.
        deviation = weights - columns @ weights
        # Cells of one score: what rounding leaves of their spread would count as a degree of freedom.
        deviation[np.abs(deviation) <= 1e-14] = 0.0
        spread_rows = np.diag(rows) - np.outer(rows, rows)
        spread_cells = deviation.T @ (columns[:, None] * deviation)
        difference += ((table - n * np.outer(rows, columns)) @ deviation).ravel()
        covariance += np.kron(spread_rows, spread_cells) * (n * n / (n - 1.0))
        expected += n * np.outer(rows, columns)
    statistic, df = _quadratic_form(difference, covariance)
    if df == 0:
        return TableTest("no_test", "no_overlap")
    used = expected[np.ix_(expected.sum(axis=1) > 0.0, expected.sum(axis=0) > 0.0)]
    smallest = float(used.min())
    return TableTest(
        status="ok",
        reason="small_expected" if smallest < 5.0 else None,
        statistic=statistic,
        df=df,
        p_value=chi_square_upper(statistic, df),
        smallest_expected=smallest,
    )


def mean_shift(strata: Sequence[Table], scores: Sequence[float], *, alpha: float = 0.05) -> Inference:
    """By how much do units of the second arm end higher than those of the first that started in the same cell?

    Two rows per stratum (control, treatment), one score per column. The differences of the mean scores weigh by
    n_c n_t / n (Mantel & Haenszel 1959), which is the slope of the arm in a regression with one intercept per stratum.
    z^2 is the statistic of `stratified` with scores, and the interval has the same error (Landis, Heyman & Koch 1978,
    section 4), so that the two cannot disagree. `absolute` is in the unit of the scores; there is no lift of it
    (`no_baseline`). Statuses: `no_units`, `no_overlap` (no stratum with units of both arms and in two cells),
    `too_far_apart`. Raises ValueError for other than two rows, and as `stratified` does.

    >>> found = mean_shift([[[30, 15, 5], [20, 18, 12]], [[10, 20, 30], [6, 18, 34]]], [0, 1, 2])
    >>> round(found.absolute.estimate, 6), round(found.statistic**2, 6), round(found.p_value, 6)
    (0.236858, 5.663713, 0.017319)
    """
    tables = [_checked(table) for table in strata]
    if any(len(table) != 2 for table in tables):
        raise ValueError("a shift is one of two arms: control, treatment")
    if any(len(row) != len(scores) for table in tables for row in table) or not all(map(math.isfinite, scores)):
        raise ValueError(f"need one finite score per cell, got {tuple(scores)}")
    if not any(any(row) for table in tables for row in table):
        return no_test("no_units", "mean_shift", relative_reason="no_baseline")
    weights, shifts, variances = [], [], []
    for control, treatment in tables:
        n_c, n_t = sum(control), sum(treatment)
        n = n_c + n_t
        if n_c == 0 or n_t == 0:
            continue
        both = [a + b for a, b in zip(control, treatment, strict=True)]
        mean = math.fsum(count / n * score for count, score in zip(both, scores, strict=True))
        above = [score - mean for score in scores]
        weight = n_c / n * n_t
        gap = math.fsum((b / n_t - a / n_c) * d for a, b, d in zip(control, treatment, above, strict=True))
        weights.append(weight)
        shifts.append(weight * gap)
        if sum(count > 0 for count in both) > 1:
            spread = math.fsum(count / n * d * d for count, d in zip(both, above, strict=True))
            variances.append(weight * n / (n - 1) * spread)
    variance = math.fsum(variances)
    if not variance > 0.0:
        return no_test("no_overlap", "mean_shift", relative_reason="no_baseline")
    total = math.fsum(weights)
    estimate, se = math.fsum(shifts) / total, math.sqrt(variance) / total
    return normal_inference(estimate, se, method="mean_shift", alpha=alpha, beyond="too_far_apart")


def _checked(table: Table) -> list[list[int]]:
    counts = [[int(count) for count in row] for row in table]
    if any(
        kept != given for row, read in zip(counts, table, strict=True) for kept, given in zip(row, read, strict=True)
    ):
        raise ValueError("counts must be whole numbers")
    if any(len(row) != len(counts[0]) for row in counts):
        raise ValueError(f"rows of a table have one length, got {[len(row) for row in counts]}")
    if any(count < 0 for row in counts for count in row):
        raise ValueError("counts must not be negative")
    return counts


def _filled(counts: list[list[int]]) -> list[list[int]]:
    used = [any(column) for column in zip(*counts, strict=True)]
    return [[count for count, keep in zip(row, used, strict=True) if keep] for row in counts if any(row)]


def _rough(expected: list[float]) -> bool:
    return min(expected) < 1.0 or sum(count < 5.0 for count in expected) > 0.2 * len(expected)


def _standardised(scores: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    # The test does not depend on their unit or origin, its arithmetic does.
    low, high = min(scores), max(scores)
    half = high / 2.0 - low / 2.0
    if half == 0.0:
        return np.zeros(len(scores))
    return np.array([(score / 2.0 - low / 2.0) / half for score in scores])


def _quadratic_form(
    difference: np.ndarray[tuple[int], np.dtype[np.float64]],
    covariance: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> tuple[float, int]:
    """d' V^- d and the rank of V. All arms and cells are in it, so V is singular by design; its null space is dropped."""
    # Brought to a unit diagonal first: rare cells must not be taken for empty ones.
    scale = np.sqrt(np.diag(covariance))
    used = scale > 0.0
    if not used.any():
        return 0.0, 0
    d = difference[used] / scale[used]
    values, vectors = np.linalg.eigh(covariance[np.ix_(used, used)] / np.outer(scale[used], scale[used]))
    kept = values > 1e-9 * values[-1]
    along = vectors.T[kept] @ d
    return float((along * along / values[kept]).sum()), int(kept.sum())
