"""Wrong calls of every RPC of InsurerControl: the stated code, every wrong field by name, nothing changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.client import AsyncSluice, SluiceError, errors
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice.insurer.v1 import reconciliation_pb2
from sluice.insurer.v1.breaker_pb2 import BreakerMode, BreakerPolicy
from sluice.insurer.v1.insurer_pb2 import Capacity, Insurer
from sluice.type.v1.money_pb2 import Money
from tests.e2e.test_insurer_control import WHY, confirmation, served
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import WANG, BreakerWorld, a_breaker_world

LONG = "x" * 10_000
INSURER = {"insurer_id": "insurer-d", "display_name": "D"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}") as made:
        await made.know(A, B, C)
        yield made


@pytest.fixture
async def client(world: BreakerWorld) -> AsyncIterator[AsyncSluice]:
    async with served(world) as port, AsyncSluice(f"127.0.0.1:{port}", actor=WANG) as client:
        yield client


@dataclass(frozen=True)
class Wrong:
    """A call, and the fields that its refusal must name."""

    request: Any
    fields: set[str] = field(default_factory=set)


def on_breaker(request: type, **more: Any) -> list[Wrong]:
    """What is wrong in the same way with every call on a breaker."""
    right = {"insurer_id": A, "reason": WHY, **more}
    return [
        Wrong(request(**more), {"insurer_id", "reason"}),
        Wrong(request(**right | {"insurer_id": "Insurer A!"}), {"insurer_id"}),
        Wrong(request(**right | {"insurer_id": "a" * 65}), {"insurer_id"}),
        Wrong(request(**right | {"product_line": "no such line\x00"}), {"product_line"}),
        Wrong(request(**right | {"product_line": "l" * 65}), {"product_line"}),
        Wrong(request(**right | {"reason": " \n"}), {"reason"}),
        Wrong(request(**right | {"reason": LONG}), {"reason"}),
        Wrong(request(**right | {"reason": "nul\x00"}), {"reason"}),
        Wrong(request(**right | {"request_id": "r" * 65}), {"request_id"}),
        Wrong(request(**right | {"etag": "e" * 65}), {"etag"}),
    ]


def mask(*paths: str) -> dict[str, Any]:
    return {"update_mask": {"paths": list(paths)}}


def policy(**changes: Any) -> Wrong:
    request = pb.UpdateBreakerPolicyRequest(insurer_id=A, reason=WHY, policy=BreakerPolicy(**changes), **mask(*changes))
    return Wrong(request, {f"policy.{name}" for name in changes})


def on_day(request: type) -> list[Wrong]:
    """What is wrong in the same way with every call about a day's policies."""
    return [
        Wrong(request(day="2026-03-01"), {"insurer_id"}),
        Wrong(request(insurer_id="Insurer A!"), {"insurer_id"}),
        *(Wrong(request(insurer_id=A, day=bad), {"day"}) for bad in ("yesterday", "2026-02-30", "20260301", LONG)),
    ]


CASES: dict[str, list[Wrong]] = {
    "ReconcilePolicies": on_day(reconciliation_pb2.ReconcilePoliciesRequest),
    "GetPolicyReconciliation": on_day(reconciliation_pb2.GetPolicyReconciliationRequest),
    "ListInsurers": [
        Wrong(pb.ListInsurersRequest(page_size=-1), {"page_size"}),
        Wrong(pb.ListInsurersRequest(page_size=1_001), {"page_size"}),
        Wrong(pb.ListInsurersRequest(page_token="???"), {"page_token"}),
    ],
    "GetInsurer": [
        Wrong(pb.GetInsurerRequest(), {"insurer_id"}),
        Wrong(pb.GetInsurerRequest(insurer_id="UPPER"), {"insurer_id"}),
    ],
    "CreateInsurer": [
        Wrong(pb.CreateInsurerRequest(), {"insurer", "insurer.insurer_id", "insurer.display_name", "reason"}),
        Wrong(
            pb.CreateInsurerRequest(
                insurer=Insurer(
                    insurer_id="D!",
                    display_name="d" * 129,
                    description="d" * 1_001,
                    contact="c" * 257,
                    capacity=Capacity(
                        orders_per_second=0,
                        orders_per_day=-5,
                        premium_per_day=Money(amount_minor=-1, currency_code="yuan"),
                    ),
                ),
                reason=LONG,
                request_id="r" * 65,
            ),
            {
                "insurer.insurer_id",
                "insurer.display_name",
                "insurer.description",
                "insurer.contact",
                "insurer.capacity.orders_per_second",
                "insurer.capacity.orders_per_day",
                "insurer.capacity.premium_per_day.amount_minor",
                "insurer.capacity.premium_per_day.currency_code",
                "reason",
                "request_id",
            },
        ),
    ],
    "UpdateInsurer": [
        Wrong(pb.UpdateInsurerRequest(), {"insurer", "insurer.insurer_id", "update_mask", "reason"}),
        Wrong(
            pb.UpdateInsurerRequest(insurer=Insurer(insurer_id=A, etag="e" * 65), reason=WHY, **mask("breaker")),
            {"update_mask", "insurer.etag"},
        ),
        Wrong(
            pb.UpdateInsurerRequest(insurer=Insurer(insurer_id=A), reason=WHY, request_id=LONG, **mask("display_name")),
            {"insurer.display_name", "request_id"},
        ),
    ],
    "WatchInsurers": [
        Wrong(pb.WatchInsurersRequest(insurer_ids=[A, "UPPER", ""]), {"insurer_ids[1]", "insurer_ids[2]"}),
        Wrong(pb.WatchInsurersRequest(insurer_ids=[A] * 1_001), {"insurer_ids"}),
    ],
    "UpdateBreakerPolicy": [
        *on_breaker(pb.UpdateBreakerPolicyRequest, policy=BreakerPolicy(failure_rate=0.4), **mask("failure_rate")),
        Wrong(pb.UpdateBreakerPolicyRequest(insurer_id=A, reason=WHY), {"policy", "update_mask"}),
        Wrong(
            pb.UpdateBreakerPolicyRequest(
                insurer_id=A, reason=WHY, policy=BreakerPolicy(), **mask("window_seconds", "policy.window")
            ),
            {"update_mask"},
        ),
        policy(window=Duration()),
        policy(window=Duration(seconds=-1)),
        policy(backlog_grace=Duration(seconds=-1), backlog_count=0, backlog_ratio=-0.1),
        policy(rate_window=Duration(), minimum_volume=-1, failure_rate=float("nan")),
        policy(slow_after=Duration(), slow_rate=0.0, hold=Duration(seconds=-1)),
        policy(normal_failure_rate=-0.1, outage_failure_rate=2.0, mean_orders_between_false_cuts=-1.0),
        policy(highest_normal_failure_rate=-0.1),
        policy(ramp_steps_basis_points=[5_000, 1_000], ramp_dwell=Duration(seconds=-1), ramp_minimum_outcomes=0),
        policy(ramp_failure_rate=-1.0, retry_first_cohort=0, retry_per_second=float("inf")),
        policy(maximum_cut_basis_points=-1),
    ],
    "SetBreakerMode": [
        *on_breaker(pb.SetBreakerModeRequest, mode=BreakerMode.BREAKER_MODE_ENFORCING),
        Wrong(pb.SetBreakerModeRequest(insurer_id=A, reason=WHY), {"mode"}),
        Wrong(pb.SetBreakerModeRequest(insurer_id=A, reason=WHY, mode=99), {"mode"}),  # type: ignore[arg-type]  # unknown
    ],
    "CutTraffic": on_breaker(pb.CutTrafficRequest),
    "ConfirmRecovery": [
        *on_breaker(pb.ConfirmRecoveryRequest, contact="desk", evidence="ticket"),
        Wrong(pb.ConfirmRecoveryRequest(insurer_id=A, reason=WHY), {"contact", "evidence"}),
        Wrong(confirmation(contact="c" * 257, evidence=LONG), {"contact", "evidence"}),
    ],
    "RetryAbnormalOrders": on_breaker(pb.RetryAbnormalOrdersRequest),
    "RestoreTraffic": on_breaker(pb.RestoreTrafficRequest),
    "SimulateBreaker": [
        Wrong(
            pb.SimulateBreakerRequest(
                insurer_id="UPPER", from_time=Timestamp(seconds=10), until_time=Timestamp(seconds=5)
            ),
            {"insurer_id", "until_time"},
        ),
        Wrong(
            pb.SimulateBreakerRequest(
                outcomes=[
                    pb.RecordedOutcome(outcome="WELL"),
                    pb.RecordedOutcome(
                        outcome="SUCCESS",
                        event_time=Timestamp(seconds=-(10**12)),
                        latency=Duration(seconds=-1),
                        count=-1,
                        insurer_id="i" * 65,
                        product_line="l" * 65,
                    ),
                ]
            ),
            {
                "outcomes[0].outcome",
                "outcomes[0].event_time",
                *(f"outcomes[1].{name}" for name in ("event_time", "latency", "count", "insurer_id", "product_line")),
            },
        ),
        Wrong(
            pb.SimulateBreakerRequest(
                outcomes=[
                    pb.RecordedOutcome(
                        outcome="SUCCESS",
                        event_time=Timestamp(seconds=-62_135_596_800),
                        latency=Duration(seconds=10**9),
                    )
                ]
            ),
            {"outcomes[0].event_time", "outcomes[0].latency"},
        ),
        Wrong(
            pb.SimulateBreakerRequest(
                insurer_id=A, outcomes=[pb.RecordedOutcome(outcome="SUCCESS", event_time=Timestamp(seconds=1))]
            ),
            {"outcomes"},
        ),
        Wrong(
            pb.SimulateBreakerRequest(policy=BreakerPolicy(window=Duration(seconds=-1), slow_rate=3.0)),
            {"policy.window", "policy.slow_rate"},
        ),
    ],
    "ListIncidents": [
        Wrong(pb.ListIncidentsRequest(page_size=-1, insurer_id="UPPER"), {"page_size", "insurer_id"}),
        Wrong(pb.ListIncidentsRequest(page_token="AAAA"), {"page_token"}),
    ],
    "GetIncident": [
        Wrong(pb.GetIncidentRequest(), {"incident_id"}),
        Wrong(pb.GetIncidentRequest(incident_id="i" * 65), {"incident_id"}),
    ],
    "ListAuditEvents": [
        Wrong(
            pb.ListAuditEventsRequest(page_size=1_001, subject="s" * 257, actor="a" * 257),
            {"page_size", "subject", "actor"},
        ),
    ],
}
STREAMS = {"WatchInsurers", "RetryAbnormalOrders", "SimulateBreaker"}


async def call(client: AsyncSluice, rpc: str, request: Any) -> None:
    answer = getattr(client.insurers, rpc)(request)
    if rpc in STREAMS:
        async for _ in answer:
            return
    else:
        await answer


async def everything(world: BreakerWorld) -> object:
    """What a refused call must leave as it is."""
    async with world.store.read() as uow:
        return (
            await uow.insurers.list(),
            await uow.breakers.list(),
            await uow.incidents.list(insurer_id="", open_only=False, before=None, limit=100),
            await uow.audit.list(subject="", actor="", before=None, limit=1_000),
            await uow.alarms.due(now=world.clock.now(), limit=1_000),
        )


def test_every_rpc_has_wrong_calls() -> None:
    service = pb.DESCRIPTOR.services_by_name["InsurerControl"]
    assert CASES.keys() == {method.name for method in service.methods}


@pytest.mark.parametrize("rpc", CASES)
async def test_wrong_fields_are_all_named_and_nothing_changes(
    world: BreakerWorld, client: AsyncSluice, rpc: str
) -> None:
    before = await everything(world)
    for wrong in CASES[rpc]:
        with pytest.raises(errors.InvalidArgument) as refused:
            await call(client, rpc, wrong.request)
        assert {v.field for v in refused.value.violations} >= wrong.fields, wrong.request
        assert all(v.description for v in refused.value.violations)
    assert await everything(world) == before


UNKNOWN = [
    ("GetInsurer", pb.GetInsurerRequest(insurer_id="insurer-z"), "INSURER_NOT_FOUND"),
    ("WatchInsurers", pb.WatchInsurersRequest(insurer_ids=["insurer-z"]), "INSURER_NOT_FOUND"),
    (
        "UpdateInsurer",
        pb.UpdateInsurerRequest(insurer=Insurer(insurer_id="insurer-z"), reason=WHY, **mask("description")),
        "INSURER_NOT_FOUND",
    ),
    (
        "UpdateBreakerPolicy",
        pb.UpdateBreakerPolicyRequest(insurer_id="insurer-z", reason=WHY, policy=BreakerPolicy(), **mask("hold")),
        "INSURER_NOT_FOUND",
    ),
    (
        "SetBreakerMode",
        pb.SetBreakerModeRequest(insurer_id="insurer-z", reason=WHY, mode=BreakerMode.BREAKER_MODE_ENFORCING),
        "INSURER_NOT_FOUND",
    ),
    ("CutTraffic", pb.CutTrafficRequest(insurer_id="insurer-z", reason=WHY), "INSURER_NOT_FOUND"),
    ("ConfirmRecovery", confirmation(insurer_id="insurer-z"), "INSURER_NOT_FOUND"),
    ("RetryAbnormalOrders", pb.RetryAbnormalOrdersRequest(insurer_id="insurer-z", reason=WHY), "INSURER_NOT_FOUND"),
    ("RestoreTraffic", pb.RestoreTrafficRequest(insurer_id="insurer-z", reason=WHY), "INSURER_NOT_FOUND"),
    ("ListIncidents", pb.ListIncidentsRequest(insurer_id="insurer-z"), "INSURER_NOT_FOUND"),
    ("GetIncident", pb.GetIncidentRequest(incident_id="inc-unknown"), "INCIDENT_NOT_FOUND"),
]


@pytest.mark.parametrize(("rpc", "request_of_unknown", "reason"), UNKNOWN, ids=[rpc for rpc, *_ in UNKNOWN])
async def test_what_is_unknown_is_not_found(
    world: BreakerWorld, client: AsyncSluice, rpc: str, request_of_unknown: Any, reason: str
) -> None:
    before = await everything(world)
    with pytest.raises(errors.NotFound) as refused:
        await call(client, rpc, request_of_unknown)
    assert refused.value.reason == reason
    assert await everything(world) == before


STEPS = {
    "ConfirmRecovery": confirmation(),
    "RetryAbnormalOrders": pb.RetryAbnormalOrdersRequest(insurer_id=A, reason=WHY),
    "RestoreTraffic": pb.RestoreTrafficRequest(insurer_id=A, reason=WHY),
}


@pytest.mark.parametrize("rpc", STEPS)
async def test_a_step_of_the_recovery_of_a_closed_breaker_is_refused(
    world: BreakerWorld, client: AsyncSluice, rpc: str
) -> None:
    before = await everything(world)
    with pytest.raises(errors.FailedPrecondition) as refused:
        await call(client, rpc, STEPS[rpc])
    assert refused.value.reason == "ILLEGAL_TRANSITION"
    assert refused.value.metadata["state"] == "CLOSED"
    assert refused.value.metadata["allowed_states"]
    assert await everything(world) == before


@pytest.mark.parametrize("rpc", ["CutTraffic", *STEPS])
async def test_a_stale_etag_is_refused(world: BreakerWorld, client: AsyncSluice, rpc: str) -> None:
    before = await everything(world)
    request: Any = {"CutTraffic": pb.CutTrafficRequest(insurer_id=A, reason=WHY), **STEPS}[rpc]
    stale = type(request)()
    stale.CopyFrom(request)
    stale.etag = "0"
    with pytest.raises(errors.Aborted) as refused:
        await call(client, rpc, stale)
    assert (refused.value.reason, refused.value.metadata["etag"]) == ("STALE_ETAG", "1")
    assert await everything(world) == before


async def test_control_calls_need_an_actor(world: BreakerWorld) -> None:
    async with served(world) as port, AsyncSluice(f"127.0.0.1:{port}") as nobody:
        with pytest.raises(SluiceError) as refused:
            await nobody.insurers.CutTraffic(pb.CutTrafficRequest(insurer_id=A, reason=WHY))
    assert "sluice-actor" in str(refused.value)
