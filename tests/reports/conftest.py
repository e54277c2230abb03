from __future__ import annotations

import pytest

from abtest.analysis.result import Result

from .samples import samples

SAMPLES = samples()


@pytest.fixture(params=list(SAMPLES))
def sample(request: pytest.FixtureRequest) -> Result:
    return SAMPLES[request.param]
