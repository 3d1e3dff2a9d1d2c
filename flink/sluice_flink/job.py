"""The risk job: check the input, run the FlinkSQL files in batch, judge what was found, publish one data version."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from opentelemetry import trace

from sluice_flink import embedded, input_state, jdbc_input, jdbc_sink
from sluice_flink.changes import compare_files, reopened_by
from sluice_flink.findings import Findings, JobFailed, currencies, judge, read_findings, rejects
from sluice_flink.inputs import BadInput, StagedInput, merge, stage, stage_orders
from sluice_flink.progress import Display, NoDisplay, answers
from sluice_flink.publish import (
    ActiveVersion,
    Base,
    BaseReplaced,
    Publication,
    active_version,
    publish_results,
    record_failure,
)
from sluice_flink.result_files import BadResults, read_results
from sluice_flink.risk_store import normalise_url
from sluice_flink.sql_job import declare, execute, sql_parameters
from sluice_flink.tracing import span
from sluice_flink.work_folder import claim

_EXAMPLES = 5
_ROWS_COMPARED = 2_000_000
"""They are held in memory while they are compared, as they were and as they are."""


@dataclass(frozen=True)
class SourceDatabase:
    """A PostgreSQL database with the source tables."""

    url: str = field(repr=False)
    """May hold a password."""
    schema: str
    jars: Path
    """Folder of the connectors' jars."""


@dataclass(frozen=True)
class RunParameters:
    """One run of the job."""

    input_dir: Path
    """The source tables as `inputs.stage` takes them, and `watermark.txt`, if it likes; unused with a database."""
    orders_dir: Path | None
    """Sluice's exported orders (`dt=…/*.jsonl`); None: no orders."""
    store_url: str
    """Risk query store: `sqlite:///FILE` or `postgresql://…`."""
    work_dir: Path
    """Scratch folder; what is in it from an earlier run is deleted. A remote cluster must see it under this path."""
    watermark: dt.datetime | None = None
    """Everything before this instant counts; None: the input's `watermark.txt`, else now."""
    reject_limit: float = 0.01
    """Largest share of a source table's rows that may be rejected; beyond it nothing is published."""
    keep_versions: int = 5
    flink: embedded.EmbeddedSettings = field(default_factory=embedded.EmbeddedSettings)
    database: SourceDatabase | None = None
    """Where the source tables are if not in files; Sluice's orders are in files all the same."""
    sink_jars: Path | None = None
    """Folder of the connectors' jars with which Flink itself writes the results into PostgreSQL; None: into files,
    which the loader reads."""
    state_dir: Path | None = None
    """Where incremental runs keep the input of the version before, staged; None: the run is a full one."""
    remote: embedded.RemoteCluster | None = None
    """The cluster that runs the jobs; None: a mini cluster of this process's."""


@dataclass(frozen=True)
class RunReport:
    """What a run has published, or what it found published already."""

    data_version: int
    watermark: dt.datetime
    row_counts: Mapping[str, int]
    findings: Mapping[tuple[str, str], int]
    """Rows by (source table, finding), as in the result table source_check."""
    seconds: Mapping[str, float]
    """Wall time by stage."""
    fingerprint: str
    flink_version: str
    base: Base | None = None
    """Of an incremental run the version that it went on from."""
    taken_over: Mapping[str, int] = field(default_factory=dict)
    """Rows by result table that are the base's."""
    unchanged: bool = False
    """The active version is of this input and watermark already; nothing was published."""


def run(
    parameters: RunParameters,
    now: Callable[[], dt.datetime],
    display: Display | None = None,
    tracer: trace.Tracer | None = None,
) -> RunReport:
    """Run everything and publish; `tracer` gets one span for the run and one a stage.

    Raises `BadStoreUrl`, `ForeignFiles`, `StateInUse`, `IncomingInUse`, `BadInput`, `JobFailed`,
    `BadResults`, `BaseReplaced`; then nothing has been published, and the last four have left a FAILED version with the
    reason in the store."""
    normalise_url(parameters.store_url)
    claim(parameters.work_dir)
    running = _Run(parameters, now, display or NoDisplay(), tracer or trace.NoOpTracer())
    with input_state.locked(parameters.state_dir) if parameters.state_dir else nullcontext():
        try:
            return running.run()
        except (BadInput, JobFailed, BadResults, BaseReplaced) as error:
            running.record_failure(str(error))
            raise


class _Run:
    """One run, with what is known about it so far."""

    def __init__(
        self, parameters: RunParameters, now: Callable[[], dt.datetime], display: Display, tracer: trace.Tracer
    ) -> None:
        self._parameters = parameters
        self._tracer = tracer
        self._now = now
        self._display = display
        self._begun = now()
        self._seconds: dict[str, float] = {}
        self._known = Publication(watermark=self._begun, published_at=self._begun)

    def run(self) -> RunReport:
        with span(self._tracer, "sluice-flink run") as current:
            if self._parameters.sink_jars is None:
                report = self._run(None)
            else:
                with jdbc_sink.incoming(self._parameters.store_url) as incoming:
                    report = self._run(incoming)
            current.set_attribute("sluice.data_version", report.data_version)
            current.set_attribute("sluice.watermark", report.watermark.isoformat())
            return report

    def _run(self, incoming: jdbc_sink.Incoming | None) -> RunReport:
        parameters, display = self._parameters, self._display
        watermark = choose_watermark(parameters, self._now)
        self._know(watermark=watermark, keep_versions=parameters.keep_versions)
        remote = parameters.remote
        # Flink's client would go on trying for more than a minute.
        if remote is not None and not answers(f"http://{remote.host}:{remote.port}"):
            raise JobFailed(f"no Flink cluster answers at {remote.host}:{remote.port}")
        with self._stage("check and stage the input") as current:
            before, active = self._before(watermark)
            staged, options, jars = self._input(before)
            self._know(fingerprint=staged.fingerprint, input=staged.describe())
            refuse_unreadable(staged, parameters.reject_limit)
            current.set_attributes({"sluice.files": staged.files, "sluice.bytes": staged.size_bytes})
        base: Base | None = None
        if before is not None and active is not None:
            with self._stage("find what has changed"):
                changes = compare_files(before, staged)
                if not changes and watermark == before.watermark:
                    shutil.rmtree(staged.folder)
                    return self._unchanged(active)
                if changes.rows > _ROWS_COMPARED:
                    display.step("all of it: comparing what has changed would take longer")
                else:
                    reopened = reopened_by(changes, before, staged, watermark)
                    base = Base(before.data_version, reopened, changes.describe())
                    self._know(base=base)
        with self._stage("start Flink"):
            if parameters.sink_jars is not None:
                jars = jdbc_input.jars(parameters.sink_jars)
            flink = embedded.start(parameters.work_dir, parameters.flink, staged.size_bytes, remote, jars)
            self._know(flink_version=flink.version)
        results = parameters.work_dir / "results"
        with self._stage("plan the jobs"):
            values = sql_parameters(staged, results, watermark, base.reopened if base else None)
            inserts = declare(flink.tables, values, options, incoming)
        with self._stage("run the jobs") as current:
            progress = execute(flink, inserts, display)
            if progress is not None:
                current.set_attributes({"flink.tasks": progress.tasks, "flink.records_read": progress.records_read})
        with self._stage("publish") as current:
            files = read_results(results) if incoming is None else {}
            findings = read_findings(files["source_check"] if incoming is None else incoming.rows("source_check"))
            self._know(rejects=rejects(findings), currency=next(iter(currencies(findings)), None))
            refuse_lost(findings, staged)
            judge(findings, staged.rows, parameters.reject_limit)
            self._know(published_at=self._now(), duration_seconds=sum(self._seconds.values()))
            published = publish_results(
                parameters.store_url, files if incoming is None else incoming.schema, self._known, display.step
            )
            current.set_attribute("sluice.rows", sum(published.row_counts.values()))
        if parameters.state_dir is None:
            shutil.rmtree(staged.folder)
        else:
            input_state.save(
                parameters.state_dir, staged.folder, staged.entries, published.data_version, watermark,
                staged.fingerprint,
            )  # fmt: skip
        return RunReport(
            published.data_version, watermark, published.row_counts, findings, self._seconds, staged.fingerprint,
            flink.version, base, published.taken_over,
        )  # fmt: skip

    def _before(self, watermark: dt.datetime) -> tuple[input_state.InputState | None, ActiveVersion | None]:
        """The input of the active version, where an incremental run may go on from it."""
        parameters = self._parameters
        state = input_state.load(parameters.state_dir) if parameters.state_dir is not None else None
        if state is None:
            return None, None
        active = asyncio.run(active_version(parameters.store_url))
        made = (state.data_version, state.fingerprint, state.watermark, state.programme)
        if active is None or made != (
            active.data_version, active.fingerprint, active.watermark, input_state.programme_digest()
        ):  # fmt: skip
            self._display.step("all of it: the state is not that of the active data version")
            return None, active
        if watermark < state.watermark:
            self._display.step("all of it: the watermark goes back")
            return None, active
        return state, active

    def _unchanged(self, active: ActiveVersion) -> RunReport:
        return RunReport(
            active.data_version, active.watermark, active.row_counts, {}, self._seconds, active.fingerprint,
            active.flink_version, unchanged=True,
        )  # fmt: skip

    def _input(self, before: input_state.InputState | None) -> tuple[StagedInput, Mapping[str, str], Sequence[Path]]:
        """The staged files, what to put in the place of the sources' options, and the jars that it takes."""
        parameters, database = self._parameters, self._parameters.database
        if database is None:
            return stage(parameters.input_dir, parameters.orders_dir, parameters.work_dir, before), {}, ()
        jars = jdbc_input.jars(database.jars)
        orders = stage_orders(parameters.orders_dir, parameters.work_dir)
        slots = parameters.remote.parallelism if parameters.remote else parameters.flink.parallelism
        found = jdbc_input.inspect(database.url, database.schema, parameters.work_dir, slots)
        return merge(found.staged, orders), found.options, jars

    def record_failure(self, reason: str) -> None:
        """List the run as FAILED in the store."""
        self._know(published_at=self._now(), duration_seconds=sum(self._seconds.values()))
        asyncio.run(record_failure(self._parameters.store_url, self._known, reason))

    def _know(self, **facts: Any) -> None:
        self._known = replace(self._known, **facts)

    @contextmanager
    def _stage(self, name: str) -> Iterator[trace.Span]:
        self._display.stage(name)
        begun = time.perf_counter()
        try:
            with span(self._tracer, name) as current:
                yield current
        finally:
            self._seconds[name] = time.perf_counter() - begun


def refuse_lost(findings: Findings, staged: StagedInput) -> None:
    """Raise `JobFailed` where fewer rows came through than the input has."""
    for table in ("policies", "claims", "orders"):
        read = findings.get((table, "READ"), 0) + findings.get((table, "BAD_TYPE"), 0)
        if read < staged.rows.get(table, 0):
            raise JobFailed(f"nothing published: Flink read {read:,} of {staged.rows[table]:,} rows of {table}")


def refuse_unreadable(staged: StagedInput, reject_limit: float) -> None:
    """Raise `BadInput` with examples where more rows than the limit can not be read: no need to start Flink then."""
    for table, rows in staged.rows.items():
        found = [row for row in staged.unreadable if row.source_table == table]
        if len(found) > reject_limit * rows:
            examples = [f"{row.place}: {row.problem}" for row in found[:_EXAMPLES]]
            raise BadInput(
                [
                    f"{table}: {len(found):,} of {rows:,} rows can not be read, the limit is {reject_limit:.1%}",
                    *examples,
                ]
            )


def choose_watermark(parameters: RunParameters, now: Callable[[], dt.datetime]) -> dt.datetime:
    """The given watermark, else the one the input states, else now; in UTC. `BadInput` if it has no time zone."""
    stated = parameters.input_dir / "watermark.txt"
    watermark = parameters.watermark
    if watermark is None and parameters.database is None and stated.is_file():
        try:
            watermark = dt.datetime.fromisoformat(stated.read_text().strip())
        except ValueError as error:
            raise BadInput([f"{stated}: {error}"]) from error
    if watermark is None:
        watermark = now()
    if watermark.tzinfo is None:
        raise BadInput(["watermark: needs a time zone, as in 2026-11-01T00:00:00Z"])
    return watermark.astimezone(dt.UTC)
