"""Simulating, comparing and verifying through a whole server and its command line; plans that read the risk data."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.client import AsyncSluice, errors
from sluice.routing.v1 import application_pb2
from sluice.routing.v1 import routing_pb2 as pb
from sluice_server.insurers.simulated.modes import Mode, ModeName
from sluice_server.insurers.simulated.server import SimulatedInsurer
from sluice_server.runtime.lifecycle import Server
from tests.e2e.routing_calls import EXAMPLE, activate, application, create, know_insurers, route, submit
from tests.e2e.test_routing_cli import CommandLine
from tests.integration.risk.published import publish
from tests.unit.risk.portfolio import MONTHS, channel_row

OTHER_SHARES = EXAMPLE.replace(
    "share: 5000\n        binding: {insurer_product_code: A-SCR}",
    "share: 2000\n        binding: {insurer_product_code: A-SCR}",
).replace(
    "share: 3000\n        binding: {insurer_product_code: B-SCREEN",
    "share: 6000\n        binding: {insurer_product_code: B-SCREEN",
)
COUNT = 60


@pytest.fixture
async def sluice(whole_server: Server, client: AsyncSluice, tmp_path: Path) -> CommandLine:
    del client  # what it has prepared is wanted
    return CommandLine(whole_server.port, tmp_path)


async def routed(client: AsyncSluice, count: int = COUNT) -> dict[str, str]:
    """Insurer by application."""
    batch = [application(f"app-{n:03}") for n in range(count)]
    answer = await client.routing.RouteBatch(pb.RouteBatchRequest(applications=batch))
    return {r.application_id: r.response.decision.insurer_id for r in answer.results}


async def simulated(client: AsyncSluice, **request: Any) -> list[pb.SimulatePlanResponse]:
    return [step async for step in client.routing.SimulatePlan(pb.SimulatePlanRequest(**request))]


async def test_a_simulation_counts_what_would_change_and_stores_nothing(client: AsyncSluice) -> None:
    before = await routed(client)
    steps = await simulated(client, source=OTHER_SHARES)
    last = steps[-1]
    assert (last.replayed, last.total, last.unmatched_count) == (COUNT, COUNT, 0)
    changed = {c.application_id: c for step in steps for c in step.changed}
    assert len(changed) == last.changed_count > 0
    for application_id, one in changed.items():
        assert one.insurer_id_before == before[application_id]
        assert (one.rule, one.rule_before) == ("screens", "screens")
        explained = await client.routing.ExplainRoute(pb.ExplainRouteRequest(application=application(application_id)))
        assert explained.stored_decision.insurer_id == one.insurer_id_before
    shares = {s.insurer_id: s for step in steps for s in step.shares}
    assert sum(s.applications for s in shares.values()) == sum(s.applications_before for s in shares.values()) == COUNT
    for insurer, share in shares.items():
        assert share.applications_before == list(before.values()).count(insurer)
        assert share.premium_before.amount_minor == 12_900 * share.applications_before
        assert (share.premium.amount_minor, share.premium.currency_code) == (12_900 * share.applications, "CNY")
    assert [p.version for p in (await client.routing.ListPlans(pb.ListPlansRequest())).plans] == [1]


async def test_a_draft_decides_as_the_same_plan_once_active_would(client: AsyncSluice) -> None:
    await routed(client)
    steps = await simulated(client, source=OTHER_SHARES)
    foreseen = {c.application_id: c.insurer_id for step in steps for c in step.changed}
    version = (await create(client, OTHER_SHARES)).plan.version
    assert [c.application_id for step in await simulated(client, version=version) for c in step.changed] == [*foreseen]
    for application_id, insurer in foreseen.items():
        explained = await client.routing.ExplainRoute(
            pb.ExplainRouteRequest(application=application(application_id), plan_version=version)
        )
        assert explained.decision.insurer_id == insurer


async def test_a_simulation_takes_the_time_and_the_number_asked_for(client: AsyncSluice) -> None:
    await routed(client, 10)
    now = datetime.now(UTC)
    past, future = Timestamp(), Timestamp()
    past.FromDatetime(now - timedelta(days=1))
    future.FromDatetime(now + timedelta(days=1))
    assert (await simulated(client, source=EXAMPLE, created_after=past, created_before=future))[-1].replayed == 10
    assert (await simulated(client, source=EXAMPLE, created_before=past))[-1].replayed == 0
    assert (await simulated(client, source=EXAMPLE, created_after=future))[-1].replayed == 0
    assert (await simulated(client, source=EXAMPLE, limit=3))[-1].replayed == 3


async def test_supplied_applications_are_replayed_without_being_stored(client: AsyncSluice) -> None:
    given = [application(f"new-{n}") for n in range(30)]
    steps = await simulated(client, source=OTHER_SHARES, applications=given)
    assert (steps[-1].replayed, steps[-1].total) == (30, 30)
    assert {c.rule_before for step in steps for c in step.changed} == {"screens"}
    with pytest.raises(errors.NotFound):
        await client.routing.GetOrder(pb.GetOrderRequest(application_id="new-0"))


BAD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no draft": ({}, {"draft"}),
    "empty text": ({"source": ""}, {"source"}),
    "wrong version": ({"version": -1}, {"version"}),
    "wrong limit": ({"source": "x", "limit": -1}, {"limit"}),
    "too large a limit": ({"source": "x", "limit": 1_000_001}, {"limit"}),
    "times the wrong way round": (
        {"source": "x", "created_after": Timestamp(seconds=9), "created_before": Timestamp(seconds=8)},
        {"created_before"},
    ),
    "a time that there is not": ({"source": "x", "created_after": Timestamp(seconds=-1)}, {"created_after"}),
    "both kinds of applications": ({"source": "x", "limit": 1, "applications": [application()]}, {"applications"}),
    "twice the same": ({"source": "x", "applications": [application()] * 2}, {"applications[1].application_id"}),
    "an application with faults": (
        {"source": "x", "applications": [application(), application("b", term_months=0, customer_ref="")]},
        {"applications[1].customer_ref", "applications[1].term_months"},
    ),
    "too many": (
        {"source": "x", "applications": [application_pb2.Application(application_id=str(n)) for n in range(10_001)]},
        {"applications"},
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_simulation_is_refused_with_the_names_of_its_fields(client: AsyncSluice, name: str) -> None:
    request, fields = BAD[name]
    with pytest.raises(errors.InvalidArgument) as refused:
        await simulated(client, **request)
    assert {violation.field for violation in refused.value.violations} == fields


def test_every_field_of_the_request_is_tried() -> None:
    tried = {field.split("[")[0] for _, fields in BAD.values() for field in fields}
    assert tried - {"draft"} == {field.name for field in pb.SimulatePlanRequest.DESCRIPTOR.fields}


async def test_a_draft_that_is_no_plan_is_refused(client: AsyncSluice) -> None:
    with pytest.raises(errors.InvalidArgument) as refused:
        await simulated(client, source=EXAMPLE.replace("share: 7000", "share: 6000"))
    assert refused.value.reason == "INVALID_PLAN"
    with pytest.raises(errors.NotFound) as missing:
        await simulated(client, version=99)
    assert missing.value.reason == "PLAN_NOT_FOUND"


async def test_the_command_shows_shares_and_writes_what_changes(
    sluice: CommandLine, client: AsyncSluice, tmp_path: Path
) -> None:
    await routed(client)
    draft, changed = sluice.file("draft.yaml", OTHER_SHARES), str(tmp_path / "changed.jsonl")
    shown = (await sluice("plan", "simulate", draft, "--changed-to", changed, "--since", "2020-01-01")).stdout
    for part in ("insurer-a", "screens", f"{COUNT} replayed", "would go to another insurer"):
        assert part in shown, part
    # 129 yuan each: amounts are shown as one reads them.
    by_insurer = [row for row in shown.splitlines() if "insurer-a" in row and "CNY" in row]
    assert f"{int(by_insurer[0].split()[3]) * 129:,}.00 CNY" in by_insurer[0]
    few = (await sluice("plan", "simulate", draft, "--show", "1")).stdout
    assert "1 are shown; --changed-to FILE writes all" in few
    assert "nothing to replay" in (await sluice("plan", "simulate", draft, "--until", "2020-01-01")).stdout
    answer = json.loads((await sluice("plan", "simulate", draft, "--json", "--show", "2")).stdout)
    lines = [json.loads(line) for line in Path(changed).read_text().splitlines()]  # noqa: ASYNC240 - a small file
    assert len(lines) == answer["changed_count"]
    assert answer["changed"] == lines[:2]
    assert sum(row["applications"] for row in answer["by_insurer"]) == COUNT
    assert answer["by_rule"] == [{"rule": "screens", "applications": COUNT}]
    same = json.loads((await sluice("plan", "simulate", "1", "--json", "--limit", "7")).stdout)
    assert (same["replayed"], same["changed_count"]) == (7, 0)
    supplied = sluice.file("some.jsonl", MessageToJson(application("new-1"), indent=None) + "\n\n")
    given = json.loads((await sluice("plan", "simulate", draft, "--applications", supplied, "--json")).stdout)
    assert given["replayed"] == 1
    broken = sluice.file("broken.jsonl", '{"product": 1}\n')
    said = (await sluice("plan", "simulate", draft, "--applications", broken, code=1)).stderr
    assert f"{broken}:1: not an application" in said
    assert "no RFC 3339 time" in (await sluice("plan", "simulate", draft, "--since", "yesterday", code=2)).stderr
    refused = await sluice("plan", "simulate", sluice.file("bad.yaml", "plan: x\n"), code=1)
    assert "INVALID_ARGUMENT (INVALID_PLAN)" in refused.stderr


async def test_versions_and_files_are_compared_by_rule(sluice: CommandLine, client: AsyncSluice) -> None:
    await create(client, OTHER_SHARES)
    shown = (await sluice("plan", "diff", "1", "2")).stdout
    assert "~ rule screens" in shown
    assert "allocations.insurer-a.share: 5000 → 2000" in shown
    assert "expensive-screens" not in shown
    renamed = sluice.file("renamed.yaml", EXAMPLE.replace("name: screens", "name: covers"))
    changes = json.loads((await sluice("plan", "diff", "0", renamed, "--json")).stdout)["changes"]
    assert [(c["part"], c["name"], c["kind"]) for c in changes] == [
        ("rule", "covers", "ADDED"),
        ("rule", "screens", "REMOVED"),
    ]
    assert "no difference" in (await sluice("plan", "diff", "1", sluice.file("same.yaml", "# ok\n" + EXAMPLE))).stdout
    assert "PLAN_NOT_FOUND" in (await sluice("plan", "diff", "1", "9", code=1)).stderr
    wrong = sluice.file("wrong.yaml", "plan: x\n")
    assert f"{wrong}: source.products" in (await sluice("plan", "diff", "1", wrong, code=1)).stderr


async def test_a_stored_decision_is_verified_remotely(sluice: CommandLine, client: AsyncSluice) -> None:
    decision = (await route(client, application())).decision
    assert "identical" in (await sluice("decision", "verify", "app-1")).stdout
    # Also after another version decides.
    await activate(client, (await create(client, OTHER_SHARES)).plan.version)
    answer = json.loads((await sluice("decision", "verify", "app-1", "--json")).stdout)
    assert answer == {
        "application_id": "app-1",
        "identical": True,
        "decisions": [
            {
                "number": 1,
                "plan_version": 1,
                "identical": True,
                "decision_id": decision.decision_id,
                "differences": [],
                "taken_over": [],
            }
        ],
    }
    assert json.loads((await sluice("decision", "verify", decision.decision_id, "--json")).stdout) == answer
    unknown = decision.decision_id[:-1] + ("0" if decision.decision_id[-1] != "0" else "1")
    assert "ORDER_NOT_FOUND" in (await sluice("decision", "verify", unknown, code=1)).stderr
    assert "has no decision number 2" in (await sluice("decision", "verify", "app-1", "--number", "2", code=1)).stderr
    assert "ORDER_NOT_FOUND" in (await sluice("decision", "verify", "nobody", code=1)).stderr


async def test_decisions_after_a_failure_and_while_an_insurer_is_cut_are_verified(
    sluice: CommandLine, client: AsyncSluice, simulated_insurers: dict[str, SimulatedInsurer]
) -> None:
    for insurer in ("insurer-a", "insurer-b"):
        simulated_insurers[insurer].mode = Mode(ModeName.ERRORS, status=503, latency_median_ms=1, latency_p99_ms=2)
    rerouted = [
        order for n in range(12) if len((order := (await submit(client, application(f"app-{n}"))).order).decisions) > 1
    ]
    assert {len(order.decisions) for order in rerouted} >= {2, 3}, "one and two insurers failed before"
    for order in rerouted:
        answer = json.loads((await sluice("decision", "verify", order.application.application_id, "--json")).stdout)
        assert [d["number"] for d in answer["decisions"]] == [d.number for d in order.decisions]
        assert all(d["identical"] for d in answer["decisions"]), answer
        assert "candidates[insurer-" in answer["decisions"][-1]["taken_over"][0]
        in_force = order.decisions[-1]
        answer = json.loads((await sluice("decision", "verify", in_force.decision_id, "--json")).stdout)
        assert [(d["number"], d["identical"]) for d in answer["decisions"]] == [(in_force.number, True)]


EXACT = EXAMPLE.replace("  - name: screens\n", "  - name: screens\n    split: EXACT\n")


async def test_decisions_of_a_share_ledger_are_simulated_and_verified(sluice: CommandLine, client: AsyncSluice) -> None:
    await routed(client, 30)
    shares = {s.insurer_id: s.applications for s in (await simulated(client, source=EXACT))[-1].shares}
    assert shares == {"insurer-a": 15, "insurer-b": 9, "insurer-c": 6}
    await activate(client, (await create(client, EXACT)).plan.version)
    for n in range(4):
        decision = (await route(client, application(f"exact-{n}"))).decision
        assert decision.ledger_position == n + 1
        assert sum(c.ledger_orders for c in decision.candidates) == n
        answer = json.loads((await sluice("decision", "verify", f"exact-{n}", "--json")).stdout)["decisions"][0]
        assert (answer["identical"], answer["taken_over"]) == (True, ["ledger_orders"])


RATED = """\
plan: rated
products: [{product_line: screen}]
factors:
  channel_rating: {expression: 'rating("channel", application.channel.channel_id)', default: C}
  channel_score: {expression: 'score("channel", application.channel.channel_id)', default: 50}
rules:
  - name: bad-channels
    match: {factors.channel_rating: [D, E]}
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: "A-{factors.channel_rating}"}}]
  - name: others
    allocations: [{insurer: insurer-b, share: 10000, binding: {insurer_product_code: B}}]
"""


def channels(bad: str) -> dict[str, Any]:
    """Eight channels, of which one has nine times the claims of the others."""
    claims = {f"CH{n}": 900 if f"CH{n}" == bad else 100 for n in range(8)}
    return {
        "channel_month": [
            channel_row(name, MONTHS[0], earned_premium_minor=10_000_000, claims=n, incurred_minor=n * 30_000)
            for name, n in claims.items()
        ]
    }


@pytest.fixture
async def rated(whole_client: AsyncSluice, tmp_path: Path) -> AsyncSluice:
    """A server whose plan reads the ratings of CH3, the bad channel."""
    await publish(f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}", channels("CH3"))
    await know_insurers(whole_client)
    await activate(whole_client, (await create(whole_client, RATED)).plan.version)
    return whole_client


def of_channel(channel_id: str, application_id: str = "app-1") -> application_pb2.Application:
    return application(application_id, channel=application_pb2.Channel(channel_id=channel_id))


async def test_a_plan_routes_by_the_rating_of_the_channel_and_records_it(rated: AsyncSluice) -> None:
    bad = (await route(rated, of_channel("CH3"))).decision
    assert (bad.rule, bad.binding.insurer_product_code) == ("bad-channels", "A-E")
    factors = MessageToDict(bad.factors)
    assert factors["channel_rating"] == "E"
    assert factors["channel_score"] > 99
    good = (await route(rated, of_channel("CH1", "app-2"))).decision
    assert (good.rule, MessageToDict(good.factors)["channel_score"] < 50) == ("others", True)
    unknown = (await route(rated, of_channel("elsewhere", "app-3"))).decision
    assert MessageToDict(unknown.factors) == {"channel_rating": "C", "channel_score": 50}


async def test_a_published_version_is_routed_by_within_a_second_and_old_decisions_still_verify(
    rated: AsyncSluice, whole_server: Server, tmp_path: Path
) -> None:
    await route(rated, of_channel("CH3"))
    await publish(f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}", channels("CH5"))
    async with asyncio.timeout(20):
        while True:
            explained = await rated.routing.ExplainRoute(pb.ExplainRouteRequest(application=of_channel("CH5", "x")))
            if explained.decision.rule == "bad-channels":
                break
    assert (await route(rated, of_channel("CH3", "app-2"))).decision.rule == "others"
    sluice = CommandLine(whole_server.port, tmp_path)
    shown = (await sluice("decision", "verify", "app-1")).stdout
    assert "identical" in shown
    assert "taken from the record: factors.channel_rating, factors.channel_score" in shown


async def test_a_draft_is_simulated_with_the_ratings_of_today(whole_client: AsyncSluice, tmp_path: Path) -> None:
    await publish(f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}", channels("CH3"))
    given = [of_channel("CH3", "a"), of_channel("CH1", "b")]
    steps = await simulated(whole_client, source=RATED, applications=given)
    assert [(c.application_id, c.rule) for c in steps[0].changed] == [("a", "bad-channels"), ("b", "others")]


async def test_a_kind_that_this_server_does_not_rate_is_refused(whole_client: AsyncSluice) -> None:
    wrong = RATED.replace('rating("channel"', 'rating("chanel"')
    findings = (await whole_client.routing.ValidatePlan(pb.ValidatePlanRequest(source=wrong))).findings
    said = "this server has no rating of a 'chanel'; did you mean 'channel'?"
    assert [(f.path, f.message) for f in findings if "insurer" not in f.message] == [("factors.channel_rating", said)]
    with pytest.raises(errors.InvalidArgument, match="did you mean 'channel'"):
        await create(whole_client, wrong)
