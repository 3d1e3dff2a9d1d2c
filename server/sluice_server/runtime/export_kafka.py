"""Exports into Kafka topics, with the lines that the files have."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from sluice_server.domain.errors import Unavailable
from sluice_server.domain.orders.export import ExportedOrder, order_line, sign_of_life, submission_lines
from sluice_server.runtime.export_files import ExportCursor, exclusive, read_cursor, write_cursor

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

DELIVERY_SECONDS = 30.0
"""How long the brokers may take to acknowledge a batch."""


class KafkaDestination:
    """Keyed by application_id, so that the lines of an application stay in order.

    At least once: the cursor, a file in ``<export_dir>/kafka``, moves on when every line is acknowledged by all in-sync
    replicas. A sign of life goes to every partition of the submissions, because each has a time of its own.
    """

    name = "kafka-export"

    def __init__(
        self,
        bootstrap: str,
        export_dir: Path,
        *,
        orders_topic: str,
        submissions_topic: str,
        properties: Mapping[str, str],
        delivery_seconds: float = DELIVERY_SECONDS,
    ) -> None:
        """Raises ImportError without the extra ``kafka``, ValueError for properties that the client does not know."""
        from confluent_kafka import KafkaException, Producer

        self._dir = export_dir / "kafka"
        self._orders = orders_topic
        self._submissions = submissions_topic
        self._seconds = delivery_seconds
        self._refused: KafkaError | None = None
        self._error = KafkaException
        options = {
            **properties,
            "bootstrap.servers": bootstrap,
            "acks": "all",
            # A batch that is sent again by the client keeps its order and is stored once.
            "enable.idempotence": True,
            "linger.ms": 5,
            "delivery.timeout.ms": int(delivery_seconds * 1000),
            "logger": logging.getLogger("sluice.kafka"),
        }
        self._open = partial(Producer, options)
        try:
            self._producer = self._open()
        except KafkaException as error:
            raise ValueError(f"the Kafka client refuses its properties: {error.args[0].str()}") from error

    def exclusive(self) -> AbstractContextManager[bool]:
        return exclusive(self._dir)

    def cursor(self) -> ExportCursor:
        return read_cursor(self._dir)

    def write(self, cursor: ExportCursor, orders: Sequence[ExportedOrder], alive_at: datetime | None) -> ExportCursor:
        """Raises Unavailable when not every line was acknowledged; the cursor is then where it was."""
        self._refused = None
        try:
            for order in orders:
                key = order.application_id.encode()
                for line in submission_lines(order):
                    self._produce(self._submissions, line, key)
                self._produce(self._orders, order_line(order), key)
            if alive_at is not None:
                for partition in self._partitions():
                    self._produce(self._submissions, sign_of_life(alive_at), None, partition)
            missing = self._producer.flush(self._seconds)
        except (self._error, BufferError) as error:
            raise self._unavailable(str(error)) from error
        if missing or self._refused is not None:
            raise self._unavailable(self._refused.str() if self._refused is not None else "no acknowledgement in time")
        return write_cursor(self._dir, cursor, cursor.sequence + 1, orders)

    def close(self) -> None:
        """Gives up what is not acknowledged; it is sent again after the next start."""
        self._producer.purge()

    def _produce(self, topic: str, line: Mapping[str, object], key: bytes | None, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(topic, orjson.dumps(line), key, partition, on_delivery=self._delivered)
            except BufferError:
                # The client's queue is full: it empties while acknowledgements come in.
                if self._producer.flush(self._seconds):
                    raise
                continue
            self._producer.poll(0)
            return

    def _partitions(self) -> Sequence[int]:
        topic = self._producer.list_topics(self._submissions, timeout=self._seconds).topics[self._submissions]
        if topic.error is not None:
            raise self._error(topic.error)
        return sorted(topic.partitions)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._refused = error

    def _unavailable(self, reason: str) -> Unavailable:
        # Nothing of this batch may come after the next one's lines; and a client that has met a fatal error stays so.
        self._producer.purge()
        self._producer = self._open()
        return Unavailable(f"Kafka does not take the export: {reason}")


def read_properties(path: Path | None) -> Mapping[str, str]:
    """Lines ``name=value`` as librdkafka names them; ``#`` begins a comment. Raises ValueError naming a wrong line."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path is not None else (), start=1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"{path}, line {number}: not name=value")
        found[name.strip()] = value.strip()
    return found
