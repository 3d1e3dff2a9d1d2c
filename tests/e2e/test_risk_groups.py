"""Risk groups from end to end: rating cells published by the Flink loader, the search, a language model behind a real
local endpoint, the gate, and ListRiskGroups through a server with all interceptors. On both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import anomalies_pb2
from sluice_server.domain.context import SystemClock
from sluice_server.domain.risk.groups.cells import discovery_half
from sluice_server.domain.risk.groups.find import CLAIM_LASTS, FindRiskGroups, RiskGroupsDue
from sluice_server.domain.risk.groups.ports import GroupRun
from sluice_server.llm.openai_compatible import OpenAiCompatible
from tests.integration.risk.published import publish
from tests.support.language_model import StubModel, proposal, stub_model
from tests.support.risk_server import RiskRoom, risk_room
from tests.unit.risk.groups_portfolio import PLANTED_HIGH, PLANTED_LOW, rating_cells

KEY = "sk-secret"


@pytest.fixture
def risk_url(store_url: str, tmp_path: Path) -> str:
    return store_url if store_url.startswith("postgresql") else f"sqlite+aiosqlite:///{tmp_path}/risk.db"


@pytest.fixture
async def room(store_url: str, risk_url: str) -> AsyncIterator[RiskRoom]:
    await publish(risk_url, {"rating_cell": rating_cells()})
    async with risk_room(store_url, risk_url) as room:
        yield room


@pytest.fixture
async def client(room: RiskRoom) -> AsyncIterator[AsyncSluice]:
    async with room.client() as client:
        yield client


def search(room: RiskRoom, stub: StubModel | None = None, **options: Any) -> FindRiskGroups:
    model = None
    if stub is not None:
        adapter = {"api_key": KEY, "timeout_seconds": 5.0, "attempts": 2, "first_pause_seconds": 0.01}
        adapter |= {name: options.pop(name) for name in tuple(options) if name in adapter}
        model = OpenAiCompatible(stub.url, "stub-1", **adapter)  # type: ignore[arg-type]  # checked by what it does
    return FindRiskGroups(room.store, room.reader, SystemClock(), model=model, **options)


async def found(client: AsyncSluice, **fields: Any) -> anomalies_pb2.ListRiskGroupsResponse:
    return await client.risk.ListRiskGroups(anomalies_pb2.ListRiskGroupsRequest(**fields))


def conditions(group: anomalies_pb2.RiskGroup) -> dict[str, str]:
    return {one.dimension: one.any_of[0] for one in group.conditions}


async def test_the_planted_groups_are_found_and_the_permuted_control_accepts_nothing(
    room: RiskRoom, client: AsyncSluice
) -> None:
    with pytest.raises(errors.NotFound) as not_yet:
        await found(client)
    assert not_yet.value.reason == "RISK_RESOURCE_NOT_FOUND"
    due = RiskGroupsDue(room.store, room.reader, search(room))
    assert await due() is not None
    assert await due() is None  # once for each data version
    answer = await found(client)
    accepted = {tuple(conditions(one).items()): one for one in answer.risk_groups}
    high, low = accepted[tuple(PLANTED_HIGH.items())], accepted[tuple(PLANTED_LOW.items())]
    assert high.side == anomalies_pb2.RISK_GROUP_SIDE_HIGHER
    assert high.effect_interval.lower < 2.0 < high.effect_interval.upper
    assert low.side == anomalies_pb2.RISK_GROUP_SIDE_LOWER
    assert low.effect_interval.lower < 0.5 < low.effect_interval.upper
    assert {one.source for one in answer.risk_groups} == {anomalies_pb2.RISK_GROUP_SOURCE_SEARCH}
    assert f"{high.effect:.2f} times" in high.summary_en
    assert "brand B2" in high.summary_en
    assert "品牌 B2" in high.summary_zh
    assert (answer.permuted_accepted, answer.run.permuted_accepted, answer.data.data_version) == (0, 0, 1)
    assert answer.run.tried > 100
    # Whatever else is accepted is a part of them or what they leave over.
    for one in answer.risk_groups:
        told = conditions(one)
        assert told.keys() <= {"brand", "region", "category"}, told
        assert "category" in told or told.items() & PLANTED_HIGH.items(), told


async def test_groups_are_paged_and_filtered(room: RiskRoom, client: AsyncSluice) -> None:
    await search(room)()
    whole = await found(client, include_refused=True)
    assert whole.total_size == whole.run.proposed > whole.run.accepted
    assert all(one.refusal for one in whole.risk_groups if not one.accepted)
    first = await found(client, include_refused=True, page_size=3)
    second = await found(client, include_refused=True, page_size=1000, page_token=first.next_page_token)
    assert [*first.risk_groups, *second.risk_groups] == list(whole.risk_groups)
    assert second.next_page_token == ""
    lower = await found(client, side=anomalies_pb2.RISK_GROUP_SIDE_LOWER, dimension="category")
    assert lower.total_size > 0
    assert all("category" in conditions(one) and one.effect < 1 for one in lower.risk_groups)
    assert (await found(client, sources=[anomalies_pb2.RISK_GROUP_SOURCE_LLM])).total_size == 0


async def test_what_the_model_proposes_passes_the_same_gate_and_is_marked(room: RiskRoom, client: AsyncSluice) -> None:
    answer = proposal(
        (PLANTED_HIGH, "higher"),
        ({"tier": "T1"}, "higher"),
        (PLANTED_LOW, "higher"),
        ({"customer": "C1"}, "higher"),
        ({"brand": "B77"}, "higher"),
        ({"brand": "B1", "tier": "T1", "region": "R1"}, "lower"),
        ({"brand": "B1"}, "sideways"),
        (PLANTED_HIGH, "lower"),
    )
    async with stub_model(answer) as stub:
        await search(room, stub)()
        assert stub.keys == [f"Bearer {KEY}"]
        material = stub.material
    groups = {tuple(conditions(one).items()): one for one in (await found(client, include_refused=True)).risk_groups}
    high = groups[tuple(PLANTED_HIGH.items())]
    assert (high.source, high.accepted, high.also_by_search) == (anomalies_pb2.RISK_GROUP_SOURCE_LLM, True, True)
    assert not groups[(("tier", "T1"),)].accepted
    listed = await found(client, sources=[anomalies_pb2.RISK_GROUP_SOURCE_LLM], include_refused=True)
    assert [conditions(one) for one in listed.risk_groups if one.accepted] == [PLANTED_HIGH]
    assert listed.total_size == 3  # the wrong side of TV too, refused
    assert dict(listed.run.refused_proposals) == {
        "unknown_dimension": 1, "unknown_value": 1, "too_many_conditions": 1, "unknown_side": 1, "duplicate": 1,
    }  # fmt: skip
    assert (listed.run.llm_model, listed.run.llm_tokens, listed.run.permuted_accepted) == ("stub-1", 1_000, 0)
    # It was told sums of the discovery half, and nothing of anybody.
    cells = await room.reader.rating_cells(None)
    half = discovery_half(cells, 1)
    assert material["all"] == {
        "policy_years": round(float(cells.exposure[half].sum()), 1), "claims": int(cells.claims[half].sum()),
    }  # fmt: skip
    assert {one["dimension"] for one in material["catalogue"]} == set(cells.dimensions)
    assert {name for cell in material["cells"] for name in cell} == {"policy_years", "claims", *cells.dimensions}
    brand = cells.dimensions["brand"]
    mine = half & (brand.codes == brand.levels.index("B2"))
    [told] = [
        cell for cell in material["cells"] if set(cell) == {"policy_years", "claims", "brand"} and cell["brand"] == "B2"
    ]
    assert told["claims"] == int(cells.claims[mine].sum())


MISBEHAVIOUR: list[tuple[str, tuple[Any, ...], dict[str, Any], int, str]] = [
    ("bad JSON twice", ("I think that", "{'groups': []}"), {}, 2, "not JSON"),
    ("no groups", ('{"answer": 42}',), {}, 2, "no list of groups"),
    ("HTTP 500", ((500, "oops"),), {}, 2, "HTTP 500, 2 times"),
    ("HTTP 401", ((401, "who are you"),), {}, 1, "HTTP 401"),
    ("hang", (None,), {"timeout_seconds": 0.2}, 2, "timed out, 2 times"),
    ("no completion", ((200, "<html>"),), {}, 1, "no chat completion"),
    ("endless", ((200, "x" * 2_000_000),), {}, 1, "more than"),
    ("token budget", ("nonsense",), {"token_budget": 3_500}, 1, "token budget"),
]


@pytest.mark.parametrize(
    ("what", "script", "options", "calls", "failure"), MISBEHAVIOUR, ids=[m[0] for m in MISBEHAVIOUR]
)
async def test_whatever_the_model_does_the_search_stands(
    what: str, script: tuple[Any, ...], options: dict[str, Any], calls: int, failure: str, tmp_path: Path
) -> None:
    risk_url = f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    await publish(risk_url, {"rating_cell": rating_cells()})
    async with (
        risk_room(f"sqlite+aiosqlite:///{tmp_path}/sluice.db", risk_url) as room,
        room.client() as client,
        stub_model(*script) as stub,
    ):
        run = await search(room, stub, **options)()
        assert run is not None
        assert len(stub.requests) == calls
        assert failure in run.llm_failure
        assert KEY not in run.llm_failure
        answer = await found(client)
    assert (answer.run.permuted_accepted, answer.run.llm_failure) == (0, run.llm_failure)
    assert PLANTED_HIGH in [conditions(one) for one in answer.risk_groups]


async def test_bad_json_is_asked_for_again(room: RiskRoom, client: AsyncSluice) -> None:
    async with stub_model("sorry", f"```json\n{proposal((PLANTED_HIGH, 'higher'))}\n```") as stub:
        run = await search(room, stub)()
    assert run is not None
    assert (run.llm_failure, run.llm_tokens) == ("", 2_000)
    listed = await found(client, sources=[anomalies_pb2.RISK_GROUP_SOURCE_LLM])
    assert [conditions(one) for one in listed.risk_groups] == [PLANTED_HIGH]


async def test_a_search_that_dies_is_begun_anew_and_two_replicas_search_once(
    room: RiskRoom, store_url: str, risk_url: str
) -> None:
    async with risk_room(store_url, risk_url) as other:
        clock = SystemClock()
        async with room.store.write() as uow:  # as a process that is killed leaves it
            assert await uow.groups.claim(1, "dead", clock.now(), stale_before=clock.now())
            await uow.commit()
        assert await search(other)() is None
        async with room.store.write() as uow:  # and as it looks when nothing was heard of it for long
            await uow.groups.renew(1, "dead", clock.now() - 2 * CLAIM_LASTS)
            await uow.groups.renew(1, "somebody else", clock.now())
            await uow.commit()
        runs = [await search(room)(), await search(other)()]
    assert [isinstance(run, GroupRun) for run in runs] == [True, False]


async def test_the_halves_stay_when_a_year_is_added(tmp_path: Path) -> None:
    rows = rating_cells()
    risk_url = f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    await publish(risk_url, {"rating_cell": [row for row in rows if row["cover_year"] == 2025]})
    await publish(risk_url, {"rating_cell": rows})
    async with risk_room(f"sqlite+aiosqlite:///{tmp_path}/sluice.db", risk_url) as room:
        before, after = await room.reader.rating_cells(1), await room.reader.rating_cells(2)

    def halves(cells: Any) -> dict[tuple[str, ...], bool]:
        columns = [np.array(column.levels)[column.codes] for column in cells.dimensions.values()]
        return dict(zip(zip(*columns, strict=True), discovery_half(cells, 1).tolist(), strict=True))

    assert halves(before) == halves(after)
    assert len(after) == 2 * len(before)
    assert 0.4 < discovery_half(after, 1).mean() < 0.6


async def test_every_wrong_field_is_named(tmp_path: Path) -> None:
    risk_url = f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    async with risk_room(f"sqlite+aiosqlite:///{tmp_path}/sluice.db", risk_url) as room, room.client() as client:
        with pytest.raises(errors.NotFound) as nothing:
            await found(client)
        assert nothing.value.reason == "DATA_VERSION_NOT_FOUND"
        with pytest.raises(errors.InvalidArgument) as refused:
            await found(client, sources=[9], side=9, dimension="customer", page_size=-1, data_version=-1)
        fields = {violation.field for violation in refused.value.violations}
        assert fields == {"sources[0]", "side", "dimension", "page_size", "data_version"}
        with pytest.raises(errors.InvalidArgument) as token:
            await found(client, page_token="nonsense")
        assert token.value.reason == "INVALID_PAGE_TOKEN"
