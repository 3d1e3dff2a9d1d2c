"""Reads the semantic model from YAML and checks it. Every mistake is reported at once, with its line and path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from io import StringIO
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.semantic_model import (
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
    ResultTable,
    SemanticModel,
)

E = TypeVar("E", bound=StrEnum)

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
    try:
        root = YAML().load(StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise InvalidSemanticModel([Violation(f"line {line}", f"not YAML: {error.problem}")]) from error
    except YAMLError as error:
        raise InvalidSemanticModel([Violation("line 1", f"not YAML: {error}")]) from error
    mistakes = _Mistakes()
    if not isinstance(root, CommentedMap):
        raise InvalidSemanticModel([Violation("line 1", "must be a mapping")])
    model = _model(_Node(root, "", mistakes), hashlib.sha256(text.encode()).hexdigest()[:16])
    if not mistakes.found:
        _check_names(model, mistakes)
    if mistakes.found:
        raise InvalidSemanticModel(mistakes.found)
    return model


@dataclass
class _Mistakes:
    found: list[Violation] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    """Where each path that was read stands in the file."""

    def add(self, line: int, path: str, text: str) -> None:
        self.found.append(Violation(f"line {line}: {path}", text))

    def add_at(self, path: str, text: str) -> None:
        """At the line of ``path``, or of the nearest one around it."""
        around = path
        while around and around not in self.lines:
            around = around.rpartition(".")[0]
        self.add(self.lines.get(around, 1), path, text)


class _Node:
    """One mapping of the file. Reads what is asked for, notes what is wrong, and goes on."""

    def __init__(self, data: CommentedMap, path: str, mistakes: _Mistakes) -> None:
        self._data = data
        self._path = path
        self._mistakes = mistakes
        for key in data:
            mistakes.lines[f"{path}.{key}".lstrip(".")] = self._line(key)

    def _line(self, key: str) -> int:
        """Where the key stands; where it is missing, or comes in by an alias, where the mapping begins."""
        try:
            return int(self._data.lc.key(key)[0]) + 1
        except KeyError:
            return int(self._data.lc.line) + 1

    def only(self, *allowed: str) -> None:
        for key in self._data:
            if key not in allowed:
                self.wrong(str(key), f"unknown; expected one of {', '.join(allowed)}")

    def wrong(self, key: str, text: str) -> None:
        self._mistakes.add(self._line(key), f"{self._path}.{key}".lstrip("."), text)

    def text(self, key: str) -> str:
        value = self._data.get(key)
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, "a text is required")
            return ""
        return str(value)

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self._data else None

    def flag(self, key: str) -> bool:
        value = self._data.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, "must be true or false")
            return False
        return value

    def one_of(self, key: str, kind: type[E], default: E) -> E:
        if key not in self._data:
            return default
        value = self._data[key]
        try:
            return kind(str(value))
        except ValueError:
            self.wrong(key, f"{value!r} is not one of {', '.join(kind)}")
            return default

    def child(self, key: str) -> _Node:
        value = self._data.get(key)
        if not isinstance(value, CommentedMap):
            self.wrong(key, "a mapping is required")
            value = CommentedMap()
            value.lc.line = self._data.lc.line
        return _Node(value, f"{self._path}.{key}".lstrip("."), self._mistakes)

    def children(self, key: str) -> Iterable[tuple[str, _Node]]:
        node = self.child(key)
        return [(str(name), node.child(name)) for name in node._data]

    def texts(self, key: str) -> dict[str, str]:
        node = self.child(key)
        return {str(name): node.text(name) for name in node._data}

    def label(self, key: str) -> Label:
        node = self.child(key)
        node.only("zh", "en")
        return Label(node.text("zh"), node.text("en"))

    def has(self, key: str) -> bool:
        return key in self._data

    def get(self, key: str) -> Any:
        return self._data.get(key)


def _model(root: _Node, content_hash: str) -> SemanticModel:
    root.only("version", "currency", "facts", "entities", "dimensions", "tables", "metrics")
    if root.get("version") != 1:
        root.wrong("version", "must be 1")
    currency = root.text("currency")
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper():
        root.wrong("currency", "an ISO 4217 code of three upper-case letters is required")
    return SemanticModel(
        currency_code=currency,
        facts={name: _fact(name, node) for name, node in root.children("facts")},
        entities={name: _entity(name, node) for name, node in root.children("entities")},
        dimensions={name: _dimension(name, node) for name, node in root.children("dimensions")},
        metrics={name: _metric(name, node) for name, node in root.children("metrics")},
        tables={name: _table(name, node) for name, node in root.children("tables")},
        content_hash=content_hash,
    )


def _fact(name: str, node: _Node) -> Fact:
    node.only("counts", "fan_out")
    return Fact(name, node.label("counts"), node.label("fan_out"))


def _entity(name: str, node: _Node) -> Entity:
    node.only("label", "description", "rated", "screened")
    return Entity(name, node.label("label"), node.label("description"), node.flag("rated"), node.flag("screened"))


def _dimension(name: str, node: _Node) -> Dimension:
    node.only("label", "description", "entity", "type")
    kind = node.one_of("type", DimensionType, DimensionType.TEXT)
    entity = node.optional_text("entity")
    if (entity is None) == (kind is DimensionType.TEXT):
        node.wrong("entity", "a text dimension needs an entity, and time has none")
    return Dimension(name, node.label("label"), node.label("description"), entity, kind)


def _table(name: str, node: _Node) -> ResultTable:
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


def _metric(name: str, node: _Node) -> Metric:
    kind = node.one_of("kind", MetricKind, MetricKind.SIMPLE)
    if kind is MetricKind.RATIO:
        node.only("kind", "unit", "label", "description", "direction", "numerator", "denominator", "interval")
    else:
        node.only("kind", "unit", "label", "description", "direction", "same_period", "use_instead")
    rule = None
    if kind is MetricKind.RATIO and node.has("interval"):
        child = node.child("interval")
        child.only("method", "count", "amount", "expected")
        method = child.one_of("method", IntervalMethod, IntervalMethod.EXACT_POISSON)
        rule = IntervalRule(
            method, child.optional_text("count"), child.optional_text("amount"), child.optional_text("expected")
        )
        if method in _AMOUNT_METHODS and (rule.count is None or rule.amount is None):
            child.wrong("method", "an interval of amounts needs count and amount")
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
        interval=rule,
        direction=node.one_of("direction", Direction, Direction.NEITHER),
        same_period=same_period,
        use_instead=node.optional_text("use_instead"),
    )


def _check_names(model: SemanticModel, mistakes: _Mistakes) -> None:
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
