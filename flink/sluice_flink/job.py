"""The risk job: check the input, run the FlinkSQL files in batch, judge what was found, publish one data version."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice_flink import embedded
from sluice_flink.inputs import BadInput, StagedInput, find_bad_rows, stage
from sluice_flink.progress import Display, NoDisplay, read_flink_progress
from sluice_flink.publish import Publication, publish_results, read_results
from sluice_flink.sql_files import FOLDERS, statements

if TYPE_CHECKING:
    from pyflink.table import StatementSet, StreamTableEnvironment

FATAL_FINDINGS = frozenset({"DUPLICATE_KEY", "MIXED_CURRENCY"})
"""Findings that would make figures wrong rather than incomplete."""
REJECT_FINDINGS = frozenset(
    {
        "MISSING_VALUE", "BAD_TIME", "BAD_STATUS", "BAD_AMOUNT", "END_BEFORE_START", "TERM_TOO_LONG", "UNKNOWN_POLICY",
        "REJECTED_POLICY",
    }
)  # fmt: skip
_POLL_SECONDS = 0.5


class JobFailed(RuntimeError):
    """The job could not produce results that may be published; the message says what to mend. Nothing was published."""


@dataclass(frozen=True)
class RunParameters:
    """One run of the job."""

    input_dir: Path
    """Holds policies, claims, devices, channels, repair_shops as CSV (and `watermark.txt`, if it likes)."""
    orders_dir: Path | None
    """Sluice's exported orders (`dt=…/*.jsonl`); None: no orders."""
    store_url: str
    """Risk query store: `sqlite:///FILE` or `postgresql://…`."""
    work_dir: Path
    """Scratch folder; what is in it from an earlier run is deleted."""
    watermark: dt.datetime | None = None
    """Everything before this instant counts; None: the input's `watermark.txt`, else now."""
    reject_limit: float = 0.01
    """Largest share of a source table's rows that may be rejected; beyond it nothing is published."""
    keep_versions: int = 5
    flink: embedded.EmbeddedSettings = field(default_factory=embedded.EmbeddedSettings)


@dataclass(frozen=True)
class RunReport:
    """What a run has published."""

    data_version: int
    watermark: dt.datetime
    row_counts: Mapping[str, int]
    findings: Mapping[tuple[str, str], int]
    """Rows by (source table, finding), as in the result table source_check."""
    seconds: Mapping[str, float]
    """Wall time by stage."""
    fingerprint: str
    flink_version: str


def run(parameters: RunParameters, now: Callable[[], dt.datetime], display: Display | None = None) -> RunReport:
    """Run everything and publish. Raises `BadInput`, `JobFailed`, `BadStoreUrl`; then nothing has been published."""
    display = display or NoDisplay()
    watermark = choose_watermark(parameters, now)
    shutil.rmtree(parameters.work_dir, ignore_errors=True)
    parameters.work_dir.mkdir(parents=True)
    seconds: dict[str, float] = {}

    @contextmanager
    def stage_named(name: str) -> Iterator[None]:
        display.stage(name)
        begun = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - begun

    with stage_named("check and stage the input"):
        staged = stage(parameters.input_dir, parameters.orders_dir, parameters.work_dir)
    with stage_named("start Flink"):
        flink = embedded.start(parameters.work_dir, parameters.flink)
    results = parameters.work_dir / "results"
    with stage_named("plan the jobs"):
        inserts = declare(flink.tables, sql_parameters(staged, results, watermark))
    with stage_named("run the jobs"):
        _execute(flink, inserts, staged, display)
    with stage_named("publish"):
        rows = read_results(results)
        findings = {(str(source), str(finding)): int(str(count)) for source, finding, count in rows["source_check"]}
        judge(findings, parameters.reject_limit)
        publication = Publication(
            watermark=watermark,
            published_at=now(),
            fingerprint=staged.fingerprint,
            flink_version=flink.version,
            duration_seconds=sum(seconds.values()),
            keep_versions=parameters.keep_versions,
        )
        published = publish_results(parameters.store_url, rows, publication, display.step)
    shutil.rmtree(staged.folder)
    return RunReport(
        published.data_version, watermark, published.row_counts, findings, seconds, staged.fingerprint, flink.version
    )


def choose_watermark(parameters: RunParameters, now: Callable[[], dt.datetime]) -> dt.datetime:
    """The given watermark, else the one the input states, else now; in UTC. `BadInput` if it has no time zone."""
    stated = parameters.input_dir / "watermark.txt"
    watermark = parameters.watermark
    if watermark is None and stated.is_file():
        try:
            watermark = dt.datetime.fromisoformat(stated.read_text().strip())
        except ValueError as error:
            raise BadInput([f"{stated}: {error}"]) from error
    if watermark is None:
        watermark = now()
    if watermark.tzinfo is None:
        raise BadInput(["watermark: needs a time zone, as in 2026-11-01T00:00:00Z"])
    return watermark.astimezone(dt.UTC)


def sql_parameters(staged: StagedInput, results: Path, watermark: dt.datetime) -> dict[str, str]:
    """What the placeholders of the SQL files stand for."""
    return {
        "input": str(staged.folder.resolve()),
        "orders": str(staged.orders.resolve()),
        "results": str(results.resolve()),
        "watermark": watermark.strftime("%Y-%m-%d %H:%M:%S"),
        "watermark_date": watermark.strftime("%Y-%m-%d"),
    }


def declare(tables: StreamTableEnvironment, parameters: Mapping[str, str]) -> StatementSet:
    """Run the SQL files' declarations and collect their INSERTs."""
    inserts = tables.create_statement_set()
    for folder in FOLDERS:
        for statement in statements(folder, parameters):
            if statement.startswith("INSERT"):
                inserts.add_insert_sql(statement)
            else:
                tables.execute_sql(statement)
    return inserts


def _execute(flink: embedded.EmbeddedFlink, inserts: StatementSet, staged: StagedInput, display: Display) -> None:
    try:
        result = inserts.execute()
        client = result.get_job_client()
        job_id = str(client.get_job_id()) if client is not None else ""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            done = pool.submit(result.wait)
            while not concurrent.futures.wait([done], timeout=_POLL_SECONDS).done:
                if progress := read_flink_progress(flink.rest_url, job_id):
                    display.flink(progress)
            done.result()
    except Exception as error:
        # Flink says that a row is bad but neither where nor, often, why.
        if problems := find_bad_rows(staged):
            raise BadInput(problems) from error
        raise JobFailed(f"Flink: {_root_cause(error)}") from error


def _root_cause(error: BaseException) -> str:
    """The last cause in Java's stack trace, which is the one that says something."""
    causes = re.findall(r"^Caused by: (.+)$", str(error), re.MULTILINE)
    return causes[-1] if causes else str(error).splitlines()[0]


def judge(findings: Mapping[tuple[str, str], int], reject_limit: float) -> None:
    """Raise `JobFailed` where the findings forbid to publish, naming each of them."""
    reasons = [
        f"{source}: {finding} ({count:,})"
        for (source, finding), count in sorted(findings.items())
        if finding in FATAL_FINDINGS and count > 0
    ]
    read = {source: count for (source, finding), count in findings.items() if finding == "READ"}
    for source, count in sorted(read.items()):
        rejected = {f: n for (s, f), n in findings.items() if s == source and f in REJECT_FINDINGS and n > 0}
        if sum(rejected.values()) > reject_limit * count:
            named = ", ".join(f"{finding} {n:,}" for finding, n in sorted(rejected.items()))
            reasons.append(f"{source}: more than {reject_limit:.1%} of {count:,} rows rejected: {named}")
    if reasons:
        raise JobFailed("nothing published: " + "; ".join(reasons))
