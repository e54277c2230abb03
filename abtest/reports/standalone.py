"""What every page of ours needs: the templates, the texts of style and script, and a policy that allows just these."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from abtest.shipped import shipped


def policy(style: str, script: str | None) -> str:
    """The content security policy of a page with this style and this script (none at all for None), and nothing else."""
    scripts = f"'{_hash(script)}'" if script is not None else "'none'"
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src {scripts}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@cache
def asset(name: str, folder: str = "report") -> str:
    """The text of a stylesheet or script."""
    return (shipped("templates") / folder / name).read_text(encoding="utf-8").strip()


@cache
def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(shipped("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        newline_sequence="\n",
    )


def script_json(text: str) -> str:
    """JSON inside a script element: no `<` may stand in it, and no unpaired surrogate, which UTF-8 cannot write."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("<", "\\u003c")
