"""A CSV file of recorded outcomes, as ``sluice breaker replay`` reads it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import typer

from sluice_server.domain.breaker.replay import EARLIEST, LATEST, LONGEST_LATENCY_SECONDS, ReplayedOrder
from sluice_server.domain.orders.model import Outcome

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PENDING = "PENDING"
MOST_PROBLEMS = 20
"""So many wrong lines of a file are told."""
MOST_IN_A_ROW = 10_000_000
"""So many orders one line of a file may stand for: each is replayed by itself."""

Written = Callable[[datetime], str | float]
"""A moment as the file writes it."""


def read_outcomes(file: Path) -> tuple[list[ReplayedOrder], Written]:
    """The orders of a CSV file, and how it writes moments. Wrong lines are named together."""
    problems: list[str] = []
    orders: list[ReplayedOrder] = []
    in_seconds: bool | None = None
    # A byte that is no UTF-8 is seen in the value that it spoils.
    with file.open(newline="", encoding="utf-8-sig", errors="backslashreplace") as text:
        rows = csv.DictReader(text)
        missing = {"at", "outcome"} - set(rows.fieldnames or ())
        if missing:
            raise typer.BadParameter(f"{file}: the header line lacks {', '.join(sorted(missing))}")
        for row in _rows(file, rows):
            try:
                at, seconds = _moment(row["at"])
                if not EARLIEST <= at < LATEST:
                    raise ValueError("at: must be a time between the years 1900 and 9000")
                if in_seconds not in (None, seconds):
                    raise ValueError("at: seconds and times in one file")
                in_seconds = seconds
                orders.append(_order(at, row))
            except ValueError as error:
                problems.append(f"line {rows.line_num}: {error}")
    if problems:
        more = f"\n… and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        raise typer.BadParameter(f"{file}:\n" + "\n".join(problems[:MOST_PROBLEMS]) + more)
    return orders, _as_seconds if in_seconds else _as_time


def _rows(file: Path, rows: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except csv.Error as error:
        raise typer.BadParameter(f"{file}: line {rows.line_num}: {error}") from None


def _order(at: datetime, row: dict[str, Any]) -> ReplayedOrder:
    name = (row["outcome"] or "").strip()
    if name not in (*Outcome, PENDING):
        raise ValueError(f"outcome: {name!r} is not one of {', '.join((*Outcome, PENDING))}")
    latency = _number(row, "latency_ms", float, 0.0)
    count = _number(row, "count", int, 1)
    if not 0 <= latency <= LONGEST_LATENCY_SECONDS * 1000:
        raise ValueError(f"latency_ms: must be from 0 to {LONGEST_LATENCY_SECONDS * 1000:g}, not {latency:g}")
    if not 0 <= count <= MOST_IN_A_ROW:
        raise ValueError(f"count: must be from 0 to {MOST_IN_A_ROW}, not {count}")
    return ReplayedOrder(
        at=at,
        insurer_id=row.get("insurer") or "",
        outcome=None if name == PENDING else Outcome(name),
        latency_seconds=latency / 1000,
        product_line=row.get("product_line") or "",
        count=count,
    )


N = TypeVar("N", int, float)


def _number(row: dict[str, Any], name: str, kind: Callable[[str], N], default: N) -> N:
    text = (row.get(name) or "").strip()
    try:
        return kind(text) if text else default
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not a {'whole ' if kind is int else ''}number") from None


def _moment(text: str | None) -> tuple[datetime, bool]:
    """The moment, and whether it is written in seconds."""
    text = (text or "").strip()
    try:
        return EPOCH + timedelta(seconds=float(text)), True
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"at: {text!r} is neither a number of seconds nor an RFC 3339 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), False


def _as_seconds(moment: datetime) -> float:
    return round((moment - EPOCH).total_seconds(), 6)


def _as_time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
