"""A folder of files as one project: which files count, how they merge, and what is said of all of them at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from abtest.language.model import Fold, Window
from abtest.language.project import find_root, load_project, pick_experiment, read_project, yaml_files
from abtest.problems import UserError

from .projects import EXPERIMENT, FILES, METRICS, read, said, write

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["abtest.yml", "project.yml"])
def test_the_root_is_the_nearest_folder_with_a_root_file(tmp_path: Path, name: str) -> None:
    write(
        tmp_path,
        {name: "project: {name: outer}\n", "a/metrics/deep/m.yml": METRICS, f"b/{name}": "project: {name: inner}\n"},
    )
    assert find_root(tmp_path / "a" / "metrics" / "deep" / "m.yml") == tmp_path
    assert find_root(tmp_path / "a" / "metrics") == tmp_path
    assert find_root(tmp_path / "b") == tmp_path / "b"


def test_without_a_root_file_the_parent_of_a_known_folder(tmp_path: Path) -> None:
    write(tmp_path, {"metrics/m.yml": METRICS})
    assert find_root(tmp_path / "metrics" / "m.yml") == tmp_path
    assert find_root(tmp_path) == tmp_path


def test_files_of_the_root_and_of_the_known_folders(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            **FILES,
            "metrics/team/more.yaml": "metrics: {}\n",
            "exports/metrics.yml": "metrics: {x: {did: nothing}}\n",
            "metrics/.hidden.yml": ": :",
            "notes/old.yml": "metrics: {x: {did: nothing}}\n",
            "metrics/readme.md": "# no",
        },
    )
    assert [f.relative_to(tmp_path).as_posix() for f in yaml_files(tmp_path)] == [
        "abtest.yml",
        "events.yml",
        "experiments/ranker_v3.yml",
        "metrics/all.yml",
        "metrics/team/more.yaml",
    ]


OTHER_TOOLS = {
    "docker-compose.yml": "version: '3'\nservices: &s\n  web: {image: x}\nx-more: *s\n",
    ".gitlab-ci.yml": "stages: [test]\n",
    "mkdocs.yml": "site_name: x\nmarkdown_extensions:\n  - x: !!python/name:y.z\n",
    "kustomization.yml": "resources: [a.yml]\n---\nkind: x\n",
    "playbook.yml": "- hosts: all\n  tasks: []\n",
    "values.yaml": "replicas: 3\nname: x\n\tbroken",
    "empty.yml": "",
}


def test_the_yaml_of_other_tools_is_left_alone(tmp_path: Path) -> None:
    project, problems = read(tmp_path, {**FILES, **OTHER_TOOLS})
    assert said(problems) == ""
    assert project.files == tuple(sorted(FILES))


def test_several_files_make_one_project(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, FILES))
    assert (project.name, project.timezone, project.data) == ("photo_app", "Europe/Madrid", "exports")
    assert sorted(project.sources) == ["app", "flags", "people", "shop"]
    assert project.events["like"].names == ("like_clicked", "heart_tapped")
    assert project.events["like"].source == "app"
    assert project.metrics["engaged_weeks"].fold == Fold("share")
    assert project.metrics["engaged_weeks"].window == Window(0, 27)
    assert project.metrics["revenue"].unit_of_value == "money EUR"
    assert project.warnings == ()


def test_the_same_in_one_file_and_in_any_order(tmp_path: Path) -> None:
    texts = [text for name, text in FILES.items() if not name.startswith("experiments")]
    one = load_project(write(tmp_path / "one", {"abtest.yml": "".join(reversed(texts)), "x.yml": EXPERIMENT}))
    many = load_project(write(tmp_path / "many", FILES))
    assert (one.sources, one.events, one.metrics) == (many.sources, many.events, many.metrics)
    assert one.experiments == many.experiments


def test_an_experiment_is_resolved(tmp_path: Path) -> None:
    files = {**FILES, "experiments/ranker_v3.yml": EXPERIMENT + "segments: [plan]\n"}
    project, problems = read(tmp_path, files)
    assert said(problems) == ""
    experiment = project.experiments["ranker_v3"]
    assert experiment.segments[0].source == "people"
    assert [(u.name, u.role) for u in experiment.metrics] == [("engaged_weeks", "goal"), ("revenue", "guardrail")]
    assert experiment.metrics[1].margin is not None
    assert experiment.metrics[1].margin.size == 0.03
    assert [v.id for v in experiment.treatments] == ["dwell"]
    assert pick_experiment(project, "ranker_v3") is experiment
    with pytest.raises(UserError, match="Did you mean"):
        pick_experiment(project, "ranker_v4")


def test_margins_in_points_and_durations(tmp_path: Path) -> None:
    metrics = METRICS + (
        "  opened: {did: app_open, over: first 7 days, better: higher, margin: 0.5 points}\n"
        "  reading: {amount: sum(article_read.seconds), over: first 7 days, better: higher, margin: 2 min}\n"
    )
    used = EXPERIMENT.replace("[revenue]", "[revenue, opened, reading]")
    project, problems = read(tmp_path, {**FILES, "metrics/all.yml": metrics, "experiments/ranker_v3.yml": used})
    assert said(problems) == ""
    sizes = {u.name: u.margin.size for u in project.experiments["ranker_v3"].metrics if u.margin is not None}
    assert sizes == {"revenue": 0.03, "opened": 0.005, "reading": 120.0}


def test_exact_shares_add_up(tmp_path: Path) -> None:
    shares = "".join(f"  v{i}: {{key: k{i}, share: 14.3%}}\n" for i in range(6)) + "  v6: {key: k6, share: 14.2%}\n"
    head, _, tail = EXPERIMENT.partition("variants:\n")
    tail = tail[tail.index("baseline") :].replace("control", "v0")
    _, problems = read(tmp_path, {**FILES, "experiments/ranker_v3.yml": f"{head}variants:\n{shares}{tail}"})
    assert said(problems) == ""


def test_equal_shares_are_assumed_with_a_warning(tmp_path: Path) -> None:
    text = EXPERIMENT.replace(", share: 50%", "")
    project, problems = read(tmp_path, {**FILES, "experiments/ranker_v3.yml": text})
    assert [p.code for p in problems.found] == ["W412"]
    assert [v.share for v in project.experiments["ranker_v3"].variants] == [0.5, 0.5]
    assert len(project.warnings) == 1


def test_all_problems_of_all_files_at_once_and_sorted(tmp_path: Path) -> None:
    files = {
        **FILES,
        "metrics/b.yml": "metrics:\n  b: {did: lik, over: week 2}\n  c: {amount: sum(purchase.revnue), over: first 7 days}\n",
        "metrics/a.yml": "metrics:\n  a: {did: like on 2, ovr: whole}\n",
        "experiments/ranker_v3.yml": EXPERIMENT.replace("[engaged_weeks]", "[a, b, d]"),
    }
    with pytest.raises(UserError) as caught:
        load_project(write(tmp_path, files))
    assert caught.value.exit_code == 1
    places = [(str(p.place), p.code) for p in caught.value.problems]
    assert places == [
        ("experiments/ranker_v3.yml:12:16", "E204"),
        ("metrics/a.yml:2:21", "E113"),
        ("metrics/a.yml:2:23", "E102"),
        ("metrics/b.yml:2:12", "E201"),
        ("metrics/b.yml:2:23", "E301"),
        ("metrics/b.yml:3:19", "E210"),
    ]


GROUPED = """\
groups:
  level: {per: week, ladder: {regular: like >= 5, explorer: app_open}, otherwise: dormant}
metrics:
  share_regular: {group: level, at_least: regular, over: first 28 days}
  rank: {group: level, as: rank, over: first 28 days}
"""
SURVEYED = """\
sources:
  form: {kind: answers, files: form.csv, units: {user: uid}, columns: {time: at, score: q1}}
surveys:
  nps: {source: form, answer: score, scale: 0-10, score: nps}
groups:
  fan: {over: first 28 days, cross: {F: purchase, A: answer(nps) >= 9}}
metrics:
  recommend: {survey: nps, over: first 28 days}
  promoters: {did: answer(nps) >= 9, over: first 28 days}
  fans: {group: fan, is: FA}
"""
ADJUSTED = """\
metrics:
  before: {amount: like, over: before 28 days}
  adjusted: {amount: like, over: first 14 days, among: plan = free, adjust: [before, people.plan]}
  free: {did: like and people.plan = free, over: first 14 days}
"""


def test_the_whole_language_has_nothing_to_complain_of(tmp_path: Path) -> None:
    more = {"groups.yml": GROUPED, "form.yml": SURVEYED, "adjusted.yml": ADJUSTED}
    project, problems = read(tmp_path, {**FILES, **more})
    assert said(problems) == ""
    assert set(project.groups) == {"level", "fan"}
    assert set(project.surveys) == {"nps"}
    assert project.metrics["fans"].known is not None
    assert project.metrics["rank"].rank is not None
    assert project.metrics["recommend"].unit_of_value == "points"
    assert project.metrics["adjusted"].among is not None
    assert project.metrics["adjusted"].among.source == "people"


BROKEN: dict[str, tuple[str, str | bytes, list[str]]] = {
    "a file that YAML cannot read": ("events.yml", "events: [like", ["E101"]),
    "a file that is not UTF-8": ("events.yml", b"events: {like: \xff}", ["E106"]),
    "an alias": ("events.yml", "events: {like: *x}", ["E104"]),
    "a misspelt section": ("events.yml", "evnts: {like: like}", ["E102"]),
    "a section that is a list": ("events.yml", "events: [like]", ["E121"]),
    "a source without a kind": ("abtest.yml", FILES["abtest.yml"].replace("    kind: events\n", ""), ["E108"]),
    "a source of a misspelt kind": ("abtest.yml", FILES["abtest.yml"].replace("kind: events", "kind: event"), ["E122"]),
    "exposures of a misspelt kind": (
        "abtest.yml",
        FILES["abtest.yml"].replace("kind: exposures", "kind: flags"),
        ["E122"],
    ),
    "a source that is no map": (
        "abtest.yml",
        FILES["abtest.yml"].replace("  shop: {", "  shopp: x\n  shop: {"),
        ["E121"],
    ),
    "a metric that cannot be read": (
        "metrics/all.yml",
        METRICS.replace("did: photo_post", "did: and photo_post"),
        ["E113"],
    ),
    "a metric that breaks a rule": (
        "metrics/all.yml",
        METRICS.replace("did: photo_post >= 2 and like >= 5", "time_to: like"),
        ["E124"],
    ),
    "a group that cannot be read": ("groups.yml", GROUPED.replace("like >= 5", "like >= "), ["E113"]),
    "a group of an unknown event": ("groups.yml", GROUPED.replace("like >= 5", "likes >= 5"), ["E201"]),
    "a group of neither form": ("groups.yml", GROUPED.replace("ladder", "steps"), ["E108", "E102"]),
    "a survey that cannot be read": ("form.yml", SURVEYED.replace("0-10", "0 to 10"), ["E319"]),
    "a survey of an unknown source": ("form.yml", SURVEYED.replace("source: form", "source: frm"), ["E203"]),
    "a source of answers that cannot be read": ("form.yml", SURVEYED.replace("time: at, ", ""), ["E109"]),
    "a source of answers of a misspelt kind": ("form.yml", SURVEYED.replace("kind: answers", "kind: answer"), ["E122"]),
    "a metric before exposure that cannot be read": (
        "adjusted.yml",
        ADJUSTED.replace("before: {amount: like,", "before: {amount: like like,"),
        ["E113"],
    ),
    "attributes of a misspelt kind": (
        "abtest.yml",
        FILES["abtest.yml"].replace("kind: attributes", "kind: attribute") + ADJUSTED,
        ["E122"],
    ),
    "an event of an unknown source": (
        "events.yml",
        FILES["events.yml"].replace("where: revenue > 0", "source: nope"),
        ["E202"],
    ),
    "an event with a bad where": ("events.yml", FILES["events.yml"].replace("revenue > 0", "revenue >"), ["E113"]),
    "an experiment that cannot be read": ("experiments/ranker_v3.yml", "experiment: {", ["E101"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_follows_from_a_mistake_is_not_said(name: str, tmp_path: Path) -> None:
    file, text, codes = BROKEN[name]
    write(tmp_path, FILES)
    (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    _, problems = read_project(tmp_path)
    assert [p.code for p in problems.found] == codes, said(problems)


def test_an_empty_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_project(tmp_path)
    assert caught.value.exit_code == 2


def test_a_nested_condition_points_into_its_item(tmp_path: Path) -> None:
    listed = "any:\n        - all: [like, photo_post]\n        - none:\n            - crash\n            - lke\n"
    text = f"metrics:\n  x:\n    did:\n      {listed}    over: first 7 days\n"
    _, problems = read(tmp_path, {**FILES, "metrics/x.yml": text})
    assert [(str(p.place), p.place and p.place.length) for p in problems.errors] == [("metrics/x.yml:8:15", 3)]


@pytest.mark.parametrize(
    ("text", "excerpts"),
    [
        ("did: 'it''s like'", {(5, 9): ("m.yml:1:13", "like")}),
        ("did: a\n  and   b\n  and like", {(8, 9): ("m.yml:2:9", "b"), (14, 18): ("m.yml:3:7", "like")}),
        ("did: >\n  a and\n  like >= 5\nper: week", {(6, 10): ("m.yml:3:3", "like")}),
        ("did: |\n    a and\n\n    like", {(7, 11): ("m.yml:4:5", "like")}),
        ('did: "a\\tlike"', {(2, 6): ("m.yml:1:6", '"a\\tlike"')}),
        ("did: {of: 'a, b', to: like}", {}),
    ],
)
def test_spans_of_folded_and_quoted_text(text: str, excerpts: dict[tuple[int, int], tuple[str, str]]) -> None:
    from abtest.language.yaml import Text, parse_yaml
    from abtest.problems import Problems

    tree = parse_yaml(text, "m.yml", Problems())
    assert tree is not None
    node = tree.get("did")
    for span, (place, word) in excerpts.items():
        assert isinstance(node, Text)
        found = node.span(*span)
        assert (str(found), found.excerpt[found.column - 1 :][: found.length]) == (place, word)


def test_reading_a_project_needs_no_engine() -> None:
    """`check` and `--help` answer at once because the language is plain Python."""
    program = (
        "import sys, abtest.language.project\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'ibis', 'duckdb', 'pyarrow', 'jinja2', 'rich'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ}
    )
    assert run.stdout.strip() == ""


@pytest.mark.parametrize("folder", ["examples/visitors", "examples/watch-time", "templates/init"])
def test_the_projects_that_ship_are_good(folder: str) -> None:
    _, problems = read_project(ROOT / folder)
    assert said(problems) == ""


@pytest.mark.parametrize("key", ["adjust: [shop.paid]", "among: paid > 3"])
def test_a_warning_loses_no_metric(tmp_path: Path, key: str) -> None:
    """Whether `shop` is known before the exposure is asked, and the metric is there all the same."""
    metrics = METRICS.replace("    better: higher\n", f"    better: higher\n    {key}\n")
    project, problems = read(tmp_path, {**FILES, "metrics/all.yml": metrics})
    assert [p.code for p in problems.errors] == []
    assert "W314" in [p.code for p in problems.warnings]
    assert [u.name for u in project.experiments["ranker_v3"].metrics] == ["engaged_weeks", "revenue"]
