"""The YAML files as a JSON Schema (draft 2020-12), so that an editor completes keys and shows what each means.

`MAPS` says which keys each map takes and what a value may look like; `KINDS_OF_METRICS` which keys fit which kind.
What the keys mean stands in `reports/schema.en.yml`. Tests read definitions with the real readers and compare, so a key
or a choice that is new there cannot be forgotten here. Only keywords that older editors know too are used to refuse:
no `unevaluatedProperties`, no `dependentSchemas`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal, get_args

import yaml

from abtest.language import schema_shapes as s
from abtest.language.catalogue import PREFIX, entries
from abtest.language.measures import RESERVED
from abtest.language.model import SourceKind
from abtest.language.plan_model import METHODS
from abtest.language.project import SECTIONS
from abtest.language.read_experiment import ROLES
from abtest.language.read_kinds import KINDS, MAX_STEPS
from abtest.language.read_metrics import CLOCKS
from abtest.language.read_plan import GOAL_CORRECTIONS, SECONDARY_CORRECTIONS
from abtest.language.schema_shapes import Shape
from abtest.language.statistical_tests import TESTS
from abtest.language.yaml import Map, Text
from abtest.shipped import languages, shipped

Part = Literal["project", "experiment"]
PARTS: tuple[Part, ...] = get_args(Part)
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def ref(name: str) -> Shape:
    return {"$ref": f"#/$defs/{name}"}


def named(item: Shape, *, not_words: bool = False) -> Shape:
    """A map from names to definitions. What is named in conditions is no word of the language."""
    names: Shape = {"pattern": s.ID["pattern"]}
    if not_words:
        names["not"] = {"enum": sorted(RESERVED)}
    return {"type": "object", "propertyNames": names, "additionalProperties": item}


def _columns(of: Shape) -> Shape:
    return {**named(of), "minProperties": 1}


CONDITION = ref("condition")
_CONDITIONS: Shape = {"type": "array", "items": CONDITION, "minItems": 1}
_STEP = s.either(s.ID, {**named(s.ID), "minProperties": 1, "maxProperties": 1})
_TIMING = {
    "over": s.WINDOW, "per": s.PERIOD, "clock": s.one_of(*CLOCKS), "starting_at": s.ID, "within": s.DAYS,
}  # fmt: skip
_FUNNEL = {"within": s.DURATION, "from": s.one_of("exposure", "first step"), "same": s.ID, "different": s.ID}
_NAMES = {"events": s.names(s.one_or_more(s.ID, 1)), "sources": s.names(s.ID)}
_TOLD = {"title": s.WORDS, "description": s.WORDS, "cannot": s.WORDS, "origin": s.PROSE}
_ROLE = s.either(
    s.ID,
    {"type": "array", "items": s.either(s.ID, named(ref("use"))), "minItems": 1},
    {**named(ref("use")), "minProperties": 1},
)

MAPS: dict[str, dict[str, Shape]] = {
    "project": {
        "name": s.PROSE, "timezone": s.ZONE, "data": s.FOLDER, "privacy": ref("privacy"), "language": s.one_of(*languages()),
        "week_starts": s.one_of("monday"), "default_adjust": s.DAYS_OR_NONE, "catalogue": ref("catalogue"),
    },
    "catalogue": _NAMES,
    "privacy": {"min_cell": s.WHOLE},
    "source": {
        "kind": s.one_of(*get_args(SourceKind)), "files": s.one_or_more(s.FILE, 1), "event": s.LOGGED,
        "columns": {"type": "object"}, "units": _columns(s.LOGGED),
        "properties": named(s.either(s.LOGGED, ref("property"))), "where": s.EXPRESSION,
        "ignore": {"type": "object", "additionalProperties": s.EXPRESSION}, "dedupe": s.DEDUPE, "settle": s.DAYS,
        "complete_through": s.DATE, "timezone": s.ZONE, "known": s.one_of("before_exposure", "at_exposure"),
    },
    "columns": {
        "event": s.LOGGED, "id": s.LOGGED, "variant": s.LOGGED, "flag": s.LOGGED, "session": s.LOGGED,
        "time": s.either(s.LOGGED, ref("time")),
    },
    "time": {"from": s.LOGGED, "as": s.TIME_FORMAT, "day_1": s.DATE},
    "property": {"from": s.LOGGED, "type": s.TYPE},
    "event": {
        "event": s.one_or_more(s.LOGGED), "source": s.ID, "where": s.EXPRESSION, "nth": s.COUNTED,
        "before_exposure": s.one_of("ok"), "unit": _columns(s.LOGGED), "count_once": s.ONCE,
    },
    "survey": {
        "source": s.ID, "answer": s.ID, "items": s.one_or_more(s.ID, 1), "scale": s.SCALE, "score": s.SCORE,
        "reversed": s.one_or_more(s.ID), "need": s.WHOLE, "take": s.one_of("last", "first", "mean"), **_TOLD,
        "questions": s.WORDS_BY_NAME, "uses": ref("uses_survey"), "sources": _NAMES["sources"],
    },
    "group": {
        "ladder": {**named(CONDITION), "minProperties": 1, "maxProperties": 20}, "otherwise": s.ID,
        "climb": s.one_of("every"),
        "cross": {
            "type": "object", "propertyNames": {"pattern": "^[A-Z]$"}, "additionalProperties": CONDITION,
            "minProperties": 1, "maxProperties": 4,
        },
        "names": {"type": "object", "patternProperties": {"^[A-Z_]{1,4}$": s.PROSE}, "additionalProperties": False},
        **_TIMING, **_TOLD, "advice": s.WORDS_BY_NAME, "uses": ref("uses_group"), **_NAMES,
    },
    "metric": {
        "did": CONDITION, "amount": s.EXPRESSION, "ratio": s.either(s.RATIO_IN_SHORT, ref("ratio")),
        "quantile": ref("quantile"), "funnel": s.either(s.STEPS_IN_SHORT, ref("funnel")), "time_to": CONDITION,
        "group": s.ID, "survey": s.ID, "retention": CONDITION, "churn": s.ID, "column": s.COLUMN, "uses": ref("uses"),
        "is": s.LOGGED, "at_least": s.ID, "as": s.one_of("rank", "degrees", "share"), "day": s.DAY_NUMBER, "days": s.DAY_RANGE,
        "from_day": s.DAY_NUMBER, "silent": s.DAYS, **_TIMING, "value": s.FOLD, "missing": s.MISSING, "cap": s.CAP,
        "show": s.one_of("histogram", "dose"), "test": s.one_of(*TESTS), "from": _FUNNEL["from"], "same": s.ID, "different": s.ID,
        "immature": s.one_of("drop", "keep"), "unit": s.ID, "among": s.EXPRESSION, "adjust": s.ADJUST,
        "better": s.one_of("higher", "lower"), "margin": s.MARGIN, **_TOLD, "guardrail": s.ID, **_NAMES,
        "owner": s.PROSE, "tags": s.one_or_more(s.PROSE), "version": s.WHOLE,
        "status": s.one_of("draft", "certified", "deprecated"), "use": s.PROSE, "dimension": s.PROSE, "phase": s.PROSE,
        "examples": {"type": "array", "items": ref("example")},
    },
    "condition": {"all": _CONDITIONS, "any": _CONDITIONS, "none": _CONDITIONS, "at_least": s.COUNTED, "of": _CONDITIONS},
    "ratio": {"of": s.EXPRESSION, "to": s.EXPRESSION},
    "quantile": {"of": s.EXPRESSION, "at": s.PERCENT, "across": s.one_of("events", "units")},
    "funnel": {"steps": {"type": "array", "items": _STEP, "minItems": 2, "maxItems": MAX_STEPS}, **_FUNNEL},
    "example": {"when": s.WHEN, "with": s.GIVEN, "expect": s.EXPECT},
    "experiment": {
        "experiment": s.ID, "title": s.PROSE, "owner": s.PROSE, "hypothesis": s.PROSE, "changes": s.one_or_more(s.PROSE),
        "iteration_of": s.PROSE, "unit": s.ID, "exposure": ref("exposure"),
        "variants": {**named(s.either(s.KEY, ref("variant"))), "minProperties": 2}, "baseline": s.NAMED_VARIANT,
        "dates": ref("dates"), "as_of": s.DATE, "mixed_exposure": s.one_of("drop", "first"),
        "cluster": s.EXPRESSION,
        "population": ref("population"), "metrics": ref("roles"), "segments": s.one_or_more(s.EXPRESSION),
        "plan": ref("plan"), "decide": ref("decide"), "trigger": s.TRIGGER, "value": s.ID, "drivers": ref("drivers"),
        "mechanism": s.one_or_more(s.ID), "targets": named(ref("target")), "moderators": s.one_or_more(s.EXPRESSION),
    },
    "target": {"reach": s.AMOUNT, "by": s.DATE, "monthly": s.AMOUNT, "units": s.AMOUNT},
    "drivers": {"of": s.ID, "by": {"type": "array", "items": s.ID, "minItems": 2, "maxItems": 12}},
    "exposure": {"source": s.ID, "flag": s.LOGGED, "where": s.EXPRESSION},
    "variant": {"key": s.KEY, "share": s.PERCENT, "title": s.PROSE},
    "dates": {"start": s.DATE, "enroll_until": s.DATE, "end": s.DATE},
    "population": {"only": s.EXPRESSION, "exclude": s.EXPRESSION},
    "roles": dict.fromkeys(ROLES, _ROLE),
    "use": {"margin": s.MARGIN, "detect": s.PERCENT},
    "plan": {
        "method": s.one_of(*METHODS), "alpha": s.PERCENT, "guardrail_alpha": s.PERCENT,
        "power": s.PERCENT, "detect": s.PERCENT, "correct": ref("correct"), "srm_alpha": s.PERCENT,
        "lift": s.one_of("fieller", "delta", "log"), "looks": s.LOOKS, "units": s.WHOLE,
        "spending": s.either(s.one_of("obrien_fleming", "pocock", "hwang_shih_decani"), ref("spending")),
        "monitoring": s.PERCENT, "prior": s.either(s.one_of("flat", "weak", "history"), ref("prior")),
    },
    "spending": {"hwang_shih_decani": s.GAMMA}, "prior": {"mean": s.SIGNED_PERCENT, "sd": s.PERCENT},
    "correct": {"goal": s.one_of(*GOAL_CORRECTIONS), "secondary": s.one_of(*SECONDARY_CORRECTIONS), "segments": s.one_of("bh", "none")},
    "outcome": {"when": s.RULE, "verdict": s.one_of("ship", "dont_ship", "keep_running", "dont_decide")},
}  # fmt: skip
"""The keys of each map, by the name of the map. Sections and names that people choose are not keys."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "source": ("kind", "files", "units"), "time": ("from",), "ratio": ("of", "to"),
    "quantile": ("of", "at", "across"), "funnel": ("steps",), "example": ("expect",),
    "experiment": ("experiment", "unit", "exposure", "variants", "baseline", "metrics"), "exposure": ("source",),
    "dates": ("start", "end"), "roles": ("goal",), "outcome": ("when",), "prior": ("sd",), "drivers": ("of", "by"),
}  # fmt: skip

_WORDS = (
    "title", "description", "cannot", "origin", "guardrail", "owner", "tags", "version", "status", "use", "dimension", "phase", "examples", "better",
    "margin", "unit", "among", "adjust", "test",
)  # fmt: skip
_WINDOW = ("over", "clock", "immature")
_ANCHOR = ("starting_at", "within")
_BLOCKS = ("per", "value")
KINDS_OF_METRICS: dict[str, tuple[str, ...]] = {
    "did": (*_WINDOW, *_BLOCKS, *_ANCHOR),
    "amount": (*_WINDOW, *_BLOCKS, *_ANCHOR, "missing", "cap", "show"),
    "ratio": (*_WINDOW, "per", *_ANCHOR),
    "quantile": (*_WINDOW, "missing"),
    "funnel": (*_WINDOW, "within", "from", "same", "different"),
    "time_to": (*_WINDOW, *_ANCHOR),
    "group": ("is", "at_least", "as", *_WINDOW, *_BLOCKS, *_ANCHOR),
    "survey": _WINDOW,
    "retention": ("day", "days", "from_day", "clock", "immature", *_ANCHOR),
    "churn": ("silent", *_WINDOW, *_ANCHOR),
    "column": ("cap",),
}
"""The keys that fit each kind of metric, besides the kind itself and the words about it."""

_NEEDS = {"churn": ("churn", "silent", "over"), "time_to": ("time_to", "over")}
_ONE_OF = {"group": ("is", "at_least", "as"), "retention": ("day", "days", "from_day")}
_EVENTS_ONLY = ("dedupe", "settle", "complete_through")


def schema_text(part: Part | None = None) -> str:
    """The schema as a file: for project files, for experiment files, or for both (told apart by `experiment:`).

    >>> schema_text("experiment").splitlines()[1].strip()
    '"$schema": "https://json-schema.org/draft/2020-12/schema",'
    """
    return json.dumps(schema(part), indent=1, ensure_ascii=False) + "\n"


def schema(part: Part | None = None) -> Shape:
    """The schema as a value.

    >>> sorted(schema("project")["properties"])
    ['events', 'groups', 'metrics', 'project', 'sources', 'surveys']
    """
    files = {"project": _project_file(), "experiment": _closed("experiment")}
    head: Shape = {"$schema": DRAFT, "title": _words()["files"][part or "both"]}
    defs = _definitions()
    if part is not None:
        return {**head, **files[part], "$defs": _reachable(files[part], defs)}
    one = {"type": "object", "properties": {"experiment": files["experiment"]["properties"]["experiment"]}}
    choice = {"if": {"required": ["experiment"]}, "then": ref("experiment_file"), "else": ref("project_file")}
    both = {**defs, "project_file": files["project"], "experiment_file": files["experiment"]}
    return {**head, **one, **choice, "$defs": both}


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    words: dict[str, Any] = yaml.safe_load(shipped("reports").joinpath("schema.en.yml").read_text("utf-8"))
    return words


def _key(name: str, key: str) -> Shape:
    """A key with what it means and examples of its value."""
    words = _words()["keys"][name][key]
    return {"description": words["text"], **MAPS[name][key], "examples": words["examples"]}


def _closed(name: str, keys: tuple[str, ...] | None = None, required: tuple[str, ...] | None = None) -> Shape:
    """A map that takes its keys and no others."""
    found: Shape = {"type": "object", "description": _words()["maps"][name]}
    found["properties"] = {key: _key(name, key) for key in keys or MAPS[name]}
    needed = REQUIRED.get(name, ()) if required is None else required
    return {**found, **({"required": list(needed)} if needed else {}), "additionalProperties": False}


def _definitions() -> dict[str, Shape]:
    plain = (
        "privacy", "catalogue", "time", "property", "ratio", "quantile", "funnel", "example", "exposure", "variant", "dates",
    )  # fmt: skip
    experiment = ("population", "roles", "use", "plan", "correct", "outcome", "drivers", "target", "spending", "prior")
    return {
        **{name: _closed(name) for name in plain + experiment},
        "source": _source(),
        "columns": _closed("columns"),
        "columns_of_answers": {**_closed("columns"), "additionalProperties": s.LOGGED, "propertyNames": s.ID},
        "event": s.either(s.LOGGED, {"type": "array", "items": s.LOGGED}, _closed("event")),
        "survey": _survey(),
        "group": _group_or_used(),
        "condition": _condition(),
        **{f"metric_{key}": _key("metric", key) for key in MAPS["metric"]},
        "metric": _any_metric(),
        **{f"uses{of}": {"anyOf": _catalogue(section)} for of, section in _USES.items()},
        "decide": _decide(),
    }


def _project_file() -> Shape:
    """Any mix of sections. An empty one is fine: it has just been begun."""
    items = {
        "sources": named(ref("source")), "events": named(ref("event"), not_words=True), "surveys": named(ref("survey")),
        "groups": named(ref("group")), "metrics": named(ref("metric"), not_words=True), "project": _closed("project"),
    }  # fmt: skip
    told = _words()["sections"]
    properties = {
        name: {
            **items[name],
            "type": ["object", "null"],
            "description": told[name]["text"],
            "examples": told[name]["examples"],
        }
        for name in SECTIONS
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _source() -> Shape:
    """One list of keys; what each kind needs and refuses depends on `kind`."""
    columns = {"properties": {"columns": ref("columns")}}
    rules: dict[str, Shape] = {
        "events": {
            "required": ["columns"],
            "properties": {"columns": {"$ref": "#/$defs/columns", "required": ["time"]}},
            "oneOf": [
                {"required": ["event"], "properties": {"columns": {"not": {"required": ["event"]}}}},
                {"not": {"required": ["event"]}, "properties": {"columns": {"required": ["event"]}}},
            ],
        },
        "exposures": {
            "required": ["columns"],
            "properties": {"columns": {"$ref": "#/$defs/columns", "required": ["variant", "time"]}},
        },
        "attributes": columns,
        "outcomes": columns,
        "answers": {
            "required": ["columns"],
            "properties": {"event": False, "columns": {"$ref": "#/$defs/columns_of_answers", "required": ["time"]}},
        },
    }
    for kind in ("exposures", "attributes", "outcomes"):
        refused = dict.fromkeys((*_EVENTS_ONLY, "event"), False)
        rules[kind] = {**rules[kind], "properties": {**rules[kind]["properties"], **refused}}
    chosen = [
        {"if": {"required": ["kind"], "properties": {"kind": {"const": kind}}}, "then": rule}
        for kind, rule in rules.items()
    ]
    return {**_closed("source"), "allOf": chosen}


def _survey() -> Shape:
    """One question, or several items of one scale; two keys belong to items. With `uses`, any of them may be there."""
    one = {"required": ["answer"], "properties": {"items": False, "reversed": False, "need": False}}
    own: Shape = {"required": ["source", "scale", "score"], "properties": {"sources": False}}
    own["oneOf"] = [one, {"required": ["items"], "properties": {"answer": False}}]
    return {**_closed("survey"), "if": {"required": ["uses"]}, "then": {}, "else": own}


def _group_or_used() -> Shape:
    """With `uses` a group of the catalogue, else a ladder or a cross."""
    used = {**_closed("group"), "not": {"required": ["ladder", "cross"]}}
    forms = [_group("ladder", ("otherwise", "climb")), _group("cross", ("names",))]
    return {"if": {"type": "object", "required": ["uses"]}, "then": used, "else": {"oneOf": forms}}


def _group(form: str, own: tuple[str, ...]) -> Shape:
    keys = (form, *own, *_TIMING, *_TOLD, "advice")
    return _closed("group", keys, (form, "otherwise") if form == "ladder" else (form,))


def _condition() -> Shape:
    """A text, or one of the list forms."""
    forms = [_closed("condition", (name,), (name,)) for name in ("all", "any", "none")]
    return s.either(s.EXPRESSION, *forms, _closed("condition", ("at_least", "of"), ("at_least", "of")))


def _metric(kind: str, keys: tuple[str, ...], own: Shape | None = None) -> Shape:
    """A metric of one kind. `own` narrows the kind to its short or its long form."""
    properties = {key: ref(f"metric_{key}") for key in (kind, *keys, *_WORDS)}
    if own is not None:
        properties[kind] = {**ref(f"metric_{kind}"), **own}
    if kind == "funnel" and "within" in keys:
        properties["within"] = _key("funnel", "within")
    found: Shape = {"type": "object", "properties": properties, "required": list(_NEEDS.get(kind, (kind,)))}
    if "starting_at" in keys:
        found["dependentRequired"] = {"starting_at": ["within"], "within": ["starting_at"]}
    if kind in _ONE_OF:
        found["oneOf"] = [{"required": [key]} for key in _ONE_OF[kind]]
    return {"title": kind, **found, "additionalProperties": False}


def _any_metric() -> Shape:
    """With `uses` a metric of the catalogue, else one of the kinds: so an editor blames the right key."""
    found: Shape = {
        "type": "object",
        "description": _words()["maps"]["metric"],
        "properties": {"uses": ref("metric_uses")},
    }
    return {**found, "if": {"required": ["uses"]}, "then": _used_metric(), "else": {"oneOf": _metrics()}}


def _metrics() -> list[Shape]:
    """Every kind with the keys that fit it. In its long form a funnel holds its own keys inside."""
    found = [_metric(kind, keys) for kind, keys in KINDS_OF_METRICS.items() if kind != "funnel"]
    short = _metric("funnel", KINDS_OF_METRICS["funnel"], {"type": "string"})
    return [*found, short, _metric("funnel", _WINDOW, {"type": "object"})]


def _used_metric() -> Shape:
    """Any key may replace one of the entry; of the kinds at most one."""
    every = {key: ref(f"metric_{key}") for key in MAPS["metric"]}
    every["within"] = _key("funnel", "within")
    written = [{"required": [kind]} for kind in KINDS]
    none: Shape = {"not": {"anyOf": written}}
    return {"type": "object", "properties": every, "additionalProperties": False, "oneOf": [none, *written]}


_USES = {"": "metrics", "_group": "groups", "_survey": "surveys"}


def _catalogue(section: str) -> list[Shape]:
    """Every metric (group, survey) that ships with the package, with its own description."""
    found = []
    for name, entry in entries(section).items():
        text = _text(entry, "description") or _text(entry, "title") or name
        found.append({"const": f"{PREFIX}{name}", "description": text})
    return found


def _text(entry: Map, key: str) -> str:
    node = entry.get(key)
    if isinstance(node, Map):
        node = node.get("en")
    return node.value if isinstance(node, Text) else ""


def _decide() -> Shape:
    """Outcomes with a verdict of their own may be a rule alone; any other name says what it means."""
    told = _words()["outcomes"]
    known = {name: {"description": text, **s.either(s.RULE, ref("outcome"))} for name, text in told.items()}
    other = {**ref("outcome"), "required": ["when", "verdict"]}
    return {"type": "object", "properties": known, "additionalProperties": other}


def _reachable(top: Shape, defs: dict[str, Shape]) -> dict[str, Shape]:
    """The definitions that a part of the schema uses, in their order."""
    found: set[str] = set()
    waiting: list[Any] = [top]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            name = str(node.get("$ref", "")).removeprefix("#/$defs/")
            if name in defs and name not in found:
                found.add(name)
                waiting.append(defs[name])
    return {name: shape for name, shape in defs.items() if name in found}
