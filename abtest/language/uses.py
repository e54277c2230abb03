"""`uses: abtest/NAME` over a whole project: entries of the catalogue in its own names, with what they build on.

    project:
      catalogue:
        events: {photo_post: upload, like: [heart, thumb], purchase: order, purchase.revenue: total}
        sources: {people: members, form: form_2026, form.recommend: q1}

A word of the catalogue that is not mapped stands for the event (or source) of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from abtest.language.catalogue import MAPS, ONE_OF, PREFIX, SECTIONS, entries, from_catalogue, vocabulary
from abtest.language.catalogue_examples import fitting
from abtest.language.catalogue_names import Names, Needs, in_own_names, needs_of_entry
from abtest.language.fields import Fields
from abtest.language.model import Event, Source
from abtest.language.suggest import did_you_mean
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Place, Problems, quoted

Sections = dict[str, dict[str, tuple[Text, Node]]]
_EXAMPLE = {
    "events": "Example:  events: {photo_post: upload, like: [heart, thumb], purchase.revenue: total}",
    "sources": "Example:  sources: {form: form_2026, form.recommend: q1}",
}
_SHOWN = 8


@dataclass
class Declared:
    """What the project declares itself. Names in `broken` have been reported already."""

    events: Mapping[str, Event]
    sources: Mapping[str, Source]
    broken: frozenset[str] = frozenset()


@dataclass
class Used:
    """What became of the definitions with `uses`: the sections with the entries in their place, and more events."""

    sections: Sections
    broken: dict[str, set[str]] = field(default_factory=lambda: {s: set() for s in SECTIONS})
    events: dict[str, Event] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """(section, name): the entry as written."""


def use_catalogue(sections: Sections, catalogue: Map | None, declared: Declared, problems: Problems) -> Used:
    """The sections with every `uses` replaced by its entry, and with the groups and surveys that entries bring along."""
    return _Uses(sections, declared, problems).all(catalogue)


class _Uses:
    def __init__(self, sections: Sections, declared: Declared, problems: Problems) -> None:
        self.declared = declared
        self.problems = problems
        self.used = Used({name: dict(section) for name, section in sections.items()})
        self.missing: dict[str, dict[str, list[str]]] = {name: {} for name in MAPS}
        self.first: dict[str, Place] = {}
        self.own = {n for part in ("groups", "surveys") for n, d in sections[part].items() if not _as_it_is(n, d[1])}

    def all(self, catalogue: Map | None) -> Used:
        names = Names()
        if catalogue is not None:
            fields = Fields(catalogue, "catalogue", self.problems)
            names = self._names(fields, None)
            fields.done()
        brought: list[tuple[str, str, Place]] = []
        for section in SECTIONS:
            for name, (key, node) in list(self.used.sections[section].items()):
                if isinstance(node, Map) and node.get("uses") is not None:
                    brought += self._one(section, name, key, node, names)
        seen = set()
        while brought:
            section, name, place = brought.pop(0)
            if (section, name) in seen or name in self.used.sections[section]:
                continue
            seen.add((section, name))
            uses = Text(PREFIX + name, place, True)
            key = Text(name, place, True)
            brought += self._one(section, name, key, Map(((Text("uses", place, True), uses),), place), names)
        for what in MAPS:
            self._say_missing(what)
        return self.used

    def _one(self, section: str, name: str, key: Text, node: Map, names: Names) -> list[tuple[str, str, Place]]:
        """Put the entry in the place of one definition; what it builds on that the project does not define."""
        merged = from_catalogue(name, node, self.problems, section)
        uses = node.get("uses")
        if merged is None or not isinstance(uses, Text):
            self.used.broken[section].add(name)
            self.used.sections[section].pop(name, None)
            return []
        written = frozenset(k.value for k, _ in node)
        kept = replace(merged, entries=tuple((k, v) for k, v in merged if k.value not in written))
        needs = needs_of_entry(kept)
        maps = Map(tuple((k, v) for k, v in node if k.value in MAPS), node.place)
        fields = Fields(maps, f"{ONE_OF[section]} {name}", self.problems)
        own = self._names(fields, needs, uses.value).over(names)
        if not self._has_all(needs, own, uses):
            self.used.broken[section].add(name)
            self.used.sections[section].pop(name, None)
            return []
        if any(n in self.own for n in (*needs.groups, *needs.surveys)):
            # The examples speak of the groups and surveys of the catalogue.
            merged = replace(
                merged, entries=tuple((k, v) for k, v in merged if k.value != "examples" or k.value in written)
            )
        elif "examples" not in written:
            merged = fitting(merged, lambda word: word in _surveys(needs) or self._has(word, own))
        self.used.names[section, name] = uses.value
        self.used.sections[section][name] = (key, in_own_names(merged, own, written))
        found = []
        for part, wanted in (("groups", needs.groups), ("surveys", needs.surveys)):
            found += [(part, n, uses.place) for n in wanted if n in entries(part)]
        return found

    def _names(self, fields: Fields, needs: Needs | None, entry: str = "") -> Names:
        """The map of the project, or with `needs` that of one entry."""
        events, sources = fields.map("events"), fields.map("sources")
        return Names(
            self._map("events", events, None if needs is None else needs.events, entry),
            self._map("sources", sources, None if needs is None else needs.sources, entry),
        )

    def _map(self, what: str, node: Map | None, needed: tuple[str, ...] | None, entry: str) -> dict[str, str]:
        words = vocabulary()
        known: Iterable[str] = (words.events if what == "events" else words.sources) if needed is None else needed
        found: dict[str, str] = {}
        one = what.removesuffix("s")
        for key, value in sorted(node or (), key=lambda pair: "." in pair[0].value):
            if key.value not in known:
                speaker = f"{entry} does not speak" if needed is not None else "no entry of the catalogue speaks"
                hint = did_you_mean(key.value, tuple(known), "Its words" if needed is not None else "Words")
                self.problems.error("E208", f"{speaker} of {_a(one)} {quoted(key.value)}", key.place, hint)
                continue
            listed = value.items if isinstance(value, Seq) and what == "events" else (value,)
            texts = [t for t in listed if isinstance(t, Text) and t.value]
            if len(texts) < max(1, len(listed)) or ("." in key.value and len(texts) > 1):
                self.problems.error("E121", f"{key.value} is mapped to one name", value.place, _EXAMPLE[what])
                continue
            mapped = self._property(what, key, texts[0], found) if "." in key.value else self._own(what, key, texts)
            if mapped is not None:
                found[key.value] = mapped
        return found

    def _own(self, what: str, key: Text, texts: list[Text]) -> str | None:
        """The project's name for an event or a source; several events become one."""
        known: Mapping[str, object] = self.declared.events if what == "events" else self.declared.sources
        good = True
        for text in texts:
            if text.value not in known:
                good = False
                if text.value not in self.declared.broken:
                    one = "an event" if what == "events" else "a source"
                    message = f"{key.value} is mapped to {quoted(text.value)}, which is not declared as {one}"
                    hint = did_you_mean(text.value, known, what.capitalize()) or f"Declare it under  {what}:"
                    self.problems.error("E201" if what == "events" else "E203", message, text.place, hint)
        if not good:
            return texts[0].value if len(texts) == 1 else None
        return texts[0].value if len(texts) == 1 else self._one_event(key, texts)

    def _one_event(self, key: Text, texts: list[Text]) -> str | None:
        """One event for several: the rows of all of them, which must be told apart by nothing but their names."""
        events = [self.declared.events[t.value] for t in texts]
        plain = [replace(e, name="", names=(), where_text=None) for e in events]
        if any(p != plain[0] for p in plain) or any(e.nth is not None or not e.names for e in events):
            message = f"{key.value} is mapped to {' and '.join(t.value for t in texts)}, which are not counted alike"
            hint = "Declare one event that is both, with one `source` and `where`, and map to that."
            self.problems.error("E208", message, key.place, hint)
            return None
        name = "_or_".join(t.value for t in texts)[:64]
        if name not in self.declared.events:
            names = tuple(dict.fromkeys(n for e in events for n in e.names))
            self.used.events[name] = replace(events[0], name=name, names=names, place=key.place)
        return name

    def _property(self, what: str, key: Text, text: Text, found: Mapping[str, str]) -> str | None:
        """The project's name for a property, which must be declared where its event or source is."""
        home = key.value.partition(".")[0]
        source = self._source_of(what, found.get(home, home))
        if source is None or source.kind == "answers":  # questions may be columns that nobody declared
            return text.value
        if source.property(text.value) is None and source.unit_path(text.value) is None:
            message = f"{key.value} is mapped to {quoted(text.value)}, which source {source.name} does not declare"
            known = {p.name: p for p in source.properties}
            self.problems.error("E210", message, text.place, did_you_mean(text.value, known, "Properties"))
            return None
        return text.value

    def _source_of(self, what: str, name: str) -> Source | None:
        if what == "sources":
            return self.declared.sources.get(name)
        event = self.used.events.get(name) or self.declared.events.get(name)
        if event is None:
            return None
        logs = [s for s in self.declared.sources.values() if s.kind == "events"]
        if event.source:
            return self.declared.sources.get(event.source)
        return logs[0] if len(logs) == 1 else None

    def _has_all(self, needs: Needs, names: Names, entry: Text) -> bool:
        """Whether all that an entry speaks of is mapped or declared; what is not is said for all entries together."""
        good = True
        for what, words, own, known in (
            ("events", needs.events, names.events, set(self.declared.events) | set(self.used.events)),
            ("sources", needs.sources, names.sources, set(self.declared.sources)),
        ):
            for word in words:
                if "." in word or own.get(word, word) in known:
                    continue
                good = False
                if word not in own and word not in self.declared.broken:
                    self.missing[what].setdefault(word, []).append(entry.value)
                    self.first.setdefault(what, entry.place)
        return good

    def _has(self, word: str, names: Names) -> bool:
        """Whether the project has an event of the catalogue, a property of one (`purchase.revenue`), or a survey."""
        if word in entries("surveys"):
            return word in self.used.sections["surveys"] and word not in self.own
        event, _, prop = word.partition(".")
        mine = names.events.get(event, event)
        if mine not in self.declared.events and mine not in self.used.events:
            return False
        source = self._source_of("events", mine)
        own = names.events.get(word, prop)
        return not prop or source is None or source.property(own) is not None or source.unit_path(own) is not None

    def _say_missing(self, what: str) -> None:
        """One sentence for everything that is needed and not there."""
        missing = self.missing[what]
        if not missing:
            return
        one = what.removesuffix("s")
        counted = f"{_a(one)}" if len(missing) == 1 else f"{len(missing)} {what}"
        parts = []
        for word, users in missing.items():
            others = list(dict.fromkeys(users))
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            parts.append(f"{word} (for {others[0]}{more})")
        shown = ", ".join(parts[:_SHOWN]) + (f", … ({len(parts) - _SHOWN} more)" if len(parts) > _SHOWN else "")
        message = f"the catalogue needs {counted} that this project neither declares nor maps: {shown}"
        listed = ", ".join(f"{word}: YOURS" for word in list(missing)[:_SHOWN])
        hint = f"project: {{catalogue: {{{what}: {{{listed}}}}}}},  or declare {'it' if len(missing) == 1 else 'them'} under  {what}:"
        self.problems.error("E209", message, self.first[what], hint)


def _as_it_is(name: str, definition: Node) -> bool:
    """Whether a group or survey is the entry of its own name with nothing changed but names."""
    if not isinstance(definition, Map):
        return False
    uses = definition.get("uses")
    kept = {k.value for k, _ in definition} - {"uses", "title", "description", "advice", "names", *MAPS}
    return isinstance(uses, Text) and uses.value == PREFIX + name and kept <= {"source"}


def _surveys(needs: Needs) -> set[str]:
    """The surveys that an entry brings along, also by its groups."""
    groups = [needs_of_entry(entries("groups")[g]).surveys for g in needs.groups if g in entries("groups")]
    return {*needs.surveys, *(s for surveys in groups for s in surveys)}


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
