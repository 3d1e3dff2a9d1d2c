"""What routing needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sluice_server.domain.breaker.ports import Capacity
    from sluice_server.domain.routing.books import Books, LedgerKey
    from sluice_server.domain.routing.plan import CompiledPlan


@dataclass(frozen=True, slots=True)
class Admission:
    """How much of an insurer's normal share may go to it now."""

    admitted_basis_points: int
    """10,000: all; 0: cut; between: ramping."""
    reason: str = ""
    """Why it is less than all: ``CUT`` with the breaker's state, ``RAMPING``, ``FORCED_OPEN`` …"""


@dataclass(frozen=True, slots=True)
class TrafficSnapshot:
    """Every breaker's word at one moment. An insurer without an entry takes all of its share."""

    version: int
    """Grows with every change of any breaker."""
    admissions: Mapping[tuple[str, str], Admission]
    """By (insurer_id, product_line); product_line "" is the insurer as a whole. The stricter one holds."""
    capacities: Mapping[str, Capacity] = field(default_factory=dict)
    """By insurer_id: of those that take a limited number of orders."""

    def admission(self, insurer_id: str, product_line: str) -> Admission:
        """The stricter of the insurer's own admission and that of its product line."""
        whole = self.admissions.get((insurer_id, ""), ALL)
        line = self.admissions.get((insurer_id, product_line), ALL)
        return whole if whole.admitted_basis_points <= line.admitted_basis_points else line


ALL = Admission(10_000)


class TrafficSource(Protocol):
    """Where a decision reads the breakers from: a snapshot in memory, never the database."""

    def snapshot(self) -> TrafficSnapshot: ...


RiskNeed = tuple[str, str]
"""What a plan reads from the risk data: ``rating`` or ``score``, and the kind of entity."""


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """What one risk data version says, as far as plans read it. Both maps are keyed by (kind, id)."""

    data_version: int
    """0: nothing was published."""
    ratings: Mapping[tuple[str, str], str]
    """Grades A to E by loss ratio; those that are not rated have none."""
    scores: Mapping[tuple[str, str], float]
    """0 to 100: 100 times the probability of being worse than the peers."""


NO_RISK_FACTS = RiskFacts(0, {}, {})


class RiskFactsSource(Protocol):
    """Where ``rating`` and ``score`` of a plan's factors read from: a snapshot in memory, never the database."""

    def snapshot(self) -> RiskFacts: ...

    def kinds(self, function: str) -> frozenset[str]:
        """The kinds of entities that have a ``rating``, or a ``score``."""
        ...

    async def need(self, needs: Set[RiskNeed]) -> None:
        """From now on the snapshot holds these. Returns when it does, or after a moment: until they are there, and
        while the risk data cannot be read, nothing is rated. Kinds that there are not are passed over."""
        ...


class AdapterFacts(Protocol):
    """What this server's adapters to the insurers offer to bindings, and want from them."""

    def endpoints(self, insurer_id: str) -> Set[str] | None:
        """The endpoints that a binding may name; None when the insurer's adapter does not tell, or has none here."""
        ...

    def needed_of_bindings(self, insurer_id: str) -> Set[str]:
        """What a binding must say, or no order can be submitted: ``insurer_plan_code``, ``parameters.NAME``."""
        ...


class PlanSource(Protocol):
    """Where a decision takes the active plan from: compiled, in memory, swapped as a whole."""

    def current(self) -> CompiledPlan:
        """Raises NoActivePlan."""
        ...


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """One immutable version of a plan."""

    name: str
    version: int
    """Counts up over all plans: one number names one text."""
    source: str
    """The YAML as it was given."""
    content_hash: str
    """SHA-256 (hexadecimal) of the source."""
    activatable: bool
    warnings: tuple[str, ...]
    """``Finding.text()`` of each warning."""
    description: str
    created_at: datetime
    created_by: str
    active: bool
    etag: str
    """Of the activation: the same for all plans, changes with every ActivatePlan."""
    request_id: str = ""
    """Of the CreatePlan that made it; what ``PlanRepository.by_request`` finds it by. Empty: not found by it."""


class BookRepository(Protocol):
    """The books that replicas share (``domain.routing.books``), for reading; the decision log carries them on."""

    async def read(self, ledgers: Sequence[LedgerKey], insurers: Sequence[str]) -> Books:
        """These ledgers and what these insurers were given."""
        ...


class PlanRepository(Protocol):
    """Plans in a unit of work."""

    async def lock(self) -> None:
        """Holds off every other change of plans until this unit of work ends: what is read after it stays true."""
        ...

    async def add(self, plan: StoredPlan) -> StoredPlan:
        """Stores a new version (its number is given by the store)."""
        ...

    async def get(self, version: int) -> StoredPlan | None: ...

    async def by_request(self, request_id: str) -> StoredPlan | None:
        """The version that an earlier call with this request id created."""
        ...

    async def list(self, *, after_version: int | None, limit: int) -> Sequence[StoredPlan]:
        """Newest first, below ``after_version``; without their texts (``source`` is empty), which may be long."""
        ...

    async def active(self) -> StoredPlan | None: ...

    async def active_version(self) -> int | None:
        """Only the number: what a replica asks for twice a second."""
        ...

    async def newest_version(self) -> int | None:
        """The version that was stored last."""
        ...

    async def activate(self, version: int, *, expected_etag: str) -> StoredPlan:
        """Makes this the one active version. Raises StaleEtag when the activation is not at ``expected_etag``
        (an empty one is not checked)."""
        ...
