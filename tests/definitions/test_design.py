"""The four YAML blocks of the design, to the letter, in `design/`: they load, but for what is listed here."""

from __future__ import annotations

from pathlib import Path

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.explain import Explainer
from abtest.language.model import Project
from abtest.language.project import read_project
from abtest.problems import Problems

DESIGN = Path(__file__).parent / "design"
DIFFERENT = (
    # (block, as designed, as loaded, why)
    ("sources", "project: and sources:", "full_sources.yml", "presets and identities are not part of this version"),
    (
        "sources",
        "  page_load: {event: perf_page, source: web}",
        "  page_load: perf_page",
        "with a second log every event must say from which it is; most of these events do not",
    ),
)
REFUSED = [
    "`preset` of source app_log cannot be computed by this version of abtest",
    "`identity` of source app_log cannot be computed by this version of abtest",
    "`preset` of source flags cannot be computed by this version of abtest",
]


def block(name: str) -> str:
    return (DESIGN / f"{name}.yml").read_text("utf-8")


def events() -> str:
    """The events of the first block, with the one line that differs."""
    text = block("sources")
    text = text[text.index("\nevents:\n") + 1 :]
    _, before, after, _ = DIFFERENT[1]
    assert text.count(before) == 1
    return text.replace(before, after)


def loaded(folder: Path, **files: str) -> tuple[Project, Problems]:
    (folder / "experiments").mkdir()
    for name, text in files.items():
        path = folder / "experiments" / "x.yml" if name == "experiment" else folder / f"{name}.yml"
        path.write_text(text, "utf-8")
    return read_project(folder)


def whole(folder: Path) -> tuple[Project, Problems]:
    return loaded(
        folder, abtest=block("full_sources"), events=events(), metrics=block("metrics"), groups=block("groups"),
        experiment=block("experiment"),
    )  # fmt: skip


def test_events_metrics_groups_surveys_and_the_experiment_load(tmp_path: Path) -> None:
    project, problems = whole(tmp_path)
    assert [str(p) for p in problems.errors] == []
    # retention_after_7 is open, and there is no feed_ranker_v2 here.
    assert sorted(p.code for p in problems.warnings) == ["W306", "W420"]
    sizes = (len(project.events), len(project.metrics), len(project.groups), len(project.surveys))
    assert sizes == (14 + 4, 25, 2, 4)  # each survey brings the event that its answers are
    experiment = project.experiments["feed_ranker_v3"]
    assert [u.name for u in experiment.metrics if u.role == "goal"] == ["engaged_weeks"]
    assert len(experiment.segments) == 3
    assert [rule.outcome for rule in experiment.decide] == ["roll_back", "ship", "iterate"]


def test_the_examples_of_the_design_hold(tmp_path: Path) -> None:
    project, _ = whole(tmp_path)
    assert problems_in_examples(project) == []
    outcomes = run_examples(project, project.metrics.values())
    assert [(o.metric, o.number, o.passed) for o in outcomes] == [
        ("engaged_weeks", 1, True),
        ("engaged_weeks", 2, True),
    ]


def test_what_this_version_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    _, problems = loaded(tmp_path, abtest=block("sources"), metrics=block("metrics"), groups=block("groups"))
    assert [p.message for p in problems.errors if p.code == "E190"] == REFUSED


def test_the_sentence_of_the_design(tmp_path: Path) -> None:
    """The tone that the design set, kept in content: share, four weeks of 7 days from exposure, both counts, who is left out."""
    project, _ = whole(tmp_path)
    metric = project.metrics["engaged_weeks"]
    explainer = Explainer("en", project)
    assert " ".join(
        (explainer.meaning(metric), *explainer.rules(metric, project.timezone), *explainer.stamp(metric))
    ) == (
        "For each user: the share of the 4 weeks from day 0 to day 27 after first exposure (7 days each) in which they did "
        "photo_post at least 2 times and like at least 5 times. "
        "Days are dates in Europe/Madrid; day 0 is the date of first exposure and holds only what follows it. "
        "Silence is zero: users without any of these events count too, with counts, sums and numbers of days of 0. "
        "Users for whom day 27 is not over at the end of the data are left out. "
        "The data end with the last date that is complete in all the logs used here. "
        "Higher is better. Version 2, feed-team."
    )


def test_every_metric_of_the_design_can_be_told_in_both_languages(tmp_path: Path) -> None:
    project, _ = whole(tmp_path)
    for language in ("en", "nl"):
        explainer = Explainer(language, project)
        for metric in project.metrics.values():
            unit = metric.unit or "user"
            told = [explainer.meaning(metric, unit), *explainer.rules(metric, "Europe/Madrid", unit)]
            told += explainer.events(metric, project.events)
            assert all("{" not in sentence and "None" not in sentence for sentence in told)
