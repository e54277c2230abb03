"""Short ways to a definition for tests."""

from abtest.language.canonical import metric_hash
from abtest.language.model import Event, Metric, Property, Source
from abtest.language.read_metrics import read_metric
from abtest.language.resolve_metrics import resolve_metric
from abtest.language.where import parse_where
from abtest.language.yaml import parse_yaml
from abtest.problems import Problems

SOURCES = {
    "app": Source(
        "app",
        "events",
        ("app.csv",),
        (("user", "user_id"),),
        event="action",
        properties=(
            Property("revenue", "total", "money", "EUR"),
            Property("seconds", "dur_ms", "duration", "s", 0.001),
            Property("hd", "hd", "flag"),
            Property("size", "size", "number"),
        ),
    ),
    "shop": Source(
        "shop",
        "outcomes",
        ("shop.csv",),
        (("user", "id"),),
        properties=(Property("paid", "paid", "money", "EUR"), Property("kept", "kept", "flag")),
    ),
}
EVENTS = {
    **{name: Event(name, "app", (name,)) for name in ("app_open", "photo_post", "like", "article_read", "share")},
    "purchase": Event(
        "purchase", "app", ("order", "order_v2"), parse_where("revenue > 0 and country in (ES, 'New York')")
    ),
    "crash": Event("crash", "app", ()),
}


def metric(text: str, name: str = "m", events: dict[str, Event] = EVENTS) -> Metric:
    """The metric that YAML text says, its names resolved."""
    problems = Problems()
    node = parse_yaml(text, "m.yml", problems)
    assert node is not None, problems.found
    read = read_metric(name, node, problems)
    assert read is not None, problems.found
    resolved = resolve_metric(read, events, SOURCES, problems)
    assert resolved is not None, problems.found
    assert not problems.errors
    return resolved


def hash_of(text: str, name: str = "m", events: dict[str, Event] = EVENTS) -> str:
    return metric_hash(metric(text, name, events), events)
