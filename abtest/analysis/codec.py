"""`Result` to JSON and back without loss, driven by the types of the dataclasses alone."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from abtest.analysis.result import SCHEMA, Result

ASIDE = frozenset(
    {
        "adjustment",
        "unadjusted",
        "scale",
        "equivalence",
        "selected",
        "selected_absolute",
        "clustering",
        "beside",
        "curves",
        "dimension",
        "answers",
        "phase",
        "tags",
        "cannot",
        "told",
        "advice",
        "movement",
        "moderators",
        "believed",
        "looks",
        "planned_looks",
        "spending",
        "gamma",
        "units",
        "monitoring",
        "prior",
        "prior_mean",
        "prior_sd",
        "prior_from",
        "data_absolute",
        "data_relative",
        "bound",
        "spent",
        "final",
        "retention",
        "trajectory",
        "across",
        "robustness",
    }
)
"""Fields that most comparisons do not have: left out of the JSON where they hold their default."""


class WrongSchema(ValueError):
    """The JSON is not a result of this version."""


def to_json(result: Result) -> str:
    """Canonical text: keys in the order of the fields, shortest exact floats, one newline at the end."""
    return json.dumps(encode(result), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def from_json(text: str) -> Result:
    """The `Result` that `to_json` wrote. Raises `WrongSchema` for other versions, ValueError for other JSON."""
    raw = json.loads(text)
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise WrongSchema(f"expected a result of schema {SCHEMA}")
    decoded = decode(raw, Result)
    assert isinstance(decoded, Result)
    return decoded


def encode(value: Any) -> Any:
    """Plain JSON values of a tree of frozen dataclasses. Non-finite floats are a programming error."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = (f for f in fields(value) if f.name not in ASIDE or getattr(value, f.name) != f.default)
        return {f.name: encode(getattr(value, f.name)) for f in kept}
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a result never holds NaN or infinity; use None and a reason")
    return value


def decode(raw: Any, kind: Any) -> Any:
    """The value of type `kind` that `encode` turned into `raw`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if raw is None:
            return None
        options = [a for a in args if a is not type(None)]
        if len(options) == 1:
            return decode(raw, options[0])
        return raw
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(decode(item, args[0]) for item in raw)
        return tuple(decode(item, arg) for item, arg in zip(raw, args, strict=True))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {f.name for f in fields(kind)}
        return kind(**{name: decode(value, hints[name]) for name, value in raw.items() if name in known})
    if origin is Literal and raw not in args:
        raise ValueError(f"{raw!r} is none of {args}")
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    return raw
