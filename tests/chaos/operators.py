"""The people on call: they see a cut, confirm, retry, and a second one restores; again and again, whatever fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import breaker_pb2, insurer_control_pb2
from sluice.routing.v1 import routing_pb2
from tests.support.books import UNFINISHED
from tests.support.house import FIRST_OPERATOR, SECOND_OPERATOR

LOOK_SECONDS = 1.0
CALL_SECONDS = 10.0
RETRY_SECONDS = 30.0
TO_RECOVER = (breaker_pb2.BREAKER_STATE_OPEN, breaker_pb2.BREAKER_STATE_CONFIRMED, breaker_pb2.BREAKER_STATE_RETRYING)


class Operators:
    """Two people with a connection each. What a call refuses or a kill breaks off is tried again at the next look."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.restored = 0
        self.failures: Counter[str] = Counter()
        self._addresses = addresses
        self._looks = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def until_all_final(self, seconds: float) -> bool:
        """Goes on until no order is unfinished; False when the time is over before."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            try:
                async with AsyncSluice(self._address()) as client:
                    page = await client.routing.ListOrders(
                        routing_pb2.ListOrdersRequest(states=UNFINISHED, page_size=1), timeout=CALL_SECONDS
                    )
                if not page.orders:
                    return True
            except errors.SluiceError as failed:
                self.failures[failed.code.name] += 1
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def look(self) -> None:
        """One round over all insurers."""
        self._looks += 1
        address = self._address()
        async with (
            AsyncSluice(address, actor=FIRST_OPERATOR) as first,
            AsyncSluice(address, actor=SECOND_OPERATOR) as second,
        ):
            try:
                answer = await first.insurers.ListInsurers(
                    insurer_control_pb2.ListInsurersRequest(), timeout=CALL_SECONDS
                )
            except errors.SluiceError as failed:
                self.failures[failed.code.name] += 1
                return
            cut = [insurer.breaker for insurer in answer.insurers if insurer.breaker.state in TO_RECOVER]
            await asyncio.gather(*(self._recover(first, second, breaker) for breaker in cut))

    def _address(self) -> str:
        return self._addresses[self._looks % len(self._addresses)]

    async def _recover(self, first: AsyncSluice, second: AsyncSluice, breaker: breaker_pb2.Breaker) -> None:
        insurer_id = breaker.insurer_id
        try:
            if breaker.state == breaker_pb2.BREAKER_STATE_OPEN:
                await first.insurers.ConfirmRecovery(
                    insurer_control_pb2.ConfirmRecoveryRequest(
                        insurer_id=insurer_id, contact="desk", evidence="they say so", reason="chaos"
                    ),
                    timeout=CALL_SECONDS,
                )
            steps = [
                step
                async for step in first.insurers.RetryAbnormalOrders(
                    insurer_control_pb2.RetryAbnormalOrdersRequest(insurer_id=insurer_id, reason="chaos"),
                    timeout=RETRY_SECONDS,
                )
            ]
            if not steps or steps[-1].stopped_because:
                return
            await second.insurers.RestoreTraffic(
                insurer_control_pb2.RestoreTrafficRequest(insurer_id=insurer_id, reason="chaos"), timeout=CALL_SECONDS
            )
            self.restored += 1
        except errors.SluiceError as failed:
            self.failures[f"{failed.code.name} {failed.reason}".strip()] += 1
