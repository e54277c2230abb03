"""A sheet as a page, for a terminal, and its result as JSON."""

from __future__ import annotations

import json

from markupsafe import Markup

from abtest.analysis.codec import encode
from abtest.analysis.past_model import LabResult, PreviewResult
from abtest.reports.lab_sheet import lab_sheet
from abtest.reports.language import load
from abtest.reports.preview_sheet import preview_sheet
from abtest.reports.sheet import Part, Sheet
from abtest.reports.standalone import asset, environment, policy, script_json
from abtest.reports.text import columns, fit

LookedAt = LabResult | PreviewResult
WIDEST = 44
"""Columns of a cell in a terminal; longer texts are clipped, except the last."""


def sheet_of(result: LookedAt, language: str = "en") -> Sheet:
    return lab_sheet(result, language) if isinstance(result, LabResult) else preview_sheet(result, language)


def past_html(result: LookedAt, language: str = "en") -> str:
    """One HTML file, complete without JavaScript. The same result gives the same bytes."""
    style = f"{asset('style.css')}\n{asset('style.css', 'past')}"
    script = asset("script.js")
    sheet = sheet_of(result, language)
    return (
        environment()
        .get_template("past/page.html.j2")
        .render(
            t=load(language),
            lang=language,
            sheet=sheet,
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            summary=past_text(result, language),
            result_json=Markup(script_json(json.dumps(encode(result), ensure_ascii=False, separators=(",", ":"), allow_nan=False))),
        )
    )  # fmt: skip


def past_json(result: LookedAt) -> str:
    """Canonical JSON, one newline at the end."""
    return json.dumps(encode(result), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def past_text(result: LookedAt, language: str = "en", width: int = 100) -> str:
    """For a terminal: the sections one after the other, without what only a page has room for."""
    sheet = sheet_of(result, language)
    lines = [f"{sheet.kicker}: {sheet.title}", *sheet.subs]
    for part in sheet.parts:
        if part.name in ("method", "definition"):
            continue
        lines += _part(part, width, first=part is sheet.parts[0])
    return "\n".join(line.rstrip() for line in lines)


def _part(part: Part, width: int, first: bool) -> list[str]:
    lines = [""] if first else ["", part.title]
    for text in part.leads:
        lines += _wrapped(text, width)
    for text in part.warnings:
        lines += _wrapped(f"! {text}", width)
    for heat in part.heats:
        rows = [(heat.corner, *heat.columns)]
        rows += [(head, *(f"[{s.text}]" if s.written else s.text for s in squares)) for head, squares in heat.rows]
        lines += [f"  {heat.caption}", *_aligned(rows, range(1, len(rows[0])))]
    for table in part.tables:
        lines += [f"  {table.caption}"] if table.caption else []
        lines += _aligned([table.columns, *table.rows], table.right)
    return lines


def _aligned(rows: list[tuple[str, ...]], right: tuple[int, ...] | range) -> list[str]:
    """Columns under each other."""
    sizes = [min(WIDEST, max(columns(row[k]) for row in rows)) for k in range(len(rows[0]))]
    last = len(sizes) - 1
    return [
        "    " + "  ".join(
            text if k == last and k not in right else fit(text, sizes[k], right=k in right) for k, text in enumerate(row)
        )
        for row in rows
    ]  # fmt: skip


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_long_words=False)
