"""Projects that use the catalogue: with its own words, or with other names for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from abtest.language.catalogue import SECTIONS, Word, entries, vocabulary


def plain(name: str) -> str:
    return name


def ours(name: str) -> str:
    """Another name, so that nothing of the catalogue's own could be found by accident."""
    return f"our_{name}"


def sources(name: Callable[[str], str] = plain) -> str:
    """One log with every event, the customer file, and a form with every question."""
    words = vocabulary()
    lines = ["sources:", "  log:", "    kind: events", "    files: log.csv", "    columns: {event: e, time: t}"]
    lines += ["    units: {user: uid}", "    properties:"]
    lines += [f"      {p}: {{from: c_{p}, type: {w.type}}}" for p, w in properties(words.events, name).items()]
    for source in (w for w in words.sources.values() if "." not in w.name):
        mine = {p: w for p, w in properties(words.sources, name).items() if w.name.startswith(f"{source.name}.")}
        lines += [f"  {name(source.name)}:", f"    kind: {source.type}", f"    files: {source.name}.csv"]
        lines += ["    units: {user: uid}"]
        if source.type == "answers":
            lines.append(f"    columns: {{time: t, {', '.join(f'{name(q)}: {q}' for q in questions())}}}")
        else:
            lines += ["    known: before_exposure", "    properties:"]
            lines += [f"      {p}: {{from: c_{p}, type: {w.type}}}" for p, w in mine.items()]
    lines += ["events:"]
    for word in words.events.values():
        if "." not in word.name:
            early = ", before_exposure: ok" if word.name == "signup" else ""
            lines.append(f"  {name(word.name)}: {{event: {word.name}{early}}}")
    return "\n".join(lines) + "\n"


def properties(words: Mapping[str, Word], name: Callable[[str], str]) -> dict[str, Word]:
    """Own names of properties, each once: two events of one log may share one."""
    return {name(w.name.partition(".")[2]): w for w in words.values() if "." in w.name}


def questions() -> tuple[str, ...]:
    """The columns that the surveys of the catalogue ask for."""
    return tuple(w.name.partition(".")[2] for w in vocabulary().sources.values() if w.type == "question")


def uses(sections: Iterable[str] = SECTIONS) -> str:
    """Every entry of the catalogue, under its own name."""
    lines = []
    for section in sections:
        lines.append(f"{section}:")
        lines += [f"  {entry}: {{uses: abtest/{entry}}}" for entry in entries(section)]
    return "\n".join(lines) + "\n"


def mapping(name: Callable[[str], str] = ours) -> str:
    """The block of the project that maps every word of the catalogue."""
    words = vocabulary()
    lines = ["project:", "  catalogue:"]
    for what, known in (("events", list(words.events)), ("sources", list(words.sources))):
        lines.append(f"    {what}:")
        lines += [f"      {word}: {name(word.rpartition('.')[2])}" for word in known]
    return "\n".join(lines) + "\n"
