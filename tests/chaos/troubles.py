"""What goes wrong, drawn from a seed: kills, insurers' modes, cut and stalled networks, a database that crashes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import aiohttp

from tests.chaos.clients import Clients
from tests.chaos.keeper import Keeper
from tests.chaos.network import Wire
from tests.support.house import Insurer
from tests.support.postgres import Postgres

MODES: Sequence[tuple[str, Mapping[str, float], int]] = (
    # mode, numbers, weight
    ("healthy", {}, 8),
    ("jitter", {"error_rate": 0.2}, 4),
    ("errors", {}, 2),
    ("outage", {}, 2),
    ("hang", {}, 1),
    ("accept-then-timeout", {}, 2),
    ("lying-200", {}, 2),
    ("slow", {"slow_seconds": 1.5}, 1),
)
SERVERS_SHARE = 0.6
"""Part of the kills that hit a server; the others hit an insurer."""
KILLS_BETWEEN_CRASHES = 12
"""Of the database, about."""
STALL_SECONDS = (0.3, 1.8)
"""Longer than an insurer's call may take, much shorter than silence is not believed (the server's quiet time)."""


class Troubles:
    """Makes trouble ``kills`` times, evenly over the orders that are sent."""

    def __init__(
        self,
        *,
        seed: int,
        kills: int,
        servers: Sequence[Keeper],
        insurers: Mapping[str, tuple[Insurer, Keeper]],
        wires: Mapping[str, Wire],
        database_wires: Sequence[Wire],
        database: Postgres,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._draw = random.Random(seed)
        self._kills = kills
        self._servers = servers
        self._insurers = insurers
        self._wires = wires
        self._database_wires = database_wires
        self._database = database
        self._stalls: set[asyncio.Task[None]] = set()

    async def run(self, clients: Clients, orders: int) -> None:
        """Returns after the last kill."""
        first_crash = self._draw.randint(1, max(1, min(self._kills, KILLS_BETWEEN_CRASHES)))
        for number in range(1, self._kills + 1):
            await clients.until_sent(number * orders // (self._kills + 1))
            await self._script()
            if self._draw.random() < 0.5:
                await self._break_a_wire()
            if number % KILLS_BETWEEN_CRASHES == first_crash % KILLS_BETWEEN_CRASHES:
                await self._crash_the_database()
            await self._kill()

    async def end(self) -> None:
        """Everything works again: networks at once, processes as soon as they have started, insurers healthy."""
        await asyncio.gather(*self._stalls)
        for wire in self._wires.values():
            await wire.open()
        for keeper in (*self._servers, *(keeper for _, keeper in self._insurers.values())):
            await keeper.until_it_works()
        for insurer, _ in self._insurers.values():
            await insurer.set_mode("healthy")

    async def _script(self) -> None:
        name = self._draw.choice(sorted(self._insurers))
        mode, numbers, _ = self._draw.choices(MODES, weights=[weight for _, _, weight in MODES])[0]
        insurer, keeper = self._insurers[name]
        if not keeper.works:
            return
        try:
            await insurer.set_mode(mode, **numbers)
        except (aiohttp.ClientError, OSError):
            return  # it is being killed or has just started
        self.counts[f"mode {mode}"] += 1

    async def _break_a_wire(self) -> None:
        name = self._draw.choice(sorted(self._wires))
        what = self._draw.choice(("cut insurer", "stall insurer", "cut database", "stall database"))
        seconds = self._draw.uniform(*STALL_SECONDS)
        wire = self._draw.choice(self._database_wires) if "database" in what else self._wires[name]
        self.counts[what] += 1
        if what.startswith("cut"):
            wire.cut()
            return
        stall = asyncio.create_task(wire.stall(seconds))
        self._stalls.add(stall)
        stall.add_done_callback(self._stalls.discard)

    async def _crash_the_database(self) -> None:
        self.counts["database crash"] += 1
        self._database.crash()
        await asyncio.sleep(self._draw.uniform(0.0, 1.0))  # how long it is away is part of the trouble
        await self._database.start_again()

    async def _kill(self) -> None:
        hit_server = self._draw.random() < SERVERS_SHARE
        names = sorted(self._insurers)
        self._draw.shuffle(names)
        servers = list(self._servers)
        self._draw.shuffle(servers)
        insurers = [(name, self._insurers[name][1]) for name in names]
        if not hit_server:
            for name, keeper in insurers:
                if keeper.works:
                    # Nothing listens while it is away.
                    self._wires[name].close()
                    await keeper.kill()
                    self.counts["kill insurer"] += 1
                    opening = asyncio.create_task(self._open_when_back(name, keeper))
                    self._stalls.add(opening)
                    opening.add_done_callback(self._stalls.discard)
                    return
        for server in servers:
            if server.works:
                await server.kill()
                self.counts["kill server"] += 1
                return
        # Both are starting: the kill hits a start.
        await servers[0].kill()
        self.counts["kill server"] += 1

    async def _open_when_back(self, name: str, keeper: Keeper) -> None:
        await keeper.until_it_works()
        await self._wires[name].open()
