"""Where the folders that ship with the package are: in a wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path


def shipped(folder: str) -> Path:
    """The shipped folder `metrics`, `reports` or `templates`, wherever this package is installed.

    >>> shipped("reports").joinpath("en.yml").is_file()
    True
    """
    here = Path(__file__).resolve().parent
    packed = here / "_shipped" / folder
    return packed if packed.is_dir() else here.parent / folder


def languages() -> tuple[str, ...]:
    """The languages that reports speak: files of `reports/` named by a two-letter code.

    >>> languages()
    ('en', 'nl')
    """
    return tuple(sorted(path.stem for path in shipped("reports").glob("*.yml") if len(path.stem) == 2))
