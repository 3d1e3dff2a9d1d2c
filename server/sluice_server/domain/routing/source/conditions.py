"""From the text of a rule's ``match`` to its conditions."""

from __future__ import annotations

from sluice_server.domain.located_yaml import Section, Tree, text_of
from sluice_server.domain.routing.source.document import Between, Condition, OneOf, StartsWith
from sluice_server.domain.routing.source.fields import FactorValue
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.limits import TEXT_LIMIT, PlanLimits


class ConditionParser:
    """Structure, types and lengths; whether there is such a field is checked in ``resolve``."""

    def __init__(self, findings: Findings, limits: PlanLimits) -> None:
        self._findings = findings
        self._limits = limits

    def match(self, rule: Section) -> dict[str, Condition]:
        """The conditions of a rule by field; none when it has no ``match``."""
        tree = rule.get("match")
        if tree is None:
            return {}
        section = Section(tree, rule.at("match"), self._findings, "match")
        if len(section.entries) > self._limits.max_conditions:
            self._findings.error(
                section.line,
                section.path,
                f"{len(section.entries)} conditions; at most {self._limits.max_conditions} are accepted "
                "(plan_max_conditions)",
            )
            return {}
        conditions: dict[str, Condition] = {}
        for field_path, entry in section.entries.items():
            condition = self._condition(entry, section.at(field_path[:128]))
            if condition is not None:
                conditions[field_path] = condition
        return conditions

    def _condition(self, tree: Tree, path: str) -> Condition | None:
        if isinstance(tree.value, dict):
            return self._bounds(tree, path)
        if isinstance(tree.value, list):
            return self._listed(tree, path)
        if tree.value is None:
            self._findings.error(
                tree.line, path, "matches nothing; give a value, a list, or prefix/at_least/above/at_most/below"
            )
            return None
        value = self._value(tree, path)
        return None if value is None else OneOf((value,), tree.line)

    def _listed(self, tree: Tree, path: str) -> OneOf | None:
        assert isinstance(tree.value, list)
        if not tree.value:
            self._findings.error(tree.line, path, "an empty list matches nothing")
            return None
        if len(tree.value) > self._limits.max_listed_values:
            self._findings.error(
                tree.line,
                path,
                f"{len(tree.value)} values; at most {self._limits.max_listed_values} are accepted "
                "(plan_max_listed_values)",
            )
            return None
        values = [self._value(item, f"{path}[{i}]") for i, item in enumerate(tree.value)]
        given = tuple(v for v in values if v is not None)
        if len({(type(v), v) for v in given}) < len(given):
            self._findings.warning(tree.line, path, "a value is listed twice")
        return OneOf(given, tree.line) if len(given) == len(values) else None

    def _value(self, tree: Tree, path: str) -> FactorValue | None:
        if isinstance(tree.value, list | dict) or tree.value is None:
            self._findings.error(tree.line, path, f"must be a single value, this is {tree.kind()}")
            return None
        if isinstance(tree.value, str) and tree.value:
            return text_of(tree, path, self._limits.max_text_length, self._findings, TEXT_LIMIT) or None
        return tree.value

    def _bounds(self, tree: Tree, path: str) -> Condition | None:
        section = Section(tree, path, self._findings, "a condition")
        prefix = section.get("prefix")
        if prefix is not None:
            section.done()
            return self._prefix(prefix, section.at("prefix"))
        bounds = Between(
            tree.line,
            at_least=section.number("at_least"),
            above=section.number("above"),
            at_most=section.number("at_most"),
            below=section.number("below"),
        )
        section.done()
        if not section.entries:
            self._findings.error(tree.line, path, "an empty condition; give prefix, at_least, above, at_most or below")
            return None
        return bounds

    def _prefix(self, tree: Tree, path: str) -> StartsWith | None:
        items = tree.value if isinstance(tree.value, list) else [tree]
        if not items or len(items) > self._limits.max_listed_values:
            self._findings.error(
                tree.line,
                path,
                f"must be a text or a list of 1 to {self._limits.max_listed_values} texts (plan_max_listed_values)",
            )
            return None
        prefixes = tuple(
            text_of(item, path, self._limits.max_text_length, self._findings, TEXT_LIMIT) for item in items
        )
        return StartsWith(prefixes, tree.line) if all(prefixes) else None
