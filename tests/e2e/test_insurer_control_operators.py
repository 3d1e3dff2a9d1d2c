"""Operators who are too early, too late, or two at once: the stated codes, nothing changed, both told what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice.insurer.v1.breaker_pb2 import BreakerMode, BreakerPolicy, BreakerState
from sluice.insurer.v1.insurer_pb2 import Insurer
from tests.e2e.test_insurer_control import WHY, confirmation, served
from tests.e2e.test_insurer_control_bad_input import everything, mask
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import LI, WANG, BreakerWorld, a_breaker_world


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(store_url) as made:
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


async def restore(client: AsyncSluice, **more: Any) -> pb.RestoreTrafficResponse:
    return await client.insurers.RestoreTraffic(pb.RestoreTrafficRequest(insurer_id=A, reason=WHY, **more))


@pytest.mark.parametrize("override", [False, True])
async def test_traffic_does_not_return_without_a_confirmation_also_by_override(
    world: BreakerWorld, li: AsyncSluice, override: bool
) -> None:
    await world.break_a()
    before = await everything(world)
    with pytest.raises(errors.FailedPrecondition) as refused:
        await restore(li, override=override)
    assert (refused.value.reason, refused.value.metadata["state"]) == ("ILLEGAL_TRANSITION", "OPEN")
    assert "ConfirmRecovery" in str(refused.value)
    assert await everything(world) == before


async def test_traffic_does_not_return_before_the_abnormal_orders_are_retried(
    world: BreakerWorld, wang: AsyncSluice, li: AsyncSluice
) -> None:
    await world.break_a()
    await wang.insurers.ConfirmRecovery(confirmation())
    before = await everything(world)
    with pytest.raises(errors.FailedPrecondition):
        await restore(li)
    assert await everything(world) == before


STALE: dict[str, Any] = {
    "UpdateInsurer": pb.UpdateInsurerRequest(
        insurer=Insurer(insurer_id=A, description="new", etag="0"), reason=WHY, **mask("description")
    ),
    "UpdateBreakerPolicy": pb.UpdateBreakerPolicyRequest(
        insurer_id=A, reason=WHY, etag="0", policy=BreakerPolicy(failure_rate=0.4), **mask("failure_rate")
    ),
    "SetBreakerMode": pb.SetBreakerModeRequest(
        insurer_id=A, reason=WHY, etag="0", mode=BreakerMode.BREAKER_MODE_METRICS_ONLY
    ),
}


@pytest.mark.parametrize("rpc", STALE)
async def test_an_update_of_what_was_read_long_ago_is_refused(world: BreakerWorld, wang: AsyncSluice, rpc: str) -> None:
    before = await everything(world)
    with pytest.raises(errors.Aborted) as refused:
        await getattr(wang.insurers, rpc)(STALE[rpc])
    assert (refused.value.reason, refused.value.metadata["etag"]) == ("STALE_ETAG", "1")
    assert await everything(world) == before


async def test_of_two_who_cut_what_both_have_read_one_does_and_the_other_is_told(
    world: BreakerWorld, wang: AsyncSluice, li: AsyncSluice
) -> None:
    request = pb.CutTrafficRequest(insurer_id=A, reason=WHY, etag="1")
    answers = await asyncio.gather(
        *(client.insurers.CutTraffic(request) for client in (wang, li)), return_exceptions=True
    )
    (told,) = [answer for answer in answers if isinstance(answer, errors.Aborted)]
    (done,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert told.reason in ("STALE_ETAG", "CONCURRENT_CHANGE")
    assert done.breaker.state == BreakerState.BREAKER_STATE_OPEN
    assert len(await world.incident_ids()) == 1
    assert len(await world.audit("CutTraffic")) == 1


async def test_of_two_who_cut_without_having_read_both_get_the_one_incident(
    world: BreakerWorld, wang: AsyncSluice, li: AsyncSluice
) -> None:
    request = pb.CutTrafficRequest(insurer_id=A, reason=WHY)
    one, two = await asyncio.gather(*(client.insurers.CutTraffic(request) for client in (wang, li)))
    assert one.incident_id == two.incident_id
    assert await world.incident_ids() == [one.incident_id]
    assert len(await world.audit("CutTraffic")) == 1


async def test_two_who_confirm_at_once_leave_one_confirmation(
    world: BreakerWorld, wang: AsyncSluice, li: AsyncSluice
) -> None:
    incident_id = await world.break_a()
    answers = await asyncio.gather(
        *(client.insurers.ConfirmRecovery(confirmation()) for client in (wang, li)), return_exceptions=True
    )
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert done
    assert all(isinstance(answer, errors.Aborted) for answer in answers if isinstance(answer, BaseException))
    assert {answer.breaker.state for answer in done} == {BreakerState.BREAKER_STATE_CONFIRMED}
    (row,) = await world.audit("ConfirmRecovery")
    assert (await world.incident(incident_id)).incident.confirmed_by == row.actor
    assert (await world.timeline(incident_id)).count("RECOVERY_CONFIRMED") == 1
