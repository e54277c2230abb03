"""Engagement metrics in YAML, exported logs in, honest statistics and one decision page out."""

from abtest.version import __version__

__all__ = ["__version__"]
