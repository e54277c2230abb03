"""Loads the reference vectors that came from other projects' published tests."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"


def cases(name: str) -> list[Any]:
    return list(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["cases"])


def case(name: str, identifier: str) -> Any:
    return next(one for one in cases(name) if one["id"] == identifier)
