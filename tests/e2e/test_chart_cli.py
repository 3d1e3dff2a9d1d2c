"""``sluice chart``: pictures from a server and from a risk store."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sluice_server.cli.chart_drawing import draw
from sluice_server.cli.main import app
from tests.integration.risk.published import publish
from tests.support.risk_server import RiskRoom, risk_room
from tests.unit.risk.charts.pictures import rows

CHART = """
chart_id: loss
title: {zh: 各渠道赔付率, en: Loss ratio by channel}
type: bar
query: {metrics: [loss_ratio], dimensions: [channel]}
"""
DASHBOARD = f"""
dashboard_id: weekly
title: {{zh: 每周, en: Weekly}}
charts:
  - {"    ".join(CHART.strip().splitlines(keepends=True))}
"""


def png_size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A filled risk store, as one types its URL."""
    asyncio.run(publish(f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}", rows()))
    return f"sqlite:///{tmp_path / 'risk.db'}"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[RiskRoom]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}"
    await publish(url, rows())
    async with risk_room(f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}", url) as room:
        yield room


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["chart", *arguments])


async def against(room: RiskRoom, *arguments: str) -> Result:
    return await asyncio.to_thread(typed, *arguments, "--address", room.address)


def test_a_chart_is_drawn_from_a_store_as_png_svg_and_specification(store: str, tmp_path: Path) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text(CHART)
    for name in ("chart.png", "chart.svg", "chart.json"):
        done = typed("render", str(file), "--store", store, "--out", str(tmp_path / name))
        assert done.exit_code == 0, done.output
    width, height = png_size((tmp_path / "chart.png").read_bytes())
    assert width > 1000
    assert height > 200
    assert "各渠道赔付率" in (tmp_path / "chart.svg").read_text()
    assert json.loads((tmp_path / "chart.json").read_text())["title"]["text"] == "各渠道赔付率"


def test_a_shipped_dashboard_is_drawn_from_a_store(store: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = typed(
        *("dashboard", "insurer-health", "--store", store, "--out", str(out), "--language", "en", "--format", "svg")
    )
    assert done.exit_code == 0, done.output
    names = ["backlog-by-day.svg", "backlog.svg", "failure-rate-now.svg", "failure-rate.svg", "insurers.svg"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "Unfinished orders by insurer" in (out / "backlog.svg").read_text()


async def test_a_dashboard_is_saved_listed_drawn_and_deleted_through_a_server(room: RiskRoom, tmp_path: Path) -> None:
    file = tmp_path / "weekly.yaml"
    file.write_text(DASHBOARD)
    saved = await against(room, "save", str(file), "--reason", "new", "--actor", "li.si")
    assert saved.output == "saved weekly, version 1, etag 1\n"
    listed = await against(room, "list")
    assert "weekly" in listed.output
    assert "shipped" in listed.output
    drawn = await against(room, "dashboard", "weekly", "--out", str(tmp_path / "out"))
    assert drawn.exit_code == 0, drawn.output
    png_size((tmp_path / "out" / "loss.png").read_bytes())
    chart = tmp_path / "chart.yaml"
    chart.write_text(CHART)
    one = await against(room, "render", str(chart), "--out", str(tmp_path / "one.svg"))
    assert one.exit_code == 0, one.output
    gone = await against(room, "delete", "weekly", "--reason", "old", "--etag", "1", "--actor", "li.si")
    assert gone.output == "deleted weekly\n"
    refused = await against(room, "dashboard", "weekly", "--out", str(tmp_path / "out"))
    assert refused.exit_code == 2


async def test_mistakes_end_the_command_with_their_place(room: RiskRoom, tmp_path: Path) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text(CHART.replace("type: bar", "type: pie"))
    local = await against(room, "render", str(file), "--out", str(tmp_path / "x.png"))
    assert (local.exit_code, "line 4: type" in local.output) == (1, True)
    file.write_text(CHART.replace("loss_ratio", "los_ratio"))
    remote = await against(room, "render", str(file), "--out", str(tmp_path / "x.png"))
    assert (remote.exit_code, "did you mean 'loss_ratio'" in remote.output) == (1, True)
    file.write_text(CHART)
    wrong_store = ("render", str(file), "--out", str(tmp_path / "x.png"), "--store", "mysql://localhost/x")
    no_store = await asyncio.to_thread(typed, *wrong_store)
    assert (no_store.exit_code, "URL" in no_store.output) == (1, True)
    assert (await against(room, "render", str(file), "--out", str(tmp_path / "x.gif"))).exit_code == 2
    assert not (tmp_path / "x.png").exists()


def test_chinese_is_drawn_and_not_boxes() -> None:
    def drawn(text: str) -> bytes:
        mark = {"type": "text", "text": text, "fontSize": 30}
        specification = {"data": {"values": [{}]}, "mark": mark, "config": {"font": "Noto Sans CJK SC"}}
        return draw(specification, "png")

    assert len({drawn("渠"), drawn("道"), drawn("\ue000")}) == 3


def test_nothing_is_fetched_while_drawing() -> None:
    specification = {
        "data": {"url": "http://127.0.0.1:1/data.json"},
        "mark": "point",
        "encoding": {"x": {"field": "a"}},
    }
    with pytest.raises(ValueError, match="not allowed"):
        draw(specification, "svg")
