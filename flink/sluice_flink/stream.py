"""The streaming job: submissions and claims as they come → windows and warnings in the risk query store.

The runner plans the SQL files of `sql/streaming`, hands the job to a mini cluster of its own or to a Flink cluster, and
stays beside it: it shows how the job does, loads what the file sink has written, and stops the job with a savepoint
when it is told to end. Whatever ends it, the next start goes on from the newest savepoint or checkpoint: counters,
windows and offsets are part of that state, and rows that are written again have the same key and the same content.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice_flink import embedded
from sluice_flink.findings import JobFailed
from sluice_flink.progress import answers
from sluice_flink.sql_files import statements
from sluice_flink.stream_loader import StreamLoader
from sluice_flink.stream_plan import (
    FileEvents,
    StreamParameters,
    connectors,
    folders,
    sql_parameters,
    streaming_options,
)
from sluice_flink.stream_rest import ENDED, FlinkJob, StreamProgress, root_cause
from sluice_flink.stream_state import exclusive, newest_state, savepoints
from sluice_flink.stream_store import StreamStore

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_LOOK_SECONDS = 1.0
_SILENCE_SECONDS = 60.0
"""So long the cluster may give no answer before the runner gives up: a JobManager may be starting anew."""
_FORGET_SECONDS = 3600.0


@dataclass(frozen=True)
class StreamReport:
    """How it ended."""

    savepoint: str
    rows_loaded: int
    """By the runner; Flink's own writes through JDBC are not among them."""
    last: StreamProgress | None


class StreamDisplay:
    """Told how the job does; shows nothing."""

    def begun(self, job_id: str, rest_url: str, since: str) -> None:
        """The job runs; `since` says what it has gone on from."""

    def looked(self, progress: StreamProgress, rows_loaded: int) -> None:
        """A look at it."""


async def run(parameters: StreamParameters, stopping: asyncio.Event, display: StreamDisplay) -> StreamReport:
    """Run until `stopping` is set. Raises `BadInput`, `BadStoreUrl`, `WorkFolderInUse`, and `JobFailed` where Flink
    gives up or answers no more; the state under the work folder stays for the next start."""
    jars = connectors(parameters)
    store = StreamStore(parameters.store_url)
    try:
        with exclusive(parameters.work):
            await store.create()
            begun = await asyncio.to_thread(_begin, parameters, store.url, jars)
            display.begun(begun.job.job_id, begun.rest_url, begun.since)
            return await _Watch(parameters, begun, store, display).run(stopping)
    finally:
        await store.close()


@dataclass(frozen=True)
class _Begun:
    job: FlinkJob
    rest_url: str
    since: str
    """What it has gone on from, in words."""
    client: Any
    """PyFlink's handle of a job in this process's mini cluster, which ends with the job; None: a cluster has it."""

    async def stop(self, folder: Path) -> str:
        """Stop with a savepoint; returns where it is."""
        if self.client is None:
            return await self.job.stop(folder.as_uri())
        return await asyncio.to_thread(self._stop_here, folder)

    def _stop_here(self, folder: Path) -> str:
        # PyFlink's own stop_with_savepoint calls a method that Flink has no more.
        from pyflink.java_gateway import get_gateway

        form = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
        try:
            return str(self.client._j_job_client.stopWithSavepoint(False, folder.as_uri(), form).get())
        except Exception as error:
            raise JobFailed(f"Flink could not stop with a savepoint: {root_cause(str(error))}") from error


def _begin(parameters: StreamParameters, store: URL, jars: list[Path]) -> _Begun:
    work, remote = parameters.work.resolve(), parameters.remote
    if remote is not None:
        rest = f"http://{remote.host}:{remote.port}"
        if not answers(rest):
            raise JobFailed(f"no Flink cluster answers at {remote.host}:{remote.port}")
        if (running := _running_job(work, rest)) is not None:
            if parameters.fresh:
                raise JobFailed(f"job {running} still runs on the cluster; stop it before you begin anew")
            return _Begun(FlinkJob(rest, running), rest, "found running", None)
    if isinstance(parameters.events, FileEvents):
        # Flink refuses a folder that is not there; nothing has come yet.
        for watched in (parameters.events.submissions, parameters.events.claims):
            watched.mkdir(parents=True, exist_ok=True)
    state = None if parameters.fresh else newest_state(work)
    flink = embedded.start(work, parameters.flink, _LARGE, remote, jars, streaming_options(parameters, state))
    inserts = flink.tables.create_statement_set()
    for folder in folders(parameters):
        for statement in statements(folder, sql_parameters(parameters, store)):
            if statement.startswith("INSERT"):
                inserts.add_insert_sql(statement)
            else:
                flink.tables.execute_sql(statement)
    try:
        client = inserts.execute().get_job_client()
    except Exception as error:
        raise JobFailed(f"Flink: {root_cause(str(error))}") from error
    job_id = str(client.get_job_id())
    (work / "job.json").write_text(json.dumps({"rest": flink.rest_url, "job_id": job_id}), encoding="utf-8")
    since = f"going on from {state}" if state is not None else "nothing to go on from"
    return _Begun(FlinkJob(flink.rest_url, job_id), flink.rest_url, since, None if remote is not None else client)


_LARGE = 1_000_000_000
"""A stream's size in bytes, for what depends on it: a job that runs for long deserves the thorough compiler."""


def _running_job(work: Path, rest: str) -> str | None:
    """The job that an earlier runner has left behind on this cluster, if it still runs."""
    try:
        told = json.loads((work / "job.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if told["rest"] != rest:
        return None
    try:
        state = asyncio.run(FlinkJob(rest, told["job_id"]).look()).state
    except (OSError, http.client.HTTPException):
        return None  # The cluster does not know it.
    return str(told["job_id"]) if state not in ENDED else None


class _Watch:
    """Stays beside the running job."""

    def __init__(
        self,
        parameters: StreamParameters,
        begun: _Begun,
        store: StreamStore,
        display: StreamDisplay,
    ) -> None:
        self._parameters = parameters
        self._begun = begun
        self._store = store
        self._display = display
        self._loader = None if parameters.jdbc else StreamLoader(store, parameters.work.resolve() / "results")
        self._loaded = 0
        self._last: StreamProgress | None = None
        self._answered = time.monotonic()
        self._forgot = float("-inf")

    async def run(self, stopping: asyncio.Event) -> StreamReport:
        while not stopping.is_set():
            await self._look()
            await self._load()
            await self._forget()
            try:
                await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue
        await self._until_ready()
        savepoint = await self._begun.stop(savepoints(self._parameters.work.resolve()))
        await self._load()
        return StreamReport(savepoint, self._loaded, self._last)

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + _SILENCE_SECONDS
        while self._last is None or not self._last.ready:
            if time.monotonic() > deadline:
                raise JobFailed("Flink can not stop with a savepoint; the next start goes on from the last checkpoint")
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look()

    async def _look(self) -> None:
        try:
            progress = await self._begun.job.look()
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() - self._answered > _SILENCE_SECONDS:
                raise JobFailed(f"Flink answers no more: {error}") from error
            return
        self._answered = time.monotonic()
        self._last = progress
        self._display.looked(progress, self._loaded)
        if progress.state in ENDED:
            raise JobFailed(f"Flink: the job is {progress.state}: {progress.problem or 'no reason given'}")

    async def _load(self) -> None:
        if self._loader is not None:
            self._loaded += await self._loader.round()

    async def _forget(self) -> None:
        if time.monotonic() - self._forgot > _FORGET_SECONDS:
            self._forgot = time.monotonic()
            await self._store.forget(dt.timedelta(days=self._parameters.keep_days))
