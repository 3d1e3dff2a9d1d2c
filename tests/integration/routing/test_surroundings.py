"""A plan whose bindings the server's adapters cannot work with is told so, and does not go live."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sluice_server.domain.errors import PlanNotActivatable, PlanNotFound
from sluice_server.domain.routing.publish import ActivatePlan, Activation, CreatePlan, PlanDraft, ValidatePlan
from sluice_server.domain.routing.source.findings import Severity
from sluice_server.domain.routing.source.surroundings import Surroundings
from tests.integration.routing.world import CONTEXT, PlanRoom

SOURCE = """\
plan: endpoints
insurers:
  insurer-a: {binding: {insurer_product_code: A-1, endpoint: east}}
  insurer-b: {binding: {insurer_product_code: B-1, endpoint: whatever}}
products: [{product_line: screen}]
rules:
  - name: gold
    match: {channel.tier: gold}
    allocations:
      - insurer: insurer-a
        share: 5000
        binding: {endpoint: wset}
      - {insurer: insurer-b, share: 5000}
  - name: rest
    allocations: [{insurer: insurer-a, share: 10000}]
"""


Names = Mapping[str, frozenset[str]]


class Adapters:
    """Some insurers' adapters, their endpoints and what they need; the others do not tell."""

    def __init__(self, endpoints: Names, needed: Names | None = None) -> None:
        self._endpoints = endpoints
        self._needed = needed or {}

    def needed_of_bindings(self, insurer_id: str) -> frozenset[str]:
        return self._needed.get(insurer_id, frozenset())

    def endpoints(self, insurer_id: str) -> frozenset[str] | None:
        return self._endpoints.get(insurer_id)


WITHOUT_WEST = Surroundings(adapters=Adapters({"insurer-a": frozenset({"east", "west"})}))
WITH_ALL = Surroundings(adapters=Adapters({"insurer-a": frozenset({"east", "wset"})}))
MESSAGE = "the adapter of 'insurer-a' has no endpoint 'wset'; did you mean 'west'?"


def activate(room: PlanRoom, surroundings: Surroundings) -> ActivatePlan:
    return ActivatePlan(store=room.store, clock=room.clock, plans=room.active, surroundings=surroundings)


async def test_an_endpoint_that_the_adapter_lacks_is_a_located_warning(room: PlanRoom) -> None:
    check = await ValidatePlan(store=room.store, surroundings=WITHOUT_WEST)(SOURCE)
    endpoints = [f for f in check.findings if "endpoint" in f.path]
    assert check.valid
    assert [(f.severity, f.line, f.path) for f in endpoints] == [
        (Severity.WARNING, 12, "rules[0].allocations[0].binding.endpoint")
    ]
    assert endpoints[0].message == f"{MESSAGE}; ActivatePlan refuses"
    create = CreatePlan(store=room.store, clock=room.clock, surroundings=WITHOUT_WEST)
    assert endpoints[0].text() in (await create(PlanDraft(SOURCE, "new"), CONTEXT)).warnings


async def test_a_plan_is_not_activated_before_its_endpoints_are_there(room: PlanRoom) -> None:
    created = await room.stored(SOURCE)
    with pytest.raises(PlanNotActivatable, match="the adapter of 'insurer-a' has no endpoint 'wset'") as refused:
        await activate(room, WITHOUT_WEST)(Activation(created.version, "on"), CONTEXT)
    assert refused.value.metadata["insurers"] == "insurer-a"
    with pytest.raises(PlanNotFound):
        await room.get(0)
    assert (await activate(room, WITH_ALL)(Activation(created.version, "on"), CONTEXT)).plan.active


async def test_what_an_adapter_sends_with_every_submission_must_be_bound(room: PlanRoom) -> None:
    source = SOURCE.replace("endpoint: wset", "endpoint: east, insurer_plan_code: GOLD, parameters: {region: north}")
    needed = {"insurer-a": frozenset({"insurer_product_code", "insurer_plan_code", "parameters.region"})}
    surroundings = Surroundings(adapters=Adapters({}, needed))
    check = await ValidatePlan(store=room.store, surroundings=surroundings)(source)
    missing = [(f.line, f.path) for f in check.findings if "is missing; the adapter" in f.message]
    assert missing == [
        (15, "rules[1].allocations[0].binding.insurer_plan_code"),
        (15, "rules[1].allocations[0].binding.parameters.region"),
    ]
    created = await room.stored(source)
    with pytest.raises(
        PlanNotActivatable, match="cannot be served: insurer_plan_code is missing; the adapter of 'insurer-a'"
    ):
        await activate(room, surroundings)(Activation(created.version, "on"), CONTEXT)
