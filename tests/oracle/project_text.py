"""The YAML of a random project: its sources, events, surveys, groups, metrics and the experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .choices import Choices
from .definitions import earlier_yaml, groups_yaml, metric_yaml
from .log import Setting
from .phrases import where_text
from .rows import Log
from .vocabulary import Vocabulary, Word

MOST_METRICS = 15


@dataclass(frozen=True)
class Drawn:
    """What is drawn before the text."""

    setting: Setting
    logs: tuple[Log, ...]
    forms: Mapping[str, str]
    variants: Sequence[tuple[str, str]]


def project_yaml(c: Choices, drawn: Drawn) -> tuple[Drawn, dict[str, str]]:
    """The project as it is written, and its files; the logs now know where one row of several counts."""
    setting, forms = drawn.setting, drawn.forms
    events, words, once = _events(c, drawn.logs)
    drawn = replace(drawn, logs=tuple(replace(log, once=log.name in once) for log in drawn.logs))
    surveys = _surveys(c)
    dated = {name for name, text in surveys.items() if forms["long" if "long" in text else "form"] == "date"}
    timed, untimed = (tuple(s for s in surveys if (s in dated) == is_dated) for is_dated in (False, True))
    vocabulary = Vocabulary(words, timed, untimed, attributes=True)
    groups, group_words = groups_yaml(c, vocabulary)
    earlier = [f"pre{i}" for i in range(1, c.of((0, 0, 1, 2, 1)) + 1)]
    before = [earlier_yaml(c, name, vocabulary) for name in earlier]
    names = [f"m{i}" for i in range(1, c.of((1, 4, 8, 12, MOST_METRICS, MOST_METRICS)) + 1)]
    metrics = [metric_yaml(c, name, vocabulary, group_words, tuple(earlier)) for name in names]
    lines = ["project:", "  name: drawn", f"  timezone: {setting.timezone}", "  data: logs", "sources:"]
    for log in drawn.logs:
        lines += _source_yaml(log)
    lines += _form_yaml(forms)
    lines += ["events:", *(f"  {name}: {text}" for name, text in events.items())]
    lines += ["surveys:", *(f"  {name}: {text}" for name, text in surveys.items()), "groups:"]
    text = "\n".join(lines) + "\n" + groups + "metrics:\n" + "".join((*metrics, *before))
    return drawn, {"abtest.yml": text, "experiments/x.yml": _experiment_yaml(setting, drawn.variants, names)}


def _as(style: str) -> str:
    return {"date": "date", "epoch us": "epoch us", "offset": "iso", "Z": "iso"}[style]


def _source_yaml(log: Log) -> list[str]:
    event = f"    event: {log.constant}" if log.constant else None
    named = "" if log.constant else "event: name, "
    session = ", session: sid" if log.facts.sessions else ""
    facts = log.facts
    lines = [
        f"  {log.name}:", "    kind: events", f"    files: {log.name}.csv", event,
        f"    columns: {{{named}time: {{from: at, as: {_as(log.style)}}}{session}}}",
        "    units: {user: uid, device: dev}",
        "    properties: {amount: {from: amt, type: number}, kind: kind, item: item}",
        f"    settle: {facts.settle} days" if facts.settle else None,
        f"    complete_through: {facts.complete_through}" if facts.complete_through else None,
    ]  # fmt: skip
    return [line for line in lines if line is not None]


def _form_yaml(forms: Mapping[str, str]) -> list[str]:
    form, long = (f"time: {{from: at, as: {_as(forms[name])}}}" for name in ("form", "long"))
    return [
        "  form:", "    kind: answers", "    files: form.csv", "    units: {user: uid}",
        f"    columns: {{{form}, score: score, feel: feel}}",
        "  long:", "    kind: answers", "    files: long.csv", "    units: {user: uid}",
        f"    columns: {{{long}, q1: q1, q2: q2, q3: q3, q4: q4}}",
        "  people:", "    kind: attributes", "    files: people.csv", "    units: {user: uid}",
        "    known: before_exposure",
        "    properties: {plan: plan, age: {from: age, type: number}, staff: {from: staff, type: flag}, "
        "joined: {from: joined, type: date}}",
        "  flags:", "    kind: exposures", "    files: flags.csv", "    columns: {variant: variant, time: at}",
        "    units: {user: uid}",
    ]  # fmt: skip


def _events(c: Choices, logs: Sequence[Log]) -> tuple[dict[str, str], tuple[Word, ...], set[str]]:
    """Events with what they are for definitions, and the sources in which one row of several counts."""
    app = {"like": "[like clicked, heart]", "post": "post", "buy": "order", "anything": None}
    web = {"visit": "visit", "any_web": None}
    dates = {log.name: log.facts.date_only for log in logs}
    found: dict[str, str] = {}
    words: list[Word] = []
    once: set[str] = set()

    def add(
        name: str, names: str | None, source: str, *more: str, others: bool = False, in_window: bool = False
    ) -> None:
        found[name] = _event(c, names, source, more)
        words.append(Word(name, source, dates[source], others, in_window))

    for name, names in app.items():
        add(name, names, "app")
    for name, names in web.items() if "web" in dates else ():
        add(name, names, "web")
    add("entry", "open", "app", "before_exposure: ok")
    add("got", "[like clicked, heart]", "app", "unit: {user: own}", others=True)
    source = c.of(("app", "app", "web")) if "web" in dates else "app"
    if c.maybe(75):
        add("nth", c.of((*app.values(),)) if source == "app" else None, source, f"nth: {c.of((1, 2, 3, 5))}")
        once.add(source)
    if c.maybe(80):
        periods = ("day", "week", "month") if dates[source] else ("day", "week", "month", "hour", "session")
        prop = c.of(("item", "kind", "amount"))
        add(
            "once",
            c.of((*app.values(),)) if source == "app" else None,
            source,
            f"count_once: {prop} per {c.of(periods)}",
        )
        once.add(source)
    if c.maybe(60):
        add("first", "[like clicked, heart, post]", "app", f"count_once: {c.of(('item', 'kind'))}", in_window=True)
        once.add("app")
    return found, tuple(words), once


def _event(c: Choices, names: str | None, source: str, more: Sequence[str]) -> str:
    entries = [f"event: {names}"] if names else []
    entries.append(f"source: {source}")
    if c.maybe(30):
        entries.append(f'where: "{where_text(c)}"')
    return "{" + ", ".join((*entries, *more)) + "}"


def _surveys(c: Choices) -> dict[str, str]:
    take = [c.of(("", ", take: first", ", take: mean")) for _ in range(3)]
    score = c.of(("nps", "top 2", "mean"))
    label = c.of(("share of very", "top 1", "share of not"))
    need = c.of(("", ", need: 2", ", need: 4"))
    return {
        "nps": f"{{source: form, answer: score, scale: 0-10, score: {score}{take[0]}}}",
        "missed": f"{{source: form, answer: feel, scale: [very, somewhat, not], score: {label}{take[1]}}}",
        "trust": f"{{source: long, items: [q1, q2, q3, q4], scale: 1-5, reversed: [q3], score: mean{need}{take[2]}}}",
    }


def _experiment_yaml(setting: Setting, variants: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    until = f", enroll_until: {setting.enroll_until}" if setting.enroll_until else ""
    shares = {2: (50, 50), 3: (34, 33, 33)}[len(variants)]
    half = (len(names) + 1) // 2
    lines = [
        "experiment: x", "owner: somebody", "hypothesis: nothing changes", "unit: user", "exposure: {source: flags}",
        "variants:",
        *(f"  {name}: {{key: {key}, share: {share}%}}" for (name, key), share in zip(variants, shares, strict=True)),
        "baseline: control",
        f"dates: {{start: {setting.start}{until}, end: {setting.end}}}", f"mixed_exposure: {setting.mixed}",
        "metrics:", f"  goal: [{names[0]}]",
        *([f"  secondary: [{', '.join(names[1:half])}]"] if names[1:half] else []),
        *([f"  explore: [{', '.join(names[max(1, half):])}]"] if names[max(1, half) :] else []),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
