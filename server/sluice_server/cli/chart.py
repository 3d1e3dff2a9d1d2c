"""``sluice chart``: charts and dashboards as pictures, from a server or straight from a risk store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from rich.table import Table
from rich.text import Text

from sluice.client import Sluice
from sluice.risk.v1 import dashboards_pb2 as pb
from sluice_server.api.risk import charts_render
from sluice_server.cli.chart_drawing import FORMATS, DrawingNotInstalled, draw
from sluice_server.cli.chart_store import render_from_store
from sluice_server.cli.connection import (
    DEFAULT_ADDRESS,
    ActorName,
    Address,
    AsJson,
    Reason,
    output,
    print_json,
    problems,
    server,
)
from sluice_server.cli.files import read_text
from sluice_server.domain.errors import InvalidInput, SluiceError
from sluice_server.domain.risk.charts.dashboard_yaml import load_chart, load_dashboard

app = typer.Typer(no_args_is_help=True, help="Charts and dashboards: draw them as PNG or SVG, list, save, delete.")


class LanguageName(StrEnum):
    """As it is typed."""

    ZH = "zh"
    EN = "en"


class FormatName(StrEnum):
    """As it is typed."""

    PNG = "png"
    SVG = "svg"
    JSON = "json"


File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A chart's or a dashboard's YAML file.")]
InLanguage = Annotated[LanguageName, typer.Option("--language", help="Of titles and labels.")]
Scale = Annotated[float, typer.Option(min=0.5, max=8, help="Pixels a point of a PNG.")]
DataVersion = Annotated[int, typer.Option(min=0, help="Draw this data version instead of the active one.")]
Store = Annotated[
    str | None,
    typer.Option(help="Read this risk store (sqlite:///FILE, postgresql://…) instead of asking a server."),
]


@app.command()
def render(
    file: File,
    out: Annotated[Path, typer.Option(help="Where to write it; .png, .svg or .json (the Vega-Lite specification).")],
    language: InLanguage = LanguageName.ZH,
    data_version: DataVersion = 0,
    scale: Scale = 2.0,
    store: Store = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Draw the chart that a file defines."""
    format_name = out.suffix.removeprefix(".").lower()
    if format_name not in FORMATS:
        raise typer.BadParameter(f"must end in one of {', '.join('.' + name for name in FORMATS)}", param_hint="--out")
    with _told():
        text = read_text(file)
        if store is not None:
            [(_, specification)] = asyncio.run(render_from_store(store, text, language, data_version, single=True))
        else:
            chart = charts_render.chart(load_chart(text, None))
            with server(address) as sluice:
                specification = _rendered(sluice, language, data_version, chart=chart)
        _write(out, draw(specification, format_name, scale))


@app.command()
def dashboard(
    name: Annotated[str, typer.Argument(help="The dashboard's id, or its YAML file.")],
    out: Annotated[Path, typer.Option(help="The folder to write its charts to.")],
    language: InLanguage = LanguageName.ZH,
    format_name: Annotated[FormatName, typer.Option("--format", help="What to write.")] = FormatName.PNG,
    data_version: DataVersion = 0,
    scale: Scale = 2.0,
    store: Store = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Draw every chart of a dashboard, a file each."""
    given = read_text(Path(name)) if name.endswith((".yaml", ".yml")) else None
    with _told():
        if store is not None:
            found = asyncio.run(render_from_store(store, given or name, language, data_version))
        else:
            with server(address) as sluice:
                found = _dashboard_of(sluice, name, given, language, data_version)
        for chart_id, specification in found:
            _write(out / f"{chart_id}.{format_name}", draw(specification, format_name, scale))


@app.command("list")
def list_dashboards(address: Address = DEFAULT_ADDRESS, actor: ActorName = "", as_json: AsJson = False) -> None:
    """Show the dashboards, shipped and saved."""
    with server(address, actor) as sluice:
        answer = pb.ListDashboardsResponse(dashboards=_every(sluice))
    if as_json:
        print_json(answer)
        return
    table = Table("dashboard", "title", "charts", "owner", "version", box=None, padding=(0, 2, 0, 0))
    for one in answer.dashboards:
        title = one.localized_title.en or one.title
        version = "shipped" if one.shipped else str(one.version)
        table.add_row(one.dashboard_id, Text(title), str(len(one.charts)), one.owner, version)
    output.print(table)


@app.command()
def save(
    file: File,
    reason: Reason,
    etag: Annotated[str, typer.Option(help="Of the dashboard that it replaces; empty for a new one.")] = "",
    actor: ActorName = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Save the dashboard that a file defines."""
    with _told():
        given = charts_render.dashboard(load_dashboard(read_text(file), None))
        given.etag = etag
        with server(address, actor) as sluice:
            saved = sluice.risk.SaveDashboard(pb.SaveDashboardRequest(dashboard=given, reason=reason))
    output.print(f"saved {saved.dashboard_id}, version {saved.version}, etag {saved.etag}")


@app.command()
def delete(
    dashboard_id: Annotated[str, typer.Argument(help="The dashboard.")],
    reason: Reason,
    etag: Annotated[str, typer.Option(help="Delete it only if it is still this one.")] = "",
    actor: ActorName = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Delete a dashboard; its versions stay in the store."""
    request = pb.DeleteDashboardRequest(dashboard_id=dashboard_id, etag=etag, reason=reason)
    with server(address, actor) as sluice:
        sluice.risk.DeleteDashboard(request)
    output.print(f"deleted {dashboard_id}")


def _every(sluice: Sluice) -> list[pb.Dashboard]:
    found: list[pb.Dashboard] = []
    token = ""
    while True:
        page = sluice.risk.ListDashboards(pb.ListDashboardsRequest(page_size=1000, page_token=token))
        found += page.dashboards
        token = page.next_page_token
        if not token:
            return found


def _dashboard_of(
    sluice: Sluice, name: str, given: str | None, language: str, data_version: int
) -> list[tuple[str, dict[str, Any]]]:
    if given is not None:
        charts = list(charts_render.dashboard(load_dashboard(given, None)).charts)
    else:
        known = {one.dashboard_id: one for one in _every(sluice)}
        if name not in known:
            raise typer.BadParameter(f"no dashboard {name}; there are {', '.join(known)}", param_hint="NAME")
        charts = list(known[name].charts)
    return [(chart.chart_id, _rendered(sluice, language, data_version, chart=chart)) for chart in charts]


def _rendered(sluice: Sluice, language: str, data_version: int, *, chart: pb.Chart) -> dict[str, Any]:
    request = pb.RenderChartRequest(chart=chart, language=language, data_version=data_version)
    return dict(MessageToDict(sluice.risk.RenderChart(request).vega_lite))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    output.print(f"{path}  {len(content):,} bytes", soft_wrap=True)


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a file or a store ends the command with exit code 1 and every mistake."""
    try:
        yield
    except InvalidInput as wrong:
        for violation in wrong.violations:
            problems.print(Text(f"{violation.field}: ", style="bold") + Text(violation.description))
        raise typer.Exit(1) from None
    except (SluiceError, DrawingNotInstalled, ValueError) as wrong:
        problems.print(Text(str(wrong), style="bold red"))
        raise typer.Exit(1) from None
