"""Numbers at the ends of what a computer holds: an answer, a typed reason or one clear sentence, never a wrong number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import abtest
from abtest.analysis.result import Result
from abtest.problems import UserError


def compared(a: list[float], b: list[float]) -> Result:
    frame = pd.DataFrame({"group": ["A"] * len(a) + ["B"] * len(b), "value": [*a, *b]})
    return abtest.compare(frame, variant="group", control="A", metrics={"value": "mean"})


@pytest.mark.parametrize("size", [1e-300, 1e-80, 1e-9, 1.0, 1e9, 1e13, 1e15, 1e18, 1e40, 1e80])
def test_the_unit_of_a_value_does_not_change_its_test(size: float) -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(10, 1, 200), random.normal(10.5, 1, 200)
    found = compared((a * size).tolist(), (b * size).tolist()).metric("value").comparisons[0]
    plain = compared(a.tolist(), b.tolist()).metric("value").comparisons[0]
    if size == 1e-300:
        assert (found.status, found.reason) == ("no_test", "zero_variance")
        return
    assert found.p_value == pytest.approx(plain.p_value, rel=1e-6)
    assert found.relative is not None
    assert plain.relative is not None
    assert found.relative.estimate == pytest.approx(plain.relative.estimate, rel=1e-6)


def test_values_that_cannot_be_squared_are_named() -> None:
    with pytest.raises(UserError) as caught:
        compared([1.0, 2.0, 1e300], [1.0, 2.0, 3.0])
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "E519 value: values up to 1e+300 are too large to compute with\n"
        "  Is a column mapped by mistake? Cap it, or export it in a larger unit."
    )


def test_whole_numbers_beyond_what_cubes_bear() -> None:
    values = [float(x) for x in range(10**15, 10**15 + 50)]
    found = compared(values, [x + 1000 for x in values]).metric("value")
    assert found.arms[1].value == pytest.approx(np.mean(values) + 1000, rel=1e-15)
    assert found.comparisons[0].status == "ok"


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [([5.0] * 20, [5.0] * 20, "zero_variance"), ([1.0], [2.0, 3.0], "one_unit")],
)
def test_nothing_that_varies(a: list[float], b: list[float], reason: str) -> None:
    found = compared(a, b).metric("value").comparisons[0]
    assert (found.status, found.reason, found.state) == ("no_test", reason, "no_test")


def test_a_baseline_below_zero_has_no_lift() -> None:
    found = compared([-3.0, -4.0, -5.0] * 20, [-2.0, -3.0, -4.0] * 20).metric("value").comparisons[0]
    assert (found.relative, found.relative_reason) == (None, "control_not_positive")
    assert found.absolute is not None
    assert found.absolute.estimate == pytest.approx(1.0)


def test_fifty_variants() -> None:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"group": np.repeat([f"v{i}" for i in range(50)], 40), "value": random.normal(5, 1, 2000)})
    result = abtest.compare(frame, variant="group", control="v0", metrics={"value": "mean"})
    comparisons = result.metric("value").comparisons
    assert len(comparisons) == 49
    assert all(c.p_adjusted is not None and c.p_value is not None and c.p_adjusted >= c.p_value for c in comparisons)
    assert len(result.decision.by_variant) == 49


def test_p_below_the_smallest_number() -> None:
    found = compared([0.0, 1.0] * 5000, [1000.0, 1001.0] * 5000).metric("value").comparisons[0]
    assert found.p_value is not None
    assert 0.0 <= found.p_value < 1e-300
    assert found.state == "better"
