"""What the streaming job is made of: its events, its parameters, its SQL files and Flink's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL

from sluice_flink import embedded
from sluice_flink.inputs import BadInput
from sluice_flink.stream_state import checkpoints, savepoints


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
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further settings of the client by their names in Java: TLS, SASL. May hold passwords."""


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


def folders(parameters: StreamParameters) -> tuple[str, ...]:
    """The folders of SQL files that make the job, in the order in which their statements run."""
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
        further = {f"properties.{name}": value for name, value in events.properties.items()}
        told = {"bootstrap": events.bootstrap, "submissions": events.submissions, "claims": events.claims}
        told["kafka_properties"] = "".join(f"{option},\n    " for option in _options(further))
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
    return ", ".join(_options(options))


def _options(options: Mapping[str, str]) -> Iterator[str]:
    """As they stand in a WITH clause."""
    return (f"'{key}' = '{value.replace(chr(39), chr(39) * 2)}'" for key, value in options.items())


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


def connectors(parameters: StreamParameters) -> list[Path]:
    """The jars that go with the job. Raises `BadInput` where they have not been fetched."""
    wanted = ["flink-sql-connector-kafka"] if isinstance(parameters.events, KafkaEvents) else []
    wanted += ["flink-connector-jdbc-core", "flink-connector-jdbc-postgres", "postgresql"] if parameters.jdbc else []
    found = [next(iter(sorted(parameters.jars.resolve().glob(f"{name}-[0-9]*.jar"))), None) for name in wanted]
    if None in found:
        raise BadInput([f"no connectors in {parameters.jars}: `make flink-connectors` fetches them"])
    return [path for path in found if path is not None]
