"""An insurer that accepts now and tells later, through the whole server over HTTP."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from ruamel.yaml import YAML

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import application_pb2, order_pb2, routing_pb2
from sluice_server.domain.context import SystemClock
from sluice_server.insurers.simulated.adapter import adapter_configuration
from sluice_server.insurers.simulated.callbacks import CallbackSender
from sluice_server.insurers.simulated.ledger import Ledger
from sluice_server.insurers.simulated.modes import Mode, ModeName
from sluice_server.insurers.simulated.server import SimulatedInsurer
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.support.house import application
from tests.support.probe import probe_settings
from tests.support.processes import free_port

SECRET = b"callback-secret-7"
PLAN = """
plan: one-insurer
insurers: {insurer-a: }
products: [{product_line: screen}]
rules:
  - name: everything
    on_exhausted: PARK
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A-1}}]
"""


def named(application_id: str) -> application_pb2.Application:
    wanted = application(int(application_id.removeprefix("app-")))
    wanted.application_id = application_id
    return wanted


class House:
    """A server that takes callbacks, and one insurer that sends them."""

    def __init__(self, client: AsyncSluice, insurer: SimulatedInsurer, sender: CallbackSender, url: str) -> None:
        self.client, self.insurer, self.sender, self.url = client, insurer, sender, url

    async def submit(self, application_id: str) -> order_pb2.Order:
        request = routing_pb2.SubmitRequest(application=named(application_id))
        return (await self.client.routing.Submit(request)).order

    async def order(self, application_id: str) -> order_pb2.Order:
        return (await self.client.routing.GetOrder(routing_pb2.GetOrderRequest(application_id=application_id))).order

    async def post(self, content: Mapping[str, str], *, secret: bytes = SECRET, age_seconds: int = 0) -> int:
        body = json.dumps(content).encode()
        timestamp = str(int(SystemClock().now().timestamp()) - age_seconds)
        message = f"{timestamp}\nPOST\n/v1/callbacks/insurer-a\n".encode() + body
        headers = {"X-Timestamp": timestamp, "X-Signature": hmac.digest(secret, message, "sha256").hex()}
        async with aiohttp.ClientSession() as session, session.post(self.url, data=body, headers=headers) as answer:
            return answer.status


@asynccontextmanager
async def a_house(folder: Path, mode: Mode) -> AsyncIterator[House]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1/callbacks/insurer-a"
    ledger = Ledger(folder / "ledger.db", "insurer-a")
    sender = CallbackSender(url, SECRET, SystemClock())
    insurer = SimulatedInsurer("insurer-a", ledger, mode, SystemClock(), callbacks=sender)
    runner = web.AppRunner(insurer.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (folder / "secret").write_bytes(SECRET)
    # Only a callback can settle anything within a test: nobody is asked before an hour has passed.
    configuration = adapter_configuration(
        f"http://127.0.0.1:{runner.addresses[0][1]}",
        callback_secret="file:secret",
        settle_within_seconds=7200,
        poll_seconds=3600,
    )
    with (folder / "insurers.yaml").open("w") as file:
        YAML().dump({"insurers": {"insurer-a": configuration}}, file)
    server = Server(
        build,
        probe_settings(
            store_url=f"sqlite+aiosqlite:///{folder / 'store.db'}",
            risk_store_url=f"sqlite+aiosqlite:///{folder / 'risk.db'}",
            export_dir=str(folder / "export"),
            insurers_file=str(folder / "insurers.yaml"),
            callback_listen=f"127.0.0.1:{port}",
        ),
    )
    await server.start()
    try:
        async with AsyncSluice(f"127.0.0.1:{server.port}", actor="li.wei") as client:
            wanted = insurer_control_pb2.CreateInsurerRequest(
                insurer=insurer_pb2.Insurer(insurer_id="insurer-a", display_name="A"), reason="test"
            )
            await client.insurers.CreateInsurer(wanted)
            plan = (await client.routing.CreatePlan(routing_pb2.CreatePlanRequest(source=PLAN, reason="test"))).plan
            await client.routing.ActivatePlan(routing_pb2.ActivatePlanRequest(version=plan.version, reason="test"))
            yield House(client, insurer, sender, url)
    finally:
        await server.stop()
        await runner.cleanup()
        await ledger.close()


async def until_insured(house: House, ids: list[str]) -> list[order_pb2.Order]:
    async with asyncio.timeout(20):
        while True:
            orders = [await house.order(i) for i in ids]
            if all(o.state == order_pb2.ORDER_STATE_INSURED for o in orders):
                return orders
            await asyncio.sleep(0.05)


FAST = Mode(latency_median_ms=1, latency_p99_ms=2, settle_seconds=0.3)


@pytest.mark.parametrize(
    "mode", [ModeName.ASYNC, ModeName.DUPLICATE_CALLBACKS, ModeName.OUT_OF_ORDER_CALLBACKS], ids=str
)
async def test_callbacks_finish_orders_however_often_and_in_whatever_order_they_come(
    tmp_path: Path, mode: ModeName
) -> None:
    async with a_house(tmp_path, replace(FAST, mode=mode)) as house:
        ids = [f"app-{n}" for n in range(12)]
        begun = await asyncio.gather(*(house.submit(i) for i in ids))
        assert {o.state for o in begun} <= {order_pb2.ORDER_STATE_SUBMITTING, order_pb2.ORDER_STATE_INSURED}
        orders = await until_insured(house, ids)
        entries = {entry.application_id: entry.policy_number for entry in await house.insurer._ledger.all()}
        assert {o.application.application_id: o.policy_number for o in orders} == entries
        await asyncio.gather(*house.sender._tasks)
        again = [await house.order(i) for i in ids]
        assert again == orders, "what was told again changes nothing"
        assert all(len(o.submissions) == 1 for o in orders)
        accepted = [o for o in orders if o.submissions[0].HasField("accept_time")]
        # Told before it was answered, an order is insured without ever having been accepted.
        assert 0 < len(accepted) <= len(ids) - (mode is ModeName.OUT_OF_ORDER_CALLBACKS)


async def test_what_is_not_signed_by_the_insurer_changes_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path, replace(FAST, mode=ModeName.ASYNC, settle_seconds=3600)) as house:
        order = await house.submit("app-1")
        told = {"application_id": "app-1", "status": "ISSUED", "policy_number": "P-1"}
        assert await house.post(told, secret=b"other") == 401
        assert await house.post(told, age_seconds=3600) == 401
        assert await house.post({**told, "idempotency_key": "of-another-order"}) == 404
        assert await house.post({**told, "application_id": "app-2"}) == 404
        assert await house.post({"status": "ISSUED"}) == 400
        assert await house.post({"application_id": "app-1", "status": "PROCESSING"}) == 200
        assert await house.order("app-1") == order
        assert await house.post(told) == 200
        assert await house.post(told) == 200
        insured = await house.order("app-1")
        assert (insured.state, insured.policy_number) == (order_pb2.ORDER_STATE_INSURED, "P-1")
        assert await house.post({**told, "policy_number": "P-2"}) == 200
        kept = await house.order("app-1")
        assert (kept.policy_number, kept.contradictions) == ("P-1", 1)
        assert kept.submissions[-1].kind == order_pb2.SUBMISSION_KIND_CALLBACK
        assert await house.post({**told, "policy_number": "P-2"}) == 200
        assert await house.order("app-1") == kept


async def test_an_order_is_cancelled_only_before_anybody_may_have_insured_it(tmp_path: Path) -> None:
    async with a_house(tmp_path, replace(FAST, mode=ModeName.ASYNC, settle_seconds=3600)) as house:
        await house.submit("app-1")
        cancel = routing_pb2.CancelOrderRequest(application_id="app-1", reason="the customer withdrew")
        with pytest.raises(errors.FailedPrecondition) as refused:
            await house.client.routing.CancelOrder(cancel)
        assert refused.value.reason == "ORDER_STATE"
        await house.client.routing.Route(routing_pb2.RouteRequest(application=named("app-2")))
        cancel.application_id, cancel.request_id = "app-2", "cancel-1"
        order = (await house.client.routing.CancelOrder(cancel)).order
        assert order.state == order_pb2.ORDER_STATE_CANCELLED
        assert (await house.client.routing.CancelOrder(cancel)).order == order
        audit = await house.client.insurers.ListAuditEvents(
            insurer_control_pb2.ListAuditEventsRequest(subject="orders/app-2")
        )
        assert [(e.action, e.actor, e.reason) for e in audit.audit_events] == [
            ("CancelOrder", "li.wei", "the customer withdrew")
        ]
        with pytest.raises(errors.InvalidArgument) as wrong:
            await house.client.routing.CancelOrder(routing_pb2.CancelOrderRequest())
        assert {v.field for v in wrong.value.violations} == {"application_id", "reason"}
