"""All cases. To add one, append a `Case` to the module of its method; to add a method, a module with `CASES`."""

from tests.simulation import (
    adjusted,
    clustered,
    exacts,
    families,
    looks,
    margins,
    means,
    ordinals,
    parts,
    planned,
    proportions,
    quantiles,
    ratios,
    shapes,
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
    families,
    parts,
    shapes,
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
BY_NAME = {case.name: case for case in CASES}
