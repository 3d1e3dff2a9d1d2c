"""A plan ready to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from sluice_server.domain.errors import NoRuleMatches
from sluice_server.domain.routing.allocate import Allocator, Reading
from sluice_server.domain.routing.books import Books, OpenDecision
from sluice_server.domain.routing.compiled_rule import CompiledRule, compile_rules
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.index import RuleIndex, Value, holds
from sluice_server.domain.routing.model import Application, Decision
from sluice_server.domain.routing.ports import RiskFactsSource, RiskNeed, TrafficSnapshot
from sluice_server.domain.routing.risk_functions import NothingRated, RiskLookup
from sluice_server.domain.routing.source.document import PlanDocument
from sluice_server.domain.routing.source.expressions import ContextBuilder, ExpressionFailed, factor_value
from sluice_server.domain.routing.source.fields import FACTOR_PREFIX, FactorValue, Getter, getter, plain_reader
from sluice_server.domain.routing.source.resolve import ResolvedFactor, ResolvedPlan

MAXIMUM_REMEMBERED = 4_096
"""Combinations of values whose factors are kept at once."""
_NO_FACTORS: Mapping[str, FactorValue] = {}


class RuleNotComputable(NoRuleMatches):
    """A factor or a condition reads what the application does not have, and the plan declares no default."""


class CompiledPlan:
    """One version of a plan. Immutable; decisions on it may run at the same time."""

    def __init__(self, resolved: ResolvedPlan, version: int, risk: RiskFactsSource | None = None) -> None:
        """``risk``: what ``rating`` and ``score`` read; None: nothing is rated."""
        self.version = version
        self._risk = risk or NothingRated()
        self._resolved = resolved
        rules = resolved.rules
        paths = dict.fromkeys(path for rule in rules for path in (*rule.conditions, rule.sticky_path))
        places = {path: place for place, path in enumerate(paths)}
        self._paths = tuple(paths)
        self._getters: tuple[Getter | str, ...] = tuple(
            path[len(FACTOR_PREFIX) :] if path.startswith(FACTOR_PREFIX) else getter(path) for path in paths
        )
        self._index = RuleIndex(rules, places)
        served_codes = {p.code for p in resolved.document.products if tuple(p.fields()) == ("product_code",)}
        self._rules = tuple(compile_rules(rules, places, served_codes))
        self._factor_context = ContextBuilder(f.expression for f in resolved.factors)
        self._when_context = ContextBuilder(r.when for r in rules if r.when is not None)
        self._products = _by_fields(tuple(sorted(p.fields().items())) for p in resolved.document.products)
        allocator = Allocator(resolved.document.name, version)
        self._split, self._first = allocator.split, allocator.first
        self._read_values = plain_reader(paths)
        self._remembered: dict[tuple[FactorValue | None, ...], Mapping[str, FactorValue]] = {}

    @property
    def name(self) -> str:
        return self._resolved.document.name

    @property
    def document(self) -> PlanDocument:
        return self._resolved.document

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        """In the plan's order."""
        return self._rules

    @property
    def factors(self) -> tuple[ResolvedFactor, ...]:
        """In the plan's order."""
        return self._resolved.factors

    @property
    def risk_needs(self) -> frozenset[RiskNeed]:
        """What its factors read from the risk data."""
        return self._factor_context.needs

    @property
    def insurer_ids(self) -> frozenset[str]:
        """Every insurer that may get an order."""
        return self._resolved.document.insurer_ids()

    async def decide(
        self,
        application: Application,
        traffic: TrafficSnapshot,
        *,
        number: int = 1,
        failed: frozenset[str] = frozenset(),
        now: datetime,
        books: Books | None = None,
    ) -> Decision:
        """Who insures the application, by ``draft``; when that is left open, by ``books`` (None: empty ones), which
        then count the decision."""
        drafted = self.draft(application, traffic, number=number, failed=failed, now=now)
        if not isinstance(drafted, OpenDecision):
            return drafted
        books = Books() if books is None else books
        settled = drafted.settle(books)
        books.enter(settled)
        return settled.decision

    def draft(
        self,
        application: Application,
        traffic: TrafficSnapshot,
        *,
        number: int = 1,
        failed: frozenset[str] = frozenset(),
        now: datetime,
    ) -> Decision | OpenDecision:
        """Who insures the application; open when the books that replicas share have a say in it.

        ``failed``: insurers that definitely failed for it; ``number``: counts the application's decisions. Raises
        NoRuleMatches, also (RuleNotComputable) when a factor or a ``when`` cannot be computed for the application: a
        rule is never skipped because something is missing.
        """
        reading = self.read(application, now)
        rule = self.match(application, reading)
        return self._split(rule, application, reading, traffic, number=number, failed=failed, now=now)

    def first(
        self, application: Application, traffic: TrafficSnapshot, *, now: datetime
    ) -> FirstDecision | Decision | OpenDecision:
        """What ``draft`` gives for an application's first decision, in the short form where there is one."""
        reading = self.read(application, now)
        return self._first(self.match(application, reading), application, reading, traffic, now=now)

    def split(
        self,
        rule: CompiledRule,
        application: Application,
        reading: Reading,
        traffic: TrafficSnapshot,
        *,
        number: int = 1,
        failed: frozenset[str] = frozenset(),
        now: datetime,
    ) -> Decision | OpenDecision:
        """The decision by a rule that has been found to match."""
        return self._split(rule, application, reading, traffic, number=number, failed=failed, now=now)

    def serves(self, application: Application) -> bool:
        """Whether the application's product is among the plan's products."""
        for fields, products in self._products:  # noqa: SIM110 - a generator costs more than the answer
            if fields(application) in products:
                return True
        return False

    def read(
        self, application: Application, now: datetime, *, recorded: Mapping[str, FactorValue] | None = None
    ) -> Reading:
        """Computes the factors and collects the values that the rules use. Raises RuleNotComputable.

        ``recorded``: a decision's factors; those that read the risk data are taken from there.
        """
        shared = True
        if not self._resolved.factors:
            factors = _NO_FACTORS
        elif recorded is None and self._factor_context.inputs is not None:
            factors = self._known_factors(application, now, self._factor_context.inputs)
        else:
            factors, shared = self._factors(application, now, recorded), False
        values: Sequence[Value] = (
            self._read_values(application)
            if self._read_values is not None
            else [factors[get] if isinstance(get, str) else get(application, now) for get in self._getters]
        )
        return Reading(factors, values, self._when_context, application, now, shared=shared)

    def _known_factors(
        self, application: Application, now: datetime, inputs: Sequence[Getter]
    ) -> Mapping[str, FactorValue]:
        """The factors by the fields that they read, computed once for each combination: a band of prices is asked for
        the same few prices all day, and CEL takes ten times as long as to look it up."""
        read = tuple([get(application, now) for get in inputs])
        known = self._remembered.get(read)
        if known is None:
            known = self._factors(application, now, None)
            if len(self._remembered) >= MAXIMUM_REMEMBERED:
                self._remembered = {}
            self._remembered[read] = known
        return known

    def _factors(
        self, application: Application, now: datetime, recorded: Mapping[str, FactorValue] | None
    ) -> Mapping[str, FactorValue]:
        factors: dict[str, FactorValue] = {}
        # One snapshot for all of them: a decision never mixes two data versions.
        risk = RiskLookup(self._risk.snapshot()) if self._factor_context.needs else None
        context = self._factor_context.build(application, now, risk=risk)
        for factor in self._resolved.factors:
            if recorded is not None and factor.expression.needs and factor.name in recorded:
                factors[factor.name] = recorded[factor.name]
                continue
            try:
                factors[factor.name] = factor_value(factor.expression.evaluate(context, risk))
            except ExpressionFailed as failure:
                if factor.default is None:
                    raise self._not_computable(f"factor {factor.name!r}", failure) from failure
                factors[factor.name] = factor.default
        return factors

    def match(self, application: Application, reading: Reading) -> CompiledRule:
        """The first rule that matches. Raises NoRuleMatches."""
        served = False
        for place in self._index.candidates(reading.values):
            rule = self._rules[place]
            if rule.certain and rule.served:
                return rule
            # No condition is computed for a product that the plan does not serve.
            served = served or self._served(application)
            if rule.certain or self.failing_condition(rule, reading) is None:
                return rule
        if not served:
            self._served(application)
        raise NoRuleMatches(
            f"no rule of plan {self.name!r} version {self.version} matches the application; ExplainRoute shows why",
            subject=f"plans/{self.version}",
            product_code=application.product_code,
        )

    def _served(self, application: Application) -> bool:
        """True. Raises NoRuleMatches."""
        if not self.serves(application):
            raise NoRuleMatches(
                f"plan {self.name!r} version {self.version} does not serve product {application.product_code!r} "
                f"(line {application.product_line!r}, category {application.device.category!r}); "
                "add it to the plan's products",
                subject=f"plans/{self.version}",
                product_code=application.product_code,
            )
        return True

    def failing_condition(self, rule: CompiledRule, reading: Reading) -> str | None:
        """The path of the first condition, outside the index, that does not hold; None when all hold."""
        for path, place, condition in rule.residual:
            if not holds(condition, reading.values[place]):
                return path
        when = rule.rule.when
        if when is not None:
            try:
                value = when.evaluate(reading.context())
                if not isinstance(value, bool):
                    raise ExpressionFailed("gives neither true nor false")
            except ExpressionFailed as failure:
                raise self._not_computable(f"the condition of rule {rule.rule.text.name!r}", failure) from failure
            if not value:
                return "when"
        return None

    def _not_computable(self, what: str, failure: ExpressionFailed) -> RuleNotComputable:
        return RuleNotComputable(
            f"{what} of plan {self.name!r} version {self.version} cannot be computed for the application: {failure}; "
            "send what it reads, or give it a default in the plan",
            subject=f"plans/{self.version}",
        )

    def value_of(self, path: str, reading: Reading) -> Value:
        """The application's value of a field that the rules use."""
        return reading.values[self._paths.index(path)]


def _by_fields(
    products: Iterable[tuple[tuple[str, str], ...]],
) -> tuple[tuple[Callable[[Application], object], frozenset[object]], ...]:
    """Products by the fields that name them: how to read these from an application, and the values that are served."""
    found: dict[tuple[str, ...], set[object]] = {}
    for product in products:
        paths = tuple(path for path, _ in product)
        values = tuple(value for _, value in product)
        found.setdefault(paths, set()).add(values if len(values) > 1 else values[0])
    return tuple((attrgetter(*paths), frozenset(values)) for paths, values in sorted(found.items()))
