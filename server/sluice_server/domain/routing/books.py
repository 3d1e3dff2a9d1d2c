"""What replicas have to agree on to choose an insurer: share ledgers and what insurers with a capacity were given.

A decision that depends on them is left open and settled in the transaction that stores it, with the books locked: a
position that a ledger gives belongs to an order that is stored with it, and none is used up by a repeated call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from sluice_server.domain.breaker.ports import Capacity
from sluice_server.domain.money import Money
from sluice_server.domain.routing.capacity import CAPACITY, InsurerUse
from sluice_server.domain.routing.ledger import Counts, counted, next_insurer, page_of
from sluice_server.domain.routing.model import Binding, Candidate, Decision, Disposition
from sluice_server.domain.routing.source.document import Deficit

MOST_PAGES = 256
"""A ledger with more pages gives up the one with the fewest orders, which then begins anew."""


@dataclass(frozen=True, slots=True, order=True)
class LedgerKey:
    """Whose ledger: one rule of one plan version."""

    plan_version: int
    rule: str


@dataclass(slots=True)
class Books:
    """Some ledgers and uses as they are in the store, to be carried on. What is missing is empty."""

    ledgers: dict[LedgerKey, dict[str, Counts]] = field(default_factory=dict)
    """Orders by insurer, by rule and page (``ledger.page_of``)."""
    uses: dict[str, InsurerUse] = field(default_factory=dict)
    """By insurer."""
    changed_ledgers: set[LedgerKey] = field(default_factory=set)
    changed_uses: set[str] = field(default_factory=set)

    def counts(self, key: LedgerKey, page: str, insurers: int) -> Counts:
        """Orders by insurer on a page."""
        return self.ledgers.get(key, {}).get(page) or (0,) * insurers

    def enter(self, settled: Settled) -> None:
        """Counts a settled decision."""
        if settled.ledger is not None:
            pages = self.ledgers.setdefault(settled.ledger, {})
            pages[settled.page] = settled.counts
            if len(pages) > MOST_PAGES:
                del pages[min((page for page in pages if page != settled.page), key=lambda page: sum(pages[page]))]
            self.changed_ledgers.add(settled.ledger)
        if settled.use is not None:
            self.uses[settled.decision.insurer_id] = settled.use
            self.changed_uses.add(settled.decision.insurer_id)


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision, and what it adds to the books."""

    decision: Decision
    ledger: LedgerKey | None = None
    page: str = ""
    counts: Counts = ()
    """The page afterwards."""
    use: InsurerUse | None = None
    """What the insurer was given, this order included; None when it has no capacity."""


@dataclass(frozen=True, slots=True)
class OpenDecision:
    """A decision that names no insurer yet, and all that is needed to choose one: the books excepted."""

    draft: Decision
    """Without insurer, binding and ledger position; the candidates without regard to capacity."""
    premium: Money
    ledger: LedgerKey | None
    """The ledger of an EXACT split; None: STICKY."""
    deficit: Deficit
    choose: Callable[[Sequence[int], str], int]
    """STICKY: index of the insurer by weights and key, or -1."""
    exhausted: Callable[[AbstractSet[str]], tuple[Disposition, int]]
    """What the rule says when nobody is left, and the index of the insurer that is kept (or -1); the argument are the
    insurers without room."""
    bind: Callable[[int], Binding]
    """The binding of the insurer at an index."""
    capacities: Mapping[str, Capacity]
    """Of the candidates that have one."""

    def settle(self, books: Books) -> Settled:
        """Chooses; changes nothing. ``books`` holds at least the ledger and the uses of the insurers in
        ``capacities``."""
        draft = self.draft
        full: AbstractSet[str] = frozenset()
        if self.capacities:
            full = {i for i, capacity in self.capacities.items() if not self._has_room(i, capacity, books)}
        candidates = draft.candidates
        if full:
            candidates = tuple(
                _without_room(c) if c.insurer_id in full and c.weight_basis_points else c for c in candidates
            )
        weights = [candidate.weight_basis_points for candidate in candidates]
        disposition, position, ledger, page = Disposition.ROUTED, None, self.ledger, ""
        before: Counts = ()
        counts: Counts = ()
        if ledger is None:
            chosen = self.choose(weights, draft.split_key)
        else:
            page = page_of(self.deficit, weights)
            before = books.counts(ledger, page, len(weights))
            chosen = next_insurer(self.deficit, [c.share_basis_points for c in candidates], weights, before)
            if chosen >= 0:
                position, counts = sum(before) + 1, counted(before, chosen)
            else:
                ledger = None
        if chosen < 0:
            disposition, chosen = self.exhausted(full)
            # Also one that is cut has no room: whoever reads the record must see why it was not kept.
            candidates = tuple(_without_room(c) if c.insurer_id in full else c for c in candidates)
        insurer_id = "" if chosen < 0 else candidates[chosen].insurer_id
        # Field by field: dataclasses.replace costs as much as all the rest.
        decision = Decision(
            decision_id=draft.decision_id,
            application_id=draft.application_id,
            number=draft.number,
            disposition=disposition,
            insurer_id=insurer_id,
            binding=None if chosen < 0 else self.bind(chosen),
            plan_name=draft.plan_name,
            plan_version=draft.plan_version,
            rule=draft.rule,
            factors=draft.factors,
            split_key=draft.split_key,
            ledger_position=position,
            candidates=candidates,
            traffic_version=draft.traffic_version,
            decided_at=draft.decided_at,
            ledger_orders=() if position is None else before,
        )
        use = None
        if insurer_id in self.capacities:
            use = books.uses.get(insurer_id, InsurerUse()).with_order(self.premium, draft.decided_at)
        return Settled(decision, ledger, page, counts, use)

    def _has_room(self, insurer_id: str, capacity: Capacity, books: Books) -> bool:
        use = books.uses.get(insurer_id, InsurerUse())
        return use.has_room(capacity, self.premium, self.draft.decided_at)


def recorded_books(decision: Decision) -> Books:
    """The books as a stored decision found them, as far as it tells."""
    if decision.ledger_position is None:
        return Books()
    weights = [candidate.weight_basis_points for candidate in decision.candidates]
    pages = {page_of(deficit, weights): decision.ledger_orders for deficit in Deficit}
    return Books({LedgerKey(decision.plan_version, decision.rule): pages})


def needs(decisions: Iterable[OpenDecision]) -> tuple[list[LedgerKey], list[str]]:
    """The ledgers and the insurers' uses that these read, sorted: whoever locks them in this order waits for others
    instead of deadlocking."""
    ledgers: set[LedgerKey] = set()
    insurers: set[str] = set()
    for decision in decisions:
        if decision.ledger is not None:
            ledgers.add(decision.ledger)
        insurers.update(decision.capacities)
    return sorted(ledgers), sorted(insurers)


def _without_room(candidate: Candidate) -> Candidate:
    return replace(candidate, weight_basis_points=0, excluded_because=CAPACITY)
