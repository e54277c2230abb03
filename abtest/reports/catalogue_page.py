"""The page of the docs about the catalogue: every entry with its definition, its reading in both languages, its examples,
what it cannot tell, and the events that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from abtest.language.catalogue import SECTIONS, entries, files_of_entries, vocabulary
from abtest.language.catalogue_names import needs_of_entry
from abtest.language.explain import Explainer
from abtest.language.model import Cross, Group, Ladder, Metric, Project, Survey
from abtest.language.words import Wording, told
from abtest.language.yaml import Map
from abtest.reports.language import Words
from abtest.shipped import shipped

LANGUAGES = ("en", "nl")
QUESTIONS = ("question_what", "question_how", "question_buying", "question_worth")
_SAID_APART = (
    "title", "description", "cannot", "origin", "guardrail", "dimension", "phase", "tags", "advice", "questions",
)  # fmt: skip
"""What the page says in words, so that the definition need not."""
_USAGE = """\
```yaml
project:
  catalogue:
    events: {photo_post: upload, like: [heart, thumb], purchase: order, purchase.revenue: total}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: action, time: at}
    units: {user: user_id}
    properties: {total: {from: total, type: money EUR}}
events: {upload: photo_uploaded, heart: heart_tapped, thumb: thumb_up, order: order, app_open: session_start}
metrics:
  engaged_weeks: {uses: abtest/engaged_weeks}
  revenue: {uses: abtest/revenue_per_user, over: first 14 days, title: Revenue of two weeks}
  super_engaged: {uses: abtest/super_engaged_weeks}       # brings its group along
```"""


class Page:
    """The page, part by part. `project` holds every entry of the catalogue under its own name."""

    def __init__(self, words: Words, project: Project) -> None:
        self.words = words
        self.project = project
        self.explainers = {language: Explainer(language, project) for language in LANGUAGES}

    def text(self) -> str:
        """The whole page as Markdown."""
        counts = {section: f"{len(entries(section)):,}" for section in SECTIONS}
        parts = [self.words("title"), self.words("lead", **counts), _USAGE, self.words("usage")]
        parts += [self.questions(), self.vocabulary()]
        for name, tree in files_of_entries().items():
            parts += self.chapter(name, tree)
        return "\n\n".join(parts) + "\n"

    def questions(self) -> str:
        """Which entries answer which of the four questions."""
        lines = [self.words("questions.title"), "", self.words("questions.lead"), ""]
        for question in QUESTIONS:
            names = [f"[{n}](#{n})" for n in entries() if question in self.project.metrics[n].tags]
            lines.append(f"- **{self.words(f'questions.{question}')}** {', '.join(names)}")
        return "\n".join(lines)

    def vocabulary(self) -> str:
        """The events and sources that entries speak of."""
        words = vocabulary()
        lines = [self.words("words.title"), "", self.words("words.lead")]
        for what, known in (("event", words.events), ("source", words.sources)):
            heads = (self.words(f"words.{what}"), *(self.words(f"words.{k}") for k in ("type", "english", "dutch")))
            lines += ["", f"| {' | '.join(heads)} |", "|---|---|---|---|"]
            for word in known.values():
                if word.type != "question":
                    meaning = word.meaning
                    lines.append(f"| `{word.name}` | {word.type} | {meaning.en} | {meaning.said('nl')} |")
        return "\n".join(lines)

    def chapter(self, name: str, tree: Map) -> list[str]:
        """One file: what it is about, and its entries."""
        raw = shipped("metrics").joinpath(name).read_text("utf-8")
        about = " ".join(line.removeprefix("#").strip() for line in raw.splitlines() if line.startswith("#"))
        title = name.removesuffix(".yml").replace("_", " ").capitalize()
        parts = [self.words("chapter", title=title), about]
        for section in ("metrics", "groups", "surveys"):
            listed = tree.get(section)
            for key, node in listed if isinstance(listed, Map) else ():
                if isinstance(node, Map):
                    parts += self.entry(section, key.value, node, _definition(raw, section, key.value))
        return parts

    def entry(self, section: str, name: str, node: Map, definition: str) -> list[str]:
        """One metric, group or survey."""
        found: Metric | Group | Survey = getattr(self.project, section)[name]
        parts = [self.words(section.removesuffix("s"), name=name)]
        told_lines = []
        for language in LANGUAGES:
            title, description = (self._told(found, key, language) for key in ("title", "description"))
            told_lines.append(self.words("told", title=title, description=description))
            if isinstance(found, Metric):
                told_lines.append(self.words("reads", meaning=self.explainers[language].meaning(found)))
            told_lines.append(self.words(f"cannot_{language}", text=self._told(found, "cannot", language)))
        parts += told_lines
        if isinstance(found, Group):
            parts.append(self.cells(found))
        if isinstance(found, Survey):
            parts.append(self.asked(found))
        parts.append(f"```text\n{definition}\n```")
        parts.append(self.facts(found, node))
        return parts

    def facts(self, found: Metric | Group | Survey, node: Map) -> str:
        """Whose definition it is, what should stand beside it, and what it needs."""
        needs = needs_of_entry(node)
        named = [f"`{n}`" for n in (*needs.events, *(s for s in needs.sources if not isinstance(found, Survey)))]
        for what in ("groups", "surveys"):
            named += [f"[{n}](#{n}-{what.removesuffix('s')})" for n in getattr(needs, what)]
        lines = [self.words("needs", needs=", ".join(named))] if named else []
        if isinstance(found, Metric):
            tags = "".join(f", {t}" for t in found.tags if not t.startswith("question_"))
            dimension = (found.dimension or "").capitalize()
            lines.insert(0, self.words("facts", origin=found.origin, guardrail=found.guardrail, dimension=dimension, phase=found.phase, tags=tags))  # fmt: skip
        else:
            lines.insert(0, self.words("origin", origin=found.origin))
        return " ".join(lines)

    def cells(self, group: Group) -> str:
        """The levels or letters in words, and the advice for each level or cell."""
        advice = dict(group.advice)
        lines = []
        form = group.form
        for name, condition in form.rungs if isinstance(form, Ladder) else form.letters:
            english, dutch = (self.explainers[language].condition(condition) for language in LANGUAGES)
            lines.append(self.words("level", name=name, meaning=english, dutch=dutch))
            lines += self._advice(advice.get(name))
        if isinstance(form, Ladder):
            slots = {"meaning": self.words("otherwise"), "dutch": self.words("otherwise_nl")}
            lines.append(self.words("level", name=form.otherwise, **slots))
            lines += self._advice(advice.get(form.otherwise))
        titles = dict(form.names) if isinstance(form, Cross) else {}
        for cell in (name for name in advice if isinstance(form, Cross)):
            if cell == "unknown":
                lines.append(self.words("unknown"))
            else:
                title = titles.get(cell, "")
                lines.append(self.words("letter_cell", name=f"{cell} {title}".strip()))
            lines += self._advice(advice[cell])
        return "\n".join(lines)

    def _advice(self, wording: Wording | None) -> Iterable[str]:
        if wording is not None:
            yield self.words("advice", en=wording.en, nl=wording.said("nl"))

    def asked(self, survey: Survey) -> str:
        """The questions of a survey."""
        lines = [self.words("survey_needs", source=survey.source)]
        for name, wording in survey.questions:
            key = "reversed" if name in survey.reversed else "question"
            lines.append(self.words(key, name=name, en=wording.en, nl=wording.said("nl")))
        return "\n".join([lines[0] + ":", "", *lines[1:]])

    def _told(self, found: Metric | Group | Survey, key: str, language: str) -> str:
        return told(getattr(found, key), found.translated, key, language)


def catalogue_page(project: Project) -> str:
    """Markdown. `project`: every entry of the catalogue, used under its own name."""
    tree = yaml.safe_load(shipped("reports").joinpath("catalogue.en.yml").read_text("utf-8"))
    return Page(Words("en", tree), project).text()


def _definition(raw: str, section: str, name: str) -> str:
    """The lines of an entry as they stand in its file, comments and all, without what the page says in words."""
    lines = raw.splitlines()
    start = lines.index(f"{section}:") + 1
    first = next(i for i in range(start, len(lines)) if lines[i] == f"  {name}:") + 1
    found: list[str] = []
    skip = False
    for line in lines[first:]:
        if line.strip() and not line.startswith("    "):
            break
        key = re.match(r"    ([a-z_]+):", line)
        if key is not None:
            skip = key[1] in _SAID_APART
        if not skip and line.strip():
            found.append(line.removeprefix("    "))
    return "\n".join(found)
