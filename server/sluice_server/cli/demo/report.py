"""What the demo prints: the incident, the books, the answers, and what to try next."""

from __future__ import annotations

from google.protobuf import duration_pb2
from rich.console import Console
from rich.table import Table

from sluice.insurer.v1 import incident_pb2
from sluice.risk.v1 import data_pb2, query_pb2
from sluice_server.cli.demo.ledgers import Comparison

QUIET = {incident_pb2.INCIDENT_EVENT_KIND_ORDER_RETRIED}
"""Kinds of which there are many: counted, not printed."""
NEXT = (
    ("What happened", "sluice.insurer.v1.InsurerControl/ListIncidents", "{}"),
    (
        "Who would insure this, and why",
        "sluice.routing.v1.Routing/ExplainRoute",
        (
            '{"application": {"application_id": "try-1", "product_code": "screen-cover-12m", "product_line": "screen", '
            '"device": {"device_ref": "dev-1", "model_id": "aurora-12", "category": "phone", '
            '"price": {"amount_minor": 399900, "currency_code": "CNY"}}, '
            '"channel": {"channel_id": "online", "tier": "gold"}, "customer_ref": "cust-1", '
            '"premium": {"amount_minor": 23900, "currency_code": "CNY"}, "term_months": 12}}'
        ),
    ),
    (
        "Which channels lose money",
        "sluice.risk.v1.RiskQuery/Query",
        '{"metrics": ["loss_ratio"], "dimensions": ["channel"], "order_by": ["-loss_ratio"], "page_size": 5}',
    ),
)


def incident(console: Console, told: incident_pb2.Incident | None) -> None:
    """The incident with its minutes and numbers, as GetIncident tells it."""
    if told is None:
        return
    console.rule(f"[bold]Incident {told.incident_id}: {told.insurer_id}")
    for name, length in (
        ("first failure to cut", told.time_to_cut),
        ("cut to confirmation", told.time_to_confirm),
        ("cut to all traffic back", told.time_to_recover),
    ):
        console.print(f"  {name:<26} {_minutes(length)}", highlight=False)
    console.print(
        f"  affected orders {told.affected_orders}, retried {told.retried_orders}, insured by retry "
        f"{told.insured_by_retry}, leaked after the cut {told.leaked_orders}",
        highlight=False,
    )
    for title, shares in (("shares before", told.shares_before), ("shares since", told.shares_after)):
        text = "  ".join(f"{share.insurer_id} {share.basis_points / 100:.0f} %" for share in shares)
        console.print(f"  {title:<26} {text}", highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("time", "what", "who", "why and with what"):
        table.add_column(heading)
    for event in told.events:
        if event.kind in QUIET:
            continue
        kind = incident_pb2.IncidentEventKind.Name(event.kind).removeprefix("INCIDENT_EVENT_KIND_")
        details = ", ".join(f"{key}={value}" for key, value in sorted(event.details.items()))
        table.add_row(
            event.event_time.ToDatetime().strftime("%H:%M:%S"),
            kind,
            event.actor,
            "; ".join(part for part in (event.reason, details) if part),
        )
    console.print(table)


def books(console: Console, found: Comparison) -> None:
    """The ledgers against the store."""
    console.rule("[bold]The insurers' ledgers against the store")
    console.print(
        f"  {found.orders} orders in the store, {found.insured} of them insured; "
        f"{found.policies} policies in the ledgers\n"
        f"  lost {len(found.lost)}   insured twice {len(found.doubly_insured)}   "
        f"in dispute {len(found.disagreeing)}   not final {len(found.not_final)}",
        highlight=False,
    )


def answer(console: Console, title: str, told: query_pb2.QueryResponse) -> None:
    """An answer of RiskQuery, with exposure, interval, data version and watermark."""
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left")
    uncertain = {
        column.name for column in told.columns if any(r.metrics[column.name].HasField("interval") for r in told.rows)
    }
    for column in told.columns:
        unit = f" ({column.unit})" if column.metric and column.unit not in {"", "ratio"} else ""
        table.add_column((column.label_en or column.name) + unit, justify="right" if column.metric else "left")
        if column.name in uncertain:
            table.add_column("interval", justify="right", style="dim", no_wrap=True)
    table.add_column("exposure", justify="right", style="dim", no_wrap=True)
    for row in told.rows:
        cells = [
            cell for column in told.columns for cell in _cells(row, column, told_interval=column.name in uncertain)
        ]
        metric = next(column for column in told.columns if column.metric)
        table.add_row(*cells, f"{row.metrics[metric.name].exposure:,.0f} {metric.exposure_unit}")
    table.caption = f"data version {told.data.data_version}, watermark {told.data.watermark.ToJsonString()}"
    console.print(table)


def _cells(row: query_pb2.Row, column: query_pb2.Column, *, told_interval: bool) -> list[str]:
    """One column's text in a row, and its interval's where the column has one."""
    if not column.metric:
        return [row.dimensions[column.name]]
    value = row.metrics[column.name]
    cells = [_number(value.value) if value.HasField("value") else "–"]
    if told_interval:
        known = value.HasField("interval")
        cells.append(f"{_number(value.interval.lower)} … {_upper(value.interval)}" if known else "")
    return cells


def _upper(interval: data_pb2.Interval) -> str:
    return _number(interval.upper) if interval.HasField("upper") else "∞"


def _number(value: float) -> str:
    """Three digits behind the point for small numbers, none for large ones."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3f}"


def what_next(console: Console) -> None:
    """Three calls that work while ``make serve`` runs."""
    console.print(
        "\n[bold]What to try next[/bold]: run `make serve` (it serves what this demo left), and in another terminal:"
    )
    for title, method, body in NEXT:
        console.print(f"\n# {title}", style="dim")
        console.print(
            f"grpcurl -plaintext -d '{body}' 127.0.0.1:7350 {method}", soft_wrap=True, highlight=False, markup=False
        )


def _minutes(length: duration_pb2.Duration) -> str:
    seconds = length.ToTimedelta().total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {seconds % 60:.0f} s"
