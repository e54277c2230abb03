"""Plans that look early or believe, end to end from YAML: the numbers are those of the kernels on the same sums."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import abtest
from abtest.analysis.arms import Arm
from abtest.analysis.compare import Setting, compare
from abtest.analysis.result import Comparison, Result
from abtest.cli.main import cli
from abtest.language.looks import looks_path, looks_text, read_looks
from abtest.language.looks_model import Look
from abtest.language.model import Metric, MetricUse, Plan
from abtest.problems import Problems, UserError
from abtest.reports.html import render_html
from abtest.stats.bayes import Prior, chance_to_win, expected_loss, posterior, prior_from_history
from abtest.stats.distributions import critical_value
from abtest.stats.group_sequential import boundaries
from abtest.stats.moments import Moments
from abtest.stats.sequential import critical, optimal_kappa, p_value
from abtest.stats.spending import Spending
from abtest.stats.stopped import repeated_p

START = date(2026, 3, 2)
PROJECT = """
project: {name: early, timezone: UTC, data: ., default_adjust: none}
sources:
  log:
    kind: events
    files: log.csv
    columns: {event: event, time: at}
    units: {user: user}
    complete_through: 2026-04-30
  flags:
    kind: exposures
    files: flags.csv
    columns: {variant: variant, time: at}
    units: {user: user}
events: {like: like, open: open}
metrics:
  likes: {amount: like, over: first 2 days, better: higher, owner: me, description: d}
  opens: {amount: open, over: first 2 days, better: higher, margin: 20%, owner: me, description: d}
"""
EXPERIMENT = """
experiment: x
unit: user
owner: me
hypothesis: h
exposure: {source: flags}
variants: {a: {key: a, share: 50%}, b: {key: b, share: 50%}}
baseline: a
dates: {start: 2026-03-02, end: 2026-03-29}
AS_OF
metrics: {goal: [likes], guardrail: [opens]}
plan: PLAN
"""


def write(folder: Path, plan: str, as_of: str | None = None, effect: float = 0.25, extra: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "abtest.yml").write_text(PROJECT)
    (folder / "experiments").mkdir(exist_ok=True)
    told = EXPERIMENT.replace("PLAN", plan).replace("AS_OF", f"as_of: {as_of}" if as_of else "")
    (folder / "experiments" / "x.yml").write_text(told + extra)
    random.seed(7)
    log, flags = ["user,event,at"], ["user,variant,at"]
    for i in range(560):
        day = START + timedelta(days=i % 28)
        arm = "b" if random.random() < 0.5 else "a"
        flags.append(f"u{i},{arm},{day} 10:00")
        rate = 1.0 + (effect if arm == "b" else 0.0)
        for event, times in (("like", rate), ("open", 2.0)):
            log += [f"u{i},{event},{day} 11:00"] * int(random.expovariate(1 / times))
    (folder / "log.csv").write_text("\n".join(log) + "\n")
    (folder / "flags.csv").write_text("\n".join(flags) + "\n")
    return folder


def of(result: Result, metric: str = "likes") -> Comparison:
    return result.metric(metric).comparisons[0]


def run(folder: Path) -> str:
    found = CliRunner().invoke(cli, ["run", "x", "--project", str(folder), "--quiet"])
    assert found.exit_code == 0, found.output
    return found.output


def z_of(comparison: Comparison) -> tuple[float, float]:
    assert comparison.absolute is not None
    assert comparison.absolute.se is not None
    return comparison.absolute.estimate, comparison.absolute.se


def test_each_look_of_a_group_sequential_plan_has_its_boundary_from_all_before(tmp_path: Path) -> None:
    plan = "{method: group_sequential, looks: [25%, 50%, 100%], spending: pocock}"
    shares, units = [], []
    for as_of, at_look in (("2026-03-08", True), ("2026-03-15", True), ("2026-04-02", True)):
        folder = write(tmp_path / "p", plan, as_of)
        run(folder)
        result = abtest.run("x", folder)
        assert result.looks is not None
        assert result.looks.planned is at_look
        reached = as_of == "2026-04-02"
        shares.append(1.0 if reached else round((date.fromisoformat(as_of) - START).days + 1, 6) / 28)
        arms = {a.variant: a.used for a in result.metric("likes").arms}
        units.append(sum(arms.values()))
        assert [dict(look.units)["likes"] for look in result.looks.taken] == units
        bounds = boundaries([u / units[-1] for u in units], 0.05, Spending("pocock"), final=reached, schedule=shares)
        estimate, se = z_of(of(result))
        absolute = of(result).absolute
        assert absolute is not None
        assert absolute.low == pytest.approx(estimate - bounds.bounds[-1] * se, abs=1e-6)
        assert absolute.high == pytest.approx(estimate + bounds.bounds[-1] * se, abs=1e-6)
        p = repeated_p(
            estimate / se, [u / units[-1] for u in units], Spending("pocock"), final=reached, schedule=shares
        )
        assert of(result).p_value == pytest.approx(p, rel=1e-4)
        assert result.looks.taken[-1].bound == pytest.approx(bounds.bounds[-1], abs=1e-5)
        assert "repeated interval" in render_html(result)
    assert result.looks.taken[-1].final
    assert result.looks.taken[-1].spent == 0.05


def test_between_planned_looks_nothing_is_decided_and_nothing_is_kept(tmp_path: Path) -> None:
    plan = "{method: group_sequential, looks: [50%, 100%]}"
    folder = write(tmp_path / "p", plan, "2026-03-08", effect=6.0)
    run(folder)
    assert not looks_path(folder, "x").exists()
    result = abtest.run("x", folder)
    assert (result.decision.verdict, result.decision.reason) == ("keep_running", "too_early")
    assert result.looks is not None
    assert (result.looks.planned, result.looks.next_at) == (False, 0.5)
    assert of(result).always_valid_absolute is not None
    assert "Between two planned looks" in render_html(result)
    # At the look itself a large effect stops the experiment.
    folder = write(tmp_path / "p", plan, "2026-03-15", effect=6.0)
    run(folder)
    assert abtest.run("x", folder).decision.verdict == "ship"


def test_running_again_on_the_same_data_is_the_same_look(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", "{method: group_sequential, looks: 4}", "2026-03-15")
    run(folder)
    kept, made = looks_path(folder, "x").read_bytes(), (folder / "out/x/report.html").read_bytes()
    run(folder)
    assert looks_path(folder, "x").read_bytes() == kept
    assert (folder / "out/x/report.html").read_bytes() == made


def test_a_metric_that_the_kept_look_does_not_name_is_counted_by_this_run(tmp_path: Path) -> None:
    """A goal that was renamed after a look has, on the same data, the units that this run counts."""
    plan = "{method: group_sequential, looks: [50%, 100%]}"
    folder = write(tmp_path / "p", plan)
    run(folder)
    before = abtest.run("x", folder)
    file = looks_path(folder, "x")
    file.write_text(file.read_text("utf-8").replace("likes:", "hearts:"), "utf-8")
    after = abtest.run("x", folder)
    assert of(after) == of(before)
    assert of(after).absolute is not None


def test_looks_out_of_order_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", "{method: group_sequential, looks: 4}", "2026-03-15")
    run(folder)
    write(folder, "{method: group_sequential, looks: 4}", "2026-03-10")
    with pytest.raises(UserError, match="E526 looks out of order: the data reach 2026-03-10"):
        abtest.run("x", folder)


def test_an_export_that_lost_units_is_no_later_look(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", "{method: group_sequential, looks: 4}", "2026-03-15")
    run(folder)
    write(folder, "{method: group_sequential, looks: 4}", "2026-03-25")
    rows = (folder / "flags.csv").read_text().splitlines()
    (folder / "flags.csv").write_text("\n".join(rows[:60]) + "\n")
    with pytest.raises(UserError, match=r"E526 looks out of order: likes had .* units at the look of 2026-03-15"):
        abtest.run("x", folder)


def test_units_measure_the_plan_where_it_says_so_and_more_than_planned_is_the_end(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", "{method: group_sequential, looks: 2, units: 100}", "2026-03-15")
    result = abtest.run("x", folder)
    assert result.looks is not None
    used = sum(a.used for a in result.metric("likes").arms)
    assert used > 100
    assert (result.looks.fraction, result.looks.taken[-1].final) == (1.0, True)
    assert result.experiment.reached_end
    assert result.decision.verdict != "keep_running"


@pytest.mark.parametrize("as_of", ["2026-03-15", "2026-04-02"])
def test_a_hybrid_plan_watches_with_a_part_and_keeps_the_rest_for_the_end(tmp_path: Path, as_of: str) -> None:
    hybrid = abtest.run("x", write(tmp_path / "h", "{method: hybrid, monitoring: 20%}", as_of))
    fixed = abtest.run("x", write(tmp_path / "f", "{method: fixed}", as_of))
    estimate, se = z_of(of(hybrid))
    absolute = of(hybrid).absolute
    assert absolute is not None
    assert absolute.high is not None
    if as_of == "2026-04-02":
        inside = (absolute.high - estimate) / se
        assert inside == pytest.approx(critical_value(0.04), rel=0.02)  # Student's t of some hundred units
        plain = of(fixed).p_value
        assert plain is not None
        assert of(hybrid).p_value == pytest.approx(min(1.0, plain / 0.8), rel=1e-6)
        assert hybrid.decision.verdict != "keep_running"
    else:
        kappa = optimal_kappa(0.01) * 0.5
        assert (absolute.high - estimate) / se == pytest.approx(critical(kappa, 0.01), rel=1e-9)
        assert of(hybrid).p_value == pytest.approx(min(1.0, p_value(estimate / se, kappa) / 0.2), rel=1e-9)


def test_a_bayesian_plan_shows_the_posterior_of_the_test_that_fits(tmp_path: Path) -> None:
    bayes = abtest.run("x", write(tmp_path / "b", "{method: bayesian, prior: {mean: 2%, sd: 10%}}", "2026-04-02"))
    fixed = abtest.run("x", write(tmp_path / "f", "{method: fixed}", "2026-04-02"))
    lift = of(fixed).relative
    assert lift is not None
    assert lift.se is not None
    wanted = posterior(lift.estimate, lift.se, Prior(0.02, 0.1))
    found = of(bayes).believed
    assert found is not None
    assert (found.mean, found.sd) == (wanted.mean, wanted.sd)
    assert found.chance == chance_to_win(wanted)
    assert (found.loss_ship, found.loss_keep) == (expected_loss(wanted).ship, expected_loss(wanted).keep)
    shown = of(bayes).relative
    assert shown is not None
    assert shown.low == pytest.approx(wanted.mean - critical_value(0.05) * wanted.sd)
    assert of(bayes).p_value is None
    # The guardrail is judged by its credible interval, in units of its margin of 20 %.
    margin, own = of(bayes, "opens").margin, of(bayes, "opens").believed
    assert margin is not None
    assert margin.effect is not None
    assert own is not None
    assert margin.effect.low == pytest.approx(own.low / 0.2)
    html = render_html(bayes)
    assert "What is believed of the changes" in html
    assert "a prior of changes around 2%, standard deviation 10%" in html
    assert "credible interval" in html


@given(
    st.floats(0.2, 5.0),
    st.floats(-0.9, 0.9),
    st.floats(0.05, 4.0),
    st.integers(20, 4000),
    st.floats(0.01, 0.5),
    st.floats(-0.1, 0.1),
)
def test_what_is_believed_says_one_thing_of_zero(
    control: float, lift: float, sd: float, n: int, prior_sd: float, prior_mean: float
) -> None:
    arms = [Arm(n, n, 0, 0, moments=Moments(n, mean, sd * sd * (n - 1))) for mean in (control * (1 + lift), control)]
    plan = Plan(method="bayesian")
    setting = Setting(plan, False, 1.0, priors={"m": Prior(prior_mean, prior_sd)})
    found = compare(Metric("m", "amount", better="higher"), MetricUse("m", "goal"), "b", arms[0], arms[1], setting)
    if found.believed is None or found.relative is None:
        return
    assert found.absolute is not None
    for a, r in ((found.absolute.low, found.relative.low), (found.absolute.high, found.relative.high)):
        assert a is not None
        assert r is not None
        assert a == pytest.approx(r * control, rel=1e-9, abs=1e-12)
    low, high = found.relative.low, found.relative.high
    assert low is not None
    assert high is not None
    assert (found.state == "better", found.state == "worse") == (low > 0.0, high < 0.0)
    assert found.believed.data_relative is not None
    assert found.believed.data_relative.estimate == pytest.approx(lift, rel=1e-6, abs=1e-9)


def test_a_prior_is_that_of_the_goals_and_points_where_better_is(tmp_path: Path) -> None:
    plan = "{method: bayesian, prior: {mean: 2%, sd: 3%}}"
    folder = write(tmp_path / "p", plan, "2026-04-02")
    result = abtest.run("x", folder)
    flat = abtest.run("x", write(tmp_path / "f", "{method: bayesian}", "2026-04-02"))
    guardrail, own = of(result, "opens"), of(result, "opens").believed
    assert guardrail == of(flat, "opens")
    assert own is not None
    assert own.prior_sd is None
    goal = of(result).believed
    assert goal is not None
    assert (goal.prior_mean, goal.prior_sd) == (0.02, 0.03)
    told = (folder / "abtest.yml").read_text()
    turn = "likes: {amount: like, over: first 2 days, better: "
    (folder / "abtest.yml").write_text(told.replace(f"{turn}higher", f"{turn}lower"))
    turned = of(abtest.run("x", folder)).believed
    assert turned is not None
    assert (turned.prior_mean, turned.prior_sd) == (-0.02, 0.03)


def test_a_bayesian_plan_before_its_end_keeps_running_whatever_it_believes(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path / "b", "{method: bayesian}", "2026-03-15", effect=8.0))
    found = of(result).believed
    assert found is not None
    assert found.chance > 0.999
    assert result.decision.verdict == "keep_running"
    assert "stopping when it looks good makes false alarms more frequent" in render_html(result)


def test_a_prior_from_history_needs_ten_experiments_and_says_how_many_there_are(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", "{method: bayesian, prior: history}", "2026-04-02")
    result = abtest.run("x", folder)
    assert (result.plan.prior_from, result.plan.prior_sd) == (0, 0.3)
    assert "0 earlier experiments of this definition are too few" in render_html(result)


def write_earlier(folder: Path, many: int) -> None:
    """Experiments before x, each with users of its own, true lifts around 25 %; the last one lost half of an arm."""
    rng = random.Random(11)
    log, flags = (folder / "log.csv").open("a"), (folder / "flags.csv").open("a")
    with log, flags:
        for i in range(many):
            start = date(2026, 1, 5) + timedelta(days=4 * i)
            lift = rng.gauss(0.25, 0.2)
            for j in range(400):
                arm, lost = "ab"[j % 2], i == many - 1 and j % 4 == 1
                if lost:
                    continue
                flags.write(f"e{i}u{j},{arm},{start} 10:00\n")
                rate = 1.0 + (lift if arm == "b" else 0.0)
                log.write(f"e{i}u{j},like,{start} 11:00\n" * int(rng.expovariate(1 / (3 * rate))))
                log.write(f"e{i}u{j},open,{start} 11:00\n" * 2)
            own = EXPERIMENT.replace("experiment: x", f"experiment: e{i:02}").replace("AS_OF", "")
            own = own.replace("2026-03-02, end: 2026-03-29", f"{start}, end: {start + timedelta(days=3)}")
            (folder / "experiments" / f"e{i:02}.yml").write_text(own.replace("PLAN", "{method: fixed}"))


def test_a_prior_from_history_is_that_of_the_valid_experiments_before(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", "{method: bayesian, prior: history}", "2026-04-02")
    write_earlier(folder, 13)
    result = abtest.run("x", folder)
    lifts = []
    for i in range(13):
        before = abtest.run(f"e{i:02}", folder)
        assert before.decision.valid is (i < 12), "the last one lost units of one arm"
        lift = of(before).relative
        assert lift is not None
        assert lift.se
        lifts += [(lift.estimate, lift.se)] if before.decision.valid else []
    prior = prior_from_history([e for e, _ in lifts], [s for _, s in lifts])
    assert prior is not None
    assert 0.05 < prior.sd < 0.5
    assert (result.plan.prior_from, result.plan.prior_mean, result.plan.prior_sd) == (12, prior.mean, prior.sd)
    fixed = abtest.run("x", write(tmp_path / "f", "{method: fixed}", "2026-04-02"))
    lift = of(fixed).relative
    found = of(result).believed
    assert lift is not None
    assert lift.se
    assert found is not None
    wanted = posterior(lift.estimate, lift.se, prior)
    assert (found.mean, found.sd) == pytest.approx((wanted.mean, wanted.sd), rel=1e-12)
    assert found.chance == pytest.approx(chance_to_win(wanted), rel=1e-12)
    # Opens were the same for everybody before, so their history says nothing of how large effects are: no prior at all.
    opens = of(result, "opens").believed
    assert opens is not None
    assert opens.prior_sd is None
    assert f"a prior from 12 earlier experiments (changes around {100 * prior.mean:.2g}" in render_html(result)


def test_the_price_of_looking_is_that_of_the_looks_that_are_kept(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", "{method: fixed}", "2026-03-10")
    run(folder)
    write(folder, "{method: fixed}", "2026-03-12")
    result = abtest.run("x", folder)
    (peeking,) = [h for h in result.health if h.key == "peeking"]
    assert dict(peeking.values)["kept"] == 2
    assert "after 2 looks" in render_html(result)


def test_a_look_at_which_no_goal_has_a_value_is_not_taken(tmp_path: Path) -> None:
    """Windows of two days: on the first day, 4 % of the plan, nobody has a value."""
    plan = "{method: group_sequential, looks: [3%, 50%, 100%]}"
    folder = write(tmp_path / "p", plan, "2026-03-02")
    result = abtest.run("x", folder)
    assert result.looks is not None
    assert (result.looks.planned, result.looks.taken) == (False, ())
    write(folder, plan, "2026-03-04")
    result = abtest.run("x", folder)
    assert result.looks is not None
    assert [look.through for look in result.looks.taken] == ["2026-03-04"]


def test_what_is_only_explored_has_the_boundary_of_the_goal(tmp_path: Path) -> None:
    plan = "{method: group_sequential, looks: [25%, 50%, 100%]}"
    for as_of in ("2026-03-08", "2026-03-15"):
        folder = write(tmp_path / "p", plan, as_of)
        told = (folder / "experiments" / "x.yml").read_text()
        (folder / "experiments" / "x.yml").write_text(told.replace("guardrail: [opens]", "explore: [opens]"))
        run(folder)
    result = abtest.run("x", folder)
    widths = []
    for metric in ("likes", "opens"):
        absolute = of(result, metric).absolute
        assert absolute is not None
        assert absolute.low is not None
        assert absolute.high is not None
        assert absolute.se
        widths.append((absolute.high - absolute.low) / 2 / absolute.se)
    assert widths[0] == pytest.approx(widths[1], rel=1e-6)
    assert 2.0 < widths[0] < 4.5


def test_a_better_goal_that_waits_for_a_guardrail_is_told_so(tmp_path: Path) -> None:
    plan = "{method: sequential}"
    folder = write(tmp_path / "p", plan, "2026-03-20", effect=1.5)
    told = (folder / "abtest.yml").read_text()
    (folder / "abtest.yml").write_text(told.replace("margin: 20%", "margin: 1%"))
    result = abtest.run("x", folder)
    assert (of(result).state, result.decision.verdict) == ("better", "keep_running")
    assert "Opens is not yet shown to hold" in render_html(result)
    assert "Too early to tell" not in render_html(result)


def test_windows_are_complete_when_those_have_theirs_who_may_still_come(tmp_path: Path) -> None:
    early = abtest.run("x", write(tmp_path / "p", "{method: fixed}", "2026-03-10"))
    assert early.metric("likes").mature_on == "2026-03-30"  # enrolment ends on the 29th, the window on the day after


def test_looks_that_fall_spend_no_alpha_twice(tmp_path: Path) -> None:
    """The end of an experiment was moved between two looks, so that the second is less far than the first."""
    plan = "{method: group_sequential, looks: [25%, 50%, 100%]}"
    folder = write(tmp_path / "p", plan, "2026-03-15")
    (folder / "looks").mkdir()
    before = Look("2026-03-08", 0.6, (("likes", 100), ("opens", 100)))
    looks_path(folder, "x").write_text(looks_text("x", (before,)))
    told = (folder / "experiments" / "x.yml").read_text().replace("50%, 100%]", "50%, 70%, 100%]")
    (folder / "experiments" / "x.yml").write_text(told.replace("as_of: 2026-03-15", "as_of: 2026-03-22"))
    taken = abtest.run("x", folder).looks
    assert taken is not None
    assert [look.bound is not None for look in taken.taken] == [True, True]
    zero = Look("2026-03-08", 0.0, (("likes", 100), ("opens", 100)))
    looks_path(folder, "x").write_text(
        looks_text("x", (zero, Look("2026-03-10", 0.7, (("likes", 150), ("opens", 150)))))
    )
    assert abtest.run("x", folder).looks is not None


def test_looks_are_read_as_they_were_written(tmp_path: Path) -> None:
    looks = (Look("2026-03-08", 0.25, (("likes", 12),)), Look("2026-03-29", 1.0, (("likes", 80),), True))
    (tmp_path / "looks").mkdir()
    looks_path(tmp_path, "x").write_text(looks_text("x", looks))
    problems = Problems()
    assert read_looks(tmp_path, ["x"], problems) == {"x": looks}
    assert not problems.found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("looks_of: y\nlooks: []\n", "E372 the looks at experiment"),
        ("looks_of: x\nlooks: no\n", "E371 looks is a list of looks"),
        ("looks_of: x\nlooks:\n  - {through: soon, progress: 0.5}\n", "E371 a look has through"),
        (
            "looks_of: x\nlooks:\n  - {through: 2026-03-09, progress: 0.5}\n  - {through: 2026-03-08, progress: 0.6}\n",
            "E371 looks out of order: 2026-03-08 stands after 2026-03-09",
        ),
        (
            "looks_of: x\nlooks:\n  - {through: 2026-03-08, progress: 1.0, final: yes}\n"
            "  - {through: 2026-03-09, progress: 1.0}\n",
            "E371 a look after the last one",
        ),
    ],
)
def test_a_file_of_looks_that_cannot_be_believed_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "looks").mkdir()
    looks_path(tmp_path, "x").write_text(text)
    problems = Problems()
    assert read_looks(tmp_path, ["x"], problems) == {}
    assert any(said in str(p) for p in problems.found), [str(p) for p in problems.found]


def test_harm_is_told_while_a_fixed_plan_runs_and_decides_nothing(tmp_path: Path) -> None:
    """A goal that loses nearly everything: the one-sided band, shared over goal and guardrail, says so on day 14."""
    from abtest.stats.sequential import p_value_one_sided

    result = abtest.run("x", write(tmp_path / "p", "{method: fixed}", "2026-03-15", effect=-0.95))
    (line,) = [r for r in result.decision.rules if r.code == "watch"]
    estimate, se = z_of(of(result))
    wanted = p_value_one_sided(-estimate / se, optimal_kappa(0.05) * 0.5) < 0.025
    assert wanted
    assert (line.met, line.metrics) == (False, ("likes",))
    assert result.decision.verdict == "keep_running"
    assert "Getting worse beyond chance" in render_html(result)
    calm = abtest.run("x", write(tmp_path / "q", "{method: fixed}", "2026-03-15", effect=0.0))
    (line,) = [r for r in calm.decision.rules if r.code == "watch"]
    assert (line.met, line.metrics) == (True, ("likes", "opens"))
    over = abtest.run("x", write(tmp_path / "r", "{method: fixed}", "2026-04-02", effect=-0.95))
    assert not [r for r in over.decision.rules if r.code == "watch"]
