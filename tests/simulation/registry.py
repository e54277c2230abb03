"""All cases. To add one, append a `Case` to the module of its method; to add a method, a module with `CASES`."""

from tests.simulation import (
    adjusted,
    calibrated,
    clustered,
    exacts,
    families,
    looks,
    margins,
    means,
    ordinals,
    parts,
    planned,
    plans,
    programs,
    proportions,
    quantiles,
    ratios,
    shapes,
    sizes,
    survivals,
)
from tests.simulation.case import Case

MODULES = (
    means,
    proportions,
    exacts,
    ratios,
    clustered,
    quantiles,
    ordinals,
    survivals,
    adjusted,
    margins,
    looks,
    planned,
    plans,
    sizes,
    programs,
    calibrated,
    families,
    parts,
    shapes,
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
BY_NAME = {case.name: case for case in CASES}
