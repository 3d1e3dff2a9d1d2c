"""``sluice audit`` against a real server over both databases, also after somebody has tampered with the rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice_server.api.insurer.paging import write_page_token
from sluice_server.cli.main import app
from sluice_server.store.engine import create_engine
from tests.e2e.test_insurer_control import served
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import BreakerWorld, a_breaker_world
from tests.integration.store.test_audit_chain import tamper


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(store_url) as made:
        await made.know(A, B, C)
        yield made


@pytest.fixture
async def address(world: BreakerWorld) -> AsyncIterator[str]:
    async with served(world) as port:
        yield f"127.0.0.1:{port}"


async def audit(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner(env={"COLUMNS": "220"}).invoke, app, ["audit", *arguments])


def answer(result: Result) -> dict[str, object]:
    # The server of the same process may log to the same place before.
    found: dict[str, object] = json.loads(result.stdout[result.stdout.index('{"rows"') :])
    return found


async def test_the_trail_of_a_whole_incident_is_verified_and_listed(world: BreakerWorld, address: str) -> None:
    await world.change_policy(mean_orders_between_false_cuts=1e9, ramp_steps_basis_points=(100, 5_000))
    await world.submit(5)
    await world.break_a()
    await world.confirm()
    await world.retry()
    await world.restore()

    verified = await audit("verify", "--address", address, "--json")
    assert verified.exit_code == 0, verified.stdout
    found = answer(verified)
    assert found["problems"] == []
    assert (await audit("verify", "--anchor", str(found["head"]), "--address", address)).exit_code == 0
    listed = (await audit("list", "--subject", f"insurers/{A}", "--address", address)).stdout
    for expected in ("ConfirmRecovery", "breaker.trip", "wang.li (declared)", "state: CLOSED → OPEN"):
        assert expected in listed


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE audit_events SET reason = 'nothing happened' WHERE sequence = 2", "row 2 (aud-"),
        ("DELETE FROM audit_events WHERE sequence = 2", "row 2 is missing"),
        ("DELETE FROM audit_events WHERE sequence >= 2", "row 2 to 3 are missing"),
    ],
)
async def test_tampering_with_the_database_is_detected_remotely(
    store_url: str, world: BreakerWorld, address: str, statement: str, what: str
) -> None:
    database = create_engine(store_url)
    try:
        await tamper(database, statement)
        async with database.connect() as connection:
            rows = (await connection.execute(text("SELECT count(*) FROM audit_events"))).scalar_one()
    finally:
        await database.dispose()
    verified = await audit("verify", "--address", address)
    assert verified.exit_code == 2
    assert what in verified.stderr
    assert answer(await audit("verify", "--address", address, "--json"))["rows"] == rows


async def test_a_page_token_of_another_making_is_refused(address: str) -> None:
    async with AsyncSluice(address, actor="ann") as client:
        request = pb.ListAuditEventsRequest(page_token=write_page_token("ten", "audit", ("", "")))
        with pytest.raises(errors.InvalidArgument):
            await client.insurers.ListAuditEvents(request)


@pytest.mark.parametrize("anchor", ["12", "x:" + "0" * 64, "1:abc"])
async def test_an_anchor_that_is_none_is_refused(anchor: str) -> None:
    assert (await audit("verify", "--anchor", anchor)).exit_code == 2
