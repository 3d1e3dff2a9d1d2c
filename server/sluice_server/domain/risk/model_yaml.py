"""Reads the semantic model from YAML and checks it. Every mistake is reported at once, with its line and path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.located import Mistakes, Node, read_mapping
from sluice_server.domain.risk.semantic_model import (
    MIX_LEVELS,
    MONTHS_IN,
    TIME_GRAINS,
    Change,
    Dimension,
    DimensionType,
    Direction,
    Entity,
    Fact,
    IntervalMethod,
    IntervalRule,
    Metric,
    MetricKind,
    OverTime,
    ResultTable,
    SemanticModel,
    Span,
)

_OVER_TIME = (MetricKind.CUMULATIVE, MetricKind.PERIOD_OVER_PERIOD)
_AMOUNT_METHODS = (IntervalMethod.COMPOUND_POISSON, IntervalMethod.GAMMA_MEAN)


class InvalidSemanticModel(InvalidInput):
    """The semantic model's file is wrong; each violation's field is ``line N: path``."""

    reason = "INVALID_FIELD"


def shipped_model() -> SemanticModel:
    """The model that is packaged with the server."""
    return load_model(files("sluice_server.domain.risk").joinpath("model.yaml").read_text("utf-8"))


def load_model(text: str) -> SemanticModel:
    """The model that ``text`` describes.

    Raises InvalidSemanticModel with every mistake: unknown and missing keys, wrong types, names that nothing defines,
    metrics that no table serves.
    """
    mistakes = Mistakes()
    root = read_mapping(text, mistakes)
    if root is None:
        raise InvalidSemanticModel(mistakes.found)
    model = _model(root, hashlib.sha256(text.encode()).hexdigest()[:16])
    if not mistakes.found:
        _check_names(model, mistakes)
    if mistakes.found:
        raise InvalidSemanticModel(mistakes.found)
    return model


def _model(root: Node, content_hash: str) -> SemanticModel:
    root.only("version", "currency", "facts", "entities", "dimensions", "tables", "metrics")
    if root.get("version") != 1:
        root.wrong("version", "must be 1")
    currency = root.text("currency")
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper():
        root.wrong("currency", "an ISO 4217 code of three upper-case letters is required")
    metrics = [(name, node, node.get("kind") in tuple(_OVER_TIME)) for name, node in root.children("metrics")]
    bases = {name: _metric(name, node, {}) for name, node, over_time in metrics if not over_time}
    return SemanticModel(
        currency_code=currency,
        facts={name: _fact(name, node) for name, node in root.children("facts")},
        entities={name: _entity(name, node) for name, node in root.children("entities")},
        dimensions={name: _dimension(name, node) for name, node in root.children("dimensions")},
        metrics={name: bases[name] if name in bases else _metric(name, node, bases) for name, node, _ in metrics},
        tables={name: _table(name, node) for name, node in root.children("tables")},
        content_hash=content_hash,
    )


def _fact(name: str, node: Node) -> Fact:
    node.only("counts", "fan_out")
    return Fact(name, node.label("counts"), node.label("fan_out"))


def _entity(name: str, node: Node) -> Entity:
    node.only("label", "description", "rated", "screened", "mix")
    mix = node.list_of_texts("mix") if node.has("mix") else ()
    if unknown := [column for column in mix if column not in MIX_LEVELS]:
        node.wrong("mix", f"{unknown[0]!r} is not one of {', '.join(MIX_LEVELS)}")
    labels = (node.label("label"), node.label("description"))
    return Entity(name, *labels, node.flag("rated"), node.flag("screened"), mix)


def _dimension(name: str, node: Node) -> Dimension:
    node.only("label", "description", "entity", "type")
    kind = node.one_of("type", DimensionType, DimensionType.TEXT)
    entity = node.optional_text("entity")
    if (entity is None) == (kind is DimensionType.TEXT):
        node.wrong("entity", "a text dimension needs an entity, and time has none")
    return Dimension(name, node.label("label"), node.label("description"), entity, kind)


def _table(name: str, node: Node) -> ResultTable:
    node.only("fact", "time", "keys", "measures", "exposure")
    time = node.child("time")
    time.only("column", "grain")
    grain = time.one_of("grain", DimensionType, DimensionType.MONTH)
    if grain is DimensionType.TEXT:
        time.wrong("grain", "must be day, month, quarter or year")
    return ResultTable(
        name=name,
        fact=node.text("fact"),
        time_column=time.text("column"),
        time_grain=grain,
        keys=node.texts("keys"),
        measures=node.texts("measures"),
        exposure=node.text("exposure"),
    )


_KEYS = {
    MetricKind.SIMPLE: ("same_period", "use_instead"),
    MetricKind.RATIO: ("numerator", "denominator", "interval"),
    MetricKind.CUMULATIVE: ("of", "window", "to_date"),
    MetricKind.PERIOD_OVER_PERIOD: ("of", "shift", "change"),
}


def _metric(name: str, node: Node, bases: Mapping[str, Metric]) -> Metric:
    """``bases``: the simple and ratio metrics, for the metrics that are computed from one."""
    kind = node.one_of("kind", MetricKind, MetricKind.SIMPLE)
    node.only("kind", "unit", "label", "description", "direction", *_KEYS[kind])
    base = _base(node, bases) if kind in _OVER_TIME else None
    same_period = None
    if kind is MetricKind.SIMPLE and node.has("same_period"):
        same_period = node.one_of("same_period", DimensionType, DimensionType.MONTH)
    return Metric(
        name=name,
        label=node.label("label"),
        description=node.label("description"),
        kind=kind,
        unit=node.text("unit"),
        numerator=node.text("numerator") if kind is MetricKind.RATIO else None,
        denominator=node.text("denominator") if kind is MetricKind.RATIO else None,
        interval=_interval(node.child("interval")) if kind is MetricKind.RATIO and node.has("interval") else None,
        direction=node.one_of("direction", Direction, Direction.NEITHER),
        same_period=same_period,
        use_instead=node.optional_text("use_instead"),
        base=base,
        over_time=_over_time(node, kind) if kind in _OVER_TIME else None,
    )


def _interval(node: Node) -> IntervalRule:
    node.only("method", "count", "amount", "expected")
    method = node.one_of("method", IntervalMethod, IntervalMethod.EXACT_POISSON)
    count, amount, expected = (node.optional_text(part) for part in ("count", "amount", "expected"))
    if method in _AMOUNT_METHODS and (count is None or amount is None):
        node.wrong("method", "an interval of amounts needs count and amount")
    return IntervalRule(method, count, amount, expected)


def _base(node: Node, bases: Mapping[str, Metric]) -> Metric | None:
    name = node.text("of")
    base = bases.get(name)
    if base is None:
        if name:
            node.wrong("of", f"{name!r} is not a simple or ratio metric")
    elif base.same_period is not None:
        node.wrong("of", f"{name!r} is counted again in every {base.same_period} and cannot be added up over time")
    return base


def _over_time(node: Node, kind: MetricKind) -> OverTime:
    if kind is MetricKind.PERIOD_OVER_PERIOD:
        return OverTime(shift=_span(node.child("shift")), change=node.one_of("change", Change, Change.RELATIVE))
    if node.has("window") and node.has("to_date"):
        node.wrong("to_date", "give window or to_date, not both")
    if node.has("to_date"):
        to_date = node.one_of("to_date", DimensionType, DimensionType.YEAR)
        if to_date not in MONTHS_IN:
            node.wrong("to_date", f"must be one of {', '.join(MONTHS_IN)}")
        return OverTime(to_date=to_date)
    return OverTime(window=_span(node.child("window")) if node.has("window") else None)


def _span(node: Node) -> Span:
    node.only("periods", "grain")
    grain = node.one_of("grain", DimensionType, DimensionType.MONTH)
    if grain not in TIME_GRAINS:
        node.wrong("grain", f"must be one of {', '.join(TIME_GRAINS)}")
    return Span(node.whole("periods", 1, 1200), grain)


def _check_names(model: SemanticModel, mistakes: Mistakes) -> None:
    """Names must lead somewhere."""

    def known(path: str, name: str | None, names: Iterable[str], what: str) -> bool:
        if name is not None and name not in names:
            mistakes.add_at(path, f"{name!r} is not a {what}")
            return False
        return True

    simple = [metric.name for metric in model.metrics.values() if metric.kind is MetricKind.SIMPLE]
    for dimension in model.dimensions.values():
        known(f"dimensions.{dimension.name}.entity", dimension.entity, model.entities, "known entity")
        if not model.tables_with_dimension(dimension):
            mistakes.add_at(f"dimensions.{dimension.name}", "no table has it")
    for table in model.tables.values():
        known(f"tables.{table.name}.fact", table.fact, model.facts, "known fact")
        known(f"tables.{table.name}.exposure", table.exposure, table.measures, "measure of the table")
        for name in table.keys:
            known(f"tables.{table.name}.keys.{name}", name, model.dimensions, "known dimension")
        for name in table.measures:
            known(f"tables.{table.name}.measures.{name}", name, simple, "simple metric")
    for metric in model.metrics.values():
        known(f"metrics.{metric.name}.use_instead", metric.use_instead, model.metrics, "known metric")
        parts = {"numerator": metric.numerator, "denominator": metric.denominator}
        if metric.interval is not None:
            rule = metric.interval
            parts |= {"interval.count": rule.count, "interval.amount": rule.amount, "interval.expected": rule.expected}
        names = [known(f"metrics.{metric.name}.{part}", name, simple, "simple metric") for part, name in parts.items()]
        if all(names) and not model.tables_with_metric(metric):
            mistakes.add_at(f"metrics.{metric.name}", "no table has all of its measures")
    for entity in model.entities.values():
        if not any(dimension.entity == entity.name for dimension in model.dimensions.values()):
            mistakes.add_at(f"entities.{entity.name}", "no dimension describes it")
