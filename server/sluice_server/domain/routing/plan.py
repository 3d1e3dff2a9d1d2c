"""A plan ready to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import cel

from sluice_server.domain.errors import NoRuleMatches
from sluice_server.domain.identity import new_id
from sluice_server.domain.routing.books import Books, LedgerKey, OpenDecision
from sluice_server.domain.routing.compiled_rule import CompiledRule, bind, compile_rules
from sluice_server.domain.routing.document import PlanDocument, Split
from sluice_server.domain.routing.expressions import ContextBuilder, ExpressionFailed, factor_value
from sluice_server.domain.routing.fields import FACTOR_PREFIX, FactorValue, Getter, getter
from sluice_server.domain.routing.index import RuleIndex, Value, holds
from sluice_server.domain.routing.model import Application, Candidate, Decision, Disposition
from sluice_server.domain.routing.ports import RiskFactsSource, RiskNeed, TrafficSnapshot
from sluice_server.domain.routing.resolve import ResolvedFactor, ResolvedPlan, ResolvedRule
from sluice_server.domain.routing.risk_functions import NothingRated, RiskLookup
from sluice_server.domain.routing.weights import exhausted, weigh

MAXIMUM_WEIGHED = 8_192
"""Shares and product lines whose candidates are kept at once; callers choose the product lines."""


class RuleNotComputable(NoRuleMatches):
    """A factor or a condition reads what the application does not have, and the plan declares no default."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a plan read from one application."""

    factors: Mapping[str, FactorValue]
    values: Sequence[Value]
    """The fields and factors that the rules use, in the plan's order."""
    context: Callable[[], cel.Context]
    """The variables of ``when``, made when first asked for."""


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
        self._rules = tuple(compile_rules(rules, places))
        self._factor_context = ContextBuilder(f.expression for f in resolved.factors)
        self._when_context = ContextBuilder(r.when for r in rules if r.when is not None)
        self._products = _by_fields(tuple(sorted(p.fields().items())) for p in resolved.document.products)
        self._weighed = _Weighed(TrafficSnapshot(0, {}), {})

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
        return self.split(rule, application, reading, traffic, number=number, failed=failed, now=now)

    def serves(self, application: Application) -> bool:
        """Whether the application's product is among the plan's products."""
        return any(fields(application) in products for fields, products in self._products)

    def read(
        self, application: Application, now: datetime, *, recorded: Mapping[str, FactorValue] | None = None
    ) -> Reading:
        """Computes the factors and collects the values that the rules use. Raises RuleNotComputable.

        ``recorded``: a decision's factors; those that read the risk data are taken from there.
        """
        factors: dict[str, FactorValue] = {}
        if self._resolved.factors:
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
        values: list[Value] = [factors[get] if isinstance(get, str) else get(application, now) for get in self._getters]
        made: list[cel.Context] = []

        def context_of_when() -> cel.Context:
            if not made:
                made.append(self._when_context.build(application, now, factors))
            return made[0]

        return Reading(factors, values, context_of_when)

    def match(self, application: Application, reading: Reading) -> CompiledRule:
        """The first rule that matches. Raises NoRuleMatches."""
        if not self.serves(application):
            raise NoRuleMatches(
                f"plan {self.name!r} version {self.version} does not serve product {application.product_code!r} "
                f"(line {application.product_line!r}, category {application.device.category!r}); "
                "add it to the plan's products",
                subject=f"plans/{self.version}",
                product_code=application.product_code,
            )
        for place in self._index.candidates(reading.values):
            rule = self._rules[place]
            if self.failing_condition(rule, reading) is None:
                return rule
        raise NoRuleMatches(
            f"no rule of plan {self.name!r} version {self.version} matches the application; ExplainRoute shows why",
            subject=f"plans/{self.version}",
            product_code=application.product_code,
        )

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

    def split(
        self,
        rule: CompiledRule,
        application: Application,
        reading: Reading,
        traffic: TrafficSnapshot,
        *,
        number: int,
        failed: frozenset[str],
        now: datetime,
    ) -> Decision | OpenDecision:
        """Chooses among the rule's insurers. Open for an EXACT split, and where an insurer with a capacity would be
        chosen: both are settled when the decision is stored."""
        resolved = rule.rule
        if failed:
            candidates = weigh(resolved, application.product_line, traffic, failed)
        else:
            candidates = self._weigh(resolved, application.product_line, traffic)
        weights = [candidate.weight_basis_points for candidate in candidates]
        key = reading.values[rule.sticky_place]
        # Without a key all such applications would go to one insurer.
        split_key = application.application_id if key is None or key == "" else str(key)
        exact = resolved.text.split is Split.EXACT and any(weights)
        chosen = -1 if exact else rule.split.choose(weights, split_key)
        disposition = Disposition.ROUTED
        if chosen < 0 and not exact:
            disposition, chosen = exhausted(resolved, candidates, failed)
        capacities = traffic.capacities
        is_open = exact or (chosen >= 0 and bool(capacities) and resolved.insurers[chosen] in capacities)
        if is_open:
            disposition, chosen = Disposition.ROUTED, -1
        decision = Decision(
            decision_id=new_id("dec"),
            application_id=application.application_id,
            number=number,
            disposition=disposition,
            insurer_id="" if chosen < 0 else resolved.insurers[chosen],
            binding=None if chosen < 0 else bind(rule, chosen, application, reading.factors, now),
            plan_name=self.name,
            plan_version=self.version,
            rule=resolved.text.name,
            factors=reading.factors,
            split_key=split_key,
            ledger_position=None,
            candidates=candidates,
            traffic_version=traffic.version,
            decided_at=now,
        )
        if not is_open:
            return decision
        return OpenDecision(
            draft=decision,
            premium=application.premium,
            ledger=LedgerKey(self.version, resolved.text.name) if resolved.text.split is Split.EXACT else None,
            deficit=resolved.text.deficit,
            choose=rule.split.choose,
            exhausted=lambda full: exhausted(resolved, candidates, failed, full),
            bind=lambda index: bind(rule, index, application, reading.factors, now),
            capacities={i: capacities[i] for i in resolved.insurers if i in capacities},
        )

    def _weigh(self, rule: ResolvedRule, product_line: str, traffic: TrafficSnapshot) -> tuple[Candidate, ...]:
        """The same for every application of a product line until the traffic changes, so it is kept until then."""
        weighed = self._weighed
        if weighed.traffic is not traffic or len(weighed.candidates) >= MAXIMUM_WEIGHED:
            # Swapped as a whole: a decision that runs at the same time goes on with the one that it has.
            weighed = self._weighed = _Weighed(traffic, {})
        # By the shares and not by the rule: of thousands of rules most share them.
        place = (rule.insurers, rule.shares, product_line)
        candidates = weighed.candidates.get(place)
        if candidates is None:
            candidates = weighed.candidates[place] = weigh(rule, product_line, traffic, frozenset())
        return candidates


@dataclass(frozen=True, slots=True)
class _Weighed:
    """The candidates under one traffic snapshot, by a rule's insurers and shares, and the product line."""

    traffic: TrafficSnapshot
    candidates: dict[tuple[tuple[str, ...], tuple[int, ...], str], tuple[Candidate, ...]]


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
