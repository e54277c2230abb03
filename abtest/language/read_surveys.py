"""`surveys` from YAML to values, and the score of one answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from abtest.language import values
from abtest.language.fields import Fields
from abtest.language.model import Survey
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.language.words import Words
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Problems, quoted

MAX_POINTS = 101
Scale = tuple[int, int] | tuple[str, ...]


def read_survey(name: str, node: Node, problems: Problems) -> Survey | None:
    """The survey, or None after reporting why not."""
    what = f"survey {name}"
    if not isinstance(node, Map):
        problems.error(
            "E121", f"{what} is a map", node.place, f"Example:  {name}: {{source: form, answer: q1, scale: 0-10, score: nps}}"
        )  # fmt: skip
        return None
    fields = Fields(node, what, problems)
    source = fields.text("source", required=True)
    one, items = fields.text("answer"), tuple(t.value for t in fields.texts("items"))
    scale = _scale(fields, problems)
    score = fields.read("score", _score)
    if not fields.has("score"):
        fields.missing("score", "Possible:  mean, nps, top 2, share of LABEL")
    backwards = tuple(t.value for t in fields.texts("reversed"))
    need = fields.read("need", values.whole)
    take: Any = fields.choice("take", ("last", "first", "mean")) or "last"
    words = Words(fields, problems)
    title, description, cannot = words.text("title"), words.text("description"), words.text("cannot")
    questions, origin = words.listed("questions"), fields.text("origin")
    fields.done()
    if (one is None) == (not items):
        problems.error(
            "E108" if one is None else "E124",
            f"{what} needs either `answer` (one question) or `items` (several of one scale)",
            node.place,
            "Example:  answer: q1   or   items: [q1, q2, q3]",
        )
        return None
    if source is None or scale is None or score is None:
        return None
    columns = items or (one or "",)
    kind, top, label = score
    numbers = scale if isinstance(scale[0], int) else None
    labels = tuple(str(s) for s in scale) if numbers is None else ()
    bounds = (int(scale[0]), int(scale[1])) if numbers is not None else (None, None)
    survey = Survey(
        name, source, columns, bool(items), kind, bounds[0], bounds[1], labels, top, label, backwards,
        need if need is not None else math.ceil(2 * len(columns) / 3) if items else 1, take, node.place,
        title or name.replace("_", " ").capitalize(), description, cannot, origin, questions, words.translated,
    )  # fmt: skip
    return survey if _fits(survey, fields, problems) else None


def _fits(survey: Survey, fields: Fields, problems: Problems) -> bool:
    """Whether the scoring fits the scale."""
    before = len(problems.found)
    what = fields.what
    points = len(survey.labels) or (survey.high or 0) - (survey.low or 0) + 1
    if survey.score == "nps" and (survey.low, survey.high) not in ((0, 10), (1, 10)):
        hint = "Write  scale: 0-10"
        problems.error("E319", f"{what}: the Net Promoter Score has a scale of 0-10 or 1-10", fields.place("scale"), hint)  # fmt: skip
    if survey.score == "share" and survey.label not in survey.labels:
        hint = did_you_mean(survey.label or "", survey.labels, "Labels") if survey.labels else "Write  score: top 1"
        problems.error("E319", f"{what}: {quoted(survey.label or '')} is no label of the scale", fields.place("score"), hint)  # fmt: skip
    if survey.score == "top" and not 1 <= survey.top < points:
        message = f"{what}: top {survey.top} of {points} answers is everybody or nobody"
        problems.error("E319", message, fields.place("score"), "Example:  score: top 2")
    for question, _ in survey.questions:
        if question not in survey.columns:
            hint = did_you_mean(question, survey.columns, "Asked")
            problems.error("E319", f"{what}: {quoted(question)} of `questions` is not asked", fields.place("questions"), hint)  # fmt: skip
    if not survey.items:
        for key in ("reversed", "need"):
            if fields.has(key):
                problems.error("E319", f"{what}: {key} belongs to `items`", fields.place(key), f"Remove `{key}`.")
        return len(problems.found) == before
    if survey.score not in ("mean",):
        problems.error(
            "E319", f"{what}: several items are scored by their mean", fields.place("score"), "Write  score: mean"
        )
    if survey.labels:
        problems.error("E319", f"{what}: items need a scale of numbers", fields.place("scale"), "Write  scale: 1-5")
    for item in fields.texts("reversed"):
        if item.value not in survey.columns:
            hint = did_you_mean(item.value, survey.columns, "Items")
            problems.error("E319", f"{what}: reversed item {quoted(item.value)} is none of its items", item.place, hint)
    if len(set(survey.columns)) < len(survey.columns):
        problems.error("E319", f"{what}: an item is listed twice", fields.place("items"))
    if not 1 <= survey.need <= len(survey.columns):
        message = f"{what}: need {survey.need} of {len(survey.columns)} items"
        place = fields.place("need" if fields.has("need") else "items")
        problems.error("E319", message, place, f"Write  need: {max(1, math.ceil(2 * len(survey.columns) / 3))}")
    return len(problems.found) == before


def _scale(fields: Fields, problems: Problems) -> Scale | None:
    """`0-10`, or a list of labels from the best to the worst."""
    node = fields.node_of("scale")
    if isinstance(node, Seq):
        labels = tuple(item.value for item in node.items if isinstance(item, Text))
        if len(labels) < max(2, len(node.items)) or len(set(labels)) < len(labels):
            hint = "Example:  scale: [very, somewhat, not]"
            problems.error("E319", f"scale of {fields.what} lists two or more different labels", node.place, hint)
            return None
        return labels
    if node is None:
        fields.missing("scale", "Examples:  scale: 0-10   scale: [very, somewhat, not]")
    return fields.read("scale", _numbers)


def _numbers(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(-?\d{1,4})\s*[-–]\s*(\d{1,4})", text.strip())
    if match is None or not 1 <= int(match[2]) - int(match[1]) < MAX_POINTS:
        raise SyntaxProblem(
            "E319",
            f"expected a scale, found {quoted(text)}",
            (0, max(1, len(text))),
            "Examples:  scale: 0-10   scale: [very, somewhat, not]",
        )
    return int(match[1]), int(match[2])


def _score(text: str) -> tuple[Any, int, str | None]:
    """mean, nps, `top 2` or `share of LABEL`."""
    clean = " ".join(text.split())
    if clean in ("mean", "nps"):
        return clean, 0, None
    match = re.fullmatch(r"top (\d{1,3})|share of (.+)", clean)
    if match is None:
        raise SyntaxProblem(
            "E319",
            f"no way to score called {quoted(text)}",
            (0, max(1, len(text))),
            "Possible:  mean, nps, top 2, share of LABEL",
        )
    return ("top", int(match[1]), None) if match[1] else ("share", 0, match[2])


def answered(survey: Survey, given: Mapping[str, str]) -> tuple[float, float] | None:
    """(answer, score) of one filled-in form: None when too little of it was answered.

    The answer is the number given (labels count from 1, the best), or the mean of the items. Raises ValueError for a
    code outside the scale.

    >>> nps = Survey("nps", "form", ("q1",), False, "nps", 0, 10)
    >>> answered(nps, {"q1": "9"}), answered(nps, {"q1": "3"}), answered(nps, {})
    ((9.0, 100.0), (3.0, -100.0), None)
    """
    found = []
    for column in survey.columns:
        if given.get(column) in (None, ""):
            continue
        value = _code(survey, given[column])
        if column in survey.reversed:
            assert survey.low is not None
            assert survey.high is not None
            value = survey.low + survey.high - value
        found.append(value)
    if len(found) < survey.need:
        return None
    answer = sum(found) / len(found)
    return answer, score_of(survey, answer)


def _code(survey: Survey, text: str) -> float:
    if survey.labels:
        return survey.labels.index(text) + 1.0
    value = float(text)
    assert survey.low is not None
    assert survey.high is not None
    if value != int(value) or not survey.low <= value <= survey.high:
        raise ValueError(f"{text} is outside {survey.low}-{survey.high}")
    return value


def score_of(survey: Survey, answer: float) -> float:
    """What an answer counts."""
    if survey.score == "nps":
        return 100.0 if answer >= 9 else -100.0 if answer <= 6 else 0.0
    if survey.score == "top":
        return float(answer > (survey.high or 0) - survey.top) if not survey.labels else float(answer <= survey.top)
    if survey.score == "share":
        return float(survey.labels.index(survey.label or "") + 1 == answer)
    return answer
