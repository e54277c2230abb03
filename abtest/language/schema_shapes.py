"""The shapes of single values in the JSON Schema: what an editor may find where `values.py` reads a text.

To us every value is text; an editor has typed it before it looks at the schema (28 is an integer, `true` a boolean).
So each shape takes the types that can occur, and a pattern for what stays text. Patterns are written for JavaScript:
no `\\d` (in Python that is any digit of any script), no named groups. They never refuse what the reader accepts; what
a pattern cannot say (13-7 ends before it starts) is left to `abtest check`.
"""

from __future__ import annotations

from typing import Any, get_args

from abtest.language.model import FoldName, TimeFormat
from abtest.language.read_experiment import ROLES, STATES

Shape = dict[str, Any]

NAME = "[a-z][a-z0-9_]*"
_NUMBER = r"[0-9]{1,15}(\.[0-9]{1,15})?"
_DAYS = "[0-9]{1,6} *(days?|weeks?)"
_TICKS = "[0-9]{1,6} *(days?|weeks?|h|hours?|min|minutes?)"
_RANGE = "[0-9]{1,9} *[-–] *[0-9]{1,9}"
_OPERATOR = "(<=|>=|!=|==|<|>|=)"


def matching(pattern: str, *types: str) -> Shape:
    """Text that matches as a whole; other `types` pass as they are.

    >>> matching("a|b", "integer")
    {'type': ['string', 'integer'], 'pattern': '^(a|b)$'}
    """
    return {"type": ["string", *types] if types else "string", "pattern": f"^({pattern})$"}


def either(*shapes: Shape) -> Shape:
    """One of several shapes."""
    return {"anyOf": list(shapes)}


def one_of(*words: str) -> Shape:
    """A closed choice."""
    return {"enum": list(words)}


def one_or_more(item: Shape, least: int = 0) -> Shape:
    """A list; one value alone counts as a list of one."""
    return either(item, {"type": "array", "items": item, **({"minItems": least} if least else {})})


PROSE: Shape = {"type": ["string", "number"]}
"""Written for people: an owner, a tag."""
WORDS: Shape = either(
    PROSE,
    {"type": "object", "properties": {"en": PROSE, "nl": PROSE}, "required": ["en"], "additionalProperties": False},
)
"""Written for people, in English alone or in each language."""
WORDS_BY_NAME: Shape = {"type": "object", "additionalProperties": WORDS}
LOGGED: Shape = {"type": ["string", "number", "boolean"]}
"""What stands in the exported files: names of columns and events, keys, codes."""
KEY: Shape = {"type": ["string", "number", "boolean", "null"]}
"""The text of a variant in the log: `off`, `1`, `true` and even `null`."""
EXPRESSION: Shape = {"type": "string", "minLength": 1}
"""A condition, a measure or a test of rows; `abtest check` reads inside."""
ID = matching("[a-z][a-z0-9_]{0,63}")
NAMED_VARIANT = matching("[a-z][a-z0-9_]{0,63}", "boolean")
"""A variant may be called `off` or `true`."""
ATTRIBUTE = rf"{NAME}\.{NAME}"
COLUMN = matching(ATTRIBUTE)
PERCENT = matching(rf"{_NUMBER} *%")
DATE = matching("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
DAYS = matching(_DAYS)
DAYS_OR_NONE = matching(f"none|{_DAYS}")
DURATION = matching(_TICKS)
WHOLE: Shape = {**matching("[0-9]{1,9}", "integer"), "minimum": 0}
LOOKS = either(
    {**matching("[1-9]|[1-4][0-9]|50", "integer"), "minimum": 1, "maximum": 50},
    {"type": "array", "items": PERCENT, "minItems": 1, "maxItems": 50, "uniqueItems": True},
)
GAMMA = matching("-?[0-9]{1,2}([.][0-9]{1,6})?", "number")
SIGNED_PERCENT = matching(rf"-?{_NUMBER} *%")
COUNTED: Shape = {**matching("[1-9][0-9]{0,5}", "integer"), "minimum": 1}
ZONE = matching("[A-Za-z][A-Za-z0-9_+/-]*")
WINDOW = matching(
    f"whole|lifetime|first +{_TICKS}|(last|before) +{_DAYS}|days? +{_RANGE}|day +[0-9]{{1,9}}|from +day +[0-9]{{1,9}}"
)
DAY_RANGE = matching(_RANGE)
DAY_NUMBER: Shape = WHOLE
PERIOD = either(one_of("day", "week", "month", "session", "hour"), matching(f"(rolling +)?{_DAYS}"))
FOLD = either(
    one_of(*get_args(FoldName)),
    matching(f"share *{_OPERATOR} *{_NUMBER} *%|(count|streak) *{_OPERATOR} *{_NUMBER}"),
)
MARGIN: Shape = {**matching(f"(?=.*[1-9]){_NUMBER} *(%|[A-Za-z]*)", "number"), "exclusiveMinimum": 0}
AMOUNT: Shape = {**matching("(?=.*[1-9])[0-9][0-9,_]{0,20}(\\.[0-9]{1,15})?", "number"), "exclusiveMinimum": 0}
CAP: Shape = {**matching(f"{_NUMBER}( *%( +of +nonzero)?)?", "number"), "exclusiveMinimum": 0}
MISSING = either(one_of("zero", "drop"), matching(f"-?{_NUMBER}", "number"))
EXPECT = matching(f"-?{_NUMBER} *%?|yes|no|true|false|missing", "number", "boolean")
ONCE = matching(f"{NAME}( +per +(hour|day|week|month|session))?")
DEDUPE = matching("[^,]+(, *(keep first)? *)?")
FILE = matching(r"(?![/\\~]|[A-Za-z]:)(?!.*://)(?!(.*[/\\])?\.\.([/\\]|$))[\s\S]+")
FOLDER = matching(r"(?![/~])(?!.*://)(?!(.*/)?\.\.(/|$))[\s\S]*", "number")
TYPE = either(
    one_of("text", "number", "flag", "date", "duration", "duration s", "duration ms", "duration min", "duration h"),
    matching("money [A-Z]{3}"),
)
TIME_FORMAT = one_of(*get_args(TimeFormat))
SCALE = either(
    matching("-?[0-9]{1,4} *[-–] *[0-9]{1,4}"),
    {"type": "array", "items": LOGGED, "minItems": 2, "uniqueItems": True},
)
SCORE = either(one_of("mean", "nps"), matching("top [0-9]{1,3}|share of .+"))
STEPS_IN_SHORT = matching(rf"{NAME}( *, *{NAME}){{1,11}}")
RATIO_IN_SHORT: Shape = {"type": "string", "pattern": "/"}
TRIGGER: Shape = {"type": "string", "pattern": r"^\s*\([\s\S]*\)(\s+in\s+first +[0-9]{1,6} *(days?|weeks?))?\s*$"}
ADJUST = one_or_more(matching(rf"none|{NAME}(\.{NAME})?"))
_TEST = f"((any|every|no) ({'|'.join(r for r in ROLES if r != 'explore')})|{NAME}) is ({'|'.join(STATES)})"
RULE = matching(f"otherwise|{_TEST}(( and {_TEST})*|( or {_TEST})*)")
HAPPENED = either({"type": "string"}, {"type": "object", "maxProperties": 1, "additionalProperties": LOGGED})
"""`like x5`; YAML makes a map of `purchase(revenue: 20)` in a flow list, and the reader puts it together again."""
WHEN = either(
    one_of("nothing"),
    {
        "type": "object",
        "patternProperties": {
            "^day -?[0-9]{1,4}( +([01]?[0-9]|2[0-3]):[0-5][0-9])?$": either(
                {"type": "string"}, {"type": "array", "items": HAPPENED}
            )
        },
        "additionalProperties": False,
    },
)
GIVEN: Shape = {"type": "object", "patternProperties": {f"^{ATTRIBUTE}$": LOGGED}, "additionalProperties": False}


def names(own: Shape) -> Shape:
    """A map from words of the catalogue (`like`, `purchase.revenue`) to the project's own names."""
    return {
        "type": "object",
        "propertyNames": {"pattern": r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$"},
        "additionalProperties": own,
    }
