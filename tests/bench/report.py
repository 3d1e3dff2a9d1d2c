"""What every benchmark says at its end: a table for people, ``build/bench/NAME.json`` for machines."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parents[2] / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure."""

    case: str
    """Its name, the same from run to run: ``route/sqlite``."""
    value: float
    unit: str
    against: str = ""
    """What it was measured beside, in the same run."""
    ratio: float | None = None
    """The value over what ``against`` names."""
    goal: str = ""
    """What is wanted, for the table alone: "ratio ≥ 0.80"."""


def report(name: str, rows: Sequence[Row], *, part: bool = False) -> Path:
    """Prints the table and writes ``build/bench/NAME.json``, whole or not at all; returns its path.

    ``part``: several benchmarks share the file; what the others measured on this machine stays in it.
    """
    table = Table(title=f"{name} on {machine()}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("case", "value", "unit", "ratio", "against", "goal"):
        table.add_column(heading, justify="right" if heading in {"value", "ratio"} else "left")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.case, _number(row.value), row.unit, ratio, row.against, row.goal)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    kept = _others(path, {row.case for row in rows}) if part else []
    content = {"name": name, "machine": machine(), "rows": [*kept, *(_plain(row) for row in rows)]}
    written = path.with_suffix(".json.new")
    written.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    written.replace(path)
    return path


def machine() -> str:
    """Processor, cores, memory, Python: what figures depend on most."""
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {cores} cores, {gibibytes:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, grpcio {metadata.version('grpcio')}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def _others(path: Path, cases: set[str]) -> list[dict[str, object]]:
    """The rows of the file that are not of these cases."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [row for row in content["rows"] if row["case"] not in cases] if content["machine"] == machine() else []


def _plain(row: Row) -> dict[str, object]:
    return {name: value for name, value in asdict(row).items() if name != "goal"}


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
