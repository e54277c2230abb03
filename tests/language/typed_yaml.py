"""YAML as an editor sees it before a schema does: typed scalars, by the rules of YAML 1.2 or of the older 1.1."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import yaml

OLD: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""YAML 1.1: `off` is false, and a date is a date."""


class Core(OLD):  # type: ignore[misc]
    """YAML 1.2, core schema: `off` and dates are text; `true`, 28, 0.5 and an empty value are not."""

    yaml_implicit_resolvers: dict[str, Any] = {}


Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^([Tt]rue|TRUE|[Ff]alse|FALSE)$"), list("tTfF"))
Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
Core.add_implicit_resolver("!int", re.compile("^[-+]?[0-9]+$"), list("-+0123456789"))
Core.add_implicit_resolver(
    "!float", re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"), list("-+.0123456789")
)
Core.add_constructor("!int", lambda _, node: int(node.value))
Core.add_constructor("!float", lambda _, node: float(node.value))


def typed(text: str, loader: Any = Core) -> Any:
    """The document as a schema sees it: keys are text, dates too.

    >>> typed("{key: off, share: 50%, day: 7, on: 2026-03-02}")
    {'key': 'off', 'share': '50%', 'day': 7, 'on': '2026-03-02'}
    >>> typed("{key: off, on: 2026-03-02}", OLD)
    {'key': False, 'true': '2026-03-02'}
    """
    return _plain(yaml.load(text, loader))


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {_name(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node.isoformat() if isinstance(node, date) else node


def _name(key: Any) -> str:
    if key is None or isinstance(key, bool):
        return str({None: "null", True: "true", False: "false"}[key])
    return key.isoformat() if isinstance(key, date) else str(key)
