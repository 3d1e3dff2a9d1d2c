"""A CSV file of recorded outcomes, as ``sluice breaker replay`` reads it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import typer

from sluice_server.domain.breaker.replayed_order import EARLIEST, LATEST, LONGEST_LATENCY_SECONDS, ReplayedOrder
from sluice_server.domain.orders.model import Outcome

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PENDING = "PENDING"
MOST_PROBLEMS = 20
"""So many wrong lines of a file are told."""
MOST_IN_A_ROW = 10_000_000
"""So many orders one line of a file may stand for."""
COLUMNS = ("at", "outcome", "insurer", "product_line", "latency_ms", "count")

Written = Callable[[datetime], str | float]
"""A moment as the file writes it."""

_OUTCOMES: dict[str, Outcome | None] = {**{str(outcome): outcome for outcome in Outcome}, PENDING: None}


class OutcomeFile:
    """Reads the orders of a CSV file one after the other, holding none of them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._in_seconds: bool | None = None
        self._names: dict[str, str] = {}
        """One object for each name, however many lines have it."""

    @property
    def written(self) -> Written:
        """How the file writes moments, as far as it has been read."""
        return _as_seconds if self._in_seconds else _as_time

    def __iter__(self) -> Iterator[ReplayedOrder]:
        """Raises BadParameter at the end, which names wrong lines together; without them from the first one on."""
        problems: list[str] = []
        wrong = 0
        # A byte that is no UTF-8 is seen in the value that it spoils.
        with self._file.open(newline="", encoding="utf-8-sig", errors="backslashreplace") as text:
            rows = csv.reader(text)
            try:
                header = next((row for row in rows if row), [])
                missing = {"at", "outcome"} - set(header)
                if missing:
                    raise typer.BadParameter(f"{self._file}: the header line lacks {', '.join(sorted(missing))}")
                width = len(header)
                # The last of two columns with the same name counts; one that is not there is read from the end.
                places = [max((n for n, name in enumerate(header) if name == each), default=-1) for each in COLUMNS]
                for row in rows:
                    if not row:
                        continue
                    values = row[:width]
                    values.extend([""] * (width + 1 - len(values)))
                    try:
                        order = self._order(*[values[place] for place in places])
                    except ValueError as error:
                        wrong += 1
                        if wrong <= MOST_PROBLEMS:
                            problems.append(f"line {rows.line_num}: {error}")
                        continue
                    if not wrong:
                        yield order
            except csv.Error as error:
                raise typer.BadParameter(f"{self._file}: line {rows.line_num}: {error}") from None
        if problems:
            more = f"\n… and {wrong - MOST_PROBLEMS} more" if wrong > MOST_PROBLEMS else ""
            raise typer.BadParameter(f"{self._file}:\n" + "\n".join(problems) + more)

    def _order(self, at: str, outcome: str, insurer: str, line: str, latency_ms: str, counted: str) -> ReplayedOrder:
        moment = self._moment(at)
        if not EARLIEST <= moment < LATEST:
            raise ValueError("at: must be a time between the years 1900 and 9000")
        try:
            found = _OUTCOMES[outcome.strip()]
        except KeyError:
            raise ValueError(f"outcome: {outcome.strip()!r} is not one of {', '.join(_OUTCOMES)}") from None
        latency = _number("latency_ms", latency_ms, float, "0") if latency_ms else 0.0
        count = _number("count", counted, int, "1") if counted else 1
        if not 0 <= latency <= LONGEST_LATENCY_SECONDS * 1000:
            raise ValueError(f"latency_ms: must be from 0 to {LONGEST_LATENCY_SECONDS * 1000:g}, not {latency:g}")
        if not 0 <= count <= MOST_IN_A_ROW:
            raise ValueError(f"count: must be from 0 to {MOST_IN_A_ROW}, not {count}")
        names = self._names
        return ReplayedOrder(
            moment, names.setdefault(insurer, insurer), found, latency / 1000, names.setdefault(line, line), count
        )

    def _moment(self, text: str) -> datetime:
        """All of a file are of one kind: seconds, or times."""
        text = text.strip()
        try:
            in_seconds, moment = True, EPOCH + timedelta(seconds=float(text))
        except (ValueError, OverflowError):
            in_seconds, moment = False, _time(text)
        if self._in_seconds is None:
            self._in_seconds = in_seconds
        elif self._in_seconds is not in_seconds:
            raise ValueError("at: seconds and times in one file")
        return moment


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"at: {text!r} is neither a number of seconds nor an RFC 3339 time") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


N = TypeVar("N", int, float)


def _number(name: str, text: str, kind: Callable[[str], N], default: str) -> N:
    text = text.strip() or default
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not a {'whole ' if kind is int else ''}number") from None


def _as_seconds(moment: datetime) -> float:
    return round((moment - EPOCH).total_seconds(), 6)


def _as_time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
