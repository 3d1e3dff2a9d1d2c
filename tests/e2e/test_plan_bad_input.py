"""Plans of any kind through a real server: refused with places or stored whole; limits are settings, and are named."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import plan_pb2
from sluice.routing.v1 import routing_pb2 as pb
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.e2e.routing_calls import EXAMPLE, activate, application, create, know_insurers
from tests.support.probe import probe_settings

WORDS = (
    "share: 1|rules:|when: |factors.x|application.|null|1e400|0x1|---\n|{|}|[|]|- |: |&a |*a|!!str |>|#|'|\t|\x00|保险"
)
PIECES = st.sampled_from([*WORDS.split("|"), "|", '"', "\n", "  "])


@pytest.fixture
async def client(whole_client: AsyncSluice) -> AsyncSluice:
    await know_insurers(whole_client)
    return whole_client


async def stored(client: AsyncSluice) -> tuple[int, int]:
    """Versions, and audit rows about plans."""
    plans = await client.routing.ListPlans(pb.ListPlansRequest(page_size=1000))
    audit = await client.insurers.ListAuditEvents(insurer_control_pb2.ListAuditEventsRequest(page_size=1000))
    return len(plans.plans), sum(event.subject.startswith("plans/") for event in audit.audit_events)


def damaged(seed: int, pieces: list[str]) -> str:
    """The example with some pieces put in its way."""
    draw, source = random.Random(seed), EXAMPLE
    for piece in pieces:
        start = draw.randrange(len(source))
        source = source[:start] + piece + source[start + draw.randrange(12) :]
    return source


async def test_any_text_is_stored_whole_or_refused_with_places(client: AsyncSluice) -> None:
    sources: list[str] = []

    @settings(max_examples=80, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=st.integers(0, 2**32), pieces=st.lists(PIECES, max_size=5), other=st.none() | st.text(max_size=60))
    def draw(seed: int, pieces: list[str], other: str | None) -> None:
        sources.append(damaged(seed, pieces) if other is None else other)

    # Drawn aside: hypothesis calls plain functions, and the server lives in this loop.
    await asyncio.to_thread(draw)
    created = 0
    for source in sources:
        if not source:
            continue
        check = await client.routing.ValidatePlan(pb.ValidatePlanRequest(source=source))
        wrong = [f for f in check.findings if f.severity == plan_pb2.PlanFinding.SEVERITY_ERROR]
        assert check.valid == (not wrong)
        assert all(0 <= finding.line <= source.count("\n") + source.count("\r") + 2 for finding in check.findings)
        if check.valid:
            await create(client, source)
            created += 1
            continue
        with pytest.raises(errors.InvalidArgument) as refused:
            await create(client, source)
        assert refused.value.reason == "INVALID_PLAN"
        assert len(refused.value.violations) == len(wrong)
        assert all(violation.field.startswith("source") for violation in refused.value.violations)
    # Nothing of what was refused is there, not even in part.
    assert await stored(client) == (created, created)


@pytest.mark.parametrize(
    "source",
    [
        "[" * 2_000_000,
        "- " * 2_000_000,
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n",
        EXAMPLE.replace("match:", f"match:\n      attributes.a: [{', '.join(map(str, range(900)))}]", 1).replace(
            "price_band: high", f"price_band: high\n      attributes.b: [{', '.join(map(str, range(9000)))}]", 1
        ),
        EXAMPLE.replace('channel.tier == "gold"', "attributes.all(a, " * 30 + "true" + ")" * 30),
        EXAMPLE.replace('channel.tier == "gold"', "(" * 900 + "1" + ")" * 900),
        "x" * 12_000_001,
    ],
    ids=["lists", "nested lists", "aliases", "combinations", "loops", "parentheses", "size"],
)
async def test_a_hostile_text_is_refused_and_the_server_goes_on(client: AsyncSluice, source: str) -> None:
    with pytest.raises(errors.InvalidArgument) as refused:
        await create(client, source)
    assert refused.value.reason == "INVALID_PLAN"
    assert (await stored(client)) == (0, 0)
    assert (await create(client)).plan.version == 1


async def test_an_endpoint_that_the_adapters_file_lacks_is_told_before_an_order_needs_it(client: AsyncSluice) -> None:
    source = EXAMPLE.replace("endpoint: screen", "endpoint: sceen")
    check = await client.routing.ValidatePlan(pb.ValidatePlanRequest(source=source))
    said = "the adapter of 'insurer-b' has no endpoint 'sceen'; did you mean 'screen'?"
    assert [(f.severity, f.path, f.message) for f in check.findings] == [
        (
            plan_pb2.PlanFinding.SEVERITY_WARNING,
            "rules[1].allocations[1].binding.endpoint",
            f"{said}; ActivatePlan refuses",
        )
    ]
    version = (await create(client, source)).plan.version
    with pytest.raises(errors.FailedPrecondition) as refused:
        await activate(client, version)
    assert refused.value.reason == "PLAN_NOT_ACTIVATABLE"
    assert said in refused.value.message


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[AsyncSluice]:
    """A client of a server with small limits."""
    server = Server(
        build,
        probe_settings(
            store_url=f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
            risk_store_url=f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}",
            export_dir=str(tmp_path / "export"),
            max_batch=2,
            max_simulated=2,
            max_text_length=20,
            max_attributes=2,
            max_attribute_length=8,
            plan_max_source_bytes=20_000,
            plan_max_rules=8,
            plan_max_expression_length=200,
            plan_max_text_length=64,
        ),
    )
    await server.start()
    try:
        async with AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client:
            await know_insurers(client)
            yield client
    finally:
        await server.stop()


async def test_the_limits_are_those_of_the_settings_and_named(narrow: AsyncSluice) -> None:
    routing = narrow.routing
    await activate(narrow, (await create(narrow)).plan.version)
    three = [application(f"app-{n}") for n in range(3)]
    simulate = pb.SimulatePlanRequest(version=1, applications=three)
    cases: list[tuple[str, Awaitable[object]]] = [
        ("max_batch", routing.RouteBatch(pb.RouteBatchRequest(applications=three))),
        ("max_simulated", _first(routing.SimulatePlan(simulate))),
        ("max_text_length", routing.Route(pb.RouteRequest(application=application(product_code="p" * 21)))),
        (
            "max_attributes",
            routing.Route(pb.RouteRequest(application=application(attributes=dict.fromkeys("abc", "")))),
        ),
        (
            "max_attribute_length",
            routing.Route(pb.RouteRequest(application=application(attributes={"a": "x" * 9}))),
        ),
        ("plan_max_source_bytes", create(narrow, EXAMPLE + "#" * 20_000)),
        ("plan_max_rules", create(narrow, EXAMPLE.replace("rules:\n", "rules:\n" + "  - {}\n" * 9))),
        (
            "plan_max_expression_length",
            create(narrow, EXAMPLE.replace('channel.tier == "gold"', f'channel.tier == "{"g" * 200}"')),
        ),
        ("plan_max_text_length", create(narrow, EXAMPLE.replace("STANDARD", "S" * 65))),
    ]
    for name, call in cases:
        with pytest.raises(errors.InvalidArgument) as refused:
            await call
        assert any(f"({name})" in violation.description for violation in refused.value.violations), name
    async with asyncio.timeout(20):
        stream = routing.RouteStream(iter([pb.RouteStreamRequest(chunk_id=1, applications=three)]))
        with pytest.raises(errors.InvalidArgument, match="max_batch"):
            await _first(stream)
    assert len((await routing.RouteBatch(pb.RouteBatchRequest(applications=three[:2]))).results) == 2


async def _first(stream: AsyncIterable[object]) -> object:
    return await anext(aiter(stream))
