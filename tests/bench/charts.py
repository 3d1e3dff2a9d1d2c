"""How long a chart takes from its question to the PNG, and the whole command with it.

python -m tests.bench.charts
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sluice_server.cli.chart_drawing import draw
from sluice_server.cli.chart_store import render_from_store
from sluice_server.domain.risk.charts.dashboard_yaml import shipped_dashboards
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from tests.bench.report import Row, report
from tests.integration.risk.published import publish
from tests.unit.risk.charts.pictures import rows


def measure() -> list[Row]:
    """Every shipped chart, drawn from a small store: a picture costs the same over any number of rows."""
    with tempfile.TemporaryDirectory() as place:
        url = f"sqlite+aiosqlite:///{place}/risk.db"
        asyncio.run(publish(url, rows()))
        drawn = []
        for dashboard in shipped_dashboards(shipped_model()):
            begin = time.perf_counter()
            specifications = asyncio.run(render_from_store(url, dashboard.dashboard_id, "zh", 0))
            asked = (time.perf_counter() - begin) / len(specifications)
            for _, specification in specifications:
                begin = time.perf_counter()
                draw(specification, "png")
                drawn.append(asked + time.perf_counter() - begin)
        # The first picture starts the renderer.
        warm = drawn[1:]
        begin = time.perf_counter()
        command = ["dashboard", "insurer-health", "--store", url, "--out", f"{place}/out"]
        subprocess.run(
            [sys.executable, "-m", "sluice_server.cli.main", "chart", *command], check=True, capture_output=True
        )
        whole = time.perf_counter() - begin
        pictures = len(list(Path(place, "out").glob("*.png")))
    about = (
        f"median of the {len(drawn)} shipped ones, 2 pixels a point; slowest {max(warm):.2f}, first {drawn[0]:.2f} s"
    )
    return [
        Row("charts/png", round(statistics.median(warm), 3), "s", about),
        Row("charts/dashboard", round(whole, 2), "s", f"`sluice chart dashboard`, {pictures} pictures, start included"),
    ]


def main() -> None:
    """Measures and reports."""
    report("risk", measure(), part=True)


if __name__ == "__main__":
    main()
