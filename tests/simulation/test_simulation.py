"""The short version of `make calibrate`, with other draws than the full one, against its page and the promises.

Two tests per line: the errors of both versions come from one rate (Fisher), and where the full version found the
promise kept, so does this one (binomial). Both fail by chance once in a million, or rather never: the seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from tests.simulation import pipeline
from tests.simulation.case import Case
from tests.simulation.data import normal, skewed, two_means
from tests.simulation.registry import CASES
from tests.simulation.runner import Tally, generator, run
from tests.simulation.table import Row, pipeline_rows, read, rows_of

CHANCE = 1e-6
RECORDED = read()


def agree(row: Row) -> None:
    name = (row.section, row.scenario, row.measure)
    assert name in RECORDED, f"{name} is not in docs/calibration.md; run make calibrate"
    full, short = RECORDED[name], row.tally
    counts = [[full.hits, full.tested - full.hits], [short.hits, short.tested - short.hits]]
    assert scipy.stats.fisher_exact(counts).pvalue > CHANCE, f"{name}: {full} in the table, now {short}"
    kept = Row(*name, full, row.nominal, row.errors).verdict == "as promised"
    if kept and short.tested:
        assert scipy.stats.binomtest(short.hits, short.tested, row.nominal).pvalue > CHANCE, f"{name}: now {short}"


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.name)
def test_as_in_the_table(case: Case) -> None:
    for row in rows_of(case, run(case, "fast", case.fast), ""):
        agree(row)


def test_the_whole_pipeline() -> None:
    # Comparisons of one log are correlated: too few logs for an error of their own, so the band is that of a quarter
    # as many independent ones.
    found = pipeline.world(0, "fast", pipeline.FAST)
    rows = [r for r in pipeline_rows([found]) if r.scenario != "from YAML, all designs"]
    assert sum(r.tally.tested for r in rows if "false alarm" in r.measure) > 100
    for row in rows:
        quarter = Tally(row.tally.hits // 4, row.tally.tested // 4, row.tally.runs // 4)
        agree(Row(row.section, row.scenario, row.measure, quarter, row.nominal, row.errors, row.promise))


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_table_has_no_other_lines() -> None:
    known = {(c.method, c.scenario, m.name) for c in CASES for m in c.measures}
    assert {name for name in RECORDED if name[0] != "whole pipeline"} == known


def test_skewness_is_what_it_says() -> None:
    values = skewed(10.0, mean=2.0).draw(generator("skewness"), (1, 1_000_000))[0]
    assert values.mean() == pytest.approx(2.0, rel=0.02)
    assert float(scipy.stats.skew(values)) == pytest.approx(10.0, rel=0.3)


def test_a_wrong_variance_would_be_noticed() -> None:
    # 20 % too small a variance makes 5 % into 8 %.
    z = np.abs(generator("wrong").standard_normal(20_000)) / np.sqrt(0.8)
    row = Row("x", "y", "z", Tally(int((z > 1.96).sum()), 20_000, 20_000), 0.05)
    assert row.verdict == "too many"


def test_seeds_belong_to_names() -> None:
    draw = two_means(normal(0, 1), normal(0, 1), 5, 5)
    first = [t.mean for t, _ in draw(generator("a", 0), 3)]
    assert first == [t.mean for t, _ in draw(generator("a", 0), 3)]
    assert first != [t.mean for t, _ in draw(generator("a", 1), 3)]
