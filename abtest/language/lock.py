"""The file that keeps the plan of an experiment as it stood at the first run: `locks/EXPERIMENT.yml`.

`abtest run` writes it once; it is committed beside the definitions and read with them. It is read as strictly as any
other file, and its hash tells an edited one from one that was only kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from abtest.language.kept import is_date, kept_files
from abtest.language.lock_model import Lock, Pairs, PlannedMetric, PlanText
from abtest.language.plan_text import FIXED, plan_digest
from abtest.language.values import is_id
from abtest.language.write_text import quoted_text
from abtest.language.yaml import Map, Node, Text
from abtest.problems import Place, Problems, quoted

FOLDER = "locks"
FORMAT = 1

_HEAD = """\
# The plan of {name} as it stood at the first run. Commit this file and leave it as it is: what is changed
# in the plan later is told in the report. To start over on purpose, delete it; the next run stamps the plan anew.
"""
_ANEW = "Take it back from version control, or delete it: the next run then stamps the plan anew."
_KEYS = ("lock_of", "format", "first_look", "hash", "plan", "metrics")


def lock_path(root: Path, experiment: str) -> Path:
    return root / FOLDER / f"{experiment}.yml"


def seal(lock: Lock) -> str:
    """The hash over everything that a lock file says."""
    said: list[tuple[str, str]] = [("lock_of", lock.experiment), ("first_look", lock.first_look or "")]
    said += lock.stamped.pairs
    said += [(f"{key} said of {m.name}", text) for m in lock.stamped.metrics for key, text in m.words]
    return plan_digest(tuple(said))


def lock_text(lock: Lock) -> str:
    """The lock as a file. Reading it again gives the same lock."""
    lines = [f"lock_of: {lock.experiment}", f"format: {FORMAT}"]
    lines += [f"first_look: {lock.first_look}"] if lock.first_look is not None else []
    lines += [f"hash: {seal(lock)}", "plan:", *_entries(lock.stamped.plan, "  "), "metrics:"]
    for metric in lock.stamped.metrics:
        lines += [f"  {metric.name}:", *_entries((*metric.fixed, *metric.words), "    ")]
    return _HEAD.format(name=lock.experiment) + "\n".join(lines) + "\n"


def _entries(pairs: Pairs, indent: str) -> list[str]:
    return [f"{indent}{quoted_text(key)}: {quoted_text(text)}" for key, text in pairs]


def read_locks(root: Path, experiments: Collection[str], problems: Problems) -> dict[str, Lock]:
    """The locks of a project, by experiment. A file that cannot be believed is a problem, never a lock."""
    found: dict[str, Lock] = {}
    for experiment, name, tree in kept_files(root, FOLDER, experiments, "this is the lock of", problems):
        lock = _lock(tree, name, experiment, problems)
        if lock is not None:
            found[lock.experiment] = lock
    return found


def _lock(tree: Map, name: str, experiment: str, problems: Problems) -> Lock | None:
    top = Place(name, 1, 1)
    version = _said(tree, "format")
    if version is None or not re.fullmatch(r"[1-9][0-9]{0,8}", version.value):
        problems.error("E371", "this is no lock file: it has no format", version.place if version else top, _ANEW)
        return None
    if int(version.value) > FORMAT:
        message = f"a newer version of abtest wrote this lock (format {version.value}; this one reads {FORMAT})"
        problems.error("E371", message, version.place, "Run with that version: this one may overlook what it stamped.")
        return None
    of = _said(tree, "lock_of")
    if of is None or of.value != experiment:
        whose = "no experiment" if of is None else f"experiment {quoted(of.value)}"
        message = f"the lock of experiment {quoted(experiment)} is about {whose}"
        problems.error(
            "E372", message, of.place if of else top, "A lock has the name of its experiment, and stays with it."
        )
        return None
    look, plan, metrics = _said(tree, "first_look"), _pairs(tree.get("plan")), _metrics(tree.get("metrics"))
    wrong = [(f"a lock has no key {quoted(key.value)}", key.place) for key, _ in tree if key.value not in _KEYS]
    if look is not None and not is_date(look.value):
        wrong.append((f"first_look is a date such as 2026-04-05, not {quoted(look.value)}", look.place))
    for key, value in (("plan", plan), ("metrics", metrics)):
        if value is None:
            node = tree.get(key)
            wrong.append((f"{key} of a lock is a map of texts", top if node is None else node.place))
    for message, place in wrong:
        problems.error("E371", message, place, _ANEW)
    if plan is None or metrics is None or wrong:
        return None
    lock = Lock(experiment, None if look is None else look.value, PlanText(plan, metrics))
    given = _said(tree, "hash")
    if given is None or given.value != seal(lock):
        place = given.place if given else top
        problems.error("E373", "this lock was edited: its hash is not that of what it says", place, _ANEW)
        return None
    return lock


def _said(tree: Map, key: str) -> Text | None:
    node = tree.get(key)
    return node if isinstance(node, Text) else None


def _pairs(node: Node | None) -> Pairs | None:
    """A map of texts; nothing at all is an empty one."""
    if isinstance(node, Text) and not node.value:
        return ()
    if not isinstance(node, Map):
        return None
    found = tuple((key.value, value.value) for key, value in node if isinstance(value, Text))
    return found if len(found) == len(node.entries) else None


def _metrics(node: Node | None) -> tuple[PlannedMetric, ...] | None:
    if isinstance(node, Text) and not node.value:
        return ()
    if not isinstance(node, Map):
        return None
    found = []
    for key, value in node:
        said = _pairs(value)
        if said is None or not is_id(key.value):
            return None
        fixed = tuple(pair for pair in said if pair[0] in FIXED)
        found.append(PlannedMetric(key.value, fixed, tuple(pair for pair in said if pair[0] not in FIXED)))
    return tuple(found)
