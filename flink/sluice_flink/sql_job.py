"""The SQL files as one Flink job: declared, and run to its end."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice_flink import embedded, jdbc_input, jdbc_sink
from sluice_flink.findings import JobFailed
from sluice_flink.inputs import StagedInput
from sluice_flink.progress import Display, FlinkProgress, read_flink_progress
from sluice_flink.result_partitions import Reopened
from sluice_flink.result_partitions import sql_parameters as partition_parameters
from sluice_flink.sql_files import FOLDERS, statements

if TYPE_CHECKING:
    from pyflink.table import StatementSet, StreamTableEnvironment

_POLL_SECONDS = 0.5
_VIEW = re.compile(r"CREATE\s+VIEW\s+(?P<name>\w+)\s+AS\s+(?P<query>.*)", re.DOTALL)


def sql_parameters(
    staged: StagedInput, results: Path, watermark: dt.datetime, reopened: Reopened | None = None
) -> dict[str, str]:
    """What the placeholders of the SQL files stand for."""
    return partition_parameters(reopened) | {
        "input": str(staged.folder.resolve()),
        "orders": str(staged.orders.resolve()),
        "results": str(results.resolve()),
        "watermark": watermark.strftime("%Y-%m-%d %H:%M:%S"),
        "watermark_date": watermark.strftime("%Y-%m-%d"),
    }


def declare(
    tables: StreamTableEnvironment,
    parameters: Mapping[str, str],
    options: Mapping[str, str] | None = None,
    incoming: jdbc_sink.Incoming | None = None,
) -> StatementSet:
    """Run the SQL files' declarations and collect their INSERTs. `options`: WITH clauses by source table; `incoming`:
    the tables to write into instead of files."""
    inserts = tables.create_statement_set()
    for folder in FOLDERS:
        for statement in statements(folder, parameters):
            if folder == "sinks" and incoming is not None:
                statement = incoming.sink(statement)
            if statement.startswith("INSERT"):
                inserts.add_insert_sql(statement)
            elif view := _VIEW.match(statement):
                # Planned once. A view of the catalogue is parsed and planned again wherever it is named, and so are the
                # views that it names.
                tables.create_temporary_view(view["name"], tables.sql_query(view["query"]))
            else:
                tables.execute_sql(jdbc_input.replace_source(statement, options or {}))
    return inserts


def execute(flink: embedded.EmbeddedFlink, inserts: StatementSet, display: Display) -> FlinkProgress | None:
    """Run the job, showing Flink's own counters; returns the last of them. Raises `JobFailed`."""
    progress: FlinkProgress | None = None
    try:
        result = inserts.execute()
        client = result.get_job_client()
        job_id = str(client.get_job_id()) if client is not None else ""
        display.step(f"job {job_id}")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            done = pool.submit(result.wait)
            while not concurrent.futures.wait([done], timeout=_POLL_SECONDS).done:
                if latest := read_flink_progress(flink.rest_url, job_id):
                    progress = latest
                    display.flink(progress)
            done.result()
    except Exception as error:
        raise JobFailed(f"Flink: {_root_cause(error)}") from error
    if progress is not None:
        # The job ends between two looks, and the mini cluster with it.
        progress = replace(progress, tasks_finished=progress.tasks, running=())
        display.flink(progress)
    return progress


def _root_cause(error: BaseException) -> str:
    """The last cause in Java's stack trace, which is the one that says something."""
    causes = re.findall(r"^Caused by: (.+)$", str(error), re.MULTILINE)
    return causes[-1] if causes else str(error).splitlines()[0]
