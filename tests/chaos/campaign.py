"""One campaign: the house on PostgreSQL, callers, operators, trouble; then the books."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sluice.client import AsyncSluice
from sluice.insurer.v1 import insurer_pb2
from tests.chaos.clients import Clients
from tests.chaos.keeper import Keeper
from tests.chaos.network import Wire
from tests.chaos.operators import Operators
from tests.chaos.troubles import Troubles
from tests.support.books import Verdict, read_books
from tests.support.house import FIRST_OPERATOR, INSURERS, House, furnish, house, until_plan_is_active
from tests.support.postgres import Postgres
from tests.support.processes import free_port

SETTINGS = {
    # A call whose process was killed is taken up again this much later, plus a few seconds.
    "SLUICE_ORDER_LONGEST_CALL_SECONDS": "4",
    # Longer than the network ever holds a request back.
    "SLUICE_ORDER_QUIET_SECONDS": "4",
}

_ALLOCATIONS = """allocations:
      - {insurer: insurer-a, share: 4000, binding: {insurer_product_code: A-1}}
      - {insurer: insurer-b, share: 3500, binding: {insurer_product_code: B-1}}
      - {insurer: insurer-c, share: 2500, binding: {insurer_product_code: C-1}}"""
PLAN = f"""
plan: every-kind-of-split
insurers: {{insurer-a: , insurer-b: , insurer-c: }}
products:
  - product_line: screen
  - product_line: accident
  - product_line: warranty
rules:
  - name: sticky
    match: {{product_line: screen}}
    sticky_key: customer_ref
    on_exhausted: PARK
    {_ALLOCATIONS}
  - name: forgiving
    match: {{product_line: accident}}
    split: EXACT
    deficit: FORGIVEN
    on_exhausted: PARK
    {_ALLOCATIONS}
  - name: repaying
    match: {{product_line: warranty}}
    split: EXACT
    deficit: REPAID
    on_exhausted: PARK
    {_ALLOCATIONS}
"""
REPAYING = ("repaying",)


@dataclass(frozen=True)
class Campaign:
    """What is to happen."""

    seed: int
    kills: int
    orders: int
    per_second: float = 40.0
    """Applications that are sent in a second at most."""
    recovery_seconds: float = 240.0
    """How long the operators have at the end until every order is final."""

    @property
    def capacities(self) -> dict[str, insurer_pb2.Capacity]:
        """One is often full for the rest of a second, one for the rest of the day."""
        return {
            "insurer-b": insurer_pb2.Capacity(orders_per_second=6),
            "insurer-c": insurer_pb2.Capacity(orders_per_day=self.orders // 6),
        }

    @property
    def limit_seconds(self) -> float:
        """It has ended by then, or it fails: several times what a machine needs that has nothing else to do."""
        return 180 + 6 * self.orders / self.per_second + 8 * self.kills + self.recovery_seconds


@dataclass(frozen=True)
class Result:
    """What came of it."""

    campaign: Campaign
    verdict: Verdict
    sent: int
    kills: int
    troubles: Counter[str]
    callers_saw: Counter[str]
    reported: Counter[str]
    """What teams that call insurers themselves have told of calls that gave no answer."""
    restored: int
    crashes: tuple[str, ...] = ()
    """Processes that ended by themselves."""
    contradictions_accepted: tuple[str, ...] = ()
    """Applications under whose id other content was accepted."""
    unexpected: tuple[str, ...] = field(default=())
    """Errors that no fault explains."""

    @property
    def clean(self) -> bool:
        """Whether everything held."""
        return self.verdict.clean and not (self.crashes or self.contradictions_accepted or self.unexpected)

    def figures(self) -> dict[str, int]:
        """For build/chaos.json."""
        return {
            "seed": self.campaign.seed,
            "kills": self.kills,
            "orders": self.sent,
            "acknowledged": self.verdict.acknowledged,
            "missing": len(self.verdict.missing),
            "doubly_insured": len(self.verdict.doubly_insured),
            "not_final": len(self.verdict.not_final),
            "disagreements": len(self.verdict.disagreements) + len(self.contradictions_accepted),
            "misdealt": len(self.verdict.misdealt),
        }


async def run(campaign: Campaign, database: Postgres, folder: Path) -> Result:
    """Runs it in ``folder`` on a fresh database of ``database``, which it crashes; ends what it starts.

    Raises TimeoutError after ``campaign.limit_seconds``.
    """
    name = await database.create_database()
    async with asyncio.timeout(campaign.limit_seconds), AsyncExitStack() as opened:
        ports = {insurer_id: free_port() for insurer_id in INSURERS}
        wires = {insurer_id: await opened.enter_async_context(Wire(ports[insurer_id])) for insurer_id in INSURERS}
        # One for both servers: what each of them has open is cut together, as a database's restart does.
        database_wire = await opened.enter_async_context(Wire(database.port))
        store_url = f"postgresql+asyncpg://postgres@127.0.0.1:{database_wire.port}/{name}"
        home = await opened.enter_async_context(
            house(
                folder,
                store_url,
                servers=2,
                seen_at={insurer_id: f"http://127.0.0.1:{wire.port}" for insurer_id, wire in wires.items()},
                ports=ports,
                decline_rate=0.05,
                seed=campaign.seed,
                settings=SETTINGS,
            )
        )
        async with AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as client:
            await furnish(client, plan=PLAN, capacities=campaign.capacities)
        for server in home.servers:
            await until_plan_is_active(server)
        return await _play(campaign, home, wires, database_wire, database, opened)


async def _play(
    campaign: Campaign,
    home: House,
    wires: dict[str, Wire],
    database_wire: Wire,
    database: Postgres,
    opened: AsyncExitStack,
) -> Result:
    addresses = [server.address for server in home.servers]
    clients = await opened.enter_async_context(
        Clients(
            addresses,
            {insurer_id: f"http://127.0.0.1:{wire.port}" for insurer_id, wire in wires.items()},
            seed=campaign.seed,
            orders=campaign.orders,
            per_second=campaign.per_second,
        )
    )
    operators = Operators(addresses)
    servers = [await opened.enter_async_context(Keeper(server.program, server.start)) for server in home.servers]
    insurers = {
        insurer_id: (insurer, await opened.enter_async_context(Keeper(insurer.program, insurer.start)))
        for insurer_id, insurer in home.insurers.items()
    }
    troubles = Troubles(
        seed=campaign.seed,
        kills=campaign.kills,
        servers=servers,
        insurers=insurers,
        wires=wires,
        database_wires=[database_wire],
        database=database,
    )
    on_call = asyncio.create_task(operators.run(), name="operators")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(clients.run())
            group.create_task(troubles.run(clients, campaign.orders))
        await troubles.end()
    finally:
        on_call.cancel()
        await asyncio.gather(on_call, return_exceptions=True)
    await clients.finish_routed()
    # What is parked waits for the operators, and the operators for the teams.
    await asyncio.gather(
        clients.finish_teams(campaign.recovery_seconds), operators.until_all_final(campaign.recovery_seconds)
    )
    async with AsyncSluice(addresses[0]) as client:
        verdict = await read_books(
            client, home.insurers, clients.acknowledged, capacities=campaign.capacities, repaying=REPAYING
        )
    keepers = [*servers, *(keeper for _, keeper in insurers.values())]
    return Result(
        campaign=campaign,
        verdict=verdict,
        sent=clients.sent + clients.batched,
        kills=sum(keeper.kills for keeper in keepers),
        troubles=troubles.counts,
        reported=Counter({"failed": clients.team.technical_failures, "unknown": clients.team.unknown}),
        callers_saw=clients.errors,
        restored=operators.restored,
        crashes=tuple(crash for keeper in keepers for crash in keeper.crashes),
        contradictions_accepted=tuple(clients.contradictions_accepted),
        unexpected=tuple(text for text in clients.errors if text.startswith("UNEXPECTED")),
    )
