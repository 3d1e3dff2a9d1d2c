"""The proof: what callers were told, what the store holds, and what the insurers' own ledgers say, order by order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.client import AsyncSluice
from sluice.insurer.v1 import insurer_pb2
from sluice.routing.v1 import decision_pb2, order_pb2, routing_pb2
from tests.support.house import Insurer
from tests.support.shares import share_faults

PAGE = 500
INSURED, REJECTED, CANCELLED = (
    order_pb2.ORDER_STATE_INSURED,
    order_pb2.ORDER_STATE_REJECTED,
    order_pb2.ORDER_STATE_CANCELLED,
)
FINAL = frozenset({INSURED, REJECTED, CANCELLED})
UNFINISHED = (
    order_pb2.ORDER_STATE_RECEIVED,
    order_pb2.ORDER_STATE_ROUTED,
    order_pb2.ORDER_STATE_SUBMITTING,
    order_pb2.ORDER_STATE_ABNORMAL,
    order_pb2.ORDER_STATE_PARKED,
)


@dataclass
class Acknowledged:
    """What callers were told. Once told it must stay true, whatever breaks afterwards."""

    decisions: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """decision_ids by application_id."""
    ends: dict[str, set[tuple[order_pb2.OrderState, str]]] = field(default_factory=lambda: defaultdict(set))
    """(final state, policy number) by application_id, where a final state was told."""

    def __len__(self) -> int:
        return len(self.decisions)

    def routed(self, decision: decision_pb2.Decision) -> None:
        """Route has answered."""
        self.decisions[decision.application_id].add(decision.decision_id)

    def submitted(self, order: order_pb2.Order) -> None:
        """Submit or GetOrder has answered."""
        application_id = order.application.application_id
        self.decisions[application_id].update(decision.decision_id for decision in order.decisions)
        if order.state in FINAL:
            self.ends[application_id].add((order.state, order.policy_number))


@dataclass(frozen=True)
class Verdict:
    """What was found. Everything but the first three has to be empty; each text names an application."""

    orders: int
    """Orders in the store."""
    acknowledged: int
    """Applications whose callers got an answer."""
    policies: int
    """Policies in the ledgers."""
    missing: tuple[str, ...] = ()
    """Acknowledged, and the order, the decision or the final answer is not in the store."""
    doubly_insured: tuple[str, ...] = ()
    """More than one policy."""
    not_final: tuple[str, ...] = ()
    """Neither insured nor rejected at the end."""
    disagreements: tuple[str, ...] = ()
    """A ledger says something else than the store."""
    misdealt: tuple[str, ...] = ()
    """Exact shares and capacities that the decisions have not kept; these texts name rules and insurers."""

    @property
    def clean(self) -> bool:
        """Whether nothing is missing, doubled, left over, in dispute or misdealt."""
        return not (self.missing or self.doubly_insured or self.not_final or self.disagreements or self.misdealt)


async def all_orders(
    client: AsyncSluice, states: Sequence[order_pb2.OrderState] = ()
) -> AsyncIterator[order_pb2.Order]:
    """Every order of the store in these states (all of them if none is given), page by page."""
    token = ""
    while True:
        page = await client.routing.ListOrders(
            routing_pb2.ListOrdersRequest(states=states, page_size=PAGE, page_token=token),
            timeout=60,
        )
        for order in page.orders:
            yield order
        token = page.next_page_token
        if not token:
            return


async def until_final(client: AsyncSluice, seconds: float) -> None:
    """Returns when the workers have brought every order to its end. Raises TimeoutError."""
    request = routing_pb2.ListOrdersRequest(states=UNFINISHED, page_size=1)
    async with asyncio.timeout(seconds):
        while (await client.routing.ListOrders(request)).orders:  # noqa: ASYNC110 - no call waits for it
            await asyncio.sleep(0.2)


async def read_books(
    client: AsyncSluice,
    insurers: Mapping[str, Insurer],
    acknowledged: Acknowledged,
    *,
    capacities: Mapping[str, insurer_pb2.Capacity] | None = None,
    repaying: Sequence[str] = (),
) -> Verdict:
    """Reads the store through ListOrders and GetOrder, and every insurer's ledger, and compares them.

    ``capacities`` and ``repaying``: see ``shares.share_faults``.
    """
    stored = {order.application.application_id: order async for order in all_orders(client)}
    for application_id, order in stored.items():
        # A list shows the decision in force, not the ones before it.
        if order.decisions and order.decisions[-1].number > len(order.decisions):
            answer = await client.routing.GetOrder(routing_pb2.GetOrderRequest(application_id=application_id))
            stored[application_id] = answer.order
    ledgers = {insurer_id: await insurer.ledger() for insurer_id, insurer in insurers.items()}
    decisions = [decision for order in stored.values() for decision in order.decisions]
    misdealt = share_faults(decisions, capacities or {}, repaying)
    return replace(judge(stored, ledgers, acknowledged), misdealt=tuple(misdealt))


def judge(
    stored: Mapping[str, order_pb2.Order],
    ledgers: Mapping[str, Sequence[Mapping[str, object]]],
    acknowledged: Acknowledged,
) -> Verdict:
    """Compares what was read: orders by application_id, ledger entries by insurer_id."""
    policies: dict[str, set[tuple[str, str]]] = defaultdict(set)
    declined: dict[str, set[str]] = defaultdict(set)
    for insurer_id, entries in ledgers.items():
        for entry in entries:
            application_id = str(entry["application_id"])
            if entry["status"] == "ISSUED":
                policies[application_id].add((insurer_id, str(entry["policy_number"])))
            else:
                declined[application_id].add(insurer_id)
    disagreements = []
    for application_id in sorted(stored.keys() | policies.keys() | declined.keys()):
        disagreements += [
            f"{application_id}: {text}"
            for text in _dispute(stored.get(application_id), policies[application_id], declined[application_id])
        ]
    return Verdict(
        orders=len(stored),
        acknowledged=len(acknowledged),
        policies=sum(len(held) for held in policies.values()),
        missing=tuple(sorted(_missing(stored, acknowledged))),
        doubly_insured=tuple(
            f"{application_id}: {sorted(held)}" for application_id, held in sorted(policies.items()) if len(held) > 1
        ),
        not_final=tuple(
            f"{application_id}: {order_pb2.OrderState.Name(order.state)}"
            for application_id, order in sorted(stored.items())
            if order.state not in FINAL
        ),
        disagreements=tuple(disagreements),
    )


def _dispute(order: order_pb2.Order | None, policies: set[tuple[str, str]], declined: set[str]) -> list[str]:
    """In what ledgers and store do not say the same of one application."""
    if order is None:
        return [f"not in the store, but in the ledgers: policies {sorted(policies)}, declined by {sorted(declined)}"]
    in_charge = order.decisions[-1].insurer_id if order.decisions else ""
    found = []
    if order.state == INSURED:
        # A second policy is doubly_insured; here it is enough that this one exists.
        # Numbers are the insurer's own. A late answer may have come from another than the one in charge now.
        if order.policy_number not in {number for _, number in policies}:
            found.append(f"INSURED as {order.policy_number!r}, but the ledgers have {sorted(policies)}")
    elif policies:
        found.append(f"{order_pb2.OrderState.Name(order.state)}, but the ledgers have {sorted(policies)}")
    if order.state == REJECTED and in_charge not in declined:
        found.append(f"REJECTED, but {in_charge or 'nobody'} has not declined it")
    if declined and order.state != REJECTED:
        found.append(f"{order_pb2.OrderState.Name(order.state)}, but {sorted(declined)} declined it")
    return found


def _missing(stored: Mapping[str, order_pb2.Order], acknowledged: Acknowledged) -> list[str]:
    found = []
    for application_id, decisions in acknowledged.decisions.items():
        order = stored.get(application_id)
        if order is None:
            found.append(f"{application_id}: the order")
            continue
        lost = decisions - {decision.decision_id for decision in order.decisions}
        if lost:
            found.append(f"{application_id}: the decisions {sorted(lost)}")
        for state, policy_number in sorted(acknowledged.ends.get(application_id, ())):
            if (order.state, order.policy_number) != (state, policy_number):
                told = f"{order_pb2.OrderState.Name(state)} {policy_number}".strip()
                found.append(f"{application_id}: was told {told}, is {order_pb2.OrderState.Name(order.state)} now")
    return found
