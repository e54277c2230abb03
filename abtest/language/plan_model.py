"""What a plan may say about when it is read, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["fixed", "sequential", "group_sequential", "hybrid", "bayesian"]
METHODS = ("fixed", "sequential", "group_sequential", "hybrid", "bayesian")


@dataclass(frozen=True)
class Spending:
    """Which part of alpha may be spent by when; `gamma` belongs to Hwang, Shih and DeCani alone."""

    name: Literal["obrien_fleming", "pocock", "hwang_shih_decani"] = "obrien_fleming"
    gamma: float = -4.0


@dataclass(frozen=True)
class Prior:
    """What is believed of a relative change before the data; `mean` and `sd` are those of `own`, as fractions."""

    kind: Literal["flat", "weak", "own", "history"] = "flat"
    mean: float = 0.0
    sd: float = 0.0


EARLY_LITTLE, FLAT_PRIOR = Spending(), Prior()
