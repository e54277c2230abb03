"""Engagement metrics in YAML, exported logs in, honest statistics and one decision page out.

The public names are here; everything else may change. They are imported when first used, so that `import abtest` and
the command line start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abtest.version import __version__

if TYPE_CHECKING:
    from abtest.analysis.result import Result
    from abtest.api import compare, load, report, run
    from abtest.language.model import Experiment, Project
    from abtest.problems import UserError

__all__ = ["Experiment", "Project", "Result", "UserError", "__version__", "compare", "load", "report", "run"]

_HOMES = {
    "Experiment": "abtest.language.model",
    "Project": "abtest.language.model",
    "Result": "abtest.analysis.result",
    "UserError": "abtest.problems",
    "compare": "abtest.api",
    "load": "abtest.api",
    "report": "abtest.api",
    "run": "abtest.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'abtest' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
