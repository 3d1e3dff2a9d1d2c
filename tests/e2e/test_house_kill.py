"""The server is killed, and told to stop, under load: on both stores."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import audit_pb2, breaker_pb2, incident_pb2, insurer_control_pb2
from sluice.routing.v1 import order_pb2, routing_pb2
from sluice_server.domain.orders.history import NEVER_ANSWERED
from tests.support.books import Acknowledged, all_orders, read_books, until_final
from tests.support.house import (
    FIRST_OPERATOR,
    SECOND_OPERATOR,
    House,
    Server,
    application,
    confirm_and_retry,
    furnish,
    house,
)

SECONDS = 60
CALL_SECONDS = 3
CUT = "insurer-b"
DRAIN_SECONDS = 15
SETTINGS = {
    "SLUICE_ORDER_LONGEST_CALL_SECONDS": str(CALL_SECONDS),
    "SLUICE_ORDER_QUIET_SECONDS": "1",
    "SLUICE_DRAIN_SECONDS": str(DRAIN_SECONDS),
}


class Callers:
    """Callers of Route and of Submit that give up after an error, until they are told to come back."""

    def __init__(self, address: str) -> None:
        self.acknowledged = Acknowledged()
        self.refused: list[errors.SluiceError] = []
        self._address = address
        self._number = 0
        self._answered = asyncio.Condition()

    async def answers(self, count: int) -> None:
        """Waits until so many were answered from now on."""
        target = len(self.acknowledged) + count
        async with self._answered, asyncio.timeout(SECONDS):
            await self._answered.wait_for(lambda: len(self.acknowledged) >= target)

    @asynccontextmanager
    async def calling(self, hands: int = 12) -> AsyncIterator[None]:
        """Each hand calls until the server is gone; the block's end waits for that."""
        async with (
            AsyncSluice(self._address, options=(("grpc.enable_retries", 0),)) as client,
            asyncio.timeout(SECONDS),
            asyncio.TaskGroup() as group,
        ):
            for _ in range(hands):
                group.create_task(self._call(client))
            yield

    async def come_back(self, client: AsyncSluice) -> None:
        """Every caller repeats its Submit; what was final is answered as before."""
        for number in range(1, self._number + 1):
            answer = await client.routing.Submit(routing_pb2.SubmitRequest(application=application(number)))
            application_id = answer.order.application.application_id
            if application_id in self.acknowledged.decisions:
                assert answer.replayed
            for told in self.acknowledged.ends.get(application_id, ()):
                assert (answer.order.state, answer.order.policy_number) == told
            self.acknowledged.submitted(answer.order)

    async def _call(self, client: AsyncSluice) -> None:
        while True:
            self._number += 1
            asked = application(self._number)
            try:
                if self._number % 4 == 0:
                    routed = await client.routing.Route(
                        routing_pb2.RouteRequest(application=asked), timeout=CALL_SECONDS
                    )
                    self.acknowledged.routed(routed.decision)
                answer = await client.routing.Submit(routing_pb2.SubmitRequest(application=asked), timeout=CALL_SECONDS)
                self.acknowledged.submitted(answer.order)
            except errors.SluiceError as refused:
                self.refused.append(refused)
                return
            async with self._answered:
                self._answered.notify_all()


async def breaker(client: AsyncSluice) -> breaker_pb2.Breaker:
    answer = await client.insurers.GetInsurer(insurer_control_pb2.GetInsurerRequest(insurer_id=CUT))
    return answer.insurer.breaker


async def open_breaker(client: AsyncSluice) -> breaker_pb2.Breaker:
    """Follows WatchInsurers until the breaker has opened."""
    async with asyncio.timeout(SECONDS):
        async for message in client.insurers.WatchInsurers(insurer_control_pb2.WatchInsurersRequest(insurer_ids=[CUT])):
            if message.insurer.breaker.state == breaker_pb2.BREAKER_STATE_OPEN:
                return message.insurer.breaker
    raise AssertionError("the watch ended")


async def incident(client: AsyncSluice, incident_id: str) -> incident_pb2.Incident:
    answer = await client.insurers.GetIncident(insurer_control_pb2.GetIncidentRequest(incident_id=incident_id))
    return answer.incident


async def audit(client: AsyncSluice) -> list[audit_pb2.AuditEvent]:
    answer = await client.insurers.ListAuditEvents(insurer_control_pb2.ListAuditEventsRequest(page_size=500))
    return list(answer.audit_events)


async def test_a_kill_under_load_loses_nothing_and_insures_nobody_twice(tmp_path: Path, store_url: str) -> None:
    async with house(tmp_path, store_url, settings=SETTINGS) as home:
        callers, before = await killed_under_load(home)
        acknowledged = callers.acknowledged
        await home.server.start()
        async with (
            AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as first,
            AsyncSluice(home.server.address, actor=SECOND_OPERATOR) as second,
        ):
            await the_cut_has_survived(first, before)
            found = await read_books(first, home.insurers, acknowledged)
            assert found.missing == ()
            assert found.doubly_insured == ()
            for insurer in home.insurers.values():
                await insurer.set_mode("healthy")
            await callers.come_back(first)
            await confirm_and_retry(first, CUT)
            await second.insurers.RestoreTraffic(
                insurer_control_pb2.RestoreTrafficRequest(insurer_id=CUT, reason="retries were clean")
            )
            await until_final(first, SECONDS)
            verdict = await read_books(first, home.insurers, acknowledged)
            assert verdict.clean, verdict
            assert verdict.orders >= len(acknowledged) > 50
            # The kill has hit calls to insurers, of which the store knew that they had begun.
            assert await calls_whose_process_died(first) > 0


async def killed_under_load(
    home: House,
) -> tuple[Callers, tuple[breaker_pb2.Breaker, incident_pb2.Incident, list[audit_pb2.AuditEvent]]]:
    """A breaker opens, the load goes on, insurer-c takes applications and answers late: then SIGKILL."""
    callers = Callers(home.server.address)
    async with AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as client:
        await furnish(client)
        await home.insurers[CUT].set_mode("outage")
        async with callers.calling():
            opened = await open_breaker(client)
            before = (opened, await incident(client, opened.incident_id), await audit(client))
            await home.insurers["insurer-c"].set_mode("slow", slow_seconds=0.5)
            await callers.answers(40)
            await home.server.program.kill()
    assert {refused.code for refused in callers.refused} <= {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
    return callers, before


async def the_cut_has_survived(
    client: AsyncSluice, before: tuple[breaker_pb2.Breaker, incident_pb2.Incident, list[audit_pb2.AuditEvent]]
) -> None:
    then_breaker, then_incident, then_audit = before
    now = await breaker(client)
    assert now.state == breaker_pb2.BREAKER_STATE_OPEN
    assert (now.incident_id, now.etag) == (then_breaker.incident_id, then_breaker.etag)
    assert now.admitted_basis_points == 0
    stored = await incident(client, now.incident_id)
    assert stored.open_time == then_incident.open_time
    assert stored.evidence == then_incident.evidence
    assert list(stored.events[: len(then_incident.events)]) == list(then_incident.events)
    rows = {row.audit_id: row for row in await audit(client)}
    assert len(then_audit) > 4
    assert all(rows[row.audit_id] == row for row in then_audit)


async def calls_whose_process_died(client: AsyncSluice) -> int:
    found = 0
    async for listed in all_orders(client):
        asked = routing_pb2.GetOrderRequest(application_id=listed.application.application_id)
        order = (await client.routing.GetOrder(asked)).order
        found += sum(submission.error_code == NEVER_ANSWERED for submission in order.submissions)
    return found


async def test_sigterm_under_load_finishes_what_was_begun_and_ends_in_time(tmp_path: Path, store_url: str) -> None:
    async with house(tmp_path, store_url, settings=SETTINGS, insurer_latency_ms=150) as home:
        callers = Callers(home.server.address)
        async with (
            AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as client,
            grpc.aio.insecure_channel(home.server.address) as channel,
        ):
            await furnish(client)
            health = health_watch(channel)
            assert await anext(health) == health_pb2.HealthCheckResponse.SERVING
            async with callers.calling():
                await callers.answers(30)
                home.server.program.signal(signal.SIGTERM)
                assert await anext(health) == health_pb2.HealthCheckResponse.NOT_SERVING
            assert await home.server.program.ended() == 0
        stopping, stopped = (logged(home.server, event) for event in ("stopping", "stopped"))
        assert (stopped - stopping).total_seconds() <= DRAIN_SECONDS
        await home.server.start()
        async with AsyncSluice(home.server.address) as client:
            # The drain has recorded every call that was under way: there is nothing to reconcile.
            assert [order async for order in all_orders(client, [order_pb2.ORDER_STATE_SUBMITTING])] == []
            found = await read_books(client, home.insurers, callers.acknowledged)
            assert found.missing == ()
            await callers.come_back(client)
            await until_final(client, SECONDS)
            verdict = await read_books(client, home.insurers, callers.acknowledged)
            assert verdict.clean, verdict
            assert verdict.orders >= len(callers.acknowledged) > 30


async def health_watch(channel: grpc.aio.Channel) -> AsyncIterator[int]:
    """The states that Health.Watch tells."""
    watch: Callable[..., AsyncIterator[health_pb2.HealthCheckResponse]] = health_pb2_grpc.HealthStub(channel).Watch
    async for answer in watch(health_pb2.HealthCheckRequest(service="sluice.routing.v1.Routing"), timeout=SECONDS):
        yield answer.status


def logged(server: Server, event: str) -> datetime:
    """When the server logged this for the first time."""
    lines = (json.loads(line) for line in server.program.log_text().splitlines() if line.startswith("{"))
    return next(datetime.fromisoformat(line["time"]) for line in lines if line["event"] == event)
