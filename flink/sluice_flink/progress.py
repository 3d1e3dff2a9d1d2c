"""What a person sees while the job runs: stages, Flink's own counters, and a summary table."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from sluice_flink.publish import Base

_SHOWN_KEYS = 3


@dataclass(frozen=True)
class FlinkProgress:
    """Flink's counters of a running job."""

    tasks_finished: int
    tasks: int
    records_read: int
    running: tuple[str, ...]
    """Names of the operators at work, shortened."""


def read_flink_progress(rest_url: str, job_id: str) -> FlinkProgress | None:
    """Ask the mini cluster's REST endpoint; None where it does not answer (any more): progress is no reason to fail."""
    connection = http.client.HTTPConnection(str(urlsplit(rest_url).netloc), timeout=2)
    try:
        connection.request("GET", f"/jobs/{job_id}")
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            return None
        vertices = json.loads(response.read())["vertices"]
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return FlinkProgress(
        sum(vertex["status"] == "FINISHED" for vertex in vertices),
        len(vertices),
        sum(vertex["metrics"].get("read-records", 0) for vertex in vertices),
        tuple(vertex["name"][:60] for vertex in vertices if vertex["status"] == "RUNNING"),
    )


def answers(rest_url: str) -> bool:
    """Whether a Flink cluster's REST endpoint is there."""
    connection = http.client.HTTPConnection(str(urlsplit(rest_url).netloc), timeout=5)
    try:
        connection.request("GET", "/overview")
        return "taskmanagers" in json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


class Display(Protocol):
    """Told what the job does."""

    def stage(self, name: str) -> None:
        """A stage begins; the one before it has ended."""

    def step(self, text: str) -> None:
        """Something inside of the stage has happened."""

    def flink(self, progress: FlinkProgress) -> None:
        """Flink's counters have moved."""


class NoDisplay:
    """Shows nothing."""

    def stage(self, name: str) -> None:
        return None

    def step(self, text: str) -> None:
        return None

    def flink(self, progress: FlinkProgress) -> None:
        return None


class LiveDisplay:
    """One line a stage on a terminal; plain lines where there is none."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self._task: TaskID | None = None

    def stage(self, name: str) -> None:
        self.finish()
        if not self._console.is_terminal:
            self._console.print(f"{name} …")
        self._task = self._progress.add_task(name, total=None, text="")

    def step(self, text: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, text=text)

    def flink(self, progress: FlinkProgress) -> None:
        if self._task is not None:
            text = f"{progress.tasks_finished}/{progress.tasks} tasks, {progress.records_read:,} records"
            self._progress.update(self._task, completed=progress.tasks_finished, total=progress.tasks, text=text)

    def finish(self) -> None:
        """Mark the last stage as done."""
        if self._task is not None:
            self._progress.update(self._task, completed=1, total=1)
            self._progress.stop_task(self._task)
            self._task = None


@contextmanager
def live_display(console: Console) -> Iterator[LiveDisplay]:
    """A display on `console` for the time of the block."""
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", style="dim"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        display = LiveDisplay(console, progress)
        yield display
        display.finish()


def summary_table(
    title: str,
    row_counts: Mapping[str, int],
    findings: Mapping[tuple[str, str], int],
    seconds: Mapping[str, float],
    base: Base | None = None,
) -> Table:
    """Rows published, what was read and doubtful, what an incremental run computed anew, and where the time went."""
    table = Table(title=title, title_justify="left", show_lines=False)
    table.add_column("")
    table.add_column("what")
    table.add_column("", justify="right")
    for (source, finding), rows in sorted(findings.items()):
        if rows:
            plain = finding == "READ" or finding.startswith("CURRENCY_")
            table.add_row("read" if plain else "[yellow]found", f"{source} {finding}", f"{rows:,}")
    table.add_section()
    for name, rows in row_counts.items():
        table.add_row("published", name, f"{rows:,} rows")
    table.add_section()
    if base is not None:
        table.add_row("based on", f"data version {base.data_version}", "")
        for source, files in base.changed_files.items():
            table.add_row("changed", source, f"{len(files):,} files")
        for name, keys in base.reopened.describe().items():
            table.add_row("computed anew", name, _keys(keys))
        table.add_section()
    for name, value in seconds.items():
        table.add_row("took", name, f"{value:.1f} s")
    return table


def _keys(keys: Sequence[str]) -> str:
    if not keys:
        return "nothing"
    return ", ".join(keys) if len(keys) <= _SHOWN_KEYS else f"{keys[0]} … {keys[-1]}: {len(keys):,} partitions"
