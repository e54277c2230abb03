"""The p-values of each metric over random splits of the units: in matrix form where there is one, else split by split."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abtest.analysis.adjusting import SMALL_ARM, covaried_of
from abtest.analysis.arms import Arm
from abtest.analysis.procedures import procedure_of
from abtest.analysis.result import Comparison
from abtest.language.model import Experiment, Metric
from abtest.metrics.crossed import Covariates, Entry
from abtest.metrics.joint import columns_of
from abtest.metrics.units import Values
from abtest.metrics.value_counts import needs_counts, raw_answer
from abtest.sources.clusters import CLUSTERS
from abtest.sources.engine import Engine, name
from abtest.sources.units import TABLE
from abtest.stats.clusters import MANY, ClusterArm, cluster_contrast
from abtest.stats.inference import Inference
from abtest.stats.matrix import MomentMatrix, matrix_of
from abtest.stats.moments import Counts, Moments, PairMoments, moments_of, pair_of
from abtest.stats.order_statistics import bootstrap_ranks
from abtest.stats.quantiles import quantile_of
from abtest.stats.rerandomise import Kind, UnitColumn, p_values, split_sums
from abtest.stats.splits import split_labels
from abtest.stats.whole import MOST_UNITS, WholeColumns, grid_of

Array = NDArray[np.float64]
WORK = 20_000_000
"""Units times splits that a test without a matrix form may look at; with more units there are fewer splits."""
LEAST_SPLITS = 100
_KINDS: dict[str, Kind] = {"welch": "mean", "score": "proportion", "delta": "ratio"}
_ADJUSTED = ("cuped", "lin", "lin_hc2")


@dataclass(frozen=True)
class Trial:
    """`p_values`, NaN where a split had no test; or the `reason` why there are none. `why_not`: the reason of most splits
    without a test."""

    method: str | None
    units: int
    p_values: Array
    covered: float | None = None
    reason: str | None = None
    why_not: str | None = None


def trials_of(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: Sequence[Metric],
    tried: Mapping[str, Sequence[Comparison]],
    covariates: Covariates,
    binary: frozenset[str],
    splits: int,
    seed: int,
    progress: Callable[[str], None],
) -> tuple[int, float, list[Trial]]:
    """How many units (or clusters) were split, which share of them was treated, and the trial of each metric.

    With several treatments the smallest is split off, from as many units as two variants have.
    """
    shares = {v.id: v.share or 0.0 for v in experiment.variants}
    positive = [shares[v.id] for v in experiment.treatments if shares[v.id] > 0.0]
    smallest, control = min(positive, default=0.5), shares[experiment.baseline] or 0.5
    part = (smallest + control) / (sum(shares.values()) or 1.0)
    share = smallest / (smallest + control)
    (units,) = engine.one(f"SELECT count(*) FROM {name(values.table)}")
    wanted = min(MOST_UNITS, round(int(units) * min(1.0, part)))
    table = _Table(engine, values, wanted, experiment.cluster is not None)
    work = _Work(table, values, covariates, binary, share, splits, seed, experiment.plan.alpha)
    found: dict[str, Trial] = {}
    fast: dict[str, UnitColumn] = {}
    for metric in metrics:
        comparison = next((c for c in tried[metric.name] if c.status == "ok"), None)
        if comparison is None:
            reason = next((c.reason for c in tried[metric.name] if c.reason), "no_test")
            found[metric.name] = Trial(None, 0, np.zeros(0), reason=reason)
        elif (column := work.column(metric, comparison.method)) is not None:
            fast[metric.name] = column
        else:
            progress(metric.title)
            found[metric.name] = work.by_split(metric, comparison.method)
    ps = p_values(list(fast.values()), share, splits=splits, seed=seed)
    for (key, column), p in zip(fast.items(), ps, strict=True):
        # One test gives p and interval: zero is inside just where p >= alpha.
        tested = p[np.isfinite(p)]
        covered = float((tested >= experiment.plan.alpha).mean()) if len(tested) else None
        method = next(c.method for c in tried[key] if c.status == "ok")
        known = int(np.isfinite(column.values).sum())
        found[key] = Trial(method, known, p, covered, why_not="zero_variance")
    return table.rows, share, [found[m.name] for m in metrics]


class _Table:
    """Columns of the unit values in an order that ids alone decide. `rows` counts what is split: units or clusters."""

    def __init__(self, engine: Engine, values: Values, wanted: int, clustered: bool) -> None:
        self.engine, self.values = engine, values
        self.clustered = clustered
        joined = f"{name(values.table)} v JOIN {name(TABLE)} k USING (u)"
        self.order = "ORDER BY hash(k.uid), k.uid"
        if clustered:
            joined += f" JOIN {name(CLUSTERS)} c USING (u)"
        self.joined, self.limit = joined, "" if clustered else f" LIMIT {wanted}"
        self.known: dict[str, Array] = {}
        first = "c.cluster" if clustered else "v.u"
        self.u = self.ask(first)
        self.places: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.rows = len(self.u)
        if clustered:
            distinct, self.places = np.unique(self.u, return_inverse=True)
            self.rows = len(distinct)

    def ask(self, expression: str) -> Array:
        if expression not in self.known:
            self.known[expression] = self.engine.numbers(f"SELECT {expression} AS x FROM {self.joined} {self.order}{self.limit}")[0]  # fmt: skip
        return self.known[expression]

    def column(self, column: str) -> Array:
        return self.ask(f"v.{name(column)}")

    def entry(self, entry: Entry) -> Array:
        """A covariate: 0 where it is missing, as in the sums of the report."""
        own = f"v.{name(entry.column)}"
        if entry.of is None:
            return np.nan_to_num(self.ask(own))
        if entry.value is None:
            return self.ask(f"CAST({own} IS NULL AS DOUBLE)")
        text = entry.value.replace("'", "''")
        return self.ask(f"CAST(coalesce(CAST({own} AS VARCHAR) = '{text}', false) AS DOUBLE)")

    def by_cluster(self, column: Array) -> Array:
        """Sums over clusters; NaN for units that do not count adds nothing."""
        return np.bincount(self.places, np.nan_to_num(column), self.rows).astype(np.float64)


class _Work:
    def __init__(
        self, table: _Table, values: Values, covariates: Covariates, binary: frozenset[str], share: float, splits: int,
        seed: int, alpha: float,
    ) -> None:  # fmt: skip
        self.table, self.values, self.covariates, self.binary = table, values, covariates, binary
        self.share, self.splits, self.seed, self.alpha = share, splits, seed, alpha

    def parts(self, metric: Metric) -> list[Array]:
        return [self.table.column(c) for c in columns_of(self.values, metric.name)]

    def column(self, metric: Metric, method: str) -> UnitColumn | None:
        """What the matrix form takes; None where the test has no such form."""
        if self.table.clustered:
            sums, sizes = self.clusters(metric)
            worth = float(sizes.sum()) ** 2 / float((sizes**2).sum()) if sizes.any() else 0.0
            if method != "cluster" or worth * min(self.share, 1.0 - self.share) < 1.2 * MANY:
                return None
            known = sizes > 0.0
            return UnitColumn("ratio", np.where(known, sums, math.nan), np.where(known, sizes, math.nan))
        if method not in _KINDS:
            return None
        own = self.parts(metric)
        return UnitColumn(_KINDS[method], own[0], own[1] if len(own) > 1 else None)

    def clusters(self, metric: Metric) -> tuple[Array, Array]:
        own = self.parts(metric)
        counts = np.all(np.isfinite(own), axis=0)
        sizes = own[1] if len(own) > 1 else np.ones(len(counts))
        return self.table.by_cluster(np.where(counts, own[0], 0.0)), self.table.by_cluster(np.where(counts, sizes, 0.0))

    def by_split(self, metric: Metric, method: str) -> Trial:
        """The report's own test on the rows of each split."""
        if "exact" in method or method in ("fisher", "barnard", "boschloo"):
            return Trial(method, 0, np.zeros(0), reason="exact")
        if self.table.clustered:
            return self.few_clusters(metric, method)
        if metric.name in self.covariates.strata:
            return Trial(method, 0, np.zeros(0), reason="strata")
        entries = self.covariates.entries.get(metric.name, ())
        if method in _ADJUSTED and entries:
            return self.adjusted(metric, method, entries)
        if metric.quantile is not None:
            return self.quantile(metric, method)
        return self.rows(metric, method)

    def few(self, units: int) -> int:
        return max(LEAST_SPLITS, min(self.splits, WORK // max(1, units)))

    def labels(self, splits: int) -> NDArray[np.bool_]:
        return split_labels(self.table.rows, self.share, splits=splits, seed=self.seed)

    def few_clusters(self, metric: Metric, method: str) -> Trial:
        sums, sizes = self.clusters(metric)
        if np.any(sizes != np.rint(sizes)) or np.any(sizes < 0.0):
            return Trial(method, 0, np.zeros(0), reason="odd_denominator")
        known = sizes > 0.0

        def arm(who: NDArray[np.bool_]) -> ClusterArm:
            return ClusterArm(tuple(sums[who].tolist()), tuple(int(n) for n in sizes[who]))

        each = [
            cluster_contrast(arm(who & known), arm(~who & known), alpha=self.alpha)
            for who in self.labels(self.few(self.table.rows))
        ]
        return _trial(method, int(known.sum()), each)

    def adjusted(self, metric: Metric, method: str, entries: Sequence[Entry]) -> Trial:
        own = self.parts(metric)
        counts = np.all(np.isfinite(own), axis=0)
        columns = [c[counts] for c in (*own, *(self.table.entry(e) for e in entries))]
        yes, ratio = metric.name in self.binary and len(own) == 1, len(own) > 1
        n = int(counts.sum())
        if n * min(self.share, 1.0 - self.share) < 1.5 * SMALL_ARM:
            rows = np.stack(columns, axis=1)
            sides = [(rows[who[counts]], rows[~who[counts]]) for who in self.labels(self.splits)]
            made = [
                tuple(_arm(matrix_of(r), entries, ratio, yes, r) for r in pair)
                for pair in sides
                if min(map(len, pair)) > 1
            ]
        else:
            matrices = _matrices(columns, counts, ratio, self.share, self.splits, self.seed)
            made = [tuple(_arm(m, entries, ratio, yes) for m in pair) for pair in matrices]
        return _trial(method, n, [self.infer(metric, treatment, control) for treatment, control in made])

    def infer(self, metric: Metric, treatment: Arm, control: Arm) -> Inference:
        return procedure_of(metric, treatment, control).infer(self.alpha, None)

    def quantile(self, metric: Metric, method: str) -> Trial:
        assert metric.quantile is not None
        at, table = metric.quantile.at, self.table
        known = np.isfinite(table.column(self.values.value[metric.name]))
        if metric.name in self.values.spots:
            spots = name(self.values.spots[metric.name])
            u, v = table.engine.numbers(f"SELECT u, v FROM {spots} WHERE v IS NOT NULL ORDER BY u, v")
            order = np.argsort(table.u, kind="stable")
            place = np.searchsorted(table.u[order], u)
            here = (place < len(order)) & (table.u[order[np.minimum(place, len(order) - 1)]] == u)
            owner, events = order[place[here]], v[here]
        else:
            owner, events = np.flatnonzero(known), table.column(self.values.value[metric.name])[known]

        def arm(who: NDArray[np.bool_]) -> Arm:
            mine = who & known
            inside = mine[owner]
            sizes = np.bincount(owner[inside], minlength=len(known))[mine]
            by_unit = np.argsort(owner[inside], kind="stable")
            cut = quantile_of(at, events[inside][by_unit], sizes)
            n = int(mine.sum())
            if metric.test == "bootstrap" and n:
                ranked = np.sort(events[inside])
                return Arm(
                    n, n, 0, 0, quantile=cut, ordered=tuple(float(ranked[r - 1]) for r in bootstrap_ranks(n, at))
                )
            return Arm(n, n, 0, 0, quantile=cut)

        each = [self.infer(metric, arm(who), arm(~who)) for who in self.labels(self.few(max(len(known), len(events))))]
        return _trial(method, int(known.sum()), each)

    def rows(self, metric: Metric, method: str) -> Trial:
        own = self.parts(metric)
        counts = np.all(np.isfinite(own), axis=0)
        raw = raw_answer(metric)
        answers = self.table.column(self.values.value[(raw or metric).name]) if needs_counts(metric) else None
        yes = metric.name in self.binary

        def arm(who: NDArray[np.bool_]) -> Arm:
            mine = who & counts
            n = int(mine.sum())
            found: dict[str, Any] = {}
            if answers is not None:
                each, many = np.unique(answers[mine & np.isfinite(answers)], return_counts=True)
                found["values"] = tuple(zip(each.tolist(), many.tolist(), strict=True))
            if len(own) > 1:
                return Arm(n, n, 0, 0, pair=pair_of(own[0][mine], own[1][mine]), **found)
            made = Counts(int(own[0][mine].sum()), n) if yes else None
            return Arm(n, n, 0, 0, moments=moments_of(own[0][mine]), counts=made, **found)

        each = [self.infer(metric, arm(who), arm(~who)) for who in self.labels(self.few(len(counts)))]
        return _trial(method, int(counts.sum()), each)


def _matrices(
    columns: Sequence[Array], counts: NDArray[np.bool_], ratio: bool, share: float, splits: int, seed: int
) -> list[tuple[MomentMatrix, MomentMatrix]]:
    """The moments of both arms in each split, from exact sums of products of whole numbers. The first column (of a ratio:
    two) is the metric, the others are what it is adjusted by."""
    grids = []
    for column in columns:
        everyone = np.full(len(counts), math.nan)
        everyone[counts] = column
        grids.append(grid_of(everyone, fine=True))
    whole = WholeColumns()
    at = whole.moments_of(counts, grids)
    low, step = np.array([g.low for g in grids]), np.array([g.step for g in grids])

    def matrix(sums: Array) -> MomentMatrix:
        n, first, products = at.read(sums)
        cross = np.outer(step, step) * (products - np.outer(first, first) / n)
        return MomentMatrix(int(n), tuple((low + step * first / n).tolist()), tuple(tuple(r) for r in cross.tolist()))

    def tested(total: Array) -> Array:
        """What adjustment leaves of the metric, a ratio linearised, as a sum of q."""
        found = matrix(total)
        own = 2 if ratio else 1
        kept = np.zeros(len(step))
        kept[0] = 1.0
        if ratio and found.mean[1]:
            kept[1] = -found.mean[0] / found.mean[1]
        cross = np.array(found.cross)
        kept[own:] = -np.linalg.lstsq(cross[own:, own:], cross[own:] @ kept, rcond=None)[0]
        contrast: Array = kept * step
        return contrast

    total, treated = split_sums(whole, at, share, tested, splits=splits, seed=seed)
    return [(matrix(one), matrix(total - one)) for one in treated if 1 < one[at.n] < total[at.n] - 1]


def _arm(matrix: MomentMatrix, entries: Sequence[Entry], ratio: bool, yes: bool, rows: Array | None = None) -> Arm:
    """The arm of an adjusted metric; counts say whether there are enough conversions to adjust."""
    n, mean = matrix.n, matrix.mean
    counts = Counts(round(mean[0] * n), n) if yes else None
    moments = Moments(n, mean[0], matrix.cross[0][0], 0.0) if not ratio else None
    pair = None
    if ratio:
        x, y = (Moments(n, mean[i], matrix.cross[i][i], 0.0) for i in (0, 1))
        pair = PairMoments(n=n, x=x, y=y, cross=matrix.cross[0][1])
    covaried = covaried_of(matrix, entries, ratio, 0, rows)
    return Arm(n, n, 0, 0, moments=moments, pair=pair, counts=counts, covaried=covaried)


def _trial(method: str, units: int, each: Sequence[Inference]) -> Trial:
    p = np.array([math.nan if i.p_value is None else i.p_value for i in each])
    bounded = [i.absolute for i in each if i.absolute is not None and i.absolute.low is not None and i.absolute.high is not None]  # fmt: skip
    inside = [e.low <= 0.0 <= e.high for e in bounded if e.low is not None and e.high is not None]
    reasons = [i.reason for i in each if i.p_value is None and i.reason]
    why = max(sorted(set(reasons)), key=reasons.count) if reasons else None
    return Trial(method, units, p, sum(inside) / len(inside) if inside else None, why_not=why)
