"""ExplainRoute: what Route would answer, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import NoRuleMatches, PlanNotFound
from sluice_server.domain.routing.active import compile_aside
from sluice_server.domain.routing.allocate import Reading
from sluice_server.domain.routing.books import OpenDecision, needs
from sluice_server.domain.routing.compiled_rule import CompiledRule
from sluice_server.domain.routing.index import Value, holds
from sluice_server.domain.routing.model import Application, Decision
from sluice_server.domain.routing.plan import CompiledPlan, RuleNotComputable
from sluice_server.domain.routing.ports import PlanSource, RiskFactsSource, TrafficSource
from sluice_server.domain.routing.source.document import Between, Condition, OneOf, StartsWith
from sluice_server.domain.routing.source.fields import FactorValue
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.unit_of_work import Store

SHOWN_VALUES = 8
SHOWN_RULES = 1_000
"""So many rules are traced at most."""


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """Why a rule matched or did not."""

    rule: str
    matched: bool
    because: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be decided, and why."""

    decision: Decision | None
    """None when no rule matches; without an id, because it is not stored."""
    rules: tuple[RuleTrace, ...]
    """Those that concern the product, in the plan's order, up to the one that matched."""
    factors: Mapping[str, FactorValue]
    plan_version: int
    stored_decision: Decision | None
    """The decision in force for this application_id, when there is one."""


class ExplainRoute:
    """Explains a decision without taking it."""

    def __init__(
        self,
        *,
        plans: PlanSource,
        traffic: TrafficSource,
        store: Store,
        clock: Clock,
        limits: PlanLimits = DEFAULT_LIMITS,
        risk: RiskFactsSource | None = None,
    ) -> None:
        self._plans = plans
        self._traffic = traffic
        self._store = store
        self._clock = clock
        self._limits = limits
        self._risk = risk

    async def __call__(self, application: Application, plan_version: int, context: CallContext) -> Explanation:
        """``plan_version`` 0 is the active plan. Stores nothing.

        Raises NoActivePlan, PlanNotFound. That no rule matches is an answer.
        """
        del context  # nothing is changed, so nothing is audited
        async with self._store.read() as uow:
            stored = await uow.orders.get(application.application_id)
            version = await uow.plans.get(plan_version) if plan_version else None
        if plan_version and version is None:
            raise PlanNotFound(f"no plan has version {plan_version}; ListPlans shows those that exist")
        plan = self._plans.current() if version is None else await compile_aside(version, self._limits, self._risk)
        now = self._clock.now()
        rules: list[RuleTrace] = []
        decision: Decision | None = None
        factors: Mapping[str, FactorValue] = {}
        try:
            reading = plan.read(application, now)
            factors = reading.factors
            trace(plan, application, reading, rules)
            matched = plan.match(application, reading)
            split = plan.split(matched, application, reading, self._traffic.snapshot(), now=now)
            decision = replace(await self._settled(split), decision_id="")
        except NoRuleMatches as none:
            # A rule that cannot be judged has said so in its own trace.
            if not isinstance(none, RuleNotComputable) or not rules:
                rules.append(RuleTrace("", False, none.message))
        return Explanation(
            decision=decision,
            rules=tuple(rules),
            factors=factors,
            plan_version=plan.version,
            stored_decision=stored.decisions[-1] if stored is not None and stored.decisions else None,
        )

    async def _settled(self, decision: Decision | OpenDecision) -> Decision:
        """With the books as they are now: what the next application would get, without taking its place."""
        if not isinstance(decision, OpenDecision):
            return decision
        async with self._store.read() as uow:
            books = await uow.books.read(*needs([decision]))
        return decision.settle(books).decision


def trace(plan: CompiledPlan, application: Application, reading: Reading, traces: list[RuleTrace]) -> None:
    """Tries the rules one after the other, as a reader of the plan would, and writes down what came of each.

    Independent of the index that Route uses, so that the two can be held against each other. Rules for another product
    code are left out. Raises RuleNotComputable.
    """
    if not plan.serves(application):
        return
    for rule in plan.rules:
        code = rule.rule.conditions.get("product_code")
        if code is not None and not holds(code, application.product_code):
            continue
        if len(traces) >= SHOWN_RULES:
            traces.append(RuleTrace("", False, f"further rules are not shown; {SHOWN_RULES} were tried"))
            return
        because = _failing(plan, rule, reading, traces)
        traces.append(RuleTrace(rule.rule.text.name, not because, because or "all its conditions hold"))
        if not because:
            return


def _failing(plan: CompiledPlan, rule: CompiledRule, reading: Reading, traces: list[RuleTrace]) -> str:
    for path, condition in rule.rule.conditions.items():
        value = plan.value_of(path, reading)
        if not holds(condition, value):
            return f"match.{path}: {_shown(value)} {_wanted(condition)}"
    try:
        failing = plan.failing_condition(rule, reading)
    except RuleNotComputable as failure:
        traces.append(RuleTrace(rule.rule.text.name, False, failure.message))
        raise
    return "" if failing is None else f"when: {rule.rule.text.when} is false"


def _shown(value: Value) -> str:
    return "nothing" if value is None else repr(value)


def _wanted(condition: Condition) -> str:
    match condition:
        case OneOf(values=(only,)):
            return f"is not {only!r}"
        case OneOf():
            more = len(condition.values) - SHOWN_VALUES
            shown = ", ".join(repr(v) for v in condition.values[:SHOWN_VALUES])
            return f"is not one of [{shown}{f' and {more} more' if more > 0 else ''}]"
        case StartsWith():
            return f"does not begin with {' or '.join(repr(p) for p in condition.prefixes[:SHOWN_VALUES])}"
        case Between():
            bounds = {"at_least": condition.at_least, "above": condition.above}
            bounds |= {"at_most": condition.at_most, "below": condition.below}
            return "is not " + ", ".join(f"{name} {bound}" for name, bound in bounds.items() if bound is not None)
