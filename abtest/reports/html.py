"""The HTML page: one file, complete without JavaScript, under a strict content security policy.

A pure function of the result. The policy allows exactly the stylesheet and the script of this page by their
hashes, so nothing that a title or a log smuggles in could run even if escaping failed.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from abtest.analysis.codec import encode
from abtest.analysis.result import Result
from abtest.reports import adjusted, appendix, clustered
from abtest.reports.health import health_text
from abtest.reports.language import outline
from abtest.reports.markdown import render_markdown
from abtest.reports.plane import planes
from abtest.reports.sections import Page, build_page
from abtest.reports.standalone import asset, environment, policy, script_json
from abtest.reports.trajectory import figures
from abtest.reports.wording import Wording

OUTLINE = "decision"


def render_html(result: Result, *, language: str = "en") -> str:
    """The report as one HTML file. The same result gives the same bytes."""
    w = Wording(result, language)
    page = build_page(w)
    style, script = asset("style.css"), asset("script.js")
    groups = _groups(w, page)
    context: dict[str, Any] = {
        "t": w.words,
        "lang": language,
        "page": page,
        "groups": groups,
        "sections": [name for _, names in groups for name, _ in names],
        "health": health_text(w),
        "appendix": appendix,
        "adjusted": adjusted,
        "clustered": clustered,
        "w": w,
        "curves": figures(w),
        "planes": planes(w) if result.decision.valid else (),
        "style": Markup(style),
        "script": Markup(script),
        "policy": policy(style, script),
        "result_json": Markup(embedded_json(result)),
        "summary": render_markdown(result, language=language),
    }
    return environment().get_template("report/page.html.j2").render(context)


def embedded_json(result: Result) -> str:
    """The result for machines, inside a script element: no `<` may stand in it."""
    text = json.dumps(encode(result), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return script_json(text)


def _groups(w: Wording, page: Page) -> list[tuple[str, list[tuple[str, str]]]]:
    """The sections that have content, in the order of the outline, with their names for the navigation."""
    found = []
    for group, names in outline(OUTLINE):
        present = [(name, w.words(f"sections.{name}.nav")) for name in names if page.has(name)]
        if present:
            found.append((w.words(f"groups.{group}"), present))
    return found
