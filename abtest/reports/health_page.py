"""The page of the docs about health checks: from the table of checks, their words, and how often they alarm wrongly."""

from __future__ import annotations

import math
from collections.abc import Mapping

from abtest.analysis.health.table import CHECKS, Check
from abtest.reports.language import Words

Rates = Mapping[str, Mapping[str, int]]
"""Per check: in how many experiments without a fault it ran, carried a note, and failed."""


def health_page(words: Words, measured: Mapping[str, tuple[int, Rates]]) -> str:
    """Markdown. `measured`: per way of measuring (`through_files`, `from_counts`) the number of experiments and rates."""
    parts = [words("health_page.title"), words("health_page.lead"), _table(words), words("health_page.rates")]
    ways = {way: n for way, (n, _) in measured.items()}
    parts.append(words("health_page.measured", **{way: f"{n:,}" for way, n in ways.items()}))
    parts += [_rates(words, {way: rates for way, (_, rates) in measured.items()}), words("health_page.each")]
    parts += [_entry(words, check) for check in CHECKS]
    return "\n\n".join(parts) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _head(words: Words, *keys: str) -> list[str]:
    return [_row(*(words(f"health_page.{key}") for key in keys)), "|---" * len(keys) + "|"]


def _table(words: Words) -> str:
    lines = _head(words, "number", "check", "scope", "nature", "worst", "thresholds")
    for check in CHECKS:
        name = words("health_page.link", name=words(f"checks.{check.key}.name"), key=_anchor(words, check))
        worst = words(f"level.{check.worst}")
        limits = words("list.separator").join(f"`{name} = {_number(value)}`" for name, value in check.thresholds)
        nature = words(f"health_page.natures.{check.nature}")
        lines.append(_row(str(check.number), name, words(f"health_page.scopes.{check.scope}"), nature, worst, limits))
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,g}" if value < 1000 else f"{value:,.0f}"


def _rates(words: Words, measured: Mapping[str, Rates]) -> str:
    lines = _head(words, "check", *(f"{way}_{level}" for way in measured for level in ("note", "fail")))
    for check in CHECKS:
        cells = [_rate(words, rates.get(check.key), level) for rates in measured.values() for level in ("note", "fail")]
        lines.append(_row(words(f"checks.{check.key}.name"), *cells))
    return "\n".join(lines)


def _rate(words: Words, rate: Mapping[str, int] | None, level: str) -> str:
    """The share with its Monte-Carlo standard error; what never happened as a count."""
    if rate is None or not rate["ran"]:
        return words("health_page.not_measured")
    hits, n = rate[level], rate["ran"]
    if not hits:
        return words("health_page.never", n=f"{n:,}")
    share = hits / n
    error = math.sqrt(share * (1 - share) / n)
    return words("health_page.rate", share=f"{100 * share:.2f}%", error=f"{100 * error:.2f}")


def _anchor(words: Words, check: Check) -> str:
    kept = "".join(c for c in words(f"checks.{check.key}.name").lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _entry(words: Words, check: Check) -> str:
    entry = f"checks.{check.key}"
    text = words("health_page.entry", key=check.key, **{p: words(f"{entry}.{p}") for p in ("rule", "cause", "remedy")})
    return f"### {words(f'{entry}.name')}\n\n{text}"
