"""Plans that look early or believe: which looks there were and what they may decide, and what is believed of effects."""

from __future__ import annotations

from abtest.analysis.result import Believed, Comparison, Interval, MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.evidence import Evidence
from abtest.reports.wording import Shown, Wording


def looks_section(w: Wording) -> Evidence | None:
    """The looks of a group sequential plan, with their boundaries."""
    looks, words = w.result.looks, w.words
    if looks is None or w.result.plan.method != "group_sequential":
        return None
    facts = {"n": w.count(len(looks.taken)), "share": w.share(looks.fraction)}
    key = "final" if looks.taken and looks.taken[-1].final else "planned" if looks.planned else "between"
    leads = [words(f"plan_looks.{key}", **facts)]
    if looks.next_at is not None:
        leads.append(words("plan_looks.next", share=w.share(looks.next_at)))
    columns = tuple(words(f"plan_looks.columns.{c}") for c in ("look", "date", "share", "bound", "spent"))
    rows = tuple(
        (
            w.count(k),
            w.date(look.through),
            w.share(look.fraction),
            words("plan_looks.untested") if look.bound is None else w.numbers.fixed(look.bound, 2),
            words("plan_looks.untested") if look.spent is None else _small(w, look.spent),
        )
        for k, look in enumerate(looks.taken, 1)
    )
    table = Plain(words("plan_looks.caption", alpha=w.share(w.result.plan.alpha)), columns, rows, frozenset({2, 3, 4}))
    return Evidence(
        words("sections.looks.title"), tuple(leads), (), (table,) if rows else (), read=(words("plan_looks.read"),)
    )


def _small(w: Wording, share: float) -> str:
    return w.share(share) if share >= 0.0001 else w.words("plan_looks.next_to_nothing")


def believed_section(w: Wording) -> Evidence | None:
    """The posterior of each effect: the chance that it is good, and what is lost on average either way."""
    words, plan = w.words, w.result.plan
    found = [
        (m, c, c.believed)
        for m in w.result.metrics
        if m.role != "part"
        for c in m.comparisons
        if c.believed is not None
    ]
    if plan.method != "bayesian" or not found:
        return None
    goals = [(m, c, b) for m, c, b in found if m.role == "goal" and c.variant == w.result.decision.variant]
    leads = [_lead(w, m, c, b) for m, c, b in goals]
    leads.append(words("believed.peeking_early" if w.early else "believed.peeking"))
    leads.append(words("believed.start", prior=prior_text(w)))
    rows = tuple(_row(w, m, c, b) for m, c, b in found)
    names = ("metric", "data", "prior", "change", "chance", "ship", "keep")
    columns = tuple(words(f"believed.columns.{c}") for c in names)
    table = Plain(words("believed.caption", level=w.level), columns, rows, frozenset(range(1, len(names))))
    return Evidence(words("sections.believed.title"), tuple(leads), (), (table,), read=(words("believed.read"),))


def prior_text(w: Wording) -> str:
    """The prior in words."""
    plan = w.result.plan
    if plan.prior_sd is None or plan.prior_mean is None:
        return w.words("believed.prior.flat")
    facts = {
        "mean": _percent(w, plan.prior_mean),
        "sd": _percent(w, plan.prior_sd),
        "n": w.count(plan.prior_from or 0),
    }
    key = plan.prior
    if key == "history":
        key = "history" if plan.prior_from is not None and plan.prior_from >= 10 and plan.prior_sd != 0.3 else "too_few"
    return w.words(f"believed.prior.{key}", **facts)


def _percent(w: Wording, share: float) -> str:
    return w.words("units.percent", n=w.numbers.trimmed(100 * share, 2))


def _prior(w: Wording, b: Believed) -> str:
    if b.prior_mean is None or b.prior_sd is None:
        return w.words("believed.no_prior")
    return w.words("believed.around", mean=_percent(w, b.prior_mean), sd=_percent(w, b.prior_sd))


def _data(w: Wording, metric: MetricResult, b: Believed) -> str:
    """What the data say without the prior."""
    interval = b.data_relative if b.scale == "relative" else b.data_absolute
    if interval is None:
        return w.words("table.no_value")
    change = w.change(metric, Shown(interval, b.scale == "relative", False))
    return w.words("believed.change", change=change.estimate, interval=change.interval)


def _change(w: Wording, metric: MetricResult, b: Believed) -> str:
    shown = Shown(Interval(b.mean, b.low, b.high, b.sd), b.scale == "relative", False)
    change = w.change(metric, shown)
    return w.words("believed.change", change=change.estimate, interval=change.interval)


def _loss(w: Wording, b: Believed, loss: float) -> str:
    if b.scale == "relative":
        return w.words("units.percent", n=w.numbers.trimmed(100 * loss, 1 if loss >= 0.01 else 3))
    return w.numbers.trimmed(loss, 4)


def _chance(w: Wording, chance: float) -> str:
    if chance > 0.999:
        return w.words("believed.above", share=w.share(0.999))
    return w.words("believed.below", share=w.share(0.001)) if chance < 0.001 else w.share(round(chance, 3))


def _lead(w: Wording, metric: MetricResult, comparison: Comparison, b: Believed) -> str:
    return w.words(
        "believed.lead",
        metric=w.metric(metric),
        variant=w.variant(comparison.variant),
        chance=_chance(w, b.chance),
        change=_change(w, metric, b),
        level=w.level,
        loss=_loss(w, b, b.loss_ship),
    )


def _row(w: Wording, metric: MetricResult, comparison: Comparison, b: Believed) -> tuple[str, ...]:
    several = len(metric.comparisons) > 1
    name = w.metric(metric)
    if several:
        name = w.words("believed.of", metric=name, variant=w.variant(comparison.variant))
    return (
        name,
        _data(w, metric, b),
        _prior(w, b),
        _change(w, metric, b),
        _chance(w, b.chance),
        _loss(w, b, b.loss_ship),
        _loss(w, b, b.loss_keep),
    )
