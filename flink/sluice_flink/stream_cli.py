"""`sluice-flink stream`."""

from __future__ import annotations

import asyncio
import enum
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from sluice_flink import stream as streaming
from sluice_flink.embedded import EmbeddedSettings, RemoteCluster
from sluice_flink.findings import JobFailed
from sluice_flink.inputs import BadInput
from sluice_flink.risk_store import BadStoreUrl, normalise_url
from sluice_flink.stream_plan import FileEvents, KafkaEvents, StreamParameters
from sluice_flink.stream_rest import StreamProgress
from sluice_flink.stream_state import WorkFolderInUse

_errors = Console(stderr=True)


class StreamTarget(enum.StrEnum):
    """Where the job runs."""

    LOCAL = "local"
    REMOTE = "remote"


class Sink(enum.StrEnum):
    """How rows reach the store."""

    FILES = "files"
    JDBC = "jdbc"


def stream(
    store: Annotated[
        str,
        typer.Option(
            envvar="SLUICE_FLINK_STORE",
            show_envvar=True,
            help="Risk query store: sqlite:///FILE or postgresql://HOST/DATABASE.",
        ),
    ],
    submissions: Annotated[
        str | None, typer.Option(help="Folder of Sluice's exported submissions, or their topic with --kafka.")
    ] = None,
    claims: Annotated[
        str | None, typer.Option(help="Folder of claims as *.jsonl, or their topic with --kafka.")
    ] = None,
    kafka: Annotated[str | None, typer.Option(help="HOST:PORT of the Kafka brokers; else events are in files.")] = None,
    kafka_properties: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Further settings of the Kafka client, a line name=value each."),
    ] = None,
    sink: Annotated[
        Sink | None,
        typer.Option(help="jdbc: Flink writes into PostgreSQL itself (the default there). files: the runner loads."),
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder of the job's state; what is in it is gone on from.")] = Path(
        "var/flink-stream"
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")] = False,
    target: Annotated[StreamTarget, typer.Option(help="local: a mini cluster of its own. remote: see --rest.")] = (
        StreamTarget.LOCAL
    ),
    rest: Annotated[str, typer.Option(help="HOST:PORT of the remote JobManager's REST endpoint.")] = "127.0.0.1:8081",
    connectors: Annotated[Path, typer.Option(help="Folder of the connectors' jars.")] = Path("build/flink-connectors"),
    parallelism: Annotated[int, typer.Option(min=1, help="Slots to use.")] = EmbeddedSettings().parallelism,
    out_of_order: Annotated[int, typer.Option(min=0, help="Seconds that an event may come after a newer one.")] = 15,
    checkpoint: Annotated[float, typer.Option(min=0.5, help="Seconds between checkpoints.")] = 5.0,
    normal_failures: Annotated[float, typer.Option(min=0, max=1, help="Share of calls that may well fail.")] = 0.02,
    keep_days: Annotated[float, typer.Option(min=1, help="Days that windows and warnings are kept.")] = 8.0,
) -> None:
    """Count submissions and claims in half hours as they come, until SIGTERM or SIGINT; then stop with a savepoint."""
    try:
        on_postgresql = normalise_url(store).get_backend_name() == "postgresql"
        chosen = sink or (Sink.JDBC if on_postgresql else Sink.FILES)
        if chosen is Sink.JDBC and not on_postgresql:
            raise typer.BadParameter("jdbc writes into PostgreSQL only", param_hint="--sink")
        parameters = StreamParameters(
            _events(kafka, kafka_properties, submissions, claims),
            store,
            work,
            jdbc=chosen is Sink.JDBC,
            jars=connectors,
            fresh=fresh,
            out_of_order_seconds=out_of_order,
            checkpoint_seconds=checkpoint,
            normal_failure_share=normal_failures,
            keep_days=keep_days,
            flink=EmbeddedSettings(parallelism=parallelism),
            remote=_cluster(rest, parallelism) if target is StreamTarget.REMOTE else None,
        )
        report = asyncio.run(_until_signalled(parameters))
    except BadInput as error:
        _fail(*error.problems)
    except (JobFailed, BadStoreUrl, WorkFolderInUse) as error:
        _fail(str(error))
    typer.echo(f"stopped with savepoint {report.savepoint}")


async def _until_signalled(parameters: StreamParameters) -> streaming.StreamReport:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    with _display() as display:
        return await streaming.run(parameters, stopping, display)


@contextmanager
def _display() -> Iterator[_Shown]:
    if not _errors.is_terminal:
        yield _Shown(None)
        return
    with Live(console=_errors, auto_refresh=False) as live:
        yield _Shown(live)


class _Shown(streaming.StreamDisplay):
    """A live table on a terminal; elsewhere a line when something that matters has changed."""

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._told: tuple[object, ...] = ()

    def begun(self, job_id: str, rest_url: str, since: str) -> None:
        _errors.print(f"job {job_id} at {rest_url}, {since}", highlight=False, markup=False, soft_wrap=True)

    def looked(self, progress: StreamProgress, rows_loaded: int) -> None:
        watermark = "–" if progress.watermark is None else f"{progress.watermark:%Y-%m-%d %H:%M:%S}Z"
        if self._live is not None:
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
            table.add_row("state", f"{progress.state} {progress.problem}")
            table.add_row("events read", f"{progress.records_read:,}")
            table.add_row("windows closed up to", watermark)
            table.add_row("rows too late", f"{progress.rows_late:,}")
            table.add_row("checkpoints", f"{progress.checkpoints:,}")
            table.add_row("rows loaded", f"{rows_loaded:,}")
            self._live.update(table, refresh=True)
            return
        told = (progress.state, progress.problem, progress.checkpoints // 12)
        if told != self._told:
            self._told = told
            _errors.print(
                f"{progress.state} {progress.problem} {progress.records_read} events read, "
                f"windows closed up to {watermark}, {progress.rows_late} rows too late, "
                f"{progress.checkpoints} checkpoints, {rows_loaded} rows loaded",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip


def _events(
    kafka: str | None, properties: Path | None, submissions: str | None, claims: str | None
) -> FileEvents | KafkaEvents:
    if kafka is not None:
        topics = KafkaEvents(kafka)
        further = _properties(properties) if properties is not None else {}
        return KafkaEvents(kafka, submissions or topics.submissions, claims or topics.claims, further)
    return FileEvents(Path(submissions or "var/export/submissions"), Path(claims or "var/claims"))


def _properties(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator:
            raise typer.BadParameter(f"{path}, line {number}: not name=value", param_hint="--kafka-properties")
        found[name.strip()] = value.strip()
    return found


def _cluster(rest: str, parallelism: int) -> RemoteCluster:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter("must be HOST:PORT", param_hint="--rest")
    return RemoteCluster(host, int(port), parallelism)


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        _errors.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)
