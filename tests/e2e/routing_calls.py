"""What tests of Routing ask for again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.client import AsyncSluice
from sluice.insurer.v1 import insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import application_pb2, order_pb2
from sluice.routing.v1 import routing_pb2 as pb
from sluice.type.v1.money_pb2 import Money
from tests.support.house import INSURERS

EXAMPLE = (Path(__file__).parents[2] / "docs" / "example-plan.yaml").read_text()
ROUTED = order_pb2.ORDER_STATE_ROUTED


def application(application_id: str = "app-1", **changes: Any) -> application_pb2.Application:
    """A screen cover of 12 months for a phone of the lowest price band."""
    content: dict[str, Any] = {
        "application_id": application_id,
        "product_code": "screen-12m",
        "product_line": "screen",
        "device": application_pb2.Device(
            device_ref="dev-1",
            model_id="aurora-12",
            category="phone",
            brand="Aurora",
            price=Money(amount_minor=99_900, currency_code="CNY"),
            purchased_on="2026-03-01",
        ),
        "channel": application_pb2.Channel(channel_id="online", store_id="store-7", tier="gold"),
        "customer_ref": f"customer-{application_id}",
        "premium": Money(amount_minor=12_900, currency_code="CNY"),
        "term_months": 12,
        "attributes": {"campaign": "春季"},
    }
    return application_pb2.Application(**content | changes)


async def know_insurers(client: AsyncSluice) -> None:
    for name in INSURERS:
        await client.insurers.CreateInsurer(
            insurer_control_pb2.CreateInsurerRequest(
                insurer=insurer_pb2.Insurer(insurer_id=name, display_name=name, contact="night desk"), reason="test"
            )
        )


async def create(client: AsyncSluice, source: str = EXAMPLE, **more: str) -> pb.CreatePlanResponse:
    return await client.routing.CreatePlan(pb.CreatePlanRequest(source=source, reason="agreed", **more))


async def activate(client: AsyncSluice, version: int, **more: str) -> pb.ActivatePlanResponse:
    return await client.routing.ActivatePlan(pb.ActivatePlanRequest(version=version, reason="agreed", **more))


async def route(client: AsyncSluice, wanted: application_pb2.Application) -> pb.RouteResponse:
    return await client.routing.Route(pb.RouteRequest(application=wanted))


async def submit(client: AsyncSluice, wanted: application_pb2.Application) -> pb.SubmitResponse:
    return await client.routing.Submit(pb.SubmitRequest(application=wanted))


async def orders(client: AsyncSluice, **where: Any) -> list[order_pb2.Order]:
    return list((await client.routing.ListOrders(pb.ListOrdersRequest(**where))).orders)
