"""Reads the semantic model from YAML and checks it. Every mistake is reported at once, with its line and path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.located_yaml import Mistakes, Section, read_section
from sluice_server.domain.risk.semantic.semantic_model import (
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
    Label,
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
    return load_model(files("sluice_server.domain.risk.semantic").joinpath("model.yaml").read_text("utf-8"))


def load_model(text: str) -> SemanticModel:
    """The model that ``text`` describes.

    Raises InvalidSemanticModel with every mistake: unknown and missing keys, wrong types, names that nothing defines,
    metrics that no table serves.
    """
    mistakes = Mistakes()
    root = read_section(text, mistakes)
    if root is None:
        raise InvalidSemanticModel(mistakes.violations())
    model = _model(root, hashlib.sha256(text.encode()).hexdigest()[:16])
    if not mistakes.has_errors:
        _check_names(model, root)
    if mistakes.has_errors:
        raise InvalidSemanticModel(mistakes.violations())
    return model


def read_label(section: Section, key: str) -> Label:
    """A text in both languages."""
    label = section.needed_section(key)
    label.only("zh", "en")
    return Label(label.text("zh", required=True), label.text("en", required=True))


def _texts(section: Section, key: str) -> dict[str, str]:
    below = section.needed_section(key)
    return {name: below.text(name, required=True) for name in below}


def _children(section: Section, key: str) -> list[tuple[str, Section]]:
    below = section.needed_section(key)
    return [(name, below.needed_section(name)) for name in below]


def _model(root: Section, content_hash: str) -> SemanticModel:
    root.only("version", "currency", "facts", "entities", "dimensions", "tables", "metrics")
    if root.plain("version") != 1:
        root.report("version", "must be 1")
    currency = root.text("currency", required=True)
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper():
        root.report("currency", "an ISO 4217 code of three upper-case letters is required")
    metrics = [
        (name, section, section.plain("kind") in tuple(_OVER_TIME)) for name, section in _children(root, "metrics")
    ]
    bases = {name: _metric(name, section, {}) for name, section, over_time in metrics if not over_time}
    return SemanticModel(
        currency_code=currency,
        facts={name: _fact(name, section) for name, section in _children(root, "facts")},
        entities={name: _entity(name, section) for name, section in _children(root, "entities")},
        dimensions={name: _dimension(name, section) for name, section in _children(root, "dimensions")},
        metrics={name: bases[name] if name in bases else _metric(name, section, bases) for name, section, _ in metrics},
        tables={name: _table(name, section) for name, section in _children(root, "tables")},
        content_hash=content_hash,
    )


def _fact(name: str, section: Section) -> Fact:
    section.only("counts", "fan_out")
    return Fact(name, read_label(section, "counts"), read_label(section, "fan_out"))


def _entity(name: str, section: Section) -> Entity:
    section.only("label", "description", "rated", "screened", "mix")
    mix = section.texts("mix")
    if unknown := [column for column in mix if column not in MIX_LEVELS]:
        section.report("mix", f"{unknown[0]!r} is not one of {', '.join(MIX_LEVELS)}")
    labels = (read_label(section, "label"), read_label(section, "description"))
    return Entity(name, *labels, section.flag("rated"), section.flag("screened"), mix)


def _dimension(name: str, section: Section) -> Dimension:
    section.only("label", "description", "entity", "type")
    kind = section.choice("type", DimensionType, DimensionType.TEXT)
    entity = section.text("entity") or None
    if (entity is None) == (kind is DimensionType.TEXT):
        section.report("entity", "a text dimension needs an entity, and time has none")
    return Dimension(name, read_label(section, "label"), read_label(section, "description"), entity, kind)


def _table(name: str, section: Section) -> ResultTable:
    section.only("fact", "time", "keys", "measures", "exposure")
    time = section.needed_section("time")
    time.only("column", "grain")
    grain = time.choice("grain", DimensionType, DimensionType.MONTH)
    if grain is DimensionType.TEXT:
        time.report("grain", "must be day, month, quarter or year")
    return ResultTable(
        name=name,
        fact=section.text("fact", required=True),
        time_column=time.text("column", required=True),
        time_grain=grain,
        keys=_texts(section, "keys"),
        measures=_texts(section, "measures"),
        exposure=section.text("exposure", required=True),
    )


_KEYS = {
    MetricKind.SIMPLE: ("same_period", "use_instead"),
    MetricKind.RATIO: ("numerator", "denominator", "interval"),
    MetricKind.CUMULATIVE: ("of", "window", "to_date"),
    MetricKind.PERIOD_OVER_PERIOD: ("of", "shift", "change"),
}


def _metric(name: str, section: Section, bases: Mapping[str, Metric]) -> Metric:
    """``bases``: the simple and ratio metrics, for the metrics that are computed from one."""
    kind = section.choice("kind", MetricKind, MetricKind.SIMPLE)
    section.only("kind", "unit", "label", "description", "direction", *_KEYS[kind])
    base = _base(section, bases) if kind in _OVER_TIME else None
    same_period = None
    if kind is MetricKind.SIMPLE and "same_period" in section:
        same_period = section.choice("same_period", DimensionType, DimensionType.MONTH)
    return Metric(
        name=name,
        label=read_label(section, "label"),
        description=read_label(section, "description"),
        kind=kind,
        unit=section.text("unit", required=True),
        numerator=section.text("numerator", required=True) if kind is MetricKind.RATIO else None,
        denominator=section.text("denominator", required=True) if kind is MetricKind.RATIO else None,
        interval=_interval(section.needed_section("interval"))
        if kind is MetricKind.RATIO and "interval" in section
        else None,
        direction=section.choice("direction", Direction, Direction.NEITHER),
        same_period=same_period,
        use_instead=section.text("use_instead") or None,
        base=base,
        over_time=_over_time(section, kind) if kind in _OVER_TIME else None,
    )


def _interval(section: Section) -> IntervalRule:
    section.only("method", "count", "amount", "expected")
    method = section.choice("method", IntervalMethod, IntervalMethod.EXACT_POISSON)
    count, amount, expected = (section.text(part) or None for part in ("count", "amount", "expected"))
    if method in _AMOUNT_METHODS and (count is None or amount is None):
        section.report("method", "an interval of amounts needs count and amount")
    return IntervalRule(method, count, amount, expected)


def _base(section: Section, bases: Mapping[str, Metric]) -> Metric | None:
    name = section.text("of", required=True)
    base = bases.get(name)
    if base is None:
        if name:
            section.report("of", f"{name!r} is not a simple or ratio metric")
    elif base.same_period is not None:
        section.report("of", f"{name!r} is counted again in every {base.same_period} and cannot be added up over time")
    return base


def _over_time(section: Section, kind: MetricKind) -> OverTime:
    if kind is MetricKind.PERIOD_OVER_PERIOD:
        return OverTime(
            shift=_span(section.needed_section("shift")), change=section.choice("change", Change, Change.RELATIVE)
        )
    if "window" in section and "to_date" in section:
        section.report("to_date", "give window or to_date, not both")
    if "to_date" in section:
        to_date = section.choice("to_date", DimensionType, DimensionType.YEAR)
        if to_date not in MONTHS_IN:
            section.report("to_date", f"must be one of {', '.join(MONTHS_IN)}")
        return OverTime(to_date=to_date)
    return OverTime(window=_span(section.needed_section("window")) if "window" in section else None)


def _span(section: Section) -> Span:
    section.only("periods", "grain")
    grain = section.choice("grain", DimensionType, DimensionType.MONTH)
    if grain not in TIME_GRAINS:
        section.report("grain", f"must be one of {', '.join(TIME_GRAINS)}")
    return Span(section.integer("periods", minimum=1, maximum=1200, required=True) or 1, grain)


def _check_names(model: SemanticModel, root: Section) -> None:
    """Names must lead somewhere."""

    def known(path: str, name: str | None, names: Iterable[str], what: str) -> bool:
        if name is not None and name not in names:
            root.report_at(path, f"{name!r} is not a {what}")
            return False
        return True

    simple = [metric.name for metric in model.metrics.values() if metric.kind is MetricKind.SIMPLE]
    for dimension in model.dimensions.values():
        known(f"dimensions.{dimension.name}.entity", dimension.entity, model.entities, "known entity")
        if not model.tables_with_dimension(dimension):
            root.report_at(f"dimensions.{dimension.name}", "no table has it")
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
            root.report_at(f"metrics.{metric.name}", "no table has all of its measures")
    for entity in model.entities.values():
        if not any(dimension.entity == entity.name for dimension in model.dimensions.values()):
            root.report_at(f"entities.{entity.name}", "no dimension describes it")
