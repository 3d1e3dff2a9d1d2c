"""Recomputes a stored decision from what is stored, and says where the two differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluice_server.domain.errors import NoRuleMatches
from sluice_server.domain.routing.books import OpenDecision, recorded_books
from sluice_server.domain.routing.model import Application, Binding, Candidate, Decision
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import Admission, TrafficSnapshot
from sluice_server.domain.routing.weights import FAILED_BEFORE

WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that does not come out as it is stored."""

    field: str
    """``rule``, ``factors.band``, ``candidates[insurer-a].weight_basis_points``, ``binding.parameters.model`` …"""
    stored: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it."""

    decision_id: str
    differences: tuple[Difference, ...]
    taken_over: tuple[str, ...]
    """What was not recomputed but taken from the record, because it came from outside: the insurers' admissions where
    they were not whole, the share ledger's counts, and factors that read the risk data."""

    @property
    def identical(self) -> bool:
        return not self.differences


def verify_decision(decision: Decision, application: Application, plan: CompiledPlan) -> Verification:
    """``plan`` is compiled from the text of the decision's version.

    From the record come the moment, the number, what each candidate was admitted (or why it was excluded, ``CAPACITY``
    included), the orders that the share ledger of an EXACT split had counted before, and the values read from the risk
    data; everything else is computed again: factors, rule, shares, weights, split, binding.
    """
    risky = tuple(f.name for f in plan.factors if f.expression.needs and f.name in decision.factors)
    taken_over = (
        *(f"factors.{name}" for name in risky),
        *(f"candidates[{c.insurer_id}]" for c in decision.candidates if c.weight_basis_points != c.share_basis_points),
        *(("ledger_orders",) if decision.ledger_orders else ()),
    )
    try:
        again = _decided_again(decision, application, plan)
    except NoRuleMatches as none:
        return Verification(decision.decision_id, (Difference("rule", decision.rule, none.message),), taken_over)
    return Verification(decision.decision_id, tuple(_differences(decision, again)), taken_over)


def _decided_again(decision: Decision, application: Application, plan: CompiledPlan) -> Decision:
    now = decision.decided_at
    reading = plan.read(application, now, recorded=decision.factors)
    again = plan.split(
        plan.match(application, reading),
        application,
        reading,
        recorded_traffic(decision),
        number=decision.number,
        failed=frozenset(c.insurer_id for c in decision.candidates if c.excluded_because == FAILED_BEFORE),
        now=now,
    )
    return again.settle(recorded_books(decision)).decision if isinstance(again, OpenDecision) else again


def recorded_traffic(decision: Decision) -> TrafficSnapshot:
    """The breakers' word as far as the decision tells it: of the recorded shares it makes the recorded weights."""
    return TrafficSnapshot(
        decision.traffic_version,
        {
            (candidate.insurer_id, ""): Admission(_admitted(candidate), candidate.excluded_because)
            for candidate in decision.candidates
            if candidate.weight_basis_points != candidate.share_basis_points
        },
    )


def _admitted(candidate: Candidate) -> int:
    """The smallest admission whose product with the share, rounded down, is the weight."""
    if candidate.share_basis_points <= 0:
        return 0
    return -(-candidate.weight_basis_points * WHOLE // candidate.share_basis_points)


def _differences(stored: Decision, again: Decision) -> Iterable[Difference]:
    yield from _compared("plan_name", stored.plan_name, again.plan_name)
    yield from _compared("plan_version", stored.plan_version, again.plan_version)
    yield from _compared("rule", stored.rule, again.rule)
    for name in dict.fromkeys([*stored.factors, *again.factors]):
        yield from _compared(f"factors.{name}", stored.factors.get(name), again.factors.get(name))
    was = {candidate.insurer_id: candidate for candidate in stored.candidates}
    now = {candidate.insurer_id: candidate for candidate in again.candidates}
    for insurer_id in dict.fromkeys([*was, *now]):
        yield from _candidate(f"candidates[{insurer_id}]", was.get(insurer_id), now.get(insurer_id))
    yield from _compared("split_key", stored.split_key, again.split_key)
    yield from _compared("ledger_position", stored.ledger_position, again.ledger_position)
    yield from _compared("disposition", stored.disposition.value, again.disposition.value)
    yield from _compared("insurer_id", stored.insurer_id, again.insurer_id)
    yield from _bindings(stored.binding, again.binding)


def _candidate(path: str, stored: Candidate | None, again: Candidate | None) -> Iterable[Difference]:
    if stored is None or again is None:
        yield Difference(path, "none" if stored is None else "a candidate", "none" if again is None else "a candidate")
        return
    for name in ("share_basis_points", "weight_basis_points", "excluded_because"):
        yield from _compared(f"{path}.{name}", getattr(stored, name), getattr(again, name))


def _bindings(stored: Binding | None, again: Binding | None) -> Iterable[Difference]:
    if stored is None or again is None:
        yield from _compared("binding", *("none" if b is None else "a binding" for b in (stored, again)))
        return
    for name in ("insurer_product_code", "insurer_plan_code", "endpoint"):
        yield from _compared(f"binding.{name}", getattr(stored, name), getattr(again, name))
    for key in dict.fromkeys([*stored.parameters, *again.parameters]):
        yield from _compared(f"binding.parameters.{key}", stored.parameters.get(key), again.parameters.get(key))


def _compared(field: str, stored: object, again: object) -> Iterable[Difference]:
    if not _same(stored, again):
        yield Difference(field, _shown(stored), _shown(again))


def _same(stored: object, again: object) -> bool:
    if isinstance(stored, bool) or isinstance(again, bool):
        return stored is again
    if isinstance(stored, int | float) and isinstance(again, int | float):
        # A record may have come by a transport whose numbers are all doubles.
        return float(stored) == float(again)
    return stored == again


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
