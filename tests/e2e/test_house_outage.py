"""The whole house through an outage: processes, HTTP, a store on disk, and people who bring the insurer back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import breaker_pb2, incident_pb2, insurer_control_pb2
from sluice.routing.v1 import routing_pb2
from sluice_server.alerts.payload import PAYLOAD_VERSION
from tests.support.books import Acknowledged, read_books, until_final
from tests.support.house import FIRST_OPERATOR, SECOND_OPERATOR, House, application, confirm_and_retry, furnish, house

FAILING = "insurer-b"
OTHERS = ("insurer-a", "insurer-c")
SECONDS = 60


class Traffic:
    """Callers of Submit, as many at a time as there are hands, until it is stopped."""

    def __init__(self, client: AsyncSluice) -> None:
        self.acknowledged = Acknowledged()
        self._insurers: dict[int, str] = {}
        """Insurer in charge in the answer, by the application's number."""
        self._client = client
        self._number = 0
        self._answered = asyncio.Condition()

    @asynccontextmanager
    async def flowing(self, hands: int = 6) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(hands):
                group.create_task(self._send(stopping))
            try:
                yield
            finally:
                stopping.set()

    async def answers(self, count: int) -> Counter[str]:
        """Who is in charge of the next ``count`` applications that are sent from now on."""
        last = self._number

        def since() -> Counter[str]:
            return Counter(insurer for number, insurer in self._insurers.items() if number > last)

        async with self._answered, asyncio.timeout(SECONDS):
            await self._answered.wait_for(lambda: since().total() >= count)
            return since()

    async def _send(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._number += 1
            number = self._number
            request = routing_pb2.SubmitRequest(application=application(number))
            order = (await self._client.routing.Submit(request, timeout=20)).order
            self.acknowledged.submitted(order)
            async with self._answered:
                self._insurers[number] = order.decisions[-1].insurer_id
                self._answered.notify_all()


async def state_becomes(client: AsyncSluice, state: breaker_pb2.BreakerState) -> breaker_pb2.Breaker:
    """Follows WatchInsurers until the failing insurer's breaker is in the state."""
    async with asyncio.timeout(SECONDS):
        async for message in client.insurers.WatchInsurers(
            insurer_control_pb2.WatchInsurersRequest(insurer_ids=[FAILING])
        ):
            if message.insurer.breaker.state == state:
                return message.insurer.breaker
    raise AssertionError("the watch ended")


async def cut_alarm(home: House, *, resolved: bool) -> dict[str, object]:
    """The alarm about the cut, or about its end, once the sink has it."""
    assert home.alarms is not None
    async with asyncio.timeout(SECONDS):
        while True:
            for alarm in home.alarms.received():
                if alarm["key"] == f"breaker/{FAILING}" and (alarm["resolved_at"] is not None) == resolved:
                    return alarm
            await asyncio.sleep(0.1)  # a file of another process: nothing to wait on


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    settings = {"SLUICE_ORDER_QUIET_SECONDS": "2"}
    store_url = f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}"
    async with house(tmp_path, store_url, alarms=True, insurer_timeout_seconds=0.7, settings=settings) as started:
        yield started


async def test_a_failing_insurer_is_cut_by_itself_and_comes_back_through_two_people(home: House) -> None:
    async with (
        AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as first,
        AsyncSluice(home.server.address, actor=SECOND_OPERATOR) as second,
    ):
        await furnish(first)
        traffic = Traffic(first)
        async with traffic.flowing():
            before = await traffic.answers(60)
            assert set(before) == {FAILING, *OTHERS}

            await home.insurers[FAILING].set_mode("outage")
            opened = await state_becomes(first, breaker_pb2.BREAKER_STATE_OPEN)
            assert opened.admitted_basis_points == 0
            cut = await traffic.answers(60)
            assert cut[FAILING] == 0
            assert all(cut[name] > 0 for name in OTHERS)
            alarm = await cut_alarm(home, resolved=False)
            assert (alarm["name"], alarm["severity"]) == ("InsurerCut", "critical")

            await home.insurers[FAILING].set_mode("healthy")
            incident = await way_back(first, second)
            closed = await state_becomes(first, breaker_pb2.BREAKER_STATE_CLOSED)
            assert closed.admitted_basis_points == 10_000
            after = await traffic.answers(60)
            assert after[FAILING] > 0
        await until_final(first, SECONDS)
        verdict = await read_books(first, home.insurers, traffic.acknowledged)
        assert verdict.clean, verdict
        assert verdict.orders == len(traffic.acknowledged) > 180
        told = (await first.insurers.GetIncident(insurer_control_pb2.GetIncidentRequest(incident_id=incident))).incident
        seen = [event.kind for event in told.events if event.kind != incident_pb2.INCIDENT_EVENT_KIND_ORDER_RETRIED]
        assert seen[0] == incident_pb2.INCIDENT_EVENT_KIND_TRIPPED
        assert seen[-1] == incident_pb2.INCIDENT_EVENT_KIND_CLOSED
        assert told.retried_orders > 0
        assert told.abnormal_orders_left == 0
        assert told.HasField("close_time")
        assert home.alarms is not None
        assert all(received["name"] != "OrderInsuredTwice" for received in home.alarms.received())
        ended = await cut_alarm(home, resolved=True)
        assert ended["starts_at"] == alarm["starts_at"]


async def way_back(first: AsyncSluice, second: AsyncSluice) -> str:
    """Confirm, retry, restore; the incident's id."""
    last = await confirm_and_retry(first, FAILING)
    assert last.remaining == 0
    assert last.retried == last.insured > 0
    restore = insurer_control_pb2.RestoreTrafficRequest(insurer_id=FAILING, reason="the retries were clean")
    with pytest.raises(errors.PermissionDenied):
        await first.insurers.RestoreTraffic(restore)
    restored = await second.insurers.RestoreTraffic(restore)
    assert restored.breaker.state == breaker_pb2.BREAKER_STATE_RAMPING
    return str(restored.breaker.incident_id)


async def test_the_alarm_sink_of_the_house_takes_nothing_that_is_not_signed(home: House) -> None:
    assert home.alarms is not None
    async with (
        aiohttp.ClientSession() as session,
        session.post(home.alarms.url, json={"version": PAYLOAD_VERSION, "alarms": [{"id": "forged"}]}) as answer,
    ):
        assert answer.status == 401
    with suppress(FileNotFoundError):
        assert "forged" not in home.alarms.output.read_text()
