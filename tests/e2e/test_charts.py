"""Charts and dashboards through a real server, on both databases."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import json_format

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import dashboards_pb2 as pb
from tests.integration.risk.published import publish
from tests.support.risk_server import RiskRoom, risk_room
from tests.unit.risk.charts.pictures import rows

CHART = """{"chart_id": "loss", "title": "Loss ratio", "type": "CHART_TYPE_BAR",
  "query": {"metrics": ["loss_ratio"], "dimensions": ["channel"], "order_by": ["-loss_ratio"]},
  "thresholds": [{"metric": "loss_ratio", "value": 0.7, "severity": "SEVERITY_WARNING", "label": "watch"}]}"""


@pytest.fixture
async def room(store_url: str) -> AsyncIterator[RiskRoom]:
    """A server whose dashboards are on the database under test; the figures are always in a file."""
    with tempfile.TemporaryDirectory() as folder:
        risk_url = f"sqlite+aiosqlite:///{folder}/risk.db"
        await publish(risk_url, rows())
        async with risk_room(store_url, risk_url) as room:
            yield room


@pytest.fixture
async def client(room: RiskRoom) -> AsyncIterator[AsyncSluice]:
    async with room.client() as client:
        yield client


def chart(text: str = CHART) -> pb.Chart:
    return json_format.Parse(text, pb.Chart())


def save(etag: str = "", **fields: Any) -> pb.SaveDashboardRequest:
    request: dict[str, Any] = {"reason": "for the weekly meeting"}
    request |= {name: fields.pop(name) for name in ("reason", "request_id", "validate_only") if name in fields}
    mask = fields.pop("mask", [])
    given = {"dashboard_id": "weekly", "title": "Weekly", "charts": [chart()], **fields}
    saved = pb.SaveDashboardRequest(dashboard=pb.Dashboard(etag=etag, **given), **request)
    saved.update_mask.paths.extend(mask)
    return saved


def title_of(rendered: pb.RenderChartResponse) -> str:
    return str(json_format.MessageToDict(rendered.vega_lite)["title"]["text"])


async def actions(room: RiskRoom, subject: str) -> list[tuple[str, str, str]]:
    async with room.store.read() as uow:
        events = await uow.audit.list(subject=subject, actor="", before=None, limit=9)
    return [(event.action, event.actor, event.reason) for event in events]


async def test_a_chart_typed_as_json_is_drawn_with_its_data(client: AsyncSluice) -> None:
    found = await client.risk.RenderChart(pb.RenderChartRequest(chart=chart(), language="en"))
    specification = json_format.MessageToDict(found.vega_lite)
    assert specification["title"]["text"] == "Loss ratio"
    assert specification["title"]["subtitle"][0].startswith("Data version 1 · up to 2026-11-01 · exposure 1,360")
    assert [value["name"] for value in specification["data"]["values"]] == ["CH0", "CH1", "CH2", "CH3"]
    assert len(found.answer.rows) == 4
    assert found.answer.rows[0].metrics["loss_ratio"].HasField("interval")
    assert found.data.data_version == 1


async def test_the_shipped_dashboards_are_listed_and_every_chart_of_them_is_drawn(client: AsyncSluice) -> None:
    listed = await client.risk.ListDashboards(pb.ListDashboardsRequest(owner="sluice"))
    assert len(listed.dashboards) == 5
    for dashboard in listed.dashboards:
        assert dashboard.shipped
        assert dashboard.localized_title.en
        for one in dashboard.charts:
            reference = pb.ChartReference(dashboard_id=dashboard.dashboard_id, chart_id=one.chart_id)
            found = await client.risk.RenderChart(pb.RenderChartRequest(reference=reference))
            assert title_of(found) == one.localized_title.zh
            again = await client.risk.RenderChart(pb.RenderChartRequest(chart=one))
            assert again.vega_lite == found.vega_lite, "what is listed can be sent back"


async def test_a_dashboard_is_saved_changed_listed_and_drawn(room: RiskRoom, client: AsyncSluice) -> None:
    saved = await client.risk.SaveDashboard(save(description="what we look at"))
    assert (saved.owner, saved.version, saved.etag, saved.shipped) == ("zhang.san", 1, "1", False)
    assert saved.charts[0].thresholds[0].label == "watch"
    changed = await client.risk.SaveDashboard(save(saved.etag, title="Every week", description="", mask=["title"]))
    assert (changed.title, changed.description, changed.version) == ("Every week", "what we look at", 2)
    async with room.client("li.si") as other:
        listed = await other.risk.ListDashboards(pb.ListDashboardsRequest())
        assert [one.dashboard_id for one in listed.dashboards][-1] == "weekly"
        assert listed.dashboards[-1] == changed
        reference = pb.ChartReference(dashboard_id="weekly", chart_id="loss")
        drawn = await other.risk.RenderChart(pb.RenderChartRequest(reference=reference))
        assert title_of(drawn) == "Loss ratio"
    async with room.store.read() as uow:
        first = await uow.dashboards.version("weekly", 1)
    assert first is not None
    assert first.title.en == "Weekly", "every version is kept"
    reason = "for the weekly meeting"
    assert await actions(room, "dashboards/weekly") == [("SaveDashboard", "zhang.san", reason)] * 2


async def test_dashboards_are_paged_by_id(client: AsyncSluice) -> None:
    await client.risk.SaveDashboard(save())
    first = await client.risk.ListDashboards(pb.ListDashboardsRequest(page_size=4))
    assert first.dashboards[0].dashboard_id == "channel-ratings"
    rest = await client.risk.ListDashboards(pb.ListDashboardsRequest(page_size=4, page_token=first.next_page_token))
    assert [one.dashboard_id for one in rest.dashboards] == ["repair-shops", "weekly"]
    assert rest.next_page_token == ""
    with pytest.raises(errors.InvalidArgument):
        await client.risk.ListDashboards(pb.ListDashboardsRequest(owner="sluice", page_token=first.next_page_token))


async def test_one_that_is_shared_with_some_is_listed_for_them_alone(room: RiskRoom, client: AsyncSluice) -> None:
    await client.risk.SaveDashboard(save(shared_with=["li.si"]))
    for actor, seen in (("zhang.san", True), ("li.si", True), ("wang.wu", False)):
        async with room.client(actor) as other:
            listed = await other.risk.ListDashboards(pb.ListDashboardsRequest(owner="zhang.san"))
        assert [one.dashboard_id for one in listed.dashboards] == (["weekly"] if seen else [])


async def test_a_repeat_with_the_request_id_gives_the_first_answer(room: RiskRoom, client: AsyncSluice) -> None:
    request = save(request_id="req-1")
    saved = await client.risk.SaveDashboard(request)
    await client.risk.SaveDashboard(save(saved.etag, title="Later"))
    assert await client.risk.SaveDashboard(request) == saved
    with pytest.raises(errors.AlreadyExists) as refused:
        await client.risk.SaveDashboard(save(title="Other", request_id="req-1"))
    assert refused.value.reason == "REQUEST_ID_CONFLICT"
    gone = pb.DeleteDashboardRequest(dashboard_id="weekly", reason="not used", request_id="req-2")
    deleted = await client.risk.DeleteDashboard(gone)
    assert deleted.dashboard.title == "Later"
    assert await client.risk.DeleteDashboard(gone) == deleted
    assert len(await actions(room, "dashboards/weekly")) == 3


async def test_a_deleted_dashboard_is_gone_and_its_id_counts_on(room: RiskRoom, client: AsyncSluice) -> None:
    await client.risk.SaveDashboard(save())
    await client.risk.DeleteDashboard(pb.DeleteDashboardRequest(dashboard_id="weekly", etag="1", reason="not used"))
    with pytest.raises(errors.NotFound):
        await client.risk.DeleteDashboard(pb.DeleteDashboardRequest(dashboard_id="weekly", reason="not used"))
    reference = pb.ChartReference(dashboard_id="weekly", chart_id="loss")
    with pytest.raises(errors.NotFound) as refused:
        await client.risk.RenderChart(pb.RenderChartRequest(reference=reference))
    assert refused.value.reason == "RISK_RESOURCE_NOT_FOUND"
    again = await client.risk.SaveDashboard(save(title="Again"))
    assert (again.version, again.title) == (2, "Again")


async def test_trying_stores_nothing(room: RiskRoom, client: AsyncSluice) -> None:
    tried = await client.risk.SaveDashboard(save(validate_only=True))
    assert (tried.title, tried.version, tried.etag) == ("Weekly", 0, "")
    assert await actions(room, "dashboards/weekly") == []


async def test_what_may_not_be_changed_stays_as_it_is(room: RiskRoom, client: AsyncSluice) -> None:
    saved = await client.risk.SaveDashboard(save())
    for etag in ("", "7"):
        with pytest.raises(errors.Aborted) as stale:
            await client.risk.SaveDashboard(save(etag, title="Other"))
        assert stale.value.reason == "STALE_ETAG"
    with pytest.raises(errors.Aborted):
        await client.risk.DeleteDashboard(pb.DeleteDashboardRequest(dashboard_id="weekly", etag="7", reason="x"))
    with pytest.raises(errors.Aborted):
        await client.risk.SaveDashboard(save("1", dashboard_id="unknown"))
    async with room.client("li.si") as other:
        with pytest.raises(errors.PermissionDenied, match=r"belongs to zhang\.san"):
            await other.risk.SaveDashboard(save(saved.etag))
        with pytest.raises(errors.PermissionDenied, match=r"belongs to zhang\.san"):
            await other.risk.DeleteDashboard(pb.DeleteDashboardRequest(dashboard_id="weekly", reason="x"))
    with pytest.raises(errors.PermissionDenied, match="shipped"):
        await client.risk.SaveDashboard(save(dashboard_id="device-risk"))
    with pytest.raises(errors.PermissionDenied, match="shipped"):
        await client.risk.DeleteDashboard(pb.DeleteDashboardRequest(dashboard_id="device-risk", reason="x"))
    listed = await client.risk.ListDashboards(pb.ListDashboardsRequest(owner="zhang.san"))
    assert list(listed.dashboards) == [saved]


async def refused_fields(call: Any) -> dict[str, str]:
    with pytest.raises(errors.InvalidArgument) as refused:
        await call
    return {violation.field: violation.description for violation in refused.value.violations}


async def test_every_wrong_field_of_a_dashboard_is_named_at_once(room: RiskRoom, client: AsyncSluice) -> None:
    wrong = chart(CHART.replace("loss_ratio", "los_ratio").replace("SEVERITY_WARNING", "SEVERITY_UNSPECIFIED"))
    wrong.type = pb.CHART_TYPE_UNSPECIFIED
    wrong.grid_columns = 13
    found = await refused_fields(
        client.risk.SaveDashboard(save(dashboard_id="No Id", title="", charts=[wrong, chart(), chart()], reason=" "))
    )
    assert found.keys() == {
        "dashboard.dashboard_id",
        "dashboard.title",
        "dashboard.charts[0].type",
        "dashboard.charts[0].query.metrics[0]",
        "dashboard.charts[0].grid_columns",
        "dashboard.charts[0].thresholds[0].severity",
        "dashboard.charts[1].chart_id",
        "dashboard.charts[2].chart_id",
        "reason",
    }
    assert "one of LINE, BAR" in found["dashboard.charts[0].type"]
    assert (await refused_fields(client.risk.SaveDashboard(save(charts=[])))).keys() == {"dashboard.charts"}
    many = await refused_fields(client.risk.SaveDashboard(save(charts=[chart()] * 51)))
    assert "dashboard.charts" in many
    assert "update_mask" in await refused_fields(client.risk.SaveDashboard(save(mask=["owner"])))
    assert await actions(room, "dashboards/weekly") == []


async def test_every_wrong_field_of_a_rendering_is_named(client: AsyncSluice) -> None:
    assert (await refused_fields(client.risk.RenderChart(pb.RenderChartRequest()))).keys() == {"chart"}
    unknown = chart(CHART.replace("loss_ratio", "los_ratio"))
    json_format.ParseDict({"type": 99}, unknown)
    unknown.query.page_token = "x"
    request = pb.RenderChartRequest(chart=unknown, language="fr", data_version=-1)
    found = await refused_fields(client.risk.RenderChart(request))
    assert "did you mean 'loss_ratio'" in found["chart.query.metrics[0]"]
    assert {"language", "data_version", "chart.type", "chart.query.page_token"} <= found.keys()
    reference = pb.ChartReference(dashboard_id="device-risk", chart_id="nothing")
    with pytest.raises(errors.NotFound, match="it has by-category"):
        await client.risk.RenderChart(pb.RenderChartRequest(reference=reference))
    with pytest.raises(errors.NotFound) as gone:
        await client.risk.RenderChart(pb.RenderChartRequest(chart=chart(), data_version=99))
    assert gone.value.reason == "DATA_VERSION_NOT_FOUND"
    delete = await refused_fields(client.risk.DeleteDashboard(pb.DeleteDashboardRequest()))
    assert delete.keys() == {"dashboard_id", "reason"}
