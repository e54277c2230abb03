"""One unit as a metric sees it: its exposure, window and value, and every event with why it does not count."""

from __future__ import annotations

from abtest.analysis.inspect import Inspection
from abtest.reports.language import Words

MOST_EVENTS = 500


def unit_lines(words: Words, seen: Inspection, experiment: str, unit: str) -> list[str]:
    """The lines below the definition, in the language of `words`."""

    def say(key: str, **slots: str) -> str:
        return words(f"unit_view.{key}", **slots)

    def coded(key: str, code: str) -> str:
        return words(words.known(f"unit_view.{key}", code), code=code)

    def figure(value: float, digits: int) -> str:
        return f"{value:.{digits}g}".replace(".", words("format.decimal"))

    called = words(f"{words.known('randomised', unit)}.single", unit=unit)
    lines = [f"  {say('head', unit=called.capitalize(), id=seen.unit, experiment=experiment)}"]
    slots = {"when": seen.exposed or say("no_time"), "variant": seen.variant or say("several")}
    out = seen.status != "used"
    exposed = (
        say("exposed.status", status=coded("status", seen.status), **slots) if out else say("exposed.plain", **slots)
    )
    facts = [(say("exposed.label"), exposed)]
    if seen.through:
        facts.append((say("window.label"), _window(words, seen)))
    value = "" if seen.reason is None else coded("reason", seen.reason)
    facts.append((say("value"), value if seen.value is None else figure(seen.value, 6)))
    width = max(len(label) for label, _ in facts) + 2
    lines += [f"    {label.ljust(width)}{text}".rstrip() for label, text in facts]
    if seen.blocks:
        lines += ["", f"    {say('blocks')}"]
    for b in seen.blocks:
        held = say("no_value") if b.value is None else figure(b.value, 6)
        later = "" if b.complete else f"   {say('not_over')}"
        lines.append(f"      {say('block', first=b.first, last=b.last)}   {held}{later}")
    if seen.events:
        lines += ["", f"    {say('events')}"]
    for event in seen.events[:MOST_EVENTS]:
        properties = "".join(f"  {k} {figure(v, 6) if isinstance(v, float) else v}" for k, v in event.properties)
        why = f"   {say('not_counted', why=coded('rejected', event.rejected))}" if event.rejected else ""
        day = say("day", n=f"{'' if event.day is None else event.day:>3}")
        lines.append(f"      {event.when}   {day}   {', '.join(event.events)}{properties}{why}")
    if len(seen.events) > MOST_EVENTS:
        lines.append(f"      {say('more', n=words.numbers.integer(len(seen.events) - MOST_EVENTS))}")
    return lines


def _window(words: Words, seen: Inspection) -> str:
    if seen.window is None:
        return words("unit_view.window.unreached", through=seen.through)
    first, last = seen.window
    return words(
        "unit_view.window.plain",
        first=first or words("unit_view.window.first"),
        last=last or words("unit_view.window.last"),
        through=seen.through,
    )
