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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice_flink import embedded
from sluice_flink.findings import JobFailed
from sluice_flink.inputs import BadInput
from sluice_flink.progress import answers
from sluice_flink.sql_files import statements
from sluice_flink.stream_loader import StreamLoader
from sluice_flink.stream_rest import ENDED, FlinkJob, StreamProgress, root_cause
from sluice_flink.stream_state import checkpoints, exclusive, newest_state, savepoints
from sluice_flink.stream_store import StreamStore

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_LOOK_SECONDS = 1.0
_SILENCE_SECONDS = 60.0
"""So long the cluster may give no answer before the runner gives up: a JobManager may be starting anew."""
_FORGET_SECONDS = 3600.0


@dataclass(frozen=True)
class FileEvents:
    """Events in folders of JSON lines, looked at every second."""

    submissions: Path
    """Sluice's export: `dt=…/*.jsonl`."""
    claims: Path
    """`*.jsonl` of the claims system."""


@dataclass(frozen=True)
class KafkaEvents:
    """Events in Kafka topics."""

    bootstrap: str
    """HOST:PORT of brokers, comma separated."""
    submissions: str = "sluice.submissions"
    claims: str = "claims"


@dataclass(frozen=True)
class StreamParameters:
    """One start of the streaming job."""

    events: FileEvents | KafkaEvents
    """Of files the job has a parallelism of one, whatever else is said."""
    store_url: str
    """Risk query store: `sqlite:///FILE` or `postgresql://…`; may hold a password."""
    work: Path
    """The job's state lives here: checkpoints, savepoints, files under way. A remote cluster m
    A remote cluster must see it under this path."""
    jdbc: bool
    """Flink writes into PostgreSQL itself; else it writes files, and the runner loads them."""
    jars: Path
    """Folder of the connectors' jars."""
    fresh: bool = False
    """Begin anew, whatever state there is."""
    out_of_order_seconds: int = 15
    """How much later than a newer event an older one may come and still count."""
    checkpoint_seconds: float = 5.0
    normal_failure_share: float = 0.02
    """Share of an insurer's calls that may fail without a warning."""
    keep_days: float = 8.0
    """Windows and warnings are deleted that are older than the newest by more than this."""
    flink: embedded.EmbeddedSettings = field(default_factory=embedded.EmbeddedSettings)
    remote: embedded.RemoteCluster | None = None
    """The cluster that runs the job; None: a mini cluster of this process's."""


@dataclass(frozen=True)
class StreamReport:
    """How it ended."""

    savepoint: str
    rows_loaded: int
    """By the runner; Flink's own writes through JDBC are not among them."""
    last: StreamProgress | None


class StreamDisplay:
    """Told how the job does; shows nothing."""

    def begun(self, job_id: str, rest_url: str, state: Path | None) -> None:
        """The job runs, restored from `state` if there is one."""

    def looked(self, progress: StreamProgress, rows_loaded: int) -> None:
        """A look at it."""


async def run(parameters: StreamParameters, stopping: asyncio.Event, display: StreamDisplay) -> StreamReport:
    """Run until `stopping` is set. Raises `BadInput`, `BadStoreUrl`, `WorkFolderInUse`, and `JobFailed` where Flink
    gives up or answers no more; the state under the work folder stays for the next start."""
    jars = _jars(parameters)
    store = StreamStore(parameters.store_url)
    try:
        with exclusive(parameters.work):
            await store.create()
            begun = await asyncio.to_thread(_begin, parameters, store.url, jars)
            display.begun(begun.job.job_id, begun.rest_url, begun.state)
            return await _Watch(parameters, begun, store, display).run(stopping)
    finally:
        await store.close()


@dataclass(frozen=True)
class _Begun:
    job: FlinkJob
    rest_url: str
    state: Path | None
    """What it was restored from."""
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
            return _Begun(FlinkJob(rest, running), rest, None, None)
    for name, path in sql_parameters(parameters, store).items():
        if name in ("submissions", "claims") and isinstance(parameters.events, FileEvents):
            Path(path).mkdir(parents=True, exist_ok=True)
    state = None if parameters.fresh else newest_state(work)
    flink = embedded.start(work, parameters.flink, _LARGE, remote, jars, streaming_options(parameters, state))
    inserts = flink.tables.create_statement_set()
    for folder in _folders(parameters):
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
    return _Begun(FlinkJob(flink.rest_url, job_id), flink.rest_url, state, None if remote is not None else client)


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


def _folders(parameters: StreamParameters) -> tuple[str, ...]:
    kafka = isinstance(parameters.events, KafkaEvents)
    return (
        "sources",
        "streaming/sources",
        "streaming/kafka" if kafka else "streaming/files",
        "streaming/results",
        "streaming/windows",
        "streaming/sink_jdbc" if parameters.jdbc else "streaming/sink_files",
    )


def sql_parameters(parameters: StreamParameters, store: URL) -> dict[str, str]:
    """What the placeholders of the SQL files stand for."""
    events = parameters.events
    if isinstance(events, KafkaEvents):
        told = {"bootstrap": events.bootstrap, "submissions": events.submissions, "claims": events.claims}
    else:
        told = {"submissions": str(events.submissions.resolve()), "claims": str(events.claims.resolve())}
    return told | {
        # The batch job's sources are declared beside the streams, which take their columns.
        "input": str(parameters.work.resolve() / "unused"),
        "orders": str(parameters.work.resolve() / "unused"),
        "results": str(parameters.work.resolve() / "results"),
        "out_of_order_seconds": str(parameters.out_of_order_seconds),
        "normal_failure_share": f"{parameters.normal_failure_share:.6f}",
        "jdbc_options": _jdbc_options(store) if parameters.jdbc else "",
    }


def _jdbc_options(store: URL) -> str:
    address = f"{store.host or '127.0.0.1'}:{store.port or 5432}/{store.database}"
    options = {
        "connector": "jdbc",
        "url": f"jdbc:postgresql://{address}?reWriteBatchedInserts=true&stringtype=unspecified",
        "sink.buffer-flush.max-rows": "5000",
        "sink.buffer-flush.interval": "1s",
    }
    if store.username:
        options |= {"username": store.username, "password": store.password or ""}
    return ", ".join(f"'{key}' = '{value.replace(chr(39), chr(39) * 2)}'" for key, value in options.items())


def streaming_options(parameters: StreamParameters, state: Path | None) -> Mapping[str, str]:
    """Flink's options for this job."""
    work = parameters.work.resolve()
    options = {
        "execution.runtime-mode": "STREAMING",
        "pipeline.name": "sluice windows",
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
        "execution.checkpointing.interval": f"{int(parameters.checkpoint_seconds * 1000)} ms",
        "execution.checkpointing.dir": checkpoints(work).as_uri(),
        "execution.checkpointing.savepoint-dir": savepoints(work).as_uri(),
        # What a killed job goes on from.
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "2",
    }
    if isinstance(parameters.events, FileEvents):
        # Of several readers only those with a file tell how late it is; one is quick enough for files.
        options["parallelism.default"] = "1"
    if state is not None:
        options["execution.state-recovery.path"] = state.as_uri()
        # The state becomes the new job's, which deletes it when it has newer ones.
        options["execution.state-recovery.claim-mode"] = "CLAIM"
    return options


def _jars(parameters: StreamParameters) -> list[Path]:
    """The jars that go with the job. Raises `BadInput` where they have not been fetched."""
    wanted = ["flink-sql-connector-kafka"] if isinstance(parameters.events, KafkaEvents) else []
    wanted += ["flink-connector-jdbc-core", "flink-connector-jdbc-postgres", "postgresql"] if parameters.jdbc else []
    found = [next(iter(sorted(parameters.jars.resolve().glob(f"{name}-[0-9]*.jar"))), None) for name in wanted]
    if None in found:
        raise BadInput([f"no connectors in {parameters.jars}: `make flink-connectors` fetches them"])
    return [path for path in found if path is not None]


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
