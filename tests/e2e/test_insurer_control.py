"""InsurerControl through a real server with everything around the calls; clock and insurers are moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import breaker_pb2, incident_pb2, insurer_pb2
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice.insurer.v1.insurer_control_pb2_grpc import add_InsurerControlServicer_to_server
from sluice.type.v1 import money_pb2
from sluice_server.api.insurer.service import InsurerControlServicer
from sluice_server.domain.breaker.model import BreakerState
from sluice_server.runtime.lifecycle import Application, Platform, Server, Service
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import LI, WANG, BreakerWorld, a_breaker_world
from tests.support.probe import INSURER_CONTROL, probe_settings

STATE = breaker_pb2.BreakerState
WHY = "because of the drill"


@asynccontextmanager
async def served(world: BreakerWorld) -> AsyncIterator[int]:
    """A server over the world; its port."""

    async def build(platform: Platform) -> Application:
        def add(server: Any) -> None:
            add_InsurerControlServicer_to_server(InsurerControlServicer(world.control), server)

        async def close() -> None:
            """The world is closed by the test."""

        return Application(services=[Service(INSURER_CONTROL, add)], workers=(), close=close)

    server = Server(build, probe_settings())
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}") as made:
        await made.know(A, B, C)
        yield made


@pytest.fixture
async def port(world: BreakerWorld) -> AsyncIterator[int]:
    async with served(world) as port:
        yield port


@pytest.fixture
async def wang(port: int) -> AsyncIterator[AsyncSluice]:
    async with AsyncSluice(f"127.0.0.1:{port}", actor=WANG) as client:
        yield client


@pytest.fixture
async def li(port: int) -> AsyncIterator[AsyncSluice]:
    async with AsyncSluice(f"127.0.0.1:{port}", actor=LI) as client:
        yield client


def confirmation(**changes: Any) -> pb.ConfirmRecoveryRequest:
    wanted = {"insurer_id": A, "contact": "night desk", "evidence": "ticket 42", "reason": WHY, **changes}
    return pb.ConfirmRecoveryRequest(**wanted)


async def test_the_whole_way_back(world: BreakerWorld, wang: AsyncSluice, li: AsyncSluice) -> None:
    await world.submit(20)
    incident_id = await world.break_a()

    listed = await wang.insurers.ListInsurers(pb.ListInsurersRequest())
    a = listed.insurers[0]
    assert [i.insurer_id for i in listed.insurers] == [A, B, C]
    assert (a.breaker.state, a.breaker.admitted_basis_points, a.adapter_configured) == (
        STATE.BREAKER_STATE_OPEN,
        0,
        True,
    )
    assert a.evidence.failures == 6

    confirmed = await wang.insurers.ConfirmRecovery(confirmation(etag=a.breaker.etag))
    assert (confirmed.breaker.state, confirmed.abnormal_orders) == (STATE.BREAKER_STATE_CONFIRMED, 6)
    retries = wang.insurers.RetryAbnormalOrders(pb.RetryAbnormalOrdersRequest(insurer_id=A, reason=WHY))
    progress = [message async for message in retries]
    assert [(m.outcome, m.done) for m in progress] == [("", False), *[("SUCCESS", False)] * 6, ("", True)]
    assert (progress[-1].insured, progress[-1].remaining, progress[-1].stopped_because) == (6, 0, "")
    with pytest.raises(errors.PermissionDenied) as refused:
        await wang.insurers.RestoreTraffic(pb.RestoreTrafficRequest(insurer_id=A, reason=WHY))
    assert refused.value.reason == "ROLE_NOT_ALLOWED"
    restored = await li.insurers.RestoreTraffic(pb.RestoreTrafficRequest(insurer_id=A, reason=WHY))
    assert (restored.breaker.state, restored.breaker.admitted_basis_points) == (STATE.BREAKER_STATE_RAMPING, 1_000)
    for _ in range(3):
        await world.submit(8, prefix="ramp")
        await world.tick(60.0)

    found = await wang.insurers.GetIncident(pb.GetIncidentRequest(incident_id=incident_id))
    incident = found.incident
    assert incident.state == STATE.BREAKER_STATE_CLOSED
    assert [(s.insurer_id, s.basis_points, s.orders) for s in incident.shares_before] == [(A, 10_000, 20)]
    assert (incident.affected_orders, incident.insured_by_retry, incident.abnormal_orders_left) == (6, 6, 0)
    assert 0 < incident.time_to_cut.ToMilliseconds() < 1_000
    kinds = [
        incident_pb2.IncidentEventKind.Name(event.kind).removeprefix("INCIDENT_EVENT_KIND_")
        for event in incident.events
    ]
    assert kinds[:3] == ["TRIPPED", "RECOVERY_CONFIRMED", "RETRY_STARTED"]
    assert kinds[-4:] == ["TRAFFIC_RESTORED", "RAMP_STEP", "RAMP_STEP", "CLOSED"]
    assert dict(incident.events[1].details)["evidence"] == "ticket 42"

    trail = await wang.insurers.ListAuditEvents(pb.ListAuditEventsRequest(subject="insurers/insurer-a"))
    actions = [event.action for event in reversed(trail.audit_events)]
    assert actions == [
        "CreateInsurer",
        "breaker.trip",
        "ConfirmRecovery",
        "RetryAbnormalOrders",
        "breaker.retry_completed",
        "RestoreTraffic",
        "breaker.step",
        "breaker.step",
        "breaker.ramp_done",
    ]
    restored_row = trail.audit_events[3]
    assert (restored_row.actor, restored_row.actor_verified, restored_row.reason) == (LI, False, WHY)
    assert dict(restored_row.after)["state"] == "RAMPING"
    assert len(restored_row.request_id) == 32


async def test_create_get_and_update_an_insurer(wang: AsyncSluice) -> None:
    wanted = insurer_pb2.Insurer(
        insurer_id="insurer-d",
        display_name="丁保险",
        contact="desk",
        capacity=insurer_pb2.Capacity(
            orders_per_second=50, premium_per_day=money_pb2.Money(amount_minor=1_000_000, currency_code="CNY")
        ),
    )
    request = pb.CreateInsurerRequest(insurer=wanted, reason=WHY, request_id="r-1")
    created = (await wang.insurers.CreateInsurer(request)).insurer
    assert (created.breaker.state, created.breaker.policy.window.seconds) == (STATE.BREAKER_STATE_CLOSED, 1800)
    assert (await wang.insurers.CreateInsurer(request)).insurer.etag == created.etag
    with pytest.raises(errors.AlreadyExists) as exists:
        await wang.insurers.CreateInsurer(pb.CreateInsurerRequest(insurer=wanted, reason=WHY))
    assert exists.value.reason == "INSURER_EXISTS"
    changed = insurer_pb2.Insurer(insurer_id="insurer-d", display_name="ignored", description="new", etag=created.etag)
    update = pb.UpdateInsurerRequest(
        insurer=changed, update_mask=FieldMask(paths=["description", "capacity"]), reason=WHY
    )
    updated = (await wang.insurers.UpdateInsurer(update)).insurer
    assert (updated.description, updated.display_name, updated.HasField("capacity")) == ("new", "丁保险", False)
    with pytest.raises(errors.Aborted) as stale:
        await wang.insurers.UpdateInsurer(update)
    assert stale.value.reason == "STALE_ETAG"
    found = (await wang.insurers.GetInsurer(pb.GetInsurerRequest(insurer_id="insurer-d"))).insurer
    assert (found.etag, found.description, found.contact) == (updated.etag, "new", "desk")


async def test_a_changed_policy_is_in_force_and_invalid_ones_name_every_field(
    world: BreakerWorld, wang: AsyncSluice
) -> None:
    def update(policy: breaker_pb2.BreakerPolicy, *paths: str, etag: str = "") -> pb.UpdateBreakerPolicyRequest:
        return pb.UpdateBreakerPolicyRequest(
            insurer_id=A, policy=policy, update_mask=FieldMask(paths=paths), reason=WHY, etag=etag
        )

    before = await world.breaker()
    values = breaker_pb2.BreakerPolicy(minimum_volume=7, failure_rate=0.3, rate_window=Duration(seconds=90))
    answer = await wang.insurers.UpdateBreakerPolicy(
        update(values, "failure_rate", "rate_window", etag=str(before.version))
    )
    after = (await world.breaker()).policy
    assert (after.failure_rate, after.rate_window_seconds, after.minimum_volume) == (0.3, 90.0, 20)
    assert answer.breaker.etag == str(before.version + 1)

    wrong = breaker_pb2.BreakerPolicy(failure_rate=-1, backlog_count=-3, slow_rate=1.5)
    paths = ("window", "failure_rate", "backlog_count", "slow_rate", "ramp_steps_basis_points")
    with pytest.raises(errors.InvalidArgument) as refused:
        await wang.insurers.UpdateBreakerPolicy(update(wrong, *paths))
    assert {v.field for v in refused.value.violations} >= {f"policy.{path}" for path in paths}
    assert (await world.breaker()).policy == after


async def test_lists_are_paged_and_a_token_belongs_to_its_list_and_filters(
    world: BreakerWorld, wang: AsyncSluice
) -> None:
    first = await wang.insurers.ListInsurers(pb.ListInsurersRequest(page_size=2))
    rest = await wang.insurers.ListInsurers(pb.ListInsurersRequest(page_size=2, page_token=first.next_page_token))
    assert [i.insurer_id for i in (*first.insurers, *rest.insurers)] == [A, B, C]
    assert rest.next_page_token == ""
    for insurer_id in (A, B):
        await wang.insurers.CutTraffic(pb.CutTrafficRequest(insurer_id=insurer_id, reason=WHY))
    asked = pb.ListIncidentsRequest(page_size=1, open_only=True)
    page = await wang.insurers.ListIncidents(asked)
    assert [incident.insurer_id for incident in page.incidents] == [B]
    token = page.next_page_token
    following = await wang.insurers.ListIncidents(
        pb.ListIncidentsRequest(page_size=1, open_only=True, page_token=token)
    )
    assert ([i.insurer_id for i in following.incidents], following.next_page_token) == ([A], "")
    calls = wang.insurers
    for steal in (
        lambda: calls.ListIncidents(pb.ListIncidentsRequest(page_token=token)),
        lambda: calls.ListAuditEvents(pb.ListAuditEventsRequest(page_token=token)),
        lambda: calls.ListInsurers(pb.ListInsurersRequest(page_token="garbage")),
    ):
        with pytest.raises(errors.InvalidArgument) as refused:
            await steal()
        assert refused.value.reason == "INVALID_PAGE_TOKEN"


async def test_watchers_get_the_present_state_then_each_change(world: BreakerWorld, wang: AsyncSluice) -> None:
    stream = wang.insurers.WatchInsurers(pb.WatchInsurersRequest(insurer_ids=[A, B]))
    messages = aiter(stream)
    initial = [await anext(messages), await anext(messages)]
    assert [(m.insurer.insurer_id, m.initial) for m in initial] == [(A, True), (B, True)]
    await wang.insurers.CutTraffic(pb.CutTrafficRequest(insurer_id=B, reason=WHY))
    seen = await anext(messages)
    assert (seen.insurer.insurer_id, seen.insurer.breaker.state, seen.initial) == (B, STATE.BREAKER_STATE_OPEN, False)


async def test_a_retry_that_fails_ends_its_stream_with_the_reason(world: BreakerWorld, wang: AsyncSluice) -> None:
    await world.break_a()
    await wang.insurers.ConfirmRecovery(confirmation())
    world.a.next_answers.append("fail")
    stream = wang.insurers.RetryAbnormalOrders(pb.RetryAbnormalOrdersRequest(insurer_id=A, reason=WHY))
    last = [message async for message in stream][-1]
    assert (last.done, last.breaker.state) == (True, STATE.BREAKER_STATE_OPEN)
    assert "TECHNICAL_FAILURE" in last.stopped_because


async def test_a_draft_policy_is_replayed_over_given_and_over_stored_outcomes(
    world: BreakerWorld, wang: AsyncSluice
) -> None:
    def outcomes(name: str, first: int, count: int, line: str = "") -> list[pb.RecordedOutcome]:
        return [
            pb.RecordedOutcome(event_time=Timestamp(seconds=n), insurer_id=A, product_line=line, outcome=name)
            for n in range(first, first + count)
        ]

    given = pb.SimulateBreakerRequest(outcomes=[*outcomes("SUCCESS", 0, 50), *outcomes("TECHNICAL_FAILURE", 50, 20)])
    trip, last = [message async for message in wang.insurers.SimulateBreaker(given)]
    assert (trip.trip.insurer_id, trip.trip.trip_time.seconds, trip.trip.orders_before) == (A, 55, 56)
    assert list(trip.trip.evidence.tripped) == [breaker_pb2.EvidenceKind.EVIDENCE_KIND_SEQUENTIAL]
    assert (last.orders, last.orders_saved, last.done, last.HasField("trip")) == (70, 14, True, False)
    # A much smaller false-alarm budget: fewer failures cut.
    given.policy.mean_orders_between_false_cuts = 1_000
    hasty, _ = [message async for message in wang.insurers.SimulateBreaker(given)]
    assert hasty.trip.orders_before < trip.trip.orders_before
    # One product line hangs, another answers.
    lines = pb.SimulateBreakerRequest(outcomes=[*outcomes("PENDING", 0, 60, "tv"), *outcomes("SUCCESS", 0, 90, "car")])
    alone, last = [message async for message in wang.insurers.SimulateBreaker(lines)]
    assert (alone.trip.product_line, alone.trip.trip_time.seconds) == ("tv", 35)
    assert (last.orders, last.wrongly_diverted) == (150, 0)

    world.a.answers = "fail"
    await world.submit(10)
    stored = pb.SimulateBreakerRequest(insurer_id=A)
    trip, last = [message async for message in wang.insurers.SimulateBreaker(stored)]
    assert (trip.trip.orders_before, last.orders) == (6, 10)
    assert (await world.breaker()).state is BreakerState.CLOSED, "a replay changes nothing"
