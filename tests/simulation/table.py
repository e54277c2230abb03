"""The table of `docs/calibration.md`: a line per measure, its verdict by an exact test, and reading it back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import scipy.stats

from tests.simulation.case import Case, Measure, Promise
from tests.simulation.pipeline import MEASURES, METRICS, Counts
from tests.simulation.runner import Tally
from tests.simulation.world import DESIGNS

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
CLEAR = 0.001
"""A two-sided p of the verdict below it is clear: in two hundred lines, none by chance."""
Verdict = Literal["as promised", "conservative", "too many", "-"]


@dataclass(frozen=True)
class Row:
    """One line. `se` is given where replications are not independent; the interval is then `rate` -+ t `se`, `df`."""

    section: str
    scenario: str
    measure: str
    tally: Tally
    nominal: float
    errors: bool = True
    promise: Promise = "exactly"
    remark: str = ""
    se: float | None = None
    df: int = 0

    @property
    def rate(self) -> float | None:
        return self.tally.hits / self.tally.tested if self.tally.tested else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """At 95 %: Clopper and Pearson's, or that of clustered replications."""
        if self.rate is None:
            return None
        if self.se:
            half = float(scipy.stats.t.ppf(0.975, self.df)) * self.se
            return max(0.0, self.rate - half), min(1.0, self.rate + half)
        found = scipy.stats.binomtest(self.tally.hits, self.tally.tested).proportion_ci(0.95)
        return float(found.low), float(found.high)

    @property
    def verdict(self) -> Verdict:
        if self.rate is None:
            return "-"
        above, below = self._tails()
        if min(above, below) >= CLEAR / 2:
            return "as promised"
        more = above < below
        return "too many" if more == self.errors else "conservative"

    def _tails(self) -> tuple[float, float]:
        """P(as many or more), P(as few or fewer) if the promised rate holds."""
        hits, n = self.tally.hits, self.tally.tested
        if self.se:
            t = (hits / n - self.nominal) / self.se
            return float(scipy.stats.t.sf(t, self.df)), float(scipy.stats.t.cdf(t, self.df))
        return float(scipy.stats.binom.sf(hits - 1, n, self.nominal)), float(
            scipy.stats.binom.cdf(hits, n, self.nominal)
        )


def rows_of(case: Case, counted: Iterable[tuple[Measure, Tally]], says: str) -> list[Row]:
    remark = "; ".join(x for x in (says, case.comment) if x)
    return [
        Row(case.method, case.scenario, m.name, tally, m.nominal, m.errors, m.promise, remark) for m, tally in counted
    ]


def pipeline_rows(worlds: Sequence[Counts]) -> list[Row]:
    """Rates over all logs; where a log has several tests of a kind, with the error between logs."""
    rows = []
    for design in DESIGNS.values():
        for measure, (words, nominal, promise, remark) in MEASURES.items():
            tallies = [w[(design.name, measure)] for w in worlds if (design.name, measure) in w]
            single = measure not in ("p", "raw", "worse")
            if tallies:
                rows.append(_pooled(f"from YAML, {design.title}", words, tallies, nominal, promise, remark, single))
    for metric in sorted({m for w in worlds for kind, m in w if kind == "metric"}):
        tallies = [w[("metric", metric)] for w in worlds]
        rows.append(
            _pooled(
                "from YAML, all designs",
                f"`{metric}`: p < 0.05",
                tallies,
                0.05,
                "exactly",
                METRICS.get(metric, ""),
                False,
            )
        )
    return rows


def _pooled(
    scenario: str, words: str, tallies: Sequence[Tally], nominal: float, promise: Promise, remark: str, single: bool
) -> Row:
    total = sum(tallies, Tally())
    if single or len(tallies) < 2:
        return Row("whole pipeline", scenario, words, total, nominal, True, promise, remark)
    rate, k = total.hits / total.tested, len(tallies)
    # Linearised as any ratio: a log with more tests has more to say.
    squares = sum((t.hits - rate * t.tested) ** 2 for t in tallies)
    se = math.sqrt(squares * k / (k - 1)) / total.tested
    return Row("whole pipeline", scenario, words, total, nominal, True, promise, remark, se, k - 1)


HEAD = "| scenario | counted | times | rate | 95 % interval | promised | verdict | what the product says; why |"


def render(rows: Sequence[Row]) -> str:
    """The page."""
    parts = [INTRODUCTION.format(clear=sum(r.verdict != "-" for r in rows), **_tally(rows))]
    for section in dict.fromkeys(r.section for r in rows):
        lines = [_line(r) for r in rows if r.section == section]
        parts.append("\n".join([f"## {section}", "", HEAD, "|---|---|---|---|---|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def merge(page: str, rows: Sequence[Row], order: Sequence[str]) -> str:
    """The page with the sections of `rows` put in or replaced; `order` has the methods of all cases."""
    sections = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]}
    for part in re.split(r"^## ", render(rows), flags=re.MULTILINE)[1:]:
        sections[part.split("\n", 1)[0]] = part
    places = {name: number for number, name in enumerate(dict.fromkeys(order))}
    parts = [sections[name].rstrip("\n") for name in sorted(sections, key=lambda name: places.get(name, len(places)))]
    lines = [line.split("|")[7].strip() for part in parts for line in part.splitlines() if _is_row(line)]
    counts = {
        "clear": sum(verdict != "-" for verdict in lines),
        "kept": lines.count("as promised"),
        "conservative": lines.count("conservative"),
        "broken": lines.count("**too many**"),
    }
    return "\n\n".join([INTRODUCTION.format(**counts), *(f"## {part}" for part in parts)]) + "\n"


def _is_row(line: str) -> bool:
    return line.startswith("| ") and line.count("|") == 9 and not line.startswith("| scenario")


def _tally(rows: Sequence[Row]) -> dict[str, int]:
    verdicts = [r.verdict for r in rows]
    return {
        "kept": verdicts.count("as promised"),
        "conservative": verdicts.count("conservative"),
        "broken": verdicts.count("too many"),
    }


def _line(row: Row) -> str:
    tally = row.tally
    times = f"{tally.hits:,} of {tally.tested:,}"
    if tally.runs > tally.tested:
        times += f" ({tally.runs - tally.tested:,} more without)"
    shown = "-" if row.rate is None else _percent(row.rate)
    found = row.interval
    between = "-" if found is None else f"{_percent(found[0])} to {_percent(found[1])}"
    promised = ("" if row.promise == "exactly" else f"{row.promise} ") + _percent(row.nominal, short=True)
    verdict = f"**{row.verdict}**" if row.verdict == "too many" else row.verdict
    return f"| {row.scenario} | {row.measure} | {times} | {shown} | {between} | {promised} | {verdict} | {row.remark} |"


def _percent(share: float, *, short: bool = False) -> str:
    percent = 100 * share
    text = f"{percent:.3f}" if percent < 0.995 else f"{percent:.2f}"
    return (text.rstrip("0").rstrip(".") if short else text) + " %"


def read(page: Path = PAGE) -> dict[tuple[str, str, str], Tally]:
    """The counts of the committed table, by section, scenario and measure."""
    found: dict[tuple[str, str, str], Tally] = {}
    section = ""
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        times = re.match(r"([\d,]+) of ([\d,]+)", cells[2]) if len(cells) == 8 else None
        if times:
            hits, tested = (int(number.replace(",", "")) for number in times.groups())
            found[(section, cells[0], cells[1])] = Tally(hits, tested, tested)
    return found


INTRODUCTION = """\
# Calibration: how often each method errs

This page is written by `make calibrate` and not by hand. Every line is a simulation with a fixed seed: experiments whose
truth is known are drawn, the functions that reports are made with judge each of them, and the errors are counted. A short
version with other draws runs in `make test` and must agree with this page: it has too few draws for small faults, and finds
gross ones (an error rate three or four times as high).

- **times**: how often it happened, of how many simulated experiments. "More without" had no test or no interval (all
  values equal, a lift without bounds): the product says so instead of a number, and they do not count in the rate.
- **95 % interval**: the Monte-Carlo error of the rate, exact (Clopper and Pearson) where experiments are independent, and
  for the whole pipeline from the differences between logs.
- **promised**: the rate that the method claims. "At most" and "at least" are bounds: fewer errors are no fault.
- **verdict**: an exact binomial test of the rate against the promise, clear below p = 0.001. *as promised*: no clear
  difference (with a wide interval that says little). *conservative*: clearly fewer errors than promised. **too many**:
  clearly more, however little.
- **what the product says**: its health notes on such data, with how often they are shown, in code style; then our remark.

Of {clear} lines {kept} are as promised, {conservative} are conservative and {broken} have too many errors. The last are shown and not
hidden: they are where methods are known to fail, and why the health notes exist. Read them before you trust a small
experiment, a very skewed metric, or arms of very unequal size."""
